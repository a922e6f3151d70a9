"""From a command to the first order, over the floor below it: bare hops and bare round trips.

The floor is measured between the runs, in the same process on the same loop: three hops over a bus
of the same kind, and the very requests that the broker got in the run before, asked one after the
other. A product that waited for nothing else would take as long.
"""

import asyncio
import itertools
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from gateway.simulator.market.bars import read_folder
from gateway.simulator.requests import MarketDataRequest, PositionsRequest
from infra.bench.bare_broker import BareBroker, bare_broker, is_answered, noting_departures
from infra.bench.bare_bus import BareBus, bare_bus
from infra.bench.figures import Sample, busiest_second, summed
from infra.bench.orders import STRATEGY, Orders, Passage
from infra.bench.peaks import peaks_of_children
from infra.local.demo import BUNDLED, chosen_day, exchange_options, half_hours
from infra.local.stack import StackName, StackOptions, running

WARM_UP_ROUNDS: Final = 2
PAUSE_SECONDS: Final = 0.3
"""After each run and each floor: fewer than 45 requests to the broker in any second, above which
ib_async holds them back."""

PHASES_SECONDS: Final = (0.0, 0.062, 0.024, 0.086, 0.048, 0.01, 0.072, 0.034, 0.096, 0.058)
"""Added to the pauses in turn. The emulator delivers on a beat of 50 ms (push: 100 ms); without
this, each kind of round would meet it in a phase of its own."""

SITTINGS: Final[Mapping[StackName, int]] = {"embedded": 1, "emulators": 6}
"""On how many fresh stacks the rounds are played. Each stream of the emulator has a beat of its
own for as long as it lives, which makes a whole sitting quick or slow."""

ROUNDS_FACTOR: Final[Mapping[StackName, int]] = {"embedded": 1, "emulators": 2}
"""How many times as many rounds are played there: the beats spread wider than what is measured."""

STAGES: Final[Mapping[str, type[Any]]] = {
    "command hop, run written": PositionsRequest,
    "settings, broker and kept bars read, Market hop, function, Targets hop": MarketDataRequest,
}
"""Stage -> the first request that ends it; what is left ends with the order. The bars come from
Firestore in all runs but one in thirty: a minute passes between two, and they are of 30 minutes."""

LAST_STAGE: Final = "quote, net, what-if, journal, order"


@dataclass(frozen=True, slots=True)
class Round:
    """One run and the floor below it, seconds."""

    passage: Passage
    hops: float
    trips: float
    processor_seconds: float = 0.0
    """Time of this process that the floor took; wall time on a shared machine is others' too."""


@dataclass(frozen=True, slots=True)
class Latency:
    """What the rounds over one stack came to. Samples are seconds, one value a round."""

    path: Sample
    hops: Sample
    trips: Sample
    questions: Sample
    """Answered requests to the broker before the order."""

    processor: Sample
    processor_floor: Sample
    """Path and floor in time of this process: all of it where the stack lives in one process."""

    stages: Mapping[str, Sample]
    busiest_second: int
    """Requests to the measured gateway's broker in its busiest second."""

    peaks: Mapping[str, int]
    """Peak memory of the stack's own child processes, bytes, by module."""

    @property
    def floor(self) -> Sample:
        """Hops and round trips of each round together."""
        return summed([self.hops, self.trips])


def options() -> StackOptions:
    """A flat account, half an hour after the opening of the bundled day, standing still.

    Market messages go to the one strategy that they are for, as the cloud's filters have it.
    """
    bars = read_folder(BUNDLED)
    starts, _ = half_hours(bars, chosen_day(bars, None))
    exchange = exchange_options(bars, starts[1], Decimal(0))
    return StackOptions(bars, starts[1], exchange, listening=frozenset({STRATEGY}))


async def measured(name: StackName, rounds: int) -> Latency:
    """Play the rounds. Raises what the stack raises, and `BenchFailed`."""
    rounds, sittings = rounds * ROUNDS_FACTOR[name], SITTINGS[name]
    done: list[Round] = []
    peaks: Mapping[str, int] = {}
    for number in range(sittings):
        share = rounds // sittings + (number < rounds % sittings)
        with _environment_kept():
            found, peaks = await _sitting(name, share)
        done += found
    return latency(done, peaks)


async def _sitting(name: StackName, rounds: int) -> tuple[list[Round], Mapping[str, int]]:
    """Rounds on one fresh stack, the first ones left out, with the peaks of its processes."""
    played = options()
    async with AsyncExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory()))
        stack = await parts.enter_async_context(running(name, played))
        bus = await parts.enter_async_context(bare_bus(stack, folder))
        departures = parts.enter_context(noting_departures())
        broker = await parts.enter_async_context(bare_broker(played, departures))
        orders = Orders(stack, stack.store, departures)
        await orders.prepare()
        phases = itertools.cycle(PHASES_SECONDS)
        done = [await _round(orders, bus, broker, phases) for _ in range(WARM_UP_ROUNDS + rounds)]
        return done[WARM_UP_ROUNDS:], peaks_of_children()


@contextmanager
def _environment_kept() -> Iterator[None]:
    """A stack that is over leaves the addresses of its emulators behind; nobody answers there."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]


def latency(rounds: Sequence[Round], peaks: Mapping[str, int]) -> Latency:
    """Put rounds together."""
    passages = [one.passage for one in rounds]
    heard = [request.at for passage in passages for request in passage.requests]
    return Latency(
        path=Sample(tuple(passage.seconds for passage in passages)),
        hops=Sample(tuple(one.hops for one in rounds)),
        trips=Sample(tuple(one.trips for one in rounds)),
        questions=Sample(tuple(sum(map(is_answered, p.requests)) for p in passages)),
        processor=Sample(tuple(passage.processor_seconds for passage in passages)),
        processor_floor=Sample(tuple(one.processor_seconds for one in rounds)),
        stages=_stages(passages),
        busiest_second=busiest_second(heard),
        peaks=peaks,
    )


async def _round(
    orders: Orders, bus: BareBus, broker: BareBroker, phases: Iterator[float]
) -> Round:
    passage = await orders.next()
    await asyncio.sleep(PAUSE_SECONDS + next(phases))
    began = time.process_time()
    hops = await bus.seconds()
    trips, order = await broker.play(passage.requests)
    processor_seconds = order.processor_seconds - began
    await asyncio.sleep(PAUSE_SECONDS + next(phases))
    return Round(passage, hops, trips, processor_seconds)


def _stages(passages: Sequence[Passage]) -> dict[str, Sample]:
    ends = [[0.0, *map(p.until, STAGES.values()), p.seconds] for p in passages]
    lengths = [[end - start for start, end in itertools.pairwise(one)] for one in ends]
    columns = zip(*lengths, strict=True)
    return {
        name: Sample(values) for name, values in zip((*STAGES, LAST_STAGE), columns, strict=True)
    }

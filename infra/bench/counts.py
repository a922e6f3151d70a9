"""How much goes through the bus and the store: a run, an order on top of it, a whole day.

Counted on the embedded stack, where the gateway can be watched; the emulators' gateway is the same
code in a process of its own.
"""

import asyncio
import copy
import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from typing import Final

from infra.bench.figures import BenchFailed
from infra.bench.latency import options
from infra.bench.orders import Orders
from infra.bench.witness import Counts, Tally, counted
from infra.local.day import EXTERNAL_QUANTITY, Day, Ending
from infra.local.demo import chosen_day, exchange_options, half_hours
from infra.local.stack import Stack, StackOptions, running

RUNS: Final = 5
"""Of each kind; what real time brings in between disturbs one of them at most."""

ATTEMPTS_MAX: Final = 20 * RUNS
PAUSE_SECONDS: Final = 0.2
"""After a run: what is written is told only then."""


@dataclass(frozen=True, slots=True)
class DayCounts:
    """The demo's day: everything that went through, with how many runs and orders."""

    counts: Counts
    runs: int
    orders: int


async def of_a_run() -> tuple[Counts, Counts]:
    """A run of one strategy that leads to no order, and one that leads to one order."""
    async with running("embedded", options()) as stack:
        unwatched = copy.copy(stack.store)
        tally = Tally(stack.bus, stack.store)
        orders = Orders(stack, unwatched)
        await orders.prepare()
        await orders.next()
        ordering = await _with_one_order(orders, tally)
        await orders.fall_silent()
        quiet = [await _counted(orders, tally) for _ in range(RUNS)]
    return median(quiet), median(ordering)


async def of_a_day() -> DayCounts:
    """The demo's day, with three strategies at each bar and a person in between."""
    async with watched_day() as day:
        ending = await day.play()
        return DayCounts(counted(day.tally.taken()), len(day.starts), len(ending.orders))


@dataclass(frozen=True, slots=True)
class WatchedDay:
    """The demo's day before it is played. What is done through `outside` is not counted."""

    stack: Stack
    outside: Stack
    tally: Tally
    starts: tuple[datetime, ...]
    closes: datetime

    async def play(self) -> Ending:
        """Play it; nobody is told."""
        return await Day(self.outside, self.starts, self.closes, lambda at, line: None).play()


@asynccontextmanager
async def watched_day() -> AsyncIterator[WatchedDay]:
    """The demo's day on an embedded stack of its own, whose doors are watched."""
    bars = options().bars
    starts, closes = half_hours(bars, chosen_day(bars, None))
    exchange = exchange_options(bars, starts[0], EXTERNAL_QUANTITY)
    async with running("embedded", StackOptions(bars, starts[0], exchange)) as stack:
        outside = replace(stack, store=copy.copy(stack.store))
        yield WatchedDay(stack, outside, Tally(stack.bus, stack.store), starts, closes)


def median(found: Sequence[Counts]) -> Counts:
    """The median of each count."""
    columns = zip(*map(astuple, found), strict=True)
    return Counts(*(statistics.median_low(column) for column in columns))


def difference(more: Counts, less: Counts) -> Counts:
    """What one has more than the other."""
    pairs = zip(astuple(more), astuple(less), strict=True)
    return Counts(*(a - b for a, b in pairs))


async def _with_one_order(orders: Orders, tally: Tally) -> list[Counts]:
    """Runs of one order each. A flip takes two, one after the other [N6]: it is left out here."""
    found = []
    for _ in range(ATTEMPTS_MAX):
        one = await _counted(orders, tally)
        if orders.placed == 1:
            found.append(one)
        if len(found) == RUNS:
            return found
    raise BenchFailed(f"only {len(found)} of {ATTEMPTS_MAX} runs led to one order")


async def _counted(orders: Orders, tally: Tally) -> Counts:
    tally.taken()
    await orders.run()
    await asyncio.sleep(PAUSE_SECONDS)
    return counted(tally.taken())

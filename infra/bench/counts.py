"""How much goes through the bus and the store: a run, an order on top of it, a whole day.

Counted on the embedded stack, where the gateway can be watched; the emulators' gateway is the same
code in a process of its own.
"""

import asyncio
import copy
import statistics
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import Final

from infra.bench.figures import BenchFailed
from infra.bench.latency import options
from infra.bench.orders import Orders
from infra.bench.witness import Counts, Tally, counted
from infra.local.day import EXTERNAL_QUANTITY, Day
from infra.local.demo import chosen_day, exchange_options, half_hours
from infra.local.stack import StackOptions, running

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
    bars = options().bars
    starts, closes = half_hours(bars, chosen_day(bars, None))
    exchange = exchange_options(bars, starts[0], EXTERNAL_QUANTITY)
    async with running("embedded", StackOptions(bars, starts[0], exchange)) as stack:
        outside = replace(stack, store=copy.copy(stack.store))
        tally = Tally(stack.bus, stack.store)
        ending = await Day(outside, starts, closes, lambda at, line: None).play()
        return DayCounts(counted(tally.taken()), len(starts), len(ending.orders))


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

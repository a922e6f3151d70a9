"""The figures as tables. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple

from infra.bench.counts import DayCounts, difference
from infra.bench.figures import Sample, number, ratio, table
from infra.bench.imports import ImportTimes
from infra.bench.latency import Latency
from infra.bench.peaks import EMPTY
from infra.bench.witness import Counts

MILLISECONDS = 1_000.0
MEGABYTE = 1_000_000


def latency(name: str, found: Latency) -> str:
    """Command -> first order, the floor in its parts, and the stages."""
    floor = found.floor

    def row(what: str, sample: Sample) -> tuple[str, str, str]:
        return what, sample.text("ms", MILLISECONDS), ratio(sample.over(floor))

    trips = f"bare IB round trips ({number(found.questions.median)} and the order)"
    rows = [
        ("", "median (min–max)", "over the floor"),
        row("command → first order at the socket", found.path),
        *(row(f"  {stage}", sample) for stage, sample in found.stages.items()),
        row("the floor", floor),
        row("  bare hops (commands, market, targets)", found.hops),
        row(f"  {trips}", found.trips),
    ]
    note = (
        f"{len(found.path.values)} rounds, run and floor in turn; at most {found.busiest_second} "
        "requests to the broker in any second (ib_async holds them back from 45 on)"
    )
    return f"{table(f'1. {name} stack: from a command to the first order', rows)}\n{note}"


def counts(quiet: Counts, ordering: Counts, day: DayCounts) -> str:
    """What went through bus and store."""
    per_order = difference(ordering, quiet)
    mean = [value / day.runs for value in astuple(day.counts)]
    rows = [
        ("", "messages", "commits", "writes", "reads", "store calls"),
        _counts_row("a run of one strategy without an order", astuple(quiet)),
        _counts_row("a run of one strategy with one order", astuple(ordering)),
        _counts_row("so an order with its execution", astuple(per_order)),
        _counts_row(f"the demo's day: {day.runs} runs, {day.orders} orders", astuple(day.counts)),
        _counts_row("  per run of three strategies", mean),
        _counts_row("  per order", [value / day.orders for value in astuple(day.counts)]),
    ]
    return table("2. what goes through the bus and the store (embedded stack)", rows)


def imports(empty: Sample, found: Mapping[str, ImportTimes]) -> str:
    """Import times."""
    rows = [("", "median (min–max)", "over empty", "over its libraries")]
    rows.append(("an empty interpreter", empty.text("ms", MILLISECONDS), ratio(1), ""))
    for name, times in found.items():
        for what, sample in ((name, times.ours), ("  its libraries alone", times.libraries)):
            text = sample.text("ms", MILLISECONDS)
            over = ratio(sample.over(times.libraries))
            rows.append((what, text, ratio(sample.over(empty)), over))
    return f"{table('3. import times, whole processes', rows)}\n{len(empty.values)} rounds in turn"


def peaks(found: Mapping[str, int]) -> str:
    """Peak memory."""
    rows = [("", "MB", "over empty")]
    rows += [
        (what, f"{size / MEGABYTE:.0f}", ratio(size / found[EMPTY])) for what, size in found.items()
    ]
    return table("4. peak memory", rows)


def _counts_row(what: str, values: Sequence[float]) -> tuple[str, ...]:
    return what, *map(number, values)

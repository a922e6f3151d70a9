"""The figures as tables. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple

from infra.bench.counts import DayCounts, difference
from infra.bench.decisions import Decisions, percentile_99
from infra.bench.figures import Sample, number, ratio, table
from infra.bench.imports import ImportTimes
from infra.bench.latency import Latency
from infra.bench.peaks import EMPTY
from infra.bench.witness import Counts

MILLISECONDS = 1_000.0
MICROSECONDS = 1_000_000.0
MEGABYTE = 1_000_000
FREE_WRITES_PER_DAY = 20_000
FREE_READS_PER_DAY = 50_000
"""Firestore's free tier, documents a day (its pricing page, free quota)."""


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
    if name == "embedded":
        rows += _processor_rows(found)
    return f"{table(f'1. {name} stack: from a command to the first order', rows)}\n{note}"


def _processor_rows(found: Latency) -> list[tuple[str, str, str]]:
    """The whole stack and its floor live in this process: its own time, whatever else runs."""
    samples = {
        "in processor time: the path": found.processor,
        "in processor time: the floor": found.processor_floor,
    }
    return [
        (what, sample.text("ms", MILLISECONDS), ratio(sample.over(found.processor_floor)))
        for what, sample in samples.items()
    ]


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
    writes, reads = day.counts.writes / FREE_WRITES_PER_DAY, day.counts.reads / FREE_READS_PER_DAY
    note = (
        f"the day takes {writes:.1%} of Firestore's free writes and {reads:.1%} of its free reads"
    )
    return f"{table('2. what goes through the bus and the store (embedded stack)', rows)}\n{note}"


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


def decisions(found: Sequence[Decisions]) -> str:
    """Decisions of the core, and the floor below them."""
    rows = [("", "median (min–max)", "p99", "decisions/s", "over the floor")]
    for one in found:
        rows.append((f"{one.strategies} strategies × {one.contracts} contracts", "", "", "", ""))
        nets = {
            "  all of it changed: evolve, net, evolve": one.trading,
            "  nothing left to do: net": one.settled,
            "  plain dicts": one.floor,
        }
        for what, sample in nets.items():
            slowest = f"{number(percentile_99(sample) * MILLISECONDS)} ms"
            speed = f"{one.count / sample.median:,.0f}"
            over = ratio(sample.over(one.floor))
            rows.append((what, sample.text("ms", MILLISECONDS), slowest, speed, over))
        again, slowest = one.unchanged, f"{number(percentile_99(one.unchanged) * MICROSECONDS)} µs"
        took = again.text("µs", MICROSECONDS)
        rows.append(("  nothing changed since: next pass", took, slowest, "", ""))
    rounds = " and ".join(str(len(one.floor.values)) for one in found)
    return f"{table('7. decisions of the core', rows)}\n{rounds} rounds in turn"


def _counts_row(what: str, values: Sequence[float]) -> tuple[str, ...]:
    return what, *map(number, values)

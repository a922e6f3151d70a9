"""The bill as a table, for a terminal and for a page. Pure."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from infra.bill import MONTH_HOURS, POOL, Bill, Line, Shape

CENT = Decimal("0.01")

type Row = tuple[str, ...]


def rows(bill: Bill, shapes: Sequence[Shape]) -> list[Row]:
    """The head, a row for each line of the bill, and the sums. A `?` marks an unconfirmed price."""
    bills = [bill.lines(shape) for shape in shapes]
    hours = ("hours of the pool in a month", *(f"{shape.hours:.0f}" for shape in shapes))
    lines = [
        (_name(line), *(_dollars(column[number].dollars) for column in bills))
        for number, line in enumerate(bills[-1])
    ]
    sums = ("**a month, US dollars**", *(f"**{_dollars(_sum(column))}**" for column in bills))
    return [("", *(shape.title for shape in shapes)), hours, *lines, sums]


def kubernetes(bill: Bill, paper: Shape) -> list[Row]:
    """The GKE variant around the clock, for paper: its own lines, and all but the pool's."""
    own = bill.on_kubernetes()
    rest = [line for line in bill.lines(paper) if not line.what.startswith("worker pool")]
    others = sum((line.dollars for line in rest), Decimal(0))
    return [
        ("paper on GKE Autopilot, 24×7", "US dollars"),
        *((_name(line), _dollars(line.dollars)) for line in own),
        ("all but the worker pool, as above", _dollars(others)),
        ("**a month**", f"**{_dollars(_sum(own) + others)}**"),
    ]


def markdown(found: Sequence[Row]) -> str:
    """Rows as a table of a page; the first is its head, numbers stand to the right."""
    head, *body = found
    rule = ("---", *("---:" for _ in head[1:]))
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *body))


def plain(found: Sequence[Row]) -> str:
    """Rows as a table of a terminal."""
    bare = [tuple(cell.replace("*", "") for cell in row) for row in found]
    widths = [max(map(len, column)) for column in zip(*bare, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in bare
    )


def counted(bill: Bill, shape: Shape) -> list[str]:
    """What the table rests on, a sentence each."""
    load, found = bill.load, bill.found
    reads, writes = bill.reads_and_writes(shape)
    free = {name: bill.listed.prices[name].free for name in ("firestore_read", "firestore_write")}
    reserved = ", ".join(f"{one.name} {one.vcpu:f} vCPU and {one.gib:f} GiB" for one in POOL)
    return [
        f"Load: {load.runs:.0f} runs, {load.answers:.0f} answers of strategies and "
        f"{load.chores:.0f} other commands on a trading day, {load.looks:.0f} looks of the "
        f"watchdog every day, {load.jobs} Scheduler jobs.",
        f"Measured: a run of one strategy without an order {found.quiet.messages} messages, "
        f"{found.quiet.writes} writes, {found.quiet.reads} reads; with one order "
        f"{found.ordering.messages}, {found.ordering.writes}, {found.ordering.reads}; a look of "
        f"the watchdog {found.look.reads} reads.",
        f"Firestore on a trading day, 24×7: {_share(writes, free['firestore_write'])} of the free "
        f"writes, {_share(reads, free['firestore_read'])} of the free reads; most of both are the "
        "lease and the guard, which beat every 10 s.",
        f"Pub/Sub in a month: {bill.message_bytes / 2**30:.2f} GiB, of "
        f"{bill.listed.prices['pubsub_gib'].free:f} free.",
        f"The worker pool reserves: {reserved}.",
    ]


def doubts(bill: Bill) -> list[str]:
    """The prices that nobody has confirmed, and what was assumed."""
    listed = bill.listed
    return [
        *(f"{p.dollars:f} a {p.unit}: {p.source}" for p in listed.unconfirmed),
        *(f"{_words(n)}: {one.value:f}, {one.why}" for n, one in listed.assumptions.items()),
    ]


def _name(line: Line) -> str:
    return line.what if line.is_confirmed else f"{line.what} (?)"


def _sum(lines: Iterable[Line]) -> Decimal:
    return sum((line.dollars for line in lines), Decimal(0))


def _dollars(amount: Decimal) -> str:
    return f"{amount.quantize(CENT):f}"


def _share(used: Decimal, free: Decimal) -> str:
    return f"{used / free * 100:.0f} %"


def _words(name: str) -> str:
    return name.replace("_", " ")


def always(title: str, *, is_live: bool = False) -> Shape:
    """A shape around the clock."""
    return Shape(title, MONTH_HOURS, is_live)

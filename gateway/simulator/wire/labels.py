"""What the fields of a message on the wire are called, by the tables of layouts.

For people who read a trace: the text of the fields stays as it was sent, and each gets its name.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.simulator.wire.fields import FieldReader, Layout, MalformedMessage
from gateway.simulator.wire.messages import UNSUPPORTED
from gateway.simulator.wire.order_layouts import (
    COMPLETED_ORDER,
    OPEN_ORDER,
    PLACE_ORDER,
    Table,
)
from gateway.simulator.wire.reply_layouts import REPLIES, TICKS_BY_KIND
from gateway.simulator.wire.request_layouts import REQUESTS

type Label = Callable[[FieldReader], list[str]]


@dataclass(frozen=True, slots=True)
class Labels:
    """The name of a message, and of each field behind its number."""

    message: str
    fields: tuple[str, ...]


def _order_labels(table: Table) -> Label:
    return lambda reader: table.plan(reader.version).label(reader, {})


def _tick_labels(reader: FieldReader) -> list[str]:
    kind = "".join(reader.look()[1:2])
    if kind not in TICKS_BY_KIND:
        raise MalformedMessage(f"{kind[:20]!r} is no kind of tick")
    return TICKS_BY_KIND[kind].plan(reader.version).label(reader)


def _rows(layouts: tuple[Layout, ...]) -> dict[int, tuple[str, Label]]:
    return {layout.number: (layout.message_type.__name__, _label(layout)) for layout in layouts}


def _label(layout: Layout) -> Label:
    return lambda reader: layout.plan(reader.version).label(reader)


_REQUESTS = _rows(REQUESTS) | {3: ("PlaceOrder", _order_labels(PLACE_ORDER))}
_REPLIES = _rows(REPLIES) | {
    5: ("OpenOrder", _order_labels(OPEN_ORDER)),
    99: ("TickByTick", _tick_labels),
    101: ("CompletedOrder", _order_labels(COMPLETED_ORDER)),
}
UNKNOWN = Labels("Unknown", ())


def labels(fields: tuple[str, ...], version: int, *, to_server: bool) -> Labels:
    """What a frame's fields are called; without names where they do not fit the layout."""
    number = int(fields[0]) if fields[0].isdecimal() and len(fields[0]) < 6 else -1
    row = (_REQUESTS if to_server else _REPLIES).get(number)
    if row is None:
        known = to_server and number in UNSUPPORTED
        return Labels("Unsupported", ()) if known else UNKNOWN
    reader = FieldReader(fields[1:], version)
    try:
        found = row[1](reader)
    except MalformedMessage:
        return Labels(row[0], ())
    return Labels(row[0], () if reader.remaining else tuple(found))

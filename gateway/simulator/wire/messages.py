"""Every message by its number and by its type: the one door between values and text fields.

The client's half (`decode_reply`, `encode_request`) serves tests and tools that play the client.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from gateway.simulator import requests as q
from gateway.simulator.replies import CompletedOrder, Miscounted, OpenOrder
from gateway.simulator.wire.codec import encode_payloads
from gateway.simulator.wire.fields import FieldReader, Layout, MalformedMessage, parse_integer
from gateway.simulator.wire.order_messages import (
    read_completed_order,
    read_open_order,
    read_place_order,
    write_completed_order,
    write_open_order,
    write_place_order,
)
from gateway.simulator.wire.reply_layouts import REPLIES, TICKS_BY_KIND
from gateway.simulator.wire.request_layouts import REQUESTS

Read = Callable[[FieldReader], Any]
Write = Callable[[Any, int], list[str]]

READ_REQUEST: dict[int, Read] = {
    **{layout.number: layout.decode for layout in REQUESTS},
    3: read_place_order,
}


def _read_tick(reader: FieldReader) -> Any:
    kind = "".join(reader.look()[1:2])
    if kind not in TICKS_BY_KIND:
        raise MalformedMessage(f"{kind[:20]!r} is no kind of tick")
    return TICKS_BY_KIND[kind].decode(reader)


READ_REPLY: dict[int, Read] = {
    **{layout.number: layout.decode for layout in REPLIES},
    5: read_open_order,
    99: _read_tick,
    101: read_completed_order,
}


def _writers(layouts: tuple[Layout, ...]) -> dict[type[Any], Write]:
    return {layout.message_type: layout.encode for layout in layouts}


WRITE_REQUEST: dict[type[Any], Write] = {**_writers(REQUESTS), q.PlaceOrder: write_place_order}
WRITE_REPLY: dict[type[Any], Write] = {
    **_writers(REPLIES),
    **_writers(tuple(TICKS_BY_KIND.values())),
    OpenOrder: write_open_order,
    CompletedOrder: write_completed_order,
}


def _write_miscounted(garbled: Miscounted, version: int) -> list[str]:
    fields = encode_reply(garbled.reply, version)
    return [*fields, *[""] * garbled.extra] if garbled.extra > 0 else fields[: garbled.extra]


WRITE_REPLY[Miscounted] = _write_miscounted


@cache
def _joined(version: int) -> dict[type[Any], Callable[[Any], str]]:
    """What writes replies with a layout, by their type; there are few versions."""
    layouts = (*REPLIES, *TICKS_BY_KIND.values())
    return {layout.message_type: layout.joined(version) for layout in layouts}


_ID_PLACES = {
    1: (22, 79, 83, 84, 86, 88, 89, 100, 101, 102, 103, 104),
    2: (10, 11, 21, 23, 52, 53, 54, 55, 56, 57, 67, 68, 69, 70),
    4: (19,),
    0: (12, 13, 18, 24, 65, 66, 72, 73, 80, 82, 85),
}
UNSUPPORTED = {number: place for place, numbers in _ID_PLACES.items() for number in numbers}
"""Known requests not offered here, and where their request id stands; 0: they have none."""


class UnreadableRequest(Exception):
    """A whole frame that is no request; `request_id` is the best guess whom it concerns."""

    def __init__(self, reason: str, request_id: int = -1) -> None:
        super().__init__(reason)
        self.request_id = request_id


def decode_request(fields: tuple[str, ...], version: int) -> Any:
    """The request in a frame's fields; too many fields are refused as too few are.

    Raises:
        UnreadableRequest: an unknown number, or fields that do not fit its layout.
    """
    number = int(fields[0]) if fields[0].isdecimal() and len(fields[0]) < 6 else -1
    if number in UNSUPPORTED:
        place = UNSUPPORTED[number]
        return q.UnsupportedRequest(number, _integer_or_none(fields, place) if place else -1)
    if number not in READ_REQUEST:
        raise UnreadableRequest(f"no request has the number {fields[0][:20]!r}")
    reader = FieldReader(fields[1:], version)
    try:
        request = READ_REQUEST[number](reader)
    except MalformedMessage as error:
        reason = f"request {number}: {error}"
        raise UnreadableRequest(reason, _guess_id(number, fields)) from None
    if reader.remaining:
        reason = f"request {number}: {reader.remaining} fields too many"
        raise UnreadableRequest(reason, _guess_id(number, fields))
    return request


def encode_reply(reply: Any, version: int) -> list[str]:
    """The text fields of a reply at the client's version."""
    return WRITE_REPLY[type(reply)](reply, version)


def reply_frames(replies: Iterable[Any], version: int) -> bytes:
    """The frames of replies, ready for the socket: `encode_reply` of each, in fewer steps."""
    joined = _joined(version)
    payloads = []
    for reply in replies:
        write = joined.get(type(reply))
        payloads.append(write(reply) if write else "\0".join((*encode_reply(reply, version), "")))
    return encode_payloads(payloads)


def encode_request(request: Any, version: int) -> list[str]:
    """The text fields of a request, as a client sends it."""
    return WRITE_REQUEST[type(request)](request, version)


def decode_reply(fields: tuple[str, ...], version: int) -> Any:
    """The reply in a frame's fields, as a client reads it. Raises MalformedMessage."""
    reader = FieldReader(fields, version)
    reply = READ_REPLY[parse_integer(reader.take())](reader)
    if reader.remaining:
        raise MalformedMessage(f"{reader.remaining} fields too many")
    return reply


def _guess_id(number: int, fields: tuple[str, ...]) -> int:
    """Where the request id stands in a layout of ours, read without trust."""
    layout = next((item for item in REQUESTS if item.number == number), None)
    names = [field.name for field in layout.fields] if layout else ["order_id"]
    for name in ("request_id", "order_id"):
        if name in names:
            return _integer_or_none(fields, 1 + names.index(name))
    return -1


def _integer_or_none(fields: tuple[str, ...], index: int) -> int:
    text = fields[index] if index < len(fields) else ""
    return int(text) if text.isdecimal() and len(text) < 11 else -1

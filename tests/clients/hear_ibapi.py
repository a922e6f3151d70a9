"""What the official client hears of messages, in its own environment, without a network.

Run as `python hear_ibapi.py VERSION`. Reads from standard input a JSON list of messages, each a
list of texts. Writes for each what its callbacks were called with, down to plain values; the
attributes of the Order among it; how many fields were left over; and what the client complained of:
lines of its log, exceptions.
"""

import inspect
import json
import logging
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from enum import Enum
from typing import Any

from ibapi.decoder import Decoder  # type: ignore[import-not-found]
from ibapi.order import Order  # type: ignore[import-not-found]
from ibapi.wrapper import EWrapper  # type: ignore[import-not-found]

VERSION = int(sys.argv[1])
SEPARATE_NUMBER = "msgId" in inspect.signature(Decoder.interpret).parameters
"""Newer builds cut the message's number off before they decode."""
HEARD: list[Any] = []
ORDER: dict[str, Any] = {}
COMPLAINTS: list[str] = []


class Listener(EWrapper):  # type: ignore[misc]
    """Keeps what every callback is called with."""


def noting(name: str) -> Callable[..., None]:
    def callback(_: Listener, *arguments: Any) -> None:
        HEARD.append([name, list(plain(arguments))])
        for order in arguments:
            if isinstance(order, Order):
                ORDER.update({name: value for name, (value,) in singles(order)})

    return callback


for name, _ in inspect.getmembers(EWrapper, inspect.isfunction):
    if not name.startswith("_"):
        setattr(Listener, name, noting(name))


class Complaining(logging.Handler):
    """Keeps what the client logs."""

    def emit(self, record: logging.LogRecord) -> None:
        COMPLAINTS.append(record.getMessage())


class Fields(tuple[bytes, ...]):
    """Fields of which it is known how many were read, where they are read one by one."""

    reader: Iterator[bytes] = iter(())

    def __iter__(self) -> Iterator[bytes]:
        self.reader = super().__iter__()
        return self.reader


def plain(value: Any) -> Iterator[Any]:
    """All that is inside, as numbers and texts."""
    if isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from plain(item)
    elif hasattr(value, "__dict__") and not isinstance(value, Enum):
        yield from plain([item for _, item in sorted(vars(value).items())])
    elif isinstance(value, str | int | float | Decimal):
        yield float(value) if isinstance(value, Decimal) else value


def singles(order: Any) -> Iterator[tuple[str, list[Any]]]:
    """The attributes that are one value each."""
    for name, value in vars(order).items():
        if isinstance(value, str | int | float | Decimal):
            yield name, list(plain(value))


def hear(message: list[str]) -> dict[str, Any]:
    number, *values = (text.encode() for text in message)
    fields = Fields(values if SEPARATE_NUMBER else (number, *values))
    for kept in (HEARD, ORDER, COMPLAINTS):
        kept.clear()
    try:
        decoder = Decoder(Listener(), VERSION)
        decoder.interpret(*((fields, int(number)) if SEPARATE_NUMBER else (fields,)))
    except Exception as error:  # it is the answer
        COMPLAINTS.append(repr(error))
    left = len(list(fields.reader))
    said = {"heard": list(HEARD), "order": dict(ORDER), "complaints": list(COMPLAINTS)}
    return {**said, "left": left}


if __name__ == "__main__":
    logging.getLogger().addHandler(Complaining(logging.WARNING))
    sys.stdout.write(json.dumps([hear(message) for message in json.loads(sys.stdin.read())]))

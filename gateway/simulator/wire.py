"""How a list of text fields becomes a value: the language the tables of layouts are written in.

A `Kind` reads a value from the next fields and writes it back. A `Field` is a named kind with the
server versions in which it exists. A `Layout` is a whole message: its number, its type, its fields.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from gateway.simulator.codec import (
    UNSET_DOUBLE,
    bool_text,
    decimal_text,
    escaped,
    is_unset,
)

VERSION_ANY_MAX = 10_000
"""Above every server version: the field never ends."""
NO_PARTS: Mapping[str, type[Any]] = MappingProxyType({})
INTEGER_MAX = 2**63 - 1
REPEATS_MAX = 10_000
"""Most items a client may announce in one repeated group."""


class MalformedMessage(Exception):
    """A frame was whole but its fields do not make the message they claim to be."""


class FieldReader:
    """A cursor over the fields of one frame, read at one server version."""

    def __init__(self, fields: tuple[str, ...], version: int) -> None:
        self._fields = fields
        self._next = 0
        self.version = version

    @property
    def remaining(self) -> int:
        """How many fields were not read yet."""
        return len(self._fields) - self._next

    def take(self) -> str:
        """The next field. Raises MalformedMessage at the end of the frame."""
        if not self.remaining:
            raise MalformedMessage("fewer fields than the message has")
        self._next += 1
        return self._fields[self._next - 1]

    def take_many(self, count: int) -> tuple[str, ...]:
        """The next `count` fields."""
        return tuple(self.take() for _ in range(count))

    def take_count(self) -> int:
        """A count of repeated items; empty means none."""
        count = read_integer(self)
        if not 0 <= count <= REPEATS_MAX:
            raise MalformedMessage(f"a count of {count} items")
        return count


@dataclass(frozen=True, slots=True)
class Kind:
    """One way of putting a value into fields."""

    read: Callable[[FieldReader], Any]
    write: Callable[[Any, int], list[str]]


@dataclass(frozen=True, slots=True)
class Field:
    """A named part of a message, present for `since <= server version < until`."""

    name: str
    kind: Kind
    since: int = 0
    until: int = VERSION_ANY_MAX

    def present(self, version: int) -> bool:
        """Whether a server of this version sends the field."""
        return self.since <= version < self.until


@dataclass(frozen=True, slots=True)
class Layout:
    """A message on the wire: its number, the type of its value, its fields in order.

    A field named `part.name` is an attribute of a value inside the message, whose type `parts`
    gives: IB scatters a contract's fields over the message.
    """

    number: int
    message_type: type[Any]
    fields: tuple[Field, ...]
    parts: Mapping[str, type[Any]] = NO_PARTS

    def encode(self, message: Any, version: int) -> list[str]:
        """The message as text fields, its number first."""
        return [str(self.number), *write_fields(self.fields, message, version)]

    def decode(self, reader: FieldReader) -> Any:
        """The message in the fields behind its number. Raises MalformedMessage."""
        values = read_fields(self.fields, reader)
        for part, type_ in self.parts.items():
            names = [name for name in values if name.startswith(f"{part}.")]
            inner = {name.partition(".")[2]: values.pop(name) for name in names}
            values[part] = type_(**inner)
        return self.message_type(**values)


def read_fields(fields: tuple[Field, ...], reader: FieldReader) -> dict[str, Any]:
    """Read each present field; nameless ones are constants and are dropped."""
    values: dict[str, Any] = {}
    for field in fields:
        if field.present(reader.version):
            value = field.kind.read(reader)
            if field.name:
                values[field.name] = value
    return values


def write_fields(fields: tuple[Field, ...], message: Any, version: int) -> list[str]:
    """Write each present field of a message."""
    written: list[str] = []
    for field in fields:
        if field.present(version):
            value = attrgetter(field.name)(message) if field.name else None
            written += field.kind.write(value, version)
    return written


def read_integer(reader: FieldReader) -> int:
    """An integer, 0 when empty."""
    text = reader.take()
    try:
        value = int(text) if text else 0
    except ValueError:
        raise MalformedMessage(f"{text[:40]!r} is not an integer") from None
    if abs(value) > INTEGER_MAX:
        raise MalformedMessage(f"{text[:40]!r} is out of range")
    return value


def read_decimal(reader: FieldReader) -> Decimal:
    """A finite number, 0 when empty."""
    return parse_decimal(reader.take()) or Decimal(0)


def parse_decimal(text: str) -> Decimal | None:
    """A finite number, or None for one of IB's unset values. Raises MalformedMessage."""
    if is_unset(text):
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise MalformedMessage(f"{text[:40]!r} is not a number") from None
    if not value.is_finite() or value.adjusted() > 20 or int(value.as_tuple().exponent) < -20:
        raise MalformedMessage(f"{text[:40]!r} is out of range")
    return value


def read_bool(reader: FieldReader) -> bool:
    """0 or 1 (official clients), false when empty; words of Java clients are understood too."""
    text = reader.take()
    if text not in {"", "0", "1", "true", "false"}:
        raise MalformedMessage(f"{text[:40]!r} is not a boolean")
    return text in {"1", "true"}


def constant(text: str) -> Field:
    """A field that always says the same, such as a message's own version number."""
    return Field("", Kind(lambda reader: reader.take(), lambda _value, _version: [text]))


def nested(type_: type[Any], *fields: Field) -> Kind:
    """A value of several fields in a row."""
    return Kind(
        lambda reader: type_(**read_fields(fields, reader)),
        lambda value, version: write_fields(fields, value, version),
    )


def repeated(item: Kind) -> Kind:
    """A count and that many items."""

    def read(reader: FieldReader) -> tuple[Any, ...]:
        return tuple(item.read(reader) for _ in range(reader.take_count()))

    def write(values: tuple[Any, ...], version: int) -> list[str]:
        written = [str(len(values))]
        for value in values:
            written += item.write(value, version)
        return written

    return Kind(read, write)


def _unset_or(value: Decimal | None, unset: str) -> list[str]:
    return [unset if value is None else decimal_text(value)]


TEXT = Kind(lambda reader: reader.take(), lambda value, _version: [value])
ESCAPED_TEXT = Kind(lambda reader: reader.take(), lambda value, _version: [escaped(value)])
INTEGER = Kind(read_integer, lambda value, _version: [str(value)])
BOOL = Kind(read_bool, lambda value, _version: [bool_text(value)])
DECIMAL = Kind(read_decimal, lambda value, _version: [decimal_text(value)])
UNSET_DECIMAL = Kind(
    lambda reader: parse_decimal(reader.take()),
    lambda value, _version: _unset_or(value, UNSET_DOUBLE),
)
EMPTY_DECIMAL = Kind(
    lambda reader: parse_decimal(reader.take()),
    lambda value, _version: _unset_or(value, ""),
)

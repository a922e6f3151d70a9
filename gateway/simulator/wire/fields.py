"""How a list of text fields becomes a value: the language the tables of layouts are written in.

A `Scalar` is a value in one field, a `Kind` one in several. A `Field` is a named value with the
server versions in which it exists. A `Layout` is a whole message: its number, its type, its fields.
The tables are read once per server version, into a `Plan` that is quick to follow.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from gateway.simulator.wire.codec import (
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

Values = dict[str, Any]


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
        return self.take_many(1)[0]

    def take_many(self, count: int) -> tuple[str, ...]:
        """The next `count` fields. Raises MalformedMessage where the frame has fewer."""
        end = self._next + count
        if end > len(self._fields):
            raise MalformedMessage("fewer fields than the message has")
        taken = self._fields[self._next : end]
        self._next = end
        return taken

    def take_count(self) -> int:
        """A count of repeated items; empty means none."""
        count = parse_integer(self.take())
        if not 0 <= count <= REPEATS_MAX:
            raise MalformedMessage(f"a count of {count} items")
        return count

    def look(self) -> tuple[str, ...]:
        """All fields not read yet, without reading them."""
        return self._fields[self._next :]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value in one field: how its text is read and written."""

    parse: Callable[[str], Any]
    text: Callable[[Any], str]

    def read(self, reader: FieldReader) -> Any:
        """The value of the next field. Raises MalformedMessage."""
        return self.parse(reader.take())

    def write(self, value: Any, version: int) -> list[str]:
        """The one field of a value."""
        del version
        return [self.text(value)]


@dataclass(frozen=True, slots=True)
class Kind:
    """A value in several fields."""

    read: Callable[[FieldReader], Any]
    write: Callable[[Any, int], list[str]]
    label: Callable[[FieldReader], list[str]]
    """What the fields it reads are called, for people who read a trace."""


@dataclass(frozen=True, slots=True)
class Field:
    """A named part of a message, present for `since <= server version < until`.

    `when` names an earlier attribute and the value it must have for this one to be there.
    """

    name: str
    kind: Scalar | Kind
    since: int = 0
    until: int = VERSION_ANY_MAX
    when: tuple[str, Any] | None = None

    def present(self, version: int) -> bool:
        """Whether a server of this version sends the field."""
        return self.since <= version < self.until


class Plan:
    """The fields of one version, sorted out beforehand into what is the same in every message,
    what is one field, and what may be many.
    """

    def __init__(self, fields: tuple[Field, ...], version: int, parts: Mapping[str, type]) -> None:
        self._version = version
        self._parts = parts
        self._template: list[str] = []
        self._slots: list[tuple[int, Callable[[Any], str]]] = []
        self._many: list[tuple[int, Field]] = []
        self._steps: list[tuple[list[str], list[Callable[[str], Any]], Field | None]] = [
            ([], [], None)
        ]
        names: list[str] = []
        for item in fields:
            if item.present(version):
                self._add(item, names)
        self._many.reverse()
        # Of one name attrgetter makes a bare value: named twice, it stays a tuple.
        self._pick = attrgetter(*names, *names[: len(names) == 1]) if names else _nothing

    def joined(self, number: int) -> Callable[[Any], str]:
        """A function that writes messages of that number, each field ended by a zero byte.

        It does in one step what `write` does field by field: most of what a broker sends is rows
        of an account, four texts among constants.
        """
        if self._many:
            return lambda message: "\0".join((str(number), *self.write(message), ""))
        pattern, pick = f"{number}\0{self._pattern()}", self._pick
        texts = [text for _, text in self._slots]
        if len(texts) > 1 and all(text is str for text in texts):
            return lambda message: pattern % pick(message)
        return lambda message: (
            pattern
            % tuple([text(value) for text, value in zip(texts, pick(message), strict=False)])
        )

    def write(self, message: Any) -> list[str]:
        """The fields of a message."""
        written = self._template.copy()
        for (place, text), value in zip(self._slots, self._pick(message), strict=False):
            written[place] = text(value)
        for place, item in self._many:
            if item.when is None or attrgetter(item.when[0])(message) == item.when[1]:
                value = attrgetter(item.name)(message)
                written[place:place] = item.kind.write(value, self._version)
        return written

    def read(self, reader: FieldReader) -> Values:
        """The attributes of a message. Raises MalformedMessage, which names the attribute."""
        values: Values = {}
        for names, parsers, item in self._steps:
            _parse_each(names, parsers, reader.take_many(len(names)), values)
            if item is not None and (item.when is None or values[item.when[0]] == item.when[1]):
                values[item.name] = item.kind.read(reader)
        values.pop("", None)
        for part, type_ in self._parts.items():
            dotted = [name for name in values if name.startswith(f"{part}.")]
            values[part] = type_(**{name[len(part) + 1 :]: values.pop(name) for name in dotted})
        return values

    def label(self, reader: FieldReader) -> list[str]:
        """What each field of a message is called; one without a name, "". Raises MalformedMessage.

        Nothing of a single field is parsed but what decides whether others are there.
        """
        labels: list[str] = []
        texts: dict[str, str] = {}
        for names, _, item in self._steps:
            taken = reader.take_many(len(names))
            labels += names
            texts.update(zip(names, taken, strict=True))
            if item is None:
                continue
            if item.when is None or texts[item.when[0]] == item.when[1]:
                more = item.kind.label(reader) if isinstance(item.kind, Kind) else []
                labels += [f"{item.name}.{name}" if name else item.name for name in more]
        return labels

    def _pattern(self) -> str:
        places = {place for place, _ in self._slots}
        fields = enumerate(self._template)
        written = ("%s" if at in places else text.replace("%", "%%") for at, text in fields)
        return "".join(f"{text}\0" for text in written)

    def _add(self, item: Field, names: list[str]) -> None:
        if isinstance(item.kind, Kind):
            self._many.append((len(self._template), item))
            self._steps[-1] = (*self._steps[-1][:2], item)
            self._steps.append(([], [], None))
            return
        self._steps[-1][0].append(item.name)
        self._steps[-1][1].append(item.kind.parse)
        if item.name:
            names.append(item.name)
            self._slots.append((len(self._template), item.kind.text))
        self._template.append("" if item.name else item.kind.text(None))


def _nothing(_message: Any) -> tuple[()]:
    return ()


def _parse_each(
    names: list[str],
    parsers: list[Callable[[str], Any]],
    texts: tuple[str, ...],
    values: Values,
) -> None:
    name = ""
    try:
        for name, parse, text in zip(names, parsers, texts, strict=True):
            values[name] = parse(text)
    except MalformedMessage as error:
        raise MalformedMessage(f"{name}: {error}") from None


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A message on the wire: its number, the type of its value, its fields in order.

    A field named `part.name` is an attribute of a value inside the message, whose type `parts`
    gives: IB scatters a contract's fields over the message.
    """

    number: int
    message_type: type[Any]
    fields: tuple[Field, ...]
    parts: Mapping[str, type[Any]] = NO_PARTS
    _plans: dict[int, Plan] = field(default_factory=dict, init=False, repr=False)

    def encode(self, message: Any, version: int) -> list[str]:
        """The message as text fields, its number first."""
        return [str(self.number), *self.plan(version).write(message)]

    def joined(self, version: int) -> Callable[[Any], str]:
        """What writes messages as `encode` does, each field ended by a zero byte, as one text."""
        return self.plan(version).joined(self.number)

    def decode(self, reader: FieldReader) -> Any:
        """The message in the fields behind its number. Raises MalformedMessage."""
        return self.message_type(**self.plan(reader.version).read(reader))

    def plan(self, version: int) -> Plan:
        """The fields of one server version; made once for each of the few that are spoken."""
        plan = self._plans.get(version)
        if plan is None:
            plan = self._plans[version] = Plan(self.fields, version, self.parts)
        return plan


def parse_integer(text: str) -> int:
    """An integer, 0 when empty."""
    try:
        value = int(text) if text else 0
    except ValueError:
        raise MalformedMessage(f"{text[:40]!r} is not an integer") from None
    if abs(value) > INTEGER_MAX:
        raise MalformedMessage(f"{text[:40]!r} is out of range")
    return value


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


def _parse_number(text: str) -> Decimal:
    return parse_decimal(text) or Decimal(0)


def parse_bool(text: str) -> bool:
    """0 or 1 (official clients), false when empty; words of Java clients are understood too."""
    if text not in {"", "0", "1", "true", "false"}:
        raise MalformedMessage(f"{text[:40]!r} is not a boolean")
    return text in {"1", "true"}


def constant(text: str) -> Field:
    """A field that always says the same, such as a message's own version number."""
    return Field("", Scalar(str, lambda _value: text))


def inside(part: str, *fields: Field) -> tuple[Field, ...]:
    """These fields as attributes of a value inside the message."""
    return tuple(Field(f"{part}.{item.name}", item.kind, item.since, item.until) for item in fields)


def nested(type_: type[Any], *fields: Field) -> Kind:
    """A value of several fields in a row."""
    layout = Layout(0, type_, fields)
    return Kind(
        layout.decode,
        lambda value, version: layout.plan(version).write(value),
        lambda reader: layout.plan(reader.version).label(reader),
    )


def optional(item: Kind) -> Kind:
    """A flag, and behind it a value if it is set."""
    return Kind(
        lambda reader: item.read(reader) if parse_bool(reader.take()) else None,
        lambda value, version: ["0"] if value is None else ["1", *item.write(value, version)],
        lambda reader: ["", *(item.label(reader) if parse_bool(reader.take()) else [])],
    )


def repeated(item: Scalar | Kind) -> Kind:
    """A count and that many items."""

    def read(reader: FieldReader) -> tuple[Any, ...]:
        return tuple(item.read(reader) for _ in range(reader.take_count()))

    def write(values: tuple[Any, ...], version: int) -> list[str]:
        written = [str(len(values))]
        for value in values:
            written += item.write(value, version)
        return written

    def label(reader: FieldReader) -> list[str]:
        labels = [""]
        for number in range(reader.take_count()):
            if isinstance(item, Scalar):
                labels.append(f"{number}")
                reader.take()
            else:
                labels += [f"{number}.{name}" for name in item.label(reader)]
        return labels

    return Kind(read, write, label)


def _unset_decimal_text(value: Decimal | None) -> str:
    return UNSET_DOUBLE if value is None else decimal_text(value)


def _unescaped(text: str) -> str:
    try:
        return text.encode("latin-1", "backslashreplace").decode("unicode-escape")
    except UnicodeDecodeError:
        raise MalformedMessage(f"{text[:40]!r} has a broken escape") from None


TEXT = Scalar(str, str)
ESCAPED_TEXT = Scalar(_unescaped, escaped)
INTEGER = Scalar(parse_integer, str)
BOOL = Scalar(parse_bool, bool_text)
DECIMAL = Scalar(_parse_number, decimal_text)
UNSET_DECIMAL = Scalar(parse_decimal, _unset_decimal_text)

"""The language of layouts: kinds, gates, parts, limits."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator.wire.fields import (
    BOOL,
    DECIMAL,
    ESCAPED_TEXT,
    INTEGER,
    TEXT,
    UNSET_DECIMAL,
    Field,
    FieldReader,
    Kind,
    Layout,
    MalformedMessage,
    Scalar,
    constant,
    inside,
    nested,
    optional,
    repeated,
)


@dataclass(frozen=True)
class Leg:
    price: Decimal
    size: int


@dataclass(frozen=True)
class Message:
    name: str
    leg: Leg
    old: str = "none"


LAYOUT = Layout(
    7,
    Message,
    (
        constant("1"),
        *inside("leg", Field("price", DECIMAL)),
        Field("name", TEXT),
        *inside("leg", Field("size", INTEGER)),
        Field("old", TEXT, until=160),
    ),
    parts={"leg": Leg},
)


@pytest.mark.parametrize(
    ("version", "fields"),
    [(159, ["7", "1", "2.5", "x", "3", "o"]), (160, ["7", "1", "2.5", "x", "3"])],
)
def test_a_layout_scatters_parts_and_knows_versions(version: int, fields: list[str]) -> None:
    message = Message("x", Leg(Decimal("2.5"), 3), "o" if version < 160 else "none")
    assert LAYOUT.encode(message, version) == fields
    assert LAYOUT.decode(FieldReader(tuple(fields[1:]), version)) == message


def read(kind: Scalar | Kind, *fields: str) -> Any:
    return kind.read(FieldReader(fields, 178))


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (INTEGER, "", 0),
        (INTEGER, "-5", -5),
        (DECIMAL, "", 0),
        (DECIMAL, "0.0", 0),
        (BOOL, "", False),
        (BOOL, "1", True),
        (BOOL, "true", True),
        (UNSET_DECIMAL, "1.7976931348623157E308", None),
        (UNSET_DECIMAL, "1.7976931348623157e+308", None),
        (UNSET_DECIMAL, "2", 2),
    ],
)
def test_texts_become_values(kind: Scalar | Kind, text: str, value: object) -> None:
    assert read(kind, text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (INTEGER, "1.0"),
        (INTEGER, "9" * 30),
        (INTEGER, "9" * 9999),
        (DECIMAL, "one"),
        (DECIMAL, "NaN"),
        (DECIMAL, "Infinity"),
        (DECIMAL, "1E+99"),
        (DECIMAL, "1E-99"),
        (BOOL, "yes"),
    ],
)
def test_texts_that_are_no_values_are_refused(kind: Scalar | Kind, text: str) -> None:
    with pytest.raises(MalformedMessage):
        read(kind, text)


def test_an_unset_number_is_written_as_ib_writes_it() -> None:
    assert UNSET_DECIMAL.write(None, 178) == ["1.7976931348623157E308"]


def test_a_group_counts_its_items() -> None:
    assert repeated(INTEGER).write((), 178) == ["0"]
    assert read(repeated(INTEGER), "2", "5", "6") == (5, 6)


@pytest.mark.parametrize("fields", [("2", "5"), ("-1",), ("99999999",)])
def test_a_count_that_cannot_be_is_refused(fields: tuple[str, ...]) -> None:
    with pytest.raises(MalformedMessage):
        read(repeated(INTEGER), *fields)


NOTED = nested(Leg, Field("price", DECIMAL), Field("size", INTEGER))


@dataclass(frozen=True)
class Order:
    kind: str
    legs: tuple[Leg, ...] = ()
    note: Leg | None = None


ORDER = Layout(
    8,
    Order,
    (
        Field("kind", TEXT),
        Field("legs", repeated(NOTED), when=("kind", "BAG")),
        Field("note", optional(NOTED)),
    ),
)


@pytest.mark.parametrize(
    ("order", "fields"),
    [
        (Order("STK"), ["8", "STK", "0"]),
        (Order("BAG"), ["8", "BAG", "0", "0"]),
        (Order("BAG", (Leg(Decimal(2), 3),)), ["8", "BAG", "1", "2", "3", "0"]),
        (Order("STK", note=Leg(Decimal(2), 3)), ["8", "STK", "1", "2", "3"]),
    ],
)
def test_a_field_may_be_there_only_for_some_values(order: Order, fields: list[str]) -> None:
    assert ORDER.encode(order, 178) == fields
    assert ORDER.decode(FieldReader(tuple(fields[1:]), 178)) == order


def test_a_refusal_names_the_field() -> None:
    with pytest.raises(MalformedMessage, match=r"leg.size: 'x' is not an integer"):
        LAYOUT.decode(FieldReader(("1", "2.5", "name", "x"), 178))


def test_an_escaped_text_is_read_as_it_was_written() -> None:
    text = ESCAPED_TEXT.text("Nestlé \\x ☃")
    assert text == r"Nestl\xe9 \\x \u2603"
    assert ESCAPED_TEXT.parse(text) == "Nestlé \\x ☃"
    with pytest.raises(MalformedMessage, match="escape"):
        ESCAPED_TEXT.parse(r"broken \x")

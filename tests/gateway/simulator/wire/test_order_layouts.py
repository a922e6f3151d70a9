"""The conditional blocks of the order layouts (design/ib.md 1.4)."""

import pytest

from gateway.simulator.wire.fields import FieldReader, MalformedMessage
from gateway.simulator.wire.order_layouts import (
    OPEN_ORDER,
    PLACE_ORDER,
    Conditions,
    Name,
    Values,
    names,
)

BLOCKS: list[tuple[Values, int]] = [
    ({}, 0),
    ({"hedgeType": "D", "hedgeParam": "1"}, 1),
    ({"algoStrategy": "Vwap", "algoParams": (("a", "1"), ("b", "2"))}, 5),
    ({"deltaNeutral": "1", "deltaNeutralDelta": "0.5"}, 3),
    ({"deltaNeutralOrderType": "MKT"}, 8),
    ({"scalePriceIncrement": "0.1"}, 7),
    ({"orderType": "PEG BENCH"}, 5),
    ({"orderType": "PEG MID"}, 2),
    ({"orderType": "PEG BEST"}, 2),
    ({"orderType": "PEG BEST", "competeAgainstBestOffset": "Infinite"}, 4),
    ({"orderType": "PEG BEST", "competeAgainstBestOffset": "Infinity"}, 4),
    ({"exchange": "IBKRATS"}, 1),
    ({"secType": "BAG", "comboLegs": (("x",) * 8,), "smartRouting": (("t", "v"),)}, 13),
    ({"conditions": (("1", *"abcdef"), ("3", *"abc"))}, 13),
]


@pytest.mark.parametrize(("values", "more"), BLOCKS, ids=lambda item: str(item)[:40])
def test_a_block_appears_under_its_condition_and_is_read_back(values: Values, more: int) -> None:
    fields = PLACE_ORDER.write(values, 178)
    assert len(fields) == 113 + more
    reader = FieldReader(tuple(fields), 178)
    again = PLACE_ORDER.read(reader)
    assert reader.remaining == 0
    assert {name: again[name] for name in values} == values


@pytest.mark.parametrize("values", [values for values, _ in BLOCKS], ids=str)
def test_an_echo_has_the_same_blocks(values: Values) -> None:
    reader = FieldReader(tuple(OPEN_ORDER.write(values, 178)), 178)
    again = OPEN_ORDER.read(reader)
    assert reader.remaining == 0
    assert {name: again[name] for name in values if name in again} == {
        name: values[name] for name in values if name in again
    }


@pytest.mark.parametrize("values", [{"orderType": "PEG MID"}, {"exchange": "IBKRATS"}])
def test_a_block_of_a_newer_server_is_left_out(values: Values) -> None:
    """ib.md 1.4: from version 170."""
    assert len(PLACE_ORDER.write(values, 157)) == 109


def test_an_attribute_that_stands_twice_is_written_twice() -> None:
    """ib.md 1.6: trailStopPrice at 73 and 113 (the message's number is 0)."""
    fields = OPEN_ORDER.write({"trailStopPrice": "5"}, 178)
    assert [index + 1 for index, text in enumerate(fields) if text == "5"] == [73, 113]


def test_a_message_of_the_plain_length_may_still_have_blocks() -> None:
    """One condition more and three fields less: the count alone does not tell."""
    fields = PLACE_ORDER.write({"conditions": (("3", "a", "0", "time"),)}, 178)
    with pytest.raises(MalformedMessage, match="fewer fields"):
        PLACE_ORDER.read(FieldReader(tuple(fields[:113]), 178))


@pytest.mark.parametrize(
    ("kind", "width"), [("1", 6), ("3", 3), ("4", 3), ("5", 4), ("6", 5), ("7", 5)]
)
def test_each_kind_of_condition_has_its_width(kind: str, width: int) -> None:
    values: Values = {}
    reader = FieldReader(("1", kind, *["x"] * width, "0", "1"), 178)
    Conditions().read(reader, values)
    assert (reader.remaining, len(values["conditions"][0])) == (0, width + 1)
    assert values["conditionsCancelOrder"] == "1"


def test_a_token_says_name_default_and_versions() -> None:
    assert names("a b=0 c=UNSET_INT>=158<170") == (
        Name("a", "", 0, 10_000),
        Name("b", "0", 0, 10_000),
        Name("c", "2147483647", 158, 170),
    )


def test_a_bad_token_is_a_bug() -> None:
    with pytest.raises(ValueError, match="bad layout token"):
        names("a=>b")


def test_a_condition_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(MalformedMessage, match="no kind of condition"):
        Conditions().read(FieldReader(("1", "2", "x"), 178), {})

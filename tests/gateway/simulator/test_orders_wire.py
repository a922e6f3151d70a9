"""The conditional blocks of the order layouts (design/ib.md 1.4)."""

import pytest

from gateway.simulator.orders_wire import (
    PLACE_ORDER,
    Conditions,
    Name,
    Values,
    names,
    read_segments,
    write_segments,
)
from gateway.simulator.wire import FieldReader

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
    ({"exchange": "IBKRATS"}, 1),
    ({"secType": "BAG", "comboLegs": (("x",) * 8,), "smartRouting": (("t", "v"),)}, 13),
    ({"conditions": (("1", *"abcdef"), ("3", *"abc"))}, 13),
]


@pytest.mark.parametrize(("values", "more"), BLOCKS, ids=lambda item: str(item)[:40])
def test_a_block_appears_under_its_condition_and_is_read_back(values: Values, more: int) -> None:
    version = {"version": 178}
    fields = write_segments(PLACE_ORDER, values | version, 178)
    assert len(fields) == 113 + more
    reader = FieldReader(tuple(fields), 178)
    again = read_segments(PLACE_ORDER, reader, dict(version))
    assert reader.remaining == 0
    assert {name: again[name] for name in values} == values


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

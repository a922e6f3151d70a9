"""What a person is told of a field: where, what it must be, what it is."""

import re
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import Invalid, from_document
from schemas.sentences import nearest
from schemas.settings import ControlDocument, Settings, StrategyDocument


@pytest.mark.parametrize(
    ("kind", "document", "sentence"),
    [
        (
            Settings,
            {"fresh_minutes": "60"},
            "fresh_minutes: must be a whole number, not the text '60'",
        ),
        (Settings, {"fresh_minutes": 1.5}, "fresh_minutes: must be a whole number, not 1.5"),
        (Settings, {"exposure_overall": None}, "exposure_overall: must be a number, not nothing"),
        (
            Settings,
            {"exposure_overall": "x" * 100},
            f"exposure_overall: must be a number, not the text '{'x' * 59}...",
        ),
        (
            Settings,
            {"order_policy": {"tif": "GTC"}},
            "order_policy.tif: must be one of DAY, IOC, not the text 'GTC'",
        ),
        (
            Settings,
            {"order_policy": {"order_type": "mktt"}},
            "order_policy.order_type: must be one of MKT, LMT, MOC, LOC, MIDPRICE, "
            "not the text 'mktt'; did you mean MKT?",
        ),
        (
            Settings,
            {"order_policy": {"order_type": "LOC", "tif": "IOC"}},
            "order_policy: LOC needs tif DAY and no outside_rth",
        ),
        (
            Settings,
            {"external_policy": {"VIXY": "ignore", "SPY": "ignored"}},
            "external_policy.SPY: must be one of refuse, ignore, not the text 'ignored'; "
            "did you mean ignore?",
        ),
        (
            Settings,
            {"sec_types_allowed": "STK"},
            "sec_types_allowed: must be a list, not the text 'STK'",
        ),
        (
            Settings,
            {"sec_types_allowed": ["STK", 5]},
            "sec_types_allowed[1]: must be text, not 5",
        ),
        (
            StrategyDocument,
            {"weight": "a lot"},
            "weight: must be a number or nothing, not the text 'a lot'",
        ),
        (
            StrategyDocument,
            {"universe": [{"symbol": "SPY", "con_id": "x"}]},
            "universe[0].con_id: must be a whole number, not the text 'x'",
        ),
        (
            StrategyDocument,
            {"universe": [{"symbol": ""}]},
            "universe[0]: symbol must not be empty",
        ),
        (
            StrategyDocument,
            {"parameters": {"fast": 1, "slow": [1]}},
            "parameters.slow: must be text, a number, a whole number, true or false or nothing, "
            "not the list [1]",
        ),
        (
            ControlDocument,
            {"state": True},
            "state: must be one of active, reduce_only, halted, not true",
        ),
        (
            ControlDocument,
            {"since": "yesterday"},
            "since: must be a time with its zone, such as 2026-01-05T15:30:00Z or nothing, "
            "not the text 'yesterday'",
        ),
    ],
)
def test_a_wrong_field_is_told_with_its_place_its_value_and_what_it_must_be(
    kind: type, document: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Invalid) as caught:
        from_document(kind, document)
    assert str(caught.value) == sentence


def test_a_map_where_another_kind_of_thing_belongs_names_its_fields() -> None:
    with pytest.raises(Invalid, match="bars: must be a map of size, duration, count_min"):
        from_document(StrategyDocument, {"bars": 5})


@pytest.mark.parametrize(
    ("kind", "field", "sentence"),
    [
        (Settings, "adaptive_priority", "unknown field, it is order_policy.adaptive_priority now"),
        (Settings, "tradingEnabled", r"unknown field, it is state in control/\{mode\} now"),
        (Settings, "exposureOverall", "unknown field, did you mean exposure_overall?"),
        (Settings, "order_notionl_max", "unknown field, did you mean order_notional_max?"),
        (StrategyDocument, "capital_allocation", "unknown field, it is weight now"),
        (ControlDocument, "zzz", "unknown field$"),
    ],
)
def test_a_field_that_nobody_knows_is_told_with_the_one_that_was_meant(
    kind: type, field: str, sentence: str
) -> None:
    with pytest.raises(Invalid, match=f"^{field}: {sentence}".replace("?", r"\?")):
        from_document(kind, {field: 1})


KINDS = (Settings, StrategyDocument, ControlDocument)
NAMES = sorted({field.name for kind in KINDS for field in fields(kind)})
INNER = ["symbol", "con_id", "multiplier", "tif", "order_type", "size", "SPY", "bogus"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(INNER) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    kind=st.sampled_from(KINDS),
    document=st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=4),
)
def test_whatever_a_document_holds_there_is_a_sentence(
    kind: type, document: dict[str, Any]
) -> None:
    """The reading of what a person wrote never fails in another way."""
    said = sentence_for(kind, document)
    assert "\n" not in said
    assert not said or re.split(r"[:.\[]", said)[0] in NAMES


def sentence_for(kind: type, document: dict[str, Any]) -> str:
    """What is wrong with a document; empty where nothing is."""
    try:
        from_document(kind, document)
    except Invalid as error:
        return str(error)
    return ""


def test_the_nearest_word_is_found_whatever_its_case() -> None:
    assert nearest("ACTVE", ["active", "halted"]) == "active"
    assert nearest("anything", ["active", "halted"]) is None

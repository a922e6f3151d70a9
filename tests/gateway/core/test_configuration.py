"""Whether what people set makes sense: each document, and all together."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gateway.core.configuration import (
    Remark,
    Written,
    field_problems,
    overlaid,
    refusals,
    remarks,
    settings_of,
    strategies_of,
)
from schemas.settings import OrderPolicy, Settings, StrategyDocument
from schemas.values import Contract, Mode, OrderType

SPY = (Contract("SPY"),)
ONE = StrategyDocument(enabled=True, weight=Decimal("0.6"))
GOOD: dict[str, dict[str, Any]] = {
    "config/common": {},
    "control/paper": {"state": "active"},
    "strategies/alpha": {
        "enabled": True,
        "weight": "0.5",
        "universe": [{"symbol": "SPY"}],
        "bars": {"size": "1 day", "duration": "5 D", "count_min": 5},
    },
}


def written(**more: dict[str, Any] | None) -> Written:
    """The good documents with these in place of theirs: `config__paper` -> `config/paper`."""
    documents = {**GOOD, **{name.replace("__", "/"): data for name, data in more.items()}}
    kept = {path: data for path, data in documents.items() if data is not None}
    return Written(Mode.PAPER, kept, frozenset({"alpha"}))


def said(found: Written) -> list[str]:
    return [str(one) for one in remarks(found)]


# ---------------------------------------------------------------------- all together


def test_what_fits_together_refuses_nothing() -> None:
    assert refusals(Settings(), {"a": ONE, "b": replace(ONE, weight=Decimal("0.4"))}) == ()


def test_a_missing_weight_is_an_error_and_never_zero() -> None:
    """[N2]"""
    assert refusals(Settings(), {"a": replace(ONE, weight=None)}) == (
        "strategies/a has no weight; say 0 to give it nothing",
    )


def test_the_weights_are_named_when_they_sum_to_more_than_the_gross_exposure() -> None:
    nothing = replace(ONE, weight=Decimal(0))
    assert refusals(Settings(), {"b": ONE, "a": ONE, "c": nothing}) == (
        "weights of the strategies sum to 1.2, over 1 (exposure_gross_max): a 0.6, b 0.6; "
        "lower one, or set enabled to false",
    )
    assert refusals(Settings(exposure_gross_max=Decimal("1.2")), {"b": ONE, "a": ONE}) == ()


def test_a_strategy_that_is_not_enabled_counts_for_nothing() -> None:
    off = StrategyDocument(weight=Decimal(-5))
    assert refusals(Settings(), {"a": ONE, "b": off, "c": StrategyDocument()}) == ()


def test_all_reasons_are_told_at_once() -> None:
    """[N2, N5]"""
    early = replace(ONE, universe=SPY, weight=Decimal("-0.1"))
    late = replace(ONE, universe=SPY, order_policy=OrderPolicy(order_type=OrderType.MOC))
    first, second = refusals(Settings(), {"a": early, "b": late})
    assert first == "strategies/a has a weight below 0; go short by targets"
    assert "strategies/a and strategies/b differ in how orders are executed" in second


# ---------------------------------------------------------------------- settings of a mode


def test_a_field_of_the_mode_takes_the_place_of_the_common_one_with_its_number() -> None:
    common = {"fresh_minutes": 5, "rebalance_band": "0.1", "rebalance_band_number": 0.1}
    assert overlaid(common, {"rebalance_band": "0.2"}) == {
        "fresh_minutes": 5,
        "rebalance_band": "0.2",
    }
    assert overlaid(None, None) == {}


def test_an_order_policy_is_taken_whole() -> None:
    common = {"order_policy": {"order_type": "MOC"}}
    found = settings_of(
        written(config__common=common, config__paper={"order_policy": {"tif": "DAY"}})
    )
    assert found.order_policy == OrderPolicy()


def test_a_field_that_cannot_be_read_counts_as_absent_and_the_others_hold() -> None:
    found = settings_of(written(config__paper={"fresh_minutes": 0, "answer_seconds": 7}))
    assert found == Settings(answer_seconds=7)


def test_settings_of_another_mode_are_not_in_force() -> None:
    assert settings_of(written(config__live={"answer_seconds": 7})) == Settings()


# ---------------------------------------------------------------------- everything there is to say


def test_good_documents_leave_nothing_to_say() -> None:
    assert remarks(written()) == ()


def test_every_wrong_field_of_a_document_is_told() -> None:
    assert said(written(config__paper={"fresh_minutes": 0, "bogus": 1, "answer_seconds": 5})) == [
        "config/paper: bogus: unknown field",
        "config/paper: fresh_minutes: must be 1 to 10080 minutes, not 0",
    ]


@pytest.mark.parametrize(
    ("documents", "sentence"),
    [
        (
            {"strategies__Bad": {}},
            "strategies/Bad: strategy 'Bad' must be 1 to 63 of a-z, 0-9 and _, starting with a",
        ),
        (
            {"strategies__alpha": {"enabled": True}},
            "strategies/alpha has no weight; say 0 to give it nothing",
        ),
        (
            {"strategies__alpha": {**GOOD["strategies/alpha"], "bars": None}},
            "strategies/alpha: has a universe but names no bars",
        ),
        (
            {
                "strategies__alpha": {
                    **GOOD["strategies/alpha"],
                    "bars": {"size": "2 days", "duration": "5 D", "count_min": 0},
                }
            },
            "strategies/alpha: bars.size: bar size '2 days' is none of IB's",
        ),
        (
            {"config__paper": {"order_notional_max": 50}},
            "config/paper: order_notional_min 100 is over order_notional_max 50, so nothing can",
        ),
        ({"control__live": {"state": "go"}}, "control/live: state: must be one of active"),
    ],
)
def test_a_problem_is_named_with_its_document(
    documents: dict[str, dict[str, Any]], sentence: str
) -> None:
    problems = [str(one) for one in remarks(written(**documents)) if one.is_problem]
    assert problems[0].startswith(sentence)


@pytest.mark.parametrize(
    ("documents", "sentence"),
    [
        (
            {"config__common": None},
            "config/common: is absent, so the defaults hold; init creates it",
        ),
        (
            {"config__papr": {}},
            "config/papr: nobody reads this document, did you mean config/paper?",
        ),
        ({"control__x": {}}, "control/x: nobody reads this document; paper reads others"),
        (
            {"config__paper": {"rebalance_band": "0.01", "rebalance_band_number": 0.02}},
            "config/paper: rebalance_band is 0.01 and rebalance_band_number is 0.02: only "
            "rebalance_band counts; change that one",
        ),
        (
            {"config__paper": {"symbols_allowed": ["SPY"], "symbols_denied": ["SPY"]}},
            "config/paper: SPY is in symbols_allowed and in symbols_denied; it is denied",
        ),
        (
            {"strategies__alpha": None},
            "strategies/alpha: is absent, so its function is never asked; init creates it",
        ),
        (
            {"strategies__beta": {**GOOD["strategies/alpha"], "weight": "0.1"}},
            "strategies/beta: has a universe, and no function has its name: every run would wait",
        ),
        (
            {"control__paper": None},
            "control/paper: is absent, so trading is halted; say resume when all is well",
        ),
        (
            {"control__paper": {"state": "reduce_only", "by": "ann", "reason": "holiday"}},
            "control/paper: trading is reduce_only by ann, because holiday; only a person says",
        ),
    ],
)
def test_what_is_no_problem_is_told_all_the_same(
    documents: dict[str, dict[str, Any] | None], sentence: str
) -> None:
    (found,) = remarks(written(**documents))
    assert str(found).startswith(sentence)
    assert not found.is_problem


def test_a_control_that_cannot_be_read_is_a_problem_and_a_halt() -> None:
    assert said(written(control__paper={"state": "actve"})) == [
        "control/paper: state: must be one of active, reduce_only, halted, not the text 'actve'; "
        "did you mean active?",
        "control/paper: cannot be read, so trading is halted; say resume or mend it",
    ]


def test_problems_come_before_notes() -> None:
    found = remarks(written(config__x={}, strategies__alpha={"enabled": 1}))
    assert [one.is_problem for one in found] == [True, False]


def test_delayed_data_is_told_to_count_for_nothing_in_live() -> None:
    documents = {**GOOD, "control/live": {"state": "active"}}
    live = Written(Mode.LIVE, {**documents, "config/live": {"delayed_data_allowed": True}})
    assert said(live) == ["config/live: delayed_data_allowed counts for nothing in live"]


def test_a_strategy_that_cannot_be_read_is_not_enabled() -> None:
    found = strategies_of(written(strategies__alpha={"enabled": True, "weight": []}))
    assert found == {"alpha": StrategyDocument()}


def test_each_field_is_looked_at_by_itself_with_the_number_beside_it() -> None:
    document = {"weight": "x", "weight_number": 1.0, "priority_number": 5}
    assert field_problems(StrategyDocument, document) == {
        "priority_number": "priority_number: unknown field, did you mean priority?",
        "weight": "weight: must be a number or nothing, not the text 'x'",
        "weight_number": "weight: must be a number or nothing, not the text 'x'",
    }


def test_a_sentence_that_names_its_document_does_not_name_it_twice() -> None:
    assert str(Remark("strategies", "strategies/a has no weight", True)) == (
        "strategies/a has no weight"
    )

"""Numbers that make sense, and a sentence for those that do not."""

from dataclasses import fields
from decimal import Decimal
from typing import Any, get_type_hints

import pytest

from schemas.bounds import Bound, bounds_of, out_of_bounds
from schemas.codec import Invalid, from_document
from schemas.settings import Settings, StrategyDocument


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (
            {"exposure_overall": "-1"},
            "exposure_overall: must be 0 to 10 of net liquidation, not -1",
        ),
        ({"rebalance_band": 1.5}, "rebalance_band: must be 0 to 1, not 1.5"),
        ({"answer_seconds": 0}, "answer_seconds: must be 1 to 86400 seconds, not 0"),
        ({"fresh_minutes": -5}, "fresh_minutes: must be 1 to 10080 minutes, not -5"),
        ({"orders_per_run_max": 0}, "orders_per_run_max: must be 1 to 10000 orders, not 0"),
        (
            {"order_notional_max": "-0.01"},
            "order_notional_max: must be 0 or more base currency, not -0.01",
        ),
        ({"turnover_per_day_max": "NaN"}, "turnover_per_day_max: must be a finite number, not NaN"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(document: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        from_document(Settings, document)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("value", ["0", "1"])
def test_both_ends_of_a_bound_are_allowed(value: str) -> None:
    assert from_document(Settings, {"rebalance_band": value}).rebalance_band == Decimal(value)


def test_a_bound_of_what_may_be_absent_holds_where_it_is_there() -> None:
    assert from_document(StrategyDocument, {"order_notional_max": None}) == StrategyDocument()
    with pytest.raises(Invalid, match="order_notional_max: must be 0 or more"):
        from_document(StrategyDocument, {"order_notional_max": "-1"})


def test_every_number_of_the_settings_has_a_bound() -> None:
    hints = get_type_hints(Settings)
    numbers = {one.name for one in fields(Settings) if hints[one.name] in (int, float, Decimal)}
    assert numbers - {*bounds_of(Settings)} == set(), "use the types of schemas.bounds"


def test_the_defaults_make_sense() -> None:
    assert out_of_bounds(Settings()) is None
    assert out_of_bounds(StrategyDocument()) is None


def test_a_record_without_bounds_is_never_refused() -> None:
    assert out_of_bounds(Bound(0, 1, "")) is None

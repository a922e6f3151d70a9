"""Fixed weights, put right once a month, or when one has drifted too far."""

from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from functions.decision import Decision, Hold, Weights
from functions.registry import load
from functions.strategies.monthly_allocation import Parameters, decide
from schemas.messages import Holding, Market
from schemas.new_york import NEW_YORK
from schemas.values import Contract

NAME = "monthly_allocation"
WANTED = {
    "SPY": Decimal("0.4"),
    "EFA": Decimal("0.2"),
    "IEF": Decimal("0.3"),
    "GLD": Decimal("0.1"),
}


@pytest.fixture
def market(made: Any) -> Any:
    """What is sent on a day of February 2025 or later, with weights in the book."""
    history = made(load(NAME))

    def of(day: date, **weights: str) -> Market:
        as_of = datetime.combine(day, time(9, 50), NEW_YORK).astimezone(UTC)
        sent: Market = history.market(NAME, as_of, 10)
        prices = {b.contract.symbol: Decimal(str(b.close[-1])) for b in sent.bars}
        book = [
            Holding(Contract(s), (sent.capital * Decimal(w) / prices[s]).to_integral_value())
            for s, w in weights.items()
        ]
        return replace(sent, book=tuple(book))

    return of


IN_PROPORTION = {symbol: str(weight) for symbol, weight in WANTED.items()}
FIRST, SECOND = date(2025, 4, 1), date(2025, 4, 2)


def decided(market: Market, **parameters: Any) -> Decision:
    return decide(market, Parameters(**parameters))


def test_what_is_not_held_is_bought_at_once(market: Any) -> None:
    """The first run does not wait for a month to begin."""
    decision = decided(market(SECOND))
    assert isinstance(decision, Weights)
    assert decision.weights == WANTED
    assert decision.reason == "SPY is -0.4000 off its weight of 0.4, beyond 0.05"


def test_on_the_first_session_of_a_month_the_weights_are_said_whatever_the_drift(
    market: Any,
) -> None:
    decision = decided(market(FIRST, **IN_PROPORTION))
    assert isinstance(decision, Weights)
    assert decision.weights == WANTED
    assert decision.reason.startswith("a month has begun; ")


def test_on_other_days_it_holds_within_the_band(market: Any) -> None:
    """Targets said anew each day would trade each day, for the capital is never the same."""
    decision = decided(market(SECOND, **IN_PROPORTION))
    assert isinstance(decision, Hold)
    assert decision.reason.endswith("within 0.05; the next month, or more drift, rebalances")


def test_a_month_that_begins_on_a_weekend_begins_on_its_first_session(market: Any) -> None:
    """The first of June 2025 is a Sunday."""
    assert isinstance(decided(market(date(2025, 6, 2), **IN_PROPORTION)), Weights)
    assert isinstance(decided(market(date(2025, 6, 3), **IN_PROPORTION)), Hold)


@pytest.mark.parametrize(("gld", "kind"), [("0.14", Hold), ("0.17", Weights), ("0.03", Weights)])
def test_a_fund_that_has_drifted_too_far_is_put_right_at_once(
    market: Any, gld: str, kind: type[Decision]
) -> None:
    decision = decided(market(SECOND, **{**IN_PROPORTION, "GLD": gld}))
    assert isinstance(decision, kind)
    assert decision.reason.startswith("GLD is ")


def test_what_is_on_its_way_counts_as_held(market: Any) -> None:
    sent = market(SECOND, **IN_PROPORTION)
    coming = [replace(h, quantity=Decimal(0), working=h.quantity) for h in sent.book]
    assert isinstance(decided(replace(sent, book=tuple(coming))), Hold)


def test_whole_shares_of_a_small_capital_are_near_enough(market: Any) -> None:
    """One share of a fund may be worth more than the band; it must not be said every day."""
    poor = replace(market(SECOND), capital=Decimal(10))
    assert isinstance(decided(poor, spy=0.0, efa=0.0, ief=0.0, gld=0.9), Hold)


def test_a_currency_without_a_rate_is_said(market: Any) -> None:
    """[M14]"""
    decision = decided(replace(market(SECOND), base_currency="EUR"))
    assert isinstance(decision, Hold)
    assert "carries no rate of exchange" in decision.reason


@pytest.mark.parametrize(
    "wrong", [{"spy": -0.1}, {"spy": 0.9}, {"drift_max": 0.0}, {"drift_max": 1.5}]
)
def test_parameters_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"negative|sum to|drift_max"):
        Parameters(**wrong)

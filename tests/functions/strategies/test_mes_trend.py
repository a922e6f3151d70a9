"""The Micro E-mini by two averages, and how it moves from month to month."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from functions.decision import Hold, Weights
from functions.registry import load
from functions.strategies.mes_trend import Parameters, decide
from schemas.messages import Bars, Market
from schemas.new_york import NEW_YORK
from tests.functions.histories import third_friday

NAME = "mes_trend"
COUNT = 90


def at(day: date) -> datetime:
    return datetime.combine(day, time(9, 40), NEW_YORK).astimezone(UTC)


@pytest.fixture
def market(made: Any) -> Any:
    """What is sent on a day at 09:40."""
    history = made(load(NAME))
    return lambda day: history.market(NAME, at(day), COUNT)


EXPIRY = third_friday(2025, 6)


def weights(market: Market, **parameters: Any) -> dict[str, Decimal]:
    decision = decide(market, Parameters(**parameters))
    assert isinstance(decision, Weights)
    return dict(decision.weights)


def months(market: Market) -> list[str]:
    return [bars.contract.name for bars in market.bars]


@pytest.mark.parametrize(
    ("days", "held"), [(10, "MESM5"), (8, "MESM5"), (7, "MESU5"), (0, "MESU5")]
)
def test_five_weekdays_before_the_last_day_the_next_month_is_held(
    market: Any, days: int, held: str
) -> None:
    """A Friday; 7 calendar days before it are 5 weekdays. The other month is said with 0 [T1]."""
    sent = market(EXPIRY - timedelta(days=days))
    assert months(sent) == ["MESM5", "MESU5"]
    found = weights(sent)
    (other,) = set(found) - {held}
    assert (abs(found[held]), found[other]) == (Decimal("0.9"), Decimal(0))


def test_the_day_after_the_last_day_the_same_month_is_held(market: Any) -> None:
    """The universe moves on, the position does not."""
    sent = market(EXPIRY + timedelta(days=3))
    assert months(sent) == ["MESU5", "MESZ5"]
    assert weights(sent)["MESZ5"] == 0
    assert weights(sent)["MESU5"] != 0


def test_the_legs_go_together_until_two_weekdays_before_the_last_day(market: Any) -> None:
    decision = decide(market(EXPIRY - timedelta(days=7)), Parameters())
    assert isinstance(decision, Weights)
    expected = datetime.combine(EXPIRY - timedelta(days=2), time(), NEW_YORK)
    assert decision.together_until == expected


def trending(sent: Market, step: float, **only: float) -> Market:
    """The months rise or fall by a step a bar; `only` says otherwise of one."""

    def lined(bars: Bars) -> Bars:
        by = only.get(bars.contract.name, step)
        line = tuple(1000.0 + by * number for number in range(len(bars.time)))
        return replace(bars, open=line, high=line, low=line, close=line)

    return replace(sent, bars=tuple(map(lined, sent.bars)))


def test_it_is_long_of_what_rises_and_short_of_what_falls(market: Any) -> None:
    sent = market(EXPIRY - timedelta(days=20))
    assert weights(trending(sent, 1.0), weight=0.5) == {"MESM5": Decimal("0.5"), "MESU5": 0}
    assert weights(trending(sent, -1.0), weight=0.5) == {"MESM5": Decimal("-0.5"), "MESU5": 0}


def test_averages_that_are_equal_say_nothing(market: Any) -> None:
    decision = decide(trending(market(EXPIRY - timedelta(days=20)), 0.0), Parameters())
    assert decision == Hold("both averages of MESM5 are 1000.00", decision.diagnostics)


def test_the_side_is_that_of_the_month_to_be_held(market: Any) -> None:
    """Nothing is spliced: each month is looked at by its own bars."""
    before, after = (market(EXPIRY - timedelta(days=days)) for days in (8, 7))
    assert weights(trending(before, 1.0, MESU5=-1.0))["MESM5"] > 0
    assert weights(trending(after, 1.0, MESU5=-1.0))["MESU5"] < 0


def test_it_holds_one_month_at_a_time_over_a_year(market: Any) -> None:
    """Month after month, and each change of month is said in one message with the old one's 0."""
    days = [date(2025, 6, 2) + timedelta(days=n) for n in range(200)]
    found = [weights(market(day)) for day in days if day.weekday() < 5]
    assert all(sum(w != 0 for w in said.values()) == 1 for said in found)
    held = [next(name for name, w in said.items() if w) for said in found]
    assert list(dict.fromkeys(held)) == ["MESM5", "MESU5", "MESZ5", "MESH6"]
    for before, after, said in zip(held, held[1:], found[1:], strict=False):
        assert before == after or said[before] == 0


def test_a_month_that_is_not_there_makes_it_hold(market: Any) -> None:
    sent = market(EXPIRY)
    decision = decide(replace(sent, bars=sent.bars[:1]), Parameters())
    assert decision == Hold("MES has no bars of 2 months, but of 1")


@pytest.mark.parametrize(
    "wrong",
    [
        {"fast": 60},
        {"fast": 0},
        {"weight": 0},
        {"weight": 1.1},
        {"alone_days": 5},
        {"alone_days": 0},
    ],
)
def test_parameters_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Parameters(**wrong)

"""The day's count, and the losses that latch reduce-only."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.core import day
from gateway.core.broker import Reading
from gateway.core.desk import Desk
from gateway.core.events import Checked, Journaled, Resumed
from gateway.core.fold import evolve
from gateway.core.reconcile import settle
from schemas.documents import StatusDocument
from schemas.settings import ControlDocument, Settings
from schemas.values import TradingState

STATUS = StatusDocument("2026-01-05", Decimal(1000), Decimal(1200), 3, Decimal(500))


def reading(build: Any, equity: int, at: datetime | None = None) -> Reading:
    """What the broker says when the account is worth so much."""
    values = replace(build.base, net_liquidation=Decimal(equity))
    found: Reading = build.reading({}, values=values, at=at or build.now)
    return found


def read(build: Any, desk: Desk, equity: int, at: datetime | None = None) -> Desk:
    return settle(desk, reading(build, equity, at), at or build.now)


def status(desk: Desk) -> StatusDocument:
    assert desk.status is not None
    return desk.status


# ---------------------------------------------------------------------- the day


def test_days_are_new_yorks() -> None:
    """Four in the morning in London is still the day before there."""
    assert day.date_of(datetime(2026, 1, 6, 4, 59, tzinfo=UTC)) == "2026-01-05"
    assert day.date_of(datetime(2026, 1, 6, 5, 0, tzinfo=UTC)) == "2026-01-06"
    assert day.date_of(datetime(2026, 7, 6, 4, 0, tzinfo=UTC)) == "2026-07-06"


def test_the_first_reading_begins_the_day(build: Any) -> None:
    desk = read(build, build.desk(), 1000)
    assert status(desk) == StatusDocument("2026-01-05", Decimal(1000), Decimal(1000))


def test_later_readings_of_a_day_only_raise_the_highest_equity(build: Any) -> None:
    desk = read(build, read(build, build.desk(status=STATUS), 1199), 1300)
    assert status(desk) == replace(STATUS, highest_equity=Decimal(1300))
    assert status(read(build, desk, 1290)).highest_equity == 1300


def test_the_first_reading_of_a_new_day_begins_it_anew(build: Any) -> None:
    """The highest equity outlives the day; the counts do not."""
    tomorrow = datetime(2026, 1, 6, 5, 0, tzinfo=UTC)
    desk = read(build, build.desk(status=STATUS), 1190, tomorrow)
    assert status(desk) == StatusDocument("2026-01-06", Decimal(1190), Decimal(1200))
    assert desk.reduce_only is None


def test_a_new_day_compares_what_books_made_with_the_last_earlier_look(
    build: Any,
) -> None:
    """A book that yesterday's look could not value keeps the look before that."""
    known = replace(
        STATUS,
        checks={"eod_check": build.now},
        pnl_before={"a": Decimal(1), "b": Decimal(2)},
        pnl={"a": Decimal(5)},
    )
    begun = day.read(known, Decimal(1000), build.later(86_400), ())
    assert begun.pnl_before == {"a": Decimal(5), "b": Decimal(2)}
    assert (begun.pnl, begun.checks) == ({}, {})
    seen = day.checked(begun, "eod_check", build.now, {"a": Decimal(7), "c": Decimal(3)})
    assert day.made_today(seen) == {"a": Decimal(2), "c": Decimal(3)}


def test_a_look_at_the_day_is_remembered_with_its_time(build: Any) -> None:
    desk = build.desk(status=replace(STATUS, pnl={"a": Decimal(5)}))
    seen = status(evolve(Checked("risk_check"), desk, build.now))
    assert (seen.checks, seen.pnl) == ({"risk_check": build.now}, {"a": Decimal(5)})
    nobody = build.desk()
    assert evolve(Checked("risk_check"), nobody, build.now) is nobody


def test_an_order_of_the_new_day_before_its_first_reading_is_counted(build: Any) -> None:
    early = datetime(2026, 1, 6, 5, 0, 1, tzinfo=UTC)
    order = build.order({"a": 5}, created_at=early)
    old = build.order({"a": 5}, order_ref="paper-1-0")
    older = build.order({"a": 5}, order_ref="paper-1-00")
    desk = build.desk(status=STATUS, orders=[order, old, older])
    later = status(read(build, desk, 1190, early.replace(second=9)))
    assert (later.day, later.orders, later.turnover) == ("2026-01-06", 1, Decimal(500))


def test_a_reading_of_yesterday_that_comes_late_does_not_turn_the_day_back(build: Any) -> None:
    yesterday = datetime(2026, 1, 4, 15, 0, tzinfo=UTC)
    assert status(read(build, build.desk(status=STATUS), 1100, yesterday)) == STATUS


def test_an_order_counts_when_it_is_journaled_and_once(build: Any) -> None:
    """RTS 6, article 15(2); crosses are no orders."""
    desk = build.desk(status=STATUS)
    order = build.order({"a": -5}, state="PENDING")
    made = Journaled((order,), (build.cross_document(),))
    once = build.after(desk, made)
    assert (status(once).orders, status(once).turnover) == (4, Decimal(1000))
    assert status(build.after(once, made)) == status(once)


@pytest.mark.parametrize("part", ["decision_price", "decision_rate"])
def test_an_order_without_price_or_rate_counts_without_turnover(build: Any, part: str) -> None:
    """[M14] A missing rate is never 1."""
    order = build.order({"a": -5}, **{part: None})
    assert day.counted(STATUS, [order]) == replace(STATUS, orders=4)


def test_turnover_is_in_the_base_currency(build: Any) -> None:
    """[M14] 5 at 100, 50 to the point, and 1.1 dollars to the euro, as when it was decided."""
    future = replace(build.spy, currency="EUR", multiplier=Decimal(50))
    order = build.order({"a": -5}, contract=future, decision_rate=Decimal("1.1"))
    assert day.worth(order) == 27_500


# ---------------------------------------------------------------------- latches


@pytest.mark.parametrize(("equity", "rule"), [(950, None), (949, "daily_loss")])
def test_a_daily_loss_over_its_bound_latches_reduce_only(
    build: Any, equity: int, rule: str | None
) -> None:
    """0.05 of 1000 may be lost."""
    settings = build.settings(drawdown_fraction_max=Decimal(1))
    desk = read(build, build.desk(status=STATUS, settings=settings), equity)
    assert (desk.reduce_only.rule if desk.reduce_only else None) == rule
    state = TradingState.REDUCE_ONLY if rule else TradingState.ACTIVE
    assert desk.trading_state is state
    if desk.reduce_only is not None:
        assert "51.00 below the day's start of 1000.00" in desk.reduce_only.reason
        assert "bound of 50.00 (daily_loss_fraction_max)" in desk.reduce_only.reason
        assert "say resume" in desk.reduce_only.reason


@pytest.mark.parametrize(("equity", "rule"), [(960, None), (959, "drawdown")])
def test_a_drawdown_over_its_bound_latches_reduce_only(
    build: Any, equity: int, rule: str | None
) -> None:
    """0.2 of the highest 1200 may be lost, on whatever day."""
    latch = day.breach(STATUS, Settings(), Decimal(equity), build.now)
    assert (latch.rule if latch else None) == rule
    if latch is not None:
        assert "241.00 below its highest of 1200.00" in latch.reason
        assert "drawdown_fraction_max" in latch.reason


@pytest.mark.parametrize("equity", [940, 960])
def test_a_latch_says_since_when(build: Any, equity: int) -> None:
    """Of the day's loss, and of the drawdown where no day's loss is over its bound."""
    settings = Settings(drawdown_fraction_max=Decimal("0.1"))
    latch = day.breach(STATUS, settings, Decimal(equity), build.later(5))
    assert latch is not None
    assert latch.since == build.later(5)


def test_a_latch_stays_when_the_equity_comes_back(build: Any) -> None:
    """Only a person lifts it; a new day does not."""
    latched = read(build, build.desk(status=STATUS), 900)
    tomorrow = datetime(2026, 1, 6, 15, 0, tzinfo=UTC)
    again = read(build, read(build, latched, 2000), 2000, tomorrow)
    assert again.reduce_only == latched.reduce_only is not None


def test_resume_lifts_the_latch_and_measures_losses_from_there(build: Any) -> None:
    latched = read(build, build.desk(status=STATUS), 900)
    resumed = build.after(latched, Resumed())
    assert resumed.reduce_only is None
    assert status(resumed).start_of_day_equity == status(resumed).highest_equity == 900
    assert (status(resumed).orders, status(resumed).turnover) == (3, Decimal(500))
    assert read(build, resumed, 900).reduce_only is None
    assert read(build, resumed, 854).reduce_only is not None


def test_resume_without_a_latch_measures_losses_from_where_they_were(build: Any) -> None:
    """Or halting and resuming would do away with a bound."""
    desk = read(build, build.desk(status=STATUS), 960)
    assert build.after(desk, Resumed()) == desk


def test_resume_before_any_reading_lets_the_next_one_begin(build: Any) -> None:
    latched = replace(read(build, build.desk(status=STATUS), 900), values=None)
    desk = read(build, build.after(latched, Resumed()), 890)
    assert (status(desk).start_of_day_equity, desk.reduce_only) == (Decimal(890), None)


@pytest.mark.parametrize("state", [TradingState.HALTED, TradingState.REDUCE_ONLY])
def test_the_stricter_of_control_and_latch_holds(build: Any, state: TradingState) -> None:
    latched = read(build, build.desk(status=STATUS), 900)
    assert replace(latched, control=ControlDocument(state)).trading_state is state


def test_a_latched_desk_reduces_and_does_not_increase(build: Any) -> None:
    """[N4]: crosses obey it as well."""
    desk = build.desk({"a": {1: 10}, "b": {2: 5}}, {"b": {2: 20}}, status=STATUS)
    held = build.settled(desk, {2: 20}, values=replace(build.base, net_liquidation=Decimal(900)))
    plan = build.net(held)
    assert [(o.contract.con_id, o.quantity) for o in plan.orders] == [(2, -15)]
    (refused,) = plan.refusals
    assert (refused.rule, refused.strategies) == ("trading_state", ("a",))

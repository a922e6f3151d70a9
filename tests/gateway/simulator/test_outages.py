"""The daily restart and the weekly login, by New York's clock."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.simulator.outages import Change, OutagePlan, Outages

ZONE = ZoneInfo("America/New_York")


def at(text: str) -> datetime:
    """New York wall time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def changes(outages: Outages, until: datetime) -> list[tuple[datetime, Change]]:
    found = []
    while (change := outages.pass_to(until)) is not None:
        found.append((outages.now.astimezone(ZONE), change))
    return found


FRIDAY = at("2025-12-12T15:00")


def test_without_a_plan_it_is_always_up() -> None:
    outages = Outages(OutagePlan(), FRIDAY)
    assert changes(outages, FRIDAY + timedelta(days=30)) == []
    assert (outages.next_change(), outages.is_down) == (None, False)


def test_a_daily_restart_goes_down_and_comes_back_each_day() -> None:
    plan = OutagePlan(restart_at=time(23, 45), restart_seconds=90)
    outages = Outages(plan, FRIDAY)
    assert outages.next_change() == at("2025-12-12T23:45")
    assert changes(outages, at("2025-12-14T12:00")) == [
        (at("2025-12-12T23:45"), Change.RESTART),
        (at("2025-12-12T23:46:30"), Change.UP),
        (at("2025-12-13T23:45"), Change.RESTART),
        (at("2025-12-13T23:46:30"), Change.UP),
    ]


def test_a_restart_keeps_new_yorks_hour_over_the_change_of_the_clocks() -> None:
    outages = Outages(OutagePlan(restart_at=time(23, 45)), at("2026-03-07T12:00"))
    restarts = [
        when for when, kind in changes(outages, at("2026-03-09T12:00")) if kind is Change.RESTART
    ]
    assert restarts == [at("2026-03-07T23:45"), at("2026-03-08T23:45")]
    assert restarts[1].timestamp() - restarts[0].timestamp() == 23 * 3600


def test_the_weekly_login_keeps_it_down_from_sunday_one_oclock_until_somebody_logs_in() -> None:
    """ib.md section 4, weekly 2FA: tokens are invalid every Sunday 01:00 ET."""
    outages = Outages(OutagePlan(restart_at=time(23, 45), weekly_login=True), FRIDAY)
    found = changes(outages, at("2025-12-17T12:00"))
    assert found[-1] == (at("2025-12-14T01:00"), Change.LOGGED_OUT)
    assert outages.is_down
    assert outages.is_logged_out
    assert outages.next_change() is None
    assert outages.log_in(at("2025-12-17T12:00"))
    assert not outages.is_down
    assert outages.next_change() == at("2025-12-17T23:45")
    assert not outages.log_in(at("2025-12-17T12:00"))


def test_a_restart_by_hand_is_no_login() -> None:
    outages = Outages(OutagePlan(weekly_login=True), FRIDAY)
    changes(outages, at("2025-12-14T02:00"))
    outages.restart(at("2025-12-14T03:00"))
    assert changes(outages, at("2025-12-15T09:00")) == []
    assert outages.is_logged_out


def test_a_login_may_come_after_hours() -> None:
    outages = Outages(OutagePlan(weekly_login=True, login_hours=7.5), FRIDAY)
    assert changes(outages, at("2025-12-15T00:00")) == [
        (at("2025-12-14T01:00"), Change.LOGGED_OUT),
        (at("2025-12-14T08:30"), Change.UP),
    ]


def test_messages_just_before_a_restart_fall_on_deaf_ears() -> None:
    plan = OutagePlan(restart_at=time(23, 45), restart_deaf_seconds=0.5)
    outages = Outages(plan, FRIDAY)
    restart = at("2025-12-12T23:45")
    assert [outages.is_deaf(restart - timedelta(seconds=s)) for s in (0.6, 0.5, 0.001, 0)] == [
        False,
        True,
        True,
        False,
    ]


def test_a_restart_by_hand_lasts_as_long_as_a_planned_one() -> None:
    outages = Outages(OutagePlan(restart_seconds=30), FRIDAY)
    outages.restart(FRIDAY)
    assert outages.is_down
    assert changes(outages, FRIDAY + timedelta(minutes=1)) == [
        (FRIDAY + timedelta(seconds=30), Change.UP)
    ]


@pytest.mark.parametrize("wrong", [{"restart_seconds": -1.0}, {"restart_ids_back": -1}])
def test_a_plan_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="cannot last less"):
        OutagePlan(**wrong)  # type: ignore[arg-type]

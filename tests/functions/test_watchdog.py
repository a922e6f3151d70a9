"""What the watchdog finds, at the bounds; it sees only what it is given."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from functions.watchdog import Fault, Ran, Sight, faults, missed, news, since_needed
from schemas.alerts import ALERTS, WatchdogDocument
from schemas.documents import LeaseDocument, SnapshotDocument
from schemas.settings import ControlDocument
from schemas.values import Mode, TradingState
from schemas.watch import Scheduled, Watch

SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=n) for n in (1, 60, 3600, 86_400))


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


OPENS, CLOSES = utc(2026, 1, 9, 14, 30), utc(2026, 1, 9, 21, 0)  # a Friday
NOON = utc(2026, 1, 9, 17, 0)
SATURDAY = NOON + DAY
HOLIDAY = utc(2026, 1, 19, 17, 0)
EARLY = utc(2026, 11, 27, 18, 0)  # 13:00, the close of the day after Thanksgiving
QUIET = Watch()


def lease(renewed_at: datetime, owner: str = "gateway-1") -> LeaseDocument:
    return LeaseDocument(owner, 3, renewed_at, renewed_at + 30 * SECOND)


def snapshot(as_of: datetime) -> SnapshotDocument:
    return SnapshotDocument(as_of, "DU1", "USD", Decimal(1), {}, None, None, {})


def sight(now: datetime = NOON, **parts: Any) -> Sight:
    """All is well then: a gateway that lives and has just read the account."""
    well = Sight(Mode.PAPER, now, now, lease(now), snapshot(now), ControlDocument())
    return replace(well, **parts)


def found(seen: Sight) -> list[str]:
    return [fault.alert for fault in faults(seen)]


@pytest.mark.parametrize("now", [OPENS, NOON, CLOSES, SATURDAY, HOLIDAY])
@pytest.mark.parametrize("mode", Mode)
def test_nothing_is_found_when_all_is_well(now: datetime, mode: Mode) -> None:
    if mode is Mode.PAPER or now is not SATURDAY:  # a live login ends that night
        assert found(sight(now, mode=mode)) == []


# ------------------------------------------------------------------ silence


@pytest.mark.parametrize(("age", "is_silent"), [(60 * SECOND, False), (61 * SECOND, True)])
def test_a_gateway_is_silent_once_its_lease_ran_out_and_half_a_minute_more(
    age: timedelta, is_silent: bool
) -> None:
    """[R3] TTL 30 s. So whoever dies is told at the first period a minute later."""
    seen = sight(lease=lease(NOON - age))
    assert ("gateway_silent" in found(seen)) is is_silent


def test_silence_says_who_since_when_how_long_is_usual_and_what_to_do() -> None:
    (fault,) = faults(sight(lease=lease(NOON - 5 * MINUTE)))
    assert fault.sentence == (
        "gateway gateway-1 last renewed leases/paper 300 s ago (2026-01-09 11:55:00 New York "
        "time), at most 60 s are usual, and it is within half an hour of the session: start it, "
        "or see its log; positions stay as they are, the guard cancels orders"
    )


@pytest.mark.parametrize(
    ("now", "matters"),
    [
        (OPENS - 30 * MINUTE, True),
        (OPENS - 30 * MINUTE - SECOND, False),
        (CLOSES + 30 * MINUTE, True),
        (CLOSES + 30 * MINUTE + SECOND, False),
        (EARLY + 30 * MINUTE, True),
        (EARLY + 31 * MINUTE, False),
        (SATURDAY, False),
        (HOLIDAY, False),
    ],
)
def test_a_gateway_that_is_scaled_to_0_out_of_hours_is_no_alarm(
    now: datetime, matters: bool
) -> None:
    """Weekends, holidays and the afternoon of an early close included."""
    seen = sight(now, lease=lease(now - DAY, owner=""), snapshot=snapshot(now))
    assert found(seen) == (["gateway_silent"] if matters else [])


def test_a_dead_gateway_matters_at_any_time_while_orders_work() -> None:
    """[R4]"""
    (fault,) = faults(sight(SATURDAY, lease=lease(SATURDAY - HOUR), working=2))
    assert fault.alert == "gateway_silent"
    assert "orders of ours work" in fault.sentence


def test_no_lease_at_all_is_silence_too() -> None:
    (fault,) = faults(sight(lease=None))
    assert fault.sentence.startswith("no gateway has ever taken leases/paper, and it is within")


@pytest.mark.parametrize(("age", "is_silent"), [(30 * SECOND, False), (31 * SECOND, True)])
def test_a_lease_given_back_leaves_a_deploy_half_a_minute(age: timedelta, is_silent: bool) -> None:
    given_back = LeaseDocument("", 3, NOON - age, NOON - age)
    assert ("gateway_silent" in found(sight(lease=given_back))) is is_silent


def test_the_lease_is_judged_by_the_wall_and_the_session_by_the_market() -> None:
    """[R3] In a rehearsal the market's time stands still, and the lease's does not."""
    wall = utc(2026, 11, 22, 3, 0)
    seen = sight(NOON, wall=wall, lease=lease(wall))
    assert found(seen) == []
    assert found(replace(seen, lease=lease(wall - HOUR))) == ["gateway_silent"]


# ------------------------------------------------------------------ the broker


@pytest.mark.parametrize(
    ("now", "as_of", "is_old"),
    [
        (OPENS + 30 * MINUTE, OPENS - 4 * HOUR - SECOND, True),
        (OPENS + 30 * MINUTE, OPENS - 4 * HOUR, False),
        (OPENS + 30 * MINUTE - SECOND, OPENS - DAY, False),
        (CLOSES, OPENS - DAY, True),
        (CLOSES + SECOND, OPENS - DAY, False),
        (HOLIDAY, OPENS, False),
    ],
)
def test_an_account_that_nobody_read_this_day_is_told_within_the_session(
    now: datetime, as_of: datetime, is_old: bool
) -> None:
    """[R1]"""
    seen = sight(now, snapshot=snapshot(as_of))
    assert found(seen) == (["reconcile_old"] if is_old else [])


def test_an_account_that_was_never_read_is_told_and_a_dead_gateway_explains_it() -> None:
    assert found(sight(snapshot=None)) == ["reconcile_old"]
    assert found(sight(snapshot=None, lease=None)) == ["gateway_silent"]


# ------------------------------------------------------------------ logins


SUNDAY = utc(2026, 1, 11, 6, 0)  # 01:00 in New York


@pytest.mark.parametrize(
    ("now", "alerts"),
    [
        (SUNDAY - 12 * HOUR - SECOND, []),
        (SUNDAY - 12 * HOUR, ["login_soon"]),
        (SUNDAY - SECOND, ["login_soon"]),
        (SUNDAY, []),
        (SUNDAY + 11 * HOUR - SECOND, []),
        (SUNDAY + 11 * HOUR, ["login_needed"]),
    ],
)
def test_a_live_login_is_told_before_it_ends_and_when_it_is_overdue(
    now: datetime, alerts: list[str]
) -> None:
    """IB's tokens end each Sunday 01:00 New York time (ib.md D4)."""
    friday = snapshot(CLOSES)
    assert found(sight(now, mode=Mode.LIVE, snapshot=friday)) == alerts
    assert found(sight(now, mode=Mode.PAPER, snapshot=friday)) == []


def test_a_login_is_done_once_the_account_was_read_after_the_old_one_ended() -> None:
    seen = sight(SUNDAY + DAY, mode=Mode.LIVE, snapshot=snapshot(SUNDAY))
    assert found(seen) == []
    assert "login_needed" in found(replace(seen, snapshot=snapshot(SUNDAY - SECOND)))


def test_a_gateway_that_is_scaled_to_0_needs_no_login() -> None:
    asleep = lease(SUNDAY, owner="")
    seen = sight(SUNDAY + 12 * HOUR, mode=Mode.LIVE, lease=asleep, snapshot=snapshot(CLOSES))
    assert found(seen) == []


# ------------------------------------------------------------------ what people set


@pytest.mark.parametrize(
    ("state", "age", "is_told"),
    [
        (TradingState.HALTED, 3 * DAY, True),
        (TradingState.HALTED, 3 * DAY - SECOND, False),
        (TradingState.REDUCE_ONLY, 3 * DAY, True),
        (TradingState.ACTIVE, 30 * DAY, False),
    ],
)
def test_trading_that_was_stopped_for_days_is_told(
    state: TradingState, age: timedelta, is_told: bool
) -> None:
    control = ControlDocument(state, "me", "vacation", NOON - age)
    told = faults(sight(control=control))
    assert [fault.alert for fault in told] == (["halted_long"] if is_told else [])
    if is_told:
        assert f"trading is {state} for 3 days by me (vacation)" in told[0].sentence


def test_a_project_that_was_never_resumed_is_left_alone() -> None:
    assert found(sight(control=ControlDocument())) == found(sight(control=None)) == []


def test_a_document_that_cannot_be_read_is_told_and_the_rest_is_looked_at() -> None:
    seen = sight(unreadable=("control/paper: state: wrong",), control=None, lease=None)
    assert found(seen) == ["gateway_silent", "configuration_wrong"]


@pytest.mark.parametrize(("month", "is_told"), [(9, False), (11, True)])
def test_the_end_of_the_known_holidays_is_told_months_before(month: int, is_told: bool) -> None:
    now = utc(2032, month, 1, 3, 0)
    assert ("calendar_ends" in found(sight(now))) is is_told


# ------------------------------------------------------------------ schedules

JOB = Scheduled("run-a", "0 12 * * 1-5", "run", ("alpha",))  # NOON
GRACE = 3 * MINUTE
WATCH = Watch((JOB,))


def looked(at: datetime) -> WatchdogDocument:
    return WatchdogDocument(at)


def missing(seen: Sight, last: datetime | None, watch: Watch = WATCH) -> tuple[Fault, ...]:
    return missed(seen, watch, None if last is None else looked(last))


@pytest.mark.parametrize(
    ("now", "last", "is_told"),
    [
        (NOON + GRACE, NOON, True),
        (NOON + GRACE - SECOND, NOON, False),
        (NOON + HOUR, NOON + GRACE - SECOND, True),
        (NOON + HOUR, NOON + GRACE, False),
        (NOON + 11 * HOUR, NOON, True),
        (NOON + HOUR, None, False),
    ],
)
def test_a_schedule_is_judged_once_at_the_first_look_after_its_grace(
    now: datetime, last: datetime | None, is_told: bool
) -> None:
    """Also when the watchdog slept meanwhile; what was due before it first looked is not its."""
    assert [f.alert for f in missing(sight(now), last)] == ["schedule_missed"] * is_told


def test_what_was_missed_is_said_with_what_to_do() -> None:
    (fault,) = missing(sight(NOON + GRACE), NOON)
    assert fault.sentence == (
        "schedule run-a: run for alpha was due Fri 2026-01-09 12:00 New York time and left no run "
        "document within 3 minutes: see whether the gateway and Cloud Scheduler run, then publish "
        "it by hand if it is still wanted"
    )


@pytest.mark.parametrize(
    ("run", "is_kept"),
    [
        (Ran("run", NOON + SECOND, ("alpha", "beta")), True),
        (Ran("run", NOON + GRACE), True),
        (Ran("run", NOON - SECOND, ("alpha",)), True),  # clocks differ a little
        (Ran("run", NOON + GRACE + SECOND), False),
        (Ran("run", NOON - GRACE), False),
        (Ran("run", NOON + SECOND, ("beta",)), False),
        (Ran("reconcile", NOON + SECOND), False),
    ],
)
def test_a_run_keeps_a_schedule_if_it_is_that_command_then_for_one_of_its_strategies(
    run: Ran, is_kept: bool
) -> None:
    told = missing(sight(NOON + HOUR, runs=(run,)), NOON)
    assert (told == ()) is is_kept


@pytest.mark.parametrize("day", [SATURDAY, HOLIDAY])
def test_what_is_scheduled_on_a_day_without_a_session_is_not_missed(day: datetime) -> None:
    """Cron knows no holidays; the gateway may be scaled to 0."""
    daily = Watch((replace(JOB, cron="0 12 * * *"),))
    assert missing(sight(day + HOUR), day - HOUR, daily) == ()


@pytest.mark.parametrize(("hour", "is_told"), [(17, True), (18, False)])
def test_after_an_early_close_schedules_matter_for_four_hours(hour: int, is_told: bool) -> None:
    late = Watch((replace(JOB, cron=f"0 {hour} * * *"),))
    told = missing(sight(EARLY + 6 * HOUR), EARLY, late)
    assert bool(told) is is_told


def test_runs_are_read_from_as_far_back_as_they_count() -> None:
    due = NOON
    earliest_that_counts = due - GRACE + SECOND
    last = due + GRACE - SECOND  # the grace was not over then
    assert since_needed(NOON + HOUR, looked(last)) <= earliest_that_counts


def test_a_cron_line_that_is_none_is_a_fault_of_configuration() -> None:
    (fault,) = missing(sight(), OPENS, Watch((replace(JOB, cron="often"),)))
    assert fault.alert == "configuration_wrong"
    assert "the cron line 'often', which is none" in fault.sentence


# ------------------------------------------------------------------ once


def test_a_fault_is_told_once_and_again_when_its_window_is_over() -> None:
    dead = sight(lease=lease(NOON - HOUR))
    first = news(dead, QUIET, looked(NOON))
    (report,) = first.reports
    assert (report.kind, report.details["alert"]) == ("alert", "gateway_silent")
    later = replace(dead, now=NOON + 5 * MINUTE, wall=NOON + 5 * MINUTE)
    second = news(later, QUIET, first.document)
    assert second.reports == ()
    window = ALERTS["gateway_silent"].window
    third = news(replace(dead, now=NOON + window), QUIET, second.document)
    assert [r.details["alert"] for r in third.reports] == ["gateway_silent"]
    assert third.document.faults["gateway_silent"].since == NOON


def test_a_gateway_that_lives_again_is_told_once() -> None:
    dead = news(sight(lease=lease(NOON - HOUR)), QUIET, None)
    alive = news(sight(NOON + HOUR), QUIET, dead.document)
    (report,) = alive.reports
    assert report.details["alert"] == "gateway_back"
    assert "gateway gateway-1 renews leases/paper again, silent since Fri" in report.sentence
    assert alive.document == looked(NOON + HOUR)
    assert news(sight(NOON + 2 * HOUR), QUIET, alive.document).reports == ()


def test_the_end_of_the_hours_is_no_sign_of_life() -> None:
    dead = news(sight(CLOSES, lease=lease(NOON)), QUIET, None)
    assert len(dead.reports) == 1
    night = sight(CLOSES + HOUR, lease=lease(NOON))
    assert news(night, QUIET, dead.document).reports == ()


def test_a_look_that_is_repeated_says_the_same() -> None:
    """A redelivered message, before the document was written."""
    seen = sight(NOON + GRACE, lease=None)
    assert news(seen, WATCH, looked(NOON)) == news(seen, WATCH, looked(NOON))
    assert len(news(seen, WATCH, looked(NOON)).reports) == 2


def test_every_alert_of_the_watchdog_is_in_the_table() -> None:
    seen = sight(SUNDAY - HOUR, mode=Mode.LIVE, lease=None, working=1, unreadable=("x",))
    for report in news(seen, WATCH, None).reports:
        assert report.details["alert"] in ALERTS

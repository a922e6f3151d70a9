"""When the gateway itself is down: its daily restart, and the weekly login that only a person does.

    up ──restart──▶ restarting ──after restart_seconds──▶ up
    up ──Sunday 01:00──▶ logged out ──log_in, or after login_hours──▶ up

While it is down connections are refused; those there were are reset when it goes down. The broker
behind it goes on: orders trade, executions are kept until midnight. IB restarts a gateway once a
day at a time its owner sets (New York time here), and from Sunday 01:00 New York time on its
session needs a new login with a second factor, which nobody can automate (IB's page on
auto-restart).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum

from gateway.simulator.market.hours import new_york, new_york_day

LOGIN_AT = time(1, 0)
_SUNDAY = 6
_DAYS_AHEAD = 8


@dataclass(frozen=True, slots=True)
class OutagePlan:
    """Which outages there are.

    Attributes:
        restart_at: New York time of the daily restart, None for none.
        restart_seconds: how long connections are refused then.
        restart_deaf_seconds: messages that come so shortly before a restart are lost.
        restart_ids_back: by how much each client's next order id falls back (seen in the field:
            38103 became 38099, and ids were issued twice).
        weekly_login: whether a login is due on Sunday 01:00 New York time.
        login_hours: after how many hours somebody logs in; None waits for `log_in`.
    """

    restart_at: time | None = None
    restart_seconds: float = 60.0
    restart_deaf_seconds: float = 0.0
    restart_ids_back: int = 0
    weekly_login: bool = False
    login_hours: float | None = None

    def __post_init__(self) -> None:
        spans = (self.restart_seconds, self.restart_deaf_seconds, self.login_hours or 0)
        if min(spans) < 0 or self.restart_ids_back < 0:
            raise ValueError("an outage cannot last less than no time, nor ids roll forward")


class Change(Enum):
    """What happens at an instant of the plan."""

    RESTART = "restart"
    LOGGED_OUT = "logged out"
    UP = "up"


class Outages:
    """Whether the gateway is up, and when that changes next."""

    def __init__(self, plan: OutagePlan, now: datetime) -> None:
        self.plan = plan
        self.now = now
        self._up_at: datetime | None = None
        self._is_logged_out = False

    @property
    def is_down(self) -> bool:
        """Whether connections are refused."""
        return self._is_logged_out or self._up_at is not None

    @property
    def is_logged_out(self) -> bool:
        """Whether it waits for a login."""
        return self._is_logged_out

    def is_deaf(self, now: datetime) -> bool:
        """Whether a message that comes now is lost in the restart that follows."""
        if not self.plan.restart_deaf_seconds or self.plan.restart_at is None:
            return False
        deaf = timedelta(seconds=self.plan.restart_deaf_seconds)
        return any(now < when <= now + deaf for when in self._daily(self.plan.restart_at))

    def next_change(self) -> datetime | None:
        """The next instant at which it goes down or comes up, or None."""
        return min((when for when, _ in self._ahead()), default=None)

    def pass_to(self, now: datetime) -> Change | None:
        """Let time come to the next change at most, and return that change."""
        due = [(when, change) for when, change in self._ahead() if when <= now]
        if not due:
            self.now = max(self.now, now)
            return None
        when, change = min(due, key=lambda item: (item[0], item[1] is not Change.UP))
        self.now = when
        self._become(change, when)
        return change

    def restart(self, now: datetime) -> None:
        """Go down for a restart, whatever the plan says; it is no login, if one is waited for."""
        self.now = now
        if not self._is_logged_out:
            self._become(Change.RESTART, now)

    def log_in(self, now: datetime) -> bool:
        """Somebody logs in. Returns whether that was needed."""
        was_needed, self._is_logged_out = self._is_logged_out, False
        if was_needed:
            self.now, self._up_at = now, None
        return was_needed

    def _become(self, change: Change, when: datetime) -> None:
        if change is Change.UP:
            self._is_logged_out, self._up_at = False, None
        elif change is Change.RESTART:
            self._up_at = when + timedelta(seconds=self.plan.restart_seconds)
        else:
            hours = self.plan.login_hours
            self._is_logged_out = True
            self._up_at = None if hours is None else when + timedelta(hours=hours)

    def _ahead(self) -> Iterator[tuple[datetime, Change]]:
        if self._up_at is not None:
            yield self._up_at, Change.UP
        if self._is_logged_out:
            return
        plan = self.plan
        if plan.restart_at is not None:
            yield self._first(self._daily(plan.restart_at)), Change.RESTART
        if plan.weekly_login:
            logins = (new_york(day, LOGIN_AT) for day in self._days() if day.weekday() == _SUNDAY)
            yield self._first(logins), Change.LOGGED_OUT

    def _first(self, instants: Iterator[datetime]) -> datetime:
        return next(when for when in instants if when > self.now)

    def _daily(self, at: time) -> Iterator[datetime]:
        return (new_york(day, at) for day in self._days())

    def _days(self) -> Iterator[date]:
        today = new_york_day(self.now)
        return (today + timedelta(days=ahead) for ahead in range(_DAYS_AHEAD + 1))

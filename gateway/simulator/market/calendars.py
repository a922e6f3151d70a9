"""On which days one kind of contract trades: bars decide where there are any, else the rules.

A day with bars is a trading day whatever the rules say. A weekday without bars amid days with bars
is a holiday; far from all bars the rules of `hours` and `holidays` hold.
"""

from bisect import bisect_left
from collections.abc import Mapping
from datetime import date, datetime, timedelta

from gateway.simulator.market.holidays import SATURDAY
from gateway.simulator.market.hours import Day, Hours, Session, Wall

HOLIDAY_GAP_DAYS_MAX = 5
"""A weekday without bars is a holiday when bars are this near on both sides, else a gap."""
_DAYS_AHEAD_MAX = 14


class Calendar:
    """The sessions of one kind of trading hours; `known` are the lengths of days with bars."""

    def __init__(self, hours: Hours, known: Mapping[date, Day]) -> None:
        self.hours = hours
        self._known = known
        self._days = sorted(known)
        self._sessions: dict[tuple[Wall, date], Session | None] = {}
        self._lengths: dict[date, Day] = {}

    def length(self, day: date) -> Day:
        """How long a date is."""
        if day not in self._lengths:
            self._lengths[day] = self._known.get(day) or self._guess(day)
        return self._lengths[day]

    def regular(self, day: date) -> Session | None:
        """The session in which every order works, None on a day without one."""
        return self._session(self.hours.regular, day)

    def extended(self, day: date) -> Session | None:
        """The regular session with the hours before and after it."""
        return self._session(self.hours.extended, day)

    def liquid(self, day: date) -> Session | None:
        """The hours that bars of regular trading hours lie in."""
        return self._session(self.hours.liquid, day)

    def ahead(self, wall: Wall, now: datetime) -> Session:
        """The session that is on at an instant, or the next one. Raises ValueError."""
        first = self.hours.trading_day(now)
        for days in range(_DAYS_AHEAD_MAX):
            session = self._session(wall, first + timedelta(days=days))
            if session is not None and now < session.closes:
                return session
        raise ValueError(f"no session within {_DAYS_AHEAD_MAX} days of {now}")

    def _session(self, wall: Wall, day: date) -> Session | None:
        key = (wall, day)
        if key not in self._sessions:
            self._sessions[key] = wall.session(day, self.length(day), self.hours.zone)
        return self._sessions[key]

    def _guess(self, day: date) -> Day:
        if day.weekday() >= SATURDAY or self._is_gap(day):
            return Day.CLOSED
        return self.hours.by_rule(day)

    def _is_gap(self, day: date) -> bool:
        """Whether days with bars are near, before and after this one."""
        gap = timedelta(days=HOLIDAY_GAP_DAYS_MAX)
        index = bisect_left(self._days, day)
        if not 0 < index < len(self._days):
            return False
        return day - self._days[index - 1] <= gap and self._days[index] - day <= gap

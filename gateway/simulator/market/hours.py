"""When contracts trade: kinds of trading hours by rule, and how IB writes hours down.

A trading day carries the date on which its session closes. Stocks trade from 9:30 to 16:00 New York
time, with extended hours around it; currencies at IDEALPRO from 17:15 the evening before to 17:00;
CME's equity index futures from 17:00 the evening before to 16:00 Chicago time. The times and the
way they are written are IB's (tradingHours, liquidHours and timeZoneId of contract details).

For currencies and futures the regular session is the whole one: their orders work in all of it,
and IB ignores outsideRth. Only bars asked for with useRTH keep to a future's liquid hours.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

from gateway.simulator.market.holidays import CME_CLOSED, SATURDAY, closes_early, holiday

NEW_YORK = ZoneInfo("America/New_York")
CHICAGO = ZoneInfo("America/Chicago")
TIME_ZONE_NAME = "US/Eastern"
"""How IB calls New York's zone; an IANA name too."""

US, FX, CME = "US", "FX", "CME"
"""Names of the kinds of hours: US stocks, currencies, CME equity index futures."""
HOURS_TOLD = 6
"""How many entries of hours contract details tell, today's first."""

_PAIR = re.compile(r"[A-Z]{3}\.[A-Z]{3}")
_FUTURE = re.compile(r"[A-Z0-9]{1,4}[FGHJKMNQUVXZ]\d{1,2}")


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day's session; `opens` and `closes` are aware UTC times."""

    day: date
    opens: datetime
    closes: datetime
    early: bool = False

    def contains(self, when: datetime) -> bool:
        """Whether the market is open at this instant: the close itself is not."""
        return self.opens <= when < self.closes


class Day(Enum):
    """How long a trading day is; HALTED is a US holiday on which futures trade until noon."""

    WHOLE = "whole"
    SHORT = "short"
    HALTED = "halted"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Wall:
    """The wall times of a session; `eve` says that it opens on the evening before its day."""

    opens: time
    closes: time
    short: time
    halted: time
    eve: bool = False

    def session(self, day: date, length: Day, zone: ZoneInfo) -> Session | None:
        """The session of a day of this length, None when there is none."""
        if length is Day.CLOSED:
            return None
        closes = {Day.WHOLE: self.closes, Day.SHORT: self.short}.get(length, self.halted)
        first = day - timedelta(days=1) if self.eve else day
        early = length is not Day.WHOLE
        return Session(day, _instant(first, self.opens, zone), _instant(day, closes, zone), early)


@dataclass(frozen=True, slots=True)
class Hours:
    """One kind of trading hours; `by_rule` tells the length of a day where no bars do."""

    name: str
    zone: ZoneInfo
    zone_name: str
    regular: Wall
    extended: Wall
    liquid: Wall
    by_rule: Callable[[date], Day]

    def trading_day(self, when: datetime) -> date:
        """The trading day of an instant: the next date once the session of its date is over."""
        local = when.astimezone(self.zone)
        over = self.regular.eve and local.time() >= self.regular.closes
        return local.date() + timedelta(days=1) if over else local.date()


def _us_day(day: date) -> Day:
    if day.weekday() >= SATURDAY or holiday(day) is not None:
        return Day.CLOSED
    return Day.SHORT if closes_early(day) else Day.WHOLE


def _fx_day(day: date) -> Day:
    closed = day.weekday() >= SATURDAY or (day.month, day.day) in {(1, 1), (12, 25)}
    return Day.CLOSED if closed else Day.WHOLE


def _cme_day(day: date) -> Day:
    kept = holiday(day)
    if day.weekday() >= SATURDAY or kept in CME_CLOSED:
        return Day.CLOSED
    if kept is not None:
        return Day.HALTED
    return Day.SHORT if closes_early(day) else Day.WHOLE


_REGULAR = Wall(time(9, 30), time(16), time(13), time(13))
_EXTENDED = Wall(time(4), time(20), time(17), time(17))
_PAIRS = Wall(time(17, 15), time(17), time(17), time(17), eve=True)
_GLOBEX = Wall(time(17), time(16), time(12, 15), time(12), eve=True)
_PIT = Wall(time(8, 30), time(16), time(12, 15), time(12))

KINDS: dict[str, Hours] = {
    US: Hours(US, NEW_YORK, TIME_ZONE_NAME, _REGULAR, _EXTENDED, _REGULAR, _us_day),
    FX: Hours(FX, NEW_YORK, TIME_ZONE_NAME, _PAIRS, _PAIRS, _PAIRS, _fx_day),
    CME: Hours(CME, CHICAGO, "US/Central", _GLOBEX, _GLOBEX, _PIT, _cme_day),
}


def kind_of(key: str) -> Hours:
    """The hours of a bar series by its name: `EUR.USD` is a pair, `ESZ5` a future, else a stock."""
    if _PAIR.fullmatch(key):
        return KINDS[FX]
    return KINDS[CME] if _FUTURE.fullmatch(key) else KINDS[US]


def session_on(day: date, *, early: bool = False) -> Session:
    """The regular session of US stocks on a trading day."""
    close = _REGULAR.short if early else _REGULAR.closes
    return Session(day, new_york(day, _REGULAR.opens), new_york(day, close), early)


def new_york(day: date, at: time) -> datetime:
    """A New York wall time as UTC."""
    return _instant(day, at, NEW_YORK)


def new_york_day(when: datetime) -> date:
    """The New York date of an instant."""
    return when.astimezone(NEW_YORK).date()


def hours_text(sessions: Callable[[date], Session | None], today: date, zone: ZoneInfo) -> str:
    """IB's hours: `20251212:0930-20251212:1600;20251213:CLOSED;...` from a trading day on.

    A date without a session of its own on which the next one begins has no entry.
    """
    entries: list[str] = []
    day = today
    while len(entries) < HOURS_TOLD:
        session, following = sessions(day), sessions(day + timedelta(days=1))
        begins = following is not None and following.opens.astimezone(zone).date() == day
        if session is not None:
            entries.append(_session_text(session, zone))
        elif not begins:
            entries.append(f"{day:%Y%m%d}:CLOSED")
        day += timedelta(days=1)
    return ";".join(entries)


def _session_text(session: Session, zone: ZoneInfo) -> str:
    opens, closes = session.opens.astimezone(zone), session.closes.astimezone(zone)
    return f"{opens:%Y%m%d:%H%M}-{closes:%Y%m%d:%H%M}"


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)

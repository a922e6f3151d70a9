"""The recorded market: bars read from a folder of CSV files, and the questions asked of them.

`bar_files` tells how files are named and written. Files of one key and size are merged.

The calendar of stocks is read from the bars of all stocks together: a day whose last intraday bar
starts from 12:30 to 13:00 closes early, at 13:00 (a bar that starts at 13:00 is the closing print,
after the session); every other day closes at 16:00. Where bars lie outside 9:30 to 16:00 they say
nothing about the close, nor do daily bars: there NYSE's rules decide. `calendars` has the rest.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path

from gateway.simulator.market.bar_files import (
    FIVE_SECONDS,
    INTRADAY,
    LENGTHS,
    ONE_DAY,
    ONE_MINUTE,
    SIZES,
    THIRTY_MINUTES,
    BarsError,
    Row,
    merge,
    parse_rows,
    read_text,
    series_of,
)
from gateway.simulator.market.calendars import Calendar
from gateway.simulator.market.holidays import SATURDAY
from gateway.simulator.market.hours import KINDS, NEW_YORK, US, Day, Hours, Session, kind_of

__all__ = [
    "FIVE_SECONDS",
    "INTRADAY",
    "LENGTHS",
    "ONE_DAY",
    "ONE_MINUTE",
    "SIZES",
    "THIRTY_MINUTES",
    "Bar",
    "BarBook",
    "BarsError",
    "Row",
    "Series",
    "joined",
    "read_folder",
]

_OPEN, _CLOSE = time(9, 30), time(16, 0)
_EARLY_FROM, _EARLY_TO = time(12, 30), time(13, 0)
_EDGE = timedelta(hours=1)
"""How near to the ends of a session of pairs or futures its bars must reach to make a day."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; `start` and `end` are aware UTC times, the end is not part of the bar.

    `day` is the trading day of its start.
    """

    day: date
    start: datetime
    end: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True)
class Series:
    """The bars of one key and size in order, with their starts for searching."""

    bars: tuple[Bar, ...]
    starts: tuple[datetime, ...]

    def at(self, when: datetime) -> Bar | None:
        """The bar that is open at this instant."""
        index = bisect_right(self.starts, when) - 1
        return self.bars[index] if index >= 0 and when < self.bars[index].end else None

    def started(self, until: datetime) -> tuple[Bar, ...]:
        """The bars that have begun, the forming one included."""
        return self.bars[: bisect_right(self.starts, until)]

    def finished(self, until: datetime) -> tuple[Bar, ...]:
        """The bars that are over."""
        begun = self.started(until)
        return begun[:-1] if begun and begun[-1].end > until else begun

    def last_started(self, until: datetime) -> Bar | None:
        """The last bar that has begun."""
        index = bisect_right(self.starts, until) - 1
        return self.bars[index] if index >= 0 else None

    def last_finished(self, until: datetime) -> Bar | None:
        """The last bar that is over."""
        index = bisect_right(self.starts, until) - 1
        if index >= 0 and self.bars[index].end > until:
            index -= 1
        return self.bars[index] if index >= 0 else None

    def next_change(self, now: datetime) -> datetime | None:
        """The next instant at which a bar ends or begins."""
        index = bisect_right(self.starts, now)
        if index and self.bars[index - 1].end > now:
            return self.bars[index - 1].end
        return self.starts[index] if index < len(self.starts) else None

    def between(self, after: datetime, until: datetime) -> tuple[Bar, ...]:
        """The bars that could begin or end in `(after, until]`, with one more at the front."""
        first = max(bisect_left(self.starts, after) - 1, 0)
        return self.bars[first : bisect_right(self.starts, until)]


EMPTY = Series((), ())


class BarBook:
    """All bars, by key (`Listing.key`) and size."""

    def __init__(self, rows: Mapping[tuple[str, str], Iterable[Row]]) -> None:
        self._rows = {key: tuple(value) for key, value in rows.items()}
        self._kinds = {key: kind_of(key) for key, _ in self._rows}
        self._starts_by_day = self._intraday_starts()
        self._calendars = {
            name: Calendar(hours, self._known(hours)) for name, hours in KINDS.items()
        }
        self._series = {key: self._make_series(key) for key in self._rows}
        self._derive_daily()

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """Every key that has bars."""
        return tuple(sorted(self._kinds))

    def series(self, symbol: str, size: str) -> Series:
        """The bars of a key and size; empty when there are none."""
        return self._series.get((symbol, size), EMPTY)

    def bars(self, symbol: str, size: str, until: datetime) -> tuple[Bar, ...]:
        """The finished bars up to an instant."""
        return self.series(symbol, size).finished(until)

    def calendar(self, kind: str) -> Calendar:
        """The trading days of a kind of hours (`hours.KINDS`). Raises KeyError."""
        return self._calendars[kind]

    @cached_property
    def trading_days(self) -> tuple[date, ...]:
        """The trading days that have intraday bars of stocks, or of anything if there are none."""
        return tuple(
            sorted({day for symbol, _, day in self._starts_by_day if self._counts(symbol)})
        )

    @cached_property
    def days(self) -> tuple[date, ...]:
        """The trading days that have bars of any size, in order."""
        days = {bar.day for series in self._series.values() for bar in series.bars}
        return tuple(sorted(days))

    def session(self, day: date) -> Session | None:
        """The regular session of US stocks on a date, None on weekends and holidays."""
        return self._calendars[US].regular(day)

    def whole_days(self) -> tuple[date, ...]:
        """Days on which each stock that traded has every bar of the session.

        A symbol's 30-minute bars decide, or its finer bars when it has no others that day.
        """
        present: dict[date, list[str]] = defaultdict(list)
        for symbol, _, day in self._starts_by_day:
            if self._counts(symbol):
                present[day].append(symbol)
        return tuple(
            day
            for day in self.trading_days
            if all(self._complete(symbol, day) for symbol in present[day])
        )

    @cached_property
    def _stocks(self) -> frozenset[str]:
        return frozenset(key for key, hours in self._kinds.items() if hours.name == US)

    def _counts(self, symbol: str) -> bool:
        return not self._stocks or symbol in self._stocks

    def _known(self, hours: Hours) -> dict[date, Day]:
        """The days of one kind of hours that have bars, and how long they are."""
        days = {
            row.time if not isinstance(row.time, datetime) else hours.trading_day(row.time)
            for (symbol, _), rows in self._rows.items()
            if self._kinds[symbol] is hours
            for row in rows
        }
        edges = self._edges() if hours.name == US else {}
        # A print after Friday's close counts for the day after, and opens no weekend.
        return {
            day: _length(day, hours, edges.get(day))
            for day in days
            if not hours.regular.eve or day.weekday() < SATURDAY
        }

    def _edges(self) -> dict[date, tuple[time, time]]:
        """When the first and the last intraday bar of all stocks begin, by day."""
        edges: dict[date, tuple[time, time]] = {}
        for (symbol, _, day), starts in self._starts_by_day.items():
            if symbol in self._stocks:
                walls = [_wall(min(starts)), _wall(max(starts)), *edges.get(day, ())]
                edges[day] = (min(walls), max(walls))
        return edges

    def _complete(self, symbol: str, day: date) -> bool:
        session = self._calendars[self._kinds[symbol].name].regular(day)
        if session is None:
            return False
        for size in reversed(INTRADAY):
            starts = self._starts_by_day.get((symbol, size, day))
            if not starts:
                continue
            if symbol in self._stocks:
                return starts.issuperset(_expected_starts(session, LENGTHS[size]))
            first, last = min(starts), max(starts) + LENGTHS[size]
            return first <= session.opens + _EDGE and last >= session.closes - _EDGE
        return False

    def _intraday_starts(self) -> dict[tuple[str, str, date], set[datetime]]:
        starts: dict[tuple[str, str, date], set[datetime]] = defaultdict(set)
        for (symbol, size), rows in self._rows.items():
            hours = self._kinds[symbol]
            for row in rows if size != ONE_DAY else ():
                if isinstance(row.time, datetime):
                    starts[symbol, size, hours.trading_day(row.time)].add(row.time)
        return starts

    def _make_series(self, key: tuple[str, str]) -> Series:
        return _series(self._bar(row, key) for row in self._rows[key])

    def _bar(self, row: Row, key: tuple[str, str]) -> Bar:
        hours = self._kinds[key[0]]
        if isinstance(row.time, datetime):
            day = hours.trading_day(row.time)
            return Bar(day, row.time, row.time + LENGTHS[key[1]], *row.numbers)
        session = self._calendars[hours.name].regular(row.time)
        if session is None:
            raise BarsError(f"{row.source}: {key[0]} does not trade on {row.time:%A, %Y-%m-%d}")
        return Bar(session.day, session.opens, session.closes, *row.numbers)

    def _derive_daily(self) -> None:
        """Daily bars for days that only have intraday ones, where those are complete."""
        for symbol in self.symbols:
            daily = {bar.start: bar for bar in self.series(symbol, ONE_DAY).bars}
            for size in reversed(INTRADAY):
                for bar in self._daily(symbol, size):
                    daily.setdefault(bar.start, bar)
            self._series[symbol, ONE_DAY] = _series(daily[start] for start in sorted(daily))

    def _daily(self, symbol: str, size: str) -> Iterator[Bar]:
        by_day: dict[date, list[Bar]] = defaultdict(list)
        for bar in self.series(symbol, size).bars:
            by_day[bar.day].append(bar)
        calendar = self._calendars[self._kinds[symbol].name]
        for day, parts in by_day.items():
            session = calendar.regular(day)
            if session is not None and self._complete(symbol, day):
                yield joined([part for part in parts if session.contains(part.start)], session)


def joined(parts: list[Bar], session: Session) -> Bar:
    """One bar over a session, from the bars inside it."""
    return Bar(
        session.day,
        session.opens,
        session.closes,
        parts[0].open,
        max(part.high for part in parts),
        min(part.low for part in parts),
        parts[-1].close,
        sum((part.volume for part in parts), Decimal(0)),
    )


def read_folder(path: Path) -> BarBook:
    """Read every CSV file of a folder.

    Raises:
        BarsError: the folder holds no bars, or a file of it cannot be used.
    """
    if not path.is_dir():
        raise BarsError(f"{path}:0: not a folder")
    files = sorted(path.glob("*.csv"))
    if not files:
        raise BarsError(f"{path}:0: no file named like SYMBOL_30min.csv")
    rows: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for file in files:
        key = series_of(file)
        rows[key] += parse_rows(read_text(file), file.name, key[1])
    return BarBook({key: merge(value) for key, value in rows.items()})


def _length(day: date, hours: Hours, edges: tuple[time, time] | None) -> Day:
    """How long a day with bars is; `edges` are the starts of its first and last bar if it is US."""
    ruled = hours.by_rule(day)
    by_rule = Day.WHOLE if ruled is Day.CLOSED else ruled
    if edges is None:
        return by_rule
    first, last = edges
    if _EARLY_FROM <= last <= _EARLY_TO:
        return Day.SHORT
    return by_rule if first < _OPEN or last >= _CLOSE else Day.WHOLE


def _wall(when: datetime) -> time:
    return when.astimezone(NEW_YORK).time()


def _series(bars: Iterable[Bar]) -> Series:
    held = tuple(bars)
    return Series(held, tuple(bar.start for bar in held))


def _expected_starts(session: Session, length: timedelta) -> set[datetime]:
    count = (session.closes - session.opens) // length
    return {session.opens + length * index for index in range(count)}

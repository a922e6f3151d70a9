"""The recorded market: bars read from a folder of CSV files, and the questions asked of them.

Files are named `SYMBOL_1min*.csv`, `SYMBOL_30min*.csv`, `SYMBOL_1day*.csv`, with a header
`time,open,high,low,close,volume`. Intraday times carry a zone and are the bar's start; daily ones
are plain dates and mean New York sessions. Files of one symbol and size are merged.

The calendar is read from the bars of all symbols together: a day whose last intraday bar starts
from 12:30 to 13:00 closes early, at 13:00 (a bar that starts at 13:00 is the closing print, after
the session); every other day with bars closes at 16:00; a weekday without bars amid days with
bars is a holiday.
"""

import csv
import io
import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path

from gateway.simulator.hours import NEW_YORK, Session, between, new_york_day, session_on

ONE_MINUTE, THIRTY_MINUTES, ONE_DAY = "1 min", "30 mins", "1 day"
"""Bar sizes, as IB writes them."""
SIZES = {"1min": ONE_MINUTE, "30min": THIRTY_MINUTES, "1day": ONE_DAY}
LENGTHS = {ONE_MINUTE: timedelta(minutes=1), THIRTY_MINUTES: timedelta(minutes=30)}

COLUMNS = ("time", "open", "high", "low", "close", "volume")
FILE_BYTES_MAX = 64 * 1024 * 1024
HOLIDAY_GAP_DAYS_MAX = 5
"""A weekday without bars is a holiday when bars are this near on both sides, else a gap."""

_FILE_NAME = re.compile(r"([A-Z][A-Z0-9.]{0,11})_(1min|30min|1day)(?![0-9a-z]).*\.csv")
_EARLY_FROM, _EARLY_TO = time(12, 30), time(13, 0)


class BarsError(Exception):
    """Bars that cannot be used. Its text is `file:line: reason`."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; `start` and `end` are aware UTC times, the end is not part of the bar.

    `day` is the New York date of its start.
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
class Row:
    """One line of a file: a start or a day, then open, high, low, close, volume."""

    time: datetime | date
    numbers: tuple[Decimal, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Series:
    """The bars of one symbol and size in order, with their starts for searching."""

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

    def between(self, after: datetime, until: datetime) -> tuple[Bar, ...]:
        """The bars that could begin or end in `(after, until]`, with one more at the front."""
        first = max(bisect_left(self.starts, after) - 1, 0)
        return self.bars[first : bisect_right(self.starts, until)]


EMPTY = Series((), ())


class BarBook:
    """All bars, by symbol and size."""

    def __init__(self, rows: Mapping[tuple[str, str], Iterable[Row]]) -> None:
        self._rows = {key: tuple(value) for key, value in rows.items()}
        self._starts_by_day = self._intraday_starts()
        self._sessions: dict[date, Session | None] = {}
        self._series = {key: self._make_series(key) for key in self._rows}
        self._derive_daily()

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol that has bars."""
        return tuple(sorted({symbol for symbol, _ in self._rows}))

    def series(self, symbol: str, size: str) -> Series:
        """The bars of a symbol and size; empty when there are none."""
        return self._series.get((symbol, size), EMPTY)

    def bars(self, symbol: str, size: str, until: datetime) -> tuple[Bar, ...]:
        """The finished bars up to an instant."""
        return self.series(symbol, size).finished(until)

    @cached_property
    def trading_days(self) -> tuple[date, ...]:
        """The New York dates that have intraday bars, in order."""
        return tuple(sorted({day for _, _, day in self._starts_by_day}))

    @cached_property
    def days(self) -> tuple[date, ...]:
        """The New York dates that have bars of any size, in order."""
        days = {bar.day for series in self._series.values() for bar in series.bars}
        return tuple(sorted(days))

    def session(self, day: date) -> Session | None:
        """The regular session of a date, None on weekends and holidays."""
        if day not in self._sessions:
            self._sessions[day] = self._find_session(day)
        return self._sessions[day]

    def whole_days(self) -> tuple[date, ...]:
        """Days on which each symbol that traded has every bar of the session.

        A symbol's 30-minute bars decide, or its 1-minute bars when it has no others that day.
        """
        return tuple(day for day in self.trading_days if self._is_whole(day))

    def _find_session(self, day: date) -> Session | None:
        if self._has_bars(day):
            return session_on(day, early=self._closes_early(day))
        if day.weekday() >= 5 or between(self.days, day, HOLIDAY_GAP_DAYS_MAX):
            return None
        return session_on(day)

    def _has_bars(self, day: date) -> bool:
        index = bisect_left(self.days, day)
        return index < len(self.days) and self.days[index] == day

    def _closes_early(self, day: date) -> bool:
        lasts = [
            max(starts)
            for (_, _, other), starts in self._starts_by_day.items()
            if other == day and starts
        ]
        last = max(lasts, default=None)
        return last is not None and _EARLY_FROM <= last.astimezone(NEW_YORK).time() <= _EARLY_TO

    def _is_whole(self, day: date) -> bool:
        session = self.session(day)
        present = {symbol for symbol, _, other in self._starts_by_day if other == day}
        return session is not None and all(self._complete(item, session) for item in present)

    def _complete(self, symbol: str, session: Session) -> bool:
        for size in (THIRTY_MINUTES, ONE_MINUTE):
            starts = self._starts_by_day.get((symbol, size, session.day))
            if starts:
                return starts.issuperset(_expected_starts(session, LENGTHS[size]))
        return False

    def _intraday_starts(self) -> dict[tuple[str, str, date], set[datetime]]:
        starts: dict[tuple[str, str, date], set[datetime]] = defaultdict(set)
        for (symbol, size), rows in self._rows.items():
            for row in rows if size != ONE_DAY else ():
                if isinstance(row.time, datetime):
                    starts[symbol, size, new_york_day(row.time)].add(row.time)
        return starts

    def _make_series(self, key: tuple[str, str]) -> Series:
        return _series(self._bar(row, key[1]) for row in self._rows[key])

    def _bar(self, row: Row, size: str) -> Bar:
        if isinstance(row.time, datetime):
            day = new_york_day(row.time)
            return Bar(day, row.time, row.time + LENGTHS[size], *row.numbers)
        session = session_on(row.time, early=self._closes_early(row.time))
        return Bar(session.day, session.opens, session.closes, *row.numbers)

    def _derive_daily(self) -> None:
        """Daily bars for days that only have intraday ones, where those are complete."""
        for symbol in self.symbols:
            daily = {bar.start: bar for bar in self.series(symbol, ONE_DAY).bars}
            for size in (THIRTY_MINUTES, ONE_MINUTE):
                for bar in self._daily(symbol, size):
                    daily.setdefault(bar.start, bar)
            self._series[symbol, ONE_DAY] = _series(daily[start] for start in sorted(daily))

    def _daily(self, symbol: str, size: str) -> Iterator[Bar]:
        by_day: dict[date, list[Bar]] = defaultdict(list)
        for bar in self.series(symbol, size).bars:
            by_day[bar.day].append(bar)
        for day, parts in by_day.items():
            session = session_on(day, early=self._closes_early(day))
            if self._complete(symbol, session):
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
        key = _key(file)
        rows[key] += parse_rows(_read_text(file), file.name, key[1])
    return BarBook({key: merge(value) for key, value in rows.items()})


def parse_rows(text: str, name: str, size: str) -> list[Row]:
    """The rows of one file's text. Raises BarsError with the file's name, line and reason."""
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        return _parse(reader, name, size)
    except csv.Error as error:
        raise BarsError(f"{name}:{reader.line_num}: {error}") from None


def merge(rows: list[Row]) -> list[Row]:
    """Sort rows of several files; equal rows become one. Raises BarsError on a contradiction."""
    kept: dict[datetime | date, Row] = {}
    for row in rows:
        other = kept.setdefault(row.time, row)
        if other.numbers != row.numbers:
            raise BarsError(f"{row.source}: differs from the same bar at {other.source}")
    return sorted(kept.values(), key=lambda row: row.time.isoformat())


def _key(file: Path) -> tuple[str, str]:
    match = _FILE_NAME.fullmatch(file.name)
    if match is None:
        raise BarsError(f"{file.name}:0: the name is not like SYMBOL_30min.csv, 1min or 1day")
    return match[1], SIZES[match[2]]


def _read_text(file: Path) -> str:
    if file.stat().st_size > FILE_BYTES_MAX:
        raise BarsError(f"{file.name}:0: larger than {FILE_BYTES_MAX} bytes")
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise BarsError(f"{file.name}:0: not UTF-8 text") from None


def _parse(reader: Iterator[list[str]], name: str, size: str) -> list[Row]:
    header = next(reader, [])
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise BarsError(f"{name}:1: missing column {', '.join(missing)}")
    places = [header.index(column) for column in COLUMNS]
    rows: list[Row] = []
    for line, cells in enumerate(reader, start=2):
        where = f"{name}:{line}"
        if len(cells) != len(header):
            raise BarsError(f"{where}: {len(cells)} cells under {len(header)} columns")
        row = _row([cells[place] for place in places], where, size)
        _check_order(rows, row)
        rows.append(row)
    if not rows:
        raise BarsError(f"{name}:1: no bars")
    return rows


def _row(cells: list[str], where: str, size: str) -> Row:
    when = _day(cells[0], where) if size == ONE_DAY else _instant(cells[0], where)
    numbers = tuple(
        _number(text, column, where) for text, column in zip(cells[1:], COLUMNS[1:], strict=True)
    )
    _check_numbers(numbers, where)
    return Row(when, numbers, where)


def _day(text: str, where: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise BarsError(f"{where}: time {text!r} is not a plain date like 2025-12-12") from None


def _instant(text: str, where: str) -> datetime:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise BarsError(f"{where}: time {text!r} is not an ISO time") from None
    if when.tzinfo is None:
        raise BarsError(f"{where}: time {text!r} has no zone")
    return when.astimezone(UTC)


def _number(text: str, column: str, where: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise BarsError(f"{where}: {column} {text!r} is not a number") from None
    if not value.is_finite():
        raise BarsError(f"{where}: {column} {text!r} is not finite")
    return value


def _check_numbers(numbers: tuple[Decimal, ...], where: str) -> None:
    opened, high, low, close, volume = numbers
    if min(opened, high, low, close) <= 0:
        raise BarsError(f"{where}: a price is not positive")
    if high < low:
        raise BarsError(f"{where}: high {high} is below low {low}")
    if not (low <= opened <= high and low <= close <= high):
        raise BarsError(f"{where}: open or close is outside low to high")
    if volume < 0:
        raise BarsError(f"{where}: volume is negative")


def _check_order(rows: list[Row], row: Row) -> None:
    if not rows:
        return
    # Within one file all are UTC instants or all are days: their ISO texts sort as they do.
    last, this = rows[-1].time.isoformat(), row.time.isoformat()
    if this == last:
        raise BarsError(f"{row.source}: duplicate time")
    if this < last:
        raise BarsError(f"{row.source}: time goes backwards")


def _series(bars: Iterable[Bar]) -> Series:
    held = tuple(bars)
    return Series(held, tuple(bar.start for bar in held))


def _expected_starts(session: Session, length: timedelta) -> set[datetime]:
    count = (session.closes - session.opens) // length
    return {session.opens + length * index for index in range(count)}

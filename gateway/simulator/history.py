"""Historical bars as IB serves them: what the words of a request mean, and which bars answer it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from gateway.simulator.bars import ONE_DAY, ONE_MINUTE, THIRTY_MINUTES, Bar, BarBook, Series
from gateway.simulator.hours import NEW_YORK, TIME_ZONE_NAME, new_york_day
from gateway.simulator.replies import HistoricalBar
from gateway.simulator.requests import HistoricalDataRequest

BAR_SIZES = frozenset({ONE_MINUTE, THIRTY_MINUTES, ONE_DAY})
SHOWN = frozenset({"TRADES", "MIDPOINT", "ADJUSTED_LAST"})
"""Kinds of data that are served, all from the same bars."""
DATE_TEXT, DATE_EPOCH = 1, 2
DAYS_MAX = 365
COUNT_MAX = 100_000_000

_END = re.compile(r"(\d{8})[ -](\d{2}:\d{2}:\d{2})(?: (\S+))?")
_DURATION = re.compile(r"(\d{1,9}) ([SDWMY])")
_MONTHS = {"M": 1, "Y": 12}


class HistoryError(Exception):
    """A request that cannot be served, with IB's error code: 321 malformed, 162 no data."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Span:
    """How far back a request goes."""

    count: int
    unit: str

    def start(self, end: datetime) -> datetime:
        """The earliest start of a bar, for every unit but days."""
        if self.unit == "S":
            return end - timedelta(seconds=self.count)
        if self.unit == "W":
            return end - timedelta(weeks=self.count)
        return months_before(end, self.count * _MONTHS[self.unit])


def parse_end(text: str, now: datetime) -> datetime:
    """IB's end times: empty is now, `-` means UTC, no zone means New York. Raises HistoryError."""
    if not text:
        return now
    match = _END.fullmatch(text)
    if match is None:
        raise _malformed(f"end time {text[:40]!r}")
    try:
        zone = ZoneInfo(match[3] or ("UTC" if text[8] == "-" else "America/New_York"))
        local = datetime.fromisoformat(f"{match[1]}T{match[2]}").replace(tzinfo=zone)
        return local.astimezone(UTC)
    except (ValueError, KeyError, OSError, OverflowError):
        raise _malformed(f"end time {text[:40]!r}") from None


def parse_span(text: str) -> Span:
    """IB's durations: `N` and S, D, W, M or Y. Raises HistoryError."""
    match = _DURATION.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise _malformed(f"duration {text[:40]!r}")
    span = Span(int(match[1]), match[2])
    limits = {"S": 86400 * DAYS_MAX, "D": DAYS_MAX, "W": 52, "M": 12, "Y": 30}
    if span.count > limits[span.unit]:
        reason = "durations longer than 365 days must be made in years"
        raise _malformed(f"historical data requests for {reason}")
    return span


def months_before(when: datetime, months: int) -> datetime:
    """The same day so many calendar months earlier, the month's last day if there is none."""
    index = when.year * 12 + when.month - 1 - months
    first = when.replace(year=index // 12, month=index % 12 + 1, day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return first.replace(day=min(when.day, (following - timedelta(days=1)).day))


def select(book: BarBook, symbol: str, request: HistoricalDataRequest, now: datetime) -> list[Bar]:
    """The bars that answer a request at an instant; nothing later than `now` is in them.

    Raises:
        HistoryError: the request makes no sense, or no bar fits it.
    """
    _check(request)
    end, span = parse_end(request.end, now), parse_span(request.duration)
    begun = _begun(book.series(symbol, request.bar_size), end, now)
    if request.regular_hours:
        begun = [bar for bar in begun if _regular(book, bar)]
    try:
        chosen = [_as_seen(bar, now) for bar in _within(begun, span, min(end, now))]
    except (ValueError, OverflowError):
        raise _malformed("the duration reaches before all calendars") from None
    if not chosen:
        text = f"HMDS query returned no data: {symbol}@SMART {request.what_to_show}"
        raise HistoryError(162, f"Historical Market Data Service error message:{text}")
    return chosen


def shown(bar: Bar, request: HistoricalDataRequest) -> HistoricalBar:
    """A bar in the client's format. The average is that of high, low and close; counts unknown."""
    average = (bar.high + bar.low + bar.close) / 3
    return HistoricalBar(
        time_text(bar.start, request.bar_size, request.date_format),
        *(bar.open, bar.high, bar.low, bar.close, bar.volume),
        average=average.quantize(Decimal("0.001")),
        count=-1,
    )


def time_text(when: datetime, bar_size: str, date_format: int) -> str:
    """The time of a bar: days as dates, else New York text or epoch seconds."""
    if bar_size == ONE_DAY:
        return f"{new_york_day(when):%Y%m%d}"
    if date_format == DATE_EPOCH:
        return str(int(when.timestamp()))
    return f"{when.astimezone(NEW_YORK):%Y%m%d %H:%M:%S} {TIME_ZONE_NAME}"


def _check(request: HistoricalDataRequest) -> None:
    rules: tuple[tuple[Callable[[], bool], str], ...] = (
        (lambda: request.bar_size in BAR_SIZES, f"bar size {request.bar_size[:20]!r}"),
        (lambda: request.what_to_show in SHOWN, f"what to show {request.what_to_show[:20]!r}"),
        (lambda: request.date_format in {DATE_TEXT, DATE_EPOCH}, "date format"),
    )
    for holds, name in rules:
        if not holds():
            raise _malformed(f"{name} is not served here")
    if request.keep_up_to_date:
        text = "Historical Market Data Service error message:no bars kept up to date here"
        raise HistoryError(162, text)


def _begun(series: Series, end: datetime, now: datetime) -> list[Bar]:
    bars = series.started(min(end, now))
    return [bar for bar in bars if bar.start < end or end >= now]


def _regular(book: BarBook, bar: Bar) -> bool:
    session = book.session(bar.day)
    return session is not None and session.contains(bar.start)


def _within(bars: list[Bar], span: Span, end: datetime) -> list[Bar]:
    if span.unit == "D":
        days = sorted({bar.day for bar in bars})[-span.count :]
        return [bar for bar in bars if days and bar.day >= days[0]]
    start = span.start(end)
    return [bar for bar in bars if bar.start >= start]


def _as_seen(bar: Bar, now: datetime) -> Bar:
    """A bar that is still forming shows only its open: nothing else is known yet."""
    if bar.end <= now:
        return bar
    opened = bar.open
    return Bar(bar.day, bar.start, bar.end, opened, opened, opened, opened, Decimal(0))


def _malformed(what: str) -> HistoryError:
    return HistoryError(321, f"Error validating request.-'sim' : cause - {what}")

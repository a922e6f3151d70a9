"""Historical bars as IB serves them: what the words of a request mean, and which bars answer it."""

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from gateway.simulator.market.aggregation import (
    ALIASES,
    BY_DATE,
    ONE_MONTH,
    ONE_WEEK,
    SIZES,
    Aggregates,
)
from gateway.simulator.market.bars import ONE_DAY, Bar, Series
from gateway.simulator.market.calendars import Calendar
from gateway.simulator.market.contracts import FOREX, Listing
from gateway.simulator.market.hours import NEW_YORK, TIME_ZONE_NAME, Session
from gateway.simulator.notices import invalid
from gateway.simulator.replies import HistoricalSchedule, ScheduledSession
from gateway.simulator.requests import HistoricalDataRequest
from gateway.simulator.wire.zones import zone

TRADES, ADJUSTED, SCHEDULE = "TRADES", "ADJUSTED_LAST", "SCHEDULE"
MIDPOINT, BID, ASK, BID_ASK = "MIDPOINT", "BID", "ASK", "BID_ASK"
SHOWN = (TRADES, MIDPOINT, BID, ASK, BID_ASK, ADJUSTED, SCHEDULE)
"""Kinds of data that are served, all from the same bars."""
UPDATED = frozenset({TRADES, MIDPOINT, BID, ASK})
"""Kinds that can be kept up to date."""
DATE_TEXT, DATE_EPOCH = 1, 2
DAYS_MAX = 365
COUNT_MAX = 100_000_000

_LONGEST_CLOSURE_DAYS = 14
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
        place = zone(match[3] or ("UTC" if text[8] == "-" else "America/New_York"))
        local = datetime.fromisoformat(f"{match[1]}T{match[2]}").replace(tzinfo=place)
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


@dataclass(frozen=True, slots=True)
class Question:
    """A request for bars that makes sense: its size under its usual name, its end and span."""

    size: str
    what: str
    regular: bool
    end: datetime
    span: Span
    date_format: int
    live: bool

    def newest(self, now: datetime) -> datetime:
        """The instant after which no bar may begin."""
        return min(self.end, now)


def parse(request: HistoricalDataRequest, listing: Listing, now: datetime) -> Question:
    """What a request asks for. Raises HistoryError when it makes no sense."""
    size = ALIASES.get(request.bar_size, request.bar_size)
    _check(request, size, listing)
    return Question(
        size=size,
        what=request.what_to_show,
        regular=request.regular_hours,
        end=parse_end(request.end, now),
        span=parse_span(request.duration),
        date_format=request.date_format,
        live=request.keep_up_to_date,
    )


def select(
    aggregates: Aggregates, listing: Listing, question: Question, now: datetime
) -> list[Bar]:
    """The bars that answer a question at an instant; nothing later than `now` is in them.

    Raises:
        HistoryError: no bar fits it.
    """
    series = aggregates.series(listing, question.size, regular=question.regular)
    begun = _begun(series, question.end, now)
    try:
        first = _first(series, begun, question, question.newest(now))
    except (ValueError, OverflowError):
        raise _malformed("the duration reaches before all calendars") from None
    chosen = list(series.bars[first:begun])
    if not chosen:
        what = f"{listing.key}@{listing.exchanges[0]} {question.what.title()}"
        raise no_data(f"HMDS query returned no data: {what}")
    return [*chosen[:-1], aggregates.as_seen(listing, chosen[-1], now)]


def schedule(
    calendar: Calendar, question: Question, request_id: int, now: datetime
) -> HistoricalSchedule:
    """The sessions that a question's span covers, as whatToShow SCHEDULE tells them.

    Raises:
        HistoryError: the span covers none.
    """
    end, span = question.newest(now), question.span
    session_of = calendar.liquid if question.regular else calendar.extended
    try:
        last = calendar.hours.trading_day(end)
        if span.unit == "D":
            first = last - timedelta(days=2 * span.count + _LONGEST_CLOSURE_DAYS)
        else:
            first = calendar.hours.trading_day(span.start(end))
    except (ValueError, OverflowError):
        raise _malformed("the duration reaches before all calendars") from None
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    sessions = [item for day in days if (item := session_of(day)) and item.opens <= end]
    told = tuple(
        _scheduled(item, calendar)
        for item in (sessions[-span.count :] if span.unit == "D" else sessions)
    )
    if not told:
        raise no_data("HMDS query returned no data: no session")
    ends = (told[0].start, told[-1].end)
    return HistoricalSchedule(request_id, *ends, calendar.hours.zone_name, told)


def time_text(bar: Bar, size: str, date_format: int) -> str:
    """The time of a bar: days, weeks and months as dates, else New York text or epoch seconds."""
    if size in BY_DATE:
        return f"{bar.day:%Y%m%d}"
    return instant_text(bar.start, date_format)


def instant_text(when: datetime, date_format: int) -> str:
    """An instant as New York text or in epoch seconds."""
    if date_format == DATE_EPOCH:
        return str(int(when.timestamp()))
    return f"{when.astimezone(NEW_YORK):%Y%m%d %H:%M:%S} {TIME_ZONE_NAME}"


def no_data(reason: str) -> HistoryError:
    """Error 162 in IB's words."""
    return HistoryError(162, f"Historical Market Data Service error message:{reason}")


def _check(request: HistoricalDataRequest, size: str, listing: Listing) -> None:
    what, ended = request.what_to_show, bool(request.end)
    rules: tuple[tuple[bool, str], ...] = (
        (
            size in SIZES,
            f"Historical data bar size setting is invalid. Legal ones are: {', '.join(SIZES)}",
        ),
        (what in SHOWN, f"what to show {what[:20]!r} is not one of {', '.join(SHOWN)}"),
        (request.date_format in {DATE_TEXT, DATE_EPOCH}, "date format is not 1 or 2"),
        (what != ADJUSTED or not ended, "End date not supported with adjusted last"),
        (what != SCHEDULE or size == ONE_DAY, "schedules are asked for with bars of 1 day"),
        (
            not request.keep_up_to_date or not ended,
            "End date not supported with keepUpToDate",
        ),
        (
            not request.keep_up_to_date or what in UPDATED,
            f"{what} cannot be kept up to date",
        ),
    )
    for holds, reason in rules:
        if not holds:
            raise _malformed(reason)
    if listing.security_type == FOREX and what in {TRADES, ADJUSTED}:
        raise no_data(f"No historical market data for {listing.symbol}/CASH@FXSUBPIP Last")


def _begun(series: Series, end: datetime, now: datetime) -> int:
    """How many bars have begun before the end, or by now."""
    return bisect_left(series.starts, end) if end < now else bisect_right(series.starts, now)


def _first(series: Series, begun: int, question: Question, end: datetime) -> int:
    """The index of the first bar that the span covers."""
    span = question.span
    if span.unit == "D" and question.size not in {ONE_WEEK, ONE_MONTH}:
        return _days_back(series.bars, begun, span.count)
    start = end - timedelta(days=span.count) if span.unit == "D" else span.start(end)
    return min(bisect_left(series.starts, start), begun)


def _days_back(bars: tuple[Bar, ...], index: int, count: int) -> int:
    """The index of the first bar of the last so many trading days before an index."""
    days: set[date] = set()
    while index and (len(days) < count or bars[index - 1].day in days):
        index -= 1
        days.add(bars[index].day)
    return index


def _scheduled(session: Session, calendar: Calendar) -> ScheduledSession:
    opens, closes = (
        when.astimezone(calendar.hours.zone) for when in (session.opens, session.closes)
    )
    return ScheduledSession(
        f"{opens:%Y%m%d-%H:%M:%S}", f"{closes:%Y%m%d-%H:%M:%S}", f"{session.day:%Y%m%d}"
    )


def _malformed(what: str) -> HistoryError:
    return HistoryError(*invalid(what))

"""What is wrong with bars, each kind in one sentence: gaps by a calendar, order, prices.

A calendar comes in as data: the sessions of the days in question. Nobody guesses here.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from gateway.core.broker import Span, Terms
from gateway.core.ib_bars import bar_end, bar_length, day_ends
from schemas.messages import Bars
from schemas.new_york import NEW_YORK, new_york_date

NAMED_MAX: Final = 3
"""Of one kind, so many are named; the rest is counted."""

GRID_MAX: Final = timedelta(hours=1)
"""Bars up to this length lie on a grid that every zone of whole hours shares."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of some days, one a day, rising; a day's is named by the date it closes on.

    `bars_lie_within` is false where only the days are known for certain: a future's bars of
    regular hours are a part of its session, and the hours around it are not in any calendar.
    """

    spans: tuple[Span, ...]
    bars_lie_within: bool = True


def faults(bars: Bars, sessions: Sessions | None, as_of: datetime) -> tuple[str, ...]:
    """All that is wrong; without sessions the gaps are left out. `as_of` is when they were read."""
    found = [*_order(bars), *_prices(bars)]
    if sessions is not None and bars.time:
        found += _gaps(bars, sessions, as_of)
    return tuple(found)


def by_own_hours(sessions: Sessions, terms: Terms | None) -> Sessions:
    """The calendar's sessions, but on the days that the broker names, the contract's own.

    An early close counts that no library knows of yet, and a day is closed that IB leaves out
    between two that it names.
    """
    own = terms.liquid_hours if terms else ()
    if not own or not sessions.bars_lie_within:
        return sessions
    first, last = new_york_date(own[0].closes_at), new_york_date(own[-1].closes_at)
    others = [span for span in sessions.spans if not first <= new_york_date(span.closes_at) <= last]
    kept = sorted([*others, *own], key=lambda span: span.opens_at)
    return Sessions(tuple(kept), sessions.bars_lie_within)


def _order(bars: Bars) -> Iterator[str]:
    pairs = list(zip(bars.time, bars.time[1:], strict=False))
    yield from _told("bars told twice", [later for before, later in pairs if later == before])
    yield from _told("bars out of order", [later for before, later in pairs if later < before])


def _prices(bars: Bars) -> Iterator[str]:
    rows = list(zip(bars.time, bars.open, bars.high, bars.low, bars.close, strict=True))
    wrong = [at for at, *prices in rows if not all(math.isfinite(p) and p > 0 for p in prices)]
    yield from _told("bars with a price that is not above 0", wrong)
    crossed = [
        at
        for at, opened, high, low, close in rows
        if at not in wrong and (high < max(opened, close) or low > min(opened, close))
    ]
    yield from _told("bars with a high below or a low above another of their prices", crossed)
    pairs = zip(bars.time, bars.volume, strict=True)
    yield from _told("bars with a volume below 0", [at for at, v in pairs if not v >= 0])


def _gaps(bars: Bars, sessions: Sessions, as_of: datetime) -> Iterator[str]:
    spans = [s for s in sessions.spans if new_york_date(s.closes_at) >= new_york_date(bars.time[0])]
    over = [span for span in spans if _is_over(span, bars, as_of)]
    have = {_day_of_bar(start, bars.size, spans) for start in bars.time}
    lost = [span.opens_at for span in over if new_york_date(span.closes_at) not in have]
    yield from _told("days without a bar", lost, "%Y-%m-%d")
    if not sessions.bars_lie_within:
        return
    outside = [at for at in bars.time if _day_of_bar(at, bars.size, spans) is None]
    yield from _told("bars outside of the regular hours", outside)
    length = bar_length(bars.size)
    if length is not None and length <= GRID_MAX:
        partly = [span for span in spans if new_york_date(span.closes_at) in have]
        yield from _told("bars missing", _missing(bars, partly, length, as_of))


def _missing(
    bars: Bars, spans: Sequence[Span], length: timedelta, as_of: datetime
) -> list[datetime]:
    have = set(bars.time)
    return [
        start
        for span in spans
        for start in _grid(span, length)
        if start >= bars.time[0] and start not in have and start + length <= as_of
    ]


def _grid(span: Span, length: timedelta) -> Iterator[datetime]:
    """When the bars of a session begin: at its opening, then on the clock."""
    seconds = length.total_seconds()
    start = span.opens_at
    while start < span.closes_at:
        yield start
        past = start.timestamp() // seconds * seconds
        start = datetime.fromtimestamp(past + seconds, UTC)


def _is_over(span: Span, bars: Bars, as_of: datetime) -> bool:
    """Whether a bar of this session must be there."""
    length = bar_length(bars.size)
    if length is not None:
        return min(span.opens_at + length, span.closes_at) <= as_of
    day = new_york_date(span.closes_at)
    return bar_end(day, bars.size, day_ends(bars.contract)) <= as_of


def _day_of_bar(start: datetime, size: str, spans: Sequence[Span]) -> date | None:
    """The day of the session that a bar lies in; a daily bar is a day by itself."""
    if bar_length(size) is None:
        days = {new_york_date(span.closes_at) for span in spans}
        return new_york_date(start) if new_york_date(start) in days else None
    found = (span for span in spans if span.opens_at <= start < span.closes_at)
    return next((new_york_date(span.closes_at) for span in found), None)


def _told(what: str, times: Sequence[datetime], form: str = "%Y-%m-%d %H:%M") -> Iterator[str]:
    if times:
        named = ", ".join(at.astimezone(NEW_YORK).strftime(form) for at in times[:NAMED_MAX])
        more = f" and {len(times) - NAMED_MAX} more" if len(times) > NAMED_MAX else ""
        yield f"{len(times)} {what}: {named}{more}"

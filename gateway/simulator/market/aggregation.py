"""Bars of every size that IB serves, made of the finest bars there are, aligned as IB aligns them.

Intraday bars lie on the clock of the exchange's zone: an hour begins at the full hour, and the
first one of a session at its opening. Weeks begin on Monday, months on their first day; both carry
the date of their last trading day. A bar that is forming is made of the parts that are over and of
the open of the part that is not: nothing later is known.

Each bar is made of the parts that cover most of it: those of its own size before finer ones, finer
ones before coarser ones.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from gateway.simulator.market.bars import INTRADAY, LENGTHS, ONE_DAY, Bar, BarBook, Series
from gateway.simulator.market.calendars import Calendar
from gateway.simulator.market.contracts import Listing
from gateway.simulator.market.hours import Session

SECONDS_BY_SIZE = {
    "1 secs": 1,
    "5 secs": 5,
    "10 secs": 10,
    "15 secs": 15,
    "30 secs": 30,
    "1 min": 60,
    "2 mins": 120,
    "3 mins": 180,
    "5 mins": 300,
    "10 mins": 600,
    "15 mins": 900,
    "20 mins": 1200,
    "30 mins": 1800,
    "1 hour": 3600,
    "2 hours": 7200,
    "3 hours": 10800,
    "4 hours": 14400,
    "8 hours": 28800,
}
ONE_WEEK, ONE_MONTH = "1 week", "1 month"
ALIASES = {"1W": ONE_WEEK, "1M": ONE_MONTH}
"""Other names under which IB knows a size."""
BY_DATE = frozenset({ONE_DAY, ONE_WEEK, ONE_MONTH})
"""Sizes whose bars are told by their date."""
SIZES = (*SECONDS_BY_SIZE, ONE_DAY, ONE_WEEK, ONE_MONTH)

_PERIODS: dict[str, Callable[[date], tuple[int, int]]] = {
    ONE_WEEK: lambda day: day.isocalendar()[:2],
    ONE_MONTH: lambda day: (day.year, day.month),
}


class Aggregates:
    """Series of all sizes over a bar book, made when they are first asked for."""

    def __init__(self, book: BarBook) -> None:
        self._book = book
        self._made: dict[tuple[str, str, bool], Series] = {}

    def series(self, listing: Listing, size: str, *, regular: bool) -> Series:
        """All bars of a size, later ones too; with `regular` those of the liquid hours alone."""
        key = (listing.key, size, regular)
        if key not in self._made:
            bars = sorted(self._bars(listing, size, regular=regular), key=lambda bar: bar.start)
            self._made[key] = Series(tuple(bars), tuple(bar.start for bar in bars))
        return self._made[key]

    def as_seen(self, listing: Listing, bar: Bar, now: datetime) -> Bar:
        """A bar as it is known at an instant: a forming one by its parts so far."""
        if bar.end <= now:
            return bar
        sizes = INTRADAY if bar.end - bar.start <= timedelta(days=1) else (ONE_DAY,)
        found: list[list[Bar]] = []
        for size in sizes:
            known = self._book.series(listing.key, size).between(bar.start, now)
            found.append([part for part in known if bar.start <= part.start <= now])
        begun = [parts for parts in found if parts]
        if not begun:
            return _so_far(bar, now)
        # What is over tells more than what is forming; of equals the finest.
        best = max(begun, key=lambda parts: _covered([x for x in parts if x.end <= now]))
        return _made_of([self._part_as_seen(listing, part, now) for part in best], bar)

    def _part_as_seen(self, listing: Listing, part: Bar, now: datetime) -> Bar:
        longer = part.end - part.start > max(LENGTHS.values())
        return self.as_seen(listing, part, now) if longer else _so_far(part, now)

    def _bars(self, listing: Listing, size: str, *, regular: bool) -> Iterable[Bar]:
        if size in _PERIODS:
            return _periods(self._book.series(listing.key, ONE_DAY).bars, _PERIODS[size])
        if size == ONE_DAY:
            return self._book.series(listing.key, ONE_DAY).bars
        return self._intraday(listing, SECONDS_BY_SIZE[size], regular=regular)

    def _intraday(self, listing: Listing, seconds: int, *, regular: bool) -> Iterator[Bar]:
        calendar = self._book.calendar(listing.hours)
        best: dict[datetime, list[Bar]] = {}
        sizes = [size for size in _dividing(seconds) if self._book.series(listing.key, size).bars]
        if [LENGTHS[size].seconds for size in sizes] == [seconds]:
            bars = self._book.series(listing.key, sizes[0]).bars
            yield from (x for x in bars if not regular or _within(x, calendar.liquid(x.day)))
            return
        for size in sizes:
            groups: dict[datetime, list[Bar]] = defaultdict(list)
            for part in self._book.series(listing.key, size).bars:
                if not regular or _within(part, calendar.liquid(part.day)):
                    groups[_clock_start(part.start, seconds, calendar)].append(part)
            for start, parts in groups.items():
                if _covered(parts) > _covered(best.get(start, [])):
                    best[start] = parts
        edge = calendar.liquid if regular else calendar.extended
        for start, parts in best.items():
            yield _on_clock(parts, start, seconds, edge(parts[0].day))


def _dividing(seconds: int) -> list[str]:
    """The sizes of parts of so long a bar: its own, then the finest first."""
    dividing = [size for size in INTRADAY if seconds % LENGTHS[size].seconds == 0]
    return sorted(dividing, key=lambda size: LENGTHS[size].seconds != seconds)


def _covered(parts: list[Bar]) -> timedelta:
    return (parts[0].end - parts[0].start) * len(parts) if parts else timedelta()


def _within(bar: Bar, session: Session | None) -> bool:
    return session is not None and bar.start < session.closes and bar.end > session.opens


def _on_clock(parts: list[Bar], start: datetime, seconds: int, edge: Session | None) -> Bar:
    """The bar of an interval of the clock, cut off where the session begins or ends in it."""
    first, last = parts[0], parts[-1]
    length = timedelta(seconds=seconds)
    if first.end - first.start == length:
        return first
    end = start + length
    if edge is not None:
        start = max(start, min(edge.opens, first.start))
        end = min(end, max(edge.closes, last.end))
    return _made_of(parts, replace(first, start=start, end=end))


def _clock_start(when: datetime, seconds: int, calendar: Calendar) -> datetime:
    """The start of the interval on the local clock, counted from local midnight."""
    local = when.astimezone(calendar.hours.zone)
    elapsed = local.hour * 3600 + local.minute * 60 + local.second
    return when - timedelta(seconds=elapsed % seconds, microseconds=local.microsecond)


def _periods(days: Iterable[Bar], period_of: Callable[[date], tuple[int, int]]) -> Iterator[Bar]:
    groups: dict[tuple[int, int], list[Bar]] = defaultdict(list)
    for bar in days:
        groups[period_of(bar.day)].append(bar)
    for group in groups.values():
        yield _made_of(group, replace(group[0], day=group[-1].day, end=group[-1].end))


def _made_of(parts: list[Bar], frame: Bar) -> Bar:
    """The bar of a frame's times over parts in order."""
    return replace(
        frame,
        open=parts[0].open,
        high=max(part.high for part in parts),
        low=min(part.low for part in parts),
        close=parts[-1].close,
        volume=sum((part.volume for part in parts), Decimal(0)),
    )


def _so_far(bar: Bar, now: datetime) -> Bar:
    """A bar, only its open when it is not over."""
    if bar.end <= now:
        return bar
    opened = bar.open
    return replace(bar, high=opened, low=opened, close=opened, volume=Decimal(0))

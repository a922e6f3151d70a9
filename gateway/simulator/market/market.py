"""What the market shows at an instant: quotes, last prices, and the instants at which they change.

The price at an instant T is the open of the bar that is open at T (`start <= T < end`), or the
close of a finer bar that ended since it began: nothing later than T is ever seen. The finest
intraday bar wins; a daily bar speaks only in regular hours on a date without intraday bars of the
contract. Bid and ask lie half a spread around it, rounded outwards to the tick. Outside regular
hours there are prices exactly where there are bars.

After a split a price of before is divided: until a bar begins then or later, which tells the price
of the new share, everything trades and is valued at the old price divided.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from itertools import accumulate

from gateway.simulator.market.bars import INTRADAY, ONE_DAY, Bar, BarBook
from gateway.simulator.market.calendars import Calendar
from gateway.simulator.market.contracts import Listing, conforms, expired, step_at
from gateway.simulator.market.hours import Session, new_york, new_york_day

CENT = Decimal("0.01")
SPLIT_STEP = Decimal("0.0001")
"""Prices divided by a split are rounded to it, the smallest step of US stocks."""


@dataclass(frozen=True, slots=True)
class Quote:
    """Prices of one contract at one instant; bid and ask are None while it cannot trade."""

    bid: Decimal | None
    ask: Decimal | None
    last: Decimal
    open: Decimal | None
    close: Decimal | None
    """The close of the session before."""

    def against(self, side: int) -> Decimal | None:
        """The price an order of this side (+1 buys) would pay now."""
        return self.ask if side > 0 else self.bid


@dataclass(frozen=True, slots=True)
class DaySoFar:
    """What is known of a trading day: the range and volume of its finished bars."""

    high: Decimal
    low: Decimal
    volume: Decimal
    traded_at: datetime
    """When the last of those bars ended, or the one that is open began."""


@dataclass(frozen=True, slots=True)
class Split:
    """A share became `ratio` shares at an instant."""

    at: datetime
    ratio: Decimal


@dataclass(frozen=True, slots=True)
class _Seen:
    """A quote and for how long it stands: from `since` until before `until`."""

    since: datetime
    until: datetime
    quote: Quote | None


class Market:
    """The bar book, asked as a market.

    `half_spread` is that of a contract with ticks of a cent; others scale with their tick.
    """

    def __init__(self, book: BarBook, half_spread: Decimal = CENT) -> None:
        self.book = book
        self.half_spread = half_spread
        self._seen: dict[str, _Seen] = {}
        self._ahead: dict[tuple[str, bool], tuple[datetime, Session]] = {}
        self._intraday: dict[tuple[str, date], bool] = {}
        self._last_trades: dict[str, datetime] = {}
        self._days: dict[tuple[str, str], _Running] = {}
        self._splits: dict[str, list[Split]] = {}

    def calendar(self, listing: Listing) -> Calendar:
        """The trading days of a contract."""
        return self.book.calendar(listing.hours)

    def is_open(self, listing: Listing, now: datetime, outside_rth: bool = False) -> bool:
        """Whether the regular session is on, or with `outside_rth` the extended one."""
        ahead = self.extended_ahead if outside_rth else self.session_ahead
        session = ahead(listing, now)
        if not session.contains(now) or expired(listing, session.day):
            return False
        last = self._last_trade(listing)
        return last is None or now < last

    def session_ahead(self, listing: Listing, now: datetime) -> Session:
        """The regular session that is on, or the next one."""
        return self._session_ahead(listing, now, extended=False)

    def extended_ahead(self, listing: Listing, now: datetime) -> Session:
        """The session with the hours before and after it that is on, or the next one."""
        return self._session_ahead(listing, now, extended=True)

    def conforms(self, price: Decimal, listing: Listing) -> bool:
        """Whether a price is on the market rule of the contract."""
        return conforms(price, listing)

    def open_bar(self, listing: Listing, now: datetime) -> Bar | None:
        """The bar that is open now, in regular or extended hours, or None."""
        if not self.is_open(listing, now, outside_rth=True):
            return None
        for size in INTRADAY:
            bar = self.book.series(listing.key, size).at(now)
            if bar is not None:
                return bar
        session = self.session_ahead(listing, now)
        if not session.contains(now) or self._has_intraday(listing, session):
            return None
        return self.book.series(listing.key, ONE_DAY).at(now)

    def finished_bars(self, listing: Listing, when: datetime) -> tuple[Bar, ...]:
        """The bar that traded until exactly this instant, if there is one, in any hours."""
        bar = self.open_bar(listing, when - timedelta(microseconds=1))
        return (bar,) if bar is not None and bar.end == when else ()

    def quote(self, listing: Listing, now: datetime) -> Quote | None:
        """The quote now, or None for a contract without any bar up to now."""
        seen = self._seen.get(listing.key)
        if seen is None or not seen.since <= now < seen.until:
            seen = _Seen(now, self.stands_until(listing, now), self._look(listing, now))
            self._seen[listing.key] = seen
        return seen.quote

    def last_price(self, listing: Listing, now: datetime) -> Decimal | None:
        """The open of the bar that is open now, else the close of the last finished bar."""
        quote = self.quote(listing, now)
        return None if quote is None else quote.last

    def split(self, listing: Listing, ratio: Decimal, now: datetime) -> None:
        """From here on a share is `ratio` shares; bars that begin now or later are of those."""
        self._splits.setdefault(listing.key, []).append(Split(now, ratio))
        self._seen.pop(listing.key, None)

    def was_split(self, listing: Listing, since: datetime) -> bool:
        """Whether a share was split at this instant or later."""
        return any(split.at >= since for split in self._splits.get(listing.key, ()))

    def of_today(self, price: Decimal, bar: Bar, listing: Listing) -> Decimal:
        """A price out of a bar, for a share as it is now: divided by the splits since it began."""
        for split in self._splits.get(listing.key, ()):
            if bar.start < split.at:
                price = (price / split.ratio).quantize(SPLIT_STEP)
        return price

    def side_price(self, last: Decimal, listing: Listing, side: int) -> Decimal:
        """The ask (side 1) or bid (side -1) around a price, rounded outwards to the tick."""
        price = last + side * self.half_spread * listing.tick / CENT
        step = step_at(max(price, Decimal(0)), listing)
        ticks = (price / step).to_integral_value(ROUND_CEILING if side > 0 else ROUND_FLOOR)
        return max(ticks * step, step)

    def day_so_far(self, listing: Listing, now: datetime) -> DaySoFar | None:
        """Range and volume of the trading day so far, None before its first bar.

        A bar that is open counts with its open.
        """
        session = self.extended_ahead(listing, now)
        begun = (self._running(listing, size, session) for size in (*INTRADAY, ONE_DAY))
        told = [running for running in begun if running.starts and running.starts[0] <= now]
        # Of several sizes that which covers most of the day so far; of equals the finest.
        return max(told, key=lambda running: running.covered(now)).at(now) if told else None

    def _running(self, listing: Listing, size: str, session: Session) -> "_Running":
        running = self._days.get((listing.key, size))
        if running is None or running.day != session.day:
            series = self.book.series(listing.key, size)
            known = series.between(session.opens, session.closes)
            bars = [bar for bar in known if bar.day == session.day]
            running = self._days[listing.key, size] = _running_of(session.day, bars)
        return running

    def changes(
        self, listings: Iterable[Listing], after: datetime, until: datetime
    ) -> list[datetime]:
        """The instants in `(after, until]` at which a bar or a session of these begins or ends."""
        times: set[datetime] = set()
        for listing in listings:
            for size in (*INTRADAY, ONE_DAY):
                for bar in self.book.series(listing.key, size).between(after, until):
                    times |= {bar.start, bar.end}
            times |= self._session_ends(self.calendar(listing), after, until)
        return sorted(time for time in times if after < time <= until)

    def next_change(self, listing: Listing, now: datetime) -> datetime:
        """The next instant at which a bar or a session of a contract begins or ends."""
        sessions = (self.session_ahead(listing, now), self.extended_ahead(listing, now))
        series = [self.book.series(listing.key, size) for size in (*INTRADAY, ONE_DAY)]
        times = [found for item in series if (found := item.next_change(now)) is not None]
        times += [end for session in sessions for end in (session.opens, session.closes)]
        last = self._last_trade(listing)
        times += [] if last is None else [last]
        return min(instant for instant in times if instant > now)

    def stands_until(self, listing: Listing, now: datetime) -> datetime:
        """Until when nothing changes of what the market shows of a contract."""
        midnight = new_york(new_york_day(now) + timedelta(days=1), time(0))
        return min(midnight, self.next_change(listing, now))

    def first_bar(self, listing: Listing) -> datetime | None:
        """When the first bar of any size begins."""
        series = [self.book.series(listing.key, size) for size in (*INTRADAY, ONE_DAY)]
        return min((item.starts[0] for item in series if item.starts), default=None)

    def _last_trade(self, listing: Listing) -> datetime | None:
        """When a contract stops to trade on its last day, None if its session decides."""
        if not listing.last_trade_time:
            return None
        if listing.key not in self._last_trades:
            text = f"{listing.expiry} {listing.last_trade_time}"
            zone = self.calendar(listing).hours.zone
            local = datetime.strptime(text, "%Y%m%d %H:%M:%S").replace(tzinfo=zone)
            self._last_trades[listing.key] = local.astimezone(UTC)
        return self._last_trades[listing.key]

    def _look(self, listing: Listing, now: datetime) -> Quote | None:
        bar = self.open_bar(listing, now)
        last = self._last_close(listing, now, None if bar is None else bar.start)
        if bar is not None and last is None:
            last = self.of_today(bar.open, bar, listing)
        if last is None:
            return None
        return Quote(
            bid=None if bar is None else self.side_price(last, listing, -1),
            ask=None if bar is None else self.side_price(last, listing, 1),
            last=last,
            open=self._session_open(listing, now),
            close=self._previous_close(listing, now),
        )

    def _session_ahead(self, listing: Listing, now: datetime, *, extended: bool) -> Session:
        known = self._ahead.get((listing.hours, extended))
        if known is None or not known[0] <= now < known[1].closes:
            calendar = self.calendar(listing)
            wall = calendar.hours.extended if extended else calendar.hours.regular
            known = (now, calendar.ahead(wall, now))
            self._ahead[listing.hours, extended] = known
        return known[1]

    def _session_ends(self, calendar: Calendar, after: datetime, until: datetime) -> set[datetime]:
        first, last = calendar.hours.trading_day(after), calendar.hours.trading_day(until)
        days = (first + timedelta(days=number) for number in range((last - first).days + 1))
        sessions = [each(day) for day in days for each in (calendar.regular, calendar.extended)]
        return {end for item in sessions if item is not None for end in (item.opens, item.closes)}

    def _has_intraday(self, listing: Listing, session: Session) -> bool:
        key = (listing.key, session.day)
        if key not in self._intraday:
            self._intraday[key] = any(
                bar.start < session.closes and bar.end > session.opens
                for size in INTRADAY
                for bar in self.book.series(listing.key, size).between(
                    session.opens, session.closes
                )
            )
        return self._intraday[key]

    def _last_close(
        self, listing: Listing, now: datetime, after: datetime | None = None
    ) -> Decimal | None:
        """The close of the last finished bar, None if none ended `after` the begin of a longer one.

        Where short bars end amid a longer one, its open is older than what they told.
        """
        series = (self.book.series(listing.key, size) for size in (*INTRADAY, ONE_DAY))
        ended = [bar for item in series if (bar := item.last_finished(now)) is not None]
        last = max(ended, key=lambda bar: bar.end, default=None)
        if last is None or (after is not None and last.end <= after):
            return None
        return self.of_today(last.close, last, listing)

    def _session_open(self, listing: Listing, now: datetime) -> Decimal | None:
        begun = self.book.series(listing.key, ONE_DAY).last_started(now)
        today = self.calendar(listing).hours.trading_day(now)
        if begun is None or begun.day != today:
            return None
        return self.of_today(begun.open, begun, listing)

    def _previous_close(self, listing: Listing, now: datetime) -> Decimal | None:
        ended = self.book.series(listing.key, ONE_DAY).last_finished(now)
        return None if ended is None else self.of_today(ended.close, ended, listing)


@dataclass(frozen=True, slots=True)
class _Running:
    """A day's bars of one size with the range and volume up to each."""

    day: date
    starts: list[datetime]
    bars: list[Bar]
    highs: list[Decimal]
    lows: list[Decimal]
    volumes: list[Decimal]

    def covered(self, now: datetime) -> timedelta:
        """How much time its bars cover that are over by now."""
        length = self.bars[0].end - self.bars[0].start
        return length * bisect_right(self.starts, now - length)

    def at(self, now: datetime) -> DaySoFar:
        """The day at an instant at which one of its bars has begun."""
        index = bisect_right(self.starts, now) - 1
        bar = self.bars[index]
        if bar.end <= now:
            sums = (self.highs[index], self.lows[index], self.volumes[index])
            return DaySoFar(*sums, traded_at=bar.end)
        if not index:
            return DaySoFar(bar.open, bar.open, Decimal(0), traded_at=bar.start)
        high, low = self.highs[index - 1], self.lows[index - 1]
        volume = self.volumes[index - 1]
        return DaySoFar(max(high, bar.open), min(low, bar.open), volume, traded_at=bar.start)


def _running_of(day: date, bars: list[Bar]) -> _Running:
    return _Running(
        day,
        [bar.start for bar in bars],
        bars,
        list(accumulate((bar.high for bar in bars), max)),
        list(accumulate((bar.low for bar in bars), min)),
        list(accumulate(bar.volume for bar in bars)),
    )

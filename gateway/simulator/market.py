"""What the market shows at an instant: quotes, last prices, and the instants at which they change.

The price at an instant T is the open of the bar that is open at T (`start <= T < end`): nothing
later than T is ever seen. The finest intraday bar wins; a daily bar speaks only on a date without
intraday bars of the symbol. Bid and ask lie half a spread around it, rounded outwards to the tick.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from gateway.simulator.bars import ONE_DAY, ONE_MINUTE, THIRTY_MINUTES, Bar, BarBook
from gateway.simulator.contracts import Listing
from gateway.simulator.hours import Session, new_york_day

_DAYS_AHEAD_MAX = 14
_INTRADAY = (ONE_MINUTE, THIRTY_MINUTES)


@dataclass(frozen=True, slots=True)
class Quote:
    """Prices of one contract at one instant; bid and ask are None while the market is closed."""

    bid: Decimal | None
    ask: Decimal | None
    last: Decimal
    open: Decimal | None
    close: Decimal | None
    """The close of the session before."""

    def against(self, side: int) -> Decimal | None:
        """The price an order of this side (+1 buys) would pay now."""
        return self.ask if side > 0 else self.bid


class Market:
    """The bar book, asked as a market."""

    def __init__(self, book: BarBook, half_spread: Decimal = Decimal("0.01")) -> None:
        self.book = book
        self.half_spread = half_spread

    def open_bar(self, symbol: str, now: datetime) -> Bar | None:
        """The bar that is open now inside the regular session, or None."""
        day = new_york_day(now)
        session = self.book.session(day)
        if session is None or not session.contains(now):
            return None
        for size in _INTRADAY:
            bar = self.book.series(symbol, size).at(now)
            if bar is not None:
                return bar
        daily = self.book.series(symbol, ONE_DAY).at(now)
        return None if self._has_intraday(symbol, day) else daily

    def finished_bars(self, symbol: str, when: datetime) -> tuple[Bar, ...]:
        """The bar that traded until exactly this instant, if there is one."""
        bar = self.open_bar(symbol, when - timedelta(microseconds=1))
        return (bar,) if bar is not None and bar.end == when else ()

    def quote(self, listing: Listing, now: datetime) -> Quote | None:
        """The quote now, or None for a symbol without any bar up to now."""
        last = self.last_price(listing.symbol, now)
        if last is None:
            return None
        bar = self.open_bar(listing.symbol, now)
        return Quote(
            bid=None if bar is None else self._rounded(last - self.half_spread, listing, -1),
            ask=None if bar is None else self._rounded(last + self.half_spread, listing, 1),
            last=last,
            open=self._session_open(listing.symbol, now),
            close=self._previous_close(listing.symbol, now),
        )

    def last_price(self, symbol: str, now: datetime) -> Decimal | None:
        """The open of the bar that is open now, else the close of the last finished bar."""
        bar = self.open_bar(symbol, now)
        if bar is not None:
            return bar.open
        ended = self._last_finished(symbol, now, (*_INTRADAY, ONE_DAY))
        return None if ended is None else ended.close

    def is_open(self, now: datetime) -> bool:
        """Whether the regular session is on."""
        session = self.book.session(new_york_day(now))
        return session is not None and session.contains(now)

    def session_ahead(self, now: datetime) -> Session:
        """The session that is on, or the next one."""
        for ahead in range(_DAYS_AHEAD_MAX):
            session = self.book.session(new_york_day(now) + timedelta(days=ahead))
            if session is not None and now < session.closes:
                return session
        raise ValueError(f"no session within {_DAYS_AHEAD_MAX} days of {now}")

    def changes(self, symbols: Iterable[str], after: datetime, until: datetime) -> list[datetime]:
        """The instants in `(after, until]` at which a bar of these symbols begins or ends."""
        times: set[datetime] = set()
        for symbol in symbols:
            for size in (*_INTRADAY, ONE_DAY):
                for bar in self.book.series(symbol, size).between(after, until):
                    times |= {bar.start, bar.end}
        return sorted(time for time in times if after < time <= until)

    def _has_intraday(self, symbol: str, day: date) -> bool:
        session = self.book.session(day)
        if session is None:
            return False
        return any(
            bar.start < session.closes and bar.end > session.opens
            for size in _INTRADAY
            for bar in self.book.series(symbol, size).between(session.opens, session.closes)
        )

    def _last_finished(self, symbol: str, now: datetime, sizes: tuple[str, ...]) -> Bar | None:
        ended = [self.book.series(symbol, size).finished(now)[-1:] for size in sizes]
        return max((bar for bars in ended for bar in bars), key=lambda bar: bar.end, default=None)

    def _session_open(self, symbol: str, now: datetime) -> Decimal | None:
        begun = self.book.series(symbol, ONE_DAY).started(now)[-1:]
        today = new_york_day(now)
        return begun[0].open if begun and begun[0].day == today else None

    def _previous_close(self, symbol: str, now: datetime) -> Decimal | None:
        ended = self._last_finished(symbol, now, (ONE_DAY,))
        return None if ended is None else ended.close

    def _rounded(self, price: Decimal, listing: Listing, side: int) -> Decimal:
        rounding = ROUND_CEILING if side > 0 else ROUND_FLOOR
        ticks = (price / listing.tick).to_integral_value(rounding)
        return max(ticks * listing.tick, listing.tick)

"""Ticks one by one and bars of five seconds: what the bars say, told as time passes.

Each bar of the finest series is read as two trades: its open when it begins, its close when it is
over. A quote changes when a bar begins or a session ends. Real-time bars need bars of five seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.broker import LONG_AGO, Broker
from gateway.simulator.market.bars import FIVE_SECONDS, INTRADAY, Bar
from gateway.simulator.market.contracts import FOREX, Listing
from gateway.simulator.market.subscriptions import Subscriptions, no_permissions
from gateway.simulator.market.ticks import SIZE_SHOWN
from gateway.simulator.notices import DUPLICATE_TICKER, unknown_ticker

LAST, ALL_LAST, BID_ASK, MIDPOINT = "Last", "AllLast", "BidAsk", "MidPoint"
KINDS = {LAST: 1, ALL_LAST: 2, BID_ASK: 3, MIDPOINT: 4}
REAL_TIME_SECONDS = 5
REAL_TIME_SHOWN = frozenset({"TRADES", "MIDPOINT", "BID", "ASK"})
LINES_MAX = 100
"""Tick-by-tick and real-time lines of one client together."""


@dataclass(slots=True)
class TickLine:
    """One subscription, until when it was served and when news are due.

    `kind` is a number of `KINDS`, 0 for bars of five seconds.
    """

    listing: Listing
    kind: int
    served_until: datetime
    due: datetime = LONG_AGO
    regular: bool = False
    sides: tuple[Decimal | None, Decimal | None] = (None, None)
    what: str = "TRADES"


class TickDesk:
    """Tick-by-tick data and real-time bars."""

    def __init__(self, broker: Broker, subscriptions: Subscriptions) -> None:
        self._broker = broker
        self._subscriptions = subscriptions
        self._lines: dict[tuple[int, int], TickLine] = {}
        self.opened = 0
        """Subscriptions so far."""

    def forget(self, client_id: int) -> None:
        """Drop what a disconnected client had subscribed to."""
        self._lines = {key: value for key, value in self._lines.items() if key[0] != client_id}

    def dues(self) -> list[datetime]:
        """When each subscriber may be told something next."""
        return [line.due for line in self._lines.values()]

    def refresh(self) -> None:
        """Tell each line what happened since it was served."""
        now, market = self._broker.now, self._broker.market
        for (client_id, request_id), line in self._lines.items():
            if now < line.due:
                continue
            line.due = market.next_change(line.listing, now)
            self._broker.send(client_id, *self._news(request_id, line))
            line.served_until = now

    def tick_by_tick(self, client_id: int, request: q.TickByTickRequest) -> None:
        """reqTickByTickData: from now on; of the past only the quote as it stands."""
        listing = self._admitted(client_id, request.request_id, request.contract, 10189)
        if listing is None:
            return
        kind = KINDS.get(request.kind, 0)
        if not kind or (listing.security_type == FOREX and kind in {1, 2}):
            text = f"Failed to request tick-by-tick data.{request.kind[:20]} of {listing.key}"
            self._broker.refuse(client_id, request.request_id, 10189, text)
            return
        line = TickLine(listing, kind, self._broker.now)
        self._open(client_id, request.request_id, line)
        if kind in {KINDS[BID_ASK], KINDS[MIDPOINT]}:
            self._broker.send(client_id, *self._quote(request.request_id, line, self._broker.now))

    def cancel_tick_by_tick(self, client_id: int, request: q.TickByTickCancel) -> None:
        """cancelTickByTickData."""
        self._cancel(client_id, request.request_id)

    def real_time_bars(self, client_id: int, request: q.RealTimeBarsRequest) -> None:
        """reqRealTimeBars: every bar of five seconds from now on; error 420 without such bars."""
        listing = self._admitted(client_id, request.request_id, request.contract, 420)
        if listing is None:
            return
        series = self._broker.market.book.series(listing.key, FIVE_SECONDS)
        what = request.what_to_show
        if not series.bars or what not in REAL_TIME_SHOWN:
            reason = f"no bars of 5 seconds, {what[:20]}, of {listing.key}"
            text = f"Invalid Real-time Query:{reason}"
            self._broker.refuse(client_id, request.request_id, 420, text)
            return
        line = TickLine(listing, 0, self._broker.now, regular=request.regular_hours, what=what)
        self._open(client_id, request.request_id, line)

    def cancel_real_time_bars(self, client_id: int, request: q.RealTimeBarsCancel) -> None:
        """cancelRealTimeBars."""
        self._cancel(client_id, request.request_id)

    def _open(self, client_id: int, request_id: int, line: TickLine) -> None:
        self._lines[client_id, request_id] = line
        self.opened += 1

    def _admitted(self, client_id: int, request_id: int, wanted: Any, code: int) -> Listing | None:
        resolved = self._broker.resolve(client_id, request_id, wanted)
        if resolved is None:
            return None
        listing = resolved[0]
        lines = sum(owner == client_id for owner, _ in self._lines)
        if (client_id, request_id) in self._lines:
            self._broker.refuse(client_id, request_id, *DUPLICATE_TICKER)
        elif lines >= LINES_MAX:
            text = "Max number of tick-by-tick requests has been reached."
            self._broker.refuse(client_id, request_id, 10190, text)
        elif not self._subscriptions.has_live(listing):
            self._broker.refuse(client_id, request_id, code, no_permissions(listing))
        else:
            return listing
        return None

    def _cancel(self, client_id: int, request_id: int) -> None:
        if self._lines.pop((client_id, request_id), None) is None:
            self._broker.refuse(client_id, request_id, *unknown_ticker(request_id))

    def _news(self, request_id: int, line: TickLine) -> list[Any]:
        after, until = line.served_until, self._broker.now
        if not line.kind:
            return self._real_time(request_id, line, until)
        if line.kind in {KINDS[LAST], KINDS[ALL_LAST]}:
            return self._trades(request_id, line, until)
        instants = self._broker.market.changes([line.listing], after, until)
        return [tick for when in instants for tick in self._quote(request_id, line, when)]

    def _trades(self, request_id: int, line: TickLine, until: datetime) -> list[Any]:
        prints = sorted(
            (when, order, price, size)
            for bar in self._finest(line.listing, line.served_until, until)
            for when, order, price, size in (
                (bar.start, 1, bar.open, SIZE_SHOWN),
                (bar.end, 0, bar.close, bar.volume),
            )
            if line.served_until < when <= until
        )
        return [
            r.TickByTickTrade(
                request_id,
                line.kind,
                int(when.timestamp()),
                price,
                size,
                exchange=line.listing.primary_exchange,
            )
            for when, _, price, size in prints
        ]

    def _quote(self, request_id: int, line: TickLine, when: datetime) -> list[Any]:
        quote = self._broker.market.quote(line.listing, when)
        sides = (None, None) if quote is None else (quote.bid, quote.ask)
        bid, ask = sides
        if sides == line.sides or bid is None or ask is None:
            line.sides = sides
            return []
        line.sides = sides
        epoch = int(when.timestamp())
        if line.kind == KINDS[MIDPOINT]:
            return [r.TickByTickMidpoint(request_id, epoch, (bid + ask) / 2)]
        return [r.TickByTickQuote(request_id, epoch, bid, ask, SIZE_SHOWN, SIZE_SHOWN)]

    def _real_time(self, request_id: int, line: TickLine, until: datetime) -> list[Any]:
        market, calendar = self._broker.market, self._broker.market.calendar(line.listing)
        series = market.book.series(line.listing.key, FIVE_SECONDS)
        bars = [
            bar
            for bar in series.between(line.served_until, until)
            if line.served_until < bar.end <= until
        ]
        if line.regular:
            sessions = {bar.day: calendar.liquid(bar.day) for bar in bars}
            bars = [bar for bar in bars if (s := sessions[bar.day]) and s.contains(bar.start)]
        return [self._real_time_bar(request_id, line, bar) for bar in bars]

    def _real_time_bar(self, request_id: int, line: TickLine, bar: Bar) -> r.RealTimeBar:
        side = {"BID": -1, "ASK": 1}.get(line.what, 0)
        opened, high, low, close = (
            self._broker.market.side_price(price, line.listing, side) if side else price
            for price in (bar.open, bar.high, bar.low, bar.close)
        )
        traded = line.what == "TRADES"
        return r.RealTimeBar(
            request_id,
            int(bar.start.timestamp()),
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=bar.volume if traded else Decimal(-1),
            average=(bar.high + bar.low + bar.close) / 3 if traded else Decimal(-1),
            count=-1,
        )

    def _finest(self, listing: Listing, after: datetime, until: datetime) -> tuple[Bar, ...]:
        for size in INTRADAY:
            bars = self._broker.market.book.series(listing.key, size).between(after, until)
            if any(bar.end > after for bar in bars):
                return bars
        return ()


HANDLERS: dict[type[Any], Callable[[TickDesk, int, Any], None]] = {
    q.TickByTickRequest: TickDesk.tick_by_tick,
    q.TickByTickCancel: TickDesk.cancel_tick_by_tick,
    q.RealTimeBarsRequest: TickDesk.real_time_bars,
    q.RealTimeBarsCancel: TickDesk.cancel_real_time_bars,
}

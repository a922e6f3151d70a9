"""Ticks of the past (reqHistoricalTicks): what the bars say, read as `tick_desk` reads them.

Each bar of the finest series is two trades, its open when it begins and its close when it is over;
a quote is told where a bar begins and brings another one. IB's documentation: either a start or an
end is given, at most 1000 ticks are asked for, and a second that has begun is told whole, so that
more may come. Whether the end's own second belongs to them is not documented; here it does. Neither
are IB's texts; 10187 is its code for all that is wrong with such a request.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.broker import Broker
from gateway.simulator.market.bars import EMPTY, INTRADAY, Bar, Series
from gateway.simulator.market.contracts import FOREX, Listing
from gateway.simulator.market.history import HistoryError, parse_end
from gateway.simulator.market.subscriptions import Subscriptions, no_permissions
from gateway.simulator.market.ticks import SIZE_SHOWN

TRADES, BID_ASK, MIDPOINT = "TRADES", "BID_ASK", "MIDPOINT"
SHOWN = (TRADES, BID_ASK, MIDPOINT)
TICKS_MAX = 1000
REFUSED = 10187

Tick = r.HistoricalTrade | r.HistoricalQuote | r.HistoricalMidpoint


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for: the first ticks from `start` on, or without it the last until `end`."""

    listing: Listing
    what: str
    start: datetime | None
    end: datetime
    count: int
    regular: bool


class TickHistory:
    """Answers about past ticks."""

    def __init__(self, broker: Broker, subscriptions: Subscriptions) -> None:
        self._broker = broker
        self._subscriptions = subscriptions

    def ticks(self, client_id: int, request: q.HistoricalTicksRequest) -> None:
        """reqHistoricalTicks: one message with all of them, none if the bars have none."""
        resolved = self._broker.resolve(client_id, request.request_id, request.contract)
        if resolved is None:
            return
        try:
            search = self._search(request, resolved[0])
        except HistoryError as error:
            text = f"Failed to request historical ticks:{error}"
            self._broker.refuse(client_id, request.request_id, REFUSED, text)
            return
        reply = REPLIES[search.what]
        self._broker.send(client_id, reply(request.request_id, tuple(self._found(search))))

    def _search(self, request: q.HistoricalTicksRequest, listing: Listing) -> Search:
        """What a request means. Raises HistoryError."""
        what, now = request.what_to_show, self._broker.now
        rules = (
            (what in SHOWN, f"what to show {what[:20]!r} is not one of {', '.join(SHOWN)}"),
            (
                listing.security_type != FOREX or what != TRADES,
                f"no trades of {listing.key}, which is quoted",
            ),
            (bool(request.start) != bool(request.end), "give either a start or an end"),
            (0 < request.count <= TICKS_MAX, f"the number of ticks is not 1 to {TICKS_MAX}"),
            (self._subscriptions.has_live(listing), no_permissions(listing)),
        )
        for holds, reason in rules:
            if not holds:
                raise HistoryError(REFUSED, reason)
        start = parse_end(request.start, now) if request.start else None
        end = min(parse_end(request.end, now), now)
        return Search(listing, what, start, end, request.count, request.regular_hours)

    def _found(self, search: Search) -> list[Tick]:
        """As many as are wanted, and those of the second in which the last one lies."""
        found: list[tuple[int, Tick]] = []
        for ticks in self._by_bar(search):
            found = found + ticks if search.start else ticks + found
            if len(found) > search.count and _spans(found, search):
                break
        if len(found) > search.count:
            second = _last_wanted(found, search)
            first, last = (0, second) if search.start else (second, found[-1][0])
            found = [item for item in found if first <= item[0] <= last]
        return [tick for _, tick in found]

    def _by_bar(self, search: Search) -> Iterator[list[tuple[int, Tick]]]:
        """The ticks of one bar after the other, away from where the search begins."""
        series = self._series(search)
        begun = bisect_right(series.starts, search.end)
        first = max(bisect_left(series.starts, search.start) - 1, 0) if search.start else 0
        order = range(first, begun) if search.start else range(begun - 1, -1, -1)
        read = self._trades if search.what == TRADES else self._quotes
        for index in order:
            if not search.regular or self._is_regular(search.listing, series.bars[index]):
                yield [
                    (int(when.timestamp()), tick)
                    for when, tick in read(search, series, index)
                    if (search.start is None or search.start <= when) and when <= search.end
                ]

    def _series(self, search: Search) -> Series:
        """The finest bars there are on the side that is searched."""
        for size in INTRADAY:
            series = self._broker.market.book.series(search.listing.key, size)
            if not series.bars or series.starts[0] > search.end:
                continue
            if search.start is None or series.bars[-1].end >= search.start:
                return series
        return EMPTY

    def _is_regular(self, listing: Listing, bar: Bar) -> bool:
        session = self._broker.market.calendar(listing).liquid(bar.day)
        return session is not None and session.contains(bar.start)

    def _trades(self, search: Search, series: Series, index: int) -> list[tuple[datetime, Tick]]:
        bar, exchange = series.bars[index], search.listing.primary_exchange
        prints = ((bar.start, bar.open, SIZE_SHOWN), (bar.end, bar.close, bar.volume))
        return [
            (when, r.HistoricalTrade(int(when.timestamp()), price, size, exchange=exchange))
            for when, price, size in prints
        ]

    def _quotes(self, search: Search, series: Series, index: int) -> list[tuple[datetime, Tick]]:
        bar = series.bars[index]
        sides = self._sides(search.listing, bar)
        before = series.bars[index - 1] if index else None
        stood = before is not None and before.day == bar.day and before.end == bar.start
        if sides is None or (stood and before and self._sides(search.listing, before) == sides):
            return []
        epoch, (bid, ask) = int(bar.start.timestamp()), sides
        if search.what == MIDPOINT:
            return [(bar.start, r.HistoricalMidpoint(epoch, (bid + ask) / 2))]
        return [(bar.start, r.HistoricalQuote(epoch, bid, ask, SIZE_SHOWN, SIZE_SHOWN))]

    def _sides(self, listing: Listing, bar: Bar) -> tuple[Decimal, Decimal] | None:
        quote = self._broker.market.quote(listing, bar.start)
        if quote is None or quote.bid is None or quote.ask is None:
            return None
        return quote.bid, quote.ask


def _spans(found: list[tuple[int, Tick]], search: Search) -> bool:
    """Whether there are ticks beyond the second in which the last wanted one lies."""
    return found[-1 if search.start else 0][0] != _last_wanted(found, search)


def _last_wanted(found: list[tuple[int, Tick]], search: Search) -> int:
    """The second of the tick that completes the count."""
    return found[search.count - 1 if search.start else -search.count][0]


REPLIES: dict[str, Callable[[int, tuple[Any, ...]], Any]] = {
    TRADES: r.HistoricalTrades,
    BID_ASK: r.HistoricalQuotes,
    MIDPOINT: r.HistoricalMidpoints,
}

HANDLERS: dict[type[Any], Callable[[TickHistory, int, Any], None]] = {
    q.HistoricalTicksRequest: TickHistory.ticks,
}

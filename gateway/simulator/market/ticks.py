"""What a market data line carries at an instant, in IB's tick types: pure functions of the market.

Sizes are made up: the bars know no order book, so every side and trade shows `SIZE_SHOWN`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from gateway.simulator import replies as r
from gateway.simulator.market.contracts import FOREX, STOCK, Listing
from gateway.simulator.market.market import Market, Quote
from gateway.simulator.market.subscriptions import DELAYED_FROZEN, FROZEN, Served

BID_SIZE, BID, ASK, ASK_SIZE, LAST, LAST_SIZE, HIGH, LOW, VOLUME, CLOSE = range(10)
OPEN, LAST_TIME, SHORTABLE, HALTED, SHORTABLE_SHARES = 14, 45, 46, 49, 89
DELAYED_TYPES = {
    BID: 66,
    ASK: 67,
    LAST: 68,
    BID_SIZE: 69,
    ASK_SIZE: 70,
    LAST_SIZE: 71,
    HIGH: 72,
    LOW: 73,
    VOLUME: 74,
    CLOSE: 75,
    OPEN: 76,
    LAST_TIME: 88,
}
"""The tick types of delayed data."""
GENERIC_SHORTABLE = "236"
"""The generic tick list's number for what can be sold short."""
SIZE_SHOWN = Decimal(100)
SHARES_PLENTY = Decimal(10_000_000)
"""How many shares can be borrowed of a stock that is easy to borrow."""
NO_PRICE = Decimal(-1)
"""IB's "no price on this side"; it comes with size 0."""
EASY_SHARES = 1000
"""From so many shares on IB's shortable value is above 2.5."""

Tick = r.TickPrice | r.TickSize | r.TickString | r.TickGeneric


@dataclass(frozen=True, slots=True)
class Line:
    """One market data request: of what, for which number, how served, with which extras."""

    request_id: int
    listing: Listing
    served: Served
    generic: frozenset[str] = frozenset()


def data_type(line: Line, quote: Quote) -> int:
    """The type of the data that follow: frozen types only while the market has no sides."""
    if quote.bid is None and line.served.frozen:
        return DELAYED_FROZEN if line.served.delay else FROZEN
    return line.served.type


def ticks(line: Line, market: Market, now: datetime) -> list[Tick]:
    """Everything that the line shows at an instant; empty before the contract's first bar."""
    when = now - line.served.delay
    quote = market.quote(line.listing, when)
    if quote is None:
        return []
    plain = [*_sides(line, quote, market), *_day(line, quote, market, when)]
    late = [replace(tick, tick_type=DELAYED_TYPES[tick.tick_type]) for tick in plain]
    return [*(late if line.served.delay else plain), *_extras(line)]


def changed(old: Iterable[Tick], new: Iterable[Tick]) -> list[Tick]:
    """The ticks that were not there before."""
    known = set(old)
    return [tick for tick in new if tick not in known]


def _sides(line: Line, quote: Quote, market: Market) -> list[Tick]:
    number = line.request_id
    bid, ask = quote.bid, quote.ask
    if bid is None and line.served.frozen:
        bid, ask = (market.side_price(quote.last, line.listing, side) for side in (-1, 1))
    return [
        _sided(number, BID, bid),
        _sided(number, ASK, ask),
        *([] if line.listing.security_type == FOREX else [_sided(number, LAST, quote.last)]),
    ]


def _sided(number: int, tick_type: int, price: Decimal | None) -> Tick:
    if price is None:
        return r.TickPrice(number, tick_type, NO_PRICE, Decimal(0))
    return r.TickPrice(number, tick_type, price, SIZE_SHOWN)


def _day(line: Line, quote: Quote, market: Market, when: datetime) -> list[Tick]:
    number, zero = line.request_id, Decimal(0)
    day = market.day_so_far(line.listing, when)
    prices = [(CLOSE, quote.close), (OPEN, quote.open)]
    found: list[Tick] = []
    if day is not None:
        prices += [(HIGH, day.high), (LOW, day.low)]
        if line.listing.security_type != FOREX:
            found.append(r.TickSize(number, VOLUME, day.volume))
            found.append(r.TickString(number, LAST_TIME, str(int(day.traded_at.timestamp()))))
    shown = [r.TickPrice(number, kind, price, zero) for kind, price in prices if price is not None]
    return [*shown, *found]


def _extras(line: Line) -> list[Tick]:
    number = line.request_id
    extras: list[Tick] = [r.TickGeneric(number, HALTED, Decimal(0))]
    if GENERIC_SHORTABLE in line.generic and line.listing.security_type == STOCK:
        found = line.listing.shortable_shares
        shares = SHARES_PLENTY if found is None else found
        extras += [
            r.TickGeneric(number, SHORTABLE, _shortable(shares)),
            r.TickSize(number, SHORTABLE_SHARES, shares),
        ]
    return extras


def _shortable(shares: Decimal) -> Decimal:
    """IB's scale: above 2.5 easy, above 1.5 if shares can be located, else not at all."""
    if shares >= EASY_SHARES:
        return Decimal(3)
    return Decimal(2) if shares else Decimal(1)

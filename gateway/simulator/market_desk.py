"""Answers about contracts and the market: details, symbol search, historical bars, quotes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.bars import ONE_DAY, ONE_MINUTE, THIRTY_MINUTES
from gateway.simulator.broker import Broker
from gateway.simulator.contracts import Listing
from gateway.simulator.history import HistoryError, select, shown, time_text
from gateway.simulator.hours import TIME_ZONE_NAME, hours_text, new_york_day
from gateway.simulator.market import Quote

BID, BID_SIZE, ASK, ASK_SIZE, LAST, LAST_SIZE, CLOSE, OPEN = 1, 0, 2, 3, 4, 5, 9, 14
SIZE_SHOWN = Decimal(100)
NO_PRICE = Decimal(-1)
"""IB's "no price on this side"; it comes with size 0."""
LIVE, FROZEN, DELAYED, DELAYED_FROZEN = 1, 2, 3, 4
ORDER_TYPES = "ADAPTIVE,LMT,MKT"
STREAMS_MAX = 100
"""Market data lines of one client, as many as IB gives to a new account."""
SAMPLES_MAX = 16


@dataclass(slots=True)
class Stream:
    """One market data subscription and what it showed last."""

    listing: Listing
    quote: Quote | None = None


class MarketDesk:
    """Everything a client can ask that changes nothing at the broker."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._streams: dict[tuple[int, int], Stream] = {}
        self._data_types: dict[int, int] = {}

    def forget(self, client_id: int) -> None:
        """Drop what a disconnected client had subscribed to."""
        self._streams = {key: value for key, value in self._streams.items() if key[0] != client_id}
        self._data_types.pop(client_id, None)

    def refresh(self) -> None:
        """Send new quotes to subscribers where they changed."""
        for (client_id, request_id), stream in self._streams.items():
            quote = self._broker.market.quote(stream.listing, self._broker.now)
            if quote is not None and quote != stream.quote:
                stream.quote = quote
                self._broker.send(client_id, *self._ticks(client_id, request_id, quote))

    def contract_details(self, client_id: int, request: q.ContractDetailsRequest) -> None:
        """reqContractDetails: every match, then the end; nothing found is error 200, no end."""
        found = self._broker.contracts.find(request.contract)
        if not found:
            self._broker.resolve(client_id, request.request_id, request.contract)
            return
        exchange = request.contract.exchange or "SMART"
        details = [self._details(request.request_id, item, exchange) for item in found]
        self._broker.send(client_id, *details, r.ContractDetailsEnd(request.request_id))

    def matching_symbols(self, client_id: int, request: q.MatchingSymbolsRequest) -> None:
        """reqMatchingSymbols: symbols that begin with the pattern."""
        pattern = request.pattern.upper()
        listings = self._broker.contracts.starting_with(pattern)[:SAMPLES_MAX] if pattern else []
        samples = tuple(
            r.SymbolSample(
                item.con_id,
                item.symbol,
                "STK",
                item.primary_exchange,
                item.currency,
                description=item.long_name,
            )
            for item in listings
        )
        self._broker.send(client_id, r.SymbolSamples(request.request_id, samples))

    def market_rule(self, client_id: int, request: q.MarketRuleRequest) -> None:
        """reqMarketRule: price increments; an unknown rule is an error with id -1."""
        ticks = self._broker.contracts.ticks_by_rule()
        if request.rule_id not in ticks:
            self._broker.refuse(client_id, -1, 321, f"no market rule {request.rule_id}")
            return
        increment = r.PriceIncrement(Decimal(0), ticks[request.rule_id])
        self._broker.send(client_id, r.MarketRule(request.rule_id, (increment,)))

    def historical_data(self, client_id: int, request: q.HistoricalDataRequest) -> None:
        """reqHistoricalData: the bar that is forming is the last one, as at IB."""
        resolved = self._broker.resolve(client_id, request.request_id, request.contract)
        if resolved is None:
            return
        try:
            bars = select(self._broker.market.book, resolved[0].symbol, request, self._broker.now)
        except HistoryError as error:
            self._broker.refuse(client_id, request.request_id, error.code, str(error))
            return
        first, last = time_text(bars[0].start, "", 1), time_text(bars[-1].end, "", 1)
        rows = tuple(shown(bar, request) for bar in bars)
        self._broker.send(client_id, r.HistoricalData(request.request_id, first, last, rows))

    def head_timestamp(self, client_id: int, request: q.HeadTimestampRequest) -> None:
        """reqHeadTimeStamp: the start of the first bar of any size."""
        resolved = self._broker.resolve(client_id, request.request_id, request.contract)
        if resolved is None:
            return
        first = self._first_bar(resolved[0].symbol)
        if first is None or first > self._broker.now:
            self._broker.refuse(client_id, request.request_id, 162, "No head time stamp")
            return
        epoch = str(int(first.timestamp()))
        text = epoch if request.date_format == 2 else f"{first:%Y%m%d-%H:%M:%S}"
        self._broker.send(client_id, r.HeadTimestamp(request.request_id, text))

    def market_data(self, client_id: int, request: q.MarketDataRequest) -> None:
        """reqMktData: the quote now, and with a stream every later one."""
        resolved = self._broker.resolve(client_id, request.request_id, request.contract)
        if resolved is None or self._too_many(client_id, request):
            return
        listing = resolved[0]
        quote = self._broker.market.quote(listing, self._broker.now)
        if quote is None:
            text = f"Requested market data is not subscribed: no bars of {listing.symbol} so far"
            self._broker.refuse(client_id, request.request_id, 354, text)
            return
        head = r.TickRequestParameters(request.request_id, listing.tick, "9c0001", 3)
        self._broker.send(client_id, head, *self._ticks(client_id, request.request_id, quote))
        if request.snapshot:
            self._broker.send(client_id, r.TickSnapshotEnd(request.request_id))
        else:
            self._streams[client_id, request.request_id] = Stream(listing, quote)

    def cancel_market_data(self, client_id: int, request: q.MarketDataCancel) -> None:
        """cancelMktData."""
        if self._streams.pop((client_id, request.request_id), None) is None:
            text = f"Can't find EId with tickerId:{request.request_id}"
            self._broker.refuse(client_id, request.request_id, 300, text)

    def data_type(self, client_id: int, request: q.MarketDataTypeRequest) -> None:
        """reqMarketDataType: remembered; frozen types show the last prices of a closed market."""
        if request.type not in {LIVE, FROZEN, DELAYED, DELAYED_FROZEN}:
            self._broker.refuse(client_id, -1, 321, f"market data type {request.type}")
            return
        self._data_types[client_id] = request.type

    def ignore(self, client_id: int, request: object) -> None:
        """Requests that need no answer: nothing here outlives its answer."""

    def _too_many(self, client_id: int, request: q.MarketDataRequest) -> bool:
        streams = sum(owner == client_id for owner, _ in self._streams)
        if request.snapshot or streams < STREAMS_MAX:
            return False
        text = "Max number of tickers has been reached"
        self._broker.refuse(client_id, request.request_id, 101, text)
        return True

    def _details(self, request_id: int, listing: Listing, exchange: str) -> r.ContractDetails:
        contract = listing.contract(exchange)
        return r.ContractDetails(
            request_id=request_id,
            contract=contract,
            market_name=listing.symbol,
            long_name=listing.long_name,
            stock_type=listing.stock_type,
            tick=listing.tick,
            order_types=ORDER_TYPES,
            valid_exchanges=",".join(listing.exchanges),
            market_rules=",".join(str(listing.market_rule) for _ in listing.exchanges),
            time_zone=TIME_ZONE_NAME,
            trading_hours=self._hours(liquid=False),
            liquid_hours=self._hours(liquid=True),
        )

    def _hours(self, *, liquid: bool) -> str:
        today = new_york_day(self._broker.now)
        return hours_text(self._broker.market.book.session, today, liquid=liquid)

    def _first_bar(self, symbol: str) -> datetime | None:
        series = [
            self._broker.market.book.series(symbol, size)
            for size in (ONE_MINUTE, THIRTY_MINUTES, ONE_DAY)
        ]
        return min((item.starts[0] for item in series if item.starts), default=None)

    def _ticks(self, client_id: int, request_id: int, quote: Quote) -> list[Any]:
        wanted = self._data_types.get(client_id, LIVE)
        frozen = quote.bid is None and wanted in {FROZEN, DELAYED_FROZEN}
        bid, ask = (quote.last, quote.last) if frozen else (quote.bid, quote.ask)
        priced = [(BID, bid), (ASK, ask), (LAST, quote.last)]
        plain = [(CLOSE, quote.close), (OPEN, quote.open)]
        return [
            r.MarketDataType(request_id, FROZEN if frozen else LIVE),
            *(_sided(request_id, tick_type, price) for tick_type, price in priced),
            *(
                r.TickPrice(request_id, tick_type, price, Decimal(0))
                for tick_type, price in plain
                if price is not None
            ),
        ]


def _sided(request_id: int, tick_type: int, price: Decimal | None) -> r.TickPrice:
    if price is None:
        return r.TickPrice(request_id, tick_type, NO_PRICE, Decimal(0))
    return r.TickPrice(request_id, tick_type, price, SIZE_SHOWN)


HANDLERS: dict[type[Any], Callable[[MarketDesk, int, Any], None]] = {
    q.ContractDetailsRequest: MarketDesk.contract_details,
    q.MatchingSymbolsRequest: MarketDesk.matching_symbols,
    q.MarketRuleRequest: MarketDesk.market_rule,
    q.HistoricalDataRequest: MarketDesk.historical_data,
    q.HistoricalDataCancel: MarketDesk.ignore,
    q.HeadTimestampRequest: MarketDesk.head_timestamp,
    q.HeadTimestampCancel: MarketDesk.ignore,
    q.MarketDataRequest: MarketDesk.market_data,
    q.MarketDataCancel: MarketDesk.cancel_market_data,
    q.MarketDataTypeRequest: MarketDesk.data_type,
}

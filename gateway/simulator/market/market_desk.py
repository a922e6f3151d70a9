"""Answers about contracts and the market now: details, symbol search, market rules, quotes."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.broker import LONG_AGO, Broker
from gateway.simulator.market.contracts import FOREX, FUTURE, STOCK, Contract, Listing
from gateway.simulator.market.history_desk import HistoryDesk
from gateway.simulator.market.hours import hours_text, new_york_day
from gateway.simulator.market.subscriptions import LIVE, TYPES, Subscriptions
from gateway.simulator.market.tick_desk import TickDesk
from gateway.simulator.market.tick_history import TickHistory
from gateway.simulator.market.ticks import Line, Tick, changed, data_type, ticks
from gateway.simulator.notices import DUPLICATE_TICKER, NO_DEFINITION, invalid, unknown_ticker

ORDER_TYPES = {
    STOCK: "ADAPTIVE,GAT,GTC,GTD,IOC,LMT,LOC,MIDPX,MKT,MOC,STP,STPLMT,WHATIF",
    FOREX: "GAT,GTC,GTD,IOC,LMT,MKT,STP,STPLMT,WHATIF",
    FUTURE: "ADAPTIVE,GAT,GTC,GTD,IOC,LMT,MKT,STP,STPLMT,WHATIF",
}
AGGREGATION_GROUPS = {STOCK: 1, FOREX: 4, FUTURE: 2147483647}
"""IB's smart-routing groups as recorded; the last one is its unset number."""
STREAMS_MAX = 100
"""Market data lines of one client, as many as IB gives to a new account."""
SAMPLES_MAX = 16
NOTHING_DUE = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class Stream:
    """One market data subscription, what it showed last, and until when that stands."""

    line: Line
    due: datetime = LONG_AGO
    type: int = 0
    shown: list[Tick] = field(default_factory=list)


class MarketDesk:
    """Everything a client can ask that changes nothing at the broker."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.subscriptions = Subscriptions(broker.options.subscriptions)
        self.history = HistoryDesk(broker, self.subscriptions)
        self.ticks = TickDesk(broker, self.subscriptions)
        self.tick_history = TickHistory(broker, self.subscriptions)
        self._streams: dict[tuple[int, int], Stream] = {}
        self._data_types: dict[int, int] = {}
        self._opened = 0
        self._due = NOTHING_DUE
        self._count = self._subscribed()

    def forget(self, client_id: int) -> None:
        """Drop what a disconnected client had subscribed to."""
        self._streams = {key: value for key, value in self._streams.items() if key[0] != client_id}
        self._data_types.pop(client_id, None)
        self.history.forget(client_id)
        self.ticks.forget(client_id)

    def refresh(self) -> None:
        """Send new data to subscribers where they changed."""
        if self._broker.now < self.next_due():
            return
        for (client_id, _), stream in self._streams.items():
            if stream.due <= self._broker.now:
                self._broker.send(client_id, *self._news(stream))
        self.history.refresh()
        self.ticks.refresh()
        dues = [stream.due for stream in self._streams.values()]
        self._due = min([*dues, *self.history.dues(), *self.ticks.dues()], default=NOTHING_DUE)
        self._count = self._subscribed()

    def next_due(self) -> datetime:
        """When a subscriber may be told something next; at once after something subscribed."""
        return self._due if self._count == self._subscribed() else LONG_AGO

    def _subscribed(self) -> tuple[int, int, int]:
        """Changes with every new subscription."""
        return self._opened, self.history.opened, self.ticks.opened

    def contract_details(self, client_id: int, request: q.ContractDetailsRequest) -> None:
        """reqContractDetails: every match, then the end; nothing found is error 200, no end."""
        found = self._matches(request)
        if not found:
            self._broker.refuse(client_id, request.request_id, *NO_DEFINITION)
            return
        exchange = request.contract.exchange
        details = [self._details(request.request_id, item, exchange) for item in found]
        self._broker.send(client_id, *details, r.ContractDetailsEnd(request.request_id))

    def matching_symbols(self, client_id: int, request: q.MatchingSymbolsRequest) -> None:
        """reqMatchingSymbols: symbols that begin with the pattern; futures by their underlying."""
        pattern = request.pattern.upper()
        listings = self._broker.contracts.starting_with(pattern) if pattern else []
        samples = dict.fromkeys(_sample(item) for item in listings)
        found = tuple(samples)[:SAMPLES_MAX]
        self._broker.send(client_id, r.SymbolSamples(request.request_id, found))

    def market_rule(self, client_id: int, request: q.MarketRuleRequest) -> None:
        """reqMarketRule: price increments; an unknown rule is an error with id -1."""
        steps = self._broker.contracts.increments(request.rule_id)
        if not steps:
            self._broker.refuse(client_id, -1, 321, f"no market rule {request.rule_id}")
            return
        increments = tuple(r.PriceIncrement(*step) for step in steps)
        self._broker.send(client_id, r.MarketRule(request.rule_id, increments))

    def option_parameters(self, client_id: int, request: q.OptionParametersRequest) -> None:
        """reqSecDefOptParams: the table has no options, so the end alone; error 200 if unknown."""
        listing = self._broker.contracts.listing(request.underlying_con_id)
        if listing is None or listing.symbol != request.underlying_symbol:
            self._broker.refuse(client_id, request.request_id, *NO_DEFINITION)
            return
        self._broker.send(client_id, r.OptionParametersEnd(request.request_id))

    def market_data(self, client_id: int, request: q.MarketDataRequest) -> None:
        """reqMktData: what is known now, and with a stream every later change."""
        resolved = self._broker.resolve(client_id, request.request_id, request.contract)
        if resolved is None or not self._has_room(client_id, request):
            return
        line = self._served_line(client_id, request, resolved[0])
        if line is None:
            return
        stream = Stream(line)
        head = r.TickRequestParameters(request.request_id, line.listing.tick, "9c0001", 3)
        self._broker.send(client_id, head, *self._news(stream))
        if request.snapshot:
            self._broker.send(client_id, r.TickSnapshotEnd(request.request_id))
        else:
            self._streams[client_id, request.request_id] = stream
            self._opened += 1

    def cancel_market_data(self, client_id: int, request: q.MarketDataCancel) -> None:
        """cancelMktData."""
        if self._streams.pop((client_id, request.request_id), None) is None:
            self._broker.refuse(client_id, request.request_id, *unknown_ticker(request.request_id))

    def data_type(self, client_id: int, request: q.MarketDataTypeRequest) -> None:
        """reqMarketDataType: holds for the client's later requests."""
        if request.type not in TYPES:
            self._broker.refuse(client_id, -1, 321, f"market data type {request.type}")
            return
        self._data_types[client_id] = request.type

    def _served_line(
        self, client_id: int, request: q.MarketDataRequest, listing: Listing
    ) -> Line | None:
        """The line of a request, or None after telling the client why there is none."""
        number = request.request_id
        generic = {name.strip() for name in request.generic_ticks.split(",")} - {""}
        objection = _generic_objection(generic, snapshot=request.snapshot)
        if objection:
            self._broker.refuse(client_id, number, *invalid(objection))
            return None
        wanted = self._data_types.get(client_id, LIVE)
        served = self.subscriptions.served(listing, wanted)
        if served.code:
            self._broker.refuse(client_id, number, served.code, served.text)
        if served.refused:
            return None
        if self._broker.market.quote(listing, self._broker.now - served.delay) is None:
            text = f"Requested market data is not subscribed: no bars of {listing.key} so far"
            self._broker.refuse(client_id, number, 354, text)
            return None
        return Line(number, listing, served, frozenset(generic))

    def _news(self, stream: Stream) -> list[Any]:
        """What a stream has not shown yet; the type of the data comes before the data."""
        market, now = self._broker.market, self._broker.now
        line, seen_at = stream.line, now - stream.line.served.delay
        stream.due = market.stands_until(line.listing, seen_at) + line.served.delay
        quote = market.quote(line.listing, seen_at)
        if quote is None:
            return []
        shown, type_ = ticks(line, market, now), data_type(line, quote)
        news: list[Any] = [] if type_ == stream.type else [r.MarketDataType(line.request_id, type_)]
        news += changed(stream.shown, shown)
        stream.type, stream.shown = type_, shown
        return news

    def _has_room(self, client_id: int, request: q.MarketDataRequest) -> bool:
        if (client_id, request.request_id) in self._streams:
            self._broker.refuse(client_id, request.request_id, *DUPLICATE_TICKER)
            return False
        streams = sum(owner == client_id for owner, _ in self._streams)
        if request.snapshot or streams < STREAMS_MAX:
            return True
        text = "Max number of tickers has been reached"
        self._broker.refuse(client_id, request.request_id, 101, text)
        return False

    def _matches(self, request: q.ContractDetailsRequest) -> list[Listing]:
        contracts = self._broker.contracts
        if request.security_id_type:
            known = request.security_id_type == "ISIN"
            return contracts.with_isin(request.security_id) if known else []
        today = None if request.include_expired else new_york_day(self._broker.now)
        return contracts.find(request.contract, today)

    def _details(self, request_id: int, listing: Listing, exchange: str) -> r.ContractDetails:
        calendar = self._broker.market.calendar(listing)
        zone, today = calendar.hours.zone, calendar.hours.trading_day(self._broker.now)
        future, stock = listing.security_type == FUTURE, listing.security_type == STOCK
        # IB tells of a pair only the market that was asked about, though FXCONV takes orders too.
        exchanges = listing.exchanges if stock else (exchange or listing.primary_exchange,)
        return r.ContractDetails(
            request_id=request_id,
            contract=_with_last_time(listing, exchange, calendar.hours.zone_name),
            market_name=listing.trading_class,
            long_name=listing.long_name,
            stock_type=listing.stock_type,
            tick=listing.tick,
            order_types=ORDER_TYPES[listing.security_type],
            valid_exchanges=",".join(exchanges),
            market_rules=",".join(str(listing.market_rule) for _ in exchanges),
            time_zone=calendar.hours.zone_name,
            trading_hours=hours_text(calendar.extended, today, zone),
            liquid_hours=hours_text(calendar.liquid, today, zone),
            under_con_id=listing.under_con_id,
            contract_month=listing.contract_month,
            security_ids=(r.SecurityId("ISIN", listing.isin),) if listing.isin else (),
            aggregation_group=AGGREGATION_GROUPS[listing.security_type],
            under_symbol=listing.symbol if future else "",
            under_security_type=listing.under_security_type,
            real_expiry=listing.expiry,
            size_suggested=Decimal(100 if stock else 1),
        )


def _with_last_time(listing: Listing, exchange: str, zone_name: str) -> Contract:
    """The contract as its details show it: the last trading day with its hour, if that is known."""
    contract = listing.contract(exchange)
    if not listing.last_trade_time:
        return contract
    return replace(contract, expiry=f"{listing.expiry} {listing.last_trade_time} {zone_name}")


def _generic_objection(generic: set[str], *, snapshot: bool) -> str:
    """What is wrong with a list of generic ticks; those that are not simulated are not sent."""
    odd = sorted(name for name in generic if not name.isdecimal())
    if odd:
        return f"Incorrect generic tick list of {odd[0][:20]}."
    if generic and snapshot:
        return "Snapshot market data subscription is not applicable to generic ticks."
    return ""


def _sample(listing: Listing) -> r.SymbolSample:
    if listing.security_type == FUTURE:
        return r.SymbolSample(
            listing.under_con_id or listing.con_id,
            listing.symbol,
            listing.under_security_type or FUTURE,
            listing.primary_exchange,
            listing.currency,
            derivatives=(FUTURE,),
            description=listing.long_name,
        )
    return r.SymbolSample(
        listing.con_id,
        listing.symbol,
        listing.security_type,
        listing.primary_exchange,
        listing.currency,
        description=listing.long_name,
    )


HANDLERS: dict[type[Any], Callable[[MarketDesk, int, Any], None]] = {
    q.ContractDetailsRequest: MarketDesk.contract_details,
    q.MatchingSymbolsRequest: MarketDesk.matching_symbols,
    q.MarketRuleRequest: MarketDesk.market_rule,
    q.OptionParametersRequest: MarketDesk.option_parameters,
    q.MarketDataRequest: MarketDesk.market_data,
    q.MarketDataCancel: MarketDesk.cancel_market_data,
    q.MarketDataTypeRequest: MarketDesk.data_type,
}

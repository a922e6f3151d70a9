"""The TradingNode that drive_nautilus.py plays with: configuration, strategy, orders, and an ear.

Imported by that program alone, in NautilusTrader's environment.
"""

import asyncio
import math
import os
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from nautilus_trader.adapters.interactive_brokers import factories
from nautilus_trader.adapters.interactive_brokers.common import IB, IBOrderTags
from nautilus_trader.adapters.interactive_brokers.config import (
    InteractiveBrokersDataClientConfig,
    InteractiveBrokersExecClientConfig,
    InteractiveBrokersInstrumentProviderConfig,
)
from nautilus_trader.config import (
    LiveRiskEngineConfig,
    LoggingConfig,
    RoutingConfig,
    StrategyConfig,
    TradingNodeConfig,
)
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import OrderSide, OrderType, TimeInForce, TrailingOffsetType
from nautilus_trader.model.identifiers import ClientOrderId, InstrumentId, VenueOrderId
from nautilus_trader.model.objects import Price, Quantity
from nautilus_trader.model.orders import OrderList
from nautilus_trader.trading.strategy import Strategy

ACCOUNT: Final = "DUSIM0001"
VENUES: Final = {"SPY": "ARCA"}
"""The primary exchange of each symbol: it is the venue of NautilusTrader's instrument id."""
BAR_SIZES: Final = {"secs": "SECOND", "min": "MINUTE", "mins": "MINUTE", "day": "DAY"}
FACTORIES: Final = {
    "MKT": "market",
    "LMT": "limit",
    "STP": "stop_market",
    "TRAIL": "trailing_stop_market",
}
"""The method of the order factory for IB's order type."""
SENDING: Final = (
    "placeOrder",
    "cancelOrder",
    "reqMktData",
    "reqHistoricalData",
    "reqRealTimeBars",
)
"""What the strategy's wishes end in, some turns of the event loop later."""
LAST_PRICE: Final = 4


def trading_node(port: int, client_id: int) -> TradingNode:
    """A node in the running loop, not yet built."""
    node = TradingNode(_config(port, client_id), loop=asyncio.get_running_loop())
    node.add_data_client_factory(IB, factories.InteractiveBrokersLiveDataClientFactory)
    node.add_exec_client_factory(IB, factories.InteractiveBrokersLiveExecClientFactory)
    return node


def _config(port: int, client_id: int) -> TradingNodeConfig:
    provider = InteractiveBrokersInstrumentProviderConfig(
        load_ids=frozenset(str(instrument_id(symbol)) for symbol in VENUES)
    )
    data = InteractiveBrokersDataClientConfig(
        ibg_port=port,
        ibg_client_id=client_id,
        instrument_provider=provider,
        handle_revised_bars=True,
    )
    orders = InteractiveBrokersExecClientConfig(
        ibg_port=port,
        ibg_client_id=client_id,
        account_id=ACCOUNT,
        instrument_provider=provider,
        routing=RoutingConfig(default=True),
    )
    return TradingNodeConfig(
        trader_id="SCRIPT-001",
        logging=LoggingConfig(log_level=os.environ.get("LOG_LEVEL", "WARNING"), log_colors=False),
        # Its own throttle would hold the life cycles back.
        risk_engine=LiveRiskEngineConfig(bypass=True),
        data_clients={IB: data},
        exec_clients={IB: orders},
        timeout_post_stop=0.1,
    )


class Trader(Strategy):  # type: ignore[misc]
    """The strategy: it does what the script says, and keeps what it is given."""

    def __init__(self, news: asyncio.Event) -> None:
        # Orders from before the start are the strategy's, or it could not cancel them.
        claims = [instrument_id(symbol) for symbol in VENUES]
        super().__init__(StrategyConfig(external_order_claims=claims))
        self.news = news
        self.started = False
        self.bars: dict[BarType, dict[int, Bar]] = {}
        self.quotes: list[Any] = []

    def on_start(self) -> None:
        """It may trade: the node has reconciled."""
        self.started = True
        self.news.set()

    def on_event(self, event: Any) -> None:
        """Something became of an order or a position."""
        self.news.set()

    def on_bar(self, bar: Bar) -> None:
        """A bar, or what has become of it."""
        self.bars.setdefault(bar.bar_type, {})[bar.ts_event // 1_000_000_000] = bar
        self.news.set()

    def on_historical_data(self, data: Any) -> None:
        """A bar that was asked for."""
        if isinstance(data, Bar):
            self.on_bar(data)

    def on_quote_tick(self, tick: Any) -> None:
        """Bid and ask."""
        self.quotes.append(tick)
        self.news.set()

    def order(self, ref: str, symbol: str, type: str, **terms: Any) -> Any:
        """NautilusTrader's order for one of the script's."""
        make = getattr(self.order_factory, FACTORIES[type])
        tags = list(terms.get("tags", ()))
        if terms.get("oca_group"):
            named = IBOrderTags(ocaGroup=terms["oca_group"], ocaType=terms["oca_type"])
            tags.append(named.value)
        return make(
            instrument_id=instrument_id(symbol),
            order_side=OrderSide[terms["action"]],
            quantity=Quantity.from_int(terms["quantity"]),
            time_in_force=TimeInForce.DAY,
            client_order_id=ClientOrderId(ref),
            tags=tags or None,
            **_prices(terms),
        )

    def bracket(self, parent: dict[str, Any], *children: dict[str, Any]) -> OrderList:
        """An entry at a limit with a take-profit at a limit and a stop-loss, as people write it."""
        profit, loss = sorted(children, key=lambda terms: str(terms["type"]))
        day = TimeInForce.DAY
        return self.order_factory.bracket(
            instrument_id=instrument_id(parent["symbol"]),
            order_side=OrderSide[parent["action"]],
            quantity=Quantity.from_int(parent["quantity"]),
            time_in_force=day,
            entry_order_type=OrderType.LIMIT,
            entry_price=price(parent["limit"]),
            entry_client_order_id=ClientOrderId(parent["ref"]),
            tp_price=price(profit["limit"]),
            tp_time_in_force=day,
            tp_post_only=False,
            tp_client_order_id=ClientOrderId(profit["ref"]),
            sl_trigger_price=price(loss["stop"]),
            sl_time_in_force=day,
            sl_client_order_id=ClientOrderId(loss["ref"]),
        )


class Ear:
    """What the adapter's client is told, before it makes of it what it does."""

    def __init__(self, client: Any, news: asyncio.Event) -> None:
        self.client = client
        self.news = news
        self.statuses: dict[str, list[str]] = {}
        self.opened: dict[str, Any] = {}
        self.codes: dict[str, list[int]] = {}
        self.last = math.nan
        self.sent = 0
        for name in ("order_status", "open_order", "error", "tick_price"):
            self._listen(f"process_{name}", getattr(self, f"on_{name}"))
        for name in SENDING:
            self._count(name)

    def _listen(self, name: str, note: Callable[..., None]) -> None:
        original = getattr(self.client, name)

        async def process(**values: Any) -> None:
            await original(**values)
            note(**values)
            self.news.set()

        setattr(self.client, name, process)

    def _count(self, name: str) -> None:
        original = getattr(self.client._eclient, name)

        def send(*arguments: Any, **named: Any) -> None:
            original(*arguments, **named)
            self.sent += 1
            self.news.set()

        setattr(self.client._eclient, name, send)

    def on_order_status(self, order_id: int, status: str, **_: Any) -> None:
        """The callback orderStatus."""
        told = self.statuses.setdefault(self.ref(order_id), [])
        if told[-1:] != [status]:
            told.append(status)

    def on_open_order(self, order: Any, **_: Any) -> None:
        """The callback openOrder."""
        self.opened[order.orderRef.rsplit(":", 1)[0]] = order

    def on_error(self, req_id: int, error_code: int, **_: Any) -> None:
        """The callback error."""
        self.codes.setdefault(self.ref(req_id), []).append(error_code)

    def on_tick_price(self, tick_type: int, price: float, **_: Any) -> None:
        """The callback tickPrice."""
        if tick_type == LAST_PRICE:
            self.last = price

    def ref(self, order_id: int) -> str:
        """The ref of an order by IB's id for it, empty for none."""
        found = self.client._order_id_to_order_ref.get(VenueOrderId(str(order_id)))
        return "" if found is None else str(found.order_id)


def instrument_id(symbol: str) -> InstrumentId:
    """NautilusTrader's name of a stock."""
    return InstrumentId.from_str(f"{symbol}.{VENUES[symbol]}")


def bar_type(symbol: str, size: str) -> BarType:
    """NautilusTrader's name of bars of trades; `size` is IB's."""
    count, unit = size.split()
    return BarType.from_str(f"{instrument_id(symbol)}-{count}-{BAR_SIZES[unit]}-LAST-EXTERNAL")


def price(value: float) -> Price:
    """A price in cents."""
    return Price(value, 2)


def _prices(terms: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "limit" in terms:
        found["price"] = price(terms["limit"])
    if "stop" in terms:
        found["trigger_price"] = price(terms["stop"])
    if "trail" in terms:
        found["trailing_offset"] = Decimal(terms["trail"])
        found["trailing_offset_type"] = TrailingOffsetType.PRICE
    return found

"""The broker as one object: requests in, deliveries out, time moved by argument. No sockets.

`handle` answers one request of one client; `advance` lets time pass: bars begin and end, resting
orders trade, DAY orders end, midnight forgets. Every delivery is a pair of the client it goes to
and the reply. Same seed, same bars, same calls: same deliveries.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from gateway.simulator import account_desk, market_desk, order_desk, record_desk
from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.account import Account
from gateway.simulator.bars import BarBook
from gateway.simulator.broker import LONG_AGO, ExchangeOptions, open_broker
from gateway.simulator.contracts import ContractTable
from gateway.simulator.hours import new_york_day
from gateway.simulator.orders import Order
from gateway.simulator.replies import Delivery

FARM_NOTICES = (
    (2104, "Market data farm connection is OK:usfarm"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefnj"),
)
"""What a healthy gateway says to a client that just became ready."""

Handler = Callable[[int, Any], None]


class Exchange:
    """One account at one broker, over recorded bars."""

    def __init__(
        self,
        book: BarBook,
        options: ExchangeOptions | None = None,
        contracts: ContractTable | None = None,
    ) -> None:
        self.options = options or ExchangeOptions()
        self._broker = open_broker(book, self.options, contracts or ContractTable())
        self._accounts = account_desk.AccountDesk(self._broker)
        self._orders = order_desk.OrderDesk(self._broker, self._accounts)
        self._records = record_desk.RecordDesk(self._broker, self._orders)
        self._market = market_desk.MarketDesk(self._broker)
        self._handlers = self._all_handlers()

    @property
    def book(self) -> BarBook:
        """The bars this exchange trades on."""
        return self._broker.market.book

    @property
    def account(self) -> Account:
        """The account as it stands, for assertions."""
        return self._broker.account

    @property
    def positions(self) -> Mapping[str, Decimal]:
        """Symbol to signed quantity, positions of 0 left out."""
        contracts = self._broker.contracts
        return {
            contracts.by_con_id(con_id).symbol: holding.quantity
            for con_id, holding in self._broker.account.holdings.items()
            if holding.quantity
        }

    @property
    def working_orders(self) -> list[Order]:
        """Orders that can still trade."""
        return self._orders.working

    @property
    def clients(self) -> frozenset[int]:
        """Ids of the connected clients."""
        return frozenset(self._broker.clients)

    def set_master_client(self, client_id: int | None) -> None:
        """Name the client that sees the orders and executions of all others."""
        self._broker.master_client_id = client_id

    def connect(self, client_id: int, now: datetime) -> list[Delivery]:
        """A client is ready: its accounts, its next order id, the farm notices."""
        self.check_time(now)
        self._pass_time(now)
        self._broker.clients.add(client_id)
        notices = (r.Notice(-1, code, text) for code, text in FARM_NOTICES)
        first_id = r.NextValidId(self._orders.next_id(client_id))
        accounts = r.ManagedAccounts(self.options.account_id)
        self._broker.send(client_id, accounts, first_id, *notices)
        return self._broker.take_outbox()

    def disconnect(self, client_id: int) -> None:
        """A client is gone: its subscriptions end, its orders live on."""
        self._broker.clients.discard(client_id)
        self._accounts.forget(client_id)
        self._market.forget(client_id)

    def handle(self, client_id: int, request: Any, now: datetime) -> list[Delivery]:
        """Answer one request, after all that time brought until `now`."""
        self.check_time(now)
        self._pass_time(now)
        handler = self._handlers.get(type(request), self._refuse_unsupported)
        handler(client_id, request)
        return self._broker.take_outbox()

    def advance(self, now: datetime) -> list[Delivery]:
        """Let time pass until `now`."""
        self.check_time(now)
        self._pass_time(now)
        return self._broker.take_outbox()

    def trade_by_hand(
        self, symbol: str, quantity: Decimal, price: Decimal | None, now: datetime
    ) -> list[Delivery]:
        """Someone at TWS trades a signed quantity, at the market when no price is given.

        Raises:
            ValueError: unknown symbol, no quantity, or no price while the market has none.
        """
        self.check_time(now)
        self._pass_time(now)
        listing = self._broker.contracts.by_symbol(symbol)
        if listing is None or not quantity:
            raise ValueError(f"cannot trade {quantity} of {symbol!r}")
        quote = self._broker.market.quote(listing, now)
        seen = None if quote is None else quote.against(1 if quantity > 0 else -1)
        if price is None and seen is None:
            raise ValueError(f"the market of {symbol} has no price at {now}")
        self._orders.trade_by_hand(listing, quantity, price or seen or Decimal(0))
        return self._broker.take_outbox()

    def check_time(self, now: datetime) -> None:
        """Time must have a zone. Raises ValueError."""
        if now.tzinfo is None:
            raise ValueError("a time without a zone")

    def _pass_time(self, now: datetime) -> None:
        if now <= self._broker.now:
            return
        for instant in self._instants(now):
            self._step(instant)
        self._step(now)
        self._accounts.pass_time()
        self._market.refresh()

    def _instants(self, now: datetime) -> list[datetime]:
        working = self._orders.working
        if not working or self._broker.now == LONG_AGO:
            return []
        symbols = {order.contract.symbol for order in working}
        times = set(self._broker.market.changes(symbols, self._broker.now, now))
        times |= {o.expires_at for o in working if self._broker.now < o.expires_at <= now}
        return sorted(times)

    def _step(self, instant: datetime) -> None:
        midnight = new_york_day(instant) != new_york_day(self._broker.now)
        self._broker.now = instant
        if midnight:
            self._orders.forget_before(instant)
        self._orders.match(instant)
        self._orders.expire(instant)

    def _all_handlers(self) -> dict[type[Any], Handler]:
        desks: tuple[tuple[Any, dict[type[Any], Any]], ...] = (
            (self._accounts, account_desk.HANDLERS),
            (self._market, market_desk.HANDLERS),
            (self._orders, order_desk.HANDLERS),
            (self._records, record_desk.HANDLERS),
        )
        handlers: dict[type[Any], Handler] = {
            type_: partial(handler, desk)
            for desk, table in desks
            for type_, handler in table.items()
        }
        return handlers | {
            q.NextIdRequest: self._next_id,
            q.ManagedAccountsRequest: self._managed_accounts,
            q.CurrentTimeRequest: self._current_time,
            q.ServerLogLevel: self._nothing,
        }

    def _next_id(self, client_id: int, request: q.NextIdRequest) -> None:
        self._broker.send(client_id, r.NextValidId(self._orders.next_id(client_id)))

    def _managed_accounts(self, client_id: int, request: q.ManagedAccountsRequest) -> None:
        self._broker.send(client_id, r.ManagedAccounts(self.options.account_id))

    def _current_time(self, client_id: int, request: q.CurrentTimeRequest) -> None:
        self._broker.send(client_id, r.CurrentTime(int(self._broker.now.timestamp())))

    def _nothing(self, client_id: int, request: q.ServerLogLevel) -> None:
        """Accepted without effect."""

    def _refuse_unsupported(self, client_id: int, request: Any) -> None:
        number = getattr(request, "number", type(request).__name__)
        request_id = getattr(request, "request_id", -1)
        text = f"Error validating request.-'sim' : cause - request {number} is not simulated"
        self._broker.refuse(client_id, request_id, 321, text)

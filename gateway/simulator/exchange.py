"""The broker as one object: requests in, deliveries out, time moved by argument. No sockets.

`handle` answers one request of one client; `advance` lets time pass: bars begin and end, resting
orders trade, DAY orders end, midnight forgets. Every delivery is a pair of the client it goes to
and the reply. Same seed, same bars, same calls: same deliveries.
"""

from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cached_property, partial
from typing import Any

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.account import account_desk
from gateway.simulator.account.account import Account
from gateway.simulator.account.corporate_actions import CorporateActions
from gateway.simulator.broker import LONG_AGO, ExchangeOptions, open_broker
from gateway.simulator.market import history_desk, market_desk, tick_desk, tick_history
from gateway.simulator.market.bar_files import INTRADAY, ONE_DAY
from gateway.simulator.market.bars import BarBook
from gateway.simulator.market.contracts import ContractTable, Listing
from gateway.simulator.market.hours import new_york_day
from gateway.simulator.notices import DEFINITIONS_FARM_OK, FARM_OK, HISTORY_FARM_OK, invalid
from gateway.simulator.orders import order_desk, record_desk
from gateway.simulator.orders.orders import NEVER, Order
from gateway.simulator.replies import Delivery

FARM_NOTICES = (FARM_OK, HISTORY_FARM_OK, DEFINITIONS_FARM_OK)
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
        self.actions = CorporateActions(self._broker, self._accounts, self._orders)
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
        """Contract (`Listing.key`) to signed quantity, positions of 0 left out."""
        contracts = self._broker.contracts
        return {
            contracts.by_con_id(con_id).key: holding.quantity
            for con_id, holding in self._broker.account.holdings.items()
            if holding.quantity
        }

    @property
    def working_orders(self) -> list[Order]:
        """Orders that can still trade."""
        return self._orders.working

    @property
    def orders(self) -> order_desk.OrderDesk:
        """The orders and what can be done to them, for faults and assertions (see `acting`)."""
        return self._orders

    @property
    def clients(self) -> frozenset[int]:
        """Ids of the connected clients."""
        return frozenset(self._broker.clients)

    def listing(self, symbol: str) -> Listing:
        """A contract by its symbol or `Listing.key`. Raises ValueError."""
        found = self._broker.contracts.by_symbol(symbol)
        if found is None:
            raise ValueError(f"no such contract: {symbol!r}")
        return found

    def set_master_client(self, client_id: int | None) -> None:
        """Name the client that sees the orders and executions of all others."""
        self._broker.master_client_id = client_id

    def connect(self, client_id: int, now: datetime) -> list[Delivery]:
        """A client is ready: its accounts, its next order id, the farm notices."""
        self.check_time(now)
        self._pass_time(now)
        self._broker.clients.add(client_id)
        notices = (r.Notice(-1, *notice) for notice in FARM_NOTICES)
        first_id = r.NextValidId(self._orders.next_id(client_id))
        accounts = r.ManagedAccounts(self.options.account_id)
        self._broker.send(client_id, accounts, first_id, *notices)
        return self._broker.take_outbox()

    def disconnect(self, client_id: int) -> None:
        """A client is gone: its subscriptions end, its orders live on."""
        self._broker.clients.discard(client_id)
        self._accounts.forget(client_id)
        self._market.forget(client_id)
        self._orders.forget(client_id)

    def handle(self, client_id: int, request: Any, now: datetime) -> list[Delivery]:
        """Answer one request, after all that time brought until `now`."""
        self.check_time(now)
        self._pass_time(now)
        handler = self._handlers.get(type(request), self._refuse_unsupported)
        handler(client_id, request)
        self._market.refresh()
        return self._broker.take_outbox()

    def advance(self, now: datetime) -> list[Delivery]:
        """Let time pass until `now`."""
        self.check_time(now)
        self._pass_time(now)
        return self._broker.take_outbox()

    def acting(self, now: datetime, verb: Callable[[], object]) -> list[Delivery]:
        """Let time pass until `now`, then do something to the broker, and tell what came of it."""
        self.check_time(now)
        self._pass_time(now)
        verb()
        return self._broker.take_outbox()

    def next_change(self) -> datetime | None:
        """The next instant at which a bar, a session or a working order changes anything.

        None when the bars are over and no order waits for a time.
        """
        market = self._next_market_change(self._broker.now)
        times = self._order_times()
        if self._accounts.has_listeners and market is not None:
            times += [due for due in (self._accounts.next_due(market),) if due is not None]
        return min(times if market is None else [market, *times], default=None)

    def next_news(self, until: datetime) -> datetime | None:
        """The next instant, up to a time, at which an order may change or a client is told."""
        times = (self.next_order_change(), self._next_told(until))
        return min((when for when in times if when is not None and when <= until), default=None)

    def next_order_change(self) -> datetime | None:
        """The next instant at which a working order may trade or end; None without any."""
        broker = self._broker
        listings = map(broker.contracts.by_con_id, self._orders.record.working_con_ids())
        changes = [broker.market.next_change(listing, broker.now) for listing in listings]
        return min([*changes, *self._order_times()], default=None)

    def _order_times(self) -> list[datetime]:
        """When working orders awake or end."""
        now, working = self._broker.now, self._orders.working
        times = [each for order in working for each in (order.active_from, order.expires_at)]
        return [each for each in times if now < each < NEVER]

    def _next_market_change(self, now: datetime) -> datetime | None:
        broker = self._broker
        listings = [
            found for key in self.book.symbols if (found := broker.contracts.by_symbol(key))
        ]
        changes = (broker.market.next_change(listing, now) for listing in listings)
        return min((when for when in changes if when <= self._bars_end), default=None)

    @cached_property
    def _bars_end(self) -> datetime:
        sizes = (*INTRADAY, ONE_DAY)
        series = (self.book.series(key, size) for key in self.book.symbols for size in sizes)
        return max(item.bars[-1].end for item in series if item.bars)

    def trade_by_hand(
        self, symbol: str, quantity: Decimal, price: Decimal | None, now: datetime
    ) -> list[Delivery]:
        """Someone at TWS trades a signed quantity, at the market when no price is given.

        Raises:
            ValueError: unknown symbol, no quantity, a price that is none, or no price while the
                market has none.
        """
        self.check_time(now)
        self._pass_time(now)
        listing = self._broker.contracts.by_symbol(symbol)
        if listing is None or not quantity or not _is_sensible(quantity):
            raise ValueError(f"cannot trade {quantity} of {symbol!r}")
        if price is not None and (price <= 0 or not _is_sensible(price)):
            raise ValueError(f"{price} is not a price")
        quote = self._broker.market.quote(listing, now)
        seen = None if quote is None else quote.against(1 if quantity > 0 else -1)
        paid = seen if price is None else price
        if paid is None:
            raise ValueError(f"the market of {symbol} has no price at {now}")
        self._orders.trade_by_hand(listing, quantity, paid)
        return self._broker.take_outbox()

    def split(self, symbol: str, ratio: Decimal, now: datetime) -> list[Delivery]:
        """A share becomes `ratio` shares: positions, costs, working orders, cash in lieu.

        Raises:
            ValueError: unknown symbol, no stock, no price, or a ratio not above 0.
        """
        return self.acting(now, partial(self.actions.split, symbol, ratio))

    def dividend(self, symbol: str, per_share: Decimal, now: datetime) -> list[Delivery]:
        """A dividend is paid to long and by short positions. Raises ValueError."""
        return self.acting(now, partial(self.actions.dividend, symbol, per_share))

    def deposit(self, currency: str, amount: Decimal, now: datetime) -> list[Delivery]:
        """Money comes into the account, or leaves it when negative. Raises ValueError."""
        return self.acting(now, partial(self.actions.deposit, currency, amount))

    def interest(self, currency: str, amount: Decimal, now: datetime) -> list[Delivery]:
        """Interest is credited, or charged when negative. Raises ValueError."""
        return self.acting(now, partial(self.actions.interest, currency, amount))

    def margin_call(self, now: datetime) -> list[Delivery]:
        """The broker closes positions until excess liquidity is not below 0."""
        return self.acting(now, self.actions.margin_call)

    def check_time(self, now: datetime) -> None:
        """Time must have a zone. Raises ValueError."""
        if now.tzinfo is None:
            raise ValueError("a time without a zone")

    def _pass_time(self, now: datetime) -> None:
        if now <= self._broker.now:
            return
        acting = deque(self._instants(now))
        while self._broker.now < now or acting:
            told = self._next_told(now)
            instant = min(now, acting[0] if acting else now, told or now)
            self._reach(max(instant, self._broker.now), acting)

    def _reach(self, instant: datetime, acting: deque[datetime]) -> None:
        """All that happens at one instant; orders trade and end at those of `acting` only.

        However large the steps in which somebody lets time pass, nothing that a client subscribed
        to is skipped, and all is told in the order of its times.
        """
        self._move_to(instant)
        if acting and acting[0] <= instant:
            acting.popleft()
            self._orders.match(instant)
            self._orders.expire(instant)
        self._liquidate()
        self._accounts.pass_time()
        self._market.refresh()

    def _next_told(self, until: datetime) -> datetime | None:
        """When a client is told something that it subscribed to, up to a time."""
        now, times = self._broker.now, (self._market.next_due(), self._accounts.next_due(until))
        return min((when for when in times if when and now < when <= until), default=None)

    def _instants(self, until: datetime) -> list[datetime]:
        """When orders can trade or end, and when margin may be called, whoever looks then."""
        now = self._broker.now
        times = self._orders.instants(now, until)
        if not self.options.liquidates or now == LONG_AGO:
            return times
        holdings = self._broker.account.holdings.values()
        held = [item.listing for item in holdings if item.quantity]
        return sorted({*times, *self._broker.market.changes(held, now, until)})

    def _liquidate(self) -> None:
        if self.options.liquidates:
            self.actions.margin_call()

    def _move_to(self, instant: datetime) -> None:
        midnight = new_york_day(instant) != new_york_day(self._broker.now)
        self._broker.now = instant
        self._accounts.reach(instant)
        if midnight:
            self._orders.forget_ended()

    def _all_handlers(self) -> dict[type[Any], Handler]:
        desks: tuple[tuple[Any, dict[type[Any], Any]], ...] = (
            (self._accounts, account_desk.HANDLERS),
            (self._market, market_desk.HANDLERS),
            (self._market.history, history_desk.HANDLERS),
            (self._market.ticks, tick_desk.HANDLERS),
            (self._market.tick_history, tick_history.HANDLERS),
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
        self._broker.refuse(client_id, request_id, *invalid(f"request {number} is not simulated"))


def _is_sensible(number: Decimal) -> bool:
    """Whether a price or a quantity has a size and a fineness that anything is traded in."""
    return abs(number) <= q.QUANTITY_MAX and number == round(number, 8)

"""A stage, and books of its own over what the master client hears, compared with the broker's.

Positions are the executions, cash is what they cost, and no order contradicts itself or those that
it is tied to.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from itertools import chain
from typing import Any

from gateway.simulator import replies as r
from gateway.simulator.broker import ExchangeOptions, InitialHolding
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, Row
from gateway.simulator.market.contracts import Contract
from gateway.simulator.market.hours import new_york
from gateway.simulator.orders.orders import PENDING_CANCEL, Order
from gateway.simulator.stage import Stage

Listener = Callable[[list[r.Delivery]], None]

MASTER = 9
ENDED = {"Filled", "Cancelled", "Inactive"}
HELD_AS_CHILD = {"child", "child,trigger"}
CONTRACTS = (
    Contract(symbol="SPY", security_type="STK", exchange="SMART", currency="USD"),
    Contract(symbol="EUR", security_type="CASH", exchange="IDEALPRO", currency="USD"),
    Contract(local_symbol="ESZ5", security_type="FUT", exchange="CME"),
)
KEYS = ("SPY", "EUR.USD", "ESZ5")
PRICES = (Decimal(600), Decimal("1.1"), Decimal(6000))
TICKS = (Decimal("0.50"), Decimal("0.0005"), Decimal(1))
UNITS = (Decimal(1), Decimal(1000), Decimal(1))
HOLDING = InitialHolding("SPY", Decimal(50), Decimal(590))
RICH, POOR = Decimal(2_000_000), Decimal(-10_000)
BEGIN = new_york(date(2025, 12, 11), time(8))
END = BEGIN + timedelta(days=7)
"""ESZ5 expires on the day after; what that does to a position, no execution tells."""


def bars(index: int, begin: datetime, count: int) -> Iterator[Row]:
    """Bars of half an hour that wander up and down in a fixed pattern."""
    tick = TICKS[index]
    for number in range(count):
        opens = PRICES[index] + tick * ((number * 7) % 11 - 5)
        numbers = (opens, opens + 3 * tick, opens - 3 * tick, opens + tick, Decimal(900))
        yield Row(begin + number * timedelta(minutes=30), numbers, f"test:{number}")


@cache
def book() -> BarBook:
    """SPY, EUR.USD and ESZ5 from 08:00 on a Thursday, a Friday, a Monday and a Tuesday."""
    begins = [BEGIN + timedelta(days=days) for days in (0, 1, 4, 5)]
    counts = (16, 18, 18)
    return BarBook(
        {
            (key, "30 mins"): tuple(
                chain.from_iterable(bars(index, begin, counts[index]) for begin in begins)
            )
            for index, key in enumerate(KEYS)
        }
    )


class Overheard(Exchange):
    """An exchange that shows all it says to a listener, before faults change it."""

    def __init__(self, options: ExchangeOptions, listener: Listener) -> None:
        super().__init__(book(), options)
        self._listener = listener
        self.set_master_client(MASTER)

    def connect(self, client_id: int, now: datetime) -> list[r.Delivery]:
        return self._shown(super().connect(client_id, now))

    def handle(self, client_id: int, request: Any, now: datetime) -> list[r.Delivery]:
        return self._shown(super().handle(client_id, request, now))

    def advance(self, now: datetime) -> list[r.Delivery]:
        return self._shown(super().advance(now))

    def acting(self, now: datetime, verb: Callable[[], object]) -> list[r.Delivery]:
        return self._shown(super().acting(now, verb))

    def trade_by_hand(
        self, symbol: str, quantity: Decimal, price: Decimal | None, now: datetime
    ) -> list[r.Delivery]:
        return self._shown(super().trade_by_hand(symbol, quantity, price, now))

    def _shown(self, deliveries: list[r.Delivery]) -> list[r.Delivery]:
        self._listener(deliveries)
        return deliveries


@dataclass
class Session:
    """A stage, the time it is there, and books of its own over what the master client is told."""

    options: Mapping[str, Any]
    stride: timedelta | None = None
    stage: Stage = field(init=False)
    now: datetime = BEGIN
    orders: dict[int, Order] = field(default_factory=dict)
    positions: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    cash: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    executions: dict[str, r.ExecutionDetails] = field(default_factory=dict)
    commissions: dict[str, tuple[str, Decimal]] = field(default_factory=dict)
    final: set[int] = field(default_factory=set)
    told: list[tuple[Any, ...]] = field(default_factory=list)
    stops: dict[int, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        options = ExchangeOptions(holdings=(HOLDING,), seed=5, **{"cash": RICH, **self.options})
        self.stage = Stage(Overheard(options, self.hear), seed=5)
        for client_id in (0, 1, 2, MASTER):
            self.stage.connect(client_id, self.now)
        self.positions["SPY"], self.cash["USD"] = HOLDING.quantity, options.cash

    @property
    def exchange(self) -> Exchange:
        """The broker."""
        return self.stage.exchange

    def hear(self, deliveries: list[r.Delivery]) -> None:
        """Book what the master client is told."""
        for client_id, reply in deliveries:
            if client_id != MASTER:
                continue
            if isinstance(reply, r.ExecutionDetails):
                self._executed(reply)
            elif isinstance(reply, r.CommissionReport):
                self._charged(reply)
            elif isinstance(reply, r.OrderStatus):
                self._status(reply)

    def pass_time(self, step: timedelta) -> None:
        """Let time pass, in one jump or in strides."""
        until = min(self.now + step, END)
        while self.stride is not None and self.now + self.stride < until:
            self.now += self.stride
            self.stage.advance(self.now)
        self.now = until
        self.stage.advance(self.now)

    def act(self, verb: Callable[[], object]) -> None:
        """Do something to the broker; what makes no sense now is refused and changes nothing."""
        with suppress(ValueError):
            self.stage.acting(self.now, verb)

    def ask(self, client_id: int, request: Any) -> None:
        """Let a client ask for something."""
        self.stage.handle(client_id, request, self.now)

    def some_order(self, number: int) -> Order | None:
        """One of the orders that the broker still knows."""
        known = [*self.exchange.orders.done, *self.exchange.orders.working]
        return known[number % len(known)] if known else None

    def split(self, ratio: Decimal) -> None:
        """A split of SPY: whole shares are multiplied, the rest becomes cash."""
        before = self.exchange.account.cash
        with suppress(ValueError):
            self.stage.acting(self.now, lambda: self.exchange.actions.split("SPY", ratio))
            wanted = self.positions["SPY"] * ratio
            self.positions["SPY"] = Decimal(int(wanted))
            paid = self.exchange.account.cash - before
            assert (paid == 0) == (wanted == int(wanted))
            assert paid * (wanted - int(wanted)) >= 0
            self.cash["USD"] += paid

    def dividend(self) -> None:
        """A dividend of 0.25 on SPY."""
        self.act(lambda: self.exchange.actions.dividend("SPY", Decimal("0.25")))
        self.cash["USD"] += self.positions["SPY"] * Decimal("0.25")

    def check(self) -> None:
        """The broker's books are these, and its orders make sense."""
        held = {key: quantity for key, quantity in self.positions.items() if quantity}
        assert dict(self.exchange.positions) == held
        account = self.exchange.account
        cash = {key: value for key, value in account.balances.items() if value}
        basis = sum((item.basis for item in account.holdings.values()), Decimal(0))
        cash["USD"] = cash.get("USD", Decimal(0)) - basis
        assert cash == {key: value for key, value in self.cash.items() if value}
        self._check_orders()

    def _check_orders(self) -> None:
        orders = self.exchange.orders
        working, done = orders.working, orders.done
        for order in (*working, *done):
            self.orders[order.perm_id] = order
        assert not {order.perm_id for order in working} & {order.perm_id for order in done}
        assert len({order.perm_id for order in done}) == len(done)
        for order in working:
            assert order.working
            assert order.remaining > 0
            assert order.status in {"PreSubmitted", "Submitted", PENDING_CANCEL}
            if order.order_id:
                assert orders.known(order.client_id, order.order_id) is order
        for order in self.orders.values():
            assert order.filled == sum(item.quantity for item in order.executions)
            assert 0 <= order.filled <= order.terms.quantity
        for order in done:
            assert not order.working
            assert order.status in ENDED
            assert order.remaining or order.status == "Filled"
        for order in working:
            self._check_ties(order)
        reserved = sum((order.margin_reserved for order in working), Decimal(0))
        assert abs(orders.record.margin_reserved - reserved) < Decimal("0.01")

    def _check_ties(self, order: Order) -> None:
        """A child waits for its parent and works with it; a stop never goes back."""
        parent, stop = order.parent, order.terms.trail_stop_price
        if parent is not None:
            assert parent.working or parent.status == "Filled"
            assert order in parent.children
        if order.why_held in HELD_AS_CHILD:
            assert parent is not None
            assert parent.working
        if stop is not None:
            before = self.stops.setdefault(order.perm_id, stop)
            assert (before - stop) * order.terms.side >= 0
            self.stops[order.perm_id] = stop

    def _executed(self, details: r.ExecutionDetails) -> None:
        execution = details.execution
        stem, _, version = execution.execution_id.rpartition(".")
        old = self.executions.get(stem)
        assert (old is None) == (version == "01")
        if old is not None:
            assert int(version) == int(old.execution.execution_id.rpartition(".")[2]) + 1
            self._book(old, -1)
        self.executions[stem] = details
        self._book(details, 1)
        self.told.append((execution.execution_id, execution.quantity, execution.price))
        self.told.append((execution.time, execution.quantity_cumulative, details.perm_id))

    def _book(self, details: r.ExecutionDetails, times: int) -> None:
        execution, contract = details.execution, details.contract
        quantity = times * execution.quantity * (1 if execution.side == "BOT" else -1)
        multiplier = Decimal(contract.multiplier or 1)
        self.positions[contract.local_symbol] += quantity
        self.cash[contract.currency] -= quantity * execution.price * multiplier
        if contract.security_type == "CASH":
            self.cash[contract.symbol] += quantity

    def _charged(self, report: r.CommissionReport) -> None:
        stem = report.execution_id.rpartition(".")[0]
        currency, paid = self.commissions.get(stem, (report.currency, Decimal(0)))
        assert currency == report.currency
        self.cash[currency] -= report.commission - paid
        self.commissions[stem] = (currency, report.commission)

    def _status(self, status: r.OrderStatus) -> None:
        """After a final status nothing works again; only what was not filled may fill."""
        self.told.append((status.perm_id, status.status, status.filled, status.remaining))
        assert status.filled >= 0
        assert status.remaining >= 0
        if status.perm_id in self.final:
            assert status.status in ENDED
        if status.status in ENDED:
            self.final.add(status.perm_id)

"""What the broker does to an order beside trading it: parts, late fills, corrections, busts."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

from gateway.simulator.faults.delays import Deferred
from gateway.simulator.faults.orderings import is_live_execution
from gateway.simulator.faults.selection import OrderFault
from gateway.simulator.faults.subjects import OrderKey, order_key
from gateway.simulator.notices import LOCATING, PRESET
from gateway.simulator.orders.orders import LOCATE
from gateway.simulator.replies import Delivery, ExecutionDetails, Notice, OpenOrder, OrderStatus
from gateway.simulator.requests import PlaceOrder

FIRST_REPORT = "01"
"""Last group of an execution id that was not corrected."""


@dataclass(kw_only=True, eq=False)
class OddParts(OrderFault):
    """An order trades in `parts` uneven executions, `seconds` apart, sizes drawn from the seed."""

    parts: int = 3
    seconds: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.parts <= 100:
            raise ValueError(f"parts {self.parts} is not between 1 and 100")

    def on_order(self, client_id: int, request: PlaceOrder) -> Any | None:
        """Keep it from the market and trade it part by part."""
        self.scene.ask(client_id, request, self.id, held=self.mark)
        for index, size in enumerate(self.sizes(request.terms.quantity)):
            key = (client_id, request.order_id)
            self.later(self.seconds * (index + 1), self._filling(key, size))
        return None

    def on_delivery(self, delivery: Delivery) -> Iterable[Delivery]:
        """Nobody learns why it is held."""
        return (self.unmarked(delivery),)

    def sizes(self, quantity: Decimal) -> list[Decimal]:
        """Whole shares, at least one each, that add up to the quantity; one part if it is small."""
        left, sizes = quantity, []
        for still in range(self.parts, 1, -1):
            room = int(left) - still
            if room >= 0:
                sizes.append(Decimal(1 + self.draw() % (room * 2 // still + 1)))
                left -= sizes[-1]
        return [*sizes, left]

    def _filling(self, key: OrderKey, size: Decimal) -> Any:
        return lambda: fill_if_working(self, key, size)


@dataclass(kw_only=True, eq=False)
class FillAfterCancel(OrderFault):
    """An order that was told Cancelled trades `seconds` later all the same.

    Source: ib.md 4, F13: pysystemtrade #1580.
    """

    seconds: float = 0.7

    filled: set[OrderKey] = field(init=False, default_factory=set, repr=False)

    def on_delivery(self, delivery: Delivery) -> Iterable[Delivery]:
        """Wait for the status Cancelled."""
        reply = delivery[1]
        if isinstance(reply, OrderStatus) and reply.status == "Cancelled":
            key = (reply.client_id, reply.order_id)
            if key not in self.filled:
                self.filled.add(key)
                self.later(self.seconds, lambda: fill(self, key))
        return (delivery,)


@dataclass(kw_only=True, eq=False)
class PresetNotice(Deferred):
    """Error 10349 comes, which clients take for a cancel; `seconds` later the order goes on.

    Source: ib.md 4, F14: ib_async #191, #217, pysystemtrade #1580.
    """

    seconds: float = 0.7

    def on_order(self, client_id: int, request: PlaceOrder) -> Any | None:
        """Say 10349, and let the order go when its time has come."""
        self.say(client_id, Notice(request.order_id, *PRESET))
        self.defer(client_id, request)
        self.later(self.seconds, lambda: self.let_go((client_id, request.order_id)))
        return None


@dataclass(kw_only=True, eq=False)
class ExecutionCorrection(OrderFault):
    """Each execution is corrected `seconds` later: the same id with its last group 02.

    The changes are added to its price and its quantity. Source: ib.md 4, D9; ib_insync #364.
    """

    seconds: float = 1.0
    price_change: Decimal = Decimal("-0.01")
    quantity_change: Decimal = Decimal(0)

    corrected: set[str] = field(init=False, default_factory=set, repr=False)

    def on_delivery(self, delivery: Delivery) -> Iterable[Delivery]:
        """Note each new execution."""
        reply = delivery[1]
        if is_live_execution(delivery) and isinstance(reply, ExecutionDetails):
            name = reply.execution.execution_id
            if name.endswith(FIRST_REPORT) and name not in self.corrected:
                self.corrected.add(name)
                self.later(self.seconds, lambda: self._correct(reply))
        return (delivery,)

    def _correct(self, told: ExecutionDetails) -> None:
        name, old = told.execution.execution_id, told.execution
        quantity = max(old.quantity + self.quantity_change, Decimal(0))
        try:
            self.scene.act(
                lambda: self.scene.exchange.orders.correct(
                    name, quantity, old.price + self.price_change
                )
            )
        except ValueError as error:  # of yesterday, or corrected by somebody else meanwhile
            self.note(f"execution {name} not corrected: {error}")


@dataclass(kw_only=True, eq=False)
class ExecutionBust(ExecutionCorrection):
    """Each execution is taken back `seconds` later: it comes again with 0 shares."""

    price_change: Decimal = field(init=False, default=Decimal(0))
    quantity_change: Decimal = field(init=False, default=Decimal(-(10**9)))


@dataclass(kw_only=True, eq=False)
class VanishedOrder(OrderFault):
    """A working order is gone `seconds` after it came, without a word."""

    seconds: float = 1.0

    def on_order(self, client_id: int, request: PlaceOrder) -> Any | None:
        """Let it vanish when its time has come."""
        self.later(self.seconds, lambda: self._vanish((client_id, request.order_id)))
        return request

    def _vanish(self, key: OrderKey) -> None:
        order = self.order_of(key)
        if order is not None and order.working:
            self.note(f"order {key[1]} of client {key[0]} vanished")
            self.scene.act(lambda: self.scene.exchange.orders.vanish(order))


@dataclass(kw_only=True, eq=False)
class InactiveOrder(OrderFault):
    """An order is told Inactive and revived after `seconds`; `seconds` 0 leaves it so.

    Source: ib.md 2.1, row 22.
    """

    seconds: float = 2.0

    asleep: set[OrderKey] = field(init=False, default_factory=set, repr=False)

    def on_order(self, client_id: int, request: PlaceOrder) -> Any | None:
        """Keep it from the market under another name."""
        key = (client_id, request.order_id)
        self.asleep.add(key)
        self.scene.ask(client_id, request, self.id, held=self.mark)
        if self.seconds:
            self.later(self.seconds, lambda: self._revive(key))
        return None

    def on_delivery(self, delivery: Delivery) -> Iterable[Delivery]:
        """What the broker calls PreSubmitted, the client is told Inactive."""
        client_id, reply = self.unmarked(delivery)
        asleep = order_key(reply) in self.asleep
        return ((client_id, inactive(reply) if asleep else reply),)

    def _revive(self, key: OrderKey) -> None:
        self.asleep.discard(key)
        release(self, [key])


@dataclass(kw_only=True, eq=False)
class LocateHold(OrderFault):
    """Sell orders are held with 404 while shares are located, then released in one batch.

    The batch leaves `seconds` after its first order came. Source: ib.md 4, F16; ib_insync #328.
    """

    seconds: float = 60.0
    orders: Literal["sells", "all"] = "sells"

    held: list[OrderKey] = field(init=False, default_factory=list, repr=False)

    def on_order(self, client_id: int, request: PlaceOrder) -> Any | None:
        """Hold it as IB holds a short sale."""
        if self.orders == "sells" and request.terms.side > 0:
            return request
        if not self.held:
            self.later(self.seconds, self._release)
        self.held.append((client_id, request.order_id))
        # The recorded 404 precedes the first openOrder: the client knew no permId yet.
        self.say(client_id, Notice(request.order_id, *LOCATING))
        self.scene.ask(client_id, request, self.id, held=LOCATE)
        return None

    def end(self) -> None:
        """Let the batch go."""
        self._release()

    def _release(self) -> None:
        keys, self.held = self.held, []
        release(self, keys)


def inactive(reply: Any) -> Any:
    """A message about a held order as if it were Inactive."""
    if isinstance(reply, OrderStatus) and reply.status == "PreSubmitted":
        return replace(reply, status="Inactive")
    if isinstance(reply, OpenOrder) and reply.state.status == "PreSubmitted":
        return replace(reply, state=replace(reply.state, status="Inactive"))
    return reply


def release(fault: OrderFault, keys: Iterable[OrderKey]) -> None:
    """Let held orders go to the market, in one batch."""
    orders = [order for key in keys if (order := fault.order_of(key)) is not None]
    fault.scene.act(lambda: fault.scene.exchange.orders.release(orders))


def fill_if_working(fault: OrderFault, key: OrderKey, size: Decimal) -> None:
    """Trade a part of an order, unless it ended; one attached to another goes its own way."""
    order = fault.order_of(key)
    if order is None or not order.working:
        return
    if order.parent is not None:
        release(fault, [key])
        return
    fill(fault, key, min(size, order.remaining))


def fill(fault: OrderFault, key: OrderKey, size: Decimal | None = None) -> None:
    """Trade an order whatever its state: at its limit, or at the market."""
    order = fault.order_of(key)
    if order is None or not order.remaining:
        return
    try:
        fault.scene.act(
            lambda: fault.scene.exchange.orders.fill(order, size, order.terms.limit_price)
        )
        fault.note(f"order {key[1]} of client {key[0]} traded by the broker")
    except ValueError as error:
        fault.note(f"order {key[1]} of client {key[0]} not traded: {error}")

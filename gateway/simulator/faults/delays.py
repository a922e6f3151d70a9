"""Lost or late: orders and what is said about them, and a wire that is slow as a whole."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from gateway.simulator.faults.selection import ClientFault, OrderFault
from gateway.simulator.faults.subjects import OrderKey
from gateway.simulator.replies import CommissionReport, Delivery, ExecutionDetails, OrderStatus
from gateway.simulator.requests import PlaceOrder


@dataclass(kw_only=True, eq=False)
class SilentLoss(OrderFault):
    """An order vanishes without a word: before it was booked, or booked and never told of.

    `until` reconnect: the records are shown as they are once the client came back; never: not
    even then. Source: Lean.Brokerages.InteractiveBrokers #93.
    """

    after: Literal["sending", "booking"] = "sending"
    until: Literal["reconnect", "never"] = "reconnect"

    def on_order(self, client_id: int, request: PlaceOrder) -> Any | None:
        """Lose it, or let it through and be silent about it."""
        return request if self.after == "booking" else None

    def on_delivery(self, delivery: Delivery) -> Iterable[Delivery]:
        """Nobody hears of such an order."""
        return ()

    def on_disconnect(self, client_id: int) -> None:
        """After a reconnect the broker's records are shown as they are."""
        if self.until == "reconnect":
            gone = [key for key, meant in self.decided.items() if meant and key[0] == client_id]
            self.decided.update((key, False) for key in gone)


@dataclass(kw_only=True, eq=False)
class LateAcks(OrderFault):
    """Everything about an order is told `seconds` late, in its right order."""

    seconds: float = 2.0

    def on_delivery(self, delivery: Delivery) -> Iterable[Delivery]:
        """Hold it."""
        self.hold(self.seconds, [delivery])
        return ()


@dataclass(kw_only=True, eq=False)
class LateStatuses(OrderFault):
    """orderStatus comes `seconds` late; everything else in time."""

    seconds: float = 2.0

    def on_delivery(self, delivery: Delivery) -> Iterable[Delivery]:
        """Hold the statuses."""
        if not isinstance(delivery[1], OrderStatus):
            return (delivery,)
        self.hold(self.seconds, [delivery])
        return ()


@dataclass(kw_only=True, eq=False)
class LateExecutions(OrderFault):
    """execDetails comes `seconds` late, after the status that reports the fill."""

    seconds: float = 2.0

    def on_delivery(self, delivery: Delivery) -> Iterable[Delivery]:
        """Hold the executions that happen now."""
        reply = delivery[1]
        if not isinstance(reply, ExecutionDetails) or reply.request_id != -1:
            return (delivery,)
        self.hold(self.seconds, [delivery])
        return ()


@dataclass(kw_only=True, eq=False)
class LateCommissions(OrderFault):
    """commissionReport comes `seconds` late."""

    seconds: float = 2.0

    def on_delivery(self, delivery: Delivery) -> Iterable[Delivery]:
        """Hold the commissions."""
        if not isinstance(delivery[1], CommissionReport):
            return (delivery,)
        self.hold(self.seconds, [delivery])
        return ()


@dataclass(kw_only=True, eq=False)
class Deferred(OrderFault):
    """Orders that are booked at once, but reach the market and are told of only when let go."""

    waiting: dict[OrderKey, list[Delivery]] = field(init=False, default_factory=dict, repr=False)

    def defer(self, client_id: int, request: PlaceOrder) -> None:
        """Book an order and keep it from the market."""
        self.waiting[client_id, request.order_id] = []
        self.scene.ask(client_id, request, self.id, held=self.mark)

    def let_go(self, key: OrderKey) -> None:
        """Tell what was kept back, and let the order trade."""
        self.pass_on(self.waiting.pop(key, []))
        order = self.order_of(key)
        if order is not None and order.working:
            self.scene.act(lambda: self.scene.exchange.orders.release([order]))

    def on_delivery(self, delivery: Delivery) -> Iterable[Delivery]:
        """Keep back what is about an order that waits; nobody learns why it is held."""
        shown = self.unmarked(delivery)
        for key, kept in self.waiting.items():
            if self.is_about(delivery, key):
                kept.append(shown)
                return ()
        return (shown,)

    def on_disconnect(self, client_id: int) -> None:
        """What waits for a client that is gone is lost."""
        for kept in self.waiting.values():
            kept[:] = [item for item in kept if item[0] != client_id]

    def end(self) -> None:
        """Let everything go."""
        for key in list(self.waiting):
            self.let_go(key)


@dataclass(kw_only=True, eq=False)
class LateOrders(Deferred):
    """An order reaches the market `seconds` late, and nothing is heard of it until then."""

    seconds: float = 2.0

    def on_order(self, client_id: int, request: PlaceOrder) -> Any | None:
        """Let it go when its time has come."""
        self.defer(client_id, request)
        self.later(self.seconds, lambda: self.let_go((client_id, request.order_id)))
        return None


@dataclass(kw_only=True, eq=False)
class BlockingDialog(Deferred):
    """A dialog on the gateway's screen holds orders up until somebody clears the fault.

    Source: Lean #8940, reliability.md A.8 row 1.
    """

    def on_order(self, client_id: int, request: PlaceOrder) -> Any | None:
        """Wait for `clear`."""
        self.defer(client_id, request)
        return None


@dataclass(kw_only=True, eq=False)
class SlowDelivery(ClientFault):
    """Messages trickle: each reaches a client `seconds` after the one before."""

    seconds: float = 0.2

    free: dict[int, datetime] = field(init=False, default_factory=dict, repr=False)

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Put each message behind the one before."""
        passing: list[Delivery] = []
        for client_id, reply in deliveries:
            due = max(self.scene.now, self.free.get(client_id, self.scene.now))
            if not self.meets(client_id):
                passing.append((client_id, reply))
                continue
            self.free[client_id] = due + timedelta(seconds=self.seconds)
            if due > self.scene.now:
                self.scene.hold(due, self.id, [(client_id, reply)])
            else:
                passing.append((client_id, reply))
        return passing

    def on_disconnect(self, client_id: int) -> None:
        """A new connection begins anew."""
        self.free.pop(client_id, None)


@dataclass(kw_only=True, eq=False)
class Latency(ClientFault):
    """Every message to a client takes `seconds`, and up to `jitter_seconds` more, never passing
    the one before: the same numbers for the same seed."""

    seconds: float = 0.05
    jitter_seconds: float = 0.1

    last: dict[int, datetime] = field(init=False, default_factory=dict, repr=False)

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Hold each message for its time."""
        passing = [item for item in deliveries if not self.meets(item[0])]
        for client_id, reply in deliveries:
            if self.meets(client_id):
                seconds = self.seconds + self.jitter_seconds * self.draw() / 2**32
                due = self.scene.now + timedelta(seconds=seconds)
                due = max(due, self.last.get(client_id, due))
                self.last[client_id] = due
                self.scene.hold(due, self.id, [(client_id, reply)])
        return passing

    def on_disconnect(self, client_id: int) -> None:
        """A new connection begins anew."""
        self.last.pop(client_id, None)

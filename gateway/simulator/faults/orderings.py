"""What is said about orders: twice, in another order, with parts missing. The broker does right."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from gateway.simulator.faults.selection import OrderFault
from gateway.simulator.faults.subjects import OrderKey, order_key
from gateway.simulator.replies import (
    CommissionReport,
    Delivery,
    ExecutionDetails,
    Notice,
    OpenOrder,
    OrderStatus,
)

FINAL = frozenset({"Filled", "Cancelled", "ApiCancelled", "Inactive"})
"""Statuses after which IB says nothing more about an order."""


@dataclass(kw_only=True, eq=False)
class DuplicatedStatuses(OrderFault):
    """Each orderStatus comes again, `copies` times more. Source: ib.md 4, D6."""

    copies: int = 1

    def on_delivery(self, delivery: Delivery) -> Iterable[Delivery]:
        """Repeat the statuses."""
        return (delivery,) * (1 + self.copies * isinstance(delivery[1], OrderStatus))


@dataclass(kw_only=True, eq=False)
class MissingStatuses(OrderFault):
    """orderStatus never comes: none of them, or only the final one. Source: ib.md 4, D6, D8."""

    which: Literal["all", "final"] = "all"

    def on_delivery(self, delivery: Delivery) -> Iterable[Delivery]:
        """Drop the statuses."""
        reply = delivery[1]
        if not isinstance(reply, OrderStatus):
            return (delivery,)
        return (delivery,) if self.which == "final" and reply.status not in FINAL else ()


@dataclass(kw_only=True, eq=False)
class ReorderedStatuses(OrderFault):
    """Of two statuses of an order the newer comes first; a last one alone comes `seconds` late."""

    seconds: float = 1.0

    kept: dict[tuple[int, OrderKey], Delivery] = field(init=False, default_factory=dict, repr=False)

    def on_delivery(self, delivery: Delivery) -> Iterable[Delivery]:
        """Keep a status until the next one has gone before it."""
        client_id, reply = delivery
        if not isinstance(reply, OrderStatus):
            return (delivery,)
        slot = (client_id, (reply.client_id, reply.order_id))
        earlier = self.kept.pop(slot, None)
        if earlier is not None:
            return (delivery, earlier)
        self.kept[slot] = delivery
        self.later(self.seconds, lambda: self._release(slot, delivery))
        return ()

    def on_disconnect(self, client_id: int) -> None:
        """What was kept for a client that is gone is lost."""
        self.kept = {slot: item for slot, item in self.kept.items() if slot[0] != client_id}

    def end(self) -> None:
        """Send what is kept."""
        self.pass_on(self.kept.values())
        self.kept.clear()

    def _release(self, slot: tuple[int, OrderKey], delivery: Delivery) -> None:
        if self.kept.get(slot) is delivery:
            self.pass_on([self.kept.pop(slot)])


@dataclass(kw_only=True, eq=False)
class MissingOpenOrders(OrderFault):
    """openOrder never comes, only statuses and executions."""

    def on_delivery(self, delivery: Delivery) -> Iterable[Delivery]:
        """Drop it."""
        return () if isinstance(delivery[1], OpenOrder) else (delivery,)


@dataclass(kw_only=True, eq=False)
class DuplicatedExecutions(OrderFault):
    """Each execDetails comes again with the same execution id, `copies` times more."""

    copies: int = 1

    def on_delivery(self, delivery: Delivery) -> Iterable[Delivery]:
        """Repeat the executions."""
        return (delivery,) * (1 + self.copies * is_live_execution(delivery))


@dataclass(kw_only=True, eq=False)
class MissingExecutions(OrderFault):
    """execDetails and its commission are not told when they happen; only reqExecutions has them.

    Source: Lean.Brokerages.InteractiveBrokers #249.
    """

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """An answer to reqExecutions carries a request id, news does not."""
        asked = {
            reply.execution.execution_id
            for _, reply in deliveries
            if isinstance(reply, ExecutionDetails) and reply.request_id != -1
        }
        return [item for item in deliveries if not self._is_news(item, asked)]

    def _is_news(self, delivery: Delivery, asked: set[str]) -> bool:
        reply = delivery[1]
        news = is_live_execution(delivery) or (
            isinstance(reply, CommissionReport) and reply.execution_id not in asked
        )
        return news and self.concerns(delivery)


@dataclass(kw_only=True, eq=False)
class MissingCommissions(OrderFault):
    """commissionReport never comes, not even with reqExecutions."""

    def on_delivery(self, delivery: Delivery) -> Iterable[Delivery]:
        """Drop it."""
        return () if isinstance(delivery[1], CommissionReport) else (delivery,)


@dataclass(kw_only=True, eq=False)
class CommissionFirst(OrderFault):
    """commissionReport comes before the execDetails it belongs to. Source: ib.md 2.1, row 10."""

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Bring each commission before its execution."""
        return brought_forward(self, deliveries, _is_its_commission)


@dataclass(kw_only=True, eq=False)
class StatusFirst(OrderFault):
    """orderStatus comes before the execDetails it reports; IB's habit is the other way round."""

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Bring each status before the execution."""
        return brought_forward(self, deliveries, _is_its_status)


@dataclass(kw_only=True, eq=False)
class ExecutionFirst(OrderFault):
    """execDetails comes before all else that is told at once of its order, its ack included.

    Source: reliability.md B.3, "fill before ack".
    """

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Bring each execution before the first message about its order."""
        ordered: list[Delivery] = []
        for delivery in deliveries:
            place = len(ordered)
            if is_live_execution(delivery) and self.concerns(delivery):
                place = self._first_about(delivery, ordered)
            ordered.insert(place, delivery)
        return ordered

    def _first_about(self, delivery: Delivery, ordered: list[Delivery]) -> int:
        client_id, reply = delivery
        for index, (other, said) in enumerate(ordered):
            about = order_key(said) == order_key(reply) and not isinstance(said, ExecutionDetails)
            if other == client_id and about:
                return index
        return len(ordered)


@dataclass(kw_only=True, eq=False)
class NoticeFirst(OrderFault):
    """Error 202 comes before the status Cancelled it belongs to. Source: ib.md 1.8: both occur."""

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Bring the notice before the status."""
        ordered = list(deliveries)
        for index in range(len(ordered) - 1):
            (client_id, status), (other, notice) = ordered[index], ordered[index + 1]
            if (
                client_id == other
                and _is_its_notice(notice, status)
                and self.concerns((client_id, status))
            ):
                ordered[index], ordered[index + 1] = ordered[index + 1], ordered[index]
        return ordered


@dataclass(kw_only=True, eq=False)
class MissingPermIds(OrderFault):
    """Messages about orders carry permId 0, as IB sends it early on and for orders by hand.

    `orders` external: only those made by hand at TWS. Source: reliability.md A.8 row 4.
    """

    orders: Literal["all", "external"] = "all"

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Take the permanent ids out."""
        return [self._without(item) for item in deliveries]

    def _without(self, delivery: Delivery) -> Delivery:
        client_id, reply = delivery
        if not isinstance(reply, OpenOrder | OrderStatus | ExecutionDetails):
            return delivery
        external = reply.order_id <= 0
        meant = external if self.orders == "external" else external or self.concerns(delivery)
        return (client_id, replace(reply, perm_id=0)) if meant else delivery


def is_live_execution(delivery: Delivery) -> bool:
    """Whether this is an execution that happens now, not an answer to reqExecutions."""
    reply = delivery[1]
    return isinstance(reply, ExecutionDetails) and reply.request_id == -1


def brought_forward(
    fault: OrderFault, deliveries: list[Delivery], belongs: Callable[[Any, ExecutionDetails], bool]
) -> list[Delivery]:
    """The deliveries, the first one after each execution that belongs to it put before it."""
    ordered = list(deliveries)
    for index, (client_id, reply) in enumerate(deliveries):
        if not is_live_execution((client_id, reply)) or not fault.concerns((client_id, reply)):
            continue
        assert isinstance(reply, ExecutionDetails)
        for position in range(index + 1, len(ordered)):
            receiver, other = ordered[position]
            if receiver == client_id and belongs(other, reply):
                ordered.insert(_place(ordered, client_id, reply), ordered.pop(position))
                break
    return ordered


def _place(ordered: list[Delivery], client_id: int, reply: ExecutionDetails) -> int:
    return next(
        index for index, item in enumerate(ordered) if item[0] == client_id and item[1] is reply
    )


def _is_its_commission(other: Any, execution: ExecutionDetails) -> bool:
    return (
        isinstance(other, CommissionReport)
        and other.execution_id == execution.execution.execution_id
    )


def _is_its_notice(notice: Any, status: Any) -> bool:
    return (
        isinstance(notice, Notice)
        and isinstance(status, OrderStatus)
        and notice.id == status.order_id
        and status.status in FINAL
    )


def _is_its_status(other: Any, execution: ExecutionDetails) -> bool:
    return isinstance(other, OrderStatus) and order_key(other) == order_key(execution)

"""One order of a case: what was asked for, and everything that was heard of it since."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from gateway.simulator import replies as r
from gateway.simulator.conformance.hearing import Heard
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import OrderTerms

ENDED = frozenset({"Filled", "Cancelled", "ApiCancelled"})
"""Statuses of an order that is over. Inactive is not among them: IB can revive such an order."""
LIVE = frozenset({"PreSubmitted", "Submitted"})
"""Statuses of an order that works or waits to."""
NO_REFUSAL = frozenset({399, 404, 2109, 10349})
"""Codes that IB sends about orders that live on (ib.md 2.1, rows 1 to 3)."""


class Listener(Protocol):
    """A connection, as a ticket needs it: whose it is, and all that it heard."""

    @property
    def client_id(self) -> int:
        """Who it is."""

    @property
    def heard(self) -> Sequence[Heard]:
        """What came, in order."""


@dataclass(eq=False)
class Ticket:
    """One order of a client. `begin` is how much its connection heard before it was sent."""

    client: Listener
    order_id: int
    contract: Contract
    terms: OrderTerms
    begin: int = 0

    @property
    def heard(self) -> list[Any]:
        """Everything its connection heard since."""
        return [item.reply for item in self.client.heard[self.begin :]]

    @property
    def told(self) -> list[Any]:
        """Everything about this order, in the order of its arrival."""
        mine = {item.execution.execution_id for item in self.all_executions}
        return [item for item in self.heard if self._is_about(item, mine)]

    @property
    def opens(self) -> list[r.OpenOrder]:
        """openOrder messages."""
        return self._of(r.OpenOrder)

    @property
    def statuses(self) -> list[r.OrderStatus]:
        """orderStatus messages."""
        return self._of(r.OrderStatus)

    @property
    def notices(self) -> list[r.Notice]:
        """Errors and warnings with the order's id."""
        return self._of(r.Notice)

    @property
    def commissions(self) -> list[r.CommissionReport]:
        """commissionReport messages of its executions."""
        return self._of(r.CommissionReport)

    @property
    def all_executions(self) -> list[r.ExecutionDetails]:
        """execDetails messages: told as they happened, and asked for."""
        return [item for item in self.heard if self._executes(item)]

    @property
    def executions(self) -> list[r.ExecutionDetails]:
        """execDetails messages as they happened."""
        return [item for item in self.all_executions if item.request_id == -1]

    @property
    def perm_ids(self) -> list[int]:
        """The permanent ids that its messages carry, once each; 0 stands for none."""
        told = {item.perm_id for item in self.opens} | {item.perm_id for item in self.statuses}
        return sorted((told | {item.perm_id for item in self.executions}) - {0})

    @property
    def codes(self) -> list[int]:
        """The codes of its errors and warnings."""
        return [notice.code for notice in self.notices]

    @property
    def refusals(self) -> list[int]:
        """The codes of those that mean that the order, or what was asked of it, was refused."""
        return [code for code in self.codes if code not in NO_REFUSAL]

    @property
    def states(self) -> list[str]:
        """Every status told, by openOrder and orderStatus, in order."""
        told = [item for item in self.told if isinstance(item, r.OpenOrder | r.OrderStatus)]
        return [
            item.state.status if isinstance(item, r.OpenOrder) else item.status for item in told
        ]

    @property
    def state(self) -> str:
        """The newest status told; empty before the first."""
        return self.states[-1] if self.states else ""

    @property
    def remaining(self) -> Decimal | None:
        """What the newest orderStatus says is left of it; None before the first."""
        return self.statuses[-1].remaining if self.statuses else None

    @property
    def shares(self) -> Decimal:
        """How much was executed, unsigned, as told or asked for; each execution counts once.

        A correction has the id of what it corrects with its last group counted up: ib.md 4, D9.
        """
        newest = {_stem(item): item.execution.quantity for item in self.all_executions}
        return sum(newest.values(), Decimal(0))

    @property
    def is_filled(self) -> bool:
        """Whether a fill of the whole order was told, by status or by executions."""
        return "Filled" in self.states or self.shares >= self.terms.quantity

    @property
    def has_ended(self) -> bool:
        """Whether it is over, or was refused before it ever lived."""
        over = bool(ENDED & set(self.states)) or self.shares >= self.terms.quantity
        return over or (bool(self.refusals) and not LIVE & set(self.states))

    @property
    def is_told_whole(self) -> bool:
        """Whether all that belongs to a fill was told: status, executions, their commissions."""
        executed = {item.execution.execution_id for item in self.executions}
        paid = {item.execution_id for item in self.commissions}
        whole = sum((item.execution.quantity for item in self.executions), Decimal(0))
        known = whole >= self.terms.quantity and executed <= paid
        return known and "Filled" in self.states

    @property
    def outline(self) -> str:
        """What was heard of it, without numbers that change from run to run."""
        told = ", ".join(_kind(item) for item in self.told) or "nothing"
        return f"{self.terms.action} {self.terms.order_type} {self.terms.tif}: {told}"

    def _of(self, kind: type[Any]) -> list[Any]:
        return [item for item in self.told if isinstance(item, kind)]

    def _executes(self, item: Any) -> bool:
        """Order ids come again after a restart of a gateway: what is asked for names its order."""
        if not isinstance(item, r.ExecutionDetails) or not self._names(item):
            return False
        return item.request_id == -1 or item.order_ref == self.terms.order_ref

    def _names(self, item: Any) -> bool:
        return (item.order_id, item.client_id) == (self.order_id, self.client.client_id)

    def _is_about(self, item: Any, executed: set[str]) -> bool:
        if isinstance(item, r.OpenOrder | r.OrderStatus | r.ExecutionDetails):
            return self._names(item)
        if isinstance(item, r.CommissionReport):
            return item.execution_id in executed
        return isinstance(item, r.Notice) and item.id == self.order_id


WORDS: dict[type[Any], Callable[[Any], str]] = {
    r.OpenOrder: lambda item: f"openOrder {item.order_id} {item.state.status}",
    r.OrderStatus: lambda item: (
        f"orderStatus {item.order_id} {item.status} {item.filled}/{item.remaining}"
    ),
    r.ExecutionDetails: lambda item: (
        f"execDetails {item.order_id} {item.execution.side} {item.execution.quantity} "
        f"at {item.execution.price}"
    ),
    r.CommissionReport: lambda item: f"commissionReport {item.commission} {item.currency}",
    r.Notice: lambda item: f"error {item.code} {item.text[:60]}",
}


def words(item: Any) -> str:
    """A message in a few words."""
    return WORDS.get(type(item), lambda other: type(other).__name__)(item)


def _kind(item: Any) -> str:
    """What kind of message it is, with its status or code."""
    if isinstance(item, r.OpenOrder):
        return f"openOrder {item.state.status}"
    if isinstance(item, r.OrderStatus):
        return f"orderStatus {item.status}"
    return f"error {item.code}" if isinstance(item, r.Notice) else words(item).split()[0]


def first(items: Iterable[Any], what: Callable[[Any], bool]) -> int:
    """The index of the first item that is so; -1 when none is."""
    return next((index for index, item in enumerate(items) if what(item)), -1)


def _stem(item: r.ExecutionDetails) -> str:
    return item.execution.execution_id.rpartition(".")[0]

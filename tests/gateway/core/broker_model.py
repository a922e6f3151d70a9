"""A broker and an account of the tests' own, by which the core is measured. Neither uses the core.

`Broker` keeps positions, orders and executions and can do to them what a broker does; `Account`
says what every book must be by what was heard and decided.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from gateway.core.broker import BrokerStatus, OrderReport, Reading
from gateway.core.events import Adopted
from schemas.documents import BrokerPosition, CrossDocument, ExecutionDocument, OrderDocument
from schemas.values import EXTERNAL


@dataclass(slots=True)
class Live:
    """An order as the broker has it. `worked` never falls: a bust gives no order back."""

    order: OrderDocument
    number: int
    status: BrokerStatus = BrokerStatus.WORKING
    worked: int = 0
    is_cancel_asked: bool = False

    @property
    def left(self) -> int:
        return abs(int(self.order.quantity)) - self.worked


@dataclass(slots=True)
class Broker:
    """Positions, orders, executions, and the reports that are under way to us."""

    positions: Counter[int]
    orders: dict[str, Live] = field(default_factory=dict)
    travelling: list[OrderDocument] = field(default_factory=list)
    executions: dict[str, ExecutionDocument] = field(default_factory=dict)
    trail: list[ExecutionDocument] = field(default_factory=list)
    reports: list[OrderReport | ExecutionDocument] = field(default_factory=list)
    numbers: int = 0
    has_forgotten: bool = False

    def working(self) -> list[Live]:
        return [o for o in self.orders.values() if o.status is BrokerStatus.WORKING]

    def arrive(self, order: OrderDocument) -> None:
        self.travelling.remove(order)
        self.numbers += 1
        self.orders[order.order_ref] = Live(order, self.numbers)
        self.reports.append(self.told(self.orders[order.order_ref]))

    def told(self, live: Live) -> OrderReport:
        return OrderReport(
            order_ref=live.order.order_ref,
            status=live.status,
            con_id=live.order.contract.con_id,
            perm_id=live.number + 1000,
            order_id=live.number,
            client_id=1,
            filled=Decimal(live.worked),
        )

    def fill(self, live: Live, quantity: int, at: datetime) -> None:
        """Fill so many, also beyond the order."""
        sign = 1 if live.order.quantity > 0 else -1
        live.worked += quantity
        if live.left <= 0:
            live.status = BrokerStatus.FILLED
        found = (live.order.contract, live.order.order_ref, live.number)
        self.execute(found, sign * quantity, at)
        self.reports.append(self.told(live))

    def end(self, live: Live, status: BrokerStatus) -> None:
        live.status = status
        self.reports.append(self.told(live))

    def execute(self, whose: tuple[Any, str, int], quantity: int, at: datetime) -> None:
        contract, order_ref, number = whose
        key = f"e{len(self.executions) + 1:03d}"
        self._book(
            key,
            ExecutionDocument(
                exec_id=f"{key}.01",
                order_ref=order_ref,
                contract=contract,
                quantity=Decimal(quantity),
                price=Decimal(100),
                at=at,
                account="DU1",
                perm_id=number + 1000 if number else 5,
                order_id=number,
                client_id=1 if number else 9,
            ),
        )

    def correct(self, key: str, quantity: int) -> None:
        """The execution again, with a higher suffix and less; 0 is a bust [A3]."""
        known = self.executions[key]
        revision = int(known.exec_id.rpartition(".")[2]) + 1
        exec_id = f"{key}.{revision:02d}"
        self._book(key, replace(known, exec_id=exec_id, quantity=Decimal(quantity)))

    def _book(self, key: str, execution: ExecutionDocument) -> None:
        before = self.executions[key].quantity if key in self.executions else 0
        self.positions[execution.contract.con_id] += int(execution.quantity - before)
        self.executions[key] = execution
        self.trail.append(execution)
        self.reports.append(execution)

    def forget(self) -> None:
        """Midnight: orders of the day end; the day's executions are told no more."""
        for live in self.working():
            self.end(live, BrokerStatus.CANCELLED)
        self.trail.clear()
        self.has_forgotten = True

    def reading(self, build: Any, at: datetime) -> Reading:
        over = [o for o in self.orders.values() if o.status is not BrokerStatus.WORKING]
        held = (
            BrokerPosition(build.contract(con_id), Decimal(held), Decimal(100))
            for con_id, held in sorted(self.positions.items())
            if held
        )
        return Reading(
            at=at,
            values=build.base,
            positions=tuple(held),
            open_orders=tuple(map(self.told, self.working())),
            completed_orders=() if self.has_forgotten else tuple(map(self.told, over)),
            executions=tuple(self.trail),
        )


def seats(total: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Webster's method by its definition: one unit at a time to the highest w / (2s + 1) [A2]."""
    given = dict.fromkeys(weights, 0)
    for _ in range(total):
        name = min(weights, key=lambda n: (-Fraction(weights[n], 2 * given[n] + 1), n))
        given[name] += 1
    return given


@dataclass(slots=True)
class Account:
    """What has been heard and decided, and the books that follow from it."""

    heard: dict[str, ExecutionDocument] = field(default_factory=dict)
    orders: dict[str, OrderDocument] = field(default_factory=dict)
    crosses: list[CrossDocument] = field(default_factory=list)
    adopted: list[Adopted] = field(default_factory=list)

    def hear(self, execution: ExecutionDocument) -> None:
        key = execution.exec_id.split(".")[0]
        known = self.heard.get(key)
        if known is None or known.exec_id < execution.exec_id:
            self.heard[key] = execution

    def books(self, con_id: int) -> dict[str, int]:
        found: Counter[str] = Counter()
        for cross in self.crosses:
            if cross.contract.con_id == con_id:
                found.update({s.strategy: int(s.quantity) for s in cross.shares})
        for order in self._orders(con_id):
            found.update(self._shares(order))
        for one in self.adopted:
            found[one.ledger] += int(one.entry.quantity) * (one.contract.con_id == con_id)
        found[EXTERNAL] += self._foreign(con_id)
        return {name: quantity for name, quantity in found.items() if quantity}

    def filled(self, order: OrderDocument) -> int:
        mine = (e for e in self.heard.values() if e.order_ref == order.order_ref)
        return sum(int(e.quantity) for e in mine)

    def beyond(self, con_id: int) -> int:
        """What was filled and nobody had ordered [A2]."""
        mine = self._orders(con_id)
        return sum(self.filled(o) - sum(self._shares(o).values()) for o in mine)

    def _orders(self, con_id: int) -> list[OrderDocument]:
        return [o for o in self.orders.values() if o.contract.con_id == con_id]

    def _foreign(self, con_id: int) -> int:
        theirs = (e for e in self.heard.values() if not e.order_ref)
        return sum(int(e.quantity) for e in theirs if e.contract.con_id == con_id)

    def _shares(self, order: OrderDocument) -> dict[str, int]:
        sign = 1 if order.quantity > 0 else -1
        total = max(0, min(sign * self.filled(order), abs(int(order.quantity))))
        given = seats(total, {s.strategy: abs(int(s.quantity)) for s in order.allocations})
        return {name: sign * seat for name, seat in given.items()}

    def copy(self) -> "Account":
        return Account(dict(self.heard), dict(self.orders), [*self.crosses], [*self.adopted])

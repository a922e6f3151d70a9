"""The broker's record of orders: which are known, which work, which ended, what was executed.

Everything asked for on the way of an order is one look-up. At New York midnight all that ended is
forgotten, so that memory does not grow from day to day.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from heapq import heapify, heappop, heappush

from gateway.simulator import replies as r
from gateway.simulator.orders.orders import NEVER, Execution, Order

Side = tuple[int, int]
"""A contract id and +1 for the buying, -1 for the selling side."""


@dataclass(slots=True)
class OrderIds:
    """The order ids of one client: the highest one used."""

    highest: int = 0

    def use(self, order_id: int) -> None:
        """Remember an id."""
        self.highest = max(self.highest, order_id)


class OrderRecord:
    """All orders of the account of which the broker still knows."""

    def __init__(self, first_perm_id: int) -> None:
        self.done: list[Order] = []
        self.executions: list[tuple[Order, Execution]] = []
        self.commissions: dict[str, r.CommissionReport] = {}
        self.margin_reserved = Decimal(0)
        """Initial margin that the working orders would add if they all traded."""
        self._perm_id = first_perm_id
        self._bound_id = 0
        self._by_id: dict[tuple[int, int], Order] = {}
        self._by_perm_id: dict[int, Order] = {}
        self._working: dict[int, Order] = {}
        self._groups: dict[str, list[Order]] = {}
        self._sides: dict[Side, dict[int, Order]] = {}
        self._ids: dict[int, OrderIds] = {}
        self._alarms: list[tuple[datetime, int]] = []

    @property
    def working(self) -> list[Order]:
        """Orders that can still trade, oldest first."""
        return list(self._working.values())

    @property
    def working_count(self) -> int:
        """How many orders can still trade."""
        return len(self._working)

    def next_perm_id(self) -> int:
        """A permanent id that no order had."""
        self._perm_id += 1
        return self._perm_id

    def ids(self, client_id: int) -> OrderIds:
        """The ids a client used."""
        return self._ids.setdefault(client_id, OrderIds())

    def known(self, client_id: int, order_id: int) -> Order | None:
        """The order with this id of this client."""
        return self._by_id.get((client_id, order_id))

    def find(self, perm_id: int) -> Order | None:
        """The order with this permanent id."""
        return self._by_perm_id.get(perm_id)

    def by_ref(self, order_ref: str) -> list[Order]:
        """All orders with this reference, oldest first."""
        return [item for item in self._by_perm_id.values() if item.terms.order_ref == order_ref]

    def group(self, name: str) -> list[Order]:
        """The orders of an OCA group, working or of today, oldest first."""
        return list(self._groups.get(name, ()))

    def side(self, con_id: int, side: int) -> list[Order]:
        """The working orders of one contract and side, oldest first."""
        return list(self._sides.get((con_id, side), {}).values())

    def side_count(self, con_id: int, side: int) -> int:
        """How many working orders a contract has on one side."""
        return len(self._sides.get((con_id, side), ()))

    def working_con_ids(self) -> tuple[int, ...]:
        """Every contract with working orders, once, in the order in which they came."""
        return tuple(dict.fromkeys(con_id for con_id, _ in self._sides))

    def add(self, order: Order) -> None:
        """A new working order."""
        self._by_perm_id[order.perm_id] = order
        self._working[order.perm_id] = order
        self._sides.setdefault(_side(order), {})[order.perm_id] = order
        if order.terms.oca_group:
            self._groups.setdefault(order.terms.oca_group, []).append(order)
        self.margin_reserved += order.margin_reserved
        if order.order_id:
            self._by_id[order.client_id, order.order_id] = order

    def bind(self, order: Order) -> None:
        """Give an order made by hand a negative id, by which client 0 can name it."""
        self._bound_id -= 1
        order.order_id = self._bound_id
        self._by_id[order.client_id, order.order_id] = order

    def reserve(self, order: Order, margin: Decimal) -> None:
        """Change what a working order would add to the initial margin if all of it traded."""
        self.margin_reserved += margin - order.margin_reserved
        order.margin_reserved = margin

    def finish(self, order: Order, now: datetime) -> None:
        """A working order ends; one that has ended already stays as it is on record."""
        if not order.working:
            return
        order.completed_at = now
        self._stop(order)
        self.done.append(order)

    def drop(self, order: Order) -> None:
        """Forget an order as if it had never been."""
        if order.working:
            self._stop(order)
        elif order in self.done:
            self.done.remove(order)
        self._by_perm_id.pop(order.perm_id, None)
        self._leave_group(order)
        if self.known(order.client_id, order.order_id) is order:
            del self._by_id[order.client_id, order.order_id]

    def roll_back_ids(self, client_id: int, by: int) -> None:
        """Take ids back, as a restarted gateway does; ended orders with those ids lose them."""
        ids = self.ids(client_id)
        ids.highest = max(ids.highest - by, 0)
        self._by_id = {
            key: order
            for key, order in self._by_id.items()
            if key[0] != client_id or key[1] <= ids.highest or order.working
        }

    def set_alarms(self, order: Order, now: datetime) -> None:
        """Remember when the order begins to work, if that is to come, and when it ends."""
        self.wake_at(order, order.expires_at)
        if order.active_from > now:
            self.wake_at(order, order.active_from)

    def wake_at(self, order: Order, when: datetime) -> None:
        """Remember that something happens to the order at this time."""
        if when < NEVER:
            heappush(self._alarms, (when, order.perm_id))

    def alarms(self, until: datetime) -> list[datetime]:
        """The times up to `until` at which something happens to an order; each is told once."""
        times: list[datetime] = []
        while self._alarms and self._alarms[0][0] <= until:
            when, perm_id = heappop(self._alarms)
            if perm_id in self._working:
                times.append(when)
        return times

    def forget_ended(self) -> None:
        """Midnight: executions and ended orders are gone; working orders keep all they have."""
        self.executions.clear()
        self.commissions.clear()
        for order in self.done:
            self._leave_group(order)
        self.done.clear()
        self._by_perm_id = dict(self._working)
        self._by_id = {key: order for key, order in self._by_id.items() if order.working}
        self._alarms = [item for item in self._alarms if item[1] in self._working]
        heapify(self._alarms)

    def _leave_group(self, order: Order) -> None:
        members = self._groups.get(order.terms.oca_group, [])
        if order in members:
            members.remove(order)
        if not members:
            self._groups.pop(order.terms.oca_group, None)

    def _stop(self, order: Order) -> None:
        self._working.pop(order.perm_id, None)
        self.reserve(order, Decimal(0))
        side = self._sides.get(_side(order), {})
        side.pop(order.perm_id, None)
        if not side:
            self._sides.pop(_side(order), None)


def _side(order: Order) -> Side:
    return order.contract.con_id, order.terms.side

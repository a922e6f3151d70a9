"""From its arrival at the market to its end: what happens to an order, and to those tied to it.

An order that is filled lets its children work and ends or reduces the others of its group; one that
ends otherwise takes its children along. Each is told as it happens: openOrder and orderStatus, and
error 202 after a Cancelled. How orders are tied: families, oca.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from gateway.simulator import notices
from gateway.simulator.broker import Broker
from gateway.simulator.market.contracts import Listing
from gateway.simulator.orders.families import Draft
from gateway.simulator.orders.matching import Matching, kind_of
from gateway.simulator.orders.oca import left_after, others_end
from gateway.simulator.orders.order_limits import OrderLimits, Request
from gateway.simulator.orders.order_record import OrderRecord
from gateway.simulator.orders.order_reports import OrderReports
from gateway.simulator.orders.order_warnings import on_arrival, until_open
from gateway.simulator.orders.orders import CHILD, LOCATE, PENDING_CANCEL, TRIGGER, Order


class Lifecycle:
    """What can happen to an order that is on record."""

    def __init__(
        self, broker: Broker, record: OrderRecord, matching: Matching, limits: OrderLimits
    ) -> None:
        self._broker = broker
        self._record = record
        self._matching = matching
        self._limits = limits
        self._reports = OrderReports(broker)
        self._awakened: deque[Order] = deque()
        self._is_awakening = False

    # ------------------------------------------------------------------ beginning

    def receive(self, arrivals: Iterable[Draft]) -> None:
        """Tell of orders that came or changed, with their warnings, then bring them to the market.

        A family is told whole before its parent trades.
        """
        came = list(arrivals)
        for arrival in came:
            self._announce(arrival)
        for arrival in came:
            if arrival.order.working:
                self._start(arrival.order)

    def waits_for(self, order: Order) -> str:
        """Why an order waits that nobody holds: for its parent, for its stop price, or nothing."""
        trigger = TRIGGER if kind_of(order).waits and not order.triggered else ""
        if not order.awaits_parent:
            return trigger
        return f"{CHILD},{trigger}" if trigger else CHILD

    def release(self, orders: Iterable[Order]) -> None:
        """Let held orders go to the market, in one batch; those that wait for a parent still do."""
        for order in orders:
            if order.working and order.held:
                order.active_from = max(order.active_from, self._broker.now)
                order.why_held = self.waits_for(order)
                self._start(order)

    def hold(self, order: Order, why: str) -> None:
        """Keep a working order from the market until it is released. Raises ValueError."""
        order.turn(PENDING_CANCEL if order.status == PENDING_CANCEL else "PreSubmitted", why)
        self._reports.tell_state(order)

    def _announce(self, arrival: Draft) -> None:
        order, listing = arrival.order, self._listing(arrival.order)
        order.why_held = arrival.held or order.why_held
        said = [
            *self._locate(order, listing),
            *arrival.said,
            *on_arrival(order.terms, order.contract),
        ]
        if not order.awaits_parent:
            self._matching.aim(order)
        self._reports.tell_state(order)
        for notice in said:
            self._reports.notice(order, notice.code, notice.text)

    def _locate(self, order: Order, listing: Listing) -> list[notices.Refusal]:
        """Hold a short sale of shares that must be looked for first, with 404."""
        wanted = Request(listing, order.terms, order)
        if order.held or order.status == PENDING_CANCEL:
            return []
        if not self._broker.options.short_sales_held:
            return []
        if not self._limits.lacks_shares(wanted):
            return []
        order.status, order.why_held = "PreSubmitted", LOCATE
        return [notices.LOCATING]

    def _start(self, order: Order) -> None:
        """Bring an order to the market, or let it wait until the market opens."""
        if order.held or order.active_from > self._broker.now:
            return
        at_once = order.terms.tif == "IOC"
        if self._matching.can_trade(order):
            self._matching.match_now(order)
        elif not at_once and order.expires_at > self._broker.now:
            self._warn_of_closed_market(order)
        if order.working and at_once:
            self.end(order)

    def _warn_of_closed_market(self, order: Order) -> None:
        market, now = self._broker.market, self._broker.now
        warning = until_open(order.terms, self._listing(order), market, now)
        self._reports.notice(order, warning.code, warning.text)

    # ------------------------------------------------------------------ ties

    def traded(self, order: Order, quantity: Decimal) -> None:
        """An order was executed by so much: its group hears of it, then its children."""
        if quantity > 0 and order.terms.oca_group:
            self._rebalance(order, quantity)
        if order.status == "Filled":
            self._awaken(order.children)

    def _awaken(self, children: Iterable[Order]) -> None:
        """Let children work, and theirs if they trade at once: one by one, however long a line."""
        self._awakened += children
        if self._is_awakening:
            return
        self._is_awakening = True
        try:
            while self._awakened:
                self._activate(self._awakened.popleft())
        finally:
            self._is_awakening = False

    def _activate(self, child: Order) -> None:
        """Its parent is filled: a child works from now on, if nothing else holds it."""
        if not child.working or not child.why_held.startswith(CHILD):
            return
        child.active_from = max(child.active_from, self._broker.now)
        child.why_held = self.waits_for(child)
        said = self._locate(child, self._listing(child))
        self._matching.aim(child)
        self._reports.tell_state(child)
        for notice in said:
            self._reports.notice(child, notice.code, notice.text)
        self._start(child)

    def _rebalance(self, order: Order, quantity: Decimal) -> None:
        ends = others_end(order)
        for other in self._record.group(order.terms.oca_group):
            if other is order or not other.working:
                continue
            left = Decimal(0) if ends else left_after(order, quantity, other)
            if not left:
                self.end(other)
            elif left < other.remaining:
                self._reduce(other, left)

    def _reduce(self, order: Order, left: Decimal) -> None:
        margin = order.margin_reserved * left / order.remaining
        order.terms = replace(order.terms, quantity=order.filled + left)
        self._record.reserve(order, margin)
        self._reports.tell_state(order)

    # ------------------------------------------------------------------ ending

    def end(self, order: Order) -> None:
        """Take a working order off the market: Cancelled, then error 202. Raises ValueError."""
        order.turn("Cancelled")
        self._finish(order, *notices.CANCELLED)

    def withdraw(self, order: Order) -> None:
        """End an order because its client wants to: the others of its group go too."""
        self.end(order)
        for other in self._record.group(order.terms.oca_group):
            if other.working:
                self.end(other)

    def reject(self, order: Order, code: int, text: str, status: str) -> None:
        """The exchange refuses a working order: a status, then the error. Raises ValueError."""
        order.turn(status)
        self._finish(order, code, text)

    def vanish(self, order: Order) -> None:
        """Forget an order without a word, and those that wait for it, as if none had ever come."""
        self._record.drop(order)
        if order.parent is not None and order in order.parent.children:
            order.parent.children.remove(order)
        for child in list(order.children):
            if child.working and child.awaits_parent:
                self.vanish(child)

    def _finish(self, order: Order, code: int, text: str) -> None:
        self._take_off(order, code, text)
        waiting = order.children[::-1]
        while waiting:
            child = waiting.pop()
            if child.working and child.awaits_parent:
                child.turn("Cancelled")
                self._take_off(child, *notices.CANCELLED)
                waiting += child.children[::-1]

    def _take_off(self, order: Order, code: int, text: str) -> None:
        self._record.finish(order, self._broker.now)
        self._reports.tell_status(order)
        self._reports.notice(order, code, text)

    def _listing(self, order: Order) -> Listing:
        return self._broker.contracts.by_con_id(order.contract.con_id)

"""The life of orders: placing, changing, cancelling, waiting, ending.

Sequence of a market order, as recorded from IB: openOrder PreSubmitted, orderStatus PreSubmitted,
execDetails, openOrder Filled, orderStatus Filled, openOrder with the commission, commissionReport;
then positions, portfolio and account values. The execution comes before the status that reports
it, the commission last. How orders trade: matching; what is on record: order_record; what happens
to an order, and to those tied to it: lifecycle.

The verbs below `release` are what people at the broker and faults do to orders; each tells the
clients what IB would tell them.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from gateway.simulator import notices
from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.account.account_desk import AccountDesk
from gateway.simulator.broker import Broker
from gateway.simulator.market.contracts import Contract, Listing
from gateway.simulator.orders import families, oca, trailing
from gateway.simulator.orders.entrance import MISMATCH, Entrance
from gateway.simulator.orders.execution_desk import ExecutionDesk
from gateway.simulator.orders.families import Draft
from gateway.simulator.orders.fill_models import fill_model
from gateway.simulator.orders.fills import number_from
from gateway.simulator.orders.lifecycle import Lifecycle
from gateway.simulator.orders.matching import Matching, kind_of
from gateway.simulator.orders.order_limits import OrderLimits, Request
from gateway.simulator.orders.order_record import OrderRecord
from gateway.simulator.orders.order_reports import OrderReports
from gateway.simulator.orders.order_times import auction_closed, life_of
from gateway.simulator.orders.orders import (
    CHILD,
    LOCATE,
    LONG_PAST,
    PENDING_CANCEL,
    Execution,
    Order,
    OrderTerms,
)

HAND_CLIENT_ID = 0
"""Orders made by hand at TWS belong to client 0 and have order id 0 until they are bound."""
PERM_ID_BASE = 1_000_000_000
FILLED_ALREADY = notices.Refusal(104, "Cannot modify a filled order.")


class OrderDesk:
    """All orders of the account, and everything that happens to them."""

    def __init__(self, broker: Broker, accounts: AccountDesk) -> None:
        self._broker = broker
        seed = number_from(broker.options.seed, "perm", 0)
        self.record = OrderRecord(PERM_ID_BASE + seed % 10**8)
        self._executions = ExecutionDesk(broker, self.record, accounts)
        model = fill_model(broker.options.fill_model)
        self._matching = Matching(broker, model, self._executions)
        self._limits = OrderLimits(broker, self.record)
        self._reports = OrderReports(broker)
        self._lives = Lifecycle(broker, self.record, self._matching, self._limits)
        self._executions.on_trade = self._lives.traded
        self._entrance = Entrance(broker, self.record, self._limits, self._lives)
        self._binds_hand_orders = False
        self._watched: tuple[int, ...] = ()
        self._quiet_until = LONG_PAST

    # ------------------------------------------------------------------ looking

    @property
    def working(self) -> list[Order]:
        """Orders that can still trade, oldest first."""
        return self.record.working

    @property
    def done(self) -> list[Order]:
        """Orders that ended today, in the order of their end."""
        return self.record.done

    def find(self, perm_id: int) -> Order | None:
        """The order with this permanent id, working or of today."""
        return self.record.find(perm_id)

    def by_ref(self, order_ref: str) -> list[Order]:
        """The orders with this reference, working or of today, oldest first."""
        return self.record.by_ref(order_ref)

    def known(self, client_id: int, order_id: int) -> Order | None:
        """The client's order with this id, working or of today."""
        return self.record.known(client_id, order_id)

    def next_id(self, client_id: int) -> int:
        """The lowest order id the client may use."""
        return self.record.ids(client_id).highest + 1

    def forget(self, client_id: int) -> None:
        """Orders outlive their client; only client 0 stops being given those made by hand."""
        if client_id == HAND_CLIENT_ID:
            self._binds_hand_orders = False

    # ------------------------------------------------------------------ requests

    def place(self, client_id: int, request: q.PlaceOrder, held: str = "") -> Order | None:
        """placeOrder: a new order, a change of a known one, or a what-if question.

        `held` keeps a new order from the market, for this reason, until it is released. Returns
        the order that was placed or changed; None when nothing was.
        """
        known = self.record.known(client_id, request.order_id)
        if known is not None:
            return self._change(known, request)
        return self._entrance.place(client_id, request, held)

    def cancel(self, client_id: int, request: q.CancelOrder) -> None:
        """cancelOrder: only the client that placed an order can cancel it."""
        order_id = request.order_id
        order = self.record.known(client_id, order_id)
        draft = self._entrance.drafts.get(client_id, order_id)
        if draft is not None:
            self._discard(self._entrance.drafts.discard(draft))
        elif order is None and 0 < order_id <= self.record.ids(client_id).highest:
            self._broker.refuse(client_id, order_id, *notices.not_found(order_id))
        elif order is None:
            self._broker.refuse(client_id, order_id, *notices.unknown_cancel(order_id))
        elif not order.working:
            self._broker.refuse(client_id, order_id, *notices.late_cancel(order_id, order.status))
        else:
            self._cancel(order)

    def cancel_all(self, client_id: int, request: q.GlobalCancel) -> None:
        """reqGlobalCancel: every working order, whoever placed it, and all that were held back."""
        self._discard(self._entrance.drafts.clear())
        for order in self.working:
            if order.working:
                self._cancel(order)

    # ------------------------------------------------------------------ time

    def match(self, now: datetime) -> None:
        """Let working orders trade at an instant; `now` is when a bar begins, ends, or both."""
        for order in self.working:
            cancelled = order.working and order.status == PENDING_CANCEL
            if cancelled and self._matching.is_open(order):
                self._lives.withdraw(order)
        self._matching.match(self.working, now)
        for order in self.working:
            at_once = order.working and order.terms.tif == "IOC"
            if at_once and order.active_from <= now and not order.held:
                self.end(order)

    def expire(self, now: datetime) -> None:
        """End the orders whose time is over."""
        for order in self.working:
            if order.working and order.expires_at <= now:
                self.end(order)

    def instants(self, after: datetime, until: datetime) -> list[datetime]:
        """When, in `(after, until]`, something can happen to a working order."""
        if not self.record.working_count:
            return []
        market, con_ids = self._broker.market, self.record.working_con_ids()
        times = set(self.record.alarms(until))
        if con_ids != self._watched or until >= self._quiet_until:
            listings = [self._broker.contracts.by_con_id(con_id) for con_id in con_ids]
            times |= set(market.changes(listings, after, until))
            self._watched = con_ids
            self._quiet_until = min(market.next_change(listing, until) for listing in listings)
        return sorted(times)

    # ------------------------------------------------------------------ orders by hand

    def trade_by_hand(
        self, listing: Listing, quantity: Decimal, price: Decimal, *, liquidation: bool = False
    ) -> Order:
        """Someone at TWS trades: an order of client 0, id 0, no reference, filled at once.

        A `liquidation` is the broker's own doing; its executions are marked.
        """
        terms = self._entrance.complete(OrderTerms(_action(quantity), abs(quantity)))
        order = self._entrance.make(
            HAND_CLIENT_ID, q.PlaceOrder(0, listing.contract(), terms), listing
        )
        order.by_hand, order.liquidation = True, liquidation
        self._reports.tell_state(order)
        self._executions.fill(order, order.remaining, price)
        return order

    def place_by_hand(self, contract: Contract, terms: OrderTerms) -> Order:
        """Someone at TWS places an order, of any type; no limit of the account holds it back.

        Raises:
            ValueError: the contract is unknown, a rule of admission refuses the order, or it would
                be attached to another or held back.
        """
        resolved = self._broker.contracts.resolve(contract)
        if resolved is None:
            raise ValueError(f"no such contract: {contract}")
        if terms.parent_id or not terms.transmit:
            raise ValueError("201: an order by hand has no parent and goes out at once")
        terms = self._entrance.complete(terms)
        objection = self._entrance.objection(resolved[0], terms)
        if objection is not None:
            raise ValueError(f"{objection.code}: {objection.text}")
        order = self._entrance.make(
            HAND_CLIENT_ID, q.PlaceOrder(0, resolved[1], terms), resolved[0]
        )
        order.by_hand = True
        if self._binds_hand_orders:
            self.bind(order)
        self._lives.receive([Draft(order, [])])
        return order

    def bind_hand_orders(self, bind: bool) -> None:
        """Whether new orders by hand are given to client 0 at once."""
        self._binds_hand_orders = bind

    def bind(self, order: Order) -> None:
        """Give an order made by hand to client 0, which can then change and cancel it."""
        if order.order_id == 0:
            self.record.bind(order)
            bound = r.OrderBound(order.perm_id, HAND_CLIENT_ID, order.order_id)
            self._broker.send(HAND_CLIENT_ID, bound)

    # ------------------------------------------------------------------ what else may happen

    def hold(self, order: Order, why: str = LOCATE) -> None:
        """Keep a working order from the market until it is released. Raises ValueError."""
        self._lives.hold(order, why)

    def release(self, orders: Iterable[Order] | None = None) -> None:
        """Let held orders go to the market, in one batch; all of them when none are named."""
        self._lives.release(list(self.working if orders is None else orders))

    def fill(
        self, order: Order, quantity: Decimal | None = None, price: Decimal | None = None
    ) -> None:
        """Execute an order now, by default all of it at the market; also one that has ended.

        Raises:
            ValueError: more than the order has left, or no price while the market has none.
        """
        size = order.remaining if quantity is None else quantity
        if not 0 < size <= order.remaining:
            raise ValueError(f"{size} is not between 0 and {order.remaining}")
        at = self._price(order) if price is None else price
        self._executions.fill(order, size, at)

    def correct(
        self, execution_id: str, quantity: Decimal | None = None, price: Decimal | None = None
    ) -> Execution:
        """Correct an execution of today: it comes again, the last group of its id counted up.

        Raises:
            ValueError: no such execution, or no such quantity.
        """
        return self._executions.correct(execution_id, quantity, price)

    def bust(self, execution_id: str) -> Execution:
        """Take an execution of today back. Raises ValueError when there is no such one."""
        return self._executions.bust(execution_id)

    def reject(self, order: Order, code: int, text: str, status: str = "Inactive") -> None:
        """The exchange refuses a working order: a status, then the error. Raises ValueError."""
        self._lives.reject(order, code, text, status)

    def end(self, order: Order) -> None:
        """Take a working order off the market: Cancelled, then error 202. Raises ValueError."""
        self._lives.end(order)

    def vanish(self, order: Order) -> None:
        """Forget an order without a word, as if it had never come; what it traded stays."""
        self._lives.vanish(order)

    def forget_drafts(self) -> None:
        """The gateway restarts, or its day is over: what was not transmitted is gone, unsaid."""
        self._entrance.drafts.clear()

    def forget_ended(self) -> None:
        """New York midnight: what ended is forgotten, and so is what was not transmitted."""
        self.forget_drafts()
        self.record.forget_ended()

    def roll_back_ids(self, client_id: int, by: int) -> None:
        """Issue the client's last ids once more, as a gateway does that restarted."""
        self.forget_drafts()
        self.record.roll_back_ids(client_id, by)

    # ------------------------------------------------------------------ changing and cancelling

    def _discard(self, drafts: list[Draft]) -> None:
        """Tell of orders that were cancelled before they were transmitted."""
        for draft in drafts:
            order = draft.order
            self._reports.notice(order, *notices.DISCARDED)
            self._reports.notice(order, *notices.not_cancellable(order.perm_id))

    def _change(self, order: Order, request: q.PlaceOrder) -> Order | None:
        """New terms for a known order; None after telling the client why not.

        A change with `transmit=0` stays at the gateway, as at IB: nobody hears of it, and the order
        works on as it is until a change is transmitted.
        """
        client_id = order.client_id
        if not order.working:
            filled = order.status == "Filled"
            self._refuse(client_id, request, FILLED_ALREADY if filled else notices.DUPLICATE_ORDER)
            return None
        if not request.terms.transmit and not request.terms.what_if:
            return None
        asked = replace(request, terms=trailing.kept(order, request.terms))
        accepted = self._entrance.admit(client_id, asked, order)
        if accepted is None:
            return None
        listing, asked = accepted
        reserved = self._judge_change(order, asked, listing)
        if isinstance(reserved, notices.Refusal):
            self._refuse(client_id, request, reserved)
            return None
        order.trail_stop_asked = request.terms.trail_stop_price or order.trail_stop_asked
        self._set_terms(order, families.tied(order, trailing.placed(asked.terms)), listing)
        self.record.reserve(order, reserved)
        self._lives.receive([Draft(order, [])])
        return order

    def _judge_change(
        self, order: Order, request: q.PlaceOrder, listing: Listing
    ) -> notices.Refusal | Decimal:
        terms = request.terms
        same = request.contract.con_id == order.contract.con_id
        if not same or terms.action != order.terms.action or terms.what_if:
            return MISMATCH
        if self._is_late(order):
            return notices.rejected("the cut-off time for the closing auction has passed")
        if order.status == PENDING_CANCEL:
            return notices.rejected("the order is being cancelled")
        if terms.quantity <= order.filled:
            return notices.rejected("the quantity is not above what was filled")
        parent_known = self.record.known(order.client_id, terms.parent_id) is not None
        objection = families.objection_to_change(order, terms, parent_known)
        objection = objection or oca.objection_to_change(order.terms, terms)
        return objection or self._limits.judge(Request(listing, terms, order))

    def _set_terms(self, order: Order, terms: OrderTerms, listing: Listing) -> None:
        old, now = order.terms, self._broker.now
        life = life_of(terms, listing, self._broker.market, now)
        order.terms = terms
        order.placed_at = now
        order.active_from, order.expires_at = life.active_from, life.expires_at
        if _stop_of(terms) != _stop_of(old):
            order.triggered = False
        if not order.held or order.why_held.startswith(CHILD):
            order.why_held = self._lives.waits_for(order)
            if order.why_held or kind_of(order).auction or order.active_from > now:
                order.status = "PreSubmitted"
        self.record.set_alarms(order, now)

    def _cancel(self, order: Order) -> None:
        if self._is_late(order):
            self._reports.notice(order, *notices.not_cancellable(order.perm_id))
        elif self._broker.options.cancels_wait_for_open and not self._matching.is_open(order):
            order.status = PENDING_CANCEL
            self._reports.tell_status(order)
        else:
            self._lives.withdraw(order)

    def _is_late(self, order: Order) -> bool:
        """Whether the order is caught in today's closing auction."""
        market, now = self._broker.market, self._broker.now
        return auction_closed(order.terms, self._listing(order), market, now)

    # ------------------------------------------------------------------ small questions

    def _refuse(self, client_id: int, request: q.PlaceOrder, why: notices.Refusal) -> None:
        self._broker.refuse(client_id, request.order_id, *why)

    def _listing(self, order: Order) -> Listing:
        return self._broker.contracts.by_con_id(order.contract.con_id)

    def _price(self, order: Order) -> Decimal:
        quote = self._broker.market.quote(self._listing(order), self._broker.now)
        if quote is not None:
            return quote.against(order.terms.side) or quote.last
        if order.terms.limit_price is None:
            raise ValueError(f"the market of {order.contract.symbol} has no price")
        return order.terms.limit_price


def _stop_of(terms: OrderTerms) -> tuple[Any, ...]:
    """What a change of makes a stop order wait for its trigger again."""
    return terms.order_type, terms.aux_price, terms.trailing_percent, terms.trail_stop_price


def _action(quantity: Decimal) -> str:
    return "BUY" if quantity > 0 else "SELL"


HANDLERS: dict[type[Any], Callable[[OrderDesk, int, Any], Any]] = {
    q.PlaceOrder: OrderDesk.place,
    q.CancelOrder: OrderDesk.cancel,
    q.GlobalCancel: OrderDesk.cancel_all,
}

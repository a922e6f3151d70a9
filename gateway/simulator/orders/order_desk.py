"""The life of orders: placing, changing, cancelling, waiting, ending.

Sequence of a market order, as recorded from IB: openOrder PreSubmitted, orderStatus PreSubmitted,
execDetails, openOrder Filled, orderStatus Filled, openOrder with the commission, commissionReport;
then positions, portfolio and account values. The execution comes before the status that reports
it, the commission last. How orders trade: matching; what is on record: order_record.

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
from gateway.simulator.orders.admission import Candidate, refusal
from gateway.simulator.orders.execution_desk import ExecutionDesk
from gateway.simulator.orders.fill_models import fill_model
from gateway.simulator.orders.fills import number_from
from gateway.simulator.orders.matching import Matching, kind_of
from gateway.simulator.orders.order_limits import OrderLimits, Request
from gateway.simulator.orders.order_record import OrderRecord
from gateway.simulator.orders.order_reports import OrderReports
from gateway.simulator.orders.order_times import auction_closed, life_of
from gateway.simulator.orders.order_warnings import on_arrival, until_open
from gateway.simulator.orders.orders import (
    LOCATE,
    LONG_PAST,
    PENDING_CANCEL,
    TRIGGER,
    Execution,
    Order,
    OrderTerms,
)
from gateway.simulator.orders.what_if import what_if

HAND_CLIENT_ID = 0
"""Orders made by hand at TWS belong to client 0 and have order id 0 until they are bound."""
PERM_ID_BASE = 1_000_000_000
FILLED_ALREADY = notices.Refusal(104, "Cannot modify a filled order.")
MISMATCH = notices.Refusal(105, "Order being modified does not match the original order.")


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
        preset = self._broker.options.day_preset_notice and not request.terms.tif
        accepted = self._admit(client_id, request)
        if accepted is None:
            return None
        listing, placed = accepted
        if placed.terms.what_if:
            self._answer_what_if(client_id, placed, listing)
            return None
        order = self._new(client_id, placed, listing)
        if order is not None:
            self._receive(order, [notices.PRESET] if preset else [], held)
        return order

    def cancel(self, client_id: int, request: q.CancelOrder) -> None:
        """cancelOrder: only the client that placed an order can cancel it."""
        order_id = request.order_id
        order = self.record.known(client_id, order_id)
        if order is None and 0 < order_id <= self.record.ids(client_id).highest:
            self._broker.refuse(client_id, order_id, 135, f"Can't find order with id ={order_id}")
        elif order is None:
            self._broker.refuse(client_id, order_id, *notices.unknown_cancel(order_id))
        elif not order.working:
            self._broker.refuse(client_id, order_id, *notices.late_cancel(order_id, order.status))
        else:
            self._cancel(order)

    def cancel_all(self, client_id: int, request: q.GlobalCancel) -> None:
        """reqGlobalCancel: every working order, whoever placed it."""
        for order in self.working:
            self._cancel(order)

    # ------------------------------------------------------------------ time

    def match(self, now: datetime) -> None:
        """Let working orders trade at an instant; `now` is when a bar begins, ends, or both."""
        for order in self.working:
            if order.status == PENDING_CANCEL and self._matching.is_open(order):
                self.end(order)
        self._matching.match(self.working, now)
        for order in self.working:
            if order.terms.tif == "IOC" and order.active_from <= now and not order.held:
                self.end(order)

    def expire(self, now: datetime) -> None:
        """End the orders whose time is over."""
        for order in self.working:
            if order.expires_at <= now:
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
        terms = self._complete(OrderTerms(_action(quantity), abs(quantity)))
        order = self._make(HAND_CLIENT_ID, q.PlaceOrder(0, listing.contract(), terms), listing)
        order.by_hand, order.liquidation = True, liquidation
        self._reports.tell_state(order)
        self._executions.fill(order, order.remaining, price)
        return order

    def place_by_hand(self, contract: Contract, terms: OrderTerms) -> Order:
        """Someone at TWS places an order, of any type; no limit of the account holds it back.

        Raises:
            ValueError: the contract is unknown, or a rule of admission refuses the order.
        """
        resolved = self._broker.contracts.resolve(contract)
        if resolved is None:
            raise ValueError(f"no such contract: {contract}")
        terms = self._complete(terms)
        objection = self._objection(resolved[0], terms)
        if objection is not None:
            raise ValueError(f"{objection.code}: {objection.text}")
        order = self._make(HAND_CLIENT_ID, q.PlaceOrder(0, resolved[1], terms), resolved[0])
        order.by_hand = True
        if self._binds_hand_orders:
            self.bind(order)
        self._receive(order, [], "")
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
        order.turn(PENDING_CANCEL if order.status == PENDING_CANCEL else "PreSubmitted", why)
        self._reports.tell_state(order)

    def release(self, orders: Iterable[Order] | None = None) -> None:
        """Let held orders go to the market, in one batch; all of them when none are named."""
        for order in list(self.working if orders is None else orders):
            if order.working and order.held:
                order.active_from = max(order.active_from, self._broker.now)
                order.why_held = self._waits_for(order)
                self._start(order)

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
        order.turn(status)
        self.record.finish(order, self._broker.now)
        self._reports.tell_status(order)
        self._reports.notice(order, code, text)

    def end(self, order: Order) -> None:
        """Take a working order off the market: Cancelled, then error 202. Raises ValueError."""
        order.turn("Cancelled")
        self.record.finish(order, self._broker.now)
        self._reports.tell_status(order)
        self._reports.notice(order, *notices.CANCELLED)

    def vanish(self, order: Order) -> None:
        """Forget an order without a word, as if it had never come; what it traded stays."""
        self.record.drop(order)

    def roll_back_ids(self, client_id: int, by: int) -> None:
        """Issue the client's last ids once more, as a gateway does that restarted."""
        self.record.roll_back_ids(client_id, by)

    # ------------------------------------------------------------------ placing

    def _admit(
        self, client_id: int, request: q.PlaceOrder, known: Order | None = None
    ) -> tuple[Listing, q.PlaceOrder] | None:
        """The listing and the complete request, or None after telling the client why not."""
        resolved = self._broker.resolve(client_id, request.order_id, request.contract)
        if resolved is None:
            return None
        terms = self._complete(request.terms, known)
        objection = self._objection(resolved[0], terms, known is not None)
        if objection is not None:
            self._refuse(client_id, request, objection)
            return None
        return resolved[0], q.PlaceOrder(request.order_id, resolved[1], terms)

    def _complete(self, terms: OrderTerms, known: Order | None = None) -> OrderTerms:
        """The account filled in; without a time in force an order keeps its own, a new one DAY."""
        tif = terms.tif or ("DAY" if known is None else known.terms.tif)
        account_id = terms.account or self._broker.account.account_id
        if (tif, account_id) == (terms.tif, terms.account):
            return terms
        return replace(terms, tif=tif, account=account_id)

    def _objection(
        self, listing: Listing, terms: OrderTerms, changing: bool = False
    ) -> notices.Refusal | None:
        broker = self._broker
        account_id = broker.account.account_id
        if not broker.can_value(listing):
            return notices.rejected(
                f"no exchange rate for {listing.key} is known to this simulator"
            )
        return refusal(Candidate(listing, terms, account_id, broker.market, broker.now, changing))

    def _new(self, client_id: int, request: q.PlaceOrder, listing: Listing) -> Order | None:
        ids = self.record.ids(client_id)
        if request.order_id <= ids.highest:
            self._refuse(client_id, request, notices.DUPLICATE_ORDER)
            return None
        ids.use(request.order_id)
        reserved = self._limits.judge(Request(listing, request.terms))
        if isinstance(reserved, notices.Refusal):
            self._refuse(client_id, request, reserved)
            return None
        order = self._make(client_id, request, listing)
        self.record.reserve(order, reserved)
        return order

    def _make(self, client_id: int, request: q.PlaceOrder, listing: Listing) -> Order:
        now = self._broker.now
        life = life_of(request.terms, listing, self._broker.market, now)
        terms = request.terms
        perm_id = self.record.next_perm_id()
        contract = request.contract
        order = Order(request.order_id, client_id, perm_id, contract, terms, now, life.expires_at)
        order.active_from = life.active_from
        order.why_held = self._waits_for(order)
        self.record.add(order)
        self._set_alarms(order)
        return order

    def _receive(self, order: Order, said: list[notices.Refusal], held: str) -> None:
        """Tell of an order that came or changed, with its warnings, and bring it to the market."""
        listing = self._listing(order)
        order.why_held = held or order.why_held
        said = [
            *self._locate(order, listing),
            *said,
            *on_arrival(order.terms, order.contract),
        ]
        self._reports.tell_state(order)
        for notice in said:
            self._reports.notice(order, notice.code, notice.text)
        self._start(order)

    def _locate(self, order: Order, listing: Listing) -> list[notices.Refusal]:
        """Hold a short sale of shares that must be looked for first, with 404."""
        wanted = Request(listing, order.terms, order)
        if order.held or not self._broker.options.short_sales_held:
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
        elif not at_once:
            self._warn_of_closed_market(order)
        if order.working and at_once:
            self.end(order)

    def _warn_of_closed_market(self, order: Order) -> None:
        market, now = self._broker.market, self._broker.now
        warning = until_open(order.terms, self._listing(order), market, now)
        self._reports.notice(order, warning.code, warning.text)

    def _answer_what_if(self, client_id: int, request: q.PlaceOrder, listing: Listing) -> None:
        state = what_if(self._broker, self._limits, Request(listing, request.terms))
        answer = r.OpenOrder(request.order_id, client_id, 0, request.contract, request.terms, state)
        self._broker.send(client_id, answer)

    # ------------------------------------------------------------------ changing and cancelling

    def _change(self, order: Order, request: q.PlaceOrder) -> Order | None:
        """New terms for a known order; None after telling the client why not."""
        client_id = order.client_id
        if not order.working:
            filled = order.status == "Filled"
            self._refuse(client_id, request, FILLED_ALREADY if filled else notices.DUPLICATE_ORDER)
            return None
        accepted = self._admit(client_id, request, order)
        if accepted is None:
            return None
        listing, request = accepted
        reserved = self._judge_change(order, request, listing)
        if isinstance(reserved, notices.Refusal):
            self._refuse(client_id, request, reserved)
            return None
        self._set_terms(order, request.terms, listing)
        self.record.reserve(order, reserved)
        self._receive(order, [], "")
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
        return self._limits.judge(Request(listing, terms, order))

    def _set_terms(self, order: Order, terms: OrderTerms, listing: Listing) -> None:
        old, now = order.terms, self._broker.now
        life = life_of(terms, listing, self._broker.market, now)
        order.terms = terms
        order.placed_at = now
        order.active_from, order.expires_at = life.active_from, life.expires_at
        if (terms.order_type, terms.aux_price) != (old.order_type, old.aux_price):
            order.triggered = False
        if not order.held:
            order.why_held = self._waits_for(order)
            if order.why_held or kind_of(order).auction or order.active_from > now:
                order.status = "PreSubmitted"
        self._set_alarms(order)

    def _cancel(self, order: Order) -> None:
        if self._is_late(order):
            text = (
                "Cancel attempted when order is not in a cancellable state. "
                f"Order permId ={order.perm_id}"
            )
            self._reports.notice(order, 161, text)
        elif self._broker.options.cancels_wait_for_open and not self._matching.is_open(order):
            order.status = PENDING_CANCEL
            self._reports.tell_status(order)
        else:
            self.end(order)

    def _is_late(self, order: Order) -> bool:
        """Whether the order is caught in today's closing auction."""
        market, now = self._broker.market, self._broker.now
        return auction_closed(order.terms, self._listing(order), market, now)

    # ------------------------------------------------------------------ small questions

    def _refuse(self, client_id: int, request: q.PlaceOrder, why: notices.Refusal) -> None:
        self._broker.refuse(client_id, request.order_id, *why)

    def _listing(self, order: Order) -> Listing:
        return self._broker.contracts.by_con_id(order.contract.con_id)

    def _set_alarms(self, order: Order) -> None:
        self.record.wake_at(order, order.expires_at)
        if order.active_from > self._broker.now:
            self.record.wake_at(order, order.active_from)

    def _waits_for(self, order: Order) -> str:
        return TRIGGER if kind_of(order).waits and not order.triggered else ""

    def _price(self, order: Order) -> Decimal:
        quote = self._broker.market.quote(self._listing(order), self._broker.now)
        if quote is not None:
            return quote.against(order.terms.side) or quote.last
        if order.terms.limit_price is None:
            raise ValueError(f"the market of {order.contract.symbol} has no price")
        return order.terms.limit_price


def _action(quantity: Decimal) -> str:
    return "BUY" if quantity > 0 else "SELL"


HANDLERS: dict[type[Any], Callable[[OrderDesk, int, Any], Any]] = {
    q.PlaceOrder: OrderDesk.place,
    q.CancelOrder: OrderDesk.cancel,
    q.GlobalCancel: OrderDesk.cancel_all,
}

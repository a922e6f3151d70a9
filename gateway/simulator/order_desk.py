"""The life of orders: placing, changing, cancelling, trading, ending, and telling who may know.

Sequence of a market order, as recorded from IB: openOrder PreSubmitted, orderStatus PreSubmitted,
execDetails, openOrder Filled, orderStatus Filled, openOrder with the commission, commissionReport;
then positions, portfolio and account values. The execution comes before the status that reports
it, the commission last.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.account import Trade, margin_change, rounded
from gateway.simulator.account_desk import AccountDesk
from gateway.simulator.admission import Candidate, refusal
from gateway.simulator.broker import Broker
from gateway.simulator.contracts import Contract, Listing
from gateway.simulator.fills import (
    commission,
    execution_id,
    number_from,
    parts,
    price_in,
    price_now,
)
from gateway.simulator.hours import NEW_YORK, TIME_ZONE_NAME, new_york_day
from gateway.simulator.orders import Execution, Margin, Order, OrderState, OrderTerms

HAND_CLIENT_ID = 0
"""Orders made by hand at TWS belong to client 0 and have order id 0."""
PERM_ID_BASE = 1_000_000_000
WORKING_MAX = 10_000
"""Most working orders of all clients together."""


@dataclass(slots=True)
class OrderIds:
    """The order ids of one client: the highest one used."""

    highest: int = 0

    def use(self, order_id: int) -> None:
        """Remember an id."""
        self.highest = max(self.highest, order_id)


class OrderDesk:
    """All orders of the account, and everything that happens to them."""

    def __init__(self, broker: Broker, accounts: AccountDesk) -> None:
        self._broker = broker
        self._accounts = accounts
        self._orders: dict[tuple[int, int], Order] = {}
        self._working: dict[int, Order] = {}
        self.done: list[Order] = []
        self.executions: list[tuple[Order, Execution]] = []
        self._commissions: dict[str, r.CommissionReport] = {}
        self._ids: dict[int, OrderIds] = {}
        self._perm_ids = PERM_ID_BASE + number_from(broker.options.seed, "perm", 0) % 10**8
        self._executed = 0

    @property
    def working(self) -> list[Order]:
        """Orders that can still trade, oldest first."""
        return list(self._working.values())

    def commission_report(self, execution_id_: str) -> r.CommissionReport:
        """What an execution cost."""
        return self._commissions[execution_id_]

    def next_id(self, client_id: int) -> int:
        """The lowest order id the client may use."""
        return self._ids.setdefault(client_id, OrderIds()).highest + 1

    def place(self, client_id: int, request: q.PlaceOrder) -> None:
        """placeOrder: a new order, a change of a known one, or a what-if question."""
        known = self._orders.get((client_id, request.order_id))
        if known is not None:
            self._change(client_id, known, request)
            return
        accepted = self._admit(client_id, request)
        if accepted is None:
            return
        listing, contract = accepted
        if request.terms.what_if:
            self._answer_what_if(client_id, request, listing)
            return
        ids = self._ids.setdefault(client_id, OrderIds())
        if request.order_id <= ids.highest:
            self._broker.refuse(client_id, request.order_id, 103, "Duplicate order id")
            return
        ids.use(request.order_id)
        if self._lacks_margin(client_id, request, listing):
            return
        self._accept(client_id, request, contract)

    def cancel(self, client_id: int, request: q.CancelOrder) -> None:
        """cancelOrder: only the client that placed an order can cancel it."""
        order = self._orders.get((client_id, request.order_id))
        about = f"OrderId {request.order_id} that needs to be cancelled"
        if order is None:
            self._broker.refuse(client_id, request.order_id, 10147, f"{about} is not found.")
        elif not order.working:
            text = f"{about} cannot be cancelled, state: {order.status}."
            self._broker.refuse(client_id, request.order_id, 10148, text)
        else:
            self.end(order, "Order Canceled - reason:")

    def cancel_all(self, client_id: int, request: q.GlobalCancel) -> None:
        """reqGlobalCancel: every working order, whoever placed it."""
        for order in self.working:
            self.end(order, "Order Canceled - reason:")

    def end(self, order: Order, reason: str) -> None:
        """Take a working order off the market: status Cancelled, then error 202."""
        order.status = "Cancelled"
        self._finish(order)
        self._tell(order, self._status(order))
        self._broker.refuse(order.client_id, order.order_id, 202, reason)

    def match(self, now: datetime) -> None:
        """Let working orders trade at an instant; `now` is when a bar begins, ends, or both."""
        for order in self.working:
            self._match_finished(order, now)
            if order.working:
                self._try_now(order)

    def expire(self, now: datetime) -> None:
        """End DAY orders whose session is over."""
        for order in self.working:
            if order.terms.tif != "GTC" and order.expires_at <= now:
                self.end(order, "Order Canceled - reason:")

    def trade_by_hand(self, listing: Listing, quantity: Decimal, price: Decimal) -> Order:
        """Someone at TWS trades: an order of client 0, id 0, no reference, filled at once."""
        terms = OrderTerms(
            action="BUY" if quantity > 0 else "SELL",
            quantity=abs(quantity),
            tif="DAY",
            account=self._broker.account.account_id,
        )
        order = self._new_order(HAND_CLIENT_ID, 0, listing.contract(), terms)
        self._tell(order, self.open_order(order), self._status(order))
        self._fill(order, price)
        return order

    def open_order(self, order: Order) -> r.OpenOrder:
        """The order as openOrder shows it."""
        state = OrderState(
            order.status,
            commission=order.commission,
            commission_currency=self._broker.account.currency if order.commission else "",
        )
        return r.OpenOrder(
            order.order_id, order.client_id, order.perm_id, order.contract, order.terms, state
        )

    def status(self, order: Order) -> r.OrderStatus:
        """The order as orderStatus shows it."""
        return self._status(order)

    def _admit(self, client_id: int, request: q.PlaceOrder) -> tuple[Listing, Contract] | None:
        resolved = self._broker.resolve(client_id, request.order_id, request.contract)
        if resolved is None:
            return None
        candidate = Candidate(resolved[0], request.terms, self._broker.account.account_id)
        objection = refusal(candidate)
        if objection is None and len(self._working) < WORKING_MAX:
            return resolved
        code, text = (objection.code, objection.text) if objection else (201, "too many orders")
        self._broker.refuse(client_id, request.order_id, code, text)
        return None

    def _accept(self, client_id: int, request: q.PlaceOrder, contract: Contract) -> None:
        account_id = self._broker.account.account_id
        terms = replace(request.terms, account=account_id, tif=request.terms.tif or "DAY")
        order = self._new_order(client_id, request.order_id, contract, terms)
        self._tell(order, self.open_order(order), self._status(order))
        self._start(order)

    def _new_order(
        self, client_id: int, order_id: int, contract: Contract, terms: OrderTerms
    ) -> Order:
        self._perm_ids += 1
        now = self._broker.now
        expires_at = self._broker.market.session_ahead(now).closes
        order = Order(order_id, client_id, self._perm_ids, contract, terms, now, expires_at)
        self._working[order.perm_id] = order
        if order_id:
            self._orders[client_id, order_id] = order
        return order

    def _start(self, order: Order) -> None:
        """Bring an order to the market, or hold it until the market opens."""
        if not self._broker.market.is_open(self._broker.now):
            opens = self._broker.market.session_ahead(self._broker.now).opens
            text = (
                "Order Message:\nWarning: your order will not be placed at the exchange until "
                f"{opens.astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S} {TIME_ZONE_NAME}"
            )
            self._broker.refuse(order.client_id, order.order_id, 399, text)
            return
        self._try_now(order)
        if order.working:
            self._submit(order)

    def _submit(self, order: Order) -> None:
        if order.status == "PreSubmitted":
            order.status = "Submitted"
            self._tell(order, self.open_order(order), self._status(order))

    def _try_now(self, order: Order) -> None:
        listing = self._broker.contracts.by_con_id(order.contract.con_id)
        quote = self._broker.market.quote(listing, self._broker.now)
        price = None if quote is None else price_now(order, quote)
        if price is not None:
            self._fill(order, price)
        elif self._broker.market.is_open(self._broker.now):
            self._submit(order)

    def _match_finished(self, order: Order, now: datetime) -> None:
        for bar in self._broker.market.finished_bars(order.contract.symbol, now):
            price = price_in(order, bar, order.placed_at)
            if price is not None and order.working:
                self._fill(order, price)

    def _change(self, client_id: int, order: Order, request: q.PlaceOrder) -> None:
        if not order.working:
            code, text = (
                (104, "Cannot modify a filled order.")
                if order.status == "Filled"
                else (103, "Duplicate order id")
            )
            self._broker.refuse(client_id, order.order_id, code, text)
            return
        accepted = self._admit(client_id, request)
        if accepted is None:
            return
        same = accepted[1].con_id == order.contract.con_id
        if not same or request.terms.action != order.terms.action or request.terms.what_if:
            text = "Order being modified does not match the original order."
            self._broker.refuse(client_id, order.order_id, 105, text)
            return
        tif = request.terms.tif or order.terms.tif
        order.terms = replace(request.terms, account=order.terms.account, tif=tif)
        order.placed_at = self._broker.now
        self._tell(order, self.open_order(order), self._status(order))
        if self._broker.market.is_open(self._broker.now):
            self._try_now(order)

    def _lacks_margin(self, client_id: int, request: q.PlaceOrder, listing: Listing) -> bool:
        before, after = self._margins(request.terms, listing)
        needed, equity = after.initial or Decimal(0), after.equity_with_loan or Decimal(0)
        if needed <= (before.initial or Decimal(0)) or needed <= equity:
            return False
        text = (
            "Order rejected - reason:YOUR ORDER IS NOT ACCEPTED. IN ORDER TO OBTAIN THE DESIRED "
            f"POSITION YOUR EQUITY WITH LOAN VALUE [{equity:.2f} USD] MUST EXCEED THE INITIAL "
            f"MARGIN [{needed:.2f} USD]"
        )
        self._broker.refuse(client_id, request.order_id, 201, text)
        return True

    def _margins(self, terms: OrderTerms, listing: Listing) -> tuple[Margin, Margin]:
        broker = self._broker
        quote = broker.market.quote(listing, broker.now)
        seen = None if quote is None else (quote.against(terms.side) or quote.last)
        price = seen if terms.limit_price is None else terms.limit_price
        cost = commission(terms.quantity)
        trade = Trade(listing.con_id, terms.quantity * terms.side, price or Decimal(0), cost)
        before = rounded(broker.account.margin(broker.price))
        return before, rounded(broker.account.after(trade).margin(broker.price))

    def _answer_what_if(self, client_id: int, request: q.PlaceOrder, listing: Listing) -> None:
        before, after = self._margins(request.terms, listing)
        cost = commission(request.terms.quantity)
        state = OrderState(
            "PreSubmitted",
            before=before,
            change=margin_change(before, after),
            after=after,
            commission=cost,
            commission_min=cost,
            commission_max=cost,
            commission_currency=self._broker.account.currency,
        )
        terms = replace(request.terms, account=self._broker.account.account_id)
        contract = listing.contract(request.contract.exchange or "SMART")
        answer = r.OpenOrder(request.order_id, client_id, 0, contract, terms, state)
        self._broker.send(client_id, answer)

    def _fill(self, order: Order, price: Decimal) -> None:
        seed = number_from(self._broker.options.seed, "fill", order.perm_id)
        for quantity in parts(order.remaining, self._broker.options.executions_quantity_max, seed):
            self._execute(order, quantity, price)
        self._accounts.traded(order.contract.con_id)

    def _execute(self, order: Order, quantity: Decimal, price: Decimal) -> None:
        execution = self._book(order, quantity, price)
        cost = commission(order.filled) - (order.commission or Decimal(0))
        trade = Trade(order.contract.con_id, quantity * order.terms.side, price, cost)
        realized = self._broker.account.apply(trade)
        order.status = "Submitted" if order.remaining else "Filled"
        self._tell(order, self.execution_details(order, execution))
        self._tell(order, self.open_order(order), self._status(order))
        order.commission = commission(order.filled)
        report = r.CommissionReport(
            execution.execution_id, cost, self._broker.account.currency, realized
        )
        self._commissions[execution.execution_id] = report
        if not order.remaining:
            self._finish(order)
        self._tell(order, self.open_order(order), report)

    def _book(self, order: Order, quantity: Decimal, price: Decimal) -> Execution:
        self._executed += 1
        cumulative = order.filled + quantity
        value = order.filled * order.price_average + quantity * price
        execution = Execution(
            execution_id=execution_id(self._broker.options.seed, self._executed),
            time=self._broker.now,
            exchange=order.contract.primary_exchange,
            side="BOT" if order.terms.side > 0 else "SLD",
            quantity=quantity,
            price=price,
            quantity_cumulative=cumulative,
            price_average=(value / cumulative).quantize(Decimal("0.00000001")),
        )
        order.executions.append(execution)
        self.executions.append((order, execution))
        return execution

    def execution_details(
        self, order: Order, execution: Execution, request_id: int = -1
    ) -> r.ExecutionDetails:
        """The execution as execDetails shows it."""
        return r.ExecutionDetails(
            request_id=request_id,
            order_id=order.order_id,
            client_id=order.client_id,
            perm_id=order.perm_id,
            contract=replace(order.contract, exchange=execution.exchange),
            execution=execution,
            account=order.terms.account,
            order_ref=order.terms.order_ref,
        )

    def forget_before(self, now: datetime) -> None:
        """At New York midnight executions and completed orders of the day before are gone."""
        today = new_york_day(now)
        self.executions = [item for item in self.executions if new_york_day(item[1].time) == today]
        self.done = [
            order
            for order in self.done
            if order.completed_at is not None and new_york_day(order.completed_at) == today
        ]
        self._orders = {
            key: order
            for key, order in self._orders.items()
            if order.completed_at is None or new_york_day(order.completed_at) == today
        }
        kept = {execution.execution_id for _, execution in self.executions}
        self._commissions = {key: item for key, item in self._commissions.items() if key in kept}

    def _finish(self, order: Order) -> None:
        order.completed_at = self._broker.now
        self._working.pop(order.perm_id, None)
        self.done.append(order)

    def _status(self, order: Order) -> r.OrderStatus:
        last = order.executions[-1].price if order.executions else Decimal(0)
        return r.OrderStatus(
            order.order_id,
            order.status,
            order.filled,
            order.remaining,
            order.price_average,
            order.perm_id,
            order.terms.parent_id,
            last,
            order.client_id,
        )

    def _tell(self, order: Order, *replies: r.Reply) -> None:
        """The client that placed an order hears about it, and the master client."""
        self._broker.send(order.client_id, *replies)
        master = self._broker.master_client_id
        if master is not None and master != order.client_id:
            self._broker.send(master, *replies)


HANDLERS: dict[type[Any], Callable[[OrderDesk, int, Any], None]] = {
    q.PlaceOrder: OrderDesk.place,
    q.CancelOrder: OrderDesk.cancel,
    q.GlobalCancel: OrderDesk.cancel_all,
}

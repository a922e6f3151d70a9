"""Executions: booked, told, corrected and taken back.

Sequence of each, as recorded from IB: execDetails, openOrder and orderStatus with the new state,
openOrder with the commission, commissionReport; after the last one, positions and account values.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from gateway.simulator import replies as r
from gateway.simulator.account.account import CONVERSION, Trade
from gateway.simulator.account.account_desk import AccountDesk
from gateway.simulator.broker import Broker
from gateway.simulator.orders.fills import corrected_id, execution_id, number_from, parts
from gateway.simulator.orders.order_record import OrderRecord
from gateway.simulator.orders.order_reports import (
    OrderReports,
    execution_details,
    open_order,
    status,
)
from gateway.simulator.orders.orders import PENDING_CANCEL, Execution, Order

PRICE_STEP = Decimal("0.00000001")


class ExecutionDesk:
    """Everything that is executed, whichever rule or person made it happen."""

    def __init__(self, broker: Broker, record: OrderRecord, accounts: AccountDesk) -> None:
        self._broker = broker
        self._record = record
        self._accounts = accounts
        self._reports = OrderReports(broker)
        self._executed = 0
        self.on_trade: Callable[[Order, Decimal], None] = _nobody
        """Who hears of it when an order traded, with the quantity: children and groups follow."""

    def fill(self, order: Order, quantity: Decimal, price: Decimal) -> None:
        """Execute so much of an order, in as many parts as the options say."""
        for part in self._parts(order, quantity):
            self._execute(order, part, price)
        self._accounts.traded(order.contract.con_id)
        self.on_trade(order, quantity)

    def correct(
        self, execution_id_: str, quantity: Decimal | None = None, price: Decimal | None = None
    ) -> Execution:
        """Replace an execution of today: the same id with its last group counted up.

        The old trade is taken back at its own price and the new one booked, so cash and quantity
        are exact; the average cost of what else is held keeps the trace of the way back, as
        realized against unrealized profit.

        Raises:
            ValueError: no such execution, it was already corrected, the order is too small, or the
                share was split since: its quantity and price mean something else now.
        """
        order, old = self._latest(execution_id_)
        listing = self._broker.contracts.by_con_id(order.contract.con_id)
        if self._broker.market.was_split(listing, old.time):
            raise ValueError(f"{order.contract.symbol} was split since execution {execution_id_}")
        new = replace(
            old,
            execution_id=corrected_id(old),
            quantity=old.quantity if quantity is None else quantity,
            price=old.price if price is None else price,
        )
        if new.quantity < 0 or order.filled - old.quantity + new.quantity > order.terms.quantity:
            raise ValueError(f"{new.quantity} is no quantity for execution {execution_id_}")
        self._replace(order, old, new)
        return order.executions[-1]

    def bust(self, execution_id_: str) -> Execution:
        """Take an execution of today back: it comes again with its id counted up, and 0 shares.

        Raises:
            ValueError: no such execution, or it was already corrected.
        """
        return self.correct(execution_id_, quantity=Decimal(0))

    def _parts(self, order: Order, quantity: Decimal) -> list[Decimal]:
        options = self._broker.options
        if options.executions_quantity_max is None:
            return [quantity]
        seed = number_from(options.seed, "fill", order.perm_id + len(order.executions))
        return parts(quantity, options.executions_quantity_max, seed)

    def _execute(self, order: Order, quantity: Decimal, price: Decimal) -> None:
        execution = self._execution(order, quantity, price)
        listing = self._broker.contracts.by_con_id(order.contract.con_id)
        self._add(order, execution)
        total = self._broker.commission(listing, order.filled, order.price_average)
        cost = total - (order.commission or Decimal(0))
        converts = order.contract.exchange == CONVERSION
        trade = Trade(listing, quantity * order.terms.side, price, cost, converts)
        realized = self._broker.account.apply(trade)
        if not order.remaining:
            order.status, order.why_held = "Filled", ""
        elif order.working and order.status != PENDING_CANCEL:
            order.status = "Submitted"
        tell = self._reports.tell
        tell(order, execution_details(order, execution), open_order(order), status(order))
        order.commission = total
        order.commission_currency = self._broker.commission_currency(listing)
        report = r.CommissionReport(
            execution.execution_id, cost, order.commission_currency, realized
        )
        self._record.commissions[execution.execution_id] = report
        if order.working and not order.remaining:
            self._record.finish(order, self._broker.now)
        tell(order, open_order(order), report)

    def _execution(self, order: Order, quantity: Decimal, price: Decimal) -> Execution:
        self._executed += 1
        contract = order.contract
        value = order.filled * order.price_average + quantity * price
        cumulative = order.filled + quantity
        return Execution(
            execution_id=execution_id(self._broker.options.seed, self._executed),
            time=self._broker.now,
            exchange=contract.primary_exchange or contract.exchange,
            side="BOT" if order.terms.side > 0 else "SLD",
            quantity=quantity,
            price=price,
            quantity_cumulative=cumulative,
            price_average=(value / cumulative).quantize(PRICE_STEP),
            liquidation=int(order.liquidation),
        )

    def _add(self, order: Order, execution: Execution) -> None:
        order.executions.append(execution)
        self._record.executions.append((order, execution))
        if order.working:
            left = order.remaining - execution.quantity
            self._record.reserve(order, order.margin_reserved * left / order.remaining)
        order.filled = execution.quantity_cumulative
        order.price_average = execution.price_average

    def _latest(self, execution_id_: str) -> tuple[Order, Execution]:
        stem = execution_id_.rpartition(".")[0]
        same = [
            pair
            for pair in self._record.executions
            if pair[1].execution_id.rpartition(".")[0] == stem
        ]
        if not same or same[-1][1].execution_id != execution_id_:
            raise ValueError(f"no execution {execution_id_!r} of today that can be corrected")
        return same[-1]

    def _replace(self, order: Order, old: Execution, new: Execution) -> None:
        """Book a correction and tell it: execDetails, commissionReport, a status if it fills up."""
        order.executions.remove(old)
        filled = order.filled - old.quantity + new.quantity
        value = order.filled * order.price_average - old.quantity * old.price
        value += new.quantity * new.price
        average = (value / filled).quantize(PRICE_STEP) if filled else Decimal(0)
        new = replace(new, quantity_cumulative=filled, price_average=average)
        order.executions.append(new)
        order.filled, order.price_average = filled, average
        self._record.executions.append((order, new))
        report = self._rebook(order, old, new)
        self._reports.tell(order, execution_details(order, new), report)
        if order.status != "Filled" and not order.remaining:
            order.status, order.why_held = "Filled", ""
            self._record.finish(order, self._broker.now)
            self._reports.tell_state(order)
        self._accounts.traded(order.contract.con_id)
        self.on_trade(order, max(new.quantity - old.quantity, Decimal(0)))

    def _rebook(self, order: Order, old: Execution, new: Execution) -> r.CommissionReport:
        listing = self._broker.contracts.by_con_id(order.contract.con_id)
        account, side = self._broker.account, order.terms.side
        paid = self._record.commissions[old.execution_id].commission
        total = self._broker.commission(listing, order.filled, order.price_average)
        cost = paid + total - (order.commission or Decimal(0))
        converts = order.contract.exchange == CONVERSION
        # What the others of the order cost now (a minimum goes over to them) has no other trade.
        back = -paid if new.quantity else cost - paid
        account.apply(Trade(listing, -side * old.quantity, old.price, back, converts))
        realized = None
        if new.quantity:
            trade = Trade(listing, side * new.quantity, new.price, cost, converts)
            realized = account.apply(trade)
        order.commission = total
        report = r.CommissionReport(new.execution_id, cost, order.commission_currency, realized)
        self._record.commissions[new.execution_id] = report
        return report


def _nobody(order: Order, quantity: Decimal) -> None:
    """No order is tied to another yet."""

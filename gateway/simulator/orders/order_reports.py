"""What clients are told of an order, and who is told."""

from dataclasses import replace
from decimal import Decimal
from functools import lru_cache

from gateway.simulator import replies as r
from gateway.simulator.broker import Broker
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import Execution, Order, OrderState

NOTHING = Decimal(0)


class OrderReports:
    """Orders and executions as messages, for the client they belong to and the master client."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def tell(self, order: Order, *replies: r.Reply) -> None:
        """The client that placed an order hears about it, and the master client."""
        self._broker.send(order.client_id, *replies)
        master = self._broker.master_client_id
        if master is not None and master != order.client_id:
            self._broker.send(master, *replies)

    def tell_state(self, order: Order) -> None:
        """openOrder and orderStatus, as they come together."""
        self.tell(order, open_order(order), status(order))

    def tell_status(self, order: Order) -> None:
        """orderStatus alone."""
        self.tell(order, status(order))

    def notice(self, order: Order, code: int, text: str) -> None:
        """An error message about an order; only the client that placed it gets it."""
        self._broker.refuse(order.client_id, order.order_id, code, text)


def open_order(order: Order) -> r.OpenOrder:
    """The order as openOrder shows it."""
    state = OrderState(
        order.status,
        commission=order.commission,
        commission_currency="" if order.commission is None else order.commission_currency,
    )
    return r.OpenOrder(
        order.order_id, order.client_id, order.perm_id, order.contract, order.terms, state
    )


def status(order: Order) -> r.OrderStatus:
    """The order as orderStatus shows it."""
    return r.OrderStatus(
        order.order_id,
        order.status,
        order.filled,
        order.remaining,
        order.price_average,
        order.perm_id,
        order.terms.parent_id,
        order.executions[-1].price if order.executions else NOTHING,
        order.client_id,
        order.why_held,
    )


def execution_details(
    order: Order, execution: Execution, request_id: int = -1
) -> r.ExecutionDetails:
    """The execution as execDetails shows it; the contract's exchange is where it happened."""
    return r.ExecutionDetails(
        request_id=request_id,
        order_id=order.order_id,
        client_id=order.client_id,
        perm_id=order.perm_id,
        contract=_executed_at(order.contract, execution.exchange),
        execution=execution,
        account=order.terms.account,
        order_ref=order.terms.order_ref,
    )


@lru_cache(maxsize=1024)
def _executed_at(contract: Contract, exchange: str) -> Contract:
    """The contract on this exchange; there are few pairs, and every execution asks."""
    return replace(contract, exchange=exchange)

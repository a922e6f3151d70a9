"""Answers about orders past and present: open ones, completed ones, executions."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.broker import Broker
from gateway.simulator.market.history import HistoryError, parse_end
from gateway.simulator.market.hours import NEW_YORK, TIME_ZONE_NAME
from gateway.simulator.orders.order_desk import HAND_CLIENT_ID, OrderDesk
from gateway.simulator.orders.order_reports import execution_details, open_order, status
from gateway.simulator.orders.orders import Execution, Order


class RecordDesk:
    """Reads what the order desk has on record."""

    def __init__(self, broker: Broker, orders: OrderDesk) -> None:
        self._broker = broker
        self._orders = orders

    def open_orders(self, client_id: int, request: q.OpenOrdersRequest) -> None:
        """reqOpenOrders: the working orders of the client that asks.

        Client 0 is given those made by hand first, each under a negative id of its own.
        """
        if client_id == HAND_CLIENT_ID:
            for order in self._orders.working:
                if order.by_hand:
                    self._orders.bind(order)
        self._send_open(client_id, [o for o in self._orders.working if o.client_id == client_id])

    def all_open_orders(self, client_id: int, request: q.AllOpenOrdersRequest) -> None:
        """reqAllOpenOrders: the working orders of all clients."""
        self._send_open(client_id, self._orders.working)

    def auto_open_orders(self, client_id: int, request: q.AutoOpenOrdersRequest) -> None:
        """reqAutoOpenOrders: only client 0 may; from now on it is given orders made by hand."""
        if client_id == HAND_CLIENT_ID:
            self._orders.bind_hand_orders(request.bind)
            return
        text = "Only the default client (i.e 0) can auto bind orders"
        self._broker.refuse(client_id, -1, 327, text)

    def completed_orders(self, client_id: int, request: q.CompletedOrdersRequest) -> None:
        """reqCompletedOrders: today's, of all clients; `api_only` leaves those by hand out."""
        shown = [o for o in self._orders.done if not (o.by_hand and request.api_only)]
        rows = [_completed(order) for order in shown]
        self._broker.send(client_id, *rows, r.CompletedOrdersEnd())

    def executions(self, client_id: int, request: q.ExecutionsRequest) -> None:
        """reqExecutions: since midnight; the master client's reach is all, others' their own."""
        try:
            since = parse_end(request.time, self._broker.now) if request.time else None
        except HistoryError as error:
            self._broker.refuse(client_id, request.request_id, 321, str(error))
            return
        record = self._orders.record
        for order, execution in record.executions:
            if self._may_see(client_id, order) and _fits(order, execution, request, since):
                details = execution_details(order, execution, request.request_id)
                report = record.commissions[execution.execution_id]
                self._broker.send(client_id, details, report)
        self._broker.send(client_id, r.ExecutionDetailsEnd(request.request_id))

    def _may_see(self, client_id: int, order: Order) -> bool:
        return client_id in {self._broker.master_client_id, order.client_id}

    def _send_open(self, client_id: int, orders: list[Order]) -> None:
        for order in orders:
            self._broker.send(client_id, open_order(order), status(order))
        self._broker.send(client_id, r.OpenOrderEnd())


def _completed(order: Order) -> r.CompletedOrder:
    filled = order.status == "Filled"
    text = f"Filled Size: {order.filled}" if filled else "Cancelled by Trader"
    return r.CompletedOrder(
        order.perm_id,
        order.contract,
        order.terms,
        order.status,
        order.filled,
        _time_text(order.completed_at),
        text,
        0 if order.parent is None else order.parent.perm_id,
    )


def _time_text(when: datetime | None) -> str:
    return "" if when is None else f"{when.astimezone(NEW_YORK):%Y%m%d %H:%M:%S} {TIME_ZONE_NAME}"


def _fits(
    order: Order, execution: Execution, request: q.ExecutionsRequest, since: datetime | None
) -> bool:
    sides = {"BUY": "BOT", "SELL": "SLD"}
    pairs = (
        (request.client_id or "", order.client_id),
        (request.account, order.terms.account),
        (request.symbol, order.contract.symbol),
        (request.security_type, order.contract.security_type),
        (request.exchange, execution.exchange),
        (sides.get(request.side, request.side), execution.side),
    )
    fits = all(wanted in {"", have} for wanted, have in pairs)
    return fits and (since is None or execution.time >= since)


HANDLERS: dict[type[Any], Callable[[RecordDesk, int, Any], None]] = {
    q.OpenOrdersRequest: RecordDesk.open_orders,
    q.AllOpenOrdersRequest: RecordDesk.all_open_orders,
    q.AutoOpenOrdersRequest: RecordDesk.auto_open_orders,
    q.CompletedOrdersRequest: RecordDesk.completed_orders,
    q.ExecutionsRequest: RecordDesk.executions,
}

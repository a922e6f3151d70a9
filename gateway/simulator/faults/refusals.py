"""Refusals: orders that are rejected, cancels that fail, and notices that only look like it."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from gateway.simulator.faults.selection import ClientFault, OrderFault, RequestFault, Selective
from gateway.simulator.faults.subjects import OrderKey, kind_of, request_id
from gateway.simulator.faults.trades import fill
from gateway.simulator.notices import (
    CANCELLED,
    COMPETING_SESSION,
    DUPLICATE_ORDER,
    FRACTIONAL,
    NO_DEFINITION,
    NO_SHARES,
    NOT_SUBSCRIBED,
    OFF_TICK,
    PRESET,
    UNSUPPORTED_TYPE,
    Refusal,
    late_cancel,
    rejected,
    unknown_cancel,
)
from gateway.simulator.orders.orders import OrderState
from gateway.simulator.pacing import MESSAGES_PER_SECOND_MAX, Violation
from gateway.simulator.replies import Cut, Delivery, Notice, OpenOrder
from gateway.simulator.requests import CancelOrder, PlaceOrder

RejectionReason = Literal[
    "margin",
    "short",
    "order_count",
    "price",
    "fraction",
    "validation",
    "subscription",
    "algo",
    "contract",
    "duplicate_id",
    "permissions",
    "closed",
    "precaution",
]
REJECTIONS: dict[str, Refusal] = {
    "margin": rejected(
        "YOUR ORDER IS NOT ACCEPTED. IN ORDER TO OBTAIN THE DESIRED POSITION YOUR EQUITY WITH LOAN "
        "VALUE [1000.00 USD] MUST EXCEED THE INITIAL MARGIN [2000.00 USD]"
    ),
    "short": NO_SHARES,
    "order_count": rejected(
        "Your account has a minimum of 20 orders working on either the buy or sell side for this "
        "particular contract."
    ),
    "price": OFF_TICK,
    "fraction": FRACTIONAL,
    "validation": Refusal(321, "Error validating request.-'bW' : cause - Invalid order"),
    "subscription": NOT_SUBSCRIBED,
    "algo": UNSUPPORTED_TYPE,
    "contract": NO_DEFINITION,
    "duplicate_id": DUPLICATE_ORDER,
    "permissions": Refusal(460, "No trading permissions."),
    "closed": rejected("Exchange is closed."),
    "precaution": Refusal(
        109,
        "Price is out of the range defined by the Percentage setting at order defaults frame. The "
        "order will not be transmitted.",
    ),
}
"""Why IB refuses orders, with its codes: ib.md 4 and 4.1, item 6; LEAN IB #245; ibsync #10."""


def _too_fast(number: int) -> Notice:
    """Error 100 for the n-th time, with the counts of a message that was seen."""
    return Violation(MESSAGES_PER_SECOND_MAX, 106, number).notice


REQUEST_ERRORS: dict[int, str] = {
    100: _too_fast(1).text,
    162: "Historical Market Data Service error message:HMDS query returned no data",
    200: NO_DEFINITION.text,
    321: "Error validating request.-'bW' : cause - Invalid request",
    322: "Error processing request.-'bW' : cause - Maximum number of requests exceeded",
    354: NOT_SUBSCRIBED.text,
    366: "No historical data query found for ticker id",
    10089: "Requested market data requires additional subscription for API.",
    10197: COMPETING_SESSION.text,
}
PACING = "Historical Market Data Service error message:Historical data request pacing violation"
READ_ONLY = (
    "Error validating request.-'bW' : cause - The API interface is currently in Read-Only mode."
)
MISLEADING: dict[int, str] = {
    110: OFF_TICK.text,
    202: CANCELLED.text,
    399: "Order Message:\nWarning: your order will not be placed at the exchange until the open",
    404: "Shares for this order are not immediately available for short sale.",
    2109: (
        "Order Event Warning: Attribute 'Outside Regular Trading Hours' is ignored based on the "
        "order type and destination. PlaceOrder is now being processed."
    ),
    10148: "OrderId {id} that needs to be cancelled cannot be cancelled, state: PendingSubmit.",
    10349: PRESET.text,
}
"""Notices after which an order lives on, though a client may take it for dead."""


@dataclass(kw_only=True, eq=False)
class Rejection(OrderFault):
    """A new order is refused for a `reason`, with the code IB uses for it."""

    reason: RejectionReason = "margin"

    def on_order(self, client_id: int, request: PlaceOrder) -> Any | None:
        """Refuse it; its id is used up as by any order."""
        self.scene.exchange.orders.record.ids(client_id).use(request.order_id)
        self.say(client_id, Notice(request.order_id, *REJECTIONS[self.reason]))
        return None


@dataclass(kw_only=True, eq=False)
class LateRejection(OrderFault):
    """An order is accepted and then refused `seconds` later: status Inactive, then the error."""

    seconds: float = 0.08
    reason: RejectionReason = "fraction"

    def on_order(self, client_id: int, request: PlaceOrder) -> Any | None:
        """Book it, keep it from the market, then refuse it."""
        self.scene.ask(client_id, request, self.id, held=self.mark)
        self.later(self.seconds, lambda: self._reject(client_id, request.order_id))
        return None

    def on_delivery(self, delivery: Delivery) -> tuple[Delivery, ...]:
        """Nobody learns why it is held."""
        return (self.unmarked(delivery),)

    def _reject(self, client_id: int, order_id: int) -> None:
        order = self.order_of((client_id, order_id))
        code, text = REJECTIONS[self.reason]
        if order is not None and order.working:
            self.scene.act(lambda: self.scene.exchange.orders.reject(order, code, text))


@dataclass(kw_only=True, eq=False)
class MisleadingNotice(OrderFault):
    """A notice that reads like a refusal (399, 404, 2109, 110, 10148 ...) on an order that lives.

    It comes `seconds` after the order, or after its change or cancel (`to`).
    Source: ib.md 2.1, rows 1 to 3.
    """

    code: Literal[110, 202, 399, 404, 2109, 10148, 10349] = 399
    to: Literal["order", "change", "cancel"] = "order"
    seconds: float = 0.0

    def on_order(self, client_id: int, request: PlaceOrder) -> Any | None:
        """Say it after the order was booked."""
        if self.to == "order":
            self._say_later(client_id, request.order_id)
        return request

    def on_other_request(self, client_id: int, request: Any) -> Any | None:
        """Say it after the change or the cancel."""
        changes = self.to == "change" and isinstance(request, PlaceOrder)
        if changes or (self.to == "cancel" and isinstance(request, CancelOrder)):
            order = self.order_of((client_id, request.order_id))
            if order is not None and self.means(order):
                self._say_later(client_id, request.order_id)
        return request

    def _say_later(self, client_id: int, order_id: int) -> None:
        text = MISLEADING[self.code].format(id=order_id)
        self.later(self.seconds, lambda: self.say(client_id, Notice(order_id, self.code, text)))


@dataclass(kw_only=True, eq=False)
class CancelRefused(OrderFault):
    """A cancel is refused, and the order goes on. Source: ib.md 4, D3."""

    code: Literal[161, 10147, 10148] = 161

    def on_other_request(self, client_id: int, request: Any) -> Any | None:
        """Refuse the cancel."""
        if not is_cancel_of(self, client_id, request):
            return request
        self.say(client_id, Notice(request.order_id, self.code, self._text(request.order_id)))
        return None

    def _text(self, order_id: int) -> str:
        return {
            161: "Cancel attempted when order is not in a cancellable state.",
            10147: unknown_cancel(order_id).text,
            10148: late_cancel(order_id, "Submitted").text,
        }[self.code]


@dataclass(kw_only=True, eq=False)
class CancelLost(OrderFault):
    """A cancel is lost on its way: no answer, and the order goes on."""

    def on_other_request(self, client_id: int, request: Any) -> Any | None:
        """Lose the cancel."""
        if not is_cancel_of(self, client_id, request):
            return request
        return None


@dataclass(kw_only=True, eq=False)
class LateCancel(OrderFault):
    """A cancel is dealt with `seconds` late; with `filled` the order trades before that.

    Then the answer is 10148. Source: ib.md 4, F18; reliability.md A.8 row 1.
    """

    seconds: float = 2.0
    filled: bool = True

    def on_other_request(self, client_id: int, request: Any) -> Any | None:
        """Let the order trade, and the cancel come too late."""
        if not is_cancel_of(self, client_id, request):
            return request
        if self.filled:
            key = (client_id, request.order_id)
            self.later(self.seconds / 2, lambda: fill(self, key))
        self.ask_later(self.seconds, client_id, request)
        return None


@dataclass(kw_only=True, eq=False)
class RefusedRequests(RequestFault):
    """Requests of a kind are answered by an error instead: 100, 162, 200, 321, 322, 354 ..."""

    code: Literal[100, 162, 200, 321, 322, 354, 366, 10089, 10197] = 200

    def on_meant(self, client_id: int, request: Any) -> Any | None:
        """Refuse it."""
        self.say(client_id, Notice(subject_id(request), self.code, REQUEST_ERRORS[self.code]))
        return None


@dataclass(kw_only=True, eq=False)
class UnansweredRequests(RequestFault):
    """Requests of a kind are never answered. Source: pysystemtrade #1659."""

    def on_meant(self, client_id: int, request: Any) -> Any | None:
        """Lose it."""
        return None


@dataclass(kw_only=True, eq=False)
class HistoricalPacing(RequestFault):
    """reqHistoricalData is refused with 162, pacing violation. Source: ib.md 4, D2, F3."""

    kind: str = "historical_data"

    def on_meant(self, client_id: int, request: Any) -> Any | None:
        """Refuse it."""
        self.say(client_id, Notice(request_id(request), 162, PACING))
        return None


@dataclass(kw_only=True, eq=False)
class PacingRefusals(RequestFault):
    """Requests are refused with error 100 and lost; the `violations`-th cuts the connection.

    Source: ib.md 4, D1, F1; 2.1, row 20: the refused orders are never heard of again.
    """

    kind: str = "place_order"
    violations: int = 3

    def on_meant(self, client_id: int, request: Any) -> Any | None:
        """Refuse, count, and cut."""
        if self.struck > self.violations:
            return request
        self.say(client_id, _too_fast(self.struck))
        if self.struck == self.violations:
            self.say(client_id, Cut())
        return None


@dataclass(kw_only=True, eq=False)
class ReadOnlyApi(ClientFault):
    """The API is read-only: orders, open and completed orders get 321 with id -1 and no end.

    Source: ib.md 1.9.
    """

    def on_request(self, client_id: int, request: Any) -> Any | None:
        """Refuse what has to do with orders."""
        if kind_of(request) not in ORDER_REQUESTS or not self.meets(client_id):
            return request
        self.say(client_id, Notice(-1, 321, READ_ONLY))
        return None


@dataclass(kw_only=True, eq=False)
class WhatIfTrouble(Selective):
    """A what-if is answered badly: `unset` margins first and the real ones `seconds` later, only a
    `warning`, `refused`, or `never`. Source: ib.md 2.1, rows 11 and 12; 4, F17."""

    answer: Literal["unset", "warning", "refused", "never"] = "unset"
    seconds: float = 1.0

    asked: set[OrderKey] = field(init=False, default_factory=set, repr=False)

    def on_request(self, client_id: int, request: Any) -> Any | None:
        """Answer it badly."""
        if not isinstance(request, PlaceOrder) or not request.terms.what_if:
            return request
        if not self.strikes(client_id, request.contract.symbol, f"what-if {request.order_id}"):
            return request
        if self.answer == "warning":
            self.say(client_id, Notice(request.order_id, 399, MISLEADING[399]))
        elif self.answer == "refused":
            self.say(client_id, Notice(request.order_id, *REJECTIONS["margin"]))
        elif self.answer == "unset":
            self.asked.add((client_id, request.order_id))
            return request
        return None

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Send an answer without numbers first."""
        passing: list[Delivery] = []
        for client_id, reply in deliveries:
            said = reply
            if isinstance(reply, OpenOrder) and (client_id, reply.order_id) in self.asked:
                self.asked.discard((client_id, reply.order_id))
                self.hold(self.seconds, [(client_id, reply)])
                bare = OrderState(reply.state.status, warning=MISLEADING[399])
                said = replace(reply, state=bare)
            passing.append((client_id, said))
        return passing


ORDER_REQUESTS = frozenset(
    {
        "place_order",
        "cancel_order",
        "global_cancel",
        "open_orders",
        "all_open_orders",
        "auto_open_orders",
        "completed_orders",
    }
)
"""What a gateway in read-only mode refuses."""


def is_cancel_of(fault: OrderFault, client_id: int, request: Any) -> bool:
    """Whether a request cancels an order that is meant."""
    if not isinstance(request, CancelOrder):
        return False
    order = fault.order_of((client_id, request.order_id))
    return order is not None and fault.means(order)


def subject_id(request: Any) -> int:
    """The id an error about this request carries."""
    return request.order_id if hasattr(request, "order_id") else request_id(request)

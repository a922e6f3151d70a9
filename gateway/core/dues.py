"""The nets that an order's end makes due: a cancel is confirmed [N1d], a flip is at 0 [N6], or it
leaves something of what a person closed (behaviour 5).

An order says itself that such a net waits, so that the next gateway makes it where this one ends.
"""

from collections.abc import Mapping
from dataclasses import replace

from gateway.core.events import NetCause
from schemas.documents import OrderDocument


def due_after(
    before: OrderDocument, order: OrderDocument, *, is_left_over: bool = False
) -> NetCause | None:
    """The net that this step of an order makes due, or None; a step is taken once.

    `is_left_over`: its end leaves something to be closed (`closing.is_left_over`).
    """
    if order.state != "DONE" or before.state == "DONE":
        return None
    if before.state == "CANCELLING" or _is_half_of_flip(order):
        return _cause(order)
    return replace(_cause(order), reason="close_all goes on") if is_left_over else None


def netted(orders: Mapping[str, OrderDocument]) -> Mapping[str, OrderDocument]:
    """The orders once a net has been made: none waits any more."""
    waiting = {ref: order for ref, order in orders.items() if order.waits_for_net}
    if not waiting:
        return orders
    return {**orders, **{ref: replace(o, waits_for_net=False) for ref, o in waiting.items()}}


def left_due(
    orders: Mapping[str, OrderDocument], generations: Mapping[int, int]
) -> NetCause | None:
    """The net that a gateway has left unmade, or None.

    One that journaled something in the order's contract was made, if not told so any more.
    """
    waiting = [
        order
        for order in orders.values()
        if order.waits_for_net and generations.get(order.contract.con_id, 0) <= order.generation
    ]
    latest = max(waiting, key=lambda o: (o.updated_at or o.created_at, o.order_ref), default=None)
    return None if latest is None else _cause(latest)


def _cause(order: OrderDocument) -> NetCause:
    reason = "flip" if _is_half_of_flip(order) else "cancel confirmed"
    return NetCause(reason, f"after-{order.order_ref}")


def _is_half_of_flip(order: OrderDocument) -> bool:
    """Whether the order has done what it was cut down to: all that led to 0, by its fills."""
    is_whole = abs(order.filled) >= abs(order.quantity)
    return order.is_flip and order.outcome == "filled" and is_whole

"""The last look at an order before it is written to the broker: the Knight invariant.

Knight Capital lost 460 million dollars in 45 minutes because child orders went on being sent after
their parent was filled (SEC release 34-70694, 2013). So, whatever the code before this did: what
is written never exceeds the parent that was journaled, and no order is written twice.
"""

from collections.abc import Mapping
from decimal import Decimal

from schemas.documents import OrderDocument


class Breach(Exception):
    """An order that must never be written: a defect of ours. Nothing more may be sent."""


def check(order: OrderDocument, parent: OrderDocument | None, sent: Mapping[str, str]) -> None:
    """Raise `Breach` with a sentence unless the order may be written now.

    `parent` is the order as journaled and as all that was heard since has made it; None was never
    journaled. `sent` has the state of every order that this process has written, by order_ref.
    """
    ref = order.order_ref
    if ref in sent:
        raise Breach(f"{ref} was written to the broker before")
    if parent is None:
        raise Breach(f"{ref} was never journaled")
    if order.state != "PENDING" or parent.state != "PENDING":
        state = parent.state if parent.state != "PENDING" else order.state
        raise Breach(f"{ref} is {state}; only a PENDING order may be written")
    _check_allocations(order)
    _check_intent(order, parent)
    _check_alone(order, sent)


def _check_allocations(order: OrderDocument) -> None:
    quantities = [share.quantity for share in order.allocations]
    total = sum(quantities, Decimal(0))
    if order.quantity != total or not total:
        raise Breach(
            f"{order.order_ref} is of {order.quantity:+f} and its allocations are of {total:+f}"
        )
    if any(quantity * total <= 0 for quantity in quantities):
        raise Breach(f"{order.order_ref} has allocations that are not all of one side")


def _check_intent(order: OrderDocument, parent: OrderDocument) -> None:
    """Children <= parent: what is filled and what would be written stay within what was meant."""
    used = max(abs(parent.filled), abs(parent.broker_filled))
    meant = parent.quantity
    if order.quantity * meant <= 0 or abs(order.quantity) + used > abs(meant):
        raise Breach(
            f"{order.order_ref} would write {order.quantity:+f} with {used:f} filled, beyond the "
            f"{meant:+f} that were journaled"
        )
    if order.contract.con_id != parent.contract.con_id:
        raise Breach(f"{order.order_ref} was journaled for another contract")


def _check_alone(order: OrderDocument, sent: Mapping[str, str]) -> None:
    """At most one order of a contract is alive at the broker [N5]."""
    contract = order.order_ref.rpartition("-")[0]
    for ref, state in sent.items():
        if state != "DONE" and ref.rpartition("-")[0] == contract:
            raise Breach(f"{order.order_ref} would stand beside {ref}, which is {state}")

"""Why nothing is ordered in a contract, in words for the person who settles it [B3, R2, A2]."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from schemas.documents import Lock, OrderDocument

type Locks = Mapping[str, Lock]
"""By conId as text."""


def unexplained(symbol: str, missing: Decimal, since: datetime) -> Lock:
    """The law does not hold in a contract."""
    reason = (
        f"{missing:+f} {symbol} at the broker that neither a book nor EXTERNAL explains; "
        f"say adopt, or wait for the executions that explain it"
    )
    return Lock(symbol, "unexplained", reason, since)


def overfilled(order: OrderDocument, beyond: Decimal) -> Lock:
    """More was filled than ordered; nobody asked for the rest."""
    symbol = order.contract.symbol
    reason = (
        f"{order.order_ref} was filled by {beyond:+f} {symbol} beyond its quantity of "
        f"{order.quantity:f}; say adopt"
    )
    return Lock(symbol, "unexplained", reason, order.updated_at or order.created_at)


def unknown_order(symbol: str, order_ref: str, since: datetime) -> Lock:
    """The broker works an order of ours that, by all we know, does not exist or is over."""
    reason = (
        f"the broker works {order_ref}, which is over or unknown here; cancel it at the broker, "
        f"then say reconcile"
    )
    return Lock(symbol, "unknown_order", reason, since)


def lifted(locks: Locks, con_id: int) -> dict[str, Lock]:
    """The locks once a contract's quantity is explained; one for an unknown order stays."""
    key = str(con_id)
    return {k: lock for k, lock in locks.items() if k != key or lock.kind == "unknown_order"}

"""Why nothing is ordered in a contract, in words for the person who settles it [B3, R2, A2]."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from schemas.documents import Lock, OrderDocument

LIFTED_BY_UNLOCK: Final = frozenset({"repeated", "corrected"})
"""The kinds that wait for nothing but a person's look."""

type Locks = Mapping[str, Lock]
"""By conId as text."""


SPLITS: Final = (2, 3, 4, 5, 10, 20)
"""Ratios at which shares are usually split, or put together."""


def unexplained(
    symbol: str,
    missing: Decimal,
    since: datetime,
    held: Decimal = Decimal(0),
    clues: Sequence[str] = (),
) -> Lock:
    """The law does not hold in a contract, of which the broker has `held`.

    `clues` are what may explain it, with what to say then (`gateway.core.clues`).
    """
    reason = (
        f"{missing:+f} {symbol} at the broker that neither a book nor EXTERNAL explains; "
        f"say adopt, or wait for the executions that explain it{_split(held - missing, held)}"
    )
    return Lock(symbol, "unexplained", "; ".join((reason, *clues)), since)


def overfilled(order: OrderDocument, beyond: Decimal) -> Lock:
    """More was filled than ordered; nobody asked for the rest."""
    symbol = order.contract.name
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


def repeated(orders: Sequence[OrderDocument], bound: int, since: datetime) -> Lock:
    """Orders of one side were sent again and again and nothing was filled; newest first."""
    symbol, side = orders[0].contract.name, "BUY" if orders[0].quantity > 0 else "SELL"
    refs = ", ".join(order.order_ref for order in reversed(orders))
    reason = (
        f"{len(orders)} {side} orders in a row ended with nothing filled ({refs}); "
        f"repeated_orders_max is {bound}, so see why and say unlock"
    )
    return Lock(symbol, "repeated", reason, since)


def corrected(order: OrderDocument, exec_id: str, strategy: str, held: Sequence[Decimal]) -> Lock:
    """A correction turned a book, and nobody says now what that strategy wants [A3]."""
    symbol = order.contract.name
    reason = (
        f"execution {exec_id} of {order.order_ref} was corrected, which turned {strategy}'s "
        f"{held[0]:+f} {symbol} into {held[1]:+f} while its targets are not fresh; look at it, "
        f"then say unlock"
    )
    return Lock(symbol, "corrected", reason, order.updated_at or order.created_at)


def _split(explained: Decimal, held: Decimal) -> str:
    """What more to say where a whole ratio makes what is explained into what is held [B2]."""
    for ratio in SPLITS if explained and held else ():
        for ratios in ((ratio, 1), (1, ratio)):
            if explained * ratios[0] == held * ratios[1]:
                return f"; looks like a {ratios[0]}:{ratios[1]} split: say corporate_action"
    return ""


def lifted(locks: Locks, con_id: int) -> dict[str, Lock]:
    """The locks once a contract's quantity is explained; one for an order's sake stays."""
    key, staying = str(con_id), ("unknown_order", "repeated", "corrected")
    return {k: lock for k, lock in locks.items() if k != key or lock.kind in staying}


def unlocked(locks: Locks, con_id: int) -> dict[str, Lock]:
    """The locks once a person has looked at a contract; what only facts settle stays."""
    key = str(con_id)
    return {k: lock for k, lock in locks.items() if k != key or lock.kind not in LIFTED_BY_UNLOCK}

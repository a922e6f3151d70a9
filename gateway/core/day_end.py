"""What a day leaves behind when it is over: orders to be moved away, entries to be folded.

IB names executions and corrections of its running day only (ib.md), so that nothing is ever heard
of an order of an earlier day that is over: it may go, and the ledgers may forget its fills one by
one.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from gateway.core import book
from gateway.core.day import date_of
from gateway.core.desk import Desk
from gateway.core.events import DayClosed
from schemas.documents import LedgerDocument, OrderDocument

ENTRIES_KEPT: Final = timedelta(days=8)
"""How long a ledger remembers what moved it, by source: TWS can be set to repeat a week's trades,
and a foreign one must not count twice."""

LATE: Final = timedelta(hours=1)
"""How long after midnight the day's orders stay: a fill's commission may come after it, and `cash`
looks at the fills of the last minutes."""


def over(desk: Desk, now: datetime) -> list[OrderDocument]:
    """The orders that were over before today, in New York; not those that somebody waits for.

    A day ends `LATE` after midnight here. What a locked contract was locked for stays where people
    look for it.
    """
    today = date_of(now - LATE)
    return [
        order
        for order in desk.orders.values()
        if order.state == "DONE"
        and date_of(order.updated_at or order.created_at) < today
        and not order.waits_for_net
        and str(order.contract.con_id) not in desk.locks
    ]


def closing(desk: Desk, orders: Sequence[OrderDocument], now: datetime) -> DayClosed:
    """The event that takes these orders away, with the time up to which ledgers are folded."""
    refs = frozenset(order.order_ref for order in orders)
    left = (o.created_at for order_ref, o in desk.orders.items() if order_ref not in refs)
    return DayClosed(refs, min([now - ENTRIES_KEPT, *left]))


def closed(desk: Desk, event: DayClosed) -> Desk:
    """The desk without the orders, its ledgers folded; the same desk where there is nothing."""
    ledgers = {name: _folded(ledger, event.before) for name, ledger in desk.ledgers.items()}
    is_same = all(ledgers[name] is ledger for name, ledger in desk.ledgers.items())
    if is_same and not event.order_refs & desk.orders.keys():
        return desk
    orders = {ref: order for ref, order in desk.orders.items() if ref not in event.order_refs}
    return replace(desk, orders=orders, ledgers=ledgers)


def _folded(ledger: LedgerDocument, before: datetime) -> LedgerDocument:
    """The very same ledger where nothing is older: else it would be written for nothing."""
    compact = book.compact(ledger, before)
    return ledger if compact == ledger else compact

"""What the four questions change [R1], and the law: broker = sum(books) + EXTERNAL [B3].

The difference is UNEXPLAINED. It is never booked away: it locks its contract until executions
explain it or a person adopts it.
"""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from gateway.core import book, clues, holdings, locks
from gateway.core.broker import Drained, Missing, OrderReport, Reading
from gateway.core.desk import Desk
from gateway.core.fold import evolve, throttled
from gateway.core.orders import own_ref
from schemas.documents import Lock, OrderDocument
from schemas.values import CASH_TYPE, Contract


def settle(desk: Desk, reading: Reading, at: datetime) -> Desk:
    """The desk after a reading: fills booked, orders settled, the law compared.

    Our orders that the broker does not mention at all become UNKNOWN, which locks their contract,
    until a second such reading proves them unsent [R2].
    """
    desk = evolve(reading, desk, at)
    for execution in sorted(reading.executions, key=lambda e: (e.at, e.exec_id)):
        desk = evolve(execution, desk, at)
    reports = (*reading.open_orders, *reading.completed_orders)
    for report in reports:
        desk = evolve(report, desk, at)
    for order in _unmentioned(desk, reports):
        con_id = order.contract.con_id
        is_explained = not _difference(desk, order.contract)
        desk = evolve(Missing(order.order_ref, _position(desk, con_id), is_explained), desk, at)
    still_open = {report.order_ref for report in reading.open_orders}
    ended = [o for o in desk.orders.values() if o.outcome and o.state != "DONE"]
    for order in ended:
        if order.order_ref not in still_open and not _difference(desk, order.contract):
            desk = evolve(Drained(order.order_ref), desk, at)
    strays = _strays(desk, reading.open_orders, at)
    known = {key: lock for key, lock in desk.locks.items() if lock.kind != "unknown_order"}
    settled = compare(replace(desk, locks={**known, **strays}), at)
    for key in [k for k in desk.locks if k not in settled.locks]:
        settled = throttled(settled, int(key), at)  # what the lock that is gone may have hidden
    return settled


def compare(desk: Desk, at: datetime) -> Desk:
    """The desk with UNEXPLAINED and its locks as the law makes them from the last reading."""
    contracts = holdings.contracts(desk)
    unexplained = {key: _difference(desk, contract) for key, contract in contracts.items()}
    nonzero = {con_id: missing for con_id, missing in unexplained.items() if missing}
    kept = {key: lock for key, lock in desk.locks.items() if lock.kind != "unexplained"}
    made = {}
    for con_id, missing in nonzero.items():
        known = desk.locks.get(str(con_id))
        since = known.since if known else at
        symbol, held = contracts[con_id].name, _position(desk, con_id)
        found = clues.clues(desk, con_id)
        made[str(con_id)] = locks.unexplained(symbol, missing, since, held, found)
    return replace(desk, unexplained=nonzero, locks={**made, **kept})


def _difference(desk: Desk, contract: Contract) -> Decimal:
    """What the ledgers do not explain; nothing of currency pairs, which the law leaves out [B1].

    The broker's positions of pairs are virtual: they remember trades and are no balances.
    """
    if contract.sec_type == CASH_TYPE:
        return Decimal(0)
    con_id = contract.con_id
    ledgers = (book.quantity(ledger, con_id) for ledger in desk.ledgers.values())
    return _position(desk, con_id) - sum(ledgers, Decimal(0))


def _position(desk: Desk, con_id: int) -> Decimal:
    position = desk.positions.get(con_id)
    return position.quantity if position else Decimal(0)


def _strays(desk: Desk, open_orders: tuple[OrderReport, ...], at: datetime) -> dict[str, Lock]:
    """Locks for orders of ours that the broker works and that are over or unknown here [R2].

    What they fill nobody counts on, so nothing is ordered beside them.
    """
    found: dict[str, Lock] = {}
    for report in open_orders:
        order = desk.orders.get(report.order_ref)
        is_over = order is not None and order.state == "DONE" and order.outcome != "filled"
        if is_over or (order is None and own_ref(desk.mode, report.order_ref)):
            key = report.order_ref.split("-")[1]
            known = desk.locks.get(key)
            symbol = order.contract.name if order else f"contract {key}"
            since = known.since if known else at
            found[key] = locks.unknown_order(symbol, report.order_ref, since)
    return found


def _unmentioned(desk: Desk, reports: tuple[OrderReport, ...]) -> list[OrderDocument]:
    mentioned = {report.order_ref for report in reports}
    return [
        order
        for order in desk.orders.values()
        if order.state != "DONE" and order.order_ref not in mentioned
    ]

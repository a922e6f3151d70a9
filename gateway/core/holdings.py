"""What is held and what is on its way, of all contracts at once: looked up once a net.

`Desk.position` and `Desk.open_order` answer for one contract, and go through every ledger or order
for it.
"""

from decimal import Decimal

from gateway.core.desk import Desk
from schemas.documents import OrderDocument
from schemas.values import CASH_TYPE, Contract


def contracts(desk: Desk) -> dict[int, Contract]:
    """What the broker or a ledger holds or held, but for currency pairs: the law's matter [B3]."""
    ledgers = desk.ledgers.values()
    booked = [p.contract for ledger in ledgers for p in ledger.positions.values()]
    held = [p.contract for p in desk.positions.values()]
    known = {contract.con_id: contract for contract in (*booked, *held)}
    return {con_id: one for con_id, one in known.items() if one.sec_type != CASH_TYPE}


def positions(desk: Desk) -> dict[int, Decimal]:
    """`Desk.position` of every contract that a ledger or UNEXPLAINED knows."""
    found = dict(desk.unexplained)
    for ledger in desk.ledgers.values():
        for position in ledger.positions.values():
            con_id = position.contract.con_id
            found[con_id] = found.get(con_id, Decimal(0)) + position.quantity
    return found


def open_orders(desk: Desk) -> dict[int, OrderDocument]:
    """`Desk.open_order` of every contract that has one [N5]."""
    found: dict[int, OrderDocument] = {}
    for order in desk.orders.values():
        if order.state != "DONE":
            found.setdefault(order.contract.con_id, order)
    return found

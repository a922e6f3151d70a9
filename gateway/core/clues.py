"""What may explain a position that no ledger does: fills that the broker counts and told nobody of.

A reading's open and completed orders carry the broker's own count of fills, of all clients. Where
it is more than the executions that were told, the rest moved the position unheard of [B3].
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from gateway.core.broker import OrderReport, Reading
from gateway.core.desk import Desk
from gateway.core.orders import own_ref
from schemas.documents import OrderDocument


def strangers(desk: Desk, reading: Reading) -> tuple[OrderReport, ...]:
    """The orders of a reading that have fills and are none that we know, each told once."""
    reports = (*reading.open_orders, *reading.completed_orders)
    return tuple({r.perm_id: r for r in reports if r.filled and _is_strange(desk, r)}.values())


def clues(desk: Desk, con_id: int) -> tuple[str, ...]:
    """Clauses of a sentence, each with an order, its missing fills, and what a person says then."""
    ours = (o for o in desk.orders.values() if o.contract.con_id == con_id)
    others = (one for one in desk.strangers if one.con_id == con_id and _is_strange(desk, one))
    return (*_lost(ours), *_strange(desk, others))


def _is_strange(desk: Desk, report: OrderReport) -> bool:
    return report.order_ref not in desk.orders


def _lost(orders: Iterable[OrderDocument]) -> Iterator[str]:
    """Executions of ours that the broker counts and did not tell."""
    for order in orders:
        counted, told = abs(order.broker_filled), abs(order.filled)
        if counted > told:
            yield (
                f"{_short(order.order_ref, counted, told)}, so an execution was lost: say "
                f"reconcile, which finds it until midnight in New York, then adopt to {_who(order)}"
            )


def _strange(desk: Desk, reports: Iterable[OrderReport]) -> Iterator[str]:
    """Orders of other clients and of people; and such as have our name, whose books nobody knows.

    Executions of the latter are booked nowhere.
    """
    for report in reports:
        counted, told = report.filled or Decimal(0), _told(desk, report)
        if own_ref(desk.mode, report.order_ref):
            yield (
                f"the broker counts {counted:f} filled of {report.order_ref}, which is unknown "
                f"here: see in runs whose it was, then adopt to that strategy"
            )
        elif counted > told:
            client = f" of client {report.client_id}" if report.client_id else ""
            name = f"the foreign order {report.perm_id}{client}"
            yield f"{_short(name, counted, told)}: if it is yours, adopt to EXTERNAL"


def _told(desk: Desk, report: OrderReport) -> Decimal:
    executions = (
        execution.quantity
        for execution in desk.foreign.values()
        if (execution.perm_id, execution.contract.con_id) == (report.perm_id, report.con_id)
    )
    return abs(sum(executions, Decimal(0)))


def _short(name: str, counted: Decimal, told: Decimal) -> str:
    return f"the broker counts {counted:f} filled of {name} and told {told:f}"


def _who(order: OrderDocument) -> str:
    names = [share.strategy for share in order.allocations]
    return names[0] if len(names) == 1 else f"EXTERNAL and transfer to {', '.join(names)}"

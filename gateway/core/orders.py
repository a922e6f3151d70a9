"""An order's life: the states, what moves it from one to the next, and what fills do to it.

    PENDING ──▶ WORKING ──▶ DONE          journaled, at the broker, over
       │           │  ▲       ▲
       │           ▼  │       │
       │       CANCELLING ────┤           we asked to cancel and wait [N7]
       ▼           │          │
    UNKNOWN ◀──────┘──────────┘           silence is UNKNOWN, never "rejected" [W: silence]

Filled quantity is a quantity, not a state, and a fill is true in any state: fills bypass the table.
An order is over when the broker says so, or when its fills reach its quantity; what an error text
says is no outcome (`BrokerStatus.UNSURE`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from gateway.core.book import currencies
from gateway.core.broker import BrokerStatus, Missing, OrderReport
from schemas.documents import ExecutionDocument, OrderDocument, OrderStateName, OutcomeName
from schemas.new_york import new_york_date
from schemas.values import Mode

OPEN_STATES: Final[Mapping[tuple[OrderStateName, BrokerStatus], OrderStateName]] = {
    ("PENDING", BrokerStatus.WORKING): "WORKING",
    ("PENDING", BrokerStatus.UNSURE): "UNKNOWN",
    ("WORKING", BrokerStatus.WORKING): "WORKING",
    ("WORKING", BrokerStatus.UNSURE): "WORKING",
    ("CANCELLING", BrokerStatus.WORKING): "CANCELLING",
    ("CANCELLING", BrokerStatus.UNSURE): "CANCELLING",
    ("UNKNOWN", BrokerStatus.WORKING): "WORKING",
    ("UNKNOWN", BrokerStatus.UNSURE): "UNKNOWN",
    ("DONE", BrokerStatus.WORKING): "DONE",
    ("DONE", BrokerStatus.UNSURE): "DONE",
}
"""What a status that ends nothing does to a state. DONE stays: a late status reopens no order."""

OUTCOMES: Final[Mapping[BrokerStatus, OutcomeName]] = {
    BrokerStatus.FILLED: "filled",
    BrokerStatus.CANCELLED: "cancelled",
    BrokerStatus.REJECTED: "rejected",
}
"""The statuses that end an order, from any state, once its executions are complete."""

NOT_SENT: Final = timedelta(seconds=10)
"""Least time between the two readings that prove an order unsent [R2]."""
"""At its midnight the broker forgets executions and completed orders."""


@dataclass(frozen=True, slots=True)
class Approved:
    """An order that has passed the limits and the broker's margin answer; made by `admit` alone.

    `gateway.session.Session.place` takes nothing else.
    """

    order: OrderDocument


def own_ref(mode: Mode, order_ref: str) -> bool:
    """Whether an orderRef is one of ours, known or not: `{mode}-{con_id}-{generation}` [W1]."""
    return re.fullmatch(rf"{mode}-\d+-\d+", order_ref) is not None


def execution_key(exec_id: str) -> str:
    """An execId without its correction suffix: IB corrects `x.01` by sending `x.02` [A1]."""
    stem, dot, suffix = exec_id.rpartition(".")
    return stem if dot and suffix.isdigit() else exec_id


def revision(exec_id: str) -> int:
    """The correction suffix as a number; the highest of a key is the truth [A1]."""
    _, dot, suffix = exec_id.rpartition(".")
    return int(suffix) if dot and suffix.isdigit() else 0


def newer_execution(
    known: ExecutionDocument | None, reported: ExecutionDocument
) -> ExecutionDocument:
    """The one of two reports of the same execution that holds.

    A repetition keeps what only we know, the shares, and a commission that it leaves out.
    """
    if known is None or revision(reported.exec_id) > revision(known.exec_id):
        return reported
    if reported.exec_id != known.exec_id:
        return known
    paid = reported if reported.commission is not None else known
    return replace(
        reported,
        commission=paid.commission,
        commission_currency=paid.commission_currency,
        shares=known.shares,
    )


def in_flight(order: OrderDocument) -> Decimal:
    """The signed quantity that the order may still add to the position; nothing if overfilled."""
    left = order.quantity - order.filled
    return Decimal(0) if order.state == "DONE" or left * order.quantity < 0 else left


def transition(order: OrderDocument, report: OrderReport, at: datetime) -> OrderDocument:
    """The order after the broker said something of it.

    A status that ends the order closes it only when every fill the broker counts is here: a fill
    may be reported after the status, and must not be in flight nowhere meanwhile.
    """
    changes = _told(order, report)
    if all(getattr(order, name) == value for name, value in changes.items()):
        return order  # most are: each reading tells the whole day's orders again
    return replace(_closed_if_complete(replace(order, **changes)), updated_at=at)


def _told(order: OrderDocument, report: OrderReport) -> dict[str, Any]:
    """What a report says of an order, by the order's fields."""
    return {
        "missing_since": None,
        "missing_position": None,
        "state": OPEN_STATES.get((order.state, report.status), order.state),
        "outcome": order.outcome or OUTCOMES.get(report.status, ""),
        "broker_filled": _broker_filled(order, report),
        "reason": order.reason if order.state == "DONE" else report.reason or order.reason,
        "perm_id": report.perm_id or order.perm_id,
        "order_id": report.order_id or order.order_id,
        "client_id": report.client_id or order.client_id,
    }


def missing(order: OrderDocument, reading: Missing, at: datetime) -> OrderDocument:
    """The order after a reading of the broker that knows nothing of it.

    One such reading is silence. Two, `NOT_SENT` apart, on the trading day of the order and with
    the same position, which the ledgers explain, are the proof that an order without any trace
    never got there [R2]; after midnight the broker's lists forget, and prove nothing.
    """
    if order.state == "DONE":
        return order
    is_same = order.missing_position == reading.position and reading.is_explained
    since = order.missing_since if is_same else None
    if since is not None and at >= since + NOT_SENT and _could_be_proven(order, at):
        reason = f"the broker knows nothing of it, seen twice since {since.isoformat()}"
        return replace(order, state="DONE", outcome="not_sent", reason=reason, updated_at=at)
    return replace(
        order,
        state="UNKNOWN",
        reason="the broker lists it neither as open nor as completed",
        missing_since=since or at,
        missing_position=reading.position,
        updated_at=at,
    )


def second_look_at(order: OrderDocument, now: datetime) -> datetime | None:
    """When another reading will prove that the order never got to the broker, or None [R2]."""
    if order.state != "UNKNOWN" or order.missing_since is None or not _could_be_proven(order, now):
        return None
    return order.missing_since + NOT_SENT


def _could_be_proven(order: OrderDocument, at: datetime) -> bool:
    is_traced = order.perm_id or order.executions or order.broker_filled
    return not is_traced and new_york_date(at) == new_york_date(order.created_at)


def drained(order: OrderDocument, at: datetime) -> OrderDocument:
    """The order once no fill of it is outstanding: what the broker ended is over.

    Its count may hold fills that were busted before we heard of them, and waits for ever [A3].
    """
    if order.state == "DONE" or not order.outcome:
        return order
    return replace(_closed_if_complete(replace(order, broker_filled=order.filled)), updated_at=at)


def fill(order: OrderDocument, execution: ExecutionDocument, at: datetime) -> OrderDocument:
    """The order with one more execution, whatever its state.

    Repeats and old revisions change nothing.
    """
    key = execution_key(execution.exec_id)
    known = order.executions.get(key)
    kept = newer_execution(known, execution)
    if kept == known:
        return order
    corrected = kept.quantity - known.quantity if known else Decimal(0)
    return _with_executions(_recounted(order, corrected), {**order.executions, key: kept}, at)


def _recounted(order: OrderDocument, corrected: Decimal) -> OrderDocument:
    """The order with the broker's count less what a correction or a bust took away [A3].

    Else the count, which never falls by itself, would wait for ever for fills that are no more.
    """
    taken = corrected * order.quantity < 0
    return replace(order, broker_filled=order.broker_filled + corrected) if taken else order


def _broker_filled(order: OrderDocument, report: OrderReport) -> Decimal:
    """The broker's count never falls: a late status may carry an older one."""
    counted = report.filled
    if counted is None and report.status is BrokerStatus.FILLED:
        counted = abs(order.quantity)
    signed = (counted or Decimal(0)) * (1 if order.quantity > 0 else -1)
    return max(order.broker_filled, signed, key=abs)


def _closed_if_complete(order: OrderDocument) -> OrderDocument:
    if order.filled * order.quantity > 0 and abs(order.filled) >= abs(order.quantity):
        return replace(order, state="DONE", outcome="filled")
    if order.outcome and abs(order.filled) >= abs(order.broker_filled):
        return replace(order, state="DONE")
    return order


def _with_executions(
    order: OrderDocument, executions: Mapping[str, ExecutionDocument], at: datetime
) -> OrderDocument:
    filled = sum((e.quantity for e in executions.values()), Decimal(0))
    cost = sum((e.quantity * e.price for e in executions.values()), Decimal(0))
    commission = sum((e.commission or Decimal(0) for e in executions.values()), Decimal(0))
    return _closed_if_complete(
        replace(
            order,
            executions=executions,
            filled=filled,
            average_price=cost / filled if filled else None,
            commission=commission,
            commission_currency=currencies(e.commission_currency for e in executions.values()),
            updated_at=at,
        )
    )

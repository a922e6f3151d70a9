"""Which increasing orders the account can carry, by IB's own what-if answers.

Orders are taken by rank (`ranks`), the smallest margin of equal priority first, until the next
would leave less than the cushion; that one and the rest are refused. Reducing orders are never
asked about and never blocked [N6].
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from gateway.core.broker import MarginPreview
from gateway.core.desk import Desk
from gateway.core.netting import Barred, Plan, stand_back
from gateway.core.orders import Approved
from gateway.core.ranks import behind, ranked, refused, what
from schemas.documents import OrderDocument, RefusalEntry

RULE: Final = "margin"

type Previews = Mapping[str, MarginPreview]
"""IB's answers by order_ref; an order without an answer is refused."""


@dataclass(frozen=True, slots=True)
class Admission:
    """The plan with its approved orders, or what has to be barred before netting again [N8]."""

    plan: Plan
    approved: tuple[Approved, ...] = ()
    barred: Barred | None = None


def questions(plan: Plan) -> tuple[OrderDocument, ...]:
    """The orders that IB must be asked about: the increasing ones."""
    return tuple(order for order in plan.orders if not order.is_reducing)


def admit(desk: Desk, plan: Plan, previews: Previews, barred: Barred | None = None) -> Admission:
    """Approve every order of the plan, or say which strategies must stand back."""
    refusals = _refusals(desk, plan, previews)
    if refusals:
        before = barred or Barred()
        return Admission(plan, barred=stand_back(desk, plan.orders, before, refusals))
    orders = tuple(_with_margin(order, previews.get(order.order_ref)) for order in plan.orders)
    approved = tuple(Approved(order) for order in orders)
    return Admission(replace(plan, orders=orders), approved)


def _refusals(desk: Desk, plan: Plan, previews: Previews) -> list[RefusalEntry]:
    by_rank = ranked(desk, questions(plan), lambda order: _size(order, previews))
    asked = [(order, previews.get(order.order_ref)) for order in by_rank]
    unanswered = {order.order_ref: _unanswered(order, preview) for order, preview in asked}
    found = [entry for entry in unanswered.values() if entry is not None]
    used = Decimal(0)
    full: RefusalEntry | None = None
    for order, preview in asked:
        if preview is None or unanswered[order.order_ref] is not None:
            continue
        beyond = behind(order, full) if full else _beyond_cushion(desk, order, preview, used)
        full = full or beyond
        if beyond is not None:
            found.append(beyond)
        # What an order would free is not there before it is filled.
        used += max(preview.initial_margin_change or Decimal(0), Decimal(0))
    return found


def _unanswered(order: OrderDocument, preview: MarginPreview | None) -> RefusalEntry | None:
    """Refused where IB refuses, is silent, or leaves out a number that the sum needs."""
    if preview is None or preview.refusal:
        said = preview.refusal if preview else "no answer in time"
        return refused(order, RULE, f"IB's margin answer for {what(order)}: {said}", said, "")
    numbers = (preview.initial_margin, preview.initial_margin_change, preview.equity_with_loan)
    if any(number is None for number in numbers):
        said = preview.warning or "no numbers"
        sentence = f"IB gave no margin numbers for {what(order)}: {said}"
        return refused(order, RULE, sentence, said, "")
    return None


def _beyond_cushion(
    desk: Desk, order: OrderDocument, preview: MarginPreview, used: Decimal
) -> RefusalEntry | None:
    if preview.initial_margin is None or preview.equity_with_loan is None:
        raise ValueError(f"{order.order_ref} has no margin numbers")
    cushion = desk.settings.margin_cushion_fraction * preview.equity_with_loan
    left = preview.equity_with_loan - preview.initial_margin - used
    if left >= cushion:
        return None
    sentence = (
        f"{what(order)} would leave {left:.2f} of excess margin, "
        f"below the cushion of {cushion:.2f} (margin_cushion_fraction)"
    )
    return refused(order, RULE, sentence, f"{left:.2f}", f"{cushion:.2f}")


def _size(order: OrderDocument, previews: Previews) -> Decimal:
    """The margin that an order would take; 0 if nobody knows."""
    preview = previews.get(order.order_ref)
    change = preview.initial_margin_change if preview else None
    return change or Decimal(0)


def _with_margin(order: OrderDocument, preview: MarginPreview | None) -> OrderDocument:
    if preview is None:
        return order
    return replace(order, margin=dict(preview.raw))

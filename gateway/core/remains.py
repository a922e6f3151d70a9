"""What a `close_all` did not get rid of in its first net, and why: for its run document."""

from collections.abc import Iterator
from decimal import Decimal

from gateway.core import closing
from gateway.core.desk import Desk
from gateway.core.events import NetCause
from gateway.core.netting import Plan
from schemas.documents import CrossDocument, OrderDocument, Share, WantedChange
from schemas.values import EXTERNAL


def story(desk: Desk, cause: NetCause, plan: Plan) -> str:
    """One sentence: who is closed, what stays open after this net, and what to do about it."""
    seen = closing.seen_by(desk, cause)
    left = [text for change in plan.wanted for text in _left(seen, plan, change)]
    rest = f"stays open: {'; '.join(left)}" if left else "all of it goes"
    return f"{_who(seen, dry=cause.dry_run)}; {rest}"


def _who(desk: Desk, *, dry: bool) -> str:
    """Who is closed, and until when."""
    if dry:
        return f"{', '.join(sorted(desk.closed)) or 'nobody'} would be closed"
    by_end: dict[str, list[str]] = {}
    for name, closure in sorted(desk.closed.items()):
        end = "today" if closure.day else "until resume"
        by_end.setdefault("until it is sold" if name == EXTERNAL else end, []).append(name)
    told = (f"{', '.join(names)} closed {end}" for end, names in by_end.items())
    return ", ".join(told) or "nobody is closed any more"


def _left(desk: Desk, plan: Plan, change: WantedChange) -> Iterator[str]:
    """What stays of one ledger in one contract; nothing while all of it is on its way."""
    if not closing.is_closed(desk, change.strategy, change.con_id):
        return
    parts: list[OrderDocument | CrossDocument] = [*plan.orders, *plan.crosses]
    shares = [s for one in parts if one.contract.con_id == change.con_id for s in _shares(one)]
    moved = sum(
        (s.quantity for s in shares if s.strategy == change.strategy), _flying(desk, change)
    )
    left = change.book + moved - change.effective_target
    if not left:
        return
    yield f"{change.strategy} {left:+f} {change.symbol}, for {_reason(desk, plan, change, left)}"


def _flying(desk: Desk, change: WantedChange) -> Decimal:
    """What is in flight for sure: of an order that nobody knows nothing is."""
    working = desk.open_order(change.con_id)
    is_unknown = working is not None and working.state == "UNKNOWN"
    return Decimal(0) if is_unknown else change.in_flight


def _shares(one: OrderDocument | CrossDocument) -> tuple[Share, ...]:
    return one.shares if isinstance(one, CrossDocument) else one.allocations


def _reason(desk: Desk, plan: Plan, change: WantedChange, left: Decimal) -> str:
    if abs(left) < 1:
        return "it is less than one, which the broker does not trade: say transfer to EXTERNAL"
    refusals = [e for e in plan.refusals if e.con_id == change.con_id]
    mine = [e for e in refusals if change.strategy in e.strategies] or refusals
    if mine:
        return mine[0].sentence
    working = desk.open_order(change.con_id)
    if working is not None:
        what = "is being cancelled" if working.order_ref in plan.cancels else f"is {working.state}"
        return f"{working.order_ref} {what}: it follows by itself at the end of that"
    return "it follows by itself once the order to 0 is filled [N6]"

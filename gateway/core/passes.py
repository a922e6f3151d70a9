"""Net after net over a desk on which mostly nothing happens, such as bar after bar of a replay.

Where nobody wants a change, a net looks at nothing but what the strategies say, what people set of
them, what the books hold and what is in flight: at no lock, limit or trading state, for nothing is
to be let through. A desk's mappings are replaced, never changed. So while these are the very same
objects, and until the next target expires, the next net comes to the same plan without being made.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.core.desk import Desk
from gateway.core.events import NetCause
from gateway.core.netting import Plan, net
from gateway.core.wishes import is_suppressed

FOREVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pass:
    """A net that was made: its plan, of which desk and when.

    It stands until `until` while the desk is the same; None: it stands for that moment alone.
    `is_priced` says that prices had a part in it, which left a small change alone [N9].
    """

    plan: Plan
    desk: Desk
    at: datetime
    until: datetime | None = None
    is_priced: bool = False


def next_pass(before: Pass | None, desk: Desk, cause: NetCause, now: datetime) -> Pass:
    """The net of a desk, or the very pass before it where nothing has changed since.

    The caller keeps what it gets for the next call.
    """
    if before is not None and unchanged(before, desk, cause, now):
        return before
    plan = net(desk, cause, now)
    if cause.dry_run or not _is_at_rest(plan):
        return Pass(plan, desk, now)
    is_priced = any(is_suppressed(change) for change in plan.wanted)
    return Pass(plan, desk, now, _next_expiry(desk, now), is_priced)


def unchanged(before: Pass, desk: Desk, cause: NetCause, now: datetime) -> bool:
    """Whether a net of the desk now would come to the plan of that pass again."""
    if before.until is None or cause.dry_run or not before.at <= now <= before.until:
        return False
    known = before.desk
    is_same = (
        known.targets is desk.targets
        and known.ledgers is desk.ledgers
        and known.orders is desk.orders
        and known.strategies is desk.strategies
        and known.settings is desk.settings
        and known.closed is desk.closed
    )
    if not before.is_priced:
        return is_same
    return is_same and known.prices is desk.prices and known.values is desk.values


def _is_at_rest(plan: Plan) -> bool:
    """Whether nobody wants a change, so that nothing waits for anything either."""
    wants = any(change.change for change in plan.wanted)
    return plan.is_empty and not plan.refusals and not wants


def _next_expiry(desk: Desk, now: datetime) -> datetime:
    """The last moment at which all targets count that count now, and as they do now."""
    documents = desk.targets.values()
    ends = [d.valid_until for d in documents if d.valid_until is not None]
    # Legs go together before that time, and by themselves at it.
    ends += [d.together_until - timedelta.resolution for d in documents if d.together_until]
    return min((end for end in ends if end >= now), default=FOREVER)

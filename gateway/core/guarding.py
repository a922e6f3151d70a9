"""What the guard sees, and what it does about it [R4]. Real seconds, by one monotonic clock.

Nothing here trades: the guard can only cancel, so its doubts are settled by cancelling less, and
by telling a person.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from gateway.core.broker import BrokerStatus, OrderReport
from gateway.core.orders import own_ref
from schemas.documents import LeaseDocument
from schemas.settings import ControlDocument
from schemas.values import Mode, TradingState

OVER = (BrokerStatus.FILLED, BrokerStatus.CANCELLED, BrokerStatus.REJECTED)


@dataclass(frozen=True, slots=True)
class GuardTimes:
    """How patient the guard is, in real seconds."""

    poll_seconds: float = 10.0
    """Between two looks at two documents: 17,280 reads a day. The commander's lease makes as many,
    and Firestore gives 50,000 for nothing."""
    retry_seconds: float = 10.0
    """Between two attempts to cancel; a commander that starts meanwhile needs its client id."""
    halt_grace_seconds: float = 10.0
    """For the commander to cancel by itself when trading is halted; what a person wrote by hand it
    reads that often."""
    lease_margin_seconds: float = 15.0
    """Beyond the lease's length: a waiting commander takes over after its own, shorter margin."""
    handover_seconds: float = 45.0
    """For the next commander when a lease was given back: a deploy is no death."""
    io_seconds: float = 15.0
    """For one answer of the store or the bus."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Since when, in monotonic seconds, the guard has seen what it sees."""

    quiet_since: float
    lease: LeaseDocument | None = None
    halted_since: float | None = None
    control: ControlDocument = field(default_factory=ControlDocument)


def seen_lease(watch: Watch, lease: LeaseDocument | None, seconds: float) -> Watch:
    """The lease as it was just read. One that cannot be read is one not seen renewed."""
    return watch if lease == watch.lease else replace(watch, lease=lease, quiet_since=seconds)


def seen_control(watch: Watch, control: ControlDocument, seconds: float) -> Watch:
    """The trading state as it was just read."""
    since = None
    if control.state is TradingState.HALTED:
        since = seconds if watch.halted_since is None else watch.halted_since
    return replace(watch, control=control, halted_since=since)


def danger(watch: Watch, seconds: float, times: GuardTimes) -> str:
    """Why no order of ours may work now, for a sentence; empty while all is well [R4]."""
    since = watch.halted_since
    if since is not None and seconds - since >= times.halt_grace_seconds:
        return f"trading is halted{_by(watch.control)}"
    if seconds - watch.quiet_since >= _patience(watch.lease, times):
        return "no commander is alive: " + _silence(watch.lease)
    return ""


def _patience(lease: LeaseDocument | None, times: GuardTimes) -> float:
    if lease is None or not lease.owner:
        return times.handover_seconds
    length = (lease.expires_at - lease.renewed_at).total_seconds()
    return length + times.lease_margin_seconds


def _silence(lease: LeaseDocument | None) -> str:
    if lease is None:
        return "there is no lease, or it cannot be read"
    if not lease.owner:
        return f"the lease was given back after epoch {lease.epoch}, and nobody took it"
    at = f"{lease.renewed_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{lease.owner} (epoch {lease.epoch}) renewed its lease last at {at}"


def _by(control: ControlDocument) -> str:
    by = f" by {control.by}" if control.by else ""
    return by + (f" ({control.reason})" if control.reason else "")


@dataclass(frozen=True, slots=True)
class Working:
    """The account's orders that may still trade: ours, and all others, such as manual ones."""

    ours: tuple[OrderReport, ...]
    foreign: tuple[OrderReport, ...]

    @property
    def by_client(self) -> Mapping[int, tuple[OrderReport, ...]]:
        """Ours by the client id that placed them: at IB only it can cancel them (trap 19)."""
        clients = sorted({order.client_id for order in self.ours})
        return {one: tuple(o for o in self.ours if o.client_id == one) for one in clients}


def working(mode: Mode, reports: Iterable[OrderReport]) -> Working:
    """Sort the open orders of all clients by whose they are."""
    alive = [report for report in reports if report.status not in OVER]
    return Working(
        ours=tuple(report for report in alive if own_ref(mode, report.order_ref)),
        foreign=tuple(report for report in alive if not own_ref(mode, report.order_ref)),
    )


def cancels(orders: Iterable[OrderReport], why: str) -> str:
    """The sentence for cancelling orders by their ids."""
    return f"the guard cancels {_listed(orders)}: {why}"


@dataclass(frozen=True, slots=True)
class Sweep:
    """Whether IB is asked to cancel everything in the account, and the sentence about it."""

    is_allowed: bool
    sentence: str


def sweep(found: Working, client_id: int, foreign_allowed: bool, why: str) -> Sweep:
    """What to do where our orders' client id cannot be had, as from a commander that hangs.

    Only IB's global cancel is left then, which cancels everybody's orders.
    """
    orders = f"client id {client_id} cannot be borrowed to cancel {_listed(found.ours)}"
    count = len(found.foreign)
    if not count:
        return Sweep(True, f"the guard cancels all orders of the account: {why}; {orders}")
    if foreign_allowed:
        told = f"the guard cancels all orders of the account, {count} of them not ours"
        return Sweep(True, f"{told}, as guard_may_cancel_foreign allows: {why}; {orders}")
    return Sweep(
        False,
        f"the guard CANNOT cancel: {why}; {orders}, and a global cancel would cancel {count} "
        "orders that are not ours: end the commander's process, or cancel by hand",
    )


def _listed(orders: Iterable[OrderReport]) -> str:
    return ", ".join(sorted(order.order_ref for order in orders))

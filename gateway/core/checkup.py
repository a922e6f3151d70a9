"""What the doctor says of the documents and the topics: sentences, and what to do next. Pure.

`now` is the time that everything but the lease goes by; the lease is about real seconds.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from gateway.core import configuration
from gateway.core.broker import masked
from gateway.core.configuration import Written
from gateway.core.finding import Finding, fail, ok, publish, skip, warn
from gateway.core.law import Balance
from gateway.core.logins import span
from schemas.commands import Run
from schemas.documents import (
    ExecutionDocument,
    LatchesDocument,
    LeaseDocument,
    Lock,
    OrderDocument,
    SnapshotDocument,
)
from schemas.messages import DEAD_LETTERS, TOPICS, Market, Report, Targets, topic_name
from schemas.settings import ControlDocument, StrategyDocument
from schemas.values import Mode, TradingState
from schemas.watch import Watch

WATCHERS: Final[Mapping[str, type[Report | Watch]]] = {"alerts": Report, "watchdog": Watch}
"""The functions that look after the rest, and what is pushed to them."""

RECONCILE_AGE_MAX: Final = timedelta(hours=26)
"""The IB Gateway restarts every day, and each reconnect reconciles."""

PENDING_MAX: Final = timedelta(minutes=1)
CANCELLING_MAX: Final = timedelta(minutes=5)
"""IB may answer a cancel only at the open (ib.md 4); by day it takes a second."""

SKEW_SECONDS_WARN: Final = 3.0
"""The lease's margin; IB tells whole seconds only."""
SKEW_SECONDS_MAX: Final = 60.0
"""Targets from further in the future are refused [T2]."""


def configured(written: Written) -> Finding:
    """Whether what people set can be used, by the check that `infra.config check` makes too."""
    found = configuration.remarks(written)
    problems = [str(one) for one in found if one.is_problem]
    if problems:
        step = "mend the document in the Firestore console; it is read anew for each run"
        return fail("configuration", "; ".join(problems), step)
    strategies = configuration.strategies_of(written)
    enabled = [name for name, one in sorted(strategies.items()) if one.enabled]
    # What the trading state is has a check of its own.
    told = [str(one) for one in found if not one.document.startswith("control/")]
    said = f"it is valid; enabled: {', '.join(enabled) or 'no strategy'}"
    if not enabled:
        return warn("configuration", said, "set enabled and weight in one of strategies/*")
    if told:
        return warn("configuration", f"{said}; {'; '.join(told)}", "see whether that was meant")
    return ok("configuration", said)


def trading(mode: Mode, control: ControlDocument, latches: LatchesDocument) -> Finding:
    """The trading state: what people set, and what the gateway latched itself."""
    latch = latches.reduce_only
    resume = publish(mode, "resume", {"by": "me", "reason": "..."})
    if latch is not None:
        said = f"the gateway allows only what reduces since {latch.since:%Y-%m-%d %H:%M} UTC"
        return fail("trading", f"{said}: {latch.reason}", f"see why, then {resume}")
    by = f", by {control.by}" if control.by else ", by nobody named"
    why = f": {control.reason}" if control.reason else ""
    said = f"trading is {control.state}{by}{why}"
    if control.state is TradingState.ACTIVE:
        return ok("trading", said)
    return warn("trading", said, f"when it shall trade: {resume}")


def closures(mode: Mode, latches: LatchesDocument) -> list[Finding]:
    """The ledgers that hold nothing since somebody said `close_all`; none, where there are none."""
    if not latches.closed:
        return []
    names = sorted(latches.closed)
    said = "; ".join(
        f"{name} is closed since {latches.closed[name].since:%Y-%m-%d %H:%M} UTC" for name in names
    )
    step = f"when they shall trade again: {publish(mode, 'resume', {'strategies': names})}"
    return [warn("closed", said, step)]


def locks(mode: Mode, found: Mapping[str, Lock]) -> Finding:
    """The contracts in which nothing is ordered until a person or executions settle it."""
    if not found:
        return ok("locks", "no contract is locked")
    ordered = sorted(found.items(), key=lambda item: (item[1].symbol, item[0]))
    said = "; ".join(f"{one.symbol} ({key}) is locked, {one.kind}" for key, one in ordered)
    reasons = "; ".join(one.reason for _, one in ordered)
    steps = [_unlocking(mode, one) for _, one in ordered]
    return fail("locks", f"{said}: {reasons}", "; ".join(dict.fromkeys(steps)))


def _unlocking(mode: Mode, lock: Lock) -> str:
    if lock.kind in ("repeated", "corrected"):
        return publish(mode, "unlock", {"symbol": lock.symbol, "by": "me"})
    if lock.kind in ("unexplained", "overfill"):
        booked = {"symbol": lock.symbol, "to": "EXTERNAL", "price": "...", "by": "me"}
        return f"if it is yours and not a strategy's: {publish(mode, 'adopt', booked)}"
    return publish(mode, "reconcile")


def lease(found: LeaseDocument | None, real_now: datetime) -> Finding:
    """Whether a commander lives: it renews its lease every ten seconds [R3]."""
    step = "start the gateway, or look at its log for why it ended"
    if found is None:
        return fail("lease", "no gateway has ever held the lease", step)
    if not found.owner:
        said = f"the last gateway gave the lease back {span(real_now - found.renewed_at)} ago"
        return fail("lease", f"{said} (epoch {found.epoch}); none acts", step)
    when = _ago(real_now - found.renewed_at)
    said = f"{found.owner} (epoch {found.epoch}) renewed its lease {when}"
    if is_live(found, real_now):
        return ok("lease", said)
    return fail("lease", f"{said} and it ran out: its heartbeat is stale, none acts", step)


def _ago(lasting: timedelta) -> str:
    return f"{span(lasting)} ago" if lasting >= timedelta(0) else "just now, by its own clock"


def is_live(found: LeaseDocument | None, real_now: datetime) -> bool:
    """Whether somebody holds the lease and has renewed it in time."""
    return found is not None and bool(found.owner) and real_now < found.expires_at


def expected_topics(mode: Mode) -> tuple[str, ...]:
    """The topics of a mode, sorted."""
    return tuple(sorted(topic_name(topic, mode) for topic in {*TOPICS.values(), DEAD_LETTERS}))


def expected_subscriptions(
    mode: Mode, strategies: Mapping[str, StrategyDocument]
) -> Mapping[str, str]:
    """The subscriptions of a mode with their topics; one of its own for each enabled strategy
    that reads bars. `tests/infra/test_topology.py` holds it against `infra.topology`."""
    named = {f"gateway-{TOPICS[one]}-{mode}": TOPICS[one] for one in (Run, Targets)}
    named |= {f"{name}-{mode}": TOPICS[told] for name, told in WATCHERS.items()}
    named |= {f"{topic}-reader-{mode}": topic for topic in (TOPICS[Report], DEAD_LETTERS)}
    for name, strategy in sorted(strategies.items()):
        if strategy.enabled and strategy.universe:
            named[f"market-{name}-{mode}"] = TOPICS[Market]
    return {name: topic_name(topic, mode) for name, topic in sorted(named.items())}


def topology(
    mode: Mode,
    strategies: Mapping[str, StrategyDocument],
    topics: Iterable[str],
    subscriptions: Mapping[str, str],
) -> Finding:
    """Whether what must be on the bus is there, and subscribed to the right topics."""
    there = frozenset(topics)
    wrong = [f"topic {name} is missing" for name in expected_topics(mode) if name not in there]
    for name, topic in expected_subscriptions(mode, strategies).items():
        if name not in subscriptions:
            wrong.append(f"subscription {name} is missing")
        elif subscriptions[name] != topic:
            has = subscriptions[name] or "a topic that was deleted"
            wrong.append(f"subscription {name} is of {has}, not of {topic}")
    if wrong:
        step = "create what is missing: the names are infra/topology.py's; messages to it are lost"
        return fail("topics", "; ".join(wrong), step)
    count = len(expected_subscriptions(mode, strategies))
    return ok("topics", f"all {len(expected_topics(mode))} topics and {count} subscriptions exist")


def clock(check: str, theirs: str, ahead_seconds: float) -> Finding:
    """How far somebody's clock is ahead of ours."""
    direction = "ahead of" if ahead_seconds >= 0 else "behind"
    said = f"{theirs} is {abs(ahead_seconds):.1f} s {direction} ours"
    step = "set the clock of this machine by NTP"
    if abs(ahead_seconds) > SKEW_SECONDS_MAX:
        return fail(check, f"{said}, over {SKEW_SECONDS_MAX:g} s", step)
    if abs(ahead_seconds) > SKEW_SECONDS_WARN:
        return warn(check, f"{said}, over {SKEW_SECONDS_WARN:g} s", step)
    return ok(check, said)


def reconciled(mode: Mode, snapshot: SnapshotDocument | None, now: datetime) -> Finding:
    """When the account was read last."""
    step = publish(mode, "reconcile")
    if snapshot is None:
        return warn("reconcile", "the account was never read into Firestore", step)
    age = now - snapshot.as_of
    said = f"account {masked(snapshot.account)} was read {_ago(age)}"
    if age > RECONCILE_AGE_MAX:
        return warn("reconcile", f"{said}, over {span(RECONCILE_AGE_MAX)}", step)
    return ok("reconcile", said)


def law(mode: Mode, found: Iterable[Balance], source: str) -> Finding:
    """Whether broker = sum(books) + EXTERNAL holds [B3]."""
    balances = tuple(found)
    gaps = [one for one in balances if one.missing]
    if not gaps:
        return ok("law", f"broker = sum(books) + EXTERNAL for {len(balances)} contracts, {source}")
    said = "; ".join(
        f"{one.contract.name}: the broker has {one.broker:+f}, books and EXTERNAL "
        f"{one.booked:+f}, UNEXPLAINED {one.missing:+f}"
        for one in gaps
    )
    step = f"{publish(mode, 'reconcile')}; what is still UNEXPLAINED then: adopt it"
    return fail("law", f"{said} ({source})", step)


def orders(mode: Mode, found: Iterable[OrderDocument], now: datetime) -> Finding:
    """Orders whose fate nobody knows, or which wait too long [R2]."""
    alive = sorted((o for o in found if o.state != "DONE"), key=lambda o: o.order_ref)
    stuck = [(order, why) for order in alive if (why := _stuck(order, now))]
    if not stuck:
        return ok("orders", f"{len(alive)} orders are open, none of them UNKNOWN or stuck")
    said = "; ".join(f"{order.order_ref} ({order.contract.name}) {why}" for order, why in stuck)
    first = stuck[0][0].order_ref
    settle = publish(mode, "unlock", {"order_ref": first, "outcome": "not_sent", "by": "me"})
    step = f"{publish(mode, 'reconcile')}; then look for it at IB, and where it is not: {settle}"
    return fail("orders", said, step)


def _stuck(order: OrderDocument, now: datetime) -> str:
    age = now - (order.updated_at or order.created_at)
    if order.state == "UNKNOWN":
        return f"is UNKNOWN for {span(age)}" + (f": {order.reason}" if order.reason else "")
    bound = {"PENDING": PENDING_MAX, "CANCELLING": CANCELLING_MAX}.get(order.state)
    return f"is {order.state} for {span(age)}" if bound is not None and age > bound else ""


def master(client_id: int, foreign: Iterable[ExecutionDocument]) -> Finding:
    """Whether the commander hears of manual trades [B2]; the API does not tell the setting.

    Only a master client is told of other clients' executions, so one that was booked is the proof;
    none booked proves nothing.
    """
    others = sorted((e for e in foreign if e.client_id != client_id), key=lambda e: e.at)
    if others:
        last = others[-1]
        said = (
            f"client id {client_id} was IB's master client on {last.at:%Y-%m-%d %H:%M} UTC: it "
            f"heard of execution {last.exec_id} of client {last.client_id}"
        )
        return ok("master client", said)
    said = (
        f"whether client id {client_id} is IB's master client is not proved: the API does not "
        "tell it, and no trade of another client has been heard of yet"
    )
    step = (
        f"set Master API client ID to {client_id} in the IB Gateway (TWS_MASTER_CLIENT_ID in its "
        "usual container), or manual trades become UNEXPLAINED"
    )
    return skip("master client", said, step)


def dead_letters(mode: Mode) -> Finding:
    """Pub/Sub tells no count but through Cloud Monitoring, and to pull is to disturb."""
    look = f"gcloud pubsub subscriptions pull {DEAD_LETTERS}-reader-{mode} --limit=10"
    return skip("dead letters", "not counted: Pub/Sub tells no count", f"to look: {look}")

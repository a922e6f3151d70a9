"""How the desk changes: a fold over all that happened.

`evolve(event, desk, at)` is the only way. It plans nothing and sends nothing; what follows from the
new desk is for `netting.net` to say. Every event may come twice.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import singledispatch

from gateway.core import (
    attribution,
    book,
    closing,
    clues,
    day,
    day_end,
    dues,
    locks,
    repetition,
    targets,
)
from gateway.core.broker import Commission, Connection, Drained, Missing, OrderReport, Reading
from gateway.core.desk import Desk
from gateway.core.events import (
    Adopted,
    CancelAsked,
    Checked,
    Closed,
    Configured,
    DayClosed,
    Journaled,
    NetAsked,
    NetCause,
    Netted,
    NotSent,
    OpenRun,
    OrderSettled,
    Priced,
    Rebooked,
    Reopened,
    Resumed,
    RunClosed,
    RunOpened,
    Said,
    Silent,
    Ticked,
    Unlocked,
    WishesApproved,
)
from gateway.core.orders import (
    drained,
    execution_key,
    fill,
    missing,
    newer_execution,
    own_ref,
    revision,
    transition,
)
from schemas.documents import (
    ExecutionDocument,
    LedgerDocument,
    LedgerEntry,
    OrderDocument,
    TargetsDocument,
)
from schemas.settings import ControlDocument
from schemas.values import Contract


@singledispatch
def evolve(event: object, desk: Desk, at: datetime) -> Desk:
    """The desk after an event. Raises `TypeError` for one that it does not know."""
    raise TypeError(f"the desk knows no event {type(event).__name__}")


@evolve.register
def _(event: Configured, desk: Desk, at: datetime) -> Desk:
    return replace(desk, settings=event.settings, strategies=event.strategies)


@evolve.register
def _(event: ControlDocument, desk: Desk, at: datetime) -> Desk:
    return replace(desk, control=event)


@evolve.register
def _(event: Said, desk: Desk, at: datetime) -> Desk:
    said = event.document
    if event.dry_run or _answers_dry_run(desk, said):
        return _answered(desk, said, dry=True)
    known = desk.targets.get(said.strategy)
    if known is not None and not targets.is_newer(said, known):
        return _answered(desk, said, dry=False)
    merged = targets.merged(known, said)
    stored = replace(desk, targets={**desk.targets, said.strategy: merged})
    stored = closing.ignoring(stored, said)
    if _answers_open_run(stored, said):
        return _answered(stored, said, dry=False)
    if said.last_run_id:
        return stored  # a late answer: stored, traded by the next net [N1]
    window = at + timedelta(seconds=desk.settings.coalesce_seconds)
    waiting = replace(merged, waits_for_net=True)
    return replace(
        stored,
        targets={**stored.targets, said.strategy: waiting},
        coalesce_at=desk.coalesce_at or window,
        coalesce_id=said.last_message_id,
    )


@evolve.register
def _(event: RunOpened, desk: Desk, at: datetime) -> Desk:
    return replace(desk, run=OpenRun(event.document))


@evolve.register
def _(event: RunClosed, desk: Desk, at: datetime) -> Desk:
    is_open = desk.run is not None and desk.run.document.run_id == event.run_id
    return replace(desk, run=None) if is_open else desk


@evolve.register
def _(event: NetAsked, desk: Desk, at: datetime) -> Desk:
    return _asked(desk, event.cause)


@evolve.register
def _(event: WishesApproved, desk: Desk, at: datetime) -> Desk:
    return replace(desk, targets=targets.approved(desk.targets, event.strategies))


@evolve.register
def _(event: Ticked, desk: Desk, at: datetime) -> Desk:
    if desk.cause is not None:
        return desk
    if desk.run is not None:
        run = desk.run.document
        reached = desk.run.reached_barrier(at)
        cause = NetCause("barrier", run.run_id, run.dry_run) if reached else None
        return replace(desk, cause=cause)
    if desk.coalesce_at is not None and at >= desk.coalesce_at:
        return replace(desk, cause=NetCause("targets", f"targets-{desk.coalesce_id}"))
    return desk


@evolve.register
def _(event: Netted, desk: Desk, at: datetime) -> Desk:
    cause, waiting = (desk.waiting[0], desk.waiting[1:]) if desk.waiting else (None, ())
    after = replace(desk, cause=cause, waiting=waiting)
    if desk.cause is not None and desk.cause.is_partial:
        return after
    return replace(
        after,
        coalesce_at=None,
        targets=targets.netted(desk.targets),
        orders=desk.orders if event.failed else dues.netted(desk.orders),
    )


@evolve.register
def _(event: Priced, desk: Desk, at: datetime) -> Desk:
    prices, terms = {**desk.prices, **event.prices}, {**desk.terms, **event.terms}
    return replace(desk, prices=prices, terms=terms)


@evolve.register
def _(event: DayClosed, desk: Desk, at: datetime) -> Desk:
    return day_end.closed(desk, event)


@evolve.register
def _(event: Checked, desk: Desk, at: datetime) -> Desk:
    if desk.status is None:
        return desk
    return replace(desk, status=day.checked(desk.status, event.name, at, event.pnl))


@evolve.register
def _(event: Journaled, desk: Desk, at: datetime) -> Desk:
    ledgers = dict(desk.ledgers)
    for cross in event.crosses:
        ledgers = attribution.crossed(ledgers, cross)
    generations = dict(desk.generations)
    for contract, generation in _numbered(event):
        known = generations.get(contract.con_id, 0)
        generations[contract.con_id] = max(known, generation)
    orders = {order.order_ref: order for order in event.orders}
    fresh = [order for order_ref, order in orders.items() if order_ref not in desk.orders]
    journaled = replace(
        desk,
        ledgers=ledgers,
        # What is known of an order is newer than its journal entry.
        orders={**orders, **desk.orders},
        generations=generations,
        status=day.counted(desk.status, fresh) if desk.status else None,
    )
    return closing.settled(desk, journaled, of_it=True)


@evolve.register
def _(event: CancelAsked, desk: Desk, at: datetime) -> Desk:
    order = desk.orders[event.order_ref]
    if order.state != "WORKING":
        return desk
    return _with_order(desk, replace(order, state="CANCELLING", updated_at=at))


@evolve.register
def _(event: Silent, desk: Desk, at: datetime) -> Desk:
    order = desk.orders[event.order_ref]
    if order.state == "DONE":
        return desk
    unknown = replace(order, state="UNKNOWN", reason=event.reason, updated_at=at)
    return _with_order(desk, unknown)


@evolve.register
def _(event: Missing, desk: Desk, at: datetime) -> Desk:
    order = desk.orders[event.order_ref]
    return _with_order(desk, missing(order, event, at))


@evolve.register
def _(event: Drained, desk: Desk, at: datetime) -> Desk:
    return _with_order(desk, drained(desk.orders[event.order_ref], at))


@evolve.register
def _(event: NotSent, desk: Desk, at: datetime) -> Desk:
    order = desk.orders[event.order_ref]
    if order.state != "PENDING":
        return desk
    over = replace(order, state="DONE", outcome="not_sent", reason=event.reason, updated_at=at)
    return _with_order(desk, over)


@evolve.register
def _(event: Adopted, desk: Desk, at: datetime) -> Desk:
    return _rebooked(desk, event.contract, {event.ledger: event.entry})


@evolve.register
def _(event: Rebooked, desk: Desk, at: datetime) -> Desk:
    moved = _rebooked(desk, event.contract, event.entries)
    if moved is desk:
        return desk
    known = {name: desk.targets[name] for name in event.held if name in desk.targets}
    con_id = event.contract.con_id
    said = {name: targets.holding(document, con_id, at) for name, document in known.items()}
    return replace(moved, targets={**desk.targets, **said})


@evolve.register
def _(event: Unlocked, desk: Desk, at: datetime) -> Desk:
    con_id, key = event.con_id, str(event.con_id)
    orders = [o.generation for o in desk.orders.values() if o.contract.con_id == con_id]
    since = {**desk.unlocked, con_id: max([desk.generations.get(con_id, 0), *orders])}
    known, left = desk.locks.get(key), locks.unlocked(desk.locks, con_id)
    missing = desk.unexplained.get(con_id)
    if known is not None and missing and key not in left:
        found = clues.clues(desk, con_id)
        left[key] = locks.unexplained(known.symbol, missing, at, clues=found)
    return replace(desk, locks=left, unlocked=since)


@evolve.register
def _(event: Closed, desk: Desk, at: datetime) -> Desk:
    closed = {**desk.closed, **event.closures}
    return replace(desk, closed=closed, targets={**desk.targets, **event.targets})


@evolve.register
def _(event: Reopened, desk: Desk, at: datetime) -> Desk:
    left = {name: one for name, one in desk.closed.items() if name not in event.ledgers}
    return replace(desk, closed=left)


@evolve.register
def _(event: OrderSettled, desk: Desk, at: datetime) -> Desk:
    order = desk.orders[event.order_ref]
    if order.state != "UNKNOWN":
        return desk
    over = replace(order, state="DONE", outcome=event.outcome, reason=event.reason, updated_at=at)
    return _with_order(desk, over)


@evolve.register
def _(event: OrderReport, desk: Desk, at: datetime) -> Desk:
    order = desk.orders.get(event.order_ref)
    if order is None:
        return desk
    return _with_order(desk, transition(order, event, at))


@evolve.register
def _(event: ExecutionDocument, desk: Desk, at: datetime) -> Desk:
    order = desk.orders.get(event.order_ref)
    if order is None:
        # One of ours that we do not know is no manual trade: left out, it shows as UNEXPLAINED.
        return desk if own_ref(desk.mode, event.order_ref) else _foreign(desk, event)
    filled = fill(order, event, at)
    if filled is order:
        return desk  # told again, as each reading tells the whole day's
    return _with_order(desk, attribution.with_shares(order, filled))


@evolve.register
def _(event: Commission, desk: Desk, at: datetime) -> Desk:
    execution = _execution(desk, event.exec_id)
    if execution is None:
        return desk
    paid = replace(execution, commission=event.amount, commission_currency=event.currency)
    return evolve(paid, desk, at)


@evolve.register
def _(event: Connection, desk: Desk, at: datetime) -> Desk:
    return replace(desk, connected=event.up)


@evolve.register
def _(event: Reading, desk: Desk, at: datetime) -> Desk:
    positions = {position.contract.con_id: position for position in event.positions}
    equity = event.values.net_liquidation
    status = day.read(desk.status, equity, event.at, desk.orders.values())
    latch = desk.reduce_only or day.breach(status, desk.settings, equity, event.at)
    read = replace(
        desk,
        values=event.values,
        positions=positions,
        strangers=clues.strangers(desk, event),
        read_at=event.at,
        status=status,
        reduce_only=latch,
    )
    return closing.tomorrow(read, event.at)


@evolve.register
def _(event: Resumed, desk: Desk, at: datetime) -> Desk:
    """Without a reading yet, the next one begins the day anew."""
    if desk.reduce_only is None:
        return desk
    status = None
    if desk.status is not None and desk.values is not None:
        status = day.restarted(desk.status, desk.values.net_liquidation)
    return replace(desk, reduce_only=None, status=status)


def _with_order(desk: Desk, order: OrderDocument) -> Desk:
    """The desk with an order changed, its fills in the books, and what its end makes due [N1d]."""
    before = desk.orders[order.order_ref]
    if order == before:
        return desk
    fills_changed = order.executions != before.executions
    ledgers = attribution.attribute(dict(desk.ledgers), order) if fills_changed else desk.ledgers
    moved = closing.settled(desk, replace(desk, ledgers=ledgers), of_it=True)
    cause = dues.due_after(before, order, is_left_over=closing.is_left_over(moved, order))
    if cause is not None:
        order = replace(order, waits_for_net=True)
    changed = replace(moved, orders={**desk.orders, order.order_ref: order})
    changed = _corrected(desk, _overfilled(changed, before, order), before, order)
    if order.state == "DONE" and not order.filled:
        changed = throttled(changed, order.contract.con_id, order.updated_at or order.created_at)
    if cause is None or (desk.cause is not None and not desk.cause.is_partial):
        return changed
    return _asked(changed, cause)


def throttled(desk: Desk, con_id: int, at: datetime) -> Desk:
    """The desk with the contract locked if its last orders repeat each other and lead nowhere."""
    orders = [o for o in desk.orders.values() if o.contract.con_id == con_id]
    found = repetition.fruitless(orders, desk.foreign, desk.unlocked.get(con_id, 0), at)
    bound = desk.settings.repeated_orders_max
    if not found or len(found) < bound:
        return desk
    return replace(desk, locks={str(con_id): locks.repeated(found, bound, at), **desk.locks})


def _asked(desk: Desk, cause: NetCause) -> Desk:
    """The net is due, after those that are due already; one that is due is due once."""
    if cause in (desk.cause, *desk.waiting):
        return desk
    if desk.cause is None:
        return replace(desk, cause=cause)
    return replace(desk, waiting=(*desk.waiting, cause))


def _rebooked(desk: Desk, contract: Contract, entries: Mapping[str, LedgerEntry]) -> Desk:
    """The desk with a person's entries in its ledgers; the same desk if they are there already."""
    con_id, ledgers = contract.con_id, dict(desk.ledgers)
    left = desk.unexplained.get(con_id, Decimal(0))
    for name, entry in entries.items():
        ledger = ledgers.get(name, book.EMPTY)
        if any(known.source == entry.source for known in _entries(ledger, con_id)):
            return desk
        ledgers[name] = book.post(ledger, contract, entry)
        left -= entry.quantity
    rebooked = replace(
        desk,
        ledgers=ledgers,
        unexplained=_with_missing(desk, con_id, left),
        locks=desk.locks if left else locks.lifted(desk.locks, con_id),
    )
    is_split = any(entry.is_split for entry in entries.values())
    return closing.settled(desk, rebooked, of_it=is_split)


def _corrected(was: Desk, desk: Desk, before: OrderDocument, order: OrderDocument) -> Desk:
    """A corrected book on the other side of 0, that no fresh target minds, is locked [A3]."""
    con_id, at = order.contract.con_id, order.updated_at or order.created_at
    for turn in attribution.turned(was.ledgers, desk.ledgers, before, order):
        strategy, said = desk.strategies.get(turn.strategy), desk.targets.get(turn.strategy)
        if strategy is None or not strategy.enabled or not targets.counts(said, con_id, at):
            made = locks.corrected(order, turn.exec_id, turn.strategy, (turn.before, turn.after))
            return replace(desk, locks={**desk.locks, str(con_id): made})
    return desk


def _overfilled(desk: Desk, before: OrderDocument, order: OrderDocument) -> Desk:
    """What nobody ordered is nobody's: UNEXPLAINED and locked at once, not at the next read."""
    beyond = attribution.overfill(order)
    grown = beyond - attribution.overfill(before)
    if not grown:
        return desk
    con_id = order.contract.con_id
    missing = desk.unexplained.get(con_id, Decimal(0)) + grown
    made = {str(con_id): locks.overfilled(order, beyond)}
    return replace(
        desk, unexplained=_with_missing(desk, con_id, missing), locks={**made, **desk.locks}
    )


def _with_missing(desk: Desk, con_id: int, missing: Decimal) -> Mapping[int, Decimal]:
    """UNEXPLAINED with so much of a contract; what is explained is not in it [B3]."""
    found = {**desk.unexplained, con_id: missing}
    return {key: quantity for key, quantity in found.items() if quantity}


def _foreign(desk: Desk, execution: ExecutionDocument) -> Desk:
    key = execution_key(execution.exec_id)
    name = attribution.owner_of_foreign(execution.contract)
    ledger = desk.ledgers.get(name, book.EMPTY)
    booked = book.entry(ledger, execution.contract.con_id, key)  # the ledger outlives the gateway
    if booked is not None and revision(execution.exec_id) < revision(booked.exec_id):
        return desk
    kept = newer_execution(desk.foreign.get(key), execution)
    if kept == desk.foreign.get(key):
        return desk
    moved = attribution.foreign(ledger, kept, key)
    foreign = {**desk.foreign, key: kept}
    heard = replace(desk, foreign=foreign, ledgers={**desk.ledgers, name: moved})
    return closing.settled(desk, heard, of_it=False)


def _execution(desk: Desk, exec_id: str) -> ExecutionDocument | None:
    key = execution_key(exec_id)
    known = [desk.foreign.get(key), *(o.executions.get(key) for o in desk.orders.values())]
    return next((e for e in known if e is not None and e.exec_id == exec_id), None)


def _answers_open_run(desk: Desk, said: TargetsDocument) -> bool:
    return desk.run is not None and desk.run.document.run_id == said.last_run_id


def _answers_dry_run(desk: Desk, said: TargetsDocument) -> bool:
    """The run decides, not the answer: one that forgets to say `dry_run` must not trade [M9]."""
    return desk.run is not None and desk.run.document.dry_run and _answers_open_run(desk, said)


def _answered(desk: Desk, said: TargetsDocument, *, dry: bool) -> Desk:
    """An answer counts for the barrier whatever it says, also the second time."""
    run = desk.run
    if run is None or not _answers_open_run(desk, said) or run.document.dry_run is not dry:
        return desk
    answered = {**run.document.answered, said.strategy: said.last_status}
    reasons = {**run.document.answer_reasons, said.strategy: said.last_reason}
    known = run.said.get(said.strategy)
    is_newest = known is None or targets.is_newer(said, known)
    overlay = {**run.said, said.strategy: said} if dry and is_newest else run.said
    document = replace(run.document, answered=answered, answer_reasons=reasons)
    return replace(desk, run=OpenRun(document, overlay))


def _numbered(event: Journaled) -> list[tuple[Contract, int]]:
    orders = [(order.contract, order.generation) for order in event.orders]
    return orders + [(cross.contract, cross.generation) for cross in event.crosses]


def _entries(ledger: LedgerDocument, con_id: int) -> tuple[LedgerEntry, ...]:
    position = ledger.positions.get(str(con_id))
    return position.entries if position else ()

"""Carrying out a net that is due: prices, plan, margin, journal, then the broker."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from gateway import journal
from gateway.closing import with_story
from gateway.core import cash, closing, door, margin, telling, wishes
from gateway.core.broker import MarginPreview
from gateway.core.dues import left_due
from gateway.core.events import (
    CancelAsked,
    Journaled,
    NetCause,
    Netted,
    NotSent,
    Priced,
    RunClosed,
    Silent,
)
from gateway.core.fold import evolve as evolved
from gateway.core.grounds import grounds
from gateway.core.netting import Barred, Plan, net
from gateway.core.orders import Approved
from gateway.core.prices import reference
from gateway.floor import Floor
from gateway.session import BrokerUnavailable, Unresolved
from gateway.session import NotSent as Unwritten
from schemas.codec import Invalid
from schemas.documents import OrderDocument, RunDocument, path_of
from schemas.values import Contract

log = logging.getLogger(__name__)

_ROUNDS_MAX = 100
"""Each round bars at least one more strategy [N8]; more rounds than strategies is a defect."""


@dataclass(frozen=True, slots=True)
class _Deal:
    """What one net came to."""

    plan: Plan
    approved: tuple[Approved, ...]


async def carry_out(floor: Floor, cause: NetCause) -> None:
    """Make the net that is due and act on it; close its run. Raises what the doors raise.

    A broker that does not answer leaves nothing planned: the run is closed as failed, and what the
    end of an order made due stays due (`core.dues`). Nor does a configuration that cannot be read:
    the run is closed as refused, naming the document.
    """
    run = _run(floor, cause)
    try:
        if not await _informed(floor, cause):
            cause = replace(cause, reduces_only=True)
        deal = await _admitted(floor, cause)
    except BrokerUnavailable as error:
        await _close(floor, floor.finished(run, "failed", _failure(floor, error)), failed=True)
        return
    except Invalid as error:
        await _close(floor, floor.finished(run, "refused", str(error)))
        return
    if floor.is_stopping:
        return  # not closed: the next gateway finds it due, as after a crash
    run = with_story(_with_plan(floor, run, deal.plan, cause), floor, deal.plan, cause)
    if cause.dry_run or deal.plan.is_empty:
        floor.refuse(deal.plan.refusals, run.run_id)
        await _close(floor, floor.finished(run, "done"))
        return
    await _journal_and_send(floor, run, deal)


async def cancel(floor: Floor, orders: Sequence[OrderDocument]) -> None:
    """Ask the broker to cancel our orders; the answers come as events [N7]."""
    for order in orders:
        try:
            floor.doors.session.cancel(order.order_id, order.client_id)
        except (BrokerUnavailable, ValueError) as error:
            floor.happen(Silent(order.order_ref, f"the cancel could not be sent: {error}"))
        else:
            floor.happen(CancelAsked(order.order_ref))


async def _informed(floor: Floor, cause: NetCause) -> bool:
    """What people set, the positions if they were not read just now for a run, and the prices.

    Whether all that people set could be read: a close goes on without, and reduces only.
    """
    tolerant = bool(floor.desk.closed or cause.closing)
    if _was_read_just_now(floor):
        # Nothing that people set decides what may be traded, so prices need not wait for it.
        prices = price(floor, _tradable(floor, cause))
        is_whole, _ = await _at_once(floor.configure(tolerant=tolerant), prices)
        return is_whole
    is_whole = await floor.look_around(tolerant=tolerant)
    await price(floor, _tradable(floor, cause))
    return is_whole


def _was_read_just_now(floor: Floor) -> bool:
    read_at = floor.desk.read_at
    bound = floor.desk.settings.snapshot_age_seconds_max
    return read_at is not None and (floor.now - read_at).total_seconds() <= bound / 2


async def _at_once[A, B](first: Awaitable[A], second: Awaitable[B]) -> tuple[A, B]:
    """Both. Where the first raises, the second is ended before that is passed on."""
    other = asyncio.ensure_future(second)
    try:
        return await first, await other
    finally:
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)


def _tradable(floor: Floor, cause: NetCause) -> dict[int, Contract]:
    """Everything that this net may trade."""
    overlay = floor.desk.run.said if floor.desk.run is not None else {}
    pairs = {pair.con_id: pair for pair in cause.pairs.values()}
    return {**wishes.contracts(closing.seen_by(floor.desk, cause), overlay), **pairs}


async def price(floor: Floor, contracts: Mapping[int, Contract]) -> None:
    """A reference price of each contract [N4], and how it trades."""
    session = floor.doors.session
    # Terms first: on a day's first net they and the quotes share ib_async's 45 messages a second,
    # and a quote has the longer deadline.
    terms, quotes = await asyncio.gather(
        asyncio.gather(*(_told(floor, "terms", session.terms, o) for o in contracts.values())),
        asyncio.gather(*(_told(floor, "price", session.quote, o) for o in contracts.values())),
    )
    found = {
        con_id: reference(quote, floor.last_closes.get(con_id))
        for con_id, quote in zip(contracts, quotes, strict=True)
        if quote is not None
    }
    prices = {con_id: price for con_id, price in found.items() if price is not None}
    known = {one: told for one, told in zip(contracts, terms, strict=True) if told is not None}
    floor.happen(Priced(prices, known))


async def _told[T](
    floor: Floor, what: str, ask: Callable[[Contract], Awaitable[T]], contract: Contract
) -> T | None:
    """What the broker says of one contract. None for us does not stop the others' trading."""
    try:
        return await ask(contract)
    except (BrokerUnavailable, Unresolved) as error:
        if isinstance(error, BrokerUnavailable) and not floor.doors.session.connected:
            raise
        log.warning("no %s of %s: %s", what, contract.name, error)
        return None


async def _admitted(floor: Floor, cause: NetCause) -> _Deal:
    """Net, ask IB what it would cost, and net again without what it cannot carry [N8]."""
    barred: Barred | None = None
    for _ in range(_ROUNDS_MAX):
        plan = _planned(floor, cause, barred)
        previews = await _previews(floor, margin.questions(plan))
        admission = margin.admit(floor.desk, plan, previews, barred)
        if admission.barred is None:
            return _Deal(admission.plan, admission.approved)
        barred = admission.barred
    raise AssertionError("a net did not reach its fixed point")


def _planned(floor: Floor, cause: NetCause, barred: Barred | None) -> Plan:
    if cause.pairs:
        return cash.plan(floor.desk, cause, floor.now)
    return net(floor.desk, cause, floor.now, barred)


async def _previews(floor: Floor, orders: Sequence[OrderDocument]) -> dict[str, MarginPreview]:
    """IB's what-if answers, asked for together; one that fails is a refusal, not a failed net."""
    answers = await asyncio.gather(*(_preview(floor, order) for order in orders))
    return {order.order_ref: answer for order, answer in zip(orders, answers, strict=True)}


async def _preview(floor: Floor, order: OrderDocument) -> MarginPreview:
    try:
        return await floor.doors.session.what_if(order)
    except BrokerUnavailable as error:
        return MarginPreview(refusal=str(error))


async def _journal_and_send(floor: Floor, run: RunDocument, deal: _Deal) -> None:
    made = Journaled(deal.plan.orders, deal.plan.crosses)
    after = evolved(made, floor.desk, floor.now)
    run_path = path_of(RunDocument, run_id=run.run_id)
    notes = floor.notes(after, telling.planned(floor.mode, deal.plan, run.run_id, floor.now))
    more = {**floor.unwritten(), **notes, run_path: run}
    entry = journal.Entry(floor.desk, after, deal.plan, more)
    try:
        _check_not_halting(floor)
        await journal.record(floor.doors.archive, floor.doors.lease, entry)
    except journal.JournalRefused as error:
        with suppress(Invalid):  # the next run or net says so
            await floor.configure()
        nothing = replace(run, orders=(), crosses=(), cancels=())
        await _close(floor, floor.finished(nothing, "refused", str(error)))
        return
    floor.happen(made)
    floor.wrote(floor.desk, notes)
    has_room = True
    for approved in deal.approved:
        has_room = has_room and await _has_room(floor)
        _send(floor, approved)
    await cancel(floor, [floor.desk.orders[order_ref] for order_ref in deal.plan.cancels])
    floor.refuse(deal.plan.refusals, run.run_id)
    await _close(floor, floor.finished(run, "done"))


async def _has_room(floor: Floor) -> bool:
    """Wait until IB's rate limit lets an order out at once; in vain where nobody reads any more.

    Then no other order of the batch waits as long: placing says itself that there is no room.
    """
    try:
        await floor.doors.session.wait_for_room()
    except BrokerUnavailable:
        return False
    return True


def _send(floor: Floor, approved: Approved) -> None:
    """Write one order to the broker, if all that was true at the journal still is [W2].

    Nothing is awaited here, so what is checked holds at the write: a halt, the lease, the prices.
    """
    order = approved.order
    reason = _stale(floor, order) or _breach(floor, order)
    if reason:
        floor.happen(NotSent(order.order_ref, reason))
        return
    floor.sent.append(order.order_ref)
    try:
        floor.doors.session.place(approved)
    except (Unwritten, ValueError) as error:
        floor.happen(NotSent(order.order_ref, f"not sent: {error}"))
    except BrokerUnavailable as error:
        floor.happen(Silent(order.order_ref, f"the broker was lost while sending: {error}"))


def _breach(floor: Floor, order: OrderDocument) -> str:
    """Why the order must not be written, whatever was decided before; then none is any more.

    A breach is a defect of ours: it is told once, loudly, and only a restart sends again.
    """
    desk = floor.desk
    if floor.breach:
        return f"not sent: {floor.breach}"
    sent = {ref: desk.orders[ref].state for ref in floor.sent if ref in desk.orders}
    try:
        door.check(order, desk.orders.get(order.order_ref), sent)
    except door.Breach as error:
        floor.shut(f"{error}; the door to the broker is shut, look at it and start anew")
        return f"not sent: {floor.breach}"
    return ""


def _check_not_halting(floor: Floor) -> None:
    if floor.halts_heard:
        raise journal.JournalRefused("a halt has come in")
    if floor.breach:
        raise journal.JournalRefused(floor.breach)


def _stale(floor: Floor, order: OrderDocument) -> str:
    if floor.halts_heard:
        return "not sent: a halt has come in"
    if floor.is_stopping:
        return "not sent: the gateway was told to stop"
    if not floor.doors.lease.is_held():
        return "not sent: the lease ran out"
    if floor.now > order.valid_until:
        return f"not sent: its targets were valid until {order.valid_until.isoformat()}"
    return _price_too_old(floor, order)


def _price_too_old(floor: Floor, order: OrderDocument) -> str:
    """What grows the position needs a price that is still good at the write [W2]."""
    if order.is_reducing or closing.is_forced(floor.desk, order.allocations):
        return ""
    if order.decision_at is None:
        return "not sent: nobody knows of when its reference price is"
    bound = floor.desk.settings.quote_age_seconds_max
    age = (floor.now - order.decision_at).total_seconds()
    if age <= bound:
        return ""
    return f"not sent: its reference price is {age:.0f} s old, at most {bound} s allowed"


def _failure(floor: Floor, error: Exception) -> str:
    """Why a net failed, and what of it goes on by itself."""
    left = left_due(floor.desk.orders, floor.desk.generations)
    if left is None:
        return str(error)
    return (
        f"{error}; {left.run_id} is made with the next net, or once a lost line is back; say "
        f"allocate to make it now"
    )


async def _close(floor: Floor, run: RunDocument, *, failed: bool = False) -> None:
    """The net is over: what was due is due no more, and the run document says what came of it."""
    floor.happen(Netted(failed))
    floor.happen(RunClosed(run.run_id))
    floor.opened.pop(run.run_id, None)
    await floor.persist({path_of(RunDocument, run_id=run.run_id): run})


def _run(floor: Floor, cause: NetCause) -> RunDocument:
    """The open run that the net belongs to, or a new one for a net without a command."""
    if floor.desk.run is not None and floor.desk.run.document.run_id == cause.run_id:
        return floor.desk.run.document
    if cause.run_id in floor.opened:
        return floor.opened[cause.run_id]
    return RunDocument(
        run_id=cause.run_id,
        command="net",
        trigger=cause.reason,
        started_at=floor.now,
        state="STARTED",
        dry_run=cause.dry_run,
    )


def _with_plan(floor: Floor, run: RunDocument, plan: Plan, cause: NetCause) -> RunDocument:
    symbols = {change.con_id: change.symbol for change in plan.wanted}
    prices = {
        symbols[con_id]: f"{price.value:f}, {price.source} of {price.at.isoformat()}"
        for con_id, price in floor.desk.prices.items()
        if con_id in symbols
    }
    what = tuple(
        f"{order.quantity:+f} {order.contract.name} for {telling.shares_text(order.allocations)}"
        for order in plan.orders
    )
    run = replace(run, prices=prices, wanted=plan.wanted, planned=what, grounds=grounds(floor.desk))
    run = replace(run, refusals=(*run.refusals, *plan.refusals))
    if cause.dry_run:
        return run
    return replace(
        run,
        crosses=tuple(cross.cross_id for cross in plan.crosses),
        orders=tuple(order.order_ref for order in plan.orders),
        cancels=plan.cancels,
    )

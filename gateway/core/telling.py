"""What people and programs are told: the difference of two desks, one sentence each."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from gateway.core import book, closing
from gateway.core.attribution import owner_of_foreign
from gateway.core.desk import Desk
from gateway.core.netting import Plan
from gateway.core.settlement import Orphan, orphans
from schemas.documents import ActivityDocument, CrossDocument, OrderDocument, RefusalEntry, Share
from schemas.messages import Report
from schemas.values import Mode


def happened(before: Desk, after: Desk, at: datetime) -> list[Report]:
    """Reports of what changed: answers, orders, fills, foreign executions, locks, states."""
    return [
        *_answers(before, after, at),
        *_orders(before, after, at),
        *_foreign(before, after, at),
        *_locks(before, after, at),
        *_control(before, after, at),
        *_latch(before, after, at),
        *_closures(before, after, at),
        *_line(before, after, at),
    ]


def planned(mode: Mode, plan: Plan, run_id: str, at: datetime) -> list[Report]:
    """Reports of a net's crosses."""
    return [_cross(mode, cross, run_id, at) for cross in plan.crosses]


def in_order(told: list[Report], happened_since: list[Report]) -> list[Report]:
    """Both as a story: a run's end comes after what happened in it."""
    ends = [report for report in told if report.kind == "run"]
    return [*(report for report in told if report.kind != "run"), *happened_since, *ends]


def noted(report: Report, number: int = 0, published_to: int = 0) -> ActivityDocument:
    """A report as `activity` keeps it."""
    return ActivityDocument(
        at=report.at,
        kind=report.kind,
        sentence=report.sentence,
        run_id=report.run_id,
        order_ref=report.order_ref,
        symbol=report.symbol,
        strategy=report.strategy,
        con_id=report.con_id,
        details=report.details,
        number=number,
        published_to=published_to,
    )


def report_of(note: ActivityDocument, mode: Mode) -> Report:
    """The report that was noted."""
    return Report(
        kind=note.kind,
        at=note.at,
        mode=mode,
        sentence=note.sentence,
        run_id=note.run_id,
        strategy=note.strategy,
        symbol=note.symbol,
        con_id=note.con_id,
        order_ref=note.order_ref,
        details=note.details,
    )


def refused(mode: Mode, entry: RefusalEntry, run_id: str, at: datetime) -> Report:
    """A refusal's report: what, which value against which bound, what to do next."""
    who = f"{', '.join(entry.strategies)}: " if entry.strategies else ""
    what = "" if entry.symbol in entry.sentence else f"{entry.symbol}: "
    return Report(
        kind="refusal",
        at=at,
        mode=mode,
        sentence=f"refused: {who}{what}{entry.sentence}",
        run_id=run_id,
        symbol=entry.symbol,
        con_id=entry.con_id,
        details={
            "rule": entry.rule,
            "value": entry.value,
            "bound": entry.bound,
            "strategies": ", ".join(entry.strategies),
        },
    )


def orphaned(desk: Desk, run_id: str, at: datetime) -> list[Report]:
    """Alerts for books whose strategy is gone: what they hold, and what a person can do [B6]."""
    return [_orphan(desk.mode, orphan, run_id, at) for orphan in orphans(desk)]


def shares_text(shares: tuple[Share, ...]) -> str:
    """Shares for the eye: `a +60, b -40`."""
    return ", ".join(f"{share.strategy} {share.quantity:+f}" for share in shares)


def _answers(before: Desk, after: Desk, at: datetime) -> Iterator[Report]:
    """Strategies that say hold or error, told when status or reason change; targets show in nets.

    Error is an alert [T1].
    """
    for strategy, said in after.targets.items():
        known = before.targets.get(strategy)
        earlier = (known.last_status, known.last_reason) if known else None
        if said.last_status == "targets" or (said.last_status, said.last_reason) == earlier:
            continue
        failed = said.last_status == "error"
        why = said.last_reason or "no reason given"
        yield Report(
            kind="alert" if failed else "state",
            at=at,
            mode=after.mode,
            sentence=f"{strategy} {'failed and ' if failed else ''}holds what it has: {why}",
            run_id=said.last_run_id,
            strategy=strategy,
            details={"status": said.last_status},
        )


def _orders(before: Desk, after: Desk, at: datetime) -> Iterator[Report]:
    for order_ref, order in after.orders.items():
        known = before.orders.get(order_ref)
        if known is order:
            continue
        yield from _fills(after.mode, known, order, at)
        if known is None or (known.state, known.outcome) != (order.state, order.outcome):
            yield _report(after.mode, order, "order", _order_sentence(order), at)
            yield from _half(after, order, at)


def _half(after: Desk, order: OrderDocument, at: datetime) -> Iterator[Report]:
    """An alert where one leg of an intention ended short of its quantity and another may go on."""
    if order.state != "DONE" or order.filled == order.quantity or not order.leg_of:
        return
    others = [
        other
        for other in after.orders.values()
        if other is not order
        and other.run_id == order.run_id
        and set(other.leg_of) & set(order.leg_of)
    ]
    if not any(one.filled or one.state != "DONE" for one in (order, *others)):
        return
    legs = "; ".join(_progress(other) for other in others) or "none was ordered"
    sentence = (
        f"{', '.join(order.leg_of)} may be left with half of what was to go together: "
        f"{_progress(order)}, ended {order.outcome} ({order.reason or 'no reason given'}); the "
        f"other legs: {legs}; say run to try again, or close_all to be out"
    )
    report = _report(after.mode, order, "order", sentence, at)
    details = {**report.details, "alert": "intention_halved"}
    yield replace(report, kind="alert", details=details)


def _progress(order: OrderDocument) -> str:
    return f"{order.order_ref}, {order.filled:+f} of {order.quantity:+f} {order.contract.name}"


def _order_sentence(order: OrderDocument) -> str:
    what = f"{order.order_ref}: {_side(order.quantity)} {order.contract.name}"
    if order.state == "PENDING":
        return f"{what} journaled for {shares_text(order.allocations)}"
    if order.state != "DONE":
        why = f" ({order.reason})" if order.reason else ""
        return f"{what} is {order.state}{why}"
    price = f" at {order.average_price.normalize():f}" if order.average_price else ""
    why = f" ({order.reason})" if order.reason and order.outcome != "filled" else ""
    return f"{what} is DONE, {order.outcome}: {order.filled:+f}{price}{why}"


def _fills(
    mode: Mode, known: OrderDocument | None, order: OrderDocument, at: datetime
) -> Iterator[Report]:
    for key, execution in order.executions.items():
        earlier = known.executions.get(key) if known else None
        if earlier is None or earlier.exec_id != execution.exec_id:
            sentence = (
                f"{order.order_ref}: {execution.quantity:+f} {order.contract.name} at "
                f"{execution.price:f} -> {shares_text(execution.shares)}"
            )
            yield _report(mode, order, "execution", sentence, at)


def _foreign(before: Desk, after: Desk, at: datetime) -> Iterator[Report]:
    for key, execution in after.foreign.items():
        owner = owner_of_foreign(execution.contract)
        ledger = before.ledgers.get(owner, book.EMPTY)
        booked = book.entry(ledger, execution.contract.con_id, key)  # also by the last gateway
        if booked is None or booked.exec_id != execution.exec_id:
            symbol = execution.contract.name
            sentence = (
                f"{execution.quantity:+f} {symbol} at {execution.price:f} by somebody else, "
                f"booked to {owner}; no strategy's book moves"
            )
            yield Report(
                "execution",
                at,
                after.mode,
                sentence,
                symbol=symbol,
                con_id=execution.contract.con_id,
                details={"exec_id": execution.exec_id},
            )


def _locks(before: Desk, after: Desk, at: datetime) -> Iterator[Report]:
    for key, lock in {**after.locks, **before.locks}.items():
        is_new = key not in before.locks
        if not is_new and key in after.locks:
            continue
        sentence = f"{lock.symbol} is {f'locked: {lock.reason}' if is_new else 'unlocked'}"
        details = {"lock": lock.kind} if is_new else {"alert": "unlocked"}
        yield Report(
            "alert", at, after.mode, sentence, symbol=lock.symbol, con_id=int(key), details=details
        )


def _control(before: Desk, after: Desk, at: datetime) -> Iterator[Report]:
    if after.control.state is not before.control.state:
        control = after.control
        why = f": {control.reason}" if control.reason else ""
        sentence = f"trading is {control.state}, by {control.by or 'nobody named'}{why}"
        details = {"trading": str(control.state)}
        yield Report("state", at, after.mode, sentence, details=details)


def _line(before: Desk, after: Desk, at: datetime) -> Iterator[Report]:
    """The line to the broker; that of a gateway that starts is told by its first reading."""
    if before.connected is after.connected or before.read_at is None:
        return
    state = "is back" if after.connected else "is lost; nothing is sent until it is back"
    details = {"line": "back" if after.connected else "lost"}
    sentence = f"the line to the broker {state}"
    yield Report("state", at, after.mode, sentence, details=details)


def _latch(before: Desk, after: Desk, at: datetime) -> Iterator[Report]:
    latch = after.reduce_only
    if latch is not None and before.reduce_only is None:
        details = {"latch": latch.rule}
        sentence = f"trading is latched reduce_only: {latch.reason}"
        yield Report("alert", at, after.mode, sentence, details=details)
    if latch is None and before.reduce_only is not None:
        sentence, details = "trading is not latched reduce_only any more", {"alert": "latch_lifted"}
        yield Report("alert", at, after.mode, sentence, details=details)


def _closures(before: Desk, after: Desk, at: datetime) -> Iterator[Report]:
    for name, closure in after.closed.items():
        known = before.closed.get(name)
        resume = f'say resume with strategies ["{name}"]'
        if known is None:
            sentence = f"{name} is {closing.why(closure)}; to let it trade again, {resume}"
            yield _closure("closed", name, sentence, after, at)
        said = closure.ignored_message_id
        if said and (known is None or not known.ignored_message_id):
            sentence = f"{name} is closed: its targets of {said} are not traded; {resume} to do so"
            yield _closure("targets_ignored", name, sentence, after, at)
    for name in before.closed:
        if name not in after.closed:
            sentence = f"{name} is not closed any more"
            yield _closure("closed_lifted", name, sentence, after, at)


def _closure(alert: str, name: str, sentence: str, after: Desk, at: datetime) -> Report:
    details = {"alert": alert}
    return Report("alert", at, after.mode, sentence, strategy=name, details=details)


def _orphan(mode: Mode, orphan: Orphan, run_id: str, at: datetime) -> Report:
    name = orphan.strategy
    held = ", ".join(f"{quantity:+f} {symbol}" for symbol, quantity in orphan.holdings.items())
    sentence = (
        f"strategies/{name} is gone and its book is an orphan that holds {held}; say transfer to "
        f'another strategy or to EXTERNAL, or close_all with strategies ["{name}"]'
    )
    details = {"alert": "orphan"}
    return Report("alert", at, mode, sentence, run_id=run_id, strategy=name, details=details)


def _cross(mode: Mode, cross: CrossDocument, run_id: str, at: datetime) -> Report:
    sentence = (
        f"{cross.cross_id}: {shares_text(cross.shares)} {cross.contract.name} crossed at "
        f"{cross.price:f} ({cross.price_source})"
    )
    return Report(
        "cross",
        at,
        mode,
        sentence,
        run_id=run_id,
        symbol=cross.contract.name,
        con_id=cross.contract.con_id,
        details={"cross_id": cross.cross_id},
    )


def _report(mode: Mode, order: OrderDocument, kind: str, sentence: str, at: datetime) -> Report:
    return Report(
        kind="execution" if kind == "execution" else "order",
        at=at,
        mode=mode,
        sentence=sentence,
        run_id=order.run_id,
        symbol=order.contract.name,
        con_id=order.contract.con_id,
        order_ref=order.order_ref,
        details={"state": order.state, "outcome": order.outcome},
    )


def _side(quantity: Decimal) -> str:
    return f"{'BUY' if quantity > 0 else 'SELL'} {abs(quantity):f}"

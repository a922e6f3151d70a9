"""Books that a person closed: they hold nothing, whatever their strategies say (behaviour 5).

A closure is a level, not an edge: it is a latch that every net looks at, so a cancel, a flip, a
restart or the same command again all lead to the same end. A strategy's stays until a person says
`resume` with its name; EXTERNAL's is for what it held as of the command, and ends by itself in
each contract once nothing is left of that. What a person buys there since is not closed.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from gateway.core import book
from gateway.core.day import date_of
from gateway.core.desk import Desk
from gateway.core.events import Closed, NetCause
from gateway.core.holdings import open_orders
from schemas.commands import CloseAll
from schemas.documents import Closure, OrderDocument, Share, TargetsDocument
from schemas.messages import Target
from schemas.values import EXTERNAL, OWNERLESS, Contract, TradingState

_GONE_ON: Final = ("filled", "not_sent")
"""Ends of a closing order after which the next one follows by itself; not sent, only once."""


class CannotClose(ValueError):
    """A name that no book and no strategy has; the text says which there are."""


def for_today(desk: Desk, run_id: str, at: datetime) -> Closed:
    """What is closed so that all books are flat over night, and open again tomorrow."""
    event = closed(desk, CloseAll(by="eod_check", reason="enforce_flat_eod"), run_id, at)
    return replace(
        event,
        closures={
            name: closure if name in desk.closed else replace(closure, day=date_of(at))
            for name, closure in event.closures.items()
        },
    )


def tomorrow(desk: Desk, at: datetime) -> Desk:
    """The desk without the closures of days that are over."""
    over = {name for name, one in desk.closed.items() if one.day and one.day < date_of(at)}
    if not over:
        return desk
    return replace(desk, closed={n: one for n, one in desk.closed.items() if n not in over})


def closed(desk: Desk, command: CloseAll, run_id: str, at: datetime) -> Closed:
    """What the command closes: the closures, and the targets set to 0 as of now.

    What is closed already stays closed since then, by whom it was; only `force` is taken up. The
    targets wait for a net, so that the next gateway makes it where this one ends. Raises
    `CannotClose`.
    """
    names = _named(desk, command)
    made = {name: _closure(desk, command, name, at) for name in names}
    if command.external:
        made |= _external(desk, command, at)
    targets = {name: _zero(desk, name, run_id, at) for name in names}
    return Closed(made, targets)


def seen_by(desk: Desk, cause: NetCause) -> Desk:
    """The desk as a net looks at it: a dry close has closed nothing but for its own net."""
    if cause.reduces_only and desk.control.state is TradingState.ACTIVE:
        desk = replace(desk, control=replace(desk.control, state=TradingState.REDUCE_ONLY))
    if not cause.closing:
        return desk
    return replace(desk, closed={**desk.closed, **cause.closing})


def is_closed(desk: Desk, ledger: str, con_id: int) -> bool:
    """Whether a person wants a ledger to hold none of a contract."""
    closure = desk.closed.get(ledger)
    if closure is None:
        return False
    return ledger not in OWNERLESS or str(con_id) in closure.contracts


def held_closed(desk: Desk, ledger: str, con_id: int) -> Decimal:
    """What a closed ledger is to get rid of in a contract: all; of EXTERNAL what is left of it."""
    if ledger in OWNERLESS:
        return desk.closed[ledger].contracts[str(con_id)]
    return _held(desk, ledger, con_id)


def is_forced(desk: Desk, shares: Iterable[Share]) -> bool:
    """Whether everyone concerned is closed with `force`, so that an old price will do."""
    closures = [desk.closed.get(share.strategy) for share in shares]
    return bool(closures) and all(c is not None and c.force for c in closures)


def why(closure: Closure) -> str:
    """By whom and why, for a sentence: `closed by ann: margin call`."""
    reason = f": {closure.reason}" if closure.reason else ""
    return f"closed by {closure.by or 'nobody named'}{reason}"


def is_left_over(desk: Desk, order: OrderDocument) -> bool:
    """Whether the end of an order leaves something to be closed that nothing else would close.

    It was made before the closure, or is a part of it that was filled, or that a gateway journaled
    and never sent [R2]. One that the broker rejected or somebody cancelled since is not sent again
    by itself, nor one after another that was not sent: that is a person's matter. What vanishes at
    the broker again and again may be there all the same.
    """
    con_id = order.contract.con_id
    if order.outcome == "not_sent" and _before(desk, order) == "not_sent":
        return False
    return any(
        is_closed(desk, name, con_id)
        and abs(held_closed(desk, name, con_id)) >= 1
        and (order.outcome in _GONE_ON or order.created_at < desk.closed[name].since)
        for name in desk.ledgers
    )


def ignoring(desk: Desk, said: TargetsDocument) -> Desk:
    """The desk once a closed strategy has said targets: they are stored, and told of once."""
    closure = desk.closed.get(said.strategy)
    if closure is None or closure.ignored_message_id or said.last_status != "targets":
        return desk
    noted = replace(closure, ignored_message_id=said.message_id)
    return replace(desk, closed={**desk.closed, said.strategy: noted})


def settled(was: Desk, desk: Desk, *, of_it: bool) -> Desk:
    """The desk with EXTERNAL's closure for what is left of it since `was`; none where nothing is.

    With `of_it` what moved is of what was closed: what we traded, or what a split made of it. What
    others did takes from it only what is not held any more, and ends it on the other side of 0: a
    person has traded since, and knows [B2].
    """
    closure = desk.closed.get(EXTERNAL)
    if closure is None:
        return desk
    known = closure.contracts
    found = {key: _left(was, desk, key, known[key], of_it=of_it) for key in known}
    left = {key: quantity for key, quantity in found.items() if quantity}
    if left == known:
        return desk
    others = {name: one for name, one in desk.closed.items() if name != EXTERNAL}
    kept = {EXTERNAL: replace(closure, contracts=left)} if left else {}
    return replace(desk, closed={**others, **kept})


def closable(desk: Desk) -> list[str]:
    """Whoever can be named: the strategies that people know, and the books that hold something.

    A book whose strategy is gone is an orphan, and can be closed all the same [B6].
    """
    flying = {s.strategy for order in open_orders(desk).values() for s in order.allocations}
    holding = {name for name, ledger in desk.ledgers.items() if _contracts(desk, name)}
    return sorted({*desk.strategies, *holding, *flying}.difference(OWNERLESS))


def _named(desk: Desk, command: CloseAll) -> list[str]:
    known = closable(desk)
    if command.strategies is None:
        return known
    unknown = [name for name in command.strategies if name not in known]
    if unknown:
        raise CannotClose(
            f"strategies: {unknown[0]!r} is no strategy and no book holds anything for it; name "
            f"one of {', '.join(known) or 'none'}"
        )
    return sorted({*command.strategies})


def _closure(desk: Desk, command: CloseAll, name: str, at: datetime) -> Closure:
    known = desk.closed.get(name)
    if known is not None:
        return replace(known, force=known.force or command.force)
    return Closure(at, command.by, command.reason, command.force)


def _external(desk: Desk, command: CloseAll, at: datetime) -> dict[str, Closure]:
    """EXTERNAL's closure, in what it holds now; none where it holds nothing."""
    held = {
        str(contract.con_id): _held(desk, EXTERNAL, contract.con_id)
        for contract in _contracts(desk, EXTERNAL)
    }
    if not held:
        return {}
    return {EXTERNAL: replace(_closure(desk, command, EXTERNAL, at), contracts=held)}


def _zero(desk: Desk, name: str, run_id: str, at: datetime) -> TargetsDocument:
    """What a closed strategy wants as of the command; whatever it said before is older [T2]."""
    known = desk.targets.get(name) or TargetsDocument(name)
    said = {target.con_id: target for target in known.targets}
    held = {contract.con_id: Target.of(contract, Decimal(0)) for contract in _contracts(desk, name)}
    message = f"close_all {run_id}"
    return replace(
        known,
        targets=tuple(replace(t, quantity=Decimal(0)) for t in {**held, **said}.values()),
        as_of=at,
        valid_until=at + timedelta(minutes=desk.settings.fresh_minutes),
        message_id=message,
        run_id=run_id,
        last_status="targets",
        last_reason="",
        last_as_of=at,
        last_message_id=message,
        last_run_id=run_id,
        last_digest="",
        waits_for_net=True,
        held_contracts={},
        together_until=None,
    )


def _before(desk: Desk, order: OrderDocument) -> str:
    """The outcome of the order before it in its contract, if there is one."""
    con_id, number = order.contract.con_id, order.generation
    orders = (o for o in desk.orders.values() if o.contract.con_id == con_id)
    earlier = [one for one in orders if one.generation < number]
    return max(earlier, key=lambda one: one.generation).outcome if earlier else ""


def _contracts(desk: Desk, name: str) -> list[Contract]:
    positions = desk.ledgers.get(name, book.EMPTY).positions.values()
    return [position.contract for position in positions if position.quantity]


def _left(was: Desk, desk: Desk, key: str, known: Decimal, *, of_it: bool) -> Decimal:
    held = _held(desk, EXTERNAL, int(key))
    left = known + held - _held(was, EXTERNAL, int(key)) if of_it else known
    if held * known <= 0 or left * known <= 0:
        return Decimal(0)
    return min(left, held, key=abs)


def _held(desk: Desk, name: str, con_id: int) -> Decimal:
    return book.quantity(desk.ledgers.get(name, book.EMPTY), con_id)

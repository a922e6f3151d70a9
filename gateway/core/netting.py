"""From what everyone wants to one order per contract [N3-N8]. Pure; sends nothing.

`net` applied to a desk that has taken up its own plan plans nothing: that is why redelivery,
restarts and late messages are harmless.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from gateway.core import attribution, batch_limits, closing, holdings, together, wishes
from gateway.core.candidate import draft
from gateway.core.desk import Desk
from gateway.core.events import NetCause
from gateway.core.limits import NAMES, Candidate, held, is_increasing, refusal
from gateway.core.order_policy import instruction
from schemas.documents import CrossDocument, OrderDocument, RefusalEntry, Share, WantedChange
from schemas.values import Contract, TradingState


@dataclass(frozen=True, slots=True)
class Barred:
    """Strategies whose increasing legs stay out of this net, and the refusals that say why [N8].

    `contracts` are those in which the broker's position must not grow either. `whole` are
    strategies no leg of whose intention may go, not even what reduces (`together`).
    """

    strategies: frozenset[str] = frozenset()
    refusals: tuple[RefusalEntry, ...] = ()
    contracts: frozenset[int] = frozenset()
    whole: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """What one net leads to. Orders that reduce come first [N6]; all are PENDING, none is sent."""

    wanted: tuple[WantedChange, ...] = ()
    orders: tuple[OrderDocument, ...] = ()
    cancels: tuple[str, ...] = ()
    crosses: tuple[CrossDocument, ...] = ()
    refusals: tuple[RefusalEntry, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be done; refusals and wishes may still be told."""
        return not (self.orders or self.cancels or self.crosses)


def net(desk: Desk, cause: NetCause, now: datetime, barred: Barred | None = None) -> Plan:
    """The plan that brings the desk to what the strategies want, as far as the limits let it.

    A strategy's increasing legs stand or fall together: while one is refused, all of that
    strategy's are dropped and the net is made anew, to the fixed point [N8]. So are all legs of
    an intention that goes whole or not at all (`together`). Each round drops at least one strategy
    in one of both ways, so there are at most twice as many rounds as strategies. What is left is
    then held against the limits of the whole batch; what breaks one drops out in the same way.
    """
    barred, desk = barred or Barred(), closing.seen_by(desk, cause)
    scene = _scene(desk, cause, now)
    while True:
        plan = _attempt(replace(scene, barred=barred))
        dropped = _refused_increasers(plan, barred)
        broken = together.broken(plan.wanted, plan.refusals, scene.intentions, barred.whole)
        beyond = () if dropped or broken else batch_limits.refusals(desk, plan.orders)
        if beyond:
            barred = stand_back(desk, plan.orders, barred, beyond)
            continue
        refusals = (*barred.refusals, *plan.refusals)
        if not (dropped or broken):
            kept = together.kept(plan.wanted, refusals, barred.whole)
            plan = replace(plan, refusals=_unique((*refusals, *kept)))
            return _unless_vanished(desk, plan, cause)
        barred = replace(
            barred,
            strategies=barred.strategies | dropped,
            refusals=refusals,
            whole=barred.whole | broken,
        )


def stand_back(
    desk: Desk,
    orders: Sequence[OrderDocument],
    before: Barred,
    refusals: Sequence[RefusalEntry],
) -> Barred:
    """Who must stand back: the strategies whose books a refused order grows [N8].

    An order may grow the broker's position and no book (EXTERNAL stands against them); then its
    contract stands back as well, or the next net would plan the same order again.
    """
    strategies, contracts = set(before.strategies), set(before.contracts)
    whole = set(before.whole)
    by_contract = {order.contract.con_id: order for order in orders}
    for entry in refusals:
        order = by_contract[entry.con_id]
        growing = increasers(desk, entry.con_id, order.allocations)
        strategies |= growing or set(entry.strategies)
        whole |= set(order.leg_of)
        if not growing:
            contracts.add(entry.con_id)
    told = (*before.refusals, *refusals)
    return Barred(frozenset(strategies), told, frozenset(contracts), frozenset(whole))


def increasers(desk: Desk, con_id: int, shares: Sequence[Share]) -> frozenset[str]:
    """The strategies whose books the shares take further from 0."""
    return frozenset(
        share.strategy
        for share in shares
        if is_increasing(held(desk, share.strategy, con_id), share.quantity)
    )


@dataclass(frozen=True, slots=True)
class _Scene:
    """What one round of a net looks at; only `barred` differs from round to round."""

    desk: Desk
    cause: NetCause
    now: datetime
    wanted: Sequence[tuple[Contract, Sequence[WantedChange]]]
    open_orders: Mapping[int, OrderDocument]
    intentions: Mapping[str, int]
    barred: Barred = Barred()


def _scene(desk: Desk, cause: NetCause, now: datetime) -> _Scene:
    overlay = desk.run.said if desk.run is not None and cause.dry_run else {}
    wanted = tuple(wishes.wanted_changes(desk, overlay, now).values())
    intentions = together.intentions([change for _, changes in wanted for change in changes])
    return _Scene(desk, cause, now, wanted, holdings.open_orders(desk), intentions)


def _attempt(scene: _Scene) -> Plan:
    parts: list[Plan] = []
    for contract, changes in scene.wanted:
        allowed = [_allowed(change, scene.barred) for change in changes]
        part = _net_contract(scene, contract, allowed)
        parts.append(replace(part, wanted=tuple(changes)))
    plan = _joined(*parts)
    first = sorted(plan.orders, key=lambda order: not order.is_reducing)
    return replace(plan, orders=tuple(first))


def _allowed(change: WantedChange, barred: Barred) -> WantedChange:
    """The change, or what of it reduces where the increasing legs are out of this net.

    Of a flip the way to 0 reduces, and reducing is never refused [N6].
    """
    if change.strategy in barred.whole:
        return together.called_back(change)
    if change.strategy not in barred.strategies or not _increases(change):
        return change
    end = change.book + change.in_flight + change.change
    stop = Decimal(0) if change.book * end < 0 else change.book
    allowed = wishes.whole(stop - change.book - change.in_flight)
    if allowed * change.change <= 0:
        return replace(change, change=Decimal(0))
    return replace(change, change=min(allowed, change.change, key=abs))


def _increases(change: WantedChange) -> bool:
    return is_increasing(change.book, change.change + change.in_flight)


def _net_contract(scene: _Scene, contract: Contract, changes: Sequence[WantedChange]) -> Plan:
    working = scene.open_orders.get(contract.con_id)
    if working is not None and working.state == "UNKNOWN":
        return Plan(refusals=_unknown(working, changes))
    if not any(c.change for c in changes):
        return Plan()
    if working is not None:
        return _with_working_order(scene, working, changes)
    return _anew(scene, contract, changes)


def _anew(scene: _Scene, contract: Contract, changes: Sequence[WantedChange]) -> Plan:
    """What a contract needs while no order of it is alive."""
    refused = _not_reducing(scene.desk, contract, changes)
    if refused:
        return Plan(refusals=refused)
    met, rest = cross([Share(c.strategy, c.change) for c in changes if c.change])
    plan = _cross_plan(scene, contract, met)
    if plan.refusals and increasers(scene.desk, contract.con_id, rest):
        return plan  # the wishes were to meet; without the cross the rest would be half of them
    return _joined(plan, _order_plan(_crossed(scene, plan), contract, rest))


def _crossed(scene: _Scene, plan: Plan) -> _Scene:
    """The scene with the plan's crosses in the books, which the order comes on top of."""
    ledgers = dict(scene.desk.ledgers)
    for document in plan.crosses:
        ledgers = attribution.crossed(ledgers, document)
    return replace(scene, desk=replace(scene.desk, ledgers=ledgers)) if plan.crosses else scene


def _with_working_order(
    scene: _Scene, working: OrderDocument, changes: Sequence[WantedChange]
) -> Plan:
    """One parent per contract is alive: it goes on, or is cancelled and waited for [N5, N7].

    What waits for its end is held against the limits now: a leg that would then be refused drops
    its strategy's other legs today [N8], and no order is cancelled for it, to be sent again.
    """
    gives_too_much = any(c.change * c.in_flight < 0 for c in changes)
    closes = _closes(scene.desk, working, changes)
    net_change = sum((c.change for c in changes), Decimal(0))
    is_opposed = gives_too_much or closes or net_change * working.quantity < 0
    waiting = [_without_flight(c) for c in changes] if is_opposed else changes
    refused = _anew(scene, working.contract, waiting).refusals
    legs = [c for c in changes if c.strategy not in scene.barred.whole]
    refused = refused or together.waiting(working, legs, scene.intentions)
    is_wrong = gives_too_much or (is_opposed and not refused)
    can_cancel = working.state == "WORKING" and not working.outcome
    return Plan(cancels=(working.order_ref,) if is_wrong and can_cancel else (), refusals=refused)


def _closes(desk: Desk, working: OrderDocument, changes: Sequence[WantedChange]) -> bool:
    """Whether something that a person closed is not wholly on its way: then it may not wait.

    Of what was closed before a flip's first half was made, the rest follows that half [N6].
    """
    closed = [c for c in changes if c.change and closing.is_closed(desk, c.strategy, c.con_id)]
    return any(
        not working.is_flip or working.created_at < desk.closed[c.strategy].since for c in closed
    )


def _without_flight(change: WantedChange) -> WantedChange:
    """The change once nothing is in flight any more."""
    return replace(change, change=change.change + change.in_flight, in_flight=Decimal(0))


def _unknown(working: OrderDocument, changes: Sequence[WantedChange]) -> tuple[RefusalEntry, ...]:
    """Who waits for it: those that want a change, and those to whom it would give one."""
    names = tuple(c.strategy for c in changes if c.change or c.in_flight)
    if not names:
        return ()
    symbol, con_id = working.contract.name, working.contract.con_id
    sentence = (
        f"{symbol} waits: nobody knows whether the broker has {working.order_ref} "
        f"({working.reason}); say reconcile, else look at the broker and say unlock"
    )
    return (RefusalEntry("unknown_order", sentence, symbol, con_id, names, "UNKNOWN", "settled"),)


def _not_reducing(
    desk: Desk, contract: Contract, changes: Sequence[WantedChange]
) -> tuple[RefusalEntry, ...]:
    """While reduce-only, each strategy's own wish must reduce its own book [N4]."""
    if desk.trading_state is not TradingState.REDUCE_ONLY:
        return ()
    return tuple(
        RefusalEntry(
            "trading_state",
            f"{c.strategy} wants {c.change:+f} {contract.name}, which does not reduce its book "
            f"of {c.book:f}; trading is reduce_only",
            contract.name,
            contract.con_id,
            (c.strategy,),
            f"{c.change:f}",
            "reduce_only",
        )
        for c in changes
        if c.change and _increases(c)
    )


def cross(shares: Sequence[Share]) -> tuple[tuple[Share, ...], tuple[Share, ...]]:
    """Split opposite wishes into what they settle among themselves, and the rest of one side [N4].

    The smaller side is settled whole; the larger one pro rata by largest remainder, ties by id.
    """
    buys = tuple(s for s in shares if s.quantity > 0)
    sells = tuple(s for s in shares if s.quantity < 0)
    bought, sold = _total(buys), -_total(sells)
    if not bought or not sold:
        return (), tuple(shares)
    small, large = (buys, sells) if bought <= sold else (sells, buys)
    settled = pro_rata(-_total(small), large)
    left = (
        Share(whole.strategy, whole.quantity - part.quantity)
        for whole, part in zip(large, settled, strict=True)
    )
    crossed = tuple(s for s in (*small, *settled) if s.quantity)
    return crossed, tuple(share for share in left if share.quantity)


def pro_rata(total: Decimal, shares: Sequence[Share]) -> tuple[Share, ...]:
    """`total` in the proportion of the shares, in whole units by largest remainder, ties by id."""
    whole = _total(shares)
    floors = [abs(total) * abs(s.quantity) // abs(whole) for s in shares]
    remainders = [abs(total) * abs(s.quantity) % abs(whole) for s in shares]
    left = abs(total) - sum(floors, Decimal(0))
    by_remainder = sorted(range(len(shares)), key=lambda i: (-remainders[i], shares[i].strategy))
    for i in by_remainder:
        extra = min(left, Decimal(1))
        floors[i] += extra
        left -= extra
    return tuple(
        Share(s.strategy, floor.copy_sign(total)) for s, floor in zip(shares, floors, strict=True)
    )


def _cross_plan(scene: _Scene, contract: Contract, shares: tuple[Share, ...]) -> Plan:
    if not shares:
        return Plan()
    desk, con_id = scene.desk, contract.con_id
    price = desk.prices.get(con_id)
    reducing = not increasers(desk, con_id, shares)
    cause, rate = scene.cause.reason, desk.rate(contract.currency)
    candidate = Candidate(contract, Decimal(0), shares, reducing, price, True, cause, rate)
    refused = refusal(candidate, desk, scene.now)
    if refused is not None or price is None:
        return Plan(refusals=(refused,) if refused else ())
    generation = desk.generations.get(con_id, 0) + 1
    document = CrossDocument(
        cross_id=f"{desk.mode}-{con_id}-{generation}-cross",
        contract=contract,
        shares=shares,
        price=price.value,
        price_source=price.source,
        price_at=price.at,
        at=scene.now,
        run_id=scene.cause.run_id,
        epoch=desk.epoch,
        generation=generation,
    )
    return Plan(crosses=(document,))


def _order_plan(scene: _Scene, contract: Contract, wanted: tuple[Share, ...]) -> Plan:
    desk = scene.desk
    position = desk.position(contract.con_id)
    shares = _without_flip(position, wanted)
    quantity = _total(shares)
    reducing = not is_increasing(position, quantity)
    if not quantity or (contract.con_id in scene.barred.contracts and not reducing):
        return Plan()
    price = desk.prices.get(contract.con_id)
    cause, rate = scene.cause.reason, desk.rate(contract.currency)
    candidate = Candidate(contract, quantity, shares, reducing, price, cause=cause, rate=rate)
    refused = refusal(candidate, desk, scene.now)
    if refused is not None:
        return Plan(refusals=(refused,))
    order = _order(scene, candidate)
    return Plan(orders=(replace(order, is_flip=shares != wanted),))


def _without_flip(position: Decimal, shares: tuple[Share, ...]) -> tuple[Share, ...]:
    """A flip is two parents: to zero now, beyond by the net that its fill makes due [N6]."""
    quantity, to_zero = _total(shares), -wishes.whole(position)
    if to_zero * quantity <= 0 or abs(quantity) <= abs(to_zero):
        return shares
    return tuple(s for s in attribution.webster(to_zero, shares) if s.quantity)


def _order(scene: _Scene, candidate: Candidate) -> OrderDocument:
    desk, told = scene.desk, instruction(candidate, scene.desk, scene.now)
    return replace(
        draft(candidate, desk, scene.cause.run_id, scene.now),
        order_type=told.order_type,
        tif=told.tif,
        limit_price=told.limit_price,
        adaptive_priority=told.adaptive_priority,
        outside_rth=told.outside_rth,
        good_after=told.good_after,
        valid_until=_valid_until(scene, candidate),
        why=tuple(_why(desk, share) for share in candidate.shares),
        limits=(*NAMES, *batch_limits.NAMES),
        leg_of=tuple(s.strategy for s in candidate.shares if s.strategy in scene.intentions),
    )


def _valid_until(scene: _Scene, candidate: Candidate) -> datetime:
    """An order is worth sending as long as every target behind it is valid."""
    desk, now = scene.desk, scene.now
    wanted = (share for share in candidate.shares if share.strategy not in desk.closed)
    documents = (desk.targets.get(share.strategy) for share in wanted)
    ends = [d.valid_until for d in documents if d is not None and d.valid_until is not None]
    fresh = now + timedelta(minutes=desk.settings.fresh_minutes)
    return min((end for end in ends if end >= now), default=fresh)


def _why(desk: Desk, share: Share) -> str:
    closure = desk.closed.get(share.strategy)
    if closure is not None:
        return f"{share.strategy} wants {share.quantity:+f}: {closing.why(closure)}"
    document = desk.targets.get(share.strategy)
    said = f" (message {document.message_id}: {document.last_reason})" if document else ""
    return f"{share.strategy} wants {share.quantity:+f}{said}"


def _unless_vanished(desk: Desk, plan: Plan, cause: NetCause) -> Plan:
    """The plan without orders and crosses where too much of what is wanted vanished at once."""
    if not (plan.orders or plan.crosses):
        return plan
    refused = batch_limits.vanished(desk, plan.wanted, cause.run_id)
    if refused is None:
        return plan
    return replace(plan, orders=(), crosses=(), refusals=(*plan.refusals, refused))


def _refused_increasers(plan: Plan, barred: Barred) -> frozenset[str]:
    """Strategies with a refused increasing leg that are not out of this net already [N8]."""
    refused = together.refused_legs(plan.refusals)
    return frozenset(
        change.strategy
        for change in plan.wanted
        if (change.con_id, change.strategy) in refused
        and change.strategy not in barred.strategies
        and change.change
        and _increases(change)
    )


def _joined(*plans: Plan) -> Plan:
    return Plan(
        wanted=tuple(change for plan in plans for change in plan.wanted),
        orders=tuple(order for plan in plans for order in plan.orders),
        cancels=tuple(order_ref for plan in plans for order_ref in plan.cancels),
        crosses=tuple(cross for plan in plans for cross in plan.crosses),
        refusals=tuple(entry for plan in plans for entry in plan.refusals),
    )


def _unique(refusals: Sequence[RefusalEntry]) -> tuple[RefusalEntry, ...]:
    """Each refusal once: a round of [N8] may meet the same one again, of fewer strategies."""
    told: list[RefusalEntry] = []
    known: dict[tuple[str, int], list[set[str]]] = {}
    for entry in refusals:
        alike, names = known.setdefault((entry.rule, entry.con_id), []), set(entry.strategies)
        if not any(names <= others for others in alike):
            told.append(entry)
            alike.append(names)
    return tuple(told)


def _total(shares: Sequence[Share]) -> Decimal:
    return sum((share.quantity for share in shares), Decimal(0))

"""What each strategy wants to change: effective targets less what it has and will have [N2, N3]."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal

from gateway.core import book
from gateway.core.attribution import attributable, webster
from gateway.core.desk import Desk
from schemas.documents import OrderDocument, TargetsDocument, WantedChange
from schemas.values import EXTERNAL, Contract

type Overlay = Mapping[str, TargetsDocument]


@dataclass(frozen=True, slots=True)
class _View:
    """One contract as the wishes see it now."""

    desk: Desk
    contract: Contract
    overlay: Overlay
    now: datetime
    named: Mapping[str, Mapping[int, Decimal]]

    def document(self, strategy: str) -> TargetsDocument | None:
        """What the strategy said last; in a dry run, what it said there."""
        return self.overlay.get(strategy) or self.desk.targets.get(strategy)

    def held(self, strategy: str) -> Decimal:
        """What its book holds."""
        return book.quantity(self.desk.ledgers.get(strategy, book.EMPTY), self.contract.con_id)


def contracts(desk: Desk, overlay: Overlay) -> dict[int, Contract]:
    """Every contract that a strategy names, holds or has in flight; the only ones ever traded."""
    held = [
        position.contract
        for name, ledger in desk.ledgers.items()
        if name != EXTERNAL
        for position in ledger.positions.values()
        if position.quantity
    ]
    ordered = [order.contract for order in desk.orders.values() if order.state != "DONE"]
    documents = {**desk.targets, **overlay}.values()
    targets = {t.con_id: t for d in documents for t in d.targets}  # many name the same contract
    named = [t.contract for t in targets.values()]
    return {contract.con_id: contract for contract in (*named, *held, *ordered)}


def all_wanted_changes(
    desk: Desk, overlay: Overlay, now: datetime
) -> dict[int, tuple[Contract, list[WantedChange]]]:
    """Every contract with what is wanted of it, by conId in order: `wanted_changes` of each."""
    named, found = _named(desk, overlay), contracts(desk, overlay)
    views = {
        con_id: _View(desk, contract, overlay, now, named)
        for con_id, contract in sorted(found.items())
    }
    return {con_id: (view.contract, _wanted_changes(view)) for con_id, view in views.items()}


def wanted_changes(
    desk: Desk, contract: Contract, overlay: Overlay, now: datetime
) -> list[WantedChange]:
    """What every strategy concerned wants to change in one contract, those that want 0 included."""
    return _wanted_changes(_View(desk, contract, overlay, now, _named(desk, overlay)))


def _wanted_changes(view: _View) -> list[WantedChange]:
    desk, contract, overlay = view.desk, view.contract, view.overlay
    flying = in_flight_shares(desk.open_order(contract.con_id))
    strategies = {*desk.targets, *overlay, *flying, *desk.ledgers} - {EXTERNAL}
    changes = (
        _wanted_change(view, strategy, flying.get(strategy, Decimal(0)))
        for strategy in sorted(strategies)
    )
    return [c for c in changes if c.book or c.in_flight or c.effective_target or c.change]


def in_flight_shares(order: OrderDocument | None) -> dict[str, Decimal]:
    """What each strategy's part of a working order may still add to its book."""
    if order is None:
        return {}
    shares = webster(attributable(order, order.filled), order.allocations)
    filled = {share.strategy: share.quantity for share in shares}
    return {a.strategy: a.quantity - filled[a.strategy] for a in order.allocations}


def whole(quantity: Decimal) -> Decimal:
    """Toward zero to whole shares: IB refuses fractions of stocks (10243) [N9]."""
    return quantity.to_integral_value(rounding=ROUND_DOWN)


def _wanted_change(view: _View, strategy: str, flying: Decimal) -> WantedChange:
    held = view.held(strategy)
    target, reason = _target(view, strategy)
    effective = _held_target(held, flying) if target is None else whole(target)
    # The change is what is traded, so it is whole even where a book is not.
    change = whole(effective - held - flying)
    if target is not None and _is_small(view, effective, change):
        change, reason = Decimal(0), f"{reason}; a change of {change:f} is within the band [N9]"
    document = view.document(strategy)
    return WantedChange(
        strategy=strategy,
        symbol=view.contract.symbol,
        con_id=view.contract.con_id,
        effective_target=effective,
        book=held,
        in_flight=flying,
        change=change,
        message_id=document.message_id if document else "",
        reason=reason,
    )


def _target(view: _View, strategy: str) -> tuple[Decimal | None, str]:
    """The target that counts, or None for hold, and why [N2]."""
    configured = view.desk.strategies.get(strategy)
    if configured is None:
        return None, "held: no such strategy; its book is an orphan [B6]"
    if not configured.enabled:
        return None, "held: the strategy is not enabled"
    if configured.weight == 0:
        return Decimal(0), "wants 0: its weight is 0"
    if configured.flatten:
        return Decimal(0), "wants 0: it is to be flattened"
    document = view.document(strategy)
    if document is None:
        return None, "held: it never said anything"
    return _said(document, view, view.named[strategy])


def _said(
    document: TargetsDocument, view: _View, named: Mapping[int, Decimal]
) -> tuple[Decimal | None, str]:
    """What the last message says of the contract: held, unless it is fresh and names it [N2]."""
    if document.last_status != "targets":
        return None, f"held: it said {document.last_status}: {document.last_reason}"
    if document.valid_until is not None and view.now > document.valid_until:
        return None, f"held: its targets were valid until {document.valid_until.isoformat()}"
    since = document.held_contracts.get(str(view.contract.con_id))
    if since is not None:
        return None, f"held: its book was changed by hand at {since.isoformat()}; say it anew"
    quantity = named.get(view.contract.con_id)
    if quantity is None:
        return None, "held: its targets do not name the contract"
    return quantity, f"wants {quantity:f}"


def _named(desk: Desk, overlay: Overlay) -> dict[str, dict[int, Decimal]]:
    """Strategy -> conId -> quantity. Looked up once a net: else a net is quadratic in contracts.

    Where a document names a contract twice, what it says first counts.
    """
    return {
        name: {target.con_id: target.quantity for target in reversed(document.targets)}
        for name, document in {**desk.targets, **overlay}.items()
    }


def _held_target(held: Decimal, flying: Decimal) -> Decimal:
    """Holding: a part in flight that reduces may finish, one that increases is cancelled [N2]."""
    if held * flying >= 0:
        return held
    return held + flying if abs(flying) <= abs(held) else Decimal(0)


def _is_small(view: _View, effective: Decimal, change: Decimal) -> bool:
    """Within `rebalance_band` or below `order_notional_min`; never so for a close to 0 [N9]."""
    if not effective or not change:
        return False
    settings, price = view.desk.settings, view.desk.prices.get(view.contract.con_id)
    if abs(change) <= settings.rebalance_band * abs(effective):
        return True
    if price is None:
        return False
    return abs(change) * price.value * view.contract.multiplier < settings.order_notional_min

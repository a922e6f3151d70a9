"""A ledger: what one strategy, or EXTERNAL, holds, and what each holding cost [B1, B2].

A holding is the *fold* of the entries that moved it, in the order of their times and sources. An
entry is keyed by its source (an order, a cross, an adoption, a foreign execution) and replaces the
one before it. So a fill that comes twice, late, or corrected gives the same book, whatever the
order of arrival: the book depends on what happened only, never on when we heard of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from schemas.documents import LedgerDocument, LedgerEntry, LedgerPosition
from schemas.values import Contract

EMPTY = LedgerDocument(positions={})


@dataclass(frozen=True, slots=True)
class Lot:
    """A quantity and what it cost, by average cost. `cost` carries the sign of `quantity`."""

    quantity: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    realized: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)


def quantity(ledger: LedgerDocument, con_id: int) -> Decimal:
    """What the ledger holds of a contract, signed; 0 for one it never met."""
    position = ledger.positions.get(str(con_id))
    return position.quantity if position else Decimal(0)


def post(ledger: LedgerDocument, contract: Contract, entry: LedgerEntry) -> LedgerDocument:
    """The ledger with an entry added, or replaced if its source is known already."""
    key = str(contract.con_id)
    position = ledger.positions.get(key, _opening(contract))
    others = tuple(e for e in position.entries if e.source != entry.source)
    moved = others if _is_nothing(entry) else (*others, entry)
    folded = _fold(replace(position, entries=tuple(sorted(moved, key=_order))))
    if folded == position:
        return ledger
    if folded == _opening(contract):
        # Busted whole: as if it had never been heard of [A3].
        return LedgerDocument(positions={k: p for k, p in ledger.positions.items() if k != key})
    return LedgerDocument(positions={**ledger.positions, key: folded})


def entry(ledger: LedgerDocument, con_id: int, source: str) -> LedgerEntry | None:
    """The entry of a source in a contract's holding, if there is one."""
    position = ledger.positions.get(str(con_id))
    entries = position.entries if position else ()
    return next((one for one in entries if one.source == source), None)


def currencies(names: Iterable[str]) -> str:
    """The currencies of a sum, `EUR` or `EUR+USD`, so that nobody takes the latter for money."""
    return "+".join(sorted({part for name in names for part in name.split("+") if part}))


def is_turned(before: Decimal, after: Decimal) -> bool:
    """Whether a holding is on the other side of 0, or on a side where nothing was held [A3]."""
    return after != 0 and before * after <= 0


def compact(ledger: LedgerDocument, before: datetime) -> LedgerDocument:
    """Fold the entries older than `before` into the opening, so that a ledger stays small.

    What is folded can no longer be corrected; choose a time no correction reaches back to.
    """
    return LedgerDocument(
        positions={key: _compacted(p, before) for key, p in ledger.positions.items()}
    )


def apply(lot: Lot, entry: LedgerEntry) -> Lot:
    """The lot after one entry: opening adds cost, closing realizes against the average cost."""
    commission = lot.commission + entry.commission
    if entry.is_split or lot.quantity * entry.quantity >= 0:
        return Lot(lot.quantity + entry.quantity, lot.cost + entry.cost, lot.realized, commission)
    closing = min(abs(entry.quantity), abs(lot.quantity))
    basis = lot.cost * closing / abs(lot.quantity)
    proceeds = -entry.cost * closing / abs(entry.quantity)
    opened = entry.cost + proceeds
    return Lot(
        lot.quantity + entry.quantity,
        lot.cost - basis + opened,
        lot.realized + proceeds - basis,
        commission,
    )


def _opening(contract: Contract) -> LedgerPosition:
    zero = Decimal(0)
    return LedgerPosition(contract, zero, zero, zero, zero)


def _fold(position: LedgerPosition) -> LedgerPosition:
    lot = Lot(
        position.opening_quantity,
        position.opening_cost,
        position.opening_realized,
        position.opening_commission,
    )
    for entry in position.entries:
        lot = apply(lot, entry)
    return replace(
        position,
        quantity=lot.quantity,
        cost=lot.cost,
        realized=lot.realized,
        commission=lot.commission,
        commission_currency=currencies(
            (
                position.opening_commission_currency,
                *(entry.commission_currency for entry in position.entries),
            )
        ),
    )


def _compacted(position: LedgerPosition, before: datetime) -> LedgerPosition:
    old = tuple(e for e in position.entries if e.at < before)
    folded = _fold(replace(position, entries=old))
    return replace(
        position,
        opening_quantity=folded.quantity,
        opening_cost=folded.cost,
        opening_realized=folded.realized,
        opening_commission=folded.commission,
        opening_commission_currency=folded.commission_currency,
        entries=position.entries[len(old) :],
    )


def _order(entry: LedgerEntry) -> tuple[datetime, str]:
    return entry.at, entry.source


def _is_nothing(entry: LedgerEntry) -> bool:
    return not (entry.quantity or entry.cost or entry.commission or entry.exec_id)

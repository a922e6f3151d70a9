"""What the ledgers' holdings are worth and have made, in the base currency.

Worth is the reference price x multiplier x rate; profit is what was realized, and worth less cost,
less commissions. What lacks a price or a rate has neither: nothing is ever taken for 1 or 0 [M14].
"""

from dataclasses import dataclass
from decimal import Decimal

from gateway.core.desk import Desk
from schemas.documents import LedgerPosition
from schemas.values import CASH_TYPE, OWNERLESS


@dataclass(frozen=True, slots=True)
class Valuation:
    """One ledger's holding of one contract. `worth` and `pnl` are None where nobody can tell."""

    ledger: str
    position: LedgerPosition
    worth: Decimal | None
    pnl: Decimal | None


def valuations(desk: Desk) -> list[Valuation]:
    """Every holding of every ledger, also those that are closed; no currency pairs [B1]."""
    return [
        _valued(desk, name, position)
        for name, ledger in sorted(desk.ledgers.items())
        for position in ledger.positions.values()
        if position.contract.sec_type != CASH_TYPE
    ]


def pnl_of_books(desk: Desk) -> tuple[dict[str, Decimal], list[str]]:
    """What each strategy's book has made in all, and the books of which nobody can tell."""
    made: dict[str, Decimal] = {}
    unknown: set[str] = set()
    for one in valuations(desk):
        if one.ledger in OWNERLESS:
            continue
        if one.pnl is None:
            unknown.add(one.ledger)
        made[one.ledger] = made.get(one.ledger, Decimal(0)) + (one.pnl or Decimal(0))
    return {name: sum_ for name, sum_ in made.items() if name not in unknown}, sorted(unknown)


def _valued(desk: Desk, ledger: str, position: LedgerPosition) -> Valuation:
    contract = position.contract
    rate, price = desk.rate(contract.currency), desk.prices.get(contract.con_id)
    worth = Decimal(0) if not position.quantity else None
    if position.quantity and rate is not None and price is not None and price.value > 0:
        worth = position.quantity * price.value * contract.multiplier * rate
    paid = _commission(desk, position)
    if worth is None or rate is None or paid is None:
        return Valuation(ledger, position, worth, None)
    made = position.realized * rate + worth - position.cost * rate - paid
    return Valuation(ledger, position, worth, made)


def _commission(desk: Desk, position: LedgerPosition) -> Decimal | None:
    """What was paid, in the base currency; None for a sum of several currencies."""
    if not position.commission:
        return Decimal(0)
    rate = desk.rate(position.commission_currency or position.contract.currency)
    return None if rate is None else position.commission * rate

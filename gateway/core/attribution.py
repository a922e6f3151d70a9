"""Who gets which part of a fill [A1-A3].

The shares of a parent's *cumulative* fill are those of Webster's divisor method (Sainte-Lague)
over its allocations: they depend on the total alone, so any order of arrival gives the same books;
no share ever falls as the total grows; and a full fill gives everyone exactly what was allocated.
Source: Balinski and Young, Fair Representation, 2nd ed. 2001, sections 4 and A.3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from gateway.core import book
from schemas.documents import (
    CrossDocument,
    ExecutionDocument,
    LedgerDocument,
    LedgerEntry,
    OrderDocument,
    Share,
)
from schemas.values import CASH_BOOK, CASH_TYPE, EXTERNAL, Contract

type Ledgers = dict[str, LedgerDocument]


def webster(total: Decimal, allocations: Sequence[Share]) -> tuple[Share, ...]:
    """The parts of `total` by Webster's method; ties go to the id that sorts first.

    The allocations have one sign, `total` has it too and is at most their sum; the parts sum to it
    exactly. The unit of division is 1, or the finest decimal place that occurs. Raises `ValueError`
    otherwise.
    """
    whole = sum((a.quantity for a in allocations), Decimal(0))
    if abs(whole) != sum(abs(a.quantity) for a in allocations):
        raise ValueError(f"allocations of both signs cannot share a fill: {allocations}")
    if total * whole < 0 or abs(total) > abs(whole):
        raise ValueError(f"a fill of {total} cannot be shared over allocations of {whole}")
    unit = _unit([total, *(a.quantity for a in allocations)])
    weights = [int(abs(a.quantity) / unit) for a in allocations]
    names = [a.strategy for a in allocations]
    sign = 1 if total >= 0 else -1
    seats = _seats(int(abs(total) / unit), weights, names)
    return tuple(Share(name, sign * seat * unit) for name, seat in zip(names, seats, strict=True))


def attributable(order: OrderDocument, filled: Decimal) -> Decimal:
    """The part of a cumulative fill that lies within the order, and so belongs to someone [A2]."""
    if filled * order.quantity <= 0:
        return Decimal(0)
    return min(abs(filled), abs(order.quantity)).copy_sign(order.quantity)


def overfill(order: OrderDocument) -> Decimal:
    """What was filled beyond the order, or against it: UNEXPLAINED, never anyone's share [A2]."""
    return order.filled - attributable(order, order.filled)


def crossed(ledgers: Ledgers, cross: CrossDocument) -> Ledgers:
    """The ledgers with a cross in each book that it moves, at its price [N4]."""
    posted = dict(ledgers)
    for share in cross.shares:
        entry = LedgerEntry(
            source=cross.cross_id,
            at=cross.at,
            quantity=share.quantity,
            cost=share.quantity * cross.price * cross.contract.multiplier,
        )
        ledger = posted.get(share.strategy, book.EMPTY)
        posted[share.strategy] = book.post(ledger, cross.contract, entry)
    return posted


def entries(order: OrderDocument) -> dict[str, LedgerEntry]:
    """What the order moved in each strategy's book so far: one entry a strategy, by the total.

    Cost at the parent's average price; commission in the proportion of the shares [A2].
    """
    total = attributable(order, order.filled)
    shares = webster(total, order.allocations)
    return {
        share.strategy: LedgerEntry(
            source=order.order_ref,
            at=order.created_at,
            quantity=share.quantity,
            cost=_cost(order, share),
            commission=order.commission * share.quantity / (total or 1),
            commission_currency=order.commission_currency,
        )
        for share in shares
    }


def attribute(ledgers: Ledgers, order: OrderDocument) -> Ledgers:
    """The books after the order's fills so far. Applying it again changes nothing."""
    posted = entries(order)
    return {
        **ledgers,
        **{
            strategy: book.post(ledgers.get(strategy, book.EMPTY), order.contract, entry)
            for strategy, entry in posted.items()
        },
    }


def with_shares(before: OrderDocument, after: OrderDocument) -> OrderDocument:
    """`after` with the shares of the executions that are new since `before` filled in.

    One execution's shares are the difference it made to the cumulative ones.
    """
    filled = before.filled
    executions = dict(after.executions)
    for key, execution in after.executions.items():
        if before.executions.get(key) != execution:
            known = before.executions.get(key)
            grown = filled + execution.quantity - (known.quantity if known else 0)
            shares = _difference(after, filled, grown)
            executions[key] = replace(execution, shares=_merged(known, shares))
            filled = grown
    return replace(after, executions=executions)


@dataclass(frozen=True, slots=True)
class Turn:
    """A book that a corrected execution brought to the other side of 0 [A3]."""

    exec_id: str
    strategy: str
    before: Decimal
    after: Decimal


def turned(
    was: Mapping[str, LedgerDocument],
    ledgers: Mapping[str, LedgerDocument],
    before: OrderDocument,
    after: OrderDocument,
) -> list[Turn]:
    """The books that a correction of an execution known before turned; none for a new fill."""
    revised = [
        execution.exec_id
        for key, execution in after.executions.items()
        if key in before.executions and before.executions[key].exec_id != execution.exec_id
    ]
    con_id = after.contract.con_id
    turns = (
        Turn(exec_id, share.strategy, *(_held_by(all_, share, con_id) for all_ in (was, ledgers)))
        for exec_id in revised[:1]
        for share in after.allocations
    )
    return [turn for turn in turns if book.is_turned(turn.before, turn.after)]


def owner_of_foreign(contract: Contract) -> str:
    """The ledger that executions not ours move: EXTERNAL; of currency pairs the book CASH [B1]."""
    return CASH_BOOK if contract.sec_type == CASH_TYPE else EXTERNAL


def foreign(ledger: LedgerDocument, execution: ExecutionDocument, key: str) -> LedgerDocument:
    """The ledger of `owner_of_foreign` after an execution that is not ours [B1, B2].

    The same report again, without the commission that was told since, does not take it away.
    """
    known = book.entry(ledger, execution.contract.con_id, key)
    paid, currency = execution.commission, execution.commission_currency
    if paid is None and known is not None and known.exec_id == execution.exec_id:
        paid, currency = known.commission, known.commission_currency
    entry = LedgerEntry(
        source=key,
        at=execution.at,
        quantity=execution.quantity,
        cost=execution.quantity * execution.price * execution.contract.multiplier,
        commission=paid or Decimal(0),
        exec_id=execution.exec_id,
        commission_currency=currency,
    )
    return book.post(ledger, execution.contract, entry)


def _held_by(ledgers: Mapping[str, LedgerDocument], share: Share, con_id: int) -> Decimal:
    return book.quantity(ledgers.get(share.strategy, book.EMPTY), con_id)


def _cost(order: OrderDocument, share: Share) -> Decimal:
    price = order.average_price or Decimal(0)
    return share.quantity * price * order.contract.multiplier


def _difference(order: OrderDocument, before: Decimal, after: Decimal) -> tuple[Share, ...]:
    was, now = (webster(attributable(order, total), order.allocations) for total in (before, after))
    return tuple(
        Share(new.strategy, new.quantity - old.quantity) for old, new in zip(was, now, strict=True)
    )


def _merged(known: ExecutionDocument | None, shares: Sequence[Share]) -> tuple[Share, ...]:
    before = {s.strategy: s.quantity for s in known.shares} if known else {}
    merged = (Share(s.strategy, s.quantity + before.get(s.strategy, Decimal(0))) for s in shares)
    return tuple(share for share in merged if share.quantity)


def _unit(numbers: Sequence[Decimal]) -> Decimal:
    exponents = [int(n.normalize().as_tuple().exponent) for n in numbers if n]
    return Decimal(1).scaleb(min([0, *exponents]))


def _seats(total: int, weights: Sequence[int], names: Sequence[str]) -> list[int]:
    """Webster's seats: start from the rounded quotas, then add or take one at a time.

    Rounding halves down keeps every seat of the start among the highest quotients, so that only
    the last few are decided one by one.
    """
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    seats = [-(-(2 * w * total - whole) // (2 * whole)) if w else 0 for w in weights]
    while sum(seats) < total:
        seats[_best(weights, names, seats, step=1)] += 1
    while sum(seats) > total:
        seats[_best(weights, names, seats, step=-1)] -= 1
    return seats


def _best(weights: Sequence[int], names: Sequence[str], seats: Sequence[int], step: int) -> int:
    """Whose next seat has the highest quotient (or, with step -1, whose last has the lowest)."""
    usable = [i for i, w in enumerate(weights) if w and (step > 0 or seats[i] > 0)]
    quotients = {i: Fraction(weights[i], 2 * seats[i] + step) for i in usable}
    pick, best = (min, max(quotients.values())) if step > 0 else (max, min(quotients.values()))
    return pick((i for i in usable if quotients[i] == best), key=lambda i: names[i])

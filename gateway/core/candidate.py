"""What the limits look at: one order or cross in one contract; its refusal, or its order."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from gateway.core import book
from gateway.core.desk import Desk
from gateway.core.prices import Price
from schemas.documents import OrderDocument, RefusalEntry, Share
from schemas.values import Contract, OrderType


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something about to be ordered or crossed in one contract.

    `quantity` is 0 for a cross, whose shares sum to nothing. `reducing` is [N6]'s word: the
    broker's position comes nearer to 0 and does not change its sign; for a cross: every book does.
    `cause` is the reason of the net that wants it (`events.NetCause.reason`). `rate` is what one
    unit of the contract's currency is worth in the base currency, None if nobody told.
    """

    contract: Contract
    quantity: Decimal
    shares: tuple[Share, ...]
    reducing: bool
    price: Price | None
    is_cross: bool = False
    cause: str = ""
    rate: Decimal | None = None

    @property
    def unit(self) -> Decimal | None:
        """What one of the contract is worth in the base currency; None without price or rate.

        A missing rate is never taken for 1, nor a missing multiplier [M14].
        """
        if self.price is None or self.price.value <= 0 or self.rate is None:
            return None
        return self.price.value * self.contract.multiplier * self.rate

    @property
    def notional(self) -> Decimal:
        """Money at stake at the reference price, unsigned, in the base currency."""
        quantity = max((abs(s.quantity) for s in self.shares), default=Decimal(0))
        return self.worth(quantity if self.is_cross else self.quantity)

    def worth(self, quantity: Decimal) -> Decimal:
        """What a quantity is worth in the base currency, unsigned; 0 without price or rate.

        What grows without them is refused by `quote_age`, `exchange_rate` or `book_notional`.
        """
        return abs(quantity) * (self.unit or Decimal(0))


type Rule = Callable[[Candidate, Desk, datetime], RefusalEntry | None]


def is_increasing(before: Decimal, change: Decimal) -> bool:
    """Whether a change takes a holding further from 0, or through it."""
    after = before + change
    return abs(after) > abs(before) or before * after < 0


def held(desk: Desk, strategy: str, con_id: int) -> Decimal:
    """What a strategy's book holds of a contract."""
    ledger = desk.ledgers.get(strategy)
    return book.quantity(ledger, con_id) if ledger else Decimal(0)


def growing(candidate: Candidate, desk: Desk) -> tuple[Share, ...]:
    """The shares that take their own book further from 0."""
    return tuple(share for share in candidate.shares if grows(candidate, desk, share))


def grows(candidate: Candidate, desk: Desk, share: Share) -> bool:
    """Whether a share takes its own book further from 0."""
    return is_increasing(held(desk, share.strategy, candidate.contract.con_id), share.quantity)


def only(candidate: Candidate, names: frozenset[str]) -> Candidate:
    """The candidate as the business of those strategies that a rule refuses; others may go on."""
    return replace(candidate, shares=tuple(s for s in candidate.shares if s.strategy in names))


def first_refusal(
    rules: Iterable[Rule], candidate: Candidate, desk: Desk, now: datetime
) -> RefusalEntry | None:
    """The first rule's refusal, or None when all let the candidate pass."""
    answers = (rule(candidate, desk, now) for rule in rules)
    return next((entry for entry in answers if entry is not None), None)


def refuse(candidate: Candidate, rule: str, sentence: str, value: str, bound: str) -> RefusalEntry:
    """The refusal of a candidate, of all the strategies that have a share in it."""
    return RefusalEntry(
        rule=rule,
        sentence=sentence,
        symbol=candidate.contract.name,
        con_id=candidate.contract.con_id,
        strategies=tuple(sorted(share.strategy for share in candidate.shares)),
        value=value,
        bound=bound,
    )


def draft(candidate: Candidate, desk: Desk, run_id: str, now: datetime) -> OrderDocument:
    """The order that a candidate becomes: PENDING, at market, as long as a target is fresh."""
    con_id, price = candidate.contract.con_id, candidate.price
    generation = desk.generations.get(con_id, 0) + 1
    return OrderDocument(
        order_ref=f"{desk.mode}-{con_id}-{generation}",
        contract=candidate.contract,
        quantity=candidate.quantity,
        allocations=candidate.shares,
        order_type=OrderType.MKT,
        tif="DAY",
        limit_price=None,
        adaptive_priority="",
        outside_rth=False,
        decision_price=price.value if price else None,
        created_at=now,
        valid_until=now + timedelta(minutes=desk.settings.fresh_minutes),
        epoch=desk.epoch,
        generation=generation,
        run_id=run_id,
        state="PENDING",
        decision_at=price.at if price else None,
        is_reducing=candidate.reducing,
        decision_rate=candidate.rate,
    )

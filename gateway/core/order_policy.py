"""How an order is executed (behaviour 4.7): the policy of those who trade the contract [N5].

A reducing order is never blocked by its policy. Where its strategies differ it goes by `Settings`';
without a price to be relied upon, or without increments, a limit order becomes a market order and
`LOC` becomes `MOC`; where its `good_after_time` is not within the session it goes at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, time
from decimal import Decimal
from itertools import combinations
from typing import Final

from gateway.core.candidate import Candidate, refuse
from gateway.core.desk import Desk
from gateway.core.hours import session_at
from gateway.core.ib_terms import rounded_down, rounded_up
from gateway.core.price_limits import doubt
from schemas.documents import RefusalEntry
from schemas.new_york import NEW_YORK, new_york_date
from schemas.settings import OrderPolicy, StrategyDocument
from schemas.values import Contract, OrderType

UNPRICED: Final[Mapping[OrderType, OrderType]] = {
    OrderType.LMT: OrderType.MKT,
    OrderType.MIDPRICE: OrderType.MKT,
    OrderType.LOC: OrderType.MOC,
}
"""Types that carry a limit price, and what a reducing order without one goes as."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """What the broker is told of the execution; see `OrderDocument` for the fields."""

    order_type: OrderType
    tif: str
    limit_price: Decimal | None
    adaptive_priority: str
    outside_rth: bool
    good_after: datetime | None


def instruction(candidate: Candidate, desk: Desk, now: datetime) -> Instruction:
    """How a candidate is to be executed.

    The limit price is None where there is none to be had; `order_policy` refuses that. Adaptive is
    for day orders: it takes its time, which an IOC has not.
    """
    policy = _agreed(candidate, desk)
    kind, limit = policy.order_type, None
    if kind in UNPRICED:
        limit = limit_price(candidate, desk, now)
        if limit is None and candidate.reducing:
            kind = UNPRICED[kind]
    is_adaptive = kind is OrderType.MKT and policy.tif == "DAY"
    return Instruction(
        order_type=kind,
        tif=policy.tif,
        limit_price=limit,
        adaptive_priority=policy.adaptive_priority if is_adaptive else "",
        outside_rth=policy.outside_rth and kind is OrderType.LMT,
        good_after=_held_until(candidate, desk, good_after(policy, now), now),
    )


def order_policy(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """No increasing order whose strategies want it executed differently, or without its limit."""
    if candidate.is_cross or candidate.reducing:
        return None
    symbol = candidate.contract.name
    policies = _policies(candidate, desk)
    one, *others = policies
    other = next((name for name in others if policies[name] != policies[one]), None)
    if other is not None:
        sentence = f"{_conflict(one, other, policies)}, in {symbol}; {_REMEDY}"
        words = (str(policies[one].order_type), str(policies[other].order_type))
        return refuse(candidate, "order_policy", sentence, *words)
    told = instruction(candidate, desk, now)
    if told.order_type not in UNPRICED or told.limit_price is not None:
        return None
    sentence = (
        f"{told.order_type} of {symbol} needs a limit price, and limit_collar_fraction "
        f"{desk.settings.limit_collar_fraction:f} of its price gives none by the increments that "
        f"IB tells; look at the contract, or set another order_type"
    )
    return refuse(candidate, "order_policy", sentence, "none", "a limit price")


def limit_price(candidate: Candidate, desk: Desk, now: datetime) -> Decimal | None:
    """The worst price to trade at: `limit_collar_fraction` beyond the reference price.

    Rounded to the contract's increments towards the reference: a buyer's down, a seller's up. None
    without increments or without a price to be relied upon.
    """
    terms, price = desk.terms.get(candidate.contract.con_id), candidate.price
    if terms is None or price is None or doubt(candidate, desk, now) is not None:
        return None
    if not terms.increments:
        return None
    collar = desk.settings.limit_collar_fraction
    if candidate.quantity > 0:
        found = rounded_down(price.value * (1 + collar), terms.increments)
    else:
        found = rounded_up(price.value * (1 - collar), terms.increments)
    return found if found > 0 else None


def good_after(policy: OrderPolicy, now: datetime) -> datetime | None:
    """The policy's time of today in New York, or None if it is past already."""
    if not policy.good_after_time:
        return None
    hour, _, minute = policy.good_after_time.partition(":")
    today = new_york_date(now)
    at = datetime.combine(today, time(int(hour), int(minute)), NEW_YORK).astimezone(UTC)
    return at if at > now else None


def conflicts(strategies: Mapping[str, StrategyDocument], default: OrderPolicy) -> tuple[str, ...]:
    """A sentence for each two strategies that may trade the same contract differently [N5].

    Those not enabled, and those that want 0 whatever they say, open nothing and are left out.
    """
    trading = {
        name: one
        for name, one in sorted(strategies.items())
        if one.enabled and one.weight != 0 and not one.flatten
    }
    policies = {name: one.order_policy or default for name, one in trading.items()}
    return tuple(
        f"{_conflict(one, other, policies)}, in {', '.join(shared)}; {_REMEDY}"
        for one, other in combinations(trading, 2)
        if policies[one] != policies[other]
        and (shared := _shared(trading[one].universe, trading[other].universe))
    )


_REMEDY: Final = "give both the same order_policy"


def _held_until(
    candidate: Candidate, desk: Desk, at: datetime | None, now: datetime
) -> datetime | None:
    """What reduces waits for a time of this session only, and else goes at once."""
    if at is None or not candidate.reducing:
        return at
    terms = desk.terms.get(candidate.contract.con_id)
    session = session_at(terms.liquid_hours, now) if terms else None
    return at if session is not None and at < session.closes_at else None


def _policies(candidate: Candidate, desk: Desk) -> dict[str, OrderPolicy]:
    default, empty = desk.settings.order_policy, StrategyDocument()
    return {
        share.strategy: desk.strategies.get(share.strategy, empty).order_policy or default
        for share in candidate.shares
    }


def _agreed(candidate: Candidate, desk: Desk) -> OrderPolicy:
    """The one policy of all who have a share; `Settings`' where they differ."""
    policies = [*_policies(candidate, desk).values()]
    is_one = bool(policies) and all(policy == policies[0] for policy in policies)
    return policies[0] if is_one else desk.settings.order_policy


def _conflict(one: str, other: str, policies: Mapping[str, OrderPolicy]) -> str:
    names = (field.name for field in fields(OrderPolicy))
    pairs = ((name, getattr(policies[one], name), getattr(policies[other], name)) for name in names)
    what = ", ".join(
        f"{name} {here or 'none'} and {there or 'none'}"
        for name, here, there in pairs
        if here != there
    )
    return f"strategies/{one} and strategies/{other} differ in how orders are executed ({what})"


def _shared(ours: Iterable[Contract], theirs: Sequence[Contract]) -> list[str]:
    """The contracts that both universes name, resolved or not."""
    return [one.name for one in ours if any(_is_same(one, other) for other in theirs)]


def _is_same(one: Contract, other: Contract) -> bool:
    if one.con_id and other.con_id:
        return one.con_id == other.con_id
    return _description(one) == _description(other)


def _description(contract: Contract) -> tuple[str, ...]:
    """What a person writes of a contract. Where a trade may be routed makes no other contract."""
    symbol, expiry = contract.symbol.casefold(), contract.last_trade_date
    return symbol, contract.sec_type, contract.currency, contract.local_symbol, expiry

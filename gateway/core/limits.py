"""What may not be ordered: small named rules in one ordered table.

A rule looks at one candidate and answers None or a `RefusalEntry` with rule, value and bound. The
first rule that refuses ends the matter: whole orders are refused, never resized.
"""

from datetime import datetime
from decimal import Decimal
from typing import Final

from gateway.core.book_limits import book_notional, share_notional, short_allowed
from gateway.core.candidate import (
    Candidate,
    Rule,
    first_refusal,
    held,
    is_increasing,
    only,
    refuse,
)
from gateway.core.contract_limits import account_prefix, contract_allowed, order_rejected_before
from gateway.core.desk import Desk
from gateway.core.market_limits import market_hours
from gateway.core.order_policy import order_policy
from gateway.core.orders import in_flight
from gateway.core.price_limits import delayed_data, price_collar, quote_age
from schemas.documents import OrderDocument, RefusalEntry
from schemas.values import CASH_TYPE, OWNERLESS, TradingState

__all__ = ["LIMITS", "NAMES", "Candidate", "forbidden", "held", "is_increasing", "refusal"]


def refusal(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """The first rule's refusal, or None when all let the candidate pass."""
    return first_refusal(LIMITS, candidate, desk, now)


def forbidden(desk: Desk) -> list[OrderDocument]:
    """Our working orders that the trading state allows no more, and that are not cancelled yet.

    All while halted; while reduce-only those that would grow the broker's position, but for
    currency pairs, whose positions are virtual [B1]. A latch or a person may come when they are at
    the broker already.
    """
    state = desk.trading_state
    working = [o for o in desk.orders.values() if o.state == "WORKING" and not o.outcome]
    if state is not TradingState.REDUCE_ONLY:
        return working if state is TradingState.HALTED else []
    held = [o for o in working if o.contract.sec_type != CASH_TYPE]
    return [o for o in held if is_increasing(desk.position(o.contract.con_id), in_flight(o))]


def trading_state(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """Nothing while halted; only reducing orders while reduce-only."""
    state = desk.trading_state
    if state is TradingState.ACTIVE or (state is TradingState.REDUCE_ONLY and candidate.reducing):
        return None
    latch = f" ({desk.reduce_only.reason})" if desk.reduce_only else ""
    sentence = f"trading is {state}{latch}; a person must say resume"
    return refuse(candidate, "trading_state", sentence, state, TradingState.ACTIVE)


def contract_locked(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """Nothing in a contract that waits for executions or a person."""
    lock = desk.locks.get(str(candidate.contract.con_id))
    if lock is None:
        return None
    sentence = f"{candidate.contract.name} is locked: {lock.reason}"
    return refuse(candidate, "contract_locked", sentence, lock.kind, "no lock")


def snapshot_age(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """Nothing on positions that were read too long ago [M4]."""
    bound = desk.settings.snapshot_age_seconds_max
    age = (now - desk.read_at).total_seconds() if desk.read_at else None
    if age is not None and age <= bound:
        return None
    value = "never" if age is None else f"{age:.0f} s ago"
    sentence = f"positions were read {value}, at most {bound} s allowed; say reconcile"
    return refuse(candidate, "snapshot_age", sentence, value, f"{bound} s")


def exchange_rate(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """Nothing that grows unless its money can be measured: a missing rate is never 1 [M14]."""
    if candidate.rate is not None or candidate.reducing:
        return None
    base = desk.values.base_currency if desk.values else "nothing"
    symbol, currency = candidate.contract.name, candidate.contract.currency
    sentence = (
        f"{symbol} trades in {currency} and the account is in {base}, but the broker tells no rate "
        f"of {currency}; hold some {currency} there, so that it does, then say run"
    )
    return refuse(candidate, "exchange_rate", sentence, currency, f"a rate to {base}")


def order_quantity(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """No order of more than `order_quantity_max`."""
    bound, value = desk.settings.order_quantity_max, abs(candidate.quantity)
    if value <= bound:
        return None
    sentence = (
        f"an order of {value:f} {candidate.contract.name} is over order_quantity_max {bound:f}"
    )
    return refuse(candidate, "order_quantity_max", sentence, f"{value:f}", f"{bound:f}")


def order_notional(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """No increasing order or cross of more money than `order_notional_max`."""
    bound, value = desk.settings.order_notional_max, candidate.notional
    if candidate.reducing or value <= bound:
        return None
    symbol = candidate.contract.name
    sentence = f"an order worth {value:.2f} in {symbol} is over order_notional_max {bound:f}"
    largest = max(abs(share.quantity) for share in candidate.shares)
    names = {s.strategy for s in candidate.shares if abs(s.quantity) == largest}
    offending = only(candidate, frozenset(names)) if candidate.is_cross else candidate
    return refuse(offending, "order_notional_max", sentence, f"{value:.2f}", f"{bound:f}")


def position_notional(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """No increasing order that leads to a position worth more than `position_notional_max`."""
    if candidate.reducing:
        return None
    contract = candidate.contract
    value = candidate.worth(desk.position(contract.con_id) + candidate.quantity)
    bound = desk.settings.position_notional_max
    if value <= bound:
        return None
    sentence = (
        f"a position worth {value:.2f} in {contract.name} is over position_notional_max {bound:f}"
    )
    return refuse(candidate, "position_notional_max", sentence, f"{value:.2f}", f"{bound:f}")


def external_opposes(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """No order that shrinks the books but grows or turns the broker's position [B5]."""
    contract = candidate.contract
    if desk.settings.external_policy.get(contract.symbol) == "ignore" or candidate.is_cross:
        return None
    books = sum(
        (held(desk, name, contract.con_id) for name in desk.ledgers if name not in OWNERLESS),
        Decimal(0),
    )
    broker = desk.position(contract.con_id)
    if is_increasing(books, candidate.quantity) or not is_increasing(broker, candidate.quantity):
        return None
    sentence = (
        f"{candidate.quantity:+f} {contract.name} would shrink the books ({books:f}) but grow or "
        f"turn the broker's position ({broker:f}); say transfer, or set external_policy to ignore"
    )
    return refuse(candidate, "external_opposes", sentence, f"{broker:f}", f"{books:f}")


LIMITS: Final[tuple[Rule, ...]] = (
    account_prefix,
    trading_state,
    contract_locked,
    contract_allowed,
    order_rejected_before,
    snapshot_age,
    market_hours,
    quote_age,
    delayed_data,
    price_collar,
    order_policy,
    exchange_rate,
    order_quantity,
    order_notional,
    share_notional,
    position_notional,
    book_notional,
    short_allowed,
    external_opposes,
)
NAMES: Final = tuple(rule.__name__ for rule in LIMITS)
"""What an approved order was held against, for its document."""

"""What may not be ordered: small named rules in one ordered table.

A rule looks at one candidate and answers None or a `RefusalEntry` with rule, value and bound. The
first rule that refuses ends the matter: whole orders are refused, never resized.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from gateway.core import book
from gateway.core.desk import Desk
from gateway.core.prices import Price
from schemas.documents import RefusalEntry, Share
from schemas.values import EXTERNAL, Contract, Mode, TradingState

STOCK: Final = "STK"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something about to be ordered or crossed in one contract.

    `quantity` is 0 for a cross, whose shares sum to nothing. `reducing` is [N6]'s word: the
    broker's position comes nearer to 0 and does not change its sign; for a cross: every book does.
    """

    contract: Contract
    quantity: Decimal
    shares: tuple[Share, ...]
    reducing: bool
    price: Price | None
    is_cross: bool = False

    @property
    def notional(self) -> Decimal:
        """Money at stake at the reference price, unsigned, in the contract's currency."""
        quantity = max((abs(s.quantity) for s in self.shares), default=Decimal(0))
        traded = quantity if self.is_cross else abs(self.quantity)
        value = self.price.value if self.price else Decimal(0)
        return traded * value * self.contract.multiplier


type Rule = Callable[[Candidate, Desk, datetime], RefusalEntry | None]


def refusal(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """The first rule's refusal, or None when all let the candidate pass."""
    for rule in LIMITS:
        refused = rule(candidate, desk, now)
        if refused is not None:
            return refused
    return None


def is_increasing(before: Decimal, change: Decimal) -> bool:
    """Whether a change takes a holding further from 0, or through it."""
    after = before + change
    return abs(after) > abs(before) or before * after < 0


def trading_state(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """Nothing while halted; only reducing orders while reduce-only."""
    state = desk.control.state
    if state is TradingState.ACTIVE or (state is TradingState.REDUCE_ONLY and candidate.reducing):
        return None
    sentence = f"trading is {state}; a person must say resume"
    return _refuse(candidate, "trading_state", sentence, state, TradingState.ACTIVE)


def contract_locked(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """Nothing in a contract that waits for executions or a person."""
    lock = desk.locks.get(str(candidate.contract.con_id))
    if lock is None:
        return None
    sentence = f"{candidate.contract.symbol} is locked: {lock.reason}"
    return _refuse(candidate, "contract_locked", sentence, lock.kind, "no lock")


def snapshot_age(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """Nothing on positions that were read too long ago [M4]."""
    bound = desk.settings.snapshot_age_seconds_max
    age = (now - desk.read_at).total_seconds() if desk.read_at else None
    if age is not None and age <= bound:
        return None
    value = "never" if age is None else f"{age:.0f} s ago"
    sentence = f"positions were read {value}, at most {bound} s allowed; say reconcile"
    return _refuse(candidate, "snapshot_age", sentence, value, f"{bound} s")


def quote_age(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """No cross and no increasing order without a fresh reference price [N4]."""
    if candidate.reducing and not candidate.is_cross:
        return None
    symbol, price = candidate.contract.symbol, candidate.price
    bound = desk.settings.quote_age_seconds_max
    if price is None or price.value <= 0:
        sentence = f"{symbol} has no reference price; check the market data subscription"
        return _refuse(candidate, "quote_age", sentence, "none", f"{bound} s")
    if price.age_seconds(now) <= bound:
        return None
    value = f"{price.age_seconds(now):.0f} s"
    sentence = f"the {price.source} of {symbol} is {value} old, at most {bound} s allowed"
    return _refuse(candidate, "quote_age", sentence, value, f"{bound} s")


def delayed_data(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """Delayed prices only in paper, where people allowed them [N4]."""
    price = candidate.price
    if price is None or not price.delayed or (candidate.reducing and not candidate.is_cross):
        return None
    if desk.settings.delayed_data_allowed and desk.mode is Mode.PAPER:
        return None
    sentence = (
        f"only delayed prices of {candidate.contract.symbol}; subscribe to live data, or set "
        f"delayed_data_allowed in config/{desk.mode} (paper only)"
    )
    return _refuse(candidate, "delayed_data", sentence, "delayed", "live")


def security_type(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """Stocks and funds only: a target does not carry a multiplier, and 1 is wrong for a future."""
    contract = candidate.contract
    if contract.sec_type == STOCK or candidate.reducing:
        return None
    sentence = (
        f"{contract.symbol} is {contract.sec_type}, whose money cannot be measured yet; "
        f"only {STOCK} is supported"
    )
    return _refuse(candidate, "security_type", sentence, contract.sec_type, STOCK)


def base_currency(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """Nothing whose money cannot be measured: a missing rate is never taken for 1 [M14]."""
    base = desk.values.base_currency if desk.values else ""
    contract = candidate.contract
    if contract.currency == base or candidate.reducing:
        return None
    sentence = (
        f"{contract.symbol} trades in {contract.currency} and the account is in {base or 'nothing'}"
        "; contracts in other currencies are not supported yet"
    )
    return _refuse(candidate, "base_currency", sentence, contract.currency, base)


def order_quantity(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """No order of more than `order_quantity_max`."""
    bound, value = desk.settings.order_quantity_max, abs(candidate.quantity)
    if value <= bound:
        return None
    sentence = (
        f"an order of {value:f} {candidate.contract.symbol} is over order_quantity_max {bound:f}"
    )
    return _refuse(candidate, "order_quantity_max", sentence, f"{value:f}", f"{bound:f}")


def order_notional(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """No increasing order or cross of more money than `order_notional_max`."""
    bound, value = desk.settings.order_notional_max, candidate.notional
    if candidate.reducing or value <= bound:
        return None
    symbol = candidate.contract.symbol
    sentence = f"an order worth {value:.2f} in {symbol} is over order_notional_max {bound:f}"
    largest = max(abs(share.quantity) for share in candidate.shares)
    names = {s.strategy for s in candidate.shares if abs(s.quantity) == largest}
    offending = _of(candidate, frozenset(names)) if candidate.is_cross else candidate
    return _refuse(offending, "order_notional_max", sentence, f"{value:.2f}", f"{bound:f}")


def position_notional(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """No increasing order that leads to a position worth more than `position_notional_max`."""
    if candidate.reducing or candidate.price is None:
        return None
    contract = candidate.contract
    after = abs(desk.position(contract.con_id) + candidate.quantity)
    value = after * candidate.price.value * contract.multiplier
    bound = desk.settings.position_notional_max
    if value <= bound:
        return None
    sentence = (
        f"a position worth {value:.2f} in {contract.symbol} is over position_notional_max {bound:f}"
    )
    return _refuse(candidate, "position_notional_max", sentence, f"{value:.2f}", f"{bound:f}")


def short_allowed(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """No book and no broker position below 0 where shorts are not allowed."""
    if desk.settings.short_allowed:
        return None
    con_id = candidate.contract.con_id
    broker = desk.position(con_id) + candidate.quantity
    books = {
        share.strategy: held(desk, share.strategy, con_id) + share.quantity
        for share in candidate.shares
        if share.quantity < 0
    }
    below = {name: after for name, after in books.items() if after < 0}
    if broker < 0 and candidate.quantity < 0:
        below["the broker"] = broker
    if not below:
        return None
    name, after = next(iter(below.items()))
    sentence = (
        f"{name} would be short {after:f} {candidate.contract.symbol}; short_allowed is off, "
        f"so want 0 or more"
    )
    offending = candidate if "the broker" in below else _of(candidate, frozenset(below))
    return _refuse(offending, "short_allowed", sentence, f"{after:f}", "0")


def external_opposes(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """No order that shrinks the books but grows or turns the broker's position [B5]."""
    contract = candidate.contract
    if desk.settings.external_policy.get(contract.symbol) == "ignore" or candidate.is_cross:
        return None
    books = sum(
        (held(desk, name, contract.con_id) for name in desk.ledgers if name != EXTERNAL),
        Decimal(0),
    )
    broker = desk.position(contract.con_id)
    if is_increasing(books, candidate.quantity) or not is_increasing(broker, candidate.quantity):
        return None
    sentence = (
        f"{candidate.quantity:+f} {contract.symbol} would shrink the books ({books:f}) but grow or "
        f"turn the broker's position ({broker:f}); say transfer, or set external_policy to ignore"
    )
    return _refuse(candidate, "external_opposes", sentence, f"{broker:f}", f"{books:f}")


LIMITS: Final[tuple[Rule, ...]] = (
    trading_state,
    contract_locked,
    snapshot_age,
    quote_age,
    delayed_data,
    security_type,
    base_currency,
    order_quantity,
    order_notional,
    position_notional,
    short_allowed,
    external_opposes,
)
NAMES: Final = tuple(rule.__name__ for rule in LIMITS)
"""What an approved order was held against, for its document."""


def held(desk: Desk, strategy: str, con_id: int) -> Decimal:
    """What a strategy's book holds of a contract."""
    ledger = desk.ledgers.get(strategy)
    return book.quantity(ledger, con_id) if ledger else Decimal(0)


def _of(candidate: Candidate, names: frozenset[str]) -> Candidate:
    """The candidate as the business of those strategies that a rule refuses; others may go on."""
    return replace(candidate, shares=tuple(s for s in candidate.shares if s.strategy in names))


def _refuse(candidate: Candidate, rule: str, sentence: str, value: str, bound: str) -> RefusalEntry:
    return RefusalEntry(
        rule=rule,
        sentence=sentence,
        symbol=candidate.contract.symbol,
        con_id=candidate.contract.con_id,
        strategies=tuple(sorted(share.strategy for share in candidate.shares)),
        value=value,
        bound=bound,
    )

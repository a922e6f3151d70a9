"""Limits on each strategy's own part: its share of an order or cross, and the book it leads to.

A strategy's document may set a stricter bound than `Settings`, never a looser one. A refusal is of
the strategies whose part offends, so that the others may go on [N8].
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from gateway.core.candidate import Candidate, growing, grows, held, only, refuse
from gateway.core.desk import Desk
from schemas.documents import RefusalEntry
from schemas.settings import StrategyDocument


def share_notional(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """No growing share of more money than the strategy's own `order_notional_max`."""
    over: dict[str, tuple[Decimal, Decimal]] = {}
    for share in candidate.shares:
        bound = _document(desk, share.strategy).order_notional_max
        value = candidate.worth(share.quantity)
        if bound is not None and value > bound and grows(candidate, desk, share):
            over[share.strategy] = (value, bound)
    return _too_much(candidate, over, ("order_notional_max", "a share"))


def book_notional(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """No growing share that leads to a book worth more than `book_notional_max`.

    Or than the strategy's own `position_notional_max`, whichever is less. Without a price or a rate
    of exchange no book may grow, also where the broker's position shrinks: nobody could say what
    the book is worth.
    """
    shares, con_id = growing(candidate, desk), candidate.contract.con_id
    if shares and candidate.unit is None:
        return _unmeasured(only(candidate, frozenset(share.strategy for share in shares)))
    over: dict[str, tuple[Decimal, Decimal]] = {}
    for share in shares:
        value = candidate.worth(held(desk, share.strategy, con_id) + share.quantity)
        bound = _book_bound(desk, share.strategy)
        if value > bound:
            over[share.strategy] = (value, bound)
    return _too_much(candidate, over, ("book_notional_max", "a book"))


def short_allowed(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """No book and no broker position below 0 where shorts are not allowed."""
    con_id = candidate.contract.con_id
    books = {
        share.strategy: held(desk, share.strategy, con_id) + share.quantity
        for share in candidate.shares
        if share.quantity < 0 and not _may_be_short(desk, share.strategy)
    }
    below = {name: after for name, after in books.items() if after < 0}
    broker = desk.position(con_id) + candidate.quantity
    if broker < 0 and candidate.quantity < 0 and not desk.settings.short_allowed:
        below["the broker"] = broker
    if not below:
        return None
    name, after = next(iter(below.items()))
    sentence = (
        f"{name} would be short {after:f} {candidate.contract.name}; short_allowed is off, "
        f"so want 0 or more"
    )
    offending = candidate if "the broker" in below else only(candidate, frozenset(below))
    return refuse(offending, "short_allowed", sentence, f"{after:f}", "0")


def _unmeasured(candidate: Candidate) -> RefusalEntry:
    symbol, currency = candidate.contract.name, candidate.contract.currency
    if candidate.price is None or candidate.price.value <= 0:
        sentence = f"{symbol} has no price, so no book may grow; check the market data subscription"
        return refuse(candidate, "book_notional_max", sentence, "none", "a price")
    sentence = (
        f"{symbol} trades in {currency}, of which the broker tells no rate, so no book may grow; "
        f"hold some {currency} at the broker"
    )
    return refuse(candidate, "book_notional_max", sentence, "none", "a rate of exchange")


def _document(desk: Desk, strategy: str) -> StrategyDocument:
    return desk.strategies.get(strategy) or StrategyDocument()


def _book_bound(desk: Desk, strategy: str) -> Decimal:
    own, bound = _document(desk, strategy).position_notional_max, desk.settings.book_notional_max
    return bound if own is None else min(own, bound)


def _may_be_short(desk: Desk, strategy: str) -> bool:
    return desk.settings.short_allowed and _document(desk, strategy).short_allowed is not False


def _too_much(
    candidate: Candidate, over: Mapping[str, tuple[Decimal, Decimal]], words: tuple[str, str]
) -> RefusalEntry | None:
    """The refusal of the strategies that are over their bound, told of the first."""
    if not over:
        return None
    rule, what = words
    name, (value, bound) = next(iter(over.items()))
    sentence = (
        f"{what} of {name} worth {value:.2f} in {candidate.contract.name} is over its {rule} "
        f"{bound:f}; want less, or raise the bound"
    )
    offending = only(candidate, frozenset(over))
    return refuse(offending, rule, sentence, f"{value:.2f}", f"{bound:f}")

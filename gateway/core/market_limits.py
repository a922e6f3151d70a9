"""Limits of the market: orders only while the contract trades, by its own hours (behaviour 4.1).

An order sent into a closed market is held by IB until it opens, and a market order then trades at
any price. Crosses never reach the market: `quote_age` is what they are held against.
"""

from datetime import datetime

from gateway.core.broker import Span, Terms
from gateway.core.candidate import Candidate, refuse
from gateway.core.desk import Desk
from gateway.core.hours import in_new_york, next_opening, session_at
from gateway.core.order_policy import Instruction, instruction
from schemas.documents import RefusalEntry


def market_hours(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """No order while its contract is closed, nor one that the broker would hold past the close.

    The regular hours count, early closes and all; for an `LMT` with `outside_rth` the extended
    ones. Where nobody told any, what reduces passes [N6].
    """
    if candidate.is_cross:
        return None
    terms, told = desk.terms.get(candidate.contract.con_id), instruction(candidate, desk, now)
    spans = _spans(terms, told)
    session = session_at(spans, now)
    if session is None:
        return _outside(candidate, next_opening(spans, now), now)
    if told.good_after is None or told.good_after < session.closes_at:
        return None
    value, bound = in_new_york(told.good_after), in_new_york(session.closes_at)
    sentence = (
        f"{candidate.contract.name} closes at {bound}, and its order_policy's good_after_time is "
        f"{value}; set an earlier one"
    )
    return refuse(candidate, "market_hours", sentence, value, bound)


def _spans(terms: Terms | None, told: Instruction) -> tuple[Span, ...]:
    if terms is None:
        return ()
    return terms.trading_hours if told.outside_rth else terms.liquid_hours


def _outside(candidate: Candidate, opens_at: datetime | None, now: datetime) -> RefusalEntry | None:
    """The refusal of what is not sent now; what reduces passes where nobody told any hours."""
    symbol, value = candidate.contract.name, in_new_york(now)
    if opens_at is not None:
        opens = in_new_york(opens_at)
        sentence = (
            f"{symbol} is closed ({value}) and opens at {opens}; nothing is sent before, so say "
            f"run then"
        )
        return refuse(candidate, "market_hours", sentence, value, opens)
    if candidate.reducing:
        return None
    sentence = (
        f"IB tells no trading hours of {symbol} for {value}; look at the contract there, then say "
        f"run"
    )
    return refuse(candidate, "market_hours", sentence, "none", "known hours")

"""Limits on the reference price: how old it is, where it comes from, whether it can be true [N4].

What reduces needs no price. A cross always does, for money changes hands between books at it.
"""

from dataclasses import replace
from datetime import datetime

from gateway.core import closing
from gateway.core.candidate import Candidate, first_refusal, refuse
from gateway.core.desk import Desk
from schemas.documents import RefusalEntry
from schemas.values import Mode


def quote_age(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """No cross and no increasing order without a fresh reference price [N4]."""
    if not _counts(candidate):
        return None
    symbol, price = candidate.contract.name, candidate.price
    bound = desk.settings.quote_age_seconds_max
    if price is None or price.value <= 0:
        sentence = f"{symbol} has no reference price; check the market data subscription"
        return refuse(candidate, "quote_age", sentence, "none", f"{bound} s")
    if price.age_seconds(now) <= bound or closing.is_forced(desk, candidate.shares):
        return None
    value = f"{price.age_seconds(now):.0f} s"
    sentence = f"the {price.source} of {symbol} is {value} old, at most {bound} s allowed"
    return refuse(candidate, "quote_age", sentence, value, f"{bound} s")


def delayed_data(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """Delayed prices only in paper, where people allowed them [N4]."""
    price = candidate.price
    if price is None or not price.delayed or not _counts(candidate):
        return None
    if desk.settings.delayed_data_allowed and desk.mode is Mode.PAPER:
        return None
    sentence = (
        f"only delayed prices of {candidate.contract.name}; subscribe to live data, or set "
        f"delayed_data_allowed in config/{desk.mode} (paper only)"
    )
    return refuse(candidate, "delayed_data", sentence, "delayed", "live")


def price_collar(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """No cross and no increasing order at a price that jumped, or that is the middle of nothing.

    A price far from the last finished bar's close is a bad tick or a split more often than it is
    news, and the middle of a wide quote is nobody's price.
    """
    if candidate.price is None or not _counts(candidate):
        return None
    return _jump(candidate, desk) or _spread(candidate, desk)


def doubt(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """Why the reference price is not to be relied upon, whatever the candidate does with it."""
    asked = replace(candidate, reducing=False)
    return first_refusal((quote_age, delayed_data, price_collar), asked, desk, now)


def _counts(candidate: Candidate) -> bool:
    return candidate.is_cross or not candidate.reducing


def _jump(candidate: Candidate, desk: Desk) -> RefusalEntry | None:
    price, bound = candidate.price, desk.settings.price_jump_fraction_max
    if price is None or price.last_close is None or price.last_close <= 0:
        return None
    jump, close = abs(price.value - price.last_close), price.last_close
    if jump <= bound * close:
        return None
    value = f"{jump / close:.4f}"
    sentence = (
        f"the {price.source} of {candidate.contract.name}, {price.value:f}, is {value} of the "
        f"last close {close:f} away from it, over price_jump_fraction_max {bound:f}; look whether "
        f"it is true (a split?), then raise it for the day"
    )
    return refuse(candidate, "price_collar", sentence, value, f"{bound:f}")


def _spread(candidate: Candidate, desk: Desk) -> RefusalEntry | None:
    """A quote whose bid is over its ask is as wrong as one that is too wide."""
    price, bound = candidate.price, desk.settings.spread_fraction_max
    if price is None or price.spread is None or abs(price.spread) <= bound * price.value:
        return None
    value = f"{abs(price.spread) / price.value:.4f}"
    sentence = (
        f"bid and ask of {candidate.contract.name} are {value} of their middle {price.value:f} "
        f"apart, over spread_fraction_max {bound:f}; wait for a better quote, or raise it"
    )
    return refuse(candidate, "price_collar", sentence, value, f"{bound:f}")

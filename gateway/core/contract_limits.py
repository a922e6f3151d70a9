"""Limits on what may be traded at all: in which account, which contracts, how soon again."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from gateway.core.broker import masked
from gateway.core.candidate import Candidate, growing, refuse
from gateway.core.desk import Desk
from schemas.documents import RefusalEntry
from schemas.values import CASH_TYPE, Mode

ACCOUNT_PREFIXES: Final[Mapping[Mode, tuple[str, ...]]] = {
    Mode.PAPER: ("DU", "DF"),
    Mode.LIVE: ("U", "F"),
}
"""IB's account ids: U of a person, F of an advisor; a paper account has a D before them."""

ASKED: Final = ("barrier", "allocate", "approve", "close_all", "cash_balance")
"""Causes of a net that a run or a person asked for; the others follow from what happened."""

MULTIPLIED: Final = ("FUT", "OPT", "FOP", "WAR", "BOND")
"""Security types whose contracts stand for more than one unit."""


def account_prefix(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """Nothing at all unless the account is of the mode's kind: paper money or real money."""
    account = desk.values.account if desk.values else ""
    prefixes = ACCOUNT_PREFIXES[desk.mode]
    if account.startswith(prefixes):
        return None
    known, bound = masked(account) if account else "none", " or ".join(prefixes)
    sentence = (
        f"{candidate.contract.name}: the account is {known}, and in {desk.mode} it must start "
        f"with {bound}; log the broker's gateway in to the right account"
    )
    return refuse(candidate, "account_prefix", sentence, known, bound)


def contract_allowed(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """Only contracts that people allowed, and whose money can be measured.

    The intake has taken the multiplier from the broker; 1 is wrong for a future, for an ES at 6000
    is 300000 of notional. Currency pairs are in no book but CASH, whatever people allowed [B1].
    """
    refused = _kind_allowed(candidate, desk)
    if refused is not None or candidate.reducing:
        return refused
    settings, symbol = desk.settings, candidate.contract.symbol
    if _names(settings.symbols_denied, symbol):
        bound = f"not {', '.join(settings.symbols_denied)}"
        return _not_allowed(candidate, "is in symbols_denied; want something else", symbol, bound)
    if settings.symbols_allowed and not _names(settings.symbols_allowed, symbol):
        bound = ", ".join(settings.symbols_allowed)
        why = f"is not in symbols_allowed ({bound}); add it there to trade it"
        return _not_allowed(candidate, why, symbol, bound)
    return None


def order_rejected_before(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """What the broker rejected waits for the next run or `allocate` [N8]."""
    if candidate.cause in ASKED:
        return None
    con_id = candidate.contract.con_id
    orders = [order for order in desk.orders.values() if order.contract.con_id == con_id]
    latest = max(orders, key=lambda order: order.generation, default=None)
    if latest is None or latest.outcome != "rejected":
        return None
    sentence = (
        f"{candidate.contract.name} waits: the broker rejected {latest.order_ref} "
        f"({latest.reason or 'without a reason'}); see to that, then say run or allocate"
    )
    return refuse(
        candidate, "order_rejected_before", sentence, latest.order_ref, "the next run or allocate"
    )


def _kind_allowed(candidate: Candidate, desk: Desk) -> RefusalEntry | None:
    """Where the broker's position shrinks, a book that grows must still be one that is measured."""
    contract, kind = candidate.contract, candidate.contract.sec_type
    allowed = desk.settings.sec_types_allowed
    grows = not candidate.reducing or bool(growing(candidate, desk))
    if kind == CASH_TYPE and grows:
        why = (
            f"in {contract.currency} is {kind}, a currency pair, whose balances are no strategy's; "
            f"change money by hand at the broker, and want none of it"
        )
        return _not_allowed(candidate, why, kind, "no currency pair")
    if kind not in allowed and not candidate.reducing:
        bound = ", ".join(allowed) or "nothing"
        why = f"is {kind} and sec_types_allowed is {bound}; add {kind} there to trade it"
        return _not_allowed(candidate, why, kind, bound)
    if kind in MULTIPLIED and contract.multiplier == 1 and grows:
        why = (
            f"is {kind} with a multiplier of 1, as if the broker had told none, so its money "
            f"cannot be measured; say its targets anew, and if that does not help want none of it"
        )
        return _not_allowed(candidate, why, kind, "a known multiplier")
    return None


def _names(symbols: Collection[str], symbol: str) -> bool:
    """People may write `spy`."""
    return symbol.casefold() in {name.casefold() for name in symbols}


def _not_allowed(candidate: Candidate, why: str, value: str, bound: str) -> RefusalEntry:
    sentence = f"{candidate.contract.name} {why}"
    return refuse(candidate, "contract_allowed", sentence, value, bound)

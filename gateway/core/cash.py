"""Foreign balances traded back to the base currency: `cash_balance` (behaviour 5).

Balances are no strategy's and stay out of the law [B1]: what is traded of them goes to the book
`CASH`, in orders of currency pairs of their own. A conversion brings a balance nearer to 0 and
never beyond, so it counts as reducing, and no margin is asked for it; of the limits on orders those
hold that are no matter of books and positions (`LIMITS`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Final

from gateway.core.candidate import Candidate, Rule, draft, first_refusal, refuse
from gateway.core.contract_limits import account_prefix, order_rejected_before
from gateway.core.desk import Desk
from gateway.core.events import NetCause
from gateway.core.limits import contract_locked, snapshot_age, trading_state
from gateway.core.market_limits import market_hours
from gateway.core.netting import Plan
from schemas.documents import OrderDocument, RefusalEntry, Share, WantedChange
from schemas.values import CASH_BOOK, CASH_TYPE, Contract

LOT: Final = Decimal(1000)
"""Conversions are of whole thousands of the pair's first currency."""

EXCHANGE: Final = "IDEALPRO"
"""Where pairs trade, in any size: what is below its minimum (about 25,000 dollars) IB routes as an
odd lot, with warning 399 and at a slightly worse price. Source: ib.md, section on error 399."""

SETTLING: Final = timedelta(seconds=180)
"""How long after a fill the balances may be those of before it: IB sends account values anew every
three minutes. Source: TWS API, Account & Portfolio Data, reqAccountUpdates."""


@dataclass(frozen=True, slots=True)
class Balance:
    """What the account has of a foreign currency, negative if it owes. `rate` is to the base."""

    currency: str
    amount: Decimal
    rate: Decimal

    @property
    def worth(self) -> Decimal:
        """In the base currency, signed."""
        return self.amount * self.rate


@dataclass(frozen=True, slots=True)
class Survey:
    """All foreign balances: what is to be traded, what cannot be, and a sentence on each."""

    due: tuple[Balance, ...] = ()
    refusals: tuple[RefusalEntry, ...] = ()
    sentences: tuple[str, ...] = ()


def survey(desk: Desk, now: datetime) -> Survey:
    """What is to be done with each foreign balance, as of the last reading.

    A rate that the broker does not tell is never taken for 1 [M14], and each currency counts by
    itself. What is about to change, or may not be counted yet, waits for the next command.
    """
    values = desk.values
    if values is None:
        return Survey()
    due: list[Balance] = []
    refusals: list[RefusalEntry] = []
    sentences: list[str] = []
    for currency, amount in sorted(values.cash.items()):
        if currency == values.base_currency or not amount:
            continue
        rate = desk.rate(currency)
        refused = _unknown_rate(desk, currency, amount) if rate is None else None
        if refused is None and rate is not None:
            balance = Balance(currency, amount, rate)
            sentences.append(_told(desk, balance))
            if abs(balance.worth) <= desk.settings.cash_balance_threshold:
                continue
            refused = _unsettled(desk, balance, now)
            due += [] if refused else [balance]
        refusals += [refused] if refused else []
    return Survey(tuple(due), tuple(refusals), tuple(sentences))


def pairs(currency: str, base: str) -> tuple[Contract, Contract]:
    """The two ways to write a pair, of which the market knows one: EUR.USD, but USD.JPY."""
    return (
        Contract(currency, CASH_TYPE, EXCHANGE, base),
        Contract(base, CASH_TYPE, EXCHANGE, currency),
    )


def plan(desk: Desk, cause: NetCause, now: datetime) -> Plan:
    """One order for each balance of `cause.pairs`; whole orders are refused, never resized."""
    orders: list[OrderDocument] = []
    refusals: list[RefusalEntry] = []
    wanted: list[WantedChange] = []
    for balance in survey(desk, now).due:
        pair = cause.pairs.get(balance.currency)
        if pair is None:
            continue
        units = _units(desk, balance, pair, now)
        quantity = toward_zero(units)
        wanted.append(_wanted(desk, balance, pair, -units, quantity))
        candidate = _candidate(desk, cause, pair, quantity)
        refused = _refusal(desk, balance, candidate, now)
        if refused is None:
            orders.append(_order(desk, cause, candidate, _told(desk, balance), now))
        else:
            refusals.append(refused)
    return Plan(wanted=tuple(wanted), orders=tuple(orders), refusals=tuple(refusals))


def toward_zero(units: Decimal) -> Decimal:
    """Whole lots, never more than there is: 1999 -> 1000, -999 -> 0."""
    return (units / LOT).to_integral_value(ROUND_DOWN) * LOT


def conversion_notional(candidate: Candidate, desk: Desk, now: datetime) -> RefusalEntry | None:
    """No conversion of more money than `order_notional_max`: more is a person's to look at."""
    bound, rate = desk.settings.order_notional_max, desk.rate(candidate.contract.symbol)
    value = abs(candidate.quantity) * (rate or Decimal(0))
    if value <= bound:
        return None
    sentence = (
        f"changing {_name(candidate.contract)} worth {value:.2f} is over order_notional_max "
        f"{bound:f}; raise it, or change money by hand at the broker"
    )
    return refuse(candidate, "conversion_notional", sentence, f"{value:.2f}", f"{bound:f}")


LIMITS: Final[tuple[Rule, ...]] = (
    account_prefix,
    trading_state,
    contract_locked,
    order_rejected_before,
    snapshot_age,
    market_hours,
    conversion_notional,
)
"""Of the limits on orders those that hold for a conversion, and its own.

What the others measure are books and positions, shares, or prices that something grows at.
"""

NAMES: Final = tuple(rule.__name__ for rule in LIMITS)


def _told(desk: Desk, balance: Balance) -> str:
    threshold = desk.settings.cash_balance_threshold
    beyond = abs(balance.worth) > threshold
    what = f"{balance.currency} {balance.amount:.2f} is worth {balance.worth:.2f}"
    return f"{what}, {'over' if beyond else 'within'} cash_balance_threshold {threshold:f}"


def _unknown_rate(desk: Desk, currency: str, amount: Decimal) -> RefusalEntry:
    base = desk.values.base_currency if desk.values else "nothing"
    sentence = (
        f"the broker tells no rate of {currency} to {base}, so nobody can say what {amount:.2f} of "
        f"it is worth; change it by hand at the broker"
    )
    return RefusalEntry("exchange_rate", sentence, currency, 0, (CASH_BOOK,), "none", "a rate")


def _unsettled(desk: Desk, balance: Balance, now: datetime) -> RefusalEntry | None:
    """Not while an order may still move the balance, or a fill may not be in it yet."""
    currency = balance.currency
    working = next((o for o in _open(desk) if _moves(o.contract, currency)), None)
    if working is not None:
        sentence = (
            f"{working.order_ref} in {_name(working.contract)} is {working.state} and may still "
            f"move {currency}; say cash_balance after its end"
        )
        value = working.order_ref
        return RefusalEntry("in_flight", sentence, currency, 0, (CASH_BOOK,), value, "no order")
    last = max((at for at in _fills(desk, currency)), default=None)
    if last is None or now - last >= SETTLING:
        return None
    age, bound = (now - last).total_seconds(), SETTLING.total_seconds()
    sentence = (
        f"the last fill that moved {currency} was {age:.0f} s ago, and balances may be older than "
        f"it for {bound:.0f} s; say cash_balance after that"
    )
    value, least = f"{age:.0f} s", f"{bound:.0f} s"
    return RefusalEntry("balance_age", sentence, currency, 0, (CASH_BOOK,), value, least)


def _open(desk: Desk) -> list[OrderDocument]:
    return [order for order in desk.orders.values() if order.state != "DONE"]


def _fills(desk: Desk, currency: str) -> Iterator[datetime]:
    """When something was traded for the currency, by us or by somebody else."""
    ours = (e for order in desk.orders.values() for e in order.executions.values())
    for execution in (*ours, *desk.foreign.values()):
        if _moves(execution.contract, currency):
            yield execution.at


def _moves(contract: Contract, currency: str) -> bool:
    is_bought = contract.sec_type == CASH_TYPE and contract.symbol == currency
    return is_bought or contract.currency == currency


def _units(desk: Desk, balance: Balance, pair: Contract, now: datetime) -> Decimal:
    """What of the pair brings the balance to 0, signed, before rounding.

    EUR of EUR.USD are sold; for JPY of USD.JPY dollars are bought, no more than they pay for at the
    dearer of the account's rate and the ask.
    """
    if pair.symbol == balance.currency:
        return -balance.amount
    prices = [1 / balance.rate]
    quote = desk.prices.get(pair.con_id)
    if quote is not None and quote.age_seconds(now) <= desk.settings.quote_age_seconds_max:
        prices.append(quote.value + (quote.spread or Decimal(0)) / 2)
    return balance.amount / max(prices)


def _candidate(desk: Desk, cause: NetCause, pair: Contract, quantity: Decimal) -> Candidate:
    return Candidate(
        contract=pair,
        quantity=quantity,
        shares=(Share(CASH_BOOK, quantity),),
        reducing=True,
        price=desk.prices.get(pair.con_id),
        cause=cause.reason,
        rate=desk.rate(pair.currency),
    )


def _refusal(
    desk: Desk, balance: Balance, candidate: Candidate, now: datetime
) -> RefusalEntry | None:
    if not candidate.quantity:
        sentence = (
            f"{_told(desk, balance)}, but is less than {LOT:f} {candidate.contract.symbol}; "
            f"nothing is traded, raise the threshold"
        )
        return refuse(candidate, "lot", sentence, f"{balance.amount:.2f}", f"{LOT:f}")
    return first_refusal(LIMITS, candidate, desk, now)


def _order(
    desk: Desk, cause: NetCause, candidate: Candidate, why: str, now: datetime
) -> OrderDocument:
    """A plain market order: IB has no Adaptive for currency pairs."""
    return replace(
        draft(candidate, desk, cause.run_id, now),
        why=(f"{CASH_BOOK} wants {candidate.quantity:+f}: {why}",),
        limits=NAMES,
    )


def _wanted(
    desk: Desk, balance: Balance, pair: Contract, held: Decimal, change: Decimal
) -> WantedChange:
    """The balance in units of the pair, so that the numbers of the order can be read from it."""
    rounded = held.quantize(Decimal("0.01"))
    return WantedChange(
        strategy=CASH_BOOK,
        symbol=_name(pair),
        con_id=pair.con_id,
        effective_target=rounded + change,
        book=rounded,
        in_flight=Decimal(0),
        change=change,
        reason=_told(desk, balance),
    )


def _name(contract: Contract) -> str:
    if contract.sec_type != CASH_TYPE:
        return contract.name
    return f"{contract.symbol}.{contract.currency}"

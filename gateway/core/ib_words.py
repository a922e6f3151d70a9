"""IB's words, numbers and error codes, translated into ours.

Pure, and free of the client library: `gateway.line` takes the wire's values apart and asks here
what they mean. Sources: IB's message codes page and order status page; numbers in "trap n" refer
to the list of what ib_async makes of them (design notes, IB, section 2.1).
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from gateway.core.broker import (
    AccountValues,
    BrokerStatus,
    Connection,
    MarginPreview,
    OrderReport,
    Quote,
    masked,
)
from schemas.values import Contract

ORDER_STATUSES: Final[Mapping[str, BrokerStatus]] = {
    "PendingSubmit": BrokerStatus.WORKING,
    "ApiPending": BrokerStatus.WORKING,
    "PreSubmitted": BrokerStatus.WORKING,
    "Submitted": BrokerStatus.WORKING,
    # Asked to cancel is not cancelled: the order may still fill.
    "PendingCancel": BrokerStatus.WORKING,
    "Filled": BrokerStatus.FILLED,
    "Cancelled": BrokerStatus.CANCELLED,
    "ApiCancelled": BrokerStatus.CANCELLED,
    # IB can revive it (trap 22); an error code or the four questions say what became of it.
    "Inactive": BrokerStatus.UNSURE,
}
"""The words of orderStatus and openOrder. Any other word is UNSURE, never an outcome."""

ORDER_ENDS: Final[Mapping[int, BrokerStatus]] = {
    110: BrokerStatus.REJECTED,  # price off the contract's increments; we never amend
    200: BrokerStatus.REJECTED,  # no such contract
    201: BrokerStatus.REJECTED,  # the broker's own "Order rejected - reason: ..."
    202: BrokerStatus.CANCELLED,  # "Order canceled", also at the end of the day
    203: BrokerStatus.REJECTED,  # the contract is not allowed for this account
    434: BrokerStatus.REJECTED,  # size 0
    10243: BrokerStatus.REJECTED,  # fractions of a share
}
"""Error codes that end an order whenever they come. All others leave it UNSURE (traps 1 to 3)."""

ORDER_REFUSALS: Final = frozenset(
    {
        100,  # more than 50 messages in a second
        103,  # duplicate order id
        109,  # price out of range
        111,  # this tif does not go with this type
        113,  # MOC and LOC must be DAY
        116,  # the exchange is closed
        321,  # validation failed, or the gateway is read-only
        387,  # the exchange does not know the order type
        388,  # below the smallest size
    }
)
"""Error codes that refuse a *message*. They reject an order that the broker has not acknowledged
yet; on a working order they may answer our cancel, and then say nothing of the order itself."""

WARNINGS: Final = frozenset(
    {
        165,  # the historical data service says something
        399,  # "the order will not be placed until ..."
        404,  # held: shares to sell short are being looked for
        2100,  # the head of the 21xx family, see is_warning
        10167,  # delayed data are shown
        10349,  # tif was set by a preset: the order lives (trap 1)
    }
)
"""Error codes that answer no request: the answer is still to come."""

NO_MARKET_DATA: Final = frozenset({354, 10089, 10090, 10168, 10186, 10197})
"""Not subscribed, delayed data off, or a competing session: there is no price for us."""

NO_HISTORY: Final = 162
"""Historical data: no data, no permission, or paced. Nothing to retry within a run."""

NO_CONTRACT: Final = 200

WRONG_DESCRIPTIONS: Final = frozenset(
    {
        123,  # no record of this conid
        NO_CONTRACT,  # none is meant, or several
        203,  # the contract is not allowed for this account
        321,  # validation failed: something is missing, or is no value of its field
        478,  # the description contradicts its own conid
    }
)
"""Error codes by which a question for a contract is wrong itself: asked again it stays so. All
others (pacing, 504 not connected, farms and logins that are away) only mean that not now."""

CLIENT_ID_TAKEN: Final = 326

QUOTE_TICKS: Final[Mapping[int, str]] = {
    1: "bid",
    2: "ask",
    4: "last",
    66: "bid",
    67: "ask",
    68: "last",
}
"""Tick types of the prices we read, live and delayed."""

DELAYED_TICKS: Final = frozenset({66, 67, 68})

DELAYED_DATA_TYPES: Final = frozenset({3, 4})
"""Market data types delayed and delayed-frozen; 1 is live, 2 frozen."""

WINDOWS_ZONES: Final[Mapping[str, str]] = {
    "Eastern Standard Time": "America/New_York",
    "Eastern Daylight Time": "America/New_York",
    "Central Standard Time": "America/Chicago",
    "Pacific Standard Time": "America/Los_Angeles",
    "GMT Standard Time": "Europe/London",
    "W. Europe Standard Time": "Europe/Berlin",
    "Central European Standard Time": "Europe/Warsaw",
    "China Standard Time": "Asia/Shanghai",
    "Tokyo Standard Time": "Asia/Tokyo",
    "JST": "Asia/Tokyo",
    "India Standard Time": "Asia/Kolkata",
}
"""Names that a gateway on a Windows machine writes where an IANA zone belongs (trap 24)."""

UNSET_NUMBERS: Final = frozenset({sys.float_info.max, float(2**31 - 1), float(2**63 - 1)})
"""IB's "no value": the largest double, int and long."""

BASE: Final = "BASE"
"""The pseudo-currency of rows that sum over currencies."""


def order_status(word: str) -> BrokerStatus:
    """What a status word on the wire says of an order."""
    return ORDER_STATUSES.get(word, BrokerStatus.UNSURE)


def completed_status(word: str) -> BrokerStatus:
    """The same for completed orders, which are over: Inactive there is a rejection."""
    return BrokerStatus.REJECTED if word == "Inactive" else order_status(word)


def order_error(code: int, acknowledged: bool) -> BrokerStatus:
    """What an error that carries an order's id says of that order.

    `acknowledged` is whether the broker has named the order before.
    """
    if not acknowledged and code in ORDER_REFUSALS:
        return BrokerStatus.REJECTED
    return ORDER_ENDS.get(code, BrokerStatus.UNSURE)


def is_warning(code: int) -> bool:
    """Whether a request that met this code still has its answer to come."""
    return code in WARNINGS or 2100 <= code < 2200


def line_notice(code: int, text: str) -> Connection | None:
    """What a notice without a request says of IB's own line, which may fail behind the gateway.

    Our socket stays open through all of them (trap 21).
    """
    reason = f"{code} {text}"
    match code:
        case 1100 | 2110:
            return Connection(up=False, reason=reason)
        case 1101:
            return Connection(up=True, reason=reason, data_lost=True)
        case 1102:
            return Connection(up=True, reason=reason)
        case _:
            return None


def why_not_connected(
    error: BaseException | None, refusal: str, accounts: str | None, seconds: float
) -> str:
    """Why a connection did not come about, for a person (trap 23).

    `error` is what connecting raised, `refusal` what the gateway said before it hung up, `accounts`
    what it said of the login's accounts (None: nothing).
    """
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there: is the gateway running?"
    if refusal:
        return refusal
    if error is not None and not isinstance(error, TimeoutError):
        return str(error)
    if accounts == "":
        return f"the gateway named no account in {seconds:g} s: is it logged in?"
    return f"the gateway did not answer in {seconds:g} s: does it wait for a login?"


def number(value: float | str | Decimal | None) -> Decimal | None:
    """A number off the wire, exact as it was written; None for an unset or absent one."""
    if value is None or value == "":
        return None
    exact = Decimal(str(value))
    if not exact.is_finite() or float(exact) in UNSET_NUMBERS:
        return None
    return exact.quantize(Decimal(1)) if exact == exact.to_integral_value() else exact


def amount(value: float | str | Decimal | None) -> Decimal:
    """A number that must be there. Raises `ValueError` when it is unset."""
    exact = number(value)
    if exact is None:
        raise ValueError(f"the broker left out a number that must be there: {value!r}")
    return exact


def price(value: float) -> Decimal | None:
    """A quoted price; None for IB's -1 and 0, which mean that there is none."""
    exact = number(value)
    return exact if exact is not None and exact > 0 else None


def identity(value: int) -> int:
    """An id, 0 when unset: manual orders' executions carry the largest int."""
    return 0 if float(value) in UNSET_NUMBERS else value


def signed(side: str, shares: float) -> Decimal:
    """An execution's quantity: bought is positive. Raises `ValueError` for an unknown side."""
    signs = {"BOT": 1, "SLD": -1}
    if side not in signs:
        raise ValueError(f"an execution's side is {side!r}, not BOT or SLD")
    return signs[side] * amount(shares)


def zoned(time_text: str, gateway_zone: str) -> str:
    """An execution's time with a zone that can be read, so that the fill is not lost (trap 24).

    Windows names are translated, an unknown or absent name becomes the gateway's own zone.
    """
    day, clock, zone = [*time_text.split(maxsplit=2), "", ""][:3]
    if not clock:
        return time_text
    zone = WINDOWS_ZONES.get(zone, zone)
    return f"{day} {clock} {zone if _is_zone(zone) else gateway_zone}"


def still_open(reports: Iterable[OrderReport]) -> tuple[OrderReport, ...]:
    """The answer to "which orders are open": openOrder and orderStatus messages, one per order.

    openOrder names the order, orderStatus counts its fills; reports without con_id are statuses.
    """
    merged: dict[int, OrderReport] = {}
    for report in reports:
        known = merged.get(report.perm_id)
        if known is not None:
            filled = known.filled if report.filled is None else report.filled
            merged[report.perm_id] = replace(known, status=report.status, filled=filled)
        elif report.con_id:
            merged[report.perm_id] = report
    return tuple(merged.values())


def account_values(account: str, rows: Iterable[tuple[str, str, str]]) -> AccountValues:
    """The account's money from rows (key, value, currency). Raises `ValueError` without equity."""
    listed = list(rows)
    found = {key: (value, currency) for key, value, currency in listed if currency != BASE}
    equity, base_currency = found.get("NetLiquidation", ("", ""))
    if number(equity) is None or not base_currency:
        raise ValueError(f"the broker told no NetLiquidation of account {masked(account)}")
    cash = {
        currency: amount(value)
        for key, value, currency in listed
        if key == "CashBalance" and currency != BASE
    }
    rates = {
        currency: rate
        for key, value, currency in listed
        if key == "ExchangeRate" and currency != BASE and (rate := _rate(value)) is not None
    }
    return AccountValues(
        account=account,
        base_currency=base_currency,
        net_liquidation=amount(equity),
        cash=cash,
        initial_margin=number(found.get("InitMarginReq", ("", ""))[0]),
        maintenance_margin=number(found.get("MaintMarginReq", ("", ""))[0]),
        equity_with_loan=number(found.get("EquityWithLoanValue", ("", ""))[0]),
        exchange_rates={**rates, base_currency: Decimal(1)},
    )


def _rate(text: str) -> Decimal | None:
    """A rate of exchange; None for garbage and for what no currency is worth: 0 or less."""
    try:
        rate = number(text)
    except (ArithmeticError, ValueError):
        return None
    return rate if rate is not None and rate > 0 else None


def is_complete(ticks: Mapping[int, float]) -> bool:
    """Whether a snapshot has told bid, ask and last; its own end may take eleven seconds."""
    return {QUOTE_TICKS[kind] for kind in ticks if kind in QUOTE_TICKS} == {"bid", "ask", "last"}


def quote(contract: Contract, at: datetime, ticks: Mapping[int, float], delayed: bool) -> Quote:
    """A snapshot from its ticks (tick type -> price)."""
    prices = {QUOTE_TICKS[kind]: price(told) for kind, told in ticks.items() if kind in QUOTE_TICKS}
    return Quote(
        contract=contract,
        at=at,
        bid=prices.get("bid"),
        ask=prices.get("ask"),
        last=prices.get("last"),
        delayed=delayed or not DELAYED_TICKS.isdisjoint(ticks),
    )


def margin_preview(told: Mapping[str, str | float], warning: str = "") -> MarginPreview:
    """A what-if answer from its numbers by our names; unset ones are left out."""
    numbers = {name: exact for name, text in told.items() if (exact := number(text)) is not None}
    return MarginPreview(
        initial_margin=numbers.get("initial_margin_after"),
        initial_margin_change=numbers.get("initial_margin_change"),
        equity_with_loan=numbers.get("equity_with_loan_after"),
        commission=numbers.get("commission", numbers.get("commission_max")),
        warning=warning,
        raw={name: str(exact) for name, exact in numbers.items()},
    )


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return False
    return True

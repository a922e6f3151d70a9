"""What `summary`, `risk_check` and `eod_check` find, in one sentence each. Pure; changes nothing.

An alert among them says what to do next; the rest is for whoever wants to look.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from gateway.core import batch_limits, day, holdings
from gateway.core.broker import masked
from gateway.core.day import date_of
from gateway.core.desk import Desk
from gateway.core.telling import shares_text
from gateway.core.valuation import Valuation, valuations
from schemas.documents import ExecutionDocument, OrderDocument
from schemas.new_york import new_york_date
from schemas.values import Contract


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence; `is_alert` says that a person should see it now, `alert` its name there.

    An alert about a contract names it, so that it is not told again each time.
    """

    sentence: str
    is_alert: bool = False
    alert: str = "check_finding"
    con_id: int = 0
    symbol: str = ""


def summary(desk: Desk, now: datetime) -> list[Finding]:
    """The account's values by currency, positions with profit, working orders, today's fills."""
    return [
        *_account(desk),
        *(Finding(_holding(desk, one)) for one in valuations(desk) if one.position.quantity),
        *_unexplained(desk),
        *(Finding(_working(order)) for order in _open(desk)),
        *(Finding(_fill(one)) for one in _fills(desk, now)),
    ]


def risk(desk: Desk, now: datetime) -> list[Finding]:
    """The loss since the day began, the exposure against its bounds, stuck orders, last days."""
    looks = (_losses(desk), _exposure(desk), _stuck(desk, now), _expiring(desk, now), _locks(desk))
    return [one for found in looks for one in found]


def end_of_day(desk: Desk, now: datetime, unknown: list[str]) -> list[Finding]:
    """The law, orders that are still open, and what the day made; `unknown` books lack a price."""
    return [
        *(_unexplained(desk) or [Finding("the law holds: broker = books + EXTERNAL")]),
        *_left_open(desk),
        *_losses(desk),
        *_made(desk),
        *(Finding(f"what {name} made cannot be told: a price or a rate lacks") for name in unknown),
    ]


def _account(desk: Desk) -> list[Finding]:
    if desk.values is None:
        return [Finding("the account has not been read yet; say reconcile", is_alert=True)]
    values, base = desk.values, desk.values.base_currency
    margin = f"{values.initial_margin:.2f}" if values.initial_margin is not None else "not told"
    total = f"{masked(values.account)}: net liquidation {values.net_liquidation:.2f} {base}"
    cash = [
        Finding(f"cash {amount:.2f} {currency}{_in_base(desk, currency, amount)}")
        for currency, amount in sorted(values.cash.items())
        if amount
    ]
    return [Finding(f"{total}, initial margin {margin}"), *cash]


def _in_base(desk: Desk, currency: str, amount: Decimal) -> str:
    base, rate = desk.values.base_currency if desk.values else "", desk.rate(currency)
    if currency == base:
        return ""
    return " (no rate is known)" if rate is None else f" = {amount * rate:.2f} {base}"


def _holding(desk: Desk, one: Valuation) -> str:
    position, base = one.position, desk.values.base_currency if desk.values else ""
    worth = f"worth {one.worth:.2f} {base}" if one.worth is not None else "of unknown worth"
    made = f"made {one.pnl:+.2f} {base}" if one.pnl is not None else "profit unknown"
    cost = f"cost {position.cost:.2f} {position.contract.currency}"
    held = f"{one.ledger} holds {position.quantity:+f} {position.contract.name}"
    return f"{held}, {worth}, {cost}, {made}"


def _unexplained(desk: Desk) -> list[Finding]:
    symbols = {str(position.contract.con_id): position for position in desk.positions.values()}
    return [
        Finding(
            f"UNEXPLAINED: {quantity:+f} {_symbol(desk, con_id)} at the broker belongs to nobody; "
            f"it held {held.quantity if held else Decimal(0):+f} when last read; say adopt, or "
            "transfer what is its owner's",
            is_alert=True,
        )
        for con_id, quantity in sorted(desk.unexplained.items())
        for held in [symbols.get(str(con_id))]
        if quantity
    ]


def _symbol(desk: Desk, con_id: int) -> str:
    lock, position = desk.locks.get(str(con_id)), desk.positions.get(con_id)
    return lock.symbol if lock else position.contract.name if position else f"conId {con_id}"


def _working(order: OrderDocument) -> str:
    return (
        f"{order.order_ref}: {order.quantity:+f} {order.contract.name} is {order.state}, filled "
        f"{order.filled:+f}, for {shares_text(order.allocations)}"
    )


def _fill(one: ExecutionDocument) -> str:
    return (
        f"filled {one.at:%H:%M:%S} UTC: {one.quantity:+f} {one.contract.name} at {one.price:f} "
        f"-> {shares_text(one.shares) or 'somebody else'} ({one.exec_id})"
    )


def _fills(desk: Desk, now: datetime) -> list[ExecutionDocument]:
    ours = (one for order in desk.orders.values() for one in order.executions.values())
    today = [one for one in (*ours, *desk.foreign.values()) if date_of(one.at) == date_of(now)]
    return sorted(today, key=lambda one: (one.at, one.exec_id))


def _open(desk: Desk) -> list[OrderDocument]:
    return [order for order in desk.orders.values() if order.state != "DONE"]


def _losses(desk: Desk) -> Iterator[Finding]:
    """Since the day began; the latch itself is `day.breach`'s, at each reading."""
    if desk.values is None or desk.status is None:
        return
    equity, start = desk.values.net_liquidation, desk.status.start_of_day_equity
    part = f" ({(equity - start) / start:+.2%})" if start else ""
    base = desk.values.base_currency
    yield Finding(
        f"equity {equity:.2f} {base}, {equity - start:+.2f}{part} since the day began with "
        f"{start:.2f}; highest so far {desk.status.highest_equity:.2f}"
    )
    if desk.reduce_only is not None:
        yield Finding(f"latched reduce_only: {desk.reduce_only.reason}", is_alert=True)


def _exposure(desk: Desk) -> list[Finding]:
    """Prices move: what was allowed when it was bought may be over a bound now."""
    equity = desk.values.net_liquidation if desk.values else Decimal(0)
    try:
        tally = batch_limits.exposure(desk)
    except batch_limits.Unmeasured as error:
        return [Finding(f"the exposure cannot be measured: {error}", is_alert=True)]
    settings = desk.settings
    sides = (
        ("gross", tally.gross, settings.exposure_gross_max),
        ("net", tally.net, settings.exposure_net_max),
    )
    return [_held(name, value, bound, equity) for name, value, bound in sides]


def _held(name: str, value: Decimal, multiple: Decimal, equity: Decimal) -> Finding:
    bound = multiple * equity
    sentence = f"{name} exposure {value:.2f} of at most {bound:.2f} (exposure_{name}_max {multiple}"
    if value <= bound:
        return Finding(f"{sentence})")
    return Finding(f"{sentence}): over it; reduce it, or raise the bound", is_alert=True)


def _stuck(desk: Desk, now: datetime) -> list[Finding]:
    """Orders that should have been over by now; one that is to wait is not stuck."""
    minutes = desk.settings.stuck_order_minutes
    since = now - timedelta(minutes=minutes)
    return [
        Finding(
            f"stuck: {_working(order)}, since {order.created_at:%Y-%m-%d %H:%M} UTC, more than "
            f"{minutes} minutes (stuck_order_minutes); look at the broker, or say halt to cancel",
            is_alert=True,
        )
        for order in _open(desk)
        if max(order.created_at, order.good_after or order.created_at) < since
    ]


def _expiring(desk: Desk, now: datetime) -> Iterator[Finding]:
    """What is held and soon trades no more: nobody rolled it, or who should have holds."""
    known, days = holdings.contracts(desk), desk.settings.expiry_warning_days
    for con_id, quantity in sorted(holdings.positions(desk).items()):
        contract = known.get(con_id)
        last = _last_day(contract) if contract and quantity else None
        if contract is None or last is None:
            continue
        left = (last - new_york_date(now)).days
        if left <= days:
            yield Finding(
                f"{quantity:+f} {contract.name} is held ({_holders(desk, con_id)}) and trades last "
                f"on {last.isoformat()}, {_in_days(left)} (expiry_warning_days {days}): roll or "
                "close it; of what is delivered in kind, notice comes earlier",
                is_alert=True,
                alert="expiry_near",
                con_id=con_id,
                symbol=contract.symbol,
            )


def _last_day(contract: Contract) -> date | None:
    """The last day of trading, as IB tells it: the first notice day it does not (decision 12)."""
    found = re.fullmatch(r"(\d{4})(\d\d)(\d\d)", contract.last_trade_date)
    return date(*map(int, found.groups())) if found else None


def _holders(desk: Desk, con_id: int) -> str:
    held = (
        f"{name} {position.quantity:+f}"
        for name, ledger in sorted(desk.ledgers.items())
        if (position := ledger.positions.get(str(con_id))) is not None and position.quantity
    )
    return ", ".join(held) or "nobody's"


def _in_days(left: int) -> str:
    if not left:
        return "which is today"
    days = f"{abs(left)} day{'s' if abs(left) != 1 else ''}"
    return f"in {days}" if left > 0 else f"{days} ago"


def _locks(desk: Desk) -> list[Finding]:
    return [
        Finding(f"{lock.symbol} is locked: {lock.reason}", is_alert=True)
        for lock in desk.locks.values()
    ]


def _left_open(desk: Desk) -> list[Finding]:
    return [Finding(f"still open: {_working(order)}", is_alert=True) for order in _open(desk)]


def _made(desk: Desk) -> list[Finding]:
    if desk.status is None or desk.values is None:
        return []
    base = desk.values.base_currency
    made = day.made_today(desk.status)
    return [Finding(f"{name} made {pnl:+.2f} {base} today") for name, pnl in sorted(made.items())]

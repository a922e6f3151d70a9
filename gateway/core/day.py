"""The trading day: its count of orders, its turnover, and the losses that end buying for it.

RTS 6, article 15(2): an order counts at once when it is journaled, whatever becomes of it. Days are
New York's, by the dates of the readings.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from schemas.documents import Latch, OrderDocument, StatusDocument
from schemas.new_york import new_york_date
from schemas.settings import Settings


def date_of(at: datetime) -> str:
    """The date in New York, `2026-01-05`; such texts sort by time."""
    return new_york_date(at).isoformat()


def read(
    known: StatusDocument | None, equity: Decimal, at: datetime, orders: Iterable[OrderDocument]
) -> StatusDocument:
    """The status after a reading; the first one of a new day begins it.

    What was journaled between midnight and that reading is counted from the orders themselves.
    """
    if known is None or date_of(at) > known.day:
        highest = max(known.highest_equity, equity) if known else equity
        before = {**known.pnl_before, **known.pnl} if known else {}
        begun = StatusDocument(date_of(at), equity, highest, pnl_before=before)
        return counted(begun, [order for order in orders if date_of(order.created_at) == begun.day])
    if equity <= known.highest_equity:
        return known
    return replace(known, highest_equity=equity)


def counted(known: StatusDocument, orders: Iterable[OrderDocument]) -> StatusDocument:
    """The status once these orders are journaled."""
    new = tuple(orders)
    if not new:
        return known
    turnover = sum((worth(order) for order in new), known.turnover)
    return replace(known, orders=known.orders + len(new), turnover=turnover)


def checked(
    known: StatusDocument, name: str, at: datetime, pnl: Mapping[str, Decimal] | None
) -> StatusDocument:
    """The status once a command has looked at the day; `pnl` is what each book made in all."""
    seen = replace(known, checks={**known.checks, name: at})
    return seen if pnl is None else replace(seen, pnl=pnl)


def made_today(known: StatusDocument) -> dict[str, Decimal]:
    """What each book made since the last `eod_check` of an earlier day, or since it began."""
    before = known.pnl_before
    return {name: made - before.get(name, Decimal(0)) for name, made in known.pnl.items()}


def worth(order: OrderDocument) -> Decimal:
    """An order's part in the turnover: unsigned, at its decision price, in the base currency.

    One that reduces may have been decided without price or rate; it then counts as an order only.
    """
    if order.decision_price is None or order.decision_rate is None:
        return Decimal(0)
    value = order.decision_price * order.decision_rate
    return abs(order.quantity) * value * order.contract.multiplier


def restarted(known: StatusDocument, equity: Decimal) -> StatusDocument:
    """The status after a person lifted a latch: losses are measured from here."""
    return replace(known, start_of_day_equity=equity, highest_equity=equity)


def breach(
    status: StatusDocument, settings: Settings, equity: Decimal, at: datetime
) -> Latch | None:
    """The latch that a loss asks for: of the day first, else from the highest equity."""
    starts, highest = status.start_of_day_equity, status.highest_equity
    measured = (
        ("daily_loss", "the day's start", starts, settings.daily_loss_fraction_max),
        ("drawdown", "its highest", highest, settings.drawdown_fraction_max),
    )
    for kind, name, before, fraction in measured:
        loss, bound = before - equity, fraction * before
        if loss > bound:
            reason = (
                f"equity {equity:.2f} is {loss:.2f} below {name} of {before:.2f}, over the bound "
                f"of {bound:.2f} ({kind}_fraction_max); look at the account, then say resume"
            )
            return Latch(kind, reason, at)
    return None

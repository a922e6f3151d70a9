"""Where things stand, on one screen, from documents alone. Pure.

A book's profit is in its contract's currency; what is not realized is measured by the close of the
newest bar that is stored, which may be old: its time is told.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from gateway.core import checkup, tables
from gateway.core.finding import Finding, State
from gateway.core.hours import in_new_york
from gateway.core.telling import shares_text
from schemas.documents import (
    BarsDocument,
    BrokerPosition,
    LatchesDocument,
    LeaseDocument,
    LedgerDocument,
    LedgerPosition,
    OrderDocument,
    RunDocument,
    SnapshotDocument,
    StatusDocument,
    TargetsDocument,
)
from schemas.settings import ControlDocument, StrategyDocument
from schemas.values import EXTERNAL, OWNERLESS, Mode

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Close:
    """The last price that is stored of a contract: a bar's close, and when that bar began."""

    value: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """The documents of a mode as they were read. `real_now` is for the lease alone."""

    mode: Mode
    now: datetime
    real_now: datetime
    control: ControlDocument = field(default_factory=ControlDocument)
    latches: LatchesDocument = field(default_factory=LatchesDocument)
    lease: LeaseDocument | None = None
    snapshot: SnapshotDocument | None = None
    day: StatusDocument | None = None
    strategies: Mapping[str, StrategyDocument] = field(default_factory=dict)
    positions: Mapping[str, BrokerPosition] = field(default_factory=dict)
    ledgers: Mapping[str, LedgerDocument] = field(default_factory=dict)
    targets: Mapping[str, TargetsDocument] = field(default_factory=dict)
    orders: Mapping[str, OrderDocument] = field(default_factory=dict)
    runs: Sequence[RunDocument] = ()
    closes: Mapping[str, Close] = field(default_factory=dict)
    project: str = ""


@dataclass(frozen=True, slots=True)
class Holding:
    """One book's holding of one contract; or, without a symbol, all that it has sold again."""

    book: str
    symbol: str
    quantity: Decimal
    average: Decimal | None
    last: Decimal | None
    unrealized: Decimal | None
    realized: Decimal
    commission: Decimal
    currency: str


def closes(bars: Sequence[BarsDocument]) -> dict[str, Close]:
    """The newest close of each contract, by conId."""
    found: dict[str, Close] = {}
    for one in bars:
        key = str(one.contract.con_id)
        if one.close and (key not in found or found[key].at < one.time[-1]):
            found[key] = Close(Decimal(str(one.close[-1])), one.time[-1])
    return found


def holdings(standing: Standing) -> list[Holding]:
    """What each ledger holds, strategies first; what is sold again, in a row a currency."""
    ordered = sorted(standing.ledgers, key=lambda name: (name in OWNERLESS, name))
    return [row for name in ordered for row in _of_ledger(standing, name)]


def _of_ledger(standing: Standing, name: str) -> Iterator[Holding]:
    positions = standing.ledgers[name].positions
    by_symbol = sorted(positions.items(), key=lambda item: (item[1].contract.symbol, item[0]))
    for key, position in by_symbol:
        if position.quantity:
            yield _open(name, position, standing.closes.get(key))
    flat = [position for _, position in by_symbol if not position.quantity]
    for currency in sorted({position.contract.currency for position in flat}):
        over = [position for position in flat if position.contract.currency == currency]
        realized = sum((position.realized for position in over), ZERO)
        paid = sum((position.commission for position in over), ZERO)
        yield Holding(name, "", ZERO, None, None, None, realized, paid, currency)


def _open(name: str, position: LedgerPosition, close: Close | None) -> Holding:
    contract, quantity = position.contract, position.quantity
    last = None if close is None else close.value
    worth = None if last is None else last * quantity * contract.multiplier
    return Holding(
        book=name,
        symbol=contract.name,
        quantity=quantity,
        average=position.cost / quantity / contract.multiplier,
        last=last,
        unrealized=None if worth is None else worth - position.cost,
        realized=position.realized,
        commission=position.commission,
        currency=contract.currency,
    )


def unexplained(standing: Standing) -> dict[str, Decimal]:
    """What no ledger explained when the broker was last read [B3], by conId.

    Not the broker's positions less the ledgers as they are now: fills come between.
    """
    return dict(standing.snapshot.unexplained) if standing.snapshot else {}


def screen(standing: Standing) -> str:
    """All of it, no wider than a terminal."""
    parts = (
        "\n".join(_head(standing)),
        _books(standing),
        _law(standing),
        _strategies(standing),
        _working(standing),
        _runs(standing),
        "what to do about a WARN or a FAIL: python -m gateway.doctor; next schedules: gcloud "
        "scheduler jobs list",
    )
    return tables.clipped("\n\n".join(part for part in parts if part))


def _head(standing: Standing) -> Iterator[str]:
    mode = standing.mode
    of = f" of {standing.project}" if standing.project else ""
    yield f"{mode.upper()}{of} at {in_new_york(standing.now)}"
    for finding in attention(standing):
        yield f"{_mark(finding)}{finding.sentence}"
    yield from _account(standing)


def _mark(finding: Finding) -> str:
    return "" if finding.state is State.OK else f"{finding.state}: "


def attention(standing: Standing) -> list[Finding]:
    """What the doctor says of the same documents: trading, locks, the lease, the last reading."""
    mode, latches = standing.mode, standing.latches
    return [
        checkup.trading(mode, standing.control, latches),
        *checkup.closures(mode, latches),
        checkup.locks(mode, latches.locks),
        checkup.lease(standing.lease, standing.real_now),
        checkup.reconciled(mode, standing.snapshot, standing.now),
    ]


def _account(standing: Standing) -> Iterator[str]:
    snapshot, day = standing.snapshot, standing.day
    if snapshot is None:
        return
    base = snapshot.base_currency
    cash = ", ".join(f"{key} {value:,.2f}" for key, value in sorted(snapshot.cash.items()))
    yield f"net liquidation {snapshot.net_liquidation:,.2f} {base}; cash {cash or 'none'}"
    if snapshot.initial_margin is not None:
        kept = snapshot.maintenance_margin
        maintenance = "" if kept is None else f", maintenance {kept:,.2f}"
        yield f"margin: initial {snapshot.initial_margin:,.2f}{maintenance} {base}"
    if day is not None:
        made = snapshot.net_liquidation - day.start_of_day_equity
        yield (
            f"day {day.day}: {made:+,.2f} {base} since its start, {day.orders} orders, "
            f"turnover {day.turnover:,.2f} {base}"
        )
        made_by = {name: total - day.pnl_before.get(name, ZERO) for name, total in day.pnl.items()}
        each = ", ".join(f"{name} {value:+,.2f}" for name, value in sorted(made_by.items()))
        if each:
            yield f"by the last eod_check, since the one before: {each} {base}"


def _books(standing: Standing) -> str:
    heads = ("book", "contract", "quantity", "average", "last", "unrealized", "realized", "paid")
    rows = [
        (
            one.book,
            one.symbol or "(sold again)",
            f"{one.quantity:+f}" if one.symbol else "",
            "" if one.average is None else f"{one.average:,.2f}",
            "" if one.last is None else f"{one.last:,.2f}",
            tables.signed_money(one.unrealized),
            tables.signed_money(one.realized),
            f"{one.commission:,.2f} {one.currency}",
        )
        for one in holdings(standing)
    ]
    text = tables.table("books", heads, rows)
    if not standing.closes or not rows:
        return text
    newest = max(close.at for close in standing.closes.values())
    return f"{text}\n  last: the close of the newest bar stored, of {in_new_york(newest)}"


def _law(standing: Standing) -> str:
    law_line = f"LAW broker = sum(books) + {EXTERNAL}"
    if standing.snapshot is None:
        return f"{law_line}: never compared"
    at = f"when read at {in_new_york(standing.snapshot.as_of)}"
    missing = unexplained(standing)
    if not missing:
        return f"{law_line}: held, UNEXPLAINED 0, {at}"
    symbols = {key: held.contract.name for key, held in standing.positions.items()}
    symbols |= {key: lock.symbol for key, lock in standing.latches.locks.items()}
    told = [f"{value:+f} {symbols.get(key, key)}" for key, value in sorted(missing.items())]
    return f"{law_line}: BROKEN, UNEXPLAINED {', '.join(told)}, {at}"


def _strategies(standing: Standing) -> str:
    names = sorted({*standing.strategies, *standing.targets})
    rows = [_strategy(standing, name) for name in names]
    return tables.table("strategies", ("strategy", "takes part", "said last", "reason"), rows)


def _strategy(standing: Standing, name: str) -> tuple[str, ...]:
    settings, said = standing.strategies.get(name), standing.targets.get(name)
    part = "is gone: an orphan"
    if settings is not None:
        part = f"weight {settings.weight}" if settings.enabled else "not enabled"
    if said is None:
        return name, part, "nothing yet", ""
    at = f"{said.last_as_of:%m-%d %H:%M} UTC" if said.last_as_of else "at no time"
    wanted = ", ".join(f"{one.quantity:f} {one.symbol}" for one in said.targets)
    why = said.last_reason or (f"wants {wanted}" if wanted else "")
    return name, part, f"{said.last_status} {at}", why


def _working(standing: Standing) -> str:
    alive = [one for one in standing.orders.values() if one.state != "DONE"]
    rows = [
        (
            one.order_ref,
            f"{one.quantity:+f} {one.contract.name}",
            one.state,
            f"{one.filled:+f}",
            shares_text(one.allocations),
        )
        for one in sorted(alive, key=lambda one: (one.created_at, one.order_ref))
    ]
    return tables.table("working orders", ("order", "what", "state", "filled", "for"), rows)


def _runs(standing: Standing) -> str:
    rows = [
        (
            one.run_id,
            one.command + (" (dry)" if one.dry_run else ""),
            f"{one.started_at:%m-%d %H:%M:%S} UTC",
            one.outcome or one.state,
            f"{len(one.orders)}/{len(one.refusals)}",
            one.reason,
        )
        for one in standing.runs
    ]
    heads = ("run", "command", "started", "outcome", "orders/refusals", "reason")
    return tables.table("last runs", heads, rows)


def as_document(standing: Standing) -> dict[str, Any]:
    """The same for programs; numbers are exact, as text."""
    snapshot = standing.snapshot
    return {
        "mode": str(standing.mode),
        "project": standing.project,
        "at": standing.now,
        "attention": [
            {"check": f.check, "state": str(f.state), "sentence": f.sentence}
            for f in attention(standing)
        ],
        "net_liquidation": snapshot and snapshot.net_liquidation,
        "base_currency": snapshot and snapshot.base_currency,
        "cash": snapshot and dict(snapshot.cash),
        "holdings": holdings(standing),
        "unexplained": unexplained(standing),
        "orders": [one for one in standing.orders.values() if one.state != "DONE"],
        "runs": list(standing.runs),
    }

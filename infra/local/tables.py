"""The day's end as tables for a person, and the verdict: does the law hold? [pure]"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from gateway.ports import Document
from infra.local.day import Ending
from schemas.documents import OrderDocument, Share
from schemas.values import EXTERNAL


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the demo promises, checked on documents alone."""

    contracts: int
    unexplained: Decimal
    law_holds: bool
    orders_open: tuple[str, ...]
    shared_orders: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """The law holds, every order is DONE, and one at least was attributed to two strategies."""
        return self.law_holds and not self.orders_open and bool(self.shared_orders)

    def sentences(self) -> list[str]:
        """The law's line, and what is wrong, if anything."""
        holds = "holds" if self.law_holds else "DOES NOT HOLD"
        law = f"LAW broker = sum(books) + EXTERNAL: {holds} for {self.contracts} contracts"
        lines = [f"{law}, UNEXPLAINED {self.unexplained:f}"]
        if self.orders_open:
            lines.append(f"NOT DONE: {', '.join(self.orders_open)}")
        if not self.shared_orders:
            lines.append("NO ORDER was attributed to two strategies on this day")
        return lines


def verdict(ending: Ending) -> Verdict:
    """Compare the broker's positions with the ledgers, contract by contract [B3]."""
    broker = {key: Decimal(p["quantity"]) for key, p in ending.positions.items()}
    booked = _booked(ending)
    contracts = {*broker, *booked}
    zero = Decimal(0)
    gaps = {key: broker.get(key, zero) - booked.get(key, zero) for key in contracts}
    return Verdict(
        contracts=len(contracts),
        unexplained=sum((abs(gap) for gap in gaps.values()), zero),
        law_holds=not any(gaps.values()),
        orders_open=tuple(ref for ref, o in ending.orders.items() if o.state != "DONE"),
        shared_orders=tuple(ref for ref, o in ending.orders.items() if _is_shared(o)),
    )


def tables(ending: Ending) -> str:
    """All tables, ready to print."""
    parts = (
        ("broker positions", ("contract", "quantity", "average cost"), _positions(ending)),
        (
            "books",
            ("strategy", "contract", "quantity", "cost", "realized", "commission"),
            _ledgers(ending, external=False),
        ),
        (
            EXTERNAL,
            ("ledger", "contract", "quantity", "cost", "realized", "commission"),
            _ledgers(ending, external=True),
        ),
        ("crosses", ("cross", "contract", "price", "shares"), _crosses(ending)),
        (
            "orders",
            ("order", "contract", "quantity", "state", "filled", "average", "allocations"),
            _orders(ending),
        ),
        (
            "executions",
            ("execution", "order", "contract", "quantity", "price", "shares"),
            _executions(ending),
        ),
    )
    return "\n\n".join(_table(title, heads, rows) for title, heads, rows in parts)


def _booked(ending: Ending) -> dict[str, Decimal]:
    booked: dict[str, Decimal] = {}
    for ledger in ending.ledgers.values():
        for key, position in ledger["positions"].items():
            booked[key] = booked.get(key, Decimal(0)) + Decimal(position["quantity"])
    return booked


def _is_shared(order: OrderDocument) -> bool:
    """Filled, for two strategies or more."""
    return bool(order.filled) and len(order.allocations) > 1


def _positions(ending: Ending) -> list[tuple[str, ...]]:
    return [
        (p["contract"]["symbol"], p["quantity"], _money(p["average_cost"]))
        for p in _by_symbol(ending.positions)
    ]


def _ledgers(ending: Ending, *, external: bool) -> list[tuple[str, ...]]:
    return [
        (
            name,
            p["contract"]["symbol"],
            p["quantity"],
            _money(p["cost"]),
            _money(p["realized"]),
            _money(p["commission"]),
        )
        for name, ledger in sorted(ending.ledgers.items())
        if (name == EXTERNAL) is external
        for p in _by_symbol(ledger["positions"])
    ]


def _crosses(ending: Ending) -> list[tuple[str, ...]]:
    return [
        (c["cross_id"], c["contract"]["symbol"], _money(c["price"]), _plain_shares(c["shares"]))
        for c in sorted(ending.crosses.values(), key=lambda c: (c["at"], c["generation"]))
    ]


def _by_symbol(positions: Mapping[str, Document]) -> list[Document]:
    """In an order that does not tell which fill came first."""
    return sorted(positions.values(), key=lambda position: str(position["contract"]["symbol"]))


def _orders(ending: Ending) -> list[tuple[str, ...]]:
    ordered = sorted(ending.orders.values(), key=lambda o: (o.created_at, o.order_ref))
    return [
        (
            o.order_ref,
            o.contract.symbol,
            f"{o.quantity:+f}",
            f"{o.state} {o.outcome}",
            f"{o.filled:+f}",
            _money(o.average_price or 0),
            _shares(o.allocations),
        )
        for o in ordered
    ]


def _executions(ending: Ending) -> list[tuple[str, ...]]:
    ordered = sorted(ending.executions.values(), key=lambda e: (e.at, e.exec_id))
    return [
        (
            e.exec_id,
            e.order_ref or "(foreign)",
            e.contract.symbol,
            f"{e.quantity:+f}",
            f"{e.price:f}",
            _shares(e.shares),
        )
        for e in ordered
    ]


def _shares(shares: Sequence[Share]) -> str:
    return ", ".join(f"{s.strategy} {s.quantity:+f}" for s in shares)


def _plain_shares(shares: Sequence[Mapping[str, str]]) -> str:
    return ", ".join(f"{s['strategy']} {Decimal(s['quantity']):+f}" for s in shares)


def _money(value: object) -> str:
    return f"{Decimal(str(value)):,.2f}"


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return f"{title.upper()}: none"
    widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (heads, *rows)
    ]
    return "\n".join([title.upper(), *(f"  {line}" for line in lines)])

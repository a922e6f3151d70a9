"""The day's end as tables for a person, and the verdict: does the law hold? [pure]"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from gateway.core.tables import money, table
from gateway.core.telling import shares_text
from gateway.ports import Document
from infra.local.day import Ending
from schemas.codec import from_document
from schemas.documents import OrderDocument
from schemas.values import EXTERNAL, Contract


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the demo promises, checked on documents alone."""

    contracts: int
    unexplained: Decimal
    law_holds: bool
    orders_open: tuple[str, ...]
    shared_orders: tuple[str, ...]
    solo: str = ""
    answers: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        """The law holds, every order is DONE, and one at least was attributed to two strategies.

        Of a strategy played alone (`solo`), instead: it answered, and never with an error.
        """
        played = bool(self.shared_orders)
        if self.solo:
            played = bool(self.answers) and "error" not in self.answers
        return self.law_holds and not self.orders_open and played

    def sentences(self) -> list[str]:
        """The law's line, and what is wrong, if anything."""
        holds = "holds" if self.law_holds else "DOES NOT HOLD"
        law = f"LAW broker = sum(books) + EXTERNAL: {holds} for {self.contracts} contracts"
        lines = [f"{law}, UNEXPLAINED {self.unexplained:f}"]
        if self.orders_open:
            lines.append(f"NOT DONE: {', '.join(self.orders_open)}")
        if self.solo:
            counted = ", ".join(f"{status} {n} times" for status, n in self.answers.items())
            lines.append(f"{self.solo} answered {counted or 'NEVER'}")
        elif not self.shared_orders:
            lines.append("NO ORDER was attributed to two strategies on this day")
        return lines


def verdict(ending: Ending, solo: str = "") -> Verdict:
    """Compare the broker's positions with the ledgers, contract by contract [B3].

    `solo` is the strategy that was played alone, if one was.
    """
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
        solo=solo,
        answers=_answers(ending, solo),
    )


def _answers(ending: Ending, strategy: str) -> Mapping[str, int]:
    """How often a strategy answered what, over all runs."""
    said = (run.answered.get(strategy, "") for run in ending.runs.values())
    return dict(sorted(Counter(status for status in said if status).items()))


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
    return "\n\n".join(table(title, heads, rows) for title, heads, rows in parts)


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
        (_name(p), p["quantity"], money(p["average_cost"])) for p in _by_symbol(ending.positions)
    ]


def _ledgers(ending: Ending, *, external: bool) -> list[tuple[str, ...]]:
    return [
        (
            name,
            _name(p),
            p["quantity"],
            money(p["cost"]),
            money(p["realized"]),
            money(p["commission"]),
        )
        for name, ledger in sorted(ending.ledgers.items())
        if (name == EXTERNAL) is external
        for p in _by_symbol(ledger["positions"])
    ]


def _crosses(ending: Ending) -> list[tuple[str, ...]]:
    return [
        (c["cross_id"], _name(c), money(c["price"]), _plain_shares(c["shares"]))
        for c in sorted(ending.crosses.values(), key=lambda c: (c["at"], c["generation"]))
    ]


def _by_symbol(positions: Mapping[str, Document]) -> list[Document]:
    """In an order that does not tell which fill came first."""
    return sorted(positions.values(), key=lambda position: _name(position))


def _orders(ending: Ending) -> list[tuple[str, ...]]:
    ordered = sorted(ending.orders.values(), key=lambda o: (o.created_at, o.order_ref))
    return [
        (
            o.order_ref,
            o.contract.name,
            f"{o.quantity:+f}",
            f"{o.state} {o.outcome}",
            f"{o.filled:+f}",
            money(o.average_price or 0),
            shares_text(o.allocations),
        )
        for o in ordered
    ]


def _executions(ending: Ending) -> list[tuple[str, ...]]:
    ordered = sorted(ending.executions.values(), key=lambda e: (e.at, e.exec_id))
    return [
        (
            e.exec_id,
            e.order_ref or "(foreign)",
            e.contract.name,
            f"{e.quantity:+f}",
            f"{e.price:f}",
            shares_text(e.shares),
        )
        for e in ordered
    ]


def _plain_shares(shares: Sequence[Mapping[str, str]]) -> str:
    return ", ".join(f"{s['strategy']} {Decimal(s['quantity']):+f}" for s in shares)


def _name(found: Mapping[str, Any]) -> str:
    """What people call the contract of a document."""
    return from_document(Contract, found["contract"]).name

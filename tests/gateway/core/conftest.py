"""Small builders for desks, orders and what happens to them. Quantities may be given as ints."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import reduce
from typing import Any, Final

import pytest

from gateway.core import book
from gateway.core.broker import AccountValues, BrokerStatus, OrderReport, Reading, Span, Terms
from gateway.core.desk import Desk
from gateway.core.events import CancelAsked, Event, Journaled, NetCause, OpenRun, WishesApproved
from gateway.core.fold import evolve
from gateway.core.netting import Plan, net
from gateway.core.prices import Price
from gateway.core.reconcile import settle
from gateway.core.wishes import Overlay, wanted_changes
from schemas.documents import (
    BrokerPosition,
    CrossDocument,
    ExecutionDocument,
    LedgerDocument,
    LedgerEntry,
    OrderDocument,
    RunDocument,
    Share,
    TargetsDocument,
    WantedChange,
)
from schemas.messages import Target
from schemas.new_york import NEW_YORK
from schemas.settings import ControlDocument, Settings, StrategyDocument
from schemas.values import EXTERNAL, Contract, Mode, TradingState
from tests.order_documents import order_document

NOW: Final = datetime(2026, 1, 5, 15, tzinfo=UTC)

type Quantities = Mapping[int, int | str]


class Build:
    """What tests of the core are made of: SPY is contract 1, VIXY contract 2, a price is 100."""

    now = NOW
    spy = Contract("SPY", con_id=1)
    vixy = Contract("VIXY", con_id=2)
    cause = NetCause("barrier", "run-1")
    base = AccountValues("DU1", "USD", Decimal(100_000), {"USD": Decimal(100_000)})

    def later(self, seconds: float) -> datetime:
        return NOW + timedelta(seconds=seconds)

    def contract(self, con_id: int) -> Contract:
        return {1: self.spy, 2: self.vixy}.get(con_id, Contract(f"C{con_id}", con_id=con_id))

    def strategy(self, **parts: Any) -> StrategyDocument:
        return StrategyDocument(**{"enabled": True, "weight": Decimal("0.3"), **parts})

    def settings(self, **parts: Any) -> Settings:
        free = {"rebalance_band": Decimal(0), "order_notional_min": Decimal(0)}
        return Settings(**{**free, **parts})

    def price(self, value: int | str = 100, age_seconds: float = 0, **parts: Any) -> Price:
        return Price(Decimal(value), "last trade", self.later(-age_seconds), **parts)

    def terms(self, con_id: int = 1, **parts: Any) -> Terms:
        """The contract trades in cents from 14:30 to 21:00 UTC, with 4 hours more on both sides."""
        known = {
            "increments": ((Decimal(0), Decimal("0.01")),),
            "liquid_hours": (self.span(9, 30, 16, 0),),
            "trading_hours": (self.span(5, 30, 20, 0),),
        }
        return Terms(self.contract(con_id), NOW, **{**known, **parts})

    def span(self, *clocks: int, day: int = 5) -> Span:
        """Hour and minute of opening and close in New York, of that day of January."""
        opens = datetime(2026, 1, day, clocks[0], clocks[1], tzinfo=NEW_YORK)
        closes = datetime(2026, 1, day, clocks[2], clocks[3], tzinfo=NEW_YORK)
        return Span(opens.astimezone(UTC), closes.astimezone(UTC))

    def shares(self, quantities: Mapping[str, int]) -> tuple[Share, ...]:
        return tuple(Share(name, Decimal(quantity)) for name, quantity in quantities.items())

    def said(self, strategy: str, quantities: Quantities, **parts: Any) -> TargetsDocument:
        """A strategy's targets, said at `as_of`, valid for an hour."""
        as_of = parts.pop("as_of", NOW)
        named = tuple(
            Target(self.contract(con_id).symbol, Decimal(quantity), con_id=con_id)
            for con_id, quantity in quantities.items()
        )
        known = {
            "as_of": as_of,
            "last_as_of": as_of,
            "valid_until": as_of + timedelta(hours=1),
            "message_id": "m1",
        }
        return TargetsDocument(strategy, named, **{**known, **parts})

    def ledger(self, quantities: Quantities) -> LedgerDocument:
        """A ledger that holds the quantities, bought at 90."""
        ledger = book.EMPTY
        for con_id, quantity in quantities.items():
            ledger = book.post(ledger, self.contract(con_id), self.entry(quantity))
        return ledger

    def entry(self, quantity: int | str, price: int | str = 90, **parts: Any) -> LedgerEntry:
        moved = Decimal(quantity)
        known = {"source": "start", "at": self.later(-86_400)}
        return LedgerEntry(quantity=moved, cost=moved * Decimal(price), **{**known, **parts})

    def desk(
        self,
        targets: Mapping[str, Quantities | TargetsDocument] | None = None,
        books: Mapping[str, Quantities] | None = None,
        **parts: Any,
    ) -> Desk:
        """An active paper desk with strategies a, b, c, what they want and what they hold."""
        orders = parts.pop("orders", ())
        known = {
            "mode": Mode.PAPER,
            "epoch": 1,
            "settings": self.settings(),
            "strategies": {name: self.strategy() for name in "abc"},
            "control": ControlDocument(TradingState.ACTIVE),
            "ledgers": {
                name: self.ledger(held) for name, held in {EXTERNAL: {}, **(books or {})}.items()
            },
            "targets": {
                name: told if isinstance(told, TargetsDocument) else self.said(name, told)
                for name, told in (targets or {}).items()
            },
            "orders": {order.order_ref: order for order in orders},
            "values": self.base,
            "read_at": NOW,
            "prices": {1: self.price(), 2: self.price()},
            "terms": {1: self.terms(1), 2: self.terms(2)},
            "connected": True,
        }
        return Desk(**{**known, **parts})

    def order(self, allocations: Mapping[str, int], **parts: Any) -> OrderDocument:
        """A parent order of SPY, WORKING, nothing filled."""
        contract = parts.pop("contract", self.spy)
        known = {
            "order_ref": f"paper-{contract.con_id}-1",
            "contract": contract,
            "quantity": Decimal(sum(allocations.values())),
            "allocations": self.shares(allocations),
            "adaptive_priority": "Normal",
            "decision_price": Decimal(100),
            "run_id": "run-1",
            "state": "WORKING",
            "order_id": 7,
            "perm_id": 70,
            "client_id": 1,
        }
        return order_document(NOW, **{**known, **parts})

    def ordered(self, **parts: Any) -> Desk:
        """A desk with one parent order of 15 SPY: a 7, b 7, c 1."""
        return self.desk(orders=[self.order({"a": 7, "b": 7, "c": 1}, **parts)])

    def cross_document(self) -> CrossDocument:
        """a bought 40 SPY of b, at 100."""
        return CrossDocument(
            cross_id="paper-1-1-cross",
            contract=self.spy,
            shares=self.shares({"a": 40, "b": -40}),
            price=Decimal(100),
            price_source="last trade",
            price_at=NOW,
            at=NOW,
            run_id="run-1",
            epoch=1,
            generation=1,
        )

    def execution(self, exec_id: str, quantity: int | str, **parts: Any) -> ExecutionDocument:
        """One execution of the parent `paper-1-1`, at 100."""
        known = {
            "order_ref": "paper-1-1",
            "contract": self.spy,
            "price": Decimal(100),
            "at": NOW,
            "account": "DU1",
            "perm_id": 70,
            "order_id": 7,
            "client_id": 1,
        }
        return ExecutionDocument(exec_id, quantity=Decimal(quantity), **{**known, **parts})

    def report(self, status: BrokerStatus, **parts: Any) -> OrderReport:
        """What the broker says of the parent `paper-1-1`."""
        return OrderReport(**{"order_ref": "paper-1-1", "status": status, "con_id": 1, **parts})

    def reading(self, positions: Quantities, **parts: Any) -> Reading:
        """The four questions' answers, with nothing but positions unless more is given."""
        held = tuple(
            BrokerPosition(self.contract(con_id), Decimal(quantity), Decimal(100))
            for con_id, quantity in positions.items()
        )
        none = {"open_orders": (), "completed_orders": (), "executions": ()}
        return Reading(**{"at": NOW, "values": self.base, "positions": held, **none, **parts})

    def open_run(self, asked: tuple[str, ...], **parts: Any) -> OpenRun:
        """A run that waits a minute for the strategies asked."""
        known = {"deadline": self.later(60), "started_at": NOW, "state": "ASKED", "asked": asked}
        return OpenRun(RunDocument("run-1", "run", "message", **{**known, **parts}))

    def after(self, desk: Desk, *events: Event) -> Desk:
        """The desk after events, all at the same time."""
        return reduce(lambda known, event: evolve(event, known, NOW), events, desk)

    def settled(self, desk: Desk, positions: Quantities, **parts: Any) -> Desk:
        """The desk after the four questions."""
        return settle(desk, self.reading(positions, **parts), NOW)

    def net(self, desk: Desk) -> Plan:
        return net(desk, self.cause, NOW)

    def wanted(
        self, desk: Desk, con_id: int = 1, overlay: Overlay | None = None
    ) -> list[WantedChange]:
        """What every strategy concerned wants to change in a contract."""
        found = wanted_changes(desk, overlay or {}, NOW).get(con_id)
        return found[1] if found else []

    def approved(self, desk: Desk) -> Desk:
        """The desk once a person lets everybody's wishes be carried out."""
        return self.after(desk, WishesApproved(tuple(desk.targets)))

    def taken_up(self, desk: Desk, plan: Plan) -> Desk:
        """The desk after its plan is journaled and sent, and the broker works the orders."""
        journaled = self.after(desk, Journaled(plan.orders, plan.crosses))
        cancelling = self.after(journaled, *(CancelAsked(ref) for ref in plan.cancels))
        working = (OrderReport(o.order_ref, BrokerStatus.WORKING) for o in plan.orders)
        return self.after(cancelling, *working)

    def filled(self, desk: Desk, *order_refs: str) -> Desk:
        """The desk after those orders were filled whole."""
        fills = (
            self.execution(
                f"x.{order.order_ref}.01",
                str(order.quantity - order.filled),
                order_ref=order.order_ref,
                contract=order.contract,
            )
            for order in (desk.orders[order_ref] for order_ref in order_refs)
        )
        return self.after(desk, *fills)

    def books(self, desk: Desk, con_id: int = 1) -> dict[str, int]:
        """What every ledger holds of a contract, zeros left out."""
        held = {name: book.quantity(known, con_id) for name, known in desk.ledgers.items()}
        return {name: int(quantity) for name, quantity in held.items() if quantity}

    def settings_of(self, desk: Desk, **parts: Any) -> Desk:
        """The desk with other settings."""
        return replace(desk, settings=replace(desk.settings, **parts))


@pytest.fixture(scope="session")
def build() -> Build:
    """The builders; they hold no state, so that one object serves all tests and examples."""
    return Build()

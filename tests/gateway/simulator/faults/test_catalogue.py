"""Every fault of the table under one small session, as its default parameters have it."""

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator import requests as q
from gateway.simulator.broker import ExchangeOptions, InitialHolding
from gateway.simulator.exchange import Exchange
from gateway.simulator.faults import FAULTS, Welcome, markdown_table
from gateway.simulator.market.bars import BarBook
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import OrderTerms
from gateway.simulator.replies import Cut, Delivery, Raw
from gateway.simulator.stage import Stage
from gateway.simulator.wire.messages import encode_reply

NEEDED: dict[str, dict[str, Any]] = {
    "refused_requests": {"kind": "executions"},
    "unanswered_requests": {"kind": "executions"},
    "duplicated_answers": {"kind": "executions"},
    "missing_messages": {"kind": "order_status"},
    "late_messages": {"kind": "order_status"},
    "duplicated_messages": {"kind": "order_status"},
    "hand_trade": {"traded_symbol": "SPY"},
    "forced_liquidation": {"traded_symbol": "SPY"},
    "split_without_notice": {"traded_symbol": "SPY"},
}
"""Parameters without a default."""
ANY_PAIR = [name for name in FAULTS if name != "split_without_notice"]
"""Those under which shares come and go by executions only."""
SPY = Contract(symbol="SPY", security_type="STK", exchange="SMART", currency="USD")
Order = Callable[..., q.PlaceOrder]


def ten_shares(order_id: int, **changes: Any) -> q.PlaceOrder:
    """A market order for 10 SPY, for tests that cannot have the fixture."""
    terms: dict[str, Any] = {"quantity": Decimal(10), "tif": "DAY"} | changes
    return q.PlaceOrder(order_id, SPY, OrderTerms(**terms))


class Session:
    """A client that does a bit of everything and comes back when it is thrown out."""

    def __init__(self, book: BarBook, now: datetime, seed: int) -> None:
        holding = InitialHolding("SPY", Decimal(50), Decimal(590))
        options = ExchangeOptions(cash=Decimal(100_000), holdings=(holding,), seed=seed)
        self.stage = Stage(Exchange(book, options), seed)
        self.now = now
        self.wire: list[Any] = []
        self.next_id = 1
        self.is_in = False

    def take(self, deliveries: list[Delivery]) -> None:
        for client_id, reply in deliveries:
            plain = isinstance(reply, Cut | Raw)
            self.wire.append((client_id, reply if plain else encode_reply(reply, 178)))
            self.next_id = max(self.next_id, getattr(reply, "order_id", 0) + 1)
        if any(isinstance(reply, Cut) for _, reply in deliveries):
            self.is_in = False
            self.take(self.stage.disconnect(1, self.now))

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.take(self.stage.advance(self.now))

    def enter(self) -> None:
        for _ in range(10):
            welcome, refused = self.stage.welcome(self.now), self.stage.admit(1, self.now)
            if welcome is Welcome.ANSWER and refused is None:
                self.is_in = True
                self.take(self.stage.connect(1, self.now))
                return
            self.wait(600)

    def ask(self, *requests: Any) -> None:
        for request in requests:
            if self.is_in:
                self.take(self.stage.handle(1, request, self.now))

    def leave(self) -> None:
        if self.is_in:
            self.is_in = False
            self.take(self.stage.disconnect(1, self.now))

    def look_round(self) -> None:
        self.ask(
            q.CurrentTimeRequest(),
            q.AccountUpdatesRequest(True, ""),
            q.PositionsRequest(),
            q.OpenOrdersRequest(),
            q.CompletedOrdersRequest(False),
            q.ExecutionsRequest(900, 0, "", "", "", "", "", ""),
            q.ContractDetailsRequest(901, SPY),
            q.HistoricalDataRequest(902, SPY, False, "", "30 mins", "1 D", True, "TRADES", 1, True),
            q.MarketDataRequest(903, SPY, "", False, False, ""),
        )

    def trade(self, order: Order) -> None:
        first = self.next_id
        low = {"order_type": "LMT", "limit_price": Decimal(500)}
        self.ask(order(first, what_if=True), order(first), order(first + 1, action="SELL"))
        self.ask(order(first + 2, **low), order(first + 2, quantity=Decimal(20), **low))
        self.wait(1)
        self.ask(q.CancelOrder(first + 2))
        self.wait(5)

    def run(self, order: Order, *names: str) -> None:
        """Look round, let the faults loose, trade, come back, trade again, wait for the close."""
        self.take(self.stage.advance(self.now))
        self.enter()
        self.look_round()
        for name in names:
            self.stage.faults.inject(name, **NEEDED.get(name, {}))
        self.wait(0)
        self.trade(order)
        self.wait(100)
        self.leave()
        self.enter()
        self.look_round()
        self.trade(order)
        held = self.stage.exchange.positions.get("SPY", Decimal(0))
        self.ask(order(self.next_id, action="SELL", quantity=max(held, Decimal(1))))
        self.wait(4 * 3600)


def law_of(exchange: Exchange, initial: Decimal) -> Decimal:
    """What the position has to be: the initial one and all executions, the last of each."""
    latest = {
        execution.execution_id.rpartition(".")[0]: order.terms.side * execution.quantity
        for order, execution in exchange.orders.record.executions
    }
    return initial + sum(latest.values())


@pytest.mark.parametrize("name", list(FAULTS))
def test_every_fault_lives_through_a_session_and_leaves_the_account_right(
    book: BarBook, at: Callable[..., datetime], order: Order, name: str
) -> None:
    session = Session(book, at("10:00"), seed=7)
    session.run(order, name)
    initial = Decimal(100 if name == "split_without_notice" else 50)
    held = session.stage.exchange.positions.get("SPY", Decimal(0))
    assert held == law_of(session.stage.exchange, initial)
    session.stage.faults.clear()
    session.wait(3600)
    assert session.stage.faults.active == []
    assert session.stage.next_due() is None, "nothing is held for ever once all is cleared"


@pytest.mark.parametrize("name", list(FAULTS))
def test_every_fault_does_the_same_for_the_same_seed(
    book: BarBook, at: Callable[..., datetime], order: Order, name: str
) -> None:
    runs = [Session(book, at("10:00"), seed=7) for _ in range(2)]
    for session in runs:
        session.run(order, name)
    assert runs[0].wire == runs[1].wire
    assert runs[0].stage.faults.log == runs[1].stage.faults.log


@pytest.mark.parametrize("name", list(FAULTS))
def test_every_fault_makes_a_difference_to_a_session(
    book: BarBook, at: Callable[..., datetime], order: Order, name: str
) -> None:
    """A fault that nobody can notice is none."""
    faulty, sound = (Session(book, at("10:00"), seed=7) for _ in range(2))
    faulty.run(order, name)
    sound.run(order)
    assert faulty.wire != sound.wire


@pytest.mark.parametrize("name", list(FAULTS))
def test_every_fault_lives_through_a_night(
    book: BarBook, at: Callable[..., datetime], order: Order, name: str
) -> None:
    """At midnight the broker forgets what ended; no fault may hang on to it."""
    session = Session(book, at("15:50", -1), seed=7)
    session.run(order, name)
    session.wait(9 * 3600)
    overnight = session.stage.exchange.positions.get("SPY", Decimal(0))
    assert session.stage.exchange.orders.record.executions == []
    session.leave()
    session.enter()
    session.look_round()
    session.trade(order)
    session.wait(6 * 3600)
    held = session.stage.exchange.positions.get("SPY", Decimal(0))
    assert held == law_of(session.stage.exchange, overnight)


@given(
    names=st.lists(st.sampled_from(ANY_PAIR), min_size=2, max_size=4, unique=True),
    seed=st.integers(0, 2**16),
)
def test_any_faults_at_once_leave_the_account_right(
    book: BarBook, at: Callable[..., datetime], names: list[str], seed: int
) -> None:
    session = Session(book, at("10:00"), seed)
    session.run(ten_shares, *names)
    held = session.stage.exchange.positions.get("SPY", Decimal(0))
    assert held == law_of(session.stage.exchange, Decimal(50))
    session.stage.faults.clear()
    session.wait(3600)
    assert session.stage.next_due() is None


def test_any_two_neighbours_of_the_table_can_be_active_at_once(
    book: BarBook, at: Callable[..., datetime], order: Order
) -> None:
    for pair in itertools.pairwise(ANY_PAIR):
        session = Session(book, at("10:00"), seed=7)
        session.run(order, *pair)
        held = session.stage.exchange.positions.get("SPY", Decimal(0))
        assert held == law_of(session.stage.exchange, Decimal(50)), pair


def test_there_are_more_than_forty_faults_and_each_says_what_it_does() -> None:
    assert len(FAULTS) >= 40
    assert all(kind.sentence.endswith(".") for kind in FAULTS.values())
    assert len({kind.sentence for kind in FAULTS.values()}) == len(FAULTS)


def test_the_documentation_table_has_a_row_for_every_fault() -> None:
    lines = markdown_table(FAULTS).splitlines()
    assert [line.split("`")[1] for line in lines[2:]] == list(FAULTS)
    assert {len(line.strip("|").split("|")) for line in lines} == {4}, "four columns everywhere"


@pytest.mark.parametrize("name", list(FAULTS))
def test_every_fault_is_shown_by_a_test_of_its_own(name: str) -> None:
    tests = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert f"play.faults.{name}(" in tests

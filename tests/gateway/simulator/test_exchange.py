"""The broker as one object: determinism, greetings, refusals, and any sequence of requests."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.broker import ExchangeOptions, InitialHolding
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import OrderTerms
from gateway.simulator.wire.messages import encode_reply

Say = Callable[..., list[Any]]
At = Callable[..., datetime]


def test_a_connected_client_is_greeted(exchange: Exchange, at: At) -> None:
    replies = [reply for _, reply in exchange.connect(2, at("10:00"))]
    assert replies[:2] == [r.ManagedAccounts("DUSIM0001"), r.NextValidId(1)]
    assert [reply.code for reply in replies[2:] if isinstance(reply, r.Notice)] == [
        2104,
        2106,
        2158,
    ]
    assert exchange.clients == {1, 2}


def test_the_time_is_the_virtual_one(say: Say, at: At) -> None:
    assert say(q.CurrentTimeRequest()) == [r.CurrentTime(int(at("10:00").timestamp()))]


def test_simple_questions_have_simple_answers(say: Say) -> None:
    heard = say(q.ManagedAccountsRequest(), q.NextIdRequest(1), q.ServerLogLevel(2))
    assert heard == [r.ManagedAccounts("DUSIM0001"), r.NextValidId(1)]


def test_what_is_not_simulated_is_refused_by_its_number(say: Say) -> None:
    (reply,) = say(q.UnsupportedRequest(88, 12))
    assert (reply.id, reply.code) == (12, 321)
    assert "request 88 is not simulated" in reply.text


def test_a_time_without_a_zone_is_refused(exchange: Exchange, at: At) -> None:
    with pytest.raises(ValueError, match="zone"):
        exchange.advance(at("10:00").replace(tzinfo=None))


def test_an_account_that_is_not_paper_is_refused() -> None:
    with pytest.raises(ValueError, match="DU"):
        ExchangeOptions(account_id="U1234567")


def script(book: BarBook, start: datetime, seed: int) -> list[tuple[int, list[str]]]:
    """A day in short: everything that is said to two clients, as fields."""
    options = ExchangeOptions(seed=seed, executions_quantity_max=Decimal(7))
    exchange = Exchange(book, options)
    spy = Contract(con_id=756733, exchange="SMART")
    buy = OrderTerms(quantity=Decimal(20), order_ref="a")
    rest = OrderTerms("SELL", Decimal(9), "LMT", Decimal("603.5"), tif="DAY")
    heard = [*exchange.connect(1, start), *exchange.connect(2, start)]
    for client_id, request in (
        (2, q.PositionsRequest()),
        (1, q.AccountUpdatesRequest(True, "")),
        (1, q.PlaceOrder(1, spy, buy)),
        (2, q.PlaceOrder(1, spy, rest)),
    ):
        heard += exchange.handle(client_id, request, start)
    heard += exchange.advance(start + timedelta(hours=7))
    return [(client_id, encode_reply(reply, 178)) for client_id, reply in heard]


def test_the_same_seed_bars_and_requests_give_the_same_bytes(book: BarBook, at: At) -> None:
    once, again = (script(book, at("10:00"), seed=7) for _ in range(2))
    assert once == again
    assert once != script(book, at("10:00"), seed=8)
    assert len(once) > 80


SIZES = st.integers(1, 40).map(Decimal)
TERMS = st.builds(
    OrderTerms,
    action=st.sampled_from(["BUY", "SELL"]),
    quantity=SIZES,
    order_type=st.sampled_from(["MKT", "LMT"]),
    limit_price=st.integers(590, 615).map(Decimal),
    tif=st.sampled_from(["DAY", "GTC"]),
)
STEPS = st.lists(
    st.one_of(
        st.builds(q.PlaceOrder, st.integers(1, 9), st.just(Contract(con_id=756733)), TERMS),
        st.builds(q.CancelOrder, st.integers(1, 9)),
        st.integers(1, 100).map(lambda minutes: timedelta(minutes=minutes)),
    ),
    max_size=15,
)


@given(steps=STEPS)
def test_positions_are_the_sum_of_the_executions(book: BarBook, at: At, steps: list[Any]) -> None:
    """Whatever is asked in whatever order: what was executed is what is held, and cash agrees."""
    holding = InitialHolding("SPY", Decimal(50), Decimal(590))
    exchange = Exchange(book, ExchangeOptions(holdings=(holding,)))
    now, seen = at("10:00"), exchange.connect(1, at("10:00"))
    for step in steps:
        if isinstance(step, timedelta):
            now += step
            seen += exchange.advance(now)
        else:
            seen += exchange.handle(1, step, now)
    fills = [x for _, x in seen if isinstance(x, r.ExecutionDetails)]
    costs = [x.commission for _, x in seen if isinstance(x, r.CommissionReport)]
    signed = [
        (x.execution.quantity * (1 if x.execution.side == "BOT" else -1), x.execution.price)
        for x in fills
    ]
    assert exchange.positions.get("SPY", Decimal(0)) == 50 + sum(part for part, _ in signed)
    spent = sum((part * price for part, price in signed), Decimal(0))
    assert exchange.account.cash == Decimal(10**6) - spent - sum(costs, Decimal(0))
    assert len(costs) == len(fills) == len({x.execution.execution_id for x in fills})


@pytest.mark.parametrize(
    ("quantity", "price", "complaint"),
    [
        ("1e8", "600", "cannot trade"),
        ("1e-9", "600", "cannot trade"),
        ("0", "600", "cannot trade"),
        ("1", "0", "0 is not a price"),
        ("1", "-600", "-600 is not a price"),
        ("1", "1e9", "is not a price"),
    ],
)
def test_nobody_trades_what_cannot_be(
    exchange: Exchange, at: Callable[..., datetime], quantity: str, price: str, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        exchange.trade_by_hand("SPY", Decimal(quantity), Decimal(price), at("10:00"))
    assert exchange.positions == {"SPY": 50}

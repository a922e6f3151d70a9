"""The session over a real socket: the real ib_async against the simulator."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import pytest_asyncio

from gateway.core.broker import BrokerStatus, Commission, Connection, OrderReport
from gateway.core.orders import Approved
from gateway.patience import ClientIdTaken
from gateway.safety import Unsafe
from gateway.session import BrokerUnavailable, NotSent, Session, SessionSettings, Unresolved
from gateway.simulator.broker import ExchangeOptions, InitialHolding
from schemas.documents import ExecutionDocument
from schemas.values import Contract, Mode
from tests.integration.session_bench import (
    CLIENT_ID,
    PATIENCE_SECONDS,
    Bench,
    benched,
    flat_bars,
    settings,
)
from tests.order_documents import REF, limit_order, order_document

OPENING = datetime(2025, 6, 3, 13, 30, tzinfo=UTC)
"""09:30 in New York; bars exist for this day and the one before."""
NOW = OPENING + timedelta(minutes=70)
HALF_HOUR = timedelta(minutes=30)
BARS = flat_bars(OPENING - timedelta(days=d) + n * HALF_HOUR for d in (1, 0) for n in range(13))


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[Bench]:
    """An account that holds 50 SPY, at 10:40."""
    holding = InitialHolding("SPY", Decimal(50), Decimal(500))
    async with benched(NOW, BARS, ExchangeOptions(holdings=(holding,))) as made:
        yield made


def market(order_ref: str = REF, quantity: int = 10) -> Approved:
    parts = {"order_ref": order_ref, "quantity": Decimal(quantity)}
    return Approved(order_document(NOW, adaptive_priority="Normal", **parts))


def limit(price: str, order_ref: str = REF) -> Approved:
    return Approved(limit_order(NOW, price, adaptive_priority="Normal", order_ref=order_ref))


async def test_a_session_knows_its_one_account(desk: Bench) -> None:
    assert desk.session.connected
    assert desk.session.account == "DUSIM0001"
    assert desk.told == [Connection(up=True, reason="connected", data_lost=True)]


async def test_a_closed_session_is_not_connected_and_may_connect_again(desk: Bench) -> None:
    await desk.session.close()
    assert not desk.session.connected
    with pytest.raises(NotSent):
        await desk.session.read()
    await desk.session.connect()
    assert (await desk.session.read()).values.account == "DUSIM0001"


async def test_a_host_off_this_machine_is_refused_before_connecting() -> None:
    session = Session(SessionSettings("10.1.2.3", 4002, CLIENT_ID), lambda: NOW, print)
    with pytest.raises(Unsafe, match=r"10\.1\.2\.3"):
        await session.connect()


async def test_a_live_port_is_refused_in_paper_before_connecting() -> None:
    session = Session(SessionSettings("127.0.0.1", 4001, CLIENT_ID), lambda: NOW, print)
    with pytest.raises(Unsafe, match="4001, which is IB's for live"):
        await session.connect()


async def test_a_paper_account_is_refused_in_live_and_hung_up_on(desk: Bench) -> None:
    known = replace(settings(desk.simulator.port), client_id=8, live_account_accepted="DUSIM0001")
    session = Session(replace(known, mode=Mode.LIVE), lambda: NOW, print)
    with pytest.raises(Unsafe, match="account is DU…01, and live accounts start with U or F"):
        await session.connect()
    assert not session.connected


async def test_all_clients_open_orders_are_read_and_cancelled_at_once(desk: Bench) -> None:
    """[R4] What the guard does: IB's global cancel asks nobody whose an order is."""
    await desk.session.read()
    desk.session.place(limit("500.10"))
    await desk.until(OrderReport, lambda report: report.status is BrokerStatus.WORKING)
    other = Session(replace(settings(desk.simulator.port), client_id=8), lambda: NOW, print)
    await other.connect()
    assert [(o.order_ref, o.client_id) for o in await other.open_orders()] == [(REF, CLIENT_ID)]
    with pytest.raises(ValueError, match="cannot be cancelled by client 8"):
        other.cancel(1, CLIENT_ID)
    other.cancel_everything()
    await desk.until(OrderReport, lambda report: report.status is BrokerStatus.CANCELLED)
    assert await other.open_orders() == ()
    await other.close()


@pytest.mark.ib_async_errors_expected("the client id is taken")
async def test_a_taken_client_id_is_told_from_other_failures(desk: Bench) -> None:
    """[R4] Error 326."""
    second = Session(settings(desk.simulator.port), lambda: NOW, print)
    with pytest.raises(ClientIdTaken, match="already in use"):
        await second.connect()


@pytest.mark.ib_async_errors_expected("ib_async logs a refused connection as an error")
async def test_a_taken_client_id_is_said_at_once(desk: Bench) -> None:
    """Trap 23: ib_async waits for its whole timeout, and then says nothing."""
    second = Session(settings(desk.simulator.port), lambda: NOW, print)
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(BrokerUnavailable, match="client id is already in use"):
            await second.connect()


@pytest.mark.ib_async_errors_expected("ib_async logs a refused connection as an error")
async def test_a_port_where_nothing_listens_is_named() -> None:
    async with benched(NOW, BARS) as bench:
        port = bench.simulator.port
    with pytest.raises(BrokerUnavailable, match=f"127.0.0.1:{port}: nothing listens"):
        await Session(settings(port), lambda: NOW, print).connect()


async def test_a_description_is_resolved_to_one_contract_and_remembered(desk: Bench) -> None:
    spy = await desk.session.resolve(Contract("SPY"))
    assert (spy.con_id, spy.exchange, spy.primary_exchange) == (756733, "SMART", "ARCA")
    assert await desk.session.resolve(spy) is spy
    assert await desk.session.resolve(Contract("SPY")) is spy


async def test_a_future_without_a_month_is_the_two_that_expire_next(desk: Bench) -> None:
    """Asked of the broker each time, for tomorrow it may be another one (decision 12)."""
    chain = await desk.session.chain(Contract("ES", "FUT", "CME"))
    days = [month.last_trade_date for month in chain]
    assert [month.sec_type for month in chain] == ["FUT", "FUT"]
    assert days == sorted(days)
    assert f"{desk.simulator.clock.now():%Y%m%d}" <= days[0]
    with pytest.raises(Unresolved, match="NOPE FUT CME USD: 200"):
        await desk.session.chain(Contract("NOPE", "FUT", "CME"))


async def test_an_unknown_contract_is_unresolved(desk: Bench) -> None:
    """[T3]"""
    with pytest.raises(Unresolved, match="NOPE STK SMART USD: 200 No security definition"):
        await desk.session.resolve(Contract("NOPE"))


async def test_only_finished_bars_are_read(desk: Bench) -> None:
    bars = await desk.session.bars(Contract("SPY"), "30 mins", "2 D")
    assert bars.time[-2:] == (OPENING, OPENING + HALF_HOUR)
    assert len(bars.time) == 15
    assert (bars.close[-1], bars.contract.con_id) == (590.5, 756733)


async def test_todays_daily_bar_is_not_finished_before_1600(desk: Bench) -> None:
    bars = await desk.session.bars(Contract("SPY"), "1 day", "5 D")
    assert bars.time == (OPENING - timedelta(days=1),)
    await desk.simulator.advance_to(OPENING + timedelta(hours=7))
    bars = await desk.session.bars(Contract("SPY"), "1 day", "5 D")
    assert bars.time[-1] == OPENING


async def test_a_contract_without_history_has_no_bars(desk: Bench) -> None:
    """Error 162"""
    bars = await desk.session.bars(Contract("QQQ"), "30 mins", "2 D")
    assert (bars.time, bars.contract.symbol) == ((), "QQQ")


async def test_a_quote_has_bid_ask_and_last(desk: Bench) -> None:
    quote = await desk.session.quote(Contract("SPY"))
    assert quote.bid is not None
    assert quote.ask is not None
    assert quote.bid < quote.ask
    assert (quote.at, quote.delayed) == (NOW, False)


async def test_a_reading_holds_positions_and_money(desk: Bench) -> None:
    """[R1]"""
    reading = await desk.session.read()
    (held,) = reading.positions
    assert (held.contract.symbol, held.quantity, held.average_cost) == (
        "SPY",
        Decimal(50),
        Decimal(500),
    )
    assert reading.values.cash == {"USD": Decimal(1_000_000)}
    assert (reading.values.base_currency, reading.at) == ("USD", NOW)


async def test_readings_asked_for_together_are_all_answered(desk: Bench) -> None:
    """Trap 14: ib_async forgets the first of two questions without a number."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        readings = await asyncio.gather(*(desk.session.read() for _ in range(3)))
    assert len({reading.positions for reading in readings}) == 1


async def test_a_what_if_gives_the_margin_and_places_nothing(desk: Bench) -> None:
    preview = await desk.session.what_if(market().order)
    assert preview.initial_margin_change is not None
    assert preview.initial_margin_change > 0
    assert preview.commission is not None
    assert (preview.refusal, desk.simulator.exchange.working_orders) == ("", [])


async def test_a_what_if_that_ib_refuses_carries_the_reason(desk: Bench) -> None:
    """Trap 11: ib_async answers an empty list."""
    off_the_grid = limit("590.001")
    preview = await desk.session.what_if(off_the_grid.order)
    assert preview.refusal.startswith("110 The price does not conform")
    assert preview.initial_margin is None


async def test_no_order_is_written_before_the_broker_was_read(desk: Bench) -> None:
    """[R1]"""
    with pytest.raises(NotSent, match="was not read"):
        desk.session.place(market())
    assert desk.simulator.exchange.working_orders == []


async def test_a_market_order_is_executed_filled_and_paid(desk: Bench) -> None:
    await desk.session.read()
    order_id = desk.session.place(market(quantity=-10))
    paid = await desk.until(Commission)
    executed = await desk.until(ExecutionDocument)
    filled = await desk.status(REF, BrokerStatus.FILLED)
    assert (executed.order_ref, executed.quantity) == (REF, Decimal(-10))
    assert (executed.order_id, executed.client_id, executed.at) == (order_id, CLIENT_ID, NOW)
    assert (paid.exec_id, paid.currency) == (executed.exec_id, "USD")
    assert filled.perm_id == executed.perm_id


async def test_an_order_reaches_the_broker_as_it_is_meant(desk: Bench) -> None:
    """Trap 1: the tif is always set."""
    await desk.session.read()
    desk.session.place(limit("500.10"))
    await desk.status(REF, BrokerStatus.WORKING)
    (working,) = desk.simulator.exchange.working_orders
    terms = working.terms
    assert (terms.order_type, terms.limit_price, terms.tif) == ("LMT", Decimal("500.10"), "DAY")
    assert (terms.order_ref, terms.account) == (REF, "DUSIM0001")


async def test_a_cancel_is_told_when_the_broker_confirms_it(desk: Bench) -> None:
    await desk.session.read()
    order_id = desk.session.place(limit("500"))
    await desk.status(REF, BrokerStatus.WORKING)
    desk.session.cancel(order_id, CLIENT_ID)
    cancelled = await desk.status(REF, BrokerStatus.CANCELLED)
    assert cancelled.filled == 0
    assert desk.simulator.exchange.working_orders == []


async def test_a_cancel_that_comes_too_late_is_no_outcome(desk: Bench) -> None:
    """Trap 2: 10148 makes ib_async say Cancelled of a filled order."""
    await desk.session.read()
    order_id = desk.session.place(market())
    await desk.status(REF, BrokerStatus.FILLED)
    desk.session.cancel(order_id, CLIENT_ID)
    late = await desk.status(REF, BrokerStatus.UNSURE)
    assert late.reason.startswith("10148 ")


async def test_an_order_of_another_client_cannot_be_cancelled(desk: Bench) -> None:
    """Trap 19"""
    with pytest.raises(ValueError, match="order 5 of client 8 cannot be cancelled by client 7"):
        desk.session.cancel(5, 8)


@pytest.mark.parametrize(("price", "code"), [("500.001", "110"), ("-1", "321")])
async def test_a_rejected_order_says_so_and_is_no_error_of_ib_async(
    desk: Bench, price: str, code: str
) -> None:
    await desk.session.read()
    desk.session.place(limit(price))
    rejected = await desk.status(REF, BrokerStatus.REJECTED)
    assert rejected.reason.startswith(f"{code} ")


async def test_a_trade_by_hand_is_heard(desk: Bench) -> None:
    """[B2]"""
    await desk.simulator.trade_by_hand("SPY", Decimal(-5))
    executed = await desk.until(ExecutionDocument)
    assert (executed.order_ref, executed.quantity, executed.client_id) == ("", Decimal(-5), 0)


async def test_what_happened_while_away_is_in_the_next_reading(desk: Bench) -> None:
    """Trap 9: no event tells of it. Names and commissions survive [R1]."""
    await desk.session.read()
    desk.session.place(limit("580"))
    desk.session.place(limit("500", "paper-756733-2"))
    await desk.status("paper-756733-2", BrokerStatus.WORKING)
    await desk.session.close()
    await desk.simulator.trade_by_hand("SPY", Decimal(-5))
    await desk.session.connect()
    reading = await desk.session.read()
    assert [order.order_ref for order in reading.open_orders] == [
        REF,
        "paper-756733-2",
    ]
    assert {order.filled for order in reading.open_orders} == {Decimal(0)}
    (executed,) = reading.executions
    assert (executed.quantity, executed.commission) == (Decimal(-5), Decimal(1))
    assert [held.quantity for held in reading.positions] == [Decimal(45)]
    (completed,) = reading.completed_orders
    assert (completed.status, completed.filled) == (BrokerStatus.FILLED, Decimal(5))


async def test_order_ids_go_on_after_a_reconnect(desk: Bench) -> None:
    await desk.session.read()
    first = desk.session.place(market())
    await desk.status(REF, BrokerStatus.FILLED)
    await desk.session.connect()
    await desk.session.read()
    second = desk.session.place(market("paper-756733-2"))
    assert second > first
    await desk.status("paper-756733-2", BrokerStatus.FILLED)


async def test_an_order_is_refused_rather_than_queued(desk: Bench) -> None:
    """[W2], trap 8: what waits in ib_async's queue is lost at a disconnect."""
    await desk.session.read()
    approved = limit("500")
    for _ in range(desk.session.room):
        desk.session.place(approved)
    assert desk.session.room == 0
    with pytest.raises(NotSent, match="still wait"):
        desk.session.place(approved)
    await desk.session.wait_for_room()
    desk.session.place(approved)


@pytest.mark.ib_async_errors_expected("ib_async logs a closed connection as an error")
async def test_a_broken_line_is_told_and_nothing_more_is_sent(desk: Bench) -> None:
    """Trap 7"""
    await desk.session.read()
    approved = market()
    await desk.simulator.__aexit__(None, None, None)
    await desk.until(Connection, lambda connection: not connection.up)
    assert not desk.session.connected
    with pytest.raises(NotSent, match="not connected"):
        desk.session.place(approved)
    with pytest.raises(BrokerUnavailable):
        await desk.session.quote(Contract("SPY"))

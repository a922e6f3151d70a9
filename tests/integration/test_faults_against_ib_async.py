"""What the faults of the simulator do to the real ib_async 2.1.0, over a socket.

Each test shows one of the surprises listed in ib.md 2.1, by its row: the reasons why ib_async's
own `Trade` objects are no ledger. A test that fails here after an update of ib_async is good news.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from ib_async import IB, LimitOrder, MarketOrder, Stock, Trade

from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.clock import VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, Row
from gateway.simulator.server import ServerOptions, Simulator
from tests.integration.clients import TIMEOUT_SECONDS, until

NEVER_SECONDS = 0.3
"""How long a future is watched before we say that it hangs; all else happens within it."""
OPEN = datetime.combine(date(2025, 12, 12), time(9, 30), ZoneInfo("America/New_York"))
NOW = OPEN + timedelta(minutes=30)
SPY = Stock("SPY", "SMART", "USD", conId=756733)
LOUD = pytest.mark.ib_async_errors_expected("ib_async logs every refusal of the gateway's")
Connect = Callable[[], Awaitable[IB]]


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    bars = [
        Row(
            (OPEN + timedelta(minutes=30 * index)).astimezone(UTC),
            (Decimal(600 + index),) * 4 + (Decimal(1000),),
            str(index),
        )
        for index in range(13)
    ]
    exchange = Exchange(BarBook({("SPY", "30 mins"): bars}), ExchangeOptions(seed=7))
    async with Simulator(exchange, VirtualClock(NOW), ServerOptions()) as running:
        yield running


@pytest.fixture
async def connect(simulator: Simulator) -> AsyncIterator[Connect]:
    """Connect a client 1; all are disconnected at the end."""
    opened: list[IB] = []

    async def open_client() -> IB:
        ib = IB()
        ib.RaiseRequestErrors = True
        opened.append(ib)
        await ib.connectAsync("127.0.0.1", simulator.port, 1, TIMEOUT_SECONDS)
        return ib

    yield open_client
    for ib in opened:
        ib.disconnect()


@pytest.fixture
async def ib(connect: Connect) -> IB:
    return await connect()


async def heard(ib: IB) -> None:
    """Everything the simulator said so far has arrived: it answers in order."""
    await ib.reqCurrentTimeAsync()


async def advance(simulator: Simulator, ib: IB, seconds: float) -> None:
    await simulator.advance_to(simulator.clock.now() + timedelta(seconds=seconds))
    await heard(ib)


def buy(ib: IB, quantity: int = 10, **changes: object) -> Trade:
    order = MarketOrder("BUY", quantity, tif="DAY", orderRef="ref-1", **changes)
    return ib.placeOrder(SPY, order)


def held(simulator: Simulator) -> Decimal:
    return simulator.exchange.positions.get("SPY", Decimal(0))


@LOUD
async def test_row_1_error_10349_makes_a_live_order_cancelled_and_then_it_fills(
    simulator: Simulator, ib: IB
) -> None:
    """pysystemtrade #1580: fifteen orders placed again, all of them filled."""
    cancelled: list[Trade] = []
    simulator.faults.preset_notice(seconds=0.7)
    trade = buy(ib)
    trade.cancelledEvent += cancelled.append
    await until(lambda: trade.isDone())
    assert (trade.orderStatus.status, cancelled) == ("Cancelled", [trade])
    assert held(simulator) == 0
    await advance(simulator, ib, 0.7)
    assert held(simulator) == 10
    assert trade.filled() == 10


@LOUD
async def test_row_2_a_late_10148_cancels_an_order_that_works(simulator: Simulator, ib: IB) -> None:
    simulator.faults.misleading_notice(code=10148)
    trade = ib.placeOrder(SPY, LimitOrder("BUY", 10, 500, tif="DAY"))
    await until(lambda: trade.isDone())
    assert trade.orderStatus.status == "Cancelled"
    assert [order.status for order in simulator.exchange.working_orders] == ["Submitted"]


async def test_row_4_a_corrected_execution_counts_twice(simulator: Simulator, ib: IB) -> None:
    """ib_insync #364: the same id with its last group 02 replaces, it does not add."""
    simulator.faults.execution_correction(seconds=1, price_change=Decimal("0.01"))
    trade = buy(ib)
    await until(lambda: trade.fills)
    await advance(simulator, ib, 1)
    first, second = (fill.execution.execId for fill in trade.fills)
    assert first.rpartition(".")[0] == second.rpartition(".")[0]
    assert (int(trade.filled()), int(held(simulator))) == (20, 10)


async def test_row_5_without_its_final_status_a_filled_order_is_never_done(
    simulator: Simulator, ib: IB
) -> None:
    simulator.faults.missing_statuses(which="final")
    simulator.faults.missing_open_orders()
    trade = buy(ib)
    await until(lambda: trade.fills)
    await advance(simulator, ib, 3600)
    assert trade.filled() == 10
    assert not trade.isDone()


@LOUD
async def test_row_8_orders_in_the_throttle_queue_are_discarded_at_a_drop(
    simulator: Simulator, ib: IB
) -> None:
    ib.client.MaxRequests, ib.client.RequestsInterval = 20, 60
    trades = [buy(ib, 1) for _ in range(30)]
    simulator.faults.connection_reset(messages=7)
    await until(lambda: not ib.isConnected())
    assert 0 < held(simulator) < 20
    assert [trade.orderStatus.status for trade in trades[20:]] == ["PendingSubmit"] * 10


async def test_row_9_an_order_filled_unheard_of_comes_back_without_order_id_and_event(
    simulator: Simulator, connect: Connect
) -> None:
    """Only orderRef and permId lead back to it."""
    first = await connect()
    simulator.faults.silent_loss(after="booking")
    buy(first)
    await until(lambda: held(simulator) == 10)
    await heard(first)
    first.disconnect()
    await until(lambda: not simulator.exchange.clients)
    second = await connect()
    (trade,) = second.trades()
    assert (trade.order.orderId, trade.order.orderRef) == (0, "ref-1")
    assert (trade.orderStatus.filled, trade.filled()) == (0, 10)


async def test_row_10_a_commission_before_its_execution_is_lost(
    simulator: Simulator, ib: IB
) -> None:
    simulator.faults.commission_before_execution()
    trade = buy(ib)
    await until(lambda: trade.isDone())
    await heard(ib)
    assert [fill.commissionReport.execId for fill in trade.fills] == [""]


@LOUD
async def test_row_11_a_refused_what_if_is_no_order_state(simulator: Simulator, ib: IB) -> None:
    ib.RaiseRequestErrors = False
    simulator.faults.what_if_trouble(answer="refused")
    answer: object = await ib.whatIfOrderAsync(SPY, MarketOrder("BUY", 10, tif="DAY"))
    assert answer == []


@pytest.mark.parametrize("answer", ["warning", "never"])
async def test_row_12_a_what_if_that_is_only_warned_about_hangs(
    simulator: Simulator, ib: IB, answer: str
) -> None:
    simulator.faults.inject("what_if_trouble", answer=answer)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(NEVER_SECONDS):
            await ib.whatIfOrderAsync(SPY, MarketOrder("BUY", 10, tif="DAY"))


async def test_row_12_a_what_if_with_unset_margins_ends_only_with_the_second_answer(
    simulator: Simulator, ib: IB
) -> None:
    simulator.faults.what_if_trouble(answer="unset", seconds=1)
    asking = asyncio.ensure_future(ib.whatIfOrderAsync(SPY, MarketOrder("BUY", 10, tif="DAY")))
    await until(lambda: simulator.stage.next_due() is not None)
    await heard(ib)
    assert not asking.done()
    await advance(simulator, ib, 1)
    assert float((await asking).initMarginChange) > 0


async def test_row_13_a_request_refused_with_321_hangs(simulator: Simulator, ib: IB) -> None:
    simulator.faults.refused_requests(kind="contract_details", code=321)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(NEVER_SECONDS):
            await ib.reqContractDetailsAsync(SPY)


@LOUD
async def test_row_20_orders_refused_for_pacing_stay_pending_for_ever(
    simulator: Simulator, ib: IB
) -> None:
    simulator.faults.pacing_refusals(violations=3)
    trades = [buy(ib), buy(ib)]
    await heard(ib)
    assert [trade.orderStatus.status for trade in trades] == ["PendingSubmit"] * 2
    buy(ib)
    await until(lambda: not ib.isConnected())
    assert held(simulator) == 0


@LOUD
async def test_row_21_a_lost_link_leaves_the_client_connected_and_blind(
    simulator: Simulator, ib: IB
) -> None:
    """LEAN IB #249: after 1102 the executions have to be asked for."""
    codes: list[int] = []
    ib.errorEvent += lambda _id, code, _text, _contract: codes.append(code)
    trade = ib.placeOrder(SPY, LimitOrder("BUY", 10, 599.99, tif="DAY"))
    await until(lambda: trade.orderStatus.status == "Submitted")
    simulator.faults.link_lost(seconds=60)
    await until(lambda: codes == [1100])
    (order,) = simulator.exchange.working_orders
    await simulator.act(lambda: simulator.exchange.orders.fill(order, price=Decimal("599.99")))
    lost = buy(ib)
    await until(lambda: any("order" in entry.what for entry in simulator.faults.log))
    await advance(simulator, ib, 60)
    assert codes == [1100, 1102]
    assert ib.isConnected()
    assert (int(trade.filled()), int(held(simulator))) == (0, 10)
    assert lost.orderStatus.status == "PendingSubmit"
    await ib.reqExecutionsAsync()
    assert trade.filled() == 10


async def test_row_22_an_inactive_order_is_done_and_then_fills(
    simulator: Simulator, ib: IB
) -> None:
    simulator.faults.inactive_order(seconds=2)
    trade = buy(ib)
    await until(lambda: trade.orderStatus.status == "Inactive")
    assert trade.isDone()
    await advance(simulator, ib, 2)
    assert trade.filled() == 10


@pytest.mark.parametrize("kind", ["id locked", "no accounts", "half dead"])
@LOUD
async def test_row_23_ways_not_to_connect_all_end_in_a_timeout(
    simulator: Simulator, kind: str
) -> None:
    faults = simulator.faults
    ways: dict[str, Callable[[], int]] = {
        "id locked": faults.client_id_locked,
        "no accounts": faults.no_accounts,
        "half dead": faults.half_dead_gateway,
    }
    ways[kind]()
    ib = IB()
    with pytest.raises((TimeoutError, ConnectionError)):
        await ib.connectAsync("127.0.0.1", simulator.port, 1, NEVER_SECONDS)
    ib.disconnect()


@pytest.mark.ib_async_errors_expected("its decoder drops the message with a logged exception")
async def test_row_24_a_windows_zone_name_loses_the_fill(simulator: Simulator, ib: IB) -> None:
    simulator.faults.execution_zone(spoken="Eastern Standard Time")
    trade = buy(ib)
    await until(lambda: trade.isDone())
    await heard(ib)
    assert trade.orderStatus.status == "Filled"
    assert trade.fills == []


@pytest.mark.ib_async_errors_expected("its decoder drops the message with a logged exception")
async def test_a_message_with_a_field_too_many_is_dropped(simulator: Simulator, ib: IB) -> None:
    """ib.md 1.2: commissionReport has exactly eight fields."""
    simulator.faults.miscounted_fields(kind="commission_report", extra=1)
    trade = buy(ib)
    await until(lambda: trade.isDone())
    await heard(ib)
    assert [fill.commissionReport.execId for fill in trade.fills] == [""]


@LOUD
async def test_a_reset_amid_a_frame_ends_the_connection(simulator: Simulator, ib: IB) -> None:
    simulator.faults.connection_reset(messages=2, in_frame=True)
    trade = buy(ib)
    await until(lambda: not ib.isConnected())
    assert held(simulator) == 10
    assert trade.fills == [], "booked, and not one execution was heard of"

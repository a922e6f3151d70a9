"""Brackets, OCA groups and trailing stops as ib_async 2.1.0 sends and sees them.

What they do: tests/gateway/simulator/orders/test_{families,lifecycle,oca,trailing}.py; here the
client is the real one, with its own `bracketOrder` and `oneCancelsAll`.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest
from ib_async import IB, LimitOrder, MarketOrder, Order, StopOrder, Trade
from ib_async.util import UNSET_DOUBLE

from gateway.simulator.server import Simulator
from tests.integration.clients import LOUD, NOW, SPY, Connect, half_hours_of_spy, until


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    """Thirteen half hours of SPY from 600 on; 10:00 opens at 601."""
    async with half_hours_of_spy() as running:
        yield running


def bracket(ib: IB, limit: float = 600, stop: float = 590) -> list[Trade]:
    """What ib_async's own bracketOrder makes, placed: entry, profit, stop."""
    orders = ib.bracketOrder("BUY", 10, limit, 605, stop, tif="DAY")
    return [ib.placeOrder(SPY, order) for order in orders]


def seen(trades: list[Trade]) -> list[tuple[str, str]]:
    return [(trade.orderStatus.status, trade.orderStatus.whyHeld) for trade in trades]


async def test_a_bracket_waits_for_its_entry(ib: IB, connect: Connect) -> None:
    trades = bracket(ib)
    wanted = [("Submitted", ""), ("PreSubmitted", "child"), ("PreSubmitted", "child,trigger")]
    await until(lambda: seen(trades) == wanted)
    entry = trades[0]
    assert [trade.orderStatus.parentId for trade in trades] == [0, *[entry.order.orderId] * 2]
    late = await connect(2)
    groups = {item.order.ocaGroup for item in await late.reqAllOpenOrdersAsync()}
    assert groups == {"", str(entry.order.permId)}


@LOUD
async def test_a_bracket_is_filled_and_one_exit_cancels_the_other(
    simulator: Simulator, ib: IB
) -> None:
    entry, profit, stop = bracket(ib)
    await until(lambda: stop.orderStatus.status == "PreSubmitted")
    await simulator.advance_to(NOW + timedelta(minutes=30))
    await until(lambda: entry.orderStatus.status == "Filled")
    await until(lambda: seen([profit, stop]) == [("Submitted", ""), ("PreSubmitted", "trigger")])
    await simulator.advance_to(NOW + timedelta(hours=2))
    await until(lambda: profit.orderStatus.status == "Filled")
    await until(lambda: stop.orderStatus.status == "Cancelled")
    assert (profit.filled(), stop.filled()) == (10, 0)
    assert simulator.exchange.positions == {}


@LOUD
async def test_a_cancelled_entry_takes_its_exits_along(ib: IB) -> None:
    trades = bracket(ib)
    await until(lambda: trades[2].orderStatus.status == "PreSubmitted")
    ib.cancelOrder(trades[0].order)
    await until(lambda: all(trade.orderStatus.status == "Cancelled" for trade in trades))


async def test_an_order_held_back_is_pending_at_its_client_alone(
    simulator: Simulator, ib: IB, connect: Connect
) -> None:
    """ib_insync #346: the client shows PendingSubmit, and no broker knows of it."""
    entry, *_ = ib.bracketOrder("BUY", 10, 600, 605, 590, tif="DAY")
    trade = ib.placeOrder(SPY, entry)
    assert await ib.reqAllOpenOrdersAsync() == []
    assert trade.orderStatus.status == "PendingSubmit"
    assert simulator.exchange.working_orders == []


@LOUD
async def test_a_restart_of_the_gateway_forgets_what_was_held_back(
    simulator: Simulator, connect: Connect
) -> None:
    """The entry never left it, so a child that comes later misses its parent."""
    first = await connect(2)
    entry, _, stop = first.bracketOrder("BUY", 10, 600, 605, 590, tif="DAY")
    first.placeOrder(SPY, entry)
    await first.reqCurrentTimeAsync()
    await simulator.restart()
    await until(lambda: not first.isConnected())
    await simulator.advance_to(NOW + timedelta(minutes=5))
    again = await connect(2)
    heard: list[int] = []
    again.errorEvent += lambda _id, code, _text, _contract: heard.append(code)
    again.placeOrder(SPY, stop)
    await until(lambda: bool(heard))
    assert heard == [10006]


async def test_an_exit_can_be_moved_as_ib_async_holds_it(simulator: Simulator, ib: IB) -> None:
    """The order object as bracketOrder made it: with parentId, without a group."""
    _, _, stop = trades = bracket(ib)
    await until(lambda: stop.orderStatus.status == "PreSubmitted")
    stop.order.auxPrice = 592
    ib.placeOrder(SPY, stop.order)
    await until(lambda: simulator.exchange.working_orders[2].terms.aux_price == Decimal(592))
    assert seen(trades)[2] == ("PreSubmitted", "child,trigger")


@LOUD
@pytest.mark.parametrize("oca_type", [1, 2, 3])
async def test_one_cancels_all(ib: IB, oca_type: int) -> None:
    orders: list[Order] = [
        LimitOrder("BUY", 10, 500, tif="DAY"),
        StopOrder("BUY", 10, 700, tif="DAY"),
        LimitOrder("BUY", 10, 650, tif="DAY"),
    ]
    ib.oneCancelsAll(orders, "group", oca_type)
    trades = [ib.placeOrder(SPY, order) for order in orders]
    await until(lambda: all(trade.isDone() for trade in trades))
    assert [trade.orderStatus.status for trade in trades] == ["Cancelled", "Cancelled", "Filled"]


@LOUD
async def test_a_group_that_is_filled_takes_nobody_in(ib: IB) -> None:
    heard: list[tuple[int, str]] = []
    ib.errorEvent += lambda _id, code, text, _contract: heard.append((code, text))
    orders: list[Order] = [MarketOrder("BUY", 1, tif="DAY"), MarketOrder("BUY", 1, tif="DAY")]
    for order in ib.oneCancelsAll(orders, "used up", 1):
        trade = ib.placeOrder(SPY, order)
        await until(trade.isDone)
    assert [code for code, _ in heard] == [201]
    assert "OCA group is already filled" in heard[0][1]


async def test_a_trailing_stop_is_seen_where_it_stands(
    simulator: Simulator, ib: IB, connect: Connect
) -> None:
    """ib_async #102: who connects anew sees the stop as it stands."""
    order = Order(action="SELL", totalQuantity=10, orderType="TRAIL", auxPrice=5, tif="DAY")
    trade = ib.placeOrder(SPY, order)
    await until(lambda: trade.orderStatus.status == "PreSubmitted")
    await simulator.advance_to(NOW + timedelta(hours=1))
    late = await connect(2)
    [seen_late] = await late.reqAllOpenOrdersAsync()
    assert (seen_late.order.trailStopPrice, seen_late.order.auxPrice) == (599, 5)


async def test_a_trailing_stop_limit_has_a_limit_that_follows(
    simulator: Simulator, ib: IB, connect: Connect
) -> None:
    order = Order(action="SELL", totalQuantity=10, orderType="TRAIL LIMIT", trailingPercent=1,
                  lmtPriceOffset=0.5, tif="DAY")  # fmt: skip
    trade = ib.placeOrder(SPY, order)
    await until(lambda: trade.orderStatus.status == "PreSubmitted")
    late = await connect(2)
    [found] = [item.order for item in await late.reqAllOpenOrdersAsync()]
    assert (found.trailStopPrice, found.lmtPrice, found.lmtPriceOffset) == (594.99, 594.49, 0.5)
    assert (found.trailingPercent, order.trailStopPrice) == (1, UNSET_DOUBLE)


@LOUD
async def test_an_attached_trailing_stop_ends_a_position(simulator: Simulator, ib: IB) -> None:
    entry = LimitOrder("BUY", 10, 600, tif="DAY", orderId=ib.client.getReqId(), transmit=False)
    trail = Order(action="SELL", totalQuantity=10, orderType="TRAIL", auxPrice=2.5, tif="DAY",
                  parentId=entry.orderId, orderId=ib.client.getReqId())  # fmt: skip
    bought, sold = (ib.placeOrder(SPY, order) for order in (entry, trail))
    await until(lambda: sold.orderStatus.whyHeld == "child,trigger")
    await simulator.advance_to(NOW + timedelta(minutes=90))
    await until(lambda: sold.orderStatus.status == "Filled")
    assert bought.isDone()
    assert simulator.exchange.positions == {}

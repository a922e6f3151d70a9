"""Order types and times in force as ib_async 2.1.0 sends and sees them (design/ib.md 1.4, 4).

How each trades: tests/gateway/simulator/orders/test_matching.py; here the wire is in between.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from ib_async import IB, LimitOrder, Order, TagValue, Trade

from gateway.simulator.market.contracts import LISTINGS
from gateway.simulator.orders.orders import OrderTerms
from gateway.simulator.server import Simulator
from tests.integration.clients import LOUD, NOW, OPEN, SPY, Connect, half_hours_of_spy, until


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    """Thirteen half hours of SPY from 600 on, each 1 higher."""
    async with half_hours_of_spy() as running:
        yield running


def buy(ib: IB, **terms: Any) -> Trade:
    return ib.placeOrder(SPY, Order(action="BUY", totalQuantity=10, **({"tif": "DAY"} | terms)))


ACCEPTED: list[tuple[dict[str, Any], str, str]] = [
    ({"orderType": "MKT"}, "Filled", ""),
    ({"orderType": "MIDPRICE"}, "Filled", ""),
    ({"orderType": "LMT", "lmtPrice": 500}, "Submitted", ""),
    ({"orderType": "LMT", "lmtPrice": 500, "tif": "GTC"}, "Submitted", ""),
    ({"orderType": "STP", "auxPrice": 700}, "PreSubmitted", "trigger"),
    ({"orderType": "STP LMT", "auxPrice": 700, "lmtPrice": 701}, "PreSubmitted", "trigger"),
    ({"orderType": "TRAIL", "auxPrice": 5}, "PreSubmitted", "trigger"),
    ({"orderType": "TRAIL", "trailingPercent": 1}, "PreSubmitted", "trigger"),
    ({"orderType": "MOC"}, "PreSubmitted", ""),
    ({"orderType": "LOC", "lmtPrice": 500}, "PreSubmitted", ""),
    ({"orderType": "MKT", "goodAfterTime": "20251212 12:00:00 US/Eastern"}, "PreSubmitted", ""),
]


@pytest.mark.parametrize(("terms", "status", "held"), ACCEPTED, ids=lambda item: str(item)[:50])
async def test_ib_async_sees_what_becomes_of_an_order(
    ib: IB, terms: dict[str, Any], status: str, held: str
) -> None:
    trade = buy(ib, **terms)
    await until(lambda: trade.orderStatus.status == status)
    assert trade.orderStatus.whyHeld == held


async def test_an_adaptive_order_trades_as_its_type(ib: IB) -> None:
    urgency = [TagValue("adaptivePriority", "Urgent")]
    trade = buy(ib, orderType="MKT", algoStrategy="Adaptive", algoParams=urgency)
    await until(lambda: trade.orderStatus.status == "Filled")


@LOUD
@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"orderType": "REL", "auxPrice": 1}, 201),
        ({"orderType": "MOC", "tif": "GTC"}, 113),
        ({"orderType": "STP", "auxPrice": 700, "tif": "IOC"}, 111),
        ({"orderType": "STP", "auxPrice": 700, "triggerMethod": 4}, 201),
        ({"orderType": "STP", "auxPrice": 700.005}, 110),
        ({"orderType": "LMT", "lmtPrice": 500, "tif": "GTD", "goodTillDate": "soon"}, 337),
        ({"orderType": "LMT", "lmtPrice": 500, "tif": "IOC"}, 202),
    ],
    ids=lambda item: str(item)[:50],
)
async def test_ib_async_hears_why_an_order_is_not_taken(
    ib: IB, terms: dict[str, Any], code: int
) -> None:
    heard: list[int] = []
    ib.errorEvent += lambda _id, found, _text, _contract: heard.append(found)
    trade = buy(ib, **terms)
    await until(lambda: trade.isDone() and heard)
    assert heard == [code]
    assert trade.orderStatus.status == "Cancelled"


@LOUD
async def test_a_good_till_date_order_ends_on_time(simulator: Simulator, ib: IB) -> None:
    till = "20251212 11:00:00 US/Eastern"
    trade = buy(ib, orderType="LMT", lmtPrice=500, tif="GTD", goodTillDate=till)
    await until(lambda: trade.orderStatus.status == "Submitted")
    await simulator.advance_to(NOW + timedelta(minutes=59))
    assert not trade.isDone()
    await simulator.advance_to(NOW + timedelta(hours=1))
    await until(lambda: trade.orderStatus.status == "Cancelled")


async def test_a_market_on_close_order_trades_at_the_close(simulator: Simulator, ib: IB) -> None:
    trade = buy(ib, orderType="MOC")
    await until(lambda: trade.orderStatus.status == "PreSubmitted")
    await simulator.advance_to(OPEN + timedelta(hours=6, minutes=30))
    await until(lambda: trade.fills and trade.orderStatus.status == "Filled")
    assert trade.fills[0].execution.price == 613


async def test_client_0_is_given_an_order_by_hand(simulator: Simulator, connect: Connect) -> None:
    """ib_async as client 0 asks for reqAutoOpenOrders by itself."""
    ib = await connect(0)
    terms = OrderTerms("SELL", Decimal(3), "LMT", Decimal(700))
    await simulator.act(lambda: place_by_hand(simulator, terms))
    await until(ib.openTrades)
    (trade,) = ib.openTrades()
    assert (trade.order.orderId < 0, trade.order.lmtPrice) == (True, 700)


def place_by_hand(simulator: Simulator, terms: OrderTerms) -> None:
    simulator.exchange.orders.place_by_hand(LISTINGS[0].contract(), terms)


@LOUD
async def test_a_limit_order_of_ib_async_can_be_cancelled_at_tws(
    simulator: Simulator, ib: IB
) -> None:
    trade = ib.placeOrder(SPY, LimitOrder("BUY", 10, 500, tif="DAY"))
    await until(lambda: trade.orderStatus.status == "Submitted")
    (order,) = simulator.exchange.working_orders
    await simulator.act(lambda: simulator.exchange.orders.end(order))
    await until(lambda: trade.orderStatus.status == "Cancelled")

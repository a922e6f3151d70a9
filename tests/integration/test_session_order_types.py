"""Every order type of behaviour 4.7, from our document over a real socket to the fill."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from gateway.core.broker import BrokerStatus
from gateway.core.ib_terms import rounded_down, rounded_up
from gateway.core.orders import Approved
from gateway.simulator import requests
from schemas.documents import ExecutionDocument, OrderDocument
from schemas.values import OrderType
from tests.integration.session_bench import Bench, benched, flat_bars
from tests.order_documents import REF, SPY, order_document

PRE_MARKET = datetime(2025, 6, 3, 12, tzinfo=UTC)
"""08:00 in New York."""
OPENING = PRE_MARKET + timedelta(minutes=90)
NOW = OPENING + timedelta(minutes=70)
CLOSE = OPENING + timedelta(hours=6, minutes=30)
BARS = flat_bars(PRE_MARKET + n * timedelta(minutes=30) for n in range(16))
"""SPY from 08:00 to 16:00."""


def an_order(kind: OrderType, limit: str | None = None, **more: Any) -> OrderDocument:
    price = None if limit is None else Decimal(limit)
    return order_document(NOW, order_type=kind, limit_price=price, **more)


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    """At 10:40, where the quote is 589.99 to 590.01; the broker was read."""
    async with benched(NOW, BARS) as made:
        await made.session.read()
        yield made


async def filled(bench: Bench) -> ExecutionDocument:
    """How the whole order was executed."""
    await bench.status(REF, BrokerStatus.FILLED)
    executed = await bench.until(ExecutionDocument)
    assert (executed.order_ref, abs(executed.quantity)) == (REF, Decimal(10))
    return executed


AT_ONCE = [
    (an_order(OrderType.MKT), "590.01"),
    (an_order(OrderType.MKT, adaptive_priority="Patient"), "590.01"),
    (an_order(OrderType.MKT, quantity=Decimal(-10)), "589.99"),
    (an_order(OrderType.MKT, tif="IOC"), "590.01"),
    (an_order(OrderType.LMT, "590.60"), "590.01"),
    (an_order(OrderType.LMT, "589.50", quantity=Decimal(-10)), "589.99"),
    (an_order(OrderType.MIDPRICE, "590.60"), "590.00"),
    (an_order(OrderType.MIDPRICE, "589.50", quantity=Decimal(-10)), "590.00"),
]


@pytest.mark.parametrize(("order", "price"), AT_ONCE)
async def test_an_order_that_meets_the_market_fills_at_once(
    bench: Bench, order: OrderDocument, price: str
) -> None:
    """behaviour 4.7: MIDPRICE in the middle, MKT and LMT at the other side of the quote."""
    bench.session.place(Approved(order))
    executed = await filled(bench)
    assert (executed.price, executed.at) == (Decimal(price), NOW)


@pytest.mark.parametrize("kind", [OrderType.LMT, OrderType.MIDPRICE])
async def test_an_order_off_the_market_rests_at_its_limit(bench: Bench, kind: OrderType) -> None:
    """The middle, 590.00, is beyond MIDPRICE's cap: it never pays more."""
    bench.session.place(Approved(an_order(kind, "589.90")))
    await bench.status(REF, BrokerStatus.WORKING)
    (working,) = bench.exchange.working_orders
    assert (working.terms.order_type, working.terms.limit_price) == (kind, Decimal("589.90"))
    await bench.simulator.advance_to(OPENING + timedelta(minutes=120))
    assert (await filled(bench)).price == Decimal("589.90")


@pytest.mark.parametrize(
    "order", [an_order(OrderType.MOC), an_order(OrderType.LOC, "591")], ids=["MOC", "LOC"]
)
async def test_an_auction_order_waits_for_the_close(bench: Bench, order: OrderDocument) -> None:
    bench.session.place(Approved(order))
    await bench.status(REF, BrokerStatus.WORKING)
    await bench.simulator.advance_to(CLOSE - timedelta(seconds=1))
    assert len(bench.exchange.working_orders) == 1
    await bench.simulator.advance_to(CLOSE)
    executed = await filled(bench)
    assert (executed.price, executed.at) == (Decimal("590.5"), CLOSE)


async def test_a_limit_that_the_auction_misses_ends_cancelled(bench: Bench) -> None:
    bench.session.place(Approved(an_order(OrderType.LOC, "590")))
    await bench.status(REF, BrokerStatus.WORKING)
    await bench.simulator.advance_to(CLOSE)
    assert (await bench.status(REF, BrokerStatus.CANCELLED)).filled in (None, 0)


async def test_only_an_order_that_says_so_trades_before_the_opening() -> None:
    for outside, at in ((True, PRE_MARKET + timedelta(minutes=30)), (False, OPENING)):
        async with benched(at - timedelta(minutes=5), BARS) as bench:
            await bench.session.read()
            order = an_order(OrderType.LMT, "595", outside_rth=outside)
            bench.session.place(Approved(order))
            await bench.simulator.advance_to(at)
            executed = await filled(bench)
            assert (executed.at < OPENING) is outside


async def test_an_order_waits_until_good_after_in_whatever_zone_the_gateway_is(
    bench: Bench,
) -> None:
    """15:45 in New York, 19:45 UTC in June."""
    good_after = datetime(2025, 6, 3, 19, 45, tzinfo=UTC)
    bench.session.place(Approved(an_order(OrderType.MKT, good_after=good_after)))
    await bench.status(REF, BrokerStatus.WORKING)
    (working,) = bench.exchange.working_orders
    assert working.active_from == good_after
    await bench.simulator.advance_to(good_after - timedelta(seconds=1))
    assert len(bench.exchange.working_orders) == 1
    await bench.simulator.advance_to(good_after)
    assert (await filled(bench)).at == good_after


ALL_TYPES = [
    an_order(OrderType.MKT, adaptive_priority="Urgent"),
    an_order(OrderType.LMT, "580", outside_rth=True),
    an_order(OrderType.MOC),
    an_order(OrderType.LOC, "580"),
    an_order(OrderType.MIDPRICE, "580"),
    an_order(OrderType.LMT, "580", good_after=CLOSE - timedelta(minutes=15)),
]


@pytest.mark.parametrize("order", ALL_TYPES)
async def test_a_what_if_asks_about_the_very_order_that_is_placed(
    bench: Bench, order: OrderDocument
) -> None:
    """And about all of it: its margin is that of the order, and nothing is placed by asking."""
    preview = await bench.session.what_if(order)
    assert preview.refusal == ""
    assert preview.initial_margin_change is not None
    assert bench.exchange.working_orders == []
    bench.session.place(Approved(order))
    await bench.status(REF, BrokerStatus.WORKING)
    sent = [one for one in bench.exchange.asked if isinstance(one, requests.PlaceOrder)]
    asked, placed = (one.terms for one in sent)
    assert (asked.what_if, placed.what_if) == (True, False)
    assert replace(asked, what_if=False) == placed
    assert (placed.order_type, placed.tif, placed.limit_price, placed.outside_rth) == (
        order.order_type,
        "DAY",
        order.limit_price,
        order.outside_rth,
    )


async def test_a_limit_off_the_increments_is_rejected_and_a_rounded_one_is_not(
    bench: Bench,
) -> None:
    """Error 110; the increments are those of the contract's own market rule."""
    bench.session.place(Approved(an_order(OrderType.LMT, "580.123")))
    rejected = await bench.status(REF, BrokerStatus.REJECTED)
    assert rejected.reason.startswith("110 ")
    increments = (await bench.session.terms(SPY)).increments
    for number, rounded in enumerate((rounded_down, rounded_up), 2):
        limit = rounded(Decimal("580.123"), increments)
        order = replace(an_order(OrderType.LMT, str(limit)), order_ref=f"paper-756733-{number}")
        bench.session.place(Approved(order))
        await bench.status(order.order_ref, BrokerStatus.WORKING)
    limits = [order.terms.limit_price for order in bench.exchange.working_orders]
    assert limits == [Decimal("580.12"), Decimal("580.13")]

"""Trading cases: orders that cannot be, and the error that says so. Nothing of them must live."""

from decimal import Decimal
from typing import Any

from gateway.simulator.conformance.case import Chapter, Kind
from gateway.simulator.conformance.trading_floor import CENT, Floor, share, trading
from gateway.simulator.conformance.trading_ticket import Ticket
from gateway.simulator.market.contracts import Contract

chapter = Chapter("trading: refusals", Kind.TRADE)
TENTH_OF_A_CENT = Decimal("0.001")


async def refused(
    floor: Floor, *codes: int, contract: Contract | None = None, **terms: Any
) -> None:
    """An order that would rest far from the market, but for these terms, is refused for good."""
    limit = {"order_type": "LMT", "limit_price": await floor.below()}
    order = await floor.place(share(**(limit | terms)), contract)
    await floor.refused(order, *codes)
    await nothing_left(floor, order)


async def nothing_left(floor: Floor, order: Ticket) -> None:
    """A refused order trades nothing and is not open."""
    await floor.quiet()
    floor.check(not order.shares, "no fill", order)
    floor.check(not await floor.is_open(order), "no open order", order)


@trading(chapter)
async def another_account_is_refused(floor: Floor) -> None:
    """An account that the login does not have: 321 (or 435, 436: you must specify an account).

    Source: message_codes.html, 321, 435, 436
    """
    await refused(floor, 321, 435, 436, account="DU0000000")


@trading(chapter)
async def a_quantity_of_zero_is_refused(floor: Floor) -> None:
    """The order size cannot be zero: 434.

    Source: message_codes.html, 434; 321 is believed, too: newer gateways validate quantities there
    """
    await refused(floor, 434, 321, quantity=Decimal(0))


@trading(chapter)
async def a_fraction_of_a_share_is_refused(floor: Floor) -> None:
    """Fractional shares cannot be ordered by the API: 10243.

    Source: ib.md 4, F15: seen in 2024 and 2026; ib_insync discussion 706
    """
    await refused(floor, 10243, quantity=Decimal("0.5"))


@trading(chapter)
async def a_price_off_the_tick_is_refused(floor: Floor) -> None:
    """A limit in tenths of a cent does not conform to the minimum price variation: 110.

    Source: message_codes.html, 110; pysystemtrade #1196
    """
    await refused(floor, 110, limit_price=await floor.below() + TENTH_OF_A_CENT)


@trading(chapter)
async def a_stop_off_the_tick_is_refused(floor: Floor) -> None:
    """The same of a stop price.

    Source: message_codes.html, 110
    """
    stop = await floor.above() + TENTH_OF_A_CENT
    await refused(floor, 110, order_type="STP", limit_price=None, aux_price=stop)


@trading(chapter)
async def an_unknown_order_type_is_refused(floor: Floor) -> None:
    """A type that does not exist for the exchange and the security: 387, or 321 as no type at all.

    Source: message_codes.html, 387
    """
    await refused(floor, 387, 321, order_type="NONSENSE")


@trading(chapter)
async def an_unknown_contract_is_refused(floor: Floor) -> None:
    """No security definition has been found: 200.

    Source: message_codes.html, 200; Lean.Brokerages.InteractiveBrokers #245
    """
    contract = Contract(symbol="ZZZZQQ", security_type="STK", exchange="SMART", currency="USD")
    await refused(floor, 200, contract=contract)


@trading(chapter)
async def an_unknown_side_is_refused(floor: Floor) -> None:
    """An action that is neither BUY nor SELL: 321, or 201.

    Source: message_codes.html, 321; which code an action brings is not documented
    """
    await refused(floor, 321, 201, action="HOLD")


@trading(chapter)
async def an_auction_order_until_cancelled_is_refused(floor: Floor) -> None:
    """LOC orders are for the day: 113.

    Source: message_codes.html, 113; 201 and 111 are believed, too
    """
    await refused(floor, 113, 111, 201, order_type="LOC", tif="GTC")


@trading(chapter)
async def a_time_in_force_that_is_none_is_refused(floor: Floor) -> None:
    """A goodTillDate that is no date: 337, or 391, or as a request that makes no sense 321.

    Source: message_codes.html, 337, 391
    """
    other = {"goodTillDate": "tomorrow"}
    await refused(floor, 337, 391, 321, 201, tif="GTD", other=other)


@trading(chapter)
async def a_negative_quantity_is_refused(floor: Floor) -> None:
    """Quantities have no sign, the action has: 321, or 434.

    Source: message_codes.html, 321, 434; which of them is not documented
    """
    await refused(floor, 321, 434, 201, quantity=Decimal(-1))


@trading(chapter)
async def a_limit_order_without_a_limit_is_refused(floor: Floor) -> None:
    """A limit order needs a limit; with which code it is refused is not documented.

    Source: interactivebrokers.github.io/tws-api/basic_orders.html, Limit Order
    """
    await refused(floor, limit_price=None)


@trading(chapter)
async def a_stop_order_without_a_stop_is_refused(floor: Floor) -> None:
    """A stop order needs a stop price; 403 says that it is invalid, other codes are believed.

    Source: message_codes.html, 403
    """
    await refused(floor, order_type="STP", limit_price=None)


@trading(chapter)
async def a_child_of_no_parent_is_refused(floor: Floor) -> None:
    """parentId must name an order of this client: 10006 (missing parent order), 135, or 201.

    Source: message_codes.html, 10006, 135; ib_insync #647 (135 may name the parent's id)
    """
    parent = floor.unsent()
    limit = await floor.above() + CENT
    terms = share(order_type="LMT", limit_price=limit, action="SELL", parent_id=parent.order_id)
    order = await floor.place(terms)
    await floor.wait(lambda: bool(order.refusals or parent_codes(floor, parent)))
    codes = {*order.refusals, *parent_codes(floor, parent)}
    floor.check(bool(codes & {10006, 135, 201}), "error 10006, 135 or 201", order)
    await nothing_left(floor, order)


def parent_codes(floor: Floor, parent: Ticket) -> list[int]:
    """Errors that name the parent instead of the child, as 135 does."""
    return [code for code in parent.codes if code in {135, 201}]

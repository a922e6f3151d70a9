"""Trading cases: orders that wait for a price or for the auction."""

from gateway.simulator.conformance.case import Chapter, Kind, Need
from gateway.simulator.conformance.trading_floor import CENT, FAR, NEAR, Floor, trading
from gateway.simulator.conformance.trading_ticket import Ticket

chapter = Chapter("trading: stops and auctions", Kind.TRADE)
OPEN = Need.OPEN_MARKET
PERCENT = FAR * 100
AUCTION_CODES = frozenset({201, 10289, 10311})
"""A LOC or MOC order that comes after the exchange's cut-off is refused; the clock decides."""


async def waits(floor: Floor, order: Ticket) -> None:
    """The order is PreSubmitted, trades nothing and is among the open ones."""
    await floor.works(order, "PreSubmitted")
    await floor.quiet()
    floor.check(set(order.states) == {"PreSubmitted"}, "PreSubmitted", order)
    floor.check(await floor.is_open(order), "an open order", "it is not listed")


@trading(chapter, OPEN)
async def a_stop_waits_presubmitted(floor: Floor) -> None:
    """A stop order above the market is PreSubmitted until its price is reached.

    Source: orderstatus.htm: PreSubmitted is a simulated order type that has yet to be elected
    """
    order = await floor.buy(order_type="STP", aux_price=await floor.above())
    await waits(floor, order)
    floor.check(
        floor.opened(order).terms.aux_price == order.terms.aux_price, "its stop price", order
    )


@trading(chapter, OPEN)
async def a_stop_limit_waits_presubmitted(floor: Floor) -> None:
    """A stop limit order keeps both prices and waits like a stop.

    Source: interactivebrokers.github.io/tws-api/basic_orders.html, Stop Limit
    """
    stop = await floor.above()
    order = await floor.buy(order_type="STP LMT", aux_price=stop, limit_price=stop + CENT)
    await waits(floor, order)
    terms = floor.opened(order).terms
    right = (terms.aux_price, terms.limit_price) == (stop, stop + CENT)
    floor.check(right, f"stop {stop}, limit {stop + CENT}", order)


@trading(chapter, OPEN)
async def a_stop_through_the_market_trades_at_once(floor: Floor) -> None:
    """A stop to buy below the market is reached already: it becomes a market order.

    Source: interactivebrokers.github.io/tws-api/basic_orders.html, Stop
    """
    order = await floor.bought(order_type="STP", aux_price=await floor.below(NEAR))
    floor.check("Filled" in order.states, "Filled", order)


@trading(chapter, OPEN)
async def a_stop_moved_into_the_market_trades(floor: Floor) -> None:
    """A waiting stop whose price is changed to one that is reached trades under its permId.

    Source: interactivebrokers.github.io/tws-api/modifying_orders.html
    """
    order = await floor.buy(order_type="STP", aux_price=await floor.above())
    await floor.works(order, "PreSubmitted")
    await floor.change(order, aux_price=await floor.below(NEAR))
    await floor.fills(order)
    floor.check(len(order.perm_ids) == 1, "one permId", order.perm_ids)


@trading(chapter, OPEN)
async def a_stop_can_be_moved(floor: Floor) -> None:
    """A waiting stop takes another stop price and waits on.

    Source: interactivebrokers.github.io/tws-api/modifying_orders.html
    """
    order = await floor.buy(order_type="STP", aux_price=await floor.above())
    await floor.works(order, "PreSubmitted")
    higher = await floor.above(FAR + FAR / 10)
    await floor.change(order, aux_price=higher)
    await floor.wait(lambda: any(item.terms.aux_price == higher for item in order.opens))
    floor.check(floor.opened(order).terms.aux_price == higher, f"a stop of {higher}", order)
    floor.check(order.state == "PreSubmitted", "PreSubmitted", order)


@trading(chapter, OPEN)
async def a_waiting_stop_can_be_cancelled(floor: Floor) -> None:
    """A stop that waits ends as any order: Cancelled and 202.

    Source: message_codes.html, 202
    """
    order = await floor.buy(order_type="STP", aux_price=await floor.above())
    await floor.works(order, "PreSubmitted")
    await floor.cancel(order)
    await floor.wait(lambda: "Cancelled" in order.states and 202 in order.codes)
    floor.check("Cancelled" in order.states and 202 in order.codes, "Cancelled and 202", order)


@trading(chapter, OPEN)
async def a_trailing_stop_waits_and_has_a_stop_price(floor: Floor) -> None:
    """A TRAIL order by an amount waits PreSubmitted; openOrder tells where its stop is now.

    Source: interactivebrokers.github.io/tws-api/basic_orders.html, Trailing Stop: auxPrice is the
    trailing amount, TrailStopPrice the stop
    """
    amount = (await floor.price() * FAR).quantize(CENT)
    order = await floor.buy(order_type="TRAIL", aux_price=amount)
    await waits(floor, order)
    stop = floor.opened(order).terms.trail_stop_price
    right = stop is not None and stop > await floor.price() * (1 + NEAR)
    floor.check(right, "a trailStopPrice above the market", f"trailStopPrice {stop}")


@trading(chapter, OPEN)
async def a_trailing_stop_by_percent_waits(floor: Floor) -> None:
    """A TRAIL order by a percentage waits PreSubmitted and echoes the percentage.

    Source: interactivebrokers.github.io/tws-api/basic_orders.html, Trailing Stop: TrailingPercent
    """
    order = await floor.buy(order_type="TRAIL", trailing_percent=PERCENT)
    await waits(floor, order)
    told = floor.opened(order).terms.trailing_percent
    floor.check(told == PERCENT, f"trailingPercent {PERCENT}", told)


@trading(chapter, OPEN)
async def a_trailing_stop_limit_waits(floor: Floor) -> None:
    """A TRAIL LIMIT order waits PreSubmitted with its stop price and limit offset.

    Source: interactivebrokers.github.io/tws-api/basic_orders.html, Trailing Stop Limit: of limit
    price and limit price offset one is given
    """
    amount = (await floor.price() * FAR).quantize(CENT)
    prices = {"trail_stop_price": await floor.above(), "limit_offset": 10 * CENT}
    order = await floor.buy(order_type="TRAIL LIMIT", aux_price=amount, **prices)
    await waits(floor, order)
    stop = floor.opened(order).terms.trail_stop_price
    floor.check(stop is not None, "a trailStopPrice", order)


@trading(chapter, OPEN)
async def a_limit_on_close_waits_for_the_auction(floor: Floor) -> None:
    """LOC is PreSubmitted until the closing auction, and can be cancelled before its cut-off.

    Source: interactivebrokers.github.io/tws-api/basic_orders.html, Limit On Close; ib.md 4, row
    MOC/LOC. After the cut-off it is refused, and the case says nothing
    """
    order = await floor.rest(order_type="LOC")
    await auction(floor, order)


@trading(chapter, OPEN)
async def a_market_on_close_waits_for_the_auction(floor: Floor) -> None:
    """MOC is PreSubmitted until the closing auction, and can be cancelled before its cut-off.

    Source: interactivebrokers.github.io/tws-api/basic_orders.html, Market On Close
    """
    order = await floor.buy(order_type="MOC")
    await auction(floor, order)


async def auction(floor: Floor, order: Ticket) -> None:
    """The order waits and can be taken back, or came too late for today's auction."""
    await floor.wait(lambda: bool(order.states or order.refusals))
    if AUCTION_CODES & set(order.refusals):
        floor.talk.note("after the cut-off of the auction")
        return
    await floor.works(order, "PreSubmitted")
    await floor.cancel(order)
    await floor.wait(lambda: "Cancelled" in order.states)
    floor.check("Cancelled" in order.states and not order.shares, "Cancelled, no fill", order)

"""Trading cases: orders that rest, are changed, are cancelled, and live by their time in force."""

from datetime import timedelta

from gateway.simulator.conformance.case import Chapter, Kind, Need, Unsuited
from gateway.simulator.conformance.trading_floor import FAR, SHARE, Floor, share, trading
from gateway.simulator.conformance.trading_ticket import ENDED, LIVE
from gateway.simulator.replies import OrderStatus

chapter = Chapter("trading: resting orders", Kind.TRADE)
OPEN, CLOSED = Need.OPEN_MARKET, Need.CLOSED_MARKET
TOO_LATE = (10148, 161, 10147, 135)
"""How a cancel is answered that finds nothing to cancel; which one, depends on the moment."""


@trading(chapter, OPEN)
async def a_resting_limit_is_submitted(floor: Floor) -> None:
    """A limit order that waits at the exchange is Submitted, with all of it remaining.

    Source: interactivebrokers.com/php/apiUsersGuide/apiguide/java/orderstatus.htm, Submitted
    """
    order = await floor.rest()
    await floor.works(order, "Submitted")

    def told() -> list[OrderStatus]:
        return [item for item in order.statuses if item.status == "Submitted"]

    await floor.wait(lambda: bool(told()))
    floor.check(bool(told()), "orderStatus Submitted", order)
    right = not told()[-1].filled and told()[-1].remaining == SHARE
    floor.check(right, "filled 0, remaining 1", order)


@trading(chapter, OPEN)
async def a_limit_far_from_the_market_does_not_trade(floor: Floor) -> None:
    """Nothing is executed of an order whose limit the market does not reach.

    Source: interactivebrokers.com, order type Limit
    """
    order = await floor.rested()
    await floor.quiet()
    floor.check(not order.shares and not ENDED & set(order.states), "an order that rests", order)
    floor.check(await floor.is_open(order), "an open order", order)


@trading(chapter, OPEN)
async def a_resting_order_echoes_its_terms(floor: Floor) -> None:
    """openOrder tells the limit, the quantity, the account, the orderRef as they were sent.

    Source: interactivebrokers.github.io/tws-api/open_orders.html
    """
    order = await floor.rested()
    terms, asked = floor.opened(order).terms, order.terms
    same = (terms.limit_price, terms.quantity, terms.account, terms.order_ref, terms.action)
    wanted = (asked.limit_price, asked.quantity, asked.account, asked.order_ref, asked.action)
    floor.check(same == wanted, str(wanted), same)


@trading(chapter, OPEN)
async def a_resting_order_is_among_the_open_ones(floor: Floor) -> None:
    """reqOpenOrders lists it to the client that placed it, reqAllOpenOrders to everybody.

    Source: interactivebrokers.github.io/tws-api/open_orders.html
    """
    order = await floor.rested()
    floor.check(await floor.is_open(order), "it among reqOpenOrders", "it is not")
    listed = await floor.is_open(order, everybody=True)
    floor.check(listed, "it among reqAllOpenOrders", "it is not")


@trading(chapter, OPEN)
async def a_change_of_the_price_is_taken(floor: Floor) -> None:
    """placeOrder with the id of a working order changes it: same permId, new limit.

    Source: interactivebrokers.github.io/tws-api/modifying_orders.html
    """
    order = await floor.rested()
    lower = await floor.below(FAR + FAR / 10)
    await floor.change(order, limit_price=lower)
    await floor.wait(lambda: any(item.terms.limit_price == lower for item in order.opens))
    floor.check(floor.opened(order).terms.limit_price == lower, f"a limit of {lower}", order)
    floor.check(len(order.perm_ids) == 1, "one permId", order.perm_ids)
    same = [item for item in await floor.open_orders() if item.reply.order_id == order.order_id]
    floor.check(len(same) == 1, "one open order", f"{len(same)} of them")


@trading(chapter, OPEN)
async def a_change_of_the_quantity_is_taken(floor: Floor) -> None:
    """A working order grows from one share to two, and its status tells what remains.

    Source: interactivebrokers.github.io/tws-api/modifying_orders.html: price, size, tif may change
    """
    order = await floor.rested()
    await floor.change(order, quantity=2 * SHARE)
    await floor.wait(lambda: any(item.terms.quantity == 2 * SHARE for item in order.opens))
    floor.check(floor.opened(order).terms.quantity == 2 * SHARE, "a quantity of 2", order)
    await floor.wait(lambda: order.remaining == 2 * SHARE)
    floor.check(order.remaining == 2 * SHARE, "remaining 2", order)


@trading(chapter, OPEN)
async def a_change_of_the_side_is_refused(floor: Floor) -> None:
    """What is bought cannot be made a sale under the same id: 105, and the order stays.

    Source: interactivebrokers.com/php/apiUsersGuide/apiguide/api/api_order_ids.htm: cancel it and
    place a new one; message_codes.html, 105
    """
    order = await floor.rested()
    was = order.terms
    since = await floor.change(order, action="SELL", limit_price=await floor.above())
    order.terms = was
    await floor.refused(order, 105, 201, 10009, since=since)
    floor.check(await floor.is_open(order), "the order as it was", "it is not open")


@trading(chapter, OPEN)
async def a_cancelled_order_says_so_and_202(floor: Floor) -> None:
    """A cancel is confirmed by status Cancelled and error 202, in either order.

    Source: message_codes.html, 202; ib.md 1.8: both orders of arrival occur
    """
    order = await floor.rested()
    await floor.cancel(order)
    await floor.wait(lambda: "Cancelled" in order.states and 202 in order.codes)
    floor.check("Cancelled" in order.states, "status Cancelled", order)
    floor.check(202 in order.codes, "error 202", order)
    floor.check(not await floor.is_open(order), "no open order", "it is listed")


@trading(chapter, OPEN)
async def a_cancelled_order_trades_no_more(floor: Floor) -> None:
    """After the cancel is confirmed nothing more is told of the order.

    Source: interactivebrokers.com/php/apiUsersGuide/apiguide/java/orderstatus.htm, Cancelled: the
    balance is confirmed cancelled. Fills after it were seen (ib.md 4, F13) and are a difference
    """
    order = await floor.rested()
    await floor.cancel(order)
    await floor.ends(order)
    await floor.quiet()
    right = not order.shares and order.state == "Cancelled"
    floor.check(right, "nothing after Cancelled", order)


@trading(chapter, OPEN)
async def a_second_cancel_is_an_error(floor: Floor) -> None:
    """What is cancelled already cannot be cancelled: 10148, 161 or 10147.

    Source: message_codes.html, 161; Lean.Brokerages.InteractiveBrokers #248; rust-ibapi #312
    """
    order = await floor.rested()
    await floor.cancel(order)
    await floor.wait(lambda: "Cancelled" in order.states and 202 in order.codes)
    since = await floor.cancel(order)
    await floor.refused(order, *TOO_LATE, since=since)


@trading(chapter)
async def a_cancel_of_an_unknown_order_is_an_error(floor: Floor) -> None:
    """An id that no order has is answered with 10147, or with 135.

    Source: Lean.Brokerages.InteractiveBrokers #248; message_codes.html, 135
    """
    order = floor.unsent()
    await floor.cancel(order)
    await floor.refused(order, 10147, 135)


@trading(chapter, OPEN)
async def the_id_of_an_ended_order_is_taken(floor: Floor) -> None:
    """A new order under the id of one that was cancelled is a duplicate: 103.

    Source: message_codes.html, 103; ib.md 4, row orderId. 105, 135 and 201 are believed, too: which
    of them an id brings that is still on record is not documented
    """
    order = await floor.rested()
    await floor.cancel(order)
    await floor.wait(lambda: "Cancelled" in order.states and 202 in order.codes)
    since = await floor.change(order, tif="GTC")
    await floor.refused(order, 103, 105, 135, 201, since=since)
    floor.check(not await floor.is_open(order), "no open order", "it is listed")


@trading(chapter, OPEN)
async def an_id_below_the_last_is_a_duplicate(floor: Floor) -> None:
    """Order ids only grow: one that was skipped cannot be used any more.

    Source: interactivebrokers.com/php/apiUsersGuide/apiguide/api/api_order_ids.htm; 103
    """
    skipped = floor.unsent()
    await floor.rested()
    skipped.terms = share(
        order_type="LMT",
        limit_price=await floor.below(),
        account=floor.talk.account,
        order_ref=floor.talk.order_ref("low"),
    )
    await floor.send(skipped)
    await floor.refused(skipped, 103)


@trading(chapter, OPEN)
async def the_next_id_is_above_the_used_ones(floor: Floor) -> None:
    """reqIds answers with an id above that of every order placed.

    Source: interactivebrokers.github.io/tws-api/order_submission.html, The Next Valid Identifier
    """
    order = await floor.rested()
    told = await floor.next_valid_id()
    floor.check(told > order.order_id, f"an id above {order.order_id}", told)


@trading(chapter, OPEN)
async def an_order_until_cancelled_says_gtc(floor: Floor) -> None:
    """tif GTC is echoed and works like any other.

    Source: interactivebrokers.github.io/tws-api/classIBApi_1_1Order.html, Tif
    """
    order = await floor.rested(tif="GTC")
    floor.check(floor.opened(order).terms.tif == "GTC", "tif GTC", floor.opened(order).terms.tif)


@trading(chapter, OPEN)
async def an_order_until_a_date_echoes_it(floor: Floor) -> None:
    """tif GTD with a goodTillDate to come works, and openOrder tells the date.

    Source: interactivebrokers.github.io/tws-api/classIBApi_1_1Order.html, GoodTillDate
    """
    order = await floor.rested(tif="GTD", other={"goodTillDate": _in_days(floor, 2)})
    told = floor.opened(order).terms.other.get("goodTillDate", "")
    floor.check(bool(told), "a goodTillDate", order)


@trading(chapter)
async def an_order_until_yesterday_is_refused(floor: Floor) -> None:
    """A goodTillDate that is over is refused; with which code, IB does not document.

    Source: interactivebrokers.github.io/tws-api/classIBApi_1_1Order.html, GoodTillDate
    """
    order = await floor.rest(tif="GTD", other={"goodTillDate": _in_days(floor, -2)})
    await floor.refused(order)
    floor.check(not order.shares, "no fill", order)


@trading(chapter, OPEN)
async def an_order_good_after_a_time_waits(floor: Floor) -> None:
    """With a goodAfterTime to come even a marketable order waits, PreSubmitted.

    Source: interactivebrokers.github.io/tws-api/classIBApi_1_1Order.html, GoodAfterTime;
    orderstatus.htm, PreSubmitted. The limit here is far, so that nothing trades if it is ignored
    """
    order = await floor.rested(tif="GTC", other={"goodAfterTime": _in_days(floor, 1)})
    await floor.quiet()
    floor.check(set(order.states) == {"PreSubmitted"}, "PreSubmitted", order)


@trading(chapter, OPEN)
async def an_order_for_all_hours_says_so(floor: Floor) -> None:
    """outsideRth is echoed on a limit order.

    Source: interactivebrokers.github.io/tws-api/classIBApi_1_1Order.html, OutsideRth
    """
    order = await floor.rested(outside_rth=True)
    floor.check(floor.opened(order).terms.outside_rth, "outsideRth", order)


@trading(chapter, OPEN)
async def a_cancelled_order_is_among_the_completed(floor: Floor) -> None:
    """reqCompletedOrders lists an order that was cancelled, with that status.

    Source: interactivebrokers.github.io/tws-api/open_orders.html, completed orders; ib.md 1.7
    """
    order = await floor.rested()
    await floor.cancel(order)
    await floor.ends(order)
    rows = (await floor.completed()).of("CompletedOrder").replies
    found = [item.status for item in rows if item.terms.order_ref == order.terms.order_ref]
    floor.check(found == ["Cancelled"], "completedOrder Cancelled", found)


@trading(chapter, CLOSED)
async def an_order_while_closed_waits_for_the_open(floor: Floor) -> None:
    """399 says until when the order is not placed at the exchange; it is PreSubmitted meanwhile.

    Source: IB-Matlab user guide, section 8.1 (text of 399); ib.md 4, row RTH flag
    """
    order = await floor.rested(tif="DAY")
    await floor.wait(lambda: 399 in order.codes)
    floor.check(399 in order.codes, "error 399", order)
    floor.check(order.state in LIVE and not order.shares, "an order that waits", order)


@trading(chapter, CLOSED)
async def an_order_while_closed_can_be_cancelled(floor: Floor) -> None:
    """The cancel is confirmed at once, or the order is PendingCancel until the market opens.

    Source: Lean.Brokerages.InteractiveBrokers #256: cancels outside regular hours may be answered
    at the open only
    """
    order = await floor.rested(tif="DAY")
    await floor.cancel(order)
    await floor.wait(lambda: bool({"Cancelled", "PendingCancel"} & set(order.states)))
    said = {"Cancelled", "PendingCancel"} & set(order.states)
    floor.check(bool(said), "Cancelled or PendingCancel", order)


def _in_days(floor: Floor, days: int) -> str:
    """So many days from the gateway's now, as IB writes times of orders in UTC."""
    now = floor.talk.facts.now
    if now is None:
        raise Unsuited("the gateway did not tell its time")
    return f"{now + timedelta(days=days):%Y%m%d-%H:%M:%S}"

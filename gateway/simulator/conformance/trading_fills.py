"""Trading cases: what is told of an order that trades, and what is on record of it afterwards.

The recorded life of a market order (ib.md 1.8): openOrder, orderStatus PreSubmitted, execDetails,
openOrder and orderStatus Filled, openOrder with the commission, commissionReport. IB promises no
order between openOrder, orderStatus and execDetails, and says that orderStatus may come twice or,
for an order that trades at once, not at all; the cases allow that.
"""

from decimal import Decimal

from gateway.simulator import replies as r
from gateway.simulator.conformance.case import Chapter, Kind, Need
from gateway.simulator.conformance.trading_floor import NEAR, SHARE, Floor, trading
from gateway.simulator.conformance.trading_ticket import Ticket, first

chapter = Chapter("trading: fills", Kind.TRADE)
OPEN = Need.OPEN_MARKET
PRICE_STEP = Decimal("0.0001")
WORTH = Decimal("0.05")
"""A fill is believed within so much of the market."""


@trading(chapter, OPEN)
async def a_market_order_is_acknowledged_by_open_order(floor: Floor) -> None:
    """openOrder comes for every order that the gateway took, with what was asked for.

    Source: interactivebrokers.github.io/tws-api/order_submission.html
    """
    order = await floor.bought()
    floor.check(bool(order.opens), "an openOrder", order)
    terms = order.opens[0].terms
    floor.check(
        (terms.action, terms.quantity, terms.order_type, terms.tif) == ("BUY", SHARE, "MKT", "DAY"),
        "openOrder BUY 1 MKT DAY",
        f"{terms.action} {terms.quantity} {terms.order_type} {terms.tif}",
    )


@trading(chapter, OPEN)
async def a_market_order_is_told_filled(floor: Floor) -> None:
    """The end of a fill is told by orderStatus or by openOrder; either alone may be missing.

    Source: interactivebrokers.github.io/tws-api/order_submission.html, "there are not guaranteed
    to be orderStatus callbacks for every change in order status"
    """
    order = await floor.bought()
    floor.check("Filled" in order.states, "status Filled", order)


@trading(chapter, OPEN)
async def a_market_order_is_told_by_its_execution(floor: Floor) -> None:
    """execDetails comes by itself, with request id -1, when an order trades.

    Source: interactivebrokers.github.io/tws-api/executions_commissions.html; ib.md 1.8
    """
    order = await floor.bought()
    told = sum((item.execution.quantity for item in order.executions), Decimal(0))
    floor.check(told >= SHARE, "execDetails of the share", order)


@trading(chapter, OPEN)
async def a_fill_is_preceded_by_its_acknowledgement(floor: Floor) -> None:
    """The first message about an order is openOrder or orderStatus, its execution comes after.

    Source: ib.md 1.8 (recorded). IB does not promise it; a client that books fills by what it
    knows of its orders breaks where it is not so (nautilus_trader #3958)
    """
    order = await floor.bought()
    floor.check(not isinstance(order.told[0], r.ExecutionDetails), "openOrder first", order)


@trading(chapter, OPEN)
async def a_status_never_goes_back(floor: Floor) -> None:
    """After Filled no status of a working order comes, and `filled` never shrinks.

    Source: interactivebrokers.com/php/apiUsersGuide/apiguide/java/orderstatus.htm: statuses may be
    duplicates; nothing says that older ones come later
    """
    order = await floor.bought()
    await floor.quiet()
    filled = [item.filled for item in order.statuses]
    floor.check(filled == sorted(filled), "a filled quantity that only grows", order)
    states = [item.status for item in order.statuses]
    place = first(states, lambda state: state == "Filled")
    after = states[place:] if place >= 0 else []
    floor.check(set(after) <= {"Filled"}, "nothing but Filled after Filled", order)


@trading(chapter, OPEN)
async def every_status_adds_up(floor: Floor) -> None:
    """filled and remaining of each orderStatus add up to the order's quantity.

    Source: interactivebrokers.github.io/tws-api/interfaceIBApi_1_1EWrapper.html, orderStatus
    """
    order = await floor.bought()
    sums = {item.filled + item.remaining for item in order.statuses}
    floor.check(sums <= {SHARE}, "filled and remaining that add up to 1", order)


@trading(chapter, OPEN)
async def one_permanent_id_is_in_every_message(floor: Floor) -> None:
    """permId is the same in openOrder, orderStatus and execDetails, and not 0 once it trades.

    Source: interactivebrokers.com/php/apiUsersGuide/apiguide/java/orderstatus.htm, permId; the
    first openOrder may carry 0 (reliability.md A.8 row 4)
    """
    order = await floor.bought()
    floor.check(len(order.perm_ids) == 1, "one permId", order.perm_ids)
    floor.check(all(item.perm_id for item in order.executions), "a permId in execDetails", order)


@trading(chapter, OPEN)
async def the_order_reference_is_echoed(floor: Floor) -> None:
    """orderRef, the client's own key, comes back in openOrder and in execDetails.

    Source: ib.md 4, row orderRef (recorded); rust-ibapi #220
    """
    order = await floor.bought()
    opened = {item.terms.order_ref for item in order.opens}
    executed = {item.order_ref for item in order.executions}
    ours = {order.terms.order_ref}
    floor.check(opened <= ours and executed <= ours, f"orderRef {ours}", opened | executed)


@trading(chapter, OPEN)
async def executions_sum_up_to_the_order(floor: Floor) -> None:
    """cumQty of the last execution is the order's quantity, avgPrice the mean of all prices.

    Source: interactivebrokers.github.io/tws-api/classIBApi_1_1Execution.html, CumQty, AvgPrice
    """
    order = await floor.bought()
    parts = [item.execution for item in order.executions]
    floor.check(bool(parts), "execDetails", order)
    quantity = sum((part.quantity for part in parts), Decimal(0))
    value = sum((part.quantity * part.price for part in parts), Decimal(0))
    last = max(parts, key=lambda part: part.quantity_cumulative)
    floor.check(quantity == last.quantity_cumulative == SHARE, "cumQty 1", order)
    near = abs(last.price_average - value / quantity) < PRICE_STEP
    floor.check(near, f"avgPrice {value / quantity}", last.price_average)


@trading(chapter, OPEN)
async def the_status_tells_the_prices_of_the_executions(floor: Floor) -> None:
    """avgFillPrice and lastFillPrice of the final orderStatus are those of the executions.

    Source: interactivebrokers.github.io/tws-api/interfaceIBApi_1_1EWrapper.html, orderStatus
    """
    order = await floor.bought()
    final = [item for item in order.statuses if item.status == "Filled"]
    if not final or not order.executions:
        return
    execution = order.executions[-1].execution
    same = abs(final[-1].price_average - execution.price_average) < PRICE_STEP
    floor.check(same, f"avgFillPrice {execution.price_average}", final[-1].price_average)
    same = abs(final[-1].price_last - execution.price) < PRICE_STEP
    floor.check(same, f"lastFillPrice {execution.price}", final[-1].price_last)


@trading(chapter, OPEN)
async def each_execution_is_told_once(floor: Floor) -> None:
    """An execution id comes once; only a correction comes again, with another last group.

    Source: interactivebrokers.github.io/tws-api/executions_commissions.html; ib.md 4, D9
    """
    order = await floor.bought()
    await floor.quiet()
    ids = [item.execution.execution_id for item in order.executions]
    floor.check(len(ids) == len(set(ids)), "each execution id once", order)


@trading(chapter, OPEN)
async def each_execution_has_one_commission(floor: Floor) -> None:
    """A commissionReport comes for each execution and names it by its execution id.

    Source: interactivebrokers.github.io/tws-api/executions_commissions.html
    """
    order = await floor.bought()
    executed = sorted(item.execution.execution_id for item in order.executions)
    paid = sorted(item.execution_id for item in order.commissions)
    floor.check(bool(executed) and executed == paid, "a commissionReport of each execution", order)


@trading(chapter, OPEN)
async def a_commission_follows_its_execution(floor: Floor) -> None:
    """commissionReport comes right after the execDetails it belongs to.

    Source: interactivebrokers.github.io/tws-api/executions_commissions.html, "immediately after a
    trade execution"; a client that hears it before loses it (ib.md 2.1, row 10)
    """
    order = await floor.bought()
    for report in order.commissions:
        about = [
            item
            for item in order.told
            if item is report
            or (
                isinstance(item, r.ExecutionDetails)
                and item.execution.execution_id == report.execution_id
            )
        ]
        floor.check(about[0] is not report, "execDetails, then its commissionReport", order)


@trading(chapter, OPEN)
async def a_commission_is_an_amount_in_a_currency(floor: Floor) -> None:
    """The commission is 0 or more, in the currency of the contract; a rebate is IB's exception.

    Source: interactivebrokers.github.io/tws-api/classIBApi_1_1CommissionReport.html
    """
    order = await floor.bought()
    for report in order.commissions:
        right = 0 <= report.commission < 10 and report.currency == floor.talk.contract.currency
        floor.check(right, "a commission of a few dollars", order)


@trading(chapter, OPEN)
async def an_execution_says_what_was_traded(floor: Floor) -> None:
    """Side BOT, the account, the contract's conId, an exchange, and a price near the market.

    Source: interactivebrokers.github.io/tws-api/classIBApi_1_1Execution.html
    """
    market = await floor.price()
    order = await floor.bought()
    for item in order.executions:
        execution = item.execution
        right = (
            execution.side == "BOT"
            and item.account == floor.talk.account
            and item.contract.con_id == floor.talk.contract.con_id
            and bool(item.contract.exchange)
            and abs(execution.price / market - 1) < WORTH
        )
        floor.check(right, "BOT, our account and contract, an exchange, about the market", order)


@trading(chapter, OPEN)
async def an_execution_is_of_this_moment(floor: Floor) -> None:
    """The execution's time, with its zone, is that of the gateway's clock.

    Source: interactivebrokers.github.io/tws-api/classIBApi_1_1Execution.html, Time; a zone that a
    client does not know loses it the fill (ib.md 1.2)
    """
    order = await floor.bought()
    strange = [item.trouble for item in floor.client.heard[order.begin :] if item.trouble]
    floor.check(not strange, "a time that can be read", "; ".join(strange))
    now = floor.talk.facts.now
    for item in order.executions:
        late = 0.0 if now is None else (item.execution.time - now).total_seconds()
        floor.check(-120 < late < 86_400, "the time of this moment", item.execution.time)


@trading(chapter, OPEN)
async def executions_asked_again_are_the_same(floor: Floor) -> None:
    """reqExecutions tells the same ids, quantities, prices and commissions as were told live.

    Source: interactivebrokers.github.io/tws-api/executions_commissions.html
    """
    order = await floor.bought()
    live = {item.execution.execution_id: item.execution for item in order.executions}
    asked = await floor.executions(symbol=floor.talk.contract.symbol)
    told = {
        item.execution.execution_id: item.execution
        for item in asked.of("ExecutionDetails").replies
        if item.order_ref == order.terms.order_ref
    }
    floor.check(bool(told) and told.keys() == live.keys(), "the same execution ids", asked)
    for name, execution in live.items():
        again = told[name]
        same = (again.quantity, again.price, again.side, again.time) == (
            execution.quantity,
            execution.price,
            execution.side,
            execution.time,
        )
        floor.check(same, str(execution), str(again))
    paid = {item.execution_id for item in asked.of("CommissionReport").replies}
    floor.check(live.keys() <= paid, "a commissionReport with each of them", asked)


@trading(chapter, OPEN)
async def executions_are_found_by_side_and_symbol(floor: Floor) -> None:
    """The filter of reqExecutions leaves out what does not fit.

    Source: interactivebrokers.github.io/tws-api/classIBApi_1_1ExecutionFilter.html
    """
    order = await floor.bought()
    symbol = floor.talk.contract.symbol
    found = await floor.executions(symbol=symbol, side="BUY", security_type="STK")
    refs = [item.order_ref for item in found.of("ExecutionDetails").replies]
    floor.check(order.terms.order_ref in refs, "the purchase among the purchases", found)
    for wanted in ({"side": "SELL"}, {"symbol": "IBM"}):
        found = await floor.executions(**wanted)
        refs = [item.order_ref for item in found.of("ExecutionDetails").replies]
        floor.check(order.terms.order_ref not in refs, f"no such one with {wanted}", found)


@trading(chapter, OPEN)
async def a_filled_order_is_among_the_completed(floor: Floor) -> None:
    """reqCompletedOrders lists it with its permId, its orderRef and what was filled.

    Source: ib.md 1.7 (recorded): neither orderId nor clientId, a total quantity of 0
    """
    order = await floor.bought()
    found = await completed(floor, order)
    floor.check(bool(found), f"completedOrder of {order.terms.order_ref}", "none of it")
    right = (found[-1].status, found[-1].filled) == ("Filled", SHARE)
    floor.check(right, "Filled, 1", f"{found[-1].status}, {found[-1].filled}")
    floor.check(
        found[-1].perm_id == floor.opened(order).perm_id,
        f"permId {floor.opened(order).perm_id}",
        found[-1].perm_id,
    )


@trading(chapter, OPEN)
async def a_filled_order_is_not_open(floor: Floor) -> None:
    """reqOpenOrders and reqAllOpenOrders do not list an order that is filled.

    Source: interactivebrokers.github.io/tws-api/open_orders.html
    """
    order = await floor.bought()
    listed = await floor.is_open(order) or await floor.is_open(order, everybody=True)
    floor.check(not listed, "no open order", "it is listed")


@trading(chapter, OPEN)
async def a_filled_order_cannot_be_changed(floor: Floor) -> None:
    """placeOrder with the id of a filled order is refused with 104, or with 103 as a duplicate.

    Source: interactivebrokers.github.io/tws-api/message_codes.html, 103 and 104
    """
    order = await floor.bought()
    since = await floor.change(order, order_type="LMT", limit_price=await floor.below())
    await floor.refused(order, 103, 104, since=since)
    floor.check(order.shares == SHARE, "one share traded", order)


@trading(chapter, OPEN)
async def a_filled_order_cannot_be_cancelled(floor: Floor) -> None:
    """A cancel that comes too late is answered with 10148, 161, or 10147 once it is forgotten.

    Source: ib_insync #656 (10148 at first, 10147 later); message_codes.html, 161; 135
    """
    order = await floor.bought()
    since = await floor.cancel(order)
    await floor.refused(order, 10148, 161, 10147, 135, since=since)


@trading(chapter, OPEN)
async def a_marketable_limit_trades_at_its_price_or_better(floor: Floor) -> None:
    """A limit order to buy above the market trades at once and never above its limit.

    Source: interactivebrokers.com, order type Limit
    """
    limit = await floor.above(NEAR)
    order = await floor.bought(order_type="LMT", limit_price=limit)
    prices = [item.execution.price for item in order.executions]
    floor.check(bool(prices) and max(prices) <= limit, f"a price up to {limit}", order)


@trading(chapter, OPEN)
async def a_limit_made_marketable_fills(floor: Floor) -> None:
    """A resting order whose limit is moved through the market trades, under the same permId.

    Source: interactivebrokers.github.io/tws-api/modifying_orders.html
    """
    order = await floor.rested()
    perm_ids = order.perm_ids
    await floor.change(order, limit_price=await floor.above(NEAR))
    await floor.fills(order)
    floor.check(order.perm_ids == perm_ids, f"permId {perm_ids}", order.perm_ids)


@trading(chapter, OPEN)
async def an_immediate_order_that_can_trade_fills(floor: Floor) -> None:
    """IOC with a limit through the market trades like any other.

    Source: interactivebrokers.com, time in force IOC
    """
    limit = await floor.above(NEAR)
    order = await floor.bought(order_type="LMT", limit_price=limit, tif="IOC")
    floor.check("Cancelled" not in order.states, "no cancel", order)


@trading(chapter, OPEN)
async def an_immediate_order_that_cannot_trade_ends(floor: Floor) -> None:
    """What an IOC order cannot trade at once is cancelled, without an execution.

    Source: interactivebrokers.com, time in force IOC; status Cancelled and error 202 (ib.md 1.8)
    """
    order = await floor.rest(tif="IOC")
    await floor.ends(order)
    floor.check("Cancelled" in order.states and not order.shares, "Cancelled, no fill", order)


async def completed(floor: Floor, order: Ticket) -> list[r.CompletedOrder]:
    """What reqCompletedOrders says of an order, which it names by its orderRef."""
    rows = (await floor.completed()).of("CompletedOrder").replies
    return [item for item in rows if item.terms.order_ref == order.terms.order_ref]

"""Trading cases: orders and executions over connections, and between clients."""

from gateway.simulator import requests as q
from gateway.simulator.conformance.case import Chapter, Kind, Need, Unsuited
from gateway.simulator.conformance.trading_floor import NEAR, Floor, trading

chapter = Chapter("trading: connections and clients", Kind.TRADE)
OPEN = Need.OPEN_MARKET


@trading(chapter, OPEN)
async def an_order_outlives_its_connection(floor: Floor) -> None:
    """After a reconnect reqOpenOrders tells the order, with its orderId, permId and orderRef.

    Source: interactivebrokers.github.io/tws-api/open_orders.html; ib.md 4, row After reconnect
    """
    here = await floor.join()
    order = await here.rested()
    perm_id = here.opened(order).perm_id
    again = await here.leave_and_return(order)
    listed = await again.open_orders()
    found = [item.reply for item in listed if item.reply.terms.order_ref == order.terms.order_ref]
    floor.check(len(found) == 1, "the order among reqOpenOrders", listed)
    told = (found[0].order_id, found[0].perm_id, found[0].client_id)
    wanted = (order.order_id, perm_id, again.client.client_id)
    floor.check(told == wanted, f"orderId, permId, clientId {wanted}", told)


@trading(chapter, OPEN)
async def an_order_can_be_cancelled_after_a_reconnect(floor: Floor) -> None:
    """The same client id owns its orders over connections.

    Source: interactivebrokers.github.io/tws-api/open_orders.html
    """
    here = await floor.join()
    order = await here.rested()
    again = await here.leave_and_return(order)
    await again.cancel(order)
    await again.wait(lambda: "Cancelled" in order.states)
    floor.check("Cancelled" in order.states, "status Cancelled", order)


@trading(chapter, OPEN)
async def an_order_can_be_changed_after_a_reconnect(floor: Floor) -> None:
    """A change under the old order id reaches the order, which trades then.

    Source: interactivebrokers.github.io/tws-api/modifying_orders.html: same client id
    """
    here = await floor.join()
    order = await here.rested()
    again = await here.leave_and_return(order)
    await again.change(order, limit_price=await again.above(NEAR))
    await again.fills(order)
    floor.check(order.is_filled, "a fill", order)


@trading(chapter, OPEN)
async def order_ids_go_on_after_a_reconnect(floor: Floor) -> None:
    """nextValidId of the new connection is above every id that was used.

    Source: interactivebrokers.github.io/tws-api/order_submission.html. After a restart of the
    gateway it was seen to be lower (ib.md 4, F7), which is a difference
    """
    here = await floor.join()
    order = await here.rested()
    again = await here.leave_and_return(order)
    told = again.client.next_order_id
    floor.check(told > order.order_id, f"an id above {order.order_id}", told)


@trading(chapter, OPEN)
async def executions_are_told_after_a_reconnect(floor: Floor) -> None:
    """reqExecutions tells today's executions of the client id, with the orderRef.

    Source: interactivebrokers.github.io/tws-api/executions_commissions.html; ib.md 4, D7
    """
    here = await floor.join()
    order = await here.bought()
    ids = {item.execution.execution_id for item in order.executions}
    again = await here.leave_and_return(order)
    asked = await again.executions(symbol=floor.talk.contract.symbol)
    told = {
        item.execution.execution_id
        for item in asked.of("ExecutionDetails").replies
        if item.order_ref == order.terms.order_ref
    }
    floor.check(bool(told) and ids <= told, "the executions of before", asked)


@trading(chapter, OPEN)
async def another_clients_order_is_seen_by_all(floor: Floor) -> None:
    """reqAllOpenOrders shows an order of another client, reqOpenOrders does not.

    Source: interactivebrokers.github.io/tws-api/open_orders.html
    """
    order = await floor.rested()
    other = await floor.join()
    listed = await other.is_open(order, everybody=True)
    floor.check(listed, "it among reqAllOpenOrders", "it is not listed")
    floor.check(not await other.is_open(order), "only own orders", "it is listed")


@trading(chapter, OPEN)
async def another_clients_order_cannot_be_cancelled(floor: Floor) -> None:
    """A cancel with another client's order id is answered with 10147, and the order works on.

    Source: ib.md 2.1, row 19; interactivebrokers.github.io/tws-api/cancel_order.html: the client
    that placed an order can cancel it
    """
    other = await floor.join()
    floor.skip_to(other.client.next_order_id)  # an id that the other client never used
    order = await floor.rested()
    since = other.client.mark()
    await other.client.say(q.CancelOrder(order.order_id))

    def codes() -> list[int]:
        return [item.code for item in other.client.heard[since:] if item.id == order.order_id]

    await other.wait(lambda: bool({10147, 135} & set(codes())))
    floor.check(bool({10147, 135} & set(codes())), "error 10147", f"errors {codes()}")
    floor.check(await floor.is_open(order), "the order still open", order)


@trading(chapter, OPEN)
async def another_client_hears_nothing_of_an_order(floor: Floor) -> None:
    """Statuses and executions go to the client that placed the order (and the master client).

    Source: interactivebrokers.github.io/tws-api/open_orders.html, master client
    """
    other = await floor.join()
    since = other.client.mark()
    order = await floor.bought()
    await other.quiet()
    told = [
        item
        for item in other.client.heard[since:]
        if item.kind in {"OpenOrder", "OrderStatus", "ExecutionDetails"}
    ]
    floor.check(not told, "nothing of another client's order", told)
    floor.check(order.is_filled, "a fill", order)


@trading(chapter, OPEN)
async def a_global_cancel_cancels_all(floor: Floor) -> None:
    """reqGlobalCancel cancels every working order of the account, of all clients.

    It is sent only where every working order of the account is this case's own: it would cancel
    a person's orders, too. On an account with others it is skipped.

    Source: interactivebrokers.github.io/tws-api/cancel_order.html, reqGlobalCancel
    """
    if len(await floor.open_orders(everybody=True)):
        raise Unsuited("orders of others are open in this account; they would be cancelled, too")
    other = await floor.join()
    mine, theirs = await floor.rested(), await other.rested()
    own = {mine.terms.order_ref, theirs.terms.order_ref}
    working = await floor.open_orders(everybody=True)
    if {item.reply.terms.order_ref for item in working} != own:
        raise Unsuited("orders of others are open in this account; they would be cancelled, too")
    await floor.client.say(q.GlobalCancel())
    await floor.wait(lambda: "Cancelled" in mine.states)
    await other.wait(lambda: "Cancelled" in theirs.states)
    for order in (mine, theirs):
        floor.check("Cancelled" in order.states, "status Cancelled", order)

"""Trading cases: brackets and one-cancels-all groups, each order for one share.

A purchase is bracketed by a limit to sell above the market and a stop to sell below it. What trades
in these cases is moved through the market by a change of its limit; a child that its parent woke is
changed without its parentId, for the parent is gone by then (ib_insync #647).
"""

from collections.abc import Sequence

from gateway.simulator.conformance.case import Chapter, Kind, Need
from gateway.simulator.conformance.trading_floor import CENT, NEAR, Floor, share, trading
from gateway.simulator.conformance.trading_ticket import ENDED, Ticket

chapter = Chapter("trading: brackets and groups", Kind.TRADE)
OPEN = Need.OPEN_MARKET


async def bracket(floor: Floor, **entry: object) -> tuple[Ticket, Ticket, Ticket]:
    """A parent that rests (unless it is told otherwise), the profit taker, and the stop loss."""
    limit = {"order_type": "LMT", "limit_price": await floor.below()}
    parent = await floor.place(share(**({**limit, "transmit": False} | entry)))
    target, stop = await floor.above(), await floor.below()
    child = {"action": "SELL", "parent_id": parent.order_id}
    profit = share(order_type="LMT", limit_price=target, transmit=False, **child)
    loss = share(order_type="STP", aux_price=stop, **child)
    return parent, await floor.place(profit), await floor.place(loss)


async def group(floor: Floor, oca_type: int) -> tuple[Ticket, Ticket]:
    """Two resting purchases of one OCA group; when one trades, the other goes."""
    name = floor.talk.order_ref(f"oca-{floor.client.next_order_id}")
    other = {"ocaGroup": name, "ocaType": str(oca_type)}
    first = await floor.rested(other=other)
    lower = await floor.below() - CENT
    second = await floor.rested(other=other, limit_price=lower)
    return first, second


async def gone(floor: Floor, orders: Sequence[Ticket]) -> None:
    """These orders are told to be over, and none of them is open or traded."""
    await floor.wait(lambda: all(ENDED & set(item.states) for item in orders))
    for order in orders:
        floor.check("Cancelled" in order.states, "status Cancelled", order)
        floor.check(not order.shares, "no fill", order)
        floor.check(not await floor.is_open(order), "no open order", order)


@trading(chapter, OPEN)
async def children_wait_for_their_parent(floor: Floor) -> None:
    """While the parent rests, Submitted, its children are PreSubmitted and trade nothing.

    Source: interactivebrokers.github.io/tws-api/bracket_order.html; orderstatus.htm, PreSubmitted
    """
    parent, *children = await bracket(floor)
    await floor.works(parent, "Submitted")
    for child in children:
        await floor.works(child, "PreSubmitted")
    await floor.quiet()
    for child in children:
        floor.check(set(child.states) == {"PreSubmitted"}, "PreSubmitted", child)
        floor.check(await floor.is_open(child), "an open order", child)


@trading(chapter, OPEN)
async def children_name_their_parent(floor: Floor) -> None:
    """openOrder or orderStatus of a child tells the parent's order id.

    Source: interactivebrokers.github.io/tws-api/interfaceIBApi_1_1EWrapper.html, orderStatus,
    parentId
    """
    parent, *children = await bracket(floor)
    for child in children:
        await floor.works(child)
        told = {item.terms.parent_id for item in child.opens}
        told |= {item.parent_id for item in child.statuses}
        floor.check(parent.order_id in told, f"parentId {parent.order_id}", child)


@trading(chapter, OPEN)
async def children_wake_when_their_parent_fills(floor: Floor) -> None:
    """Once the parent traded, the profit taker is Submitted; the stop loss waits for its price.

    Source: interactivebrokers.github.io/tws-api/bracket_order.html, attached orders
    """
    parent, profit, loss = await bracket(floor, order_type="MKT", limit_price=None)
    await floor.fills(parent)
    await floor.works(profit, "Submitted")
    await floor.quiet()
    floor.check(loss.state == "PreSubmitted" and not loss.shares, "a stop that waits", loss)


@trading(chapter, OPEN)
async def a_child_that_fills_cancels_its_sibling(floor: Floor) -> None:
    """When the profit taker traded, the stop loss is cancelled: children are one OCA group.

    Source: interactivebrokers.github.io/tws-api/bracket_order.html
    """
    parent, profit, loss = await bracket(floor, order_type="MKT", limit_price=None)
    await floor.fills(parent)
    await floor.works(profit, "Submitted")
    await floor.change(profit, limit_price=await floor.below(NEAR), parent_id=0, transmit=True)
    await floor.fills(profit)
    await gone(floor, [loss])


@trading(chapter, OPEN)
async def a_cancelled_parent_takes_its_children_along(floor: Floor) -> None:
    """Cancelling the parent cancels the whole bracket.

    Source: node-ib #156; ib_insync #636
    """
    parent, *children = await bracket(floor)
    await floor.works(parent, "Submitted")
    await floor.cancel(parent)
    await gone(floor, [parent, *children])


@trading(chapter, OPEN)
async def an_order_that_is_not_transmitted_does_not_trade(floor: Floor) -> None:
    """With transmit off the gateway keeps the order to itself, however marketable it is.

    Source: interactivebrokers.github.io/tws-api/bracket_order.html: TWS receives the order but
    does not send it to the servers
    """
    limit = await floor.above(NEAR)
    order = await floor.buy(order_type="LMT", limit_price=limit, transmit=False)
    await floor.quiet(3.0)
    floor.check(not order.shares, "no fill", order)
    floor.check("Submitted" not in order.states, "no order at the exchange", order)
    await floor.cancel(order)
    await floor.quiet()


@trading(chapter, OPEN)
async def the_last_child_transmits_the_family(floor: Floor) -> None:
    """The order with transmit on sends its parent and its siblings, too.

    Source: interactivebrokers.github.io/tws-api/bracket_order.html
    """
    parent, *children = await bracket(floor)
    for order in (parent, *children):
        await floor.works(order)
        listed = await floor.is_open(order, everybody=True)
        floor.check(listed, "an open order", order)


@trading(chapter, OPEN)
async def a_group_is_echoed(floor: Floor) -> None:
    """openOrder tells the name of the OCA group.

    Source: interactivebrokers.github.io/tws-api/oca.html
    """
    first, second = await group(floor, 1)
    for order in (first, second):
        told = floor.opened(order).terms.other.get("ocaGroup", "")
        floor.check(told == order.terms.other["ocaGroup"], "its ocaGroup", told)


@trading(chapter, OPEN)
async def a_fill_cancels_its_group_with_block(floor: Floor) -> None:
    """ocaType 1: when one order of the group traded, the others are cancelled.

    Source: interactivebrokers.github.io/tws-api/oca.html, 1 = cancel with block
    """
    await one_cancels_all(floor, 1)


@trading(chapter, OPEN)
async def a_fill_uses_up_its_group_with_block(floor: Floor) -> None:
    """ocaType 2: the others are reduced by what was filled, here to nothing.

    Source: interactivebrokers.github.io/tws-api/oca.html, 2 = reduce with block
    """
    await one_cancels_all(floor, 2)


@trading(chapter, OPEN)
async def a_fill_uses_up_its_group_without_block(floor: Floor) -> None:
    """ocaType 3: the others are reduced by what was filled, here to nothing, without a block.

    Source: interactivebrokers.github.io/tws-api/oca.html, 3 = reduce without block
    """
    await one_cancels_all(floor, 3)


async def one_cancels_all(floor: Floor, oca_type: int) -> None:
    """One order of a group is moved through the market and trades; the other one is gone."""
    first, second = await group(floor, oca_type)
    await floor.change(first, limit_price=await floor.above(NEAR))
    await floor.fills(first)
    await gone(floor, [second])

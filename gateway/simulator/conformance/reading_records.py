"""Cases about what was traded and what is working: asked for, never changed."""

from gateway.simulator import requests as q
from gateway.simulator.conformance.case import Chapter, Need
from gateway.simulator.conformance.reading_contracts import UNKNOWN_SYMBOL
from gateway.simulator.conformance.talk import Messages, Talk

CHAPTER = Chapter("records")
FINAL = {"Filled", "Cancelled", "ApiCancelled", "Inactive"}
ONLY_CLIENT_0 = 327


def _executions(talk: Talk, **changes: str) -> q.ExecutionsRequest:
    usual = {"time": "", "symbol": "", "security_type": "", "exchange": "", "side": ""}
    return q.ExecutionsRequest(talk.new_id(), 0, talk.account, **(usual | changes))


@CHAPTER.case()
async def executions_come_before_their_end(talk: Talk) -> None:
    """Each execution of today with the request's id, its commission, and then the end, once.

    Source: TWS API, executions_commissions.
    """
    heard = await talk.ask(_executions(talk), end="ExecutionDetailsEnd")
    later = await talk.after(heard, 1)
    talk.check(not later, "nothing after the end", later)
    ids = [item.reply.execution.execution_id for item in heard.of("ExecutionDetails")]
    talk.check(len(set(ids)) == len(ids), "each execution once", "twice")


@CHAPTER.case()
async def executions_of_an_unknown_symbol_are_the_end_alone(talk: Talk) -> None:
    """A filter that nothing fits leaves the end, and no error.

    Source: TWS API, executions_commissions (ExecutionFilter).
    """
    heard = await talk.ask(_executions(talk, symbol=UNKNOWN_SYMBOL), end="ExecutionDetailsEnd")
    talk.check(heard.kinds == ["ExecutionDetailsEnd"], "the end alone", heard)


@CHAPTER.case()
async def executions_after_a_time_are_not_older(talk: Talk) -> None:
    """The filter's time leaves out what happened before it.

    Source: TWS API, ExecutionFilter::Time (yyyymmdd-hh:mm:ss is UTC).
    """
    now = talk.facts.now
    stamp = f"{now:%Y%m%d}-23:59:59" if now else "20991231-23:59:59"
    heard = await talk.ask(_executions(talk, time=stamp), end="ExecutionDetailsEnd")
    talk.check(heard.kinds == ["ExecutionDetailsEnd"], "the end alone", heard)


@CHAPTER.case()
async def executions_of_one_side_are_of_that_side(talk: Talk) -> None:
    """The filter's side is BUY or SELL; executions say BOT or SLD.

    Source: TWS API, ExecutionFilter::Side, Execution::Side.
    """
    heard = await talk.ask(_executions(talk, side="SELL"), end="ExecutionDetailsEnd")
    sides = {item.reply.execution.side for item in heard.of("ExecutionDetails")}
    talk.check(sides <= {"SLD"}, "sales alone", sorted(sides))


@CHAPTER.case(Need.ORDERS)
async def open_orders_come_before_their_end(talk: Talk) -> None:
    """openOrder and orderStatus per working order of this client, then openOrderEnd.

    Source: TWS API, open_orders.
    """
    heard = await talk.ask(q.OpenOrdersRequest(), end="OpenOrderEnd")
    owners = {order.client_id for order in heard.of("OpenOrder").replies}
    talk.check(owners <= {talk.setting.client_id}, "this client's orders alone", sorted(owners))


@CHAPTER.case(Need.ORDERS)
async def open_orders_of_all_clients_come_before_their_end(talk: Talk) -> None:
    """reqAllOpenOrders tells the working orders of every client, each with a permId.

    Source: TWS API, open_orders.
    """
    heard = await talk.ask(q.AllOpenOrdersRequest(), end="OpenOrderEnd")
    orders = heard.of("OpenOrder").replies
    talk.check(all(order.perm_id for order in orders), "orders with a permId", "one without")
    ended = {order.state.status for order in orders} & FINAL
    talk.check(not ended, "working orders alone", sorted(ended))


@CHAPTER.case(Need.ORDERS)
async def a_new_client_has_no_open_orders(talk: Talk) -> None:
    """Orders belong to the client id that placed them.

    Source: TWS API, open_orders; design/ib.md 4, D5.
    """
    other = await talk.connect(talk.setting.client_id + 9)
    await other.say(q.OpenOrdersRequest())
    with talk.expecting("openOrderEnd"):
        heard = Messages(await other.gather(lambda item: item.kind == "OpenOrderEnd"))
    talk.check(not heard.of("OpenOrder"), "the end alone", heard)


@CHAPTER.case(Need.ORDERS)
async def completed_orders_come_before_their_end(talk: Talk) -> None:
    """The orders of today that are over, with their permId and a final status.

    Source: TWS API, open_orders (completed orders); design/ib.md 1.7.
    """
    heard = await talk.ask(q.CompletedOrdersRequest(False), end="CompletedOrdersEnd")
    orders = heard.of("CompletedOrder").replies
    talk.check(all(order.perm_id for order in orders), "orders with a permId", "one without")
    working = {order.status for order in orders} - FINAL
    talk.check(not working, "orders that are over", sorted(working))


@CHAPTER.case(Need.ORDERS)
async def only_client_0_may_ask_for_orders_by_hand(talk: Talk) -> None:
    """reqAutoOpenOrders of another client is an error without an id.

    Source: TWS API, open_orders (only client 0); message_codes 327.
    """
    since = await talk.tell(q.AutoOpenOrdersRequest(True))
    with talk.expecting("error 327"):
        await talk.client.until(lambda item: item.code == ONLY_CLIENT_0, since=since)

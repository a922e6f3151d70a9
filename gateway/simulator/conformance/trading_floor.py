"""Where the trading cases trade: orders of one share, and what is told of them.

A case gets a `Floor` and says what it wants in the words of a trader. What it leaves behind, the
sweep cleans up (`sweep`): every order has a reference of ours. Prices are so near the market that
no order precaution of TWS stops them, and so far from it that an order that shall rest does not
trade.
"""

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from decimal import ROUND_FLOOR, Decimal
from types import MappingProxyType
from typing import Any

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.conformance.case import Body, Chapter, Differs, Need, Unsuited
from gateway.simulator.conformance.client import Client, Ended, Silence, Test
from gateway.simulator.conformance.hearing import Heard
from gateway.simulator.conformance.talk import NO_DATA, Messages, Talk
from gateway.simulator.conformance.trading_ticket import Ticket, words
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import OrderTerms

PATIENCE_SECONDS = 15.0
"""How long a gateway may take for what it owes at once."""
QUIET_SECONDS = 1.5
"""How long a case listens for what must not come."""
POSITION_TRIES = 5
ACCOUNT_SECONDS = 200.0
"""Account values come when they change, and else every three minutes (ib.md 4, D11)."""
CASE_SECONDS_MAX = 240.0
SHARE = Decimal(1)
CENT = Decimal("0.01")
FAR = Decimal("0.025")
"""So far from the market rests what shall not trade. TWS stops prices 3 % away by its presets."""
NEAR = Decimal("0.01")
"""So far through the market is what shall trade at once."""
PRECAUTIONS = frozenset({109, 382, 383, 451})
"""TWS itself stopped the order, by what its owner set under Presets: nothing that IB decides."""
BID_ASK_LAST, CLOSE = frozenset({1, 2, 4, 66, 67, 68}), frozenset({9, 75})
"""Tick types that carry a price, live and delayed."""
DELAYED = 3
ID_TRIES, ID_FREE_SECONDS = 4, 3.0
"""A gateway may need a moment until a client id that hung up is free again (ib.md 4, F10)."""


@dataclass(slots=True)
class Floor:
    """One client's view of a case: its orders, and what it can ask."""

    talk: Talk
    client: Client
    tickets: list[Ticket] = field(default_factory=list)
    """The orders of this case, of all its connections."""
    _next_id: int = 0
    _price: Decimal | None = None

    # ------------------------------------------------------------------ orders

    async def place(self, terms: OrderTerms, contract: Contract | None = None) -> Ticket:
        """Send a new order: the account and an orderRef of ours are filled in where empty."""
        order_id = self.new_id()
        ref = self.talk.order_ref(f"{self.client.client_id}-{order_id}")
        terms = replace(
            terms, account=terms.account or self.talk.account, order_ref=terms.order_ref or ref
        )
        return await self.send(Ticket(self.client, order_id, contract or self.talk.contract, terms))

    async def send(self, ticket: Ticket) -> Ticket:
        """Send an order under the id that its ticket has."""
        ticket.begin = self.client.mark()
        self.tickets.append(ticket)
        await self.client.say(q.PlaceOrder(ticket.order_id, ticket.contract, ticket.terms))
        return ticket

    async def change(self, ticket: Ticket, **changes: Any) -> int:
        """Send an order again with other terms; returns the place in the talk where that was."""
        since = len(ticket.told)
        ticket.terms = replace(ticket.terms, **changes)
        await self.client.say(q.PlaceOrder(ticket.order_id, ticket.contract, ticket.terms))
        return since

    async def cancel(self, ticket: Ticket) -> int:
        """Ask for a cancel; returns the place in what was told of the order where that was."""
        since = len(ticket.told)
        await self.client.say(q.CancelOrder(ticket.order_id))
        return since

    async def buy(self, **terms: Any) -> Ticket:
        """A market order for one share, by default, good for the day."""
        return await self.place(share(**terms))

    async def rest(self, **terms: Any) -> Ticket:
        """A limit order to buy a share, so far below the market that it rests."""
        limit = {"order_type": "LMT", "limit_price": await self.below()}
        return await self.place(share(**(limit | terms)))

    async def rested(self, **terms: Any) -> Ticket:
        """The same, once the gateway says that it works. Unsuited when TWS itself stopped it."""
        ticket = await self.rest(**terms)
        await self.works(ticket)
        return ticket

    async def bought(self, **terms: Any) -> Ticket:
        """A share bought at the market, once all was told of it that belongs to a fill."""
        ticket = await self.buy(**terms)
        await self.fills(ticket)
        return ticket

    def new_id(self) -> int:
        """An order id above all that this client used."""
        self._next_id = max(self._next_id + 1, self.client.next_order_id)
        return self._next_id

    def skip_to(self, order_id: int) -> None:
        """The next order gets this id, or a higher one."""
        self._next_id = max(self._next_id, order_id - 1)

    def unsent(self) -> Ticket:
        """A new id, and no order that has it."""
        return Ticket(self.client, self.new_id(), self.talk.contract, share(), self.client.mark())

    # ------------------------------------------------------------------ waiting

    async def wait(self, is_so: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
        """Whether it came to be so in time; what is heard is looked at message by message."""
        if is_so():
            return True
        try:
            await self.client.until(lambda _: is_so(), since=self.client.mark(), seconds=seconds)
        except Silence:
            return is_so()
        except Ended as ended:
            raise Differs("a connection that lives", str(ended)) from None
        return True

    async def works(self, ticket: Ticket, *states: str) -> None:
        """Wait until an order is told to work. Raises Differs, Unsuited."""
        wanted = set(states or ("Submitted", "PreSubmitted"))
        await self.wait(lambda: bool(wanted & set(ticket.states) or ticket.refusals))
        stopped = PRECAUTIONS & set(ticket.refusals)
        if stopped:
            raise Unsuited(f"error {min(stopped)}: the precautions of this TWS stop the order")
        self.check(
            bool(wanted & set(ticket.states)), f"status {' or '.join(sorted(wanted))}", ticket
        )

    async def fills(self, ticket: Ticket) -> None:
        """Wait until a fill is told, and for what belongs to it. Raises Differs if none is told."""
        await self.wait(lambda: ticket.is_told_whole or bool(ticket.refusals))
        if not ticket.is_filled:
            await self.wait(lambda: ticket.is_told_whole, 1.0)
        self.check(ticket.is_filled, "the fill of the order", ticket)

    async def ends(self, ticket: Ticket, since: int = 0) -> None:
        """Wait until an order is over."""
        await self.wait(lambda: ticket.has_ended)
        self.check(ticket.has_ended, "the end of the order", ticket.told[since:])

    async def refused(self, ticket: Ticket, *codes: int, since: int = 0) -> int:
        """Wait for an error with one of these codes; none given means any. Returns the code."""

        def refusals() -> list[int]:
            said = [item.code for item in ticket.told[since:] if isinstance(item, r.Notice)]
            return [code for code in said if code in (codes or ticket.refusals)]

        await self.wait(lambda: bool(refusals()))
        wanted = " or ".join(map(str, codes)) or "that refuses the order"
        self.check(bool(refusals()), f"error {wanted}", ticket.told[since:])
        return refusals()[0]

    async def quiet(self, seconds: float = QUIET_SECONDS) -> Messages:
        """What comes in a while in which nothing must come."""
        return Messages(await self.client.listen(seconds))

    def check(self, is_right: bool, expected: str, heard: object) -> None:
        """Raises Differs unless it is right; of a ticket, what was told of it is named."""
        if isinstance(heard, Ticket):
            heard = heard.told
        if isinstance(heard, list):
            heard = "; ".join(words(item) for item in heard) or "nothing"
        self.talk.check(is_right, expected, heard)

    def opened(self, ticket: Ticket) -> r.OpenOrder:
        """The newest openOrder of an order. Raises Differs when there was none."""
        self.check(bool(ticket.opens), "an openOrder", ticket)
        return ticket.opens[-1]

    # ------------------------------------------------------------------ asking

    async def price(self) -> Decimal:
        """About where the market is. Raises Unsuited without any price of it."""
        if self._price is None:
            self._price = await self._ask_price()
        return self._price

    async def below(self, by: Decimal = FAR) -> Decimal:
        """A price so far below the market, on the cent; above it for a negative `by`."""
        price = await self.price() * (1 - by)
        return price.quantize(CENT, ROUND_FLOOR)

    async def above(self, by: Decimal = FAR) -> Decimal:
        """A price so far above the market, on the cent."""
        return await self.below(-by)

    async def open_orders(self, *, everybody: bool = False) -> Messages:
        """openOrder messages of this client's working orders, or everybody's."""
        request = q.AllOpenOrdersRequest() if everybody else q.OpenOrdersRequest()
        return (await self._ask(request, None, "OpenOrderEnd")).of("OpenOrder")

    async def is_open(self, ticket: Ticket, *, everybody: bool = False) -> bool:
        """Whether the gateway lists an order among the working ones."""
        listed = await self.open_orders(everybody=everybody)
        return any(_names(item.reply, ticket) for item in listed)

    async def executions(self, **wanted: Any) -> Messages:
        """execDetails and commissionReport messages that reqExecutions tells, by its filter."""
        names = ("account", "time", "symbol", "security_type", "exchange", "side")
        blank: dict[str, Any] = {"client_id": 0, **dict.fromkeys(names, "")}
        request = q.ExecutionsRequest(self.talk.new_id(), **(blank | wanted))
        id_ = request.request_id
        return await self._ask(request, id_, "ExecutionDetailsEnd")

    async def position(self) -> Decimal:
        """How many shares of the contract the account holds."""
        rows = (await self._ask(q.PositionsRequest(), None, "PositionEnd")).of("Position").replies
        await self.client.say(q.PositionsCancel())
        mine = [
            row.position
            for row in rows
            if row.account == self.talk.account and row.contract.con_id == self.talk.contract.con_id
        ]
        return mine[-1] if mine else Decimal(0)

    async def position_of(self, wanted: Decimal) -> Decimal:
        """The position, asked again for a while until it is the wanted one."""
        held = await self.position()
        for _ in range(POSITION_TRIES):
            if held == wanted:
                break
            await self.quiet()
            held = await self.position()
        return held

    async def account_updates(self, last: Test) -> Messages:
        """What reqAccountUpdates tells up to a message; the subscription is ended then."""
        since = self.client.mark()
        await self.client.say(q.AccountUpdatesRequest(True, self.talk.account))
        with self.talk.expecting("the account updates"):
            heard = await self.client.gather(last, since=since, seconds=ACCOUNT_SECONDS)
        await self.client.say(q.AccountUpdatesRequest(False, self.talk.account))
        return Messages(heard)

    async def completed(self) -> Messages:
        """What reqCompletedOrders tells of the orders of today."""
        return await self._ask(q.CompletedOrdersRequest(api_only=False), None, "CompletedOrdersEnd")

    async def next_valid_id(self) -> int:
        """What reqIds answers."""
        heard = await self._ask(q.NextIdRequest(1), None, "NextValidId")
        answer: int = heard[-1].reply.order_id
        return answer

    # ------------------------------------------------------------------ other connections

    async def join(self, client_id: int | None = None) -> "Floor":
        """The floor of another client, or of one that comes again under its id."""
        for left in reversed(range(ID_TRIES)):
            try:
                client = await self.talk.connect(client_id)
                return Floor(self.talk, client, self.tickets, _price=self._price)
            except Differs:
                if client_id is None or not left:
                    raise
                await asyncio.sleep(ID_FREE_SECONDS)
        raise AssertionError("unreachable")

    async def leave_and_return(self, *orders: Ticket) -> "Floor":
        """Hang up and come again under the same id, with these orders."""
        await self.client.close()
        again = await self.join(self.client.client_id)
        for order in orders:
            order.client, order.begin = again.client, 0
        return again

    # ------------------------------------------------------------------ inside

    async def _ask(self, request: Any, id_: int | None, end: str) -> Messages:
        """As `Talk.ask`, on this floor's own connection."""
        since = self.client.mark()
        await self.client.say(request)

        def last(item: Heard) -> bool:
            return item.kind == end if id_ is None else item.id == id_ and item.kind == end

        with self.talk.expecting(end):
            heard = await self.client.gather(last, since=since, seconds=PATIENCE_SECONDS)
        return Messages(heard)

    async def _ask_price(self) -> Decimal:
        if self.talk.facts.quotes == "delayed":
            await self.client.say(q.MarketDataTypeRequest(DELAYED))
        id_, since = self.talk.new_id(), self.client.mark()
        contract = self.talk.contract
        await self.client.say(q.MarketDataRequest(id_, contract, "", False, False, ""))
        found = await self._tick(id_, since, BID_ASK_LAST) or await self._tick(id_, since, CLOSE)
        await self.client.say(q.MarketDataCancel(id_))
        if found is None:
            raise Unsuited("no price of the symbol is to be had, so no order can be priced")
        return found

    async def _tick(self, id_: int, since: int, types: frozenset[int]) -> Decimal | None:
        def priced(item: Heard) -> bool:
            return item.id == id_ and (_price_of(item, types) is not None or item.code in NO_DATA)

        with contextlib.suppress(Silence):
            found = await self.client.until(priced, since=since, seconds=PATIENCE_SECONDS)
            return _price_of(found, types)
        return None


def share(**terms: Any) -> OrderTerms:
    """The terms of a market order to buy one share today, with changes.

    Attributes of IB's own names go in as `other={"goodAfterTime": ...}`.
    """
    usual: dict[str, Any] = {"action": "BUY", "quantity": SHARE, "order_type": "MKT", "tif": "DAY"}
    changed = usual | terms
    changed["other"] = MappingProxyType(dict(changed.get("other", {})))
    return OrderTerms(**changed)


def trading(chapter: Chapter, *needs: Need) -> Callable[[Callable[[Floor], Awaitable[None]]], Body]:
    """Make a trading case of a coroutine function that gets a `Floor`."""

    def take(body: Callable[[Floor], Awaitable[None]]) -> Body:
        @functools.wraps(body)
        async def run(talk: Talk) -> None:
            floor = Floor(talk, talk.client)
            try:
                await body(floor)
            finally:
                for ticket in floor.tickets:
                    talk.note(ticket.outline)

        return chapter.case(*needs, seconds_max=CASE_SECONDS_MAX)(run)

    return take


def _names(reply: Any, ticket: Ticket) -> bool:
    return (reply.order_id, reply.client_id) == (ticket.order_id, ticket.client.client_id)


def _price_of(item: Heard, types: frozenset[int]) -> Decimal | None:
    if item.kind != "TickPrice" or item.reply.tick_type not in types or item.reply.price <= 0:
        return None
    price: Decimal = item.reply.price
    return price

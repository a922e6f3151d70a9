"""Cleaning up after cases that trade: nothing that was there before is touched.

What is ours has our orderRef, one of our client ids, and the account. Working orders of ours are
cancelled, by the client id that placed them, for IB lets no other; what our executions of today
bought on balance is sold, and the other way round, but only as far as the position is away from
what it was: whatever executions say, late or of half a day, nothing is traded beyond that. So a run
that was killed is cleaned up by the next one of the same day.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from gateway.simulator import requests as q
from gateway.simulator.conformance.case import Differs
from gateway.simulator.conformance.client import CODE_ID_IN_USE, Client, Ended, Silence
from gateway.simulator.conformance.hearing import Heard
from gateway.simulator.conformance.pace import Pace
from gateway.simulator.conformance.safety import CannotRun
from gateway.simulator.conformance.survey import open_client
from gateway.simulator.conformance.talk import Facts, Messages, Setting, Talk
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import OrderTerms
from gateway.simulator.replies import OpenOrder

CLIENT_IDS = 10
"""Client ids from the setting's on that cases may use; orders of others are nobody's business."""
QUANTITY_MAX = Decimal(20)
"""More than cases ever trade: whoever owns more made a mistake, or is no case."""
CLIENT_IDS_USED = 3
ROUNDS = 6
POSITION_TRIES = 3
ROUND_SECONDS = 3.0
FILL_SECONDS = 20.0
LONG_SECONDS = 60.0
"""For the executions of a whole day, which may be many."""
REOPEN_TRIES, REOPEN_SECONDS = 10, 1.0
LABEL = "sweep"
FINAL = frozenset({"Filled", "Cancelled", "ApiCancelled", "Inactive"})
Positions = dict[int, Decimal]


async def reopen(setting: Setting, pace: Pace, client_id: int | None = None) -> Client:
    """A client that is ready; IB may need a moment to free an id that hung up. Raises CannotRun."""
    for _ in range(REOPEN_TRIES):
        try:
            return await open_client(setting, pace, client_id)
        except CannotRun as error:
            if str(CODE_ID_IN_USE) not in str(error):
                raise
            await asyncio.sleep(REOPEN_SECONDS)
    return await open_client(setting, pace, client_id)


@dataclass(slots=True)
class Sweep:
    """The cleaning of one run.

    Attributes:
        before: positions by contract id when the run began, and until an earlier run is cleaned up
            what they are without it.
        said: what was cleaned up or could not be, in sentences.
    """

    setting: Setting
    contract: Contract
    pace: Pace
    before: Positions = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    touched: dict[int, Contract] = field(default_factory=dict)
    written_off: Positions = field(default_factory=dict)
    unsure: dict[int, None] = field(default_factory=dict)

    async def begin(self) -> None:
        """Clean up after an earlier run, and remember what is there. Raises CannotRun."""
        await self._write_off()
        if not await self.clean():
            raise CannotRun(" ".join(self.said) + " Nothing was traded in this run.")
        client = await reopen(self.setting, self.pace)
        try:
            self.before = await self._positions(self._talk(client))
        finally:
            await client.close()

    async def clean(self, others: int = CLIENT_IDS_USED) -> bool:
        """Cancel and trade back what is ours. Returns whether nothing of it is left.

        `others` is how many client ids above the setting's may have traded, too.
        """
        for _ in range(ROUNDS):
            client = await reopen(self.setting, self.pace)
            talk = self._talk(client)
            try:
                orders = await self._orders(talk)
                owned = {} if orders else await self._owned(talk, others)
                if not orders and not owned:
                    return True
                await self._cancel(talk, orders)
                for con_id, quantity in owned.items():
                    if con_id not in self.unsure and await self._is_held(talk, con_id, quantity):
                        await self._trade_back(talk, self.touched[con_id], quantity)
                await client.listen(ROUND_SECONDS)
            except (Differs, Silence, Ended) as trouble:
                self.said.append(f"Cleaning up met with trouble: {trouble}.")
            finally:
                await client.close()
        self._say_once(
            f"Something of ours is left: look at the orders whose reference begins with "
            f"{self.setting.order_prefix} and at the position of {self.setting.symbol}."
        )
        return False

    async def chase(self, client_id: int, order_id: int, order_ref: str) -> bool:
        """Cancel an order of which nothing was heard: a dialog may hold it, or it comes late.

        Returns whether the gateway told of it then; else nobody knows what becomes of it.
        """
        client = await reopen(self.setting, self.pace, client_id)
        try:
            await client.say(q.CancelOrder(order_id))
            await client.listen(ROUND_SECONDS)
            if client.has_heard_of(order_id):
                return True
        finally:
            await client.close()
        self.said.append(
            f"Nothing was heard of order {order_ref}, not even of its cancel: it may trade yet. "
            "Look at the gateway's screen and at the account."
        )
        return False

    async def prove(self) -> bool:
        """Whether every position that was traded is what it was at the start; says the figures."""
        is_same = True
        for contract, was, is_now in await self._compared():
            is_same = is_same and was == is_now
            words = "as before" if was == is_now else f"was {was} before: look at the account"
            self.said.append(f"Position of {contract.symbol}: {is_now}, {words}.")
        return is_same

    async def is_as_before(self) -> bool:
        """Whether every position that was traded is what it was at the start; a gateway may need a
        moment to tell of it."""
        for _ in range(POSITION_TRIES):
            with contextlib.suppress(Differs, Silence, Ended):
                if all(was == is_now for _, was, is_now in await self._compared()):
                    return True
            await asyncio.sleep(ROUND_SECONDS)
        return False

    async def _compared(self) -> list[tuple[Contract, Decimal, Decimal]]:
        """Each contract that was traded, its position at the start, and now."""
        client = await reopen(self.setting, self.pace)
        try:
            after = await self._positions(self._talk(client))
        finally:
            await client.close()
        contracts = {self.contract.con_id: self.contract} | self.touched
        zero = Decimal(0)
        return [
            (contract, self.before.get(con_id, zero), after.get(con_id, zero))
            for con_id, contract in contracts.items()
        ]

    def _talk(self, client: Client) -> Talk:
        return Talk(self.setting, Facts(), client, self.contract, self.pace)

    async def _positions(self, talk: Talk) -> Positions:
        heard = await talk.ask(q.PositionsRequest(), end="PositionEnd")
        await talk.tell(q.PositionsCancel())
        rows = [row for row in heard.of("Position").replies if row.account == self.setting.account]
        return {row.contract.con_id: row.position for row in rows}

    async def _orders(self, talk: Talk) -> list[OpenOrder]:
        heard = await talk.ask(q.AllOpenOrdersRequest(), end="OpenOrderEnd")
        mine = [
            order
            for order in heard.of("OpenOrder").replies
            if self._is_ours(order.terms.order_ref, order.client_id)
            and order.state.status not in FINAL
        ]
        return list({order.perm_id: order for order in mine}.values())

    def _is_ours(self, order_ref: str, client_id: int) -> bool:
        is_our_client = 0 <= client_id - self.setting.client_id < CLIENT_IDS
        return is_our_client and order_ref.startswith(self.setting.order_prefix)

    async def _is_held(self, talk: Talk, con_id: int, quantity: Decimal) -> bool:
        """Whether the position is away from what it was by at least this quantity."""
        was = self.before.get(con_id, Decimal(0))
        moved = (await self._positions(talk)).get(con_id, Decimal(0)) - was
        if moved * quantity > 0 and abs(moved) >= abs(quantity):
            return True
        self._say_once(
            f"Cases traded {quantity} {self.touched[con_id].symbol} on balance, but the position "
            f"moved by {moved}: not traded back."
        )
        return False

    def _say_once(self, words: str) -> None:
        if words not in self.said:
            self.said.append(words)

    async def _write_off(self) -> None:
        """What an earlier run of today left and somebody undid by hand is not undone again.

        That is so where undoing it would open a position, or make one larger.
        """
        client = await reopen(self.setting, self.pace)
        try:
            talk = self._talk(client)
            held, owned = await self._positions(talk), await self._owned(talk, CLIENT_IDS_USED)
        except (Differs, Silence, Ended) as trouble:
            raise CannotRun(f"{trouble}. Nothing was traded in this run.") from None
        finally:
            await client.close()
        self.before = dict(held)
        for con_id, quantity in owned.items():
            position = held.get(con_id, Decimal(0))
            if position * quantity <= 0 or abs(position) < abs(quantity):
                self.written_off[con_id] = quantity
                self.said.append(
                    f"Cases of earlier today traded {quantity} {self.touched[con_id].symbol} on "
                    f"balance, but the position is {position}: taken as undone by hand."
                )
            else:
                self.before[con_id] = position - quantity

    async def _owned(self, talk: Talk, others: int) -> Positions:
        """What our executions of today left on balance, by contract id; zeros left out."""
        heard = list(await self._executions(talk))
        for number in range(1, others + 1):
            client_id = self.setting.client_id + number
            client = await reopen(self.setting, self.pace, client_id)
            try:
                heard += await self._executions(self._talk(client))
            finally:
                await client.close()
        owned = {con_id: -quantity for con_id, quantity in self.written_off.items()}
        for item in _latest(heard):
            details = item.reply
            con_id, sign = details.contract.con_id, 1 if details.execution.side == "BOT" else -1
            owned[con_id] = owned.get(con_id, Decimal(0)) + sign * details.execution.quantity
            self.touched[con_id] = details.contract
        return {con_id: quantity for con_id, quantity in owned.items() if quantity}

    async def _executions(self, talk: Talk) -> Messages:
        """Those of a client; IB shows a client its own, and only a master client all."""
        request = q.ExecutionsRequest(talk.new_id(), 0, self.setting.account, "", "", "", "", "")
        heard = await talk.ask(request, end="ExecutionDetailsEnd", seconds=LONG_SECONDS)
        return heard.of("ExecutionDetails").where(
            lambda item: (
                item.reply.account == self.setting.account
                and self._is_ours(item.reply.order_ref, item.reply.client_id)
            )
        )

    async def _cancel(self, talk: Talk, orders: Sequence[OpenOrder]) -> None:
        for order in orders:
            client = talk.client
            if order.client_id != client.client_id:
                client = await reopen(self.setting, self.pace, order.client_id)
            try:
                await client.say(q.CancelOrder(order.order_id))
                await client.listen(1)
            finally:
                if client is not talk.client:
                    await client.close()
            self.said.append(f"Order {order.terms.order_ref} was still working and was cancelled.")

    async def _trade_back(self, talk: Talk, contract: Contract, quantity: Decimal) -> None:
        action = "SELL" if quantity > 0 else "BUY"
        if abs(quantity) > QUANTITY_MAX:
            raise Differs(f"at most {QUANTITY_MAX} to trade back", f"{quantity}: done by hand only")
        terms = OrderTerms(
            action=action,
            quantity=abs(quantity),
            tif="DAY",
            account=self.setting.account,
            order_ref=talk.order_ref(LABEL),
        )
        order_id = talk.new_order_id()
        where = replace(contract, exchange="SMART", primary_exchange="")
        since = await talk.tell(q.PlaceOrder(order_id, where, terms))

        def is_filled(item: Heard) -> bool:
            return item.id == order_id and getattr(item.reply, "status", "") == "Filled"

        self.said.append(f"{action} {abs(quantity)} {contract.symbol} to undo what cases traded.")
        # An order of which nothing was heard may have traded: a second one would trade twice.
        self.unsure[contract.con_id] = None
        await talk.client.until(is_filled, since=since, seconds=FILL_SECONDS)
        del self.unsure[contract.con_id]


def _latest(heard: Sequence[Heard]) -> list[Heard]:
    """Of executions that were corrected (same id, last group counted up) only the newest."""
    newest: dict[str, Heard] = {}
    for item in heard:
        root, _, group = item.reply.execution.execution_id.rpartition(".")
        known = newest.get(root)
        if known is None or known.reply.execution.execution_id.rpartition(".")[2] <= group:
            newest[root] = item
    return list(newest.values())

"""The only door to Interactive Brokers: one session with an IB Gateway, over one line at a time.

What ib_async makes of a connection stops at `gateway.line`; each question, with its deadline, is in
`gateway.inquiry`. Here is what outlives a line, and who may write to it when.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from gateway.core.broker import (
    BrokerEvent,
    Connection,
    MarginPreview,
    OrderReport,
    Quote,
    Reading,
    Terms,
)
from gateway.core.ib_hearing import Hearing, Known
from gateway.core.orders import Approved
from gateway.inquiry import Inquiry, SessionSettings, check_writable, only_account
from gateway.line import ROOM_LOOKS_SECONDS, IbLine
from gateway.patience import (
    COMES_BACK,
    LOOK_AT_IB,
    BrokerUnavailable,
    NotSent,
    Paced,
    Unanswered,
    Unresolved,
)
from gateway.safety import check_account, check_address
from schemas.documents import OrderDocument
from schemas.messages import Bars
from schemas.values import BarSpec, Contract

__all__ = [
    "BrokerUnavailable",
    "NotSent",
    "Paced",
    "Session",
    "SessionSettings",
    "Unanswered",
    "Unresolved",
]


class Session:
    """One account at one gateway: ask, place, cancel, and hear what happens.

    `deliver` is called on the event loop, in the order of arrival, with all that the broker says of
    orders, executions, commissions and its line; it must not raise. After every `Connection`,
    `connect` included, `place` refuses until `read` was answered: what happened in the gap is told
    nowhere else [R1].
    """

    def __init__(
        self,
        settings: SessionSettings,
        now: Callable[[], datetime],
        deliver: Callable[[BrokerEvent], None],
    ) -> None:
        self._settings = settings
        self._now = now
        self._deliver = deliver
        self._line: IbLine | None = None
        self._inquiry: Inquiry | None = None
        self._account = ""
        self._known = Known(is_delayed=settings.delayed_data_allowed)
        self.asked_at = 0.0
        """When the last question was asked, by the monotonic clock; each has a deadline."""

    @property
    def connected(self) -> bool:
        """Whether the gateway is there, and has not said that its own line to IB is broken."""
        return self._line is not None and self._line.hearing.ib_is_up

    @property
    def account(self) -> str:
        """The one account; empty before the first connect."""
        return self._account

    @property
    def server_version(self) -> int:
        """What version of IB's protocol the gateway speaks; 0 without a line."""
        return self._line.server_version() if self._line else 0

    @property
    def room(self) -> int:
        """How many orders may be written now; `place` refuses at 0 [W2]."""
        return self._line.room() if self._line else 0

    async def connect(self) -> None:
        """Open a fresh line; nothing of an earlier one is used again.

        Raises `BrokerUnavailable` with a sentence for a person, and `Unsafe`.
        """
        settings = self._settings
        check_address(settings.mode, settings.host, settings.port)
        await self.close()
        hearing = Hearing(settings.client_id, self._known, self._deliver)
        line = IbLine(settings, hearing, self._lost)
        await line.dial()
        try:
            self._account = only_account(line.accounts())
            check_account(settings.mode, self._account, settings.live_account_accepted)
        except Exception:
            await line.hang_up()
            raise
        self._known.contracts.clear()
        self._line = line
        self._inquiry = Inquiry(line, settings, self._known, self._now)
        hearing.line_changed(Connection(hearing.ib_is_up, "connected", data_lost=True))

    async def close(self) -> None:
        """Close the line, if there is one. Delivers nothing."""
        line, self._line, self._inquiry = self._line, None, None
        if line is not None:
            await line.hang_up()

    async def resolve(self, contract: Contract) -> Contract:
        """The one contract that a description means, with `con_id` and the rest filled in.

        Raises `Unresolved` and `BrokerUnavailable`.
        """
        return await self._ask().resolve(contract)

    async def chain(self, contract: Contract) -> tuple[Contract, ...]:
        """The two months of a future that expire next, the nearer first, on today's date.

        Raises `Unresolved` and `BrokerUnavailable`.
        """
        return await self._ask().chain(contract)

    async def bars(
        self, contract: Contract, size: str, duration: str, *, regular_hours_only: bool = True
    ) -> Bars:
        """The finished bars up to now, times in UTC; while data may be delayed, up to 15 min ago.

        A daily bar's time is the opening, 09:30, of its New York session. Where IB has no data
        (error 162) the columns are empty. Raises `ValueError`, `Unresolved`, `BrokerUnavailable`;
        of these `Paced` for a question that IB's pacing does not let be asked now.
        """
        spec = BarSpec(size, duration, 1, regular_hours_only)
        return await self._ask().bars(contract, spec)

    @property
    def bars_until(self) -> datetime:
        """Up to when bars can be over: now, or 15 minutes ago where data may be delayed."""
        return self._known.bars_until(self._now())

    def allow_delayed(self, allowed: bool) -> None:
        """Say whether delayed prices will do where there is no subscription for others."""
        if self._known.is_delayed == allowed:
            return
        self._known.is_delayed = allowed
        self._settings = replace(self._settings, delayed_data_allowed=allowed)
        if self._line is not None and self._line.is_up():
            self._line.want_delayed(allowed)

    async def quote(self, contract: Contract) -> Quote:
        """A snapshot: when bid, ask and last are there, else what came by the deadline.

        Without market data for us, all prices are None. Raises `Unresolved`, `BrokerUnavailable`.
        """
        return await self._ask().quote(contract)

    async def terms(self, contract: Contract) -> Terms:
        """How a contract trades: its price increments and its hours; asked once a New York day.

        What IB tells of them in no way that can be read is left out, with a warning in the log.
        Raises `Unresolved` and `BrokerUnavailable`.
        """
        return await self._ask().terms(contract)

    async def read(self) -> Reading:
        """Ask the four questions and for the account's money [R1]; one reading at a time.

        Positions are asked before and after the rest, until both are equal [B3]. A question left
        unanswered ends the line: its late answer could not be told from the next one's (trap 14).
        Raises `BrokerUnavailable`.
        """
        return await self._ask().read(self._account)

    async def open_orders(self) -> tuple[OrderReport, ...]:
        """Every client's open orders, manual ones too. Raises `BrokerUnavailable`."""
        return await self._ask().open_orders()

    async def time(self) -> datetime:
        """What time IB says it is, in whole seconds. Raises `BrokerUnavailable`."""
        return await self._ask().time()

    async def what_if(self, order: OrderDocument) -> MarginPreview:
        """IB's margin answer for an order that is not sent (traps 11 to 13).

        Where IB answers by warnings only, all numbers are None. Raises `BrokerUnavailable`.
        """
        return await self._ask().what_if(order, self._account)

    def place(self, approved: Approved) -> int:
        """Write one order to the socket, now, and return its order id.

        No await lies between the caller's last check and the write [W2]. Raises `NotSent` when it
        cannot be written at once, `ValueError` for an order that IB would take otherwise.
        """
        line = self._up()
        check_writable(line)
        return line.place(approved.order, self._account)

    def cancel(self, order_id: int, client_id: int) -> None:
        """Ask IB to cancel an order; that it did is told by a later report.

        Only the client that placed an order can cancel it (trap 19): `ValueError` for another's.
        Raises `NotSent` without a line. Unlike `place` it may wait in ib_async's queue.
        """
        if client_id != self._settings.client_id or order_id <= 0:
            raise ValueError(
                f"order {order_id} of client {client_id} cannot be cancelled by client "
                f"{self._settings.client_id}; cancel it where it was placed, or in IB's own client"
            )
        self._up().cancel(order_id)

    def cancel_everything(self) -> None:
        """Ask IB to cancel every order of the account, whoever placed it. Raises `NotSent`."""
        self._up().cancel_everything()

    async def wait_for_room(self, orders: int = 1) -> None:
        """Wait until so many orders may be written at once. Raises `NotSent` at the deadline."""
        try:
            async with asyncio.timeout(self._settings.request_timeout_seconds):
                while self._up().room() < orders:
                    await asyncio.sleep(ROOM_LOOKS_SECONDS)
        except TimeoutError:
            waited = f"{self._settings.request_timeout_seconds:g} s"
            sentence = f"no room to write {orders} orders to IB within {waited}"
            raise NotSent(f"{sentence}; {LOOK_AT_IB}") from None

    def _up(self) -> IbLine:
        if self._line is None or not self._line.is_up():
            raise NotSent(f"not connected to the IB Gateway; {COMES_BACK}")
        return self._line

    def _ask(self) -> Inquiry:
        self._up()
        self.asked_at = time.monotonic()
        assert self._inquiry is not None, "a line and its inquiry come and go together"
        return self._inquiry

    def _lost(self, line: IbLine, reason: str) -> None:
        if self._line is line:
            self._line = None
            self._deliver(Connection(up=False, reason=reason))

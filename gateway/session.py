"""The only door to ib_async: one session with an IB Gateway. Its names and its habits stop here.

ib_async's `Trade` objects are no safe ledger: error texts turn live orders into cancelled ones,
corrections count twice, and all is thrown away at a disconnect. So none is ever made. `_Ears` takes
IB's callbacks as they come off the wire, before any bookkeeping, and `place` writes below
`IB.placeOrder`. What words and numbers mean: `gateway.core.ib_words`; what ib_async's records hold:
`ib_values`; what a message means after others: `ib_hearing`; deadlines: `gateway.inquiry`.
"""
# ruff: noqa: N802 - _Ears and _Decoder carry IB's names, for ib_async calls them by these

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

import ib_async
from ib_async.client import Client
from ib_async.decoder import Decoder
from ib_async.ib import StartupFetchNONE
from ib_async.wrapper import Wrapper

from gateway.alarm import Alarm
from gateway.core import ib_values, ib_words
from gateway.core.broker import BrokerEvent, Connection, MarginPreview, OrderReport, Quote, Reading
from gateway.core.ib_hearing import Hearing, Known
from gateway.core.orders import Approved
from gateway.inquiry import (
    COMPLETED_ORDERS,
    OPEN_ORDERS,
    POSITIONS,
    BrokerUnavailable,
    ClientIdTaken,
    Inquiry,
    NotSent,
    Refused,
    SessionSettings,
    Unresolved,
    check_writable,
    only_account,
)
from gateway.safety import check_account, check_address
from schemas.documents import OrderDocument
from schemas.messages import Bars
from schemas.values import Contract

__all__ = ["BrokerUnavailable", "NotSent", "Session", "SessionSettings", "Unresolved"]

log = logging.getLogger(__name__)

EXECUTION_TIME_FIELD: Final = 15
"""Where execDetails carries its time, at every server version that ib_async speaks."""

LIVE_DATA, DELAYED_DATA = 1, 3
"""Market data types; 3 is live where subscribed, delayed elsewhere."""

QUESTIONS: Final[Mapping[str, tuple[str, Callable[[Any], None]]]] = {
    POSITIONS: ("positions", lambda client: client.reqPositions()),
    OPEN_ORDERS: ("openOrders", lambda client: client.reqAllOpenOrders()),
    COMPLETED_ORDERS: ("completedOrders", lambda client: client.reqCompletedOrders(False)),
}
"""Requests without a number: ib_async's key for the answer, and how to ask."""


class _Decoder(Decoder):
    """ib_async's decoder, which keeps a fill whose time is in an unknown zone (trap 24)."""

    zone = ""

    def execDetails(self, fields: list[str]) -> None:
        fields[EXECUTION_TIME_FIELD] = ib_words.zoned(fields[EXECUTION_TIME_FIELD], self.zone)
        super().execDetails(fields)  # type: ignore[no-untyped-call]


class _Ears(Wrapper):
    """IB's callbacks, handed to `Hearing`. What is not overridden keeps answers by request id."""

    def __init__(self, ib: ib_async.IB, hearing: Hearing) -> None:
        super().__init__(ib)
        self.hearing = hearing
        self.warnings: dict[int, str] = {}
        self.accounts_told: str | None = None
        self.is_id_taken = False
        self.hopeless: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def give_up(self, reason: str) -> None:
        """While dialing: this will not become a connection, and why."""
        if not self.hopeless.done():
            self.hopeless.set_result(reason)

    def managedAccounts(self, accounts: str) -> None:
        self.accounts_told = accounts
        super().managedAccounts(accounts)

    def openOrder(self, order_id: int, contract: Any, order: Any, state: Any) -> None:
        self.ib.client.updateReqId(order_id + 1)  # type: ignore[no-untyped-call]
        if order.whatIf:
            self._what_if(order_id, state)
        else:
            self._collect(self.hearing.open_order(ib_values.open_order(contract, order, state)))

    def orderStatus(self, order_id: int, word: str, filled: float, *told: Any) -> None:
        self._collect(self.hearing.order_status(ib_values.status(order_id, word, filled, told)))

    def completedOrder(self, contract: Any, order: Any, state: Any) -> None:
        report = ib_values.completed_order(contract, order, state)
        self._results.get("completedOrders", []).append(report)

    def execDetails(self, request_id: int, contract: Any, execution: Any) -> None:
        told = self.hearing.executed(contract, execution)
        if told.client_id == self.clientId:
            # A restarted gateway may hand out ids again; sent once more, one amends or is refused.
            self.ib.client.updateReqId(told.order_id + 1)  # type: ignore[no-untyped-call]
        if request_id in self._futures:
            self._results[request_id].append(told)
        else:
            self.hearing.execution(told)

    def commissionReport(self, report: Any) -> None:
        self.hearing.commission(ib_values.commission(report))

    def accountUpdateMulti(self, request_id: int, *told: str) -> None:
        _account, _model, key, value, currency = told
        self._results.get(request_id, []).append((key, value, currency))

    def marketDataType(self, request_id: int, kind: int) -> None:
        if kind in ib_words.DELAYED_DATA_TYPES:
            self.hearing.delayed_data(request_id)

    def priceSizeTick(self, request_id: int, kind: int, price: float, _size: float) -> None:
        if self.hearing.tick(request_id, kind, price):
            self._end(request_id, False)

    def tickSize(self, request_id: int, kind: int, size: float) -> None:
        """Sizes are not read."""

    def tickSnapshotEnd(self, request_id: int) -> None:
        self._end(request_id, True)

    def error(self, request_id: int, code: int, text: str, _advanced: str) -> None:
        """IB has one message for errors, refusals, warnings and notices; ib_async misreads it."""
        notice = ib_words.line_notice(code, text)
        if request_id in self._futures:
            self._refused(request_id, code, text)
        elif notice is not None:
            self.hearing.line_changed(notice)
        elif not self.hearing.order_error(request_id, code, text):
            self.hearing.last_notice = f"{code} {text}"
            log.info("broker: %s (id %d)", self.hearing.last_notice, request_id)
        if code == ib_words.CLIENT_ID_TAKEN:
            self.is_id_taken = True
            self.give_up(text)

    def _refused(self, request_id: int, code: int, text: str) -> None:
        if ib_words.is_warning(code):
            self.warnings[request_id] = f"{code} {text}"
        else:
            self._end(request_id, Refused(code, text), success=False)

    def _what_if(self, order_id: int, state: Any) -> None:
        """The first answer may be a warning without numbers; the second has them (trap 12)."""
        if ib_words.number(state.initMarginChange) is not None:
            self._end(order_id, state)
        elif state.warningText:
            self.warnings[order_id] = state.warningText

    def begin(self, key: int | str) -> asyncio.Future[Any]:
        """The future of an answer."""
        future: asyncio.Future[Any] = self.startReq(key)  # type: ignore[no-untyped-call]
        return future

    def _end(self, request_id: int, result: object, success: bool = True) -> None:
        self._endReq(request_id, result, success)  # type: ignore[no-untyped-call]

    def _collect(self, report: OrderReport) -> None:
        self._results.get("openOrders", []).append(report)


class _Line(ib_async.IB):
    """One connection: ib_async's IB with our ears. Never used again once it is down (trap 7)."""

    def __init__(
        self, settings: SessionSettings, hearing: Hearing, lost: "Callable[[_Line, str], None]"
    ) -> None:
        super().__init__()
        self._settings = settings
        self._lost = partial(lost, self)
        self.hearing = hearing
        self.ears = _Ears(self, hearing)
        self.wrapper = self.ears
        # Any: the client library leaves most of its client unannotated.
        self.client: Any = _client(self.ears, settings.gateway_zone)
        self.client.apiEnd += self.disconnectedEvent
        self.client.apiError += self.ears.give_up
        self.disconnectedEvent += partial(self._lost, "the gateway closed the connection")
        self.RaiseRequestErrors = True
        self.TimezoneTWS = settings.gateway_zone

    is_up = ib_async.IB.isConnected

    async def dial(self) -> None:
        """Connect. Raises `BrokerUnavailable` with the reason, which ib_async keeps (trap 23)."""
        limit = self._settings.connect_timeout_seconds
        dialing, hopeless = asyncio.ensure_future(self._connecting()), self.ears.hopeless
        ends: set[asyncio.Future[Any]] = {dialing, hopeless}
        refusal = ""
        try:
            await asyncio.wait(ends, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            refusal = hopeless.result() if hopeless.done() else ""
        finally:
            dialing.cancel()
            await asyncio.wait({dialing})
        error = None if dialing.cancelled() else dialing.exception()
        if error is not None or not self.isConnected():
            reason = ib_words.why_not_connected(error, refusal, self.ears.accounts_told, limit)
            place = f"{self._settings.host}:{self._settings.port}"
            kind = ClientIdTaken if self.ears.is_id_taken else BrokerUnavailable
            raise kind(f"{place}: {reason}") from error
        allowed = self._settings.delayed_data_allowed
        self.client.reqMarketDataType(DELAYED_DATA if allowed else LIVE_DATA)

    def abandon(self, reason: str) -> None:
        self._lost(reason)
        self.disconnect()

    async def hang_up(self) -> None:
        """Close the socket and wait until it is closed."""
        closed = self.client.conn.disconnected
        if self.client.conn.transport is not None:
            self.disconnect()
            async with asyncio.timeout(self._settings.request_timeout_seconds):
                await closed

    def room(self) -> int:
        """Messages that may be written now and are on the wire at once, in no queue [W2].

        ib_async holds back what exceeds 45 a second and forgets it at a disconnect (trap 8).
        """
        client, transport = self.client, self.client.conn.transport
        if transport is None or transport.is_closing() or transport.get_write_buffer_size():
            return 0
        since = asyncio.get_running_loop().time() - client.RequestsInterval
        recent = sum(1 for written in client._timeQ if written >= since)
        room: int = client.MaxRequests - recent
        return 0 if client._msgQ else room

    def start(self) -> tuple[int, asyncio.Future[Any]]:
        request_id: int = self.client.getReqId()
        return request_id, self.ears.begin(request_id)

    def question(self, name: str) -> asyncio.Future[Any]:
        key, ask = QUESTIONS[name]
        answer = self.ears.begin(key)
        ask(self.client)
        return answer

    def warning(self, request_id: int) -> str:
        return self.ears.warnings.pop(request_id, "")

    def ask_details(self, request_id: int, contract: Contract) -> None:
        self.client.reqContractDetails(request_id, _wire_contract(contract))

    def ask_bars(self, request_id: int, contract: Contract, size: str, duration: str) -> None:
        # Up to now, regular hours only, intraday times as epoch seconds, no updates, no options.
        what = "MIDPOINT" if contract.sec_type == "CASH" else "TRADES"
        asked = _wire_contract(contract)
        self.client.reqHistoricalData(
            request_id, asked, "", duration, size, what, True, 2, False, []
        )

    def withdraw_bars(self, request_id: int) -> None:
        self.client.cancelHistoricalData(request_id)

    def ask_quote(self, request_id: int, contract: Contract) -> None:
        self.client.reqMktData(request_id, _wire_contract(contract), "", True, False, [])

    def withdraw_quote(self, request_id: int) -> None:
        self.client.cancelMktData(request_id)

    def ask_executions(self, request_id: int) -> None:
        self.client.reqExecutions(request_id, ib_async.ExecutionFilter())

    def ask_account(self, request_id: int, account: str) -> None:
        self.client.reqAccountUpdatesMulti(request_id, account, "", False)

    def withdraw_account(self, request_id: int) -> None:
        self.client.cancelAccountUpdatesMulti(request_id)

    def ask_margin(self, request_id: int, order: OrderDocument, account: str) -> None:
        asked = _wire_order(order, account)
        asked.whatIf = True
        self.client.placeOrder(request_id, _wire_contract(order.contract), asked)

    async def _connecting(self) -> None:
        settings = self._settings
        await self.connectAsync(
            settings.host,
            settings.port,
            settings.client_id,
            timeout=None,  # `dial` has the only deadline, and knows why it passed
            raiseSyncErrors=True,
            # All else is asked by `read`, each with a deadline of its own (trap 25).
            fetchFields=StartupFetchNONE,
        )


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
        self._line: _Line | None = None
        self._inquiry: Inquiry | None = None
        self._account = ""
        self._known = Known()

    @property
    def connected(self) -> bool:
        """Whether the gateway is there, and has not said that its own line to IB is broken."""
        return self._line is not None and self._line.hearing.ib_is_up

    @property
    def account(self) -> str:
        """The one account; empty before the first connect."""
        return self._account

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
        line = _Line(settings, hearing, self._lost)
        await line.dial()
        try:
            self._account = only_account(line.client.getAccounts())
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

    async def bars(self, contract: Contract, size: str, duration: str) -> Bars:
        """The finished bars of regular trading hours up to now, times in UTC.

        A daily bar's time is the opening, 09:30, of its New York session. Where IB has no data
        (error 162) the columns are empty. Raises `ValueError`, `Unresolved`, `BrokerUnavailable`.
        """
        return await self._ask().bars(contract, size, duration)

    async def quote(self, contract: Contract) -> Quote:
        """A snapshot: when bid, ask and last are there, else what came by the deadline.

        Without market data for us, all prices are None. Raises `Unresolved`, `BrokerUnavailable`.
        """
        return await self._ask().quote(contract)

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
        order = approved.order
        contract, asked = _wire_contract(order.contract), _wire_order(order, self._account)
        line = self._writable()
        order_id: int = line.client.getReqId()
        line.hearing.expect(order, order_id)
        line.client.placeOrder(order_id, contract, asked)
        return order_id

    def cancel(self, order_id: int, client_id: int) -> None:
        """Ask IB to cancel an order; that it did is told by a later report.

        Only the client that placed an order can cancel it (trap 19): `ValueError` for another's.
        Raises `NotSent` without a line. Unlike `place` it may wait in ib_async's queue.
        """
        if client_id != self._settings.client_id or order_id <= 0:
            raise ValueError(
                f"order {order_id} of client {client_id} cannot be cancelled by client "
                f"{self._settings.client_id}"
            )
        self._up().client.cancelOrder(order_id, "")

    def cancel_everything(self) -> None:
        """Ask IB to cancel every order of the account, whoever placed it. Raises `NotSent`."""
        self._up().client.reqGlobalCancel()

    async def wait_for_room(self, orders: int = 1) -> None:
        """Wait until so many orders may be written at once. Raises `NotSent` at the deadline."""
        try:
            async with asyncio.timeout(self._settings.request_timeout_seconds):
                while self._up().room() < orders:
                    await asyncio.sleep(Client.RequestsInterval / 20)
        except TimeoutError:
            raise NotSent(f"no room for {orders} orders in ib_async's queue") from None

    def _up(self) -> _Line:
        if self._line is None or not self._line.is_up():
            raise NotSent("not connected to the gateway")
        return self._line

    def _ask(self) -> Inquiry:
        self._up()
        assert self._inquiry is not None, "a line and its inquiry come and go together"
        return self._inquiry

    def _writable(self) -> _Line:
        line = self._up()
        check_writable(line)
        return line

    def _lost(self, line: _Line, reason: str) -> None:
        if self._line is line:
            self._line = None
            self._deliver(Connection(up=False, reason=reason))


def _client(ears: _Ears, zone: str) -> Client:
    client: Client = Client(ears)  # type: ignore[no-untyped-call]
    decoder = _Decoder(ears, 0)
    decoder.zone = zone
    decoder.logger = Alarm(decoder.logger, ears.hearing.garbled)  # type: ignore[assignment]
    client.decoder = decoder
    return client


def _wire_contract(contract: Contract) -> ib_async.Contract:
    return ib_async.Contract(**ib_values.contract_fields(contract))


def _wire_order(order: OrderDocument, account: str) -> ib_async.Order:
    if not order.contract.con_id:
        raise ValueError(f"{order.order_ref}: the contract is not resolved")
    fields = ib_values.order_fields(order, account)
    tags = [ib_async.TagValue(tag, value) for tag, value in fields.pop("algoParams", [])]
    return ib_async.Order(**fields, algoParams=tags)

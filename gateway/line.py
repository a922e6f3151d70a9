"""The only module that speaks ib_async: one connection, from its dialing to its end.

ib_async's `Trade` objects are no safe ledger: error texts turn live orders into cancelled ones,
corrections count twice, and all is thrown away at a disconnect. So none is ever made. `_Ears` takes
IB's callbacks as they come off the wire, before any bookkeeping, and `IbLine.place` writes below
`IB.placeOrder`. What words and numbers mean: `gateway.core.ib_words`; what ib_async's records hold:
`ib_values`; what a message means after others: `ib_hearing`. Only `gateway.session` uses it.
"""
# ruff: noqa: N802 - _Ears and _Decoder carry IB's names, for ib_async calls them by these
# ruff: noqa: D102 - what the methods of `IbLine` are for, `inquiry.Line` says

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import ib_async
from ib_async.client import Client
from ib_async.decoder import Decoder
from ib_async.ib import StartupFetchNONE
from ib_async.wrapper import Wrapper

from gateway.alarm import Alarm
from gateway.core import ib_values, ib_words
from gateway.core.broker import OrderReport, with_accounts_masked
from gateway.core.ib_hearing import Hearing
from gateway.inquiry import (
    COMPLETED_ORDERS,
    CURRENT_TIME,
    OPEN_ORDERS,
    POSITIONS,
    SessionSettings,
)
from gateway.patience import BrokerUnavailable, ClientIdTaken, Refused
from schemas.documents import OrderDocument
from schemas.values import BarSpec, Contract

log = logging.getLogger(__name__)

ROOM_LOOKS_SECONDS: Final = Client.RequestsInterval / 20
"""How often to look whether ib_async's queue has room again."""

EXECUTION_TIME_FIELD: Final = 15
"""Where execDetails carries its time, at every server version that ib_async speaks."""

LIVE_DATA, DELAYED_DATA = 1, 3
"""Market data types; 3 is live where subscribed, delayed elsewhere."""

QUESTIONS: Final[Mapping[str, tuple[str, Callable[[Any], None]]]] = {
    POSITIONS: ("positions", lambda client: client.reqPositions()),
    OPEN_ORDERS: ("openOrders", lambda client: client.reqAllOpenOrders()),
    COMPLETED_ORDERS: ("completedOrders", lambda client: client.reqCompletedOrders(False)),
    CURRENT_TIME: ("currentTime", lambda client: client.reqCurrentTime()),
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
        text = with_accounts_masked(text, (self.accounts_told or "").split(","))
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


class IbLine(ib_async.IB):
    """One connection: ib_async's IB with our ears. Never used again once it is down (trap 7)."""

    def __init__(
        self, settings: SessionSettings, hearing: Hearing, lost: "Callable[[IbLine, str], None]"
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
        self.want_delayed(self._settings.delayed_data_allowed)

    def want_delayed(self, allowed: bool) -> None:
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

    def server_version(self) -> int:
        version: int = self.client.serverVersion()
        return version

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

    def ask_rule(self, rule_id: int) -> asyncio.Future[Any]:
        answer = self.ears.begin(f"marketRule-{rule_id}")
        self.client.reqMarketRule(rule_id)
        return answer

    def ask_details(self, request_id: int, contract: Contract) -> None:
        self.client.reqContractDetails(request_id, _wire_contract(contract))

    def ask_bars(self, request_id: int, contract: Contract, spec: BarSpec) -> None:
        # Up to now, intraday times as epoch seconds, no updates, no options.
        what = "MIDPOINT" if contract.sec_type == "CASH" else "TRADES"
        asked = _wire_contract(contract)
        self.client.reqHistoricalData(
            request_id,
            asked,
            "",
            spec.duration,
            spec.size,
            what,
            spec.regular_hours_only,
            2,
            False,
            [],
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
        routed = _wire_contract(self.hearing.routed(order.contract))
        self.client.placeOrder(request_id, routed, asked)

    def accounts(self) -> list[str]:
        """The accounts of the login."""
        named: list[str] = self.client.getAccounts()
        return named

    def place(self, order: OrderDocument, account: str) -> int:
        """Write an order, now, below `IB.placeOrder`; its order id. Raises `ValueError`."""
        contract = _wire_contract(self.hearing.routed(order.contract))
        asked = _wire_order(order, account)
        order_id: int = self.client.getReqId()
        self.hearing.expect(order, order_id)
        self.client.placeOrder(order_id, contract, asked)
        return order_id

    def cancel(self, order_id: int) -> None:
        self.client.cancelOrder(order_id, "")

    def cancel_everything(self) -> None:
        self.client.reqGlobalCancel()

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

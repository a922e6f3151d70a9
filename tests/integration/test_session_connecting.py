"""Gateways that cannot be connected to, and words that ib_async cannot read.

`Gateway` is a socket that says literally what a test tells it to, and is silent otherwise.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.core.broker import Connection
from gateway.core.orders import Approved
from gateway.safety import Unsafe
from gateway.session import BrokerUnavailable, NotSent, Session, SessionSettings
from gateway.simulator.wire.codec import FrameReader, encode_frame
from schemas.documents import ExecutionDocument
from schemas.values import Mode
from tests.integration.session_bench import CLIENT_ID, PATIENCE_SECONDS, SHORT_SECONDS, Heard
from tests.order_documents import limit_order

NOW = datetime(2025, 6, 3, 14, 40, tzinfo=UTC)
ORDER = limit_order(NOW, 500)
READY = (("15", "1", "DUSIM1"), ("9", "1", "1"))
EXECUTED = "11 -1 5 756733 SPY STK  0.0   ARCA USD SPY SPY e.01 TIME DUSIM1 ARCA BOT 10 590 77 7"
EXECUTED_TAIL = " 0 10 590 paper-756733-1    1 0"


@dataclass
class Gateway:
    """Answers to requests by their number; everything else meets silence."""

    answers: Mapping[str, Sequence[Sequence[str]]]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames, greeted = FrameReader(), False
        while data := await reader.read(65536):
            frames.receive_data(data)
            if not greeted and frames.next_hello() is not None:
                greeted = True
                self._say(writer, self.answers.get("hello", ()))
            while greeted and (request := frames.next_frame()) is not None:
                self._say(writer, self.answers.get(request[0], ()))
        writer.close()

    def _say(self, writer: asyncio.StreamWriter, messages: Sequence[Sequence[str]]) -> None:
        for message in messages:
            writer.write(encode_frame(message))


@asynccontextmanager
async def a_gateway(
    answers: Mapping[str, Sequence[Sequence[str]]],
    seconds: float = PATIENCE_SECONDS,
    mode: Mode = Mode.PAPER,
    accepted: str = "",
) -> AsyncIterator[tuple[Session, Heard]]:
    gateway, heard = Gateway(answers), Heard()
    server = await asyncio.start_server(gateway.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = SessionSettings("127.0.0.1", port, CLIENT_ID, connect_timeout_seconds=seconds)
    settings = replace(settings, mode=mode, live_account_accepted=accepted)
    session = Session(settings, lambda: NOW, heard.deliver)
    async with server:
        yield session, heard
        await session.close()


HELLO = (("178", "20250603 10:40:00 US/Eastern"),)
REFUSED = pytest.mark.ib_async_errors_expected("ib_async logs a refused connection as an error")


@REFUSED
async def test_a_silent_gateway_is_named_as_such() -> None:
    """Trap 23"""
    async with a_gateway({}, SHORT_SECONDS) as (session, _):
        with pytest.raises(BrokerUnavailable, match=r"did not answer in 0\.2 s"):
            await session.connect()


@REFUSED
async def test_a_gateway_without_an_account_is_named_as_such() -> None:
    """Trap 23"""
    answers = {"hello": HELLO, "71": (("15", "1", ""), ("9", "1", "1"))}
    async with a_gateway(answers, SHORT_SECONDS) as (session, _):
        with pytest.raises(BrokerUnavailable, match="named no account"):
            await session.connect()


@REFUSED
async def test_a_gateway_that_is_too_old_is_named_as_such() -> None:
    """Trap 23"""
    async with a_gateway({"hello": (("100", "20250603 10:40:00 EST"),)}) as (session, _):
        with pytest.raises(BrokerUnavailable, match="version must be"):
            await session.connect()


async def test_a_login_with_several_accounts_is_refused() -> None:
    answers = {
        "hello": HELLO,
        "71": (("15", "1", "DUSIM1,DUSIM2"), ("9", "1", "1")),
        "61": (("62", "1"),),
    }
    async with a_gateway(answers) as (session, _):
        with pytest.raises(BrokerUnavailable, match=r"2 accounts \(DU…M1, DU…M2\), not one"):
            await session.connect()


async def test_an_account_that_ib_names_is_not_logged_in_full(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """[M30]"""
    notice = ("4", "2", "-1", "2158", "data of account DUSIM1 is on", "")
    answers = {"hello": HELLO, "71": (*READY, notice), "61": (("62", "1"),)}
    with caplog.at_level("INFO", "gateway.line"):
        async with a_gateway(answers) as (session, _):
            await session.connect()
    assert "broker: 2158 data of account DU…M1 is on (id -1)" in caplog.text


LIVE_LOGIN = {
    "hello": HELLO,
    "71": (("15", "1", "U1234567"), ("9", "1", "1")),
    "61": (("62", "1"),),
}


async def test_a_live_login_is_refused_in_paper_and_hung_up_on() -> None:
    async with a_gateway(LIVE_LOGIN) as (session, _):
        with pytest.raises(Unsafe, match="account is U…67, and paper accounts start with DU or DF"):
            await session.connect()
        assert not session.connected


@pytest.mark.parametrize("accepted", ["", "U7654321"])
async def test_a_live_login_is_refused_until_its_account_is_accepted(accepted: str) -> None:
    """Nobody trades live by accident."""
    async with a_gateway(LIVE_LOGIN, mode=Mode.LIVE, accepted=accepted) as (session, _):
        with pytest.raises(Unsafe, match="LIVE_TRADING_ACCEPTED names another"):
            await session.connect()
        assert not session.connected


async def test_a_live_login_that_is_accepted_by_name_is_connected() -> None:
    async with a_gateway(LIVE_LOGIN, mode=Mode.LIVE, accepted="U1234567") as (session, _):
        await session.connect()
        assert (session.connected, session.account) == (True, "U1234567")


@pytest.mark.parametrize("zone", [" China Standard Time", " Nowhere/Land", ""])
async def test_a_fill_is_not_lost_over_the_name_of_a_zone(zone: str) -> None:
    """Trap 24: ib_async's decoder raises, and the order is Filled without an execution."""
    execution = [word.replace("TIME", f"20250603 10:40:00{zone}") for word in EXECUTED.split(" ")]
    told = [*execution, *EXECUTED_TAIL.split(" ")]
    answers = {"hello": HELLO, "71": READY, "61": (("62", "1"),), "59": (told,)}
    async with a_gateway(answers) as (session, heard):
        await session.connect()
        executed = await heard.until(ExecutionDocument)
        assert (executed.exec_id, executed.quantity) == ("e.01", Decimal(10))
        assert executed.at.tzinfo is UTC


@pytest.mark.ib_async_errors_expected("a message that its decoder cannot read, which it only logs")
async def test_a_message_that_cannot_be_read_asks_for_a_reconcile() -> None:
    answers = {"hello": HELLO, "71": READY, "61": (("62", "1"),), "59": (("11", "-1", "5"),)}
    async with a_gateway(answers) as (session, heard):
        await session.connect()
        lost = await heard.until(
            Connection, lambda connection: "could not be read" in connection.reason
        )
        assert lost.data_lost
        with pytest.raises(NotSent, match="was not read"):
            session.place(Approved(ORDER))

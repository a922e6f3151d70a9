"""The control port: everything the API in Python does, over HTTP, and a sentence for the rest."""

import asyncio
import http.client
import json
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, closing, suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.simulator.clock import VirtualClock
from gateway.simulator.control import (
    BODY_BYTES_MAX,
    CONNECTIONS_MAX,
    HEAD_BYTES_MAX,
    ControlPort,
    read_request,
)
from gateway.simulator.control_values import ControlError
from gateway.simulator.control_verbs import ENDPOINTS
from gateway.simulator.exchange import Exchange
from gateway.simulator.outages import OutagePlan
from gateway.simulator.requests import PlaceOrder
from gateway.simulator.server import ServerOptions, Simulator
from gateway.simulator.virtual_loop import VirtualTimeLoop, run_virtual

ROOT = Path(__file__).parents[3]
LIMIT_SECONDS = 60
At = Callable[..., datetime]
HEADER = "time,open,high,low,close,volume\n"


class Control:
    """A control port under test, and the simulator behind it."""

    def __init__(self, simulator: Simulator, port: int) -> None:
        self.simulator = simulator
        self.port = port

    async def send(self, data: bytes, *, ends: bool = False) -> tuple[int, Any]:
        """Raw bytes in; status and JSON out."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        if ends:
            writer.write_eof()
        async with asyncio.timeout(LIMIT_SECONDS):
            answer = await reader.read()
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), json.loads(body)

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        text = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: here\r\nContent-Length: {len(text)}\r\n\r\n"
        return await self.send(head.encode() + text)

    async def done(self, method: str, path: str, body: object = None) -> Any:
        status, answer = await self.ask(method, path, body)
        assert status == 200, answer
        return answer


@pytest.fixture
async def control(exchange: Exchange, at: At) -> AsyncIterator[Control]:
    options = ServerOptions(outages=OutagePlan(weekly_login=True))
    async with AsyncExitStack() as stack:
        simulator = Simulator(exchange, VirtualClock(at("10:00")), options)
        await stack.enter_async_context(simulator)
        port = await stack.enter_async_context(ControlPort(simulator))
        yield Control(simulator, port.port)


# ---------------------------------------------------------------------- reading the book


async def test_the_state_is_told_with_decimals_as_text(control: Control, at: At) -> None:
    state = await control.done("GET", "/state")
    assert state["time"] == at("10:00").isoformat()
    assert state["next_change"] == at("10:30").isoformat()
    assert (state["gateway"], state["clients"], state["account"]) == ("up", [1], "DUSIM0001")
    assert state["cash"] == {"USD": "100000"}
    (position,) = state["positions"]
    assert (position["symbol"], position["quantity"]) == ("SPY", "50")
    assert Decimal(position["average_cost"]) == 590


async def test_orders_and_executions_of_a_client_are_told(
    control: Control, order: Callable[..., PlaceOrder], at: At
) -> None:
    exchange = control.simulator.exchange
    exchange.handle(1, order(1), at("10:00"))
    exchange.handle(1, order(2, order_type="LMT", limit_price=Decimal(400)), at("10:00"))
    both = await control.done("GET", "/orders")
    assert [(item["order_id"], item["status"]) for item in both] == [
        (1, "Filled"),
        (2, "Submitted"),
    ]
    (working,) = await control.done("GET", "/orders?open=1")
    assert (working["order_id"], working["limit_price"], working["quantity"]) == (2, "400", "10")
    (execution,) = await control.done("GET", "/executions")
    assert (execution["side"], execution["quantity"], execution["order_ref"]) == (
        "BOT",
        "10",
        "ref-1",
    )
    assert Decimal(execution["commission"]) == 1


# ---------------------------------------------------------------------- acting on it


@pytest.mark.parametrize(
    ("body", "time"),
    [
        ({"step": 1}, "10:30"),
        ({"step": 3}, "11:30"),
        ({"seconds": 90}, "10:01:30"),
        ({"seconds": "0.5"}, "10:00:00.500000"),
        ({"to": "2025-12-12T12:00:00-05:00"}, "12:00"),
    ],
)
async def test_the_clock_is_moved(
    control: Control, at: At, body: dict[str, Any], time: str
) -> None:
    answer = await control.done("POST", "/clock", body)
    assert answer["time"] == at(time).isoformat() == control.simulator.clock.now().isoformat()


async def test_steps_end_with_the_bars(control: Control, at: At) -> None:
    answer = await control.done("POST", "/clock", {"step": 1000})
    assert (answer["next_change"], answer["time"]) == (None, at("01:00", 2).isoformat())
    assert control.simulator.outages.is_logged_out  # after the last bar came the weekly login


async def test_a_trade_by_hand_moves_the_position(control: Control) -> None:
    execution = await control.done("POST", "/trades", {"symbol": "SPY", "quantity": -20})
    assert (execution["side"], execution["quantity"]) == ("SLD", "20")
    assert control.simulator.exchange.positions == {"SPY": Decimal(30)}
    body = {"symbol": "SPY", "quantity": "5", "price": "599.25"}
    assert (await control.done("POST", "/trades", body))["price"] == "599.25"


async def test_each_of_two_trades_at_once_is_told_its_own_price(control: Control) -> None:
    asked = [
        control.done("POST", "/trades", {"symbol": "SPY", "quantity": 1, "price": price})
        for price in (601, 602)
    ]
    assert [trade["price"] for trade in await asyncio.gather(*asked)] == ["601", "602"]


async def test_an_order_by_hand_works_until_it_is_cancelled_by_hand(control: Control) -> None:
    body = {"symbol": "SPY", "action": "BUY", "quantity": 10, "order_type": "LMT"}
    order = await control.done("POST", "/orders", body | {"limit_price": "400.5", "tif": "GTC"})
    assert (order["working"], order["by_hand"], order["limit_price"]) == (True, True, "400.5")
    (cancelled,) = await control.done("DELETE", f"/orders/{order['perm_id']}")
    assert (cancelled["perm_id"], cancelled["status"]) == (order["perm_id"], "Cancelled")
    status, answer = await control.ask("DELETE", f"/orders/{order['perm_id']}")
    assert (status, "no working order" in answer["error"]) == (404, True)


async def test_a_fault_is_injected_listed_and_cleared(control: Control) -> None:
    body = {"name": "silent_loss", "after": "booking", "order": 3}
    assert await control.done("POST", "/faults", body) == {"id": 1, "name": "silent_loss"}
    listed = await control.done("GET", "/faults")
    (active,) = listed["active"]
    assert (active["name"], active["parameters"]["after"]) == ("silent_loss", "booking")
    assert "silent_loss" in [item["fault"] for item in listed["known"]]
    assert [item.name for item in control.simulator.faults.active] == ["silent_loss"]
    await control.done("DELETE", "/faults/1")
    assert control.simulator.faults.active == []
    assert (await control.ask("DELETE", "/faults/1"))[0] == 404


async def test_splits_and_dividends_change_the_account(control: Control) -> None:
    state = await control.done("POST", "/splits", {"symbol": "SPY", "ratio": 2})
    assert [item["quantity"] for item in state["positions"]] == ["100"]
    state = await control.done("POST", "/dividends", {"symbol": "SPY", "per_share": "0.5"})
    assert Decimal(state["cash"]["USD"]) == 100_050


async def test_the_gateway_restarts_and_somebody_logs_in(control: Control, at: At) -> None:
    assert await control.done("POST", "/restart") == {"gateway": "down"}
    await control.done("POST", "/clock", {"seconds": 60})
    assert (await control.done("GET", "/state"))["gateway"] == "up"
    await control.done("POST", "/clock", {"to": at("02:00", 2).isoformat()})
    assert (await control.done("GET", "/state"))["gateway"] == "logged out"
    assert await control.done("POST", "/login") == {"was_needed": True, "gateway": "up"}
    assert (await control.done("POST", "/login", {}))["was_needed"] is False
    assert await control.done("POST", "/restart", {"messages_lost": 3}) == {"gateway": "up"}


# ---------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("asked", "status", "complaint"),
    [
        (("GET", "/nothing", None), 404, "there is nothing at /nothing"),
        (("GET", "/orders/", None), 404, "there is nothing at /orders/"),
        (("PUT", "/state", None), 405, "/state understands GET, not PUT"),
        (("PATCH", "/faults", None), 405, "understands POST and GET"),
        (("GET", "/state?x=1", None), 400, "unknown field 'x', there is none"),
        (("GET", "/orders?open=yes", None), 400, "open must be a number"),
        (("POST", "/clock", {}), 400, "give one of to, seconds and step"),
        (("POST", "/clock", {"step": 1, "seconds": 1}), 400, "give one of"),
        (("POST", "/clock", {"step": -1}), 400, "whole number from 0"),
        (("POST", "/clock", {"step": 1.5}), 400, "whole number from 0"),
        (("POST", "/clock", {"seconds": -1}), 400, "above 0"),
        (("POST", "/clock", {"seconds": "NaN"}), 400, "usual size"),
        (("POST", "/clock", {"seconds": True}), 400, "must be a number"),
        (("POST", "/clock", {"to": "noon"}), 400, "is not an ISO time"),
        (("POST", "/clock", {"to": "2025-12-12T12:00"}), 400, "has no zone"),
        (("POST", "/clock", {"to": 5}), 400, "to must be text"),
        (("POST", "/clock", {"to": "2025-12-12T09:00:00-05:00"}), 400, "cannot go back"),
        (("POST", "/trades", {"quantity": 1}), 400, "symbol is missing"),
        (("POST", "/trades", {"symbol": "SPY", "quantity": "1E400000000"}), 400, "usual size"),
        (("POST", "/trades", {"symbol": "SPY", "quantity": []}), 400, "must be a number"),
        (("POST", "/trades", {"symbol": "NONE", "quantity": 1}), 400, "NONE"),
        (("POST", "/orders", {"symbol": "NONE"}), 400, "no such contract"),
        (("POST", "/orders", {"symbol": "SPY", "action": "HOLD"}), 400, "BUY or SELL"),
        (("POST", "/faults", {"name": "silent_los"}), 400, "silent_loss"),
        (("POST", "/faults", {"name": "silent_loss", "after": "lunch"}), 400, "after"),
        (("POST", "/faults", {"name": "silent_loss", "self": 1}), 400, "self"),
        (("POST", "/faults", {"after": "booking"}), 400, "name is missing"),
        (("DELETE", "/faults/x", None), 400, "is not the id of a fault"),
        (("POST", "/splits", {"symbol": "SPY", "ratio": 0}), 400, "split"),
        (("POST", "/restart", {"messages_lost": "many"}), 400, "must be a number"),
        (("POST", "/clock", {"to": "9999-12-31T23:59:59-05:00"}), 400, "is not between"),
        (("POST", "/clock", {"seconds": "1E14"}), 400, "usual size"),
        (("POST", "/trades", {"symbol": "SPY", "quantity": 1, "price": 0}), 400, "above 0"),
        (("POST", "/trades", {"symbol": "SPY", "quantity": 1, "price": -5}), 400, "above 0"),
        (("POST", "/orders", {"symbol": "SPY", "order_ref": "a\0b"}), 400, "cannot be sent"),
        (("POST", "/orders", {"symbol": "SPY", "order_ref": "\ud800"}), 400, "cannot be sent"),
        (("POST", "/faults", {"name": "second_account", "account": "\0"}), 400, "cannot be sent"),
        (("GET", "/state?x%00=1", None), 400, "cannot be sent"),
    ],
)
async def test_what_cannot_be_done_is_told_in_one_sentence(
    control: Control, asked: tuple[str, str, object], status: int, complaint: str
) -> None:
    got, answer = await control.ask(*asked)
    assert (got, complaint in answer["error"]) == (status, True), answer
    assert "\n" not in answer["error"]
    assert "Traceback" not in answer["error"]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x00\x01\x02\r\n\r\n", 400),
        (b"GET /state\r\n\r\n", 400),
        (b"GET http://elsewhere/ HTTP/1.1\r\n\r\n", 400),
        (b"GET //[ HTTP/1.1\r\n\r\n", 400),
        (b"GET /state HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"POST /restart HTTP/1.1\r\nOrigin: https://a.page\r\n\r\n", 403),
        (b"GET /" + b"x" * (2 * HEAD_BYTES_MAX), 431),
        (b"POST /clock HTTP/1.1\r\nContent-Length: 9\r\n\r\n{step: 1}", 400),
        (b"POST /clock HTTP/1.1\r\nContent-Length: 3\r\n\r\n[1]", 400),
        (b"POST /clock HTTP/1.1\r\nContent-Length: -3\r\n\r\n", 400),
        (b"POST /clock HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 413),
        (f"POST /clock HTTP/1.1\r\nContent-Length: {BODY_BYTES_MAX + 1}\r\n\r\n".encode(), 413),
        (b"POST /clock HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST /clock HTTP/1.1\r\nContent-Length: 60000\r\n\r\n" + b"[" * 60_000, 400),
    ],
)
async def test_what_is_no_request_is_refused_and_the_next_one_served(
    control: Control, data: bytes, status: int
) -> None:
    got, answer = await control.send(data)
    assert (got, list(answer)) == (status, ["error"])
    assert (await control.done("GET", "/state"))["account"] == "DUSIM0001"


@pytest.mark.parametrize(
    "data", [b"", b"GET /st", b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n{"]
)
async def test_a_request_that_ends_early_is_told_so(control: Control, data: bytes) -> None:
    status, answer = await control.send(data, ends=True)
    assert (status, answer["error"].startswith("the request ends within")) == (400, True)


async def test_numbers_that_grow_too_large_are_refused_not_failed_on(control: Control) -> None:
    for _ in range(3):
        await control.ask("POST", "/splits", {"symbol": "SPY", "ratio": 9_999_999_999})
    dividend = {"symbol": "SPY", "per_share": 9_999_999_999}
    status, answer = await control.ask("POST", "/dividends", dividend)
    assert (status, "too large" in answer["error"]) == (400, True)


@pytest.mark.parametrize("turns", range(5))
def test_it_ends_while_a_connection_is_being_accepted(
    exchange: Exchange, at: At, turns: int
) -> None:
    """Whoever was half let in is let go, whatever turn of the loop it was in."""

    async def main(loop: VirtualTimeLoop) -> float:
        async with Simulator(exchange, VirtualClock(at("10:00"))) as simulator:
            async with ControlPort(simulator) as port:
                reader, writer = await asyncio.open_connection("127.0.0.1", port.port)
                for _ in range(turns):
                    await asyncio.sleep(0)
            with suppress(ConnectionResetError):
                await reader.read()
            writer.close()
            await asyncio.sleep(1)
            return loop.time()

    assert run_virtual(main, at("10:00")) < 2  # not after the seconds a request may take


async def test_a_request_that_does_not_arrive_is_given_up(exchange: Exchange, at: At) -> None:
    simulator = Simulator(exchange, VirtualClock(at("10:00")))
    async with simulator, ControlPort(simulator, arrival_seconds_max=0.01) as port:
        status, answer = await Control(simulator, port.port).send(b"GET /state HT")
    assert (status, "did not arrive" in answer["error"]) == (408, True)


async def test_connections_at_once_are_bounded_and_the_rest_turned_away(control: Control) -> None:
    """Those that hold a place and say nothing are many; the port lives on when they are gone."""
    opened = [
        await asyncio.open_connection("127.0.0.1", control.port) for _ in range(CONNECTIONS_MAX)
    ]
    reader, writer = await asyncio.open_connection("127.0.0.1", control.port)
    opened.append((reader, writer))
    with suppress(ConnectionResetError):
        assert await reader.read() == b""
    for _, each in opened:
        each.close()
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            with suppress(ConnectionError, IndexError):
                assert (await control.ask("GET", "/state"))[0] == 200
                return


@given(st.binary(max_size=400))
@example(b"GET /\xff%zz?=&=%00 HTTP/1.1\r\n:\r\n\r\n")
def test_any_bytes_are_a_request_or_refused_with_a_status(data: bytes) -> None:
    async def status_of(data: bytes) -> int:
        reader = asyncio.StreamReader(limit=HEAD_BYTES_MAX)
        reader.feed_data(data)
        reader.feed_eof()
        try:
            await read_request(reader)
        except ControlError as refused:
            return refused.status
        return 200

    for text in (data, b"POST /" + data, b"POST /x HTTP/1.1\r\nContent-Length: 9\r\n\r\n" + data):
        assert asyncio.run(status_of(text)) in {200, 400, 403, 411, 413, 431}


def test_only_loopback_is_listened_on_for_control(exchange: Exchange, at: At) -> None:
    simulator = Simulator(exchange, VirtualClock(at("10:00")))
    with pytest.raises(ValueError, match="loopback only"):
        ControlPort(simulator, "0.0.0.0")
    with pytest.raises(RuntimeError, match="not listening"):
        _ = ControlPort(simulator).port


# ---------------------------------------------------------------------- as a process


@pytest.fixture
def control_port(tmp_path: Path) -> Iterator[int]:
    rows = [
        f"2025-12-12T{10 + i // 2}:{30 * (i % 2):02}:00-05:00,10,12,9,11,100\n" for i in range(8)
    ]
    (tmp_path / "SPY_30min.csv").write_text(HEADER + "".join(rows))
    command = [sys.executable, "-m", "gateway.simulator", "--port", "0", "--control-port", "0"]
    options = ["--bars", str(tmp_path), "--speed", "0", "--holding", "SPY=50@590"]
    options += ["--fault", "latency seconds=0.5"]
    with subprocess.Popen(
        [*command, *options, "--start", "2025-12-12T10:00:00-05:00"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        match = re.search(r"control port http://127\.0\.0\.1:(\d+)$", running.stdout.readline())
        assert match is not None
        yield int(match[1])
        running.terminate()


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_each_example_of_the_help_works_as_it_stands(control_port: int) -> None:
    """GET / is the documentation; every line of it is run, by curl, in its order."""
    said = subprocess.run(
        ["curl", "-s", f"http://127.0.0.1:{control_port}/"],
        capture_output=True,
        check=True,
        timeout=LIMIT_SECONDS,
    )
    endpoints = json.loads(said.stdout)["endpoints"]
    assert len(endpoints) == len(ENDPOINTS) > 10
    for endpoint in endpoints:
        done = subprocess.run(
            f"{endpoint['curl']} -w '\\n%{{http_code}}'",
            shell=True,
            capture_output=True,
            text=True,
            check=True,
            timeout=LIMIT_SECONDS,
        )
        answer, _, status = done.stdout.rpartition("\n")
        assert status == "200", (endpoint, answer)
        assert "error" not in json.loads(answer)


def test_a_fault_of_the_command_line_is_active(control_port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", control_port, timeout=LIMIT_SECONDS)
    with closing(connection):
        connection.request("GET", "/faults")
        (active,) = json.loads(connection.getresponse().read())["active"]
    assert (active["id"], active["name"], active["parameters"]["seconds"]) == (1, "latency", 0.5)

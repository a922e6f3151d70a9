"""The server and virtual time: pacing, restarts, logins, nights, in the order of their times.

On a loop of virtual time the whole of it is a function: nothing here waits.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest

from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.clock import VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook
from gateway.simulator.outages import OutagePlan
from gateway.simulator.requests import (
    CompletedOrdersRequest,
    CurrentTimeRequest,
    ExecutionsRequest,
    PlaceOrder,
)
from gateway.simulator.server import ServerOptions, Simulator
from gateway.simulator.virtual_loop import VirtualTimeLoop, run_virtual
from gateway.simulator.wire.codec import Hello, encode_frame, encode_hello
from gateway.simulator.wire.messages import encode_request

At = Callable[..., datetime]
MakeOrder = Callable[..., PlaceOrder]
Story = Callable[[Simulator], Awaitable[None]]
Play = Callable[..., Simulator]
A_MOMENT = 0.001
KEPT: list[asyncio.Task[None]] = []  # a loop holds its tasks weakly
TIME = CurrentTimeRequest()
EXECUTIONS = ExecutionsRequest(1, 0, "", "", "", "", "", "")


@pytest.fixture
def play(book: BarBook, at: At) -> Play:
    """Run a story with a simulator on virtual time, from a time on; returns the simulator."""

    def run(story: Story, start: datetime | None = None, **options: Any) -> Simulator:
        async def main(loop: VirtualTimeLoop) -> Simulator:
            clock = loop.clock() if options.pop("runs", True) else VirtualClock(loop.now())
            server = ServerOptions(tick_seconds=None, **options)
            simulator = Simulator(Exchange(book, ExchangeOptions(seed=7)), clock, server)
            async with simulator:
                await story(simulator)
            return simulator

        return run_virtual(main, start or at("10:00"))

    return run


class Client:
    """Notes what it hears, with the loop's seconds, and how its connection ended."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard: list[tuple[float, list[str]]] = []
        self.ending = ""
        self._reader, self._writer = reader, writer
        self._listening = asyncio.create_task(self._listen())
        KEPT.append(self._listening)

    @classmethod
    async def ready(cls, simulator: Simulator, client_id: int = 1, hello: str = "") -> "Client":
        client = cls(*await asyncio.open_connection("127.0.0.1", simulator.port))
        client.write(encode_hello(Hello(157, 178, hello)))
        client.write(encode_frame(["71", "2", str(client_id), ""]))
        await asyncio.sleep(A_MOMENT)
        return client

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def leave(self) -> None:
        self._writer.close()

    def ask(self, *requests: Any) -> None:
        self.write(b"".join(encode_frame(encode_request(item, 178)) for item in requests))

    def times(self, number: str) -> list[float]:
        """When messages of this number came, to a millisecond."""
        return [round(seconds, 3) for seconds, fields in self.heard if fields[0] == number]

    def told(self, number: str) -> list[list[str]]:
        """The fields of the messages of this number."""
        return [fields for _, fields in self.heard if fields[0] == number]

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                length = int.from_bytes(await self._reader.readexactly(4), "big")
                fields = (await self._reader.readexactly(length)).decode().split("\0")[:-1]
                self.heard.append((loop.time(), fields))
        except asyncio.IncompleteReadError as error:
            self.ending = f"closed {len(error.partial)}"
        except ConnectionResetError:
            self.ending = "reset"
        self._writer.close()


# ---------------------------------------------------------------------- time by itself


def test_a_running_clock_tells_of_a_fill_the_moment_its_bar_ends(
    play: Play, order: MakeOrder
) -> None:
    async def story(simulator: Simulator) -> None:
        client = await Client.ready(simulator)
        client.ask(order(1, order_type="LMT", limit_price=Decimal("600.50")))
        await asyncio.sleep(2 * 3600)
        assert client.times("11") == [3600.0]

    play(story)


def test_steps_go_from_bar_to_bar_and_end_with_the_bars(play: Play, at: At) -> None:
    async def story(simulator: Simulator) -> None:
        times = []
        while (when := await simulator.step()) is not None:
            times.append(when)
        assert times[:2] == [at("10:30"), at("11:00")]
        assert times[-1] == at("16:00")
        assert simulator.clock.now() == at("16:00")

    play(story, runs=False)


# ---------------------------------------------------------------------- pacing


def test_what_is_over_fifty_in_a_second_is_not_executed_and_told_once(
    play: Play, order: MakeOrder
) -> None:
    """ib.md section 4, message rate: error 100 with reqId -1; refused orders hear nothing."""

    async def story(simulator: Simulator) -> None:
        client = await Client.ready(simulator)
        client.ask(*[TIME] * 48, order(1), order(2), *[TIME] * 55)
        await asyncio.sleep(2)
        assert len(client.times("49")) == 48
        assert {fields[1] for fields in client.told("5")} == {"1"}
        (refusal,) = [fields for fields in client.told("4") if fields[3] == "100"]
        assert refusal[2] == "-1"
        assert refusal[4] == (
            "Max rate of messages per second has been exceeded:max=50 rec=106 (1)"
        )
        client.ask(TIME)
        await asyncio.sleep(1)
        assert (len(client.times("49")), client.ending) == (49, "")

    play(story, pacing="reject")


def test_the_third_violation_cuts_the_connection(play: Play) -> None:
    async def story(simulator: Simulator) -> None:
        client, other = await Client.ready(simulator), await Client.ready(simulator, 2)
        await asyncio.sleep(1)
        for _ in range(3):
            client.ask(*[TIME] * 106)
            await asyncio.sleep(2)
        texts = [fields[4] for fields in client.told("4") if fields[3] == "100"]
        assert [text.rpartition(":")[2] for text in texts] == [
            f"max=50 rec=106 ({number})" for number in (1, 2, 3)
        ]
        assert client.ending == "closed 0"
        assert (simulator.exchange.clients, other.ending) == (frozenset({2}), "")

    play(story, pacing="reject")


def test_a_paced_client_is_answered_fifty_times_a_second(play: Play) -> None:
    async def story(simulator: Simulator) -> None:
        client = await Client.ready(simulator)
        began = asyncio.get_running_loop().time()
        client.ask(*[TIME] * 120)
        await asyncio.sleep(5)
        seconds = [round(moment - began) for moment in client.times("49")]
        # startApi is a message too, so the first second has room for 49.
        assert [seconds.count(second) for second in (0, 1, 2)] == [49, 50, 21]

    play(story, pacing="pace")


def test_a_client_may_ask_to_be_paced_instead_of_refused(play: Play) -> None:
    async def story(simulator: Simulator) -> None:
        client = await Client.ready(simulator, hello="+PACEAPI")
        client.ask(*[TIME] * 120)
        await asyncio.sleep(5)
        assert len(client.times("49")) == 120
        assert [fields for fields in client.told("4") if fields[3] == "100"] == []

    play(story, pacing="reject")


def test_a_jump_of_the_clock_handles_paced_messages_at_their_own_times(
    play: Play, order: MakeOrder, at: At
) -> None:
    """The second order trades a second later, not where the clock has jumped to."""

    async def story(simulator: Simulator) -> None:
        client = await Client.ready(simulator)
        client.ask(order(1), order(2))
        await asyncio.sleep(A_MOMENT)
        await simulator.advance_to(at("12:00"))
        await asyncio.sleep(A_MOMENT)
        stamps = [fields[15] for fields in client.told("11")]
        assert stamps == ["20251212 10:00:00 US/Eastern", "20251212 10:00:01 US/Eastern"]

    play(story, pacing="pace", messages_per_second_max=2, runs=False)


def test_the_messages_of_a_client_that_left_are_not_handled_later(
    play: Play, order: MakeOrder, at: At
) -> None:
    async def story(simulator: Simulator) -> None:
        client = await Client.ready(simulator)
        client.ask(*[order(number) for number in range(1, 10)])
        await asyncio.sleep(A_MOMENT)
        client.leave()
        await asyncio.sleep(A_MOMENT)
        await simulator.advance_to(at("12:00"))
        assert simulator.exchange.positions == {"SPY": Decimal(10)}

    play(story, pacing="pace", messages_per_second_max=2, runs=False)


# ---------------------------------------------------------------------- restart and login

RESTART = OutagePlan(restart_at=time(10, 45), restart_seconds=60, restart_ids_back=4)


def test_the_daily_restart_resets_refuses_and_comes_back_on_the_same_port(
    play: Play, order: MakeOrder
) -> None:
    """ib.md section 4, gateway restart: reset, ids re-issued, executions and GTC orders kept."""

    async def story(simulator: Simulator) -> None:
        client, port = await Client.ready(simulator), simulator.port
        resting = {"order_type": "LMT", "limit_price": Decimal(400), "tif": "GTC"}
        client.ask(*[order(number) for number in range(1, 6)], order(6, **resting))
        await asyncio.sleep(45 * 60)
        assert client.ending == "reset"
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        await asyncio.sleep(60)
        again = await Client.ready(simulator)
        assert (simulator.port, again.told("9")) == (port, [["9", "1", "3"]])
        again.ask(EXECUTIONS)
        await asyncio.sleep(A_MOMENT)
        assert len(again.told("11")) == 5
        assert [order.order_id for order in simulator.exchange.working_orders] == [6]

    play(story, outages=RESTART)


def test_a_restart_that_is_jumped_over_still_resets_everyone(play: Play, at: At) -> None:
    async def story(simulator: Simulator) -> None:
        client = await Client.ready(simulator)
        await simulator.advance_to(at("12:00"))
        await asyncio.sleep(A_MOMENT)
        assert client.ending == "reset"
        assert (await Client.ready(simulator)).told("15")

    play(story, outages=RESTART, runs=False)


def test_orders_trade_while_the_gateway_restarts(play: Play, order: MakeOrder, at: At) -> None:
    """The outage ends a client's sight, not the order: it trades at 10:30, within the restart."""
    plan = OutagePlan(restart_at=time(10, 15), restart_seconds=1800)

    async def story(simulator: Simulator) -> None:
        client = await Client.ready(simulator)
        client.ask(order(1, order_type="LMT", limit_price=Decimal("600.50")))
        await asyncio.sleep(A_MOMENT)
        await simulator.advance_to(at("11:20"))
        again = await Client.ready(simulator)
        again.ask(EXECUTIONS)
        await asyncio.sleep(A_MOMENT)
        assert (client.told("11"), len(again.told("11"))) == ([], 1)

    play(story, outages=plan, runs=False)


def test_messages_in_the_last_moment_before_a_restart_are_lost(
    play: Play, order: MakeOrder
) -> None:
    plan = OutagePlan(restart_at=time(10, 45), restart_deaf_seconds=0.5)

    async def story(simulator: Simulator) -> None:
        client = await Client.ready(simulator)
        await asyncio.sleep(45 * 60 - 0.3)
        client.ask(order(1))
        await asyncio.sleep(120)
        assert (client.told("5"), simulator.exchange.positions) == ([], {})

    play(story, outages=plan)


def test_a_restart_by_hand_loses_the_last_messages(play: Play, order: MakeOrder) -> None:
    async def story(simulator: Simulator) -> None:
        client = await Client.ready(simulator)
        await simulator.restart(messages_lost=2)
        client.ask(order(1), order(2), order(3))
        await asyncio.sleep(A_MOMENT)
        assert (client.ending, simulator.exchange.positions) == ("reset", {})
        assert simulator.outages.is_down

    play(story)


def test_the_weekly_login_waits_for_a_person(play: Play, at: At) -> None:
    async def story(simulator: Simulator) -> None:
        client = await Client.ready(simulator)
        await asyncio.sleep(3 * 86_400)
        assert (client.ending, simulator.outages.is_logged_out) == ("reset", True)
        with pytest.raises(ConnectionRefusedError):
            await Client.ready(simulator)
        assert await simulator.log_in()
        assert (await Client.ready(simulator)).told("15")
        assert not await simulator.log_in()

    play(story, outages=OutagePlan(weekly_login=True))


def test_a_simulator_that_begins_logged_out_listens_after_the_login(play: Play, at: At) -> None:
    async def story(simulator: Simulator) -> None:
        await simulator.advance_to(at("01:00", 2))
        await simulator.__aexit__(None, None, None)
        await simulator.__aenter__()
        with pytest.raises(RuntimeError, match="not listening"):
            _ = simulator.port
        await simulator.log_in()
        assert (await Client.ready(simulator)).told("15")

    play(story, outages=OutagePlan(weekly_login=True), runs=False)


# ---------------------------------------------------------------------- faults at the socket


def test_what_a_fault_holds_back_comes_at_its_own_time(play: Play, order: MakeOrder) -> None:
    async def story(simulator: Simulator) -> None:
        client = await Client.ready(simulator)
        simulator.faults.late_executions(seconds=2.5)
        client.ask(order(1))
        await asyncio.sleep(10)
        assert client.times("11") == [2.501]

    play(story)


def test_what_is_held_back_comes_when_the_clock_is_moved_too(
    play: Play, order: MakeOrder, at: At
) -> None:
    async def story(simulator: Simulator) -> None:
        client = await Client.ready(simulator)
        simulator.faults.late_executions(seconds=2.5)
        client.ask(order(1))
        await asyncio.sleep(60)
        assert client.told("11") == []
        await simulator.step()
        await asyncio.sleep(A_MOMENT)
        assert simulator.clock.now() == at("10:00:02.500")
        assert len(client.told("11")) == 1

    play(story, runs=False)


def test_a_fault_injected_from_beside_is_heard_at_once(play: Play) -> None:
    async def story(simulator: Simulator) -> None:
        client = await Client.ready(simulator)
        simulator.faults.link_lost()
        await asyncio.sleep(A_MOMENT)
        assert "1100" in [fields[3] for fields in client.told("4")]

    play(story)


def test_a_reset_in_frame_leaves_half_a_message(play: Play) -> None:
    """ib.md 4.1: whole messages before it, the first half of one, then the reset."""

    async def story(simulator: Simulator) -> None:
        network = cast(VirtualTimeLoop, asyncio.get_running_loop()).network
        network.is_recorded = True
        client = await Client.ready(simulator)
        simulator.faults.connection_reset(messages=1, in_frame=True)
        client.ask(TIME, TIME)
        await asyncio.sleep(A_MOMENT)
        whole = encode_frame(["49", "1", "1765551600"])
        assert network.said(1, to_server=False).endswith(whole + whole[: len(whole) // 2])
        assert (client.ending, simulator.exchange.clients) == ("reset", frozenset())

    play(story)


def test_garbage_is_written_as_it_is(play: Play) -> None:
    async def story(simulator: Simulator) -> None:
        client, other = await Client.ready(simulator), await Client.ready(simulator, 2)
        simulator.faults.garbage_bytes(what="length", client_id=1)
        await asyncio.sleep(A_MOMENT)
        other.ask(TIME)
        await asyncio.sleep(A_MOMENT)
        assert (len(other.told("49")), other.ending) == (1, "")
        assert client.told("49") == []

    play(story)


@pytest.mark.parametrize("welcome", ["silent", "reset"])
def test_a_half_dead_gateway_accepts_and_says_nothing(play: Play, welcome: Any) -> None:
    async def story(simulator: Simulator) -> None:
        simulator.faults.half_dead_gateway(welcome=welcome)
        client = await Client.ready(simulator)
        await asyncio.sleep(600)
        assert client.heard == []
        assert client.ending == {"silent": "", "reset": "reset"}[welcome]
        simulator.faults.clear()
        assert (await Client.ready(simulator)).told("15")

    play(story)


def test_a_client_id_that_stays_locked_is_refused_with_326(play: Play) -> None:
    async def story(simulator: Simulator) -> None:
        simulator.faults.client_id_locked()
        client = await Client.ready(simulator)
        assert [fields[3] for fields in client.told("4")] == ["326"]
        assert (client.ending, simulator.exchange.clients) == ("closed 0", frozenset())

    play(story)


def test_a_client_that_does_not_read_keeps_nobody_waiting(play: Play) -> None:
    async def story(simulator: Simulator) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
        writer.write(encode_hello(Hello(157, 178)) + encode_frame(["71", "2", "1", ""]))
        await asyncio.sleep(A_MOMENT)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        other = await Client.ready(simulator, 2)
        writer.write(encode_frame(encode_request(TIME, 178)) * 5000)
        other.ask(*[TIME] * 10)
        await asyncio.sleep(A_MOMENT)
        assert len(other.told("49")) == 10
        assert simulator.exchange.clients == {1, 2}  # within its bound, so it is not cut off
        writer.write(encode_frame(encode_request(TIME, 178)) * 50_000)
        await asyncio.sleep(1)
        writer.close()
        await asyncio.sleep(A_MOMENT)
        assert simulator.exchange.clients == {2}

    play(story)


# ---------------------------------------------------------------------- nights


def test_the_close_ends_day_orders_and_midnight_forgets_executions(
    play: Play, order: MakeOrder
) -> None:
    """ib.md section 4: 202 at the end of the day; executions since midnight only."""

    async def story(simulator: Simulator) -> None:
        client = await Client.ready(simulator)
        limit = {"order_type": "LMT", "limit_price": Decimal(400)}
        client.ask(order(1), order(2, **limit), order(3, tif="GTC", **limit))
        await asyncio.sleep(6 * 3600)
        assert [fields[2] for fields in client.told("4") if fields[3] == "202"] == ["2"]
        for hours, executions, completed in ((0, 1, 2), (8, 0, 0)):
            await asyncio.sleep(hours * 3600 + 1)
            client.heard.clear()
            client.ask(EXECUTIONS, CompletedOrdersRequest(api_only=False))
            await asyncio.sleep(A_MOMENT)
            assert len(client.told("11")) == executions
            assert len(client.told("101")) == completed
        assert [order.order_id for order in simulator.exchange.working_orders] == [3]

    play(story)


def test_two_runs_are_the_same_to_the_microsecond(play: Play, order: MakeOrder) -> None:
    heard: list[Any] = []

    async def story(simulator: Simulator) -> None:
        client, other = await Client.ready(simulator), await Client.ready(simulator, 2)
        client.ask(order(1), *[TIME] * 80)
        other.ask(order(1, action="SELL"), *[TIME] * 80)
        await asyncio.sleep(timedelta(hours=2).total_seconds())
        heard.append((client.heard, client.ending, other.heard, other.ending))

    for _ in range(2):
        play(story, pacing="pace", outages=RESTART)
    assert heard[0] == heard[1]
    assert len(heard[0][0]) > 80

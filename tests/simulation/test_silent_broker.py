"""A broker that leaves questions unanswered while its line is well, as IB does [reliability A.8].

The commander's loop waits for it, and whatever arrives meanwhile waits too. On a loop of virtual
time, so that the wait can be told to the second: `schedule_missed` is told after three minutes, and
what Pub/Sub delivered may not wait for ever either.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.commander import PUT_OFF_SECONDS
from gateway.core.silence import PAUSE_SECONDS
from gateway.session import Session, SessionSettings
from gateway.simulator.market.bars import BarBook
from gateway.simulator.virtual_loop import run_virtual
from infra.local.rig import Rig, rigged
from schemas.documents import RunDocument
from schemas.settings import StrategyDocument
from schemas.values import BarSpec, Contract
from tests.gateway.watched_bars import HALF_HOUR, SESSIONS, made_row, opening

SETTINGS = SessionSettings("127.0.0.1", 4002, 1)
DETAILS_SECONDS = SETTINGS.request_timeout_seconds
BARS_SECONDS = SETTINGS.bars_timeout_seconds
THROTTLE_SECONDS = 2
"""What 20 questions more may wait for ib_async's 45 messages a second, rounded."""
SYMBOLS = [f"S{number:02}" for number in range(20)]
NOON = opening(12, 2) + 5 * HALF_HOUR
STARTS = [o + n * HALF_HOUR for o, count in SESSIONS.items() for n in range(count)]
ROWS = [made_row(index, start) for index, start in enumerate(STARTS)]
BOOK = BarBook({(symbol, "30 mins"): ROWS for symbol in SYMBOLS})


def strategy(*symbols: str, days: int = 2) -> StrategyDocument:
    universe = tuple(map(Contract, symbols))
    bars = BarSpec("30 mins", f"{days} D", 1)
    return StrategyDocument(True, Decimal("0.1"), universe=universe, bars=bars)


HOLDS = {"status": "hold"}
ALL_TWENTY = {"alpha": strategy(*SYMBOLS), "beta": strategy(*SYMBOLS, days=3)}


def played(
    play: Callable[[Rig], Awaitable[None]], strategies: dict[str, StrategyDocument] = ALL_TWENTY
) -> None:
    """Play on a bench whose deadlines pass at once."""

    async def main(_loop: object) -> None:
        async with rigged(strategies=strategies, bars=BOOK, start=NOON) as rig:
            await rig.start()
            await rig.resume()
            await play(rig)

    run_virtual(main, start=datetime(2025, 12, 12, 15, tzinfo=UTC))


async def held(rig: Rig, command: str, run_id: str = "r1") -> tuple[RunDocument, float]:
    """A command that asks nobody in the end, or bars; how many seconds the loop was held by it."""
    loop, started = asyncio.get_running_loop(), asyncio.get_running_loop().time()
    run = await rig.command(command, run_id)
    return run, round(loop.time() - started)


@pytest.mark.parametrize("command", ["run", "market_data"])
def test_twenty_contracts_that_nobody_resolves_share_one_deadline(command: str) -> None:
    """They were asked for one after the other, twice where two strategies want them: 400 s."""

    async def play(rig: Rig) -> None:
        rig.simulator.faults.unanswered_requests(kind="contract_details", request=0)
        run, seconds = await held(rig, command)
        assert DETAILS_SECONDS <= seconds <= DETAILS_SECONDS + THROTTLE_SECONDS
        sentences = {refusal.sentence for refusal in run.refusals}
        assert any("S00 STK SMART USD: no answer within 10 s" in said for said in sentences)
        run, seconds = await held(rig, command, "r2")
        assert seconds == 0
        sentences = {refusal.sentence for refusal in run.refusals}
        assert any("S00 STK SMART USD: not asked, for the last" in said for said in sentences)

    played(play)


@pytest.mark.parametrize("command", ["run", "market_data"])
def test_twenty_series_of_bars_that_do_not_come_share_one_deadline(command: str) -> None:
    """For each wish of another length they were asked for again: 60 s more."""

    async def play(rig: Rig) -> None:
        rig.simulator.faults.unanswered_requests(kind="historical_data", request=0)
        run, seconds = await held(rig, command)
        assert BARS_SECONDS <= seconds <= BARS_SECONDS + THROTTLE_SECONDS
        assert "bars of S00: no answer within 60 s" in run.refusals[0].sentence
        run, seconds = await held(rig, command, "r2")
        assert seconds == 0
        assert "bars of S00: not asked, for the last 20 questions" in run.refusals[0].sentence

    played(play)


def test_hours_that_nobody_tells_hold_market_data_for_one_deadline() -> None:
    async def play(rig: Rig) -> None:
        await rig.command("market_data", "r1")
        await rig.advance(days=1)  # what is known of hours is known for a day
        rig.simulator.faults.unanswered_requests(kind="contract_details", request=0)
        run, seconds = await held(rig, "market_data", "r2")
        assert run.outcome == "done"
        assert DETAILS_SECONDS <= seconds <= DETAILS_SECONDS + THROTTLE_SECONDS

    played(play)


def test_one_contract_that_hangs_stops_no_other_strategy_however_often() -> None:
    """IB does that: one question hangs, and those beside it are answered."""

    async def play(rig: Rig) -> None:
        rig.simulator.faults.unanswered_requests(kind="historical_data", symbol="S01", request=0)
        for number in range(3):
            run_id = f"r{number}"
            await rig.publish("commands", {"command": "run", "run_id": run_id})
            await rig.reached(run_id, "ASKED")
            run = await rig.run(run_id)
            assert run is not None
            assert run.asked == ("beta",)
            await rig.publish("targets", {"strategy": "beta", "run_id": run_id, "status": "hold"})
            await rig.ended(run_id)
            await rig.advance(minutes=30)

    played(play, {"alpha": strategy("S00", "S01"), "beta": strategy("S02", "S03")})


def test_a_contract_that_always_hangs_holds_up_no_other_message() -> None:
    """Asked for again and again, it was taken for a silent broker, and asked for first each time:
    whoever named another contract that was not known yet waited for ever."""

    async def play(rig: Rig) -> None:
        chief = rig.chief
        assert chief is not None
        rig.simulator.faults.unanswered_requests(kind="contract_details", symbol="S01", request=0)
        await rig.say("alpha", S01=1)
        await asyncio.sleep(10 * PAUSE_SECONDS)
        await rig.say("beta", S02=1)
        await asyncio.sleep(DETAILS_SECONDS + 1)
        assert [b"S01" in waiting.data for waiting in chief._put_off.values()] == [True]
        assert chief.floor.desk.targets["beta"].targets[0].symbol == "S02"

    played(play, {"alpha": strategy(), "beta": strategy()})


def test_what_was_asked_for_in_vain_waits_behind_what_was_not_asked_for() -> None:
    """Two that hang are a silent broker for all it can know: each message has its turn."""
    names = ("s1", "s2", "s3", "s4")

    async def play(rig: Rig) -> None:
        chief, faults = rig.chief, rig.simulator.faults
        assert chief is not None
        for symbol in ("S01", "S02"):
            faults.unanswered_requests(kind="contract_details", symbol=symbol, request=0)
        for number, name in enumerate(names, 1):
            targets = [{"symbol": f"S{number:02}", "quantity": 1}]
            await rig.publish("targets", {"strategy": name, "targets": targets})
        await asyncio.sleep(len(names) * (PAUSE_SECONDS + DETAILS_SECONDS + PUT_OFF_SECONDS))
        assert sorted(chief.floor.desk.targets) == ["s3", "s4"]
        assert len(chief._put_off) == 2

    played(play, {name: strategy() for name in names})


@pytest.mark.parametrize("command", ["run", "market_data"])
def test_a_contract_that_hangs_in_a_message_fails_no_run(command: str) -> None:
    """As after a daily restart, when no contract is known: no strategy was asked that day."""

    async def play(rig: Rig) -> None:
        rig.simulator.faults.unanswered_requests(kind="contract_details", symbol="S01", request=0)
        await rig.say("alpha", S01=1)
        for number in range(6):
            await asyncio.sleep(33)
            asked = {"command": command, "run_id": f"r{number}", "strategies": [f"b{number}"]}
            await rig.publish("commands", asked)
            while (run := await rig.run(f"r{number}")) is None or run.state == "STARTED":
                await asyncio.sleep(0.1)
            assert run.refusals == ()
            if command == "run":
                assert run.asked == (f"b{number}",)
                await rig.publish(
                    "targets", {**HOLDS, "strategy": f"b{number}", "run_id": run.run_id}
                )

    others = {f"b{number}": strategy(f"S{number + 2:02}") for number in range(6)}
    played(play, {"alpha": strategy(), **others})


def test_hours_of_waiting_for_a_login_leave_nothing_to_be_done_again() -> None:
    """Each attempt that shook hands and found no answer left one more reading of the account."""
    reads = 0

    class Counted:
        def __init__(self, session: Session) -> None:
            self._session = session

        def __getattr__(self, name: str) -> Any:
            nonlocal reads
            reads += name == "read"
            return getattr(self._session, name)

    async def main(_loop: object) -> None:
        nonlocal reads
        async with rigged(strategies=ALL_TWENTY, bars=BOOK, start=NOON) as rig:
            rig.fit = lambda name, door: Counted(door) if name == "session" else door
            fault = rig.simulator.faults.unanswered_requests(kind="completed_orders", times=0)
            chief = rig.start_soon()
            await asyncio.sleep(10 * 3600)
            assert reads > 1_000
            assert len(chief.inbox.waiting) < 10
            told = [r for r in rig.reports if r.details.get("alert") == "broker_awaited"]
            assert (
                100 < len(told) < 130
            )  # told again and again; `alerts` keeps back all but one an hour
            assert "no answer within" in told[-1].sentence
            reads = 0
            rig.simulator.faults.clear(fault)
            while not chief.is_idle:
                await asyncio.sleep(1)
            assert reads <= 3

    run_virtual(main, start=datetime(2025, 12, 12, 15, tzinfo=UTC))


def test_targets_of_eight_strategies_wait_for_two_deadlines_and_not_for_eight() -> None:
    """And while they wait, only one in a minute and some holds the loop, until IB answers again."""
    names = [f"s{number}" for number in range(8)]

    async def play(rig: Rig) -> None:
        loop, chief, started = asyncio.get_running_loop(), rig.chief, 0.0
        assert chief is not None
        rig.simulator.faults.unanswered_requests(kind="contract_details", request=0)
        started = loop.time()
        for name in names:
            await rig.say(name, S00=1)
        while len(chief._put_off) < len(names):
            await asyncio.sleep(0.1)
        assert round(loop.time() - started) == 2 * DETAILS_SECONDS
        busy, watched = 0, 10 * 60
        for _ in range(watched):
            await asyncio.sleep(1)
            busy += chief._handling
        assert busy <= watched * DETAILS_SECONDS / (DETAILS_SECONDS + PAUSE_SECONDS) + 10
        rig.simulator.faults.clear()
        started = loop.time()
        while chief._put_off:
            await asyncio.sleep(1)
        assert loop.time() - started <= PAUSE_SECONDS + DETAILS_SECONDS + PUT_OFF_SECONDS
        assert rig.dead_letters == []

    played(play, {name: strategy() for name in names})


def test_a_batch_of_orders_waits_once_for_a_peer_that_reads_no_more() -> None:
    """The lines to IB are full and stay so: for each of twenty orders it was ten seconds more."""

    async def play(rig: Rig) -> None:
        chief, loop = rig.chief, asyncio.get_running_loop()
        assert chief is not None
        targets = [{"symbol": symbol, "quantity": 1} for symbol in SYMBOLS]
        await rig.publish("targets", {"strategy": "alpha", "targets": targets})
        await rig.settled_before_coalescing()
        await rig.hold(after="openOrders/paper-")
        await rig.publish("commands", {"command": "allocate", "run_id": "a1"})
        await rig.until_held()
        line = chief.floor.doors.session._line
        assert line is not None
        line.client._timeQ.extend([loop.time() + 3600] * line.client.MaxRequests)
        started = loop.time()
        rig.wire.release()
        await rig.ended("a1")
        assert round(loop.time() - started) == SETTINGS.request_timeout_seconds
        orders = (await rig.orders()).values()
        assert [order.outcome for order in orders] == ["not_sent"] * len(SYMBOLS)

    played(play)

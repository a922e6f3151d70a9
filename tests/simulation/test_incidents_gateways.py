"""Incidents of other projects, replayed: gateways that are not there, hang, or must be stopped.

Rows 6, 7 and 11 of the list of incidents; redeploys (row 8) are with the fills that they lost, in
`test_incidents_accounts.py`. What cannot be done ends with a sentence within its deadline, and what
was wanted is done once the gateway is well again.
"""

import asyncio
from dataclasses import replace
from functools import partial

import pytest

from gateway.inbox import ControlWritten
from gateway.inquiry import SessionSettings
from gateway.session import BrokerUnavailable
from infra.local.rig import MODE, Rig, rigged
from schemas.settings import ControlDocument
from schemas.values import TradingState
from tests.simulation.incidents import (
    Incident,
    all_is_as_wanted,
    live_on,
    locks,
    no_order_is_there_twice,
    until_partly_filled,
    wanted_by_two,
)

pytestmark = pytest.mark.ib_async_errors_expected("gateways that misbehave are the matter")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines of a fraction of a second; what they lead to is the same."""
    settings = partial(
        SessionSettings,
        connect_timeout_seconds=0.5,
        request_timeout_seconds=0.5,
        quote_timeout_seconds=0.5,
    )
    monkeypatch.setattr("gateway.config.SessionSettings", settings)
    monkeypatch.setattr("gateway.commander.RECONNECT_SECONDS", 0.02)


HANGING = (
    Incident(
        "ib_async_82",
        "executions that never end",
        lambda f: f.missing_end(kind="execution_details_end"),
    ),
    Incident(
        "ib_async_128",
        "completed orders that are never told",
        lambda f: f.unanswered_requests(kind="completed_orders"),
    ),
    Incident(
        "lean_ib_227",
        "positions that are never told",
        lambda f: f.unanswered_requests(kind="positions"),
    ),
)


@pytest.mark.parametrize("incident", HANGING, ids=lambda i: i.case_name)
async def test_a_question_that_is_not_answered_fails_its_run_and_no_later_one(
    incident: Incident, active: Rig
) -> None:
    """[R1]: the run fails within its deadline, nothing is ordered, the next run is well."""
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    fault = incident.inject(active.simulator.faults)
    run = await active.command("allocate", "a1")
    assert run.outcome == "failed"
    assert run.reason.startswith("no answer within 0.5 s")
    assert await active.orders() == {}
    active.simulator.faults.clear(fault)  # type: ignore[arg-type]
    session = active.chief.floor.doors.session if active.chief else None
    assert session is not None
    await active.until("the line is up again", lambda: session.connected)
    await active.settled()
    await active.command("allocate", "a2")
    await active.traded()
    assert await active.held() == active.simulator.exchange.positions == {"SPY": 10}


async def test_pysystemtrade_1659_a_contract_without_an_answer_does_not_stop_the_others(
    active: Rig,
) -> None:
    """pysystemtrade#1659: one contract's question hung for three hours, and all with it [N4]."""
    active.simulator.faults.unanswered_requests(kind="market_data", symbol="VIXY")
    await active.say("alpha", SPY=10)
    await active.say("beta", VIXY=20)
    await active.settled_before_coalescing()
    run = await active.command("allocate", "a1")
    await active.traded()
    assert [(r.rule, r.symbol) for r in run.refusals] == [("quote_age", "VIXY")]
    assert active.simulator.exchange.positions == {"SPY": 10}
    active.simulator.faults.clear()
    await active.command("allocate", "a2")
    await active.traded()
    assert await active.held() == active.simulator.exchange.positions == {"SPY": 10, "VIXY": 20}


@pytest.mark.parametrize(
    ("issue", "seconds"), [("lean_ib_246", 14 * 60), ("ibc_184", 60), ("gnzsnz_119", 5)]
)
async def test_a_gateway_that_was_away_is_found_again_without_help(
    issue: str, seconds: int, active: Rig
) -> None:
    """LEAN.IB#246, IBC#184, gnzsnz#119: a login or a restart ended, and nobody connected [R1]."""
    await wanted_by_two(active)
    await active.traded()
    active.simulator.faults.gateway_down(seconds=seconds)
    await active.advance(seconds=seconds + 1)
    await live_on(active, "back", 1)
    await active.command("allocate", "a1")
    await all_is_as_wanted(active)


async def test_gnzsnz_336_a_gateway_that_accepts_and_never_answers_is_told_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """gnzsnz#336: the port was open, nothing ever came; here it is said, and waited for."""
    async with rigged() as rig:
        fault = rig.simulator.faults.half_dead_gateway(times=0)
        chief = rig.start_soon()
        await rig.until("it is said", lambda: "waits for the broker: " in caplog.text)
        assert "did not answer in 0.5 s" in caplog.text
        assert chief.standstill == ""
        rig.simulator.faults.clear(fault)
        await rig.until("the gateway has recovered", lambda: chief.is_idle)
        assert await locks(rig) == {}


async def test_a_gateway_that_answers_nothing_just_after_its_login_is_waited_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It shakes hands; to end now would end the IB Gateway, whose login was just approved."""
    async with rigged() as rig:
        fault = rig.simulator.faults.unanswered_requests(kind="completed_orders", times=0)
        chief = rig.start_soon()
        await rig.until("it is said", lambda: "waits for the broker: no answer" in caplog.text)
        rig.simulator.faults.clear(fault)
        await rig.until("the gateway has recovered", lambda: chief.is_idle)
        assert await locks(rig) == {}


async def test_executions_that_ib_refuses_to_tell_are_waited_for_and_fail_no_gateway(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """[R1] An error instead of an answer ended the gateway, at its start and in each run."""
    async with rigged() as rig:
        fault = rig.simulator.faults.refused_requests(kind="executions", code=321, times=0)
        chief = rig.start_soon()
        said = "waits for the broker: executions: 321 "
        await rig.until("it is said", lambda: said in caplog.text)
        rig.simulator.faults.clear(fault)
        await rig.until("the gateway has recovered", lambda: chief.is_idle)
        fault = rig.simulator.faults.refused_requests(kind="executions", code=322)
        run = await rig.command("reconcile", "r1")
        assert (run.outcome, run.reason[:16]) == ("failed", "executions: 322 ")
        rig.simulator.faults.clear(fault)
        assert (await rig.command("reconcile", "r2")).outcome == "done"


async def test_a_halt_by_hand_is_heard_once_however_long_a_login_takes() -> None:
    """[W2] Each renewal of the lease reads it again; it waits in the inbox once."""
    async with rigged() as rig:
        await rig.put(ControlDocument(TradingState.ACTIVE, "ann"), mode=MODE)
        fault = rig.simulator.faults.half_dead_gateway(times=0, welcome="reset")
        chief = rig.start_soon()
        lease = chief.floor.doors.lease
        lease.times = replace(lease.times, renew_seconds=0.01)
        await rig.until("it reads", lambda: chief.floor.desk.control.by == "ann")
        await rig.put(ControlDocument(TradingState.HALTED, "bob"), mode=MODE)
        await rig.until("the halt is heard", lambda: bool(chief.floor.halts_heard))
        await asyncio.sleep(0.2)
        assert list(chief.inbox.waiting).count(ControlWritten()) == 1
        rig.simulator.faults.clear(fault)
        await rig.until("the gateway has recovered", lambda: chief.is_idle)
        assert chief.floor.desk.control.state is TradingState.HALTED
        assert chief.floor.halts_heard == set()


async def test_ib_async_152_a_client_id_that_is_in_use_is_named() -> None:
    """ib_async#152: after a crash the id stayed in use (326), and the client waited in silence."""
    async with rigged() as rig:
        fault = rig.simulator.faults.client_id_locked(client_id=1)
        rig.start_soon()
        task, rig.task = rig.task, None
        assert task is not None
        with pytest.raises(BrokerUnavailable, match="client id"):
            await task
        rig.simulator.faults.clear(fault)
        await rig.start()


@pytest.mark.parametrize("issue", ["go_trader_25", "go_trader_904"])
async def test_a_halt_amid_a_batch_stops_what_is_not_traded_yet(issue: str, active: Rig) -> None:
    """richkuo/go-trader#25, #904: want a switch that stops everything at once [W2]."""
    if issue == "go_trader_25":
        active.simulator.faults.odd_parts(parts=3, seconds=5)
        await wanted_by_two(active)
        await until_partly_filled(active)
    else:
        await active.say("alpha", SPY=10, VIXY=20)
        await active.settled_before_coalescing()
        await active.hold(before="generations/")
        await active.publish("commands", {"command": "allocate", "run_id": "a1"})
        await active.until_held()
    halt = {"command": "halt", "run_id": "h1", "by": "ann"}
    await active.publish("commands", halt)
    active.wire.release()
    await active.ended("h1")
    await active.traded()
    await live_on(active, "halted", 2)
    held = active.simulator.exchange.positions
    assert sum(held.values()) < 6
    assert await active.held() == held
    assert active.simulator.exchange.working_orders == []
    await no_order_is_there_twice(active)


async def test_nautilus_4564_what_is_wanted_while_ib_is_out_of_reach_is_ordered_once(
    active: Rig,
) -> None:
    """Nautilus#4564: orders changed over a degraded line got a second life at IB [N1, R1]."""
    await active.say("alpha", SPY=1)
    await active.settled_after_coalescing()
    active.simulator.faults.link_lost(seconds=8, orders="lost")
    await active.advance(seconds=1)
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    await active.advance(seconds=3)
    await active.settled()
    assert active.simulator.exchange.positions == {"SPY": 1}
    await active.advance(seconds=10)
    session = active.chief.floor.doors.session if active.chief else None
    assert session is not None
    await active.until("the line is up again", lambda: session.connected)
    await active.settled()
    assert (await active.command("allocate", "a1")).reason == ""
    await active.traded()
    assert await active.held() == active.simulator.exchange.positions == {"SPY": 10}
    assert sorted(order.filled for order in (await active.orders()).values()) == [1, 9]
    assert await locks(active) == {}
    await no_order_is_there_twice(active)

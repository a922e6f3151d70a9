"""The loop: barriers, windows, halts, silence, lost lines and leaving."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.lease import LeaseLost
from gateway.ports import Put
from gateway.simulator.broker import ExchangeOptions, InitialHolding
from infra.local.rig import MODE, Rig, rigged
from schemas.documents import LeaseDocument, OrderDocument, RunDocument
from schemas.values import TradingState
from tests.gateway.resting import resting_order, send


async def asked(rig: Rig, run_id: str, *strategies: str) -> None:
    """Start a run and wait until it has asked its strategies."""
    body = {"command": "run", "run_id": run_id, "strategies": strategies}
    await rig.publish("commands", body)
    await rig.reached(run_id, "ASKED")


async def working(rig: Rig) -> OrderDocument:
    """An order of ours that rests at the broker."""
    await rig.command("reconcile", "before")  # it takes up that trading is active
    order = await placed(rig)
    await rig.until("the order works", lambda: state(rig, order) == "WORKING")
    return order


async def placed(rig: Rig) -> OrderDocument:
    """Send an order that will rest."""
    assert rig.chief is not None
    floor = rig.chief.floor
    order = await resting_order(floor.doors.session, "paper-756733-1", rig.now)
    floor.desk = replace(floor.desk, orders={order.order_ref: order})
    send(floor.doors.session, order)
    return order


def state(rig: Rig, order: OrderDocument) -> str:
    assert rig.chief is not None
    return rig.chief.floor.desk.orders[order.order_ref].state


# ---------------------------------------------------------------------- barriers and windows


async def test_a_strategy_that_never_answers_is_held_and_the_others_trade(active: Rig) -> None:
    """[N1a]: by the clock of the market, not of the wall."""
    await asked(active, "r1", "alpha", "beta")
    await active.say("alpha", run_id="r1", SPY=10)
    await active.until("the answer is taken up", lambda: answered(active) == {"alpha": "targets"})
    assert (await active.orders()) == {}
    await active.advance(seconds=60)
    run = await active.ended("r1")
    await active.traded()
    assert run.answered == {"alpha": "targets"}
    assert await active.book("alpha") == {"SPY": 10}
    assert await active.book("beta") == {}


def answered(rig: Rig) -> dict[str, str]:
    """Who has answered the open run."""
    assert rig.chief is not None
    run = rig.chief.floor.desk.run
    return dict(run.document.answered) if run else {}


async def test_a_late_answer_is_stored_and_traded_by_the_next_net(active: Rig) -> None:
    """[N1]"""
    await asked(active, "r1", "alpha")
    await active.advance(seconds=60)
    await active.ended("r1")
    await active.say("alpha", run_id="r1", SPY=10)
    await active.settled_after_coalescing()
    assert await active.orders() == {}
    await active.command("allocate", "a1")
    await active.traded()
    assert await active.book("alpha") == {"SPY": 10}


async def test_a_strategy_that_says_error_is_held_and_ends_the_wait(active: Rig) -> None:
    await asked(active, "r1", "alpha")
    body = {"strategy": "alpha", "status": "error", "run_id": "r1", "reason": "division by zero"}
    await active.publish("targets", {**body, "as_of": active.now.isoformat()})
    run = await active.ended("r1")
    assert (run.outcome, run.answered) == ("done", {"alpha": "error"})
    assert any("division by zero" in sentence for sentence in active.told("alert"))


async def test_unsolicited_targets_are_netted_together_after_their_window(active: Rig) -> None:
    """[N1c]"""
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    await active.advance(seconds=1)
    last = await active.say("manual", SPY=-4)
    await active.settled_before_coalescing()
    assert await active.orders() == {}
    await active.advance(seconds=1)
    run = await active.ended(f"targets-{last}")
    await active.traded()
    assert [c.quantity for o in (await active.orders()).values() for c in o.allocations] == [6]
    assert run.crosses == ("paper-756733-1-cross",)
    assert await active.book("alpha") == {"SPY": 10}
    assert await active.book("manual") == {"SPY": -4}


async def test_unsolicited_targets_wait_for_the_open_run(active: Rig) -> None:
    """[N1c]: no run being open. The run's net covers them."""
    await asked(active, "r1", "alpha")
    await active.say("manual", SPY=3)
    await active.settled_before_coalescing()
    await active.advance(seconds=10)
    assert await active.orders() == {}
    await active.say("alpha", run_id="r1", SPY=10)
    await active.ended("r1")
    await active.traded()
    assert len(await active.orders()) == 1
    assert await active.book("manual") == {"SPY": 3}


async def test_the_same_targets_again_order_nothing(active: Rig) -> None:
    await active.say("alpha", SPY=10)
    await active.settled_after_coalescing()
    await active.say("alpha", SPY=10)
    await active.settled_after_coalescing()
    assert len(await active.orders()) == 1
    assert active.simulator.exchange.positions == {"SPY": 10}


async def test_targets_are_acked_once_they_are_written(rig: Rig) -> None:
    """A gateway that dies before loses nothing."""
    await rig.hold(before="targets/manual")
    await rig.say("manual", SPY=10)
    await rig.until_held()
    assert rig.bus.pending("gateway-targets-paper") == 1
    rig.wire.release()
    await rig.settled()
    assert rig.bus.pending("gateway-targets-paper") == 0


async def test_a_command_is_acked_once_its_run_is_written(rig: Rig) -> None:
    await rig.hold(before="runs/r1")
    await rig.publish("commands", {"command": "reconcile", "run_id": "r1"})
    await rig.until_held()
    assert rig.bus.pending("gateway-commands-paper") == 1
    await rig.hold(after="runs/r1")
    rig.wire.released.set()
    await rig.until("it is acked", lambda: not rig.bus.pending("gateway-commands-paper"))


# ---------------------------------------------------------------------- halts


async def test_a_halt_cancels_working_orders(active: Rig) -> None:
    order = await working(active)
    run = await active.command("halt", "h1", by="ann")
    await active.until("the order is over", lambda: state(active, order) == "DONE")
    assert run.reason == "1 working orders to cancel"
    assert active.simulator.exchange.working_orders == []


async def test_an_order_that_begins_to_work_while_halted_is_cancelled(rig: Rig) -> None:
    """It was on its way when the halt came, too young to be cancelled then."""
    order = await placed(rig)
    await rig.until("the order is over", lambda: state(rig, order) == "DONE")
    assert rig.simulator.exchange.working_orders == []


async def test_a_halt_stops_what_is_being_sent_before_the_loop_comes_to_it(active: Rig) -> None:
    """[W2]: the bus's callback sets the flag; the order is journaled and never written to IB."""
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    await active.hold(after="openOrders/paper-756733-1")
    await active.publish("commands", {"command": "allocate", "run_id": "a1"})
    await active.until_held()
    await active.publish("commands", {"command": "halt", "run_id": "h1"})
    assert active.chief is not None
    floor = active.chief.floor
    await active.until("the halt is heard", lambda: bool(floor.halts_heard))
    active.wire.release()
    await active.ended("h1")
    (order,) = (await active.orders()).values()
    assert (order.state, order.outcome) == ("DONE", "not_sent")
    assert order.reason == "not sent: a halt has come in"
    assert active.simulator.exchange.positions == {}
    assert floor.halts_heard == set()


async def test_a_halt_cancels_what_works_while_the_loop_waits_for_bars(active: Rig) -> None:
    """[W2] IB may take a minute for each question; a fill meanwhile is one that nobody wants."""
    order = await working(active)
    active.simulator.faults.unanswered_requests(kind="historical_data", request=0)
    await active.publish("commands", {"command": "market_data", "run_id": "m1"})
    await active.reached("m1", "STARTED")
    await active.publish("commands", {"command": "halt", "run_id": "h1"})
    exchange = active.simulator.exchange
    await active.until("the order is over", lambda: exchange.working_orders == [])
    assert (await active.run("h1"), state(active, order)) == (None, "WORKING")


async def test_a_halt_heard_before_the_journal_leaves_no_order(active: Rig) -> None:
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    assert active.chief is not None
    active.chief.floor.halts_heard.add("7")
    run = await active.command("allocate", "a1")
    assert (run.outcome, run.reason, run.orders) == ("refused", "a halt has come in", ())
    assert await active.orders() == {}


async def test_a_person_who_halts_in_the_console_is_heard_by_the_journal(active: Rig) -> None:
    """[W1]: the transaction reads `control`; nothing is written, nothing sent."""
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    await active.hold(before="generations/756733")
    await active.publish("commands", {"command": "allocate", "run_id": "a1"})
    await active.until_held()
    await active.store.commit([Put("control/paper", {"state": "halted", "by": "ann"})])
    active.wire.release()
    run = await active.ended("a1")
    assert (run.outcome, run.reason) == ("refused", "trading is halted by now, by ann")
    assert run.orders == ()
    assert await active.orders() == {}
    assert active.simulator.exchange.positions == {}


# ---------------------------------------------------------------------- the broker's line


@pytest.mark.ib_async_errors_expected("the broker is taken away")
async def test_what_happened_while_the_broker_was_away_is_read_when_it_is_back(
    active: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[R1]"""
    monkeypatch.setattr("gateway.commander.RECONNECT_SECONDS", 0.01)
    order = await working(active)
    await active.break_line()
    exchange, now = active.simulator.exchange, active.now
    exchange.trade_by_hand("SPY", Decimal(7), None, now)
    await active.mend_line()
    await active.until("EXTERNAL has it", lambda: external(active) == 7)
    assert state(active, order) == "WORKING"
    await active.command("halt", "h1")
    await active.until("the order is over", lambda: state(active, order) == "DONE")


def external(rig: Rig) -> Decimal:
    assert rig.chief is not None
    positions = rig.chief.floor.desk.ledgers["EXTERNAL"].positions
    return sum((p.quantity for p in positions.values()), Decimal(0))


@pytest.mark.ib_async_errors_expected("the broker is taken away")
async def test_a_cancel_that_was_lost_with_the_line_is_said_again(
    active: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.commander.RECONNECT_SECONDS", 0.01)
    order = await working(active)
    await active.break_line()
    assert active.chief is not None
    desk = active.chief.floor.desk
    lost = replace(desk.orders[order.order_ref], state="CANCELLING")
    active.chief.floor.desk = replace(desk, orders={order.order_ref: lost})
    await active.mend_line()
    await active.until("the order is over", lambda: state(active, order) == "DONE")
    assert active.simulator.exchange.working_orders == []


async def test_a_cancel_that_was_lost_with_the_gateway_is_said_again(active: Rig) -> None:
    """[N7]: its document says CANCELLING, and nobody would ask the broker any more."""
    order = await working(active)
    await active.kill()
    lost = replace(order, state="CANCELLING")
    await active.put(lost, mode=MODE, order_ref=order.order_ref)
    await active.start()
    await active.until("the order is over", lambda: state(active, order) == "DONE")
    assert active.simulator.exchange.working_orders == []


@pytest.mark.ib_async_errors_expected("the broker is taken away")
async def test_a_net_without_a_broker_fails_and_says_so(active: Rig) -> None:
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    await active.break_line()
    active.simulator.clock.set(active.now.replace(second=10))
    assert active.chief is not None
    active.chief.inbox.arrived.set()
    run = await failed_net(active)
    assert (run.outcome, run.reason.partition(";")[0]) == (
        "failed",
        "not connected to the IB Gateway",
    )


async def failed_net(rig: Rig) -> RunDocument:
    found: list[RunDocument] = []

    async def is_there() -> bool:
        paths = [path for path in await rig.store.list("runs") if "targets-" in path]
        found[:] = [r for p in paths if (r := await rig.run(p.removeprefix("runs/"))) is not None]
        return bool(found)

    await rig.until("the net is written", is_there)
    return found[0]


async def test_an_order_without_an_answer_is_unknown_and_asked_for(
    active: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behaviour 4.5: silence is UNKNOWN, never rejected; here the broker has it after all."""
    order = await working(active)
    assert active.chief is not None
    floor = active.chief.floor
    monkeypatch.setattr("gateway.commander.SILENCE_SECONDS", -1.0)
    silent = replace(floor.desk.orders[order.order_ref], state="PENDING")
    floor.desk = replace(floor.desk, orders={order.order_ref: silent})
    active.chief.inbox.arrived.set()
    told = "is UNKNOWN (the broker said nothing for -1 s)"
    await active.until("it is told", lambda: any(told in text for text in active.told()))
    await active.until("it is WORKING", lambda: state(active, order) == "WORKING")


# ---------------------------------------------------------------------- coming and going


async def test_a_stop_leaves_cleanly_and_gives_the_lease_back(rig: Rig) -> None:
    await rig.stop()
    lease = await rig.document(LeaseDocument, mode=MODE)
    assert lease is not None
    assert (lease.owner, lease.epoch) == ("", 1)
    assert rig.simulator.exchange.clients == frozenset()


async def test_the_next_gateway_starts_at_once_with_a_higher_epoch(rig: Rig) -> None:
    await rig.stop()
    await rig.start()
    lease = await rig.document(LeaseDocument, mode=MODE)
    assert lease is not None
    assert (lease.owner, lease.epoch) == ("gateway-2", 2)


async def test_a_gateway_that_waits_for_the_lease_can_be_stopped() -> None:
    async with rigged() as rig:
        now = datetime.now(UTC)
        await rig.put(LeaseDocument("another", 3, now, now.replace(year=now.year + 1)), mode=MODE)
        chief = rig.start_soon()
        await rig.until(
            "it has looked at the lease", lambda: chief.floor.doors.lease._seen is not None
        )
        await rig.stop()
        lease = await rig.document(LeaseDocument, mode=MODE)
        assert lease is not None
        assert lease.owner == "another"


async def test_a_batch_that_takes_too_long_is_cut_off_by_a_stop(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.commander.STOP_SECONDS", 0.01)
    await rig.hold(before="targets/manual")
    await rig.say("manual", SPY=10)
    await rig.until_held()
    await rig.stop()
    assert rig.bus.pending("gateway-targets-paper") == 1


async def test_a_gateway_that_is_cancelled_takes_its_parts_with_it(rig: Rig) -> None:
    """Nothing goes on trading behind the back of whoever ended it."""
    assert rig.task is not None
    assert rig.chief is not None
    rig.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rig.task
    await rig.say("manual", SPY=10)
    assert not rig.chief.floor.doors.lease.is_held()
    assert rig.bus.pending("gateway-targets-paper") == 1
    rig.task = None


async def test_a_lease_lost_ends_the_gateway(active: Rig) -> None:
    """[R3]: the next order is refused by the journal, and the process ends."""
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    now = datetime.now(UTC)
    await active.put(LeaseDocument("another", 9, now, now), mode=MODE)
    await active.publish("commands", {"command": "allocate", "run_id": "a1"})
    task, active.task = active.task, None
    assert task is not None
    with pytest.raises(LeaseLost, match="held by another with epoch 9"):
        await task
    assert await active.orders() == {}
    assert active.simulator.exchange.positions == {}


async def test_a_bus_that_fails_ends_the_gateway(rig: Rig) -> None:
    """The world is down: raise, and let what was not acked come again."""
    await rig.bus.close()
    task, rig.task = rig.task, None
    assert task is not None
    await task


async def test_a_gateway_starts_on_a_configuration_that_it_cannot_read() -> None:
    """Halted, told aloud, and able to take a halt; it must not crash and crash again."""
    async with rigged() as rig:
        await rig.resume()
        await rig.store.commit([Put("config/paper", {"fresh_minuets": 5})])
        await rig.start()
        await rig.command("halt", "h1")
        assert any("config/paper" in sentence for sentence in rig.told("alert"))


async def test_a_run_that_cannot_be_read_stops_nothing() -> None:
    """Such as a newer gateway's, after a deploy was taken back: not the start, nor a message."""
    async with rigged() as rig:
        run = {"run_id": "r1", "command": "run", "trigger": "message 1", "state": "STARTED"}
        await rig.store.commit([Put("runs/r1", {**run, "invented": 1, "started_at": rig.now})])
        await rig.start()
        assert any(said.startswith("runs/r1: invented") for said in rig.told("alert"))
        await rig.publish("commands", {"command": "summary", "run_id": "r1"})
        await rig.say("alpha", run_id="r1", SPY=10)
        await rig.settled()
        assert any("used for something that cannot be" in said for said in rig.told("refusal"))
        (dead,) = rig.dead_letters
        assert "runs/r1: invented: unknown field" in dead.attributes["reason"]


async def test_a_halted_gateway_takes_what_it_holds_from_its_documents(rig: Rig) -> None:
    """Halted is the default: an absent `control` trades nothing."""
    await rig.say("alpha", SPY=10)
    await rig.settled_after_coalescing()
    assert rig.chief is not None
    assert rig.chief.floor.desk.control.state is TradingState.HALTED
    assert rig.simulator.exchange.positions == {}


async def test_what_an_account_held_at_the_first_start_is_locked() -> None:
    """[B4]"""
    holding = InitialHolding("SPY", Decimal(50), Decimal(600))
    async with rigged(ExchangeOptions(holdings=(holding,))) as rig:
        await rig.start()
        await rig.resume()
        await rig.say("alpha", SPY=10)
        await rig.settled_after_coalescing()
        assert await rig.orders() == {}
        assert rig.simulator.exchange.positions == {"SPY": 50}
        assert any("SPY is locked" in sentence for sentence in rig.told("refusal"))

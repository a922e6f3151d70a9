"""A gateway killed at every point where it matters, and the next one on the same account.

Same final positions and books as without the crash, or a named lock that says why not; never an
order twice (architecture 5.5).
"""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from gateway.commander import HEARING_SECONDS
from gateway.ports import Delivery, Put, Subscription
from gateway.simulator.broker import ExchangeOptions
from gateway.why import evidence
from infra.local.rig import MODE, Rig, rigged
from schemas.documents import LatchesDocument, OrderDocument, RunDocument

SMALL_FILLS = ExchangeOptions(seed=7, executions_quantity_max=Decimal(3))
REF = "paper-756733-1"


async def law_holds(rig: Rig) -> bool:
    """[B3]: the broker's positions are those of books and EXTERNAL together."""
    return await rig.held() == rig.simulator.exchange.positions


async def locks(rig: Rig) -> dict[str, str]:
    found = await rig.document(LatchesDocument, mode=MODE)
    return {lock.symbol: lock.kind for lock in found.locks.values()} if found else {}


async def interrupted(rig: Rig, run_id: str) -> RunDocument:
    run = await rig.run(run_id)
    assert run is not None
    assert (run.state, run.outcome) == ("DONE", "interrupted")
    return run


async def order(rig: Rig) -> OrderDocument:
    found = await rig.document(OrderDocument, mode=MODE, order_ref=REF)
    assert found is not None
    return found


async def killed_at(rig: Rig, *, before: str = "", after: str = "") -> None:
    """Let the gateway order 10 SPY for alpha, and kill it at that write."""
    await rig.say("alpha", SPY=10)
    await rig.settled_before_coalescing()
    await rig.hold(before=before, after=after)
    await rig.publish("commands", {"command": "allocate", "run_id": "a1"})
    await rig.until_held()
    await rig.kill()


class LateBus:
    """A bus that brings what waits a moment after the subscribing, as Pub/Sub does."""

    def __init__(self, bus: Any) -> None:
        self._bus = bus

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    def subscribe(self, name: str, deliver: Callable[[Delivery], None]) -> Subscription:
        loop = asyncio.get_running_loop()
        found: Subscription = self._bus.subscribe(name, lambda d: loop.call_later(0.2, deliver, d))
        return found


async def test_a_halt_said_while_no_gateway_listened_comes_before_the_net_left_unmade(
    active: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[W2] The wishes of before are due at once; their order was out before the halt was heard."""
    monkeypatch.setattr("gateway.commander.HEARING_SECONDS", HEARING_SECONDS)
    await killed_at(active, before="generations/")
    await active.publish("commands", {"command": "halt", "run_id": "h1", "by": "ann"})
    active.fit = lambda name, door: LateBus(door) if name == "bus" else door
    await active.start()
    await active.ended("h1")
    await active.settled_after_coalescing()
    assert await active.orders() == {}
    assert any("trading is halted" in said for said in active.told("refusal"))


async def test_a_command_killed_when_started_is_interrupted_and_not_resumed(active: Rig) -> None:
    """Behaviour 5: never resumed with old prices; what waited for a net gets one of its own."""
    await killed_at(active, after="runs/a1")
    await active.start()
    run = await interrupted(active, "a1")
    assert run.reason == "the gateway ended meanwhile"
    assert run.orders == ()
    assert {order.run_id for order in (await active.orders()).values()} != {"a1"}
    assert any("a1 interrupted" in sentence for sentence in active.told("run"))


async def test_a_command_killed_before_started_comes_again(active: Rig) -> None:
    """It was not acked, so the bus delivers it to the next gateway."""
    await killed_at(active, before="runs/a1")
    await active.start()
    await active.ended("a1")
    await active.traded()
    assert await active.book("alpha") == {"SPY": 10}


async def test_a_run_killed_while_it_waits_for_answers_is_interrupted(active: Rig) -> None:
    """The answer comes to the next gateway, which stores it for the next net [N1]."""
    await active.publish("commands", {"command": "run", "run_id": "r1", "strategies": ["alpha"]})
    await active.reached("r1", "ASKED")
    await active.kill()
    await active.say("alpha", run_id="r1", SPY=10)
    await active.start()
    await active.settled_after_coalescing()
    await interrupted(active, "r1")
    assert await active.orders() == {}
    await active.command("allocate", "a1")
    await active.traded()
    assert await active.book("alpha") == {"SPY": 10}


async def test_a_waiting_run_is_interrupted_with_the_one_it_waits_for(active: Rig) -> None:
    for run_id in ("r1", "r2"):
        body = {"command": "run", "run_id": run_id, "strategies": ["alpha"]}
        await active.publish("commands", body)
    await active.reached("r2", "STARTED")
    await active.kill()
    await active.start()
    for run_id in ("r1", "r2"):
        await interrupted(active, run_id)


async def test_targets_killed_before_they_are_stored_come_again(active: Rig) -> None:
    await active.hold(before="targets/alpha")
    await active.say("alpha", SPY=10)
    await active.until_held()
    await active.kill()
    await active.start()
    await active.settled_after_coalescing()
    assert await active.book("alpha") == {"SPY": 10}


async def test_killed_before_the_journal_nothing_was_ordered(active: Rig) -> None:
    """[W1]: the net that the next gateway makes of the targets left waiting is the first."""
    await killed_at(active, before="generations/756733")
    assert await active.orders() == {}
    await active.start()
    assert (await interrupted(active, "a1")).orders == ()
    await active.command("allocate", "a2")
    await active.traded()
    assert await active.book("alpha") == {"SPY": 10}
    assert list(await active.orders()) == [REF]


async def test_killed_after_the_journal_the_order_is_unknown_and_locks_its_contract(
    active: Rig,
) -> None:
    """[R2]: the broker never saw it, but one look is no proof of that."""
    await killed_at(active, after=f"openOrders/{REF}")
    assert active.simulator.exchange.positions == {}
    await active.start()
    assert (await order(active)).state == "UNKNOWN"
    await active.say("beta", SPY=4)
    await active.settled_before_coalescing()
    run = await active.command("allocate", "a2")
    assert [(r.rule, r.symbol) for r in run.refusals] == [("unknown_order", "SPY")]
    assert set(await active.orders()) == {REF}
    assert active.simulator.exchange.positions == {}
    assert await law_holds(active)


async def test_what_a_second_look_proves_unsent_is_over_and_can_be_ordered_again(
    active: Rig,
) -> None:
    """[R2]: nobody has to say anything for it."""
    await killed_at(active, after=f"openOrders/{REF}")
    await active.start()
    await active.advance(seconds=9)
    assert (await order(active)).state == "UNKNOWN"
    await active.advance(seconds=1)
    await active.traded()
    assert (await order(active)).outcome == "not_sent"
    await active.command("allocate", "a2")
    await active.traded()
    assert set(await active.orders()) == {REF, "paper-756733-2"}
    assert await active.book("alpha") == active.simulator.exchange.positions == {"SPY": 10}
    assert await law_holds(active)


async def test_killed_after_the_send_the_fills_are_found_and_nothing_is_sent_again(
    active: Rig,
) -> None:
    await killed_at(active, before="runs/a1")
    await active.start()
    assert active.simulator.exchange.positions == {"SPY": 10}
    found = await order(active)
    assert (found.state, found.outcome) == ("DONE", "filled")
    assert await active.book("alpha") == {"SPY": 10}
    assert (await active.command("allocate", "a2")).orders == ()
    assert await law_holds(active)


@pytest.mark.parametrize("number", [1, 2, 3])
async def test_killed_between_fills_the_books_are_whole_again(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One event a batch, so that the first fills are stored and the others are not."""
    monkeypatch.setattr("gateway.inbox.BATCH_MAX", 1)
    async with rigged(SMALL_FILLS) as rig:
        await rig.start()
        await rig.resume()
        await rig.say("alpha", SPY=10)
        await rig.settled_before_coalescing()
        await kill_at_fill(rig, number)
        assert Decimal(0) < sum((await rig.book("alpha")).values()) < 10
        await rig.start()
        await rig.traded()
        assert await rig.book("alpha") == {"SPY": 10}
        assert rig.simulator.exchange.positions == {"SPY": 10}
        assert await locks(rig) == {}


async def kill_at_fill(rig: Rig, number: int) -> None:
    """Kill the gateway when it has written so many executions."""
    written: set[str] = set()

    def is_enough(path: str) -> bool:
        if path.startswith("executions/"):
            written.add(path)
        return len(written) >= number

    rig.wire.after = is_enough
    await rig.publish("commands", {"command": "allocate", "run_id": "a1"})
    await rig.until_held()
    await rig.kill()


async def test_what_was_traded_by_hand_meanwhile_is_externals(active: Rig) -> None:
    """[B2]"""
    await active.say("alpha", SPY=10)
    await active.settled_after_coalescing()
    await active.kill()
    await active.simulator.trade_by_hand("SPY", Decimal(7))
    await active.start()
    assert await active.book("EXTERNAL") == {"SPY": 7}
    assert await active.book("alpha") == {"SPY": 10}
    assert await law_holds(active)
    assert await locks(active) == {}


async def test_a_cross_survives_a_kill_right_after_the_journal(active: Rig) -> None:
    """The cross is journaled with the books it moves: all of it or nothing."""
    await active.say("alpha", SPY=10)
    await active.say("beta", SPY=-10)
    await active.settled_before_coalescing()
    await active.hold(after="crosses/")
    await active.publish("commands", {"command": "allocate", "run_id": "a1"})
    await active.until_held()
    await active.kill()
    await active.start()
    assert await active.book("alpha") == {"SPY": 10}
    assert await active.book("beta") == {"SPY": -10}
    assert (await active.command("allocate", "a2")).crosses == ()
    assert await law_holds(active)


async def test_three_restarts_in_a_row_change_nothing(active: Rig) -> None:
    await active.say("alpha", SPY=10)
    await active.say("beta", VIXY=4)
    await active.settled_after_coalescing()
    for _ in range(3):
        await active.kill()
        await active.start()
    await active.command("allocate", "a1")
    await active.traded()
    assert len(await active.orders()) == 2
    assert active.simulator.exchange.positions == {"SPY": 10, "VIXY": 4}
    assert await law_holds(active)


async def test_order_numbers_go_on_after_a_restart(active: Rig) -> None:
    """[W1]: a reference is never used twice."""
    await active.say("alpha", SPY=10)
    await active.settled_after_coalescing()
    await active.kill()
    await active.start()
    await active.advance(seconds=1)
    await active.say("alpha", SPY=12)
    await active.settled_after_coalescing()
    assert set(await active.orders()) == {REF, "paper-756733-2"}
    assert (await active.orders())["paper-756733-2"].epoch == 2


async def test_a_halt_outlives_the_gateway(active: Rig) -> None:
    await active.command("halt", "h1", by="ann")
    await active.kill()
    await active.start()
    await active.say("alpha", SPY=10)
    await active.settled_after_coalescing()
    assert await active.orders() == {}


async def test_a_gateway_that_was_thought_dead_cannot_journal(active: Rig) -> None:
    """[R3]: it was only held up; the epoch in its transaction is not the lease's any more."""
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    await active.hold(before="generations/756733")
    await active.publish("commands", {"command": "allocate", "run_id": "a1"})
    await active.until_held()
    found = await active.store.get("leases/paper") or {}
    await active.store.commit([Put("leases/paper", {**found, "owner": "next", "epoch": 2})])
    active.wire.release()
    task, active.task = active.task, None
    assert task is not None
    with pytest.raises(Exception, match="held by next with epoch 2"):
        await task
    assert await active.orders() == {}
    assert active.simulator.exchange.positions == {}


async def test_targets_said_unasked_are_netted_by_the_next_gateway(active: Rig) -> None:
    """[N1c]: they are written and acked, and the gateway ends before their window does."""
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    await active.kill()
    await active.start()
    await active.settled()
    await active.traded()
    assert active.simulator.exchange.positions == {"SPY": 10}
    assert await active.book("alpha") == {"SPY": 10}


async def test_an_order_whose_fills_fit_no_document_goes_on_after_a_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """[A1, R1] Its executions are apart from it; each counts once, before and after."""
    monkeypatch.setattr("gateway.core.records.EXECUTIONS_MAX", 20)
    monkeypatch.setattr("gateway.inbox.BATCH_MAX", 10)
    one_by_one = ExchangeOptions(seed=7, executions_quantity_max=Decimal(1))
    async with rigged(one_by_one) as rig:
        await rig.resume()
        await rig.start()
        seen: set[str] = set()

        def is_late(path: str) -> bool:
            seen.update([path] if path.startswith("executions/") else [])
            return len(seen) > 40

        rig.wire.after = is_late
        await rig.say("alpha", SPY=300)
        await rig.settled_before_coalescing()
        await rig.publish("commands", {"command": "allocate", "run_id": "a1"})
        await rig.until_held()
        await rig.kill()
        cut = await order(rig)
        assert cut.executions_apart
        assert 0 < cut.filled < 300
        chief = await rig.start()
        await rig.traded()
        assert await rig.book("alpha") == {"SPY": 300}
        assert await law_holds(rig)
        assert await rig.untold() == []
        known = chief.floor.desk.orders[REF].executions
        assert len(rig.told("execution")) == len(await rig.store.list("executions")) == len(known)
        assert (await evidence(chief.floor.doors.archive, REF)).order.executions == known

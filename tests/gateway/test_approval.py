"""Wishes that vanish wait for a person, who approves them (behaviour 4.1)."""

import pytest

from infra.local.rig import Rig
from schemas.documents import RunDocument


async def vanished(rig: Rig) -> RunDocument:
    """alpha and beta hold 10 each and want nothing any more; the run that was refused for it."""
    await rig.say("alpha", SPY=10)
    await rig.say("beta", SPY=10)
    await rig.settled_after_coalescing()
    await rig.say("alpha", SPY=0)
    last = await rig.say("beta", SPY=0)
    await rig.settled_after_coalescing()
    return await rig.ended(f"targets-{last}")


async def approved(rig: Rig, run_id: str) -> RunDocument:
    """Say approve; the run that it was."""
    message = await rig.publish("commands", {"command": "approve", "run_id": run_id, "by": "ann"})
    return await rig.ended(f"message-{message}")


async def test_vanished_wishes_are_refused_and_told(active: Rig) -> None:
    run = await vanished(active)
    assert [(entry.rule, entry.value) for entry in run.refusals] == [("targets_vanished", "1.00")]
    assert (run.orders, run.crosses) == ((), ())
    assert active.simulator.exchange.positions == {"SPY": 20}
    assert any(f"say approve {run.run_id}" in text for text in active.told("refusal"))


async def test_approve_carries_out_what_was_refused(active: Rig) -> None:
    run = await vanished(active)
    approval = await approved(active, run.run_id)
    await active.traded()
    assert (approval.command, approval.by, approval.outcome) == ("approve", "ann", "done")
    assert len(approval.orders) == 1
    assert await active.book("alpha") == await active.book("beta") == {}
    assert active.simulator.exchange.positions == {}


async def test_the_next_net_is_guarded_again(active: Rig) -> None:
    """What a person waives, they waive once."""
    first = await vanished(active)
    await approved(active, first.run_id)
    await active.traded()
    second = await vanished(active)
    assert [entry.rule for entry in second.refusals] == ["targets_vanished"]


async def test_approve_is_refused_once_a_strategy_has_said_something_newer(active: Rig) -> None:
    run = await vanished(active)
    await active.say("beta", SPY=1)
    await active.settled_after_coalescing()
    approval = await approved(active, run.run_id)
    assert approval.outcome == "refused"
    assert approval.reason.startswith(f"run_id: beta wants something else since {run.run_id}")
    assert active.simulator.exchange.positions == {"SPY": 20}


async def test_approve_waits_for_the_open_run(active: Rig) -> None:
    run = await vanished(active)
    body = {"command": "run", "run_id": "r1", "strategies": ["alpha"]}
    await active.publish("commands", body)
    await active.reached("r1", "ASKED")
    message = await active.publish("commands", {"command": "approve", "run_id": run.run_id})
    await active.reached(f"message-{message}", "STARTED")
    await active.advance(seconds=60)
    assert (await active.ended("r1")).orders == ()
    assert len((await active.ended(f"message-{message}")).orders) == 1


@pytest.mark.parametrize(
    ("run_id", "reason"),
    [
        ("unheard-of", "there is no run unheard-of"),
        ("before", "before was not refused by targets_vanished"),
        ("", "cannot be part of a document path"),
        ("a/b", "cannot be part of a document path"),
        ("__x__", "run_id: "),
    ],
)
async def test_only_a_run_that_waits_for_it_can_be_approved(
    active: Rig, run_id: str, reason: str
) -> None:
    await active.command("reconcile", "before")
    approval = await approved(active, run_id)
    assert approval.outcome == "refused"
    assert reason in approval.reason


async def test_what_was_approved_goes_on_without_a_second_approval(active: Rig) -> None:
    """[N6, N1d] The way beyond 0 of a flip, while VIXY is still being sold."""
    await active.say("alpha", SPY=10, VIXY=100)
    await active.say("beta", VIXY=100)
    await active.settled_after_coalescing()
    active.simulator.faults.odd_parts(symbol="VIXY", parts=1, seconds=30)
    await active.say("alpha", SPY=-1, VIXY=0)
    last = await active.say("beta", VIXY=0)
    await active.settled_before_coalescing()
    await active.advance(seconds=3)
    run = await active.ended(f"targets-{last}")
    assert [entry.rule for entry in run.refusals] == ["targets_vanished"]
    approval = await approved(active, run.run_id)
    flip = next(ref for ref, order in (await active.orders()).items() if order.is_flip)
    beyond = await active.ended(f"after-{flip}")
    assert (len(approval.orders), beyond.refusals) == (2, ())
    assert await active.book("alpha") == {"SPY": -1, "VIXY": 100}

"""How often a run writes, and that nothing is said or acked before what it stands on is written.

Issue 4 allows an idle run three commits and an order six. What may wait for the errand's next
write is what comes again if it is lost: readings of the broker, and answers that are not acked.
"""

from decimal import Decimal

import pytest

from gateway.ports import Put
from infra.bench.witness import Counts, Tally, counted
from infra.local.rig import MODE, Rig
from schemas.documents import SnapshotDocument, TargetsDocument
from schemas.values import TradingState

TARGETS = f"gateway-targets-{MODE}"


async def ran(rig: Rig, run_id: str, spy: int) -> Counts:
    """What the doors saw of a run that `alpha` answers, with all that it orders."""
    tally = Tally(rig.bus, rig.store)
    await asked(rig, run_id)
    await rig.say("alpha", run_id=run_id, SPY=spy)
    assert (await rig.ended(run_id)).outcome == "done"
    await rig.traded()
    return counted(tally.taken())


async def asked(rig: Rig, run_id: str) -> None:
    body = {"command": "run", "run_id": run_id, "strategies": ["alpha"]}
    await rig.publish("commands", body)
    await rig.reached(run_id, "ASKED")


async def said(rig: Rig) -> Decimal | None:
    """How much `alpha` wants by what is stored."""
    stored = await rig.document(TargetsDocument, mode=MODE, strategy="alpha")
    return stored.targets[0].quantity if stored else None


async def split(rig: Rig) -> None:
    """Two shares for one; nobody has told us."""
    actions = rig.simulator.exchange.actions
    await rig.simulator.act(lambda: actions.split("SPY", Decimal(2)))


async def test_a_run_without_an_order_commits_three_times(active: Rig) -> None:
    """STARTED; what was read and asked; what was answered, with the end."""
    await ran(active, "r1", spy=10)
    await active.advance(minutes=1)
    assert (await ran(active, "r2", spy=10)).commits == 3
    assert len(await active.orders()) == 1


async def test_an_order_costs_a_run_no_more_than_six_commits(active: Rig) -> None:
    """[W1]: the journal, and what the broker said; the rest is the run's own three."""
    await active.command("reconcile", "first")  # a day's first reading is written at once
    assert (await ran(active, "r1", spy=10)).commits <= 6


async def test_what_the_journal_wrote_is_not_written_again(active: Rig) -> None:
    """Documents are what Firestore charges: 20,000 writes a day are free."""
    await ran(active, "r1", spy=10)
    await asked(active, "r2")
    tally = Tally(active.bus, active.store)
    await active.advance(seconds=1)
    await active.say("alpha", run_id="r2", SPY=4)
    await active.ended("r2")
    await active.traded()
    journal, *others = [moment for moment in tally.taken() if moment.writes]
    assert journal.what == "leases/paper"
    ordered = ["order", "order told", "generation", "status", "targets", "run"]
    assert journal.writes == len(ordered)
    close = others[0]
    assert close.writes == len(["run", "run told"])


async def test_an_answer_is_acked_only_when_the_net_that_used_it_is_written(rig: Rig) -> None:
    """Lost with the gateway, it comes again: late, and stored for the next net [N1]."""
    await asked(rig, "r1")
    await rig.hold(before="targets/alpha")
    await rig.say("alpha", run_id="r1", SPY=10)
    await rig.until_held()
    assert rig.bus.pending(TARGETS) == 1
    assert await said(rig) is None
    await rig.kill()
    await rig.start()
    await rig.settled()
    assert await said(rig) == 10
    assert rig.bus.pending(TARGETS) == 0


async def test_the_journal_writes_the_answers_that_it_was_planned_from(active: Rig) -> None:
    """[W1]: a gateway that dies right after it leaves no order that nobody wants."""
    await asked(active, "r1")
    await active.hold(after="openOrders")
    await active.say("alpha", run_id="r1", SPY=10)
    await active.until_held()
    assert active.bus.pending(TARGETS) == 1
    assert await said(active) == 10
    active.wire.release()
    await active.ended("r1")
    await active.traded()
    assert active.bus.pending(TARGETS) == 0
    assert active.simulator.exchange.positions == {"SPY": 10}


async def test_an_answer_that_somebody_must_be_told_of_does_not_wait(active: Rig) -> None:
    """[T1]: `error` is an alert; the net may take as long as the broker does."""
    await asked(active, "r1")
    await active.hold(after="targets/alpha")
    await active.publish(
        "targets",
        {"strategy": "alpha", "run_id": "r1", "status": "error", "reason": "no bars"},
    )
    await active.until_held()
    run = await active.run("r1")
    assert run is not None
    assert run.state == "ASKED"
    active.wire.release()
    await active.ended("r1")
    assert "alpha failed and holds what it has: no bars" in active.told("alert")


async def test_a_reading_that_found_something_new_is_written_before_the_bars_are_read(
    active: Rig,
) -> None:
    """What nobody could explain must not be forgotten while the broker is slow with bars."""
    await ran(active, "r1", spy=10)
    await split(active)
    await active.hold(after="latches/paper")
    await active.publish("commands", {"command": "run", "run_id": "r2"})
    await active.until_held()
    run = await active.run("r2")
    assert run is not None
    assert run.state == "STARTED"
    active.wire.release()


async def test_a_reading_counts_also_when_the_configuration_is_wrong(active: Rig) -> None:
    """[R1]: from it on orders may be written, so it may not be thrown away."""
    await ran(active, "r1", spy=10)
    await split(active)
    await active.store.commit([Put("config/paper", {"fresh": 5})])
    run = await active.command("run", "r2")
    assert run.outcome == "refused"
    assert "config/paper: fresh: unknown field" in run.reason
    snapshot = await active.document(SnapshotDocument, mode=MODE)
    assert snapshot is not None
    assert [str(quantity) for quantity in snapshot.unexplained.values()] == ["10"]


@pytest.mark.parametrize("state", [TradingState.HALTED, TradingState.REDUCE_ONLY])
async def test_a_state_set_between_run_and_net_is_heard(active: Rig, state: TradingState) -> None:
    """Settings are read for the run and once more for its net: a person may act in between."""
    await asked(active, "r1")
    await active.store.commit([Put("control/paper", {"state": state.value, "by": "ann"})])
    await active.say("alpha", run_id="r1", SPY=10)
    run = await active.ended("r1")
    assert run.orders == ()
    assert [entry.rule for entry in run.refusals]
    assert active.simulator.exchange.positions == {}

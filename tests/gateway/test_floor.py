"""What is done with the desk and the doors: persisting, telling, configuring, closing runs."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from gateway.floor import Floor
from gateway.ports import Put
from infra.local.rig import MODE, Rig
from schemas.codec import Invalid
from schemas.documents import RefusalEntry, RunDocument, SnapshotDocument
from schemas.settings import ControlDocument, Settings
from schemas.values import TradingState


def floor_of(rig: Rig) -> Floor:
    assert rig.chief is not None
    return rig.chief.floor


async def test_what_did_not_change_is_not_written(rig: Rig) -> None:
    floor = floor_of(rig)
    await floor.persist()
    await rig.hold(before="")
    rig.wire.before = lambda path: True
    await floor.persist()
    assert not rig.wire.held.is_set()


async def test_a_report_is_published_after_what_it_tells_is_written(rig: Rig) -> None:
    floor = floor_of(rig)
    floor.happen(ControlDocument(TradingState.ACTIVE, "ann"))
    await floor.persist()
    await rig.until("it is told", lambda: "trading is active, by ann" in rig.told("state"))
    activity = await rig.store.list("activity")
    assert "trading is active, by ann" in [document["sentence"] for document in activity.values()]


async def test_activities_of_one_instant_keep_their_order_and_do_not_overwrite(rig: Rig) -> None:
    floor = floor_of(rig)
    for state in (TradingState.ACTIVE, TradingState.HALTED, TradingState.REDUCE_ONLY):
        floor.happen(ControlDocument(state, "ann"))
        await floor.persist()
    activity = await rig.store.list("activity")
    said = [d["sentence"] for d in activity.values() if d["kind"] == "state"]
    assert said == [f"trading is {s}, by ann" for s in ("active", "halted", "reduce_only")]


async def test_a_refusal_stands_until_a_net_without_it(rig: Rig) -> None:
    floor = floor_of(rig)
    entry = RefusalEntry("rule", "10 is over 5", "SPY", 756733, ("alpha",), "10", "5")
    for entries in ([entry], [entry], [], [entry]):
        floor.refuse(entries, "r1")
    assert len([r for r in floor.untold if r.kind == "refusal"]) == 2


async def test_what_a_dry_run_refuses_is_told_again_when_it_is_meant(active: Rig) -> None:
    """Else nobody is told that the real net refused it."""
    await active.put(Settings(order_quantity_max=Decimal(5)), name="common")
    await active.say("alpha", SPY=50)
    await active.settled_before_coalescing()
    for run_id, dry_run in (("d1", True), ("a1", False), ("d2", True), ("a2", False)):
        await active.command("allocate", run_id, dry_run=dry_run)
    assert [r.run_id for r in active.reports if r.kind == "refusal"] == ["d1", "a1", "d2"]


async def test_what_people_set_is_read_anew(rig: Rig) -> None:
    await rig.put(Settings(fresh_minutes=7), name=MODE)
    await rig.resume()
    await floor_of(rig).configure()
    desk = floor_of(rig).desk
    assert desk.settings.fresh_minutes == 7
    assert desk.control.state is TradingState.ACTIVE


async def test_all_that_can_be_read_is_taken_up_beside_what_cannot(rig: Rig) -> None:
    """A typing error in one document must not hide a halt in another."""
    floor = floor_of(rig)
    floor.happen(ControlDocument(TradingState.ACTIVE, "ann"))
    await rig.store.commit([Put("control/paper", {"state": "halted", "by": "bob"})])
    await rig.store.commit([Put("config/paper", {"fresh": 5})])
    await rig.store.commit([Put("strategies/alpha", {"enabled": 1})])
    with pytest.raises(Invalid, match=r"strategies/alpha: enabled: .*; config/paper: fresh: "):
        await floor.configure()
    assert (floor.desk.control.state, floor.desk.control.by) == (TradingState.HALTED, "bob")
    assert floor.desk.strategies["beta"].enabled
    assert not floor.desk.strategies["alpha"].enabled


async def test_a_control_that_cannot_be_read_halts_and_says_why(rig: Rig) -> None:
    floor = floor_of(rig)
    floor.happen(ControlDocument(TradingState.ACTIVE, "ann"))
    await rig.store.commit([Put("control/paper", {"state": "go"})])
    with pytest.raises(Invalid, match="control/paper: state"):
        await floor.configure()
    assert floor.desk.control.state is TradingState.HALTED
    assert "control/paper: state" in floor.desk.control.reason


async def test_a_reconcile_writes_the_snapshot(rig: Rig) -> None:
    await rig.advance(minutes=3)
    await floor_of(rig).reconcile()
    snapshot = await rig.document(SnapshotDocument, mode=MODE)
    assert snapshot is not None
    assert (snapshot.as_of, snapshot.account, snapshot.unexplained) == (rig.now, "DUSIM0001", {})


async def test_a_closed_run_says_when_and_how_in_one_sentence(rig: Rig) -> None:
    floor = floor_of(rig)
    run = RunDocument("r9", "run", "message 9", rig.now - timedelta(minutes=1), "STARTED")
    closed = floor.finished(run, "refused", "no weight")
    assert closed == replace(
        run, state="DONE", outcome="refused", reason="no weight", finished_at=rig.now
    )
    assert floor.untold[-1].sentence == (
        "run r9 refused: no weight; 0 orders, 0 crosses, 0 refusals"
    )

"""[B3] A contract is locked with what would explain it, and free once executions or a person did.

One test for each cause, each made by the simulator's faults and settled by what its sentence says.
"""

from decimal import Decimal

from gateway.ports import Delete
from infra.local.rig import MODE, Rig
from schemas.documents import LatchesDocument

SPY_ID = 756733


async def reason(rig: Rig, run_id: str) -> str:
    """What SPY is locked for, after a reconcile; empty where it is free."""
    assert (await rig.command("reconcile", run_id)).outcome == "done"
    found = await rig.document(LatchesDocument, mode=MODE)
    return ", ".join(lock.reason for lock in found.locks.values()) if found else ""


async def lost(rig: Rig) -> str:
    """Let alpha buy 10 SPY of which no execution is told; what SPY is locked for then."""
    rig.simulator.faults.missing_messages(kind="execution_details")
    await rig.say("alpha", SPY=10)
    await rig.settled_before_coalescing()
    await rig.advance(seconds=11)
    await rig.settled()
    return await reason(rig, "c1")


async def test_a_manual_trade_whose_execution_is_lost_is_named_until_it_is_told(
    active: Rig,
) -> None:
    """[B2, B3]"""
    active.simulator.faults.missing_messages(kind="execution_details")
    order, _ = await active.simulator.trade_by_hand("SPY", Decimal(5))
    said = await reason(active, "c1")
    assert said.startswith("+5 SPY at the broker that neither a book nor EXTERNAL explains")
    assert said.endswith(
        f"the broker counts 5 filled of the foreign order {order.perm_id} and told 0: if it is "
        "yours, adopt to EXTERNAL"
    )
    assert f"SPY is locked: {said}" in active.told("alert")
    active.simulator.faults.clear()
    assert await reason(active, "c2") == ""
    assert await active.book("EXTERNAL") == {"SPY": 5}


async def test_a_manual_trade_that_stays_untold_is_adopted_as_the_sentence_says(
    active: Rig,
) -> None:
    """[B3]"""
    active.simulator.faults.missing_messages(kind="execution_details")
    await active.simulator.trade_by_hand("SPY", Decimal(-5))
    assert "adopt to EXTERNAL" in await reason(active, "c1")
    run = await active.command("adopt", "d1", symbol="SPY", to="EXTERNAL", price=600)
    assert run.outcome == "done", run.reason
    assert await reason(active, "c2") == ""
    assert await active.book("EXTERNAL") == {"SPY": -5}


async def test_a_lost_execution_of_ours_is_named_until_a_reconcile_finds_it(active: Rig) -> None:
    """[A2, B3]"""
    said = await lost(active)
    assert said.endswith(
        f"the broker counts 10 filled of paper-{SPY_ID}-1 and told 0, so an execution was lost: "
        "say reconcile, which finds it until midnight in New York, then adopt to alpha"
    )
    await active.command("allocate", "a1")
    assert active.simulator.exchange.positions == {"SPY": 10}
    active.simulator.faults.clear()
    assert await reason(active, "c2") == ""
    assert await active.book("alpha") == {"SPY": 10}


async def test_a_lost_execution_that_nobody_tells_any_more_is_adopted_as_the_sentence_says(
    active: Rig,
) -> None:
    """[A2, B3] The order is over then, and the book is traded on from."""
    assert "adopt to alpha" in await lost(active)
    run = await active.command("adopt", "d1", symbol="SPY", to="alpha", price=600)
    assert run.outcome == "done", run.reason
    assert await reason(active, "c2") == ""
    (order,) = (await active.orders()).values()
    assert (order.state, order.outcome) == ("DONE", "filled")
    await active.command("allocate", "a1")
    assert await active.book("alpha") == active.simulator.exchange.positions == {"SPY": 10}


async def test_a_split_that_nobody_told_of_is_named_by_its_ratio(active: Rig) -> None:
    """[B2]"""
    await active.say("alpha", SPY=10)
    await active.settled_after_coalescing()
    active.simulator.faults.split_without_notice(traded_symbol="SPY", ratio=Decimal(2))
    await active.advance(seconds=1)
    assert (await reason(active, "c1")).endswith("looks like a 2:1 split: say corporate_action")
    ratio = {"kind": "split", "symbol": "SPY", "numerator": 2, "denominator": 1}
    assert (await active.command("corporate_action", "k1", **ratio)).outcome == "done"
    assert await reason(active, "c2") == ""
    assert await active.book("alpha") == {"SPY": 20}


async def test_an_order_with_our_name_that_the_documents_lost_is_named(active: Rig) -> None:
    """[B3, W1] As after documents were restored from before it."""
    await active.say("alpha", SPY=10)
    await active.settled_after_coalescing()
    await active.kill()
    positions, ref = f"positions/{MODE}", f"paper-{SPY_ID}-1"
    lost = (f"{positions}/openOrders/{ref}", f"{positions}/holdings/alpha")
    await active.store.commit([Delete(path) for path in lost])
    await active.start()
    said = await reason(active, "c1")
    assert said.endswith(
        f"the broker counts 10 filled of {ref}, which is unknown here: see in runs whose it was, "
        "then adopt to that strategy"
    )
    run = await active.command("adopt", "d1", symbol="SPY", to="alpha", price=600)
    assert run.outcome == "done", run.reason
    assert await reason(active, "c2") == ""

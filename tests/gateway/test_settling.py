"""What a person settles, through the whole gateway: message in, ledgers and locks out."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from gateway.ports import Delete, Put
from infra.local.rig import MODE, STRATEGIES, Rig
from schemas import codec
from schemas.documents import (
    GenerationDocument,
    LatchesDocument,
    LedgerDocument,
    Lock,
    OrderDocument,
    SnapshotDocument,
    TargetsDocument,
    path_of,
)

SPY_ID = 756733
GIVE = {"symbol": "SPY", "from": "alpha", "to": "beta", "quantity": 4, "price": "601"}


async def holding(rig: Rig, **books: int) -> None:
    """Let the strategies buy what they are to hold."""
    for strategy, quantity in books.items():
        await rig.say(strategy, SPY=quantity)
    await rig.settled_after_coalescing()


async def locks(rig: Rig) -> dict[str, str]:
    found = await rig.document(LatchesDocument, mode=MODE)
    return {lock.symbol: lock.kind for lock in found.locks.values()} if found else {}


async def refused(rig: Rig, command: str, words: str, **fields: object) -> None:
    run = await rig.command(command, f"refused-{command}", **fields)
    assert (run.outcome, words in run.reason) == ("refused", True), run.reason


async def split(rig: Rig, ratio: str) -> None:
    actions = rig.simulator.exchange.actions
    await rig.simulator.act(lambda: actions.split("SPY", Decimal(ratio)))
    await rig.settled()


async def unknown(rig: Rig) -> OrderDocument:
    """An order that the broker knew once, of which it says nothing after midnight."""
    await holding(rig, alpha=10)
    (order,) = (await rig.orders()).values()
    left = replace(
        order,
        state="UNKNOWN",
        outcome="",
        filled=Decimal(0),
        broker_filled=Decimal(0),
        executions={},
        order_ref=f"paper-{SPY_ID}-2",
        generation=2,
        perm_id=4711,
        created_at=order.created_at - timedelta(days=1),
    )
    await rig.kill()
    path = path_of(OrderDocument, mode=MODE, order_ref=left.order_ref)
    await rig.store.commit([Put(path, codec.to_document(left))])
    await rig.put(GenerationDocument(2, left.order_ref), mode=MODE, con_id=SPY_ID)
    await rig.start()
    await rig.resume()
    return left


async def test_a_transfer_moves_both_ledgers_at_the_price_and_the_broker_not(active: Rig) -> None:
    """[A4]"""
    await holding(active, alpha=10, beta=1)
    run = await active.command("transfer", "t1", **GIVE, by="ann", reason="merge")
    assert run.outcome == "done", run.reason
    assert run.reason.startswith("+4 SPY from alpha to beta at 601, by ann: merge")
    assert await active.book("alpha") == {"SPY": 6}
    assert await active.book("beta") == {"SPY": 5}
    assert active.simulator.exchange.positions == {"SPY": 11}
    for name, quantity in (("alpha", -4), ("beta", 4)):
        ledger = await active.document(LedgerDocument, mode=MODE, ledger=name)
        assert ledger is not None
        entry = ledger.positions[str(SPY_ID)].entries[-1]
        assert entry.source == "transfer-t1"
        assert entry.quantity == quantity
        assert entry.cost == quantity * 601


async def test_what_was_received_is_held_until_the_next_message_also_after_a_restart(
    active: Rig,
) -> None:
    """[A4] beta wanted 1 and was given 4: its old target must not sell them."""
    await holding(active, alpha=10, beta=1)
    await active.say("alpha", SPY=6)
    await active.settled_before_coalescing()
    await active.command("transfer", "t1", **GIVE)
    await active.kill()
    await active.start()
    await active.command("allocate", "a1")
    await active.traded()
    assert await active.book("beta") == {"SPY": 5}
    await active.advance(seconds=1)
    await active.say("beta", SPY=2)
    await active.settled_after_coalescing()
    assert await active.book("beta") == {"SPY": 2}
    said = await active.document(TargetsDocument, mode=MODE, strategy="beta")
    assert said is not None
    assert said.held_contracts == {}


async def test_a_giver_that_still_wants_what_it_gave_is_told(active: Rig) -> None:
    """[A4] Only the receiver is held; what the giver says next is the person's to see to."""
    await holding(active, alpha=10)
    run = await active.command("transfer", "t1", **GIVE)
    assert "alpha still wants +10, and the next net trades toward that" in run.reason


async def test_a_transfer_redelivered_moves_once(active: Rig) -> None:
    """[A4]"""
    await holding(active, alpha=10)
    for _ in range(2):
        await active.publish("commands", {"command": "transfer", "run_id": "t1", **GIVE})
    await active.ended("t1")
    assert await active.book("beta") == {"SPY": 4}


async def test_a_transfer_killed_before_its_write_is_interrupted_and_moves_nothing(
    active: Rig,
) -> None:
    """[A4] One write: both ledgers with the run document, or none."""
    await holding(active, alpha=10)
    await active.hold(before="holdings/beta")
    await active.publish("commands", {"command": "transfer", "run_id": "t1", **GIVE})
    await active.until_held()
    await active.kill()
    await active.start()
    run = await active.run("t1")
    assert run is not None
    assert run.outcome == "interrupted"
    assert await active.book("alpha") == {"SPY": 10}
    assert await active.book("beta") == {}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"quantity": 11}, "quantity: +11 SPY, but alpha holds +10"),
        ({"quantity": -4}, "quantity: -4 SPY, but alpha holds +10"),
        ({"to": "gamma"}, "to: 'gamma' is neither EXTERNAL nor a known strategy"),
        ({"from": "beta", "to": "alpha"}, "but beta holds +0"),
        ({"symbol": "VIXY"}, "0 contracts named VIXY"),
        ({"con_id": 5}, "con_id: 5 is neither held"),
    ],
)
async def test_a_transfer_that_does_not_fit_is_refused_with_the_numbers(
    active: Rig, fields: dict[str, object], words: str
) -> None:
    """[A4]"""
    await holding(active, alpha=10)
    await refused(active, "transfer", words, **{**GIVE, **fields})
    assert await active.book("alpha") == {"SPY": 10}


async def test_a_transfer_waits_for_an_order_and_for_a_lock(active: Rig) -> None:
    """[A4]"""
    await unknown(active)
    await refused(active, "transfer", "paper-756733-2 in SPY is UNKNOWN; wait", **GIVE)
    await active.command("unlock", "u1", symbol="SPY", outcome="cancelled")
    await split(active, "2")
    run = await active.command("transfer", "t2", **GIVE)
    assert (run.outcome, "SPY is locked (+10 SPY at" in run.reason) == ("refused", True)


async def test_an_order_with_a_trace_is_settled_by_a_person(active: Rig) -> None:
    """[R2] Readings prove nothing after midnight; a person who looked does."""
    await unknown(active)
    await refused(active, "unlock", "outcome: paper-756733-2 is UNKNOWN; look at", symbol="SPY")
    run = await active.command(
        "unlock", "u1", order_ref="paper-756733-2", outcome="cancelled", by="ann", reason="seen"
    )
    assert (run.outcome, run.reason) == (
        "done",
        "paper-756733-2 is over, cancelled, by ann: seen",
    )
    order = (await active.orders())["paper-756733-2"]
    assert (order.state, order.outcome) == ("DONE", "cancelled")
    assert order.reason == "settled as cancelled by ann: seen"
    await active.advance(seconds=1)
    await holding(active, alpha=12)
    assert await active.book("alpha") == {"SPY": 12}


async def test_an_order_that_was_at_the_broker_is_not_said_to_be_unsent(active: Rig) -> None:
    """[R2]"""
    await unknown(active)
    words = "paper-756733-2 was at the broker (permId 4711, filled 0)"
    await refused(active, "unlock", words, symbol="SPY", outcome="not_sent")


async def test_what_a_settled_order_filled_unseen_stays_unexplained(active: Rig) -> None:
    """[B3, R2]"""
    await unknown(active)
    active.simulator.exchange.account.holdings[SPY_ID].quantity += 3
    run = await active.command("unlock", "u1", symbol="SPY", outcome="cancelled")
    assert "+3 of it stays UNEXPLAINED and locked: say adopt" in run.reason
    assert await locks(active) == {"SPY": "unexplained"}
    await refused(active, "unlock", "unlock does not lift this lock of SPY: +3 SPY", symbol="SPY")


@pytest.mark.parametrize("kind", ["repeated", "corrected"])
async def test_unlock_lifts_a_lock_that_waits_for_a_look(active: Rig, kind: str) -> None:
    """[A3] and behaviour 4.1, the repeated-execution throttle."""
    await holding(active, alpha=10)
    await active.kill()
    lock = Lock("SPY", "repeated" if kind == "repeated" else "corrected", "look", active.now)
    await active.put(LatchesDocument({str(SPY_ID): lock}), mode=MODE)
    await active.start()
    assert await locks(active) == {"SPY": kind}
    run = await active.command("unlock", "u1", symbol="SPY", by="ann")
    assert (run.outcome, run.reason) == ("done", "contract 756733 is unlocked, by ann")
    assert await locks(active) == {}


async def test_a_bust_that_turns_the_book_of_a_strategy_on_hold_locks(active: Rig) -> None:
    """[A3] Bought and sold again; then the purchase never was, and the book is short."""
    await holding(active, alpha=10)
    await active.advance(seconds=1)
    await holding(active, alpha=0)
    await active.advance(seconds=1)
    await active.publish("targets", {"strategy": "alpha", "status": "hold", "reason": "calm"})
    await active.settled_after_coalescing()
    (bought,) = (await active.orders())[f"paper-{SPY_ID}-1"].executions.values()
    desk = active.simulator.exchange.orders

    def bust() -> None:
        desk.bust(bought.exec_id)

    await active.simulator.act(bust)
    await active.settled()
    await active.command("reconcile", "c1")
    assert await active.book("alpha") == {"SPY": -10}
    assert await locks(active) == {"SPY": "corrected"}
    assert any("into -10 while its targets are not fresh" in s for s in active.told("alert"))
    assert (await active.command("unlock", "u1", symbol="SPY", by="ann")).outcome == "done"
    assert await locks(active) == {}


async def test_there_may_be_nothing_to_unlock(active: Rig) -> None:
    await holding(active, alpha=10)
    await refused(active, "unlock", "SPY is not locked: there is nothing to unlock", symbol="SPY")
    done = {"order_ref": f"paper-{SPY_ID}-1", "outcome": "cancelled"}
    run = await active.command("unlock", "u2", **done)
    assert "paper-756733-1 is DONE, filled, not UNKNOWN" in run.reason


async def test_an_orphan_is_held_told_at_each_reconcile_and_transferred(active: Rig) -> None:
    """[B6]"""
    await holding(active, alpha=10)
    await active.store.commit([Delete("strategies/alpha")])
    for run_id in ("c1", "c2"):
        await active.command("reconcile", run_id)
    told = [s for s in active.told("alert") if s.startswith("strategies/alpha is gone")]
    assert len(told) == 2
    assert "its book is an orphan that holds +10 SPY; say transfer" in told[0]
    await active.command("allocate", "a1")
    assert active.simulator.exchange.positions == {"SPY": 10}
    run = await active.command("transfer", "t1", **{**GIVE, "quantity": 10})
    assert run.outcome == "done"
    assert await active.book("beta") == {"SPY": 10}
    await active.command("reconcile", "c3")
    assert len([s for s in active.told("alert") if "orphan" in s]) == 2
    await active.put(STRATEGIES["alpha"], strategy="alpha")


async def test_a_split_locks_says_so_and_is_confirmed_by_a_person(active: Rig) -> None:
    """[B2] Quantities are multiplied, costs are not, and old targets are held."""
    await holding(active, alpha=10, beta=3)
    before = await active.document(LedgerDocument, mode=MODE, ledger="alpha")
    await split(active, "2")
    await active.command("reconcile", "c1")
    assert await locks(active) == {"SPY": "unexplained"}
    assert any("looks like a 2:1 split: say corporate_action" in s for s in active.told("alert"))
    ratio = {"symbol": "SPY", "kind": "split", "numerator": 2, "denominator": 1}
    run = await active.command("corporate_action", "k1", **ratio, by="ann")
    assert (run.outcome, "alpha +10, beta +3" in run.reason) == ("done", True), run.reason
    after = await active.document(LedgerDocument, mode=MODE, ledger="alpha")
    assert before is not None
    assert after is not None
    was, now = before.positions[str(SPY_ID)], after.positions[str(SPY_ID)]
    assert now.quantity == 20
    assert (now.cost, now.realized) == (was.cost, was.realized)
    snapshot = await active.document(SnapshotDocument, mode=MODE)
    assert snapshot is not None
    assert not any(snapshot.unexplained.values())
    assert await locks(active) == {}
    await active.command("allocate", "a1")
    await active.traded()
    assert active.simulator.exchange.positions == {"SPY": 26}


async def test_a_reverse_split_breaks_no_share_and_realizes_nothing(active: Rig) -> None:
    """[B2] 10 and 3 become 5 and 1 or 2; the broker has 6, and pays the half in cash."""
    await holding(active, alpha=10, beta=3)
    await split(active, "0.5")
    ratio = {"symbol": "SPY", "numerator": 1, "denominator": 2}
    run = await active.command("corporate_action", "k1", **ratio)
    assert run.outcome == "done", run.reason
    assert await active.held() == active.simulator.exchange.positions == {"SPY": 6}
    assert await active.book("alpha") == {"SPY": 5}
    assert await active.book("beta") == {"SPY": 1}
    ledger = await active.document(LedgerDocument, mode=MODE, ledger="alpha")
    assert ledger is not None
    assert ledger.positions[str(SPY_ID)].realized == 0


async def test_a_split_that_the_broker_does_not_show_is_refused_with_numbers(active: Rig) -> None:
    """[B2]"""
    await holding(active, alpha=10)
    ratio = {"symbol": "SPY", "numerator": 3, "denominator": 1}
    words = "the ledgers hold 10 SPY, which a 3:1 split makes 30, but the broker holds 10"
    await refused(active, "corporate_action", words, **ratio)
    assert await active.book("alpha") == {"SPY": 10}

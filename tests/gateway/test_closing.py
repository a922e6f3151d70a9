"""`close_all` and what opens again, through the whole gateway: message in, books at 0 (5)."""

from decimal import Decimal
from typing import Any

import pytest

from gateway.ports import Delete, Put
from gateway.simulator.broker import ExchangeOptions, InitialHolding
from infra.local.rig import MODE, Rig, rigged
from schemas.documents import LatchesDocument, RunDocument, TargetsDocument
from schemas.settings import ControlDocument, Settings
from schemas.values import TradingState

SPY_ID = 756733


async def holding(rig: Rig, **books: int) -> None:
    """Let the strategies trade what they are to hold in SPY."""
    for strategy, quantity in books.items():
        await rig.say(strategy, SPY=quantity)
    await rig.settled_after_coalescing()


async def latches(rig: Rig) -> LatchesDocument:
    return await rig.document(LatchesDocument, mode=MODE) or LatchesDocument()


async def close_all(rig: Rig, run_id: str = "c1", **fields: object) -> RunDocument:
    """Close, and wait until all that follows from it is over."""
    run = await rig.command("close_all", run_id, **fields)
    await rig.traded()
    return run


async def until_partly_filled(rig: Rig) -> None:
    for _ in range(20):
        if any(o.filled and o.state != "DONE" for o in (await rig.orders()).values()):
            return
        await rig.advance(seconds=1)
        await rig.settled()
    raise AssertionError("no order was ever partly filled")


async def part_fill(rig: Rig, strategy: str, **wanted: int) -> None:
    """Let a strategy's order trade in parts, of which only some are there."""
    rig.simulator.faults.odd_parts(parts=3, seconds=5)
    await rig.say(strategy, run_id="", **wanted)
    await rig.settled_before_coalescing()
    await rig.advance(seconds=3)
    await until_partly_filled(rig)


async def test_close_all_sells_every_book_and_nothing_of_external(active: Rig) -> None:
    """Crossed among the books first [N4], then one order; EXTERNAL stays as it is [B2]."""
    await holding(active, alpha=100, beta=-40)
    await active.simulator.trade_by_hand("SPY", Decimal(5))
    run = await close_all(active, by="ann", reason="margin call")
    assert (run.outcome, run.planned) == ("done", ("-60 SPY for alpha -60",))
    assert run.reason == "alpha, beta, manual closed until resume; all of it goes"
    assert await active.book("alpha") == await active.book("beta") == {}
    assert await active.held() == active.simulator.exchange.positions == {"SPY": 5}
    closed = (await latches(active)).closed
    assert {name: (one.by, one.reason) for name, one in closed.items()} == dict.fromkeys(
        ("alpha", "beta", "manual"), ("ann", "margin call")
    )
    (order,) = [o for o in (await active.orders()).values() if o.run_id == "c1"]
    assert order.why == ("alpha wants -60: closed by ann: margin call",)


async def test_a_close_of_one_strategy_leaves_the_others_orders_and_books(active: Rig) -> None:
    """The old one cancelled everybody's orders, of every strategy and by hand (seeds 1.8)."""
    await holding(active, alpha=30)
    await part_fill(active, "beta", VIXY=20)
    run = await active.command("close_all", "c1", strategies=["alpha"])
    assert (run.cancels, run.planned) == ((), ("-30 SPY for alpha -30",))
    await active.advance(seconds=30)
    await active.traded()
    assert await active.book("alpha") == {}
    assert await active.book("beta") == {"VIXY": 20}
    assert {o.outcome for o in (await active.orders()).values()} == {"filled"}


async def test_a_parent_concerned_is_cancelled_and_the_others_share_ordered_again(
    active: Rig,
) -> None:
    """[N7, N1d]"""
    await active.say("alpha", SPY=30)
    await part_fill(active, "beta", SPY=60)
    run = await active.command("close_all", "c1", strategies=["alpha"])
    (parent,) = run.cancels
    assert "is being cancelled: it follows by itself" in run.reason
    for _ in range(8):
        await active.advance(seconds=10)
        await active.settled()
    await active.traded()
    assert (await active.orders())[parent].outcome == "cancelled"
    assert await active.book("alpha") == {}
    assert await active.book("beta") == {"SPY": 60}
    assert await active.held() == active.simulator.exchange.positions == {"SPY": 60}


async def test_a_part_of_a_close_that_works_already_is_made_whole_at_once(active: Rig) -> None:
    """Too small an order would else be waited for, and its rest left to some later net [N7]."""
    await holding(active, alpha=90)
    await part_fill(active, "alpha", SPY=60)
    await active.command("close_all", "c1", strategies=["alpha"])
    for _ in range(8):
        await active.advance(seconds=10)
        await active.settled()
    await active.traded()
    assert await active.book("alpha") == active.simulator.exchange.positions == {}


async def test_the_same_message_again_and_the_same_command_again_do_nothing_twice(
    active: Rig,
) -> None:
    await holding(active, alpha=90)
    active.simulator.faults.odd_parts(parts=3, seconds=5)
    body = {"command": "close_all", "run_id": "c1", "by": "ann"}
    await active.publish("commands", body)
    await active.ended("c1")
    await until_partly_filled(active)
    await active.publish("commands", body)
    again = await active.command("close_all", "c2", by="bob")
    assert (again.outcome, again.orders, again.cancels) == ("done", (), ())
    await active.advance(seconds=30)
    await active.traded()
    assert sum(o.filled for o in (await active.orders()).values()) == 0
    assert active.simulator.exchange.positions == {}
    assert (await latches(active)).closed["alpha"].by == "ann"


async def test_a_dry_run_tells_the_plan_and_closes_nothing(active: Rig) -> None:
    await holding(active, alpha=10)
    await active.simulator.trade_by_hand("SPY", Decimal(5))
    said = await active.document(TargetsDocument, mode=MODE, strategy="alpha")
    run = await close_all(active, dry_run=True, external=True)
    assert run.planned == ("-15 SPY for EXTERNAL -5, alpha -10",)
    assert run.reason == "EXTERNAL, alpha, beta, manual would be closed; all of it goes"
    assert (run.orders, (await latches(active)).closed) == ((), {})
    assert await active.document(TargetsDocument, mode=MODE, strategy="alpha") == said
    assert (await active.command("allocate", "a1")).planned == ()
    assert active.simulator.exchange.positions == {"SPY": 15}


async def test_while_halted_it_is_refused_and_nothing_is_latched(rig: Rig) -> None:
    run = await close_all(rig)
    assert run.outcome == "refused"
    assert run.reason == (
        "trading is halted, so nothing can be sold and nothing was closed; say reduce_only, then "
        "close_all again"
    )
    assert (await latches(rig)).closed == {}


async def test_it_works_while_reduce_only(active: Rig) -> None:
    await holding(active, alpha=10, beta=-4)
    await active.command("reduce_only", "o1")
    await close_all(active)
    assert await active.book("alpha") == await active.book("beta") == {}


@pytest.mark.parametrize(
    ("fields", "outcome", "words"),
    [
        ({"strategies": ["nobody"]}, "refused", "name one of alpha, beta, manual"),
        ({"strategies": [], "external": True}, "done", "EXTERNAL holds nothing"),
    ],
)
async def test_whom_it_does_not_know_it_does_not_close(
    fields: dict[str, Any], outcome: str, words: str, active: Rig
) -> None:
    run = await close_all(active, **fields)
    assert (run.outcome, words in run.reason) == (outcome, True), run.reason
    assert (await latches(active)).closed == {}


async def test_nobody_named_is_no_command(active: Rig) -> None:
    """An empty list meant everybody in the old system (seeds 1.8)."""
    await active.publish("commands", {"command": "close_all", "strategies": []})
    await active.until("it is buried", lambda: len(active.dead_letters) == 1)
    reason = active.dead_letters[0].attributes["reason"]
    assert "strategies must name one, or be left out to close all" in reason


async def test_an_orphans_book_is_closed_by_its_name(active: Rig) -> None:
    """[B6]"""
    await holding(active, alpha=10)
    await active.store.commit([Delete("strategies/alpha")])
    run = await close_all(active, strategies=["alpha"])
    assert run.planned == ("-10 SPY for alpha -10",)
    assert active.simulator.exchange.positions == {}


async def test_what_a_closed_strategy_says_is_stored_told_once_and_not_traded(
    active: Rig,
) -> None:
    """Also by the next gateway, until a person resumes it by name."""
    await holding(active, alpha=10)
    await close_all(active, strategies=["alpha"], by="ann")
    for quantity in (7, 8):
        await active.advance(seconds=1)
        await holding(active, alpha=quantity)
    assert len([t for t in active.told("alert") if "are not traded" in t]) == 1
    await active.stop()
    await active.start()
    assert (await active.command("allocate", "a1")).orders == ()
    assert active.simulator.exchange.positions == {}
    resumed = await active.command("resume", "s1", strategies=["alpha"])
    assert resumed.reason == "alpha may hold something again, as of what was said since"
    assert (await active.command("allocate", "a2")).planned == ("+8 SPY for alpha +8",)


async def test_what_was_said_before_the_close_does_not_come_back_with_resume(
    active: Rig,
) -> None:
    """Its targets are 0 as of the command, and the newer as_of counts [T2]."""
    await holding(active, alpha=10)
    before = active.now
    await active.advance(seconds=5)
    await close_all(active, strategies=["alpha"])
    late = {"strategy": "alpha", "targets": [{"symbol": "SPY", "quantity": 9}]}
    await active.publish("targets", {**late, "as_of": before.isoformat()})
    await active.settled()
    await active.command("resume", "s1", strategies=["alpha"])
    assert (await active.command("allocate", "a1")).planned == ()
    said = await active.document(TargetsDocument, mode=MODE, strategy="alpha")
    assert said is not None
    assert {t.symbol: int(t.quantity) for t in said.targets} == {"SPY": 0}


async def test_a_plain_resume_lifts_no_closure_and_a_named_one_nothing_else(active: Rig) -> None:
    await close_all(active, strategies=["alpha", "beta"])
    await active.command("resume", "s1")
    assert [*(await latches(active)).closed] == ["alpha", "beta"]
    await active.command("halt", "h1")
    run = await active.command("resume", "s2", strategies=["beta"])
    assert run.reason.endswith("trading stays halted")
    assert [*(await latches(active)).closed] == ["alpha"]
    control = await active.document(ControlDocument, mode=MODE)
    assert control is not None
    assert control.state is TradingState.HALTED
    refused = await active.command("resume", "s3", strategies=["alpha", "beta"])
    assert refused.reason == "strategies: 'beta' is not closed; closed: alpha"


async def test_a_run_does_not_ask_whom_a_person_closed(active: Rig) -> None:
    await close_all(active, strategies=["alpha"], by="ann")
    await active.publish("commands", {"command": "run", "run_id": "r1"})
    await active.reached("r1", "ASKED")
    run = await active.run("r1")
    assert run is not None
    assert run.asked == ("beta",)
    assert [(r.rule, r.strategies) for r in run.refusals] == [("closed", ("alpha",))]


async def test_a_close_amid_an_open_run_does_not_wait_for_its_answers(active: Rig) -> None:
    await holding(active, alpha=10)
    await active.publish("commands", {"command": "run", "run_id": "r1"})
    await active.reached("r1", "ASKED")
    await active.publish("commands", {"command": "close_all", "run_id": "c1"})
    await active.reached("c1", "DONE")
    await active.until("alpha's book is sold", lambda: active.simulator.exchange.positions == {})
    await active.say("alpha", SPY=10, run_id="r1")
    await active.say("beta", SPY=0, run_id="r1")
    assert (await active.ended("r1")).orders == ()


async def test_wishes_that_a_person_closed_have_not_vanished(active: Rig) -> None:
    """Two books at once would else wait for approve; at the second net of a close, too."""
    await holding(active, alpha=100, beta=100)
    run = await close_all(active)
    assert run.refusals == ()
    assert active.simulator.exchange.positions == {}


async def test_a_book_within_the_band_is_closed_all_the_same(active: Rig) -> None:
    """A close to 0 is never suppressed [N9]."""
    await active.put(Settings(rebalance_band=Decimal(0)), name="common")
    await holding(active, alpha=1)
    await active.put(Settings(order_notional_min=Decimal(100_000)), name="common")
    await close_all(active)
    assert active.simulator.exchange.positions == {}


async def test_a_locked_contract_stays_and_the_run_says_what_to_do(active: Rig) -> None:
    await holding(active, alpha=10)
    active.simulator.faults.wrong_position(symbol="SPY", difference=Decimal(3))
    run = await close_all(active)
    assert (run.outcome, run.orders) == ("done", ())
    assert [r.rule for r in run.refusals] == ["contract_locked"]
    assert run.reason.startswith(
        "alpha, beta, manual closed until resume; stays open: alpha +10 SPY, for SPY is locked: "
        "+3 SPY at the broker that neither a book nor EXTERNAL explains; say adopt"
    )
    active.simulator.faults.clear()
    await active.command("reconcile", "r1")
    assert (await active.command("allocate", "a1")).planned == ("-10 SPY for alpha -10",)


async def test_external_is_closed_with_the_books_and_trades_freely_afterwards(
    active: Rig,
) -> None:
    """What a person buys at TWS after it is at 0 is theirs again [B2]."""
    await holding(active, alpha=10)
    await active.simulator.trade_by_hand("SPY", Decimal(5))
    run = await close_all(active, external=True)
    assert run.planned == ("-15 SPY for EXTERNAL -5, alpha -10",)
    assert active.simulator.exchange.positions == await active.book("EXTERNAL") == {}
    assert "EXTERNAL" not in (await latches(active)).closed
    await active.simulator.trade_by_hand("SPY", Decimal(3))
    assert (await active.command("allocate", "a1")).planned == ()
    assert await active.book("EXTERNAL") == {"SPY": 3}


async def test_external_alone_is_closed_where_no_strategy_is_named(active: Rig) -> None:
    await holding(active, alpha=10)
    await active.simulator.trade_by_hand("SPY", Decimal(5))
    await close_all(active, strategies=[], external=True)
    assert await active.book("alpha") == active.simulator.exchange.positions == {"SPY": 10}
    assert (await latches(active)).closed == {}


async def test_where_external_opposes_it_is_crossed_or_else_refused(active: Rig) -> None:
    """[B5]: somebody sold the strategy's shares at TWS, and nothing is left at the broker."""
    await holding(active, alpha=10)
    await active.simulator.trade_by_hand("SPY", Decimal(-10))
    refused = await close_all(active)
    assert [r.rule for r in refused.refusals] == ["external_opposes"]
    assert "say transfer" in refused.reason
    run = await close_all(active, "c2", external=True)
    assert (run.orders, len(run.crosses)) == ((), 1)
    assert await active.book("alpha") == await active.book("EXTERNAL") == {}
    assert active.simulator.exchange.positions == {}


async def test_external_that_a_cross_has_closed_is_not_closed_again_after_a_restart() -> None:
    """[B2] What a person buys then is theirs, and must not be sold."""
    held = InitialHolding("SPY", Decimal(5), Decimal(600))
    async with rigged(ExchangeOptions(holdings=(held,))) as rig:
        await rig.start()
        await rig.resume()
        await rig.command("adopt", "o1", symbol="SPY", to="EXTERNAL", price="600")
        await rig.say("alpha", SPY=5)
        await rig.settled_before_coalescing()
        run = await close_all(rig, strategies=["beta"], external=True)
        assert (len(run.crosses), run.orders) == (1, ())
        assert list((await latches(rig)).closed) == ["beta"]
        await rig.stop()
        await rig.start()
        await rig.simulator.trade_by_hand("SPY", Decimal(7))
        assert (await rig.command("allocate", "a1")).planned == ()
        assert await rig.book("EXTERNAL") == {"SPY": 7}


@pytest.mark.usefixtures("impatient")
async def test_force_crosses_closed_books_at_an_old_price(active: Rig) -> None:
    """Without it they stay, for nobody knows at what price to settle them [N4]."""
    await holding(active, alpha=10, beta=-10)
    assert active.simulator.exchange.positions == {}
    active.simulator.faults.unanswered_requests(kind="market_data", symbol="SPY")
    await active.advance(seconds=Settings().quote_age_seconds_max + 10)
    old = await close_all(active)
    assert [r.rule for r in old.refusals] == ["quote_age"]
    assert "stays open: alpha +10 SPY" in old.reason
    run = await close_all(active, "c2", force=True)
    assert (len(run.crosses), run.refusals) == (1, ())
    assert await active.held() == {}


@pytest.mark.parametrize(
    ("when", "path", "is_latched"),
    [
        ("before", "runs/c1", True),  # not acked: the message comes again
        ("after", "runs/c1", False),  # nothing is done yet: the run says that it was interrupted
        ("before", "latches/", False),
        ("after", "latches/", True),  # the targets of 0 wait for a net, of whichever gateway
        ("before", "openOrders/", True),
        ("after", "openOrders/", True),
    ],
)
async def test_a_gateway_that_ends_amid_a_close_leaves_it_latched_or_interrupted(
    when: str, path: str, is_latched: bool, active: Rig
) -> None:
    """Never half: latched, all of it is sold by the next gateway; else saying it again sells."""
    await holding(active, alpha=10, beta=-4)
    await active.hold(**{when: path})
    await active.publish("commands", {"command": "close_all", "run_id": "c1"})
    await active.until_held()
    await active.kill()
    await active.start()
    for _ in range(3):  # the second look proves what never got to the broker [R2]
        await active.advance(seconds=11)
        await active.settled()
    await active.traded()
    run = await active.run("c1")
    assert run is not None
    assert run.outcome == ("done" if (when, path) == ("before", "runs/c1") else "interrupted")
    assert [*(await latches(active)).closed] == (["alpha", "beta", "manual"] if is_latched else [])
    assert (active.simulator.exchange.positions == {}) is is_latched
    await active.command("reconcile", "r1")
    await close_all(active, "c2")
    assert active.simulator.exchange.positions == await active.held() == {}
    done = [o for o in (await active.orders()).values() if o.filled]
    assert sum(o.filled for o in done) == 0, "sold once"


@pytest.mark.usefixtures("impatient")
@pytest.mark.ib_async_errors_expected("the broker is taken away")
async def test_while_the_broker_is_away_books_are_latched_and_sold_when_said_again(
    active: Rig,
) -> None:
    """Nothing is bought for them meanwhile; the run says that nothing was sold."""
    await holding(active, alpha=10)
    await active.break_line()
    run = await close_all(active, strategies=["alpha"])
    assert run.outcome == "failed"
    assert run.reason.endswith(
        "the books are latched closed, not sold: say close_all again once the broker is back"
    )
    assert [*(await latches(active)).closed] == ["alpha"]
    await active.mend_line()
    session = active.chief.floor.doors.session if active.chief else None
    assert session is not None
    await active.until("the line is up again", lambda: session.connected)
    await active.settled()
    await close_all(active, "c2", strategies=["alpha"])
    assert active.simulator.exchange.positions == {}


async def test_a_misspelt_document_of_a_strategy_keeps_nobody_from_getting_out(active: Rig) -> None:
    """It is told; the books are closed all the same, and nothing is bought meanwhile."""
    await holding(active, alpha=10, beta=-4)
    await active.store.commit([Put("strategies/foo", {"enabeld": True})])
    await active.say("alpha", SPY=20)
    run = await close_all(active)
    assert run.outcome == "done"
    assert active.simulator.exchange.positions == await active.held() == {}
    assert any("the configuration: strategies/foo" in text for text in active.told("alert"))
    for command in ("reconcile", "summary", "risk_check", "eod_check"):
        assert (await active.command(command, f"{command}-1")).outcome == "done"


async def test_while_settings_cannot_be_read_a_close_reduces_and_nobody_else_buys(
    active: Rig,
) -> None:
    """Bounds that people set are not known any more."""
    await holding(active, alpha=10)
    await active.say("beta", SPY=5)
    await active.settled_before_coalescing()
    await active.store.commit([Put("config/paper", {"order_notional_max": "much"})])
    run = await close_all(active, strategies=["alpha"])
    await active.settled_after_coalescing()
    assert await active.book("alpha") == {}
    assert await active.book("beta") == {}
    assert "trading_state" in {entry.rule for entry in run.refusals}

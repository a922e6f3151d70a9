"""The commands that look at the day, through the whole gateway: message in, documents out."""

from collections.abc import Mapping
from decimal import Decimal

import pytest

from gateway.why import evidence
from infra.local.rig import MODE, Rig
from schemas import codec
from schemas.documents import CLOSED_ORDERS, LedgerDocument, OrderDocument, StatusDocument
from schemas.settings import Settings

SATURDAY = 5
LOOKING = ("summary", "risk_check", "eod_check")


async def bought(rig: Rig, **books: int) -> None:
    for strategy, quantity in books.items():
        await rig.say(strategy, SPY=quantity)
    await rig.settled_after_coalescing()


async def status(rig: Rig) -> StatusDocument:
    found = await rig.document(StatusDocument, mode=MODE)
    assert found is not None
    return found


async def next_day(rig: Rig) -> None:
    await rig.advance(hours=24)


async def closed_orders(rig: Rig) -> Mapping[str, OrderDocument]:
    found = await rig.store.list("orders")
    return {
        path.rpartition("/")[2]: codec.from_document(OrderDocument, data)
        for path, data in found.items()
    }


async def test_a_summary_tells_what_is_held_and_done_also_while_halted(active: Rig) -> None:
    await bought(active, alpha=10, beta=-4)
    await active.command("halt", "stop", by="ann")
    run = await active.command("summary", "s1")
    told = "\n".join(run.findings)
    assert run.outcome == "done"
    assert "alpha holds +10 SPY, worth " in told
    assert "beta holds -4 SPY, worth " in told
    assert "net liquidation" in told
    assert "-> alpha +6" in told  # 4 of the 10 came from beta
    assert run.reason == ""


@pytest.mark.parametrize("command", LOOKING)
async def test_a_command_that_looks_orders_nothing_and_works_on_an_empty_account(
    rig: Rig, command: str
) -> None:
    run = await rig.command(command, "r1")
    assert (run.outcome, run.findings != ()) == ("done", True)
    assert await rig.orders() == {}


@pytest.mark.parametrize("command", LOOKING)
async def test_a_command_that_looks_acts_once_when_it_comes_twice(rig: Rig, command: str) -> None:
    first = await rig.command(command, "r1")
    assert await rig.command(command, "r1") == first


async def test_a_risk_check_is_remembered_and_tells_a_stuck_order(active: Rig) -> None:
    await active.put(Settings(stuck_order_minutes=1), name="common")
    active.simulator.faults.odd_parts(parts=3, seconds=600)
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    await active.advance(seconds=3)
    await active.settled()
    await active.advance(seconds=61)
    run = await active.command("risk_check", "r1")
    assert run.reason == f"1 of {len(run.findings)} findings need a person"
    assert any(text.startswith("risk_check: stuck: paper-") for text in active.told("alert"))
    assert (await status(active)).checks == {"risk_check": run.finished_at}


async def test_the_day_s_end_tells_what_each_book_made_since_the_last(active: Rig) -> None:
    await bought(active, alpha=10)
    await active.command("eod_check", "first")
    made = (await status(active)).pnl["alpha"]
    await next_day(active)
    run = await active.command("eod_check", "second")
    known = await status(active)
    assert known.pnl_before == {"alpha": made}
    today = known.pnl["alpha"] - made
    assert f"alpha made {today:+.2f} USD today" in run.findings


async def test_a_dry_run_of_the_day_s_end_remembers_nothing(active: Rig) -> None:
    await bought(active, alpha=10)
    run = await active.command("eod_check", "dry", dry_run=True)
    assert any("alpha made" in text for text in run.findings)
    known = await status(active)
    assert (known.checks, known.pnl) == ({}, {})


async def test_orders_of_yesterday_are_moved_away_and_can_still_say_why(active: Rig) -> None:
    await bought(active, alpha=10)
    ((order_ref, order),) = (await active.orders()).items()
    await active.command("reconcile", "same-day")
    assert list(await active.orders()) == [order_ref]
    await next_day(active)
    await active.command("reconcile", "next-day")
    assert await active.orders() == {}
    assert await closed_orders(active) == {order_ref: order}
    assert await active.book("alpha") == {"SPY": 10}
    assert active.chief is not None
    archive = active.chief.floor.doors.archive
    assert (await evidence(archive, order_ref)).order == order


async def test_a_restart_after_the_day_was_closed_goes_on_counting(active: Rig) -> None:
    """[W1] The last number of a contract is kept apart from its orders."""
    await bought(active, alpha=10)
    await next_day(active)
    await active.command("reconcile", "closed")
    await active.stop()
    chief = await active.start()
    await active.command("reconcile", "again")
    assert (chief.floor.desk.orders, chief.floor.desk.generations) == ({}, {756733: 1})
    assert await active.held() == active.simulator.exchange.positions == {"SPY": 10}


async def test_a_gateway_that_ends_while_it_closes_a_day_loses_nothing(active: Rig) -> None:
    await bought(active, alpha=10)
    await next_day(active)
    await active.hold(before=CLOSED_ORDERS.at(order_ref=f"{MODE}-756733-1"))
    await active.publish("commands", {"command": "reconcile", "run_id": "cut"})
    await active.until_held()
    await active.kill()
    assert len(await active.orders()) == 1
    await active.start()
    await active.command("reconcile", "again")
    assert (len(await active.orders()), len(await closed_orders(active))) == (0, 1)


async def test_ledgers_forget_the_fills_of_last_week(active: Rig) -> None:
    await bought(active, alpha=10)
    await active.advance(days=9)
    await active.command("reconcile", "later")
    found = await active.document(LedgerDocument, mode=MODE, ledger="alpha")
    assert found is not None
    (position,) = found.positions.values()
    assert position.entries == ()
    assert position.quantity == position.opening_quantity == 10
    assert Decimal(0) < position.opening_cost


@pytest.mark.parametrize(
    ("minutes", "is_done"), [(None, True), (330, True), (329, False), (24 * 60, True)]
)
async def test_a_scheduled_end_of_day_waits_for_the_exchange_s_own_close(
    rig: Rig, minutes: int | None, is_done: bool
) -> None:
    """The play begins an hour after the opening: 330 minutes are left."""
    fields = {} if minutes is None else {"minutes_to_close_max": minutes}
    run = await rig.command("eod_check", "e1", **fields)
    assert (run.outcome, run.findings != ()) == ("done", is_done)
    assert ("nothing to check now" in run.reason) is not is_done


async def test_an_end_of_day_that_comes_late_is_looked_at_once_all_the_same(active: Rig) -> None:
    """A gateway that was down at 15:55 must not say `done` and leave a book over night unsaid."""
    await active.put(Settings(enforce_flat_eod=True), name="common")
    await bought(active, alpha=10)
    await active.advance(hours=5, minutes=31)
    late = await active.command("eod_check", "e1", minutes_to_close_max=15)
    assert any("alpha made" in text for text in late.findings)
    assert [refused.rule for refused in late.refusals] == ["market_hours"]
    again = await active.command("eod_check", "e2", minutes_to_close_max=15)
    assert (again.findings, "nothing to check now" in again.reason) == ((), True)


async def test_on_a_day_without_a_session_there_is_nothing_to_check(rig: Rig) -> None:
    while rig.now.weekday() != SATURDAY:
        await rig.advance(hours=24)
    run = await rig.command("eod_check", "e1", minutes_to_close_max=60)
    assert f"closed on {rig.now.date().isoformat()}" in run.reason
    assert run.findings == ()


async def test_a_day_that_must_end_flat_is_closed_until_tomorrow(active: Rig) -> None:
    """The strategies say something else at once, and are heard again the next day."""
    await active.put(Settings(enforce_flat_eod=True), name="common")
    await bought(active, alpha=10, beta=-4)
    run = await active.command("eod_check", "flat")
    await active.traded()
    assert (run.outcome, len(run.orders)) == ("done", 1)
    assert any("alpha made" in text for text in run.findings)
    await bought(active, alpha=7)
    assert await active.held() == active.simulator.exchange.positions == {}
    assert active.chief is not None
    assert active.chief.floor.desk.closed.keys() >= {"alpha", "beta"}
    await next_day(active)
    await active.command("reconcile", "tomorrow")
    assert active.chief.floor.desk.closed == {}


async def test_a_dry_run_of_a_flat_end_shows_its_orders_and_closes_nothing(active: Rig) -> None:
    await active.put(Settings(enforce_flat_eod=True), name="common")
    await bought(active, alpha=10)
    run = await active.command("eod_check", "flat", dry_run=True)
    assert run.planned == ("-10 SPY for alpha -10",)
    assert await active.held() == {"SPY": 10}
    assert active.chief is not None
    assert active.chief.floor.desk.closed == {}


async def test_a_flat_end_while_halted_is_told_and_sells_nothing(active: Rig) -> None:
    await active.put(Settings(enforce_flat_eod=True), name="common")
    await bought(active, alpha=10)
    await active.command("halt", "stop")
    await active.command("eod_check", "flat")
    assert any("enforce_flat_eod: trading is halted" in text for text in active.told("alert"))
    assert await active.held() == {"SPY": 10}


async def test_what_a_person_closed_stays_closed_over_the_night(active: Rig) -> None:
    await active.put(Settings(enforce_flat_eod=True), name="common")
    await bought(active, alpha=10)
    await active.command("close_all", "c1", strategies=["alpha"])
    await active.command("eod_check", "flat")
    await active.traded()
    await next_day(active)
    await active.command("reconcile", "tomorrow")
    assert active.chief is not None
    assert list(active.chief.floor.desk.closed) == ["alpha"]

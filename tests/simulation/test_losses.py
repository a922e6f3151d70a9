"""A loss at the broker latches the real commander until a person says resume (behaviour 4.1)."""

from infra.local.rig import MODE, Rig
from schemas.documents import StatusDocument
from tests.simulation.incidents import latch, lose


async def status(rig: Rig) -> StatusDocument:
    found = await rig.document(StatusDocument, mode=MODE)
    assert found is not None
    return found


def latched(rig: Rig) -> list[str]:
    return [text for text in rig.told("alert") if "latched reduce_only: " in text]


async def lost(rig: Rig) -> None:
    """alpha holds 10 SPY, then 60,000 of a million are lost; a reading has shown it."""
    await rig.say("alpha", SPY=10)
    await rig.settled_after_coalescing()
    await lose(rig, 60_000)
    await rig.command("reconcile", "after-loss")


async def test_a_daily_loss_latches_and_is_told_once(active: Rig) -> None:
    await lost(active)
    assert await latch(active) == "daily_loss"
    await active.command("reconcile", "again")
    (told,) = latched(active)
    assert "(daily_loss_fraction_max); look at the account, then say resume" in told


async def test_a_latched_gateway_reduces_and_refuses_what_increases(active: Rig) -> None:
    await lost(active)
    await active.say("alpha", SPY=4)
    await active.say("beta", VIXY=3)
    await active.settled_after_coalescing()
    assert await active.book("alpha") == {"SPY": 4}
    assert await active.book("beta") == {}
    assert any("trading is reduce_only" in text for text in active.told("refusal"))


async def test_a_latch_survives_a_restart_and_resume_lifts_it(active: Rig) -> None:
    """Losses are then measured from where the person said so: it does not latch again at once."""
    await lost(active)
    before = await status(active)
    await active.stop()
    await active.start()
    assert await status(active) == before
    await active.say("beta", VIXY=3)
    await active.settled_after_coalescing()
    assert await active.book("beta") == {}
    await active.command("resume", "go", by="ann")
    await active.command("allocate", "a1")
    await active.traded()
    await active.command("reconcile", "again")
    assert await active.book("beta") == {"VIXY": 3}
    assert await latch(active) == ""
    assert len(latched(active)) == 1
    after = await status(active)
    assert after.start_of_day_equity < before.start_of_day_equity - 50_000


async def test_setting_the_state_in_the_console_does_not_lift_a_latch(active: Rig) -> None:
    await lost(active)
    await active.resume()
    await active.command("reconcile", "again")
    assert await latch(active) == "daily_loss"


async def test_orders_are_counted_with_the_journal_and_a_dry_run_counts_nothing(
    active: Rig,
) -> None:
    """RTS 6, article 15(2): a gateway that is killed right after it has counted."""
    await active.command("reconcile", "before")
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    await active.command("allocate", "dry", dry_run=True)
    assert (await status(active)).orders == 0
    await active.hold(after="openOrders/paper-756733-1")
    await active.publish("commands", {"command": "allocate", "run_id": "a1"})
    await active.until_held()
    await active.kill()
    found = await status(active)
    assert (found.orders, found.turnover > 0) == (1, True)
    await active.start()
    assert await status(active) == found

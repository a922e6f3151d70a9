"""Incidents of other projects, replayed: what turns up amid other work.

Rows 5, 10 and 11 of the list of incidents: a second account of the login, executions corrected
after they were attributed, a loss that crosses its bound while a batch is under way.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from infra.local.rig import Rig
from schemas import codec
from schemas.documents import ExecutionDocument
from schemas.settings import Settings
from tests.simulation.incidents import (
    latch,
    live_on,
    locks,
    lose,
    no_order_is_there_twice,
    until_partly_filled,
    wanted_by_two,
)

# ---------------------------------------------------------------------- row 11: a loss


async def bounded_by_drawdown(rig: Rig) -> None:
    """A bound on the drawdown alone: 10 % of a million."""
    settings = Settings(daily_loss_fraction_max=Decimal(1), drawdown_fraction_max=Decimal("0.1"))
    await rig.put(settings, name="common")
    await rig.command("reconcile", "before")


async def test_go_trader_25_a_drawdown_amid_a_batch_lets_nothing_more_be_bought(
    active: Rig,
) -> None:
    """richkuo/go-trader#25: also what is at the broker already and buys is cancelled."""
    await bounded_by_drawdown(active)
    active.simulator.faults.odd_parts(parts=3, seconds=5)
    await active.say("alpha", SPY=10)
    await active.say("beta", VIXY=20)
    await active.settled_before_coalescing()
    await active.advance(seconds=3)
    await until_partly_filled(active)
    await lose(active, 150_000)
    await active.command("reconcile", "seen")
    assert await latch(active) == "drawdown"
    await active.say("alpha", SPY=30)
    await active.say("beta", VIXY=20, SPY=5)
    await live_on(active, "latched", 4)
    assert 0 < (await active.book("alpha"))["SPY"] < 10
    assert 0 < (await active.book("beta"))["VIXY"] < 20
    assert await active.held() == active.simulator.exchange.positions
    assert {order.outcome for order in (await active.orders()).values()} == {"cancelled"}
    assert any("trading is reduce_only" in text for text in active.told("refusal"))
    assert len([text for text in active.told("alert") if "latched reduce_only" in text]) == 1
    assert await locks(active) == {}
    await no_order_is_there_twice(active)


async def test_go_trader_904_a_drawdown_between_the_two_orders_of_a_flip_ends_it_at_zero(
    active: Rig,
) -> None:
    """richkuo/go-trader#904: the order to zero reduces, the one beyond would not [N6]."""
    await bounded_by_drawdown(active)
    await active.say("alpha", SPY=10)
    await active.settled_after_coalescing()
    active.simulator.faults.odd_parts(parts=2, seconds=5)
    await active.say("alpha", SPY=-6)
    await active.settled_before_coalescing()
    await active.advance(seconds=3)
    await until_partly_filled(active)
    await lose(active, 150_000)
    await active.command("reconcile", "seen")
    assert await latch(active) == "drawdown"
    await live_on(active, "latched", 2)
    await active.command("allocate", "a1")
    await live_on(active, "after", 1)
    assert active.simulator.exchange.positions == await active.held() == {}
    await active.command("resume", "go", by="ann")
    await active.command("allocate", "a2")
    await live_on(active, "resumed", 2)
    assert active.simulator.exchange.positions == await active.held() == {"SPY": -6}
    await no_order_is_there_twice(active)


# ---------------------------------------------------------------------- row 5: another account


async def test_row_5_positions_of_another_account_are_nobodys_here(active: Rig) -> None:
    """They come mixed with ours, in the same contracts [B3]."""
    await active.say("alpha", SPY=10)
    await active.settled_after_coalescing()
    active.simulator.faults.second_account(quantity=Decimal(7))
    await active.say("alpha", SPY=12)
    await active.settled_after_coalescing()
    await live_on(active, "mixed", 2)
    assert active.simulator.faults.log
    assert await locks(active) == {}
    assert await active.book("alpha") == await active.held() == {"SPY": 12}
    assert active.simulator.exchange.positions == {"SPY": 12}


@pytest.mark.ib_async_errors_expected("the login is refused")
async def test_row_5_a_login_with_two_accounts_is_refused_by_name(
    active: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """Which of them is meant nobody has said; orders would go to either."""
    await active.stop()
    active.simulator.faults.second_account(account="DUSIM0002")
    chief = active.start_soon()
    two = "waits for the broker: the login has 2 accounts (DU…01, DU…02), not one"
    await active.until("it is said", lambda: two in caplog.text)
    assert not chief.floor.doors.session.connected


# ---------------------------------------------------------------------- row 10: corrections


async def correct(rig: Rig, path: str, quantity: int) -> None:
    """The broker says that an execution was of another quantity; 0 takes it back."""
    exec_id, orders = path.rpartition("/")[2], rig.simulator.exchange.orders

    def act() -> None:
        orders.correct(exec_id, Decimal(quantity), None)

    await rig.simulator.act(act)


async def corrected(rig: Rig, quantity: int, *, away: Callable[[], Awaitable[None]] | None) -> None:
    """The only execution is corrected, while the gateway is `away` if that ends it; then read."""
    ((exec_id, _),) = (await rig.store.list("executions")).items()
    if away:
        await away()
    await correct(rig, exec_id, quantity)
    if away:
        await rig.start()
    await rig.command("reconcile", "corrected")


async def shares(rig: Rig) -> dict[str, Decimal]:
    """Each strategy's part in the executions as they are documented, the latest of each only."""
    found = await rig.store.list("executions")
    latest = {exec_id.rpartition(".")[0]: exec_id for exec_id in sorted(found)}
    total: dict[str, Decimal] = {}
    for exec_id in latest.values():
        for share in found[exec_id]["shares"]:
            known = total.get(share["strategy"], Decimal(0))
            total[share["strategy"]] = known + Decimal(share["quantity"])
    return {strategy: quantity for strategy, quantity in total.items() if quantity}


@pytest.mark.parametrize("restarts", [False, True], ids=["running", "restarted"])
async def test_ib_insync_364_a_quantity_corrected_after_attribution_moves_every_book(
    active: Rig, restarts: bool
) -> None:
    """erdewit/ib_insync#364: 12 of 14 shared by two were 10 in truth [A2, A3].

    The order has traded and is over when the correction comes, live or with the four questions.
    """
    await active.say("alpha", SPY=8)
    await active.say("beta", SPY=4)
    await active.settled_after_coalescing()
    assert await active.book("alpha") == {"SPY": 8}
    await corrected(active, 9, away=active.stop if restarts else None)
    books = [await active.book(name) for name in ("alpha", "beta")]
    assert books == [{"SPY": 6}, {"SPY": 3}], "shares of the whole, not of a last part"
    assert await active.held() == active.simulator.exchange.positions == {"SPY": 9}
    assert await shares(active) == {"alpha": 6, "beta": 3}
    assert await locks(active) == {}
    await active.command("allocate", "a1")
    await active.traded()
    books = [await active.book(name) for name in ("alpha", "beta")]
    assert books == [{"SPY": 8}, {"SPY": 4}], "the wishes stand: what was taken back is bought"
    await no_order_is_there_twice(active)


@pytest.mark.parametrize("restarts", [False, True], ids=["running", "restarted"])
async def test_ib_insync_364_a_bust_after_attribution_takes_all_back(
    active: Rig, restarts: bool
) -> None:
    """The cross stands, for it never was at the broker [A3]; the law holds."""
    await wanted_by_two(active)
    await active.traded()
    await corrected(active, 0, away=active.kill if restarts else None)
    assert active.simulator.exchange.positions == await active.held() == {}
    assert await active.book("alpha") == {"SPY": 4}
    assert await active.book("beta") == {"SPY": -4}
    assert await shares(active) == {}
    assert await locks(active) == {}
    await active.command("allocate", "a1")
    await active.traded()
    assert await active.book("alpha") == {"SPY": 10}
    assert await active.held() == active.simulator.exchange.positions == {"SPY": 6}
    await no_order_is_there_twice(active)


@pytest.mark.parametrize("quantity", [3, 0])
async def test_a_trade_by_hand_corrected_while_nothing_runs_moves_external_once(
    active: Rig, quantity: int
) -> None:
    """[A1, B2] The ledger knows which report it has booked, over any number of restarts."""
    await active.simulator.trade_by_hand("SPY", Decimal(5))
    await active.command("reconcile", "told")
    assert await active.book("EXTERNAL") == {"SPY": 5}
    ((exec_id, data),) = (await active.store.list("executions")).items()
    await active.stop()
    await correct(active, exec_id, quantity)
    held = {"SPY": quantity} if quantity else {}
    for _ in range(2):
        chief = await active.start()
        assert await active.book("EXTERNAL") == active.simulator.exchange.positions == held
        stale = codec.from_document(ExecutionDocument, data)
        chief.inbox.put(replace(stale, commission=Decimal(1), commission_currency="USD"))
        await active.settled()
        assert await active.book("EXTERNAL") == held
        await active.stop()
    assert len([text for text in active.told("execution") if "by somebody else" in text]) == 2

"""Hours, order policies and flips, by the real commander at the simulated broker [N5, N6]."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from gateway.simulator.market.bars import BarBook, read_folder
from infra.local.demo import BUNDLED
from infra.local.rig import MODE, STRATEGIES, Rig, rigged, start_of_play
from schemas.documents import OrderDocument
from schemas.settings import OrderPolicy, Settings
from schemas.values import OrderType


async def told_in_order(rig: Rig) -> list[OrderDocument]:
    return sorted((await rig.orders()).values(), key=lambda order: order.generation)


async def long_of_10(rig: Rig) -> None:
    """alpha holds 10 SPY."""
    await rig.say("alpha", SPY=10)
    await rig.settled_after_coalescing()
    assert await rig.book("alpha") == {"SPY": 10}


# ---------------------------------------------------------------------- flips


async def test_a_flip_ends_by_itself(active: Rig) -> None:
    """[N6, N1] To zero and beyond: two orders, one message, nobody asks for the second."""
    await long_of_10(active)
    await active.say("alpha", SPY=-5)
    await active.settled_after_coalescing()
    first, second = (await told_in_order(active))[1:]
    assert (int(first.quantity), first.is_flip, first.is_reducing) == (-10, True, True)
    assert (int(second.quantity), second.is_flip, second.is_reducing) == (-5, False, False)
    assert second.margin, "the way beyond 0 grows, so IB is asked what it costs"
    assert second.run_id == f"after-{first.order_ref}"
    run = await active.run(second.run_id)
    assert run is not None
    assert (run.command, run.trigger, run.outcome) == ("net", "flip", "done")
    assert await active.book("alpha") == {"SPY": -5}
    assert active.simulator.exchange.positions == {"SPY": -5}


async def test_a_flips_second_half_is_held_against_the_limits_of_its_own_time(active: Rig) -> None:
    """[N6] Shorts were forbidden while the first half worked."""
    await long_of_10(active)
    active.simulator.faults.odd_parts(parts=2, seconds=3)
    await active.say("alpha", SPY=-5)
    await active.settled_before_coalescing()
    await active.command("allocate", "a1")
    await active.put(Settings(short_allowed=False), name="common")
    await active.advance(seconds=10)
    await active.traded()
    assert await active.book("alpha") == {}
    assert any("short_allowed is off" in sentence for sentence in active.told("refusal"))


async def test_a_flip_outlives_a_gateway_that_ends_while_its_first_half_works(active: Rig) -> None:
    """[N6, R1] The fill comes while nobody listens; the next gateway hears of it and goes on."""
    await long_of_10(active)
    active.simulator.faults.odd_parts(parts=2, seconds=3)
    await active.say("alpha", SPY=-5)
    await active.settled_before_coalescing()
    await active.command("allocate", "a1")
    await active.kill()
    await active.advance(seconds=10)
    active.simulator.faults.clear()
    await active.start()
    await active.traded()
    assert await active.book("alpha") == {"SPY": -5}
    assert len(await active.orders()) == 3


@pytest.mark.parametrize(
    ("place", "path"), [("before", "generations/756733"), ("after", "paper-756733-3")]
)
async def test_a_flip_outlives_a_gateway_that_ends_between_its_halves(
    active: Rig, place: str, path: str
) -> None:
    """[N6, W1] The fill is written and the second half is not, or is and was not sent."""
    await long_of_10(active)
    active.simulator.faults.odd_parts(parts=2, seconds=3)
    await active.say("alpha", SPY=-5)
    await active.settled_before_coalescing()
    await active.command("allocate", "a1")
    await active.hold(**{place: path})
    await active.advance(seconds=10)
    active.simulator.faults.clear()
    await active.until_held()
    assert active.simulator.exchange.positions.get("SPY", 0) == 0
    await active.kill()
    await active.start()
    if place == "after":  # nobody knows yet that it never left; its second look does [R2]
        await active.advance(seconds=11)
        await active.command("allocate", "a2")
    await active.traded()
    assert await active.book("alpha") == {"SPY": -5}
    assert active.simulator.exchange.positions == {"SPY": -5}


# ---------------------------------------------------------------------- hours


@pytest.fixture(scope="module")
def short_day(tmp_path_factory: pytest.TempPathFactory) -> BarBook:
    """The bundled bars, but the day of play closes at 13:00 in New York."""
    folder = tmp_path_factory.mktemp("bars") / "short"
    shutil.copytree(BUNDLED, folder)
    closes = f"{start_of_play():%Y-%m-%d}T13:00"
    for file in folder.glob("*30min*.csv"):
        kept = [line for line in file.read_text().splitlines() if line < closes or line[0] == "t"]
        file.write_text("\n".join([*kept, ""]))
    return read_folder(folder)


async def test_after_an_early_close_nothing_is_sent(short_day: BarBook) -> None:
    """(behaviour 4.1) By IB's hours of the contract; its price of 12:59 would still be good."""
    async with rigged(bars=short_day) as rig:
        await rig.start()
        await rig.resume()
        await rig.advance(seconds=hours_to_close(rig).total_seconds() - 60)
        await long_of_10(rig)
        await rig.advance(minutes=2)
        for wanted in (20, 0):
            await rig.say("alpha", SPY=wanted)
            await rig.settled_after_coalescing()
        assert await rig.book("alpha") == {"SPY": 10}
        assert len(await rig.orders()) == 1
        (first, *_) = rig.told("refusal")
        assert "SPY is closed" in first
        assert "opens at Mon 2026-03-02 09:30 New York" in first


def hours_to_close(rig: Rig) -> timedelta:
    """It is 10:30 in New York when play starts, and the day closes at 13:00."""
    assert rig.now == start_of_play()
    return timedelta(hours=2, minutes=30)


# ---------------------------------------------------------------------- policies


@pytest.mark.parametrize(("wanted", "is_beyond"), [(10, Decimal.__ge__), (-10, Decimal.__le__)])
async def test_a_limit_order_trades_within_its_collar(
    active: Rig, wanted: int, is_beyond: Callable[[Decimal, Decimal], bool]
) -> None:
    """(behaviour 4.7) A hundredth beyond the reference price, in cents."""
    policy = OrderPolicy(OrderType.LMT)
    await active.put(replace(STRATEGIES["alpha"], order_policy=policy), strategy="alpha")
    await active.say("alpha", SPY=wanted)
    await active.settled_after_coalescing()
    (order,) = await told_in_order(active)
    assert (order.order_type, order.adaptive_priority, order.outcome) == ("LMT", "", "filled")
    assert order.limit_price is not None
    assert order.decision_price is not None
    assert order.average_price is not None
    assert order.limit_price == round(order.limit_price, 2)
    distance = abs(order.limit_price / order.decision_price - 1)
    assert Decimal("0.0099") < distance <= Decimal("0.01")
    assert is_beyond(order.limit_price, order.average_price)


async def test_a_run_of_two_policies_for_one_contract_is_refused_naming_both(active: Rig) -> None:
    """[N5] alpha and beta both read SPY; nobody is asked and nothing is ordered."""
    policy = OrderPolicy(OrderType.MOC)
    await active.put(replace(STRATEGIES["beta"], order_policy=policy), strategy="beta")
    run = await active.command("run", "r1")
    assert (run.outcome, run.asked) == ("refused", ())
    for words in ("strategies/alpha and strategies/beta", "order_type MKT and MOC", "in SPY"):
        assert words in run.reason
    assert active.markets == []


async def test_without_a_run_only_the_contract_in_conflict_stands_still(active: Rig) -> None:
    """[N5, N6, N8] Both want SPY: refused by name; manual, who shares nothing, trades."""
    await long_of_10(active)
    policy = OrderPolicy(OrderType.MOC)
    await active.put(replace(STRATEGIES["beta"], order_policy=policy), strategy="beta")
    await active.say("alpha", SPY=20)
    await active.say("beta", SPY=5)
    await active.say("manual", VIXY=7)
    await active.settled_after_coalescing()
    assert await active.book("manual") == {"VIXY": 7}
    assert await active.held() == {"SPY": 10, "VIXY": 7}
    (refusal,) = active.told("refusal")
    assert "alpha, beta: strategies/alpha and strategies/beta differ" in refusal
    await active.say("alpha", SPY=4)
    await active.settled_after_coalescing()
    assert await active.book("alpha") == {"SPY": 4}


async def test_settings_say_how_everybodys_orders_are_executed(active: Rig) -> None:
    """(behaviour 4.7)"""
    policy = OrderPolicy(adaptive_priority="Urgent")
    await active.put(Settings(order_policy=policy), name=MODE)
    await long_of_10(active)
    (order,) = await told_in_order(active)
    assert (order.order_type, order.adaptive_priority) == ("MKT", "Urgent")

"""A future is rolled by the real strategy through the real commander: both months, or neither.

The day is 2026-02-27; MESH6 trades until 2026-03-20, 15 weekdays later, and MESM6 follows.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest
import pytest_asyncio

from functions.answer import answer
from functions.registry import load
from gateway.core.together import RULE
from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.market.bars import read_folder
from infra.local.demo import BUNDLED
from infra.local.rig import MODE, Rig, rigged
from infra.local.solo import staged
from schemas import codec
from schemas.documents import RunDocument
from schemas.messages import Scalar
from schemas.settings import Settings, StrategyDocument

NAME = "mes_trend"
STRATEGY = load(NAME)
OLD, NEW = "MESH6", "MESM6"
ROLL: dict[str, Scalar] = {"roll_days": 20}
ALONE: dict[str, Scalar] = {"roll_days": 20, "alone_days": 16}
ALLOWED = Settings(sec_types_allowed=("STK", "FUT"))


def document(**parameters: Scalar) -> StrategyDocument:
    return StrategyDocument(
        True,
        Decimal("0.5"),
        universe=STRATEGY.UNIVERSE,
        bars=STRATEGY.BARS,
        parameters=parameters,
    )


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Rig]:
    """A bench with the strategy, long of the month that expires next."""
    book = read_folder(BUNDLED)
    bars = staged(NAME, book, book.whole_days()[-1], None)
    strategies = {NAME: document(), "manual": StrategyDocument(True, Decimal("0.1"))}
    async with rigged(ExchangeOptions(), strategies, bars) as made:
        await made.put(ALLOWED, name="common")
        await made.start()
        await made.resume()
        await run(made, "start")
        yield made


async def run(rig: Rig, run_id: str, **parameters: Scalar) -> RunDocument:
    """A run in which the strategy's own function answers, with these parameters."""
    await rig.put(document(**parameters), strategy=NAME)
    await rig.advance(minutes=1)  # [T2] a message as of the same instant would not count
    rig.markets.clear()
    await rig.publish("commands", {"command": "run", "run_id": run_id, "strategies": [NAME]})
    await rig.reached(run_id, "ASKED")
    await rig.until("the market is there", lambda: bool(rig.markets))
    said = answer(NAME, STRATEGY, codec.encode(rig.markets[0]), {"strategy": NAME})
    assert said is not None
    await rig.publish("targets", codec.encode(said))
    found = await rig.ended(run_id)
    await rig.traded()
    return found


async def held(rig: Rig) -> dict[str, Decimal]:
    """What the strategy's book holds, by month."""
    found = await rig.store.get(f"positions/{MODE}/holdings/{NAME}")
    positions = found["positions"].values() if found else ()
    return {
        p["contract"]["local_symbol"]: Decimal(p["quantity"])
        for p in positions
        if Decimal(p["quantity"])
    }


async def law_holds(rig: Rig) -> None:
    """[B3] And the broker has what the book has."""
    closed = await rig.command("reconcile", f"law-{len(rig.reports)}")
    assert closed.outcome == "done"
    assert rig.simulator.exchange.positions == await held(rig)


def alerts(rig: Rig) -> list[str]:
    return [text for text in rig.told("alert") if "was to go together" in text]


async def test_a_universe_without_a_month_is_the_two_that_expire_next(rig: Rig) -> None:
    (market,) = rig.markets
    assert [bars.contract.name for bars in market.bars] == [OLD, NEW]
    assert all(bars.contract.multiplier == 5 and bars.contract.con_id for bars in market.bars)
    assert set(await held(rig)) == {OLD}


async def test_both_months_are_ordered_in_one_net_and_the_old_one_first(rig: Rig) -> None:
    """[N6] Then the same is said again, and nothing more happens."""
    before = await held(rig)
    rolled = await run(rig, "roll", **ROLL)
    assert len(rolled.orders) == 2
    assert rolled.planned[0].startswith("-")
    after = await held(rig)
    assert set(after) == {NEW}
    # The next month is a little dearer, so it may be one contract less.
    assert before[OLD] - 1 <= after[NEW] <= before[OLD]
    again = await run(rig, "again", **ROLL)
    assert again.orders == ()
    assert alerts(rig) == []
    await law_holds(rig)


async def test_while_the_new_month_is_refused_the_old_one_stays_and_says_why(rig: Rig) -> None:
    """The order's bound lets the old month be sold, and the new one not be bought."""
    before = await held(rig)
    await rig.put(
        Settings(sec_types_allowed=("STK", "FUT"), order_notional_max=Decimal(1)), name="common"
    )
    refused = await run(rig, "roll", **ROLL)
    assert (refused.orders, await held(rig)) == ((), before)
    rules = {(entry.rule, entry.symbol) for entry in refused.refusals}
    assert rules == {("order_notional_max", NEW), (RULE, OLD)}
    (sentence,) = (e.sentence for e in refused.refusals if e.rule == RULE)
    assert "go together until Wed 2026-03-18 00:00 New York, then each alone" in sentence
    await rig.put(ALLOWED, name="common")
    await run(rig, "again", **ROLL)
    assert set(await held(rig)) == {NEW}
    await law_holds(rig)


async def test_what_nobody_has_rolled_near_its_last_day_is_an_alert_by_name(rig: Rig) -> None:
    """Told by each check, and kept back for a day by who tells people (schemas.alerts)."""
    await rig.put(replace(ALLOWED, expiry_warning_days=20), name="common")
    await rig.command("risk_check", "early")
    await rig.put(replace(ALLOWED, expiry_warning_days=21), name="common")
    await rig.command("risk_check", "due")
    (told,) = [one for one in rig.reports if one.details.get("alert") == "expiry_near"]
    assert (told.run_id, told.symbol) == ("due", "MES")
    assert "MESH6 is held (mes_trend +" in told.sentence
    assert "trades last on 2026-03-20, in 21 days" in told.sentence
    await run(rig, "roll", **ROLL)
    await rig.command("risk_check", "rolled")
    assert [one for one in rig.reports if one.details.get("alert") == "expiry_near"] == [told]


async def test_from_the_hard_date_on_the_old_month_closes_alone(rig: Rig) -> None:
    """[N6, N8] Rather flat than settled."""
    await rig.put(
        Settings(sec_types_allowed=("STK", "FUT"), order_notional_max=Decimal(1)), name="common"
    )
    closed = await run(rig, "roll", **ALONE)
    assert len(closed.orders) == 1
    assert await held(rig) == {}
    await law_holds(rig)


@pytest.mark.ib_async_errors_expected("the broker rejects an order")
async def test_a_leg_that_the_broker_rejects_is_an_alert_and_the_next_run_tries_again(
    rig: Rig,
) -> None:
    rig.simulator.faults.rejection(reason="margin", times=1, order=2)
    await run(rig, "roll", **ROLL)
    assert await held(rig) == {}
    (said,) = alerts(rig)
    assert f"{NAME} may be left with half of what was to go together" in said
    assert f"{NEW}, ended rejected" in said
    await run(rig, "again", **ROLL)
    assert set(await held(rig)) == {NEW}
    await law_holds(rig)


async def test_without_futures_in_the_configuration_nothing_is_traded_and_it_says_so() -> None:
    """`sec_types_allowed` is people's: a new strategy does not widen it."""
    book = read_folder(BUNDLED)
    bars = staged(NAME, book, book.whole_days()[-1], None)
    async with rigged(ExchangeOptions(), {NAME: document()}, bars) as rig:
        await rig.start()
        await rig.resume()
        refused = await run(rig, "start")
        assert await held(rig) == {}
        (entry,) = refused.refusals
        assert "FUT" in entry.sentence
        assert "sec_types_allowed" in entry.sentence

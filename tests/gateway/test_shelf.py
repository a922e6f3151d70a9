"""Runs read their bars through the documents: IB is asked for what is new, and once [issue 5.4]."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from gateway import shelf
from gateway.ports import Delete, Put
from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.replies import Notice
from gateway.simulator.requests import HistoricalDataRequest, MarketDataTypeRequest
from infra.local.rig import MODE, SPY, Rig, rigged
from schemas.documents import BarsDocument, path_of
from schemas.messages import Bars
from schemas.settings import Settings
from schemas.values import BarSpec
from tests.gateway.watched_bars import (
    ALPHA,
    HALF_HOUR,
    HALF_HOURS,
    asked,
    five_seconds,
    halved,
    kept,
    meddle,
    opening,
    thanksgiving,
    watch,
)

NOON = opening(12, 2) + timedelta(hours=2, minutes=35)


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Rig]:
    """A bench with one strategy on SPY and VIXY."""
    async with rigged(strategies={"alpha": ALPHA}) as made:
        yield made


async def shown(rig: Rig, run_id: str) -> dict[str, Bars]:
    """Start a run; what alpha is shown, by symbol. The run is over when this returns."""
    await rig.publish("commands", {"command": "run", "run_id": run_id, "strategies": ["alpha"]})
    await rig.until("alpha is asked", lambda: run_id in [m.run_id for m in rig.markets])
    (market,) = [m for m in rig.markets if m.run_id == run_id and m.strategy == "alpha"]
    await rig.publish("targets", {"strategy": "alpha", "run_id": run_id, "status": "hold"})
    await rig.ended(run_id)
    return {bars.contract.symbol: bars for bars in market.bars}


async def test_a_gateway_that_starts_again_asks_only_for_what_is_new(rig: Rig) -> None:
    watched = watch(rig)
    await rig.start()
    await shown(rig, "r1")
    assert asked(watched) == [("SPY", "30 mins", "6 D"), ("VIXY", "30 mins", "6 D")]
    await rig.stop()
    await rig.advance(minutes=31)
    await rig.start()
    before = len((await kept(rig)).time)
    warm = await shown(rig, "r2")
    assert asked(watched) == [("SPY", "30 mins", "1 D"), ("VIXY", "30 mins", "1 D")]
    assert len((await kept(rig)).time) == before + 1
    assert warm["SPY"].time[-1] == (await kept(rig)).time[-1]


async def test_a_run_that_can_find_nothing_new_asks_nothing(rig: Rig) -> None:
    watched = watch(rig)
    await rig.start()
    first = await shown(rig, "r1")
    asked(watched)
    await rig.advance(minutes=29)
    assert await shown(rig, "r2") == first
    assert asked(watched) == []


async def test_kept_bars_are_read_once_until_they_are_written_anew(rig: Rig) -> None:
    """Nobody but the commander writes them, so what it read stays true."""
    await rig.start()
    assert rig.chief is not None
    remembered = rig.chief.floor.bars
    first = await shown(rig, "r1")
    assert remembered == {}
    assert await shown(rig, "r2") == first
    assert len(remembered) == 2
    document = await kept(rig)
    cut = {name: getattr(document, name)[:-1] for name in COLUMNS}
    await rig.put(replace(document, **cut), mode=MODE, bars="SPY-756733-30mins")
    assert await shown(rig, "r3") == first
    await rig.advance(minutes=31)
    assert (await shown(rig, "r4"))["SPY"].time[:-1] == first["SPY"].time
    assert remembered == {}


@pytest.mark.parametrize("spec", [HALF_HOURS, BarSpec("1 day", "20 D", 1)])
async def test_bars_that_were_kept_are_those_that_a_whole_reading_tells(spec: BarSpec) -> None:
    """A strategy decides the same, whether the gateway has run for days or just begun."""
    seen = []
    for is_warm in (True, False):
        alpha = replace(ALPHA, bars=spec)
        async with rigged(strategies={"alpha": alpha}) as rig:
            await rig.start()
            for step in range(3):
                await rig.advance(hours=5, minutes=7)
                if is_warm:
                    await shown(rig, f"r{step}")
            await rig.advance(hours=5, minutes=7)
            seen.append(await shown(rig, "last"))
    assert seen[0] == seen[1]
    assert seen[0]["SPY"].time


async def test_an_overnight_gap_is_filled_from_the_day_of_the_last_bar() -> None:
    async with rigged(strategies={"alpha": ALPHA}, bars=thanksgiving(), start=NOON) as later:
        watched = watch(later)
        await later.start()
        whole = await shown(later, "r0")
        document = await kept(later)
        cut = {n: getattr(document, n)[:-9] for n in COLUMNS}  # as after the close of the 29th
        await later.put(replace(document, **cut), mode=MODE, bars="SPY-756733-30mins")
        asked(watched)
        assert await shown(later, "r1") == whole
        assert ("SPY", "30 mins", "4 D") in asked(watched)


COLUMNS = ("time", "open", "high", "low", "close", "volume")


async def test_after_a_split_all_bars_are_read_anew() -> None:
    """The broker divides the past; kept beside new bars it would look like a crash."""
    async with rigged(strategies={"alpha": ALPHA}, bars=thanksgiving(), start=NOON) as before:
        await before.start()
        old = await shown(before, "r1")
        documents = {n: await kept(before, n) for n in ("SPY-756733-30mins",)}
    bars = thanksgiving(change=halved)
    async with rigged(strategies={"alpha": ALPHA}, bars=bars, start=NOON + HALF_HOUR) as after:
        for name, document in documents.items():
            await after.put(document, mode=MODE, bars=name)
        watched = watch(after)
        await after.start()
        new = await shown(after, "r2")
        questions = [one for one in asked(watched) if one[0] == "SPY"]
        assert questions == [("SPY", "30 mins", "1 D"), ("SPY", "30 mins", "6 D")]
        count = len(old["SPY"].close)
        assert new["SPY"].close[:count] == tuple(price / 2 for price in old["SPY"].close)
        assert (await kept(after)).close == new["SPY"].close


@pytest.mark.parametrize(
    "broken",
    [
        {"duration": ""},
        {"close": [1.0]},
        {"size": 7},
        {"time": []},
    ],
)
async def test_a_broken_document_is_read_anew_and_mended(
    rig: Rig, broken: dict[str, object]
) -> None:
    """Whoever edited it: a strategy must neither see it nor wait for a person."""
    watched = watch(rig)
    await rig.start()
    whole = await shown(rig, "r1")
    mended = await kept(rig)
    path = path_of(BarsDocument, mode=MODE, bars="SPY-756733-30mins")
    found = await rig.store.get(path)
    assert found is not None
    await rig.store.commit([Put(path, {**found, **broken})])
    asked(watched)
    assert await shown(rig, "r2") == whole
    assert asked(watched) == [("SPY", "30 mins", "6 D")]
    assert await kept(rig) == mended


async def test_a_longer_wish_reads_all_once_and_shorter_ones_share_it(rig: Rig) -> None:
    watched = watch(rig)
    await rig.start()
    await shown(rig, "r1")
    asked(watched)
    beta = replace(ALPHA, bars=replace(HALF_HOURS, duration="9 D"), weight=Decimal("0.1"))
    gamma = replace(beta, bars=replace(HALF_HOURS, duration="2 D"))
    await rig.put(beta, strategy="beta")
    await rig.put(gamma, strategy="gamma")
    for run_id in ("m1", "m2"):
        assert (await rig.command("market_data", run_id)).outcome == "done"
    assert asked(watched) == [("SPY", "30 mins", "10 D"), ("VIXY", "30 mins", "10 D")]
    assert (await kept(rig)).duration == "9 D"
    assert len((await shown(rig, "r2"))["SPY"].time) < len((await kept(rig)).time)


async def test_bars_of_all_hours_are_asked_for_and_kept_apart(rig: Rig) -> None:
    every = replace(HALF_HOURS, regular_hours_only=False)
    await rig.put(replace(ALPHA, bars=every, universe=(SPY,)), strategy="alpha")
    watched = watch(rig)
    await rig.start()
    await shown(rig, "r1")
    (body,) = [r.body for r in watched.requests if isinstance(r.body, HistoricalDataRequest)]
    assert not body.regular_hours
    document = await kept(rig, "SPY-756733-30mins-all")
    assert not document.regular_hours_only
    assert await rig.document(BarsDocument, mode=MODE, bars="SPY-756733-30mins") is None


async def test_who_wishes_more_than_ib_has_is_told_and_the_others_are_shown_theirs(
    rig: Rig,
) -> None:
    """IB's longest duration depends on the size, and nobody's wish may starve another."""
    text = "Error validating request: duration is too long"

    def stingy(request: HistoricalDataRequest, reply: Any) -> Any:
        is_long = request.duration == "10 D"
        return Notice(request.request_id, 321, text) if is_long else reply

    await rig.put(replace(ALPHA, bars=replace(HALF_HOURS, duration="9 D")), strategy="beta")
    await rig.put(replace(ALPHA, weight=Decimal("0.1")), strategy="alpha")
    meddle(rig, stingy)
    await rig.start()
    await rig.publish("commands", {"command": "run", "run_id": "r1"})
    await rig.reached("r1", "ASKED")
    run = await rig.run("r1")
    assert run is not None
    assert run.asked == ("alpha",)
    (refusal,) = run.refusals
    assert refusal.strategies == ("beta",)
    assert f"bars of SPY: SPY STK SMART USD: 321 {text}" in refusal.sentence
    assert (await kept(rig)).duration == "5 D"


async def test_a_bar_told_twice_is_kept_once_and_reported(rig: Rig) -> None:
    watched = meddle(rig, lambda _, reply: replace(reply, bars=(*reply.bars[:3], *reply.bars[2:])))
    await rig.start()
    run = await rig.command("market_data", "m1")
    assert len(asked(watched)) == 2
    assert "1 bars told twice by IB and kept once" in run.findings[0]
    times = (await kept(rig)).time
    assert list(times) == sorted(set(times))
    assert "SPY" in "".join(rig.told("alert"))


async def test_two_bars_of_one_time_are_not_kept_and_the_strategy_is_held(rig: Rig) -> None:
    """Nobody can say which one is true."""

    def doubled(_: HistoricalDataRequest, reply: Any) -> Any:
        other = replace(reply.bars[2], close=reply.bars[2].close + 1)
        return replace(reply, bars=(*reply.bars[:3], other, *reply.bars[3:]))

    meddle(rig, doubled)
    await rig.start()
    await rig.publish("commands", {"command": "run", "run_id": "r1"})
    run = await rig.ended("r1")
    assert run.asked == ()
    assert "the broker told two different bars of" in run.refusals[0].sentence
    assert await rig.document(BarsDocument, mode=MODE, bars="SPY-756733-30mins") is None


async def test_more_bars_than_one_commit_takes_are_written_before_the_run_is_asked(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Firestore takes 10 MiB at once; a run of many contracts must not be lost over it."""
    monkeypatch.setattr(shelf, "ROWS_MAX", 60)
    await rig.start()
    seen = await shown(rig, "r1")
    assert (await kept(rig)).time == seen["SPY"].time
    (path,) = [p for p in await rig.store.list(f"market_data/{MODE}/bars") if "VIXY" in p]
    assert (await kept(rig, path.rpartition("/")[2])).time == seen["VIXY"].time


# ---------------------------------------------------------------------- pacing


async def test_twenty_strategies_on_the_same_small_bars_break_no_pacing() -> None:
    """(IB's historical pacing) One question a contract; a run too soon after is shown what is kept.

    The broker on the bench refuses as IB does, and would name the strategy that got no bars.
    """
    small = replace(ALPHA, bars=BarSpec("5 secs", "1 D", 1), weight=Decimal("0.01"))
    names = ["alpha", *(f"s{n}" for n in range(19))]
    opens = opening(12, 2)
    options = ExchangeOptions(historical_pacing=True)
    bars = five_seconds(opens, 1000)
    strategies = dict.fromkeys(names, small)
    async with rigged(options, strategies, bars, start=opens + HALF_HOUR) as rig:
        watched = watch(rig)
        await rig.start()
        questions = []
        for run_id in ("r1", "r2", "r3"):
            await all_answer(rig, run_id, names)
            questions.append(asked(watched))
            await rig.advance(seconds=6)
        assert questions == [
            [("SPY", "5 secs", "2 D"), ("VIXY", "5 secs", "2 D")],
            [("SPY", "5 secs", "1 D"), ("VIXY", "5 secs", "1 D")],
            [],
        ]
        assert rig.told("refusal") == []
        await rig.advance(seconds=15)
        await all_answer(rig, "r4", names)
        assert asked(watched) == questions[1]


async def all_answer(rig: Rig, run_id: str, names: list[str]) -> None:
    """A run that asks all of these, and ends."""
    await rig.publish("commands", {"command": "run", "run_id": run_id})
    await rig.reached(run_id, "ASKED")
    for name in names:
        await rig.publish("targets", {"strategy": name, "run_id": run_id, "status": "hold"})
    run = await rig.ended(run_id)
    assert (run.refusals, len(run.asked)) == ((), len(names))


async def test_where_ib_refuses_for_its_pacing_the_strategy_is_told_so() -> None:
    """Error 162 is also "no data"; this is neither, and must not look like an empty market."""
    small = replace(ALPHA, bars=BarSpec("5 secs", "1 D", 1), universe=(SPY,))
    opens = opening(12, 2)
    options = ExchangeOptions(historical_pacing=True)
    async with rigged(
        options, {"alpha": small}, five_seconds(opens, 1000), start=opens + HALF_HOUR
    ) as rig:
        await rig.start()
        await shown(rig, "r1")
        await rig.stop()  # the next gateway process knows nothing of what this one asked
        path = path_of(BarsDocument, mode=MODE, bars="SPY-756733-5secs")
        await rig.store.commit([Delete(path)])
        await rig.start()
        await rig.publish("commands", {"command": "run", "run_id": "r2"})
        run = await rig.ended("r2")
        assert run.asked == ()
        assert "pacing violation" in run.refusals[0].sentence
        assert run.refusals[0].strategies == ("alpha",)


# ---------------------------------------------------------------------- delayed data


async def test_where_delayed_data_will_do_they_are_asked_for_and_bars_wait_for_them(
    rig: Rig,
) -> None:
    """A bar that is over by the clock is still forming in data of 15 minutes ago."""
    await rig.put(Settings(delayed_data_allowed=True), name="common")
    watched = watch(rig)
    await rig.start()
    kinds = [r.body.type for r in watched.requests if isinstance(r.body, MarketDataTypeRequest)]
    assert kinds[-1] == 3
    bars = (await shown(rig, "r1"))["SPY"]
    assert bars.time[-1] + HALF_HOUR <= rig.now - timedelta(minutes=15)
    assert bars.time[-1] + 2 * HALF_HOUR > rig.now - timedelta(minutes=15)
    await rig.put(Settings(), name="common")
    live = (await shown(rig, "r2"))["SPY"]
    assert live.time[-1] + 2 * HALF_HOUR > rig.now
    kinds = [r.body.type for r in watched.requests if isinstance(r.body, MarketDataTypeRequest)]
    assert kinds[-1] == 1


async def test_bars_that_ib_does_not_have_are_not_put_over_kept_ones() -> None:
    """No subscription any more: the strategy is shown what IB says, and nothing kept is lost."""
    async with rigged(strategies={"alpha": ALPHA}) as before:
        await before.start()
        await shown(before, "r1")
        document = await kept(before)
    options = ExchangeOptions(subscriptions={"SPY": "none"})
    async with rigged(options, {"alpha": ALPHA}) as after:
        await after.put(document, mode=MODE, bars="SPY-756733-30mins")
        await after.start()
        await after.advance(minutes=31)
        assert (await shown(after, "r2"))["SPY"].time == ()
        assert await kept(after) == document

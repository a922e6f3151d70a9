"""The command `market_data`: bars into Firestore, checked by a calendar (behaviour 5)."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from gateway.ports import Put
from gateway.simulator.broker import ExchangeOptions
from infra.bench.witness import Tally
from infra.local.rig import MODE, SPY, VIXY, Rig, rigged
from schemas import codec
from schemas.documents import BarsDocument
from schemas.values import BarSpec, Contract
from tests.gateway.watched_bars import ALPHA, HALF_HOURS, asked, kept, opening, thanksgiving, watch

STRATEGIES = {"alpha": ALPHA}
MONDAY_NOON = opening(12, 2) + timedelta(hours=2, minutes=35)


async def test_bars_of_the_universe_are_kept_while_trading_is_halted(rig: Rig) -> None:
    """[read-only] It says what is kept, since when."""
    run = await rig.command("market_data", "m1")
    assert (run.outcome, run.reason) == ("done", "2 of 2 series of bars are kept")
    assert run.findings == (
        "SPY 30 mins: 15 bars from 2026-02-26 09:30 to 2026-02-27 10:00 New York, all read, for "
        "nothing was kept",
        "VIXY 30 mins: 15 bars from 2026-02-26 09:30 to 2026-02-27 10:00 New York, all read, for "
        "nothing was kept",
    )
    assert len((await kept(rig)).time) == 15
    assert await rig.orders() == {}
    assert rig.told("alert") == []


async def test_the_same_command_again_reads_and_writes_only_what_is_new(rig: Rig) -> None:
    """[idempotent]"""
    watched = watch(rig)
    await rig.command("market_data", "m1")
    assert len(asked(watched)) == 2
    before = await kept(rig)
    tally = Tally(rig.bus, rig.store)
    run = await rig.command("market_data", "m2")
    assert asked(watched) == []
    assert await kept(rig) == before
    assert not [m for m in tally.taken() if m.writes and "market_data" in m.what]
    assert [finding.rpartition(", ")[2] for finding in run.findings] == ["0 new", "0 new"]


async def test_a_redelivered_command_does_nothing_more(rig: Rig) -> None:
    first = await rig.command("market_data", "m1")
    watched = watch(rig)
    await rig.publish("commands", {"command": "market_data", "run_id": "m1"})
    await rig.until("a person is told", lambda: "run_id m1 was used" in "".join(rig.told()))
    assert asked(watched) == []
    assert await rig.run("m1") == first


async def test_only_those_named_are_read_and_one_may_be_disabled(rig: Rig) -> None:
    """A person looks at the bars before the strategy may trade."""
    gamma = replace(ALPHA, enabled=False, universe=(VIXY,), bars=BarSpec("1 day", "9 D", 1))
    await rig.put(gamma, strategy="gamma")
    run = await rig.command("market_data", "m1", strategies=["gamma"])
    (finding,) = run.findings
    assert finding.startswith("VIXY 1 day: 9 bars from ")
    assert await rig.document(BarsDocument, mode=MODE, bars="SPY-756733-30mins") is None


async def test_an_unknown_strategy_is_refused_and_the_others_are_read(rig: Rig) -> None:
    run = await rig.command("market_data", "m1", strategies=["alpha", "nobody"])
    assert (run.outcome, len(run.findings)) == ("done", 1)
    assert [r.sentence for r in run.refusals] == [
        "strategy 'nobody' is not known; name some of alpha, beta, manual"
    ]
    alone = await rig.command("market_data", "m2", strategies=["nobody"])
    assert alone.outcome == "failed"


async def test_a_misspelt_field_is_a_dead_letter(rig: Rig) -> None:
    await rig.publish("commands", {"command": "market_data", "strategy": "alpha"})
    await rig.until("the dead letter is there", lambda: bool(rig.dead_letters))
    assert "did you mean strategies" in rig.dead_letters[0].attributes["reason"]


@pytest.mark.parametrize(
    ("universe", "sentence"),
    [
        ((Contract("NOPE"), SPY), "NOPE STK SMART USD: 200 No security definition"),
        ((Contract("QQQ"), SPY), "QQQ 30 mins: IB has no bars for 5 D"),
    ],
)
async def test_one_bad_contract_does_not_stop_the_others(
    universe: tuple[Contract, ...], sentence: str
) -> None:
    async with rigged(strategies={"alpha": replace(ALPHA, universe=universe)}) as rig:
        await rig.start()
        run = await rig.command("market_data", "m1")
        assert run.outcome == "done"
        assert sentence in "".join(r.sentence for r in run.refusals)
        assert sentence in "".join(rig.told("refusal"))
        assert (await kept(rig)).time


@pytest.mark.parametrize(
    "bars",
    [None, BarSpec("7 mins", "5 D", 1), BarSpec("30 mins", "x", 1), BarSpec("1 day", "999 D", 1)],
)
async def test_a_strategy_whose_bars_make_no_sense_stops_no_other(
    rig: Rig, bars: BarSpec | None
) -> None:
    await rig.put(replace(ALPHA, bars=bars, weight=Decimal(0)), strategy="gamma")
    run = await rig.command("market_data", "m1")
    assert (run.outcome, len(run.findings)) == ("done", 2)
    assert [r.strategies for r in run.refusals] == [("gamma",)]
    assert "strategies/gamma" in run.refusals[0].sentence


async def test_a_document_that_cannot_be_read_stops_no_other(rig: Rig) -> None:
    path = "strategies/gamma"
    await rig.store.commit([Put(path, {"enabled": "perhaps"})])
    run = await rig.command("market_data", "m1")
    assert run.outcome == "done"
    assert "strategies/gamma" in "".join(rig.told("alert"))


@pytest.mark.ib_async_errors_expected("the line is cut")
async def test_without_the_broker_it_fails_and_says_so(rig: Rig) -> None:
    await rig.break_line()
    run = await rig.command("market_data", "m1")
    assert (run.outcome, run.findings) == ("failed", ())
    await rig.mend_line()


async def test_it_waits_for_the_open_run(rig: Rig) -> None:
    """IB may be slow, and answers must not wait for it."""
    await rig.publish("commands", {"command": "run", "run_id": "r1", "strategies": ["alpha"]})
    await rig.reached("r1", "ASKED")
    await rig.publish("commands", {"command": "market_data", "run_id": "m1"})
    await rig.reached("m1", "STARTED")
    await rig.publish("targets", {"strategy": "alpha", "run_id": "r1", "status": "hold"})
    assert (await rig.ended("m1")).outcome == "done"
    run = await rig.run("r1")
    assert run is not None
    assert run.answered == {"alpha": "hold"}


# ---------------------------------------------------------------------- gaps


async def test_a_holiday_and_an_early_close_are_no_gap() -> None:
    """Thanksgiving 2019, and the day after, 2019-11-29, that closed at 13:00."""
    async with rigged(None, STRATEGIES, thanksgiving(), start=MONDAY_NOON) as rig:
        await rig.start()
        run = await rig.command("market_data", "m1")
        assert (run.outcome, rig.told("alert")) == ("done", [])
        document = await kept(rig)
        assert document.time[0] == opening(11, 25)
        assert len(document.time) == 3 * 13 + 7 + 5


async def test_a_bar_that_ib_does_not_tell_is_reported() -> None:
    """Strategies are shown what there is; a person is told what is not."""
    lost = opening(11, 26) + timedelta(hours=3)
    async with rigged(None, STRATEGIES, thanksgiving(missing=[lost]), start=MONDAY_NOON) as rig:
        await rig.start()
        run = await rig.command("market_data", "m1")
        assert run.outcome == "done"
        assert "; wrong: 1 bars missing: 2019-11-26 12:30; compare" in run.findings[0]
        first, second = rig.told("alert")
        assert first.startswith("bars of SPY 30 mins: 50 bars from 2019-11-25 09:30")
        assert "VIXY" in second
        (report, *_) = [r for r in rig.reports if r.kind == "alert"]
        assert (report.details["alert"], report.symbol) == ("bars_faulty", "SPY")
        assert lost not in (await kept(rig)).time


async def test_a_gap_in_what_is_kept_is_filled_by_reading_all_anew() -> None:
    """A run would not see it: the new bars meet the newest kept ones without fault."""
    async with rigged(None, STRATEGIES, thanksgiving(), start=MONDAY_NOON) as rig:
        await rig.start()
        await rig.command("market_data", "m1")
        whole = await kept(rig)
        columns = ("time", "open", "high", "low", "close", "volume")
        holed = {n: getattr(whole, n)[:20] + getattr(whole, n)[30:] for n in columns}
        await rig.put(replace(whole, **holed), mode=MODE, bars="SPY-756733-30mins")
        watched = watch(rig)
        run = await rig.command("market_data", "m2")
        assert asked(watched) == [("SPY", "30 mins", "6 D")]
        assert "all read, for the kept ones had 10 bars missing" in run.findings[0]
        assert await kept(rig) == whole
        assert rig.told("alert") == []


async def test_a_price_that_cannot_be_is_reported() -> None:
    async with rigged(None, STRATEGIES, thanksgiving(), start=MONDAY_NOON) as rig:
        await rig.start()
        await rig.command("market_data", "m1")
        whole = await kept(rig)
        low = (-1.0, *whole.low[1:])
        await rig.put(replace(whole, low=low), mode=MODE, bars="SPY-756733-30mins")
        run = await rig.command("market_data", "m2")
        assert "the kept ones had 1 bars with a price that is not above 0" in run.findings[0]
        assert (await kept(rig)).low == whole.low


async def test_without_permission_for_market_data_a_person_is_told() -> None:
    options = ExchangeOptions(subscriptions={"SPY": "none"})
    async with rigged(options, STRATEGIES) as rig:
        await rig.start()
        run = await rig.command("market_data", "m1")
        assert (run.outcome, run.reason) == ("done", "1 of 2 series of bars are kept")
        assert "SPY 30 mins: IB has no bars for 5 D; look at its market data" in run.findings[0]


async def test_a_market_that_no_function_would_read_is_refused_and_stops_no_other(
    rig: Rig,
) -> None:
    """A strategy that never seems to answer is no sentence; nor may it end the gateway."""
    note = "x" * codec.MESSAGE_BYTES_MAX
    await rig.put(replace(STRATEGIES["alpha"], parameters={"note": note[1_000:]}), strategy="alpha")
    await rig.publish("commands", {"command": "run", "run_id": "r1"})
    await rig.reached("r1", "ASKED")
    run = await rig.run("r1")
    assert run is not None
    assert run.asked == ("beta",)
    (refused,) = run.refusals
    assert (refused.strategies, refused.bound) == (("alpha",), str(codec.MESSAGE_BYTES_MAX))
    assert "at most 1000000 are read; give it fewer contracts" in refused.sentence


async def test_a_run_after_it_has_nothing_left_to_ask() -> None:
    """A schedule may read the bars before the open, and runs cost IB nothing."""
    async with rigged(None, STRATEGIES, thanksgiving(), start=MONDAY_NOON) as rig:
        await rig.start()
        await rig.command("market_data", "m1")
        watched = watch(rig)
        await rig.publish("commands", {"command": "run", "run_id": "r1"})
        await rig.reached("r1", "ASKED")
        assert asked(watched) == []
        assert HALF_HOURS.duration == (await kept(rig)).duration

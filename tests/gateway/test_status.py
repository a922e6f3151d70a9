"""The screen over the documents of a real gateway."""

import json
from decimal import Decimal

import pytest

from gateway import status
from gateway.core.screen import as_document, holdings, screen
from gateway.core.tables import COLUMNS_MAX
from gateway.simulator.broker import ExchangeOptions, InitialHolding
from infra.local.rig import MODE, Rig, rigged
from schemas.documents import LatchesDocument, Lock
from schemas.settings import ControlDocument
from schemas.values import TradingState


async def shown(rig: Rig) -> str:
    return screen(await status.standing(rig.store, MODE, rig.simulator.clock))


async def traded(rig: Rig) -> None:
    """Two books of SPY, and 7 that somebody bought at the broker."""
    await rig.say("alpha", SPY=10)
    await rig.say("beta", SPY=-4)
    await rig.settled_before_coalescing()
    await rig.command("allocate", "a1")
    await rig.traded()
    await rig.simulator.trade_by_hand("SPY", Decimal(7))

    async def is_booked() -> bool:
        return bool(await rig.book("EXTERNAL"))

    await rig.until("EXTERNAL has what was bought by hand", is_booked)


async def test_the_screen_has_books_external_law_runs_and_the_lease(active: Rig) -> None:
    """[B1, B2, B3]"""
    await traded(active)
    await active.command("reconcile", "r1")
    told = await shown(active)
    lines = told.splitlines()
    assert lines[0] == "PAPER at Fri 2026-02-27 10:30 New York"
    assert lines[1:3] == ["trading is active, by test.", "no contract is locked."]
    assert lines[3].startswith("gateway-1 (epoch 1) renewed its lease ")
    snapshot = await active.store.get(f"positions/{MODE}") or {}
    worth = Decimal(snapshot["net_liquidation"])
    assert any(line.startswith(f"net liquidation {worth:,.2f} USD; cash ") for line in lines)
    books = [
        line.split()[:3] for line in lines if line.startswith(("  alpha  ", "  beta ", "  EX"))
    ]
    assert books[:3] == [["alpha", "SPY", "+10"], ["beta", "SPY", "-4"], ["EXTERNAL", "SPY", "+7"]]
    assert any("EXTERNAL: held, UNEXPLAINED 0, when read" in line for line in lines)
    assert "WORKING ORDERS: none" in lines
    runs = told[told.index("LAST RUNS") :].splitlines()
    assert [line.split()[0] for line in runs[2:4]] == ["r1", "a1"]


async def test_no_line_is_wider_than_a_terminal(active: Rig) -> None:
    await traded(active)
    halted = ControlDocument(TradingState.HALTED, "ann", "a doubt " * 40, active.now)
    await active.put(halted, mode=MODE)
    assert max(map(len, (await shown(active)).splitlines())) == COLUMNS_MAX


async def test_profit_is_measured_by_the_newest_bar_that_is_stored(active: Rig) -> None:
    await traded(active)
    await active.publish("commands", {"command": "run", "run_id": "r1", "strategies": ["alpha"]})
    await active.reached("r1", "ASKED")
    standing = await status.standing(active.store, MODE, active.simulator.clock)
    (alpha,) = [one for one in holdings(standing) if one.book == "alpha"]
    (close,) = standing.closes.values()
    assert alpha.last == close.value
    cost = standing.ledgers["alpha"].positions["756733"].cost
    assert alpha.unrealized == close.value * 10 - cost


async def test_what_was_sold_again_is_one_row_with_what_it_made(active: Rig) -> None:
    await traded(active)
    await active.advance(minutes=30)
    await active.say("beta", SPY=0)
    await active.settled_after_coalescing()
    standing = await status.standing(active.store, MODE, active.simulator.clock)
    (beta,) = [one for one in holdings(standing) if one.book == "beta"]
    assert (beta.symbol, beta.quantity) == ("", Decimal(0))
    assert beta.realized == standing.ledgers["beta"].positions["756733"].realized != 0
    assert "(sold again)" in screen(standing)


async def test_halt_and_locks_stand_at_the_top_with_their_mark(active: Rig) -> None:
    lock = Lock("SPY", "unexplained", "+50 SPY at the broker; say adopt", active.now)
    await active.put(LatchesDocument(locks={"756733": lock}), mode=MODE)
    await active.put(ControlDocument(TradingState.HALTED, "ann", "a doubt"), mode=MODE)
    lines = (await shown(active)).splitlines()
    assert lines[1] == "WARN: trading is halted, by ann: a doubt."
    assert lines[2].startswith("FAIL: SPY (756733) is locked, unexplained: +50 SPY at the broker")


async def test_an_account_that_nobody_has_read_is_told_so() -> None:
    async with rigged() as rig:
        told = await shown(rig)
    assert "LAW broker = sum(books) + EXTERNAL: never compared" in told
    assert "BOOKS: none" in told
    assert "FAIL: no gateway has ever held the lease." in told


async def test_what_is_unexplained_is_named_with_the_time_of_the_reading() -> None:
    """[B3, B4] The account held 50 SPY when the gateway first came to it."""
    holding = InitialHolding("SPY", Decimal(50), Decimal(600))
    async with rigged(ExchangeOptions(holdings=(holding,))) as rig:
        await rig.start()
        told = await shown(rig)
    assert "BROKEN, UNEXPLAINED +50 SPY, when read at Fri 2026-02-27 10:30 New York" in told


async def test_a_program_reads_the_same_as_exact_text(active: Rig) -> None:
    await traded(active)
    standing = await status.standing(active.store, MODE, active.simulator.clock)
    told = json.loads(json.dumps(as_document(standing), default=status._plain))
    assert told["mode"] == "paper"
    assert told["unexplained"] == {}
    assert [one["quantity"] for one in told["holdings"]] == ["10", "-4", "7"]
    assert told["runs"][0]["run_id"] == "a1"
    assert {one["check"] for one in told["attention"]} >= {"trading", "locks", "lease"}


def test_a_wrong_environment_ends_with_2_and_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MODE", raising=False)
    assert status.main([]) == 2
    assert "gateway.status: MODE must be set" in capsys.readouterr().err

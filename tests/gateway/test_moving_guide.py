"""`docs/how-to/moving-an-account.md`, played word for word on an account that holds something."""

import json
import re
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest_asyncio

from functions.registry import STRATEGIES
from gateway.simulator.broker import ExchangeOptions, InitialHolding
from infra.local.rig import BARS, MODE, SPY, VIXY, Rig, rigged
from schemas.documents import LatchesDocument, LedgerDocument, SnapshotDocument
from schemas.settings import StrategyDocument

PAGE = (Path(__file__).parents[2] / "docs/how-to/moving-an-account.md").read_text(encoding="utf-8")
MESSAGES = re.findall(r"gcloud pubsub topics publish commands-paper --message='(.*)'", PAGE)
COMMANDS: list[dict[str, Any]] = [json.loads(message) for message in MESSAGES]
(TOLD,) = re.findall(r"```text\n(.*?)\n```", PAGE, re.DOTALL)
OWNERS = {
    "spy_macd_vixy": StrategyDocument(True, Decimal("0.5"), universe=(SPY, VIXY), bars=BARS),
    "spy_pullback": StrategyDocument(True, Decimal("0.4"), universe=(SPY,), bars=BARS),
}
HELD = (
    InitialHolding("SPY", Decimal(150), Decimal(588)),
    InitialHolding("VIXY", Decimal(40), Decimal(52)),
)
MOVED = {
    "spy_macd_vixy": {"SPY": 100, "VIXY": 40},
    "spy_pullback": {"SPY": 30},
    "EXTERNAL": {"SPY": 20},
}


@pytest_asyncio.fixture
async def moving() -> AsyncIterator[Rig]:
    """The account of the page, and a gateway that has never seen it."""
    async with rigged(ExchangeOptions(holdings=HELD), OWNERS) as made:
        yield made


async def play(rig: Rig, position: int) -> str:
    """Publish one of the page's messages, and how its run ended."""
    command = COMMANDS[position]
    await rig.publish("commands", MESSAGES[position].encode())
    if command["command"] == "run":
        await rig.reached(command["run_id"], "ASKED")
        for name in OWNERS:
            await rig.say_dry(name, run_id=command["run_id"], **MOVED[name])
    run = await rig.ended(command["run_id"])
    assert run.outcome == "done", run.reason
    return run.reason


async def books(rig: Rig) -> dict[str, dict[str, Decimal]]:
    return {name: await rig.book(name) for name in (*OWNERS, "EXTERNAL")}


async def nothing_was_ordered(rig: Rig) -> None:
    assert await rig.orders() == {}
    assert rig.simulator.exchange.positions == {"SPY": 150, "VIXY": 40}


async def locked(rig: Rig) -> list[str]:
    found = await rig.document(LatchesDocument, mode=MODE)
    return sorted(lock.symbol for lock in found.locks.values()) if found else []


def test_the_page_plays_each_step_under_a_name_of_its_own() -> None:
    assert [command["command"] for command in COMMANDS] == [
        "adopt",
        "adopt",
        "transfer",
        "transfer",
        "reconcile",
        "run",
        "resume",
    ]
    assert len({command["run_id"] for command in COMMANDS}) == len(COMMANDS)
    assert OWNERS.keys() <= set(STRATEGIES)


async def test_the_first_start_locks_all_that_is_held_and_says_so_as_the_page_does(
    moving: Rig,
) -> None:
    """[B4]"""
    await moving.start()
    await moving.settled()
    assert [s for s in moving.told("alert") if "is locked" in s] == TOLD.splitlines()
    assert await locked(moving) == ["SPY", "VIXY"]
    for name in OWNERS:
        await moving.say(name, SPY=500)
    await moving.settled_after_coalescing()
    await nothing_was_ordered(moving)


async def test_the_page_s_messages_give_each_its_own_and_order_nothing(moving: Rig) -> None:
    """[B3, B4, A4] The law holds, nothing is locked, and the account is as it was."""
    await moving.start()
    said = [await play(moving, position) for position in range(len(COMMANDS))]
    assert await books(moving) == MOVED
    assert await locked(moving) == []
    assert said[-1] == "", "resume would say what is still locked"
    snapshot = await moving.document(SnapshotDocument, mode=MODE)
    assert snapshot is not None
    assert not any(snapshot.unexplained.values())
    rehearsed = await moving.run("move-6")
    assert rehearsed is not None
    assert {(w.strategy, w.symbol, int(w.book), int(w.change)) for w in rehearsed.wanted} == {
        (name, symbol, quantity, 0) for name in OWNERS for symbol, quantity in MOVED[name].items()
    }
    await nothing_was_ordered(moving)
    assert moving.dead_letters == []


async def test_each_book_has_the_cost_that_the_page_s_prices_say(moving: Rig) -> None:
    """[A4]"""
    await moving.start()
    for position in range(4):
        await play(moving, position)
    costs: dict[tuple[str, str], Decimal] = {}
    for name in OWNERS:
        ledger = await moving.document(LedgerDocument, mode=MODE, ledger=name)
        assert ledger is not None
        costs |= {(name, p.contract.symbol): p.cost for p in ledger.positions.values()}
    assert costs == {
        ("spy_macd_vixy", "VIXY"): 40 * Decimal("52.10"),
        ("spy_macd_vixy", "SPY"): 100 * Decimal("590.25"),
        ("spy_pullback", "SPY"): Decimal(30 * 581),
    }


async def test_the_page_s_messages_delivered_twice_move_everything_once(moving: Rig) -> None:
    """Behaviour 5: as the page promises for a `run_id` of one's own."""
    await moving.start()
    for position in range(4):
        await play(moving, position)
        await play(moving, position)
    assert await books(moving) == MOVED


async def test_nothing_is_ordered_until_resume_and_then_only_the_difference(moving: Rig) -> None:
    """[B4]"""
    await moving.start()
    for position in range(len(COMMANDS) - 1):
        await play(moving, position)
    await moving.say("spy_pullback", SPY=35)
    await moving.settled_after_coalescing()
    await nothing_was_ordered(moving)
    await play(moving, len(COMMANDS) - 1)
    await moving.command("allocate", "first")
    await moving.traded()
    (order,) = (await moving.orders()).values()
    assert (order.contract.symbol, order.quantity) == ("SPY", Decimal(5))
    assert await books(moving) == {**MOVED, "spy_pullback": {"SPY": 35}}

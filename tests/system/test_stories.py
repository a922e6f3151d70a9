"""The stories of `docs/stories.md`, told by gcloud and seen through Firestore's client."""

import json
import signal
from base64 import b64decode
from collections.abc import Iterator
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.story_world import (
    DAY_BEFORE,
    LAST_DAY,
    Scene,
    Setting,
    emulators,
    held,
    name_of_test,
    pages,
    told,
)

pytestmark = [pytest.mark.system, pytest.mark.emulators]

ASKED = ("spy_macd_vixy", "test_signal_generator")
SPY = "756733"


@pytest.fixture(scope="module")
def pair() -> Iterator[Any]:
    """One pair of emulators for all stories; each has a project of its own on it."""
    with emulators() as running:
        yield running


def has(state: str) -> Any:
    return lambda document: document["state"] == state


def total(document: Any) -> dict[str, int]:
    """What all ledgers of the collection of holdings hold together, the broker's list left out."""
    sums: dict[str, int] = {}
    for ledger, data in document.items():
        if ledger not in ("all_positions", "CASH"):
            for symbol, quantity in held(data).items():
                sums[symbol] = sums.get(symbol, 0) + quantity
    return {symbol: quantity for symbol, quantity in sums.items() if quantity}


async def test_a_normal_day(pair: Any, tmp_path: Path) -> None:
    async with told(pair, "test_a_normal_day", tmp_path, Setting(ASKED)) as scene:
        await scene.resumes()
        await scene.says('"morning"')
        run = await scene.sees_run("morning")
        assert sorted(run["asked"]) == sorted(run["answered"]) == sorted(ASKED)
        assert set(run["answered"].values()) <= {"targets", "hold"}
        assert run["orders"]
        assert run["refusals"] == []
        await are_filled(scene, run["orders"])
        executions = await scene.read("executions")
        assert {e["order_ref"] for e in executions.values()} == set(run["orders"]) == {*scene.sent}
        await scene.goes_on(time(16, 30))
        await scene.says('"close"')
        await scene.sees_run("close")
        await scene.says('"evening"')
        findings = "\n".join((await scene.sees_run("evening"))["findings"])
        await law_holds(scene)
        all_positions = await scene.read("positions/paper/holdings/all_positions")
        assert held(all_positions) == scene.at_broker
        for strategy in ASKED:
            book = await scene.read(f"positions/paper/holdings/{strategy}")
            assert held(book)
            assert f"{strategy}" in findings


async def are_filled(scene: Scene, order_refs: list[str]) -> None:
    """All these orders are filled, and what each cost is known."""

    def is_over(orders: Any) -> bool:
        mine = [orders[ref] for ref in order_refs]
        paid = all(e["commission"] is not None for o in mine for e in o["executions"].values())
        return paid and all((o["state"], o["outcome"]) == ("DONE", "filled") for o in mine)

    await scene.sees("positions/paper/openOrders", is_over)


async def law_holds(scene: Scene) -> None:
    """[B3] The ledgers' sum is what the broker has."""
    await scene.sees("positions/paper/holdings", lambda d: total(d) == scene.at_broker)
    assert (await scene.read("positions/paper"))["unexplained"] == {}, "something is nobody's"


async def test_a_manual_trade_at_tws(pair: Any, tmp_path: Path) -> None:
    async with told(pair, "test_a_manual_trade_at_tws", tmp_path) as scene:
        await scene.resumes()
        await scene.says("10")
        await scene.sees_book("manual", SPY=10)
        await scene.simulator.trade_by_hand("SPY", Decimal(7))
        await scene.sees_book("EXTERNAL", SPY=7)
        await scene.sees_book("manual", SPY=10)
        await scene.says("transfer")
        await scene.sees_run("handed")
        await scene.sees_book("manual", SPY=17)
        await scene.sees_book("EXTERNAL")
        await scene.says("20")
        await scene.sees_book("manual", SPY=20)
        await scene.sees_order(2, lambda d: d["state"] == "DONE" and d["quantity"] == "3")
        await law_holds(scene)
        assert len([ref for ref in scene.sent if ref]) == 2


async def test_a_strategy_that_fails(pair: Any, tmp_path: Path) -> None:
    failing = "test_signal_generator"
    async with told(pair, "test_a_strategy_that_fails", tmp_path, Setting(ASKED)) as scene:
        await scene.resumes()
        await scene.says('"first"')
        first = await scene.sees_run("first")
        await are_filled(scene, first["orders"])
        book = held(await scene.read(f"positions/paper/holdings/{failing}"))
        assert book
        await scene.sets(f"strategies/{failing}", parameters={"fast": "twelve"})
        await scene.goes_on(time(13, 31))
        await scene.says('"second"')
        second = await scene.sees_run("second")
        assert second["answered"][failing] == "error"
        assert second["answered"]["spy_macd_vixy"] in ("targets", "hold")
        assert failing not in {
            share["strategy"]
            for ref in second["orders"]
            for share in (await scene.read("positions/paper/openOrders"))[ref]["allocations"]
        }
        said = await scene.read(f"positions/paper/targets/{failing}")
        assert (said["last_status"], said["last_run_id"]) == ("error", "second")
        assert "fast" in said["last_reason"]
        await scene.hears(f"{failing}.*fast")
        assert held(await scene.read(f"positions/paper/holdings/{failing}")) == book
        await scene.sets(f"strategies/{failing}", parameters={"fast": 12})
        await scene.says('"third"')
        third = await scene.sees_run("third")
        assert third["answered"][failing] == "targets"
        await are_filled(scene, third["orders"])
        await law_holds(scene)


async def test_a_hung_ib(pair: Any, tmp_path: Path) -> None:
    async with told(pair, "test_a_hung_ib", tmp_path) as scene:
        await scene.resumes()
        await scene.says("10")
        await scene.sees_book("manual", SPY=10)
        scene.simulator.faults.half_open(client_id=1)
        await scene.says('"hung"')
        await scene.says("25")
        hung = await scene.sees_run("hung", "failed")
        assert hung["orders"] == []
        assert hung["reason"].startswith("no answer within 10 s to the question for ")
        await scene.hears("hung.*no answer")
        await scene.sees_book("manual", SPY=25)
        await scene.says('"back"')
        assert (await scene.sees_run("back"))["orders"] == []
        await law_holds(scene)
        assert scene.at_broker == {"SPY": 25}
        assert len(scene.sent) == 2


async def test_a_kill_and_recovery(pair: Any, tmp_path: Path) -> None:
    setting = Setting(("test_signal_generator",), is_answered=False)
    async with told(pair, "test_a_kill_and_recovery", tmp_path, setting) as scene:
        await scene.resumes()
        scene.simulator.faults.odd_parts(parts=3, seconds=60)
        await scene.says("30")
        await scene.half_fills()
        await scene.says('"open"')
        await scene.sees("runs/open", has("ASKED"))
        (first,) = scene.gateways
        first.process.send_signal(signal.SIGKILL)
        assert await first.ended() == -signal.SIGKILL
        assert 0 < scene.at_broker["SPY"] < 30
        scene.market_stands = False
        await scene.goes_on(time(10, 40))
        assert scene.at_broker == {"SPY": 30}
        await scene.start()
        await scene.sees_run("open", "interrupted")
        order = await scene.sees_order(1, has("DONE"))
        assert (order["outcome"], order["filled"]) == ("filled", "30")
        await scene.sees_book("manual", SPY=30)
        assert set(await scene.read("executions")) == {
            execution["exec_id"] for execution in order["executions"].values()
        }
        await scene.says('"again"')
        assert (await scene.sees_run("again"))["orders"] == []
        await law_holds(scene)
        assert scene.sent == [f"paper-{SPY}-1"]


async def test_halt_in_mid_run(pair: Any, tmp_path: Path) -> None:
    setting = Setting(("test_signal_generator",), is_answered=False)
    async with told(pair, "test_halt_in_mid_run", tmp_path, setting) as scene:
        await scene.resumes()
        scene.simulator.faults.odd_parts(parts=3, seconds=60)
        await scene.says("30")
        await scene.half_fills()
        await scene.says('"midday"')
        await scene.sees("runs/midday", has("ASKED"))
        await scene.says('"halt"')
        control = await scene.sees("control/paper", has("halted"))
        assert (control["by"], control["reason"]) == ("bob", "news")
        order = await scene.sees_order(1, has("DONE"))
        assert order["outcome"] == "cancelled"
        filled = int(Decimal(order["filled"]))
        await scene.sees_book("manual", SPY=filled)
        assert "1 working orders" in (await scene.sees_run("stop"))["reason"]
        scene.market_stands = False
        await scene.goes_on(time(10, 40))  # past the time that a run waits for answers
        midday = await scene.sees_run("midday")
        assert midday["orders"] == []
        assert [r["rule"] for r in midday["refusals"]] == ["trading_state"]
        assert "halted" in midday["refusals"][0]["sentence"]
        assert scene.sent == [f"paper-{SPY}-1"]
        scene.simulator.faults.clear()
        await scene.resumes()
        await scene.says('"on"')
        assert len((await scene.sees_run("on"))["orders"]) == 1
        await scene.sees_book("manual", SPY=30)
        await law_holds(scene)
        assert len(scene.sent) == 2


async def test_an_end_of_day_with_flat(pair: Any, tmp_path: Path) -> None:
    setting = Setting(day=DAY_BEFORE)
    async with told(pair, "test_an_end_of_day_with_flat", tmp_path, setting) as scene:
        await scene.sets("config/paper", enforce_flat_eod=True)
        await scene.resumes()
        await scene.says("10")
        await scene.sees_book("manual", SPY=10)
        await scene.goes_on(time(15, 55), DAY_BEFORE)
        await scene.says('"flat"')
        flat = await scene.sees_run("flat")
        assert flat["findings"]
        await scene.sees_book("manual")
        assert scene.at_broker == {}
        latches = await scene.read("latches/paper")
        assert latches["closed"]["manual"]["day"] == DAY_BEFORE.isoformat()
        status = await scene.read("status/paper")
        assert "manual" in status["pnl"]
        await scene.goes_on(time(9, 45), LAST_DAY)
        await scene.says('"tomorrow"')
        await scene.sees_run("tomorrow")
        await scene.sees("latches/paper", lambda d: d["closed"] == {})
        await scene.sees("orders", lambda d: set(d) == {f"paper-{SPY}-1", f"paper-{SPY}-2"})
        await scene.says("5")
        await scene.sees_book("manual", SPY=5)
        await law_holds(scene)


async def test_a_cash_sweep_in_three_currencies(pair: Any, tmp_path: Path) -> None:
    cash = {"EUR": Decimal("26500.5"), "GBP": Decimal(-12_999), "JPY": Decimal(4_000_000)}
    wanted = {"EUR.USD": -26_000, "GBP.USD": 12_000, "USD.JPY": 25_000}
    name = "test_a_cash_sweep_in_three_currencies"
    async with told(pair, name, tmp_path, Setting(cash=cash)) as scene:
        await scene.resumes()
        await scene.says('"look"')
        look = await scene.sees_run("look")
        assert len(look["planned"]) == 3
        assert scene.sent == []
        assert await scene.read("positions/paper/openOrders") == {}
        await scene.says('"sweep"')
        sweep = await scene.sees_run("sweep")
        assert len(sweep["orders"]) == 3
        await are_filled(scene, sweep["orders"])
        orders = await scene.read("positions/paper/openOrders")
        sent = {o["contract"]["local_symbol"]: int(o["quantity"]) for o in orders.values()}
        assert sent == wanted
        await scene.sees_book("CASH", EUR=-26_000, GBP=12_000, USD=25_000)
        await scene.says('"after"')
        await scene.sees_run("after")
        account = await scene.read("positions/paper")
        assert {c: int(Decimal(account["cash"][c])) for c in ("EUR", "GBP")} == {
            "EUR": 500,
            "GBP": -999,
        }
        assert account["unexplained"] == {}
        assert total(await scene.read("positions/paper/holdings")) == {}


async def test_a_wrong_message(pair: Any, tmp_path: Path) -> None:
    async with told(pair, "test_a_wrong_message", tmp_path) as scene:
        await scene.says("ten")
        await scene.says('"typo"')
        await scene.resumes()
        sentence = await scene.hears(r"targets\[0\].quantity")
        assert "must be a number, not the text 'ten'" in sentence
        typo = await scene.hears("refused: .*strategy")
        assert "strategies" in typo  # the nearest known field
        assert await scene.read("runs/typo") == {}
        letters = [one["message"] for one in json.loads(await scene.says("dead-letters"))]
        reasons = {b64decode(m["data"]).decode(): m["attributes"]["reason"] for m in letters}
        targets, command = sorted(reasons, reverse=True)
        assert json.loads(targets)["targets"][0]["quantity"] == "ten"
        assert reasons[targets] == "targets[0].quantity: must be a number, not the text 'ten'"
        assert json.loads(command)["run_id"] == "typo"
        assert reasons[command] in typo
        await scene.says("10")
        await scene.sees_book("manual", SPY=10)
        await law_holds(scene)


async def test_a_deploy_in_mid_day(pair: Any, tmp_path: Path) -> None:
    async with told(pair, "test_a_deploy_in_mid_day", tmp_path) as scene:
        await scene.resumes()
        scene.simulator.faults.odd_parts(parts=3, seconds=60)
        await scene.says("30")
        await scene.half_fills()
        await scene.says("40")
        targets = "positions/paper/targets/manual"
        await scene.sees(targets, lambda d: d["targets"][0]["quantity"] == "40")
        (old,) = scene.gateways
        old.process.send_signal(signal.SIGTERM)
        assert await old.ended() == 0
        assert (await scene.read("leases/paper"))["owner"] == ""
        await scene.start()
        scene.market_stands = False
        await scene.goes_on(time(10, 40))
        order = await scene.sees_order(1, has("DONE"))
        assert (order["outcome"], order["filled"]) == ("filled", "30")
        assert (await scene.read("control/paper"))["by"] == "bob"
        scene.simulator.faults.clear()
        await scene.says('"after"')
        await scene.sees_run("after")
        await scene.sees_book("manual", SPY=40)
        await law_holds(scene)
        assert scene.sent == [f"paper-{SPY}-1", f"paper-{SPY}-2"]


def test_every_story_of_the_page_is_told_by_a_test_of_its_name() -> None:
    tests = [name for name in globals() if name.startswith("test_")][:-1]
    assert tests == [name_of_test(page.heading) for page in pages()]
    assert len(tests) == 10

"""`gateway.doctor`, `status`, `replay_log` and `why` as processes, beside a real gateway.

Over Google's emulators and the simulator, as a person runs them on a bad day.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from google.cloud.pubsub_v1 import PublisherClient

from gateway.ports import Put
from infra.local.emulators import Emulators
from infra.local.rig import MODE
from schemas import codec
from schemas.documents import LeaseDocument
from schemas.settings import StrategyDocument
from tests.integration.gateway_process import LEASE, ROOT, World, opened
from tests.no_credentials import without_credentials

PATIENCE_SECONDS = 60.0
"""A process starts in a second; only a failing test waits this out."""
MANUAL = {"manual": StrategyDocument(True, Decimal("0.1"))}


@dataclass(frozen=True)
class Told:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    def line(self, check: str) -> str:
        """The doctor's line about a check."""
        (found,) = [one for one in self.out.splitlines() if one[6:20].strip() == check]
        return found


async def ran(environment: Mapping[str, str], module: str, *arguments: str) -> Told:
    """Run one of the commands to its end, with this environment and no other variable of ours."""
    bare = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        cwd=ROOT,
        env={**bare, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Told(process.returncode, out.decode(), err.decode())


async def doctor(world: World, *arguments: str, **changed: str) -> Told:
    return await ran({**world.environment, **changed}, "gateway.doctor", *arguments)


async def until_recovered(world: World) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await world.has_recovered():
            await asyncio.sleep(0.1)


async def until_done(world: World, run_id: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await world.store.get(f"runs/{run_id}") or {}).get("state") != "DONE":
            await asyncio.sleep(0.1)


@pytest.mark.emulators
async def test_a_person_looks_at_a_day_that_goes_wrong_step_by_step(
    emulators: Emulators, tmp_path: Path
) -> None:
    """[R3, B2] Each step leaves the world as the next finds it."""
    async with opened(emulators, "looking", tmp_path, MANUAL) as world:
        await nobody_has_started_it(world)
        gateway = await world.start("pod-1")
        await until_recovered(world)
        await all_is_well(world)
        await a_run_is_told(world)
        await a_person_has_halted_it(world)
        await a_document_is_wrong(world)
        await the_gateway_is_looked_for_in_the_wrong_place(world)
        await a_topic_is_gone(world)
        assert gateway.is_alive
        await gateway.kill()
        await the_heartbeat_is_stale(world)


async def nobody_has_started_it(world: World) -> None:
    told = await doctor(world)
    assert told.code == 1
    assert told.line("lease").startswith("FAIL  lease           no gateway has ever held")
    assert told.line("client ids").startswith("ok ")


async def all_is_well(world: World) -> None:
    told = await doctor(world)
    assert told.code == 0, told
    assert told.err == ""
    assert told.line("environment").endswith("it makes a paper gateway of project looking.")
    assert "pod-1 (epoch 1) renewed its lease" in told.line("lease")
    assert told.line("account").endswith("DU…01 is a paper account.")
    assert "live: SPY bid" in told.line("market data")
    assert told.line("topics").startswith("ok ")
    assert told.line("clock").startswith("ok ")
    assert told.line("ib clock").startswith("ok ")
    found = json.loads((await doctor(world, "--json", "--without-ib")).out)
    assert found["exit_code"] == 0
    states = {one["check"]: one["state"] for one in found["findings"]}
    assert states["ib api"] == "skip"
    assert states["trading"] == "ok"


async def a_run_is_told(world: World) -> None:
    body = b'{"command": "reconcile", "run_id": "look-1"}'
    await world.bus.publish(f"commands-{MODE}", body, {})
    await until_done(world, "look-1")
    screen = await ran(world.environment, "gateway.status")
    assert screen.code == 0, screen
    assert screen.out.startswith("PAPER of looking at ")
    assert "DUSIM0001" not in screen.out
    assert "  look-1  reconcile  " in screen.out
    assert "LAW broker = sum(books) + EXTERNAL: held, UNEXPLAINED 0, when read at" in screen.out
    as_json = json.loads((await ran(world.environment, "gateway.status", "--json")).out)
    assert as_json["project"] == "looking"
    assert as_json["runs"][0]["run_id"] == "look-1"
    for asked in ("last", "look-1", "lo"):
        walk = await ran(world.environment, "gateway.replay_log", asked)
        assert walk.code == 0, walk
        assert "look-1 begins: the command reconcile, by message " in walk.out
        assert walk.out.rstrip().endswith("look-1 ends: done; 0 orders, 0 crosses, 0 refusals.")
    missed = await ran(world.environment, "gateway.replay_log", "lok-2")
    assert missed.code == 1
    assert missed.err.rstrip().endswith("nearest: look-1")
    assert (await ran(world.environment, "gateway.why", "paper-1-1")).code == 1


async def a_person_has_halted_it(world: World) -> None:
    await put(world, f"control/{MODE}", {"state": "halted", "by": "ann", "reason": "a doubt"})
    told = await doctor(world)
    assert told.code == 0
    assert told.line("trading").startswith("WARN  trading         trading is halted, by ann: a dou")


async def a_document_is_wrong(world: World) -> None:
    await put(world, f"config/{MODE}", {"order_notional_max": "lots"})
    told = await doctor(world)
    assert told.code == 1
    assert "config/paper: order_notional_max" in told.line("configuration")
    await put(world, f"config/{MODE}", {})


async def the_gateway_is_looked_for_in_the_wrong_place(world: World) -> None:
    """A port where nothing listens; the other mode, whose accounts start otherwise."""
    down = await doctor(world, IB_PORT="9")
    assert down.code == 1
    assert "nothing can be reached at 127.0.0.1:9" in down.line("ib port")
    assert down.line("market data").startswith("skip")
    live = await doctor(world, MODE="live", LIVE_TRADING_ACCEPTED="U1234567")
    assert live.code == 1
    assert "account is DU…01, and live accounts start with U or F" in live.line("account")
    elsewhere = await doctor(world, "--without-ib", GOOGLE_CLOUD_PROJECT="nobodys")
    assert "topic commands-paper is missing" in elsewhere.line("topics")
    assert (await doctor(world, MODE="demo")).code == 2


async def a_topic_is_gone(world: World) -> None:
    """A subscription outlives its topic, and gets nothing any more."""
    path = f"projects/looking/topics/targets-{MODE}"
    await asyncio.to_thread(lambda: PublisherClient().delete_topic(topic=path))
    told = await doctor(world, "--without-ib")
    assert told.code == 1
    assert "topic targets-paper is missing" in told.line("topics")
    assert "subscription gateway-targets-paper is of a topic that was deleted" in (
        told.line("topics")
    )


async def the_heartbeat_is_stale(world: World) -> None:
    """It was killed; half a minute later its lease has run out, which is made quicker here."""
    past = datetime.now(UTC) - timedelta(minutes=5)
    lease = LeaseDocument("pod-1", 1, past, past + timedelta(seconds=30))
    await put(world, LEASE, codec.to_document(lease))
    told = await doctor(world)
    assert told.code == 1
    assert "pod-1 (epoch 1) renewed its lease 5 min ago and it ran out" in told.line("lease")
    assert "1, the commander's, is free" in told.line("client ids")


async def put(world: World, path: str, document: dict[str, Any]) -> None:
    await world.store.commit([Put(path, document)])


async def test_without_google_credentials_each_command_says_how_to_get_some(
    tmp_path: Path,
) -> None:
    environment = without_credentials(tmp_path)
    status = await ran(environment, "gateway.status")
    assert status.code == 1
    assert status.err.startswith("gateway.status: there are no Google credentials here; run `gcl")
    found = await ran(environment, "gateway.doctor", "--without-ib")
    assert found.code == 1
    assert "there are no Google credentials here" in found.line("google")

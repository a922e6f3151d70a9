"""`python -m gateway` as the platform runs it: a process, its exit code, and what it says."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.simulator.bars import read_folder
from gateway.simulator.clock import ClockFile, VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.server import ServerOptions, Simulator
from gateway.store import GoogleStore
from infra.local.demo import BUNDLED
from infra.local.emulators import Emulators, EmulatorsNotFound
from infra.local.provision import apply
from infra.topology import topology
from schemas.documents import LeaseDocument, path_of
from schemas.values import Mode

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0
STOP_SECONDS = 8.0
"""A platform kills ten seconds after SIGTERM."""


async def started(environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    """A gateway process with this environment and no other of ours."""
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        cwd=ROOT,
        env={**bare, "PYTHONUNBUFFERED": "1", **environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({}, "MODE must be set"),
        ({"MODE": "demo", "GOOGLE_CLOUD_PROJECT": "p"}, "MODE must be paper or live, not 'demo'"),
        (
            {"MODE": "paper", "GOOGLE_CLOUD_PROJECT": "p", "IB_PORT": "no"},
            "IB_PORT must be a number from 1 to 65535, not 'no'",
        ),
    ],
)
async def test_a_wrong_environment_ends_with_2_and_a_sentence(
    environment: dict[str, str], sentence: str
) -> None:
    process = await started(environment)
    _, said = await process.communicate()
    assert process.returncode == 2
    assert said.decode().splitlines() == [f"ERROR gateway {sentence}"]


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[dict[str, str]]:
    """The environment of a gateway over the emulators and a simulator."""
    emulators = Emulators("gateway-process")
    try:
        await emulators.__aenter__()
    except EmulatorsNotFound as error:
        pytest.skip(str(error))
    bars = read_folder(BUNDLED)
    session = bars.session(bars.whole_days()[-1])
    assert session is not None
    with ClockFile(tmp_path / "clock") as file:
        clock = VirtualClock(session.opens + timedelta(hours=1), file=file)
        options = ServerOptions(master_client_id=1)
        async with Simulator(Exchange(bars), clock, options) as simulator:
            await apply(topology(Mode.PAPER, {}), emulators.pubsub_host, emulators.project)
            yield {
                **emulators.env,
                "MODE": "paper",
                "OWNER": "process",
                "IB_PORT": str(simulator.port),
                "CLOCK_FILE": str(tmp_path / "clock"),
            }
    await emulators.__aexit__(None, None, None)


async def recovered(process: asyncio.subprocess.Process, store: GoogleStore) -> None:
    """Wait until the gateway has read the account."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await store.get("positions/paper") is None:
            assert process.returncode is None
            await asyncio.sleep(0.05)


@pytest.mark.emulators
async def test_sigterm_ends_a_gateway_with_0_and_its_lease_given_back(
    world: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in world.items():
        monkeypatch.setenv(name, value)
    store = GoogleStore(world["GOOGLE_CLOUD_PROJECT"])
    process = await started(world)
    try:
        await recovered(process, store)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS):
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    lease = await store.get(path_of(LeaseDocument, mode=Mode.PAPER))
    await store.close()
    assert process.returncode == 0, said.decode()
    assert said.decode().splitlines()[-1] == "INFO gateway gateway ends: it was told to stop"
    assert (lease or {})["owner"] == ""

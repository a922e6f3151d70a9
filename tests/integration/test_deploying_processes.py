"""`gateway.handover` and `gateway.smoke` as processes, as a deploy runs them.

Over Google's emulators, around the real gateway and its SIGTERM.
"""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from infra.local.emulators import Emulators
from schemas.settings import StrategyDocument
from tests.integration.gateway_process import ROOT, World, opened

PATIENCE_SECONDS = 150.0
"""Seconds; only a failing test waits them out."""
MANUAL = {"manual": StrategyDocument(True, Decimal("0.1"))}


@dataclass(frozen=True)
class Told:
    """What a process printed, and its exit code."""

    code: int
    out: str
    err: str


async def ran(world: World, module: str, *arguments: str) -> Told:
    """Run one of the two to its end, with what a deploy gives it and nothing else."""
    needed = ("MODE", "GOOGLE_CLOUD_PROJECT", "PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST")
    given = {**os.environ, **world.environment}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        cwd=ROOT,
        env={name: given[name] for name in (*needed, "PATH") if name in given},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Told(process.returncode, out.decode(), err.decode())


@pytest.mark.emulators
async def test_a_deploy_waits_for_the_old_gateway_and_tries_the_new_one(
    emulators: Emulators, tmp_path: Path
) -> None:
    """[R3] First start, a handover that must not come yet, SIGTERM, handover, the next start."""
    async with opened(emulators, "deploying", tmp_path, MANUAL) as world:
        free = await ran(world, "gateway.handover")
        assert (free.code, free.out) == (0, "no gateway has ever held leases/paper.\n")

        old = await world.start("old")
        tried = await ran(world, "gateway.smoke", "--run-id", "smoke-old", "--seconds", "120")
        assert tried.code == 0, tried
        assert tried.out.startswith("old, epoch 1, holds the lease\nruns/smoke-old is done; ")

        held = await ran(world, "gateway.handover", "--seconds", "1")
        assert held.code == 1
        assert held.err.startswith(
            "gateway.handover: leases/paper is held by old, epoch 1, who renews it; waited 1 s."
        )

        waiting = asyncio.create_task(ran(world, "gateway.handover"))
        old.process.send_signal(signal.SIGTERM)
        assert await old.ended() == 0
        assert await waiting == Told(0, "leases/paper was given back, epoch 1.\n", "")

        away = await ran(world, "gateway.smoke", "--seconds", "1")
        assert away.code == 1
        assert "no gateway took the lease" in away.err

        await world.start("new")
        tried = await ran(world, "gateway.smoke", "--run-id", "smoke-new", "--seconds", "120")
        assert tried.code == 0, (tried, world.said)
        assert tried.out.startswith("new, epoch 2, holds the lease\n")
        assert world.held() == {}

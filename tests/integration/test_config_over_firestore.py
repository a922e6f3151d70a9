"""`python -m infra.config` as a person starts it, over Google's Firestore emulator."""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.ports import Put
from gateway.store import GoogleStore
from infra.local.emulators import Emulators, EmulatorsNotFound

pytestmark = pytest.mark.emulators

ROOT = Path(__file__).parents[2]
PROJECT = "config-test"


async def said(environment: Mapping[str, str], *words: str) -> tuple[int, str]:
    """Exit code, and what it wrote."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "infra.config",
        *words,
        cwd=ROOT,
        env={**environment, "MODE": "paper", "GOOGLE_CLOUD_PROJECT": PROJECT},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode()


async def test_a_person_seeds_spoils_and_mends_the_documents(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    try:
        async with Emulators(PROJECT) as emulators:
            for name, value in emulators.env.items():
                monkeypatch.setenv(name, value)
            await play(emulators.env, tmp_path)
    except EmulatorsNotFound as error:
        pytest.skip(str(error))


async def play(environment: Mapping[str, str], folder: Path) -> None:
    """A person's first quarter of an hour."""
    code, text = await said(environment, "init")
    assert (code, "created     config/common" in text) == (0, True)
    code, text = await said(environment, "check")
    assert code == 0, text
    assert f"on the emulator at {environment['FIRESTORE_EMULATOR_HOST']}" in text

    file = folder / "paper.json"
    file.write_text(json.dumps({"rebalance_band": 0.02, "fresh_minutes": 30}))
    code, text = await said(environment, "diff", str(file), "config/paper")
    assert (code, "in force: rebalance_band 0.01 -> 0.02" in text) == (0, True)

    store = GoogleStore(PROJECT)
    await store.commit([Put("config/paper", {"rebalance_band": 0.02, "fresh_minuts": 30})])
    await store.close()
    code, text = await said(environment, "check")
    assert code == 1
    assert "config/paper: fresh_minuts: unknown field, did you mean fresh_minutes?" in text
    code, text = await said(environment, "diff")
    assert "rebalance_band = 0.02  from config/paper  (default 0.01)" in text

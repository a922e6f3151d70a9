"""A bench for the commander's parts: nothing on it is pretended but the broker's market."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.inquiry import SessionSettings
from infra.local.rig import Rig, rigged
from tests.no_credentials import without_credentials


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines of a fraction of a second, for who is not answered; what they lead to is the same.

    To be named before the bench.
    """
    settings = partial(SessionSettings, request_timeout_seconds=0.5, quote_timeout_seconds=0.5)
    monkeypatch.setattr("gateway.config.SessionSettings", settings)
    monkeypatch.setattr("gateway.commander.RECONNECT_SECONDS", 0.02)


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Rig]:
    """A bench with a gateway that has recovered, while trading is halted."""
    async with rigged() as made:
        await made.start()
        yield made


@pytest_asyncio.fixture
async def active(rig: Rig) -> Rig:
    """The same, allowed to trade."""
    await rig.resume()
    return rig


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without credentials and emulators."""
    for name in ("FIRESTORE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in without_credentials(tmp_path).items():
        monkeypatch.setenv(name, value)
    return monkeypatch

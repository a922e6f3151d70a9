"""A bench for the commander's parts: nothing on it is pretended but the broker's market."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from infra.local.rig import Rig, rigged


@pytest.fixture(autouse=True)
def hears_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded bus brings at once what waits: no gateway that is started needs to listen."""
    monkeypatch.setattr("gateway.commander.HEARING_SECONDS", 0.0)


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

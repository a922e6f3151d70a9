"""Real ib_async clients of the `simulator` that a module has as a fixture; Google's emulators."""

from collections.abc import AsyncIterator

import pytest
from ib_async import IB

from gateway.simulator.server import Simulator
from infra.local.emulators import Emulators, EmulatorsNotFound
from tests.integration.clients import TIMEOUT_SECONDS, Connect


@pytest.fixture
async def connect(simulator: Simulator) -> AsyncIterator[Connect]:
    """Connect a client by its id; all of them are disconnected at the end."""
    opened: list[IB] = []

    async def open_client(client_id: int) -> IB:
        ib = IB()
        ib.RaiseRequestErrors = True
        opened.append(ib)
        await ib.connectAsync(
            "127.0.0.1", simulator.port, client_id, TIMEOUT_SECONDS, raiseSyncErrors=True
        )
        return ib

    yield open_client
    for ib in opened:
        ib.disconnect()


@pytest.fixture
async def ib(connect: Connect) -> IB:
    """Client 1, connected."""
    return await connect(1)


@pytest.fixture
async def emulators(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Emulators]:
    """Both emulators, named in this process's environment too; skips where none is installed."""
    running = Emulators("integration")
    try:
        await running.__aenter__()
    except EmulatorsNotFound as error:
        pytest.skip(str(error))
    for name, value in running.env.items():
        monkeypatch.setenv(name, value)
    yield running
    await running.__aexit__(None, None, None)

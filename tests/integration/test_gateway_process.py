"""`python -m gateway` as the platform runs it: a process, its exit code, and what it says."""

import asyncio
import signal
import socket
from pathlib import Path

import pytest

from gateway.ports import Put
from infra.local.emulators import Emulators
from tests.integration.gateway_process import opened, started

PATIENCE_SECONDS = 60.0
STOP_SECONDS = 8.0
"""A platform kills ten seconds after SIGTERM."""


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
    gateway = await started(environment)
    assert await gateway.ended() == 2
    assert gateway.lines == [f"ERROR gateway {sentence}"]


@pytest.mark.emulators
@pytest.mark.parametrize("module", ["gateway", "gateway.keeper"])
async def test_sigterm_ends_a_gateway_with_0_and_its_lease_given_back(
    emulators: Emulators, tmp_path: Path, module: str
) -> None:
    """The keeper is what the worker pool runs."""
    project = f"process-{module.replace('.', '-')}"
    async with opened(emulators, project, tmp_path, {}) as world:
        port = world.environment["LIVEZ_PORT"] = str(_free_port())
        gateway = await world.start("process", module)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await world.has_recovered():
                assert gateway.is_alive, gateway.lines
                await asyncio.sleep(0.05)
        assert (await _livez(port)).startswith(b"HTTP/1.1 200 OK")
        gateway.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS):
            code = await gateway.ended()
        assert code == 0, gateway.lines
        assert gateway.lines[-1] == "INFO gateway gateway ends: it was told to stop"
        assert await world.holder() == ""


@pytest.mark.emulators
async def test_a_document_of_a_newer_version_ends_it_with_1_and_a_sentence(
    emulators: Emulators, tmp_path: Path
) -> None:
    """After a roll back: which document, which field, and what to do."""
    async with opened(emulators, "newer-document", tmp_path, {}) as world:
        await world.store.commit([Put("latches/paper", {"omens": 1})])
        gateway = await world.start("older")
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await gateway.ended() == 1
        assert gateway.lines[-1].startswith(
            "ERROR gateway gateway ends: latches/paper: omens: unknown field; if a newer version"
        )
        assert await world.holder() == ""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


async def _livez(port: str) -> bytes:
    """What the platform's probe is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /livez HTTP/1.1\r\n\r\n")
    said = await reader.read()
    writer.close()
    return said

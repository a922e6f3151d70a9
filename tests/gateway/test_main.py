"""The composition root: what it puts together, and what ends it."""

import logging
from pathlib import Path

import pytest

from gateway.__main__ import commander, main
from gateway.clock import WallClock
from gateway.config import Config
from infra.local.bus import EmbeddedBus
from infra.local.store import EmbeddedStore
from infra.topology import topology
from schemas.values import Mode

CONFIG = Config(Mode.PAPER, "my-project", "pod-7")


async def test_a_commander_is_put_together_for_its_mode_and_owner() -> None:
    bus, store = EmbeddedBus(":memory:", topology(Mode.PAPER, {})), EmbeddedStore(":memory:")
    chief = commander(CONFIG, bus, store, WallClock())
    assert chief.floor.mode is Mode.PAPER
    assert chief.floor.doors.lease.owner == "pod-7"
    assert not chief.floor.doors.session.connected
    assert not chief.is_idle
    await bus.close()
    await store.close()


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({}, "MODE must be set"),
        ({"MODE": "paper"}, "GOOGLE_CLOUD_PROJECT must be set"),
        (
            {"MODE": "paper", "GOOGLE_CLOUD_PROJECT": "p", "CLOCK_FILE": "nowhere"},
            "CLOCK_FILE is no simulator's clock: ",
        ),
    ],
)
def test_a_wrong_environment_is_exit_code_2_and_a_sentence(
    environment: dict[str, str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("MODE", "GOOGLE_CLOUD_PROJECT", "CLOCK_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with caplog.at_level(logging.ERROR):
        assert main() == 2
    assert sentence in caplog.text

"""A process from its environment to its exit code: the commander's, the guard's, and any other."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway import __main__ as gateway_program
from gateway import guard as guard_program
from gateway.clock import Clock
from gateway.config import Config
from gateway.ports import Bus, Store, Unavailable
from gateway.process import Program
from gateway.safety import Unsafe
from schemas.codec import Invalid

LOG = logging.getLogger("gateway.test")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """None of the gateway's variables, and emulators that nobody calls."""
    monkeypatch.chdir(tmp_path)
    for name in ("MODE", "GOOGLE_CLOUD_PROJECT", "CLOCK_FILE", "IB_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
    for name in ("PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST"):
        monkeypatch.setenv(name, "127.0.0.1:9")
    return monkeypatch


@pytest.mark.parametrize("program", [gateway_program.PROGRAM, guard_program.PROGRAM])
@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "MODE must be set"),
        ({"MODE": "paper"}, "GOOGLE_CLOUD_PROJECT must be set"),
        (
            {"MODE": "paper", "GOOGLE_CLOUD_PROJECT": "p", "CLOCK_FILE": "nowhere"},
            "CLOCK_FILE is no simulator's clock: ",
        ),
        (
            {"MODE": "paper", "GOOGLE_CLOUD_PROJECT": "p", "IB_CLIENT_ID": "2"},
            "IB_GUARD_CLIENT_ID must differ from IB_CLIENT_ID, both are 2",
        ),
    ],
)
def test_a_wrong_environment_is_exit_code_2_and_a_sentence(
    program: Program,
    variables: dict[str, str],
    sentence: str,
    environment: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)
    with caplog.at_level(logging.ERROR):
        assert program.main() == 2
    assert sentence in caplog.text


@dataclass
class Worker:
    """One that does a thing, then works until it is stopped."""

    act: Callable[[], object]
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        self.act()
        await asyncio.wait_for(self.stopping.wait(), 30)

    def stop(self) -> None:
        self.stopping.set()

    @property
    def standstill(self) -> str:
        return ""


def program(act: Callable[[], object]) -> Program:
    def make(config: Config, bus: Bus, store: Store, clock: Clock) -> Worker:
        return Worker(act)

    return Program("worker", LOG, make, (Unavailable,))


def fail(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("act", "code", "sentence"),
    [
        (lambda: fail(Unsafe("account U1 is live")), 2, "account U1 is live"),
        (lambda: fail(Unavailable("away")), 1, "worker ends: Unavailable: away"),
        (
            lambda: fail(Invalid("latches/paper: omens: unknown field")),
            1,
            "worker ends: latches/paper: omens: unknown field; if a newer version wrote that "
            "document, deploy the newer one again",
        ),
        (lambda: os.kill(os.getpid(), signal.SIGTERM), 0, "worker ends: it was told to stop"),
        (lambda: os.kill(os.getpid(), signal.SIGINT), 0, "worker ends: it was told to stop"),
    ],
)
def test_what_ends_it_is_a_sentence_and_an_exit_code(
    act: Callable[[], object],
    code: int,
    sentence: str,
    environment: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    environment.setenv("MODE", "paper")
    environment.setenv("GOOGLE_CLOUD_PROJECT", "p")
    with caplog.at_level(logging.INFO):
        assert program(act).main() == code
    assert sentence in caplog.text


def test_what_nobody_expected_shows_itself(environment: pytest.MonkeyPatch) -> None:
    """A defect is no exit code: its traceback must be seen."""
    environment.setenv("MODE", "paper")
    environment.setenv("GOOGLE_CLOUD_PROJECT", "p")
    with pytest.raises(ZeroDivisionError):
        program(lambda: fail(ZeroDivisionError())).main()

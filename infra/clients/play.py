"""Plays the script: a driver's process at one end, a new simulator for each case at the other."""

import asyncio
import json
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from gateway.simulator.server import Simulator
from infra.clients import market
from infra.clients.environments import Client
from infra.clients.script import (
    BY_NATURE,
    CONNECT,
    DISCONNECT,
    Case,
    Comparison,
    Step,
    left_out,
    steps_of,
)

PATIENCE_SECONDS: Final = 45.0
"""For one answer of a driver, which itself waits less; only a hanging one is cut off by it."""
ANSWER_BYTES_MAX: Final = 1024 * 1024


class DriverFailed(Exception):
    """A driver answered an error, nonsense or nothing; the sentence says which."""


class DriverGone(DriverFailed):
    """A driver ended, or hangs: another process has to go on."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a client did in a case: `wrong` sentences, none if it passed; or why it cannot at all.

    `without` says what the client lacks of a case that it played all the same.
    """

    client: str
    case: str
    wrong: tuple[str, ...] = ()
    by_nature: str = ""
    without: str = ""


class Driver:
    """A client's process."""

    def __init__(self, process: asyncio.subprocess.Process, errors: Path) -> None:
        self._process = process
        self._errors = errors

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    async def ask(self, verb: str, arguments: Any, patience: float = PATIENCE_SECONDS) -> Any:
        """One verb's answer. Raises `DriverFailed`, and `DriverGone` where no answer can come."""
        writer, reader = self._process.stdin, self._process.stdout
        assert writer is not None
        assert reader is not None
        try:
            line = json.dumps({"verb": verb, "arguments": dict(arguments)})
            writer.write(line.encode() + b"\n")
            async with asyncio.timeout(patience):
                await writer.drain()
                said = await reader.readline()
        except TimeoutError:
            raise DriverGone(f"no answer in {patience:g} s; {self._tail()}") from None
        except ConnectionError:
            said = b""
        if not said:
            raise DriverGone(f"the driver ended; {self._tail()}")
        return _answer(said)

    def _tail(self) -> str:
        lines = self._errors.read_text("utf-8", "replace").strip().splitlines()
        return "its last words: " + (" | ".join(lines[-12:]) or "none")


def _answer(said: bytes) -> Any:
    try:
        message = json.loads(said)
    except ValueError:
        message = None
    if not isinstance(message, dict) or not {"answer", "error"} & set(message):
        raise DriverGone(f"{said[:200]!r} is neither an answer nor an error")
    if "error" in message:
        raise DriverFailed(str(message["error"]))
    return message["answer"]


@asynccontextmanager
async def driving(client: Client, python: Path, port: int) -> AsyncIterator[Driver]:
    """A driver's process, ended afterwards."""
    with tempfile.NamedTemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            python, client.program, str(port),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, limit=ANSWER_BYTES_MAX,
        )  # fmt: skip
        try:
            yield Driver(process, Path(errors.name))
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def play(client: Client, python: Path, cases: Iterable[Case]) -> list[Outcome]:
    """The cases in their order, one process for all of them as long as it lives."""
    waiting = list(cases)
    outcomes: list[Outcome] = []
    port = await _free_port()
    while waiting:
        async with driving(client, python, port) as driver:
            await _play_on(client, driver, port, waiting, outcomes)
    return outcomes


async def _play_on(
    client: Client, driver: Driver, port: int, waiting: list[Case], outcomes: list[Outcome]
) -> None:
    """Play what waits until the process is gone."""
    while waiting:
        case = waiting.pop(0)
        reason = BY_NATURE.get((client.name, case.name), "")
        if reason:
            outcomes.append(Outcome(client.name, case.name, by_nature=reason))
            continue
        try:
            wrong = await _play_case(driver, port, steps_of(case, client.name))
        except DriverGone as error:
            outcomes.append(Outcome(client.name, case.name, (str(error),)))
            return
        without = left_out(case, client.name)
        outcomes.append(Outcome(client.name, case.name, tuple(wrong), without=without))


async def _play_case(driver: Driver, port: int, steps: tuple[Step, ...]) -> list[str]:
    """What was wrong. After the first step that went wrong the others would only confuse."""
    wrong: list[str] = []
    comparison = Comparison()
    async with market.simulator(port) as simulator:
        for step in (CONNECT, *steps):
            wrong = await _take(driver, simulator, step, comparison)
            if wrong:
                break
        wrong += await _take(driver, simulator, DISCONNECT, comparison)
    return wrong


async def _take(
    driver: Driver, simulator: Simulator, step: Step, comparison: Comparison
) -> list[str]:
    if step.verb == "advance":
        seconds = timedelta(seconds=step.arguments["seconds"])
        await simulator.advance_to(simulator.clock.now() + seconds)
        return []
    name = " ".join([step.verb, str(step.arguments.get("ref", ""))]).strip()
    try:
        answer = await driver.ask(step.verb, step.arguments)
    except DriverGone as error:
        raise DriverGone(f"{name}: {error}") from None
    except DriverFailed as error:
        return [f"{name}: {error}"]
    return [f"{name}: {sentence}" for sentence in comparison.differences(answer, step.expected)]


async def _free_port() -> int:
    """A port that every case's simulator will listen on."""
    async with market.simulator() as simulator:
        return simulator.port

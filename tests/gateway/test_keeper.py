"""An expected end starts the process anew and not its container; SIGTERM ends both, at once."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.keeper import Keeper, Pauses

PATIENCE_SECONDS = 30.0
STOP_SECONDS = 8.0
"""A platform kills ten seconds after SIGTERM."""

HASTE = Pauses(first_seconds=0.01, longest_seconds=0.05, misconfigured_seconds=0.02)
LONG = Pauses(first_seconds=600.0, longest_seconds=600.0, misconfigured_seconds=600.0)

LIVES = """
import pathlib, signal, sys, time
starts = pathlib.Path(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: (starts.with_name("told").touch(), sys.exit(0)))
starts.open("a").write("start\\n")
number = len(starts.read_text().splitlines())
codes = {codes}
if number <= len(codes):
    code = codes[number - 1]
    sys.exit(code) if code >= 0 else signal.raise_signal(-code)
time.sleep(60)
"""
"""A process that ends with the first code at its first start, and so on; then it lives."""


@pytest.fixture(autouse=True)
async def handlers() -> AsyncIterator[None]:
    """The loop is the test's own, but the process is pytest's."""
    yield
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().remove_signal_handler(number)


def command(folder: Path, *codes: int) -> list[str]:
    return [sys.executable, "-c", LIVES.format(codes=codes), str(folder / "starts")]


def starts(folder: Path) -> int:
    path = folder / "starts"
    return len(path.read_text("utf-8").splitlines()) if path.exists() else 0


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():
            await asyncio.sleep(0.01)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


async def livez(port: int) -> bytes:
    """What a probe is answered; empty while nobody listens."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return b""
    writer.write(b"GET /livez HTTP/1.1\r\n\r\n")
    said = await reader.read()
    writer.close()
    return said


@pytest.mark.parametrize(
    "codes", [(1,), (1, 1, 1), (2,), (-signal.SIGKILL,)], ids=["1", "1 again", "2", "killed"]
)
async def test_what_ends_is_started_again_in_the_same_container(
    tmp_path: Path, codes: tuple[int, ...]
) -> None:
    """Also one that the kernel killed for its memory, while this process goes on."""
    keeping = asyncio.create_task(Keeper(command(tmp_path, *codes), 0, HASTE).keep())
    await until(lambda: starts(tmp_path) == len(codes) + 1)
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(STOP_SECONDS):
        assert await keeping == 0
    assert (tmp_path / "told").exists(), (
        "SIGTERM must reach the process, which gives its lease back"
    )
    assert starts(tmp_path) == len(codes) + 1


async def test_what_ends_well_ends_its_keeper(tmp_path: Path) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await Keeper(command(tmp_path, 1, 0), 0, HASTE).keep() == 0
    assert starts(tmp_path) == 2


async def test_sigterm_in_a_pause_ends_it_at_once(tmp_path: Path) -> None:
    keeper = Keeper(command(tmp_path, 1), 0, LONG)
    keeping = asyncio.create_task(keeper.keep())
    await until(lambda: starts(tmp_path) == 1 and keeper._child is None)
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(STOP_SECONDS):
        assert await keeping == 0
    assert starts(tmp_path) == 1


async def test_a_probe_is_answered_in_a_pause_and_the_port_is_free_afterwards(
    tmp_path: Path,
) -> None:
    """Nobody there, the platform would end the instance, with the IB Gateway in it."""
    port = free_port()
    keeper = Keeper(command(tmp_path, 1), port, LONG)
    keeping = asyncio.create_task(keeper.keep())
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (said := await livez(port)):
            await asyncio.sleep(0.01)
    assert said.startswith(b"HTTP/1.1 200 OK")
    keeper.stop()
    assert await keeping == 0
    with socket.create_server(("127.0.0.1", port)):
        pass


async def test_somebody_elses_port_is_no_reason_to_end(tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        keeping = Keeper(command(tmp_path, 1, 0), taken.getsockname()[1], HASTE).keep()
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await keeping == 0


def test_pauses_double_up_to_the_longest() -> None:
    assert [Pauses().after(1, ends) for ends in (1, 2, 3, 4, 5, 50)] == [5, 10, 20, 40, 60, 60]


def test_what_no_waiting_mends_is_tried_rarely() -> None:
    assert Pauses().after(2, 1) == 120


@pytest.mark.parametrize("code", [1, 2, 137])
def test_a_loop_of_restarts_is_one_that_the_alert_hears(code: int) -> None:
    """More than six starts of the two in 15 minutes (monitoring.tf)."""
    pauses, ends, seconds = Pauses(), 0, 0.0
    while seconds < 15 * 60:
        ends += 1
        seconds += pauses.after(code, ends)
    assert ends > 6


async def test_who_worked_for_long_begins_with_the_first_pause(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The third end in a row would wait four times as long."""
    pauses = Pauses(first_seconds=0.01, longest_seconds=10.0, well_seconds=0.0)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await Keeper(command(tmp_path, 1, 1, 1, 0), 0, pauses).keep()
    assert [record.getMessage() for record in caplog.records] == [
        "it ended with 1 and is started again in 0.01 s"
    ] * 3


async def test_the_gateway_itself_is_kept_and_ends_when_told() -> None:
    """As in the pool; nothing is set, so it ends with 2 and is waited with."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.keeper", "gateway"),
        env={"PATH": os.environ["PATH"], "LIVEZ_PORT": "no number"},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        said = [await process.stderr.readline() for _ in range(2)]
    assert said[0].startswith(b"ERROR gateway MODE must be set")
    assert said[1] == b"WARNING keeper it ended with 2 and is started again in 120 s\n"
    process.terminate()
    before = time.monotonic()
    async with asyncio.timeout(STOP_SECONDS):
        assert await process.wait() == 0
    assert time.monotonic() - before < STOP_SECONDS

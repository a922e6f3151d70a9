"""Is the process still getting anywhere: asked over real sockets, of workers that live and hang."""

import asyncio
import errno
import logging
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from gateway import __main__ as gateway_program
from gateway import guard as guard_program
from gateway.archive import Archive
from gateway.commander import Commander
from gateway.config import Config
from gateway.core.guarding import GuardTimes
from gateway.guard import guard
from gateway.lease import Lease
from gateway.livez import CONNECTIONS_MAX, REQUEST_BYTES_MAX, Livez, Pulse, standstill
from gateway.ports import Document
from gateway.process import Program
from infra.local.rig import MODE, Rig, rigged
from infra.local.store import EmbeddedStore

PATIENCE_SECONDS = 30.0
HASTE_SECONDS = 0.4
ASKED = b"GET /livez HTTP/1.1\r\nHost: here\r\nUser-Agent: a probe\r\n\r\n"
ALIVE = "HTTP/1.1 200 OK", "alive"


async def answered(port: int, request: bytes = ASKED) -> tuple[str, str]:
    """The status line and the text; both empty where the connection was closed without any."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request)
            said = (await reader.read()).decode()
        except ConnectionResetError:
            said = ""
        finally:
            writer.transport.abort()
    head, _, text = said.partition("\r\n\r\n")
    return head.partition("\r\n")[0], text.strip()


@asynccontextmanager
async def asked(said: str = "") -> AsyncIterator[int]:
    async with Livez(lambda: said, 0, "127.0.0.1") as server:
        yield server.port


def overdue(pulse: Pulse) -> None:
    """Let as much time have passed as nothing alive lets pass."""
    pulse.beat_at = time.monotonic() - pulse.patience_seconds - 1


# ---------------------------------------------------------------------- the server


async def test_who_lives_is_told_so() -> None:
    async with asked() as port:
        assert await answered(port) == ALIVE
        assert await answered(port, b"GET /livez?verbose HTTP/1.0\r\n\r\n") == ALIVE


async def test_what_stands_still_is_a_503_and_the_sentence() -> None:
    async with asked("the loop stands still") as port:
        said = await answered(port)
        assert said == ("HTTP/1.1 503 Service Unavailable", "the loop stands still")


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST /livez HTTP/1.1\r\n\r\n",
        b"GET /livezz HTTP/1.1\r\n\r\n",
        b"\r\n\r\n",
        b"\xff\x00\r\n\r\n",
    ],
)
async def test_there_is_one_path_and_one_verb(request_: bytes) -> None:
    async with asked() as port:
        said = await answered(port, request_)
        assert said == ("HTTP/1.1 404 Not Found", "there is only GET /livez")


async def test_a_request_without_an_end_is_not_read_without_an_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.livez.REQUEST_SECONDS", 0.05)
    async with asked() as port:
        assert await answered(port, b"GET /livez HTTP/1.1\r\n") == ("", "")
        long = b"GET /livez HTTP/1.1\r\n" + b"x" * (REQUEST_BYTES_MAX * 4)
        assert (await answered(port, long))[0] in ("", "HTTP/1.1 404 Not Found")
        assert await answered(port) == ALIVE


async def test_many_who_say_nothing_leave_no_room_only_until_their_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.livez.REQUEST_SECONDS", 0.3)
    async with asked() as port:
        silent = [
            await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS_MAX * 2)
        ]
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await answered(port) != ALIVE:
                await asyncio.sleep(0.02)
        for _, writer in silent:
            writer.transport.abort()


async def test_who_waits_for_an_answer_holds_up_no_end() -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        async with asked() as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(0)
        writer.transport.abort()


# ---------------------------------------------------------------------- what lives


def test_a_pulse_that_rests_is_alive_however_long() -> None:
    pulse = Pulse("the loop", 300.0)
    overdue(pulse)
    assert pulse.standstill == ""
    pulse.beat()
    assert pulse.standstill == ""
    overdue(pulse)
    assert pulse.standstill == "the loop stands still for 301 s, more than 300 s"
    pulse.rest()
    assert pulse.standstill == ""


def test_all_that_stands_still_is_told_at_once() -> None:
    loop, lease = Pulse("the loop", 300.0), Pulse("the lease", 60.0)
    for pulse in (loop, lease):
        pulse.beat()
        overdue(pulse)
    assert standstill([loop, lease]) == f"{loop.standstill}; {lease.standstill}"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience of a fraction of a second; what it leads to is the same.

    To be named before the bench.
    """
    for name in ("commander.LOOP", "commander.LINE", "guard.", "lease."):
        monkeypatch.setattr(f"gateway.{name}_STANDSTILL_SECONDS".replace("._", "."), HASTE_SECONDS)


def brisk(chief: Commander) -> Commander:
    """Renewing its lease more often than anybody loses patience; for one not yet running."""
    lease = chief.floor.doors.lease
    lease.times = replace(lease.times, renew_seconds=HASTE_SECONDS / 10)
    return chief


async def lives_on(chief: Commander) -> None:
    """For longer than it could stand still."""
    for _ in range(6):
        await asyncio.sleep(HASTE_SECONDS / 4)
        assert chief.standstill == ""


async def test_a_gateway_without_anything_to_do_is_alive(hasty: None) -> None:
    async with rigged() as rig:
        chief = brisk(rig.start_soon())
        await rig.until("the gateway has recovered", lambda: chief.is_idle)
        await lives_on(chief)


async def test_a_gateway_that_waits_for_the_lease_is_alive(hasty: None) -> None:
    """[R3] It may wait as long as another lives."""
    async with rigged() as rig:
        other = Lease(Archive(rig.store, MODE), "other")
        await other.acquire()
        chief = brisk(rig.start_soon())
        await lives_on(chief)
        assert not chief.floor.doors.lease.is_held()


@pytest.mark.ib_async_errors_expected("nobody listens at the broker's port")
async def test_a_gateway_that_waits_for_a_login_is_alive_and_goes_on_when_it_came(
    hasty: None, impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    """A second factor may take a person hours; who is started anew meanwhile is asked again."""
    async with rigged() as rig:
        fault = rig.simulator.faults.half_dead_gateway(times=0, welcome="reset")
        chief = brisk(rig.start_soon())
        await rig.until("it says so", lambda: "waits for the broker: " in caplog.text)
        await lives_on(chief)
        assert chief.floor.doors.lease.is_held()
        assert caplog.text.count("waits for the broker: ") == 1, "the same is said once"
        rig.simulator.faults.clear(fault)
        await rig.until("the gateway has recovered", lambda: chief.is_idle)


@pytest.mark.ib_async_errors_expected("the broker is away")
async def test_a_gateway_whose_broker_is_away_is_alive(hasty: None, impatient: None) -> None:
    """Its daily restart takes minutes; killing the pair would ask live for a second factor [R1]."""
    async with rigged() as rig:
        chief = brisk(rig.start_soon())
        await rig.until("the gateway has recovered", lambda: chief.is_idle)
        session = chief.floor.doors.session
        rig.simulator.faults.gateway_down(seconds=3600)
        await rig.until("the line is lost", lambda: not session.connected)
        await lives_on(chief)


async def test_a_gateway_whose_write_never_ends_is_told_of_though_it_renews_its_lease(
    hasty: None,
) -> None:
    """What is held is a Firestore that neither answers nor fails: nothing else would tell."""
    async with rigged() as rig:
        chief = brisk(rig.start_soon())
        await rig.until("the gateway has recovered", lambda: chief.is_idle)
        await rig.hold(before="runs/")
        await rig.publish("commands", {"command": "reconcile", "run_id": "r"})
        await rig.until_held()
        async with Livez(lambda: chief.standstill, 0, "127.0.0.1") as server:
            await rig.until("it stands still", lambda: bool(chief.standstill))
            status, text = await answered(server.port)
            assert status == "HTTP/1.1 503 Service Unavailable"
            assert text.startswith("the loop stands still for ")
            assert "lease" not in text
            rig.wire.release()
            await rig.reached("r", "DONE")
            await rig.until("it lives again", lambda: not chief.standstill)


async def test_a_gateway_whose_lease_gets_no_answer_is_told_of(hasty: None) -> None:
    async with rigged() as rig:
        chief = brisk(rig.start_soon())
        await rig.until("the gateway has recovered", lambda: chief.is_idle)
        await rig.hold(before="leases/")
        await rig.until("it stands still", lambda: "the lease stands" in chief.standstill)
        rig.wire.release()
        await rig.until("it lives again", lambda: not chief.standstill)


class Mute(EmbeddedStore):
    """A store that never answers, nor fails."""

    async def get(self, path: str) -> Document | None:
        await asyncio.Event().wait()
        return await super().get(path)


async def test_a_guard_that_makes_no_rounds_is_told_of(hasty: None, rig: Rig) -> None:
    """[R4] One that waits only as long as it may makes them, whatever the world does."""
    config = Config(MODE, "bench", "guard", ib_port=rig.simulator.port, ib_guard_client_id=2)
    brief = GuardTimes(poll_seconds=0.01, io_seconds=0.05)
    mute = Mute(":memory:")
    for times, words in ((brief, ""), (replace(brief, io_seconds=3600.0), "the guard's round")):
        watcher = guard(config, rig.bus, mute, rig.simulator.clock, times)
        task = asyncio.create_task(watcher.run())
        await asyncio.sleep(HASTE_SECONDS * 2)
        assert watcher.standstill.startswith(words)
        assert bool(watcher.standstill) is bool(words)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await mute.close()


# ---------------------------------------------------------------------- the process


@pytest.mark.parametrize("program", [gateway_program.PROGRAM, guard_program.PROGRAM])
def test_a_port_that_is_taken_is_exit_code_2_and_a_sentence(
    program: Program, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        said = {"MODE": "paper", "GOOGLE_CLOUD_PROJECT": "p", "LIVEZ_PORT": str(port)}
        for name in ("PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST"):
            said[name] = "127.0.0.1:9"
        for name, value in said.items():
            monkeypatch.setenv(name, value)
        with caplog.at_level(logging.ERROR):
            assert program.main() == 2
    reason = os.strerror(errno.EADDRINUSE)
    assert f"LIVEZ_PORT is {port}, where we cannot listen ({reason}): free it" in caplog.text

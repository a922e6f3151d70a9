"""Google's own Pub/Sub and Firestore emulators: found, started, given a topology, stopped.

They come with the Google Cloud SDK and need Java. Neither a login nor configuration is needed.
Started without gcloud, which would leave the Java process behind when it is stopped.
"""

import asyncio
import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from infra.local.processes import dying_with_us

READY_DEADLINE_SECONDS = 30.0  # 1 to 2 s as a rule; a loaded machine with cold disks needs more
STOP_DEADLINE_SECONDS = 5.0  # 0.4 s as a rule, then it is killed
PORT_ATTEMPTS_MAX = 3  # a free port can be taken by others before the emulator binds it
POLL_SECONDS = 0.05

_ROOT_VARIABLES = ("CLOUDSDK_ROOT", "CLOUDSDK_ROOT_DIR")
# Where installers put the SDK, when neither the environment nor the path tells.
_USUAL_ROOTS = (
    "/usr/lib/google-cloud-sdk",
    "/usr/share/google-cloud-sdk",
    "/opt/google-cloud-sdk",
    "/snap/google-cloud-sdk/current",
    "/opt/homebrew/share/google-cloud-sdk",
    "/usr/local/share/google-cloud-sdk",
    "~/google-cloud-sdk",
)


class EmulatorsNotFound(Exception):
    """Something is missing on this machine; the message says what, and how to install it."""


class EmulatorsFailed(Exception):
    """An emulator did not become ready; the message holds the end of what it printed."""


@dataclass(frozen=True, slots=True)
class Installation:
    """Where Java and the two programs are."""

    java: Path
    pubsub_jar: Path
    firestore_jar: Path


@dataclass(frozen=True, slots=True)
class _Program:
    """How to start one emulator, and the line that it prints once it has bound its port.

    The line matters: with a taken port the Pub/Sub emulator hangs instead of ending, and whoever
    has the port may well answer `Ok` in its place.
    """

    name: str
    command: tuple[str, ...]
    ready_line: str


def find(environment: Mapping[str, str]) -> Installation:
    """Look for the emulators. Raises `EmulatorsNotFound`. Runs nothing."""
    roots = _sdk_roots(environment)
    return Installation(
        java=_java(environment),
        pubsub_jar=_jar(
            roots, "pubsub-emulator", "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar"
        ),
        firestore_jar=_jar(
            roots,
            "cloud-firestore-emulator",
            "platform/cloud-firestore-emulator/cloud-firestore-emulator*.jar",
        ),
    )


class Emulators:
    """Both emulators, as an async context manager; hosts are `host:port` on loopback.

    An emulator that `PUBSUB_EMULATOR_HOST` or `FIRESTORE_EMULATOR_HOST` already names is used as it
    is, and not stopped. Entering raises `EmulatorsNotFound` and `EmulatorsFailed`.
    """

    def __init__(self, project: str, environment: Mapping[str, str] | None = None) -> None:
        self.project = project
        self._environment = dict(os.environ if environment is None else environment)
        self.pubsub_host = self._environment.get("PUBSUB_EMULATOR_HOST", "")
        self.firestore_host = self._environment.get("FIRESTORE_EMULATOR_HOST", "")
        self._processes: list[_Process] = []

    @property
    def env(self) -> dict[str, str]:
        """What Google's clients need in the environment to come here."""
        return {
            "PUBSUB_EMULATOR_HOST": self.pubsub_host,
            "FIRESTORE_EMULATOR_HOST": self.firestore_host,
            "GOOGLE_CLOUD_PROJECT": self.project,
        }

    async def __aenter__(self) -> Self:
        for attempt in range(1, PORT_ATTEMPTS_MAX + 1):
            try:
                await self._start()
                return self
            except EmulatorsFailed:
                await self._stop()
                if attempt == PORT_ATTEMPTS_MAX:
                    raise
            except BaseException:
                await self._stop()
                raise
        raise AssertionError("the last attempt returns or raises")

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stop()

    async def _start(self) -> None:
        pubsub_host = self._environment.get("PUBSUB_EMULATOR_HOST")
        firestore_host = self._environment.get("FIRESTORE_EMULATOR_HOST")
        self.pubsub_host = pubsub_host or self._launch(_pubsub(find(self._environment)))
        self.firestore_host = firestore_host or self._launch(_firestore(find(self._environment)))
        for process in self._processes:
            await process.ready()

    def _launch(self, program: _Program) -> str:
        process = _Process(program)
        self._processes.append(process)
        return process.host

    async def _stop(self) -> None:
        processes, self._processes = self._processes, []
        for process in processes:
            process.terminate()
        for process in processes:
            await process.ended()


class _Process:
    """One running emulator on a port of its own; dies with us, whatever way we go."""

    def __init__(self, program: _Program) -> None:
        port = _free_port()
        self.host = f"127.0.0.1:{port}"
        self._program = program
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (ended() closes it)
        self._child = subprocess.Popen(
            [*dying_with_us(), *program.command, "--host=127.0.0.1", f"--port={port}"],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            # Ctrl-C in a terminal goes to the whole group; we stop the children in our order.
            start_new_session=True,
        )
        atexit.register(self._child.kill)

    async def ready(self) -> None:
        """Wait until it serves. Raises `EmulatorsFailed`."""
        deadline = time.monotonic() + READY_DEADLINE_SECONDS
        while not (self._program.ready_line in self._printed() and await _answers(self.host)):
            if self._child.poll() is not None:
                raise self._failed(f"ended with code {self._child.returncode}")
            if time.monotonic() > deadline:
                raise self._failed(f"was not ready within {READY_DEADLINE_SECONDS:g} s")
            await asyncio.sleep(POLL_SECONDS)

    def terminate(self) -> None:
        """Ask it to end."""
        self._child.terminate()

    async def ended(self) -> None:
        """Wait for its end, and kill it when it takes too long."""
        deadline = time.monotonic() + STOP_DEADLINE_SECONDS
        while self._child.poll() is None:
            if time.monotonic() > deadline:
                self._child.kill()
                self._child.wait()
            await asyncio.sleep(POLL_SECONDS)
        atexit.unregister(self._child.kill)
        self._log.close()

    def _printed(self) -> str:
        # pread leaves alone the position that the child writes at.
        return os.pread(self._log.fileno(), 1_000_000, 0).decode(errors="replace")

    def _failed(self, what: str) -> EmulatorsFailed:
        return EmulatorsFailed(f"{self._program.name} {what}: {self._printed()[-2000:].strip()}")


def _pubsub(installation: Installation) -> _Program:
    return _Program(
        "the Pub/Sub emulator",
        (str(installation.java), *_jvm_options(256), "-jar", str(installation.pubsub_jar)),
        "Server started, listening on",
    )


def _firestore(installation: Installation) -> _Program:
    return _Program(
        "the Firestore emulator",
        (
            str(installation.java),
            *_jvm_options(512),
            "-Duser.language=en",  # so that the ready line is what we look for
            "-cp",
            str(installation.firestore_jar),
            "com.google.cloud.datastore.emulator.firestore.CloudFirestore",
        ),
        "Dev App Server is now running",
    )


def _jvm_options(heap_megabytes: int) -> tuple[str, ...]:
    """Quick to start and small rather than fast in the long run."""
    return ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Xmx{heap_megabytes}m")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _answers(host: str) -> bool:
    """Whether `GET /` says `Ok`."""
    address, _, port = host.rpartition(":")
    try:
        async with asyncio.timeout(1.0):
            reader, writer = await asyncio.open_connection(address, int(port))
            writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read(1000)
            writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
    return b" 200 " in answer.partition(b"\r\n")[0]


def _sdk_roots(environment: Mapping[str, str]) -> list[Path]:
    """Folders that may hold the SDK, the most telling first."""
    roots = [Path(environment[name]) for name in _ROOT_VARIABLES if environment.get(name)]
    if gcloud := shutil.which("gcloud", path=environment.get("PATH", "")):
        roots.append(Path(gcloud).resolve().parent.parent)
    return [*roots, *(Path(root).expanduser() for root in _USUAL_ROOTS)]


def _jar(roots: list[Path], component: str, pattern: str) -> Path:
    """The newest jar of the first root that has one."""
    for root in roots:
        if jars := sorted(root.glob(pattern)):
            return jars[-1]
    raise EmulatorsNotFound(
        f"Google's {component} is not installed: run `gcloud components install {component}` or "
        f"install the package google-cloud-cli-{component.removeprefix('cloud-')}"
    )


def _java(environment: Mapping[str, str]) -> Path:
    home = environment.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else None
    java = java or shutil.which("java", path=environment.get("PATH", ""))
    if java is None:
        raise EmulatorsNotFound("Java is not on the PATH: install a JRE, 17 or newer")
    return Path(java)

"""Child processes of a local stack: started, watched, and never left behind."""

import asyncio
import re
import shutil
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOGS: Final = "CHILD_LOGS"
"""A variable that names a folder: there each child's whole log is kept, in a file by its name."""

LINE_BYTES_MAX: Final = 65_536
"""A longer line is taken apart, so that no child can fill its pipe and stand still."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a child, in seconds.

    A gateway has 10 s on Cloud Run too, from SIGTERM to its end (cloud.md 1.2).
    """

    start_seconds: float = 60.0
    stop_seconds: float = 10.0


class ChildFailed(Exception):
    """A child process ended, or did not get ready; the text holds the last lines it wrote."""


class Child:
    """One child process; on Linux it ends even when we are killed.

    Of what it writes, lines with ERROR are passed on to our stderr, the last 30 are kept.
    """

    def __init__(self, name: str, command: Sequence[str], patience: Patience | None = None) -> None:
        self.name = name
        self._command = tuple(command)
        self._patience = patience or Patience()
        self._lines: deque[str] = deque(maxlen=30)
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[str] | None = None
        self._log: Path | None = None

    @property
    def pid(self) -> int:
        """The process id. Raises `ChildFailed` before `start`."""
        if self._process is None:
            raise ChildFailed(f"{self.name} was not started")
        return self._process.pid

    async def start(self, environment: Mapping[str, str], ready: re.Pattern[str] | None) -> str:
        """Start it and wait for a line that matches `ready`; returns the pattern's first group.

        Raises `ChildFailed` when it ends first or takes too long. Whoever is cancelled while
        waiting calls `stop`.
        """
        folder = environment.get(LOGS, "")
        self._log = Path(folder) / f"{self.name.replace(' ', '-')}.log" if folder else None
        self._process = await asyncio.create_subprocess_exec(
            *dying_with_us(),
            *self._command,
            env=dict(environment),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is ours to pass on, once everything is told
        )
        self._ready = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read(ready))
        if ready is None:
            return ""
        try:
            return await asyncio.wait_for(asyncio.shield(self._ready), self._patience.start_seconds)
        except TimeoutError as error:
            await self.stop()
            raise self._failed("did not get ready") from error
        except ChildFailed:
            await self.stop()
            raise

    async def wait(self) -> None:
        """Return never: raises `ChildFailed` when the process ends."""
        assert self._process is not None  # nobody waits for what was not started
        code = await self._process.wait()
        if self._reader is not None:
            await self._reader
        raise self._failed(f"ended with {code}")

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL when it takes too long. One that is gone already is no error."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), self._patience.stop_seconds)
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._reader is not None:
            await self._reader

    async def _read(self, ready: re.Pattern[str] | None) -> None:
        assert self._process is not None  # read only what was started
        assert self._process.stdout is not None  # it was asked for a pipe
        async for line in _lines(self._process.stdout):
            self._lines.append(line)
            self._keep(line)
            if " ERROR " in f" {line}":
                print(f"{self.name}: {line}", file=sys.stderr)
            found = ready.search(line) if ready else None
            if found and self._ready is not None and not self._ready.done():
                self._ready.set_result(found.group(1))
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(self._failed("ended before it was ready"))
            self._ready.exception()  # read here too, for nobody may be waiting

    def _keep(self, line: str) -> None:
        if self._log is not None:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")

    def _failed(self, what: str) -> ChildFailed:
        return ChildFailed("\n  ".join([f"{self.name} {what}; its last lines:", *self._lines]))


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    rest = b""
    while chunk := await stream.read(LINE_BYTES_MAX):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace").rstrip()
        if len(rest) > LINE_BYTES_MAX:
            yield rest.decode(errors="replace")
            rest = b""
    if rest:
        yield rest.decode(errors="replace").rstrip()


def dying_with_us() -> tuple[str, ...]:
    """The beginning of a command whose process the kernel ends when we are killed; Linux only."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "TERM", "--") if setpriv else ()

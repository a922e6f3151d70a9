"""An image's process as a platform runs it: started, spoken to, told to stop."""

import asyncio
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from infra.images import Container

PATIENCE_SECONDS: Final = 60.0
"""Only a failing test waits it out."""
STOP_SECONDS: Final = 10.0
"""Platforms kill ten seconds after SIGTERM."""


@dataclass
class Process:
    """One process of an image; `process` is the `unshare` around it."""

    process: asyncio.subprocess.Process
    started_at: float = field(default_factory=time.monotonic)
    lines: list[str] = field(default_factory=list)
    reader: asyncio.Task[None] | None = None

    @property
    def said(self) -> str:
        """All that it said so far."""
        return "\n".join(self.lines)

    async def read(self) -> None:
        """Note what it says, to the end."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip())

    async def until(self, holds: Callable[[], object]) -> float:
        """Wait until something holds; the seconds since the start. Raises where it ended."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await asyncio.to_thread(holds):
                assert self.process.returncode is None, self.said
                await asyncio.sleep(0.02)
        return time.monotonic() - self.started_at

    async def stopped(self) -> tuple[int, float]:
        """Tell it to stop as a platform does; its exit code, and after how many seconds."""
        before = time.monotonic()
        os.kill(self.inner, signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS):
            code = await self.ended()
        return code, time.monotonic() - before

    async def ended(self) -> int:
        """Wait for its end; the exit code."""
        code = await self.process.wait()
        assert self.reader is not None
        await self.reader
        return code

    @property
    def inner(self) -> int:
        """The process that is number 1 inside, by its number here."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0])


@asynccontextmanager
async def running(
    container: Container,
    environment: Mapping[str, str],
    shared: Path,
    arguments: Sequence[str] | None = None,
    entry_point: Sequence[str] | None = None,
) -> AsyncIterator[Process]:
    """A process of an image; killed if it is still there in the end."""
    process = await asyncio.create_subprocess_exec(
        *container.command(environment, shared, arguments, entry_point),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    made = Process(process)
    made.reader = asyncio.create_task(made.read())
    try:
        yield made
    finally:
        if process.returncode is None:
            os.kill(made.inner, signal.SIGKILL)  # killed itself, `unshare` would leave it
        await made.ended()


async def output(container: Container, shared: Path, code: str) -> str:
    """What a program says that is run by the image's Python; it must end well."""
    async with running(container, {}, shared, ["-c", code], ["python"]) as process:
        ended = await process.ended()
        assert ended == 0, process.said
        return process.said


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def status(port: int, path: str = "/", data: bytes | None = None) -> int:
    """What HTTP answers there; 0 where nobody does."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            found: int = answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
    return found

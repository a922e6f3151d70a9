"""`python -m gateway.keeper gateway`: a process of ours, run anew in the container it ended in.

Cloud Run may restart every container of an instance when one of them ends: with the commander the
IB Gateway, too, which logs in anew, and in live asks a person for the second factor. So there the
container's process is this one, which ends only when told to (decision 14). A wrong environment is
tried again as well, rarely: ending with it would restart the IB Gateway over and over.
"""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Final

from gateway.livez import Livez

log = logging.getLogger("keeper")

MISCONFIGURED: Final = 2
"""What a process ends with that no waiting mends (`gateway.process`)."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """Real seconds between an end and the next start: doubled each time, up to the longest.

    Who worked for `well_seconds` begins with the first again. All are short enough that the alert
    on a restart loop rings (infra/terraform/modules/trading/monitoring.tf).
    """

    first_seconds: float = 5.0
    longest_seconds: float = 60.0
    misconfigured_seconds: float = 120.0
    well_seconds: float = 600.0

    def after(self, code: int, ends: int) -> float:
        """The pause after the given number of ends in a row, the last with `code`."""
        if code == MISCONFIGURED:
            return self.misconfigured_seconds
        return min(self.first_seconds * 2.0 ** (ends - 1), self.longest_seconds)


@dataclass(slots=True)
class Keeper:
    """Runs `command` until it ends well or SIGTERM comes, which it is handed on.

    While nothing runs `/livez` is answered here, with 200: waiting is right, and the probe would
    restart the whole instance. Port 0 is no server.
    """

    command: Sequence[str]
    livez_port: int = 0
    pauses: Pauses = field(default_factory=Pauses)
    _child: asyncio.subprocess.Process | None = None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def keep(self) -> int:
        """The exit code of the last run; 0 when told to stop in a pause."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        ends = 0
        while not self._stopping.is_set():
            started = time.monotonic()
            code = await self._run()
            if code == 0 or self._stopping.is_set():
                return code
            is_well = time.monotonic() - started >= self.pauses.well_seconds
            ends = 1 if is_well else ends + 1
            pause_seconds = self.pauses.after(code, ends)
            log.warning("it ended with %d and is started again in %g s", code, pause_seconds)
            await self._wait(pause_seconds)
        return 0

    def stop(self) -> None:
        """Hand SIGTERM on, and start nothing any more. Called on the loop's thread."""
        self._stopping.set()
        if self._child is not None:
            with suppress(ProcessLookupError):
                self._child.terminate()

    async def _run(self) -> int:
        """One run; the exit code as a shell tells it, 128 and the number for a signal."""
        self._child = await asyncio.create_subprocess_exec(*self.command)
        if self._stopping.is_set():  # told while it was being started
            self.stop()
        code = await self._child.wait()
        self._child = None
        return code if code >= 0 else 128 - code

    async def _wait(self, seconds: float) -> None:
        async with AsyncExitStack() as leaving:
            if self.livez_port:
                with suppress(OSError):  # somebody else answers there
                    await leaving.enter_async_context(Livez(lambda: "", self.livez_port))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)


def main(arguments: Sequence[str]) -> int:
    """Keep the module that the arguments begin with, and hand the others on to it."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    port = os.environ.get("LIVEZ_PORT", "")  # what is no number, the module itself refuses
    command = [sys.executable, "-m", *arguments]
    return asyncio.run(Keeper(command, int(port) if port.isdecimal() else 0).keep())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["gateway"]))

"""A process from its environment to its exit code, for `gateway.__main__` and `gateway.guard`.

Ends with 0 when asked to stop (SIGTERM, SIGINT), with 2 for a wrong environment or account, with 1
for what each expects of the world: the platform starts it again.
"""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.bus import GoogleBus
from gateway.clock import Clock
from gateway.config import Config, Misconfigured, clock_of, described, from_environment
from gateway.livez import Livez
from gateway.ports import Bus, Store
from gateway.safety import Unsafe
from gateway.store import GoogleStore
from schemas import codec


class Worker(Protocol):
    """What a process does until it is told to stop."""

    async def run(self) -> None:
        """Work until stopped; raise what prevents it."""

    def stop(self) -> None:
        """Ask `run` to return. Called on the loop's thread."""

    @property
    def standstill(self) -> str:
        """What of it stands still that should not, in one sentence; empty while it lives."""


UNREADABLE: Final = (
    "if a newer version wrote that document, deploy the newer one again, else mend the field in "
    "the Firestore console (docs/how-to/a-bad-day.md)"
)
"""What to do where a document of the gateway's own cannot be read."""


@dataclass(frozen=True, slots=True)
class Program:
    """One process: the name in its log lines, how its worker is made, what may end it.

    `expected` is logged in a line and ends the process with 1; anything else is a defect and shows
    its traceback.
    """

    name: str
    log: logging.Logger
    make: Callable[[Config, Bus, Store, Clock], Worker]
    expected: tuple[type[Exception], ...]

    def main(self) -> int:
        """Read the environment, work, and turn what ended it into one line and an exit code."""
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
        # It tells every position at INFO; what matters of it we say ourselves.
        logging.getLogger("ib_async").setLevel(logging.WARNING)
        try:
            config = from_environment(os.environ)
            self.log.info("%s starts: %s", self.name, described(config))
            asyncio.run(self.serve(config))
        except (Misconfigured, Unsafe) as error:
            self.log.error("%s", error)
            return 2
        except codec.Invalid as error:
            self.log.error("%s ends: %s; %s", self.name, error, UNREADABLE)
            return 1
        except self.expected as error:
            self.log.error("%s ends: %s: %s", self.name, type(error).__name__, error)
            return 1
        self.log.info("%s ends: it was told to stop", self.name)
        return 0

    async def serve(self, config: Config) -> None:
        """Work over Google's services until told to stop."""
        clock = clock_of(config)
        bus = GoogleBus(config.google_cloud_project)
        store = GoogleStore(config.google_cloud_project)
        worker = self.make(config, bus, store, clock)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, worker.stop)
        gc.collect()
        gc.freeze()  # what is imported stays: a full pass takes 40 ms, in the way of an order
        async with AsyncExitStack() as leaving:
            leaving.push_async_callback(store.close)
            leaving.push_async_callback(bus.close)
            if config.livez_port:
                await _listen(leaving, worker, config.livez_port)
            await worker.run()


async def _listen(leaving: AsyncExitStack, worker: Worker, port: int) -> None:
    """Let the platform ask whether the worker lives, to the end. Raises `Misconfigured`."""
    try:
        await leaving.enter_async_context(Livez(lambda: worker.standstill, port))
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise Misconfigured(
            f"LIVEZ_PORT is {port}, where we cannot listen ({reason}): free it, or name another"
        ) from error

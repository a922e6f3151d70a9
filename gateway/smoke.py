"""`python -m gateway.smoke`: does what was just deployed work, from end to end, and trade nothing?

Waits until a gateway holds the lease, says `run` with `dry_run`, and waits for the end of
`runs/{run_id}`: so the gateway pulls, Firestore is written, IB answers, each enabled strategy is
asked over Pub/Sub and answers. Then it looks as `gateway.doctor --without-ib` does; of that, what
a deploy is answerable for decides, the rest is told. Works from anywhere, while trading is halted
too. Ends with 0 when all is well, 1 when not, 2 for a wrong environment.
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from gateway.archive import Archive
from gateway.bus import GoogleBus
from gateway.clock import Clock, WallClock
from gateway.config import Config, mode_and_project
from gateway.core.checkup import is_live
from gateway.core.finding import Finding, State
from gateway.doctor import Doctor
from gateway.inspection import ended, parser_of
from gateway.ports import Bus, Catalogue, QueryStore, Unavailable
from gateway.publishing import publish
from gateway.store import GoogleStore
from schemas.commands import Run
from schemas.documents import LeaseDocument, RunDocument, path_of

DEPLOYED: Final = frozenset({"firestore", "clock", "documents", "lease", "topics"})
"""The doctor's checks that a deploy is answerable for. A lock, or what people set, is not its."""

POLL_SECONDS: Final = 1.0


class Failed(Exception):
    """What was deployed does not work; the text says what, and what to look at."""


class PublishingCatalogue(Bus, Catalogue, Protocol):
    """A bus that can also be looked over."""


@dataclass(frozen=True, slots=True)
class Smoke:
    """One try of one mode. `total_seconds` covers the start of the gateway and the run."""

    config: Config
    store: QueryStore
    bus: PublishingCatalogue
    clock: Clock
    run_id: str
    total_seconds: float = 600.0
    poll_seconds: float = POLL_SECONDS
    tell: Callable[[str], None] = print

    async def try_all(self) -> None:
        """Try it all; tells each step. Raises `Failed`."""
        end = time.monotonic() + self.total_seconds
        holder = await self._until(end, self._holder, "no gateway took the lease: see its log")
        self.tell(f"{holder} holds the lease")
        command = Run(dry_run=True, run_id=self.run_id)
        await publish(self.bus, self.config.mode, command, self.run_id, datetime.now(UTC))
        run = await self._until(end, self._ended, f"runs/{self.run_id} did not end: {WAITS}")
        self.tell(_judged(run))
        self._look(await self._found())

    async def _until[T](self, end: float, look: Callable[[], Awaitable[T | None]], why: str) -> T:
        """What `look` finds in time; a store that is away for a moment is asked again."""
        while time.monotonic() < end:
            try:
                found = await look()
            except Unavailable as error:
                self.tell(f"asked again: {error}")
            else:
                if found is not None:
                    return found
            await asyncio.sleep(self.poll_seconds)
        raise Failed(f"{why} ({self.total_seconds:g} s)")

    async def _holder(self) -> str | None:
        path = path_of(LeaseDocument, mode=self.config.mode)
        found = await Archive(self.store, self.config.mode).read(LeaseDocument, path)
        if found is None or not is_live(found, await self.store.time()):
            return None
        return f"{found.owner}, epoch {found.epoch},"

    async def _ended(self) -> RunDocument | None:
        path = path_of(RunDocument, run_id=self.run_id)
        found = await Archive(self.store, self.config.mode).read(RunDocument, path)
        return found if found is not None and found.state == "DONE" else None

    async def _found(self) -> list[Finding]:
        doctor = Doctor(self.config, self.store, self.bus, self.clock)
        found = await doctor.look(without_ib=True)
        for finding in found:
            self.tell(finding.line)
        return found

    def _look(self, found: Iterable[Finding]) -> None:
        wrong = [one for one in found if one.check in DEPLOYED and one.state is State.FAIL]
        if wrong:
            raise Failed("; ".join(one.sentence for one in wrong))


WAITS: Final = (
    "the gateway does not reach IB (has a person approved the login?), or does not pull its "
    "commands; see its log. Should it come to it later: it is a dry run"
)


def _judged(run: RunDocument) -> str:
    """The run in a sentence. Raises `Failed` unless it is done and everybody has answered."""
    if run.outcome != "done":
        raise Failed(f"runs/{run.run_id} was {run.outcome}: {run.reason}")
    silent = sorted(set(run.asked) - set(run.answered))
    if silent:
        raise Failed(f"asked and not heard of: {', '.join(silent)}; see their functions' logs")
    wrong = sorted(name for name, said in run.answered.items() if said == "error")
    if wrong:
        raise Failed(f"answered with an error: {', '.join(wrong)}; see their functions' logs")
    asked = ", ".join(sorted(run.answered)) or "nobody, for no strategy is enabled"
    return f"runs/{run.run_id} is done; answered: {asked}; planned: {len(run.planned)} orders"


def _options(arguments: Sequence[str] | None) -> Any:
    parser = parser_of("gateway.smoke", __doc__)
    parser.add_argument("--run-id", default=f"smoke-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    parser.add_argument("--seconds", type=float, default=600.0, help="for all of it (600)")
    return parser.parse_args(arguments)


async def _over_google(options: Any) -> None:
    mode, project = mode_and_project(os.environ)
    store = GoogleStore(project)
    bus = GoogleBus(project)
    config = Config(mode, project, "smoke")
    smoke = Smoke(config, store, bus, WallClock(), options.run_id, options.seconds)
    try:
        await replace(smoke, tell=lambda said: print(said, flush=True)).try_all()
    finally:
        await bus.close()
        await store.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Try it, and say what came of it."""
    options = _options(arguments)

    def work() -> int:
        try:
            asyncio.run(_over_google(options))
        except (Failed, LookupError) as error:
            print(f"gateway.smoke: {error}.", file=sys.stderr)
            return 1
        return 0

    return ended("gateway.smoke", work)


if __name__ == "__main__":
    sys.exit(main())

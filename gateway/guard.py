"""The guard, a second small process: `python -m gateway.guard` [R4].

It cancels our orders when trading is halted or no commander is alive, and needs no commander for
it. It watches with a client id of its own. To cancel it borrows the id that placed the orders, for
at IB no other may (decision 9). It takes no lease and changes no document: what it does it logs,
publishes as an alert and adds to `activity`. Exit codes are those of `gateway.process`.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from gateway.archive import Archive
from gateway.clock import Clock
from gateway.config import Config, session_settings
from gateway.core import guarding, telling
from gateway.core.broker import BrokerEvent, OrderReport
from gateway.core.guarding import GuardTimes, Watch
from gateway.livez import Pulse
from gateway.patience import ClientIdTaken
from gateway.ports import Bus, Denied, Store, Unavailable
from gateway.process import Program
from gateway.publishing import publish
from gateway.session import BrokerUnavailable, Session
from schemas import codec
from schemas.documents import ActivityDocument, LeaseDocument, path_of
from schemas.messages import Report
from schemas.settings import ControlDocument, Settings

log = logging.getLogger("gateway.guard")


STANDSTILL_SECONDS: Final = 300.0
"""For one round; each of its waits has a deadline of some fifteen seconds."""


@dataclass(slots=True)
class Guard:
    """One mode's guard. `run` returns when `stop` was called; `line` makes a session by client id.

    Raises `Unsafe` when the broker is not the one that was meant.
    """

    bus: Bus
    archive: Archive
    clock: Clock
    client_id: int
    line: Callable[[int], Session]
    times: GuardTimes = field(default_factory=GuardTimes)
    rounds: int = 0
    pulse: Pulse = field(default_factory=lambda: Pulse("the guard's round", STANDSTILL_SECONDS))
    _own: Session = field(init=False)
    _watch: Watch = field(init=False)
    _said: set[str] = field(default_factory=set)
    _waiting: dict[str, Report] = field(default_factory=dict)
    """What was said and is not known to be on the topic, by event id."""
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._own = self.line(self.client_id)
        self._watch = Watch(time.monotonic())

    @property
    def standstill(self) -> str:
        """What stands still, for `gateway.livez`; empty while rounds are made."""
        return self.pulse.standstill

    def stop(self) -> None:
        """Ask `run` to return."""
        self._stopping.set()

    async def run(self) -> None:
        """Look, and act where need be, until stopped. No failure of the world ends it."""
        try:
            while not self._stopping.is_set():
                self.pulse.beat()
                acted = await self.look()
                await self._publish()
                self.rounds += 1
                pause = self.times.retry_seconds if acted else self.times.poll_seconds
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), pause)
        finally:
            await self._own.close()

    async def look(self) -> bool:
        """One round: what people and the commander say, and what works meanwhile.

        True when something of ours had to be cancelled.
        """
        await self._read()
        why = guarding.danger(self._watch, time.monotonic(), self.times)
        if not why:
            self._said.clear()
        try:
            if not self._own.connected:
                await self._own.connect()
            return bool(why) and await self._act(why)
        except (BrokerUnavailable, TimeoutError) as error:
            log.warning("the guard cannot reach the broker: %s", error)
            if why:
                said = f"the guard CANNOT cancel, no broker: {error}; {why}"
                await self._alert(said, "guard_cannot_cancel")
            return False

    async def _read(self) -> None:
        """Take up what the documents say; the wrong word of a person is a halt, as for all."""
        control, lease = await asyncio.gather(
            self._document(ControlDocument), self._document(LeaseDocument)
        )
        now = time.monotonic()
        if not isinstance(lease, Exception):
            self._watch = guarding.seen_lease(self._watch, lease, now)
        if isinstance(control, codec.Invalid):
            control = ControlDocument(by="guard", reason=str(control))
        if not isinstance(control, Exception):
            self._watch = guarding.seen_control(self._watch, control or ControlDocument(), now)

    async def _document[T](self, kind: type[T]) -> T | Exception | None:
        try:
            async with asyncio.timeout(self.times.io_seconds):
                return await self.archive.read(kind, path_of(kind, mode=self.archive.mode))
        except Exception as error:  # whatever it is: a guard that ends by it guards nothing
            log.warning("the guard cannot read a document: %s: %s", kind.__name__, error)
            return error

    async def _act(self, why: str) -> bool:
        found = guarding.working(self.archive.mode, await self._own.open_orders())
        for client_id, orders in found.by_client.items():
            try:
                await self._cancel(client_id, orders, why)
            except (ClientIdTaken, ValueError):
                await self._sweep(found, client_id, why)
        return bool(found.ours)

    async def _cancel(self, client_id: int, orders: Sequence[OrderReport], why: str) -> None:
        """Cancel orders as the client that placed them. Raises `ClientIdTaken`.

        Raises `ValueError` for an id that nobody can have.
        """
        session = self.line(client_id)
        await session.connect()
        try:
            for order in orders:
                await session.wait_for_room()
                session.cancel(order.order_id, order.client_id)
            await session.open_orders()  # its answer proves that IB has read what came before
        finally:
            await session.close()
        cancels = guarding.cancels(orders, why)
        await self._alert(cancels, "guard_cancelled")  # now: the bus may take its time

    async def _sweep(self, found: guarding.Working, client_id: int, why: str) -> None:
        allowed = await self._foreign_allowed() if found.foreign else False
        step = guarding.sweep(found, client_id, allowed, why)
        if step.is_allowed:
            self._own.cancel_everything()
        name = "guard_cancelled" if step.is_allowed else "guard_cannot_cancel"
        await self._alert(step.sentence, name)

    async def _foreign_allowed(self) -> bool:
        try:
            async with asyncio.timeout(self.times.io_seconds):
                return (await self.archive.settings()).guard_may_cancel_foreign
        except Exception as error:  # as above, and no permission was given
            log.warning("the guard cannot read the settings: %s", error)
            return Settings().guard_may_cancel_foreign

    async def _alert(self, sentence: str, name: str) -> None:
        """Tell people, once while the danger lasts; a bus that is away holds up no cancel."""
        if sentence in self._said:
            return
        self._said.add(sentence)
        log.error("%s", sentence)
        now, details = self.clock.now(), {"alert": name}
        report = Report("alert", now, self.archive.mode, sentence, details=details)
        event_id = f"{now:%Y%m%dT%H%M%S%f}-guard-{time.time_ns()}"
        self._waiting[event_id] = report
        path = path_of(ActivityDocument, activity_id=event_id)
        written = self.archive.write({path: telling.noted(report)})
        await asyncio.gather(self._publish(), self._tried("write it down", written))

    async def _publish(self) -> None:
        """Publish what waits, also from earlier rounds, until the bus does not answer."""
        for event_id, report in list(self._waiting.items()):
            published = publish(self.bus, self.archive.mode, report, event_id, report.at)
            if not await self._tried("publish", published):
                return
            del self._waiting[event_id]

    async def _tried(self, what: str, work: Awaitable[object]) -> bool:
        """Whether the bus, or the store, has taken it in time."""
        try:
            async with asyncio.timeout(self.times.io_seconds):
                await work
        except Exception as error:  # as above; the log has it
            log.warning("the guard cannot %s: %s", what, error)
            return False
        return True


def guard(
    config: Config, bus: Bus, store: Store, clock: Clock, times: GuardTimes | None = None
) -> Guard:
    """Put a guard together over a bus, a store and a clock."""

    def line(client_id: int) -> Session:
        return Session(session_settings(config, client_id), clock.now, _ignore)

    archive = Archive(store, config.mode)
    return Guard(bus, archive, clock, config.ib_guard_client_id, line, times or GuardTimes())


def _ignore(event: BrokerEvent) -> None:
    """The guard asks for what it wants to know."""


PROGRAM: Final = Program("guard", log, guard, (Denied, Unavailable, OSError))


if __name__ == "__main__":
    sys.exit(PROGRAM.main())

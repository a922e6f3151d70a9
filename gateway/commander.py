"""The loop: take everything waiting, take it up, write, net if a net is due, tell, ack.

What arrives while it awaits waits for the next batch, so one order of events holds everywhere. A
message is acked when what it changed is written: a command once its run document says STARTED,
targets once their document is stored. What the world prevents raises out of the loop: the process
ends, the messages come again, and the next gateway begins with the four questions.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from gateway import commands, dealing
from gateway.core.broker import BrokerEvent, Connection
from gateway.core.desk import Desk, Silent, Ticked
from gateway.core.records import restored
from gateway.floor import Doors, Floor
from gateway.intake import Intake
from gateway.ports import AlreadyExists, Delivery, Subscription
from gateway.session import BrokerUnavailable
from schemas.documents import RunDocument, path_of
from schemas.messages import Command, Run
from schemas.values import Mode

BATCH_MAX: Final = 1_000
"""Events taken at once; the rest waits for the next batch."""

TICK_SECONDS: Final = 0.02
"""Real seconds between two looks at the clock while something waits for it."""

SILENCE_SECONDS: Final = 20.0
"""Real seconds after which an order without any answer is UNKNOWN (behaviour 4.5)."""

RECONNECT_SECONDS: Final = 5.0
"""Real seconds between attempts to reach the broker; its daily restart takes minutes."""


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The broker is back after it was lost: everything has to be read anew [R1]."""


type Item = Delivery | BrokerEvent | Reconnected


@dataclass(slots=True)
class Inbox:
    """What waits for the loop, in the order of arrival."""

    waiting: deque[Item] = field(default_factory=deque)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, item: Item) -> None:
        """Add an item; never blocks. Called on the loop's thread."""
        self.waiting.append(item)
        self.arrived.set()

    async def take(self, timeout_seconds: float | None) -> list[Item]:
        """Everything waiting, up to `BATCH_MAX`; empty if the time passes first."""
        if not self.waiting:
            self.arrived.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.arrived.wait(), timeout_seconds)
        return [self.waiting.popleft() for _ in range(min(len(self.waiting), BATCH_MAX))]


class Commander:
    """One gateway of one mode. `run()` returns when `stop()` was called, and raises otherwise."""

    def __init__(self, doors: Doors, mode: Mode, inbox: Inbox) -> None:
        self.inbox = inbox
        self.floor = Floor(doors, Desk(mode), Desk(mode))
        self._intake = Intake(self.floor)
        self._waiting_runs: deque[tuple[Command, RunDocument]] = deque()
        self._sent: dict[str, float] = {}
        self._stopping = asyncio.Event()
        self._reconnecting: asyncio.Task[None] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, no run is open and no net is due."""
        desk = self.floor.desk
        nothing_due = desk.run is None and desk.cause is None and desk.coalesce_at is None
        return nothing_due and not self.inbox.waiting and not self._waiting_runs

    def stop(self) -> None:
        """Ask the loop to end after the batch in hand."""
        self._stopping.set()
        self.inbox.arrived.set()

    async def run(self) -> None:
        """Take the lease, recover, then work until stopped. Raises `LeaseLost` and world's ends."""
        doors = self.floor.doors
        await doors.lease.acquire()
        keeper = asyncio.create_task(doors.lease.keep())
        subscriptions: list[Subscription] = []
        try:
            await self._recover()
            subscriptions = [self._subscribe("commands"), self._subscribe("targets")]
            ends = [asyncio.create_task(s.wait()) for s in subscriptions]
            await _first_to_fail([keeper, asyncio.create_task(self._loop()), *ends])
        finally:
            for subscription in subscriptions:
                await subscription.close()
            keeper.cancel()
            if self._reconnecting is not None:
                self._reconnecting.cancel()
            await doors.session.close()
            await doors.lease.release()

    async def handle(self, items: Sequence[Item]) -> None:
        """One batch: take it up, write it, ack it, and make the nets that are due."""
        used = [await self._take_up(item) for item in items]
        self.floor.happen(Ticked())
        self._notice_silence()
        await self.floor.persist()
        for delivery in used:
            if delivery is not None:
                delivery.ack()
        while self.floor.desk.cause is not None:
            await dealing.carry_out(self.floor, self.floor.desk.cause)
            self.floor.happen(Ticked())
        await self._start_waiting_run()

    async def _loop(self) -> None:
        while not self._stopping.is_set():
            await self.handle(await self.inbox.take(self._patience()))

    async def _recover(self) -> None:
        """Read what the last gateway left, ask the broker what happened since [R1]."""
        floor, archive = self.floor, self.floor.doors.archive
        desk = restored(replace(floor.desk, epoch=floor.doors.lease.epoch), await archive.stored())
        floor.desk = floor.persisted = desk
        await floor.configure()
        floor.persisted = floor.desk
        for run in await archive.unfinished_runs():
            await floor.write_run(floor.finished(run, "interrupted", "the gateway ended meanwhile"))
        await floor.doors.session.connect()
        floor.happen(Connection(up=True, reason="connected"))
        await floor.reconcile()

    def _subscribe(self, topic: str) -> Subscription:
        return self.floor.doors.bus.subscribe(f"gateway-{topic}-{self.floor.mode}", self.inbox.put)

    def _patience(self) -> float | None:
        """How long to wait for events: not at all long while something depends on the clock."""
        if self.inbox.waiting:
            return 0.0
        desk = self.floor.desk
        clocked = desk.run is not None or desk.coalesce_at is not None
        pending = any(order.state == "PENDING" for order in desk.orders.values())
        return TICK_SECONDS if clocked or pending else None

    async def _take_up(self, item: Item) -> Delivery | None:
        """Take one item up into the desk; a delivery to be acked later is returned."""
        if isinstance(item, Delivery):
            if "-commands-" in item.subscription:
                await self._take_up_command(item)
                return None
            said = await self._intake.targets(item)
            if said is not None:
                self.floor.happen(said)
            return item
        if isinstance(item, Reconnected):
            await self._reread()
        else:
            self._take_up_broker(item)
        return None

    def _take_up_broker(self, event: BrokerEvent) -> None:
        self.floor.happen(event)
        if not isinstance(event, Connection):
            return
        if not event.up and not self.floor.doors.session.connected:
            self._reconnecting = asyncio.create_task(self._reconnect())
        elif event.up:
            self.inbox.put(Reconnected())

    async def _take_up_command(self, delivery: Delivery) -> None:
        """Write STARTED, ack, then act. A command seen before is acked and nothing else."""
        command = await self._intake.command(delivery)
        if command is None:
            delivery.ack()
            return
        run = RunDocument(
            run_id=command.run_id or f"message-{delivery.message_id}",
            command=command.command,
            trigger=f"message {delivery.message_id}",
            started_at=self.floor.now,
            state="STARTED",
            dry_run=getattr(command, "dry_run", False),
            by=getattr(command, "by", ""),
        )
        try:
            path = path_of(RunDocument, run_id=run.run_id)
        except ValueError as error:
            await self._intake.bury(delivery, f"run_id: {error}")
            delivery.ack()
            return
        try:
            await self.floor.doors.archive.write({}, {path: run})
        except AlreadyExists:
            delivery.ack()
            return
        delivery.ack()
        if isinstance(command, Run) and self.floor.desk.run is not None:
            self._waiting_runs.append((command, run))
            return
        await commands.carry_out(self.floor, command, run)

    async def _start_waiting_run(self) -> None:
        if self._waiting_runs and self.floor.desk.run is None:
            command, run = self._waiting_runs.popleft()
            await commands.carry_out(self.floor, command, run)
            self.inbox.arrived.set()

    def _notice_silence(self) -> None:
        """Orders that the broker said nothing of for too long become UNKNOWN, in real time."""
        pending = [o for o in self.floor.desk.orders.values() if o.state == "PENDING"]
        now = time.monotonic()
        self._sent = {o.order_ref: self._sent.get(o.order_ref, now) for o in pending}
        for order_ref, since in self._sent.items():
            if now - since > SILENCE_SECONDS:
                reason = f"the broker said nothing for {SILENCE_SECONDS:.0f} s"
                self.floor.happen(Silent(order_ref, reason))

    async def _reconnect(self) -> None:
        """Try until the broker is back; what happened meanwhile is read then."""
        while True:
            await asyncio.sleep(RECONNECT_SECONDS)
            with suppress(BrokerUnavailable):
                await self.floor.doors.session.connect()
                self.inbox.put(Connection(up=True, reason="connected again"))
                return

    async def _reread(self) -> None:
        with suppress(BrokerUnavailable):
            await self.floor.reconcile()


async def _first_to_fail(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait for the first task to end; cancel the others; raise what it raised."""
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()

"""The loop: take everything waiting, take it up, write, net if a net is due, tell, ack.

What arrives while it awaits waits for the next batch, so one order of events holds everywhere. A
message is acked when what it changed is written: a command once its run document says STARTED,
targets once their document is stored. What the world prevents raises out of the loop: the process
ends, the messages come again, and the next gateway begins with the four questions.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import Any, Final

from gateway import commands, dealing
from gateway.archive import run_path
from gateway.core import limits
from gateway.core.broker import BrokerEvent, Connection
from gateway.core.desk import Desk
from gateway.core.events import Silent, Ticked
from gateway.core.orders import second_look_at
from gateway.core.records import restored
from gateway.floor import Doors, Floor
from gateway.inbox import ControlWritten, Inbox, Item, Reconnected
from gateway.intake import RUN_ID_CHARACTERS_MAX, Intake
from gateway.livez import Pulse, standstill
from gateway.patience import ClientIdTaken, NotAsked
from gateway.ports import AlreadyExists, Delivery, Subscription
from gateway.session import BrokerUnavailable
from schemas import codec
from schemas.commands import Allocate, Approve, Command, Halt, MarketData, Run
from schemas.documents import RunDocument
from schemas.messages import Report
from schemas.settings import ControlDocument
from schemas.values import Mode, TradingState

log = logging.getLogger(__name__)

TICK_SECONDS: Final = 0.02
"""Real seconds between two looks at the clock while something waits for it."""

SILENCE_SECONDS: Final = 20.0
"""Real seconds after which an order without any answer is UNKNOWN (behaviour 4.5)."""

LOGIN_TOLD_SECONDS: Final = 300.0
"""A login that takes longer is told, and again each time: its usual two minutes need nobody."""

RECONNECT_SECONDS: Final = 5.0
"""Real seconds between attempts to reach the broker; its daily restart takes minutes."""

STOP_SECONDS: Final = 4.0
"""Real seconds to finish the batch in hand when told to stop; platforms kill after ten."""

HEARING_SECONDS: Final = 2.0
"""Real seconds in which a halt said while no gateway listened comes before the net left unmade."""

PUT_OFF_SECONDS: Final = 10.0
"""Real seconds between attempts to take up a message that the broker gave no answer for."""

HALT_BY_HAND: Final = "control"
"""Stands among the messages that said halt for what a person wrote instead of publishing it."""

LOOP_STANDSTILL_SECONDS: Final = 300.0
"""Without a turn of the loop or a question to the broker, of which the longest takes 60 s."""

LINE_STANDSTILL_SECONDS: Final = 120.0
"""Without another attempt to reach the broker; each takes 15 s at most."""

WAITING_RUNS_MAX: Final = 100
"""Runs that may wait for the open one; a schedule never makes two."""

_ONE_AT_A_TIME: Final = (Allocate, Approve, MarketData, Run)
"""What waits for the open run to end: nets of their own, and what may be long at the broker."""


class Commander:
    """One gateway of one mode. `run()` returns when `stop()` was called, and raises otherwise."""

    def __init__(self, doors: Doors, mode: Mode, inbox: Inbox) -> None:
        self.inbox = inbox
        self.floor = Floor(doors, Desk(mode), Desk(mode))
        self._intake = Intake(self.floor)
        self._waiting_runs: deque[tuple[Command, RunDocument]] = deque()
        self._put_off: dict[str, Delivery] = {}
        self._retry: asyncio.TimerHandle | None = None
        self._sent: dict[str, float] = {}
        self._recovered = False
        self._handling = False
        self._stopping = asyncio.Event()
        self._line_lost = asyncio.Event()
        self._turning = Pulse("the loop", LOOP_STANDSTILL_SECONDS)
        self._dialling = Pulse("the way to the broker", LINE_STANDSTILL_SECONDS)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in hand, nothing waits, no run is open and no net is due now."""
        desk, now = self.floor.desk, self.floor.now
        coalesced = desk.coalesce_at is not None and desk.coalesce_at <= now
        nothing_due = desk.run is None and desk.cause is None and not coalesced
        waiting = self.inbox.waiting or self._waiting_runs or self._put_off
        return self._recovered and nothing_due and not waiting and not self._handling

    @property
    def standstill(self) -> str:
        """What stands still, for `gateway.livez`; empty also while it waits as long as it takes:
        for the lease, for a login at the broker, for a message."""
        doors = self.floor.doors
        self._turning.beat_at = max(self._turning.beat_at, doors.session.asked_at)
        return standstill([self._turning, self._dialling, doors.lease.pulse])

    def stop(self) -> None:
        """Ask the loop to end after the batch in hand; `STOP_SECONDS` later it is cut off."""
        self.floor.is_stopping = True
        self._stopping.set()
        self.inbox.arrived.set()

    async def run(self) -> None:
        """Take the lease, recover, then work until stopped. Raises `LeaseLost` and world's ends."""
        async with AsyncExitStack() as leaving:
            leaving.push_async_callback(self.floor.doors.lease.release)
            leaving.push_async_callback(self.floor.doors.session.close)
            await _first_to_end(self._work(leaving), self._stopped())

    async def handle(self, items: Sequence[Item]) -> None:
        """One batch: take it up, write it, ack it, and make the nets that are due."""
        self._handling = True
        used = [await self._take_up(item) for item in items]
        self.floor.happen(Ticked())
        is_silent = self._notice_silence()
        if self.floor.desk.cause is None or not self.floor.may_wait():
            await self.floor.persist()
            used = _acked(used)
        if is_silent or self._second_look_is_due():
            await self._look()
        while self.floor.desk.cause is not None:
            await dealing.carry_out(self.floor, self.floor.desk.cause)
            if self.floor.is_stopping and self.floor.desk.cause is not None:
                break  # left to the next gateway, as is what waited to be written with the net
            used = _acked(used)  # what waited was written with the net
            self.floor.happen(Ticked())
        await self._start_waiting_run()
        await self._cancel_forbidden()
        self._handling = False

    async def _work(self, leaving: AsyncExitStack) -> None:
        lease = self.floor.doors.lease
        await lease.acquire()
        keeping = lease.keep(self._hear_control)
        await _first_to_end(keeping, self._keep_connected(), self._trade(leaving))

    async def _trade(self, leaving: AsyncExitStack) -> None:
        await self._recover()
        self._recovered = True
        subscriptions = [
            self._subscribe("commands", self._hear_command),
            self._subscribe("targets", self.inbox.put),
        ]
        for subscription in subscriptions:
            leaving.push_async_callback(subscription.close)
        if self.floor.desk.cause is not None or self.floor.desk.coalesce_at is not None:
            await asyncio.sleep(HEARING_SECONDS)
        await _first_to_end(self._loop(), *(s.wait() for s in subscriptions))

    async def _stopped(self) -> None:
        """Return when told to stop and the time to do it by itself is over; none before trading."""
        await self._stopping.wait()
        if self._recovered:
            await asyncio.sleep(STOP_SECONDS)

    async def _loop(self) -> None:
        while not self._stopping.is_set():
            self._turning.rest()
            items = await self.inbox.take(self._patience())
            self._turning.beat()
            await self.handle(items)

    async def _recover(self) -> None:
        """Read what the last gateway left, ask the broker what happened since [R1]."""
        self._turning.beat()
        floor, archive = self.floor, self.floor.doors.archive
        desk = restored(replace(floor.desk, epoch=floor.doors.lease.epoch), await archive.stored())
        floor.desk = floor.persisted = desk
        await floor.configure(tolerant=True)
        floor.persisted = floor.desk
        await floor.outbox.go_on(archive)
        runs, wrong = await archive.unfinished_runs()
        details = {"alert": "configuration_wrong"}
        floor.tell(Report("alert", floor.now, floor.mode, said, details=details) for said in wrong)
        for run in runs:
            await floor.write_run(floor.finished(run, "interrupted", "the gateway ended meanwhile"))
        await self._log_in()
        await self._cancel_again()

    async def _log_in(self) -> None:
        """Connect and read, as often as it takes: a login may wait hours for a second factor, and a
        gateway that ended meanwhile would end the IB Gateway beside it, which would ask again.

        Raises `ClientIdTaken` and `Unsafe`, which no login heals.
        """
        said = ""
        clock = asyncio.get_running_loop().time
        told_at = clock()
        while True:
            self._turning.beat()
            try:
                await self.floor.doors.session.connect()
                self.floor.happen(Connection(up=True, reason="connected"))
                return await self.floor.reconcile()
            except ClientIdTaken:
                raise
            except (BrokerUnavailable, TimeoutError) as error:
                if str(error) != said:
                    said = str(error)
                    log.warning("waits for the broker: %s", said)
            await asyncio.sleep(RECONNECT_SECONDS)
            for event in self.inbox.take_broker_events():  # a line tells much again each time
                self.floor.happen(event)
            if clock() - told_at >= LOGIN_TOLD_SECONDS:
                told_at = clock()
                self._tell_waiting(said)
            await self.floor.persist()

    def _tell_waiting(self, reason: str) -> None:
        """To a person, for only one may end it; `halt` as a command waits as well meanwhile."""
        floor = self.floor
        sentence = (
            f"the gateway waits for the broker, so it neither trades nor cancels: {reason}; is the "
            f"login approved? What works at IB can be cancelled in IB's own programs"
        )
        details = {"alert": "broker_awaited"}
        floor.tell([Report("alert", floor.now, floor.mode, sentence, details=details)])

    def _subscribe(self, topic: str, deliver: Callable[[Delivery], None]) -> Subscription:
        return self.floor.doors.bus.subscribe(f"gateway-{topic}-{self.floor.mode}", deliver)

    def _hear_command(self, delivery: Delivery) -> None:
        """Called by the bus: a halt stops sending before the loop comes to carry it out [W2].

        A loop that waits for the broker, such as for bars, may come to it a minute later: so what
        works is cancelled now, and by the halt's own handler again.
        """
        if _says_halt(delivery):
            self.floor.halts_heard.add(delivery.message_id)
            if self._handling:
                self._cancel_meanwhile()
        self.inbox.put(delivery)

    def _cancel_meanwhile(self) -> None:
        """Ask the broker to cancel what works; the desk hears of it when the loop goes on."""
        for order in self.floor.desk.orders.values():
            if order.state == "WORKING":
                with suppress(BrokerUnavailable, ValueError):  # the handler says so
                    self.floor.doors.session.cancel(order.order_id, order.client_id)

    def _hear_control(self, control: ControlDocument) -> None:
        """Called at each renewal of the lease: a halt by hand stops sending at once [W2].

        What was read may be older than a command carried out meanwhile, so it is only a hint.
        """
        if control == self.floor.desk.control:
            return
        if control.state is TradingState.HALTED:
            self.floor.halts_heard.add(HALT_BY_HAND)
        self.inbox.put_once(ControlWritten())

    def _patience(self) -> float | None:
        """How long to wait for events: not at all long while something depends on the clock."""
        desk = self.floor.desk
        if self.inbox.waiting or desk.cause is not None:
            return 0.0  # a net may be due from the start: the last gateway left it unmade
        clocked = desk.run is not None or desk.coalesce_at is not None
        orders = desk.orders.values()
        now = self.floor.now
        awaited = any(o.state == "PENDING" or second_look_at(o, now) is not None for o in orders)
        return TICK_SECONDS if clocked or awaited else self.floor.outbox.pause_seconds

    async def _take_up(self, item: Item) -> Delivery | None:
        """Take one item up into the desk; a delivery to be acked later is returned."""
        if isinstance(item, Delivery):
            if "-commands-" not in item.subscription:
                return await self._take_up_targets(item)
            await self._take_up_command(item)
            self.floor.halts_heard.discard(item.message_id)
        elif isinstance(item, Reconnected):
            await self._reread()
        elif isinstance(item, ControlWritten):
            await self.floor.heed_control()
            self.floor.halts_heard.discard(HALT_BY_HAND)
        else:
            self._take_up_broker(item)
        return None

    async def _take_up_targets(self, delivery: Delivery) -> Delivery | None:
        """A broker that does not answer is no fault of the message: it waits or comes again."""
        message_id = delivery.message_id
        try:
            said = await self._intake.targets(delivery)
        except BrokerUnavailable as error:
            if message_id not in self._put_off:
                log.warning("message %s waits for the broker: %s", message_id, error)
            elif not isinstance(error, NotAsked):
                del self._put_off[message_id]  # behind those that were not asked for yet
            # Nacked, it would soon be a dead letter; what comes again has the lease that counts.
            self._put_off[message_id] = delivery
            return None
        else:
            self._put_off.pop(message_id, None)
        finally:
            self._retry_later()
        if said is not None:
            self.floor.happen(said)
        return delivery

    def _retry_later(self) -> None:
        """All of them: the session lets one of them wait for a silent broker, not each."""
        if self._put_off and self._retry is None and self.floor.doors.session.connected:
            self._retry = asyncio.get_running_loop().call_later(PUT_OFF_SECONDS, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        for delivery in self._put_off.values():
            self.inbox.put(delivery)

    def _take_up_broker(self, event: BrokerEvent) -> None:
        self.floor.happen(event)
        if not isinstance(event, Connection):
            return
        if event.up:
            self.inbox.put_once(Reconnected())
        elif not self.floor.doors.session.connected:
            self._line_lost.set()

    async def _take_up_command(self, delivery: Delivery) -> None:
        """Write STARTED, ack, then act. A command seen before is acked and nothing else."""
        command = await self._intake.command(delivery)
        run = None if command is None else await self._started(command, delivery)
        delivery.ack()
        if command is None or run is None:
            return
        if not isinstance(command, _ONE_AT_A_TIME) or self.floor.desk.run is None:
            await commands.carry_out(self.floor, command, run)
        elif len(self._waiting_runs) < WAITING_RUNS_MAX:
            self._waiting_runs.append((command, run))
        else:
            reason = f"{WAITING_RUNS_MAX} runs wait already; say it again when they are done"
            await self.floor.write_run(self.floor.finished(run, "refused", reason))

    async def _started(self, command: Command, delivery: Delivery) -> RunDocument | None:
        """The run document, written; None for a command that cannot have one or has one already."""
        named = "" if isinstance(command, Approve) else command.run_id  # that is another run's
        run = RunDocument(
            run_id=named or f"message-{delivery.message_id}",
            command=command.command,
            trigger=f"message {delivery.message_id}",
            started_at=self.floor.now,
            state="STARTED",
            dry_run=getattr(command, "dry_run", False),
            by=getattr(command, "by", ""),
        )
        try:
            path = run_path(run.run_id)
            if len(run.run_id) > RUN_ID_CHARACTERS_MAX:
                raise ValueError(f"more than {RUN_ID_CHARACTERS_MAX} characters")
        except ValueError as error:
            await self._intake.bury(delivery, f"run_id: {error}; give another one, or none")
            return None
        try:
            await self.floor.doors.archive.write({}, {path: run})
        except AlreadyExists:
            await self._tell_if_used(run, path)
            return None
        return run

    async def _tell_if_used(self, run: RunDocument, path: str) -> None:
        """The same message again is nothing to tell; another one with its run_id is ignored."""
        floor = self.floor
        try:
            known = await floor.doors.archive.read(RunDocument, path)
        except codec.Invalid as error:
            by = f"something that cannot be read ({error})"
        else:
            if known is None or known.trigger == run.trigger:
                return
            by = f"{known.command} by {known.trigger}"
        sentence = (
            f"{run.command} of {run.trigger} refused: run_id {run.run_id} was used for "
            f"{by}; nothing is done, give another run_id"
        )
        floor.tell([Report("refusal", floor.now, floor.mode, sentence, run_id=run.run_id)])

    async def _start_waiting_run(self) -> None:
        while self._waiting_runs and self.floor.desk.run is None:
            command, run = self._waiting_runs.popleft()
            await commands.carry_out(self.floor, command, run)

    async def _cancel_forbidden(self) -> None:
        """Whatever of ours works against the trading state is cancelled, also what began since."""
        forbidden = limits.forbidden(self.floor.desk)
        if forbidden:
            await dealing.cancel(self.floor, forbidden)
            await self.floor.persist()

    def _notice_silence(self) -> bool:
        """Orders that the broker said nothing of for too long become UNKNOWN, in real time."""
        pending = [o for o in self.floor.desk.orders.values() if o.state == "PENDING"]
        now = time.monotonic()
        self._sent = {o.order_ref: self._sent.get(o.order_ref, now) for o in pending}
        silent = [ref for ref, since in self._sent.items() if now - since > SILENCE_SECONDS]
        for order_ref in silent:
            reason = f"the broker said nothing for {SILENCE_SECONDS:.0f} s"
            self.floor.happen(Silent(order_ref, reason))
        return bool(silent)

    async def _look(self) -> None:
        """Ask the broker about orders that nobody knows of; a lost line is read when it is back."""
        if self.floor.doors.session.connected:
            with suppress(BrokerUnavailable):
                await self.floor.reconcile()

    def _second_look_is_due(self) -> bool:
        """Whether a reading now proves that an unknown order never got to the broker [R2]."""
        now = self.floor.now
        looks = (second_look_at(order, now) for order in self.floor.desk.orders.values())
        return any(at is not None and at <= now for at in looks)

    async def _keep_connected(self) -> None:
        """When the line is lost, try until the broker is back; what happened is read then."""
        session = self.floor.doors.session
        while True:
            self._dialling.rest()
            await self._line_lost.wait()
            self._line_lost.clear()
            while not session.connected:
                self._dialling.beat()
                await asyncio.sleep(RECONNECT_SECONDS)
                with suppress(BrokerUnavailable, TimeoutError):
                    if not session.connected:
                        await session.connect()

    async def _cancel_again(self) -> None:
        """A cancel may have been lost with the line, or with the gateway that said it [N7]."""
        orders = self.floor.desk.orders.values()
        await dealing.cancel(self.floor, [o for o in orders if o.state == "CANCELLING"])

    async def _reread(self) -> None:
        """What happened while the broker was away; what we asked of it may have been lost."""
        with suppress(BrokerUnavailable):
            await self.floor.reconcile()
            await self._cancel_again()
            self.floor.net_again()
        for delivery in self._put_off.values():
            self.inbox.put(delivery)


def _says_halt(delivery: Delivery) -> bool:
    try:
        return isinstance(codec.decode_command(delivery.data), Halt)
    except codec.Invalid:
        return False


def _acked(used: Sequence[Delivery | None]) -> list[Delivery | None]:
    """Ack what is written; nothing is left to be acked."""
    for delivery in used:
        if delivery is not None:
            delivery.ack()
    return []


async def _first_to_end(*works: Coroutine[Any, Any, object]) -> None:
    """Wait for the first to end; cancel the others, also when cancelled; raise what it raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()

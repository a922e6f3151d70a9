"""The trading floor: the desk, the doors to the outside, and the few things done with both.

One task works on it at a time (the commander's loop), so nothing here needs a lock.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

from gateway.archive import Archive
from gateway.clock import Clock
from gateway.core import day_end, reconcile, telling
from gateway.core.broker import Reading
from gateway.core.desk import Desk
from gateway.core.dues import left_due
from gateway.core.events import Configured, Event, NetAsked
from gateway.core.fold import evolve
from gateway.core.prices import Price
from gateway.core.records import Documents, changed, closed_orders
from gateway.lease import Lease
from gateway.outbox import Outbox
from gateway.ports import Bus
from gateway.publishing import publish
from gateway.session import Session
from schemas.codec import Invalid
from schemas.documents import (
    ActivityDocument,
    BarsDocument,
    BrokerPositionsDocument,
    RefusalEntry,
    RunDocument,
    SnapshotDocument,
    TargetsDocument,
    path_of,
)
from schemas.messages import Market, Message, Report
from schemas.settings import ControlDocument
from schemas.values import Mode

log = logging.getLogger(__name__)

type Outcome = Literal["done", "refused", "failed", "interrupted"]

_MAY_WAIT: Final = (SnapshotDocument, BrokerPositionsDocument, TargetsDocument, RunDocument)
"""What comes again if it is lost: asked of the broker anew, or redelivered because not acked."""

CLOSED_AT_ONCE: Final = 100
"""Orders moved away in one commit, of 10 MiB at most; a document has one at most."""


@dataclass(frozen=True, slots=True)
class Doors:
    """The ways out, one each; `clock` is not one, but is handed around with them."""

    bus: Bus
    archive: Archive
    session: Session
    clock: Clock
    lease: Lease


@dataclass(slots=True)
class Floor:
    """The desk with its doors. `persisted` is the desk as Firestore has it."""

    doors: Doors
    desk: Desk
    persisted: Desk
    last_closes: dict[int, Price] = field(default_factory=dict)
    refused: set[tuple[str, int, tuple[str, ...], str]] = field(default_factory=set)
    bars: dict[str, BarsDocument] = field(default_factory=dict)
    """Kept bars by path, as they were read from Firestore; nobody but the commander writes them."""
    opened: dict[str, RunDocument] = field(default_factory=dict)
    """Runs whose net is due and that wait for no strategy's answer, by run_id."""
    untold: list[Report] = field(default_factory=list)
    """Said and not written yet; what is written waits in the outbox until it is published."""
    outbox: Outbox = field(init=False)
    halts_heard: set[str] = field(default_factory=set)
    """Messages that say halt and are not carried out yet: from hearing one on nothing is sent."""
    sent: list[str] = field(default_factory=list)
    """Every order_ref that this process has tried to write to the broker, in that order."""
    breach: str = ""
    """Why the door to the broker is shut for good [core.door]; only a restart opens it."""
    is_stopping: bool = False
    """Told to stop: no net is made and nothing new is sent any more; the next gateway goes on."""

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.doors.bus, self.desk.mode)

    @property
    def mode(self) -> Mode:
        """Paper or live."""
        return self.desk.mode

    @property
    def now(self) -> datetime:
        """The time by the clock that everything but I/O goes by."""
        return self.doors.clock.now()

    def happen(self, event: Event) -> None:
        """Take up one event into the desk."""
        self.desk = evolve(event, self.desk, self.now)

    def tell(self, reports: Iterable[Report]) -> None:
        """Remember what is to be told; it is published once what it tells is written."""
        self.untold.extend(reports)

    def shut(self, breach: str) -> None:
        """Send nothing any more: an order was about to be written that must never be."""
        self.breach = breach
        log.critical(breach)
        details = {"alert": "order_path_shut"}
        self.tell([Report("alert", self.now, self.mode, breach, details=details)])

    def refuse(self, entries: Iterable[RefusalEntry], run_id: str) -> None:
        """Tell the refusals that are new; what stands refused since the last net is not told again.

        "Published on change only" (architecture 5.4). What a dry run or a net of money refuses is
        told each time, and hides nothing of what the books' nets refuse.
        """
        entries = tuple(entries)
        if self.desk.cause is not None and self.desk.cause.is_partial:
            self.tell(telling.refused(self.mode, entry, run_id, self.now) for entry in entries)
            return
        keys = {(e.rule, e.con_id, e.strategies, e.sentence): e for e in entries}
        fresh = [entry for key, entry in keys.items() if key not in self.refused]
        self.refused = set(keys)
        self.tell(telling.refused(self.mode, entry, run_id, self.now) for entry in fresh)

    async def persist(self, more: Documents | None = None) -> None:
        """Write what changed since the last time, with the activity that tells it, then publish."""
        await self.write(more)
        await self.outbox.publish()

    async def write(self, more: Documents | None = None) -> None:
        """The same without publishing: that comes with the next `persist`."""
        desk, notes = self.desk, self.notes(self.desk)
        documents = {**self.unwritten(), **notes, **(more or {})}
        if documents:
            await self.doors.archive.write(documents)
        self.wrote(desk, notes)

    def unwritten(self) -> Documents:
        """The documents that changed since the last write."""
        return dict(changed(self.persisted, self.desk))

    def notes(self, desk: Desk, also: Iterable[Report] = ()) -> dict[str, ActivityDocument]:
        """The activity that tells how it came to this desk, to be written with it."""
        happened = telling.happened(self.persisted, desk, self.now)
        reports = telling.in_order([*self.untold, *also], happened)
        return self.outbox.notes(reports, desk.epoch)

    def wrote(self, desk: Desk, notes: Mapping[str, ActivityDocument]) -> None:
        """This desk is written, and these notes with it."""
        self.persisted = desk
        self.untold = []
        self.outbox.written(notes)

    def may_wait(self) -> bool:
        """Whether a write may wait for the next one of the same errand: nothing of it would be lost
        with us that does not come again, and nobody waits to be told."""
        told = self.untold or telling.happened(self.persisted, self.desk, self.now)
        documents = self.unwritten().values()
        return not told and all(isinstance(document, _MAY_WAIT) for document in documents)

    async def publish(self, message: Message, event_id: str) -> None:
        """Publish one message on its topic of this mode."""
        at = message.as_of if isinstance(message, Market) else self.now
        await publish(self.doors.bus, self.mode, message, event_id, at)

    async def configure(self, *, tolerant: bool = False) -> bool:
        """Read anew what people set; a run and every net go by what is set now. Whether all was.

        Raises `Invalid` with a sentence for each document that cannot be read, when all others are
        taken up; if `tolerant`, for what a person needs on a bad day, they are told instead.
        Meanwhile trading is halted for such a `control`, a strategy is not enabled, and settings
        stay as they were.
        """
        archive = self.doors.archive
        (strategies, wrong), (settings, control) = await asyncio.gather(
            archive.strategies(), archive.settings_and_control()
        )
        if isinstance(settings, Invalid):
            wrong.append(str(settings))
            settings = self.desk.settings
        if isinstance(control, Invalid):
            wrong.append(str(control))
            control = ControlDocument(by="gateway", reason=str(control))
        self.happen(control)
        self.happen(Configured(settings, strategies))
        self.doors.session.allow_delayed(settings.delayed_data_allowed and self.mode is Mode.PAPER)
        if wrong and not tolerant:
            raise Invalid("; ".join(wrong))
        if wrong:
            self._tell_wrong("; ".join(wrong))
        return not wrong

    async def heed_control(self) -> None:
        """Take up the trading state as it is written now: people may do so without a command."""
        self.happen(await self.doors.archive.control_or_halt())

    async def reconcile(self) -> None:
        """Ask the four questions and settle what they say [R1]. Raises `BrokerUnavailable`."""
        self._settle(await self.doors.session.read())
        await self.persist()

    def net_again(self) -> None:
        """A net that an order's end made due may have failed with the broker away [N1d, N6]."""
        left = left_due(self.desk.orders, self.desk.generations)
        if left is not None:
            self.happen(NetAsked(left))

    async def look_around(self, *, tolerant: bool = False) -> bool:
        """What people set, and the four questions, at once: for an errand that writes next.

        A reading that found nothing new is written with what the errand writes. Raises `Invalid`
        (see `configure`), unless `tolerant`, and `BrokerUnavailable`. Whether all was read.
        """
        reading, is_whole = await asyncio.gather(
            self.doors.session.read(), self.configure(tolerant=tolerant), return_exceptions=True
        )
        if isinstance(reading, Reading):  # orders may go out from now on: it must count [R1]
            self._settle(reading)
        if isinstance(is_whole, BaseException):
            raise is_whole
        if isinstance(reading, BaseException):
            raise reading
        if not self.may_wait():
            await self.persist()
        return is_whole

    async def close_day(self) -> None:
        """Move what was over before today out of `openOrders`, and fold old ledger entries.

        Some at a time: a commit has a size limit.
        """
        while True:
            orders = day_end.over(self.desk, self.now)[:CLOSED_AT_ONCE]
            before = self.desk
            self.happen(day_end.closing(before, orders, self.now))
            if self.desk is before:
                return
            moved, deleted = closed_orders(before, self.desk)
            notes = self.notes(self.desk)
            documents = {**self.unwritten(), **moved, **notes}
            await self.doors.archive.write(documents, deleted=deleted)
            self.wrote(self.desk, notes)

    async def write_run(self, run: RunDocument) -> None:
        """Write a run document as it stands, with what changed, and tell it."""
        await self.persist({path_of(RunDocument, run_id=run.run_id): run})

    def finished(self, run: RunDocument, outcome: Outcome, reason: str = "") -> RunDocument:
        """The run document closed, and its report ready to be told."""
        closed = replace(
            run,
            state="DONE",
            outcome=outcome,
            reason=reason or run.reason,
            finished_at=self.now,
        )
        why = f": {closed.reason}" if closed.reason else ""
        orders = len(closed.orders)
        sentence = (
            f"{run.command} {run.run_id} {outcome}{why}; {orders} orders, "
            f"{len(closed.crosses)} crosses, {len(closed.refusals)} refusals"
        )
        said = {"command": run.command, "outcome": outcome, "reason": closed.reason}
        self.tell([Report("run", self.now, self.mode, sentence, run_id=run.run_id, details=said)])
        return closed

    def _tell_wrong(self, error: str) -> None:
        sentence, details = f"the configuration: {error}", {"alert": "configuration_wrong"}
        report = Report("alert", self.now, self.mode, sentence, details=details)
        if report not in self.untold:
            self.tell([report])

    def _settle(self, reading: Reading) -> None:
        self.desk = reconcile.settle(self.desk, reading, self.now)

"""What the system uses of the bus and the store, measured on the embedded stack in some 15 s.

`python -m infra.cost` puts prices on it. The embedded stack runs the same gateway and functions,
so what is counted here never goes stale; how often things happen comes from `infra.topology`.
"""

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from functions.registry import specs
from functions.watching import Watcher
from gateway.ports import Bus, Create, Put, Store, Write
from infra.bench import counts
from infra.bench.witness import Counts, counted
from infra.local import watchers
from infra.local.day import STRATEGIES
from infra.local.stack import MODE
from infra.topology import Schedule, Topology, topology
from schemas.codec import decode, encode
from schemas.messages import TOPICS, Report, topic_name
from schemas.watch import Watch

MESSAGE_BYTES_MIN: Final = 1_000
"""What Pub/Sub counts for a smaller request, publishing and each delivery alike."""

MESSAGE_BYTES_MORE: Final = 40
"""The timestamp and the message's id, which count too."""

ANSWERS_OF_A_DAYS_RUN: Final = len(STRATEGIES)


@dataclass(frozen=True, slots=True)
class Touched:
    """Documents that one call of a watching function read and wrote."""

    reads: int
    writes: int


@dataclass(frozen=True, slots=True)
class Measured:
    """The counts that prices are put on. `bytes_by_topic`: of one message, with its deliveries."""

    quiet: Counts
    ordering: Counts
    day: Counts
    day_runs: int
    day_orders: int
    bytes_by_topic: Mapping[str, int]
    reports: int
    logged_lines: int
    logged_bytes: int
    kept_bytes: int
    kept_documents: int
    look: Touched
    alarm: Touched


@dataclass(slots=True)
class Meter:
    """Weighs what goes through two doors, from outside: messages by topic, documents by path."""

    wanted: Topology
    sizes: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    documents: dict[str, int] = field(default_factory=dict)
    reports: list[bytes] = field(default_factory=list)

    def attach(self, bus: Bus, store: Store) -> None:
        """Weigh from now on whatever is done with these two very objects."""
        publish, commit, transact = bus.publish, store.commit, store.transact

        async def publishing(topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
            self.sizes[topic].append(self.billed(topic, data, attributes))
            if topic == topic_name(TOPICS[Report], MODE):
                self.reports.append(data)
            return await publish(topic, data, attributes)

        async def committing(writes: Sequence[Write]) -> None:
            await commit(writes)
            self._weigh(writes)

        async def transacting(reads: Sequence[str], decide: Any) -> Any:
            decided: list[Sequence[Write]] = []

            def noted(found: Any) -> Sequence[Write]:
                decided[:] = [decide(found)]
                return decided[0]

            found = await transact(reads, noted)
            self._weigh(decided[0])
            return found

        doors: tuple[tuple[object, str, object], ...] = (
            (bus, "publish", publishing),
            (store, "commit", committing),
            (store, "transact", transacting),
        )
        for door, name, watched in doors:
            setattr(door, name, watched)

    def billed(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> int:
        """What is charged for a message: published once, delivered to each subscription.

        A message that a filter keeps from a subscription is charged as if it were delivered.
        """
        said = sum(len(key) + len(value) for key, value in attributes.items())
        size = max(MESSAGE_BYTES_MIN, len(data) + said + MESSAGE_BYTES_MORE)
        return size * (1 + sum(one.topic == topic for one in self.wanted.subscriptions))

    def mean_bytes(self) -> dict[str, int]:
        """Of one message of each topic; the watchdog's is as Scheduler sends it."""
        watchdog = next(one for one in self.wanted.schedules if is_watchdog(one))
        said = self.billed(watchdog.topic, watchdog.message.encode(), {})
        means = {topic: round(sum(sizes) / len(sizes)) for topic, sizes in self.sizes.items()}
        return means | {watchdog.topic: said}

    def _weigh(self, writes: Sequence[Write]) -> None:
        for write in writes:
            if isinstance(write, Create | Put):
                self.documents[write.path] = len(json.dumps(write.data, default=str))


@dataclass(slots=True)
class CountingRecords:
    """`functions.watching.Records` that counts what it reads and writes, as Firestore would."""

    under: watchers.StoreRecords
    reads: int = 0
    writes: int = 0

    def get(self, path: str) -> dict[str, Any] | None:
        """The document, or None; a read either way."""
        self.reads += 1
        return self.under.get(path)

    def since(self, collection: str, field: str, at: datetime) -> list[dict[str, Any]]:
        """Documents since a moment; an empty answer is charged as one read."""
        return self._listed(self.under.since(collection, field, at))

    def among(self, collection: str, field: str, values: list[str]) -> list[dict[str, Any]]:
        """Documents with one of these values."""
        return self._listed(self.under.among(collection, field, values))

    def put(self, path: str, document: Mapping[str, Any]) -> None:
        """Write a document."""
        self.writes += 1
        self.under.put(path, document)

    def change(self, path: str, decide: Any) -> None:
        """Read, decide and write."""
        self.reads += 1
        self.writes += 1
        self.under.change(path, decide)

    def taken(self) -> Touched:
        """What was counted since the last call."""
        found = Touched(self.reads, self.writes)
        self.reads = self.writes = 0
        return found

    def _listed(self, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.reads += max(1, len(found))
        return found


class LoggedBytes(logging.Handler):
    """Counts lines of the log and their bytes, and writes none."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines = self.size = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count one line."""
        self.lines += 1
        self.size += len(record.getMessage())


@contextmanager
def logged() -> Iterator[LoggedBytes]:
    """What our own code logs meanwhile, at the level that the cloud's log gets."""
    handler, loggers = LoggedBytes(), [logging.getLogger(n) for n in ("gateway", "functions")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield handler
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)


async def measured() -> Measured:
    """Play a few runs and the demo's day, and count."""
    quiet, ordering = await counts.of_a_run()
    with logged() as lines:
        return await _of_the_day(quiet, ordering, lines)


async def _of_the_day(quiet: Counts, ordering: Counts, lines: LoggedBytes) -> Measured:
    async with counts.watched_day() as day:
        meter = Meter(topology(MODE, specs()))
        meter.attach(day.stack.bus, day.stack.store)
        ending = await day.play()
        seen, reports = counted(day.tally.taken()), tuple(meter.reports)
        records = CountingRecords(watchers.over_loop(day.outside.store, asyncio.get_running_loop()))
        look, alarm = await asyncio.to_thread(watched, records, reports, day.closes)
    return Measured(
        quiet=quiet,
        ordering=ordering,
        day=seen,
        day_runs=len(day.starts),
        day_orders=len(ending.orders),
        bytes_by_topic=meter.mean_bytes(),
        reports=len(reports),
        logged_lines=lines.lines,
        logged_bytes=lines.size,
        kept_bytes=sum(meter.documents.values()),
        kept_documents=len(meter.documents),
        look=look,
        alarm=alarm,
    )


def watched(
    records: CountingRecords, reports: Sequence[bytes], at: datetime
) -> tuple[Touched, Touched]:
    """A look of the watchdog over what the day left, and the dearest alert of the day's reports."""
    watching = Watcher(
        MODE,
        records,
        lambda: datetime.now(UTC),
        post=lambda _: None,
        publish=lambda _: None,
        write_line=lambda _: None,
    )
    schedules = topology(MODE, specs()).schedules
    watch = decode(Watch, next(s.message.encode() for s in schedules if is_watchdog(s)))
    watching.look(encode(replace(watch, at=at)))
    look, dearest = records.taken(), Touched(0, 0)
    for number, report in enumerate(reports):
        watching.alarm(f"usage-{number}", report)
        found = records.taken()
        dearest = Touched(max(dearest.reads, found.reads), max(dearest.writes, found.writes))
    return look, dearest


def is_watchdog(schedule: Schedule) -> bool:
    """Whether it is the watchdog's, which goes on day and night."""
    return schedule.topic == topic_name(TOPICS[Watch], MODE)

"""The watching functions over the embedded stack: the same code, its store in Firestore's place.

Functions are not asynchronous and run in threads, as under functions-framework; the embedded store
is. So each call opens the store's file anew, which no end of the stack can leave hanging.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from functions.watching import Watcher
from gateway.ports import Bus, Delivery, Document, Put, Reads, Store, Write
from infra.local.store import EmbeddedStore
from schemas import codec
from schemas.messages import TOPICS, Report, topic_name
from schemas.values import Mode

log = logging.getLogger(__name__)

CALL_SECONDS_MAX: Final = 10.0

type Work = Callable[[Store], Coroutine[Any, Any, Any]]
"""Something to do with a store."""


@dataclass(frozen=True, slots=True)
class StoreRecords:
    """`functions.watching.Records` over any store; `use` does the work and waits for it."""

    use: Callable[[Work], Any]

    def get(self, path: str) -> Document | None:
        """The document, or None."""
        found: Document | None = self.use(lambda store: store.get(path))
        return found

    def since(self, collection: str, field: str, at: datetime) -> list[Document]:
        """Documents of a collection whose timestamp is not before `at`."""
        found: Mapping[str, Document] = self.use(lambda store: _listed(store, collection))
        return [one for one in found.values() if one[field] >= at]

    def among(self, collection: str, field: str, values: list[str]) -> list[Document]:
        """Documents of a collection whose field has one of these values."""
        found: Mapping[str, Document] = self.use(lambda store: _listed(store, collection))
        return [one for one in found.values() if one[field] in values]

    def put(self, path: str, document: Mapping[str, Any]) -> None:
        """Write a whole document."""
        self.use(lambda store: store.commit([Put(path, dict(document))]))

    def change(
        self, path: str, decide: Callable[[Document | None], Mapping[str, Any] | None]
    ) -> None:
        """Read, decide and write in one transaction."""

        def decided(reads: Reads) -> list[Write]:
            document = decide(reads[path])
            return [] if document is None else [Put(path, dict(document))]

        async def work(store: Store) -> None:
            await store.transact([path], decided)

        self.use(work)


def over_file(path: Path) -> StoreRecords:
    """Records over the embedded store's file, to be used in any thread without an event loop."""

    def use(work: Work) -> Any:
        async def opened() -> Any:
            store = EmbeddedStore(path)
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(opened())

    return StoreRecords(use)


def over_loop(store: Store, loop: asyncio.AbstractEventLoop) -> StoreRecords:
    """Records over a store that lives on an event loop, to be used in another thread."""

    def use(work: Work) -> Any:
        return asyncio.run_coroutine_threadsafe(work(store), loop).result(CALL_SECONDS_MAX)

    return StoreRecords(use)


def watcher(mode: Mode, records: StoreRecords, bus: Bus) -> Watcher:
    """A watcher that writes to our log, publishes on the bus, and has no webhook.

    Made on the event loop, used in threads.
    """
    loop = asyncio.get_running_loop()

    def publish(report: Report) -> None:
        topic = topic_name(TOPICS[Report], mode)
        about = codec.attributes(report, f"functions-{report.at.isoformat()}", report.at)
        sent = bus.publish(topic, codec.encode(report), about)
        asyncio.run_coroutine_threadsafe(sent, loop).result(CALL_SECONDS_MAX)

    return Watcher(mode, records, lambda: datetime.now(UTC), publish=publish, write_line=log.info)


async def call(watching: Watcher, entry_point: str, delivery: Delivery) -> None:
    """One push to a watching function; what it raises has the message come again."""

    def run() -> None:
        if entry_point == "alerts":
            watching.alarm(delivery.message_id, delivery.data)
        else:
            watching.look(delivery.data)

    work = asyncio.create_task(asyncio.to_thread(run))
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])  # a thread cannot be ended, and writes to the stack's folder
        raise
    except Exception:
        log.exception("the function %s failed on message %s", entry_point, delivery.message_id)
        delivery.nack()
    else:
        delivery.ack()


async def _listed(store: Store, collection: str) -> Mapping[str, Document]:
    return await store.list(collection)

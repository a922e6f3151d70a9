"""The doors to the outside, as the commander sees them: a bus and a document store.

Each port has two implementations that pass one conformance suite (`tests/conformance`): Google's
clients (`gateway.bus`, `gateway.store`) and the embedded ones (`infra.local.bus`,
`infra.local.store`). The broker's door is not here: `gateway.session` is its only implementation.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

type Document = dict[str, Any]
"""A document as Firestore holds it: str keys; str, int, float, bool, None, aware datetime, lists
and maps of these as values. Lists directly inside lists are refused, as Firestore refuses them."""


class AlreadyExists(Exception):
    """`Create` met a document that is there already; nothing of the commit was written."""


class Conflict(Exception):
    """A transaction lost to other writers more often than it may retry; nothing was written."""


class Unavailable(Exception):
    """The bus or the store did not answer in time. The outcome of a write is unknown."""


class Denied(Exception):
    """We may not, or there is no such database or project; waiting mends it not. Nothing done."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of one message; at-least-once, so the same `message_id` may come again.

    `publish_time` is the bus's own (wall) time. `delivery_attempt` counts from 1; 0 when the bus
    does not tell. Exactly one of `ack` and `nack` should be called, from any thread, any time;
    after the ack deadline the message comes again all the same.
    """

    subscription: str
    message_id: str
    data: bytes
    attributes: Mapping[str, str]
    publish_time: datetime
    delivery_attempt: int
    ack: Callable[[], None]
    nack: Callable[[], None]


class Subscription(Protocol):
    """A running subscription. It ends only by `close()` or by failing."""

    async def wait(self) -> None:
        """Return when closed; raise what made the stream fail for good (e.g. it was deleted)."""

    async def close(self) -> None:
        """Stop delivering. What was delivered and not acked comes again to the next subscriber."""


class Bus(Protocol):
    """Pub/Sub: topics in, subscriptions out. Names are short ids (`targets-paper`)."""

    async def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        """Publish and return the message id once the bus has it durably.

        Raises `Unavailable` when it did not answer in time, `LookupError` for an unknown topic,
        `ValueError` for what Pub/Sub refuses (empty message, over 10 MB, attribute limits).
        """

    def subscribe(self, subscription: str, deliver: Callable[[Delivery], None]) -> Subscription:
        """Start delivering to `deliver`, which is called on the running event loop's thread."""

    async def close(self) -> None:
        """Close all subscriptions and flush the publisher."""


class Catalogue(Protocol):
    """What there is on a bus, for whoever checks it; reads only."""

    async def topics(self) -> tuple[str, ...]:
        """The names of all topics, sorted. Raises `Denied` and `Unavailable`."""

    async def subscriptions(self) -> Mapping[str, str]:
        """All subscriptions by name, sorted, with their topic; "" where that was deleted."""


@dataclass(frozen=True, slots=True)
class Create:
    """Write a document that must not exist yet."""

    path: str
    data: Document


@dataclass(frozen=True, slots=True)
class Put:
    """Write a whole document, whether or not it exists."""

    path: str
    data: Document


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a document; one that is absent is no error."""

    path: str


type Write = Create | Put | Delete
type Reads = Mapping[str, Document | None]


class Store(Protocol):
    """Firestore: documents under paths with an even number of segments (`runs/r1`)."""

    async def get(self, path: str) -> Document | None:
        """The document, or None. Raises `ValueError` for a path with an odd number of segments."""

    async def read(self, paths: Sequence[str]) -> Reads:
        """Several documents as they are at one moment, in one call; None for an absent one."""

    async def list(self, collection: str) -> Mapping[str, Document]:
        """All documents directly in a collection, path -> document, ordered by path."""

    async def find(self, collection: str, field: str, value: object) -> Mapping[str, Document]:
        """Documents of a collection whose (dotted) field equals a value, ordered by path."""

    async def newest(self, collection: str, field: str, count: int) -> Mapping[str, Document]:
        """The `count` documents with the highest values of a field, highest first.

        Those without the field are left out.
        """

    async def commit(self, writes: Sequence[Write]) -> None:
        """Apply all writes or none. Raises `AlreadyExists` if a `Create` meets a document."""

    async def transact(
        self, reads: Sequence[str], decide: Callable[[Reads], Sequence[Write]]
    ) -> Reads:
        """Read, decide, write, atomically; returns what was read in the pass that committed.

        `decide` must be pure: it is called again when another writer came between. What it raises
        ends the transaction with nothing written. Raises `AlreadyExists` and `Conflict`.

        After a lost answer Google's client tries again by itself, so `AlreadyExists` may mean our
        own earlier attempt: read the document to know.
        """

    async def close(self) -> None:
        """Release connections."""


class QueryStore(Store, Protocol):
    """A store for people who look: what they ask beyond what the commander needs."""

    async def time(self) -> datetime:
        """What time the store says it is. Raises `Denied` and `Unavailable`."""

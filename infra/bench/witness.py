"""Watching a stack from where its doors are: the broker's socket, the bus, the store.

Nothing in the product knows of it. What is seen is a list of moments; counting them is pure.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from gateway.ports import Bus, Reads, Store, Write
from gateway.simulator.exchange import Exchange
from gateway.simulator.replies import Delivery
from gateway.simulator.requests import PlaceOrder

LEASES = "leases/"
"""Renewing the lease belongs to real time, not to a run."""

_INSIDE: Final = ContextVar("inside a query", default=False)


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a client, as the simulator took it off its socket; `at` is monotonic.

    `processor_seconds` is what this process had used up to then.
    """

    at: float
    client_id: int
    body: Any
    processor_seconds: float = 0.0

    @property
    def is_order(self) -> bool:
        """Whether it is an order, as opposed to the question what one would cost."""
        return isinstance(self.body, PlaceOrder) and not self.body.terms.what_if


@dataclass(frozen=True, slots=True)
class Departure:
    """When an order, or the question what one would cost, was written to a socket here."""

    at: float
    processor_seconds: float


def departed(requests: Sequence[Request], departures: Sequence[Departure]) -> list[Request]:
    """Requests up to the first order, which counts from when it was written, if that was here.

    Who shares a thread with the broker goes on after the write, with what is not on the way to the
    order; the broker has the bytes, and takes them off its socket only when the other one waits.
    """
    last = next((n for n, one in enumerate(requests, 1) if one.is_order), len(requests))
    placed = sum(isinstance(one.body, PlaceOrder) for one in requests[:last])
    if not placed or len(departures) < placed:
        return list(requests[:last])
    left = departures[placed - 1]
    order = replace(requests[last - 1], at=left.at, processor_seconds=left.processor_seconds)
    return [*requests[: last - 1], order]


class WatchedExchange(Exchange):
    """The exchange it was made of, the very same state, which notes the requests."""

    def __init__(self, watched: Exchange) -> None:
        self.__dict__.update(watched.__dict__)  # not shared: Python 3.13 loses a shared one
        self.requests: list[Request] = []
        self.ordered = asyncio.Event()

    def handle(self, client_id: int, request: Any, now: datetime) -> list[Delivery]:
        """Note the request, then answer it."""
        seen = Request(time.monotonic(), client_id, request, time.process_time())
        self.requests.append(seen)
        if seen.is_order:
            self.ordered.set()
        return super().handle(client_id, request, now)

    def forget(self) -> None:
        """Begin a new list."""
        self.requests = []
        self.ordered.clear()


@dataclass(frozen=True, slots=True)
class Moment:
    """One call at a door, with the documents that it read and wrote.

    `what` is the topic, or the path that came first. An empty query reads one, as it is charged.
    """

    door: Literal["bus", "store"]
    what: str
    reads: int = 0
    writes: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """What was done at the doors. Reads and writes are documents, as Firestore charges them.

    `calls` are those of the store; each is a round trip that is waited for.
    """

    messages: int
    commits: int
    writes: int
    reads: int
    calls: int


def counted(moments: Iterable[Moment]) -> Counts:
    """Add up."""
    seen = list(moments)
    return Counts(
        messages=sum(moment.door == "bus" for moment in seen),
        commits=sum(moment.writes > 0 for moment in seen),
        writes=sum(moment.writes for moment in seen),
        reads=sum(moment.reads for moment in seen),
        calls=sum(moment.door == "store" for moment in seen),
    )


class Tally:
    """Notes from now on whatever is done with these two very objects, by whoever has them."""

    def __init__(self, bus: Bus, store: Store) -> None:
        self.moments: list[Moment] = []
        watches: tuple[tuple[object, str, Callable[[_Method], _Method]], ...] = (
            (bus, "publish", self._publish),
            (store, "get", self._get),
            (store, "read", self._read),
            (store, "list", self._query),
            (store, "find", self._query),
            (store, "newest", self._query),
            (store, "commit", self._commit),
            (store, "transact", self._transact),
        )
        for door, name, watched in watches:
            setattr(door, name, watched(getattr(door, name)))

    def taken(self) -> list[Moment]:
        """The moments since the last call."""
        moments, self.moments = self.moments, []
        return moments

    def _publish(self, publish: "_Method") -> "_Method":
        async def watched(topic: str, data: bytes, attributes: Mapping[str, str]) -> Any:
            self.moments.append(Moment("bus", topic))
            return await publish(topic, data, attributes)

        return watched

    def _get(self, get: "_Method") -> "_Method":
        async def watched(path: str) -> Any:
            self.moments.append(Moment("store", path, reads=1))
            return await get(path)

        return watched

    def _read(self, read: "_Method") -> "_Method":
        async def watched(paths: Sequence[str]) -> Any:
            self.moments.append(Moment("store", paths[0], reads=len(paths)))
            return await read(paths)

        return watched

    def _query(self, query: "_Method") -> "_Method":
        async def watched(collection: str, *condition: object) -> Any:
            if _INSIDE.get():  # the embedded store's `find` goes through its own `list`
                return await query(collection, *condition)
            token = _INSIDE.set(True)
            try:
                found = await query(collection, *condition)
            finally:
                _INSIDE.reset(token)
            self.moments.append(Moment("store", collection, reads=max(1, len(found))))
            return found

        return watched

    def _commit(self, commit: "_Method") -> "_Method":
        async def watched(writes: Sequence[Write]) -> None:
            self.moments.append(Moment("store", _first(writes), writes=len(writes)))
            await commit(writes)

        return watched

    def _transact(self, transact: "_Method") -> "_Method":
        async def watched(reads: Sequence[str], decide: _Decide) -> Any:
            written: list[Sequence[Write]] = []

            def noted(found: Reads) -> Sequence[Write]:
                written[:] = [decide(found)]
                return written[0]

            found = await transact(reads, noted)
            renews = written[0] and all(one.path.startswith(LEASES) for one in written[0])
            if not renews:
                self.moments.append(Moment("store", reads[0], len(reads), len(written[0])))
            return found

        return watched


type _Method = Callable[..., Awaitable[Any]]
type _Decide = Callable[[Reads], Sequence[Write]]


def _first(writes: Sequence[Write]) -> str:
    return writes[0].path if writes else "nothing"

"""Counting what goes through the doors, on the real embedded bus and store."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest

from gateway.ports import AlreadyExists, Create, Put, Reads, Write
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import OrderTerms
from gateway.simulator.requests import PlaceOrder
from infra.bench.witness import Counts, Departure, Moment, Request, Tally, counted, departed
from infra.local.bus import EmbeddedBus
from infra.local.store import EmbeddedStore
from infra.topology import Topology

ORDER = PlaceOrder(1, Contract(), OrderTerms())
PREVIEW = PlaceOrder(1, Contract(), OrderTerms(what_if=True))


@dataclass(frozen=True, slots=True)
class Doors:
    bus: EmbeddedBus
    store: EmbeddedStore
    tally: Tally


@pytest.fixture
async def doors() -> AsyncIterator[Doors]:
    bus = EmbeddedBus(":memory:", Topology("paper", ("targets-paper",), (), ()))
    store = EmbeddedStore(":memory:")
    yield Doors(bus, store, Tally(bus, store))
    await bus.close()
    await store.close()


def test_without_a_departure_an_order_counts_from_its_arrival() -> None:
    """The gateway of the emulators' stack is another process."""
    question, preview = Request(1.0, 1, object()), Request(2.0, 1, PREVIEW)
    order, late = Request(3.0, 1, ORDER), Request(4.0, 1, ORDER)
    requests = [question, preview, order, late]
    assert departed(requests, []) == [question, preview, order]
    assert departed(requests, [Departure(1.9, 0.1)]) == [question, preview, order]
    left = [Departure(1.9, 0.1), Departure(2.9, 0.2), Departure(3.9, 0.3)]
    assert departed(requests, left) == [question, preview, Request(2.9, 1, ORDER, 0.2)]
    assert departed([question], left) == [question]


async def test_a_published_message_is_counted_with_its_topic(doors: Doors) -> None:
    await doors.bus.publish("targets-paper", b"{}", {})
    assert doors.tally.taken() == [Moment("bus", "targets-paper")]


async def test_a_commit_counts_its_documents(doors: Doors) -> None:
    await doors.store.commit([Put("runs/r1", {"a": 1}), Put("runs/r2", {"a": 2})])
    assert doors.tally.taken() == [Moment("store", "runs/r1", writes=2)]


async def test_an_empty_query_counts_as_one_read(doors: Doors) -> None:
    assert await doors.store.list("runs") == {}
    assert doors.tally.taken() == [Moment("store", "runs", reads=1)]


async def test_a_query_counts_the_documents_found(doors: Doors) -> None:
    await doors.store.commit([Put("runs/r1", {"a": 1}), Put("runs/r2", {"a": 1})])
    doors.tally.taken()
    assert len(await doors.store.find("runs", "a", 1)) == 2
    assert doors.tally.taken() == [Moment("store", "runs", reads=2)]


async def test_a_transaction_counts_what_it_read_and_wrote(doors: Doors) -> None:
    def decide(reads: Reads) -> Sequence[Write]:
        return [Create("runs/r1", {"a": 1})]

    await doors.store.transact(["control/paper", "runs/r0"], decide)
    assert doors.tally.taken() == [Moment("store", "control/paper", reads=2, writes=1)]


async def test_the_renewal_of_the_lease_is_not_counted(doors: Doors) -> None:
    await doors.store.transact(["leases/paper"], lambda reads: [Put("leases/paper", {"a": 1})])
    assert doors.tally.taken() == []


async def test_a_watched_store_raises_what_the_store_raises(doors: Doors) -> None:
    await doors.store.commit([Create("runs/r1", {})])
    with pytest.raises(AlreadyExists):
        await doors.store.commit([Create("runs/r1", {})])


def test_what_is_taken_is_counted_once() -> None:
    moments = [
        Moment("bus", "targets-paper"),
        Moment("store", "runs/r1", reads=1),
        Moment("store", "leases/paper", reads=4, writes=3),
        Moment("store", "runs/r1", writes=2),
    ]
    assert counted(moments) == Counts(messages=1, commits=2, writes=5, reads=5, calls=3)

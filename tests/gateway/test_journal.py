"""The journal before the act [W1]: each check refuses, and then nothing is written at all."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from gateway import journal
from gateway.archive import Archive
from gateway.core.desk import Desk
from gateway.core.events import Journaled
from gateway.core.fold import evolve
from gateway.core.netting import Plan
from gateway.lease import Lease, LeaseLost
from gateway.ports import AlreadyExists, Document, Put, Reads, Store
from infra.local.store import EmbeddedStore
from schemas import codec
from schemas.documents import (
    CrossDocument,
    GenerationDocument,
    Latch,
    LeaseDocument,
    OrderDocument,
    RunDocument,
    Share,
    path_of,
)
from schemas.settings import ControlDocument
from schemas.values import Contract, Mode, TradingState
from tests.order_documents import order_document

NOW = datetime(2026, 2, 27, 15, 30, tzinfo=UTC)
SPY = Contract("SPY", con_id=756733)
RUN = RunDocument("r1", "run", "message 1", NOW, "DONE", "done")
ACTIVE = ControlDocument(TradingState.ACTIVE, "ann")


def an_order(generation: int = 1) -> OrderDocument:
    shares = (Share("alpha", Decimal(10)),)
    return order_document(NOW, contract=SPY, generation=generation, allocations=shares)


def a_cross(generation: int = 1) -> CrossDocument:
    shares = (Share("alpha", Decimal(4)), Share("beta", Decimal(-4)))
    name = f"paper-756733-{generation}-cross"
    price = Decimal(600)
    return CrossDocument(name, SPY, shares, price, "mid", NOW, NOW, "r1", 1, generation)


@dataclass
class Office:
    """A store with a lease that is held and active trading, and a desk to journal from."""

    archive: Archive
    lease: Lease
    desk: Desk

    async def put(self, document: Any, **path: object) -> None:
        data = codec.to_document(document)
        await self.archive.store.commit([Put(path_of(type(document), **path), data)])

    async def record(self, *orders: OrderDocument, cross: CrossDocument | None = None) -> None:
        """Journal a net of these."""
        plan = Plan(orders=orders, crosses=(cross,) if cross else ())
        made = Journaled(plan.orders, plan.crosses)
        after = evolve(made, self.desk, NOW)
        run_path = path_of(RunDocument, run_id="r1")
        entry = journal.Entry(self.desk, after, plan, {run_path: RUN})
        await journal.record(self.archive, self.lease, entry)

    async def has_written(self) -> bool:
        """Whether any of order, cross, generation, books and run is there."""
        collections = ("openOrders", "generations", "holdings")
        found = [await self.archive.store.list(f"positions/paper/{name}") for name in collections]
        found += [await self.archive.store.list(name) for name in ("crosses", "runs")]
        return any(found)


@pytest_asyncio.fixture
async def office() -> AsyncIterator[Office]:
    archive = Archive(EmbeddedStore(":memory:"), Mode.PAPER)
    lease = Lease(archive, "one")
    await lease.acquire()
    made = Office(archive, lease, Desk(Mode.PAPER, epoch=1, control=ACTIVE))
    await made.put(ACTIVE, mode=Mode.PAPER)
    yield made
    await archive.store.close()


async def test_a_net_is_written_whole(office: Office) -> None:
    await office.record(an_order(), cross=a_cross())
    store = office.archive.store
    generation = await office.archive.read(GenerationDocument, "positions/paper/generations/756733")
    assert generation == GenerationDocument(1, "paper-756733-1")
    assert set(await store.list("crosses")) == {"crosses/paper-756733-1-cross"}
    assert set(await store.list("positions/paper/openOrders")) == {
        "positions/paper/openOrders/paper-756733-1"
    }
    assert {path.rpartition("/")[2] for path in await store.list("positions/paper/holdings")} == {
        "alpha",
        "beta",
    }
    assert await office.archive.read(RunDocument, "runs/r1") == RUN


async def test_a_lease_that_another_holds_writes_nothing(office: Office) -> None:
    await office.put(LeaseDocument("two", 2, NOW, NOW), mode=Mode.PAPER)
    with pytest.raises(LeaseLost, match="held by two with epoch 2, not one 1"):
        await office.record(an_order())
    assert not await office.has_written()


@pytest.mark.parametrize(
    ("planned", "found"),
    [("active", "reduce_only"), ("active", "halted"), ("reduce_only", "halted")],
)
async def test_a_trading_state_stricter_than_planned_writes_nothing(
    office: Office, planned: str, found: str
) -> None:
    office.desk = replace(office.desk, control=ControlDocument(TradingState(planned)))
    await office.put(ControlDocument(TradingState(found), "ann"), mode=Mode.PAPER)
    with pytest.raises(journal.JournalRefused, match=f"trading is {found} by now, by ann"):
        await office.record(an_order())
    assert not await office.has_written()


async def test_a_trading_state_that_became_looser_is_no_reason_to_wait(office: Office) -> None:
    office.desk = replace(office.desk, control=ControlDocument(TradingState.REDUCE_ONLY))
    await office.record(an_order())
    assert await office.has_written()


async def test_a_net_made_while_latched_may_go_on_when_people_say_reduce_only(
    office: Office,
) -> None:
    """It was made as strict as that already."""
    latch = Latch("daily_loss", "too much was lost", NOW)
    office.desk = replace(office.desk, reduce_only=latch)
    await office.put(ControlDocument(TradingState.REDUCE_ONLY, "ann"), mode=Mode.PAPER)
    await office.record(an_order())
    assert await office.has_written()


@pytest.mark.parametrize("data", [None, {"state": "go"}, {"stat": "active"}])
async def test_a_control_that_is_absent_or_spoilt_writes_nothing(
    office: Office, data: dict[str, Any] | None
) -> None:
    """Halted is the default, and what nobody can read is no permission."""
    path = path_of(ControlDocument, mode=Mode.PAPER)
    await office.archive.store.commit([Put(path, data or {})])
    with pytest.raises(journal.JournalRefused, match=r"halted by now|control/paper: stat"):
        await office.record(an_order())
    assert not await office.has_written()


@pytest.mark.parametrize("number", [1, 2, 7])
async def test_a_number_that_is_not_the_next_writes_nothing(office: Office, number: int) -> None:
    path = "positions/paper/generations/756733"
    document = codec.to_document(GenerationDocument(number, "paper-756733-9"))
    await office.archive.store.commit([Put(path, document)])
    with pytest.raises(journal.JournalRefused, match=f"is at {number}, the plan was made for 1"):
        await office.record(an_order())
    assert await office.archive.read(RunDocument, "runs/r1") is None


@pytest.mark.parametrize("state", ["PENDING", "WORKING", "CANCELLING", "UNKNOWN"])
async def test_a_previous_order_that_is_not_over_writes_nothing(office: Office, state: Any) -> None:
    """[N5]: the desk believes it is over, the document knows better."""
    previous = replace(an_order(), state="DONE", outcome="cancelled")
    office.desk = replace(
        office.desk, orders={previous.order_ref: previous}, generations={756733: 1}
    )
    stored = replace(previous, state=state, outcome="")
    await office.put(stored, mode=Mode.PAPER, order_ref=previous.order_ref)
    await office.put(GenerationDocument(1, previous.order_ref), mode=Mode.PAPER, con_id=756733)
    with pytest.raises(journal.JournalRefused, match=f"{previous.order_ref} is {state}, not DONE"):
        await office.record(an_order(2))
    assert await office.archive.read(RunDocument, "runs/r1") is None


async def test_an_order_that_is_there_already_writes_nothing(office: Office) -> None:
    """Our own tables contradict each other: refused aloud, no crash that repeats itself."""
    await office.put(an_order(), mode=Mode.PAPER, order_ref="paper-756733-1")
    with pytest.raises(journal.JournalRefused, match=r"was written before: .*paper-756733-1"):
        await office.record(an_order(), cross=a_cross())
    assert await office.archive.store.list("crosses") == {}
    assert await office.archive.read(RunDocument, "runs/r1") is None


@dataclass
class Repeating:
    """A store as Google's client is: an answer is lost, so it writes the same once more.

    `decides_anew`: the repeated commit was aborted, so that all is read and decided again.
    """

    store: Store
    decides_anew: bool

    async def get(self, path: str) -> Document | None:
        return await self.store.get(path)

    async def transact(self, reads: Any, decide: Any) -> Reads:
        found = await self.store.transact(reads, decide)
        if self.decides_anew:
            return await self.store.transact(reads, decide)
        raise AlreadyExists(f"what was written after reading {sorted(found)}")


@pytest.mark.parametrize("decides_anew", [False, True])
async def test_an_entry_whose_answer_was_lost_is_written(
    office: Office, decides_anew: bool
) -> None:
    """[W1] Taken for another's, its contract would be refused until a restart."""
    store: Any = Repeating(office.archive.store, decides_anew)
    office.archive = replace(office.archive, store=store)
    await office.record(an_order(), cross=a_cross())
    path = path_of(OrderDocument, mode=Mode.PAPER, order_ref="paper-756733-1")
    assert await office.archive.read(OrderDocument, path) == an_order()
    with pytest.raises(journal.JournalRefused):  # another net of the same number is not
        await office.record(replace(an_order(), run_id="r2"))

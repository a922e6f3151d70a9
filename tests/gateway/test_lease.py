"""One gateway acts per mode [R3]: real time, but as little of it as shows the rule."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.archive import Archive
from gateway.lease import Lease, LeaseLost, LeaseTimes
from gateway.ports import Delete, Document, Put
from infra.local.store import EmbeddedStore
from schemas import codec
from schemas.documents import LeaseDocument
from schemas.settings import ControlDocument
from schemas.values import Mode, TradingState

SHORT = LeaseTimes(ttl_seconds=0.05, renew_seconds=0.01, margin_seconds=0.01)


@pytest.fixture
async def archive() -> AsyncIterator[Archive]:
    store = EmbeddedStore(":memory:")
    yield Archive(store, Mode.PAPER)
    await store.close()


async def document(archive: Archive) -> LeaseDocument:
    found = await archive.read(LeaseDocument, "leases/paper")
    assert found is not None
    return found


def unheard(control: ControlDocument) -> None:
    """What people set is not what these tests are about."""


async def heard(archive: Archive) -> ControlDocument:
    """What the first renewal hears."""
    lease = Lease(archive, "one", replace(SHORT, ttl_seconds=60.0))
    await lease.acquire()
    first: asyncio.Future[ControlDocument] = asyncio.get_running_loop().create_future()

    def hear(control: ControlDocument) -> None:
        if not first.done():
            first.set_result(control)

    keeping = asyncio.create_task(lease.keep(hear))
    try:
        return await asyncio.wait_for(first, 30)
    finally:
        keeping.cancel()


async def test_a_renewal_hears_what_people_wrote_into_control(archive: Archive) -> None:
    """[R4] A halt by hand needs no net to be known."""
    written = ControlDocument(TradingState.REDUCE_ONLY, "ann", "a doubt")
    await archive.store.commit([Put("control/paper", codec.to_document(written))])
    assert await heard(archive) == written


@pytest.mark.parametrize(
    ("document", "reason"),
    [(None, ""), ({"state": "aktive"}, "control/paper: state: must be one of active, reduce_only")],
)
async def test_a_control_that_is_absent_or_wrong_is_heard_as_a_halt(
    archive: Archive, document: Document | None, reason: str
) -> None:
    """And loses no lease by it."""
    if document is not None:
        await archive.store.commit([Put("control/paper", document)])
    control = await heard(archive)
    assert control.state is TradingState.HALTED
    assert control.reason.startswith(reason)


async def test_the_first_lease_has_epoch_1_and_says_whose_it_is(archive: Archive) -> None:
    lease = Lease(archive, "one")
    await lease.acquire()
    found = await document(archive)
    assert (lease.epoch, found.owner, found.epoch) == (1, "one", 1)
    assert found.expires_at - found.renewed_at == timedelta(seconds=30)


async def test_two_leases_are_never_held_at_once(archive: Archive) -> None:
    one, two = Lease(archive, "one"), Lease(archive, "two")
    await one.acquire()
    waiting = asyncio.create_task(two.acquire())
    await asyncio.sleep(0.02)
    assert (one.is_held(), two.is_held(), waiting.done()) == (True, False, False)
    waiting.cancel()


async def test_a_released_lease_is_free_at_once_and_the_epoch_grows(archive: Archive) -> None:
    one, two = Lease(archive, "one"), Lease(archive, "two")
    await one.acquire()
    await one.release()
    async with asyncio.timeout(1):  # far less than the 33 s of a lease that is waited out
        await two.acquire()
    assert (one.is_held(), two.is_held(), two.epoch) == (False, True, 2)


async def test_a_lease_that_was_not_given_back_is_waited_out(archive: Archive) -> None:
    await Lease(archive, "one", SHORT).acquire()
    two = Lease(archive, "two", SHORT)
    await two.acquire()
    assert (two.epoch, (await document(archive)).owner) == (2, "two")


async def test_a_lease_whose_clock_is_behind_ours_is_not_taken_for_expired(
    archive: Archive,
) -> None:
    """[R3]: the wait counts from the last renewal *seen*, whatever times the document names."""
    then = datetime.now(UTC) - timedelta(hours=1)
    alive = LeaseDocument("one", 7, then, then + timedelta(seconds=30))
    await archive.store.commit([Put("leases/paper", codec.to_document(alive))])
    waiting = asyncio.create_task(Lease(archive, "two", SHORT).acquire())
    await asyncio.sleep(0.03)
    assert not waiting.done()
    waiting.cancel()


async def test_a_renewal_begins_the_wait_anew(archive: Archive) -> None:
    one, two = Lease(archive, "one", SHORT), Lease(archive, "two", SHORT)
    await one.acquire()
    keeping = asyncio.create_task(one.keep(unheard))
    waiting = asyncio.create_task(two.acquire())
    await asyncio.sleep(0.15)
    assert not waiting.done()
    keeping.cancel()
    await waiting
    assert two.epoch == 2


async def test_a_lease_that_another_took_raises_and_is_not_held(archive: Archive) -> None:
    one, two = Lease(archive, "one"), Lease(archive, "two", SHORT)
    await one.acquire()
    await archive.store.commit([Delete("leases/paper")])
    await two.acquire()
    one.times = SHORT
    with pytest.raises(LeaseLost, match="held by two with epoch 1, not one 1"):
        await one.keep(unheard)
    assert not one.is_held()


async def test_a_lease_of_the_same_owner_with_another_epoch_is_not_ours(archive: Archive) -> None:
    """Two gateways that were given one name are still two."""
    one, two = Lease(archive, "gateway"), Lease(archive, "gateway")
    await one.acquire()
    await one.release()
    await two.acquire()
    with pytest.raises(LeaseLost, match="held by gateway with epoch 2, not gateway 1"):
        one.check(await archive.transact([one.path], lambda reads: []))


async def test_a_lease_that_lies_nowhere_is_lost(archive: Archive) -> None:
    with pytest.raises(LeaseLost, match="held by nobody"):
        Lease(archive, "one").check({"leases/paper": None})


async def test_a_lease_is_not_held_within_its_margin(archive: Archive) -> None:
    """[W2]: an order written in the last moment would arrive after it."""
    lease = Lease(archive, "one", LeaseTimes(ttl_seconds=3, margin_seconds=3))
    await lease.acquire()
    assert not lease.is_held()


async def test_the_release_of_a_lease_that_is_not_ours_changes_nothing(archive: Archive) -> None:
    one, two = Lease(archive, "one"), Lease(archive, "two")
    await one.acquire()
    await two.release()
    assert (await document(archive)).owner == "one"

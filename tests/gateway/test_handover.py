"""Waiting for the gateway that runs: over a real one, and over leases that a dead one left."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from gateway import handover
from gateway.handover import Patience, StillHeld, vacated
from gateway.ports import Document, Unavailable
from infra.local.rig import MODE, Rig, rigged
from infra.local.store import EmbeddedStore
from schemas import codec
from schemas.documents import LeaseDocument

SOON = Patience(total_seconds=40.0, margin_seconds=0.05, poll_seconds=0.01)
NEVER = Patience(total_seconds=0.2, margin_seconds=0.05, poll_seconds=0.01)


@pytest.fixture
async def bench() -> AsyncIterator[Rig]:
    async with rigged() as made:
        yield made


async def test_a_project_without_any_gateway_needs_no_waiting(bench: Rig) -> None:
    assert await vacated(bench.store, MODE, SOON) == "no gateway has ever held leases/paper."


async def test_it_waits_until_the_gateway_that_was_told_to_stop_has_given_its_lease_back(
    rig: Rig,
) -> None:
    """[R3] What SIGTERM does to a gateway, `Rig.stop` does."""
    waiting = asyncio.create_task(vacated(rig.store, MODE, SOON))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await rig.stop()
    assert await waiting == "leases/paper was given back, epoch 1."


async def test_a_gateway_that_goes_on_is_named_and_nothing_is_to_be_started(rig: Rig) -> None:
    with pytest.raises(StillHeld) as raised:
        await vacated(rig.store, MODE, NEVER)
    assert str(raised.value) == (
        "leases/paper is held by gateway-1, epoch 1, who renews it; waited 0.2 s"
    )
    assert rig.chief is not None
    assert rig.chief.floor.doors.lease.is_held()


async def test_a_killed_gateway_is_waited_out_by_our_own_clock(bench: Rig) -> None:
    """Its times may be years off: only that they no longer change counts."""
    long_ago = datetime(2001, 1, 1, tzinfo=UTC)
    left = LeaseDocument("pod-1", 7, long_ago, long_ago + timedelta(seconds=0.2))
    await bench.put(left, mode=MODE)
    said = await vacated(bench.store, MODE, SOON)
    assert said.startswith("leases/paper was not given back, but pod-1, epoch 7, has not renewed")


class Renewing(EmbeddedStore):
    """A store in which somebody renews a short lease between any two looks."""

    looks = 0

    async def get(self, path: str) -> Document | None:
        self.looks += 1
        at = datetime.now(UTC) + timedelta(microseconds=self.looks)
        return codec.to_document(LeaseDocument("pod-1", 7, at, at + timedelta(seconds=0.1)))


async def test_a_lease_that_is_renewed_meanwhile_is_not_taken_for_a_dead_ones() -> None:
    store = Renewing(":memory:")
    patience = Patience(total_seconds=0.3, margin_seconds=0.0, poll_seconds=0.01)
    with pytest.raises(StillHeld, match="pod-1, epoch 7, who renews it"):
        await vacated(store, MODE, patience)
    assert store.looks > 1
    await store.close()


class Away(EmbeddedStore):
    """A store that does not answer for the first questions."""

    silent = 3

    async def get(self, path: str) -> Document | None:
        self.silent -= 1
        if self.silent >= 0:
            raise Unavailable("no answer in 5 s")
        return await super().get(path)


async def test_a_store_that_is_away_is_asked_again_and_never_taken_for_a_free_lease() -> None:
    store = Away(":memory:")
    assert await vacated(store, MODE, SOON) == "no gateway has ever held leases/paper."
    store.silent = 1_000_000
    with pytest.raises(StillHeld, match="leases/paper cannot be read: no answer in 5 s; waited"):
        await vacated(store, MODE, NEVER)
    await store.close()


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        ({"MODE": ""}, 2, "gateway.handover: MODE must be set\n"),
        ({"GOOGLE_CLOUD_PROJECT": ""}, 2, "gateway.handover: GOOGLE_CLOUD_PROJECT must be set\n"),
        ({}, 1, "gateway.handover: there are no Google credentials here"),
    ],
)
def test_what_it_lacks_it_says_and_ends_with_the_code_for_it(
    bare: pytest.MonkeyPatch,
    changed: dict[str, str],
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in changed.items():
        bare.setenv(name, value)
    assert handover.main([]) == code
    assert capsys.readouterr().err.startswith(said)

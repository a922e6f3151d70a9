"""Firestore by types: what cannot be read is named by document and field."""

from collections.abc import AsyncIterator

import pytest

from gateway.archive import Archive
from gateway.lease import Lease, LeaseLost, LeaseTimes
from gateway.ports import Put
from infra.local.store import EmbeddedStore
from schemas import codec
from schemas.documents import RunDocument
from schemas.settings import ControlDocument, Settings, StrategyDocument
from schemas.values import Mode, TradingState


@pytest.fixture
async def archive() -> AsyncIterator[Archive]:
    store = EmbeddedStore(":memory:")
    yield Archive(store, Mode.PAPER)
    await store.close()


async def put(archive: Archive, path: str, **data: object) -> None:
    await archive.store.commit([Put(path, data)])


async def test_an_absent_control_is_halted(archive: Archive) -> None:
    _, control = await archive.settings_and_control()
    assert control == ControlDocument(TradingState.HALTED)


async def test_the_settings_of_the_mode_lie_over_the_common_ones(archive: Archive) -> None:
    await put(archive, "config/common", fresh_minutes=5, answer_seconds=7)
    await put(archive, "config/paper", fresh_minutes=9)
    assert await archive.settings() == Settings(fresh_minutes=9, answer_seconds=7)


async def test_settings_of_another_mode_are_not_read(archive: Archive) -> None:
    await put(archive, "config/live", fresh_minutes=5)
    assert await archive.settings() == Settings()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"stat": "halted"}, "control/paper: stat: unknown field, did you mean state"),
        ({"state": "stopped"}, "control/paper: state: must be one of active, reduce_only, halted"),
    ],
)
async def test_a_document_that_cannot_be_read_is_named_with_its_field(
    archive: Archive, data: dict[str, object], reason: str
) -> None:
    await put(archive, "control/paper", **data)
    settings, control = await archive.settings_and_control()
    assert settings == Settings()
    assert isinstance(control, codec.Invalid)
    assert reason in str(control)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
async def test_a_setting_that_is_no_number_is_refused(archive: Archive, number: str) -> None:
    """Compared with a bound it would raise, or pass."""
    await put(archive, "config/paper", exposure_overall=number)
    with pytest.raises(codec.Invalid, match="exposure_overall: must be a finite number"):
        await archive.settings()


async def test_one_spoilt_strategy_leaves_the_others_readable(archive: Archive) -> None:
    await put(archive, "strategies/alpha", enabled=True, weight="0.5")
    await put(archive, "strategies/beta", enabled="yes")
    read, wrong = await archive.strategies()
    assert read["alpha"].enabled
    assert read["beta"] == StrategyDocument()
    assert [sentence.partition(": ")[0] for sentence in wrong] == ["strategies/beta"]


async def test_runs_left_open_are_found_in_either_state(archive: Archive) -> None:
    for run_id, state in (("a", "STARTED"), ("b", "ASKED"), ("c", "DONE")):
        await put(archive, f"runs/{run_id}", **a_run(run_id, state))
    found, wrong = await archive.unfinished_runs()
    assert ({run.run_id for run in found}, wrong) == ({"a", "b"}, [])


async def test_an_open_run_that_cannot_be_read_leaves_the_others_readable(archive: Archive) -> None:
    await put(archive, "runs/a", **a_run("a", "STARTED"))
    await put(archive, "runs/b", **a_run("b", "STARTED"), invented=1)
    found, wrong = await archive.unfinished_runs()
    assert [run.run_id for run in found] == ["a"]
    assert wrong == [
        "runs/b: invented: unknown field; it stays open, set its state to DONE by hand"
    ]


def a_run(run_id: str, state: str) -> dict[str, object]:
    fields = {"run_id": run_id, "command": "run", "trigger": "message 1", "state": state}
    return {**fields, "started_at": "2026-02-27T15:30:00Z"}


async def test_an_empty_archive_remembers_nothing(archive: Archive) -> None:
    stored = await archive.stored()
    assert (stored.ledgers, stored.targets, stored.orders) == ({}, {}, {})


async def test_the_brokers_own_list_is_no_ledger(archive: Archive) -> None:
    holdings = "positions/paper/holdings"
    await put(archive, f"{holdings}/all_positions", as_of="2026-02-27T15:30:00Z", positions={})
    await put(archive, f"{holdings}/EXTERNAL", positions={})
    assert set((await archive.stored()).ledgers) == {"EXTERNAL"}


async def test_reading_what_is_absent_is_none(archive: Archive) -> None:
    assert await archive.read(RunDocument, "runs/none") is None
    assert await archive.read(ControlDocument, "control/paper") is None


async def test_without_its_lease_a_gateway_writes_nothing(archive: Archive) -> None:
    """[R3]: one that slept past its lease must not put its old books over the next one's."""
    lease = Lease(archive, "sleeper", LeaseTimes(ttl_seconds=0, margin_seconds=0))
    await lease.acquire()
    fenced = Archive(archive.store, Mode.PAPER, lease.check_held)
    with pytest.raises(LeaseLost, match="leases/paper of sleeper 1 ran out"):
        await fenced.write({"control/paper": ControlDocument(TradingState.ACTIVE)})
    assert (await archive.control_or_halt()).state is TradingState.HALTED

"""What the bill's measurements count, and how."""

import logging
from collections.abc import Mapping
from typing import Any

import pytest

from functions.registry import specs
from gateway.ports import Put
from infra.local.bus import EmbeddedBus
from infra.local.store import EmbeddedStore
from infra.local.watchers import StoreRecords
from infra.topology import Topology, topology
from infra.usage import CountingRecords, Meter, Touched, is_watchdog, logged
from schemas.values import Mode


@pytest.fixture(scope="module")
def wanted() -> Topology:
    return topology(Mode.PAPER, specs())


def test_a_small_message_counts_as_a_thousand_bytes_for_each_who_gets_it(wanted: Topology) -> None:
    meter = Meter(wanted)
    assert meter.billed("targets-paper", b"{}", {}) == 2 * 1_000  # published, and to the gateway
    assert meter.billed("reports-paper", b"{}", {}) == 3 * 1_000  # to the reader, and to alerts


def test_a_large_message_counts_with_its_attributes_and_what_pubsub_adds(wanted: Topology) -> None:
    meter = Meter(wanted)
    assert meter.billed("targets-paper", b"x" * 5_000, {"key": "value"}) == 2 * (5_000 + 8 + 40)


def test_a_market_counts_for_each_subscription_whatever_its_filter(wanted: Topology) -> None:
    markets = [one for one in wanted.subscriptions if one.topic == "market-paper"]
    assert Meter(wanted).billed("market-paper", b"{}", {}) == (1 + len(markets)) * 1_000


def test_the_watchdog_s_message_is_weighed_though_the_demo_has_none(wanted: Topology) -> None:
    (schedule,) = filter(is_watchdog, wanted.schedules)
    assert Meter(wanted).mean_bytes()[schedule.topic] > 2 * len(schedule.message)


async def test_what_passes_is_weighed_and_still_passes(wanted: Topology, tmp_path: Any) -> None:
    bus, store = EmbeddedBus(tmp_path / "bus", wanted), EmbeddedStore(":memory:")
    meter = Meter(wanted)
    meter.attach(bus, store)
    await bus.publish("reports-paper", b"{}", {})
    await store.commit([Put("runs/r1", {"state": "DONE"})])
    await store.transact(["runs/r1"], lambda reads: [Put("runs/r2", reads["runs/r1"] or {})])
    assert meter.reports == [b"{}"]
    assert bus.pending("alerts-paper") == 1
    assert set(meter.documents) == {"runs/r1", "runs/r2"}
    assert await store.get("runs/r2") == {"state": "DONE"}
    await bus.close()
    await store.close()


class Kept(StoreRecords):
    """Two runs, and nothing else."""

    def __init__(self) -> None:
        super().__init__(lambda work: {"a": {"state": "DONE"}, "b": {"state": "DONE"}})

    def get(self, path: str) -> Mapping[str, Any] | None:  # type: ignore[override]
        return None

    def put(self, path: str, document: Mapping[str, Any]) -> None:
        """Forget it."""


def test_an_empty_answer_is_a_read_and_a_full_one_is_as_many_as_it_has() -> None:
    records = CountingRecords(Kept())
    assert records.get("runs/r1") is None
    assert records.taken() == Touched(1, 0)
    assert len(records.among("runs", "state", ["DONE"])) == 2
    assert records.taken() == Touched(2, 0)
    assert records.among("runs", "state", ["STARTED"]) == []
    records.put("runs/r1", {})
    assert records.taken() == Touched(1, 1)


def test_what_our_code_logs_is_counted_and_the_levels_are_as_before() -> None:
    log = logging.getLogger("gateway.something")
    before = logging.getLogger("gateway").level
    with logged() as lines:
        log.info("four")
        log.debug("no")
    log.info("after")
    assert (lines.lines, lines.size) == (1, 4)
    assert logging.getLogger("gateway").level == before

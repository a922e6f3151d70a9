"""What the embedded bus does beyond every bus: clocks from outside, and memory that outlives it."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.ports import Delivery
from infra.local.bus import RETENTION, BusOptions, EmbeddedBus
from infra.topology import Subscription, Topology

ROOT = Path(__file__).parents[3]
START = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
TICKS = Subscription(
    "ticks",
    "ticks-test",
    ack_deadline_seconds=60,
    retry_delay_seconds_min=2,
    retry_delay_seconds_max=5,
)
TOPOLOGY = Topology("test", ("ticks-test", "dead-letters-test"), (TICKS,), ())
JUDGED = Topology(
    "test",
    TOPOLOGY.topics,
    (
        replace(TICKS, dead_letter_topic="dead-letters-test", delivery_attempts_max=2),
        Subscription("dead-letters", "dead-letters-test"),
    ),
    (),
)


@dataclass
class Clock:
    """A clock that stands still until it is moved; it moves the bus's two clocks."""

    seconds: float = 0.0

    def options(self, outstanding_max: int = 1000) -> BusOptions:
        return BusOptions(
            monotonic=lambda: self.seconds,
            wall=lambda: START + timedelta(seconds=self.seconds),
            outstanding_max=outstanding_max,
        )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def bus(clock: Clock) -> AsyncIterator[EmbeddedBus]:
    bus = EmbeddedBus(":memory:", TOPOLOGY, clock.options())
    yield bus
    await bus.close()


def advance(bus: EmbeddedBus, clock: Clock, seconds: float) -> None:
    clock.seconds += seconds
    bus.wake()


def listen(bus: EmbeddedBus, subscription: str = "ticks") -> list[Delivery]:
    deliveries: list[Delivery] = []
    bus.subscribe(subscription, deliveries.append)
    return deliveries


async def test_the_publish_time_is_the_wall_clocks(bus: EmbeddedBus, clock: Clock) -> None:
    clock.seconds = 1.000001
    deliveries = listen(bus)
    await bus.publish("ticks-test", b"x", {})
    bus.wake()
    assert deliveries[0].publish_time == START + timedelta(seconds=1.000001)


async def test_publishing_never_calls_a_subscriber_inside_itself(bus: EmbeddedBus) -> None:
    deliveries = listen(bus)
    await bus.publish("ticks-test", b"x", {})
    assert deliveries == []
    await asyncio.sleep(0)
    assert len(deliveries) == 1


async def test_an_unanswered_message_comes_again_at_its_deadline_plus_the_retry_delay(
    bus: EmbeddedBus, clock: Clock
) -> None:
    deliveries = listen(bus)
    await bus.publish("ticks-test", b"x", {})
    bus.wake()
    advance(bus, clock, 61.9)
    assert len(deliveries) == 1
    advance(bus, clock, 0.1)
    assert [delivery.message_id for delivery in deliveries] == ["1", "1"]


async def test_the_retry_delay_doubles_up_to_its_maximum(bus: EmbeddedBus, clock: Clock) -> None:
    deliveries = listen(bus)
    await bus.publish("ticks-test", b"x", {})
    bus.wake()
    for count, delay in enumerate([2, 4, 5, 5], start=1):
        deliveries[-1].nack()
        advance(bus, clock, delay - 0.1)
        assert len(deliveries) == count
        advance(bus, clock, 0.1)
        assert len(deliveries) == count + 1


async def test_a_late_ack_still_counts(bus: EmbeddedBus, clock: Clock) -> None:
    deliveries = listen(bus)
    await bus.publish("ticks-test", b"x", {})
    bus.wake()
    advance(bus, clock, 62)
    deliveries[0].ack()
    advance(bus, clock, 1000)
    assert (len(deliveries), bus.pending()) == (2, 0)


async def test_a_late_nack_changes_nothing(bus: EmbeddedBus, clock: Clock) -> None:
    deliveries = listen(bus)
    await bus.publish("ticks-test", b"x", {})
    bus.wake()
    advance(bus, clock, 62)
    deliveries[0].nack()
    advance(bus, clock, 10)
    assert len(deliveries) == 2
    deliveries[1].ack()
    deliveries[1].ack()
    assert bus.pending() == 0


async def test_an_acked_message_never_comes_again(bus: EmbeddedBus, clock: Clock) -> None:
    deliveries = listen(bus)
    await bus.publish("ticks-test", b"x", {})
    bus.wake()
    deliveries[0].ack()
    advance(bus, clock, 1000)
    assert len(deliveries) == 1


async def test_a_real_timer_ends_the_retry_delay() -> None:
    quick = replace(TICKS, retry_delay_seconds_min=0.01)
    bus = EmbeddedBus(":memory:", replace(TOPOLOGY, subscriptions=(quick,)))
    queue: asyncio.Queue[Delivery] = asyncio.Queue()
    bus.subscribe("ticks", queue.put_nowait)
    await bus.publish("ticks-test", b"x", {})
    (await queue.get()).nack()
    async with asyncio.timeout(10):
        assert (await queue.get()).data == b"x"
    await bus.close()


async def test_pending_counts_waiting_and_unanswered_messages(bus: EmbeddedBus) -> None:
    for data in (b"1", b"2", b"3"):
        await bus.publish("ticks-test", data, {})
    deliveries = listen(bus)
    bus.wake()
    deliveries[0].ack()
    deliveries[1].nack()
    assert (bus.pending(), bus.pending("ticks")) == (2, 2)


async def test_a_subscriber_holds_no_more_than_its_limit(clock: Clock) -> None:
    bus = EmbeddedBus(":memory:", TOPOLOGY, clock.options(outstanding_max=2))
    deliveries = listen(bus)
    for data in (b"1", b"2", b"3", b"4"):
        await bus.publish("ticks-test", data, {})
    bus.wake()
    assert [delivery.data for delivery in deliveries] == [b"1", b"2"]
    deliveries[0].ack()
    bus.wake()
    assert [delivery.data for delivery in deliveries] == [b"1", b"2", b"3"]
    await bus.close()


async def test_subscribers_take_turns(bus: EmbeddedBus) -> None:
    first, second = listen(bus), listen(bus)
    for data in (b"1", b"2", b"3", b"4"):
        await bus.publish("ticks-test", data, {})
    bus.wake()
    assert (len(first), len(second)) == (2, 2)


async def test_without_a_dead_letter_topic_a_message_comes_again_for_ever(
    bus: EmbeddedBus, clock: Clock
) -> None:
    deliveries = listen(bus)
    await bus.publish("ticks-test", b"x", {})
    bus.wake()
    for _ in range(20):
        deliveries[-1].nack()
        advance(bus, clock, 5)
    assert len(deliveries) == 21
    assert {delivery.delivery_attempt for delivery in deliveries} == {0}


async def test_missed_deadlines_count_as_attempts_too(clock: Clock) -> None:
    bus = EmbeddedBus(":memory:", JUDGED, clock.options())
    deliveries, letters = listen(bus), listen(bus, "dead-letters")
    await bus.publish("ticks-test", b"x", {})
    bus.wake()
    for _ in range(4):
        advance(bus, clock, 65)
    assert [delivery.delivery_attempt for delivery in deliveries] == [1, 2]
    assert [letter.data for letter in letters][:1] == [b"x"]
    await bus.close()


# ---------------------------------------------------------------------- restarts


async def test_what_was_not_acked_survives_a_restart_with_its_attempts(tmp_path: Path) -> None:
    bus = EmbeddedBus(tmp_path / "bus.db", JUDGED)
    deliveries = listen(bus)
    await bus.publish("ticks-test", b"done", {})
    await bus.publish("ticks-test", b"held", {"a": "b"})
    bus.wake()
    deliveries[0].ack()
    await bus.close()
    deliveries[1].ack()  # too late: the bus is closed

    bus = EmbeddedBus(tmp_path / "bus.db", JUDGED)
    assert bus.pending() == 1
    again = listen(bus)
    bus.wake()
    (delivery,) = again
    assert (delivery.data, delivery.attributes, delivery.delivery_attempt) == (
        b"held",
        {"a": "b"},
        2,
    )
    await bus.close()


async def test_what_used_up_its_attempts_before_a_restart_becomes_a_dead_letter(
    tmp_path: Path,
) -> None:
    for _ in range(2):
        bus = EmbeddedBus(tmp_path / "bus.db", JUDGED)
        if not bus.pending():
            await bus.publish("ticks-test", b"poison", {})
        listen(bus)
        bus.wake()
        await bus.close()
    bus = EmbeddedBus(tmp_path / "bus.db", JUDGED)
    assert (bus.pending("ticks"), bus.pending("dead-letters")) == (0, 1)
    await bus.close()


KILLED = """
import asyncio, os, pathlib, signal, sys
from infra.local.bus import EmbeddedBus
from infra.topology import Subscription, Topology

async def main():
    topology = Topology("test", ("ticks-test",), (Subscription("ticks", "ticks-test"),), ())
    bus = EmbeddedBus(pathlib.Path(sys.argv[1]), topology)
    held = []
    bus.subscribe("ticks", held.append)
    for data in (b"1", b"2", b"3"):
        await bus.publish("ticks-test", data, {})
    bus.wake()
    held[1].ack()
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_a_killed_process_loses_no_message(tmp_path: Path) -> None:
    path = tmp_path / "bus.db"
    killed = subprocess.run([sys.executable, "-c", KILLED, path], cwd=ROOT, check=False)
    assert killed.returncode == -9
    bus = EmbeddedBus(path, TOPOLOGY)
    deliveries = listen(bus)
    bus.wake()
    assert [delivery.data for delivery in deliveries] == [b"1", b"3"]
    await bus.close()


async def test_message_ids_are_never_used_twice(tmp_path: Path) -> None:
    ids = []
    for _ in range(2):
        bus = EmbeddedBus(tmp_path / "bus.db", replace(TOPOLOGY, subscriptions=()))
        ids += [await bus.publish("ticks-test", b"x", {}) for _ in range(2)]
        await bus.close()
    assert len(set(ids)) == 4


async def test_another_topology_adds_and_drops_subscriptions(tmp_path: Path) -> None:
    bus = EmbeddedBus(tmp_path / "bus.db", TOPOLOGY)
    await bus.publish("ticks-test", b"x", {})
    await bus.close()
    other = replace(TOPOLOGY, subscriptions=(TICKS, replace(TICKS, name="new")))
    bus = EmbeddedBus(tmp_path / "bus.db", other)
    assert (bus.pending("ticks"), bus.pending("new")) == (1, 0)
    await bus.close()
    bus = EmbeddedBus(tmp_path / "bus.db", replace(TOPOLOGY, subscriptions=()))
    await bus.close()
    bus = EmbeddedBus(tmp_path / "bus.db", TOPOLOGY)
    assert bus.pending() == 0
    await bus.close()


async def test_a_message_is_kept_for_seven_days(tmp_path: Path) -> None:
    clock = Clock()
    for seconds, left in ((0.0, 0), (RETENTION.total_seconds(), 1), (1e-6, 0)):
        clock.seconds += seconds
        bus = EmbeddedBus(tmp_path / "bus.db", TOPOLOGY, clock.options())
        assert bus.pending() == left
        if not seconds:
            await bus.publish("ticks-test", b"x", {})
        await bus.close()


@pytest.mark.parametrize(
    "topology",
    [
        Topology("test", (), (TICKS,), ()),
        Topology("test", ("ticks-test",), (replace(TICKS, dead_letter_topic="nowhere"),), ()),
        Topology("test", ("ticks-test",), (TICKS, TICKS), ()),
    ],
    ids=["unknown topic", "unknown dead-letter topic", "name used twice"],
)
def test_a_topology_that_contradicts_itself_is_refused(topology: Topology) -> None:
    with pytest.raises(ValueError, match=r"unknown topic|twice"):
        EmbeddedBus(":memory:", topology)

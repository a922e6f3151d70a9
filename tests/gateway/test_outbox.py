"""What is told gets to the topic, at least once, whenever the gateway dies and the bus is away."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from gateway.core import telling
from gateway.floor import Floor
from gateway.outbox import AT_ONCE, WAITING_MAX
from gateway.ports import Put, Unavailable
from infra.local.rig import MODE, Rig, rigged
from schemas import codec
from schemas.documents import ActivityDocument
from schemas.messages import Report
from schemas.settings import ControlDocument
from schemas.values import TradingState


def floor_of(rig: Rig) -> Floor:
    assert rig.chief is not None
    return rig.chief.floor


def alerts(rig: Rig, count: int) -> list[Report]:
    return [Report("alert", rig.now, MODE, f"alert {number}") for number in range(count)]


@dataclass
class Bus:
    """A bus whose publishing can be taken away; it notes how much it was given at once."""

    inner: Any
    error: Exception | None = None
    asked: int = 0
    under_way: int = 0
    under_way_max: int = 0

    async def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        self.asked += 1
        if self.error:
            raise self.error
        self.under_way += 1
        self.under_way_max = max(self.under_way_max, self.under_way)
        await asyncio.sleep(0)
        try:
            return str(await self.inner.publish(topic, data, attributes))
        finally:
            self.under_way -= 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


async def test_a_gateway_that_dies_between_writing_and_publishing_is_told_by_the_next(
    active: Rig,
) -> None:
    """An alert that nobody hears of is the worst time to be silent."""
    await active.hold(after="activity/")
    await active.publish("commands", {"command": "halt", "run_id": "h1", "by": "ann"})
    await active.until_held()
    await active.kill()
    assert active.told("run") == []
    await active.start()
    await active.settled()
    assert any("halt h1 done" in sentence for sentence in active.told("run"))
    assert await active.untold() == []


async def test_a_trading_state_is_written_with_what_tells_it(active: Rig) -> None:
    """A gateway that dies behind it leaves nobody in the dark."""
    await active.hold(after="control/")
    await active.publish("commands", {"command": "reduce_only", "run_id": "h1", "by": "ann"})
    await active.until_held()
    await active.kill()
    await active.start()
    await active.settled()
    assert "trading is reduce_only, by ann" in active.told("state")
    assert any("reduce_only h1 interrupted" in sentence for sentence in active.told("run"))


async def test_a_net_that_dies_behind_its_journal_is_told_by_the_next(active: Rig) -> None:
    """[W1] What the journal wrote is told with it, whatever becomes of the gateway then."""
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    await active.hold(after="openOrders/")
    await active.publish("commands", {"command": "allocate", "run_id": "a1"})
    await active.until_held()
    await active.kill()
    await active.start()
    await active.settled()
    said = "paper-756733-1: BUY 10 SPY journaled for alpha +10"
    assert active.told("order").count(said) == 1
    assert await active.untold() == []


async def test_what_was_published_comes_again_once_at_most_and_with_its_event_id(
    active: Rig,
) -> None:
    """A gateway that dies does not know which of its last reports got through."""
    await active.command("halt", "h1")
    written = len(await active.store.list("activity"))
    for _ in range(3):
        await active.kill()
        await active.start()
        await active.settled()
    assert len(await active.store.list("activity")) == written
    assert len(active.events) == written
    assert 0 < sum(active.events.values()) - written <= 2, "the last commit's, told again once"


async def test_numbers_count_on_from_gateway_to_gateway(active: Rig) -> None:
    """Else the next one could not tell what the last one left."""
    for run_id in ("h1", "h2"):
        await active.command("halt", run_id)
        await active.kill()
        await active.start()
    await active.settled()
    found = (await active.store.list("activity")).values()
    assert sorted(note["number"] for note in found) == list(range(1, len(found) + 1))


async def test_a_bus_that_is_away_is_waited_for_and_everything_told_when_it_is_back(
    active: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """Orders and fills go on; the log says that nobody hears of them."""
    floor = floor_of(active)
    floor.outbox.again_seconds = 0.02
    bus = Bus(active.bus, Unavailable("no answer"))
    floor.outbox.bus = bus
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    await active.command("allocate", "a1")
    await active.traded()
    assert await active.book("alpha") == {"SPY": 10}
    assert active.told("execution") == []
    assert "reports wait to be published, tried again in 0.02 s: no answer" in caplog.text
    asked = bus.asked
    await active.until("it is tried again", lambda: bus.asked > asked)
    bus.error = None
    await active.until("all is told", lambda: not floor.outbox.waiting)
    await active.settled()
    assert await active.untold() == []


async def test_a_bus_that_is_away_is_not_asked_at_every_write(active: Rig) -> None:
    """Each attempt may take five seconds, in the way of an order."""
    floor = floor_of(active)
    floor.outbox.bus = bus = Bus(active.bus, Unavailable("no answer"))
    for state in (TradingState.REDUCE_ONLY, TradingState.ACTIVE, TradingState.REDUCE_ONLY):
        floor.happen(ControlDocument(state, "ann"))
        await floor.persist()
    assert bus.asked == 1
    assert floor.outbox.pause_seconds is not None
    assert len(floor.outbox.waiting) == 3


def away(name: str, door: Any) -> Any:
    """A bus that cannot publish."""
    return Bus(door, Unavailable("no answer")) if name == "bus" else door


def there(name: str, door: Any) -> Any:
    return door


async def test_what_waits_for_the_bus_at_the_end_is_told_by_the_next_gateway(active: Rig) -> None:
    """Also what two gateways before could not publish."""
    for by in ("ann", "bob"):
        floor = floor_of(active)
        floor.outbox.bus = Bus(active.bus, Unavailable("no answer"))
        floor.outbox._again_at = 0.0
        floor.happen(ControlDocument(TradingState.REDUCE_ONLY, by))
        floor.tell(alerts(active, 2))
        await floor.persist()
        await active.kill()
        active.fit = away if by == "ann" else there
        await active.start()
    await active.settled()
    assert await active.untold() == []
    assert Counter(active.told("alert")) == {"alert 0": 2, "alert 1": 2}


async def test_more_waiting_reports_than_memory_should_hold_end_the_gateway(rig: Rig) -> None:
    floor = floor_of(rig)
    floor.outbox.bus = Bus(rig.bus, Unavailable("no answer"))
    notes = floor.outbox.notes(alerts(rig, WAITING_MAX + 1), 1)
    floor.outbox.written(notes)
    with pytest.raises(Unavailable, match=f"{WAITING_MAX + 1} reports wait to be published: no an"):
        await floor.outbox.publish()


async def test_thousands_of_reports_at_once_go_out_in_parts(rig: Rig) -> None:
    """Google's client refuses what waits in it beyond its limit, of 1,000."""
    floor = floor_of(rig)
    floor.outbox.bus = bus = Bus(rig.bus)
    floor.tell(alerts(rig, 2_500))
    await floor.persist()
    await rig.settled()
    assert len(rig.told("alert")) == 2_500
    assert bus.under_way_max == AT_ONCE


async def test_a_report_that_pubsub_refuses_for_good_keeps_back_none_behind_it(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """It would end each gateway at its start."""
    floor = floor_of(rig)
    floor.outbox.bus = bus = Bus(rig.bus, ValueError("too large"))
    floor.tell(alerts(rig, 1))
    await floor.persist()
    bus.error = None
    floor.tell([Report("alert", rig.now, MODE, "the next")])
    await floor.persist()
    await rig.settled()
    assert rig.told("alert") == ["the next"]
    assert [record.levelno for record in caplog.records if "never" in record.message] == [
        logging.ERROR
    ]


async def test_what_another_version_wrote_keeps_no_gateway_from_starting(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """After a step back to an older version; numbers go on behind the newer one's."""
    await rig.kill()
    newer = {"at": rig.now, "kind": "omen", "sentence": "?", "number": 41, "published_to": 39}
    known = {"at": rig.now, "kind": "alert", "sentence": "!", "number": 40, "published_to": 39}
    for name, data in (("x", newer), ("y", known)):
        await rig.store.commit([Put(f"activity/{name}", data)])
    await rig.start()
    await rig.settled()
    assert rig.told("alert") == ["!"]
    assert "activity/x: kind" in caplog.text
    assert floor_of(rig).outbox.number == 41


async def test_a_report_comes_back_from_its_document_as_it_was() -> None:
    async with rigged() as rig:
        report = Report(
            "order", rig.now, MODE, "s", "r1", "alpha", "SPY", 756733, "paper-756733-1", {"a": "b"}
        )
        note = telling.noted(report, 7, 5)
        data = codec.to_document(note)
        assert codec.from_document(ActivityDocument, data) == note
        assert telling.report_of(note, MODE) == report
        assert replace(note, number=0, published_to=0) == telling.noted(report)

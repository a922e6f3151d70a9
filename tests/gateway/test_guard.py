"""The guard at a real broker's door, with commanders that die, hang and live [R4]."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gateway.config import Config
from gateway.core.guarding import GuardTimes
from gateway.guard import Guard, guard
from gateway.ports import Document, Put, Unavailable
from gateway.session import Session, SessionSettings
from gateway.simulator.orders.orders import OrderTerms
from infra.local.rig import CLIENT_ID, MODE, Rig
from schemas.documents import LeaseDocument, OrderDocument
from schemas.settings import ControlDocument, Settings
from schemas.values import TradingState
from tests.gateway.resting import resting_order, send

GUARD_ID = 2
AT_ONCE = GuardTimes(0.01, 0.01, 0.0, -30.0, 0.0)
"""A guard without patience: every lease is dead, every halt is old."""
PATIENT = replace(AT_ONCE, lease_margin_seconds=15.0, handover_seconds=45.0)
"""A guard for which a lease is alive that was renewed; every halt is old."""


def made(rig: Rig, times: GuardTimes) -> Guard:
    config = Config(
        MODE,
        "bench",
        "guard",
        ib_port=rig.simulator.port,
        ib_client_id=CLIENT_ID,
        ib_guard_client_id=GUARD_ID,
    )
    return guard(config, rig.bus, rig.store, rig.simulator.clock, times)


@asynccontextmanager
async def guarding(rig: Rig, times: GuardTimes) -> AsyncIterator[Guard]:
    watcher = made(rig, times)
    task = asyncio.create_task(watcher.run())
    try:
        yield watcher
    finally:
        watcher.stop()
        await task


async def rest(session: Session, order_ref: str, quantity: int = 10) -> OrderDocument:
    """Place an order that rests: far below the market."""
    await session.read()
    order = await resting_order(session, order_ref, datetime.now(UTC), quantity)
    send(session, order)
    return order


@asynccontextmanager
async def client(rig: Rig, client_id: int) -> AsyncIterator[Session]:
    """Somebody's connection to the broker, a hung commander's among them: it does nothing."""
    settings = SessionSettings("127.0.0.1", rig.simulator.port, client_id)
    session = Session(settings, rig.simulator.clock.now, lambda event: None)
    await session.connect()
    try:
        yield session
    finally:
        await session.close()


def refs(rig: Rig) -> list[str]:
    """The references of the orders that work at the broker."""
    return [order.terms.order_ref for order in rig.simulator.exchange.working_orders]


async def by_hand(rig: Rig) -> None:
    """A person places an order in TWS, which rests."""
    exchange = rig.simulator.exchange
    terms = OrderTerms("BUY", Decimal(5), "LMT", Decimal(1), tif="DAY")
    spy = exchange.listing("SPY").contract()

    def place() -> None:
        exchange.orders.place_by_hand(spy, terms)

    await rig.simulator.act(place)


async def until_refs(rig: Rig, wanted: list[str]) -> None:
    await rig.until(f"{wanted} work", lambda: refs(rig) == wanted)


def has_told(rig: Rig, words: str) -> Callable[[], bool]:
    return lambda: any(words in sentence for sentence in rig.told("alert"))


async def test_a_dead_commanders_orders_are_cancelled_and_a_manual_one_stays(active: Rig) -> None:
    """[R4] The kill path needs no commander: the guard borrows the id that is free."""
    assert active.chief is not None
    await rest(active.chief.floor.doors.session, "paper-756733-1")
    await until_refs(active, ["paper-756733-1"])
    await by_hand(active)
    await active.kill()
    async with client(active, 9) as other, guarding(active, AT_ONCE):
        await rest(other, "somebody-else")
        await until_refs(active, ["", "somebody-else"])
        told = "the guard cancels paper-756733-1: no commander is alive: the lease was given back"
        await active.until("it is told", has_told(active, told))


async def test_the_commanders_id_is_free_again_after_the_guard_used_it(active: Rig) -> None:
    """[R4] The next commander must get in; and it learns of the cancel as of any other."""
    assert active.chief is not None
    await rest(active.chief.floor.doors.session, "paper-756733-1")
    await until_refs(active, ["paper-756733-1"])
    await active.kill()
    async with guarding(active, PATIENT):
        await active.put(ControlDocument(TradingState.HALTED, "ann"), mode=MODE)
        await until_refs(active, [])
        is_alone = lambda: active.simulator.exchange.clients == {GUARD_ID}  # noqa: E731
        await active.until("the id is free", is_alone)
        await active.start()


@pytest.mark.ib_async_errors_expected("the client id is taken")
async def test_a_halt_reaches_past_a_hung_commander_when_all_orders_are_ours(rig: Rig) -> None:
    """[R4] Error 326: its socket is still open, so only a global cancel is left."""
    await rig.kill()
    async with client(rig, CLIENT_ID) as hung:
        await rest(hung, "paper-756733-1")
        await until_refs(rig, ["paper-756733-1"])
        async with guarding(rig, PATIENT):
            await until_refs(rig, [])
            told = "the guard cancels all orders of the account: trading is halted"
            await rig.until("it is told", has_told(rig, told))


@pytest.mark.ib_async_errors_expected("the client id is taken")
async def test_with_a_manual_order_a_hung_commander_is_an_alert_that_goes_on(rig: Rig) -> None:
    """[R4] Manual orders are left alone; once the socket is free, ours goes."""
    await rig.kill()
    async with client(rig, CLIENT_ID) as hung:
        await rest(hung, "paper-756733-1")
        await until_refs(rig, ["paper-756733-1"])
        await by_hand(rig)
        async with guarding(rig, PATIENT) as watcher:
            await rig.until("it is told", has_told(rig, "a global cancel would cancel 1 orders"))
            tried = watcher.rounds
            await rig.until("it tries again", lambda: watcher.rounds > tried + 2)
            assert refs(rig) == ["paper-756733-1", ""]
            assert len(rig.told("alert")) == 1, "the same is told once"
            await hung.close()
            await until_refs(rig, [""])


@pytest.mark.ib_async_errors_expected("the client id is taken")
async def test_a_person_may_allow_that_manual_orders_go_with_ours(rig: Rig) -> None:
    """[R4] `guard_may_cancel_foreign`."""
    await rig.put(Settings(guard_may_cancel_foreign=True), name="common")
    await rig.kill()
    async with client(rig, CLIENT_ID) as hung:
        await rest(hung, "paper-756733-1")
        await until_refs(rig, ["paper-756733-1"])
        await by_hand(rig)
        async with guarding(rig, PATIENT):
            await until_refs(rig, [])
            told = "1 of them not ours, as guard_may_cancel_foreign allows"
            await rig.until("it is told", has_told(rig, told))


async def test_a_live_commander_halts_by_itself_and_the_guard_does_nothing(active: Rig) -> None:
    """[R4] Within its grace."""
    assert active.chief is not None
    await active.command("reconcile", "before")
    floor = active.chief.floor
    order = await rest(floor.doors.session, "paper-756733-1")
    floor.desk = replace(floor.desk, orders={order.order_ref: order})
    await until_refs(active, ["paper-756733-1"])
    async with guarding(active, replace(PATIENT, halt_grace_seconds=60.0)) as watcher:
        await active.command("halt", "stop", by="ann")
        await until_refs(active, [])
        looked = watcher.rounds
        await active.until("it looked on", lambda: watcher.rounds > looked + 2)
    assert not has_told(active, "the guard")()


async def test_while_a_commander_lives_and_trading_is_allowed_nothing_is_cancelled(
    active: Rig,
) -> None:
    """[R4]"""
    assert active.chief is not None
    await rest(active.chief.floor.doors.session, "paper-756733-1")
    await until_refs(active, ["paper-756733-1"])
    async with guarding(active, PATIENT) as watcher:
        await active.until("it looked", lambda: watcher.rounds > 5)
    assert refs(active) == ["paper-756733-1"]
    assert not has_told(active, "the guard")()


@pytest.mark.ib_async_errors_expected("the client id is taken")
async def test_a_paused_commander_that_wakes_finds_its_orders_cancelled(active: Rig) -> None:
    """[R3, R4] A lease that nobody renews, of a process that still holds its socket."""
    await active.kill()
    now = datetime.now(UTC)
    lease = LeaseDocument("paused", 7, now, now + timedelta(seconds=30))
    await active.put(lease, mode=MODE)
    async with client(active, CLIENT_ID) as paused:
        await rest(paused, "paper-756733-1")
        await until_refs(active, ["paper-756733-1"])
        async with guarding(active, AT_ONCE):
            await until_refs(active, [])
            told = "no commander is alive: paused (epoch 7) renewed its lease last at"
            await active.until("it is told", has_told(active, told))


async def test_the_guard_changes_no_document_and_takes_no_lease(rig: Rig) -> None:
    """[R4] The lease and the ledgers are the commander's; what it did is in `activity`, once."""
    await rig.kill()
    async with client(rig, CLIENT_ID) as left:
        await rest(left, "paper-756733-1")
        await until_refs(rig, ["paper-756733-1"])
    collections = ("leases", "positions", f"positions/{MODE}/openOrders")
    known = await rig.store.list("activity")
    before = [await rig.store.list(name) for name in collections]
    async with guarding(rig, AT_ONCE):
        await until_refs(rig, [])
        await rig.until("it is told", has_told(rig, "the guard cancels paper-756733-1"))
    assert [await rig.store.list(name) for name in collections] == before
    added = {p: d for p, d in (await rig.store.list("activity")).items() if p not in known}
    ((path, said),) = added.items()
    assert said["sentence"] == rig.told("alert")[-1]
    assert rig.events[path.rpartition("/")[2]] == 1


async def test_what_the_guard_could_not_publish_it_says_again_as_the_same_event(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[R4] It is in `activity` meanwhile, once; a bus that is away holds up no cancel."""
    await rig.kill()
    publish = rig.bus.publish
    tries: list[str] = []

    async def away_at_first(topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        tries.append(attributes["ce-id"])
        if len(tries) < 3:
            raise Unavailable("away")
        return await publish(topic, data, attributes)

    monkeypatch.setattr(rig.bus, "publish", away_at_first)
    async with client(rig, CLIENT_ID) as left:
        await rest(left, "paper-756733-1")
        await until_refs(rig, ["paper-756733-1"])
    async with guarding(rig, AT_ONCE):
        await until_refs(rig, [])
        await rig.until("it is told", has_told(rig, "the guard"))
    assert len(set(tries)) == 1
    assert f"activity/{tries[0]}" in await rig.store.list("activity")


@pytest.mark.ib_async_errors_expected("the line is broken")
async def test_a_broker_that_is_away_is_told_and_waited_for(active: Rig) -> None:
    """[R4] It keeps trying; when the broker is back, it does what is due."""
    assert active.chief is not None
    await rest(active.chief.floor.doors.session, "paper-756733-1")
    await until_refs(active, ["paper-756733-1"])
    async with guarding(active, PATIENT):
        await active.break_line()
        await active.kill()
        await active.put(ControlDocument(TradingState.HALTED, "ann"), mode=MODE)
        await active.until("it is told", has_told(active, "the guard CANNOT cancel, no broker"))
        await active.mend_line()
        await until_refs(active, [])


@pytest.mark.parametrize("error", [Unavailable("away"), RuntimeError("permission denied")])
async def test_a_store_that_cannot_be_read_is_no_heartbeat(
    active: Rig, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """[R4] A commander could not renew its lease there either."""
    assert active.chief is not None
    await rest(active.chief.floor.doors.session, "paper-756733-1")
    await until_refs(active, ["paper-756733-1"])
    await active.kill()

    async def away(path: str) -> Document | None:
        raise error

    monkeypatch.setattr(active.store, "get", away)
    async with guarding(active, replace(AT_ONCE, handover_seconds=0.1)):
        await until_refs(active, [])
        told = "there is no lease, or it cannot be read"
        await active.until("it is told", has_told(active, told))


async def test_a_bus_that_is_away_holds_no_cancel_up(
    active: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """[R4] The log has it at once."""
    assert active.chief is not None
    await rest(active.chief.floor.doors.session, "paper-756733-1")
    await until_refs(active, ["paper-756733-1"])
    await active.kill()

    async def away(topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        raise Unavailable("the bus is away")

    monkeypatch.setattr(active.bus, "publish", away)
    async with guarding(active, AT_ONCE):
        await until_refs(active, [])
        told = "the guard cancels paper-756733-1: no commander is alive"
        await active.until("it is logged", lambda: told in caplog.text)
    assert active.told("alert") == []


async def test_a_control_document_that_cannot_be_read_is_a_halt(active: Rig) -> None:
    """[R4] As for the commander."""
    assert active.chief is not None
    await rest(active.chief.floor.doors.session, "paper-756733-1")
    await until_refs(active, ["paper-756733-1"])
    await active.kill()
    await active.store.commit([Put(f"control/{MODE}", {"state": "aktive"})])
    async with guarding(active, PATIENT):
        await until_refs(active, [])
        await active.until("it is told", has_told(active, f"by guard (control/{MODE}: "))

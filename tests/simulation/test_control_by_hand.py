"""A person writes `control/{mode}` in the console: heard at the next renewal of the lease [R4]."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from gateway.ports import Document, Put
from infra.local.rig import MODE, Rig, rigged
from schemas.documents import LeaseDocument
from schemas.values import TradingState
from tests.gateway.resting import resting_order, send


@pytest_asyncio.fixture
async def renewing() -> AsyncIterator[Rig]:
    """A bench that may trade, whose gateway renews its lease all the time."""
    async with rigged() as made:
        await made.resume()
        lease = made.start_soon().floor.doors.lease
        lease.times = replace(lease.times, renew_seconds=0.02)
        await made.settled()
        yield made


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"state": "halted", "by": "ann"}, "trading is halted, by ann"),
        (
            {"state": "halt"},
            "trading is halted, by gateway: control/paper: state: must be one of active, "
            "reduce_only, halted, not the text 'halt'; did you mean halted?",
        ),
    ],
)
async def test_a_halt_written_by_hand_cancels_what_works_without_any_command(
    renewing: Rig, document: Document, sentence: str
) -> None:
    """[R4, behaviour 5] So does a word that cannot be read; no net and no event is waited for."""
    assert renewing.chief is not None
    floor = renewing.chief.floor
    session = floor.doors.session
    order = await resting_order(session, "paper-756733-1", renewing.now)
    floor.desk = replace(floor.desk, orders={order.order_ref: order})
    send(session, order)

    def state() -> str:
        return floor.desk.orders[order.order_ref].state

    await renewing.until("the order works", lambda: state() == "WORKING")
    await renewing.store.commit([Put("control/paper", document)])
    await renewing.until("the order is over", lambda: state() == "DONE")
    assert renewing.simulator.exchange.working_orders == []
    await renewing.until("it is told", lambda: renewing.told("state")[-1:] == [sentence])
    activity = (await renewing.store.list("activity")).values()
    assert sentence in [one["sentence"] for one in activity]
    assert floor.halts_heard == set()


async def test_a_halt_written_by_hand_stops_what_is_being_sent(renewing: Rig) -> None:
    """[W2] After the journal's own look at `control`: journaled, never written to IB."""
    await renewing.say("alpha", SPY=10)
    await renewing.settled_before_coalescing()
    await renewing.hold(after="openOrders/paper-756733-1")
    await renewing.publish("commands", {"command": "allocate", "run_id": "a1"})
    await renewing.until_held()
    await renewing.store.commit([Put("control/paper", {"state": "halted", "by": "ann"})])
    assert renewing.chief is not None
    floor = renewing.chief.floor
    await renewing.until("the halt is heard", lambda: bool(floor.halts_heard))
    renewing.wire.release()
    await renewing.ended("a1")
    (order,) = (await renewing.orders()).values()
    assert (order.outcome, order.reason) == ("not_sent", "not sent: a halt has come in")
    assert renewing.simulator.exchange.positions == {}
    await renewing.until("it is taken up", lambda: not floor.halts_heard)
    assert floor.desk.control.by == "ann"


async def test_what_a_renewal_read_before_a_halt_allows_nothing_after_it(renewing: Rig) -> None:
    """The command is newer than the answer that was under way: what is written now counts."""
    assert renewing.chief is not None
    floor = renewing.chief.floor
    await renewing.hold(after="leases/paper")
    await renewing.until_held()
    await renewing.command("halt", "h1", by="ann")
    states: list[TradingState] = []
    renewing.wire.release()
    renewed = await renewing.document(LeaseDocument, mode=MODE)

    async def is_renewed() -> bool:
        states.append(floor.desk.control.state)
        return await renewing.document(LeaseDocument, mode=MODE) != renewed

    await renewing.until("the next renewal", is_renewed)
    await renewing.settled()
    assert {*states, floor.desk.control.state} == {TradingState.HALTED}


async def test_trading_allowed_by_hand_is_allowed_at_the_next_renewal(renewing: Rig) -> None:
    """People may; a halt of theirs is lifted where it was made."""
    assert renewing.chief is not None
    floor = renewing.chief.floor
    await renewing.command("halt", "h1", by="ann")
    await renewing.resume()

    def is_active() -> bool:
        return floor.desk.control.state is TradingState.ACTIVE

    await renewing.until("trading is allowed", is_active)

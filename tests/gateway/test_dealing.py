"""A net that is due, carried out: prices, plan, margin, journal, then the broker."""

import asyncio
import inspect
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from gateway import dealing
from gateway.core.events import NetCause
from gateway.core.orders import Approved
from gateway.core.prices import Price
from gateway.lease import LeaseLost
from infra.local.rig import MODE, STRATEGIES, Rig
from schemas.documents import OrderDocument, RunDocument, Share
from schemas.messages import Target
from schemas.settings import Settings, StrategyDocument
from schemas.values import Contract
from tests.order_documents import order_document


async def netted(rig: Rig, run_id: str = "a1") -> RunDocument:
    """Net now, and wait until what was ordered is over."""
    run = await rig.command("allocate", run_id)
    await rig.traded()
    return run


async def test_an_order_carries_its_reasons_from_message_to_books(active: Rig) -> None:
    """Allocations, the message behind it, the margin that IB asked for, the decision price."""
    message_id = await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    run = await netted(active)
    (order,) = (await active.orders()).values()
    assert run.orders == (order.order_ref,) == ("paper-756733-1",)
    assert (order.run_id, order.epoch, order.generation) == ("a1", 1, 1)
    assert message_id in order.why[0]
    assert order.decision_price is not None
    assert order.margin
    assert run.prices["SPY"].startswith(f"{order.decision_price}, middle of the quote of ")


async def test_opposite_wishes_cross_and_only_the_rest_is_ordered(active: Rig) -> None:
    """[N4], with the books moved in the journal's transaction."""
    await active.say("alpha", SPY=100)
    await active.say("beta", SPY=-40)
    await active.settled_before_coalescing()
    run = await netted(active)
    assert run.planned == ("+60 SPY for alpha +60",)
    assert await active.book("alpha") == {"SPY": 100}
    assert await active.book("beta") == {"SPY": -40}
    assert active.simulator.exchange.positions == {"SPY": 60}
    assert len(active.told("cross")) == 1


async def test_a_net_on_its_own_result_plans_nothing(active: Rig) -> None:
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    await netted(active)
    again = await netted(active, "a2")
    assert (again.orders, again.crosses, again.planned) == ((), (), ())


async def test_a_flip_goes_to_zero_first_and_beyond_by_itself(active: Rig) -> None:
    """[N6]"""
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    await netted(active)
    await active.say("alpha", SPY=-5)
    await active.advance(seconds=1)
    await active.say("alpha", SPY=-5)
    await active.settled_before_coalescing()
    assert (await netted(active, "a2")).planned == ("-10 SPY for alpha -10",)
    beyond = await active.run("after-paper-756733-2")
    assert beyond is not None
    assert beyond.planned == ("-5 SPY for alpha -5",)
    assert await active.book("alpha") == {"SPY": -5}


@pytest.mark.usefixtures("impatient")
@pytest.mark.ib_async_errors_expected("the broker is taken away")
async def test_a_flip_whose_net_failed_goes_beyond_zero_once_the_broker_is_back(
    active: Rig,
) -> None:
    """[N6, N1d]"""
    await active.say("alpha", SPY=10)
    await active.settled_after_coalescing()
    active.simulator.faults.odd_parts(parts=1, seconds=100)
    await active.say("alpha", SPY=-5)
    await active.settled_before_coalescing()
    await active.advance(seconds=3)
    await active.settled()
    active.simulator.faults.unanswered_requests(kind="positions")
    await active.advance(seconds=101)
    failed = await active.ended("after-paper-756733-2")
    assert failed.outcome == "failed"
    assert "after-paper-756733-2 is made with the next net, or once a lost line" in failed.reason
    assert await active.book("alpha") == {}
    active.simulator.faults.clear()
    await active.break_line()
    await active.mend_line()

    async def is_beyond() -> bool:
        return await active.book("alpha") == {"SPY": -5}

    await active.until("the flip is whole", is_beyond)
    assert (await active.ended("after-paper-756733-2")).planned == ("-5 SPY for alpha -5",)


async def test_a_contract_that_no_longer_resolves_does_not_stop_the_others(active: Rig) -> None:
    """Delisted while a strategy wants it: no hours, no price, refused by name."""
    await active.say("manual", SPY=10)
    await active.settled_before_coalescing()
    assert active.chief is not None
    floor = active.chief.floor
    said = floor.desk.targets["manual"]
    gone = Target("GONE", Decimal(5), con_id=4711)
    floor.desk = replace(
        floor.desk,
        targets={
            "manual": said,
            "alpha": replace(said, strategy="alpha", targets=(gone,)),
        },
    )
    run = await netted(active)
    assert (run.outcome, run.planned) == ("done", ("+10 SPY for manual +10",))
    assert list(floor.desk.terms) == [756733]
    assert [(r.symbol, r.rule, r.strategies) for r in run.refusals] == [
        ("GONE", "market_hours", ("alpha",))
    ]


async def test_a_net_learns_how_its_contracts_trade_and_how_wide_they_are_quoted(
    active: Rig,
) -> None:
    """For the limits on market hours, price jumps and wide quotes, and for limits on the tick."""
    assert active.chief is not None
    floor = active.chief.floor
    floor.last_closes[756733] = Price(Decimal(600), "last close", floor.now)
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    await netted(active)
    terms, price = floor.desk.terms[756733], floor.desk.prices[756733]
    assert terms.increments == ((Decimal(0), Decimal("0.01")),)
    assert terms.liquid_hours[0].opens_at < floor.now < terms.liquid_hours[0].closes_at
    assert (price.source, price.spread) == ("middle of the quote", Decimal("0.02"))
    assert price.last_close == 600


async def test_a_refusal_is_told_when_it_is_new_and_not_with_every_net(active: Rig) -> None:
    """Architecture 5.4: published on change only."""
    await active.put(Settings(order_quantity_max=Decimal(5)), name=MODE)
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    for run_id in ("a1", "a2"):
        assert len((await netted(active, run_id)).refusals) == 1
    assert len(active.told("refusal")) == 1
    await active.put(Settings(order_quantity_max=Decimal(6)), name=MODE)
    await netted(active, "a3")
    assert len(active.told("refusal")) == 2


async def test_a_strategy_switched_off_is_held_by_the_next_net(active: Rig) -> None:
    """[N2]: what people set is read anew for every net."""
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    await active.put(replace(STRATEGIES["alpha"], enabled=False), strategy="alpha")
    assert (await netted(active)).orders == ()


async def test_a_weight_of_0_closes_what_the_strategy_holds(active: Rig) -> None:
    """[N2]"""
    await active.say("alpha", SPY=10)
    await active.settled_after_coalescing()
    closed = StrategyDocument(True, Decimal(0), universe=STRATEGIES["alpha"].universe)
    await active.put(closed, strategy="alpha")
    assert (await netted(active)).planned == ("-10 SPY for alpha -10",)


async def test_an_order_whose_targets_ran_out_meanwhile_is_not_sent(active: Rig) -> None:
    """[W2]: checked at the write, after the journal."""
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    await active.hold(after="openOrders/paper-756733-1")
    await active.publish("commands", {"command": "allocate", "run_id": "a1"})
    await active.until_held()
    await active.advance(minutes=61)
    active.wire.release()
    await active.ended("a1")
    (order,) = (await active.orders()).values()
    assert (order.state, order.outcome) == ("DONE", "not_sent")
    assert order.reason.startswith("not sent: its targets were valid until ")
    assert active.simulator.exchange.positions == {}


@pytest.mark.parametrize(("minutes", "outcome"), [(10, "filled"), (11, "not_sent")])
async def test_what_increases_needs_a_price_that_is_still_good_at_the_write(
    active: Rig, minutes: int, outcome: str
) -> None:
    """[W2]"""
    await active.put(Settings(quote_age_seconds_max=600, snapshot_age_seconds_max=9000), name=MODE)
    order = await held_at_the_write(active, "a1", minutes, spy=10)
    assert order.outcome == outcome
    if outcome == "not_sent":
        assert order.reason == "not sent: its reference price is 660 s old, at most 600 s allowed"


async def test_what_reduces_is_written_at_any_age_of_its_price(active: Rig) -> None:
    """[N6, W2]"""
    await active.put(Settings(quote_age_seconds_max=600, snapshot_age_seconds_max=9000), name=MODE)
    await held_at_the_write(active, "a1", 0, spy=10)
    order = await held_at_the_write(active, "a2", 11, spy=4)
    assert (order.quantity, order.is_reducing, order.outcome) == (Decimal(-6), True, "filled")


async def test_an_order_without_the_time_of_its_price_is_not_written(active: Rig) -> None:
    """[W2]"""
    assert active.chief is not None
    floor = active.chief.floor
    odd = replace(an_order(active), is_reducing=False, decision_at=None)
    floor.desk = replace(floor.desk, orders={odd.order_ref: odd})
    dealing._send(floor, Approved(odd))
    assert "reference price" in floor.desk.orders[odd.order_ref].reason


async def test_a_breach_at_the_door_stops_all_sending_and_says_so(active: Rig) -> None:
    """[Knight] A defect of ours: the order is not written, nor any after it until a restart."""
    assert active.chief is not None
    floor = active.chief.floor
    again = "paper-756733-1"
    floor.sent.append(again)
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    await netted(active)
    (order,) = (await active.orders()).values()
    assert (order.order_ref, order.outcome) == (again, "not_sent")
    assert f"{again} was written to the broker before; the door to the broker is shut" in (
        order.reason
    )
    (alert,) = (text for text in active.told("alert") if again in text)
    assert alert in order.reason
    assert (await active.command("allocate", "a2")).outcome == "refused"
    other = replace(an_order(active), order_ref="paper-756733-2", generation=2)
    floor.desk = replace(floor.desk, orders={**floor.desk.orders, other.order_ref: other})
    dealing._send(floor, Approved(other))
    assert floor.desk.orders[other.order_ref].outcome == "not_sent"
    assert active.simulator.exchange.positions == {}


def test_the_only_way_to_the_broker_leads_through_the_door() -> None:
    """[Knight] Orders are written in one function, which asks `door.check` first."""
    sources = Path(dealing.__file__).parent.glob("*.py")
    writers = {
        path.name: path.read_text(encoding="utf-8").count("session.place(") for path in sources
    }
    assert {name: count for name, count in writers.items() if count} == {"dealing.py": 1}
    assert "_breach(floor, order)" in inspect.getsource(dealing._send)
    assert "door.check(" in inspect.getsource(dealing._breach)


async def test_a_halt_heard_while_an_order_waits_for_room_stops_it(active: Rig) -> None:
    """[W2] IB lets 45 messages a second through; what waits for its turn is looked at again."""
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    await active.hold(after="openOrders/paper-756733-1")
    await active.publish("commands", {"command": "allocate", "run_id": "a1"})
    await active.until_held()
    assert active.chief is not None
    floor = active.chief.floor
    line = floor.doors.session._line
    assert line is not None
    line.client._timeQ.extend([asyncio.get_running_loop().time() + 3600] * line.client.MaxRequests)
    active.wire.release()
    await active.until("the order is journaled and waits", lambda: bool(floor.desk.orders))
    await active.publish("commands", {"command": "halt", "run_id": "h1"})
    await active.until("the halt is heard", lambda: bool(floor.halts_heard))
    assert floor.sent == []
    line.client._timeQ.clear()
    await active.ended("h1")
    (order,) = (await active.orders()).values()
    assert (order.outcome, order.reason) == ("not_sent", "not sent: a halt has come in")
    assert active.simulator.exchange.positions == {}


def test_nothing_is_awaited_between_the_checks_and_the_write() -> None:
    """[W2]"""
    assert not inspect.iscoroutinefunction(dealing._send)


async def test_an_order_is_not_sent_once_the_lease_ran_out(active: Rig) -> None:
    """[W2, R3], by our own monotonic clock; nor is anything written: the gateway ends."""
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    await active.hold(after="openOrders/paper-756733-1")
    await active.publish("commands", {"command": "allocate", "run_id": "a1"})
    await active.until_held()
    assert active.chief is not None
    active.chief.floor.doors.lease._good_until = 0.0
    active.wire.release()
    task, active.task = active.task, None
    assert task is not None
    with pytest.raises(LeaseLost, match="ran out"):
        await task
    (order,) = (await active.orders()).values()
    assert order.state == "PENDING"
    assert active.chief.floor.desk.orders[order.order_ref].reason == "not sent: the lease ran out"
    assert active.simulator.exchange.positions == {}
    assert active.simulator.exchange.working_orders == []


@pytest.mark.ib_async_errors_expected("the broker is taken away")
async def test_an_order_that_cannot_be_written_was_not_sent_for_certain(active: Rig) -> None:
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    await active.hold(after="openOrders/paper-756733-1")
    await active.publish("commands", {"command": "allocate", "run_id": "a1"})
    await active.until_held()
    await active.break_line()
    active.wire.release()
    await active.ended("a1")
    (order,) = (await active.orders()).values()
    assert (order.state, order.outcome) == ("DONE", "not_sent")
    assert order.reason.startswith("not sent: not connected to the IB Gateway; ")


async def test_an_order_that_ib_would_take_otherwise_was_not_sent(active: Rig) -> None:
    """The session refuses it with `ValueError` before anything is written; that ends nothing."""
    assert active.chief is not None
    floor = active.chief.floor
    odd = replace(an_order(active), contract=Contract("SPY"))  # not resolved
    floor.desk = replace(floor.desk, orders={odd.order_ref: odd})
    dealing._send(floor, Approved(odd))
    order = floor.desk.orders[odd.order_ref]
    assert (order.outcome, "is not resolved" in order.reason) == ("not_sent", True)


async def test_a_cancel_that_cannot_be_said_leaves_the_order_unknown(active: Rig) -> None:
    """Only the client that placed an order can cancel it; another's locks its contract."""
    assert active.chief is not None
    floor = active.chief.floor
    foreign = replace(an_order(active), state="WORKING", order_id=5, client_id=99)
    floor.desk = replace(floor.desk, orders={foreign.order_ref: foreign})
    await dealing.cancel(floor, [foreign])
    order = floor.desk.orders[foreign.order_ref]
    assert order.state == "UNKNOWN"
    assert "order 5 of client 99 cannot be cancelled by client 1" in order.reason


async def test_a_net_without_a_command_leaves_a_run_of_its_own(active: Rig) -> None:
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    assert active.chief is not None
    floor = active.chief.floor
    cause = NetCause("cancel confirmed", "after-paper-1-1")
    await dealing.carry_out(floor, cause)
    run = await active.run("after-paper-1-1")
    assert run is not None
    assert (run.command, run.trigger, run.outcome) == ("net", "cancel confirmed", "done")


async def held_at_the_write(rig: Rig, run_id: str, minutes: int, spy: int) -> OrderDocument:
    """alpha's latest order, written so many minutes after it was journaled, once it is over."""
    await rig.advance(seconds=1)  # newer than what it said before [T2]
    await rig.say("alpha", SPY=spy)
    await rig.settled_before_coalescing()
    number = len(await rig.orders()) + 1
    await rig.hold(after=f"openOrders/paper-756733-{number}")
    await rig.publish("commands", {"command": "allocate", "run_id": run_id})
    await rig.until_held()
    await rig.advance(minutes=minutes)
    rig.wire.release()
    await rig.ended(run_id)
    await rig.traded()
    return (await rig.orders())[f"paper-756733-{number}"]


def an_order(rig: Rig) -> OrderDocument:
    parts = {"adaptive_priority": "Normal", "decision_price": None, "is_reducing": True}
    return order_document(rig.now, allocations=(Share("alpha", Decimal(10)),), **parts)

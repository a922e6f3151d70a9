"""A gateway told to stop amid a net: nothing new is sent, and the next gateway ends what it left.

`tests/integration/test_kill_and_restart.py` says it of the real process; here is each side of the
journal by itself (issue 4, "stops well").
"""

from infra.local.rig import Rig
from schemas.documents import OrderDocument

MINE = "gateway-targets-paper"


async def held_in_a_net(rig: Rig, *, after: str) -> None:
    """Let the gateway net 10 SPY for alpha until it has written a path with this in it."""
    await rig.say("alpha", SPY=10)
    await rig.settled_before_coalescing()
    await rig.hold(after=after)
    await rig.publish("commands", {"command": "allocate", "run_id": "a1"})
    await rig.until_held()


async def stopped(rig: Rig) -> None:
    """Tell it to stop, then let it go on; it ends by itself."""
    rig.wire.release()  # nothing runs before it is told: `stop` does so before it first waits
    await rig.stop()


async def only_order(rig: Rig) -> OrderDocument:
    (order,) = (await rig.orders()).values()
    return order


def sent(rig: Rig) -> list[str]:
    """The references of all orders that the broker ever got."""
    desk = rig.simulator.exchange.orders
    return [order.terms.order_ref for order in (*desk.working, *desk.done)]


async def test_told_to_stop_before_the_journal_it_journals_nothing(active: Rig) -> None:
    """[W1]: what is not to be sent needs no number; the wish waits for the next gateway."""
    await held_in_a_net(active, after="runs/a1")
    await stopped(active)
    assert await active.orders() == {}
    assert sent(active) == []
    left = await active.run("a1")
    assert left is not None
    assert (left.state, left.orders) == ("STARTED", ())
    await active.start()
    run = await active.run("a1")
    assert run is not None
    assert (run.state, run.outcome) == ("DONE", "interrupted")
    await active.settled_after_coalescing()
    assert sent(active) == ["paper-756733-1"]
    assert await active.book("alpha") == {"SPY": 10}


async def test_told_to_stop_after_the_journal_it_sends_nothing_and_says_so(active: Rig) -> None:
    """[W2]: checked again before the socket, so the order is not UNKNOWN to the next gateway."""
    await held_in_a_net(active, after="openOrders/paper-756733-1")
    await stopped(active)
    order = await only_order(active)
    assert (order.state, order.outcome) == ("DONE", "not_sent")
    assert order.reason == "not sent: the gateway was told to stop"
    assert sent(active) == []
    await active.start()
    await active.command("allocate", "a2")
    await active.traded()
    assert sent(active) == ["paper-756733-2"]
    assert await active.book("alpha") == {"SPY": 10}


async def test_an_answer_that_waited_to_be_written_with_a_net_is_not_acked(active: Rig) -> None:
    """[T2]: the net is left to the next gateway, so its targets must come again to be written."""
    await active.publish("commands", {"command": "run", "run_id": "r1", "strategies": ["alpha"]})
    await active.reached("r1", "ASKED")
    active.simulator.faults.latency(seconds=1.0)
    chief, task = active.chief, active.task
    assert chief is not None
    assert task is not None
    await active.say("alpha", run_id="r1", SPY=10)
    await active.until("it waits for prices", lambda: chief.floor.desk.cause is not None)
    chief.stop()
    while not task.done():
        await active.advance(seconds=1)
    await task
    assert await active.orders() == {}
    assert active.bus.pending(MINE) == 1
    active.simulator.faults.clear()
    await active.start()
    await active.settled_after_coalescing()
    await active.command("allocate", "a2")
    await active.traded()
    assert await active.book("alpha") == {"SPY": 10}

"""Incidents of other projects, replayed: silence, duplicated orders, ids that come again.

Rows 1, 3 and 4 of the list of incidents. Each strikes while two strategies trade the same contract
in opposite directions. When it is over, account and books hold what was wanted, and no order was
placed twice [N1, W1, R2, B3].
"""

from decimal import Decimal

import pytest

from infra.local.rig import Rig
from tests.simulation.incidents import (
    Incident,
    all_is_as_wanted,
    live_on,
    locks,
    no_order_is_there_twice,
    strike_and_recover,
    wanted_by_two,
)

SILENCE = (
    Incident(
        "lean_ib_93",
        "an order lost before it was booked is ordered again once",
        lambda f: f.silent_loss(after="sending", order=1),
    ),
    Incident(
        "lean_ib_93",
        "an ack that comes late is no reason to send again",
        lambda f: f.late_acks(seconds=7),
    ),
    Incident(
        "lean_ib_240",
        "an order whose answer went down with the session is not sent again",
        lambda f: f.silent_loss(after="booking", order=1),
    ),
    Incident(
        "ib_async_66",
        "an order that the broker never tells of is found by what it traded",
        lambda f: f.silent_loss(after="booking", order=1, until="never"),
    ),
    Incident(
        "lean_8940",
        "an order held up by a dialog is waited for and not replaced",
        lambda f: f.blocking_dialog(),
    ),
    Incident(
        "lean_ib_245",
        "an order refused at once is ended and does not wait for an answer",
        lambda f: f.rejection(reason="margin", times=1),
    ),
    Incident(
        "lean_ib_248",
        "a 10148 is an answer and ends no order that lives",
        lambda f: f.misleading_notice(code=10148),
    ),
    Incident(
        "pysystemtrade_188",
        "an order without any status is closed by its fills",
        lambda f: f.missing_statuses(which="all"),
    ),
)
DUPLICATES = (
    Incident(
        "pysystemtrade_1580",
        "an order warned of with 10349 is not sent again",
        lambda f: f.preset_notice(seconds=5),
    ),
    Incident(
        "ib_async_191",
        "an order that trades right after 10349 is not sent again",
        lambda f: f.preset_notice(seconds=0.7),
    ),
    Incident(
        "ib_async_217",
        "an order that trades long after 10349 is not sent again",
        lambda f: f.preset_notice(seconds=12),
    ),
    Incident(
        "lean_1026",
        "an order told of with 404 is not taken for refused",
        lambda f: f.misleading_notice(code=404),
    ),
)
IDS = (
    Incident(
        "nautilus_4970",
        "a fill told before the order was acknowledged is the order's",
        lambda f: f.execution_before_ack(),
    ),
    Incident(
        "nautilus_4247",
        "orders told of without a perm id are known by their reference",
        lambda f: f.missing_perm_ids(),
    ),
    Incident(
        "nautilus_3465",
        "a trade by hand without a perm id is nobodys order",
        lambda f: (
            f.missing_perm_ids(orders="external"),
            f.hand_trade(traded_symbol="SPY", quantity=Decimal(3)),
        ),
        external=3,
    ),
)


@pytest.mark.ib_async_errors_expected("incidents are what this is about")
@pytest.mark.parametrize("incident", [*SILENCE, *DUPLICATES, *IDS], ids=lambda i: i.case_name)
async def test_an_incident_leaves_all_as_wanted(
    incident: Incident, active: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[R2, A1]: positions and books end as wanted, without an order too many."""
    monkeypatch.setattr("gateway.commander.SILENCE_SECONDS", 0.2)
    await strike_and_recover(active, incident.inject)
    await all_is_as_wanted(active, incident.external)


async def test_pysystemtrade_452_a_restart_amid_a_batch_sends_no_order_of_it_again(
    active: Rig,
) -> None:
    """pysystemtrade#452: after a restart orders of the same batch were placed once more [W1]."""
    await active.say("alpha", SPY=10, VIXY=20)
    await active.settled_before_coalescing()
    await active.hold(before="runs/a1")
    await active.publish("commands", {"command": "allocate", "run_id": "a1"})
    await active.until_held()
    await active.kill()
    await active.start()
    await active.traded()
    assert (await active.command("allocate", "a2")).orders == ()
    assert active.simulator.exchange.positions == {"SPY": 10, "VIXY": 20}
    assert await active.book("alpha") == {"SPY": 10, "VIXY": 20}
    await no_order_is_there_twice(active)


async def test_lean_ib_242_ids_that_go_back_at_a_restart_amend_no_older_order(
    active: Rig,
) -> None:
    """LEAN.IB#242: nextValidId fell from 38103 to 38099, and ids were used again [W1]."""
    await wanted_by_two(active)
    await active.traded()
    active.simulator.faults.rolled_back_ids(by=4)
    await active.kill()
    await active.start()
    assert active.simulator.faults.log
    await active.say("alpha", VIXY=20)
    await active.settled_after_coalescing()
    assert active.simulator.exchange.positions == {"SPY": 6, "VIXY": 20}
    assert await active.held() == active.simulator.exchange.positions
    assert len(await active.orders()) == 2
    await no_order_is_there_twice(active)


async def test_nautilus_3464_a_trade_of_another_client_is_not_our_orders_fill(
    active: Rig,
) -> None:
    """Nautilus#3464: trades from elsewhere have order id 0; a number alone names no order [B2]."""
    await wanted_by_two(active)
    await active.traded()
    (ours,) = (await active.orders()).values()
    await active.simulator.trade_by_hand("SPY", Decimal(-2))
    await active.simulator.trade_by_hand("SPY", Decimal(-3))
    await live_on(active, "seen", 1)
    assert (await active.orders())[ours.order_ref].filled == 6
    assert await active.book("EXTERNAL") == {"SPY": -5}
    assert await active.held() == active.simulator.exchange.positions == {"SPY": 1}
    assert await locks(active) == {}


async def test_nautilus_3176_restarts_make_no_order_anew(active: Rig) -> None:
    """Nautilus#3176: each restart made the known orders once more out of the positions [W1]."""
    await wanted_by_two(active)
    await active.traded()
    before = {ref: order.filled for ref, order in (await active.orders()).items()}
    for again in range(2):
        await active.kill()
        await active.start()
        assert (await active.command("allocate", f"a{again}")).orders == ()
    assert {ref: order.filled for ref, order in (await active.orders()).items()} == before
    await all_is_as_wanted(active)


@pytest.mark.parametrize("issue", ["ib_insync_80", "ib_insync_644"])
async def test_ids_given_out_again_amend_no_order_and_collide_with_none(
    issue: str, active: Rig
) -> None:
    """ib_insync#80, ib_insync#644 (103): a fresh connection was given ids that were used [W1]."""
    by = {"ib_insync_80": 1, "ib_insync_644": 30}[issue]
    await wanted_by_two(active)
    await active.traded()
    active.simulator.faults.rolled_back_ids(by=by, times=0)
    for quantity in (12, 14):
        await active.kill()
        await active.start()
        await active.advance(seconds=1)
        await active.say("alpha", SPY=quantity)
        await active.settled_after_coalescing()
    assert await active.book("alpha") == {"SPY": 14}
    assert await active.held() == active.simulator.exchange.positions == {"SPY": 10}
    assert sorted(order.filled for order in (await active.orders()).values()) == [2, 2, 6]
    assert await locks(active) == {}
    await no_order_is_there_twice(active)

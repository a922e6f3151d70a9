"""The gateway lives through what the broker does wrong: never a share twice, never one lost.

Each fault strikes while 10 SPY are wanted by one strategy and -4 by another: a cross and an order.
When it is over the account holds what was wanted, no contract is locked, and the law holds [B3].
Faults that stop every answer need a clock that runs, which this bench has not.
"""

from decimal import Decimal

import pytest

from infra.local.rig import Rig
from tests.simulation.incidents import Inject, live_on, locks

FAULTS: dict[str, Inject] = {
    "lost before it was booked": lambda f: f.silent_loss(after="sending", order=1),
    "booked and never told of": lambda f: f.silent_loss(after="booking", order=1, until="never"),
    "acks late": lambda f: f.late_acks(seconds=7),
    "orders late": lambda f: f.late_orders(seconds=7),
    "statuses late": lambda f: f.late_statuses(seconds=7),
    "executions late": lambda f: f.late_executions(seconds=7),
    "commissions late": lambda f: f.late_commissions(seconds=7),
    "statuses twice": lambda f: f.duplicated_statuses(copies=3),
    "no status": lambda f: f.missing_statuses(which="all"),
    "no final status": lambda f: f.missing_statuses(which="final"),
    "statuses reordered": lambda f: f.reordered_statuses(),
    "no openOrder": lambda f: f.missing_open_orders(),
    "status before execution": lambda f: f.status_before_execution(),
    "execution before the ack": lambda f: f.execution_before_ack(),
    "executions twice": lambda f: f.duplicated_executions(copies=2),
    "executions only when asked for": lambda f: f.missing_executions(),
    "commission before execution": lambda f: f.commission_before_execution(),
    "odd parts": lambda f: f.odd_parts(parts=4, seconds=3),
    "10349, then filled": lambda f: f.preset_notice(seconds=5),
    "Inactive, then revived": lambda f: f.inactive_order(seconds=5),
    "executions corrected": lambda f: f.execution_correction(seconds=4),
    "399": lambda f: f.misleading_notice(code=399),
    "2109": lambda f: f.misleading_notice(code=2109),
    "110": lambda f: f.misleading_notice(code=110),
    "10148": lambda f: f.misleading_notice(code=10148),
    "neighbours swapped": lambda f: f.swapped_messages(probability=0.5),
    "ids rolled back": lambda f: f.rolled_back_ids(by=4),
    "a trade by hand between": lambda f: f.hand_trade(traded_symbol="SPY", quantity=Decimal(3)),
    "rejected for margin": lambda f: f.rejection(reason="margin", times=1),
    "rejected late": lambda f: f.late_rejection(times=1),
}


@pytest.mark.ib_async_errors_expected("faults are what this is about")
@pytest.mark.parametrize("fault", FAULTS)
async def test_the_account_ends_as_wanted(
    fault: str, active: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.commander.SILENCE_SECONDS", 0.3)
    FAULTS[fault](active.simulator.faults)
    await active.say("alpha", SPY=10)
    await active.say("beta", SPY=-4)
    await active.settled_before_coalescing()
    await active.advance(seconds=3)
    await live_on(active, "struck", 3)
    assert active.simulator.faults.log, "the fault never struck"
    active.simulator.faults.clear()
    await live_on(active, "over", 2)
    for again in range(2):
        await active.command("allocate", f"again-{again}")
        await live_on(active, f"after-{again}", 1)
    by_hand = await active.book("EXTERNAL")
    wanted = {"SPY": Decimal(6) + by_hand.get("SPY", Decimal(0))}
    assert await locks(active) == {}
    assert active.simulator.exchange.positions == wanted
    assert await active.held() == active.simulator.exchange.positions
    assert await active.book("beta") == {"SPY": -4}
    orders = (await active.orders()).values()
    assert sum(order.filled for order in orders) + by_hand.get("SPY", Decimal(0)) == wanted["SPY"]

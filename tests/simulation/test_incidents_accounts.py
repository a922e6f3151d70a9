"""Incidents of other projects, replayed: what the account holds, and whose it is.

Rows 2, 5, 9 and 10 of the list of incidents: fills lost, trades by hand and by the broker, several
strategies in one account, corrected executions. The law [B3] holds at the end, or a named lock says
in a sentence what is missing.
"""

from decimal import Decimal

import pytest

from gateway.simulator.broker import ExchangeOptions
from infra.local.rig import Rig, rigged
from tests.simulation.incidents import (
    Incident,
    all_is_as_wanted,
    live_on,
    locks,
    no_order_is_there_twice,
    strike_and_recover,
    until_partly_filled,
    wanted_by_two,
)

FILLS_LOST = (
    Incident(
        "lean_ib_249",
        "fills that are told only when asked for are asked for",
        lambda f: f.missing_executions(),
    ),
    Incident(
        "lean_ib_189",
        "fills told long after their status are booked once",
        lambda f: f.late_executions(seconds=9),
    ),
    Incident(
        "ibx_116",
        "a fill in several parts is whole again after late statuses",
        lambda f: (f.odd_parts(parts=4, seconds=3), f.late_statuses(seconds=7)),
    ),
)
MISMATCHES = (
    Incident(
        "nautilus_3476",
        "a trade by hand between snapshot and order is no part of the order",
        lambda f: f.hand_trade(traded_symbol="SPY", quantity=Decimal(4)),
        external=4,
    ),
    Incident(
        "nautilus_5057",
        "executions told twice count once",
        lambda f: f.duplicated_executions(copies=2),
    ),
    Incident(
        "lean_ib_186",
        "all told three times and in disorder is booked once",
        lambda f: (f.duplicated_statuses(copies=2), f.swapped_messages(probability=0.5)),
    ),
)
CORRECTIONS = (
    Incident(
        "ib_insync_364",
        "a correction of the price replaces its execution",
        lambda f: f.execution_correction(seconds=4),
    ),
)


@pytest.mark.ib_async_errors_expected("incidents are what this is about")
@pytest.mark.parametrize(
    "incident", [*FILLS_LOST, *MISMATCHES, *CORRECTIONS], ids=lambda i: i.case_name
)
async def test_an_incident_leaves_all_as_wanted(
    incident: Incident, active: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[A1, B2, B3]: each fill is booked once, to whom it belongs."""
    monkeypatch.setattr("gateway.commander.SILENCE_SECONDS", 0.2)
    await strike_and_recover(active, incident.inject)
    await all_is_as_wanted(active, incident.external)


@pytest.mark.ib_async_errors_expected("the gateway cuts the connection")
async def test_ibx_113_what_trades_while_the_line_is_broken_is_booked_when_it_is_back(
    active: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ibx#113: after a reconnect nobody asked for the executions of the gap [R1]."""
    monkeypatch.setattr("gateway.commander.RECONNECT_SECONDS", 0.02)
    active.simulator.faults.odd_parts(parts=3, seconds=5)
    await wanted_by_two(active)
    await until_partly_filled(active)
    active.simulator.faults.gateway_down(seconds=20)
    await active.advance(seconds=15)
    assert active.simulator.exchange.positions == {"SPY": 6}
    assert sum(order.filled for order in (await active.orders()).values()) < 6
    await active.advance(seconds=10)
    await active.traded()
    await all_is_as_wanted(active)


@pytest.mark.parametrize("issue", ["lean_3709", "lean_7048", "lean_6722"])
async def test_what_trades_while_nothing_runs_is_booked_at_the_start(
    issue: str, active: Rig
) -> None:
    """Lean#3709, #7048, #6722: fills, and all memory, were lost by a crash or redeploy [R1, A1]."""
    active.simulator.faults.odd_parts(parts=3, seconds=5)
    await wanted_by_two(active)
    await until_partly_filled(active)
    await (active.kill() if issue == "lean_3709" else active.stop())
    await active.advance(seconds=30 if issue != "lean_6722" else 7)
    await active.start()
    await active.advance(seconds=30)
    await active.traded()
    await all_is_as_wanted(active)


async def test_nautilus_1190_a_position_closed_by_hand_is_seen_while_running(active: Rig) -> None:
    """Nautilus#1190: closed at TWS, the position lived on in the program [B2, B5]."""
    await active.say("alpha", SPY=10)
    await active.settled_after_coalescing()
    await active.simulator.trade_by_hand("SPY", Decimal(-10))
    await live_on(active, "seen", 1)
    assert await active.book("alpha") == {"SPY": 10}
    assert await active.book("EXTERNAL") == {"SPY": -10}
    assert await active.held() == active.simulator.exchange.positions == {}
    assert (await active.command("allocate", "a1")).orders == ()


@pytest.mark.parametrize("issue", ["nautilus_3023", "nautilus_3443"])
async def test_a_position_that_leaves_by_not_being_told_of_is_flat(issue: str, active: Rig) -> None:
    """Nautilus#3023, #3443: a flat position is left out, and was then skipped [B3]."""
    active.simulator.faults.omitted_position(symbol="SPY")
    await active.say("alpha", SPY=10)
    await active.settled_after_coalescing()
    await active.advance(seconds=1)
    if issue == "nautilus_3023":
        await active.say("alpha", SPY=0)
        await active.settled_after_coalescing()
    else:
        await active.simulator.trade_by_hand("SPY", Decimal(-10))
        await active.command("reconcile", "r1")
    external = await active.book("EXTERNAL")
    assert external == ({} if issue == "nautilus_3023" else {"SPY": -10})
    assert await active.held() == active.simulator.exchange.positions == {}
    assert await locks(active) == {}


async def test_nautilus_4013_a_liquidation_by_the_broker_is_nobodys_order(active: Rig) -> None:
    """Nautilus#4013: the broker closed a position by itself [B2, B5]: nothing is bought back."""
    await active.say("alpha", SPY=10)
    await active.settled_after_coalescing()
    active.simulator.faults.forced_liquidation(traded_symbol="SPY")
    await live_on(active, "gone", 2)
    assert active.simulator.exchange.positions == {}
    assert (await active.command("allocate", "a1")).orders == ()
    assert await active.held() == {}
    assert await active.book("EXTERNAL") == {"SPY": -10}
    await no_order_is_there_twice(active)


async def test_lean_5839_what_nobody_explains_locks_its_contract_and_says_so(active: Rig) -> None:
    """Lean#5839: holdings and account differed, and trading went on [B3]."""
    await active.say("alpha", SPY=10)
    await active.settled_after_coalescing()
    fault = active.simulator.faults.wrong_position(symbol="SPY", difference=Decimal(3))
    await active.command("reconcile", "r1")
    sentence = (await locks(active))["SPY"]
    assert sentence.startswith("+3 SPY at the broker that neither a book nor EXTERNAL explains")
    await active.say("alpha", SPY=20)
    await active.settled_after_coalescing()
    assert len(await active.orders()) == 1
    active.simulator.faults.clear(fault)
    await active.command("reconcile", "r2")
    assert await locks(active) == {}
    await active.command("allocate", "a1")
    await active.traded()
    assert await active.held() == active.simulator.exchange.positions == {"SPY": 20}


@pytest.mark.parametrize(
    ("issue", "alpha", "beta"),
    [
        ("nautilus_2575", 10, -4),
        ("nautilus_3912", 9, -9),
        ("freqtrade_9434", 5, 7),
        ("go_trader_185", -6, 11),
        ("barter_65", -3, -8),
    ],
)
async def test_strategies_that_share_an_account_have_books_of_their_own(
    issue: str, alpha: int, beta: int
) -> None:
    """Nautilus#2575, #3912, freqtrade#9434, go-trader#185, barter#65: each wants its own [B1, A2].

    The orders trade in parts of 3 at most; the way back to 0 is another such order.
    """
    options = ExchangeOptions(seed=len(issue), executions_quantity_max=Decimal(3))
    async with rigged(options) as rig:
        await rig.start()
        await rig.resume()
        for sizes in ((alpha, beta), (beta, alpha), (0, beta)):
            await rig.say("alpha", SPY=sizes[0])
            await rig.say("beta", SPY=sizes[1])
            await rig.settled_after_coalescing()
            assert await rig.book("alpha") == ({"SPY": sizes[0]} if sizes[0] else {})
            assert await rig.book("beta") == {"SPY": sizes[1]}
            assert await rig.held() == rig.simulator.exchange.positions
            await rig.advance(seconds=5)
        assert await locks(rig) == {}
        await no_order_is_there_twice(rig)

"""A replay: bar by bar, with work in between, and an end."""

from collections.abc import Callable
from datetime import datetime, time
from decimal import Decimal

from gateway.simulator.clock import VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.outages import OutagePlan
from gateway.simulator.replay import replay
from gateway.simulator.server import ServerOptions, Simulator

At = Callable[..., datetime]


async def test_a_replay_acts_at_every_bar_until_the_bars_are_over(
    exchange: Exchange, at: At
) -> None:
    times: list[datetime] = []
    simulator = Simulator(exchange, VirtualClock(at("10:00")))

    async def buy(now: datetime) -> None:
        times.append(now)
        if now < at("16:00"):
            await simulator.trade_by_hand("SPY", Decimal(1))

    async with simulator:
        steps = await replay(simulator, buy)
    assert steps == len(times)
    assert times[:2] == [at("10:30"), at("11:00")]
    assert times[-1] >= at("16:00")
    assert exchange.positions == {"SPY": Decimal(50 + 11)}


async def test_a_replay_ends_with_the_bars_though_restarts_never_do(
    exchange: Exchange, at: At
) -> None:
    plan = OutagePlan(restart_at=time(23, 45), weekly_login=True, login_hours=1)
    simulator = Simulator(exchange, VirtualClock(at("10:00")), ServerOptions(outages=plan))

    async def watch(now: datetime) -> None:
        assert now <= at("16:00", 3)

    async with simulator:
        await replay(simulator, watch)
        assert not simulator.goes_on
        assert simulator.next_change() is not None


async def test_a_replay_stops_where_it_is_told_to(exchange: Exchange, at: At) -> None:
    simulator = Simulator(exchange, VirtualClock(at("10:00")))

    async def watch(now: datetime) -> None:
        assert now <= at("12:15")

    async with simulator:
        assert await replay(simulator, watch, until=at("12:15")) == 4
    assert simulator.clock.now() == at("12:00")

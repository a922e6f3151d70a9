"""A replay: bar by bar, with work in between, and an end."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from gateway.simulator.clock import VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.replay import replay
from gateway.simulator.server import Simulator

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


async def test_a_replay_stops_where_it_is_told_to(exchange: Exchange, at: At) -> None:
    simulator = Simulator(exchange, VirtualClock(at("10:00")))

    async def watch(now: datetime) -> None:
        assert now <= at("12:15")

    async with simulator:
        assert await replay(simulator, watch, until=at("12:15")) == 4
    assert simulator.clock.now() == at("12:00")

"""Two gateways at once [R3]: one trades, the other says why it waits; one that slept is harmless.

Real processes over Google's emulators and one simulator, with the lease's real times.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from infra.local.emulators import Emulators
from schemas.settings import StrategyDocument
from tests.integration.gateway_process import LEASE, GatewayProcess, World, opened

PATIENCE_SECONDS = 60.0
WANTED = b'{"strategy": "manual", "targets": [{"symbol": "SPY", "quantity": 10}]}'


@dataclass
class Stage:
    """A world, and the waiting for what happens in it."""

    world: World

    async def start(self, owner: str) -> GatewayProcess:
        return await self.world.start(owner)

    async def until(self, what: str, holds: Callable[[], Awaitable[bool]]) -> None:
        gateways = self.world.gateways
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not await holds():
                    if not any(gateway.is_alive for gateway in gateways):
                        raise AssertionError("no gateway lives: " + "\n".join(self.world.said))
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"never came: {what}; said: {self.world.said}") from None

    async def until_filled(self) -> None:
        """Let the market go on until the 10 shares are there."""

        async def is_filled() -> bool:
            simulator = self.world.simulator
            await simulator.advance_to(simulator.clock.now() + timedelta(seconds=1))
            return self.world.held() == {"SPY": Decimal(10)}

        await self.until("the 10 shares", is_filled)

    async def want(self) -> None:
        await self.world.bus.publish("targets-paper", WANTED, {})


@pytest.fixture
async def stage(emulators: Emulators, tmp_path: Path) -> AsyncIterator[Stage]:
    """A paper account that may trade, before any gateway is started."""
    manual = StrategyDocument(True, Decimal("0.1"))
    async with opened(emulators, "one-at-a-time", tmp_path, {"manual": manual}) as world:
        yield Stage(world)


@pytest.mark.emulators
async def test_of_two_gateways_one_trades_and_the_other_says_why_it_waits(stage: Stage) -> None:
    world = stage.world
    first = await stage.start("first")
    await stage.until("the first has recovered", world.has_recovered)
    second = await stage.start("second")
    says_why = "WARNING gateway.lease waits: leases/paper is held by first, epoch 1"

    async def second_says_why() -> bool:
        return says_why in second.lines

    async def second_holds() -> bool:
        return await world.holder() == "second"

    await stage.until("the second says why it waits", second_says_why)
    await stage.want()
    await stage.until_filled()
    first.process.send_signal(signal.SIGTERM)
    assert await first.ended() == 0
    await stage.until("the second holds the lease", second_holds)
    assert second.is_alive


@pytest.mark.emulators
async def test_a_gateway_stopped_past_its_lease_writes_nothing_when_it_goes_on(
    stage: Stage,
) -> None:
    world = stage.world
    first = await stage.start("first")
    await stage.until("the first has recovered", world.has_recovered)
    first.process.send_signal(signal.SIGSTOP)
    # It lies in the sleeper's socket: the first thing it will see when it goes on.
    await stage.want()
    second = await stage.start("second")
    # The sleeper still has the broker's line: IB refuses the second one, which says so and ends.
    assert await second.ended() == 1
    assert any("client id" in line.lower() for line in second.lines), second.lines
    assert (await world.store.get(LEASE) or {})["epoch"] == 2
    first.process.send_signal(signal.SIGCONT)
    assert await first.ended() == 1
    # Which it notices first depends on what it waited for when it was stopped.
    words = ("LeaseLost", "Firestore did not answer")
    assert any(word in line for word in words for line in first.lines), first.lines
    assert world.held() == {}
    assert not await world.store.list("positions/paper/openOrders")
    third = await stage.start("third")
    # The sleeper may have it unacked for as long as its deadline is; a level may be said twice.
    await stage.want()
    await stage.until_filled()
    orders = (await world.store.list("positions/paper/openOrders")).values()
    assert [(order["epoch"], order["quantity"]) for order in orders] == [(3, "10")]
    assert third.is_alive

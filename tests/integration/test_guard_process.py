"""`python -m gateway.guard` beside `python -m gateway`, over Google's emulators [R4].

An order rests at the broker, for time stands still there. All processes live by the wall's clock
and by their real patience, so the worlds live side by side.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.ports import Delivery, Document, Put
from infra.local.emulators import Emulators
from infra.local.rig import MODE, REPORTS
from schemas import codec
from schemas.messages import Report
from schemas.settings import StrategyDocument
from tests.integration.gateway_process import GatewayProcess, World, opened

PATIENCE_SECONDS = 120.0
"""A lease of 30 s, 15 s more, and a look every 10 s; only a failing test waits it out."""
WANTED = b'{"strategy": "manual", "targets": [{"symbol": "SPY", "quantity": 10}]}'
ORDER_REF = "paper-756733-1"
HALTED: Document = {"state": "halted", "by": "ann", "reason": "a doubt"}


@dataclass
class Watched:
    """A world with a commander, a guard, an order that works, and a reader of reports."""

    world: World
    commander: GatewayProcess
    told: list[str] = field(default_factory=list)

    @property
    def works(self) -> list[str]:
        """The references of the orders that work at the broker."""
        return [order.terms.order_ref for order in self.world.simulator.exchange.working_orders]

    async def until(self, what: str, holds: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not holds():
                    await asyncio.sleep(0.1)
        except TimeoutError:
            said = (*self.told, *self.world.said)
            raise AssertionError(f"never came: {what}; told: {said}") from None

    async def until_told(self, words: str) -> None:
        await self.until(words, lambda: any(words in sentence for sentence in self.told))

    async def until_ordered(self) -> None:
        """The targets are stored, and their net is due once, by the broker's clock [N1c].

        The order trades in parts, the first of them in a minute that never comes.
        """
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await self.world.store.list(f"positions/{MODE}/targets"):
                await asyncio.sleep(0.1)
        simulator = self.world.simulator
        simulator.faults.odd_parts(parts=3, seconds=60)
        await simulator.advance_to(simulator.clock.now() + timedelta(seconds=3))
        await self.until("the order works", lambda: self.works == [ORDER_REF])

    async def halt_by_hand(self) -> None:
        await self.world.store.commit([Put(f"control/{MODE}", HALTED)])


type Play = Callable[[Watched], Awaitable[None]]


async def killed(watched: Watched) -> None:
    """Nobody renews the lease; the id is free, so the order is cancelled by its number."""
    watched.commander.process.send_signal(signal.SIGKILL)
    await watched.until("no order works", lambda: not watched.works)
    await watched.until_told(f"the guard cancels {ORDER_REF}: no commander is alive: first (epoch")
    await watched.world.start("second")
    await watched.until_told("SPY is DONE, cancelled: +0")


async def stopped_and_halted_by_hand(watched: Watched) -> None:
    """A commander that hangs keeps its socket and so its id: only a global cancel is left."""
    watched.commander.process.send_signal(signal.SIGSTOP)
    await watched.halt_by_hand()
    await watched.until("no order works", lambda: not watched.works)
    await watched.until_told(
        "the guard cancels all orders of the account: trading is halted by ann (a doubt)"
    )


async def halted_by_hand(watched: Watched) -> None:
    """A commander that lives reads it with its lease, and needs no guard."""
    await watched.halt_by_hand()
    await watched.until_told("SPY is DONE, cancelled: +0")
    assert watched.works == []
    assert "trading is halted, by ann: a doubt" in watched.told
    activity = (await watched.world.store.list("activity")).values()
    assert "trading is halted, by ann: a doubt" in [one["sentence"] for one in activity]
    assert not any("the guard" in sentence for sentence in watched.told)
    assert watched.commander.is_alive


@pytest.mark.emulators
async def test_an_order_is_cancelled_whatever_has_become_of_its_commander(
    emulators: Emulators, tmp_path: Path
) -> None:
    """[R4, W2]"""
    plays: tuple[Play, ...] = (killed, stopped_and_halted_by_hand, halted_by_hand)
    async with asyncio.TaskGroup() as group:
        for play in plays:
            group.create_task(played(play, emulators, tmp_path))


async def played(play: Play, emulators: Emulators, folder: Path) -> None:
    name = play.__name__.replace("_", "-")
    (folder / name).mkdir()
    manual = {"manual": StrategyDocument(True, Decimal("0.1"))}
    async with AsyncExitStack() as parts:
        world = await parts.enter_async_context(opened(emulators, name, folder / name, manual))
        watched = Watched(world, await world.start("first"))

        def hear(delivery: Delivery) -> None:
            watched.told.append(codec.decode(Report, delivery.data).sentence)
            delivery.ack()

        parts.push_async_callback(world.bus.subscribe(REPORTS, hear).close)
        await world.start("guard", "gateway.guard")
        await world.bus.publish(f"targets-{MODE}", WANTED, {})
        await watched.until_ordered()
        await play(watched)

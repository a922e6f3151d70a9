"""Two gateways at once [R3]: one trades, the other says why it waits; one that slept is harmless.

Real processes over Google's emulators and one simulator, with the lease's real times.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.bus import GoogleBus
from gateway.ports import Put
from gateway.simulator.bars import read_folder
from gateway.simulator.clock import ClockFile, VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.server import ServerOptions, Simulator
from gateway.store import GoogleStore
from infra.local.demo import BUNDLED
from infra.local.emulators import Emulators, EmulatorsNotFound
from infra.local.provision import apply
from infra.topology import topology
from schemas import codec
from schemas.documents import LeaseDocument, path_of
from schemas.settings import ControlDocument, Settings, StrategyDocument
from schemas.values import Mode, TradingState

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0
WANTED = b'{"strategy": "manual", "targets": [{"symbol": "SPY", "quantity": 10}]}'
LEASE = path_of(LeaseDocument, mode=Mode.PAPER)


@dataclass
class Gateway:
    """One gateway process and what it said."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)
    reader: asyncio.Task[None] | None = None

    async def read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.lines.append(line.decode().rstrip())

    async def ended(self) -> int:
        code = await self.process.wait()
        assert self.reader is not None
        await self.reader
        return code


@dataclass
class World:
    """Emulators, a simulator, and the gateways started on them."""

    environment: Mapping[str, str]
    simulator: Simulator
    store: GoogleStore
    bus: GoogleBus
    gateways: list[Gateway] = field(default_factory=list)

    @property
    def said(self) -> list[str]:
        """All that the gateways said."""
        return [line for gateway in self.gateways for line in gateway.lines]

    async def start(self, owner: str) -> Gateway:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway",
            cwd=ROOT,
            env={**self.environment, "OWNER": owner},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        gateway = Gateway(process)
        gateway.reader = asyncio.create_task(gateway.read())
        self.gateways.append(gateway)
        return gateway

    async def until(self, what: str, holds: Any) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not (await found if asyncio.iscoroutine(found := holds()) else found):
                    assert None in {g.process.returncode for g in self.gateways}, self.said
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"never came: {what}; said: {self.said}") from None

    async def until_filled(self) -> None:
        """Let the market go on until the 10 shares are there."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while self.held() != {"SPY": Decimal(10)}:
                    simulator = self.simulator
                    await simulator.advance_to(simulator.clock.now() + timedelta(seconds=1))
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"never filled: {self.held()}; said: {self.said}") from None

    async def holder(self) -> str:
        return str((await self.store.get(LEASE) or {}).get("owner", ""))

    async def has_recovered(self) -> bool:
        return await self.store.get("positions/paper") is not None

    def held(self) -> dict[str, Decimal]:
        return dict(self.simulator.exchange.positions)


@pytest_asyncio.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A paper account that may trade, before any gateway is started."""
    emulators = Emulators("one-at-a-time")
    try:
        await emulators.__aenter__()
    except EmulatorsNotFound as error:
        pytest.skip(str(error))
    for name, value in emulators.env.items():
        monkeypatch.setenv(name, value)
    bars = read_folder(BUNDLED)
    session = bars.session(bars.whole_days()[-1])
    assert session is not None
    with ClockFile(tmp_path / "clock") as file:
        clock = VirtualClock(session.opens + timedelta(hours=1), file=file)
        async with Simulator(Exchange(bars), clock, ServerOptions(master_client_id=1)) as simulator:
            await apply(topology(Mode.PAPER, {}), emulators.pubsub_host, emulators.project)
            bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
            environment = {
                **bare,
                **emulators.env,
                "PYTHONUNBUFFERED": "1",
                "MODE": "paper",
                "IB_PORT": str(simulator.port),
                "CLOCK_FILE": str(tmp_path / "clock"),
            }
            store, bus = GoogleStore(emulators.project), GoogleBus(emulators.project)
            world = World(environment, simulator, store, bus)
            await seed(store)
            yield world
            for gateway in world.gateways:
                if gateway.process.returncode is None:
                    gateway.process.kill()
                    await gateway.ended()
            await bus.close()
            await store.close()
    await emulators.__aexit__(None, None, None)


async def seed(store: GoogleStore) -> None:
    """What a person sets before the first order."""
    documents: dict[str, object] = {
        path_of(Settings, name="common"): Settings(),
        path_of(StrategyDocument, strategy="manual"): StrategyDocument(True, Decimal("0.1")),
        path_of(ControlDocument, mode=Mode.PAPER): ControlDocument(TradingState.ACTIVE, "test"),
    }
    await store.commit([Put(path, codec.to_document(d)) for path, d in documents.items()])


@pytest.mark.emulators
async def test_of_two_gateways_one_trades_and_the_other_says_why_it_waits(world: World) -> None:
    first = await world.start("first")
    await world.until("the first has recovered", world.has_recovered)
    second = await world.start("second")
    says_why = "WARNING gateway.lease waits: leases/paper is held by first, epoch 1"
    await world.until("the second says why it waits", lambda: says_why in second.lines)
    await world.bus.publish("targets-paper", WANTED, {})
    await world.until_filled()
    first.process.send_signal(signal.SIGTERM)
    assert await first.ended() == 0
    await world.until("the second holds the lease", lambda: is_holder(world, "second"))
    assert second.process.returncode is None


@pytest.mark.emulators
async def test_a_gateway_stopped_past_its_lease_writes_nothing_when_it_goes_on(
    world: World,
) -> None:
    first = await world.start("first")
    await world.until("the first has recovered", world.has_recovered)
    first.process.send_signal(signal.SIGSTOP)
    # It lies in the sleeper's socket: the first thing it will see when it goes on.
    await world.bus.publish("targets-paper", WANTED, {})
    second = await world.start("second")
    # The sleeper still has the broker's line: IB refuses the second one, which says so and ends.
    assert await second.ended() == 1
    assert any("client id" in line.lower() for line in second.lines), second.lines
    assert (await world.store.get(LEASE) or {})["epoch"] == 2
    first.process.send_signal(signal.SIGCONT)
    assert await first.ended() == 1
    assert any("LeaseLost" in line for line in first.lines), first.lines
    assert world.held() == {}
    assert not await world.store.list("positions/paper/openOrders")
    third = await world.start("third")
    # The sleeper may have it unacked for as long as its deadline is; a level may be said twice.
    await world.bus.publish("targets-paper", WANTED, {})
    await world.until_filled()
    orders = (await world.store.list("positions/paper/openOrders")).values()
    assert [(order["epoch"], order["quantity"]) for order in orders] == [(3, "10")]
    assert third.process.returncode is None


async def is_holder(world: World, owner: str) -> bool:
    return await world.holder() == owner

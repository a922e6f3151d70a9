"""`python -m gateway` as a process over Google's emulators and a simulator, shared by test modules.

Several worlds may share one pair of emulators: each has a project of its own, which keeps topics
and documents apart.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Final

from functions.registry import StrategySpec
from gateway.bus import BusSettings, GoogleBus
from gateway.ports import Put
from gateway.simulator.clock import ClockFile, VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.server import ServerOptions, Simulator
from gateway.store import GoogleStore, StoreSettings
from infra.local.emulators import Emulators
from infra.local.provision import apply
from infra.local.rig import BARS, CLIENT_ID, MODE, bundled_bars, start_of_play
from infra.topology import Topology, topology
from schemas import codec
from schemas.documents import LeaseDocument, path_of
from schemas.settings import ControlDocument, Settings, StrategyDocument
from schemas.values import TradingState

ROOT: Final = Path(__file__).parents[2]
LEASE: Final = path_of(LeaseDocument, mode=MODE)

WATCHING: Final = StoreSettings(call_deadline_seconds=30.0, query_deadline_seconds=60.0)
PUBLISHING: Final = BusSettings(publish_deadline_seconds=30.0)
"""Whoever looks on has time; a busy machine shall not fail a test that a gateway passes."""


@dataclass
class GatewayProcess:
    """One gateway process and what it said."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)
    reader: asyncio.Task[None] | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self.process.returncode is None

    async def ended(self) -> int:
        """Wait for its end; the exit code, negative for the signal that killed it."""
        code = await self.process.wait()
        assert self.reader is not None
        await self.reader
        return code

    async def kill(self) -> None:
        """End it, if it has not ended."""
        if self.is_alive:
            self.process.kill()
        await self.ended()

    async def read(self) -> None:
        """Note what it says, to the end."""
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.lines.append(line.decode().rstrip())


async def started(environment: Mapping[str, str], module: str = "gateway") -> GatewayProcess:
    """A process of the gateway's with this environment and no other variable of ours."""
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        cwd=ROOT,
        env={**bare, "PYTHONUNBUFFERED": "1", **environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    gateway = GatewayProcess(process)
    gateway.reader = asyncio.create_task(gateway.read())
    return gateway


@dataclass
class World:
    """A simulator and a project on the emulators, and the gateways started on them."""

    environment: dict[str, str]
    simulator: Simulator
    store: GoogleStore
    bus: GoogleBus
    gateways: list[GatewayProcess] = field(default_factory=list)

    @property
    def said(self) -> list[str]:
        """All that the gateways said."""
        return [line for gateway in self.gateways for line in gateway.lines]

    async def start(self, owner: str, module: str = "gateway") -> GatewayProcess:
        """Start a gateway that calls itself so in the lease, or its guard."""
        gateway = await started({**self.environment, "OWNER": owner}, module)
        self.gateways.append(gateway)
        return gateway

    async def holder(self) -> str:
        """Who holds the lease; empty when nobody does."""
        return str((await self.store.get(LEASE) or {}).get("owner", ""))

    async def has_recovered(self) -> bool:
        """Whether some gateway has read the account."""
        return await self.store.get(f"positions/{MODE}") is not None

    def held(self) -> dict[str, Decimal]:
        """What the broker says is held, by symbol."""
        return dict(self.simulator.exchange.positions)

    async def seed(self, strategies: Mapping[str, StrategyDocument]) -> None:
        """What a person sets before the first order: strategies, and that trading is on."""
        documents: dict[str, object] = {
            path_of(Settings, name="common"): Settings(),
            path_of(ControlDocument, mode=MODE): ControlDocument(TradingState.ACTIVE, "test"),
            **{path_of(StrategyDocument, strategy=n): one for n, one in strategies.items()},
        }
        await self.store.commit([Put(path, codec.to_document(d)) for path, d in documents.items()])


@asynccontextmanager
async def opened(
    emulators: Emulators,
    project: str,
    folder: Path,
    strategies: Mapping[str, StrategyDocument],
) -> AsyncIterator[World]:
    """A paper account an hour into a day, in this project, before any gateway is started.

    This process's own environment must name the emulators. The clock stands still until moved.
    """
    specs = {n: StrategySpec(s.universe, BARS, "") for n, s in strategies.items() if s.universe}
    await apply(_patient(topology(MODE, specs)), emulators.pubsub_host, project)
    async with AsyncExitStack() as parts:
        file = parts.enter_context(ClockFile(folder / "clock"))
        clock = VirtualClock(start_of_play(), file=file)
        options = ServerOptions(master_client_id=CLIENT_ID)
        simulator = Simulator(Exchange(bundled_bars()), clock, options)
        await parts.enter_async_context(simulator)
        environment = {
            **emulators.env,
            "GOOGLE_CLOUD_PROJECT": project,
            "MODE": MODE,
            "IB_PORT": str(simulator.port),
            "IB_CLIENT_ID": str(CLIENT_ID),
            "CLOCK_FILE": str(folder / "clock"),
        }
        store, bus = GoogleStore(project, settings=WATCHING), GoogleBus(project, PUBLISHING)
        parts.push_async_callback(store.close)
        parts.push_async_callback(bus.close)
        world = World(environment, simulator, store, bus)
        parts.push_async_callback(_end, world)
        await world.seed(strategies)
        yield world


def _patient(wanted: Topology) -> Topology:
    """As many attempts as Pub/Sub allows before a message is given up.

    The emulator goes on delivering to the stream of a process that was killed, every ten seconds:
    each time counts, and after five it would bury what the next gateway has never seen.
    """
    patient = (replace(s, delivery_attempts_max=100) for s in wanted.subscriptions)
    return replace(wanted, subscriptions=tuple(patient))


async def _end(world: World) -> None:
    await asyncio.gather(*(gateway.kill() for gateway in world.gateways))

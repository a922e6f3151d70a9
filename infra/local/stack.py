"""The whole system on one machine, over the embedded stack or over Google's emulators.

Both stacks are the same system: same commander, same functions, same simulator. They differ in the
bus and the store, and in how many processes there are.
"""

import asyncio
import logging
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from functions.answer import answer
from functions.registry import WATCHERS, StrategySpec, load, specs
from gateway.__main__ import commander
from gateway.bus import GoogleBus
from gateway.config import Config
from gateway.guard import guard
from gateway.ports import Bus, Delivery, Store
from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.clock import ClockFile, VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook
from gateway.simulator.market.contracts import ContractTable
from gateway.simulator.server import ServerOptions, Simulator
from gateway.store import GoogleStore
from infra.init import create_missing
from infra.local import functions_server, watchers
from infra.local.bus import EmbeddedBus
from infra.local.emulators import Emulators
from infra.local.processes import Child
from infra.local.provision import apply
from infra.local.store import EmbeddedStore
from infra.topology import Topology, topology
from schemas import codec
from schemas.messages import DEAD_LETTERS, TOPICS, Targets, topic_name
from schemas.values import Mode

log = logging.getLogger(__name__)

type StackName = Literal["embedded", "emulators"]

PROJECT: Final = "ib-trading-local"
MODE: Final = Mode.PAPER
GATEWAY_CLIENT_ID: Final = 1


class StackFailed(Exception):
    """A part of the stack ended by itself; the text says which and why."""


@dataclass(frozen=True, slots=True)
class StackOptions:
    """What to play: bars, the first instant, what the account holds, how fast time runs.

    `contracts` are those that the broker knows, None for the simulator's own.
    `speed` is virtual seconds per real second; 0 stands still until somebody advances the clock.
    `guarded` starts the guard too, which lives by the wall's clock and so has no part in a play.
    `listening` are the strategies that are pushed market messages, None for all: Google's emulator
    ignores filters, so each message goes to every one of them and not, as in the cloud, to one.
    """

    bars: BarBook
    start: datetime
    exchange: ExchangeOptions
    speed: float = 0.0
    guarded: bool = False
    contracts: ContractTable | None = None
    listening: frozenset[str] | None = None


@dataclass(slots=True)
class Stack:
    """A running stack, as a person outside sees it: bus, store, and the broker's back door."""

    name: StackName
    bus: Bus
    store: Store
    simulator: Simulator
    tasks: list[asyncio.Task[Any]]
    pending: Callable[[], int]
    pubsub_host: str = ""
    firestore_host: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the commands that look need in theirs; empty on the embedded stack, which they cannot
    reach."""

    def check(self) -> None:
        """Raise `StackFailed` if a part has ended."""
        for task in self.tasks:
            if task.done():
                error = None if task.cancelled() else task.exception()
                raise StackFailed(
                    f"{task.get_name()} ended: {error or 'without a word'}"
                ) from error

    @asynccontextmanager
    async def reading(
        self, on_report: Callable[[Delivery], None], on_dead_letter: Callable[[Delivery], None]
    ) -> AsyncIterator[None]:
        """Read reports and dead letters meanwhile; `check` says if a reader fails."""
        readers = {"reports": on_report, DEAD_LETTERS: on_dead_letter}
        async with AsyncExitStack() as parts:
            for topic, deliver in readers.items():
                stream = self.bus.subscribe(f"{topic}-reader-{MODE}", deliver)
                task = asyncio.create_task(stream.wait(), name=f"the reader of {topic}")
                parts.push_async_callback(asyncio.wait, [task])
                parts.push_async_callback(stream.close)
                self.tasks.append(task)
                parts.callback(self.tasks.remove, task)
            yield


@asynccontextmanager
async def running(name: StackName, options: StackOptions) -> AsyncIterator[Stack]:
    """A stack from start to end. All that it leaves lies in a temporary folder and goes with it."""
    start = _embedded if name == "embedded" else _emulated
    async with AsyncExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="ib-trading-")))
        yield await start(parts, options, folder)


async def _embedded(parts: AsyncExitStack, options: StackOptions, folder: Path) -> Stack:
    wanted = topology(MODE, _listening(options))
    simulator = await _simulator(parts, options, folder)
    bus = EmbeddedBus(folder / "bus.sqlite", wanted)
    parts.push_async_callback(bus.close)
    store = EmbeddedStore(folder / "store.sqlite")
    parts.push_async_callback(store.close)
    await create_missing(store, MODE, specs())
    config = _config(simulator, None)
    chief = commander(config, bus, store, simulator.clock)
    stack = Stack("embedded", bus, store, simulator, [], _own(bus, wanted))
    await _serve_functions(parts, stack, wanted, folder / "store.sqlite")
    stack.tasks.append(_part(parts, "the gateway", chief.run()))
    if options.guarded:
        watcher = guard(config, bus, store, simulator.clock)
        stack.tasks.append(_part(parts, "the guard", watcher.run()))
    return stack


async def _emulated(parts: AsyncExitStack, options: StackOptions, folder: Path) -> Stack:
    wanted = topology(MODE, _listening(options))
    emulators = await parts.enter_async_context(Emulators(PROJECT))
    simulator = await _simulator(parts, options, folder)
    _enter_environment(parts, emulators.env)
    environment = {**os.environ, "MODE": MODE, "PYTHONUNBUFFERED": "1"}
    functions = Child("the functions", [sys.executable, "-m", functions_server.__name__])
    parts.push_async_callback(functions.stop)
    functions_port = await functions.start(environment, functions_server.LISTENS)
    push_base_url = f"http://127.0.0.1:{functions_port}"
    await apply(wanted, emulators.pubsub_host, PROJECT, push_base_url)
    bus, store = GoogleBus(PROJECT), GoogleStore(PROJECT)
    parts.push_async_callback(bus.close)
    parts.push_async_callback(store.close)
    await create_missing(store, MODE, specs())
    variables = _variables(_config(simulator, folder / "clock"))
    environment |= variables
    children = [functions, await _started(parts, "the gateway", "gateway", environment)]
    if options.guarded:
        children.append(await _started(parts, "the guard", "gateway.guard", environment))
    stack = Stack("emulators", bus, store, simulator, [], lambda: 0)
    stack.pubsub_host, stack.firestore_host = emulators.pubsub_host, emulators.firestore_host
    stack.environment = {**emulators.env, **variables}
    stack.tasks += [_part(parts, child.name, child.wait()) for child in children]
    return stack


async def _started(
    parts: AsyncExitStack, name: str, module: str, environment: Mapping[str, str]
) -> Child:
    child = Child(name, [sys.executable, "-m", module])
    parts.push_async_callback(child.stop)
    await child.start(environment, None)
    return child


def _enter_environment(parts: AsyncExitStack, variables: Mapping[str, str]) -> None:
    """Set what Google's clients read in this process, until the stack ends."""
    before = dict(os.environ)
    os.environ.update(variables)

    def restore() -> None:
        for name in variables:
            os.environ.pop(name, None)
        os.environ.update({name: before[name] for name in variables if name in before})

    parts.callback(restore)


def _listening(options: StackOptions) -> Mapping[str, StrategySpec]:
    known = specs()
    names = known if options.listening is None else [n for n in known if n in options.listening]
    return {name: known[name] for name in names}


async def _simulator(parts: AsyncExitStack, options: StackOptions, folder: Path) -> Simulator:
    file = parts.enter_context(ClockFile(folder / "clock"))
    loop = asyncio.get_running_loop()
    clock = VirtualClock(options.start, speed=options.speed, monotonic=loop.time, file=file)
    exchange = Exchange(options.bars, options.exchange, options.contracts)
    return await parts.enter_async_context(
        Simulator(exchange, clock, ServerOptions(master_client_id=GATEWAY_CLIENT_ID))
    )


def _config(simulator: Simulator, clock_file: Path | None) -> Config:
    return Config(
        mode=MODE,
        google_cloud_project=PROJECT,
        owner=f"local-{os.getpid()}",
        ib_port=simulator.port,
        ib_client_id=GATEWAY_CLIENT_ID,
        clock_file=clock_file,
    )


def _variables(config: Config) -> dict[str, str]:
    return {
        "MODE": config.mode,
        "GOOGLE_CLOUD_PROJECT": config.google_cloud_project,
        "OWNER": config.owner,
        "IB_HOST": config.ib_host,
        "IB_PORT": str(config.ib_port),
        "IB_CLIENT_ID": str(config.ib_client_id),
        "IB_GUARD_CLIENT_ID": str(config.ib_guard_client_id),
        "CLOCK_FILE": str(config.clock_file),
    }


def _part(
    parts: AsyncExitStack, name: str, work: Coroutine[Any, Any, object]
) -> asyncio.Task[object]:
    """A part of the stack as a task that ends with it."""
    task = asyncio.create_task(work, name=name)

    async def end() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    parts.push_async_callback(end)
    return task


def _own(bus: EmbeddedBus, wanted: Topology) -> Callable[[], int]:
    """How many messages wait for the system itself; those for readers may wait for ever."""
    mine = [s.name for s in wanted.subscriptions if s.dead_letter_topic is not None]
    return lambda: sum(bus.pending(name) for name in mine)


async def _serve_functions(
    parts: AsyncExitStack, stack: Stack, wanted: Topology, file: Path
) -> None:
    """Feed each function from its push subscription, in threads, as the cloud would."""
    running: set[asyncio.Task[None]] = set()
    watching = watchers.watcher(MODE, watchers.over_file(file), stack.bus)

    async def end() -> None:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    parts.push_async_callback(end)

    def fed(name: str) -> Callable[[Delivery], None]:
        def deliver(delivery: Delivery) -> None:
            called = (
                watchers.call(watching, name, delivery)
                if name in WATCHERS
                else _call(stack.bus, name, delivery)
            )
            task = asyncio.create_task(called)
            running.add(task)
            task.add_done_callback(running.discard)

        return deliver

    for subscription in wanted.subscriptions:
        if subscription.entry_point is not None:
            stream = stack.bus.subscribe(subscription.name, fed(subscription.entry_point))
            parts.push_async_callback(stream.close)


async def _call(bus: Bus, name: str, delivery: Delivery) -> None:
    """One push: the function's answer is published, then the message acked; else it comes again."""
    try:
        said = await asyncio.to_thread(answer, name, load(name), delivery.data, delivery.attributes)
    except Exception:
        log.exception("the function %s failed on message %s", name, delivery.message_id)
        delivery.nack()
        return
    if said is not None and said.as_of is not None:
        attributes = codec.attributes(said, f"{said.run_id}/{name}", said.as_of)
        await bus.publish(topic_name(TOPICS[Targets], MODE), codec.encode(said), attributes)
    delivery.ack()

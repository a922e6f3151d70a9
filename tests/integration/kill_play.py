"""One day of a gateway process that is struck and started again, and what it comes to.

The play: two strategies, a run that crosses and orders, fills in parts, a change of mind that
cancels what is half filled [N7], and reconciles until nothing changes any more. It goes on whatever
becomes of the gateway, as the world does.
"""

import asyncio
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from signal import SIGTERM
from typing import Any, Final

from gateway.ports import Delivery, Unavailable
from infra.local.emulators import Emulators
from infra.local.rig import BARS, REPORTS, SPY
from schemas import codec
from schemas.messages import Market
from schemas.settings import StrategyDocument
from tests.integration.gateway_process import GatewayProcess, World, opened
from tests.integration.kill_account import Books, Left, differences, left, wrongs
from tests.integration.kill_strike import AT_REST, RECOVERY, STOPS, STRIKES, Strike
from tests.integration.wires import Piece, Wire, wired

STRATEGIES: Final = {
    "alpha": StrategyDocument(True, Decimal("0.5"), universe=(SPY,), bars=BARS),
    "beta": StrategyDocument(True, Decimal("0.4")),
}
FIRST: Final = {"alpha": {"SPY": 30}, "beta": {"SPY": -4, "VIXY": 40}}
LAST: Final = {"alpha": {"SPY": 5}, "beta": {"SPY": -4, "VIXY": 40}}
WANTED: Final[Books] = {
    name: {symbol: Decimal(quantity) for symbol, quantity in wanted.items()}
    for name, wanted in LAST.items()
}
BOUNDS: Final = {"SPY": (-4, 30), "VIXY": (0, 40)}
"""The least and the most that the strategies ever want together, or one of them alone."""

TICK_SECONDS: Final = 0.1
LOOK_TICKS: Final = 5
"""So seldom is the lease looked at, for plays side by side share two cores."""

POLL_SECONDS: Final = 0.25
MARKET_SPEED: Final = 2.0
"""Virtual seconds in a real one."""

PATIENCE_SECONDS: Final = 180.0
"""For any one thing: a lease that ends (33 s), messages that come again (10 to 60 s)."""

AFTERWARDS_SECONDS: Final = 20.0
"""For what follows by itself when all orders are over: commissions, a run document's end."""

ROUNDS_MAX: Final = 8

_WORD: Final = re.compile(rb'"strategy": "(\w+)", "targets": .*?"as_of": "([^"]+)"', re.DOTALL)
"""A strategy's word on its way to a gateway."""


class NeverCame(Exception):
    """What was waited for did not happen; the text says what."""


@dataclass(frozen=True, slots=True)
class End:
    """How a gateway ended after a signal: its code, after how long, and what it did meanwhile."""

    code: int
    seconds: float
    holder: str
    new_orders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Played:
    """What one play came to; `strikes` says where it was struck."""

    name: str
    strikes: tuple[str, ...]
    codes: tuple[int, ...]
    ends: tuple[End, ...]
    wrongs: tuple[str, ...]
    locks: Mapping[str, str]
    crosses: int
    said: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        where = "; ".join(self.strikes)
        return f"{self.name}: {where}: {'; '.join(self.wrongs) or 'as it should be'}"


@dataclass(slots=True)
class Play:
    """A play under way."""

    world: World
    strikes: list[Strike]
    market_stands: bool
    wires: list[Wire] = field(default_factory=list)
    wants: dict[str, dict[str, int]] = field(default_factory=lambda: dict(FIRST))
    struck: list[str] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    gateway: GatewayProcess | None = None
    lives: int = 0
    is_up: bool = False
    last_said: dict[str, datetime] = field(default_factory=dict)
    heard: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    """To which lives of the gateway the bus gave each word, by strategy and time."""
    told: set[str] = field(default_factory=set)
    """The event ids of the reports that came."""
    _struck_at: float = 0.0
    _refs_then: frozenset[str] = frozenset()
    _asked: asyncio.Queue[Delivery] = field(default_factory=asyncio.Queue)

    async def look(self, piece: Piece) -> bool:
        """All pieces of all wires come by here."""
        if piece.line == "bus" and piece.way == "down":
            for strategy, as_of in _WORD.findall(piece.data):
                self.heard[strategy.decode(), as_of.decode()].append(self.lives)
        return not self.strikes or await self.strikes[0].look(piece)

    def note(self) -> None:
        """A signal is about to be sent."""
        self._struck_at, self._refs_then = time.monotonic(), self._refs()

    async def keep(self) -> None:
        """Be the platform: start the gateway whenever it has ended. Raises for a defect's code."""
        while True:
            await self.live()
            await asyncio.sleep(0.2)

    async def live(self) -> int:
        """One life of a gateway, from its start to its end."""
        self.lives += 1
        self.is_up = False
        self.gateway = await self.world.start(f"gateway-{self.lives}")
        if self.strikes:
            self.strikes[0].target = self.gateway
            self.strikes[0].on_strike = self.note
        code = await self.gateway.ended()
        seconds = time.monotonic() - self._struck_at
        self.codes.append(code)
        self.is_up = False
        while any(wire.tasks for wire in self.wires):  # what it wrote before it died goes its way
            await asyncio.sleep(0.01)
        if self.strikes and self.strikes[0].is_done.is_set():
            self.struck.append(str(self.strikes.pop(0)))
            new = tuple(sorted(self._refs() - self._refs_then))
            self.ends.append(End(code, seconds, await self.world.holder(), new))
        return code

    async def trade(self) -> None:
        """Be the market: time passes, unless it stands still while nobody is there."""
        for tick in count():
            await asyncio.sleep(TICK_SECONDS)
            if not self.is_up and not tick % LOOK_TICKS:
                self.is_up = await self.world.holder() == f"gateway-{self.lives}"
            if self.is_up or not self.market_stands:
                await self._pass(TICK_SECONDS * MARKET_SPEED)

    async def answer(self) -> None:
        """Be the strategies' functions: answer what is asked."""
        running = self.world.bus.subscribe("market-alpha-paper", self._asked.put_nowait)
        try:
            while True:
                delivery = await self._asked.get()
                market = codec.decode(Market, delivery.data)
                if market.strategy == "alpha":
                    await self.say("alpha", market.run_id)
                delivery.ack()
        finally:
            await running.close()

    async def say(self, strategy: str, run_id: str = "") -> None:
        """Publish what a strategy wants now, once."""
        wants = self.wants[strategy].items()
        targets = [{"symbol": symbol, "quantity": quantity} for symbol, quantity in wants]
        now = self.world.simulator.clock.now()
        body = {"strategy": strategy, "targets": targets, "as_of": now.isoformat()}
        self.last_said[strategy] = now
        await self._publish("targets-paper", {**body, "run_id": run_id} if run_id else body)

    async def written(self) -> None:
        """Wait until everybody's last word is written. Each is said once, so none may be lost."""
        try:
            await self.until("every word is written", self._is_all_written)
        except NeverCame as error:
            heard = (
                f"{name}'s of {at.isoformat()} was given to gateways "
                f"{self.heard[name, at.isoformat()]}"
                for name, at in self.last_said.items()
            )
            raise NeverCame("; ".join((str(error), *heard))) from error

    async def command(self, name: str, run_id: str) -> None:
        """Publish a command, once, and wait until its run is over, however."""
        await self._publish("commands-paper", {"command": name, "run_id": run_id})
        path = f"runs/{run_id}"
        await self.until(f"{path} is DONE", lambda: self._is(path, "DONE"))

    async def until(
        self,
        what: str,
        holds: Callable[[], Awaitable[bool]],
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """Wait until it holds. Raises `NeverCame`."""
        end = time.monotonic() + patience_seconds
        while not await holds():
            if time.monotonic() > end:
                raise NeverCame(f"after {patience_seconds:.0f} s still not: {what}")
            await asyncio.sleep(POLL_SECONDS)

    async def first_part(self) -> None:
        """Wishes that cross, orders, and their first fills; the strategies are ready for more."""
        self.world.simulator.faults.odd_parts(parts=4, seconds=3)
        await self.until("a gateway has recovered", self.world.has_recovered)
        await self.say("beta")
        await self.command("run", "r1")
        await self.written()
        await self.until("r1's orders trade, or there are none", self._is_half_filled)

    async def second_part(self) -> None:
        """Everybody says something new, unasked; then it is reconciled until nothing changes."""
        self.wants = dict(LAST)
        await self._pass(1.0)  # of two words at the same instant the first would count [T2]
        for strategy in self.wants:
            await self.say(strategy)
        await self.written()
        await self.converge("c")
        while self.strikes:
            strike, life = self.strikes[0], self.lives
            strike.rest()
            await self.until("the next gateway", partial(self._has_lived, life))
            self.struck[-1] = f"{AT_REST}: {strike}"
            await self.converge(f"rest-{life}-")

    async def converge(self, prefix: str) -> None:
        """Levels: so one more comparison is enough, unless something is locked."""
        for number in count(1):
            for name in ("reconcile", "allocate"):
                await self.command(name, f"{prefix}-{name}-{number}")
            await self.until("all orders are over", self._are_over)
            if number == ROUNDS_MAX or not differences(await left(self.world), WANTED):
                return

    async def ending(self) -> tuple[Left, list[str]]:
        """What is left, and what is wrong with it."""
        end = time.monotonic() + AFTERWARDS_SECONDS
        while True:
            found = await left(self.world)
            wrong = [*wrongs(found, BOUNDS), *differences(found, WANTED), *self._untold(found)]
            if not wrong or time.monotonic() > end:
                return found, wrong + [f"dead letter: {d}" for d in await self._dead_letters()]
            await asyncio.sleep(0.5)

    def hear(self, delivery: Delivery) -> None:
        """Be whoever listens to `reports`."""
        self.told.add(delivery.attributes["ce-id"])
        delivery.ack()

    def _untold(self, found: Left) -> list[str]:
        """What was written and never published, whoever died in between."""
        activity = found.documents["activity"].items()
        return [f"never told: {n['sentence']}" for name, n in activity if name not in self.told]

    async def _dead_letters(self) -> list[str]:
        found: list[str] = []
        running = self.world.bus.subscribe(
            "dead-letters-reader-paper", lambda d: found.append(f"{d.data!r} {d.attributes}")
        )
        await asyncio.sleep(0.5)
        await running.close()
        return found

    async def _publish(self, topic: str, body: Mapping[str, Any]) -> None:
        await self.world.bus.publish(topic, json.dumps(body).encode(), {})

    async def _is(self, path: str, state: str) -> bool:
        return (await self.world.store.get(path) or {}).get("state") == state

    async def _is_all_written(self) -> bool:
        found = await self.world.store.list("positions/paper/targets")
        written = {path.rpartition("/")[2]: data["last_as_of"] for path, data in found.items()}
        return written == self.last_said

    async def _is_half_filled(self) -> bool:
        record = self.world.simulator.exchange.orders.record
        return bool(record.executions) or await self._are_over()

    async def _are_over(self) -> bool:
        if self.world.simulator.exchange.working_orders:
            return False
        orders = await self.world.store.list("positions/paper/openOrders")
        return all(order["state"] == "DONE" for order in orders.values())

    async def _pass(self, seconds: float) -> None:
        simulator = self.world.simulator
        await simulator.advance_to(simulator.clock.now() + timedelta(seconds=seconds))

    def _refs(self) -> frozenset[str]:
        """The references of all orders that the broker ever got."""
        desk = self.world.simulator.exchange.orders
        return frozenset(order.terms.order_ref for order in (*desk.working, *desk.done))

    async def _has_lived(self, life: int) -> bool:
        return self.lives > life and bool(self.struck)


def strikes_of(number: int) -> list[Strike]:
    """Where the play of this number is struck: every fifth a second time, as it starts again."""
    chance = Random(number)
    moment, side = STRIKES[number % len(STRIKES)]
    strikes = [Strike.drawn(moment, side, chance)]
    if number % 5 == 4:
        strikes.append(Strike.drawn(RECOVERY, chance.choice(("before", "after")), chance))
    return strikes


def stop_of(number: int) -> list[Strike]:
    """When the gateway of the play of this number is told to stop."""
    moment, side = STOPS[number]
    return [replace(Strike.drawn(moment, side, Random(number)), signal=SIGTERM)]


@asynccontextmanager
async def staged(
    emulators: Emulators, name: str, folder: Path, strikes: list[Strike]
) -> AsyncIterator[Play]:
    """A play that has not begun: its market and its strategies are there, its gateway is not."""
    folder.mkdir()
    async with AsyncExitStack() as parts:
        world = await parts.enter_async_context(opened(emulators, name, folder, STRATEGIES))
        play = Play(world, strikes, market_stands=Random(name).random() < 0.5)
        broker = f"127.0.0.1:{world.simulator.port}"
        lines: tuple[tuple[Any, str, str], ...] = (
            ("store", emulators.firestore_host, "FIRESTORE_EMULATOR_HOST"),
            ("bus", emulators.pubsub_host, "PUBSUB_EMULATOR_HOST"),
            ("broker", broker, "IB_PORT"),
        )
        for line, address, variable in lines:
            wire = await parts.enter_async_context(wired(line, address, play.look))
            play.wires.append(wire)
            world.environment[variable] = wire.address
        world.environment["IB_PORT"] = world.environment["IB_PORT"].rpartition(":")[2]
        parts.push_async_callback(world.bus.subscribe(REPORTS, play.hear).close)
        for work in (play.trade(), play.answer()):
            parts.push_async_callback(_cancelled, asyncio.create_task(work))
        yield play


async def played(emulators: Emulators, folder: Path, strikes: list[Strike]) -> Played:
    """Play a play, named as its folder, strikes and all, and look at what it came to."""
    begun = time.monotonic()
    async with staged(emulators, folder.name, folder, strikes) as p:
        platform = asyncio.create_task(p.keep())
        try:
            await p.first_part()
            await p.second_part()
            found, wrong = await p.ending()
        except (NeverCame, Unavailable) as error:  # one play's end is not that of the others
            found = await left(p.world)
            wrong = [str(error), *wrongs(found, BOUNDS), *differences(found, WANTED)]
        finally:
            await _cancelled(platform)
        wrong += [f"the gateway ended with {c}" for c in p.codes if c not in (-9, 0, 1)]
        return Played(
            folder.name,
            tuple(p.struck),
            tuple(p.codes),
            tuple(p.ends),
            tuple(wrong),
            found.locks,
            len(found.documents["crosses"]),
            tuple(p.world.said),
            time.monotonic() - begun,
        )


def distribution(plays: list[Played]) -> Counter[str]:
    """How many strikes fell where."""
    return Counter(s.partition(" (no.")[0] for play in plays for s in play.strikes)


async def _cancelled(task: asyncio.Task[Any]) -> None:
    """End a part of the play; what it failed with is raised."""
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return

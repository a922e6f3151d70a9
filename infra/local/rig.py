"""A gateway on a bench: the real commander and session, the simulator, the embedded bus and store.

No strategy functions: whoever drives it plays the strategies, and people. Made for tests; time
stands still until it is moved.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final

from functions.registry import StrategySpec
from gateway.__main__ import commander
from gateway.commander import Commander
from gateway.config import Config
from gateway.ports import Delivery, Document, Put, Reads, Write
from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.clock import VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, read_folder
from gateway.simulator.market.contracts import ContractTable
from gateway.simulator.server import ServerOptions, Simulator
from infra.local.bus import EmbeddedBus
from infra.local.demo import BUNDLED
from infra.local.store import EmbeddedStore
from infra.topology import topology
from schemas import codec
from schemas.documents import LeaseDocument, OrderDocument, RunDocument, path_of
from schemas.messages import DEAD_LETTERS, Market, Report, topic_name
from schemas.settings import ControlDocument, Settings, StrategyDocument
from schemas.values import ALL_POSITIONS, BarSpec, Contract, Mode, TradingState

MODE: Final = Mode.PAPER
CLIENT_ID: Final = 1
SPY, VIXY = Contract("SPY"), Contract("VIXY")
BARS: Final = BarSpec("30 mins", "2 D", 1)
STRATEGIES: Final = {
    "alpha": StrategyDocument(True, Decimal("0.5"), universe=(SPY,), bars=BARS),
    "beta": StrategyDocument(True, Decimal("0.4"), universe=(SPY, VIXY), bars=BARS),
    "manual": StrategyDocument(True, Decimal("0.1")),
}
REPORTS, DEAD = f"reports-reader-{MODE}", f"{DEAD_LETTERS}-reader-{MODE}"
HEARD: Final = (*(f"gateway-{topic}-{MODE}" for topic in ("commands", "targets")), REPORTS, DEAD)
"""The subscriptions that are read through, by the gateway or by the rig, once all is settled."""
PATIENCE_SECONDS: Final = 40.0
"""Real seconds for what must come; only a failing test waits them out."""


class NeverCame(AssertionError):
    """What was waited for did not happen; the text says what."""


class Killed(Exception):
    """What a gateway's store says after its process was killed: nothing gets through any more."""


@cache
def bundled_bars() -> BarBook:
    """The invented bars that come with the project."""
    return read_folder(BUNDLED)


def start_of_play() -> datetime:
    """An hour into the last whole day of the bundled bars."""
    bars = bundled_bars()
    session = bars.session(bars.whole_days()[-1])
    assert session is not None
    return session.opens + timedelta(hours=1)


type Stop = Callable[[str], bool]
"""Whether a gateway is to be stopped at the write of this path."""


type Fit = Callable[[str, Any], Any]
"""Puts something around a door, by its name (bus, store, session), before a gateway gets it."""


@dataclass(slots=True)
class Wire:
    """One gateway's store: the same documents for all, and a place at which this one can be held.

    `before` holds a commit that writes a path or a transaction that reads it, `after` one that has
    just written it. What is held goes on only by `release`; a killed gateway never gets through
    again.
    """

    store: EmbeddedStore
    before: Stop | None = None
    after: Stop | None = None
    held: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    is_cut: bool = False

    async def get(self, path: str) -> Document | None:
        """See `gateway.ports.Store.get`."""
        self._check()
        return await self.store.get(path)

    async def read(self, paths: Sequence[str]) -> Reads:
        """See `gateway.ports.Store.read`."""
        self._check()
        return await self.store.read(paths)

    async def list(self, collection: str) -> Mapping[str, Document]:
        """See `gateway.ports.Store.list`."""
        self._check()
        return await self.store.list(collection)

    async def find(self, collection: str, field: str, value: object) -> Mapping[str, Document]:
        """See `gateway.ports.Store.find`."""
        self._check()
        return await self.store.find(collection, field, value)

    async def newest(self, collection: str, field: str, count: int) -> Mapping[str, Document]:
        """See `gateway.ports.Store.newest`."""
        self._check()
        return await self.store.newest(collection, field, count)

    async def commit(self, writes: Any) -> None:
        """See `gateway.ports.Store.commit`."""
        paths = [write.path for write in writes]
        await self._hold(self.before, paths)
        await self.store.commit(writes)
        await self._hold(self.after, paths)

    async def transact(self, reads: Any, decide: Callable[[Reads], Any]) -> Reads:
        """See `gateway.ports.Store.transact`."""
        await self._hold(self.before, reads)
        decided: list[Write] = []

        def noted(documents: Reads) -> Any:
            decided[:] = decide(documents)
            return decided

        found = await self.store.transact(reads, noted)
        await self._hold(self.after, [write.path for write in decided])
        return found

    async def close(self) -> None:
        """The documents outlive their gateways."""

    def release(self) -> None:
        """Let go on what is held, and hold nothing more."""
        self.before = self.after = None
        self.released.set()

    async def _hold(self, stop: Stop | None, paths: Sequence[str]) -> None:
        self._check()
        if stop is not None and any(map(stop, paths)):
            self.held.set()
            await self.released.wait()
            self._check()

    def _check(self) -> None:
        if self.is_cut:
            raise Killed("this gateway was killed")


@dataclass(slots=True)
class Rig:
    """The bench. `start` and `kill` gateways on it; what they leave stays."""

    simulator: Simulator
    bus: EmbeddedBus
    store: EmbeddedStore
    wire: Wire
    reports: list[Report] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    """How often each report came, by its event id."""
    dead_letters: list[Delivery] = field(default_factory=list)
    markets: list[Market] = field(default_factory=list)
    chief: Commander | None = None
    task: asyncio.Task[None] | None = None
    gateways: int = 0
    fit: Fit = lambda _name, door: door

    @property
    def now(self) -> datetime:
        """The time on the bench."""
        return self.simulator.clock.now()

    @property
    def waiting(self) -> int:
        """Messages that nobody has acked, to the gateway and from it."""
        return sum(map(self.bus.pending, HEARD))

    async def start(self) -> Commander:
        """Start a gateway; it has recovered when this returns."""
        chief = self.start_soon()
        await self.until("the gateway has recovered", lambda: chief.is_idle)
        return chief

    def start_soon(self) -> Commander:
        """Start a gateway and do not wait."""
        self.gateways += 1
        self.wire = Wire(self.store)
        config = Config(
            MODE,
            "bench",
            f"gateway-{self.gateways}",
            ib_port=self.simulator.port,
            ib_client_id=CLIENT_ID,
        )
        bus, store = self.fit("bus", self.bus), self.fit("store", self.wire)
        self.chief = commander(config, bus, store, self.simulator.clock)
        doors = self.chief.floor.doors
        self.chief.floor.doors = replace(doors, session=self.fit("session", doors.session))
        self.task = asyncio.create_task(self.chief.run())
        return self.chief

    async def stop(self) -> None:
        """Stop the gateway as SIGTERM does. Raises what it ended with."""
        assert self.chief is not None
        assert self.task is not None
        self.chief.stop()
        await self.task
        self.chief = self.task = None

    async def kill(self) -> None:
        """End the gateway as SIGKILL does: from now on nothing of it gets through.

        The lease that it leaves is given back for it, so that the next need not wait it out.
        """
        assert self.task is not None
        self.wire.is_cut = True
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        path = path_of(LeaseDocument, mode=MODE)
        left = await self.store.get(path)
        if left is not None:
            await self.store.commit([Put(path, {**left, "owner": ""})])
        self.chief = self.task = None

    async def hold(self, *, before: str = "", after: str = "") -> None:
        """Let the gateway go on until it writes, or has written, a path with this in it."""
        wire = self.wire
        wire.held.clear()
        wire.before = (lambda path: before in path) if before else None
        wire.after = (lambda path: after in path) if after else None

    async def until_held(self) -> None:
        """Wait until the gateway has come to where `hold` stops it."""
        await self.until("the gateway is held", self.wire.held.is_set)

    async def until(self, what: str, holds: Callable[[], bool | Awaitable[bool]]) -> None:
        """Wait until it holds. Raises `NeverCame`, and what ended the gateway."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not (await found if isinstance(found := holds(), Awaitable) else found):
            if self.task is not None and self.task.done():
                self.task.result()
                raise NeverCame(f"the gateway ended, and still not: {what}")
            if time.monotonic() > end:
                raise NeverCame(f"after {PATIENCE_SECONDS:.0f} s still not: {what}")
            await asyncio.sleep(0.002)

    async def publish(self, topic: str, body: Mapping[str, object] | bytes) -> str:
        """Publish on a topic of the mode, as a person would; returns the message id."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.bus.publish(topic_name(topic, MODE), data, {})

    async def command(self, name: str, run_id: str, **fields: object) -> RunDocument:
        """Publish a command and wait for the end of its run."""
        await self.publish("commands", {"command": name, "run_id": run_id, **fields})
        return await self.ended(run_id)

    async def ended(self, run_id: str) -> RunDocument:
        """The run document, once it is DONE and the gateway is idle."""
        await self.reached(run_id, "DONE")
        await self.settled()
        run = await self.run(run_id)
        assert run is not None
        return run

    async def reached(self, run_id: str, state: str) -> None:
        """Wait until a run is in a state."""

        async def is_there() -> bool:
            run = await self.run(run_id)
            return run is not None and run.state == state

        await self.until(f"runs/{run_id} is {state}", is_there)

    async def settled(self) -> None:
        """Wait until the gateway has nothing more to do and all that it told has been heard."""
        chief = self.chief
        assert chief is not None
        await self.until(
            "no message waits and the gateway is idle",
            lambda: chief.is_idle and not self.waiting,
        )

    async def traded(self) -> None:
        """Wait until every order is over and its commissions are known."""

        async def are_over() -> bool:
            return not any(map(_is_open, (await self.orders()).values()))

        await self.until("all orders are over", are_over)
        await self.settled()

    async def say(self, strategy: str, *, run_id: str = "", **wanted: int) -> str:
        """Publish a strategy's targets by symbol; as of now where it answers a run."""
        targets = [{"symbol": symbol, "quantity": quantity} for symbol, quantity in wanted.items()]
        body: dict[str, object] = {"strategy": strategy, "targets": targets}
        if run_id:
            body |= {"run_id": run_id, "as_of": self.now.isoformat()}
        return await self.publish("targets", body)

    async def say_dry(self, strategy: str, *, run_id: str, **wanted: int) -> str:
        """Publish a strategy's answer to a dry run."""
        targets = [{"symbol": symbol, "quantity": quantity} for symbol, quantity in wanted.items()]
        body = {"strategy": strategy, "targets": targets, "run_id": run_id, "dry_run": True}
        return await self.publish("targets", {**body, "as_of": self.now.isoformat()})

    async def settled_before_coalescing(self) -> None:
        """Wait until unsolicited targets are stored; their net is due when the clock moves on."""
        mine = f"gateway-targets-{MODE}"
        await self.until("no targets wait", lambda: not self.bus.pending(mine))

    async def settled_after_coalescing(self) -> None:
        """Let unsolicited targets be netted, and wait until what they order is over [N1c]."""
        await self.settled_before_coalescing()
        await self.advance(seconds=Settings().coalesce_seconds + 1)
        await self.settled()
        await self.traded()

    async def break_line(self) -> None:
        """Take the broker away; the gateway has noticed when this returns."""
        assert self.chief is not None
        session = self.chief.floor.doors.session
        self.simulator.options = replace(self.simulator.options, port=self.simulator.port)
        await self.simulator.__aexit__(None, None, None)
        await self.until("the line is broken", lambda: not session.connected)

    async def mend_line(self) -> None:
        """Bring the broker back, at the same port and as it was."""
        await self.simulator.__aenter__()

    async def advance(self, **span: float) -> None:
        """Move the clock by a `timedelta` of these arguments; the market moves with it."""
        await self.simulator.advance_to(self.now + timedelta(**span))
        if self.chief is not None:
            self.chief.inbox.arrived.set()

    async def resume(self) -> None:
        """Allow trading."""
        await self.put(ControlDocument(TradingState.ACTIVE, "test", "", self.now), mode=MODE)

    async def put(self, document: Any, **path: object) -> None:
        """Write a document as a person would."""
        data = codec.to_document(document)
        await self.store.commit([Put(path_of(type(document), **path), data)])

    async def document[T](self, kind: type[T], **path: object) -> T | None:
        """A typed document, or None."""
        found = await self.store.get(path_of(kind, **path))
        return None if found is None else codec.from_document(kind, found)

    async def run(self, run_id: str) -> RunDocument | None:
        """A run's document."""
        return await self.document(RunDocument, run_id=run_id)

    async def orders(self) -> dict[str, OrderDocument]:
        """All orders by order_ref."""
        return await self._collection(OrderDocument, f"positions/{MODE}/openOrders")

    async def book(self, ledger: str) -> dict[str, Decimal]:
        """What a ledger holds: symbol -> quantity, without what is 0."""
        found = await self.store.get(f"positions/{MODE}/holdings/{ledger}")
        positions = found["positions"].values() if found else ()
        quantities = {p["contract"]["symbol"]: Decimal(p["quantity"]) for p in positions}
        return {symbol: quantity for symbol, quantity in quantities.items() if quantity}

    async def held(self) -> dict[str, Decimal]:
        """What all ledgers hold together."""
        total: dict[str, Decimal] = {}
        holdings = await self.store.list(f"positions/{MODE}/holdings")
        names = {path.rpartition("/")[2] for path in holdings} - {ALL_POSITIONS}
        for name in names:
            for symbol, quantity in (await self.book(name)).items():
                total[symbol] = total.get(symbol, Decimal(0)) + quantity
        return {symbol: quantity for symbol, quantity in total.items() if quantity}

    def told(self, kind: str = "") -> list[str]:
        """The sentences of the reports so far."""
        return [r.sentence for r in self.reports if kind in ("", r.kind)]

    async def untold(self) -> list[str]:
        """What is true and never was on the topic: ends of runs and orders, fills, activity."""
        told = Counter((report.kind, report.run_id, report.order_ref) for report in self.reports)
        over = {r.order_ref for r in self.reports if r.details.get("state") == "DONE"}
        wrongs = [
            f"the end of {path} was never told"
            for path, run in (await self.store.find("runs", "state", "DONE")).items()
            if not told["run", run["run_id"], ""]
        ]
        for order_ref, order in (await self.orders()).items():
            if order.state == "DONE" and order_ref not in over:
                wrongs.append(f"the end of {order_ref} was never told")
            if told["execution", order.run_id, order_ref] < len(order.executions):
                wrongs.append(f"executions of {order_ref} were never told")
        wrongs += [
            f"{path} is not on the topic: {note['sentence']}"
            for path, note in (await self.store.list("activity")).items()
            if path.rpartition("/")[2] not in self.events
        ]
        return wrongs

    async def _collection[T](self, kind: type[T], path: str) -> dict[str, T]:
        found = await self.store.list(path)
        return {p.rpartition("/")[2]: codec.from_document(kind, d) for p, d in found.items()}


@asynccontextmanager
async def rigged(
    options: ExchangeOptions | None = None,
    strategies: Mapping[str, StrategyDocument] = STRATEGIES,
    bars: BarBook | None = None,
    contracts: ContractTable | None = None,
    start: datetime | None = None,
) -> AsyncIterator[Rig]:
    """A bench with halted trading and no gateway yet; without `bars` on the bundled ones."""
    specs = {n: StrategySpec(s.universe, BARS, "") for n, s in strategies.items() if s.universe}
    exchange = Exchange(bars or bundled_bars(), options or ExchangeOptions(), contracts)
    server = ServerOptions(master_client_id=CLIENT_ID)
    async with Simulator(exchange, VirtualClock(start or start_of_play()), server) as simulator:
        bus, store = EmbeddedBus(":memory:", topology(MODE, specs)), EmbeddedStore(":memory:")
        rig = Rig(simulator, bus, store, Wire(store))
        await rig.put(Settings(), name="common")
        for name, strategy in strategies.items():
            await rig.put(strategy, strategy=name)
        _listen(rig, list(specs))
        try:
            yield rig
        finally:
            if rig.task is not None:
                await rig.kill()
            await bus.close()
            await store.close()


def _listen(rig: Rig, strategies: list[str]) -> None:
    """Note what the gateway tells its strategies and people."""

    def on_report(delivery: Delivery) -> None:
        event_id = delivery.attributes["ce-id"]
        if event_id not in rig.events:  # as whoever listens has to: they come at least once
            rig.reports.append(codec.decode(Report, delivery.data))
        rig.events[event_id] += 1
        delivery.ack()

    def on_dead_letter(delivery: Delivery) -> None:
        rig.dead_letters.append(delivery)
        delivery.ack()

    def on_market(delivery: Delivery) -> None:
        rig.markets.append(codec.decode(Market, delivery.data))
        delivery.ack()

    rig.bus.subscribe(REPORTS, on_report)
    rig.bus.subscribe(DEAD, on_dead_letter)
    for strategy in strategies:
        rig.bus.subscribe(f"market-{strategy}-{MODE}", on_market)


def _is_open(order: OrderDocument) -> bool:
    return order.state != "DONE" or any(e.commission is None for e in order.executions.values())

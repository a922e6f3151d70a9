"""A gateway that dies at a call to the outside, whichever call that is; and the next one, too.

Every call through the gateway's three doors - store, bus with its acks, session with its socket
writes - is noted as it is made; a door's new methods are noted without anybody naming them. A
`Bench` plays one scenario with a strike at a call, named by what it is about and the how-manieth of
these it is, restarts the gateway on what is left, and lets the world go on.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from inspect import iscoroutinefunction
from itertools import accumulate
from typing import Any, Final, Literal

from gateway.lease import LeaseTimes
from gateway.ports import Delivery, Subscription, Unavailable
from gateway.session import BrokerUnavailable
from infra.local.rig import MODE, Killed, Rig, rigged
from schemas.documents import LatchesDocument
from schemas.values import ALL_POSITIONS

type Kind = Literal["before", "after", "hang", "deadline"]
"""What strikes: death before the call is made; death after it, its answer lost; the call neither
made nor answered while all else goes on, and death ten seconds later; the call made, and instead of
its answer what the door raises when its deadline passes."""

KINDS: Final[tuple[Kind, ...]] = ("before", "after", "hang", "deadline")
AWAITED_ONLY: Final = ("hang", "deadline")
BESIDE: Final = ("activity/", "control/", "executions/", "leases/", "status/")
"""Documents that are written or read beside what a call is about."""
LONG: Final = LeaseTimes(ttl_seconds=600.0, renew_seconds=300.0)
"""A lease that needs no renewal in a play: renewals come by the wall's clock, between any calls."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call to the outside: its door, its method, what it is about, and whether it is awaited.

    A commit is about each document of its own: how many documents are written at once depends on
    how busy the machine is.
    """

    door: str
    method: str
    about: tuple[str, ...]
    is_awaited: bool

    @property
    def keys(self) -> list[str]:
        """What it counts as; the most telling first, which is its name."""
        return [f"{self.door}.{self.method} {one}".strip() for one in self.about or ("",)]

    def __str__(self) -> str:
        return self.keys[0]


@dataclass(frozen=True, slots=True)
class Strike:
    """Where and how to strike: at the `number`-th call of a key since the last strike."""

    kind: Kind
    key: str
    number: int

    def __str__(self) -> str:
        return f"{self.kind} call {self.number} of {self.key}"


def strikes(calls: Sequence[Call], kind: Kind) -> list[Strike]:
    """A strike at each of these calls that can be struck so."""
    met: Counter[str] = Counter()
    found = []
    for call in calls:
        met.update(call.keys)
        if call.is_awaited or kind not in AWAITED_ONLY:
            found.append(Strike(kind, str(call), met[str(call)]))
    return found


@dataclass(slots=True)
class Tally:
    """Notes the calls of a scenario, and makes the strikes that are due, one after the other."""

    due: list[Strike] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    since: list[Call] = field(default_factory=list)
    """The calls since the last strike, or since the restart that it led to."""
    met: Counter[str] = field(default_factory=Counter)
    struck: Strike | None = None
    """What has struck the gateway that is running, or was running last."""
    fatal: asyncio.Event = field(default_factory=asyncio.Event)
    subscriptions: list[Subscription] = field(default_factory=list)
    is_dead: bool = False
    is_counting: bool = True

    def fit(self, name: str, door: Any) -> Any:
        """The door, counted. See `infra.local.rig.Fit`."""
        return (_BusDoor if name == "bus" else _Door)(name, door, self)

    def begin_anew(self) -> None:
        """The next gateway begins."""
        self.is_dead = False
        self.struck = None
        self.fatal = asyncio.Event()
        self.since.clear()
        self.met.clear()

    async def waited(self, call: Call, work: Callable[[], Awaitable[Any]]) -> Any:
        """Make an awaited call, or strike."""
        strike = self._noted(call)
        if strike is None:
            answer = await work()
            self._check()
            return answer
        if strike.kind in ("after", "deadline"):
            await work()
        if strike.kind == "deadline":
            error = BrokerUnavailable if call.door == "session" else Unavailable
            raise error(f"no answer to {call} in time")
        self.is_dead = strike.kind in ("before", "after")
        self.fatal.set()
        return await asyncio.Future()

    def done(self, call: Call, work: Callable[[], Any]) -> Any:
        """Make a call that is not awaited, or strike."""
        strike = self._noted(call)
        if strike is None:
            return work()
        if strike.kind == "after":
            work()
        self.is_dead = True
        self.fatal.set()
        raise Killed(f"at {call}")

    def _noted(self, call: Call) -> Strike | None:
        """The strike that is due at this call, if any."""
        self._check()
        if not self.is_counting:
            return None
        self.calls.append(call)
        self.since.append(call)
        self.met.update(call.keys)
        if not self.due or self.met[self.due[0].key] != self.due[0].number:
            return None
        if self.due[0].key not in call.keys or self.fatal.is_set():
            return None
        self.struck = self.due.pop(0)
        self.since.clear()
        self.met.clear()
        return self.struck

    def _check(self) -> None:
        if self.is_dead:
            raise Killed("this gateway was killed")


class _Door:
    """A door whose every method is counted, as it is called; its properties are its own."""

    def __init__(self, name: str, inner: Any, tally: Tally) -> None:
        self._name = name
        self._inner = inner
        self._tally = tally

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._inner, name)
        if not callable(member) or name == "close":  # a dead process's sockets are closed for it
            return member
        is_awaited = iscoroutinefunction(member)

        def counted(*given: Any, **named: Any) -> Any:
            call = Call(self._name, name, _about(given), is_awaited)
            work = partial(member, *given, **named)
            return (self._tally.waited if is_awaited else self._tally.done)(call, work)

        return counted


class _BusDoor(_Door):
    """The bus: what it delivers is acked through the same counting."""

    def subscribe(self, subscription: str, deliver: Callable[[Delivery], None]) -> Subscription:
        """See `gateway.ports.Bus.subscribe`."""

        def delivered(delivery: Delivery) -> None:
            deliver(
                replace(
                    delivery,
                    ack=self._settling("ack", subscription, delivery.ack),
                    nack=self._settling("nack", subscription, delivery.nack),
                )
            )

        def begun() -> Subscription:
            running: Subscription = self._inner.subscribe(subscription, delivered)
            self._tally.subscriptions.append(running)
            return running

        begins = Call(self._name, "subscribe", (subscription,), False)
        running: Subscription = self._tally.done(begins, begun)
        return running

    def _settling(
        self, what: str, subscription: str, work: Callable[[], None]
    ) -> Callable[[], None]:
        return partial(self._tally.done, Call(self._name, what, (subscription,), False), work)


def _about(given: Sequence[Any]) -> tuple[str, ...]:
    """What a call is about, in words that are the same in every play: paths, an order, a symbol."""
    if not given:
        return ()
    first = given[0]
    if isinstance(first, list | tuple):
        return _documents([str(getattr(one, "path", one)) for one in first])
    for name in ("order", "order_ref", "symbol"):
        first = getattr(first, name, first)
    return () if isinstance(first, int) else (str(first),)


def _documents(paths: Sequence[str]) -> tuple[str, ...]:
    """The documents that a write is about, orders first; those beside them only where alone."""
    named = [re.sub(r"^positions/[^/]+/|(?<=runs/targets)-.*", "", path) for path in paths]
    own = [path for path in named if not path.startswith(BESIDE)]
    if not own:
        return (named[-1].partition("/")[0],)
    return tuple(sorted(own, key=lambda path: (not path.startswith("openOrders"), path)))


@dataclass(frozen=True, slots=True)
class Ending:
    """What a scenario came to: positions at the broker, books, and what is locked and why."""

    positions: dict[str, Decimal]
    books: dict[str, dict[str, Decimal]]
    locks: dict[str, str]


@dataclass(slots=True)
class Bench:
    """A rig whose gateway may be struck. What the strategies want stands in `wanted`."""

    rig: Rig
    tally: Tally
    wanted: dict[str, dict[str, Any]] = field(default_factory=dict)
    answered: int = 0
    deaths: int = 0

    async def step(self, act: Awaitable[object], rest: Callable[[], Awaitable[None]]) -> None:
        """Something happens in the world, once; then the rest, again after a death."""
        await act
        while not await self._survives(rest):
            await self.restart()

    async def restart(self) -> None:
        """What is left of the gateway is killed; the next one is struck where it is due."""
        self.deaths += 1
        if not self.tally.is_dead and self.tally.fatal.is_set():
            await self.rig.advance(seconds=10)
        await self._end()
        self.tally.begin_anew()
        self.start_soon()

    async def planned_restart(self) -> None:
        """A restart that is part of the scenario: the next gateway is counted on."""
        await self._end()
        self.tally.is_dead = False
        self.start_soon()

    def start_soon(self) -> None:
        """Start a gateway and do not wait."""
        floor = self.rig.start_soon().floor
        floor.doors.lease.times, floor.outbox.again_seconds = LONG, 0.05

    async def recovered(self) -> None:
        """The gateway is there."""
        chief = self.rig.chief
        assert chief is not None
        await self.rig.until("the gateway has recovered", lambda: chief.is_idle)

    async def settled(self) -> None:
        """Nothing waits and nothing is in hand; the strategies have answered what was asked."""
        await self.recovered_or_asked()
        while self.answered < len(self.rig.markets):
            market = self.rig.markets[self.answered]
            self.answered += 1
            await self.rig.say(
                market.strategy, run_id=market.run_id, **self.wanted[market.strategy]
            )
            await self.recovered_or_asked()

    async def recovered_or_asked(self) -> None:
        """No message waits, and the gateway is idle or its strategies have not answered yet."""
        await self.rig.until("the gateway rests", self._is_resting)

    async def say_all(self) -> None:
        """Every strategy says what it wants without being asked."""
        for strategy, wanted in self.wanted.items():
            await self.rig.say(strategy, **wanted)

    async def command(self, name: str, run_id: str, **fields: object) -> None:
        """A person's or the scheduler's command."""
        await self.rig.publish("commands", {"command": name, "run_id": run_id, **fields})

    async def ending(self) -> Ending:
        """What it came to."""
        paths = await self.rig.store.list(f"positions/{MODE}/holdings")
        names = sorted({path.rpartition("/")[2] for path in paths} - {ALL_POSITIONS})
        books = {name: await self.rig.book(name) for name in names}
        found = await self.rig.document(LatchesDocument, mode=MODE)
        locks = {lock.symbol: lock.reason for lock in found.locks.values()} if found else {}
        positions = dict(self.rig.simulator.exchange.positions)
        return Ending(positions, {n: book for n, book in books.items() if book}, locks)

    def sent_twice(self) -> dict[str, int]:
        """References under which the broker has more than one order."""
        desk = self.rig.simulator.exchange.orders
        known = {o.perm_id: o.terms.order_ref for o in (*desk.working, *desk.done)}
        return {ref: count for ref, count in Counter(known.values()).items() if count > 1}

    def extremes(self, symbol: str) -> tuple[Decimal, Decimal]:
        """The least and the most that the account ever held of a contract."""
        executed = self.rig.simulator.exchange.orders.record.executions
        con_id = self.rig.simulator.exchange.listing(symbol).con_id
        signed = [o.terms.side * e.quantity for o, e in executed if o.contract.con_id == con_id]
        levels = list(accumulate(signed, initial=Decimal(0)))
        return min(levels), max(levels)

    async def _end(self) -> None:
        """A dead process says nothing, and hears nothing."""
        self.tally.is_dead = True
        await self.rig.kill()
        for subscription in self.tally.subscriptions:
            await subscription.close()

    async def _is_resting(self) -> bool:
        chief, rig = self.rig.chief, self.rig
        assert chief is not None
        if self.answered < len(rig.markets):
            return True
        return chief.is_idle and not rig.waiting and not chief.floor.outbox.waiting

    async def _survives(self, rest: Callable[[], Awaitable[None]]) -> bool:
        """Whether it came to rest without a death."""
        assert self.rig.task is not None
        resting = asyncio.ensure_future(rest())
        struck = asyncio.ensure_future(self.tally.fatal.wait())
        ends: set[asyncio.Future[Any]] = {resting, struck, self.rig.task}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            has_rested = resting.done() and not self.rig.task.done() and not struck.done()
            resting.cancel()
            struck.cancel()
            await asyncio.gather(resting, struck, return_exceptions=True)
        if self.rig.task.done() and self.tally.struck is None:
            self.rig.task.result()
        if has_rested:
            resting.result()
        return has_rested


@asynccontextmanager
async def benched(due: Sequence[Strike] = ()) -> AsyncIterator[Bench]:
    """A bench whose gateways will be struck so, one after the other; none has started."""
    tally = Tally([*due])
    async with rigged() as rig:
        rig.fit = tally.fit
        await rig.resume()
        try:
            yield Bench(rig, tally)
        finally:
            tally.is_counting = False

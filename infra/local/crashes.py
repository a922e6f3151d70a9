"""A gateway that dies at its N-th call to the outside, whichever call that is.

Every call through the gateway's three doors - store, bus with its acks, session with its socket
writes - is counted as it is made; a door's new methods are counted without anybody naming them. A
`Bench` plays one scenario with a strike at call N, restarts the gateway on what is left, and lets
the world go on.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from inspect import iscoroutinefunction
from itertools import accumulate
from typing import Any, Final, Literal

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
BOUNDS: Final = {"SPY": (-4, 30), "VIXY": (0, 40)}
"""The least and the most that the strategies of the scenario ever want together, or one of them
alone: where a call fails, a strategy is not asked and the others go on."""

LOOK_SECONDS: Final = 11
"""Beyond the pause between two looks at an order that nobody knows [R2]."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call to the outside: its door, what it is, and whether it is awaited."""

    door: str
    what: str
    is_awaited: bool

    def __str__(self) -> str:
        return f"{self.door}.{self.what}"


@dataclass(slots=True)
class Tally:
    """Counts the calls of a scenario, and strikes at one of them; 0 is never."""

    point: int = 0
    kind: Kind = "before"
    calls: list[Call] = field(default_factory=list)
    struck: asyncio.Event = field(default_factory=asyncio.Event)
    subscriptions: list[Subscription] = field(default_factory=list)
    is_dead: bool = False
    is_counting: bool = True

    def fit(self, name: str, door: Any) -> Any:
        """The door, counted. See `infra.local.rig.Fit`."""
        return (_BusDoor if name == "bus" else _Door)(name, door, self)

    @property
    def is_fatal(self) -> bool:
        """Whether the strike ends the process; at its deadline a call fails and no more."""
        return self.kind != "deadline"

    async def waited(self, call: Call, work: Callable[[], Awaitable[Any]]) -> Any:
        """Make an awaited call, or strike."""
        if not self._is_point(call):
            answer = await work()
            self._check()
            return answer
        if self.kind in ("after", "deadline"):
            await work()
        self.is_dead = self.kind in ("before", "after")
        self.struck.set()
        if self.kind == "deadline":
            error = BrokerUnavailable if call.door == "session" else Unavailable
            raise error(f"no answer to {call} in time")
        return await asyncio.Future()

    def done(self, call: Call, work: Callable[[], Any]) -> Any:
        """Make a call that is not awaited, or strike."""
        if not self._is_point(call):
            return work()
        if self.kind == "after":
            work()
        self.is_dead = True
        self.struck.set()
        raise Killed(f"at {call}")

    def _is_point(self, call: Call) -> bool:
        self._check()
        if self.is_counting:
            self.calls.append(call)
        return self.is_counting and len(self.calls) == self.point

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
            call = Call(self._name, f"{name} {_said(given)}".strip(), is_awaited)
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
                    ack=self._settling(f"ack {subscription}", delivery.ack),
                    nack=self._settling(f"nack {subscription}", delivery.nack),
                )
            )

        def begun() -> Subscription:
            running: Subscription = self._inner.subscribe(subscription, delivered)
            self._tally.subscriptions.append(running)
            return running

        begins = Call(self._name, f"subscribe {subscription}", False)
        running: Subscription = self._tally.done(begins, begun)
        return running

    def _settling(self, what: str, work: Callable[[], None]) -> Callable[[], None]:
        return partial(self._tally.done, Call(self._name, what, False), work)


def _said(given: Sequence[Any]) -> str:
    """What a call is about, in a word: a path, an order, a symbol."""
    if not given:
        return ""
    first = given[0]
    if isinstance(first, list | tuple):
        return " ".join(str(getattr(one, "path", one)) for one in first)
    for name in ("order", "order_ref", "symbol"):
        first = getattr(first, name, first)
    return str(first)


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
        """What is left of the gateway is killed, and the next one is never struck."""
        self.deaths += 1
        if not self.tally.is_dead and self.tally.is_fatal and self.tally.struck.is_set():
            await self.rig.advance(seconds=10)
        self.tally.is_counting = False
        await self.planned_restart()

    async def planned_restart(self) -> None:
        """A restart that is part of the scenario: the next gateway is counted on."""
        self.tally.is_dead = True
        await self.rig.kill()
        for subscription in self.tally.subscriptions:  # a dead process hears nothing
            await subscription.close()
        self.tally.is_dead = False
        self.rig.start_soon()

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

    async def _is_resting(self) -> bool:
        chief, rig = self.rig.chief, self.rig
        assert chief is not None
        if self.answered < len(rig.markets):
            return True
        return chief.is_idle and not rig.waiting

    async def _survives(self, rest: Callable[[], Awaitable[None]]) -> bool:
        """Whether it came to rest without a death."""
        assert self.rig.task is not None
        resting = asyncio.ensure_future(rest())
        struck = asyncio.ensure_future(self._strike())
        ends: set[asyncio.Future[Any]] = {resting, struck, self.rig.task}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            has_rested = resting.done() and not self.rig.task.done() and not struck.done()
            resting.cancel()
            struck.cancel()
            await asyncio.gather(resting, struck, return_exceptions=True)
        if self.rig.task.done() and not self.tally.struck.is_set():
            self.rig.task.result()
        if has_rested:
            resting.result()
        return has_rested

    async def _strike(self) -> None:
        """Return at a strike that kills; the next gateway is not struck."""
        await self.tally.struck.wait()
        if not self.tally.is_fatal or not self.tally.is_counting:
            await asyncio.Future()


@asynccontextmanager
async def benched(point: int = 0, kind: Kind = "before") -> AsyncIterator[Bench]:
    """A bench whose gateway will be struck at that call, and has not started."""
    tally = Tally(point, kind)
    async with rigged() as rig:
        rig.fit = tally.fit
        await rig.resume()
        try:
            yield Bench(rig, tally)
        finally:
            tally.is_counting = False


async def play(bench: Bench) -> Ending:
    """A run that crosses and orders, fills in parts, a cancel, a restart among it, and the end.

    The first order in SPY is too large for what is wanted next: it is cancelled half filled, and
    what it has too much is sold by the net after that [N7].
    """
    rig = bench.rig
    rig.simulator.faults.odd_parts(parts=4, seconds=3)
    bench.wanted = {"alpha": {"SPY": 30}, "beta": {"SPY": -4, "VIXY": 40}}

    async def starts() -> None:
        rig.start_soon()

    await bench.step(starts(), bench.recovered)
    await bench.step(bench.command("run", "r1"), bench.settled)
    await bench.step(rig.advance(seconds=4), bench.settled)
    await bench.step(bench.planned_restart(), bench.settled)
    bench.wanted = {"alpha": {"SPY": 5}, "beta": {"SPY": -4, "VIXY": 40}}
    await bench.step(bench.say_all(), bench.settled)
    for seconds in (3, LOOK_SECONDS):
        await bench.step(rig.advance(seconds=seconds), bench.settled)
    rig.simulator.faults.clear()
    await bench.step(bench.command("reconcile", "c1"), bench.settled)
    await bench.step(bench.command("allocate", "a1"), bench.settled)
    bench.tally.is_counting = False
    return await converged(bench)


async def converged(bench: Bench) -> Ending:
    """What it comes to when nothing strikes any more: levels, so one more comparison is enough."""
    await bench.step(bench.rig.advance(seconds=LOOK_SECONDS), bench.settled)
    for name in ("reconcile", "allocate"):
        await bench.step(bench.command(name, f"last-{name}"), bench.settled)
    await bench.step(bench.rig.advance(seconds=LOOK_SECONDS), bench.settled)
    return await bench.ending()


@dataclass(frozen=True, slots=True)
class Played:
    """One play of the scenario: where it was struck, what was called, and what is wrong with it."""

    calls: tuple[Call, ...]
    ending: Ending
    was_struck: bool
    deaths: int
    wrongs: tuple[str, ...]


async def played(point: int = 0, kind: Kind = "before", expected: Ending | None = None) -> Played:
    """Play the scenario, struck at that call, and say what differs from the expected ending."""
    async with benched(point, kind) as bench:
        ending = await play(bench)
        wrongs = [*await _unlawful(bench, ending)]
        if expected is not None:
            wrongs += [*_differences(ending, expected)]
        tally = bench.tally
        return Played(
            tuple(tally.calls), ending, tally.struck.is_set(), bench.deaths, tuple(wrongs)
        )


async def _unlawful(bench: Bench, ending: Ending) -> list[str]:
    """What no crash excuses, locks or not: orders sent twice, more held than was ever wanted."""
    wrongs = [f"{ref} was sent {count} times" for ref, count in bench.sent_twice().items()]
    for symbol, (least, most) in BOUNDS.items():
        low, high = bench.extremes(symbol)
        if low < least or high > most:
            wrongs.append(f"{symbol} went from {low} to {high}, wanted was {least} to {most}")
    held = await bench.rig.held()
    missing = {
        symbol: ending.positions.get(symbol, Decimal(0)) - held.get(symbol, Decimal(0))
        for symbol in sorted({*held, *ending.positions})
    }
    wrongs += [
        f"the law: the broker has {difference:+f} {symbol} more than all books"
        for symbol, difference in missing.items()
        if difference
    ]
    return wrongs


def _differences(ending: Ending, expected: Ending) -> list[str]:
    """Books and positions other than without a crash, in contracts that no lock names."""
    wrongs = []
    for name in sorted({*ending.books, *expected.books, "broker"}):
        has = ending.positions if name == "broker" else ending.books.get(name, {})
        wants = expected.positions if name == "broker" else expected.books.get(name, {})
        wrongs += [
            f"{name} holds {has.get(symbol, Decimal(0))} {symbol}, not {wants.get(symbol)}"
            for symbol in sorted({*has, *wants} - {*ending.locks})
            if has.get(symbol) != wants.get(symbol)
        ]
    return wrongs

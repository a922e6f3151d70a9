"""One trading day, played from outside: messages in, documents out, and a hand at the broker.

The clock stands still while anything is under way: the next bar comes only when the run is
finished, all orders are settled and the queues are empty.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from gateway.ports import Delivery, Document, Put
from infra.local.stack import MODE, Stack
from schemas import codec
from schemas.documents import (
    ExecutionDocument,
    OrderDocument,
    RunDocument,
    TargetsDocument,
    path_of,
)
from schemas.messages import TOPICS, Report, Targets, topic_name
from schemas.settings import Settings
from schemas.values import ALL_POSITIONS, EXTERNAL

STRATEGIES: Final = ("test_signal_generator", "spy_macd_vixy", "spy_pullback")
SYMBOL: Final = "SPY"
EXTERNAL_QUANTITY: Final = Decimal(50)
BY_HAND_QUANTITY: Final = Decimal(7)
MANUAL_QUANTITY: Final = 10
WAIT_SECONDS_MAX: Final = 60.0
"""Real seconds for any one thing to happen; the slowest takes about one."""


class DayFailed(Exception):
    """Something expected did not happen; the text says what, and where things stood."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What is left when the day is over, as documents; message ids and wall times are not in it."""

    positions: Mapping[str, Document]
    ledgers: Mapping[str, Document]
    orders: Mapping[str, OrderDocument]
    executions: Mapping[str, ExecutionDocument]
    crosses: Mapping[str, Document]
    runs: Mapping[str, RunDocument]
    snapshot: Document
    dead_letters: tuple[str, ...]


@dataclass(slots=True)
class Day:
    """Plays one day on a stack. `say` gets every line of the story with its virtual time."""

    stack: Stack
    starts: tuple[datetime, ...]
    closes: datetime
    say: Callable[[datetime, str], None]
    strategies: tuple[str, ...] = STRATEGIES
    dead_letters: list[str] = field(default_factory=list)
    told: set[str] = field(default_factory=set)

    async def play(self) -> Ending:
        """Play all bars, the person's part and the surprises. Raises `DayFailed`, `StackFailed`."""
        async with self.stack.reading(self._on_report, self._on_dead_letter):
            for number, start in enumerate(self.starts, 1):
                await self.stack.simulator.advance_to(start)
                self._narrate(f"--- bar {number} of {len(self.starts)} ---")
                await self._bar(number)
            await self.stack.simulator.advance_to(self.closes)
            self._narrate("--- the close ---")
            await self._command("reconcile", "close")
            return await self._ending()

    async def _bar(self, number: int) -> None:
        surprises: Mapping[int, Callable[[], Awaitable[None]]] = {
            len(self.starts) // 2: self._manual_trade,
            len(self.starts) // 2 + 2: self._malformed_message,
        }
        await surprises.get(number, self._no_surprise)()
        await self._command("run", f"run-{number:02d}", strategies=list(self.strategies))
        if len(self.strategies) == 1:
            await self._tell_answer(self.strategies[0])
        if number == 1:
            await self._settle_the_past()
        await self._settled()

    async def _tell_answer(self, strategy: str) -> None:
        """What a strategy that is played alone wants, and why; what it holds is told anyway."""
        path = path_of(TargetsDocument, mode=MODE, strategy=strategy)
        found = await self.stack.store.get(path)
        said = codec.from_document(TargetsDocument, found) if found else None
        if said is None or said.last_status != "targets":
            return
        wanted = ", ".join(f"{t.quantity:f} {t.contract.name}" for t in said.targets)
        self._narrate(f"  {strategy} wants {wanted}: {said.last_reason}")

    async def _no_surprise(self) -> None:
        """Most bars bring none."""

    async def _settle_the_past(self) -> None:
        """The account came with 50 SPY: locked. A person adopts them, resumes, and joins in."""
        price = self.stack.simulator.exchange.book.series(SYMBOL, "30 mins").started(self._now)[-1]
        self._narrate("a person says: those 50 SPY are my own, adopt them; then resume")
        policy = {"external_policy": {SYMBOL: "ignore"}}
        await self.stack.store.commit([Put(path_of(Settings, name=MODE), policy)])
        await self._command(
            "adopt", "adopt", symbol=SYMBOL, price=str(price.open), to=EXTERNAL, by="demo"
        )
        await self._command("resume", "resume", by="demo", reason="the 50 SPY are explained")
        await self._manual_target()

    async def _manual_target(self) -> None:
        """A person adds a little to what the first strategy wants, by publishing by hand."""
        first = await self.stack.store.get(
            path_of(TargetsDocument, mode=MODE, strategy=self.strategies[0])
        )
        targets = codec.from_document(TargetsDocument, first).targets if first else ()
        sign = -1 if targets and targets[0].quantity < 0 else 1
        body = {
            "strategy": "manual",
            "targets": [{"symbol": SYMBOL, "quantity": sign * MANUAL_QUANTITY}],
        }
        self._narrate(f"a person publishes by hand: {json.dumps(body)}")
        message_id = await self._publish(TOPICS[Targets], body)
        manual = path_of(TargetsDocument, mode=MODE, strategy="manual")
        await self._until(
            f"targets/manual has message {message_id}",
            lambda: self._has(manual, "last_message_id", message_id),
        )
        settings = Settings()
        window = timedelta(seconds=settings.coalesce_seconds + 1)
        await self.stack.simulator.advance_to(self._now + window)
        await self._until(
            "the manual target is netted",
            lambda: self._is_over(f"targets-{message_id}"),
        )

    async def _manual_trade(self) -> None:
        """Somebody trades at the broker, behind the system's back."""
        self._narrate(f"somebody buys {BY_HAND_QUANTITY} SPY at the broker, past the system")
        await self.stack.simulator.trade_by_hand(SYMBOL, BY_HAND_QUANTITY)
        await self._until("EXTERNAL has the manual trade", self._external_has_all)

    async def _malformed_message(self) -> None:
        """A typing error, published."""
        body = {"strategy": "manual", "targets": [{"symbol": SYMBOL, "quantity": "ten"}]}
        self._narrate(f"a person publishes a malformed message: {json.dumps(body)}")
        await self._publish(TOPICS[Targets], body)
        await self._until("the dead letter is there", self._has_dead_letter)

    async def _command(self, name: str, run_id: str, **fields: object) -> None:
        """Publish a command and wait until its run document says DONE and all is settled."""
        await self._publish("commands", {"command": name, "run_id": run_id, **fields})
        await self._until(f"runs/{run_id} is DONE", lambda: self._is_over(run_id))

    async def _settled(self) -> None:
        await self._until("all orders are settled", self._orders_are_settled)
        await self._until("the queues are empty", self._queues_are_empty)

    async def _publish(self, topic: str, body: Mapping[str, object]) -> str:
        data = json.dumps(body).encode()
        return await self.stack.bus.publish(topic_name(topic, MODE), data, {})

    async def _until(self, what: str, holds: Callable[[], Awaitable[bool]]) -> None:
        end = time.monotonic() + WAIT_SECONDS_MAX
        while not await holds():
            self.stack.check()
            if time.monotonic() > end:
                raise DayFailed(f"after {WAIT_SECONDS_MAX:.0f} s still not: {what}")
            await asyncio.sleep(0.005)

    async def _has(self, path: str, name: str, value: object) -> bool:
        found = await self.stack.store.get(path)
        return found is not None and found.get(name) == value

    async def _is_over(self, run_id: str) -> bool:
        """The run document says DONE, and so does the run's report."""
        return run_id in self.told and await self._has(f"runs/{run_id}", "state", "DONE")

    async def _orders_are_settled(self) -> bool:
        """Every order DONE and reported so, its net made, and what it cost known."""
        orders = await self._orders()
        executions = [e for order in orders.values() for e in order.executions.values()]
        done = all(o.state == "DONE" and not o.waits_for_net for o in orders.values())
        paid = all(execution.commission is not None for execution in executions)
        return done and paid and self.told >= set(orders)

    async def _queues_are_empty(self) -> bool:
        return self.stack.pending() == 0

    async def _external_has_all(self) -> bool:
        found = await self.stack.store.get(f"positions/{MODE}/holdings/{EXTERNAL}")
        positions = found["positions"].values() if found else ()
        wanted = EXTERNAL_QUANTITY + BY_HAND_QUANTITY
        return any(Decimal(position["quantity"]) == wanted for position in positions)

    async def _has_dead_letter(self) -> bool:
        return bool(self.dead_letters)

    async def _orders(self) -> dict[str, OrderDocument]:
        found = await self.stack.store.list(f"positions/{MODE}/openOrders")
        return {
            path.rpartition("/")[2]: codec.from_document(OrderDocument, data)
            for path, data in found.items()
        }

    async def _ending(self) -> Ending:
        store = self.stack.store
        holdings = {
            path.rpartition("/")[2]: data
            for path, data in (await store.list(f"positions/{MODE}/holdings")).items()
        }
        positions = holdings.pop(ALL_POSITIONS)["positions"]
        return Ending(
            positions=positions,
            ledgers=holdings,
            orders=await self._orders(),
            executions=_typed(ExecutionDocument, await store.list("executions")),
            crosses=dict(await store.list("crosses")),
            runs=_typed(RunDocument, await store.list("runs")),
            snapshot=await store.get(f"positions/{MODE}") or {},
            dead_letters=tuple(self.dead_letters),
        )

    @property
    def _now(self) -> datetime:
        return self.stack.simulator.clock.now()

    def _narrate(self, line: str) -> None:
        self.say(self._now, line)

    def _on_report(self, delivery: Delivery) -> None:
        report = codec.decode(Report, delivery.data)
        self.say(report.at, f"  {report.sentence}")
        if report.kind == "run":
            self.told.add(report.run_id)
        elif report.kind == "order" and report.details.get("state") == "DONE":
            self.told.add(report.order_ref)
        delivery.ack()

    def _on_dead_letter(self, delivery: Delivery) -> None:
        self.dead_letters.append(delivery.attributes.get("reason", "no reason given"))
        delivery.ack()


def _typed[T](kind: type[T], found: Mapping[str, Document]) -> dict[str, T]:
    return {
        path.rpartition("/")[2]: codec.from_document(kind, data) for path, data in found.items()
    }

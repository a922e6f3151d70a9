"""One stack, driven from outside: a `run` in, an order at the broker's socket, all settled."""

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from gateway.ports import Document, Put, Store
from infra.bench.figures import BenchFailed
from infra.bench.witness import Departure, Request, WatchedExchange, departed
from infra.init import MANUAL, WEIGHTS
from infra.local.stack import MODE, Stack
from schemas.commands import Run
from schemas.documents import path_of
from schemas.messages import TOPICS, topic_name
from schemas.settings import StrategyDocument

STRATEGY: Final = "dummy"
"""Its answer depends on the time only, and its computation costs nothing: what is measured is the
way, not an indicator."""

QUANTITY_MAX: Final = 100
BETWEEN_RUNS: Final = timedelta(minutes=1)
"""Virtual time from run to run, so that the strategy says something new."""

WAIT_SECONDS_MAX: Final = 30.0


@dataclass(frozen=True, slots=True)
class Passage:
    """One run: when its command was published, and what the broker was asked up to the order."""

    began: float
    requests: tuple[Request, ...]
    processor_began: float = 0.0

    @property
    def seconds(self) -> float:
        """From the publishing of the command to the order on its way to the simulator."""
        return self.requests[-1].at - self.began

    @property
    def processor_seconds(self) -> float:
        """The same in time of this process, which other processes cannot lengthen."""
        return self.requests[-1].processor_seconds - self.processor_began

    def until(self, kind: type[Any]) -> float:
        """Seconds until the first request of a kind. Raises `LookupError` if there is none."""
        for request in self.requests:
            if isinstance(request.body, kind):
                return request.at - self.began
        raise LookupError(f"the broker got no {kind.__name__}")


class Orders:
    """Makes a stack order something, again and again. `store` is looked at, not measured.

    `departures` grows with what this process sends (`bare_broker.noting_departures`).
    """

    def __init__(
        self, stack: Stack, store: Store, departures: list[Departure] | None = None
    ) -> None:
        self._stack = stack
        self._store = store
        self._departures = [] if departures is None else departures
        self._number = 0
        self.exchange = WatchedExchange(stack.simulator.exchange)
        stack.simulator.exchange = self.exchange
        stack.simulator.stage.exchange = self.exchange

    @property
    def placed(self) -> int:
        """Orders that the broker got in the last run."""
        return sum(request.is_order for request in self.exchange.requests)

    async def prepare(self) -> None:
        """Enable the strategy and allow trading, as a person would."""
        await self._set(MANUAL, {"weight": "0"})
        parameters = {"quantity_max": QUANTITY_MAX}
        weight = str(WEIGHTS[MANUAL])
        await self._set(STRATEGY, {"enabled": True, "weight": weight, "parameters": parameters})
        await self._command({"command": "resume", "run_id": "resume", "by": "bench"})
        await self._done("resume")

    async def fall_silent(self) -> None:
        """From now on the strategy wants nothing; sells what it has."""
        await self._set(STRATEGY, {"parameters": {"quantity_max": 0}})
        await self.run()

    async def next(self) -> Passage:
        """A run that must lead to an order."""
        passage = await self.run()
        if not self.exchange.ordered.is_set():
            found = await self._store.get(f"runs/bench-{self._number}") or {}
            raise BenchFailed(f"a run led to no order: {found.get('refusals')}")
        return passage

    async def run(self) -> Passage:
        """Let time pass, run the strategy, wait until the run is over and all is settled."""
        clock = self._stack.simulator.clock
        await self._stack.simulator.advance_to(clock.now() + BETWEEN_RUNS)
        self._number += 1
        run_id = f"bench-{self._number}"
        self.exchange.forget()
        self._departures.clear()
        began, processor_began = time.monotonic(), time.process_time()
        await self._command({"command": "run", "run_id": run_id, "strategies": [STRATEGY]})
        await self._ordered_or_done(run_id)
        requests = departed(self.exchange.requests, self._departures)
        passage = Passage(began, tuple(requests), processor_began)
        await self._done(run_id)
        await self._settled()
        return passage

    async def _set(self, strategy: str, fields: Document) -> None:
        path = path_of(StrategyDocument, strategy=strategy)
        await self._store.commit([Put(path, {**(await self._store.get(path) or {}), **fields})])

    async def _command(self, body: Document) -> None:
        await self._stack.bus.publish(topic_name(TOPICS[Run], MODE), json.dumps(body).encode(), {})

    async def _ordered_or_done(self, run_id: str) -> None:
        """Wait for the order without a look at the store, which would disturb."""
        end = time.monotonic() + WAIT_SECONDS_MAX
        while not self.exchange.ordered.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.exchange.ordered.wait(), 0.5)
                return
            if await self._is_done(run_id):
                return
            self._check(end, f"no order, and runs/{run_id} is not DONE")

    async def _done(self, run_id: str) -> None:
        end = time.monotonic() + WAIT_SECONDS_MAX
        while not await self._is_done(run_id):
            self._check(end, f"runs/{run_id} is not DONE")
            await asyncio.sleep(0.02)

    async def _settled(self) -> None:
        end = time.monotonic() + WAIT_SECONDS_MAX
        while not await self._is_settled():
            self._check(end, "something is not settled")
            await asyncio.sleep(0.02)

    async def _is_done(self, run_id: str) -> bool:
        found = await self._store.get(f"runs/{run_id}")
        return found is not None and found["state"] == "DONE"

    async def _is_settled(self) -> bool:
        orders = (await self._store.list(f"positions/{MODE}/openOrders")).values()
        executions = [one for order in orders for one in order.get("executions", {}).values()]
        return (
            all(order["state"] == "DONE" for order in orders)
            and all(one.get("commission") is not None for one in executions)
            and self._stack.pending() == 0
        )

    def _check(self, end: float, what: str) -> None:
        self._stack.check()
        if time.monotonic() > end:
            raise BenchFailed(f"after {WAIT_SECONDS_MAX:.0f} s: {what}")

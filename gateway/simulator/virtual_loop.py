"""An asyncio event loop without sockets and without a wall clock.

Its time is virtual: while anything is ready it stands still, and when nothing is it jumps to the
next timer, so that a minute's timeout passes at once and a trading day takes as long as the work
in it. Its servers and connections are in memory (`virtual_network`). The unmodified `Simulator`
and an unmodified client run on it together, and a run is a function of its inputs: same program,
same bytes, in the same order.

    async def main(loop: VirtualTimeLoop) -> None:
        options = ServerOptions(tick_seconds=None)
        async with Simulator(Exchange(book), loop.clock(), options) as simulator:
            ib = IB()
            await ib.connectAsync("127.0.0.1", simulator.port, clientId=1)
            await asyncio.sleep(3600)  # an hour at the broker, nothing on the wall

    run_virtual(main, start=datetime(2025, 12, 12, 15, tzinfo=UTC))

What waits for something that can never come is told as `Deadlock` at once, with the tasks that
wait. Work for threads (`asyncio.to_thread`) is done in place.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.simulator.clock import VirtualClock
from gateway.simulator.virtual_network import (
    Factory,
    MemoryServer,
    MemoryTransport,
    Network,
    connect,
    listen,
    refuse_options,
)

RESOLUTION_SECONDS = 5e-7
"""Timers this close together come together: less would be lost in the floats of a long run."""
NUDGE_SECONDS = 1e-6


class Deadlock(RuntimeError):
    """Nothing is ready and no timer is set: whatever the tasks wait for can never come."""


class VirtualTimeLoop(asyncio.BaseEventLoop):
    """The loop. `network` is what its connections go through."""

    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, start: datetime, network: Network | None = None) -> None:
        super().__init__()
        if start.tzinfo is None:
            self.close()
            raise ValueError("the start of virtual time has no zone")
        self.network = network or Network()
        self._start = start.astimezone(UTC)
        self._seconds = 0.0
        self._clock_resolution = RESOLUTION_SECONDS
        self._selector = self

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self._seconds

    def now(self) -> datetime:
        """The virtual time, aware, in UTC."""
        return self._start + timedelta(seconds=self._seconds)

    def clock(self) -> VirtualClock:
        """A clock for a simulator that runs with this loop's time."""
        return VirtualClock(self.now(), speed=1.0, monotonic=self.time)

    def call_at[*Arguments](
        self,
        when: float,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """See asyncio. What is due already comes a microsecond later, not now.

        On the wall a loop's time is never twice the same. Code that waits "until it is later than"
        by timers (the throttle of ib_async does) would else turn round and round at one instant.
        """
        earliest = self._seconds + NUDGE_SECONDS
        return super().call_at(max(when, earliest), callback, *args, context=context)

    def select(self, timeout: float | None) -> list[Any]:
        """Where another loop waits for its sockets, jump to the next timer. Raises Deadlock."""
        if timeout is None:
            raise Deadlock(self._deadlock())
        if timeout > 0:
            self._seconds = self._scheduled[0].when()
        return []

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: Factory,
        host: str | None = None,
        port: int | None = None,
        *,
        start_serving: bool = True,
        **options: Any,
    ) -> MemoryServer:
        """Listen in memory. Raises OSError for an address in use."""
        refuse_options(options)
        server = listen(self.network, protocol_factory, host, port)
        if start_serving:
            await server.start_serving()
        return server

    async def create_connection(  # type: ignore[override]
        self,
        protocol_factory: Factory,
        host: str | None = None,
        port: int | None = None,
        **options: Any,
    ) -> tuple[MemoryTransport, asyncio.BaseProtocol]:
        """Connect in memory. Raises ConnectionRefusedError where nobody listens."""
        refuse_options(options)
        return await connect(self.network, protocol_factory, host, port)

    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Do it here and now: a thread's end would come at a time that only the wall knows."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none: everything comes through callbacks."""

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""

    def _deadlock(self) -> str:
        waiting = sorted(f"{task.get_name()} {task.get_coro()}" for task in asyncio.all_tasks(self))
        tasks = "; ".join(waiting) or "no task"
        return f"at {self.now()} nothing is ready and no timer is set; these wait: {tasks}"


def run_virtual[Result](
    main: Callable[[VirtualTimeLoop], Coroutine[Any, Any, Result]],
    start: datetime,
    network: Network | None = None,
) -> Result:
    """Run `main` on a loop of its own whose time begins at `start`, and return its result.

    For a test: an ordinary function that calls this; nothing of it sleeps.

    Raises:
        Deadlock: it waits for what can never come.
    """
    loop = VirtualTimeLoop(start, network)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        # Libraries ask for "the" event loop of the thread (eventkit does) and must find this one.
        asyncio.set_event_loop(runner.get_loop())
        try:
            return runner.run(main(loop))
        finally:
            asyncio.set_event_loop(None)

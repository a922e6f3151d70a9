"""The bus alone: the hops of a run with nothing behind them.

Three messages, one after the other: a command, a market, targets. Each is published, delivered to
an empty receiver and acked; only then the next one is published.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from gateway.bus import GoogleBus
from gateway.ports import Bus, Delivery
from infra.local.bus import EmbeddedBus
from infra.local.provision import apply
from infra.local.stack import PROJECT, Stack
from infra.topology import Subscription, Topology

HOPS: Final = ("bare-commands", "bare-market", "bare-targets")
PUSHED: Final = "bare-market"
"""The hop that ends at a function: over the emulators it is pushed by HTTP."""

HOP_SECONDS_MAX: Final = 10.0


class BareBus:
    """Plays the hops of a run over a bus that has the topics and subscriptions `HOPS`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._arrived = asyncio.Event()

    def arrive(self) -> None:
        """A message is there. Called on the loop's thread."""
        self._arrived.set()

    def deliver(self, delivery: Delivery) -> None:
        """The empty receiver."""
        self.arrive()
        delivery.ack()

    async def seconds(self) -> float:
        """Play all hops; return the time from the first publish to the last delivery."""
        began = time.monotonic()
        for topic in HOPS:
            self._arrived.clear()
            async with asyncio.timeout(HOP_SECONDS_MAX):
                await self._bus.publish(topic, b"{}", {})
                await self._arrived.wait()
        return time.monotonic() - began


@asynccontextmanager
async def bare_bus(stack: Stack, folder: Path) -> AsyncIterator[BareBus]:
    """A bare bus of the same kind as the stack's, with the same emulator behind it."""
    async with AsyncExitStack() as parts:
        if stack.name == "embedded":
            bus: Bus = EmbeddedBus(folder / "bare.sqlite", hop_topology())
            parts.push_async_callback(bus.close)
            pulled: tuple[str, ...] = HOPS
            bare = BareBus(bus)
        else:
            bus = GoogleBus(PROJECT)
            parts.push_async_callback(bus.close)
            bare = BareBus(bus)
            url = parts.enter_context(_empty_function(bare.arrive))
            await apply(hop_topology(PUSHED), stack.pubsub_host, PROJECT, url)
            pulled = tuple(hop for hop in HOPS if hop != PUSHED)
        for hop in pulled:
            bus.subscribe(hop, bare.deliver)
        yield bare


def hop_topology(pushed: str | None = None) -> Topology:
    """A topic and a subscription for each hop; the one named is pushed, the others pulled."""
    subscriptions = (
        Subscription(hop, hop, entry_point="empty" if hop == pushed else None) for hop in HOPS
    )
    return Topology("bare", HOPS, tuple(subscriptions), ())


@contextmanager
def _empty_function(arrive: Callable[[], None]) -> Iterator[str]:
    """An HTTP server that answers every push with 204 and says that it arrived."""
    loop = asyncio.get_running_loop()

    class Empty(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(HTTPStatus.NO_CONTENT)
            self.end_headers()
            loop.call_soon_threadsafe(arrive)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Empty)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="empty function", daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()

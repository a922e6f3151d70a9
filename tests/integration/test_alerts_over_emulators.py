"""A gateway process is killed; the watchdog's next period says so to a chat, once.

Everything is real but the wall's pace: the gateway, the functions under functions-framework,
Pub/Sub's pushes, Firestore, HTTP to the webhook. The five minutes of a period are not waited for:
the lease that the dead gateway left is set back by them.
"""

import asyncio
import json
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gateway.ports import Delivery, Put
from infra.local import functions_server
from infra.local.emulators import Emulators
from infra.local.processes import Child
from infra.local.provision import apply
from infra.local.rig import MODE
from infra.topology import topology
from schemas import codec
from schemas.alerts import WatchdogDocument
from schemas.documents import path_of
from schemas.messages import Report, topic_name
from schemas.watch import Watch
from tests.integration.gateway_process import LEASE, World, opened

PATIENCE_SECONDS = 60.0
PERIOD = timedelta(minutes=5)
PROJECT = "alerts-of-a-kill"
pytestmark = pytest.mark.emulators


@pytest.fixture
def chat() -> Iterator[tuple[str, list[str]]]:
    """An incoming webhook's URL, and what was posted to it; it is busy at first."""
    posted: list[str] = []
    answers = [503]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = answers.pop() if answers else 200
            if status == 200:
                posted.append(body["text"])
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/services/unspeakable", posted
    server.shutdown()
    server.server_close()


@asynccontextmanager
async def watched(emulators: Emulators, world: World, url: str) -> AsyncIterator[None]:
    """The functions, pushed to as in the cloud, with a webhook."""
    functions = Child("the functions", [sys.executable, "-m", functions_server.__name__])
    environment = {**world.environment, "ALERT_WEBHOOK_URL": url, "PYTHONUNBUFFERED": "1"}
    try:
        port = await functions.start(environment, functions_server.LISTENS)
        base = f"http://127.0.0.1:{port}"
        await apply(topology(MODE, {}), emulators.pubsub_host, PROJECT, base)
        yield
    finally:
        await functions.stop()


async def until(what: str, holds: Callable[[], bool]) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not holds():
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"never: {what}")


async def look(world: World, minutes: int) -> WatchdogDocument:
    """One period of the watchdog, so many minutes into the play; what it then noted."""
    at = world.simulator.clock.now() + timedelta(minutes=minutes)
    topic = topic_name("watchdog", MODE)
    await world.bus.publish(topic, codec.encode(Watch(at=at)), {})
    path = path_of(WatchdogDocument, mode=MODE)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (found := await world.store.get(path)) is None or found["at"] != at:
            await asyncio.sleep(0.02)
    return codec.from_document(WatchdogDocument, found)


async def set_back(world: World, span: timedelta) -> None:
    """Let the lease have been renewed so much earlier."""
    lease = await world.store.get(LEASE)
    assert lease is not None
    moved = {name: lease[name] - span for name in ("renewed_at", "expires_at")}
    await world.store.commit([Put(LEASE, {**lease, **moved})])


async def test_a_killed_gateway_is_told_at_the_watchdog_s_next_period_and_once(
    emulators: Emulators, tmp_path: Path, chat: tuple[str, list[str]]
) -> None:
    """[R3] [R4]"""
    url, posted = chat
    reports: list[Report] = []

    def hear(delivery: Delivery) -> None:
        reports.append(codec.decode(Report, delivery.data))
        delivery.ack()

    async with opened(emulators, PROJECT, tmp_path, {}) as world, watched(emulators, world, url):
        world.bus.subscribe(f"reports-reader-{MODE}", hear)
        gateway = await world.start("process")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await world.has_recovered():
                assert gateway.is_alive, gateway.lines
                await asyncio.sleep(0.05)
        assert (await look(world, 0)).faults == {}

        await gateway.kill()
        await set_back(world, PERIOD)
        assert list((await look(world, 5)).faults) == ["gateway_silent"]
        assert list((await look(world, 10)).faults) == ["gateway_silent"]

        await until("the chat was told", lambda: any("gateway_silent" in t for t in posted))
        (said,) = (text for text in posted if "gateway_silent" in text)
        assert said.startswith("CRITICAL paper gateway_silent: gateway process last renewed")
        await until("it was reported", lambda: "gateway_silent" in names(reports))
        assert names(reports).count("gateway_silent") == 1
        (document,) = (d for d in (await alerts(world)) if d["alert"] == "gateway_silent")
        assert document["sent_at"] is not None


def names(reports: list[Report]) -> list[str]:
    """The alerts among the reports."""
    return [report.details.get("alert", "") for report in reports]


async def alerts(world: World) -> list[dict[str, object]]:
    """What the function noted, once the webhook's answer is noted too."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = list((await world.store.list("alerts")).values())
            if found and all(document["sent_at"] for document in found):
                return found
            await asyncio.sleep(0.02)

"""The world of `docs/stories.md`: the real processes, and a person who has gcloud and a console.

The gateway and the functions are processes over Google's emulators, the broker is a simulator whose
market ticks on. The person publishes with the very gcloud lines of the page, in their order, and
looks with Google's Firestore client alone. At the end all that the page says was done and seen.
"""

import asyncio
import os
import re
import shlex
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from google.api_core.retry import AsyncRetry
from google.cloud.firestore import AsyncClient

from functions.registry import specs
from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.clock import ClockFile, VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.server import ServerOptions, Simulator
from infra import init
from infra.local import functions_server
from infra.local.emulators import Emulators, EmulatorsNotFound
from infra.local.processes import Child
from infra.local.provision import apply
from infra.local.rig import CLIENT_ID, MODE, bundled_bars
from infra.topology import Topology, topology
from schemas.new_york import NEW_YORK
from tests.integration.gateway_process import ROOT, GatewayProcess, started
from tests.integration.wires import Piece, wired
from tests.scaled_bars import bars_with_pairs

PAGE: Final = ROOT / "docs" / "stories.md"
LAST_DAY: Final = date(2026, 2, 27)
DAY_BEFORE: Final = date(2026, 2, 26)
PATIENCE_SECONDS: Final = 120.0
"""For any one thing; only a failing test waits it out."""

POLL_SECONDS: Final = 0.1
CALL_SECONDS: Final = 60.0
TICK_SECONDS: Final = 0.1
_DOCUMENT: Final = re.compile(
    r"`((?:activity|control|crosses|executions|latches|orders|positions|runs|status)(?:/[^` ]+)?)`"
)

type Document = Mapping[str, Any]
type Wanted = Callable[[Document], object]


class NeverCame(AssertionError):
    """What a person was told to see did not come; the text says what was there instead."""


@dataclass(frozen=True, slots=True)
class Page:
    """One story as `docs/stories.md` tells it."""

    heading: str
    text: str

    @property
    def lines(self) -> list[list[str]]:
        """The commands for a shell, as it would split them."""
        blocks = re.findall(r"```\n(.*?)```", self.text, re.DOTALL)
        return [shlex.split(line) for block in blocks for line in block.splitlines()]

    @property
    def documents(self) -> set[str]:
        """The documents and collections that it tells one to look at."""
        return set(_DOCUMENT.findall(self.text))


def pages() -> list[Page]:
    """The stories in their order."""
    _, *parts = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [Page(*part.split("\n", 1)) for part in parts]


def name_of_test(heading: str) -> str:
    """`A hung IB` is told by `test_a_hung_ib`."""
    return "test_" + re.sub(r"[^a-z]+", "_", heading.lower())


def page_of(name: str) -> Page:
    """The story that a test of this name tells."""
    return next(page for page in pages() if name_of_test(page.heading) == name)


@dataclass(frozen=True, slots=True)
class Setting:
    """What there is before the story begins."""

    strategies: tuple[str, ...] = ()
    """Those that take part beside `manual`."""

    is_answered: bool = True
    """Whether their functions are there."""

    cash: Mapping[str, Decimal] = field(default_factory=dict)
    day: date = LAST_DAY


@dataclass(slots=True)
class Scene:
    """A story under way: what is to be told, what was seen, and who is there."""

    page: Page
    environment: Mapping[str, str]
    gcloud: Mapping[str, str]
    simulator: Simulator
    console: AsyncClient
    gateways: list[GatewayProcess] = field(default_factory=list)
    to_say: list[list[str]] = field(default_factory=list)
    looked_at: set[str] = field(default_factory=set)
    market_stands: bool = False

    async def start(self) -> GatewayProcess:
        """The platform starts a gateway."""
        owner = f"gateway-{len(self.gateways) + 1}"
        self.gateways.append(await started({**self.environment, "OWNER": owner}))
        return self.gateways[-1]

    async def says(self, word: str) -> str:
        """Run the page's next line, which has this word in it; what it printed."""
        line = self.to_say.pop(0)
        assert word in " ".join(line), f"the page says {line} next, not {word}"
        assert line[:2] == ["gcloud", "pubsub"], "a person needs nothing else"
        process = await asyncio.create_subprocess_exec(
            *line,
            env=dict(self.gcloud),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        told, complaint = await process.communicate()
        assert process.returncode == 0, complaint.decode()
        return told.decode()

    async def resumes(self) -> None:
        """Say resume, by the page's next line, and see that it trades."""
        await self.says('"resume"')
        await self.sees(f"control/{MODE}", lambda d: d["state"] == "active")

    async def sets(self, path: str, **fields: object) -> None:
        """Change fields of one's own document in the console."""
        await self.console.document(path).set(fields, merge=True)

    async def read(self, path: str) -> Document:
        """A document, {} where there is none; or a collection, by the last part of the paths."""
        self.looked_at.add(path)
        patience: dict[str, Any] = {"retry": AsyncRetry(timeout=CALL_SECONDS)}
        if len(path.split("/")) % 2 == 0:
            found = await self.console.document(path).get(timeout=CALL_SECONDS, **patience)
            return found.to_dict() or {}
        listed = self.console.collection(path).stream(timeout=CALL_SECONDS, **patience)
        return {one.id: one.to_dict() or {} async for one in listed}

    async def sees(self, path: str, wanted: Wanted) -> Document:
        """Look at a document until it is as wanted. Raises `NeverCame`."""

        async def holds() -> Document:
            found = await self.read(path)
            return found if found and wanted(found) else {}

        return await self.until(path, holds)

    async def sees_run(self, run_id: str, outcome: str = "done") -> Document:
        """Look at a run until it is over, which is to be with this outcome."""
        run = await self.sees(f"runs/{run_id}", lambda d: d["state"] == "DONE")
        assert run["outcome"] == outcome, run
        return run

    async def sees_book(self, ledger: str, **wanted: int) -> Document:
        """Look at a ledger until it holds this."""
        path = f"positions/{MODE}/holdings/{ledger}"
        return await self.sees(path, lambda d: held(d) == wanted)

    async def sees_order(self, generation: int, wanted: Wanted) -> Document:
        """Look at SPY's order of this number until it is as wanted."""
        return await self.sees(f"positions/{MODE}/openOrders/{MODE}-756733-{generation}", wanted)

    async def hears(self, words: str) -> str:
        """The first sentence of the event log that the pattern is in, once there is one."""

        def sentences(found: Document) -> list[str]:
            return [one["sentence"] for one in found.values() if re.search(words, one["sentence"])]

        return sentences(await self.sees("activity", sentences))[0]

    async def half_fills(self) -> None:
        """The broker fills SPY's first order in three parts; after the first, time stands still."""
        await self.sees_order(1, lambda d: d["state"] == "WORKING")
        await self.goes_on(time(10, 31, 20))
        await self.sees_order(1, lambda d: 0 < Decimal(d["filled"]) < Decimal(d["quantity"]))
        self.market_stands = True

    async def until[T](self, what: str, holds: Callable[[], Awaitable[T]]) -> T:
        """Wait until it holds. Raises `NeverCame`."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not (found := await holds()):
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            there = {} if " " in what else await self.read(what)
            said = [line for gateway in self.gateways for line in gateway.lines]
            raise NeverCame(f"{what}: {there}; the gateways: {said[-30:]}") from None
        return found

    async def goes_on(self, to: time, day: date = LAST_DAY) -> None:
        """The day goes on to this time in New York, if it is not later already."""
        await self.simulator.advance_to(max(at(day, to), self.simulator.clock.now()))

    async def tick(self) -> None:
        """Be the market: time passes, unless it stands still."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if not self.market_stands:
                span = timedelta(seconds=TICK_SECONDS)
                await self.simulator.advance_to(self.simulator.clock.now() + span)

    @property
    def at_broker(self) -> dict[str, int]:
        """What the account holds, as the broker itself knows it."""
        return {k: int(v) for k, v in self.simulator.exchange.positions.items() if v}

    @property
    def sent(self) -> list[str]:
        """The references of all orders that the broker ever got, in their order."""
        desk = self.simulator.exchange.orders
        orders = sorted((*desk.working, *desk.done), key=lambda order: order.perm_id)
        return [order.terms.order_ref for order in orders]

    def check_told(self) -> None:
        """All that the page says was done and looked at, and no gateway died by itself."""
        assert self.to_say == [], "the page says more"
        assert self.page.documents - self.looked_at == set(), "the page names more documents"
        codes = [gateway.process.returncode for gateway in self.gateways]
        assert codes[-1:] == [None], codes
        errors = [line for one in self.gateways for line in one.lines if line.startswith("ERROR")]
        assert errors == []


@contextmanager
def emulators() -> Iterator[Emulators]:
    """Both emulators, named in this process's environment too; skips where something is missing."""
    if shutil.which("gcloud") is None:
        pytest.skip("gcloud is not installed")
    pair = Emulators("stories")
    try:
        asyncio.run(pair.__aenter__())
    except EmulatorsNotFound as error:
        pytest.skip(str(error))
    with ExitStack() as parts:
        parts.callback(lambda: asyncio.run(pair.__aexit__(None, None, None)))
        patch = parts.enter_context(pytest.MonkeyPatch.context())
        for name, value in pair.env.items():
            patch.setenv(name, value)
        yield pair


@asynccontextmanager
async def told(
    pair: Emulators, test: str, folder: Path, setting: Setting | None = None
) -> AsyncIterator[Scene]:
    """The story of this test: the gateway is up and trading is halted, as after init."""
    setting = setting or Setting()
    page = page_of(test)
    project = test.removeprefix("test_").replace("_", "-") + "-story"
    async with AsyncExitStack() as parts:
        simulator = await _simulator(parts, folder, setting)

        async def passes(_piece: Piece) -> bool:
            return True

        wire = await parts.enter_async_context(wired("bus", pair.pubsub_host, passes))
        environment = {
            **pair.env,
            "PUBSUB_EMULATOR_HOST": wire.address,
            "GOOGLE_CLOUD_PROJECT": project,
            "MODE": MODE,
            "IB_PORT": str(simulator.port),
            "IB_CLIENT_ID": str(CLIENT_ID),
            "CLOCK_FILE": str(folder / "clock"),
        }
        console = AsyncClient(project=project)
        scene = Scene(page, environment, _gcloud(pair, project, folder), simulator, console)
        scene.to_say = page.lines
        for path, document in init.documents(MODE, _specs(setting)).items():
            await console.document(path).set(document, timeout=CALL_SECONDS)
        base = None
        if setting.strategies and setting.is_answered:
            direct = {"PUBSUB_EMULATOR_HOST": pair.pubsub_host}
            base = await _functions(parts, {**environment, **direct})
        await apply(_patient(topology(MODE, _specs(setting))), pair.pubsub_host, project, base)
        parts.push_async_callback(_end, scene)
        await scene.start()
        ticking = asyncio.create_task(scene.tick())
        parts.push_async_callback(_cancelled, ticking)
        yield scene
        scene.check_told()


async def _simulator(parts: AsyncExitStack, folder: Path, setting: Setting) -> Simulator:
    file = parts.enter_context(ClockFile(folder / "clock"))
    clock = VirtualClock(at(setting.day, time(10, 30)), file=file)
    options = ExchangeOptions(cash_by_currency=setting.cash)
    exchange = Exchange(bars_with_pairs() if setting.cash else bundled_bars(), options)
    server = ServerOptions(master_client_id=CLIENT_ID)
    return await parts.enter_async_context(Simulator(exchange, clock, server))


async def _functions(parts: AsyncExitStack, environment: Mapping[str, str]) -> str:
    """The functions as a process of their own; the address that they are pushed to."""
    child = Child("the functions", [sys.executable, "-m", functions_server.__name__])
    parts.push_async_callback(child.stop)
    whole = {**os.environ, **environment, "PYTHONUNBUFFERED": "1"}
    return f"http://127.0.0.1:{await child.start(whole, functions_server.LISTENS)}"


def _gcloud(pair: Emulators, project: str, folder: Path) -> dict[str, str]:
    """A person's environment: a gcloud of their own, which goes to the emulator."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return {
        **kept,
        "CLOUDSDK_CONFIG": str(folder.parent / "gcloud"),
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB": f"http://{pair.pubsub_host}/",
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
        "CLOUDSDK_CORE_PROJECT": project,
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_FILE_LOGGING": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
    }


def _specs(setting: Setting) -> dict[str, Any]:
    return {name: spec for name, spec in specs().items() if name in setting.strategies}


def _patient(wanted: Topology) -> Topology:
    """As many attempts as Pub/Sub allows: offers to a stream that died count, too (`wires`)."""
    patient = (replace(s, delivery_attempts_max=100) for s in wanted.subscriptions)
    return replace(wanted, subscriptions=tuple(patient))


def at(day: date, when: time) -> datetime:
    """A time in New York."""
    return datetime.combine(day, when, NEW_YORK)


def held(ledger: Document) -> dict[str, int]:
    """What a ledger's document holds, by symbol, without what is 0."""
    positions = ledger["positions"].values()
    quantities = {p["contract"]["symbol"]: int(Decimal(p["quantity"])) for p in positions}
    return {symbol: quantity for symbol, quantity in quantities.items() if quantity}


async def _end(scene: Scene) -> None:
    await asyncio.gather(*(gateway.kill() for gateway in scene.gateways))


async def _cancelled(task: asyncio.Task[None]) -> None:
    """End the market; what it failed with is raised."""
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return

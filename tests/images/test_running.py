"""The images at work, together and with Google's emulators: start, serve, stop in time."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from ib_async import IB, Stock

from functions.registry import load, specs
from gateway.bus import GoogleBus
from gateway.ports import Delivery, Put
from gateway.store import GoogleStore
from infra.images import Container
from infra.local.emulators import Emulators
from infra.local.provision import apply
from infra.topology import topology
from schemas import codec
from schemas.documents import LeaseDocument, path_of
from schemas.messages import Targets, topic_name
from schemas.settings import ControlDocument, Settings
from schemas.values import Mode, TradingState
from tests.functions.histories import generated
from tests.images.running import PATIENCE_SECONDS, Process, free_port, running, status

MODE = Mode.PAPER
PROJECT = "images"
ACCOUNT = "DUSIM0001"
STRATEGY = "spy_macd_vixy"  # its indicators need pandas and numba, which wants to write


@asynccontextmanager
async def simulator(
    containers: dict[str, Container], shared: Path, figures: list[str]
) -> AsyncIterator[tuple[int, Process]]:
    port = free_port()
    arguments = ["--port", str(port), "--bars", "bars", "--speed", "0"]
    arguments += ["--clock-file", "/tmp/shared/clock", "--master-client-id", "1"]
    async with running(containers["simulator"], {}, shared, arguments) as process:
        seconds = await process.until(lambda: "listens on" in process.said)
        figures.append(f"simulator  listens after {seconds:.1f} s")
        yield port, process


async def test_the_simulator_shakes_hands_with_ib_async_and_stops_when_told(
    containers: dict[str, Container], shared: Path, figures: list[str]
) -> None:
    async with simulator(containers, shared, figures) as (port, process):
        ib = IB()
        await ib.connectAsync("127.0.0.1", port, 7, PATIENCE_SECONDS)
        assert ib.managedAccounts() == [ACCOUNT]
        (details,) = await ib.reqContractDetailsAsync(Stock("SPY", "SMART", "USD"))
        assert details.contract is not None
        assert details.contract.conId == 756733
        ib.disconnect()
        code, seconds = await process.stopped()
        assert code == 0, process.said
        figures.append(f"simulator  stops within {seconds:.1f} s")


async def test_the_simulator_starts_with_no_arguments_at_all(
    containers: dict[str, Container], shared: Path
) -> None:
    async with running(containers["simulator"], {}, shared) as process:
        await process.until(lambda: "listens on 127.0.0.1:4002" in process.said)
        assert (await process.stopped())[0] == 0


async def test_the_simulators_image_holds_the_conformance_cases_too(
    containers: dict[str, Container], shared: Path, figures: list[str]
) -> None:
    program = ["python", "-m", "gateway.simulator.conformance"]
    async with simulator(containers, shared, figures) as (port, _):
        arguments = ["--port", str(port), "--only", "accounts_come_before_the_next_order_id"]
        async with running(containers["simulator"], {}, shared, arguments, program) as cases:
            assert await cases.ended() == 0, cases.said
    assert "1 cases told on both sides, 0 differ" in cases.said


# ---------------------------------------------------------------------- the gateway


@asynccontextmanager
async def seeded(emulators: Emulators) -> AsyncIterator[GoogleStore]:
    """Topics, and what a person sets before the first start."""
    await apply(topology(MODE, {}), emulators.pubsub_host, PROJECT)
    store = GoogleStore(PROJECT)
    documents: dict[str, object] = {
        path_of(Settings, name="common"): Settings(),
        path_of(ControlDocument, mode=MODE): ControlDocument(TradingState.ACTIVE, "test"),
    }
    await store.commit([Put(path, codec.to_document(d)) for path, d in documents.items()])
    try:
        yield store
    finally:
        await store.close()


async def has_recovered(store: GoogleStore, process: Process) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await store.get(f"positions/{MODE}") is None:
            assert process.process.returncode is None, process.said
            await asyncio.sleep(0.05)


async def test_commander_and_guard_live_beside_a_broker_and_stop_when_told(
    containers: dict[str, Container], shared: Path, emulators: Emulators, figures: list[str]
) -> None:
    image = containers["gateway"]
    async with seeded(emulators) as store, simulator(containers, shared, figures) as (port, _):
        environment = {
            **emulators.env,
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "MODE": MODE,
            "IB_PORT": str(port),
            "CLOCK_FILE": "/tmp/shared/clock",
            "OWNER": "image",
        }
        ports = free_port(), free_port()
        chief, watcher = ({**environment, "LIVEZ_PORT": str(one)} for one in ports)
        async with (
            running(image, chief, shared, ["-m", "gateway.keeper", "gateway"]) as commander,
            running(image, watcher, shared, ["-m", "gateway.guard"]) as guard,
        ):
            alive = await commander.until(lambda: status(ports[0], "/livez") == 200)
            await has_recovered(store, commander)
            seconds = await commander.until(lambda: status(ports[0], "/livez") == 200)
            figures.append(f"gateway    is alive after {alive:.1f} s, recovered by {seconds:.1f} s")
            await guard.until(lambda: status(ports[1], "/livez") == 200)
            for name, process in (("guard", guard), ("gateway", commander)):
                code, seconds = await process.stopped()
                assert code == 0, process.said
                assert process.lines[-1].endswith("ends: it was told to stop")
                figures.append(f"{name:<10} stops within {seconds:.1f} s")
        lease = await store.get(path_of(LeaseDocument, mode=MODE))
        assert lease is not None
        assert (lease["owner"], lease["epoch"]) == ("", 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (None, "MODE must be set"),
        (["-m", "gateway.guard"], "MODE must be set"),
        (["-m", "gateway.doctor"], "MODE must be set"),
    ],
)
async def test_without_an_environment_each_says_what_is_missing_and_ends_with_2(
    containers: dict[str, Container],
    shared: Path,
    arguments: list[str] | None,
    words: str,
) -> None:
    async with running(containers["gateway"], {}, shared, arguments) as process:
        assert await process.ended() == 2, process.said
        assert words in process.said


# ---------------------------------------------------------------------- the functions


async def test_a_strategys_function_answers_what_pubsub_pushes_to_it(
    containers: dict[str, Container], shared: Path, emulators: Emulators, figures: list[str]
) -> None:
    port = free_port()
    spec = {STRATEGY: specs()[STRATEGY]}
    url = f"http://127.0.0.1:{port}"
    await apply(topology(MODE, spec), emulators.pubsub_host, PROJECT, url)
    environment = {
        **emulators.env,
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "MODE": MODE,
        "FUNCTION_TARGET": STRATEGY,
        "PORT": str(port),
    }
    strategy = load(STRATEGY)
    history = generated(strategy)
    market = history.market(STRATEGY, history.ends()[-1], 200)
    bus = GoogleBus(PROJECT)
    heard: asyncio.Future[Delivery] = asyncio.get_running_loop().create_future()

    def hear(delivery: Delivery) -> None:
        delivery.ack()
        if not heard.done():
            heard.set_result(delivery)

    listening = bus.subscribe(f"gateway-targets-{MODE}", hear)
    try:
        async with running(containers["functions"], environment, shared) as process:
            seconds = await process.until(lambda: status(port) != 0)
            figures.append(f"functions  answers after {seconds:.1f} s ({STRATEGY}, with pandas)")
            attributes = codec.attributes(market, "event-1", market.as_of)
            topic = topic_name("market", MODE)
            await bus.publish(topic, codec.encode(market), attributes)
            targets = codec.decode(Targets, (await asyncio.wait_for(heard, 60)).data)
            assert (targets.strategy, targets.status) == (STRATEGY, "targets"), process.said
            code, seconds = await process.stopped()
            assert code == 0, process.said
            figures.append(f"functions  stops within {seconds:.1f} s")
    finally:
        await listening.close()
        await bus.close()


async def test_a_wrong_cloud_event_is_500_and_a_function_goes_on(
    containers: dict[str, Container], shared: Path
) -> None:
    port = free_port()
    environment = {"FUNCTION_TARGET": "dummy", "PORT": str(port), "MODE": MODE}
    environment["GOOGLE_CLOUD_PROJECT"] = PROJECT
    body = {"message": {"data": "e30=", "attributes": {}, "messageId": "1"}, "subscription": "s"}
    path = f"/projects/{PROJECT}/topics/market-{MODE}"
    async with running(containers["functions"], environment, shared) as process:
        await process.until(lambda: status(port) != 0)
        assert status(port, path, json.dumps(body).encode()) == 500
        await process.until(lambda: "missing required field run_id" in process.said)
        assert status(port, path, json.dumps(body).encode()) == 500
        assert (await process.stopped())[0] == 0

"""Every implementation of the two ports, each test with a fresh one."""

import os
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from gateway.bus import BusSettings, GoogleBus
from gateway.ports import Bus, Store
from gateway.store import GoogleStore
from infra.local.bus import EmbeddedBus
from infra.local.emulators import Emulators, EmulatorsNotFound
from infra.local.provision import apply
from infra.local.store import EmbeddedStore
from infra.topology import Subscription, Topology


def quick(name: str, topic: str, **options: Any) -> Subscription:
    """No retry delay, so that nacks come back at once; 1 s becomes 10 on Pub/Sub, its least."""
    return Subscription(
        name,
        topic,
        ack_deadline_seconds=1,
        retry_delay_seconds_min=0,
        retry_delay_seconds_max=0,
        **options,
    )


TOPOLOGY = Topology(
    mode="test",
    topics=("ticks-test", "fan-test", "mixed-test", "judged-test", "dead-letters-test"),
    subscriptions=(
        quick("ticks", "ticks-test"),
        quick("fan-first", "fan-test"),
        quick("fan-second", "fan-test"),
        quick("only-spy", "mixed-test", filter=(("symbol", "SPY"),)),
        quick("judged", "judged-test", dead_letter_topic="dead-letters-test"),
        quick("dead-letters", "dead-letters-test"),
    ),
    schedules=(),
)
# A first publish warms the emulator up; a lease ends early, so that ack deadlines are seen to pass.
SETTINGS = BusSettings(publish_deadline_seconds=30, lease_seconds_max=1)
IMPLEMENTATIONS = ["embedded", pytest.param("emulator", marks=pytest.mark.emulators)]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def emulators() -> AsyncIterator[Emulators]:
    """One pair for all tests; a project of its own keeps each test apart."""
    running = Emulators("conformance")
    try:
        await running.__aenter__()
    except EmulatorsNotFound as error:
        pytest.skip(str(error))
    yield running
    await running.__aexit__(None, None, None)


@pytest.fixture(params=IMPLEMENTATIONS)
def implementation(request: pytest.FixtureRequest) -> str:
    """`embedded` or `emulator`."""
    name: str = request.param
    return name


@pytest.fixture
def project(
    implementation: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A fresh project id; for the emulators the environment leads to them."""
    if implementation == "emulator":
        emulators: Emulators = request.getfixturevalue("emulators")
        for name, value in emulators.env.items():
            monkeypatch.setenv(name, value)
    return f"conformance-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def emulator_defect(request: pytest.FixtureRequest, implementation: str) -> Callable[[str], None]:
    """Except the emulator from a test, by name; when it is mended, the test says so by failing."""

    def except_it(reason: str) -> None:
        if implementation == "emulator":
            mark = pytest.mark.xfail(reason=reason, raises=AssertionError, strict=True)
            request.applymarker(mark)

    return except_it


@pytest.fixture
async def bus(implementation: str, project: str) -> AsyncIterator[Bus]:
    """A bus with `TOPOLOGY` on it and no message."""
    bus: Bus
    if implementation == "embedded":
        bus = EmbeddedBus(":memory:", TOPOLOGY)
    else:
        await apply(TOPOLOGY, os.environ["PUBSUB_EMULATOR_HOST"], project)
        bus = GoogleBus(project, SETTINGS)
    yield bus
    await bus.close()


@pytest.fixture
async def store(implementation: str, project: str) -> AsyncIterator[Store]:
    """A store without documents."""
    store: Store
    store = EmbeddedStore(":memory:") if implementation == "embedded" else GoogleStore(project)
    yield store
    await store.close()

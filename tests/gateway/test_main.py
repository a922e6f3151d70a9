"""The composition root: what it puts together."""

from gateway.__main__ import commander
from gateway.clock import WallClock
from gateway.config import Config
from infra.local.bus import EmbeddedBus
from infra.local.store import EmbeddedStore
from infra.topology import topology
from schemas.values import Mode

CONFIG = Config(Mode.PAPER, "my-project", "pod-7")


async def test_a_commander_is_put_together_for_its_mode_and_owner() -> None:
    bus, store = EmbeddedBus(":memory:", topology(Mode.PAPER, {})), EmbeddedStore(":memory:")
    chief = commander(CONFIG, bus, store, WallClock())
    assert chief.floor.mode is Mode.PAPER
    assert chief.floor.doors.lease.owner == "pod-7"
    assert not chief.floor.doors.session.connected
    assert not chief.is_idle
    await bus.close()
    await store.close()

"""The floor of the bus."""

from pathlib import Path

from infra.bench.bare_bus import HOPS, BareBus, hop_topology
from infra.local.bus import EmbeddedBus


async def test_each_hop_is_delivered_and_acked_before_the_next(tmp_path: Path) -> None:
    bus = EmbeddedBus(tmp_path / "bare.sqlite", hop_topology())
    bare = BareBus(bus)
    for hop in HOPS:
        bus.subscribe(hop, bare.deliver)
    assert await bare.seconds() > 0
    assert bus.pending() == 0
    await bus.close()

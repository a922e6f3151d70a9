"""Life cycles are measured in processes of their own, and shown as ratios."""

import sys
from pathlib import Path

from infra.bench.figures import Sample
from infra.clients.cycles import Cycles, measured, table
from infra.clients.environments import CLIENTS, OURS


async def test_a_client_is_measured_beside_the_simulator() -> None:
    found = await measured({CLIENTS[OURS]: Path(sys.executable)}, 5, 2)
    one = found[OURS]
    assert [len(s.values) for s in (one.wall, one.client_cpu, one.simulator_cpu)] == [2, 2, 2]
    assert min(one.wall.values) > 0
    assert min(one.client_cpu.values) > 0


def test_the_figures_are_milliseconds_and_a_ratio() -> None:
    one = Cycles(Sample((0.004,)), Sample((0.002,)), Sample((0.001,)))
    assert table({"one": one}).splitlines()[2] == "| one | 250 | 4 | 2 | 1 | 0.50× |"

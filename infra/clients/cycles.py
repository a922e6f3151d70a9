"""Life cycles of orders over the wire: what one takes a client, beside what it takes the simulator.

One life cycle is a market order of one share, sent when the one before has ended, until the client
has heard of its commission. The simulator is a process of its own, as is the client; both are new
for every round, and the clients take turns, so that a busy machine strikes them alike. CPU seconds
are those of the process named, user and system.
"""

import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.bench.broker_wire import cpu_seconds
from infra.bench.figures import Sample, number, ratio
from infra.clients.environments import ROOT, Client
from infra.clients.play import driving
from infra.clients.script import CONNECT, DISCONNECT, SYMBOL
from infra.local.processes import Child

BARS: Final = ROOT / "infra" / "local" / "bars"
PATIENCE_SECONDS: Final = 300.0
WARM_UP: Final = 20
"""Life cycles before the measured ones: imports that a first order brings, pages, caches."""


@dataclass(frozen=True, slots=True)
class Cycles:
    """One client, seconds per life cycle, a value a round: by the wall, and of either's CPU."""

    wall: Sample
    client_cpu: Sample
    simulator_cpu: Sample


async def measured(pythons: Mapping[Client, Path], count: int, rounds: int) -> dict[str, Cycles]:
    """Every client, `count` life cycles a round."""
    taken: dict[str, list[tuple[float, float, float]]] = {one.name: [] for one in pythons}
    for _ in range(rounds):
        for client, python in pythons.items():
            taken[client.name].append(await _round(client, python, count))
    return {
        name: Cycles(*(Sample(tuple(values)) for values in zip(*found, strict=True)))
        for name, found in taken.items()
    }


async def _round(client: Client, python: Path, count: int) -> tuple[float, float, float]:
    async with _simulator() as (port, pid), driving(client, python, port) as driver:
        await driver.ask(CONNECT.verb, CONNECT.arguments)
        await driver.ask("life_cycles", {"symbol": SYMBOL, "count": WARM_UP})
        before = cpu_seconds(pid)
        arguments = {"symbol": SYMBOL, "count": count}
        answer = await driver.ask("life_cycles", arguments, PATIENCE_SECONDS)
        used = cpu_seconds(pid) - before
        await driver.ask(DISCONNECT.verb, DISCONNECT.arguments)
    return answer["seconds"] / count, answer["cpu_seconds"] / count, used / count


@asynccontextmanager
async def _simulator() -> AsyncIterator[tuple[int, int]]:
    """Its port and process id. Its time stands still; a bar has any volume, or it would run dry."""
    options = ("--bars", str(BARS), "--port", "0", "--speed", "0", "--fill-model", "touch")
    child = Child("simulator", (sys.executable, "-m", "gateway.simulator", *options))
    try:
        port = await child.start(os.environ, re.compile(r"listens on \S+:(\d+)"))
        yield int(port), child.pid
    finally:
        await child.stop()


def table(found: Mapping[str, Cycles]) -> str:
    """The figures in Markdown, milliseconds per life cycle, medians of the rounds."""
    lines = [
        "| client | life cycles a second | wall, ms | its own CPU, ms | the simulator's CPU, ms | "
        "the simulator's CPU over its own |",
        "|---|---|---|---|---|---|",
    ]
    for name, one in found.items():
        cells = [
            name,
            f"{1 / one.wall.median:.0f}",
            *(number(1000 * s.median) for s in (one.wall, one.client_cpu, one.simulator_cpu)),
            ratio(one.simulator_cpu.over(one.client_cpu)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)

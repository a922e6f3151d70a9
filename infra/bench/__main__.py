"""`python -m infra.bench`: seven measurements, all as ratios within one run.

1. command -> first order at the broker's socket, over bare hops and bare round trips
2. messages, commits, document writes and reads, per run and per order
3. import times over an empty interpreter and over the bare libraries
4. peak memory over an empty interpreter
5. order life cycles of the simulator, without and with a socket, over ib_async and a bare echo
6. what the simulator keeps of 100,000 orders
7. decisions of the core over plain dicts

What the figures mean stands in `docs/benchmarks.md`.
"""

import argparse
import asyncio
import logging
import os
import platform
import sys
import time
from collections.abc import Sequence
from typing import Final

from infra.bench import broker_figures, counts, decisions, imports, latency, peaks, report
from infra.bench.figures import BenchFailed
from infra.local.day import DayFailed
from infra.local.emulators import EmulatorsFailed, EmulatorsNotFound
from infra.local.processes import ChildFailed
from infra.local.stack import StackFailed, StackName

ROUNDS: Final = 24
IMPORT_ROUNDS: Final = 9


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit code 0, or 1 when something did not work."""
    wanted = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    began = time.monotonic()
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    print(f"{system}, Python {platform.python_version()}\n", flush=True)
    try:
        if wanted.only in (None, "pipeline"):
            _measure(wanted.stack, wanted.rounds)
        if wanted.only in (None, "simulator"):
            _measure_simulator()
        if wanted.only in (None, "decisions"):
            _say(report.decisions(decisions.measured()))
    except (BenchFailed, ChildFailed, DayFailed, EmulatorsFailed, StackFailed) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(f"measured in {time.monotonic() - began:.0f} s")
    return 0


def _measure(stack: StackName, rounds: int) -> None:
    _say(report.latency("embedded", asyncio.run(latency.measured("embedded", rounds))))
    children = _emulators(rounds) if stack == "emulators" else {}
    quiet, ordering = asyncio.run(counts.of_a_run())
    _say(report.counts(quiet, ordering, asyncio.run(counts.of_a_day())))
    _say(report.imports(*imports.measured(IMPORT_ROUNDS)))
    _say(report.peaks(peaks.peaks() | children))


def _measure_simulator() -> None:
    found = asyncio.run(broker_figures.measured())
    _say(broker_figures.speeds(found))
    _say(broker_figures.memory(found.day, found.long))


def _emulators(rounds: int) -> dict[str, int]:
    """Measure on the emulators, if they are installed; return its processes' peaks."""
    try:
        found = asyncio.run(latency.measured("emulators", rounds))
    except EmulatorsNotFound as error:
        _say(f"1. emulators stack: NOT MEASURED. {error}")
        return {}
    _say(report.latency("emulators", found))
    return {f"emulators stack, {m}, after its runs": size for m, size in found.peaks.items()}


def _say(text: str) -> None:
    print(f"{text}\n", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.bench", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--stack",
        choices=("embedded", "emulators"),
        default="emulators",
        help="embedded leaves Google's emulators out (default: both stacks)",
    )
    parser.add_argument(
        "--only",
        choices=("pipeline", "simulator", "decisions"),
        help="1 to 4, or 5 and 6, or 7 (default: all)",
    )
    parser.add_argument(
        "--rounds", type=_positive, default=ROUNDS, help=f"runs over a stack ({ROUNDS})"
    )
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rounds from 1 on")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())

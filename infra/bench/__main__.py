"""`python -m infra.bench`: four measurements, all as ratios within one run.

1. command -> first order at the broker's socket, over bare hops and bare round trips
2. messages, commits, document writes and reads, per run and per order
3. import times over an empty interpreter and over the bare libraries
4. peak memory over an empty interpreter

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

from infra.bench import counts, imports, latency, peaks, report
from infra.bench.orders import BenchFailed
from infra.local.day import DayFailed
from infra.local.emulators import EmulatorsFailed, EmulatorsNotFound
from infra.local.processes import ChildFailed
from infra.local.stack import StackFailed, StackName

ROUNDS = 15
IMPORT_ROUNDS = 7


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit code 0, or 1 when something did not work."""
    wanted = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    began = time.monotonic()
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    print(f"{system}, Python {platform.python_version()}\n", flush=True)
    try:
        _measure(wanted.stack, wanted.rounds)
    except (BenchFailed, ChildFailed, DayFailed, EmulatorsFailed, StackFailed) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(f"measured in {time.monotonic() - began:.0f} s")
    return 0


def _measure(stack: StackName, rounds: int) -> None:
    empty, times = imports.measured(IMPORT_ROUNDS)
    _say(report.imports(empty, times))
    quiet, ordering = asyncio.run(counts.of_a_run())
    _say(report.counts(quiet, ordering, asyncio.run(counts.of_a_day())))
    peak = peaks.peaks()
    found = {"embedded": asyncio.run(latency.measured("embedded", rounds))}
    _say(report.latency("embedded", found["embedded"]))
    if stack == "emulators":
        try:
            found[stack] = asyncio.run(latency.measured(stack, rounds))
        except EmulatorsNotFound as error:
            _say(f"The emulators' stack was NOT measured: {error}")
        else:
            _say(report.latency(stack, found[stack]))
            peak |= {f"emulators' stack, {m}": size for m, size in found[stack].peaks.items()}
    _say(report.peaks(peak))


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
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"runs a stack ({ROUNDS})")
    return parser


if __name__ == "__main__":
    sys.exit(main())

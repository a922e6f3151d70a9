"""`python -m infra.clients`: every client plays the script, then the life cycles are measured.

Prints the table client × case and what a life cycle costs each client; `--write` puts both into
`docs/simulator.md`. `--client` and `--case`, repeatable, play less, and tell what went wrong.
"""

import argparse
import asyncio
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from infra.bench.figures import BenchFailed
from infra.clients import cycles
from infra.clients.environments import CLIENTS, Client, NoEnvironment
from infra.clients.play import DriverFailed, play
from infra.clients.script import CASES
from infra.clients.table import case_table
from infra.marked_text import filled
from infra.simulator_docs import PAGE


def main(arguments: Sequence[str] | None = None) -> int:
    """Play and measure; exit code 0 when every client that could be played passed."""
    parser = _parser()
    wanted = parser.parse_args(arguments)
    if wanted.write and (wanted.client or wanted.case):
        parser.error("--write is for the whole table: without --client and --case")
    pythons, absent = _environments(wanted.client or list(CLIENTS))
    cases = [case for case in CASES if case.name in (wanted.case or [case.name])]
    outcomes = {one.name: asyncio.run(play(one, pythons[one], cases)) for one in pythons}
    made = {"clients": case_table(outcomes, cases, absent)}
    print(f"{made['clients']}\n", flush=True)
    if wanted.cycles:
        try:
            found = asyncio.run(cycles.measured(pythons, wanted.cycles, wanted.rounds))
        except (BenchFailed, DriverFailed) as error:
            print(f"life cycles were not measured: {error}", file=sys.stderr)
            return 1
        made["cycles"] = f"{_machine()}:\n\n{cycles.table(found)}"
        print(made["cycles"])
    if wanted.write:
        PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), made), encoding="utf-8")
    return int(any(one.wrong for row in outcomes.values() for one in row))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.clients", description=__doc__)
    names = [case.name for case in CASES]
    parser.add_argument("--client", action="append", choices=list(CLIENTS), help="only this one")
    parser.add_argument("--case", action="append", choices=names, help="only this one")
    parser.add_argument("--cycles", type=int, default=500, help="life cycles a round; 0: none")
    parser.add_argument("--rounds", type=int, default=3, help="of life cycles; default 3")
    parser.add_argument("--write", action="store_true", help="put all into docs/simulator.md")
    return parser


def _environments(names: Sequence[str]) -> tuple[dict[Client, Path], dict[str, str]]:
    """The Python of each client, and why there is none."""
    pythons: dict[Client, Path] = {}
    absent: dict[str, str] = {}
    for name in names:
        try:
            pythons[CLIENTS[name]] = CLIENTS[name].python()
        except NoEnvironment as error:
            absent[name] = str(error)
    return pythons, absent


def _machine() -> str:
    """When and on what was measured: figures of another machine are no promise for this one."""
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return f"{datetime.now(UTC):%Y-%m-%d}, {system}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())

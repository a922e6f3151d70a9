"""The whole system on one machine: `python -m infra.local demo` and `python -m infra.local up`.

Exit codes: 0 good (also when Ctrl-C ends `up`), 1 not as promised, 2 not possible with what was
asked for, 130 interrupted.
"""

import argparse
import asyncio
import logging
import signal
import sys
import time
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from gateway.simulator.market.bars import BarBook, BarsError, read_folder
from infra.local.day import DayFailed
from infra.local.demo import BUNDLED, DayUnplayable, chosen_day, play
from infra.local.emulators import EmulatorsFailed, EmulatorsNotFound
from infra.local.processes import ChildFailed
from infra.local.solo import Unplayable, check_known, staged
from infra.local.stack import StackFailed, StackName
from infra.local.tables import tables, verdict
from infra.local.up import serve
from schemas.new_york import NEW_YORK


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, play or serve, and return the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    try:
        bars = read_folder(options.bars)
        day = chosen_day(bars, options.day)
        if options.action == "up":
            return asyncio.run(_up(options.stack, bars, day))
        if options.strategy:
            check_known(options.strategy)
            own = None if options.bars == BUNDLED else options.bars
            bars = staged(options.strategy, bars, day, own)
        return asyncio.run(_demo(options, bars, day))
    except (BarsError, DayUnplayable, EmulatorsNotFound, OSError, Unplayable) as error:
        print(f"{options.action}: {error}", file=sys.stderr)
        return 2
    except (ChildFailed, DayFailed, EmulatorsFailed, StackFailed) as error:
        print(f"{options.action}: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print(f"{options.action}: stopped", file=sys.stderr)
        return 0 if options.action == "up" else 130


async def _up(name: StackName, bars: BarBook, day: date) -> int:
    _end_when_told()
    await serve(name, bars, day)
    return 0


async def _demo(options: argparse.Namespace, bars: BarBook, day: date) -> int:
    _end_when_told()
    began = time.monotonic()
    bundled, name = options.bars == BUNDLED, options.stack
    what = "SYNTHETIC bars, invented and deterministic" if bundled else "bars from files"
    print(f"one trading day, {day}: {what}; {name} stack; times are New York's\n", flush=True)
    ending = await play(name, bars, day, _say, options.strategy)
    found = verdict(ending, options.strategy)
    print(f"\n{tables(ending)}\n")
    print("\n".join(found.sentences()))
    print(f"played in {time.monotonic() - began:.1f} s")
    return 0 if found.is_good else 1


def _end_when_told() -> None:
    """On Ctrl-C and SIGTERM the children and the temporary folder go with us.

    SIGINT by a handler of our own, for a shell's background job inherits it ignored.
    """
    task = asyncio.current_task()
    assert task is not None  # called in a coroutine
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def _say(at: datetime, line: str) -> None:
    print(f"{at.astimezone(NEW_YORK):%H:%M:%S} {line}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    for action, what in (("demo", "play one trading day"), ("up", "run until Ctrl-C")):
        one = actions.add_parser(action, help=what)
        one.add_argument("--stack", choices=("embedded", "emulators"), default="embedded")
        one.add_argument("--bars", type=Path, default=BUNDLED, help="folder of CSV files")
        one.add_argument("--strategy", default="", help="play this one alone (demo)")
        one.add_argument("--day", type=_day, help="default: the last whole one")
    return parser


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day like 2019-12-20") from None


if __name__ == "__main__":
    sys.exit(main())

"""`python -m infra.cost`: what it costs in a month, from what is measured and a dated price list.

Messages, documents and bytes are counted on the embedded stack now (some 20 s), how often from
`infra.topology`, prices from `infra/prices.toml`, which says which of them nobody has confirmed.

    python -m infra.cost                                     our strategies, as scheduled
    python -m infra.cost --strategies 10 --runs-per-day 26   all ten at each of 26 runs
    python -m infra.cost --write                             the table of docs/how-to/deploy.md
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Final

from functions.registry import specs
from infra import cost_table
from infra.bill import WINDOWS, Bill, Load, Shape, hours, load_of, market_hours
from infra.marked_text import filled
from infra.prices import read
from infra.topology import topology
from infra.usage import Measured, measured
from schemas.values import Mode

PAGE: Final = Path(__file__).resolve().parents[1] / "docs/how-to/deploy.md"
MARK: Final = "cost"


def shapes(windows: tuple[str, str] = WINDOWS) -> tuple[Shape, ...]:
    """Paper and live: around the clock, in market hours, in windows."""
    market = hours(*market_hours(topology(Mode.PAPER, specs())))
    parts = (("market hours", market), ("windows", hours(*windows)))
    return tuple(
        shape
        for mode, is_live in (("paper", False), ("live", True))
        for shape in (
            cost_table.always(f"{mode} 24×7", is_live=is_live),
            *(Shape(f"{mode}, {when}", length, is_live) for when, length in parts),
        )
    )


def load(strategies: int | None, runs_per_day: int | None) -> Load:
    """The load of our schedules, or of so many strategies that are all asked at so many runs."""
    found = load_of(topology(Mode.PAPER, specs()))
    if strategies is None and runs_per_day is None:
        return found
    runs = found.runs if runs_per_day is None else Decimal(runs_per_day)
    each = found.answers / found.runs if strategies is None else Decimal(strategies)
    return replace(found, runs=runs, answers=runs * each)


def page(text: str, bill: Bill) -> str:
    """The page with its table anew."""
    return filled(text, {MARK: told(bill)})


def told(bill: Bill) -> str:
    """The part of the page."""
    every = shapes()
    return "\n".join(
        [
            f"Prices of {bill.listed.checked} in {bill.listed.region}, before tax; a line with (?) "
            "has a price in it that nobody has confirmed. Free allowances are taken off as if this "
            "were the only project of the billing account.",
            "",
            cost_table.markdown(cost_table.rows(bill, every)),
            "",
            cost_table.markdown(cost_table.kubernetes(bill, every[0])),
            "",
            *(f"- {sentence}" for sentence in cost_table.counted(bill, every[0])),
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the bill, or write it into the page."""
    options = _parser().parse_args(arguments)
    wanted = load(options.strategies, options.runs_per_day)
    bill = Bill(read(), _measured(), wanted)
    if options.write:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), bill), encoding="utf-8")
        return 0
    every = shapes(tuple(options.windows))
    print(f"US dollars a month; prices of {bill.listed.checked}, {bill.listed.region}, before tax")
    print(cost_table.plain(cost_table.rows(bill, every)), end="\n\n")
    print(cost_table.plain(cost_table.kubernetes(bill, every[0])), end="\n\n")
    print("\n".join(cost_table.counted(bill, every[0])), end="\n\n")
    print("NOT CONFIRMED, look it up before you rely on it; and assumed, for want of a measure:")
    print("\n".join(f"- {doubt}" for doubt in cost_table.doubts(bill)))
    return 0


def _measured() -> Measured:
    print("counting on the embedded stack, some 20 s ...", file=sys.stderr, flush=True)
    return asyncio.run(measured())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.cost",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--strategies", type=_positive, help="asked at each run")
    parser.add_argument("--runs-per-day", type=_positive, help="on a trading day")
    parser.add_argument(
        "--windows",
        nargs=2,
        metavar=("START", "STOP"),
        default=list(WINDOWS),
        help=f"cron lines, New York time {WINDOWS}",
    )
    parser.add_argument("--write", action="store_true", help="write the table into the guide")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())

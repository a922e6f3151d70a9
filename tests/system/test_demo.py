"""The first command in a fresh clone, run as a stranger would."""

import os
import re
import select
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.system

type Run = Callable[..., tuple[int, str]]

LAW = r"LAW broker = sum\(books\) \+ EXTERNAL: holds for (\d+) contracts, UNEXPLAINED 0"
PLAYED_SECONDS_MAX = 60.0


@dataclass(frozen=True)
class Played:
    """What a demo printed, taken apart."""

    code: int
    text: str

    @cached_property
    def story(self) -> list[str]:
        """The lines with a time, without it."""
        found = re.findall(r"^\d\d:\d\d:\d\d +(.*)$", self.text, re.MULTILINE)
        return [str(line) for line in found]

    def table(self, title: str) -> list[list[str]]:
        """The rows of a table, split where two spaces are."""
        (block,) = re.findall(rf"^{title}\n((?:  .*\n?)*)", self.text, re.MULTILINE)
        rows = [re.split(r"  +", line.strip()) for line in block.splitlines()]
        return rows[1:]

    def place(self, pattern: str) -> int:
        """Where in the story a pattern is first."""
        places = [n for n, line in enumerate(self.story) if re.search(pattern, line)]
        assert places, f"{pattern!r} is not in the story:\n" + "\n".join(self.story)
        return places[0]


@pytest.fixture(scope="module")
def remembered() -> dict[tuple[str, ...], Played]:
    return {}


@pytest.fixture
def demo(run: Run, remembered: dict[tuple[str, ...], Played]) -> Callable[..., Played]:
    """Play a demo, once for all tests that look at it."""

    def played(*arguments: str) -> Played:
        if arguments not in remembered:
            remembered[arguments] = Played(*run("demo", *arguments))
        return remembered[arguments]

    return played


def check_promises(played: Played) -> None:
    """What every demo promises, on whatever bars [B3]."""
    assert played.code == 0, played.text
    assert re.search(LAW, played.text), played.text
    orders = played.table("ORDERS")
    assert orders
    assert all(row[3].startswith("DONE ") for row in orders)
    assert [row for row in orders if len(row[6].split(",")) > 1 and row[4] != "+0"]
    assert "Traceback" not in played.text
    assert float(re.findall(r"played in (.*) s", played.text)[0]) < PLAYED_SECONDS_MAX


def test_the_demo_keeps_its_promises(demo: Any) -> None:
    check_promises(demo())


@pytest.mark.parametrize(("strategy", "traded"), [("mes_trend", 1), ("monthly_allocation", 4)])
def test_a_strategy_can_be_played_alone(
    demo: Callable[..., Played], strategy: str, traded: int
) -> None:
    """On invented bars of its own universe; the law holds, and it answered."""
    played = demo("--strategy", strategy)
    assert played.code == 0, played.text
    law = re.search(LAW, played.text)
    assert law is not None
    assert f"{strategy} answered " in played.text
    books = [row for row in played.table("BOOKS") if row[0] == strategy]
    assert len(books) == traded


def test_the_bars_are_plainly_labelled_synthetic(demo: Any) -> None:
    assert "SYNTHETIC" in demo().text.splitlines()[0]


def test_the_story_is_told_in_order(demo: Any) -> None:
    played = demo()
    steps = [
        r"bar 1 of 13",
        r"SPY is locked: \+50 SPY at the broker that neither a book nor EXTERNAL explains",
        r"trading is halted; a person must say resume",
        r"adopt adopt done: \+50 SPY to EXTERNAL",
        r"trading is active, by demo",
        r"publishes by hand: .*\"manual\"",
        r"-cross: .* SPY crossed at",
        r"journaled for .*manual",
        r"is DONE, filled",
        r"bar 2 of 13",
        r"somebody buys 7 SPY at the broker",
        r"\+7 SPY at .* by somebody else, booked to EXTERNAL; no strategy's book moves",
        r"publishes a malformed message",
        r"refused: targets\[0\]\.quantity",
        r"bar 13 of 13",
        r"the close",
        r"reconcile close done",
    ]
    places = [played.place(step) for step in steps]
    assert places == sorted(places)


def test_every_bar_is_told_before_the_next(demo: Any) -> None:
    """The clock never runs backwards in the story, for nothing is told late."""
    times = re.findall(r"^(\d\d:\d\d:\d\d) ", demo().text, re.MULTILINE)
    assert times == sorted(times)


def test_every_strategy_and_the_person_hold_a_book(demo: Any) -> None:
    strategies = {row[0] for row in demo().table("BOOKS")}
    assert strategies == {"manual", "spy_macd_vixy", "spy_pullback", "test_signal_generator"}


def test_external_holds_the_50_shares_and_the_manual_trade(demo: Any) -> None:
    ((ledger, symbol, quantity, *_),) = demo().table("EXTERNAL")
    assert (ledger, symbol, quantity) == ("EXTERNAL", "SPY", "57")


def test_the_tables_themselves_obey_the_law(demo: Any) -> None:
    """[B3] computed anew from what is printed."""
    broker = {row[0]: Decimal(row[1]) for row in demo().table("BROKER POSITIONS")}
    booked = dict.fromkeys(broker, Decimal(0))
    for row in [*demo().table("BOOKS"), *demo().table("EXTERNAL")]:
        booked[row[1]] = booked.get(row[1], Decimal(0)) + Decimal(row[2])
    assert booked == {**dict.fromkeys(booked, Decimal(0)), **broker}


def test_every_execution_is_shared_out_without_rest(demo: Any) -> None:
    """[A1] the shares of an execution add up to it, whole shares each."""
    for *_, quantity, _, shares in demo().table("EXECUTIONS"):
        parts = [Decimal(part.split(" ")[-1]) for part in shares.split(", ")]
        assert sum(parts) == Decimal(quantity)
        assert all(part == int(part) for part in parts)


def test_every_cross_adds_up_to_nothing(demo: Any) -> None:
    crosses = demo().table("CROSSES")
    assert crosses
    for *_, shares in crosses:
        assert sum(Decimal(part.split(" ")[-1]) for part in shares.split(", ")) == 0


@pytest.fixture
def recorded() -> str:
    """The folder with recorded bars as a stranger gives it: relative to the repository."""
    path = Path(__file__).parents[3] / "shared" / "data"
    if not path.is_dir():
        pytest.skip("no ../shared/data beside the repository: recorded bars are not here")
    return "../shared/data"


@pytest.mark.parametrize(
    ("arguments", "day", "reason"),
    [
        ((), "2025-12-12", "VIXY has stale bars"),
        (("--day", "2019-12-20"), "2019-12-20", "SPY has 4 bars, at least 190 are needed"),
    ],
    ids=["last-whole-day", "2019-12-20"],
)
def test_recorded_days_are_played_and_who_lacks_data_holds_and_says_so(
    demo: Any, recorded: str, arguments: tuple[str, ...], day: str, reason: str
) -> None:
    played = demo("--bars", recorded, *arguments)
    check_promises(played)
    assert played.text.startswith(f"one trading day, {day}: bars from files")
    played.place(f"spy_macd_vixy holds what it has: {reason}")
    assert "spy_macd_vixy" not in {row[0] for row in played.table("BOOKS")}


def test_a_day_that_closes_early_ends_at_one(demo: Any, recorded: str) -> None:
    played = demo("--bars", recorded, "--day", "2025-11-28")
    check_promises(played)
    assert "bar 7 of 7" in played.text
    assert "13:00:00 --- the close ---" in played.text


HEADER = "time,open,high,low,close,volume"
FIRST = "2026-01-05T09:30:00-05:00,100,101,99,100,1000"
SECOND = FIRST.replace("09:30", "10:00")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["time,open,high,low,close", FIRST], "1: missing column volume"),
        ([HEADER, SECOND, FIRST], "3: time goes backwards"),
        ([HEADER, FIRST, FIRST], "3: duplicate time"),
        ([HEADER, FIRST.replace(",1000", ",many")], "2: volume 'many' is not a number"),
    ],
    ids=["missing column", "unsorted", "duplicate", "not numeric"],
)
def test_a_bad_file_is_refused_with_file_line_and_reason(
    run: Run, tmp_path: Path, lines: list[str], said: str
) -> None:
    (tmp_path / "SPY_30min.csv").write_text("\n".join(lines) + "\n")
    assert run("demo", "--bars", str(tmp_path)) == (2, f"demo: SPY_30min.csv:{said}")


EMULATORS = pytest.param("emulators", marks=pytest.mark.emulators)


@pytest.mark.parametrize("stack", ["embedded", EMULATORS])
def test_a_demo_that_is_interrupted_leaves_nothing_behind(
    start: Any, scratch: Path, stack: str
) -> None:
    program = start(["demo", "--stack", stack])
    skip_without_emulators(program)
    children = [os.pidfd_open(pid) for pid in program.children()]
    program.process.send_signal(signal.SIGINT)
    assert program.ended() == 130
    assert program.text.endswith("demo: stopped")
    assert "Traceback" not in program.text
    assert still_running(children, seconds=0) == []
    assert left_in(scratch) == []


def test_a_demo_that_is_terminated_leaves_nothing_behind(start: Any, scratch: Path) -> None:
    program = start(["demo"])
    program.wait_for("bar 2 of 13")
    program.process.send_signal(signal.SIGTERM)
    assert (program.ended(), left_in(scratch)) == (130, [])
    assert "Traceback" not in program.text


@pytest.mark.emulators
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv, so Linux")
def test_a_demo_that_is_killed_leaves_no_process_behind(start: Any) -> None:
    """The kernel tells the children; how soon they are gone is their own affair."""
    program = start(["demo", "--stack", "emulators"])
    skip_without_emulators(program)
    children = [os.pidfd_open(pid) for pid in program.children()]
    assert len(children) >= 4
    program.process.kill()
    assert program.process.wait() == -signal.SIGKILL
    assert still_running(children, seconds=30) == []


def skip_without_emulators(program: Any) -> None:
    """Wait for the second bar; skip where there is nothing to run the emulators with."""
    program.wait_for(r"bar 2 of 13|demo: (.* is not installed|Java is not)")
    if program.process.poll() is not None or "--- bar 2" not in program.text:
        pytest.skip(program.lines[-1])


def still_running(processes: list[int], seconds: float) -> list[int]:
    """Which of the processes have not ended within the time; closes their descriptors."""
    end = time.monotonic() + seconds
    left = list(processes)
    while left:
        over, _, _ = select.select(left, [], [], max(0.0, end - time.monotonic()))
        if not over:
            break
        left = [process for process in left if process not in over]
    for process in processes:
        os.close(process)
    return left


def left_in(folder: Path) -> list[str]:
    """What lies in the folder, but for what the Java runtime keeps for its own tools."""
    return [path.name for path in folder.iterdir() if not path.name.startswith("hsperfdata")]

"""SIGKILL of the real process at any time is safe; so is SIGTERM, after which nothing new is sent.

Issue 4, "crash at every step" and "stops well". Real `python -m gateway` processes over Google's
emulators and simulators of their own, side by side: most of a play is waiting for a dead owner's
lease to end [R3]. Where they are struck: `tests/integration/kill_strike.py`. A failed play is
played again by its number: `KILL=17 pytest tests/integration/test_kill_and_restart.py`.
"""

import asyncio
import os
from collections.abc import Callable
from itertools import accumulate, chain, count, takewhile
from pathlib import Path

import pytest

from infra.local.emulators import Emulators
from tests.integration.kill_play import Played, distribution, played, stop_of, strikes_of
from tests.integration.kill_strike import STOPS

KILLS_MIN = 15
STOP_SECONDS = 10.0
"""The platform kills ten seconds after SIGTERM."""

AT_ONCE = 16
"""Plays side by side on two cores; a gateway takes 90 MB and, while it waits, next to no time."""


def numbers() -> list[int]:
    """The plays of this session: one by `KILL`, else the first ones until `KILLS` kills are in."""
    if one := os.environ.get("KILL"):
        return [int(one)]
    wanted = int(os.environ.get("KILLS", str(KILLS_MIN)))
    first = int(os.environ.get("KILLS_FROM", "0"))
    kills = accumulate(len(strikes_of(number)) for number in count(first))
    return [first + n for n, _ in enumerate(chain((0,), takewhile(wanted.__gt__, kills)))]


@pytest.mark.emulators
async def test_killed_at_any_moment_it_duplicates_nothing_and_loses_nothing(
    emulators: Emulators, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """[W1, R1, R2, R3, A1, B3]: one broker order a reference, every fill in a book, the law."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> Played:
        async with gate:
            play = await played(emulators, tmp_path / f"kill-{number}", strikes_of(number))
        print(f"{play} ({play.seconds:.0f} s, codes {play.codes}, locks {dict(play.locks)})")
        print("".join(f"    {line}\n" for line in play.said if "gateway ends" in line), end="")
        return play

    plays = list(await asyncio.gather(*map(one, numbers())))
    for where, times in sorted(distribution(plays).items()):
        print(f"{times:4d}  {where}")
    kills = sum(len(play.strikes) for play in plays)
    print(f"{kills} kills; endings with a lock: {sum(bool(play.locks) for play in plays)}")
    record_property("kills", kills)
    assert [str(play) for play in plays if play.wrongs] == []
    assert kills >= sum(len(strikes_of(number)) for number in numbers())


@pytest.mark.emulators
async def test_told_to_stop_at_any_moment_it_sends_no_new_order_and_gives_its_lease_back(
    emulators: Emulators, tmp_path: Path
) -> None:
    """SIGTERM ends it with 0 before the platform kills it; the next gateway ends the day [R3]."""

    async def one(number: int) -> Played:
        play = await played(emulators, tmp_path / f"stop-{number}", stop_of(number))
        print(f"{play} ({play.seconds:.0f} s, {play.ends})")
        return play

    plays = await asyncio.gather(*map(one, range(len(STOPS))))
    assert [str(play) for play in plays if play.wrongs] == []
    ends = {play.strikes[0]: end for play in plays for end in play.ends}
    assert len(ends) == len(STOPS)
    assert {where: end.code for where, end in ends.items() if end.code} == {}
    assert {where: end.holder for where, end in ends.items() if end.holder} == {}
    assert {where: end.new_orders for where, end in ends.items() if end.new_orders} == {}
    assert [end.seconds for end in ends.values() if end.seconds > STOP_SECONDS] == []

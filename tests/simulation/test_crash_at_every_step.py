"""Struck at every call to the outside, the next gateway ends where the first would have.

Issue 4, "crash at every step". The calls are noted as they are made, so what is swept grows with
the code. A play that is struck takes other ways, but ends with the same positions and books, or a
lock names the contract and the reason [R1, R2]; no reference is ever sent twice and the account
never holds more than was wanted [W1]; the law holds [B3].
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import pytest

from infra.local.crash_scenarios import SCENARIOS, Played, Scenario, played
from infra.local.crashes import KINDS, Kind, Strike, strikes

SHARDS: Final = 6
RUN, FLIP = SCENARIOS
NAMES: Final = [scenario.name for scenario in SCENARIOS]
PAIRS: Final = 48
"""Plays with two crashes, out of some 300,000 there are."""
AT_ONCE: Final = 8
"""Plays side by side: most of a play is waiting for its sockets."""
SECONDS_MAX: Final = 120.0
ATTEMPTS: Final = 3
"""A busy machine takes more events at once, in fewer calls: a later call may be met next time."""

UNSTRUCK: dict[str, Played] = {}


async def unstruck(scenario: Scenario) -> Played:
    """The play without a crash; always the same."""
    if scenario.name not in UNSTRUCK:
        UNSTRUCK[scenario.name] = await played(scenario)
    return UNSTRUCK[scenario.name]


async def struck(scenario: Scenario, due: Sequence[Strike]) -> Played:
    """A play that has met all of these strikes, or the last that tried."""
    expected = await unstruck(scenario)
    for attempt in itertools.count(1):
        async with asyncio.timeout(SECONDS_MAX):
            play = await played(scenario, due, expected.ending)
        if not play.missed or attempt == ATTEMPTS:
            return play
    raise AssertionError("it counts without end")


def verdict(due: Sequence[Strike], play: Played) -> str:
    """What is wrong with a play, in a sentence; empty if nothing is."""
    wrongs = [*(f"never met: {strike}" for strike in play.missed), *play.wrongs]
    return f"{', then '.join(map(str, due))}: {'; '.join(wrongs)}" if wrongs else ""


async def test_the_scenario_passes_every_door_and_every_kind_of_trade(
    record_property: Callable[[str, object], None],
) -> None:
    """What is swept is worth it: a cross, orders, fills in parts, a cancel, a recovery."""
    play = await unstruck(RUN)
    assert play.wrongs == ()
    assert play.ending.locks == {}
    assert {name: dict(book) for name, book in play.ending.books.items()} == {
        "alpha": {"SPY": 5},
        "beta": {"SPY": -4, "VIXY": 40},
    }
    words = Counter(f"{call.door}.{call.method}" for call in play.calls)
    assert words["session.place"] >= 3
    assert words["session.connect"] == 2
    for word in ("bus.ack", "bus.publish", "bus.subscribe", "session.cancel", "session.read"):
        assert words[word], word
    for word in ("store.get", "store.list", "store.find", "store.commit", "store.transact"):
        assert words[word], word
    for word in ("session.what_if", "session.quote", "session.bars", "session.resolve"):
        assert words[word], word
    tell_points(play, record_property)


async def test_the_other_scenario_flips_and_closes(
    record_property: Callable[[str, object], None],
) -> None:
    """Two orders of the flip [N6], the one that closes, and nothing of it in one order."""
    play = await unstruck(FLIP)
    assert play.wrongs == ()
    assert play.ending.locks == {}
    assert play.ending.books == {"alpha": {"SPY": -3}}
    placed = [str(call) for call in play.calls if call.method == "place"]
    assert len(placed) == len({*placed}) == 3
    tell_points(play, record_property)


def tell_points(play: Played, record_property: Callable[[str, object], None]) -> None:
    points = sum(len(strikes(play.calls, kind)) for kind in KINDS)
    record_property("crash_points", points)
    print(f"{len(play.calls)} calls, {points} crash points")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=NAMES)
async def test_no_two_calls_of_a_scenario_are_one_point(scenario: Scenario) -> None:
    """Each call is found again by what it is about and the how-manieth of these it is."""
    play = await unstruck(scenario)
    points = strikes(play.calls, "before")
    assert len(points) == len({*points}) == len(play.calls)


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=NAMES)
async def test_struck_at_any_call_it_ends_as_without(
    scenario: Scenario, kind: Kind, shard: int, record_property: Callable[[str, object], None]
) -> None:
    """[R1, R2, W1, B3, N6]"""
    points = strikes((await unstruck(scenario)).calls, kind)[shard::SHARDS]
    assert points
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(point: Strike) -> str:
        async with gate:
            return verdict([point], await struck(scenario, [point]))

    found = await asyncio.gather(*map(one, points))
    record_property("crash_points", len(points))
    print(f"{scenario.name}, {kind}: {len(points)} crash points, each of them met")
    assert [sentence for sentence in found if sentence] == []


@pytest.mark.parametrize("shard", range(SHARDS))
async def test_struck_twice_it_ends_as_without(
    shard: int, record_property: Callable[[str, object], None]
) -> None:
    """[R1, R2, W1, B3] The one that clears up is struck too; the same pairs in every run."""
    play = await unstruck(RUN)
    chance = random.Random(shard)
    singles = [strike for kind in KINDS for strike in strikes(play.calls, kind)]
    firsts = chance.sample(singles, PAIRS // SHARDS)
    lots = [chance.random() for _ in firsts]
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(first: Strike, lot: float) -> str:
        async with gate:
            seen = (await struck(RUN, [first])).since
            seconds = [strike for kind in KINDS for strike in strikes(seen, kind)]
            pair = [first, seconds[int(lot * len(seconds))]]
            return verdict(pair, await struck(RUN, pair))

    found = await asyncio.gather(*map(one, firsts, lots))
    record_property("crash_pairs", len(firsts))
    print(f"{len(firsts)} pairs of crashes, each of them met")
    assert [sentence for sentence in found if sentence] == []

"""Struck at every call to the outside, the next gateway ends where the first would have.

Issue 4, "crash at every step". The calls are counted as they are made, so what is swept grows with
the code. A play that is struck takes other ways, but ends with the same positions and books, or a
lock names the contract and the reason [R1, R2]; no reference is ever sent twice and the account
never holds more than was wanted [W1]; the law holds [B3].
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

import pytest

from infra.local.crashes import AWAITED_ONLY, KINDS, Call, Kind, Played, played

SHARDS: Final = 6
AT_ONCE: Final = 8
"""Plays side by side: most of a play is waiting for its sockets."""
SECONDS_MAX: Final = 120.0

UNSTRUCK: list[Played] = []


async def unstruck() -> Played:
    """The play without a crash; always the same."""
    if not UNSTRUCK:
        UNSTRUCK.append(await played())
    return UNSTRUCK[0]


def is_struck(call: Call, kind: Kind) -> bool:
    return call.is_awaited or kind not in AWAITED_ONLY


async def test_the_scenario_passes_every_door_and_every_kind_of_trade(
    record_property: Callable[[str, object], None],
) -> None:
    """What is swept is worth it: a cross, orders, fills in parts, a cancel, a recovery."""
    play = await unstruck()
    assert play.wrongs == ()
    assert play.ending.locks == {}
    assert {name: dict(book) for name, book in play.ending.books.items()} == {
        "alpha": {"SPY": 5},
        "beta": {"SPY": -4, "VIXY": 40},
    }
    words = Counter(f"{call.door}.{call.what.partition(' ')[0]}" for call in play.calls)
    assert words["session.place"] >= 3
    assert words["session.connect"] == 2
    for word in ("bus.ack", "bus.publish", "bus.subscribe", "session.cancel", "session.read"):
        assert words[word], word
    for word in ("store.get", "store.list", "store.find", "store.commit", "store.transact"):
        assert words[word], word
    for word in ("session.what_if", "session.quote", "session.bars", "session.resolve"):
        assert words[word], word
    points = sum(is_struck(call, kind) for call in play.calls for kind in KINDS)
    record_property("crash_points", points)
    print(f"{len(play.calls)} calls, {points} crash points")


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("kind", KINDS)
async def test_struck_at_any_call_it_ends_as_without(
    kind: Kind, shard: int, record_property: Callable[[str, object], None]
) -> None:
    """[R1, R2, W1, B3]"""
    expected = await unstruck()
    numbered = list(enumerate(expected.calls, 1))[shard::SHARDS]
    points = [number for number, call in numbered if is_struck(call, kind)]
    assert points
    gate = asyncio.Semaphore(AT_ONCE)

    async def struck(point: int) -> str:
        async with gate, asyncio.timeout(SECONDS_MAX):
            play = await played(point, kind, expected.ending)
            if not play.was_struck:  # a slow machine took more events at once, in fewer calls
                play = await played(point, kind, expected.ending)
        what = f"{kind} call {point}, {play.calls[min(point, len(play.calls)) - 1]}"
        if not play.was_struck:
            return f"{what}: not reached, there were {len(play.calls)} calls"
        return f"{what}: {'; '.join(play.wrongs)}" if play.wrongs else ""

    found = await asyncio.gather(*map(struck, points))
    record_property("crash_points", len(points))
    print(f"{kind}: {len(points)} crash points")
    assert [sentence for sentence in found if sentence] == []

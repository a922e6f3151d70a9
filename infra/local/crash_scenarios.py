"""What the gateway is struck in (`infra.local.crashes`), and what is wrong with a play of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from infra.local.crashes import Bench, Call, Ending, Strike, benched

LOOK_SECONDS: Final = 11
"""Beyond the pause between two looks at an order that nobody knows [R2]."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens in the world.

    `bounds` are the least and the most that the strategies ever want together, or one of them
    alone: where a call fails, a strategy is not asked and the others go on. `said_again` are the
    commands that a person says again at the end, who saw that their run was interrupted.
    """

    name: str
    play: Callable[[Bench], Awaitable[None]]
    bounds: Mapping[str, tuple[int, int]]
    said_again: Mapping[str, Mapping[str, object]]


async def a_run_and_its_change(bench: Bench) -> None:
    """A run that crosses and orders, fills in parts, a cancel, a restart among it, and the end.

    The first order in SPY is too large for what is wanted next: it is cancelled half filled, and
    what it has too much is sold by the net after that [N7].
    """
    rig = bench.rig
    rig.simulator.faults.odd_parts(parts=4, seconds=3)
    bench.wanted = {"alpha": {"SPY": 30}, "beta": {"SPY": -4, "VIXY": 40}}

    async def starts() -> None:
        bench.start_soon()

    await bench.step(starts(), bench.recovered)
    await bench.step(bench.command("run", "r1"), bench.settled)
    await bench.step(rig.advance(seconds=4), bench.settled)
    await bench.step(bench.planned_restart(), bench.settled)
    bench.wanted = {"alpha": {"SPY": 5}, "beta": {"SPY": -4, "VIXY": 40}}
    await bench.step(bench.say_all(), bench.settled)
    for seconds in (3, LOOK_SECONDS):
        await bench.step(rig.advance(seconds=seconds), bench.settled)
    rig.simulator.faults.clear()
    await bench.step(bench.command("reconcile", "c1"), bench.settled)
    await bench.step(bench.command("allocate", "a1"), bench.settled)


async def a_flip_and_a_close(bench: Bench) -> None:
    """One strategy turns its position around, in two orders [N6]; another one is closed amid it.

    What they hold at first is bought before anything is struck.
    """
    rig = bench.rig
    bench.tally.is_counting = False
    bench.start_soon()
    await bench.recovered()
    bench.wanted = {"alpha": {"SPY": 5}, "beta": {"VIXY": 10}}
    await bench.say_all()
    await rig.settled_after_coalescing()
    bench.tally.is_counting = True
    rig.simulator.faults.odd_parts(parts=2, seconds=3)
    bench.wanted = {"alpha": {"SPY": -3}}
    await bench.step(bench.say_all(), bench.settled)
    for seconds in (3, 4):
        await bench.step(rig.advance(seconds=seconds), bench.settled)
    await bench.step(bench.command("close_all", "c1", strategies=["beta"]), bench.settled)
    for seconds in (3, LOOK_SECONDS):
        await bench.step(rig.advance(seconds=seconds), bench.settled)
    rig.simulator.faults.clear()


SCENARIOS: Final = (
    Scenario("run", a_run_and_its_change, {"SPY": (-4, 30), "VIXY": (0, 40)}, {}),
    Scenario(
        "flip",
        a_flip_and_a_close,
        {"SPY": (-3, 5), "VIXY": (0, 10)},
        {"close_all": {"strategies": ["beta"]}},
    ),
)


async def converged(bench: Bench, scenario: Scenario) -> Ending:
    """What it comes to when nothing strikes any more: levels, so one more comparison is enough."""
    await bench.step(bench.rig.advance(seconds=LOOK_SECONDS), bench.settled)
    for name, fields in {"reconcile": {}, **scenario.said_again, "allocate": {}}.items():
        await bench.step(bench.command(name, f"last-{name}", **fields), bench.settled)
    await bench.step(bench.rig.advance(seconds=LOOK_SECONDS), bench.settled)
    return await bench.ending()


@dataclass(frozen=True, slots=True)
class Played:
    """One play of the scenario: what was called, what was not met, and what is wrong with it."""

    calls: tuple[Call, ...]
    since: tuple[Call, ...]
    """The calls since the last strike or the restart after it: where the next one may strike."""
    ending: Ending
    missed: tuple[Strike, ...]
    deaths: int
    wrongs: tuple[str, ...]


async def played(
    scenario: Scenario, due: Sequence[Strike] = (), expected: Ending | None = None
) -> Played:
    """Play the scenario, struck so, and say what differs from the expected ending."""
    async with benched(due) as bench:
        await scenario.play(bench)
        bench.tally.is_counting = False
        ending = await converged(bench, scenario)
        wrongs = [*await _unlawful(bench, scenario.bounds, ending), *await bench.rig.untold()]
        if expected is not None:
            wrongs += [*_differences(ending, expected)]
        tally = bench.tally
        missed = tuple(tally.due)
        return Played(
            tuple(tally.calls), tuple(tally.since), ending, missed, bench.deaths, tuple(wrongs)
        )


async def _unlawful(
    bench: Bench, bounds: Mapping[str, tuple[int, int]], ending: Ending
) -> list[str]:
    """What no crash excuses, locks or not: orders sent twice, more held than was ever wanted."""
    wrongs = [f"{ref} was sent {count} times" for ref, count in bench.sent_twice().items()]
    for symbol, (least, most) in bounds.items():
        low, high = bench.extremes(symbol)
        if low < least or high > most:
            wrongs.append(f"{symbol} went from {low} to {high}, wanted was {least} to {most}")
    held = await bench.rig.held()
    missing = {
        symbol: ending.positions.get(symbol, Decimal(0)) - held.get(symbol, Decimal(0))
        for symbol in sorted({*held, *ending.positions})
    }
    wrongs += [
        f"the law: the broker has {difference:+f} {symbol} more than all books"
        for symbol, difference in missing.items()
        if difference
    ]
    return wrongs


def _differences(ending: Ending, expected: Ending) -> list[str]:
    """Books and positions other than without a crash, in contracts that no lock names."""
    wrongs = []
    for name in sorted({*ending.books, *expected.books, "broker"}):
        has = ending.positions if name == "broker" else ending.books.get(name, {})
        wants = expected.positions if name == "broker" else expected.books.get(name, {})
        wrongs += [
            f"{name} holds {has.get(symbol, Decimal(0))} {symbol}, not {wants.get(symbol)}"
            for symbol in sorted({*has, *wants} - {*ending.locks})
            if has.get(symbol) != wants.get(symbol)
        ]
    return wrongs

"""A day that does not go as it should says what it waited for, and what had ended."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from gateway.simulator.market.bars import read_folder
from infra.local import day
from infra.local.day import Day, DayFailed, Ending
from infra.local.demo import BUNDLED, chosen_day, exchange_options, half_hours
from infra.local.stack import MODE, Stack, StackFailed, StackOptions, running
from schemas import codec
from schemas.messages import DEAD_LETTERS, Report

type Story = list[tuple[datetime, str]]


@pytest.fixture
async def stack() -> AsyncIterator[Stack]:
    """An embedded stack at the opening of the bundled day, with 50 SPY."""
    book = read_folder(BUNDLED)
    starts, _ = half_hours(book, chosen_day(book, None))
    options = StackOptions(
        book, starts[0], exchange_options(book, starts[0], day.EXTERNAL_QUANTITY)
    )
    async with running("embedded", options) as found:
        yield found


def played(stack: Stack, bars: int, story: Story) -> Day:
    """A day of so many bars; the manual trade comes in the middle one, after the adoption."""
    book = stack.simulator.exchange.book
    starts, _ = half_hours(book, chosen_day(book, None))
    return Day(stack, starts[:bars], starts[bars], lambda at, line: story.append((at, line)))


async def test_what_does_not_happen_in_time_is_named(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(day, "WAIT_SECONDS_MAX", 0.0)
    with pytest.raises(DayFailed, match="after 0 s still not: runs/run-01 is DONE"):
        await played(stack, 4, []).play()


async def test_a_part_that_has_ended_is_named_while_waiting(stack: Stack) -> None:
    stack.tasks[0].cancel()
    await asyncio.wait(stack.tasks)
    with pytest.raises(StackFailed, match="the gateway ended"):
        await played(stack, 4, []).play()


async def test_a_short_day_is_told_in_the_order_of_its_bars(stack: Stack) -> None:
    """The next bar comes only when everything of the last one was told."""
    story: Story = []
    ending: Ending = await played(stack, 4, story).play()
    times = [at for at, _ in story]
    assert times == sorted(times)
    assert [line for _, line in story if line.startswith("---")] == [
        *(f"--- bar {number} of 4 ---" for number in (1, 2, 3, 4)),
        "--- the close ---",
    ]
    assert set(ending.runs) >= {"run-01", "run-04", "adopt", "resume", "close"}
    assert all(order.state == "DONE" for order in ending.orders.values())


async def test_reports_and_dead_letters_are_taken_up(stack: Stack) -> None:
    story: Story = []
    one = played(stack, 1, story)
    at = stack.simulator.clock.now()
    reader = stack.bus.subscribe(f"{DEAD_LETTERS}-reader-{MODE}", one._on_dead_letter)
    await stack.bus.publish(f"{DEAD_LETTERS}-{MODE}", b"{", {"reason": "quantity: no"})
    await stack.bus.publish(f"{DEAD_LETTERS}-{MODE}", b"{", {"a": "b"})
    while len(one.dead_letters) < 2:
        await asyncio.sleep(0)
    assert one.dead_letters == ["quantity: no", "no reason given"]
    await reader.close()
    reader = stack.bus.subscribe(f"reports-reader-{MODE}", one._on_report)
    await stack.bus.publish(
        f"reports-{MODE}", codec.encode(Report("run", at, MODE, "it is done", "r1")), {}
    )
    while "r1" not in one.told:
        await asyncio.sleep(0)
    assert (at, "  it is done") in story
    await reader.close()

"""A stack says which part of it has ended, and leaves nothing behind."""

import asyncio
import re
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.ports import Delivery
from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.market.bars import read_folder
from infra.local.demo import BUNDLED
from infra.local.stack import Stack, StackFailed, StackOptions, running

OPENING = datetime(2026, 2, 27, 14, 30, tzinfo=UTC)


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackOptions:
    """The bundled bars, a flat account; temporary folders are made in this test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return StackOptions(read_folder(BUNDLED), OPENING, ExchangeOptions(seed=7))


async def ended(stack: Stack) -> None:
    """Until a part of the stack is over."""
    await asyncio.wait(stack.tasks, return_when=asyncio.FIRST_COMPLETED)


async def test_a_stack_runs_and_leaves_no_folder_and_no_task(
    options: StackOptions, tmp_path: Path
) -> None:
    before = asyncio.all_tasks()
    async with running("embedded", options) as stack:
        stack.check()
        assert list(tmp_path.glob("ib-trading-*"))
        assert stack.simulator.clock.now() == OPENING
    assert list(tmp_path.iterdir()) == []
    assert asyncio.all_tasks() == before


@pytest.mark.ib_async_errors_expected("the broker may go while the guard is still connecting")
async def test_a_guarded_stack_has_a_guard_beside_the_gateway(options: StackOptions) -> None:
    """[R4] With a client id of its own, at the same broker."""
    async with running("embedded", replace(options, guarded=True)) as stack:
        async with asyncio.timeout(30):
            while stack.simulator.exchange.clients != {1, 2}:
                stack.check()
                await asyncio.sleep(0.01)
        assert [task.get_name() for task in stack.tasks] == ["the gateway", "the guard"]


async def test_a_stack_is_taken_down_when_its_user_fails(
    options: StackOptions, tmp_path: Path
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with running("embedded", options):
            raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


async def test_a_part_that_ends_is_named_with_its_reason(options: StackOptions) -> None:
    async def fail() -> None:
        raise ValueError("no money")

    async with running("embedded", options) as stack:
        stack.tasks.append(asyncio.create_task(fail(), name="the bank"))
        await ended(stack)
        with pytest.raises(StackFailed, match="the bank ended: no money"):
            stack.check()


async def test_a_part_that_ends_silently_is_named_too(options: StackOptions) -> None:
    async with running("embedded", options) as stack:
        stack.tasks.append(asyncio.create_task(asyncio.sleep(0), name="the bank"))
        await ended(stack)
        with pytest.raises(StackFailed, match=re.escape("the bank ended: without a word")):
            stack.check()


async def test_a_gateway_that_ends_is_noticed(options: StackOptions) -> None:
    async with running("embedded", options) as stack:
        stack.tasks[0].cancel()
        await ended(stack)
        with pytest.raises(StackFailed, match="the gateway ended: without a word"):
            stack.check()


async def test_a_reader_that_fails_is_named_as_when_nobody_reads_the_output(
    options: StackOptions,
) -> None:
    def closed(delivery: Delivery) -> None:
        raise BrokenPipeError("Broken pipe")

    async with running("embedded", options) as stack:
        parts = list(stack.tasks)
        async with stack.reading(closed, closed):
            await stack.bus.publish("reports-paper", b"{}", {})
            await ended(stack)
            with pytest.raises(StackFailed, match="the reader of reports ended: Broken pipe"):
                stack.check()
        assert stack.tasks == parts

"""A loop whose time jumps: no waiting, no wall clock, and no hanging either."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from gateway.simulator.virtual_loop import Deadlock, VirtualTimeLoop, run_virtual

START = datetime(2025, 12, 12, 15, tzinfo=UTC)


def test_a_year_of_sleep_ends_at_once_and_to_the_microsecond() -> None:
    async def main(loop: VirtualTimeLoop) -> datetime:
        await asyncio.sleep(timedelta(days=365).total_seconds())
        return loop.now()

    assert run_virtual(main, START) == START + timedelta(days=365)


def test_time_stands_still_while_anything_is_ready() -> None:
    async def main(loop: VirtualTimeLoop) -> float:
        for _ in range(1000):
            await asyncio.sleep(0)
        return loop.time()

    assert run_virtual(main, START) == 0


def test_timers_come_in_the_order_of_their_times() -> None:
    async def main(loop: VirtualTimeLoop) -> list[tuple[int, float]]:
        heard: list[tuple[int, float]] = []

        def note(seconds: int) -> None:
            heard.append((seconds, loop.time()))

        for seconds in (30, 10, 20):
            loop.call_later(seconds, note, seconds)
        await asyncio.sleep(40)
        return heard

    assert run_virtual(main, START) == [(10, 10.0), (20, 20.0), (30, 30.0)]


def test_a_timer_for_now_moves_time_so_that_nothing_waits_for_later_for_ever() -> None:
    """ib_async's throttle sets timers until more than a second has passed since the oldest."""

    async def main(loop: VirtualTimeLoop) -> int:
        done = loop.create_future()
        turns = []

        def try_again() -> None:
            turns.append(loop.time())
            if loop.time() - 0.0 > 1.0:
                done.set_result(len(turns))
            else:
                loop.call_at(1.0, try_again)

        try_again()
        return await done  # type: ignore[no-any-return]

    assert run_virtual(main, START) == 3


def test_a_timeout_passes_at_once() -> None:
    async def main(loop: VirtualTimeLoop) -> float:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop.create_future(), 60)
        return loop.time()

    assert run_virtual(main, START) == 60


def test_a_deadlock_is_told_with_those_who_wait() -> None:
    async def main(loop: VirtualTimeLoop) -> None:
        asyncio.current_task().set_name("the-commander")  # type: ignore[union-attr]
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match=r"nothing is ready .* these wait: the-commander .*main"):
        run_virtual(main, START)


def test_work_for_a_thread_is_done_in_place() -> None:
    def divide(by: int) -> float:
        return 1 / by

    async def main(loop: VirtualTimeLoop) -> float:
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(divide, 0)
        return await asyncio.to_thread(divide, 2)

    assert run_virtual(main, START) == 0.5


def test_a_clock_runs_with_the_loop() -> None:
    async def main(loop: VirtualTimeLoop) -> None:
        await asyncio.sleep(5)
        clock = loop.clock()
        assert clock.now() == START + timedelta(seconds=5)
        await asyncio.sleep(0.000001)
        assert clock.now() == loop.now() == START + timedelta(seconds=5, microseconds=1)

    run_virtual(main, START)


def test_an_error_of_main_comes_out_of_it() -> None:
    async def main(loop: VirtualTimeLoop) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        run_virtual(main, START)


def test_a_start_without_zone_is_refused() -> None:
    async def main(loop: VirtualTimeLoop) -> None:
        raise AssertionError("never begun")

    with pytest.raises(ValueError, match="no zone"):
        run_virtual(main, START.replace(tzinfo=None))

"""What time it is: the wall's, or the simulator's through its file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.clock import SharedClock, WallClock
from gateway.simulator.clock import ClockFile, VirtualClock

NOON = datetime(2026, 2, 27, 12, 0, 0, 123456, tzinfo=UTC)


def test_the_wall_s_clock_is_aware_and_real() -> None:
    clock = WallClock()
    assert clock.now().utcoffset() == timedelta(0)
    assert not clock.is_virtual


def test_a_shared_clock_follows_the_simulator_s(tmp_path: Path) -> None:
    with ClockFile(tmp_path / "clock") as file:
        source = VirtualClock(NOON, file=file)
        shared = SharedClock(tmp_path / "clock")
        assert shared.now() == NOON
        source.set(NOON + timedelta(minutes=30))
        assert shared.now() == NOON + timedelta(minutes=30)
        assert shared.is_virtual


def test_a_clock_file_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="clock"):
        SharedClock(tmp_path / "clock")


@pytest.mark.parametrize("data", [b"", b"1234"])
def test_a_file_that_is_no_clock_is_said_at_once(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "clock").write_bytes(data)
    with pytest.raises((OSError, ValueError), match=r"mmap|empty"):
        SharedClock(tmp_path / "clock")

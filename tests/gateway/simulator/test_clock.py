"""Virtual time, and the file that publishes it."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from gateway.simulator.clock import ClockFile, VirtualClock

START = datetime(2025, 12, 12, 15, tzinfo=UTC)
MICROSECONDS = int(START.timestamp()) * 1_000_000


def read(path: Path) -> int:
    return int.from_bytes(path.read_bytes(), "little", signed=True)


def test_a_frozen_clock_stands_still_until_it_is_set() -> None:
    clock = VirtualClock(START)
    clock.set(START + timedelta(hours=1))
    assert clock.now() == START + timedelta(hours=1)


def test_a_running_clock_runs_at_its_speed() -> None:
    seconds = [100.0]
    clock = VirtualClock(START, speed=60, monotonic=lambda: seconds[0])
    seconds[0] += 2
    assert clock.now() == START + timedelta(minutes=2)
    clock.set(START + timedelta(hours=1))
    seconds[0] += 1
    assert clock.now() == START + timedelta(hours=1, minutes=1)


def test_time_never_goes_back() -> None:
    with pytest.raises(ValueError, match="cannot go back"):
        VirtualClock(START).set(START - timedelta(microseconds=1))


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+05:00",
        "1970-12-31T23:59:59+00:00",
        "2200-01-02T00:00:00+00:00",
        "9999-12-31T23:59:59-05:00",
    ],
)
def test_times_without_days_around_them_are_refused(text: str) -> None:
    """There calendars end, and every sum with a day in it fails."""
    with pytest.raises(ValueError, match="not between 1971-01-01 and 2200-01-01"):
        VirtualClock(datetime.fromisoformat(text))
    clock = VirtualClock(START)
    with pytest.raises(ValueError, match="not between"):
        clock.set(datetime.fromisoformat(text))
    with pytest.raises(ValueError, match="no zone"):
        clock.set(START.replace(tzinfo=None))
    assert clock.now() == START


def test_time_is_kept_in_utc() -> None:
    eastern = timezone(timedelta(hours=-5))
    assert VirtualClock(START.astimezone(eastern)).now().tzinfo is UTC


def test_a_clock_without_zone_or_source_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        VirtualClock(START.replace(tzinfo=None))
    with pytest.raises(ValueError, match="monotonic"):
        VirtualClock(START, speed=1)


def test_the_file_holds_eight_bytes_of_microseconds(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    with ClockFile(path) as file:
        clock = VirtualClock(START, file=file)
        assert (read(path), path.stat().st_size) == (MICROSECONDS, 8)
        clock.set(START + timedelta(microseconds=7))
        assert read(path) == MICROSECONDS + 7
    assert read(path) == MICROSECONDS + 7


def test_times_before_the_epoch_are_negative(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    with ClockFile(path) as file:
        file.write(datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC))
    assert read(path) == -1_000_000

"""Virtual time: a clock that a test, a replay or a multiple of real time moves, never backwards."""

import mmap
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
"""Virtual time is set within these, so that days before and after it can be reckoned with."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMAT = struct.Struct("<q")


class ClockFile:
    """Publishes virtual time to other processes.

    The contract is the file: exactly 8 bytes, a little-endian signed 64-bit integer, microseconds
    since 1970-01-01 UTC. It is mapped into memory and written by one aligned 8-byte store, so a
    reader that maps it too sees the old or the new time, never a mixture.
    """

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(_FORMAT.size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _FORMAT.size)

    def write(self, now: datetime) -> None:
        """Publish a time."""
        self._map[:] = _FORMAT.pack((now - _EPOCH) // timedelta(microseconds=1))

    def close(self) -> None:
        """Release the mapping; the file stays with its last time."""
        self._map.close()

    def __enter__(self) -> "ClockFile":
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()


class VirtualClock:
    """Time as the simulator knows it.

    Frozen (`speed` 0) it stands still until `set`; otherwise it runs `speed` virtual seconds per
    second of `monotonic`, a source of seconds that must be passed in.
    """

    is_virtual = True

    def __init__(
        self,
        start: datetime,
        *,
        speed: float = 0.0,
        monotonic: Callable[[], float] | None = None,
        file: ClockFile | None = None,
    ) -> None:
        _check(start)
        if speed < 0 or (speed and monotonic is None):
            raise ValueError("a running clock needs a speed above 0 and a monotonic source")
        self.speed = speed
        self._base = start.astimezone(UTC)
        self._monotonic: Callable[[], float] = monotonic or _standing_still
        self._started = self._monotonic()
        self._file = file
        self._is_held = False
        self.publish()

    def now(self) -> datetime:
        """The virtual time, aware, in UTC."""
        if self._is_held:
            return self._base
        return self._base + timedelta(seconds=(self._monotonic() - self._started) * self.speed)

    def set(self, when: datetime) -> None:
        """Move the clock. Raises ValueError when that is backwards, or out of all bounds."""
        self.check(when)
        self._base, self._started = when.astimezone(UTC), self._monotonic()
        self.publish()

    @property
    def is_held(self) -> bool:
        """Whether it stands still until `let_go`."""
        return self._is_held

    def hold(self) -> None:
        """Stand still until `let_go`, whatever the speed."""
        self._base, self._is_held = self.now(), True

    def let_go(self) -> None:
        """Run on from where it was held."""
        if self._is_held:
            self._is_held, self._started = False, self._monotonic()

    def check(self, when: datetime) -> None:
        """Raise ValueError for a time that it cannot be set to."""
        _check(when)
        if when < self.now():
            raise ValueError(f"the clock is at {self.now()} and cannot go back to {when}")

    def publish(self) -> None:
        """Write the time to the clock file, if there is one."""
        if self._file is not None:
            self._file.write(self.now())


def _check(when: datetime) -> None:
    if when.tzinfo is None:
        raise ValueError("a time of the clock has no zone")
    if not EARLIEST <= when <= LATEST:
        raise ValueError(f"{when} is not between {EARLIEST.date()} and {LATEST.date()}")


def _standing_still() -> float:
    return 0.0

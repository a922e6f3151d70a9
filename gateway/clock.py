"""What time it is: the wall's in production, the simulator's where one is shared.

I/O deadlines and the lease do not use it; they are about real seconds.
"""

import mmap
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Tells the time, aware and in UTC. `is_virtual` when it is not the wall's."""

    is_virtual: bool

    def now(self) -> datetime:
        """The time now."""


class WallClock:
    """The machine's own clock."""

    is_virtual = False

    def now(self) -> datetime:
        """The time now."""
        return datetime.now(UTC)


class SharedClock:
    """The simulator's clock, read from the file in which it publishes the time to all processes.

    The file is 8 bytes: microseconds since 1970 UTC, a little-endian signed integer
    (`gateway.simulator.clock`). Raises `OSError` or `ValueError` at once if it is not there.
    """

    is_virtual = True

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._time = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)

    def now(self) -> datetime:
        """The time now."""
        (microseconds,) = struct.unpack("<q", self._time[:8])
        return _EPOCH + timedelta(microseconds=microseconds)

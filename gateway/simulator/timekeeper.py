"""When a running simulator looks at its clock.

At ticks, or (without a tick) at timers for what comes next, while the clock runs; or, at full
speed, from change to change as fast as its clients take what they are told. The market never
outruns a client that reads: while one is behind, a clock faster than the wall is held, and a replay
at full speed waits. So what is told is the same at every speed, only when differs.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gateway.simulator.clock import VirtualClock

PAUSE_SECONDS = 0.001
"""How soon to look again whether the clients have read."""
IDLE_SECONDS = 0.02
"""How soon to look again whether there is a client, or anything to come."""


@dataclass(frozen=True, slots=True)
class Work:
    """What the timekeeper asks and does.

    Attributes:
        pass_time: everything that is due by a time.
        next_change: when something changes next, None if nothing does.
        goes_on: whether anything but restarts is to come.
        is_behind: whether a client that reads has much to read yet.
        has_clients: whether a client is ready.
    """

    pass_time: Callable[[datetime], None]
    next_change: Callable[[], datetime | None]
    goes_on: Callable[[], bool]
    is_behind: Callable[[], bool]
    has_clients: Callable[[], bool]


class Timekeeper:
    """Keeps the time of one simulator. It acts between `start` and `stop` only."""

    def __init__(
        self, clock: VirtualClock, work: Work, tick_seconds: float | None, *, full_speed: bool
    ) -> None:
        self._clock = clock
        self._work = work
        self._tick_seconds = tick_seconds
        self._full_speed = full_speed
        self._timer: asyncio.TimerHandle | None = None
        self._is_woken = False
        self._runs = False

    @property
    def moves(self) -> bool:
        """Whether time passes by itself."""
        return self._full_speed or self._clock.speed > 0

    def start(self) -> None:
        """From now on time passes."""
        self._runs, self._is_woken = True, False
        if self.moves:
            self._arm()

    def stop(self) -> None:
        """Time passes no more."""
        self._runs = False
        if self._timer is not None:
            self._timer.cancel()

    def wake(self) -> None:
        """Something may be due at once, or earlier than the timer knows; look when all is done."""
        if not self._is_woken and self._runs:
            self._is_woken = True
            asyncio.get_running_loop().call_soon(self._look)

    def look_again(self) -> None:
        """Without a regular tick, the timer may be set too late for what is new."""
        if self._tick_seconds is None and self._clock.speed:
            self.wake()

    def _arm(self) -> None:
        delay = self._delay()
        if delay is not None:
            self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _delay(self) -> float | None:
        """Seconds until to look at the clock, None for never."""
        if self._full_speed:
            return self._pause()
        if self._tick_seconds is not None:
            return self._tick_seconds
        if self._clock.is_held:  # no change comes while it is: look for the client instead
            return IDLE_SECONDS
        ahead = self._work.next_change()
        if ahead is None:
            return None
        return max((ahead - self._clock.now()).total_seconds() / self._clock.speed, 0.0)

    def _pause(self) -> float:
        if not self._work.has_clients() or not self._work.goes_on():
            return IDLE_SECONDS
        return PAUSE_SECONDS if self._work.is_behind() else 0.0

    def _tick(self) -> None:
        if not self._runs:
            return
        try:
            if self._full_speed:
                self._step()
            else:
                self._hold_or_let_go()
                self._clock.publish()
                self._work.pass_time(self._clock.now())
        finally:  # time goes on, whatever fails within it
            self._arm()

    def _step(self) -> None:
        """On to the next change, unless there is none, or nobody to see it, or one is behind."""
        if self._pause():
            return
        ahead = self._work.next_change()
        if ahead is not None:
            self._clock.set(max(ahead, self._clock.now()))
            self._work.pass_time(self._clock.now())

    def _hold_or_let_go(self) -> None:
        if self._clock.speed > 1 and self._work.is_behind():
            self._clock.hold()
        else:
            self._clock.let_go()

    def _look(self) -> None:
        self._is_woken = False
        if not self._runs:
            return
        if self._timer is not None:
            self._timer.cancel()
        try:
            self._work.pass_time(self._clock.now())
        finally:
            if self.moves:
                self._arm()

"""The rate of a client's messages: at most 50 a second, over everything it sends.

IB either refuses what is too much or slows the client down:

- Refusing: a second begins with a message. What comes over the limit within it is not executed,
  and when the second is over the client is told once, by error 100 with the number it sent in that
  second and the number of such seconds so far: `...:max=50 rec=106 (3)`. After the third the
  connection is cut (IB's order limitations page; texts as seen in the field).
- Pacing (a gateway setting, or the client's connect option `+PACEAPI`): a message waits until the
  one 50 before it is a second old.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.simulator.replies import Notice

MESSAGES_PER_SECOND_MAX = 50
VIOLATIONS_MAX = 3
"""The violation that ends the connection."""
PACE_OPTION = "+PACEAPI"
WAITING_MAX = 10_000
"""Most messages of one client that wait to be paced; a client with more is not read from."""
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Violation:
    """A second with too many messages: how many came, and which violation of the client it is."""

    allowed: int
    received: int
    number: int

    @property
    def notice(self) -> Notice:
        """Error 100, which names no request: whose messages were lost the client must find out."""
        text = "Max rate of messages per second has been exceeded:"
        counts = f"max={self.allowed} rec={self.received} ({self.number})"
        return Notice(-1, 100, text + counts)

    @property
    def is_last(self) -> bool:
        """Whether the connection is cut."""
        return self.number >= VIOLATIONS_MAX


class RateLimit:
    """Refuses what one client sends beyond the limit."""

    def __init__(self, allowed: int = MESSAGES_PER_SECOND_MAX) -> None:
        self._allowed = allowed
        self._began: datetime | None = None
        self._received = 0
        self._violations = 0

    def accepts(self, now: datetime) -> bool:
        """Count a message. Returns whether it may be executed."""
        if self._began is None or now >= self._began + _SECOND:
            self._began, self._received = now, 0
        self._received += 1
        return self._received <= self._allowed

    def violation_ends(self) -> datetime | None:
        """When to ask for `violation`, just after the first message too many, else None."""
        if self._began is None or self._received != self._allowed + 1:
            return None
        return self._began + _SECOND

    def violation(self) -> Violation:
        """The violation of the second that is over now."""
        self._violations += 1
        return Violation(self._allowed, self._received, self._violations)


class Pace:
    """Slows one client down to the limit."""

    def __init__(self, allowed: int = MESSAGES_PER_SECOND_MAX) -> None:
        self._times: deque[datetime] = deque(maxlen=allowed)

    def due(self, now: datetime) -> datetime:
        """When a message that came now is handled; later messages are never due earlier."""
        due = now
        if len(self._times) == self._times.maxlen:
            due = max(now, self._times[0] + _SECOND)
        if self._times:
            due = max(due, self._times[-1])
        self._times.append(due)
        return due

"""What is to be done at which virtual time, in that order; of one time, in the order of noting."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heapify, heappop, heappush

type Action = Callable[[datetime], None]
"""Something to do; its argument is the time for which it was noted."""


@dataclass(slots=True)
class Agenda:
    """Noted actions. Nothing happens by itself: take them out when their time has come."""

    _entries: list[tuple[datetime, int, Action, object]] = field(default_factory=list)
    _noted: int = 0

    def note(self, due: datetime, action: Action, owner: object = None) -> None:
        """Do this then, unless its owner is forgotten before."""
        self._noted += 1
        heappush(self._entries, (due, self._noted, action, owner))

    def forget(self, owner: object) -> None:
        """What was noted for this owner will not be done."""
        self._entries = [entry for entry in self._entries if entry[3] is not owner]
        heapify(self._entries)

    def next_due(self) -> datetime | None:
        """When the earliest is due, or None."""
        return self._entries[0][0] if self._entries else None

    def take(self, now: datetime) -> tuple[datetime, Action] | None:
        """The earliest that is due by now, or None; it is handed out once."""
        if not self._entries or self._entries[0][0] > now:
            return None
        due, _, action, _ = heappop(self._entries)
        return due, action

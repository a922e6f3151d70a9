"""What one subscription has not acknowledged: ready, waiting out a retry delay, or leased.

Time comes in as seconds of a monotonic clock; nothing here waits or stores.
"""

import heapq
import itertools
from collections import Counter, deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from infra.topology import Subscription


@dataclass(eq=False, slots=True)
class Lease:
    """One delivery in somebody's hands, until `deadline` (monotonic seconds)."""

    holder: Hashable
    deadline: float
    released: bool = False


class Backlog:
    """The queue of one subscription; `attempts` maps every unacknowledged id to its deliveries."""

    def __init__(self, spec: Subscription, attempts: Mapping[int, int]) -> None:
        self.spec = spec
        self.attempts = dict(attempts)
        self.ready: deque[int] = deque(self.attempts)
        self._delayed: list[tuple[float, int]] = []
        self._exhausted: list[int] = list(filter(self._is_exhausted, self.attempts))
        # All leases of a subscription last equally long and a lease is never extended, so the
        # dictionary's order of insertion is the order of the deadlines.
        self._leases: dict[int, Lease] = {}
        self._held: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        return len(self.attempts)

    def held_by(self, holder: Hashable) -> int:
        """How many messages are leased to this holder."""
        return self._held[holder]

    def add(self, message_id: int) -> None:
        """A new message is ready."""
        self.attempts[message_id] = 0
        self.ready.append(message_id)

    def lease(self, holder: Hashable, now: float) -> tuple[int, Lease]:
        """Take the next ready message, and count the attempt."""
        message_id = self.ready.popleft()
        lease = Lease(holder, now + self.spec.ack_deadline_seconds)
        self._leases[message_id] = lease
        self._held[holder] += 1
        self.attempts[message_id] += 1
        return message_id, lease

    def remove(self, message_id: int) -> bool:
        """Forget an acknowledged message, wherever it waits; False if it is gone already."""
        if self.attempts.pop(message_id, None) is None:
            return False
        if not self._end_lease(message_id):
            self._unqueue(message_id)
        return True

    def nack(self, message_id: int, lease: Lease, now: float) -> bool:
        """Give a message back, to come again after its retry delay; False for a late answer."""
        if self._leases.get(message_id) is not lease:
            return False
        self._return(message_id, now + self._retry_delay_seconds(message_id))
        return True

    def release(self, holder: Hashable) -> None:
        """A subscriber left: what it held is ready again, first in line and without delay."""
        held = [message_id for message_id, lease in self._leases.items() if lease.holder is holder]
        for message_id in reversed(held):
            self._leases[message_id].released = True
            self._return(message_id, None)
        del self._held[holder]

    def expire(self, now: float) -> None:
        """Take back what is past its ack deadline; make ready what waited out its delay."""
        overdue = []
        for message_id, lease in self._leases.items():
            if lease.deadline > now:
                break
            overdue.append((message_id, lease.deadline))
        for message_id, deadline in overdue:
            self._return(message_id, deadline + self._retry_delay_seconds(message_id))
        while self._delayed and self._delayed[0][0] <= now:
            self.ready.append(heapq.heappop(self._delayed)[1])

    def exhausted(self) -> list[int]:
        """The messages that used up their attempts since the last call."""
        exhausted, self._exhausted = self._exhausted, []
        return [message_id for message_id in exhausted if message_id in self.attempts]

    def next_due(self) -> float | None:
        """When `expire` has something to do again (monotonic seconds)."""
        leased = (lease.deadline for lease in itertools.islice(self._leases.values(), 1))
        delayed = (due for due, _ in self._delayed[:1])
        return min(itertools.chain(leased, delayed), default=None)

    def _return(self, message_id: int, due: float | None) -> None:
        self._end_lease(message_id)
        if due is None:
            self.ready.appendleft(message_id)
        else:
            heapq.heappush(self._delayed, (due, message_id))
        if self._is_exhausted(message_id):
            self._exhausted.append(message_id)

    def _is_exhausted(self, message_id: int) -> bool:
        used_up = self.attempts[message_id] >= self.spec.delivery_attempts_max
        return used_up and self.spec.dead_letter_topic is not None

    def _end_lease(self, message_id: int) -> bool:
        if (lease := self._leases.pop(message_id, None)) is None:
            return False
        self._held[lease.holder] -= 1
        return True

    def _unqueue(self, message_id: int) -> None:
        if message_id in self.ready:
            self.ready.remove(message_id)
        else:
            self._delayed = [entry for entry in self._delayed if entry[1] != message_id]
            heapq.heapify(self._delayed)

    def _retry_delay_seconds(self, message_id: int) -> float:
        """Doubles with each attempt, from the policy's minimum to its maximum."""
        # An exponent of 1000 overflows a float; 30 doublings pass any maximum (600 s) anyway.
        doublings = min(self.attempts[message_id] - 1, 30)
        delay = self.spec.retry_delay_seconds_min * 2.0**doublings
        return min(self.spec.retry_delay_seconds_max, delay)

"""How fast a polite client may talk to IB; a stranger's account must not be throttled for us.

IB: 50 messages a second over everything (order_limitations.html); historical data: no identical
request within 15 seconds, fewer than 6 for one contract within 2 seconds, 60 in 10 minutes
(historical_limitations.html). Stays below all of them. Times are seconds of the loop's clock.
"""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from gateway.simulator import requests as q

Limit = tuple[int, float]
MESSAGES: Limit = (40, 1.0)
HISTORY: Limit = (55, 600.0)
SAME_CONTRACT: Limit = (5, 2.5)
SAME_REQUEST: Limit = (1, 16.0)


@dataclass(slots=True)
class Pace:
    """What was sent lately. One for all connections of a run."""

    _sent: dict[Hashable, deque[float]] = field(default_factory=dict)

    def wait_seconds(self, request: object, now: float) -> float:
        """How long to wait before this is sent; 0 for at once."""
        waits = [self._wait(key, limit, now) for key, limit in _limits(request)]
        return max(waits, default=0.0)

    def note(self, request: object, now: float) -> None:
        """It is sent now."""
        for key, (count, _) in _limits(request):
            self._sent.setdefault(key, deque(maxlen=count)).append(now)

    def _wait(self, key: Hashable, limit: Limit, now: float) -> float:
        count, span = limit
        times = self._sent.get(key)
        return max(times[0] + span - now, 0.0) if times and len(times) == count else 0.0


def _limits(request: object) -> list[tuple[Hashable, Limit]]:
    limits: list[tuple[Hashable, Limit]] = [("messages", MESSAGES)]
    if isinstance(request, q.HistoricalDataRequest):
        contract = (request.contract, request.what_to_show)
        limits += [("history", HISTORY), (contract, SAME_CONTRACT)]
        limits.append((replace(request, request_id=0), SAME_REQUEST))
    elif isinstance(request, q.HeadTimestampRequest):
        limits += [("history", HISTORY), (replace(request, request_id=0), SAME_REQUEST)]
    return limits

"""How often small historical bars may be asked for: IB's pacing rules, over any clock.

Source: IB, historical data limitations. They hold for bars of 30 seconds and less, and for the
whole session of the gateway, whichever client asks: no identical request within 15 seconds, fewer
than six for one contract, exchange and kind of data within two seconds, at most 60 within ten
minutes, where BID_ASK counts twice. At most 50 requests of any size are open at a time. A refused
request does not count: IB does not say whether it does there.
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from gateway.simulator.requests import HistoricalDataRequest

SMALL_SIZES = frozenset({"1 secs", "5 secs", "10 secs", "15 secs", "30 secs"})
IDENTICAL_GAP = timedelta(seconds=15)
BURST_SPAN, BURST_MAX = timedelta(seconds=2), 5
SPAN, REQUESTS_MAX = timedelta(minutes=10), 60
OPEN_MAX = 50

Identity = tuple[int, str, str]


@dataclass(slots=True)
class HistoricalPacing:
    """What was asked in the last ten minutes, as far as the rules need it."""

    _asked: deque[tuple[datetime, int]] = field(default_factory=deque)
    _alike: dict[Identity, deque[tuple[datetime, int]]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    _identical: dict[HistoricalDataRequest, datetime] = field(default_factory=dict)

    def violation(
        self, request: HistoricalDataRequest, con_id: int, now: datetime, open_count: int = 0
    ) -> str | None:
        """The rule that a request breaks, None when it is allowed and now counts."""
        if open_count >= OPEN_MAX:
            return f"more than {OPEN_MAX} requests are open"
        if request.bar_size not in SMALL_SIZES:
            return None
        self._forget(now)
        same = replace(request, request_id=0)
        identity = (con_id, request.contract.exchange, request.what_to_show)
        weight = 2 if request.what_to_show == "BID_ASK" else 1
        if same in self._identical:
            return "an identical request within 15 seconds"
        if _weight(self._alike[identity]) + weight > BURST_MAX:
            return "six requests for one contract within 2 seconds"
        if _weight(self._asked) + weight > REQUESTS_MAX:
            return "more than 60 requests within 10 minutes"
        self._identical[same] = now
        self._alike[identity].append((now, weight))
        self._asked.append((now, weight))
        return None

    def _forget(self, now: datetime) -> None:
        _drop(self._asked, now - SPAN)
        for asked in self._alike.values():
            _drop(asked, now - BURST_SPAN)
        self._alike = defaultdict(deque, {key: item for key, item in self._alike.items() if item})
        self._identical = {
            same: when for same, when in self._identical.items() if now - when < IDENTICAL_GAP
        }


def _weight(asked: deque[tuple[datetime, int]]) -> int:
    return sum(weight for _, weight in asked)


def _drop(asked: deque[tuple[datetime, int]], until: datetime) -> None:
    while asked and asked[0][0] <= until:
        asked.popleft()

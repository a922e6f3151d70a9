"""Benches whose broker notes what is asked of it, and bars made up for them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bar_files import Row
from gateway.simulator.market.bars import BarBook
from gateway.simulator.replies import Delivery
from gateway.simulator.requests import HistoricalDataRequest
from infra.bench.witness import WatchedExchange
from infra.local.rig import MODE, SPY, VIXY, Rig
from schemas.documents import BarsDocument
from schemas.settings import StrategyDocument
from schemas.values import BarSpec

HALF_HOUR = timedelta(minutes=30)
HALF_HOURS = BarSpec("30 mins", "5 D", 1)
ALPHA = StrategyDocument(True, Decimal("0.5"), universe=(SPY, VIXY), bars=HALF_HOURS)


def watch(rig: Rig) -> WatchedExchange:
    """Note from now on what the broker is asked."""
    watched = WatchedExchange(rig.simulator.exchange)
    rig.simulator.stage.exchange = rig.simulator.exchange = watched
    return watched


class Meddled(WatchedExchange):
    """A broker whose answers to questions for bars are changed before they are sent."""

    def __init__(
        self, watched: Exchange, change: Callable[[HistoricalDataRequest, Any], Any]
    ) -> None:
        super().__init__(watched)
        self.change = change

    def handle(self, client_id: int, request: Any, now: datetime) -> list[Delivery]:
        """Answer as it would, then change the answer."""
        deliveries = super().handle(client_id, request, now)
        if not isinstance(request, HistoricalDataRequest):
            return deliveries
        return [(client, self.change(request, reply)) for client, reply in deliveries]


def meddle(rig: Rig, change: Callable[[HistoricalDataRequest, Any], Any]) -> WatchedExchange:
    """Change the broker's answers to questions for bars from now on."""
    meddled = Meddled(rig.simulator.exchange, change)
    rig.simulator.stage.exchange = rig.simulator.exchange = meddled
    return meddled


def asked(watched: WatchedExchange) -> list[tuple[str, str, str]]:
    """The questions for bars: symbol, size, duration; the list begins anew."""
    bodies = [request.body for request in watched.requests]
    watched.forget()
    found = [body for body in bodies if isinstance(body, HistoricalDataRequest)]
    return sorted((body.contract.symbol, body.bar_size, body.duration) for body in found)


async def kept(rig: Rig, name: str = "SPY-756733-30mins") -> BarsDocument:
    """The document of bars."""
    found = await rig.document(BarsDocument, mode=MODE, bars=name)
    assert found is not None
    return found


def opening(month: int, day: int) -> datetime:
    """09:30 in New York in the winter of 2019."""
    return datetime(2019, month, day, 14, 30, tzinfo=UTC)


SESSIONS: Mapping[datetime, int] = {
    opening(11, 25): 13,
    opening(11, 26): 13,
    opening(11, 27): 13,
    opening(11, 29): 7,
    opening(12, 2): 13,
}
"""Openings of the week of Thanksgiving 2019, and how many half-hour bars each session has."""


def thanksgiving(
    missing: Sequence[datetime] = (), change: Callable[[Row], Row] = lambda row: row
) -> BarBook:
    """Half-hour bars of SPY and VIXY in that week."""
    starts = [o + n * HALF_HOUR for o, count in SESSIONS.items() for n in range(count)]
    rows = [change(made_row(i, at)) for i, at in enumerate(starts) if at not in missing]
    return BarBook({("SPY", "30 mins"): rows, ("VIXY", "30 mins"): rows})


def made_row(index: int, start: datetime) -> Row:
    """A bar that rises a little."""
    price = Decimal(300) + Decimal(index) / 4
    return Row(start, (price, price + 2, price - 2, price + 1, Decimal(1000)), f"made:{index}")


def halved(row: Row) -> Row:
    """The same bar as it is told after a split of two for one."""
    *prices, volume = row.numbers
    return replace(row, numbers=(*(price / 2 for price in prices), volume * 2))


def five_seconds(opens: datetime, count: int) -> BarBook:
    """Bars of five seconds from an opening on, for SPY and VIXY."""
    rows = [made_row(i % 100, opens + i * timedelta(seconds=5)) for i in range(count)]
    return BarBook({("SPY", "5 secs"): rows, ("VIXY", "5 secs"): rows})

"""The simulator that each case begins with: 50 SPY, a Friday at 10:00, bars of five seconds.

The price stands at 600 for half an hour; then, within 45 seconds, it falls below 598, rises to 606
and falls back to 600, where it stays. The script's limits and stops lie along that way.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from gateway.simulator.broker import ExchangeOptions, InitialHolding
from gateway.simulator.clock import VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bar_files import FIVE_SECONDS, Row
from gateway.simulator.market.bars import BarBook
from gateway.simulator.server import ServerOptions, Simulator
from infra.clients.script import NOW_EPOCH, OPEN_EPOCH, SYMBOL

FLAT: Final = ("600", "600.5", "599.5", "600")
"""Open, high, low, close while nothing happens."""
MOVES: Final = (
    FLAT,
    FLAT,
    ("600", "600", "597", "598"),
    ("598", "598.5", "597", "598"),
    ("598", "600", "598", "600"),
    ("600", "602", "600", "602"),
    ("602", "604", "602", "604"),
    ("604", "606", "604", "606"),
    ("606", "606", "601", "601"),
    ("601", "601", "600", "600"),
)
"""The bars from 10:00 on, until it is flat again."""
SECONDS: Final = 5
VOLUME: Final = Decimal(1000)
"""Of each bar; an order gets a tenth of it."""
BEFORE: Final = (NOW_EPOCH - OPEN_EPOCH) // SECONDS
AFTER: Final = 120
"""Ten minutes, of which the moves are the first bars."""


def rows() -> list[Row]:
    """The bars from 9:30 to 10:10."""
    prices = [FLAT] * BEFORE + list(MOVES) + [FLAT] * (AFTER - len(MOVES))
    start = datetime.fromtimestamp(OPEN_EPOCH, UTC)
    return [
        Row(
            start + timedelta(seconds=SECONDS * index),
            (Decimal(bar[0]), Decimal(bar[1]), Decimal(bar[2]), Decimal(bar[3]), VOLUME),
            str(index),
        )
        for index, bar in enumerate(prices)
    ]


def simulator(port: int = 0) -> Simulator:
    """A new one, always in the same state, its clock standing at the beginning of every case."""
    holding = InitialHolding(SYMBOL, Decimal(50), Decimal(590))
    book = BarBook({(SYMBOL, FIVE_SECONDS): rows()})
    exchange = Exchange(book, ExchangeOptions(holdings=(holding,), seed=7))
    now = datetime.fromtimestamp(NOW_EPOCH, UTC)
    return Simulator(exchange, VirtualClock(now), ServerOptions(port=port))

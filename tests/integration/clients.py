"""What modules share that drive real clients: how to get one, and how to wait for what comes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from ib_async import IB, Stock

from gateway.simulator.clock import VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, Row
from gateway.simulator.server import ServerOptions, Simulator

type Connect = Callable[[int], Awaitable[IB]]
"""Connects a client by its id."""

TIMEOUT_SECONDS: Final = 30
"""Only a failing test waits it out."""

OPEN: Final = datetime.combine(date(2025, 12, 12), time(9, 30), ZoneInfo("America/New_York"))
NOW: Final = OPEN + timedelta(minutes=30)
SPY: Final = Stock("SPY", "SMART", "USD", conId=756733)
LOUD: Final = pytest.mark.ib_async_errors_expected(
    "ib_async logs every refusal and every 202 as an error"
)


@asynccontextmanager
async def half_hours_of_spy() -> AsyncIterator[Simulator]:
    """A simulator at 10:00: thirteen half hours of SPY from 600 on, each 1 higher."""
    rows = [
        Row(
            (OPEN + timedelta(minutes=30 * index)).astimezone(UTC),
            (*(Decimal(600 + index + step) for step in (0, 2, -2, 1)), Decimal(10_000)),
            str(index),
        )
        for index in range(13)
    ]
    exchange = Exchange(BarBook({("SPY", "30 mins"): rows}))
    async with Simulator(exchange, VirtualClock(NOW), ServerOptions()) as running:
        yield running


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds. Raises `TimeoutError`."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not holds():
            await asyncio.sleep(0.005)

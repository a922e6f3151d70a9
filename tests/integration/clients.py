"""What modules share that drive real clients: how to get one, and how to wait for what comes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from ib_async import IB

type Connect = Callable[[int], Awaitable[IB]]
"""Connects a client by its id."""

TIMEOUT_SECONDS: Final = 30
"""Only a failing test waits it out."""


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds. Raises `TimeoutError`."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not holds():
            await asyncio.sleep(0.005)

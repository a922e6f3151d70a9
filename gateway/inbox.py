"""What waits for the commander's loop, in the order of arrival."""

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from gateway.core.broker import BrokerEvent
from gateway.ports import Delivery

BATCH_MAX: Final = 1_000
"""Events taken at once; the rest waits for the next batch."""


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The broker is back after it was lost: everything has to be read anew [R1]."""


@dataclass(frozen=True, slots=True)
class ControlWritten:
    """A person wrote `control/{mode}` by hand; what stands there is read when its turn comes."""


type Item = Delivery | BrokerEvent | Reconnected | ControlWritten


@dataclass(slots=True)
class Inbox:
    """What waits for the loop, in the order of arrival."""

    waiting: deque[Item] = field(default_factory=deque)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, item: Item) -> None:
        """Add an item; never blocks. Called on the loop's thread."""
        self.waiting.append(item)
        self.arrived.set()

    def put_once(self, item: Reconnected | ControlWritten) -> None:
        """Add what is as well done once for all the times that it was asked for."""
        if item not in self.waiting:
            self.put(item)

    async def take(self, timeout_seconds: float | None) -> list[Item]:
        """Everything waiting, up to `BATCH_MAX`; empty if the time passes first."""
        if not self.waiting:
            self.arrived.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.arrived.wait(), timeout_seconds)
        return [self.waiting.popleft() for _ in range(min(len(self.waiting), BATCH_MAX))]

    def take_broker_events(self) -> list[BrokerEvent]:
        """What the broker told; the rest goes on waiting."""
        kept = Delivery | Reconnected | ControlWritten
        told: list[BrokerEvent] = [item for item in self.waiting if not isinstance(item, kept)]
        self.waiting = deque(item for item in self.waiting if isinstance(item, kept))
        return told

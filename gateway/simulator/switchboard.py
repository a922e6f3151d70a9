"""Which client is on which connection, and what is told to whom.

No client waits for another here: what one does not read piles up in its own buffer, up to a bound,
and beyond it that client is cut off (`Connection.flush`).
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from gateway.simulator.connection import Connection
from gateway.simulator.replies import Cut, Delivery, Raw
from gateway.simulator.timekeeper import PAUSE_SECONDS

INTERRUPTIONS = frozenset({Cut, Raw})
"""What is delivered and is no message."""


class Switchboard:
    """The clients that are ready, by their ids.

    Attributes:
        connected: client id to connection.
    """

    def __init__(self, buffer_bytes_max: int, drop: Callable[[Connection], None]) -> None:
        self.connected: dict[int, Connection] = {}
        self._buffer_bytes_max = buffer_bytes_max
        self._drop = drop

    def deliver(self, deliveries: Iterable[Delivery]) -> None:
        """Write what clients are told; those who are gone hear nothing."""
        batches: dict[int, list[Any]] = {}
        for client_id, reply in deliveries:
            batches.setdefault(client_id, []).append(reply)
        for client_id, batch in batches.items():
            connection = self.connected.get(client_id)
            if connection is None:
                continue
            if connection.breaks_off or not INTERRUPTIONS.isdisjoint(map(type, batch)):
                self._deliver_interrupted(connection, batch)
            else:
                connection.protocol.send(batch)
                connection.flush(self._buffer_bytes_max)

    def is_anyone_behind(self) -> bool:
        """Whether a client that reads has much to read yet."""
        seconds = asyncio.get_running_loop().time()
        return any([each.is_behind(seconds) for each in self.connected.values()])

    async def room(self) -> None:
        """Wait while a client that reads has much to read yet."""
        await asyncio.sleep(0)
        while self.is_anyone_behind():
            await asyncio.sleep(PAUSE_SECONDS)

    def _deliver_interrupted(self, connection: Connection, batch: Iterable[Any]) -> None:
        """Replies among which some break the connection off, or are no messages at all."""
        for reply in batch:
            if not connection.breaks_off and type(reply) not in INTERRUPTIONS:
                connection.protocol.send([reply])
            elif not connection.interrupt(reply):
                self._drop(connection)
                return
        connection.flush(self._buffer_bytes_max)

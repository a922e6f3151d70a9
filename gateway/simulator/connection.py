"""One accepted connection: its socket's writer with the protocol's state and the client's rate."""

import asyncio
import contextlib
import logging
import socket
import struct
from datetime import datetime
from typing import Any

from gateway.simulator.pacing import WAITING_MAX, Pace, RateLimit
from gateway.simulator.replies import Cut, Raw
from gateway.simulator.trace import Track
from gateway.simulator.wire.protocol import ServerProtocol

log = logging.getLogger(__name__)

FAREWELL_SECONDS_MAX = 5.0
"""How long a client may take to read what was written before its connection was closed."""
LAG_BYTES = 64 * 1024
"""Above so many unread bytes a client is behind, and a market faster than the wall waits for it."""
PATIENCE_SECONDS = 1.0
"""How long the market waits for a client that takes nothing."""
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Connection:
    """One accepted socket with its protocol state.

    Attributes:
        start_limit: how long it may take until it starts; none from then on.
        waiting: its messages that wait to be paced.
        breaks_off: the next message is written to its half, then the connection is reset.
        is_dropped: nobody's any more; its socket may live on until the client has read the rest.
    """

    def __init__(
        self,
        writer: asyncio.StreamWriter,
        now: datetime,
        per_second_max: int,
        track: Track | None = None,
    ) -> None:
        self.protocol = ServerProtocol(now, track)
        self.writer = writer
        self.track = track
        self.client_id: int | None = None
        self.rate = RateLimit(per_second_max)
        self.pace = Pace(per_second_max)
        self.waiting = 0
        self.breaks_off = False
        self.is_dropped = False
        self.start_limit: asyncio.Timeout | None = None
        self._name = "without an id"
        self._lag: tuple[float, int] | None = None
        """Since when the client is behind, and how many bytes it was behind then."""
        self._room = asyncio.Event()
        self._last_call: asyncio.TimerHandle | None = None

    def flush(self, buffer_bytes_max: int) -> None:
        """Hand the protocol's bytes to the transport; cut off a client that does not read."""
        self._write(self.protocol.data_to_send())
        transport = self.writer.transport
        waiting = transport.get_write_buffer_size()
        if waiting > buffer_bytes_max and not transport.is_closing():
            self.ends(
                f"the client does not read: {waiting} bytes wait for it, at most "
                f"{buffer_bytes_max} may"
            )
            log.warning(
                "client %s is cut off: it does not read, and %d bytes wait for it where %d may",
                self._name,
                waiting,
                buffer_bytes_max,
            )
            transport.abort()

    async def drain(self) -> None:
        """Wait until the client has taken most of what was written."""
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()

    def named(self, client_id: int) -> None:
        """The client said who it is."""
        self.client_id = client_id
        self._name = str(client_id)
        if self.start_limit is not None and self.start_limit.when() is not None:
            self.start_limit.reschedule(None)
        if self.track is not None:
            self.track.client = self._name

    def ends(self, reason: str) -> None:
        """Note why the connection ends; only the first reason counts."""
        if self.track is not None:
            self.track.closed(reason)

    def is_behind(self, seconds: float) -> bool:
        """Whether its client is reading and has much to read yet; `seconds` is a loop's time.

        One that has not taken `LAG_BYTES` within `PATIENCE_SECONDS` is not reading.
        """
        waiting = self.writer.transport.get_write_buffer_size()
        if waiting <= LAG_BYTES:
            self._lag = None
            return False
        if self._lag is None or waiting <= self._lag[1] - LAG_BYTES:
            self._lag = seconds, waiting
        return seconds - self._lag[0] < PATIENCE_SECONDS

    def interrupt(self, reply: Any) -> bool:
        """Write raw bytes, or break the connection off. Returns whether it goes on."""
        self._write(self.protocol.data_to_send())
        if isinstance(reply, Cut):
            self.breaks_off = reply.in_frame
            if not reply.in_frame:
                self.reset()
            return reply.in_frame
        if isinstance(reply, Raw):
            data = reply.data
        else:
            self.protocol.send([reply])
            data = self.protocol.data_to_send()
        self._write(data[: len(data) // 2] if self.breaks_off else data)
        if self.breaks_off:
            self.reset()
        return not self.breaks_off

    def reset(self) -> None:
        """End the connection as a killed process does: by a reset, not by a farewell."""
        self.ends("the gateway reset the connection")
        transport = self.writer.transport
        plug = transport.get_extra_info("socket")
        if plug is not None and not transport.is_closing():
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()

    def farewell(self) -> None:
        """Close when the client has read what was written, or soon when it does not read."""
        self.writer.close()
        if self._last_call is None:
            abort = self.writer.transport.abort
            loop = asyncio.get_running_loop()
            self._last_call = loop.call_later(FAREWELL_SECONDS_MAX, abort)

    async def closed(self) -> None:
        """Wait for the end after a farewell."""
        try:
            with contextlib.suppress(ConnectionError):
                await self.writer.wait_closed()
        finally:
            if self._last_call is not None:
                self._last_call.cancel()

    def one_less(self) -> None:
        """A message that waited is about to be handled."""
        self.waiting -= 1
        self._room.set()

    def forget_waiting(self) -> None:
        """The messages that wait will never be handled."""
        self.waiting = 0
        self._room.set()

    async def has_room(self) -> None:
        """Wait until the messages that wait are fewer than may."""
        while self.waiting >= WAITING_MAX:
            self._room.clear()
            await self._room.wait()

    def _write(self, data: bytes) -> None:
        if data and not self.writer.transport.is_closing():
            if self.track is not None:
                self.track.sent(data)
            self.writer.write(data)

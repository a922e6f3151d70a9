"""The floor of any server on asyncio: every frame is answered with a fixed number of bytes.

`python -m infra.bench.echo BYTES` listens on a free loopback port. The answer looks like the end
of a life cycle to `cycles.CycleCounter`, so that the same client drives it.
"""

import asyncio
import sys
from typing import Final

from infra.bench import cycles

START_FRAMES: Final = 4
"""Hello and what a client asks before its first order; these are answered shortly."""


class Echo(asyncio.Protocol):
    """Cuts frames and answers each order."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._buffer = bytearray()
        self._frames = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every whole frame."""
        buffer, at = self._buffer, 0
        buffer += data
        if self._frames < 0 and len(buffer) >= len(cycles.hello()):
            at, self._frames = len(cycles.hello()), 0
            self._transport.write(frame_of(b"178\x00", 8))
        heads, end = cycles.whole_frames(buffer, at)
        del buffer[:end]
        before, self._frames = self._frames, self._frames + len(heads)
        orders = max(0, self._frames - max(before, START_FRAMES - 1))
        if orders:
            self._transport.write(self._answer * orders)


def frame_of(head: bytes, size: int) -> bytes:
    """A frame of about that many bytes that begins so."""
    payload = head.ljust(max(size - 4, len(head)), b"0")
    return len(payload).to_bytes(4, "big") + payload


async def main(size: int) -> None:
    """Serve until killed."""
    answer = frame_of(cycles.COMMISSION_REPORT, size)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Echo(answer), "127.0.0.1", 0)
    print(f"echo listens on 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

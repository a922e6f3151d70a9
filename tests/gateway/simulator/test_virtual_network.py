"""Connections in memory: what is written arrives, in order, with the ends and resets of TCP."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.simulator.virtual_loop import VirtualTimeLoop, run_virtual
from gateway.simulator.virtual_network import Network

START = datetime(2025, 12, 12, 15, tzinfo=UTC)
Main = Callable[[VirtualTimeLoop], Coroutine[Any, Any, Any]]


class Side(asyncio.Protocol):
    """Notes what happens to one end, with the loop's time."""

    def __init__(self, *, stays_open: bool = False) -> None:
        self.stays_open = stays_open
        self.heard: list[tuple[float, object]] = []
        self.transport: Any = None

    def note(self, what: object) -> None:
        self.heard.append((round(asyncio.get_running_loop().time(), 6), what))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.note(data)

    def eof_received(self) -> bool:
        self.note("end")
        return self.stays_open

    def connection_lost(self, exc: Exception | None) -> None:
        self.note(repr(exc) if exc else "lost")

    def pause_writing(self) -> None:
        self.note("pause")

    def resume_writing(self) -> None:
        self.note("resume")

    @property
    def events(self) -> list[object]:
        return [what for _, what in self.heard]


async def pair(loop: VirtualTimeLoop, **options: bool) -> tuple[Side, Side]:
    """A client's side and the server's."""
    far = Side(**options)
    server = await loop.create_server(lambda: far, "localhost", 4002)
    near = Side()
    await loop.create_connection(lambda: near, "127.0.0.1", 4002)
    await asyncio.sleep(0)
    server.close()
    return near, far


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def both(script: Callable[[Side, Side], None], **options: bool) -> tuple[list[object], ...]:
    """What client and server side heard after a script."""

    async def main(loop: VirtualTimeLoop) -> tuple[list[object], ...]:
        near, far = await pair(loop, **options)
        script(near, far)
        await settled()
        return near.events, far.events

    return run_virtual(main, START)


def test_what_is_written_at_once_arrives_in_one_piece_both_ways() -> None:
    def script(near: Side, far: Side) -> None:
        near.transport.write(b"ab")
        near.transport.writelines([b"c", bytearray(b"d")])
        far.transport.write(b"x")

    assert both(script) == ([b"x"], [b"abcd"])


def test_close_lets_what_was_written_arrive_then_ends_both_sides() -> None:
    def script(near: Side, far: Side) -> None:
        near.transport.write(b"bye")
        near.transport.close()
        near.transport.write(b"lost")

    assert both(script) == (["lost"], [b"bye", "end", "lost"])


def test_an_end_leaves_the_other_way_open() -> None:
    def script(near: Side, far: Side) -> None:
        near.transport.write_eof()
        far.transport.write(b"still here")

    assert both(script, stays_open=True) == ([b"still here"], ["end"])


def test_nothing_can_be_written_after_the_end() -> None:
    def script(near: Side, far: Side) -> None:
        assert near.transport.can_write_eof()
        near.transport.write_eof()
        with pytest.raises(RuntimeError, match="after write_eof"):
            near.transport.write(b"x")

    both(script)


def test_an_abort_is_a_reset_after_what_was_under_way() -> None:
    def script(near: Side, far: Side) -> None:
        near.transport.write(b"half a fra")
        near.transport.abort()
        near.transport.abort()
        far.transport.write(b"too late")

    reset = "ConnectionResetError(104, 'Connection reset by peer')"
    assert both(script) == (["lost"], [b"half a fra", reset])


def test_a_reset_reaches_a_side_that_does_not_read() -> None:
    def script(near: Side, far: Side) -> None:
        far.transport.pause_reading()
        near.transport.write(b"never read")
        near.transport.abort()

    near, far = both(script)
    assert (near, far) == (["lost"], ["ConnectionResetError(104, 'Connection reset by peer')"])


def test_a_slow_reader_pauses_the_writer_and_resumes_it() -> None:
    async def main(loop: VirtualTimeLoop) -> None:
        near, far = await pair(loop)
        far.transport.pause_reading()
        near.transport.set_write_buffer_limits(high=10)
        near.transport.write(b"12345678901")
        await settled()
        assert (near.events, far.events) == (["pause"], [])
        assert near.transport.get_write_buffer_size() == 11
        far.transport.resume_reading()
        await settled()
        assert (near.events, far.events) == (["pause", "resume"], [b"12345678901"])
        assert near.transport.get_write_buffer_limits() == (2, 10)
        assert near.transport.get_write_buffer_size() == 0

    run_virtual(main, START)


def test_latency_delays_each_write_by_itself() -> None:
    async def main(loop: VirtualTimeLoop) -> list[tuple[float, object]]:
        near, far = await pair(loop)
        near.transport.write(b"one")
        await asyncio.sleep(0.2)
        near.transport.write(b"two")
        near.transport.close()
        await asyncio.sleep(1)
        return far.heard

    network = Network(latency_seconds=0.25)
    assert run_virtual(main, START, network) == [
        (0.5, b"one"),
        (0.7, b"two"),
        (0.7, "end"),
        (0.95, "lost"),
    ]


def test_nobody_listens_nobody_answers() -> None:
    async def main(loop: VirtualTimeLoop) -> None:
        with pytest.raises(ConnectionRefusedError, match="Connect call failed"):
            await loop.create_connection(Side, "127.0.0.1", 4002)
        near, _ = await pair(loop)
        assert near.transport.get_extra_info("peername") == ("127.0.0.1", 4002)
        with pytest.raises(ConnectionRefusedError):
            await loop.create_connection(Side, "127.0.0.1", 4002)

    run_virtual(main, START)


def test_an_address_is_listened_on_once_and_a_free_port_is_found() -> None:
    async def main(loop: VirtualTimeLoop) -> None:
        first = await loop.create_server(Side, "127.0.0.1", 0)
        second = await loop.create_server(Side, "127.0.0.1", 0)
        ports = [server.sockets[0].getsockname()[1] for server in (first, second)]
        assert len(set(ports)) == 2
        with pytest.raises(OSError, match="listens on"):
            await loop.create_server(Side, "127.0.0.1", ports[0])
        first.close()
        await first.wait_closed()
        assert (first.sockets, first.is_serving(), second.is_serving()) == ((), False, True)

    run_virtual(main, START)


def test_streams_of_asyncio_run_on_it() -> None:
    async def main(loop: VirtualTimeLoop) -> bytes:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(1000):
                writer.write(data)
                await writer.drain()
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 4002)
        async with server:
            reader, writer = await asyncio.open_connection("127.0.0.1", 4002)
            writer.write(b"x" * 1_000_000)
            writer.write_eof()
            heard = await reader.read()
            writer.close()
            return heard

    assert run_virtual(main, START) == b"x" * 1_000_000


def test_a_recorded_network_tells_what_was_said_and_when() -> None:
    network = Network(is_recorded=True)

    async def main(loop: VirtualTimeLoop) -> None:
        near, far = await pair(loop)
        near.transport.write(b"question")
        await asyncio.sleep(2)
        far.transport.write(b"answer")
        await settled()

    run_virtual(main, START, network)
    assert [(s.seconds, s.to_server) for s in network.segments] == [(0.0, True), (2.0, False)]
    assert network.said(1, to_server=False) == b"answer"


def test_options_of_sockets_are_refused_not_ignored() -> None:
    async def main(loop: VirtualTimeLoop) -> None:
        with pytest.raises(ValueError, match="know no ssl"):
            await loop.create_connection(Side, "127.0.0.1", 4002, ssl=True)

    run_virtual(main, START)

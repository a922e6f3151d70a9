"""The client on its own, against small servers that say what they are told to."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.simulator.conformance.client import Client, Ended, Silence
from gateway.simulator.conformance.hearing import Heard
from gateway.simulator.wire.codec import encode_frame

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
GREETING = encode_frame(["178", "20251212 10:00:00 UTC"])
TIME = encode_frame(["49", "1", "1765533600"])


async def talked(script: Script, body: Callable[[Client], Awaitable[None]]) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        client = await Client.dial("127.0.0.1", server.sockets[0].getsockname()[1])
        try:
            await body(client)
        finally:
            await client.close()


def is_time(item: Heard) -> bool:
    return item.kind == "CurrentTime"


async def test_the_greeting_is_no_message_and_what_follows_it_is() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(GREETING + TIME)
        await reader.read(100)

    async def body(client: Client) -> None:
        assert await client.greet() == 178
        assert client.greeting == ("178", "20251212 10:00:00 UTC")
        assert (await client.until(is_time)).reply.epoch_seconds == 1765533600
        assert [item.place for item in client.heard] == [0]

    await talked(script, body)


async def test_silence_is_told_with_what_came_instead() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(GREETING + TIME)
        await reader.read(100)

    async def body(client: Client) -> None:
        await client.greet()
        await client.until(is_time)
        with pytest.raises(Silence) as silence:
            await client.until(lambda item: item.kind == "PositionEnd", seconds=0.05)
        assert [item.kind for item in silence.value.heard] == ["CurrentTime"]

    await talked(script, body)


@pytest.mark.parametrize(
    ("last", "said"),
    [(b"", "closed"), (bytes([255] * 8), "framing"), (b"\0\0\0\x02ab", "framing")],
)
async def test_a_connection_that_ends_says_how(last: bytes, said: str) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(GREETING + last)
        await writer.drain()

    async def body(client: Client) -> None:
        await client.greet()
        assert said in await client.until_ended(5)
        with pytest.raises(Ended, match=said):
            await client.until(is_time)
        with pytest.raises(Ended):
            await client.say_fields(["49", "1"])

    await talked(script, body)


async def test_a_client_that_pauses_hears_everything_later() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(GREETING)
        await reader.read(100)
        writer.write(TIME * 1000)
        await writer.drain()
        await reader.read(100)

    async def body(client: Client) -> None:
        await client.greet()
        client.pause(True)
        await client.say_fields(["49", "1"])
        assert await client.listen(0.1) == []
        client.pause(False)
        await client.until(lambda item: item.place == 999)

    await talked(script, body)

"""The control port: HTTP/1.1 with JSON, on loopback, to steer a simulator from outside.

One request per connection. Everything has a bound: the size of head and body, the time a request
may take to arrive, the connections at once. Whatever comes in, what goes out is JSON: the answer,
or `{"error": "one sentence"}` with the status that says whose fault it is.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from gateway.simulator.control_values import ControlError, check_texts
from gateway.simulator.control_verbs import dispatch, help_of
from gateway.simulator.server import Simulator
from gateway.simulator.server_options import is_loopback

HEAD_BYTES_MAX = 8 * 1024
BODY_BYTES_MAX = 64 * 1024
ARRIVAL_SECONDS_MAX = 5.0
CONNECTIONS_MAX = 32

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """One request, read and checked."""

    method: str
    path: str
    values: Mapping[str, Any]


class ControlPort:
    """Serves the control port of a simulator while the context is entered.

    A request that has not arrived within `arrival_seconds_max` real seconds is refused.
    """

    def __init__(
        self,
        simulator: Simulator,
        host: str = "127.0.0.1",
        port: int = 0,
        arrival_seconds_max: float = ARRIVAL_SECONDS_MAX,
    ) -> None:
        if not is_loopback(host):
            raise ValueError(f"the control port listens on loopback only, not on {host!r}")
        self._simulator = simulator
        self._address = (host, port)
        self._arrival_seconds_max = arrival_seconds_max
        self._server: asyncio.Server | None = None
        self._conversations: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def port(self) -> int:
        """The port it listens on. Raises RuntimeError before it listens."""
        if self._server is None:
            raise RuntimeError("the control port is not listening")
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> "ControlPort":
        host, port = self._address
        self._server = await asyncio.start_server(self._accept, host, port, limit=HEAD_BYTES_MAX)
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        server, self._server = self._server, None
        assert server is not None
        server.close()
        for task, writer in self._conversations.items():
            task.cancel()
            writer.transport.abort()  # one cancelled before its first step would close nothing
        await asyncio.gather(*self._conversations, return_exceptions=True)
        await server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None or len(self._conversations) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._converse(reader, writer))
        self._conversations[task] = writer
        task.add_done_callback(self._conversations.pop)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                writer.write(await self._response(reader))
                async with asyncio.timeout(self._arrival_seconds_max):
                    await writer.drain()
        except TimeoutError:
            writer.transport.abort()  # a client that asks and does not read
        finally:
            writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def _response(self, reader: asyncio.StreamReader) -> bytes:
        try:
            async with asyncio.timeout(self._arrival_seconds_max):
                request = await read_request(reader)
            if (request.method, request.path) == ("GET", "/"):
                return response(200, help_of(self.port))
            self._simulator.note_verb(request.method, request.path, request.values)
            answer = await dispatch(self._simulator, request.method, request.path, request.values)
            return response(200, answer)
        except ControlError as error:
            return response(error.status, {"error": str(error)})
        except TimeoutError:
            seconds = f"{self._arrival_seconds_max:g} seconds"
            return response(408, {"error": f"the request did not arrive within {seconds}"})
        except ConnectionError:
            raise
        except Exception:
            log.exception("the control port failed")
            return response(500, {"error": "the simulator failed; its log has the reason"})


async def read_request(reader: asyncio.StreamReader) -> Request:
    """Read one request. Raises ControlError for whatever is not one; never reads over a bound."""
    method, target, headers = _head(await _head_bytes(reader))
    if "origin" in headers:
        raise ControlError(403, "web pages may not use the control port")
    try:
        parts = urlsplit(target)
    except ValueError:
        raise ControlError(400, f"{target[:100]!r} is not a path") from None
    body = await _body(reader, headers)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    values = _values(body) if body else query
    check_texts(values)
    return Request(method, unquote(parts.path), values)


async def _head_bytes(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise ControlError(431, f"the head is longer than {HEAD_BYTES_MAX} bytes") from None
    except asyncio.IncompleteReadError:
        raise ControlError(400, "the request ends within its head") from None


def _head(data: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = data.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or not words[1].startswith("/"):
        raise ControlError(400, "the first line is not like: GET /state HTTP/1.1")
    pairs = [line.partition(":") for line in lines]
    if not all(colon for _, colon, _ in pairs):
        raise ControlError(400, "a header has no colon")
    return words[0], words[1], {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if "transfer-encoding" in headers:
        raise ControlError(411, "send the body with a Content-Length, not in chunks")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdecimal()):
        raise ControlError(400, f"Content-Length {length!r} is not a number")
    if len(length) > len(str(BODY_BYTES_MAX)) or int(length) > BODY_BYTES_MAX:
        raise ControlError(413, f"the body is longer than {BODY_BYTES_MAX} bytes")
    try:
        return await reader.readexactly(int(length))
    except asyncio.IncompleteReadError:
        raise ControlError(400, "the request ends within its body") from None


def _values(body: bytes) -> Mapping[str, Any]:
    try:
        values = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise ControlError(400, "the body is not JSON") from None
    if not isinstance(values, dict):
        raise ControlError(400, 'the body is not a JSON object, such as {"step": 1}')
    return values


def response(status: int, answer: Any) -> bytes:
    """A response with JSON in it, as bytes."""
    body = json.dumps(answer, indent=1).encode() + b"\n"
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + body

"""The embedded stack's door for gcloud and curl: as much of two REST APIs as a person needs.

`POST /v1/projects/{project}/topics/{topic}:publish` is Pub/Sub's, so that `gcloud pubsub topics
publish` works against it; `GET /v1/projects/{project}/databases/(default)/documents/{path}` shows a
document, or a collection's documents, as plain JSON. Loopback only, for people: nothing of the
system uses it.
"""

import asyncio
import base64
import binascii
import functools
import json
import re
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from gateway.ports import Bus, Store, Unavailable

CALL_SECONDS_MAX: Final = 10.0
STOP_SECONDS_MAX: Final = 0.02
"""How soon the door notices that it is to close; the event loop stands still for so long."""

BODY_BYTES_MAX: Final = 20_000_000
"""Enough for one message of Pub/Sub's 10 MB as base64."""

REQUEST_SECONDS_MAX: Final = 30.0
"""How long a client may be silent in the middle of a request."""

_PUBLISH: Final = re.compile(r"/v1/projects/[^/]+/topics/([^/:]+):publish")
_PLAIN: Final = str.maketrans("-_", "+/")
_DOCUMENT: Final = re.compile(r"/v1/projects/[^/]+/databases/\(default\)/documents/(.+)")


class _Refused(Exception):
    """A request that cannot be carried out, with the HTTP status that says whose fault it is."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


@contextmanager
def opened(bus: Bus, store: Store, loop: asyncio.AbstractEventLoop) -> Iterator[str]:
    """Serve on a free loopback port while the context is entered; gives `host:port`."""

    class Handler(_Handler):
        rooms = (bus, store, loop)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    serve = functools.partial(server.serve_forever, poll_interval=STOP_SECONDS_MAX)
    thread = threading.Thread(target=serve, name="door", daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One request. Calls run on the stack's event loop; this thread waits for them."""

    timeout = REQUEST_SECONDS_MAX
    rooms: tuple[Bus, Store, asyncio.AbstractEventLoop]

    def do_POST(self) -> None:
        """Publish messages."""
        self._answer(self._publish)

    def do_GET(self) -> None:
        """Show a document or a collection."""
        self._answer(self._show)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal belongs to the story."""

    def _publish(self) -> dict[str, Any]:
        found = _PUBLISH.fullmatch(urlsplit(self.path).path)
        if found is None:
            raise _Refused(HTTPStatus.NOT_FOUND, f"there is nothing at {self.path}")
        messages = [_decoded(message) for message in _messages(self._body())]
        bus, _, _ = self.rooms
        topic = unquote(found.group(1))
        return {"messageIds": [self._call(bus.publish(topic, *message)) for message in messages]}

    def _show(self) -> dict[str, Any]:
        found = _DOCUMENT.fullmatch(unquote(urlsplit(self.path).path))
        if found is None:
            raise _Refused(HTTPStatus.NOT_FOUND, f"there is nothing at {self.path}")
        _, store, _ = self.rooms
        path = found.group(1).strip("/")
        if path.count("/") % 2 == 0:
            return dict(self._call(store.list(path)))
        document = self._call(store.get(path))
        if document is None:
            raise _Refused(HTTPStatus.NOT_FOUND, f"there is no document {path}")
        return dict(document)

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length") or ""
        if not (length.isascii() and length.isdigit()):
            raise _Refused(HTTPStatus.LENGTH_REQUIRED, "the request needs a Content-Length")
        if int(length) > BODY_BYTES_MAX:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"over {BODY_BYTES_MAX} bytes")
        return self.rfile.read(int(length))

    def _call[T](self, work: Coroutine[Any, Any, T]) -> T:
        """What the bus or the store answers, or a refusal that says whose fault it is."""
        _, _, loop = self.rooms
        try:
            return asyncio.run_coroutine_threadsafe(work, loop).result(CALL_SECONDS_MAX)
        except LookupError as error:
            raise _Refused(HTTPStatus.NOT_FOUND, str(error)) from error
        except ValueError as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, str(error)) from error
        except (TimeoutError, Unavailable) as error:
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, str(error) or "no answer") from error

    def _answer(self, work: Callable[[], dict[str, Any]]) -> None:
        try:
            status: HTTPStatus = HTTPStatus.OK
            body = work()
        except _Refused as error:
            status = error.status
            body = {"error": {"code": int(status), "message": str(error), "status": status.name}}
        data = json.dumps(body, indent=2, default=str).encode() + b"\n"
        with suppress(ConnectionError):  # who asked has gone
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)


def _messages(body: bytes) -> list[dict[str, Any]]:
    try:
        messages = json.loads(body)["messages"]
    except (ValueError, KeyError, TypeError) as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, "the body must be {messages: [...]}") from error
    if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
        raise _Refused(HTTPStatus.BAD_REQUEST, "messages must be a list of objects")
    return messages


def _decoded(message: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    """Data and attributes. As Pub/Sub does, both alphabets of base64 are taken: gcloud's is the
    one for URLs. Padding may be left out."""
    data, attributes = message.get("data") or "", message.get("attributes") or {}
    if not isinstance(data, str):
        raise _Refused(HTTPStatus.BAD_REQUEST, "data must be a base64 string")
    if not isinstance(attributes, dict) or not all(isinstance(v, str) for v in attributes.values()):
        raise _Refused(HTTPStatus.BAD_REQUEST, "attributes must be an object of strings")
    plain = data.translate(_PLAIN).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True), attributes
    except (binascii.Error, ValueError) as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, f"data is not base64: {error}") from error

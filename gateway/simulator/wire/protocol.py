"""One connection of one client, without I/O: bytes in, requests out; replies in, bytes out.

    hello ──▶ start ──▶ ready ──▶ closed
      └─────────┴─────────────────▲

In `hello` only the greeting is understood and answered with the negotiated version and the time,
in one write and nothing else: the official clients throw away whatever else arrives with it. In
`start` only startApi is understood. In `ready` everything is. A client that breaks the framing is
told why, where its state lets it understand, and closed; one that sends a whole frame that makes
no sense is told so and lives on.

After `receive_data`, take `next_event` until it returns None, then write out `data_to_send`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Protocol

from gateway.simulator.replies import Notice
from gateway.simulator.requests import StartApi
from gateway.simulator.wire.codec import (
    SERVER_VERSION_MAX,
    SERVER_VERSION_MIN,
    FrameReader,
    Hello,
    ProtocolError,
    encode_frame,
)
from gateway.simulator.wire.messages import UnreadableRequest, decode_request, reply_frames

NOT_READY = 504
UNSUPPORTED_VERSION = 506
UNREADABLE = 320
"""Server error when reading an API client request."""
BAD_FRAME = 507
REFUSALS_MAX = 100
"""Unreadable requests in a row after which a client is closed: it does not speak our language."""


class State(Enum):
    """Where the connection is."""

    HELLO = "hello"
    START = "start"
    READY = "ready"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Closed:
    """The last event of a connection that cannot go on."""

    reason: str


class Listener(Protocol):
    """Who hears what a client sends, before anything is made of it: a trace."""

    def received(self, payload: bytes) -> None:
        """A hello or a frame, its length left out."""

    def garbled(self, data: bytes) -> None:
        """Bytes of which nothing could be made."""


class ServerProtocol:
    """The server's side of one connection."""

    def __init__(self, now: datetime, listener: Listener | None = None) -> None:
        self.state = State.HELLO
        self.version = 0
        self.options = ""
        self._connected_at = now
        self._reader = FrameReader()
        self._listener = listener
        if listener is not None:
            self._reader.on_payload = listener.received
        self._out = bytearray()
        self._refusals = 0

    @property
    def bytes_held(self) -> int:
        """What the connection keeps in memory: bytes not yet understood, bytes not yet written."""
        return self._reader.buffered + len(self._out)

    @property
    def has_input(self) -> bool:
        """Whether bytes wait that may be a whole request."""
        return self._reader.buffered > 0

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the client; those of a closed connection are thrown away.

        At most one frame is kept once `next_event` has returned None.
        """
        if self.state is not State.CLOSED:
            self._reader.receive_data(data)

    def next_event(self) -> Any:
        """The next request, `Closed`, or None when more bytes are needed.

        Never raises: whatever a client sends ends as one of these.
        """
        try:
            return self._next_event()
        except ProtocolError as error:
            return self._close(str(error))

    def send(self, replies: Iterable[Any]) -> None:
        """Encode replies for this client's version."""
        self._out += reply_frames(replies, self.version)

    def data_to_send(self) -> bytes:
        """The bytes to write now; they are handed out once."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def close(self, notice: Notice) -> None:
        """Refuse the client: say why, then understand nothing more."""
        self.send([notice])
        self.end()

    def _next_event(self) -> Any:
        if self.state is State.HELLO:
            refused = self._greet()
            if refused is not None:
                return refused
        if self.state is State.HELLO:
            return None
        while self.state is not State.CLOSED:
            fields = self._reader.next_frame()
            if fields is None:
                return None
            request = self._understand(fields)
            if request is not None:
                self._refusals = 0
                return request
            self._refusals += 1
            if self._refusals >= REFUSALS_MAX:
                return self._close(f"{REFUSALS_MAX} requests in a row could not be understood")
        return None

    def _greet(self) -> Closed | None:
        hello = self._reader.next_hello()
        if hello is None:
            return None
        version = hello.negotiate()
        if version is None:
            return self._refuse_version(hello)
        self.version, self.options = version, hello.options
        stamp = self._connected_at.strftime("%Y%m%d %H:%M:%S %Z")
        self._out += encode_frame([str(version), stamp])
        self.state = State.START
        return None

    def _refuse_version(self, hello: Hello) -> Closed:
        theirs = f"{hello.version_min} to {hello.version_max}"
        ours = f"{SERVER_VERSION_MIN} to {SERVER_VERSION_MAX}"
        reason = f"the client understands versions {theirs}, this server {ours}"
        # In the layout nearest to theirs: layouts are kept, so a stranger must not name new ones.
        self.version = min(max(hello.version_max, SERVER_VERSION_MIN), SERVER_VERSION_MAX)
        self.close(Notice(-1, UNSUPPORTED_VERSION, f"Unsupported version: {reason}"))
        return Closed(reason)

    def _understand(self, fields: tuple[str, ...]) -> Any:
        try:
            request = decode_request(fields, self.version)
        except UnreadableRequest as error:
            text = f"Error reading request: {error}"
            self.send([Notice(error.request_id, UNREADABLE, text)])
            return None
        if self.state is State.START and not isinstance(request, StartApi):
            self.send([Notice(-1, NOT_READY, "Not connected: startApi comes first")])
            return None
        if self.state is State.READY and isinstance(request, StartApi):
            self.send([Notice(-1, UNREADABLE, "Error reading request: startApi came twice")])
            return None
        self.state = State.READY
        return request

    def _close(self, reason: str) -> Closed:
        if self.state in {State.START, State.READY}:
            self.send([Notice(-1, BAD_FRAME, f"Bad message: {reason}")])
        self.end()
        return Closed(reason)

    def end(self) -> None:
        """Understand nothing more; what came and was not understood is forgotten."""
        if self._listener is not None:
            self._listener.garbled(self._reader.unread())
        self.state = State.CLOSED
        self._reader = FrameReader()

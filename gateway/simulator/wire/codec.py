"""Bytes to frames of text fields and back: the framing of IB's protocol, and its value rules.

A frame is a big-endian unsigned 32-bit length and that many bytes: text fields, each ended by a
zero byte. Nothing here knows what a message means, so that a codec of another kind (IB speaks
protobuf from server version 201) can stand beside it. Sans-IO: bytes come in by
`FrameReader.receive_data`, bytes go out as return values.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal

SERVER_VERSION_MIN = 157
"""The oldest layout spoken: the official Python client of the package index ends there."""
SERVER_VERSION_MAX = 178
"""The newest layout spoken: the end of what the pure-text clients understand."""

FRAME_BYTES_MAX = 64 * 1024
"""Longest frame a client may send. The longest real request, an order, is below 2 KiB."""

HELLO_BYTES_MAX = 1024
"""Longest hello. Real ones have a dozen bytes, and a few more of options."""

UNSET_DOUBLE = "1.7976931348623157E308"
UNSET_INTEGER = "2147483647"
UNSET_LONG = "9223372036854775807"
UNSET_TEXTS = frozenset({"", UNSET_DOUBLE, "1.7976931348623157e+308", UNSET_INTEGER, UNSET_LONG})
"""Everything that clients write for "no value"."""

GREETING = b"API\0"
"""What every client says before all else."""
_DOUBLE = Context(prec=15)
_HELLO = re.compile(r"v(\d{1,6})(?:\.\.(\d{1,6}))?(?: (.*))?", re.DOTALL)
_ESCAPED = re.compile(r"[^\x01-\x7f]|\\")


class ProtocolError(Exception):
    """The client broke the protocol. Its text says how; the connection cannot go on."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a client says first: the range of server versions it understands, and options."""

    version_min: int
    version_max: int
    options: str = ""

    def negotiate(self) -> int | None:
        """The version both sides speak, `min(client max, ours)`, or None when there is none."""
        version = min(self.version_max, SERVER_VERSION_MAX)
        return version if version >= max(self.version_min, SERVER_VERSION_MIN) else None


class FrameReader:
    """Cuts a stream of bytes into the hello and then frames, holding at most one partial frame."""

    def __init__(self, frame_bytes_max: int = FRAME_BYTES_MAX) -> None:
        self._buffer = bytearray()
        self._start = 0
        self._frame_bytes_max = frame_bytes_max
        self._greeted = False
        self.on_payload: Callable[[bytes], None] | None = None
        """Told of each hello and frame, its length left out, before anything is made of it."""

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they arrived. Call `next_hello` or `next_frame` until they return None."""
        self._buffer += data

    def next_hello(self) -> Hello | None:
        """The client's hello, or None when more bytes are needed.

        Raises:
            ProtocolError: the bytes cannot become a hello.
        """
        if not self._greeted and not self._take_greeting():
            return None
        payload = self._next_payload(min(HELLO_BYTES_MAX, self._frame_bytes_max))
        return None if payload is None else parse_hello(payload)

    def next_frame(self) -> tuple[str, ...] | None:
        """The fields of the next whole frame, or None when more bytes are needed.

        Raises:
            ProtocolError: the frame is empty, too long, or not ended by a zero byte.
        """
        payload = self._next_payload(self._frame_bytes_max)
        return None if payload is None else decode_fields(payload)

    @property
    def buffered(self) -> int:
        """Bytes held: those received that no hello or frame was made of yet."""
        return len(self._buffer) - self._start

    def unread(self) -> bytes:
        """The bytes of which no hello or frame was made."""
        return bytes(self._buffer[self._start :])

    def _take_greeting(self) -> bool:
        head = bytes(self._buffer[: len(GREETING)])
        if not GREETING.startswith(head):
            raise ProtocolError("the connection does not begin with API and a zero byte")
        if len(head) < len(GREETING):
            return False
        self._start = len(GREETING)
        self._greeted = True
        return True

    def _next_payload(self, bytes_max: int) -> bytes | None:
        begin = self._start + 4
        if len(self._buffer) < begin:
            self._forget_taken()
            return None
        length = int.from_bytes(self._buffer[self._start : begin], "big")
        if length == 0 or length > bytes_max:
            raise ProtocolError(f"frame of {length} bytes, allowed 1 to {bytes_max}")
        end = begin + length
        if len(self._buffer) < end:
            self._forget_taken()
            return None
        self._start = end
        payload = bytes(self._buffer[begin:end])
        if self.on_payload is not None:
            self.on_payload(payload)
        return payload

    def _forget_taken(self) -> None:
        """Drop what was read: once per delivery of bytes, not once per frame."""
        del self._buffer[: self._start]
        self._start = 0


def parse_hello(payload: bytes) -> Hello:
    """Read `v157..178`, `v178` or either with options behind a space."""
    match = _HELLO.fullmatch(payload.decode("utf-8", "replace"))
    if match is None:
        raise ProtocolError("the hello is not of the form v157..178")
    low = int(match[1])
    return Hello(low, int(match[2] or low), match[3] or "")


def decode_fields(payload: bytes) -> tuple[str, ...]:
    """Split a frame's bytes into its fields."""
    if not payload.endswith(b"\0"):
        raise ProtocolError("a frame does not end with a zero byte")
    return tuple(payload[:-1].decode("utf-8", "replace").split("\0"))


def encode_frame(fields: Sequence[str]) -> bytes:
    """A frame of these fields, ready for the socket."""
    return encode_payloads(["\0".join((*fields, ""))])


def encode_payloads(texts: Iterable[str]) -> bytes:
    """A frame of each text: fields that are joined already, each ended by a zero byte."""
    payloads = [text.encode() for text in texts]
    return b"".join([len(payload).to_bytes(4, "big") + payload for payload in payloads])


def encode_hello(hello: Hello) -> bytes:
    """What a client sends first (used by tests and by other tools that play the client)."""
    text = f"v{hello.version_min}..{hello.version_max}"
    payload = (f"{text} {hello.options}" if hello.options else text).encode()
    return GREETING + len(payload).to_bytes(4, "big") + payload


def is_unset(text: str) -> bool:
    """Whether a field says "no value": empty, or one of IB's largest numbers."""
    return text in UNSET_TEXTS


def bool_text(value: bool) -> str:
    """Booleans are 0 and 1; any word makes a client drop the whole message."""
    return "1" if value else "0"


def decimal_text(value: Decimal) -> str:
    """A number with a decimal point only: `100`, `590.01`, never `100.0` or `1E+2`.

    IB's numbers are doubles, so no more digits are written than a double holds.
    """
    text = str(value)
    if len(text) > _DOUBLE.prec:
        text = str(_DOUBLE.plus(value))
    if "E" in text:
        text = format(Decimal(text), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def escaped(text: str) -> str:
    r"""Names and error texts travel as ASCII, other characters as ``\uXXXX`` (from version 153).

    So does a backslash: clients undo the escape, and one that means nothing stops them.
    """
    return _ESCAPED.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode-escape").decode("ascii")

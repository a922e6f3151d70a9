"""What was said between clients and gateway, as lines that people and programs read alike.

    2025-12-12T15:00:00.000000Z 1/7 > 4:CancelOrder =1 order_id=12 *1
    2025-12-12T15:00:00.000000Z 1/7 < 3:OrderStatus order_id=12 status=Cancelled filled=0 ...

A line is the virtual time, connection and client id (`-` before it has one), a mark and what was
said. `>` is client to gateway, `<` gateway to client, `!` what became of a connection, `@` a verb
of the control port. A message is its number, its name, and its fields in wire order, each as
`name=text` with the text exactly as it was sent; `=text` is a field without a name, `*3` stands
for three empty ones, `~3` for three of IB's unset numbers (1.7976931348623157E308). Texts with
blanks, quotes or other than ASCII are JSON strings. `hello` is the first message, `bytes` in
hexadecimal what is no message. So every byte can be had back (`bytes_of`), and a trace can be
played again (`playback`).

The lines that begin with `#` are the head: what the session was started with.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

from gateway.simulator.market.bar_files import INTRADAY, ONE_DAY
from gateway.simulator.market.bars import BarBook
from gateway.simulator.wire.codec import GREETING, UNSET_DOUBLE
from gateway.simulator.wire.labels import Labels, labels

TITLE = "# IB Gateway simulator, trace, version 1"
TO_GATEWAY, TO_CLIENT, EVENT, VERB = ">", "<", "!", "@"
_GREETING = Labels("Greeting", ("time",))
_PLAIN = re.compile(r"[!#-~]+")
_NUMBER = re.compile(r"\d{1,6}")
_LINE = re.compile(r"(\S+Z) (\d+)/(\S+) ([><!@]) (.*)")
_TOKEN = re.compile(r'([*~])(\d{1,5})(?= |$)|([^\s="]*)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?= |$)')
_LENGTH_BYTES = 4
_RUNS = {"": "*", UNSET_DOUBLE: "~"}
_RUN_TEXTS = {mark: text for text, mark in _RUNS.items()}


class TraceError(ValueError):
    """A trace that cannot be read. Its text says which line, and why."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a session was started with.

    Attributes:
        options: those of the command line that matter, paths left out.
        bars: a digest of all bars (`digest_of`), so that a playback has the same.
        contracts: a digest of the file of contracts, empty without one.
    """

    options: tuple[str, ...] = ()
    bars: str = ""
    contracts: str = ""

    def lines(self) -> list[str]:
        """The head as lines."""
        values = {"options": self.options, "bars": self.bars, "contracts": self.contracts}
        return [TITLE, f"# {json.dumps(values)}"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `client` is the client's id, or `-`; connections count from 1, 0 is none."""

    at: datetime
    connection: int
    client: str
    mark: str
    said: str

    def __str__(self) -> str:
        return f"{_time_text(self.at)} {self.connection}/{self.client} {self.mark} {self.said}"


@dataclass(frozen=True, slots=True)
class Session:
    """A trace that was read."""

    head: Head
    entries: tuple[Entry, ...]


# ---------------------------------------------------------------------- writing


class Recorder:
    """Writes a trace while a simulator runs.

    Attributes:
        now: the virtual time of what is written; the simulator keeps it up to date.
    """

    def __init__(self, write: Callable[[Entry], object], now: datetime) -> None:
        self._write = write
        self._connections = 0
        self.now = now

    def opened(self) -> "Track":
        """A connection was accepted."""
        self._connections += 1
        track = Track(self, self._connections)
        track.note(EVENT, "opened")
        return track

    def verb(self, method: str, path: str, values: Mapping[str, Any]) -> None:
        """Somebody steers the simulator through its control port."""
        said = f"{method} {path} {json.dumps(dict(values), default=str)}"
        self.write(Entry(self.now, 0, "-", VERB, said))

    def write(self, entry: Entry) -> None:
        """Write a line."""
        self._write(entry)


@dataclass(slots=True)
class Track:
    """The trace of one connection."""

    recorder: Recorder
    number: int
    client: str = "-"
    version: int = 0
    is_closed: bool = False
    _has_greeted: bool = field(default=False)

    def note(self, mark: str, said: str) -> None:
        """Write a line about this connection."""
        self.recorder.write(Entry(self.recorder.now, self.number, self.client, mark, said))

    def received(self, payload: bytes) -> None:
        """A client's hello or frame, without greeting and length, is about to be understood."""
        if self._has_greeted:
            self.note(TO_GATEWAY, _message(payload, self.version, to_server=True))
        else:
            self._has_greeted = True
            text = payload.decode("utf-8", "surrogateescape")
            self.note(TO_GATEWAY, f"hello {json.dumps(text)}")

    def garbled(self, data: bytes) -> None:
        """Bytes of a client of which nothing could be made."""
        if data:
            self.note(TO_GATEWAY, _raw(data))

    def sent(self, data: bytes) -> None:
        """Bytes are handed to the network: whole frames, and what a fault made of them."""
        start = 0
        while (end := _frame_end(data, start)) is not None:
            payload = data[start + _LENGTH_BYTES : end]
            if self.version == 0:
                self.version = _greeted_version(payload)
                self.note(TO_CLIENT, _greeting(payload))
            else:
                self.note(TO_CLIENT, _message(payload, self.version, to_server=False))
            start = end
        if start < len(data):
            self.note(TO_CLIENT, _raw(data[start:]))

    def closed(self, reason: str) -> None:
        """The connection ended; only the first reason counts."""
        if not self.is_closed:
            self.is_closed = True
            self.note(EVENT, f"closed {reason}")


def digest_of(book: BarBook) -> str:
    """A digest of all bars."""
    found = sha256()
    for key in book.symbols:
        for size in (*INTRADAY, ONE_DAY):
            for bar in book.series(key, size).bars:
                prices = (bar.open, bar.high, bar.low, bar.close, bar.volume)
                text = " ".join(str(price.normalize()) for price in prices)
                found.update(f"{key} {size} {bar.start.isoformat()} {text}\n".encode())
    return found.hexdigest()


def file_digest(path: Path | None) -> str:
    """A digest of a file, empty without one. Raises OSError."""
    return "" if path is None else sha256(path.read_bytes()).hexdigest()


# ---------------------------------------------------------------------- reading


def read_trace(text: str) -> Session:
    """A trace out of its text. Raises TraceError."""
    lines = text.splitlines()
    if not lines or lines[0] != TITLE:
        raise TraceError(f"line 1: not a trace, which begins with {TITLE!r}")
    head = _head(lines[1] if len(lines) > 1 else "")
    entries = tuple(
        _entry(number, line)
        for number, line in enumerate(lines, 1)
        if line and not line.startswith("#")
    )
    return Session(head, entries)


def bytes_of(said: str) -> bytes:
    """The bytes of what a client or the gateway said. Raises TraceError."""
    kind, _, rest = said.partition(" ")
    try:
        if kind == "hello":
            return GREETING + _framed(json.loads(rest).encode("utf-8", "surrogateescape"))
        if kind == "bytes":
            return bytes.fromhex(rest)
    except (ValueError, AttributeError) as error:
        raise TraceError(f"{said[:80]!r} is not what can be sent: {error}") from None
    number, colon, _ = kind.partition(":")
    if not colon:
        raise TraceError(f"{said[:80]!r} is neither a message nor hello nor bytes")
    texts = [*([] if number == "?" else [number]), *_texts(rest)]
    return _framed("".join(f"{text}\0" for text in texts).encode("utf-8", "surrogateescape"))


def _head(line: str) -> Head:
    try:
        values = json.loads(line.removeprefix("#"))
        return Head(tuple(map(str, values["options"])), values["bars"], values["contracts"])
    except (ValueError, KeyError, TypeError) as error:
        raise TraceError(f"line 2: not the head of a trace: {error}") from None


def _entry(number: int, line: str) -> Entry:
    match = _LINE.fullmatch(line)
    if match is None:
        raise TraceError(f"line {number}: not of the form: time connection/client mark message")
    try:
        at = datetime.fromisoformat(match[1])
        entry = Entry(at, int(match[2]), match[3], match[4], match[5])
        if entry.mark in {TO_GATEWAY, TO_CLIENT}:
            bytes_of(entry.said)
    except ValueError as error:
        raise TraceError(f"line {number}: {error}") from None
    return entry


def _texts(rest: str) -> list[str]:
    texts: list[str] = []
    at = 0
    while at < len(rest):
        match = _TOKEN.match(rest, at)
        if match is None:
            raise TraceError(f"{rest[at : at + 40]!r} is not like name=text")
        said_by_runs = [_RUN_TEXTS[match[1]]] * int(match[2]) if match[1] else None
        texts += said_by_runs or [_unquoted(match[4])]
        at = match.end() + 1
    return texts


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        raise TraceError(f"{text[:40]} is not a JSON string") from None


# ---------------------------------------------------------------------- words


def _message(payload: bytes, version: int, *, to_server: bool) -> str:
    texts = _fields(payload)
    if texts is None:
        return _raw(_framed(payload))
    return _sentence(texts, labels(texts, version, to_server=to_server))


def _greeting(payload: bytes) -> str:
    texts = _fields(payload)
    return _raw(_framed(payload)) if texts is None else _sentence(texts, _GREETING)


def _sentence(texts: tuple[str, ...], known: Labels) -> str:
    has_number = _NUMBER.fullmatch(texts[0]) is not None
    words = [f"{texts[0] if has_number else '?'}:{known.message}"]
    shown = texts[1:] if has_number else texts
    names = known.fields if len(known.fields) == len(shown) else ("",) * len(shown)
    for text, run in groupby(zip(names, shown, strict=True), key=lambda pair: _RUNS.get(pair[1])):
        pairs = list(run)
        said = [f"{name}={_quoted(value)}" for name, value in pairs]
        words += said if text is None else [f"{text}{len(pairs)}"]
    return " ".join(words)


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def _greeted_version(payload: bytes) -> int:
    texts = _fields(payload) or ("",)
    return int(texts[0]) if _NUMBER.fullmatch(texts[0]) else 0


def _fields(payload: bytes) -> tuple[str, ...] | None:
    if not payload.endswith(b"\0"):
        return None
    return tuple(payload[:-1].decode("utf-8", "surrogateescape").split("\0"))


def _raw(data: bytes) -> str:
    return f"bytes {data.hex()}"


def _framed(payload: bytes) -> bytes:
    return len(payload).to_bytes(_LENGTH_BYTES, "big") + payload


def _frame_end(data: bytes, start: int) -> int | None:
    """Where the frame ends that begins there; None where no whole one does."""
    begin = start + _LENGTH_BYTES
    if len(data) < begin:
        return None
    end = begin + int.from_bytes(data[start:begin], "big")
    return end if begin < end <= len(data) else None


def _time_text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

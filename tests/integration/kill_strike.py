"""Where a gateway process is struck: a named moment on its wires, and the signal that comes then.

A moment is a piece that crosses a wire. The signal comes before the piece goes on, which then never
does, or after it went, with its answer kept back. What a killed process had written to its sockets
before still goes on, as it does from any kernel.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from signal import SIGKILL, Signals
from typing import Final, Literal

from tests.integration.gateway_process import GatewayProcess
from tests.integration.wires import Line, Piece, Way

type Side = Literal["before", "after"]

HEARING_SECONDS: Final = 0.2
"""A process told to stop has turned to it by then: what it sends later, it sends knowingly."""

_JOURNALED: Final = re.compile(rb"/openOrders/(paper-\d+-\d+)")


@dataclass(frozen=True, slots=True)
class Moment:
    """Pieces of one kind: on which wire, which way, what they begin with and have in them.

    `often` is how often it comes in a play, at least; one of them is struck. `is_preview` tells
    IB's two uses of one message apart: whether an order was journaled before. A server has
    `hold_seconds` to act on a piece whose answer the gateway will never see.
    """

    name: str
    line: Line | None
    way: Way = "up"
    starts: bytes = b""
    has: tuple[bytes, ...] = ()
    often: int = 1
    is_preview: bool | None = None
    hold_seconds: float = 0.3

    def fits(self, piece: Piece, journaled: set[bytes]) -> bool:
        """Whether the piece is of this kind."""
        if self.line is None:
            return True
        if (piece.line, piece.way) != (self.line, self.way):
            return False
        if not piece.data.startswith(self.starts) or any(w not in piece.data for w in self.has):
            return False
        if self.is_preview is None:
            return True
        return self.is_preview != any(ref in piece.data for ref in journaled)


JOURNAL: Final = Moment("the journal", "store", has=(b"/openOrders/", b"PENDING"), often=2)
SOCKET: Final = Moment("an order on the socket", "broker", starts=b"3\0", often=2, is_preview=False)
CANCEL: Final = Moment("a cancel on the socket", "broker", starts=b"4\0")
FILL: Final = Moment("a fill told by the broker", "broker", "down", b"11\0", often=6)
ANSWER: Final = Moment("the broker's word of an order", "broker", "down", b"3\0", often=8)
CANCELLED: Final = Moment("a cancel confirmed", "broker", "down", b"3\0", (b"\0Cancelled\0",))
COMMISSION: Final = Moment("a commission told", "broker", "down", b"59\0", often=6)
FILL_WRITTEN: Final = Moment("a fill written", "store", has=(b"/executions/",), often=5)
STARTED: Final = Moment("a run's STARTED", "store", has=(b"/runs/", b"STARTED"), often=2)
TARGETS: Final = Moment("targets written", "store", has=(b"/targets/", b"last_digest"), often=3)
DONE: Final = Moment("an order's end written", "store", has=(b"/openOrders/", b"DONE"), often=2)
COMMAND_HEARD: Final = Moment("a command heard", "bus", "down", has=(b'"command"',), often=2)
TARGETS_HEARD: Final = Moment("targets heard", "bus", "down", has=(b'"targets"',), often=3)
SETTLED: Final = Moment(
    "an ack or a lease of a message", "bus", has=(b"/subscriptions/gateway-",), often=12
)
# An acknowledge and a lease begin alike; then come ack ids (field 2) or seconds (field 3). What is
# acked too early must find no time to be written after all, so these are struck at once.
TARGETS_ACKED: Final = Moment(
    "an ack of targets", "bus", has=(b"/gateway-targets-paper\x12",), often=3, hold_seconds=0.0
)
COMMAND_ACKED: Final = Moment(
    "an ack of a command", "bus", has=(b"/gateway-commands-paper\x12",), often=2, hold_seconds=0.0
)
MARKET: Final = Moment("a market published", "bus", has=(b"/topics/market-",), often=1)
REPORT: Final = Moment("a report published", "bus", has=(b"/topics/reports-",), often=6)
PREVIEW: Final = Moment("a what-if on the socket", "broker", starts=b"3\0", is_preview=True)
QUESTION: Final = Moment("the four questions", "broker", starts=b"7\0", often=3)
LEASE: Final = Moment("the lease written", "store", has=(b"/leases/", b"renewed_at"))
ANYTHING: Final = Moment("anything on any wire", None, often=300)
RECOVERY: Final = Moment("anything while it starts again", None, often=250)
AT_REST: Final = "at rest, its moment did not come"

STRIKES: Final[tuple[tuple[Moment, Side], ...]] = (
    (JOURNAL, "before"),
    (JOURNAL, "after"),
    (SOCKET, "before"),
    (SOCKET, "after"),
    (FILL, "before"),
    (CANCEL, "before"),
    (CANCEL, "after"),
    (FILL_WRITTEN, "before"),
    (FILL_WRITTEN, "after"),
    (STARTED, "after"),
    (TARGETS_ACKED, "after"),
    (COMMAND_ACKED, "after"),
    (ANSWER, "before"),
    (ANYTHING, "before"),
    (CANCELLED, "before"),
    (FILL, "after"),
    (ANSWER, "after"),
    (TARGETS, "before"),
    (TARGETS, "after"),
    (SETTLED, "before"),
    (DONE, "before"),
    (DONE, "after"),
    (COMMISSION, "before"),
    (COMMAND_HEARD, "after"),
    (TARGETS_HEARD, "after"),
    (STARTED, "before"),
    (MARKET, "before"),
    (MARKET, "after"),
    (REPORT, "before"),
    (REPORT, "after"),
    (SETTLED, "after"),
    (PREVIEW, "after"),
    (QUESTION, "before"),
    (QUESTION, "after"),
    (LEASE, "after"),
    (CANCELLED, "after"),
    (COMMISSION, "after"),
    (ANYTHING, "after"),
)
"""In the order of their worth: the first 15 are those of `make test`."""

STOPS: Final[tuple[tuple[Moment, Side], ...]] = (
    (PREVIEW, "before"),
    (JOURNAL, "before"),
    (JOURNAL, "after"),
    (MARKET, "after"),
    (TARGETS, "after"),
    (FILL, "before"),
    (FILL_WRITTEN, "after"),
    (CANCEL, "before"),
)
"""When a gateway is told to stop; at each, what is to be sent next must not be."""


@dataclass(slots=True)
class Strike:
    """One strike at one process: watches its wires, and sends the signal at its moment."""

    moment: Moment
    side: Side
    number: int
    wait_seconds: float = 0.0
    signal: Signals = SIGKILL
    on_strike: Callable[[], None] = lambda: None
    target: GatewayProcess | None = None
    is_done: asyncio.Event = field(default_factory=asyncio.Event)
    _seen: int = field(default=0, init=False)
    _holding: bool = field(default=False, init=False)
    _held_back: set[Line] = field(default_factory=set, init=False)
    _journaled: set[bytes] = field(default_factory=set, init=False)

    @classmethod
    def drawn(cls, moment: Moment, side: Side, chance: Random) -> "Strike":
        """A strike at one of the moment's pieces."""
        wait_seconds = chance.choice((0.0, 0.0, chance.uniform(0, 0.1)))
        return cls(moment, side, chance.randint(1, moment.often), wait_seconds)

    def __str__(self) -> str:
        return f"{self.side} {self.moment.name} (no. {self.number})"

    @property
    def name(self) -> str:
        """Where it strikes, without the number."""
        return f"{self.side} {self.moment.name}"

    async def look(self, piece: Piece) -> bool:
        """See `tests.integration.wires.Look`."""
        if self.is_done.is_set():
            return not (self._is_fatal and piece.line in self._held_back)
        if self._holding and piece.line in self._held_back and piece.way == "down":
            await self.is_done.wait()
            return await self._survives()
        if not self._comes(piece):
            return True
        return await (self._before(piece) if self.side == "before" else self._after(piece))

    def now(self) -> None:
        """Send the signal."""
        if not self.is_done.is_set() and self.target is not None:
            self.on_strike()
            if self.target.is_alive:
                self.target.process.send_signal(self.signal)
            self.is_done.set()

    def rest(self) -> None:
        """Strike although the moment has not come, for the play is over."""
        self.is_done.clear()
        self._holding = True
        self.now()

    @property
    def _is_fatal(self) -> bool:
        return self.signal is SIGKILL

    def _comes(self, piece: Piece) -> bool:
        """Whether this piece is the moment."""
        if self._holding or self.target is None or not self.target.is_alive:
            return False
        fits = self.moment.fits(piece, self._journaled)
        self._seen += fits
        if piece.line == "store" and piece.way == "up" and b"PENDING" in piece.data:
            self._journaled.update(_JOURNALED.findall(piece.data))
        return fits and self._seen == self.number

    async def _before(self, piece: Piece) -> bool:
        """The piece never leaves."""
        self._holding = True
        self._held_back.add(piece.line)
        self.now()
        return await self._survives()

    async def _survives(self) -> bool:
        """Whether the process lives; a signal that it may answer it has heard by then."""
        if not self._is_fatal:
            await asyncio.sleep(HEARING_SECONDS)
        return not self._is_fatal

    async def _after(self, piece: Piece) -> bool:
        """The piece goes on; what is answered does not get through, or only just."""
        self._holding = True
        if piece.way == "up":
            self._held_back.add(piece.line)
            asyncio.get_running_loop().call_later(
                self.moment.hold_seconds + self.wait_seconds, self.now
            )
        else:
            asyncio.get_running_loop().call_later(self.wait_seconds, self.now)
        return True

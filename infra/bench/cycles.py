"""Order life cycles as bytes: what a client sends, and how many cycles a stream of answers ends.

A life cycle begins with a market order and ends with the commission of its execution. One share
is bought and sold in turn, by a client that has asked for positions and account values first, as
ib_async does when it connects: the simulator then has the updates of those to send, too.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from gateway.simulator import requests as q
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import OrderTerms
from gateway.simulator.wire.codec import SERVER_VERSION_MAX, Hello, encode_frame, encode_hello
from gateway.simulator.wire.messages import encode_request

CLIENT_ID: Final = 7
ACCOUNT: Final = "DUSIM0001"
HELLO: Final = Hello(157, SERVER_VERSION_MAX)
COMMISSION_REPORT: Final = b"59\x00"
_LENGTH_BYTES: Final = 4


def start() -> bytes:
    """What comes before the first order; the server's answer to the hello may be read later."""
    subscriptions = (
        q.StartApi(CLIENT_ID, ""),
        q.PositionsRequest(),
        q.AccountUpdatesRequest(True, ACCOUNT),
    )
    return b"".join(map(_frame, subscriptions))


def hello() -> bytes:
    """The first bytes of the connection."""
    return encode_hello(HELLO)


def order(order_id: int, symbol: str) -> bytes:
    """A market order for one share: odd ids buy, even ones sell."""
    action = "BUY" if order_id % 2 else "SELL"
    terms = OrderTerms(action=action, quantity=Decimal(1), tif="DAY", order_ref=f"cycle-{order_id}")
    contract = Contract(symbol=symbol, security_type="STK", exchange="SMART", currency="USD")
    return _frame(q.PlaceOrder(order_id, contract, terms))


@dataclass(slots=True)
class CycleCounter:
    """Counts ended cycles in the simulator's bytes, however they are cut."""

    ended: int = 0
    received: int = 0
    _buffer: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> None:
        """Take bytes as they came."""
        self.received += len(data)
        buffer = self._buffer
        buffer += data
        heads, end = whole_frames(buffer)
        self.ended += sum(buffer.startswith(COMMISSION_REPORT, head) for head in heads)
        del buffer[:end]


def whole_frames(buffer: bytearray, at: int = 0) -> tuple[list[int], int]:
    """Where the payload of each whole frame from `at` on begins, and where the last one ends."""
    heads = []
    while len(buffer) >= at + _LENGTH_BYTES:
        length = int.from_bytes(buffer[at : at + _LENGTH_BYTES], "big")
        if len(buffer) < at + _LENGTH_BYTES + length:
            break
        heads.append(at + _LENGTH_BYTES)
        at += _LENGTH_BYTES + length
    return heads, at


def _frame(request: object) -> bytes:
    return encode_frame(encode_request(request, SERVER_VERSION_MAX))

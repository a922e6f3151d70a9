"""A client that sends well-framed nonsense: whatever it asks, the broker answers and lives on.

Bytes in, through protocol, stage and exchange, bytes out. Half of the requests are made of values
that might make sense, wildly combined; the others are any texts under any number.
"""

import gc
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import UnionType
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.simulator import requests as q
from gateway.simulator.broker import ExchangeOptions, InitialHolding
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, Row
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import OrderTerms
from gateway.simulator.stage import Stage
from gateway.simulator.wire.codec import FrameReader, Hello, encode_frame, encode_hello
from gateway.simulator.wire.messages import (
    READ_REQUEST,
    UNSUPPORTED,
    WRITE_REQUEST,
    decode_reply,
    encode_request,
)
from gateway.simulator.wire.protocol import Closed, ServerProtocol, State

TEXTS = st.sampled_from(
    [
        "", "SPY", "EUR", "EUR.USD", "ESZ5", "STK", "CASH", "FUT", "BAG", "SMART", "ARCA", "USD",
        "IDEALPRO", "BUY", "SELL", "SSHORT", "MKT", "LMT", "STP", "STP LMT", "TRAIL", "MOC", "LOC",
        "MIDPRICE", "DAY", "GTC", "IOC", "GTD", "OPG", "TRADES", "BID_ASK", "MIDPOINT", "SCHEDULE",
        "30 mins", "1 day", "5 secs", "1 D", "2 W", "9999 Y", "-1 D", "D", "All", "$LEDGER:ALL",
        "NetLiquidation,$LEDGER:EUR", "DUSIM0001", "DU9", "Last", "BidAsk", "233,236", "Adaptive",
        "20251212 10:00:00 UTC", "20251212-10:00:00", "20259999 99:99:99 Mars/Olympus", "99991231",
        "20251212 23:59:59 US/Eastern", "00010101 00:00:00 UTC", "\u2603\\x", "x" * 300, "-1",
        "1e5",
    ]
)  # fmt: skip
INTEGERS = st.sampled_from([0, 1, 2, 3, 5, 26, -1, 9, 756733, 2**31 - 1, -(2**31), 2**63 - 1])
NUMBERS = st.sampled_from(
    [
        Decimal(text)
        for text in [
            "0",
            "1",
            "10",
            "-10",
            "0.5",
            "600",
            "600.005",
            "1E+20",
            "-1E+20",
            "1E-20",
            "1000000",
        ]
    ]
)
TERMS = ["goodTillDate", "goodAfterTime", "ocaGroup", "ocaType", "minQty", "triggerMethod", "delta"]
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    int: INTEGERS,
    bool: st.booleans(),
    Decimal: NUMBERS,
    type(None): st.none(),
}
SPY = Contract(symbol="SPY", security_type="STK", exchange="SMART", currency="USD")
EUR = Contract(symbol="EUR", security_type="CASH", exchange="IDEALPRO", currency="USD")
ESZ5 = Contract(local_symbol="ESZ5", security_type="FUT", exchange="CME")
TRADED = st.sampled_from([SPY, SPY, EUR, ESZ5])
OPEN = datetime(2025, 12, 12, 14, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def book() -> BarBook:
    """A stock, a pair and a future, half an hour a bar."""
    return BarBook(
        {
            (name, "30 mins"): [
                Row(
                    OPEN + timedelta(minutes=30 * index),
                    (price, price * 2, price / 2, price, Decimal(1000)),
                    f"{name}:{index}",
                )
                for index in range(13)
            ]
            for name, price in (
                ("SPY", Decimal(600)),
                ("EUR.USD", Decimal("1.05")),
                ("ESZ5", Decimal(6000)),
            )
        }
    )


def nonsense(type_: Any) -> st.SearchStrategy[Any]:
    """Any value of an annotated type, of parts that might make sense elsewhere."""
    if type_ in PLAIN:
        return PLAIN[type_]
    if isinstance(type_, UnionType):
        return st.one_of(*(nonsense(item) for item in get_args(type_)))
    if get_args(type_) and get_args(type_)[-1] is Ellipsis:
        return st.lists(nonsense(get_args(type_)[0]), max_size=2).map(tuple)
    if get_args(type_):
        items = [nonsense(item) for item in get_args(type_)]
        return st.tuples(*items) if type_.__name__ == "tuple" else others()
    built = st.builds(
        type_, **{name: nonsense(hint) for name, hint in get_type_hints(type_).items()}
    )
    return TRADED | built if type_ is Contract else built


def others() -> st.SearchStrategy[dict[str, str]]:
    return st.dictionaries(st.sampled_from(TERMS), TEXTS.filter(bool), max_size=2)


NUMBERED = sorted({*READ_REQUEST, *UNSUPPORTED, 0, 777})
USUAL = {
    "action": st.sampled_from(["BUY", "SELL"]),
    "quantity": st.sampled_from([Decimal(1), Decimal(10), Decimal(90), Decimal(25_000)]),
    "order_type": st.sampled_from(["MKT", "LMT", "STP", "STP LMT", "MOC", "LOC", "MIDPRICE"]),
    "limit_price": st.sampled_from([None, Decimal(1), Decimal(600), Decimal(7000)]),
    "aux_price": st.sampled_from([None, Decimal(1), Decimal(610)]),
    "tif": st.sampled_from(["DAY", "GTC", "IOC", "GTD"]),
    "parent_id": st.sampled_from([0, 0, 1, 2]),
    "transmit": st.sampled_from([True, True, False]),
    "outside_rth": st.booleans(),
    "what_if": st.sampled_from([False, False, True]),
    "other": st.just({}) | others(),
}
UNUSUAL = {"action": TEXTS, "quantity": NUMBERS, "order_type": TEXTS, "limit_price": NUMBERS}
ORDER_IDS = st.integers(1, 4)


def order(**terms: st.SearchStrategy[Any]) -> st.SearchStrategy[q.PlaceOrder]:
    return st.builds(q.PlaceOrder, ORDER_IDS, TRADED, st.builds(OrderTerms, **terms))


ANY_OF = [
    st.one_of(*(nonsense(type_) for type_ in WRITE_REQUEST if type_ is not q.StartApi)),
    order(**(USUAL | UNUSUAL)),
    order(**USUAL),
    st.builds(q.CancelOrder, ORDER_IDS),
]
# A choice of choices is flattened, so the kind is drawn first: a third of it shall be orders.
TYPED = st.integers(0, len(ANY_OF) - 1).flatmap(lambda index: ANY_OF[index])
UNTYPED = st.tuples(
    st.sampled_from(NUMBERED).map(str), st.lists(TEXTS | INTEGERS.map(str), max_size=24)
).map(lambda parts: [parts[0], *parts[1]])


class Conversation:
    """One client, from the bytes it sends to the bytes it gets."""

    def __init__(self, book: BarBook, now: datetime, version: int = 178) -> None:
        holding = InitialHolding("SPY", Decimal(50), Decimal(590))
        self.stage = Stage(Exchange(book, ExchangeOptions(holdings=(holding,), seed=7)))
        self.protocol = ServerProtocol(now)
        self.now = now
        self.say(encode_hello(Hello(157, version)) + encode_frame(["71", "2", "1", ""]))

    def say(self, data: bytes) -> None:
        self.protocol.receive_data(data)
        while (event := self.protocol.next_event()) is not None:
            if isinstance(event, Closed):
                break
            if isinstance(event, q.StartApi):
                self.tell(self.stage.connect(event.client_id, self.now))
            else:
                self.tell(self.stage.handle(1, event, self.now))

    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.tell(self.stage.advance(self.now))

    def tell(self, deliveries: Any) -> None:
        self.protocol.send(reply for client_id, reply in deliveries if client_id == 1)

    def heard(self) -> list[tuple[str, ...]]:
        reader, frames = FrameReader(frame_bytes_max=2**24), []
        reader.receive_data(self.protocol.data_to_send())
        while (fields := reader.next_frame()) is not None:
            frames.append(fields)
        return frames


@settings(max_examples=4 * settings().max_examples)
@given(
    said=st.lists(TYPED | UNTYPED | st.integers(1, 2_000), min_size=1, max_size=6),
    version=st.sampled_from([157, 176, 178]),
)
def test_nonsense_is_answered_and_the_client_lives_on(
    book: BarBook, at: Callable[..., datetime], said: list[Any], version: int
) -> None:
    talk = Conversation(book, at("10:00"), version)
    _hello, *first = talk.heard()
    assert [fields[0] for fields in first[:2]] == ["15", "9"]
    for part in said:
        if isinstance(part, int):
            talk.wait(part)
        else:
            fields = part if isinstance(part, list) else encode_request(part, version)
            talk.say(encode_frame(fields))
    for answer in talk.heard():
        decode_reply(answer, version)
    talk.say(encode_frame(["49", "1"]))
    assert talk.protocol.state is State.READY
    assert talk.heard()[-1] == ("49", "1", str(int(talk.now.timestamp())))


@pytest.mark.parametrize("number", NUMBERED)
def test_each_number_with_nothing_behind_it_is_answered_or_taken(
    number: int, book: BarBook, at: Callable[..., datetime]
) -> None:
    talk = Conversation(book, at("10:00"))
    talk.say(encode_frame([str(number)]))
    talk.say(encode_frame([str(number), *[""] * 20]))
    codes = {fields[3] for fields in talk.heard()[1:] if fields[0] == "4"}
    assert codes <= {"320", "321", "2104", "2106", "2158", "200"}
    assert talk.protocol.state is State.READY


FLOODS: list[Callable[[int], Any]] = [
    lambda number: q.MarketDataRequest(number, SPY, "", False, False, ""),
    lambda number: q.RealTimeBarsRequest(number, SPY, 5, "TRADES", True),
    lambda number: q.TickByTickRequest(number, SPY, "Last", 0, False),
    lambda number: q.AccountUpdatesMultiRequest(number, "DUSIM0001", "", False),
    lambda number: q.AccountSummaryRequest(number, "All", "NetLiquidation"),
    lambda number: q.PnLSingleRequest(number, "DUSIM0001", "", 756733),
    lambda number: q.PlaceOrder(number, SPY, OrderTerms(quantity=Decimal(1), transmit=False)),
    lambda number: q.PlaceOrder(number, SPY, OrderTerms(quantity=Decimal("1.5"))),
]
FLOOD, FLOOD_KEPT_BYTES_MAX = 400, 100
"""Requests of a flood, and what each may leave behind, once a first flood found the limits."""


@pytest.mark.parametrize("make", FLOODS, ids=lambda make: type(make(1)).__name__)
def test_a_flood_leaves_nothing_behind(
    make: Callable[[int], Any], book: BarBook, at: Callable[..., datetime]
) -> None:
    talk = Conversation(book, at("10:00"))

    def flood(first: int) -> None:
        for number in range(first, first + FLOOD):
            talk.say(encode_frame(encode_request(make(number), 178)))
            talk.protocol.data_to_send()

    flood(1)
    tracemalloc.start()
    try:
        flood(1 + FLOOD)
        gc.collect()
        kept, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < FLOOD * FLOOD_KEPT_BYTES_MAX

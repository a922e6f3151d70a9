"""One connection without a socket: hello, start, ready, closed (design/ib.md 1.1)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.replies import CurrentTime
from gateway.simulator.requests import CurrentTimeRequest, MatchingSymbolsRequest, StartApi
from gateway.simulator.wire.codec import (
    FRAME_BYTES_MAX,
    FrameReader,
    Hello,
    encode_frame,
    encode_hello,
)
from gateway.simulator.wire.protocol import Closed, ServerProtocol, State

NOW = datetime(2025, 12, 12, 15, tzinfo=UTC)
HELLO = encode_hello(Hello(157, 178))
START = encode_frame(["71", "2", "3", ""])
TIME = encode_frame(["49", "1"])


def heard(protocol: ServerProtocol) -> list[tuple[str, ...]]:
    reader, frames = FrameReader(), []
    reader.receive_data(protocol.data_to_send())
    while (fields := reader.next_frame()) is not None:
        frames.append(fields)
    return frames


def fed(*parts: bytes) -> ServerProtocol:
    protocol = ServerProtocol(NOW)
    for part in parts:
        protocol.receive_data(part)
    return protocol


def test_the_hello_is_answered_with_version_and_time_and_nothing_else() -> None:
    protocol = fed(HELLO)
    assert protocol.next_event() is None
    assert heard(protocol) == [("178", "20251212 15:00:00 UTC")]
    assert protocol.state is State.START


def test_a_ready_client_is_understood_and_answered() -> None:
    protocol = fed(HELLO, START, TIME)
    assert [protocol.next_event() for _ in range(3)] == [
        StartApi(3, ""),
        CurrentTimeRequest(),
        None,
    ]
    protocol.data_to_send()
    protocol.send([CurrentTime(5)])
    assert heard(protocol) == [("49", "1", "5")]
    assert protocol.data_to_send() == b""


def test_a_client_that_needs_a_newer_server_is_told_and_closed() -> None:
    protocol = fed(encode_hello(Hello(213, 230)))
    assert isinstance(protocol.next_event(), Closed)
    assert heard(protocol)[0][3] == "506"
    assert protocol.state is State.CLOSED


def test_a_request_before_the_start_is_refused() -> None:
    protocol = fed(HELLO, TIME)
    assert protocol.next_event() is None
    assert heard(protocol)[1][2:4] == ("-1", "504")


def test_a_second_start_is_refused() -> None:
    protocol = fed(HELLO, START, START)
    assert [protocol.next_event(), protocol.next_event()] == [StartApi(3, ""), None]
    assert heard(protocol)[1][3] == "320"


def test_a_request_that_makes_no_sense_is_refused_and_the_next_one_understood() -> None:
    protocol = fed(HELLO, START, encode_frame(["9", "8", "41"]), TIME)
    assert [protocol.next_event(), protocol.next_event()] == [StartApi(3, ""), CurrentTimeRequest()]
    assert heard(protocol)[1][2:4] == ("41", "320")


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\x01x"])
def test_a_broken_frame_closes_a_ready_connection_with_a_reason(garbage: bytes) -> None:
    protocol = fed(HELLO, START, garbage)
    assert protocol.next_event() == StartApi(3, "")
    assert isinstance(protocol.next_event(), Closed)
    assert heard(protocol)[1][3] == "507"


def test_a_closed_connection_understands_nothing_more() -> None:
    protocol = fed(b"GET / HTTP/1.1\r\n\r\n")
    assert isinstance(protocol.next_event(), Closed)
    protocol.receive_data(HELLO)
    assert protocol.next_event() is None
    assert protocol.data_to_send() == b""


def drained(protocol: ServerProtocol) -> list[Any]:
    """Every event there is. Each takes bytes, so they end."""
    events = []
    while (event := protocol.next_event()) is not None:
        events.append(event)
        assert len(events) < 20_000, "events without end"
        if isinstance(event, Closed):
            break
    return events


PARTS = st.lists(
    st.one_of(
        st.binary(max_size=60),
        st.sampled_from([HELLO, START, TIME, HELLO[:7], TIME[:5], b"\xff" * 4, b"\0" * 4]),
        st.lists(st.text(max_size=8), min_size=1, max_size=6).map(
            lambda fields: encode_frame([text.replace("\0", "") for text in fields])
        ),
        st.integers(0, 2**32 - 1).map(lambda length: length.to_bytes(4, "big")),
    ),
    max_size=8,
)


@given(PARTS, st.booleans(), st.integers(1, 50))
def test_any_bytes_end_as_requests_or_a_closed_connection(
    parts: list[bytes], ready: bool, size: int
) -> None:
    """Garbage, torn frames, huge lengths, a hello in the middle: never an exception."""
    data = (HELLO + START if ready else b"") + b"".join(parts)
    protocol = ServerProtocol(NOW)
    events = []
    for start in range(0, len(data), size):
        protocol.receive_data(data[start : start + size])
        events += drained(protocol)
        assert protocol.bytes_held - len(protocol.data_to_send()) <= FRAME_BYTES_MAX + 4
    closed = [event for event in events if isinstance(event, Closed)]
    assert len(closed) == (protocol.state is State.CLOSED)
    assert all(event.reason for event in closed)


@pytest.mark.parametrize(
    ("hello", "reason"),
    [
        (b"GET / HTTP/1.1\r\n", "does not begin with API"),
        (b"\x16\x03\x01\x02\0", "does not begin with API"),
        (b"API\0\xff\xff\xff\xff", "frame of 4294967295 bytes, allowed 1 to 1024"),
        (b"API\0\0\0\0\0", "frame of 0 bytes"),
        (b"API\0\0\0\0\4v9..", "the hello is not of the form"),
        (encode_hello(Hello(100, 156)), "understands versions 100 to 156, this server 157 to 178"),
        (encode_hello(Hello(201, 999_999)), "understands versions 201 to 999999"),
        (encode_hello(Hello(178, 157)), "understands versions 178 to 157"),
    ],
)
def test_a_bad_hello_closes_the_connection_and_says_what_was_wrong(
    hello: bytes, reason: str
) -> None:
    protocol = fed(hello)
    (closed,) = drained(protocol)
    assert reason in closed.reason
    assert protocol.bytes_held - len(protocol.data_to_send()) == 0


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"\0\0\0\2ab", "a frame does not end with a zero byte"),
        (b"\0\1\0\1", "frame of 65537 bytes, allowed 1 to 65536"),
        (b"\0\0\0\0", "frame of 0 bytes"),
    ],
)
def test_a_broken_frame_is_answered_with_what_was_wrong(frame: bytes, reason: str) -> None:
    protocol = fed(HELLO, START, frame)
    *_, closed = drained(protocol)
    assert reason in closed.reason
    assert heard(protocol)[-1][3:5] == ("507", f"Bad message: {closed.reason}")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (["777"], "no request has the number '777'"),
        ([""], "no request has the number ''"),
        (["9", "8"], "request 9: fewer fields than the message has"),
        (["61", "1", "x"], "request 61: 1 fields too many"),
        (["92", "x", "DU1", ""], "request 92: request_id: 'x' is not an integer"),
        (["20", "7", "1", "", "BAG", *[""] * 16, "9999999"], "a count of 9999999 items"),
    ],
)
def test_a_request_that_makes_no_sense_is_answered_with_the_reason(
    fields: list[str], reason: str
) -> None:
    protocol = fed(HELLO, START, encode_frame(fields))
    assert drained(protocol) == [StartApi(3, "")]
    assert heard(protocol)[-1][3] == "320"
    protocol.receive_data(encode_frame(fields))
    drained(protocol)
    assert reason in heard(protocol)[-1][4]


def test_letters_that_are_no_utf_8_are_replaced() -> None:
    protocol = fed(HELLO, START, b"\0\0\0\x0881\x007\0\xff\xfe\0")
    assert drained(protocol)[1] == MatchingSymbolsRequest(7, "\ufffd\ufffd")


def test_a_client_that_speaks_another_language_is_closed() -> None:
    """A flood of frames nobody understands makes a bounded answer and then none."""
    protocol = fed(HELLO, START, encode_frame(["seven"]) * 10_000)
    events = drained(protocol)
    assert events[1:] == [Closed("100 requests in a row could not be understood")]
    assert protocol.bytes_held < 20_000
    assert len(heard(protocol)) == 1 + 100 + 1


def test_a_few_misunderstandings_in_between_do_no_harm() -> None:
    bad = encode_frame(["seven"]) * 99
    protocol = fed(HELLO, START, *[bad, TIME] * 3)
    assert drained(protocol)[1:] == [CurrentTimeRequest()] * 3
    assert protocol.state is State.READY


def test_a_flood_is_understood_one_request_at_a_time() -> None:
    """Nothing is answered ahead of the broker, so a flood costs what it weighs."""
    protocol = fed(HELLO, START)
    drained(protocol)
    protocol.data_to_send()
    protocol.receive_data(TIME * 5_000)
    assert protocol.bytes_held == len(TIME) * 5_000
    assert len(drained(protocol)) == 5_000
    assert protocol.bytes_held == 0


def test_a_frame_that_never_ends_keeps_no_more_than_a_frame() -> None:
    protocol = fed(HELLO, START, FRAME_BYTES_MAX.to_bytes(4, "big"))
    drained(protocol)
    protocol.data_to_send()
    for _ in range(FRAME_BYTES_MAX // 1024 - 1):
        protocol.receive_data(b"x" * 1024)
        assert drained(protocol) == []
    assert protocol.bytes_held <= FRAME_BYTES_MAX
    protocol.receive_data(b"x" * 1024 + TIME * 10)
    assert isinstance(drained(protocol)[-1], Closed)
    protocol.receive_data(b"x" * 100_000)
    protocol.data_to_send()
    assert protocol.bytes_held == 0


def test_silence_costs_nothing() -> None:
    """Thousands that connect and say nothing, half a hello, or half a frame."""
    said = [b"", HELLO[:9], HELLO + TIME[:5], HELLO + START + TIME[:6]]
    protocols = [fed(said[index % len(said)]) for index in range(4_000)]
    for protocol in protocols:
        drained(protocol)
        protocol.data_to_send()
    assert sum(protocol.bytes_held for protocol in protocols) <= 4_000 * 9

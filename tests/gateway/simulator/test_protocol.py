"""One connection without a socket: hello, start, ready, closed (design/ib.md 1.1)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.codec import FrameReader, Hello, encode_frame, encode_hello
from gateway.simulator.protocol import Closed, ServerProtocol, State
from gateway.simulator.replies import CurrentTime
from gateway.simulator.requests import CurrentTimeRequest, StartApi

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


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_end_as_requests_or_a_closed_connection(data: bytes, ready: bool) -> None:
    protocol = fed(HELLO + START if ready else b"", data)
    for _ in range(400):
        event = protocol.next_event()
        if event is None or isinstance(event, Closed):
            return
    pytest.fail("events without end")

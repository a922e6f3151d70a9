"""Framing and value rules of IB's wire (design/ib.md 1.1, 1.2)."""

import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.wire.codec import (
    FRAME_BYTES_MAX,
    FrameReader,
    Hello,
    ProtocolError,
    bool_text,
    decimal_text,
    encode_frame,
    encode_hello,
    escaped,
    is_unset,
    parse_hello,
)

FIELDS = st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8")), min_size=1)


@given(st.lists(FIELDS, max_size=4), st.lists(st.integers(0, 200), max_size=6))
def test_frames_cut_anywhere_come_out_whole(frames: list[list[str]], cuts: list[int]) -> None:
    data = b"".join(encode_frame(fields) for fields in frames)
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    reader, seen = FrameReader(), []
    for start, end in itertools.pairwise(edges):
        reader.receive_data(data[start:end])
        while (fields := reader.next_frame()) is not None:
            seen.append(list(fields))
    assert seen == frames


def test_the_hello_arrives_byte_by_byte() -> None:
    reader, seen = FrameReader(), []
    for byte in encode_hello(Hello(157, 178, "+PACEAPI")):
        reader.receive_data(bytes([byte]))
        seen.append(reader.next_hello())
    assert seen[-1] == Hello(157, 178, "+PACEAPI")
    assert set(seen[:-1]) == {None}


@pytest.mark.parametrize(
    ("hello", "version"),
    [
        (Hello(157, 178), 178),
        (Hello(157, 176), 176),
        (Hello(100, 157), 157),
        (Hello(100, 226), 178),
        (Hello(213, 230), None),
        (Hello(100, 156), None),
    ],
)
def test_the_version_is_the_lower_maximum(hello: Hello, version: int | None) -> None:
    """ib.md 1.1: min(client max, 178), each row a client there."""
    assert hello.negotiate() == version


@pytest.mark.parametrize("payload", [b"", b"157", b"v157..", b"v157..9999999", b"v1..2x"])
def test_a_hello_of_another_form_is_refused(payload: bytes) -> None:
    with pytest.raises(ProtocolError, match="hello"):
        parse_hello(payload)


def test_a_single_version_is_a_range_of_one() -> None:
    assert parse_hello(b"v178") == Hello(178, 178)


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1", b"A\0", b"APX"])
def test_another_protocol_is_refused_at_its_first_bytes(data: bytes) -> None:
    reader = FrameReader()
    reader.receive_data(data)
    with pytest.raises(ProtocolError, match="API"):
        reader.next_hello()


@pytest.mark.parametrize("length", [0, FRAME_BYTES_MAX + 1, 2**32 - 1])
def test_an_impossible_length_is_refused_before_its_bytes_come(length: int) -> None:
    reader = FrameReader()
    reader.receive_data(length.to_bytes(4, "big"))
    with pytest.raises(ProtocolError, match="frame of"):
        reader.next_frame()


def test_a_frame_without_its_last_zero_is_refused() -> None:
    reader = FrameReader()
    reader.receive_data(b"\0\0\0\x02ab")
    with pytest.raises(ProtocolError, match="zero byte"):
        reader.next_frame()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("100", "100"),
        ("100.0", "100"),
        ("1E+2", "100"),
        ("590.010", "590.01"),
        ("-0.00", "0"),
        ("0E-10", "0"),
        ("1E-7", "0.0000001"),
        ("-590.0000000000000000000000001", "-590"),
        ("548.9444444444444444444444444", "548.944444444444"),
        ("12345678901234567.25", "12345678901234600"),
    ],
)
def test_numbers_have_no_needless_digits(value: str, text: str) -> None:
    """ib.md 1.2: sizes as 100, not 100.0; a decimal point only."""
    assert decimal_text(Decimal(value)) == text


def test_booleans_are_digits() -> None:
    assert (bool_text(True), bool_text(False)) == ("1", "0")


@pytest.mark.parametrize(
    "text",
    ["", "1.7976931348623157E308", "1.7976931348623157e+308", "2147483647", "9223372036854775807"],
)
def test_each_unset_value_is_known(text: str) -> None:
    assert is_unset(text)


def test_other_letters_are_escaped() -> None:
    assert escaped("Nestlé") == r"Nestl\xe9"

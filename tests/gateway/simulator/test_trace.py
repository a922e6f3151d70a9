"""A trace: lines that a person reads and from which every byte can be had back."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.market.bars import BarBook
from gateway.simulator.replies import ManagedAccounts
from gateway.simulator.requests import PlaceOrder
from gateway.simulator.trace import (
    TITLE,
    Entry,
    Head,
    Recorder,
    TraceError,
    bytes_of,
    digest_of,
    read_trace,
)
from gateway.simulator.wire.codec import (
    UNSET_DOUBLE,
    Hello,
    encode_frame,
    encode_hello,
)
from gateway.simulator.wire.messages import encode_reply, encode_request

NOW = datetime(2025, 12, 12, 15, 0, 0, 250000, tzinfo=UTC)
HELLO = encode_hello(Hello(157, 178, "+PACEAPI"))
GREETING = encode_frame(["178", "20251212 15:00:00 UTC"])
FIELDS = st.lists(st.text(max_size=8) | st.sampled_from(["", "", UNSET_DOUBLE, "~3", "*2", '"']))


def payload(frame: bytes) -> bytes:
    return frame[4:]


def traced(*frames: bytes, to_client: bytes = b"", version: int = 178) -> list[Entry]:
    """The lines of a connection after its hello and greeting."""
    entries: list[Entry] = []
    track = Recorder(entries.append, NOW).opened()
    track.received(HELLO[8:])
    track.sent(encode_frame([str(version), "20251212 15:00:00 UTC"]))
    track.client = "7"
    for frame in frames:
        track.received(payload(frame))
    track.sent(to_client)
    return entries[3:]


def test_a_line_says_when_who_which_way_and_every_field_by_its_name() -> None:
    cancel = encode_frame(["4", "1", "12", ""])
    accounts = encode_frame(encode_reply(ManagedAccounts("DUSIM0001"), 178))
    lines = [str(entry) for entry in traced(cancel, to_client=accounts)]
    assert lines == [
        "2025-12-12T15:00:00.250000Z 1/7 > 4:CancelOrder =1 order_id=12 *1",
        "2025-12-12T15:00:00.250000Z 1/7 < 15:ManagedAccounts =1 accounts=DUSIM0001",
    ]


def test_a_connection_begins_with_its_hello_and_the_greeting() -> None:
    entries: list[Entry] = []
    track = Recorder(entries.append, NOW).opened()
    track.received(HELLO[8:])
    track.sent(GREETING)
    track.closed("the client left")
    track.closed("and this is no news")
    assert [(entry.mark, entry.said) for entry in entries] == [
        ("!", "opened"),
        (">", 'hello "v157..178 +PACEAPI"'),
        ("<", '178:Greeting time="20251212 15:00:00 UTC"'),
        ("!", "closed the client left"),
    ]
    assert (bytes_of(entries[1].said), bytes_of(entries[2].said)) == (HELLO, GREETING)


@pytest.mark.parametrize("version", [157, 176, 178])
def test_an_order_has_its_names_at_every_version(
    order: Callable[..., PlaceOrder], version: int
) -> None:
    frame = encode_frame(encode_request(order(3, limit_price=None), version))
    (entry,) = traced(frame, version=version)
    for word in ("orderId=3", "symbol=SPY", "action=BUY", "totalQuantity=10", "orderRef=ref-1"):
        assert f" {word} " in entry.said
    assert bytes_of(entry.said) == frame


@given(FIELDS, st.booleans())
def test_the_bytes_of_any_fields_can_be_had_back(fields: list[str], to_server: bool) -> None:
    clean = [text.replace("\0", "") for text in fields] or [""]
    frame = encode_frame(clean)
    (entry,) = traced(frame) if to_server else traced(to_client=frame)
    assert bytes_of(entry.said) == frame
    text = "\n".join([*Head().lines(), str(entry)])
    assert text.isascii()
    assert read_trace(text).entries == (entry,)


@given(st.binary(min_size=1, max_size=40))
def test_any_bytes_can_be_had_back(data: bytes) -> None:
    sent = traced(to_client=data)
    assert b"".join(bytes_of(entry.said) for entry in sent) == data
    framed = len(data).to_bytes(4, "big") + data
    (received,) = traced(framed)
    assert bytes_of(received.said) == framed


def test_a_frame_that_does_not_fit_its_layout_keeps_its_fields_without_names() -> None:
    (entry,) = traced(encode_frame(["4", "1", "12", "", "too", "many"]))
    assert entry.said == "4:CancelOrder =1 =12 *1 =too =many"


def test_the_head_says_what_the_session_was_started_with(book: BarBook) -> None:
    head = Head(("--seed", "7", "--holding", "SPY=50@590.00"), digest_of(book), "")
    assert read_trace("\n".join(head.lines())).head == head


def test_the_digest_is_of_every_bar(book: BarBook, shared_book: BarBook) -> None:
    assert digest_of(book) == digest_of(book)
    assert digest_of(book) != digest_of(shared_book)


LINE = "2025-12-12T15:00:00.250000Z 1/7 > "


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (["something else"], "line 1: not a trace"),
        ([TITLE], "line 2: not the head"),
        ([TITLE, '# {"options": []}'], "line 2: not the head"),
        ([*Head().lines(), "what is this"], "line 3: not of the form"),
        ([*Head().lines(), f"{LINE}CancelOrder"], "line 3: 'CancelOrder' is neither"),
        ([*Head().lines(), f"{LINE}4:CancelOrder 12"], "line 3: '12' is not like name=text"),
        ([*Head().lines(), f'{LINE}4:CancelOrder ="\\q"'], "is not a JSON string"),
        ([*Head().lines(), f"{LINE}bytes xy"], "line 3: 'bytes xy' is not what can be sent"),
        ([*Head().lines(), f"{LINE}hello 5"], "is not what can be sent"),
        ([*Head().lines(), "2025-99-12T15:00:00Z 1/7 ! opened"], "line 3: "),
    ],
)
def test_a_trace_that_cannot_be_read_is_told_with_its_line(
    lines: list[str], complaint: str
) -> None:
    with pytest.raises(TraceError, match=complaint.replace("(", r"\(")):
        read_trace("\n".join(lines))


def test_a_verb_of_the_control_port_is_a_line() -> None:
    entries: list[Any] = []
    Recorder(entries.append, NOW).verb("POST", "/splits", {"symbol": "SPY", "ratio": "2"})
    said = 'POST /splits {"symbol": "SPY", "ratio": "2"}'
    assert str(entries[0]) == f"2025-12-12T15:00:00.250000Z 0/- @ {said}"

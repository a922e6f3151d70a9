"""Every message: encoded, decoded, and as long as IB's (design/ib.md 1.3-1.7)."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import UnionType
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import OrderTerms
from gateway.simulator.wire.codec import FrameReader, encode_frame
from gateway.simulator.wire.messages import (
    READ_REPLY,
    WRITE_REPLY,
    WRITE_REQUEST,
    UnreadableRequest,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
    reply_frames,
)

VERSIONS = (157, 176, 178)
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\\"))
NUMBERS = st.decimals(-(10**9), 10**9, places=4).map(lambda value: value + 0)
JUNE = datetime(2025, 6, 1, tzinfo=UTC)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    int: st.integers(-(2**31), 2**31 - 2),
    bool: st.booleans(),
    Decimal: NUMBERS,
    datetime: st.integers(0, 10**6).map(lambda seconds: JUNE + timedelta(seconds=seconds)),
    type(None): st.none(),
}


def values(type_: Any) -> st.SearchStrategy[Any]:
    """Any value of an annotated type."""
    if type_ in PLAIN:
        return PLAIN[type_]
    if isinstance(type_, UnionType):
        return st.one_of(*(values(item) for item in get_args(type_)))
    if get_args(type_) and get_args(type_)[-1] is Ellipsis:
        return st.lists(values(get_args(type_)[0]), max_size=3).map(tuple)
    if type_ is OrderTerms:
        return terms()
    if type_ is r.TickByTickTrade:
        return st.builds(type_, **{**hinted(type_), "kind": st.sampled_from([1, 2])})
    return st.builds(type_, **hinted(type_))


def hinted(type_: Any) -> dict[str, st.SearchStrategy[Any]]:
    """Any value for each attribute; half of the contracts are combinations, which have legs."""
    hints = {name: values(hint) for name, hint in get_type_hints(type_).items()}
    if "security_type" in hints:
        hints["security_type"] = st.sampled_from(["STK", "BAG"])
    return hints


def terms() -> st.SearchStrategy[OrderTerms]:
    """Orders with an algorithm and some attributes of IB's that the broker only echoes."""
    word = st.text("ABCdef123", min_size=1, max_size=8)
    price = st.none() | st.decimals(1, 999, places=2)
    others = st.dictionaries(st.sampled_from(["rule80A", "minQty", "triggerMethod"]), word)
    strategy = st.builds(
        OrderTerms,
        quantity=NUMBERS,
        limit_price=price,
        aux_price=price,
        order_ref=TEXTS,
        order_type=st.sampled_from(["MKT", "LMT", "PEG BENCH"]),
        algo_strategy=st.just("Adaptive"),
        algo_parameters=st.lists(st.tuples(word, word), max_size=3).map(tuple),
        what_if=st.booleans(),
        other=others,
    )
    return strategy


# There are eighty messages: a few examples of each, more of them at night.
EXAMPLES = settings().max_examples
FEW = settings(max_examples=max(EXAMPLES // 5, 8))


def received(data: bytes, cuts: list[int]) -> list[tuple[str, ...]]:
    """The frames of a stream that arrives cut at these bytes."""
    reader, frames = FrameReader(), []
    edges = [0, *sorted(cut % len(data) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        reader.receive_data(data[start:end])
        while (fields := reader.next_frame()) is not None:
            frames.append(fields)
    assert reader.buffered == 0
    return frames


@pytest.mark.parametrize("type_", get_args(r.Reply), ids=lambda type_: type_.__name__)
@FEW
@given(data=st.data(), cuts=st.lists(st.integers(0, 10_000), max_size=6))
def test_a_reply_cut_anywhere_survives_the_wire(
    type_: type[Any], data: st.DataObject, cuts: list[int]
) -> None:
    version = data.draw(st.sampled_from(VERSIONS))
    replies = data.draw(st.lists(values(type_), min_size=1, max_size=2))
    sent = [encode_reply(reply, version) for reply in replies]
    stream = reply_frames(replies, version)
    assert stream == b"".join(map(encode_frame, sent))
    frames = received(stream, cuts)
    again = [decode_reply(fields, version) for fields in frames]
    assert [type(reply) for reply in again] == [type_] * len(replies)
    assert [encode_reply(reply, version) for reply in again] == sent


@pytest.mark.parametrize("type_", WRITE_REQUEST, ids=lambda type_: type_.__name__)
@FEW
@given(data=st.data(), cuts=st.lists(st.integers(0, 10_000), max_size=6))
def test_a_request_cut_anywhere_survives_the_wire(
    type_: type[Any], data: st.DataObject, cuts: list[int]
) -> None:
    version = data.draw(st.sampled_from(VERSIONS))
    requests = data.draw(st.lists(values(type_), min_size=1, max_size=2))
    sent = [encode_request(request, version) for request in requests]
    frames = received(b"".join(map(encode_frame, sent)), cuts)
    again = [decode_request(fields, version) for fields in frames]
    assert [type(request) for request in again] == [type_] * len(requests)
    assert [encode_request(request, version) for request in again] == sent


def test_an_order_may_be_cut_at_every_byte() -> None:
    data = encode_frame(encode_request(q.PlaceOrder(1, Contract(), OrderTerms()), 178))
    whole = received(data, [])
    assert all(received(data, [cut]) == whole for cut in range(len(data)))


Damage = Callable[[list[str]], list[str]]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda fields: fields[:-1], "fewer fields"),
        (lambda fields: [*fields, ""], "1 fields too many"),
        (lambda fields: [*fields[:2], "x", *fields[3:]], "not an integer"),
        (lambda fields: ["777"], "no request has the number"),
        (lambda fields: ["seven"], "no request has the number"),
        (lambda fields: ["9" * 5000], "no request has the number"),
    ],
)
def test_a_damaged_request_is_refused_with_the_reason(damage: Damage, reason: str) -> None:
    fields = encode_request(q.ContractDetailsRequest(41, Contract()), 178)
    with pytest.raises(UnreadableRequest, match=reason):
        decode_request(tuple(damage(fields)), 178)


def test_a_damaged_request_is_refused_under_its_own_id() -> None:
    fields = encode_request(q.ContractDetailsRequest(41, Contract()), 178)
    with pytest.raises(UnreadableRequest) as refused:
        decode_request(tuple(fields[:-1]), 178)
    assert refused.value.request_id == 41


@pytest.mark.parametrize(
    ("fields", "request_id"), [(("52", "3", "12"), 12), (("88", "13"), 13), (("82",), -1)]
)
def test_a_request_that_is_not_offered_is_told_apart(
    fields: tuple[str, ...], request_id: int
) -> None:
    assert decode_request(fields, 178) == q.UnsupportedRequest(int(fields[0]), request_id)


@given(st.lists(TEXTS | st.from_regex(r"\d{1,25}(\.\d+)?", fullmatch=True), min_size=1))
def test_any_fields_are_a_request_or_unreadable(fields: list[str]) -> None:
    for number in ("3", "9", "20", "1", fields[0]):
        try:
            decode_request((number, *fields), 178)
        except UnreadableRequest:
            continue


def test_each_reply_has_a_reader_and_a_writer() -> None:
    """Message 99 is three replies, told apart by their kind of tick."""
    assert set(WRITE_REPLY) - {r.Miscounted} == set(get_args(r.Reply))
    assert len(READ_REPLY) == len(get_args(r.Reply)) - 2

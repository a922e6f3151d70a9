"""Every message: encoded, decoded, and as long as IB's (design/ib.md 1.3-1.7)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import UnionType
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.contracts import Contract
from gateway.simulator.messages import (
    READ_REPLY,
    WRITE_REPLY,
    WRITE_REQUEST,
    UnreadableRequest,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
)
from gateway.simulator.orders import Execution, OrderState, OrderTerms

VERSIONS = (157, 163, 164, 166, 170, 176, 177, 178)
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
    return st.builds(type_, **{name: values(hint) for name, hint in get_type_hints(type_).items()})


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


@pytest.mark.parametrize("type_", WRITE_REPLY, ids=lambda type_: type_.__name__)
@given(data=st.data())
def test_a_reply_survives_the_wire(type_: type[Any], data: st.DataObject) -> None:
    version = data.draw(st.sampled_from(VERSIONS))
    fields = encode_reply(data.draw(values(type_)), version)
    assert encode_reply(decode_reply(tuple(fields), version), version) == fields


@pytest.mark.parametrize("type_", WRITE_REQUEST, ids=lambda type_: type_.__name__)
@given(data=st.data())
def test_a_request_survives_the_wire(type_: type[Any], data: st.DataObject) -> None:
    version = data.draw(st.sampled_from(VERSIONS))
    fields = encode_request(data.draw(values(type_)), version)
    request = decode_request(tuple(fields), version)
    assert type(request) is type_
    assert encode_request(request, version) == fields


ONE = Decimal(1)
EXECUTION = Execution("1.2.3.01", JUNE, "ARCA", "BOT", ONE, ONE, ONE, ONE)
OPEN_ORDER = r.OpenOrder(1, 1, 1, Contract(), OrderTerms(), OrderState("Filled"))
COMPLETED = r.CompletedOrder(1, Contract(), OrderTerms(), "Filled", ONE, "", "")
DETAILS = r.ContractDetails(
    1, Contract(), "SPY", "SPDR", "ETF", ONE, "MKT", "SMART", "26", "US/Eastern", "", ""
)
PORTFOLIO = r.PortfolioItem(Contract(), ONE, ONE, ONE, ONE, ONE, ONE, "DU1")
COUNTS: list[tuple[Any, dict[int, int]]] = [
    (OPEN_ORDER, {157: 128, 164: 131, 170: 136, 177: 135, 178: 135}),
    (COMPLETED, {157: 96, 169: 96, 178: 100}),
    (
        r.ExecutionDetails(-1, 1, 1, 1, Contract(), EXECUTION, "DU1", ""),
        {157: 31, 177: 31, 178: 32},
    ),
    (PORTFOLIO, {157: 20, 178: 20}),
    (r.Position("DU1", Contract(), ONE, ONE), {157: 16, 178: 16}),
    (r.PositionMulti(1, "DU1", Contract(), ONE, ONE, ""), {157: 18, 178: 18}),
    (r.CommissionReport("1", ONE, "USD", None), {157: 8, 178: 8}),
    (r.TickPrice(1, 1, ONE, ONE), {157: 7, 178: 7}),
    (r.OrderStatus(1, "Filled", ONE, ONE, ONE, 1, 0, ONE, 1), {157: 12, 178: 12}),
    (r.Notice(-1, 2104, "fine"), {157: 5, 165: 5, 166: 6, 178: 6}),
    (DETAILS, {157: 39, 163: 40, 164: 40, 178: 40}),
    (r.NextValidId(1), {157: 3, 178: 3}),
    (r.ManagedAccounts("DU1"), {157: 3, 178: 3}),
    (r.AccountValue("k", "v", "USD", "DU1"), {157: 6, 178: 6}),
    (r.HistoricalData(1, "", "", ()), {157: 5, 178: 5}),
]


@pytest.mark.parametrize(("reply", "counts"), COUNTS, ids=lambda item: type(item).__name__)
def test_a_reply_has_the_fields_that_ib_sends(reply: Any, counts: dict[int, int]) -> None:
    assert {version: len(encode_reply(reply, version)) for version in counts} == counts


def test_a_plain_order_has_114_fields_at_178_and_110_at_157() -> None:
    """ib.md 1.4."""
    request = q.PlaceOrder(1, Contract(), OrderTerms())
    assert [len(encode_request(request, version)) for version in (157, 178)] == [110, 114]


@pytest.mark.parametrize(
    ("index", "text"),
    [(3, "SPY"), (13, "BUY"), (23, "ref"), (25, "77"), (61, "None"), (92, "0"), (93, "Filled")],
)
def test_an_open_order_says_each_thing_at_its_place(index: int, text: str) -> None:
    """ib.md 1.6, indexes at 178."""
    contract = Contract(con_id=1, symbol="SPY", security_type="STK")
    asked = OrderTerms(order_ref="ref")
    reply = r.OpenOrder(5, 1, 77, contract, asked, OrderState("Filled"))
    assert encode_reply(reply, 178)[index] == text


@pytest.mark.parametrize(("index", "text"), [(13, "0"), (22, "ref"), (23, "77"), (86, "10")])
def test_a_completed_order_says_each_thing_at_its_place(index: int, text: str) -> None:
    """ib.md 1.7: total quantity 0 for a filled order, the filled quantity near the end."""
    asked = OrderTerms(quantity=Decimal(10), order_ref="ref")
    reply = r.CompletedOrder(77, Contract(), asked, "Filled", Decimal(10), "", "")
    assert encode_reply(reply, 178)[index] == text


def test_execution_times_carry_a_zone_that_clients_know() -> None:
    """ib.md 1.2: other zone names lose the fill."""
    reply = r.ExecutionDetails(-1, 1, 1, 1, Contract(), EXECUTION, "DU1", "")
    assert encode_reply(reply, 178)[15] == "20250531 20:00:00 US/Eastern"


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
    ("fields", "request_id"), [(("50", "3", "12"), 12), (("96", "13"), 13), (("82",), -1)]
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
    assert len(READ_REPLY) == len(WRITE_REPLY) == len(get_args(r.Reply))

"""Exact both ways for every message and document, and a sentence for what does not validate."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.store_rules import check_value
from schemas.codec import (
    MESSAGE_BYTES_MAX,
    Invalid,
    attributes,
    decode,
    decode_command,
    encode,
    from_document,
    json_schema,
    to_document,
)
from schemas.commands import COMMANDS, Adopt, Halt, Run, Transfer
from schemas.documents import DOCUMENTS, LedgerDocument
from schemas.messages import TOPICS, Market, Message, Report, Target, Targets
from schemas.settings import Settings, StrategyDocument
from schemas.values import Contract, Mode

type Instances = Callable[[type], st.SearchStrategy[Any]]

AT = datetime(2025, 11, 25, 15, 0, tzinfo=UTC)


def by_hand(**fields: object) -> bytes:
    return json.dumps({"strategy": "manual", **fields}).encode()


# ---------------------------------------------------------------------- round trips


# There are thirty kinds, some of them large: a few examples of each, more of them at night.
FEW = settings(max_examples=max(settings().max_examples // 4, 10))


@pytest.mark.parametrize("kind", TOPICS, ids=lambda kind: kind.__name__)
@FEW
@given(data=st.data())
def test_a_message_survives_the_wire(
    kind: type[Message], instances: Instances, data: st.DataObject
) -> None:
    message = data.draw(instances(kind))
    assert decode(kind, encode(message)) == message
    assert encode(decode(kind, encode(message))) == encode(message)


@pytest.mark.parametrize("kind", COMMANDS.values(), ids=COMMANDS.keys())
@given(data=st.data())
def test_a_command_is_told_apart_by_its_name(
    kind: type[Message], instances: Instances, data: st.DataObject
) -> None:
    command = data.draw(instances(kind))
    assert decode_command(encode(command)) == command


@pytest.mark.parametrize("kind", DOCUMENTS, ids=lambda kind: kind.__name__)
@FEW
@given(data=st.data())
def test_a_document_survives_firestore(
    kind: type, instances: Instances, data: st.DataObject
) -> None:
    value = data.draw(instances(kind))
    document = to_document(value)
    check_value(document)
    assert from_document(kind, document) == value


@given(st.builds(Decimal.scaleb, st.integers(-(10**20), 10**20).map(Decimal), st.integers(-15, -5)))
def test_no_digit_of_a_quantity_is_lost(quantity: Decimal) -> None:
    targets = Targets("manual", (Target("SPY", quantity),))
    found = decode(Targets, encode(targets)).targets[0].quantity
    assert found.as_tuple() == quantity.as_tuple()


def test_a_number_written_by_hand_is_read_digit_by_digit() -> None:
    data = (
        b'{"strategy": "manual", "targets": [{"symbol": "EUR", "quantity": 0.1000000000000000055}]}'
    )
    assert decode(Targets, data).targets[0].quantity == Decimal("0.1000000000000000055")


def test_what_a_person_writes_by_hand_is_enough() -> None:
    found = decode(Targets, by_hand(targets=[{"symbol": "SPY", "quantity": 10}]))
    assert found == Targets("manual", (Target("SPY", Decimal(10)),))
    assert found.targets[0].contract == Contract("SPY", "STK", "SMART", "USD")


def test_a_time_keeps_its_moment_in_any_zone() -> None:
    eastern = timezone(timedelta(hours=-5))
    found = decode(Targets, by_hand(as_of="2025-11-25T10:00:00-05:00"))
    assert found.as_of == AT == datetime(2025, 11, 25, 10, 0, tzinfo=eastern)


# ---------------------------------------------------------------------- documents for the eye


def test_a_decimal_has_a_number_beside_it_for_the_eye() -> None:
    document = to_document(StrategyDocument(weight=Decimal("0.40")))
    assert (document["weight"], document["weight_number"]) == ("0.40", 0.4)


def test_a_person_may_edit_the_text_and_forget_the_number() -> None:
    document = {**to_document(Settings()), "rebalance_band": "0.02"}
    assert document["rebalance_band_number"] == 0.01
    assert from_document(Settings, document).rebalance_band == Decimal("0.02")


def test_a_document_may_leave_out_what_has_a_default() -> None:
    assert from_document(Settings, {}) == Settings()
    assert from_document(LedgerDocument, {"positions": {}}).positions == {}


# ---------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "the message is not JSON: Input data was truncated"),
        (b"\xff", "the message is not JSON"),
        (b"[1]", "the message must be a JSON object, not list"),
        (b"{}", "Object missing required field strategy"),
        (by_hand(dry_rum=True), "dry_rum: unknown field, did you mean dry_run?"),
        (by_hand(xyz=1), "xyz: unknown field"),
        (
            by_hand(targets=[{"symbol": "SPY", "quantity": 1, "quantty": 2}]),
            "targets[0].quantty: unknown field, did you mean quantity?",
        ),
        (by_hand(dry_run="yes"), "dry_run: must be true or false, not the text 'yes'"),
        (by_hand(status="flat"), "status: must be one of targets, hold, error, not the text"),
        (by_hand(as_of="yesterday"), "as_of: must be a time with its zone, such as 2026-"),
        (by_hand(as_of="2025-11-25T10:00:00"), "as_of must have a time zone"),
        (
            by_hand(targets=[{"symbol": "SPY"}]),
            "targets[0]: object missing required field quantity",
        ),
        (by_hand(targets=[{"symbol": "", "quantity": 1}]), "symbol must have 1 to 32 characters"),
        (
            by_hand(targets=[{"symbol": "SPY", "quantity": "ten"}]),
            "targets[0].quantity: must be a number",
        ),
        (
            by_hand(targets=[{"symbol": "SPY", "quantity": "NaN"}]),
            "quantity must be a finite number, not NaN",
        ),
        (
            by_hand(targets=[{"symbol": "SPY", "quantity": n} for n in (1, 2)]),
            "targets names the same contract twice",
        ),
        (
            by_hand(status="hold", targets=[{"symbol": "SPY", "quantity": 1}]),
            "targets must be empty when status is hold",
        ),
        (b'{"strategy": "SPY"}', "strategy 'SPY' must be 1 to 63 of a-z, 0-9 and _"),
    ],
)
def test_a_refusal_names_the_field_and_the_reason(data: bytes, sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        decode(Targets, data)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"{}", "command: None is not one of run, market_data,"),
        (b'{"command": "sell"}', "command: 'sell' is not one of run, market_data,"),
        (b'{"command": ["run"]}', "command: ['run'] is not one of run"),
        (
            b'{"command": "run", "strategy": ["a"]}',
            "strategy: unknown field, did you mean strategies",
        ),
        (b'{"command": "adopt", "symbol": "SPY", "price": 0}', "price must be above 0"),
        (b'{"command": "transfer", "to": "b", "quantity": 1, "price": 1}', "field from"),
        (b'{"command": "unlock"}', "symbol must have 1 to 32 characters"),
        (
            b'{"command":"transfer","from":"a","to":"a","quantity":1,"price":1,"con_id":1}',
            "to must be another ledger than from, a",
        ),
        (
            b'{"command": "corporate_action", "con_id": 1, "numerator": 0, "denominator": 1}',
            "numerator must be 1 to 1000, not 0",
        ),
    ],
)
def test_a_bad_command_names_the_field_and_the_reason(data: bytes, sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        decode_command(data)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"enabeld": True}, "enabeld: unknown field, did you mean enabled?"),
        ({"weight": "a lot"}, "weight: must be a number"),
        (
            {"bars": {"size": "1 day", "duration": "5 D"}},
            "bars: object missing required field count",
        ),
        ({"universe": [{"symbol": "SPY", "con_ids": 1}]}, "universe[0].con_ids: unknown field"),
        ({"weight_number": 0.4}, "weight_number: unknown field"),
    ],
)
def test_a_bad_document_names_the_field_and_the_reason(document: Any, sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        from_document(StrategyDocument, document)
    assert sentence in str(caught.value)


def test_a_message_that_is_too_long_is_refused_unread() -> None:
    with pytest.raises(Invalid, match="has 1000001 bytes, at most 1000000"):
        decode(Targets, b"{" + b" " * MESSAGE_BYTES_MAX)


@given(st.binary(max_size=60))
def test_garbage_never_raises_anything_but_invalid(data: bytes) -> None:
    for read in (decode_command, lambda found: decode(Market, found)):
        with pytest.raises(Invalid):
            read(data)


# ---------------------------------------------------------------------- attributes and schemas


def test_the_attributes_are_a_cloud_events_and_the_strategy() -> None:
    assert attributes(Targets("dummy"), "run-1/dummy", AT) == {
        "ce-specversion": "1.0",
        "ce-id": "run-1/dummy",
        "ce-type": "ib-trading.targets.v1",
        "ce-source": "//ib-trading/targets",
        "ce-time": "2025-11-25T15:00:00+00:00",
        "strategy": "dummy",
    }


@pytest.mark.parametrize("message", [Halt(), Report("alert", AT, Mode.PAPER, "something")])
def test_a_message_of_no_strategy_has_no_such_attribute(message: Message) -> None:
    assert "strategy" not in attributes(message, "id", AT)


def test_a_schema_is_as_strict_as_decoding() -> None:
    definitions = json_schema(Targets)["$defs"]
    assert all(part["additionalProperties"] is False for part in definitions.values())
    assert definitions["Target"]["properties"]["quantity"]["type"] == ["string", "number"]
    assert definitions["Target"]["required"] == ["symbol", "quantity"]


def test_a_field_named_by_a_word_of_python_is_plain_in_json() -> None:
    body = {"command": "transfer", "from": "a", "to": "b", "quantity": 1, "price": 2, "con_id": 1}
    command = decode_command(json.dumps(body).encode())
    assert isinstance(command, Transfer)
    assert command.from_ == "a"
    assert json.loads(encode(command))["from"] == "a"
    schema = json_schema(Transfer)["$defs"]["Transfer"]
    assert "from" in schema["properties"]
    assert "from" in schema["required"]


@pytest.mark.parametrize("kind", [Run, Adopt])
def test_a_commands_schema_demands_its_name(kind: type[Message]) -> None:
    assert "command" in json_schema(kind)["$defs"][kind.__name__]["required"]

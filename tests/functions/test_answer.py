"""One message in, one message out."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from functions.answer import answer
from functions.decision import Decision, Weights
from functions.registry import Strategy, load
from schemas.codec import Invalid, encode
from schemas.messages import Market, Targets

NAME = "test_signal_generator"


@pytest.fixture
def market(half_hours: Any) -> Market:
    found: Market = half_hours.market(NAME, half_hours.ends()[-1], 65)
    return found


def answered(market: Market, strategy: Strategy | None = None) -> Targets:
    found = answer(NAME, strategy or load(NAME), encode(market), {"strategy": NAME})
    assert found is not None
    return found


def broken(error: Exception) -> Strategy:
    """A strategy with a bug in it."""

    def decide(market: Market, parameters: Any) -> Decision:
        raise error

    return cast(Strategy, SimpleNamespace(Parameters=load(NAME).Parameters, decide=decide))


def test_the_answer_carries_the_runs_identity_and_the_messages_times(market: Market) -> None:
    targets = answered(replace(market, dry_run=True))
    assert (targets.status, targets.strategy, targets.run_id) == ("targets", NAME, "run-1")
    assert (targets.as_of, targets.valid_until) == (market.as_of, market.valid_until)
    assert targets.dry_run
    assert targets.reason.startswith("MACD ")
    assert set(targets.diagnostics) == {"macd", "signal", "close"}


def test_the_same_message_gets_the_same_bytes(market: Market) -> None:
    assert encode(answered(market)) == encode(answered(market))


def test_a_message_for_another_strategy_is_ignored(market: Market) -> None:
    """One emulator ignores the subscription's filter."""
    assert answer(NAME, load(NAME), b"not even JSON", {"strategy": "dummy"}) is None


def test_a_message_that_contradicts_its_attribute_is_invalid(market: Market) -> None:
    with pytest.raises(Invalid, match="strategy: the message is for 'dummy'"):
        answered(replace(market, strategy="dummy"))


def test_a_message_without_attributes_is_answered(market: Market) -> None:
    assert answer(NAME, load(NAME), encode(market), {}) == answered(market)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"strategy": "dummy"}'])
def test_what_cannot_be_decoded_raises(data: bytes) -> None:
    with pytest.raises(Invalid):
        answer(NAME, load(NAME), data, {})


def test_a_hold_says_why_and_names_nothing(market: Market) -> None:
    targets = answered(replace(market, bars=()))
    assert (targets.status, targets.targets, targets.reason) == ("hold", (), "SPY has no bars")


def test_a_hold_in_sizing_keeps_what_the_strategy_saw(market: Market) -> None:
    targets = answered(replace(market, base_currency="EUR"))
    assert targets.status == "hold"
    assert "no rate of exchange" in targets.reason
    assert "macd" in targets.diagnostics


def test_a_bug_is_said_with_its_place(market: Market) -> None:
    targets = answered(market, broken(ZeroDivisionError("by zero")))
    assert (targets.status, targets.targets) == ("error", ())
    assert targets.reason.startswith("ZeroDivisionError: by zero (test_answer.py:")
    assert "Traceback" in str(targets.diagnostics["traceback"])


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"fats": 3}, "parameters: fats: unknown field, did you mean fast?"),
        ({"fast": "3"}, "parameters: fast: must be a whole number, not the text '3'"),
        ({"fast": 30}, "parameters: fast must be at least 1 and below slow, signal at least 1"),
    ],
)
def test_wrong_parameters_are_said_by_name(market: Market, parameters: Any, reason: str) -> None:
    targets = answered(replace(market, parameters=parameters))
    assert (targets.status, targets.reason) == ("error", reason)


def test_parameters_of_the_document_are_used(market: Market) -> None:
    default, quicker = answered(market), answered(replace(market, parameters={"fast": 3}))
    assert default.diagnostics["macd"] != quicker.diagnostics["macd"]


def test_a_price_that_json_cannot_hold_is_invalid(market: Market) -> None:
    """JSON has no NaN; the bytes carry null, which is no price."""
    text = json.loads(encode(market))
    text["bars"][0]["close"][-1] = None
    with pytest.raises(Invalid, match=r"bars\[0\]\.close\[64\]|bars\[\.\.\.\]"):
        answer(NAME, load(NAME), json.dumps(text).encode(), {})


def test_an_intention_is_passed_on_as_it_was_decided(market: Market) -> None:
    """Decision 12: until when the legs go together."""
    until = market.as_of + timedelta(days=3)

    def decide(market: Market, parameters: Any) -> Decision:
        return Weights({"SPY": Decimal(0)}, "rolls", together_until=until)

    strategy = SimpleNamespace(Parameters=load(NAME).Parameters, decide=decide)
    assert answered(market, cast(Strategy, strategy)).together_until == until
    assert answered(market).together_until is None

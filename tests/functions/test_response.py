"""CloudEvent in, one published message out."""

import base64
import logging
from dataclasses import replace
from typing import Any

import pytest
from cloudevents.http import CloudEvent

from functions.response import respond
from schemas.codec import Invalid, encode
from schemas.messages import Market, Targets

NAME = "test_signal_generator"


def event(data: object) -> CloudEvent:
    about = {"type": "google.cloud.pubsub.topic.v1.messagePublished", "source": "//x", "id": "7"}
    return CloudEvent(about, data)


def delivered(market: Market, **attributes: str) -> CloudEvent:
    data = base64.b64encode(encode(market)).decode()
    return event({"message": {"data": data, "attributes": attributes, "messageId": "7"}})


@pytest.fixture
def market(half_hours: Any) -> Market:
    found: Market = half_hours.market(NAME, half_hours.ends()[-1], 65)
    return found


@pytest.fixture
def published() -> list[Targets]:
    return []


def test_an_event_is_answered_once(market: Market, published: list[Targets]) -> None:
    respond(NAME, delivered(market, strategy=NAME), published.append)
    assert [targets.status for targets in published] == ["targets"]


def test_an_event_for_another_strategy_publishes_nothing(
    market: Market, published: list[Targets], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    respond(NAME, delivered(market, strategy="dummy"), published.append)
    assert published == []
    assert "ignored message 7" in caplog.text


def test_an_error_is_published_and_logged_as_one(
    market: Market, published: list[Targets], caplog: pytest.LogCaptureFixture
) -> None:
    respond(NAME, delivered(replace(market, parameters={"fats": 1})), published.append)
    assert published[0].status == "error"
    assert caplog.records[0].levelno == logging.ERROR
    assert "did you mean fast?" in caplog.text


@pytest.mark.parametrize("data", [None, b"bytes", {}, {"message": "text"}, {"message": None}])
def test_an_event_without_a_message_raises(data: object, published: list[Targets]) -> None:
    with pytest.raises(Invalid, match="event '7' carries no Pub/Sub message"):
        respond(NAME, event(data), published.append)


@pytest.mark.parametrize("data", ["", "e30=", "no base64!"])
def test_data_that_nobody_can_read_raise(data: str, published: list[Targets]) -> None:
    with pytest.raises(ValueError, match=r"required|not JSON|base64|alphabet"):
        respond(NAME, event({"message": {"data": data}}), published.append)
    assert published == []

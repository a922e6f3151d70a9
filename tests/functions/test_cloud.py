"""Publishing, with Google's client over a real connection to a server in this process."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.api_core.exceptions import NotFound

from functions.cloud import Misconfigured, publish
from schemas.codec import decode
from schemas.messages import Targets

AT = datetime(2025, 11, 25, 15, 0, tzinfo=UTC)
TARGETS = Targets("dummy", status="hold", reason="no bars", as_of=AT, run_id="run-1")


def test_the_message_is_on_the_modes_topic_when_publish_returns(pubsub: Any) -> None:
    publish(TARGETS)
    (request,) = pubsub.requests
    assert request.topic == "projects/demo-project/topics/targets-paper"
    (message,) = request.messages
    assert decode(Targets, message.data) == TARGETS
    assert message.ordering_key == ""


def test_the_attributes_are_those_of_a_cloud_event_and_repeat_exactly(pubsub: Any) -> None:
    publish(TARGETS)
    publish(TARGETS)
    first, again = (dict(request.messages[0].attributes) for request in pubsub.requests)
    assert first == again
    assert first["ce-id"] == "run-1/dummy"
    assert first["ce-time"] == "2025-11-25T15:00:00+00:00"
    assert first["strategy"] == "dummy"


def test_a_server_that_is_busy_is_asked_again(pubsub: Any) -> None:
    pubsub.failures.append(grpc.StatusCode.UNAVAILABLE)
    publish(TARGETS)
    assert len(pubsub.requests) == 1


def test_a_refusal_is_raised(pubsub: Any) -> None:
    pubsub.failures.append(grpc.StatusCode.NOT_FOUND)
    with pytest.raises(NotFound):
        publish(TARGETS)


@pytest.mark.parametrize("name", ["GOOGLE_CLOUD_PROJECT", "MODE"])
def test_without_its_environment_it_publishes_nothing(
    pubsub: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(Misconfigured, match=f"the environment variable {name} is not set"):
        publish(TARGETS)
    assert pubsub.requests == []


def test_an_unknown_mode_is_refused(pubsub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODE", "papper")
    with pytest.raises(Misconfigured, match="'papper' is not a valid Mode; it is one of paper"):
        publish(TARGETS)


def test_targets_without_a_time_are_a_bug(pubsub: Any) -> None:
    with pytest.raises(ValueError, match="as_of must be set"):
        publish(replace(TARGETS, as_of=None))

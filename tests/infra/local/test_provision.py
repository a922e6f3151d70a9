"""A topology in Pub/Sub's own words."""

import pytest
from google.api_core.exceptions import RetryError

from infra.local import provision
from infra.local.provision import apply
from infra.topology import Subscription, Topology

PUSHED = Subscription("market", "market-test", entry_point="on_market")


def test_a_push_endpoint_ends_in_the_topics_path() -> None:
    made = provision.subscription(PUSHED, "demo", "http://127.0.0.1:8093")
    assert made.push_config.push_endpoint == (
        "http://127.0.0.1:8093/on_market/projects/demo/topics/market-test"
    )


def test_functions_that_have_hosts_of_their_own_are_called_there() -> None:
    """A host's name has no underscore."""
    made = provision.subscription(PUSHED, "demo", "http://function-{function}:8080")
    assert made.push_config.push_endpoint == (
        "http://function-on-market:8080/on_market/projects/demo/topics/market-test"
    )


def test_without_a_base_url_everything_is_pulled() -> None:
    assert not provision.subscription(PUSHED, "demo", None).push_config.push_endpoint


def test_all_parts_of_a_filter_must_match() -> None:
    spec = Subscription("s", "t", filter=(("strategy", 'say "hi"\\'), ("mode", "paper")))
    assert provision.subscription(spec, "demo", None).filter == (
        r'attributes.strategy = "say \"hi\"\\" AND attributes.mode = "paper"'
    )


@pytest.mark.parametrize(("wanted", "allowed"), [(1, 10), (60, 60), (9999, 600)])
def test_an_ack_deadline_is_kept_within_what_pubsub_allows(wanted: int, allowed: int) -> None:
    spec = Subscription("s", "t", ack_deadline_seconds=wanted)
    assert provision.subscription(spec, "demo", None).ack_deadline_seconds == allowed


def test_dead_letters_go_to_their_topic_after_the_attempts_allowed() -> None:
    spec = Subscription("s", "t", dead_letter_topic="dead", delivery_attempts_max=2)
    policy = provision.subscription(spec, "demo", None).dead_letter_policy
    assert policy.dead_letter_topic == "projects/demo/topics/dead"
    assert policy.max_delivery_attempts == 5


def test_no_retry_delay_means_no_retry_policy() -> None:
    spec = Subscription("s", "t", retry_delay_seconds_min=0, retry_delay_seconds_max=0)
    assert "retry_policy" not in provision.subscription(spec, "demo", None)
    delayed = provision.subscription(Subscription("s", "t"), "demo", None).retry_policy
    assert delayed.maximum_backoff.total_seconds() == 60


async def test_an_emulator_that_is_not_there_is_an_error_and_no_endless_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(provision, "CALL_DEADLINE_SECONDS", 0.2)
    with pytest.raises(RetryError):
        await apply(Topology("test", ("ticks-test",), (), ()), "127.0.0.1:1", "demo")

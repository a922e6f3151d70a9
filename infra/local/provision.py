"""A topology, made to exist on the Pub/Sub emulator. (In the cloud Terraform does this.)"""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import grpc
from google.api_core.exceptions import AlreadyExists
from google.api_core.retry import Retry
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from google.pubsub_v1.types import (
    DeadLetterPolicy,
    ExpirationPolicy,
    ModifyPushConfigRequest,
    PushConfig,
    RetryPolicy,
    Subscription,
)

from infra import topology

CALL_DEADLINE_SECONDS = 10.0  # the first call of a fresh emulator takes 0.2 s
# What Pub/Sub accepts; a topology for the embedded bus may be quicker.
ACK_DEADLINE_SECONDS_MIN, ACK_DEADLINE_SECONDS_MAX = 10, 600
DELIVERY_ATTEMPTS_MIN = 5


async def apply(
    wanted: topology.Topology, host: str, project: str, push_base_url: str | None = None
) -> None:
    """Create topics and subscriptions on the emulator at `host`; what exists stays.

    A subscription with an entry point is pushed to
    `{push_base_url}/{entry_point}/projects/{project}/topics/{topic}` (functions-framework reads the
    topic out of the path), also when it exists and pushed elsewhere; without a base URL it is
    pulled. `{function}` in the base URL is the entry point's name as a host's, where each has its
    own. The emulator forgets everything when it ends, so every start of a stack calls this.
    """
    await asyncio.to_thread(_apply, wanted, host, project, push_base_url)


def _apply(wanted: topology.Topology, host: str, project: str, push_base_url: str | None) -> None:
    with grpc.insecure_channel(host) as channel:
        publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        for topic in wanted.topics:
            with contextlib.suppress(AlreadyExists):
                publisher.create_topic(name=f"projects/{project}/topics/{topic}", **_deadline())
        for spec in wanted.subscriptions:
            _subscribe(subscriber, subscription(spec, project, push_base_url))


def _subscribe(subscriber: SubscriberClient, wanted: Subscription) -> None:
    try:
        subscriber.create_subscription(request=wanted, **_deadline())
    except AlreadyExists:
        subscriber.modify_push_config(
            request=ModifyPushConfigRequest(
                subscription=wanted.name, push_config=wanted.push_config
            ),
            **_deadline(),
        )


def _deadline() -> dict[str, Any]:
    """The clients' own retries would go on for ten minutes."""
    seconds = CALL_DEADLINE_SECONDS
    return {"timeout": seconds, "retry": Retry(timeout=seconds, initial=0.1, maximum=1.0)}


def subscription(
    spec: topology.Subscription, project: str, push_base_url: str | None
) -> Subscription:
    """One subscription in Pub/Sub's own words."""
    return Subscription(
        name=f"projects/{project}/subscriptions/{spec.name}",
        topic=f"projects/{project}/topics/{spec.topic}",
        ack_deadline_seconds=min(
            max(spec.ack_deadline_seconds, ACK_DEADLINE_SECONDS_MIN), ACK_DEADLINE_SECONDS_MAX
        ),
        filter=" AND ".join(f"attributes.{key} = {_quoted(value)}" for key, value in spec.filter),
        push_config=_push_config(spec, project, push_base_url),
        dead_letter_policy=_dead_letter_policy(spec, project),
        retry_policy=_retry_policy(spec),
        expiration_policy=ExpirationPolicy(),  # never
    )


def _push_config(
    spec: topology.Subscription, project: str, push_base_url: str | None
) -> PushConfig:
    if spec.entry_point is None or push_base_url is None:
        return PushConfig()
    path = f"{spec.entry_point}/projects/{project}/topics/{spec.topic}"
    base_url = push_base_url.replace("{function}", spec.entry_point.replace("_", "-"))
    return PushConfig(push_endpoint=f"{base_url}/{path}")


def _dead_letter_policy(spec: topology.Subscription, project: str) -> DeadLetterPolicy | None:
    if spec.dead_letter_topic is None:
        return None
    return DeadLetterPolicy(
        dead_letter_topic=f"projects/{project}/topics/{spec.dead_letter_topic}",
        max_delivery_attempts=max(spec.delivery_attempts_max, DELIVERY_ATTEMPTS_MIN),
    )


def _retry_policy(spec: topology.Subscription) -> RetryPolicy | None:
    if spec.retry_delay_seconds_max == 0:
        return None  # which means: at once
    return RetryPolicy(
        minimum_backoff=timedelta(seconds=spec.retry_delay_seconds_min),
        maximum_backoff=timedelta(seconds=spec.retry_delay_seconds_max),
    )


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

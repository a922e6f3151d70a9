"""Publishing to Pub/Sub: the only door to Google here.

`GOOGLE_CLOUD_PROJECT` and `MODE` (`paper` or `live`) come from the environment, and have no
defaults: a function that does not know its mode must not publish. `PUBSUB_EMULATOR_HOST` is
honoured by the client itself.
"""

import functools
import os
from typing import Final

from google.api_core.retry import Retry
from google.cloud.pubsub_v1 import PublisherClient
from google.cloud.pubsub_v1.types import BatchSettings

from schemas.codec import attributes, encode
from schemas.messages import TOPICS, Targets, topic_name
from schemas.values import Mode

PUBLISH_SECONDS: Final = 20.0
"""How long publishing may take, retries included: a third of the subscription's ack deadline."""

# Sends at once (latency 0), and still packs what is waiting into one request.
_BATCH: Final = BatchSettings(max_messages=100, max_latency=0)


class Misconfigured(RuntimeError):
    """The environment does not say what this function needs to know."""


def publish(targets: Targets) -> None:
    """Publish, and return once Pub/Sub has the message durably.

    The event id is a function of run and strategy, so that a repeated answer is seen to be one.
    Raises `Misconfigured`, `TimeoutError` after `PUBLISH_SECONDS`, or what Pub/Sub answered.
    """
    topic = _topic(type(targets))
    if targets.as_of is None:
        raise ValueError("as_of must be set: it is the time of the event")
    about = attributes(targets, f"{targets.run_id}/{targets.strategy}", targets.as_of)
    future = client().publish(
        topic,
        encode(targets),
        retry=Retry(timeout=PUBLISH_SECONDS),
        timeout=PUBLISH_SECONDS,
        **about,
    )
    future.result(timeout=PUBLISH_SECONDS)


@functools.cache
def client() -> PublisherClient:
    """Made at the first publish, not at import, so that it belongs to the worker process."""
    return PublisherClient(batch_settings=_BATCH)


def _topic(kind: type[Targets]) -> str:
    name = topic_name(TOPICS[kind], _mode())
    return f"projects/{_setting('GOOGLE_CLOUD_PROJECT')}/topics/{name}"


def _mode() -> Mode:
    try:
        return Mode(_setting("MODE"))
    except ValueError as error:
        raise Misconfigured(f"MODE: {error}; it is one of {', '.join(Mode)}") from error


def _setting(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise Misconfigured(f"the environment variable {name} is not set")
    return value

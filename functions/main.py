"""Every entry point: one for each strategy, by its name, and the two that watch.

Each is fed by Pub/Sub, through a plain push subscription or Eventarc. One source bundle serves
all of them; `FUNCTION_TARGET` says which one an instance is. Its strategy is imported when the
instance starts, so that a missing dependency fails the deployment and not the first run, and so
that an instance whose strategy needs no indicators never loads pandas.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import functions_framework
from cloudevents.http import CloudEvent

from functions import cloud, webhook
from functions.alerts import severity_named
from functions.cloud import publish
from functions.registry import STRATEGIES, load
from functions.response import data_of, respond
from functions.watching import Watcher
from schemas.alerts import Severity


def entry_point(name: str) -> Callable[[CloudEvent], None]:
    """The function that is deployed for a strategy, under the strategy's name."""

    def deliver(event: CloudEvent) -> None:
        respond(name, event, publish)

    deliver.__name__ = deliver.__qualname__ = name
    # functions-framework keeps what it is given by that name, and looks it up in this module.
    decorated: Callable[[CloudEvent], None] = functions_framework.cloud_event(deliver)
    return decorated


def watcher() -> Watcher:
    """What the watching functions work with, by the environment of this instance."""
    return Watcher(cloud.mode(), cloud.records(), now=lambda: datetime.now(UTC))


def webhook_settings() -> tuple[webhook.Webhook | None, Severity]:
    """The webhook, and the mildest alert that it gets. Raises `ValueError` and `NoSecret`."""
    return webhook.configured(), severity_named(os.environ)


@functions_framework.cloud_event
def alerts(event: CloudEvent) -> None:
    """Reports that somebody must know of, to the log and to the webhook."""
    hook, severity = webhook_settings()
    teller = replace(watcher(), post=hook.post if hook else None, severity_min=severity)
    teller.alarm(event["id"], data_of(event))


@functions_framework.cloud_event
def watchdog(event: CloudEvent) -> None:
    """Silence where it matters, and schedules that were missed, to the topic `reports`."""
    replace(watcher(), publish=cloud.publish_report).look(data_of(event))


globals().update({name: entry_point(name) for name in STRATEGIES})

if os.environ.get("FUNCTION_TARGET") in STRATEGIES:
    load(os.environ["FUNCTION_TARGET"])
if os.environ.get("FUNCTION_TARGET") == "alerts":
    webhook_settings()  # a wrong one fails the deployment, and not the first alert

"""CloudEvent in, `Targets` out: what every entry point does."""

import base64
import logging
from collections.abc import Callable, Mapping
from typing import Any

from cloudevents.http import CloudEvent

from functions.answer import answer
from functions.registry import load
from schemas.codec import Invalid
from schemas.messages import Targets

log = logging.getLogger(__name__)


def respond(name: str, event: CloudEvent, publish: Callable[[Targets], None]) -> None:
    """Answer a Pub/Sub message, delivered by push or by Eventarc, with the strategy's targets.

    Raises what cannot be answered or published: the framework says 500, Pub/Sub delivers again
    and, after its last attempt, moves the message to the dead-letter topic.
    """
    attributes = _message(event).get("attributes") or {}
    targets = answer(name, load(name), data_of(event), attributes)
    if targets is None:
        log.info("%s: ignored message %s, it is for another strategy", name, event["id"])
        return
    _log(targets)
    publish(targets)


def data_of(event: CloudEvent) -> bytes:
    """The bytes that were published. Raises `ValueError` for an event that carries none."""
    return base64.b64decode(_message(event).get("data", ""), validate=True)


def _message(event: CloudEvent) -> Mapping[str, Any]:
    try:
        return dict(event.data["message"])
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(f"event {event['id']!r} carries no Pub/Sub message") from error


def _log(targets: Targets) -> None:
    level = logging.ERROR if targets.status == "error" else logging.INFO
    wanted = ", ".join(f"{target.contract.name} {target.quantity}" for target in targets.targets)
    trace = targets.diagnostics.get("traceback", "")
    story = f"{targets.strategy}: {targets.status} {wanted} ({targets.reason})"
    log.log(level, "%s run=%s %s", story, targets.run_id, trace)

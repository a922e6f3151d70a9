"""Pub/Sub, and Firestore for those who watch: the only door to Google here.

`GOOGLE_CLOUD_PROJECT` and `MODE` (`paper` or `live`) come from the environment, and have no
defaults: a function that does not know its mode must not publish. `PUBSUB_EMULATOR_HOST` is
honoured by the client itself, and so is `FIRESTORE_EMULATOR_HOST`. A strategy's function reads
nothing: Firestore's client is loaded by whoever asks for it first.
"""

import contextlib
import functools
import hashlib
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from google.api_core.exceptions import AlreadyExists, FailedPrecondition, NotFound
from google.api_core.retry import Retry
from google.cloud.pubsub_v1 import PublisherClient
from google.cloud.pubsub_v1.types import BatchSettings

from schemas.codec import attributes, encode
from schemas.messages import TOPICS, Report, Targets, topic_name
from schemas.values import Mode

PUBLISH_SECONDS: Final = 20.0
"""How long publishing may take, retries included: a third of the subscription's ack deadline."""

RECORD_SECONDS: Final = 5.0
"""How long Firestore may take for a document; 4 to 20 ms are usual."""

CHANGE_ATTEMPTS_MAX: Final = 5

# Sends at once (latency 0), and still packs what is waiting into one request.
_BATCH: Final = BatchSettings(max_messages=100, max_latency=0)


class Misconfigured(RuntimeError):
    """The environment does not say what this function needs to know."""


class Contended(RuntimeError):
    """Others wrote the same document again and again; nothing was written."""


def publish(targets: Targets) -> None:
    """Publish, and return once Pub/Sub has the message durably.

    The event id is a function of run and strategy, so that a repeated answer is seen to be one.
    Raises `Misconfigured`, `TimeoutError` after `PUBLISH_SECONDS`, or what Pub/Sub answered.
    """
    if targets.as_of is None:
        raise ValueError("as_of must be set: it is the time of the event")
    _publish(targets, f"{targets.run_id}/{targets.strategy}", targets.as_of)


def publish_report(report: Report) -> None:
    """The same for a report; its event id is a function of its content, and names the sender."""
    digest = hashlib.sha256(encode(report)).hexdigest()[:24]
    _publish(report, f"functions-{digest}", report.at)


def _publish(message: Targets | Report, event_id: str, at: datetime) -> None:
    future = client().publish(
        _topic(type(message)),
        encode(message),
        retry=Retry(timeout=PUBLISH_SECONDS),
        timeout=PUBLISH_SECONDS,
        **attributes(message, event_id, at),
    )
    future.result(timeout=PUBLISH_SECONDS)


@functools.cache
def client() -> PublisherClient:
    """Made at the first publish, not at import, so that it belongs to the worker process."""
    return PublisherClient(batch_settings=_BATCH)


class Records:
    """Firestore, as much of it as watching needs; each call takes `RECORD_SECONDS` at most.

    Raises what Google's client raises. Writes hold to what was read by its update time instead of
    in a transaction, whose client's own retries would outlast the message's deadline.
    """

    def __init__(self) -> None:
        # Half a second that no strategy's cold start shall pay.
        from google.cloud import firestore
        from google.cloud.firestore_v1.base_query import FieldFilter

        self._client = firestore.Client(project=_setting("GOOGLE_CLOUD_PROJECT"))
        self._filter = FieldFilter

    def get(self, path: str) -> dict[str, Any] | None:
        """The document, or None."""
        found: dict[str, Any] | None = _plain(
            self._client.document(path).get(**_patience()).to_dict()
        )
        return found

    def since(self, collection: str, field: str, at: datetime) -> list[dict[str, Any]]:
        """Documents of a collection whose timestamp is not before `at`."""
        return self._where(collection, self._filter(field, ">=", at))

    def among(self, collection: str, field: str, values: list[str]) -> list[dict[str, Any]]:
        """Documents of a collection whose field has one of these values."""
        return self._where(collection, self._filter(field, "in", values))

    def put(self, path: str, document: Mapping[str, Any]) -> None:
        """Write a whole document."""
        self._client.document(path).set(dict(document), **_patience())

    def change(
        self, path: str, decide: Callable[[dict[str, Any] | None], Mapping[str, Any] | None]
    ) -> None:
        """Read a document, decide, and write what is decided unless another came between; None:
        nothing. The document must always have the same fields. `decide` may be called again.

        Raises `Contended` when others came between again and again.
        """
        reference = self._client.document(path)
        for _ in range(CHANGE_ATTEMPTS_MAX):
            found = reference.get(**_patience())
            decided = decide(_plain(found.to_dict()))
            if decided is None:
                return
            with contextlib.suppress(AlreadyExists, FailedPrecondition, NotFound):
                if not found.exists:
                    reference.create(dict(decided), **_patience())
                else:
                    option = self._client.write_option(last_update_time=found.update_time)
                    reference.update(dict(decided), option=option, **_patience())
                return
        raise Contended(f"{path}: {CHANGE_ATTEMPTS_MAX} times another write came between")

    def _where(self, collection: str, condition: Any) -> list[dict[str, Any]]:
        query = self._client.collection(collection).where(filter=condition)
        return [_plain(found.to_dict()) for found in query.stream(**_patience())]


def _plain(value: Any) -> Any:
    """Firestore's own subclass of datetime as datetime, as the codec wants it."""
    match value:
        case datetime():
            return datetime.combine(value.date(), value.time(), tzinfo=UTC)
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
    return value


def _patience() -> dict[str, Any]:
    return {"retry": Retry(timeout=RECORD_SECONDS), "timeout": RECORD_SECONDS}


@functools.cache
def records() -> Records:
    """Made when first asked for, so that it belongs to the worker process."""
    return Records()


def mode() -> Mode:
    """The mode of this deployment. Raises `Misconfigured`."""
    return _mode()


def _topic(kind: type[Targets] | type[Report]) -> str:
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

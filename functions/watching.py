"""The two functions that look after the rest: `alerts` tells people, `watchdog` looks for silence.

`alerts` hears every report and publishes nothing: what it tells goes to its log and to the webhook,
so no alert can cause another. The watchdog publishes what it finds as reports of kind `alert`, and
never reads reports. So every alert's sentence is in `reports` once, from whoever saw it first.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Protocol

from functions.alerts import Step, alert_in, is_at_least, key_of, step, text
from functions.watchdog import Ran, Sight, news, since_needed
from functions.webhook import Refused
from schemas.alerts import Alert, AlertDocument, Severity, WatchdogDocument, log_fields
from schemas.codec import Invalid, decode, from_document, to_document
from schemas.documents import LeaseDocument, SnapshotDocument, path_of
from schemas.messages import Report
from schemas.settings import ControlDocument
from schemas.values import Mode
from schemas.watch import Watch

log = logging.getLogger(__name__)

NOT_DONE: Final = ["PENDING", "WORKING", "CANCELLING", "UNKNOWN"]

type Document = dict[str, Any]


class Records(Protocol):
    """Firestore, or the embedded store in its place; see `functions.cloud.Records`."""

    def get(self, path: str) -> Document | None:
        """The document, or None."""

    def since(self, collection: str, field: str, at: datetime) -> list[Document]:
        """Documents of a collection whose timestamp is not before `at`."""

    def among(self, collection: str, field: str, values: list[str]) -> list[Document]:
        """Documents of a collection whose field has one of these values."""

    def put(self, path: str, document: Mapping[str, Any]) -> None:
        """Write a whole document."""

    def change(
        self, path: str, decide: Callable[[Document | None], Mapping[str, Any] | None]
    ) -> None:
        """Read, decide and write in one transaction; `decide` may be called again."""


@dataclass(frozen=True, slots=True)
class Watcher:
    """What a watching function works with. `now` is the wall's time, aware.

    `post` is the webhook's, None where none is set; it gets what is at least `severity_min`.
    """

    mode: Mode
    records: Records
    now: Callable[[], datetime]
    post: Callable[[str], None] | None = None
    publish: Callable[[Report], None] | None = None
    severity_min: Severity = "INFO"
    write_line: Callable[[str], None] = lambda line: print(line, flush=True)

    def alarm(self, message_id: str, data: bytes) -> None:
        """Tell people of a report, if it is an alert that they were not told of yet.

        Raises `functions.webhook.Undelivered`: then Pub/Sub delivers the report again, and this
        very message goes on where it ended.
        """
        now = self.now()
        alert = alert_in(data, self.mode, now)
        if alert is None:
            return
        taken = self._claim(alert, message_id, now)
        verdict = taken.verdict if taken else "new"
        self._log(log_fields(alert, verdict))
        if verdict == "new":
            self._send(alert, taken)

    def look(self, data: bytes) -> None:
        """Look once, and publish what is new. Raises `Invalid` for a message that is no `Watch`.

        The document is written after the publishing: a look that fails between tells again rather
        than never, and `alarm` keeps back what comes twice.
        """
        if self.publish is None:
            raise ValueError("a watchdog needs somewhere to publish")
        watch = decode(Watch, data)
        path = path_of(WatchdogDocument, mode=self.mode)
        known, _ = self._read(WatchdogDocument, path)
        sight = self._sight(watch, known)
        found = news(sight, watch, known)
        for report in found.reports:
            log.warning("%s", report.sentence)
            self.publish(report)
        self.records.put(path, to_document(found.document))

    def _claim(self, alert: Alert, message_id: str, now: datetime) -> Step | None:
        """Note durably that this message tells it. None when that cannot be: told twice is better
        than never."""
        path, taken = path_of(AlertDocument, key=key_of(alert)), list[Step]()

        def decide(found: Document | None) -> Mapping[str, Any]:
            taken[:] = [step(_known(found), alert, message_id, now)]
            return to_document(taken[0].document)

        try:
            self.records.change(path, decide)
        except Exception as error:  # whatever it is: it must not keep an alert back
            log.warning("%s cannot be kept, it may be told twice: %s", path, error)
            return None
        return taken[0]

    def _send(self, alert: Alert, taken: Step | None) -> None:
        if self.post is not None and is_at_least(alert, self.severity_min):
            try:
                self.post(text(alert, taken.kept_back if taken else 0))
            except Refused as refused:  # no repetition helps; the log has had the alert already
                self._log({"severity": "ERROR", "message": str(refused), "event": "webhook"})
        if taken is not None:
            self._note_sent(path_of(AlertDocument, key=key_of(alert)), taken.document.message_id)

    def _note_sent(self, path: str, message_id: str) -> None:
        """Unless another message has told of the subject since."""

        def decide(found: Document | None) -> Mapping[str, Any] | None:
            known = _known(found)
            if known is None or known.message_id != message_id:
                return None
            return to_document(replace(known, sent_at=self.now()))

        try:
            self.records.change(path, decide)
        except Exception as error:  # as above: it was told, and may be told again
            log.warning("that %s was told cannot be kept: %s", path, error)

    def _log(self, fields: Mapping[str, object]) -> None:
        """One line of JSON, which Cloud Run takes for a structured entry."""
        self.write_line(json.dumps(fields, ensure_ascii=False))

    def _sight(self, watch: Watch, known: WatchdogDocument | None) -> Sight:
        wall = self.now()
        now = watch.at or wall
        lease, lease_fault = self._read(LeaseDocument, path_of(LeaseDocument, mode=self.mode))
        path = path_of(SnapshotDocument, mode=self.mode)
        snapshot, snapshot_fault = self._read(SnapshotDocument, path)
        path = path_of(ControlDocument, mode=self.mode)
        control, control_fault = self._read(ControlDocument, path)
        runs = self.records.since("runs", "started_at", since_needed(now, known))
        orders = f"positions/{self.mode}/openOrders"
        return Sight(
            mode=self.mode,
            now=now,
            wall=wall,
            lease=lease,
            snapshot=snapshot,
            control=control,
            runs=tuple(map(_ran, runs)),
            working=len(self.records.among(orders, "state", NOT_DONE)),
            unreadable=tuple(filter(None, (lease_fault, snapshot_fault, control_fault))),
        )

    def _read[T](self, kind: type[T], path: str) -> tuple[T | None, str]:
        """A document, or the sentence that says what is wrong with it."""
        found = self.records.get(path)
        try:
            return (None if found is None else from_document(kind, found)), ""
        except Invalid as error:
            return None, f"{path}: {error}; set it right, or deploy what understands it"


def _known(found: Document | None) -> AlertDocument | None:
    """What was told last; a document that this version does not understand counts as none."""
    try:
        return None if found is None else from_document(AlertDocument, found)
    except Invalid:
        return None


def _ran(document: Document) -> Ran:
    """The few fields that matter, read without the rest: a newer gateway's run counts as well."""
    asked = tuple(map(str, document.get("asked") or ()))
    return Ran(str(document.get("command", "")), document["started_at"], asked)

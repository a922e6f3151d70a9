"""The two watching functions over a store: told once whatever happens in between."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from functions.watching import Watcher
from functions.webhook import Refused, Undelivered
from infra.local.watchers import StoreRecords, over_file
from schemas.alerts import AlertDocument, WatchdogDocument
from schemas.codec import Invalid, encode, from_document, to_document
from schemas.documents import LeaseDocument, RunDocument, path_of
from schemas.messages import Report
from schemas.settings import ControlDocument
from schemas.values import Mode
from schemas.watch import Scheduled, Watch

NOON = datetime(2026, 1, 9, 17, 0, tzinfo=UTC)  # a Friday
MINUTE = timedelta(minutes=1)
LOCKED = Report(
    "alert", NOON, Mode.PAPER, "SPY is locked", con_id=7, details={"lock": "unexplained"}
)


@dataclass
class Bench:
    """A watcher with what it wrote, posted and published; `faults` are raised by the webhook."""

    records: StoreRecords
    now: datetime = NOON
    lines: list[dict[str, Any]] = field(default_factory=list)
    posted: list[str] = field(default_factory=list)
    published: list[Report] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)

    def watcher(self, **parts: Any) -> Watcher:
        """As a new instance of the function would be: it remembers nothing."""
        made = Watcher(
            Mode.PAPER,
            self.records,
            lambda: self.now,
            post=self.post,
            publish=self.published.append,
            write_line=lambda line: self.lines.append(json.loads(line)),
        )
        return replace(made, **parts)

    def post(self, text: str) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.posted.append(text)

    def alarm(self, report: Report = LOCKED, message_id: str = "1", **parts: Any) -> None:
        self.watcher(**parts).alarm(message_id, encode(report))

    def look(self, watch: Watch | None = None, minutes: int = 0) -> list[str]:
        """The alerts published by a look, so many minutes after noon."""
        self.now, before = NOON + minutes * MINUTE, len(self.published)
        self.watcher().look(encode(watch or Watch()))
        return [report.details["alert"] for report in self.published[before:]]

    def put(self, document: Any, **path: object) -> None:
        self.records.put(path_of(type(document), **path), to_document(document))

    def live(self, at: datetime = NOON) -> None:
        """A gateway that renewed its lease then."""
        lease = LeaseDocument("gateway-1", 1, at, at + timedelta(seconds=30))
        self.put(lease, mode=Mode.PAPER)

    @property
    def verdicts(self) -> list[object]:
        return [line.get("told") for line in self.lines]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(over_file(tmp_path / "store.sqlite"))


# ------------------------------------------------------------------ alerts


def test_an_alert_is_logged_and_posted_with_its_fields(bench: Bench) -> None:
    bench.alarm()
    (line,) = bench.lines
    assert (line["severity"], line["alert"], line["told"]) == ("ERROR", "lock_unexplained", "new")
    assert bench.posted == ["ERROR paper lock_unexplained: SPY is locked A person is needed."]


def test_it_publishes_nothing_so_that_no_alert_causes_another(bench: Bench) -> None:
    for number, alert in enumerate(("gateway_silent", "unlocked", "nobody knows")):
        bench.alarm(replace(LOCKED, details={"alert": alert}), str(number))
    assert len(bench.posted) == 3
    assert bench.published == []


def test_a_step_of_the_day_is_neither_logged_nor_kept(bench: Bench) -> None:
    bench.alarm(Report("cross", NOON, Mode.PAPER, "a +1, b -1"))
    assert (bench.lines, bench.posted) == ([], [])
    assert bench.records.among("alerts", "alert", ["unclassified"]) == []


def test_a_redelivery_to_another_instance_is_told_by_none_of_them_again(bench: Bench) -> None:
    bench.alarm()
    bench.alarm()
    assert len(bench.posted) == 1
    assert bench.verdicts == ["new", "done"]
    assert bench.lines[1]["severity"] == "DEBUG"


def test_the_same_again_is_kept_back_and_counted(bench: Bench) -> None:
    for number in range(4):
        bench.alarm(replace(LOCKED, at=NOON + number * MINUTE), str(number))
    bench.alarm(replace(LOCKED, at=NOON + timedelta(hours=4)), "last")
    assert bench.verdicts == ["new", *["repeated"] * 3, "new"]
    assert len(bench.posted) == 2
    assert "(3 more like it since it was told last)" in bench.posted[1]


def test_a_webhook_that_is_away_has_the_message_come_again_and_then_it_is_told(
    bench: Bench,
) -> None:
    bench.faults.append(Undelivered("it answered 503"))
    with pytest.raises(Undelivered):
        bench.alarm()
    assert kept(bench).sent_at is None
    bench.now += MINUTE
    bench.alarm()
    assert len(bench.posted) == 1
    assert kept(bench).sent_at == NOON + MINUTE
    bench.alarm()
    assert len(bench.posted) == 1


def test_a_webhook_that_refuses_is_logged_once_and_the_message_is_done_with(bench: Bench) -> None:
    bench.faults.append(Refused("the webhook answered 404, and will again: set its URL anew"))
    bench.alarm()
    bench.alarm()
    assert [line["message"] for line in bench.lines if line["event"] == "webhook"] == [
        "the webhook answered 404, and will again: set its URL anew"
    ]
    assert bench.verdicts.count("new") == 1


def test_without_a_webhook_alerts_are_logged(bench: Bench) -> None:
    bench.alarm(post=None)
    assert (len(bench.lines), bench.posted) == (1, [])
    assert kept(bench).sent_at is not None


def test_a_milder_alert_than_wanted_is_logged_only(bench: Bench) -> None:
    bench.alarm(severity_min="CRITICAL")
    assert (len(bench.lines), bench.posted) == (1, [])


def test_a_report_that_cannot_be_read_is_told_once(bench: Bench) -> None:
    for _ in range(2):
        bench.watcher().alarm("9", b'{"kind": "new"}')
    assert bench.verdicts == ["new", "done"]
    assert bench.lines[0]["alert"] == "unreadable_report"


class Away(StoreRecords):
    """Firestore's door, shut."""

    def change(self, path: str, decide: Any) -> None:
        raise TimeoutError("Firestore is away")


def test_without_firestore_an_alert_is_told_rather_than_kept_back(bench: Bench) -> None:
    """Twice is better than never."""
    away = Away(bench.records.use)
    bench.alarm(records=away)
    bench.alarm(records=away)
    assert len(bench.posted) == 2


def test_a_document_of_another_version_counts_as_none(bench: Bench) -> None:
    bench.alarm()
    (path,) = stored_alerts(bench)
    bench.records.put(path, {"alert": 7})
    bench.alarm()
    assert bench.verdicts == ["new", "new"]


def stored_alerts(bench: Bench) -> Mapping[str, Any]:
    found: Mapping[str, Any] = bench.records.use(lambda store: store.list("alerts"))
    return found


def kept(bench: Bench) -> AlertDocument:
    (document,) = stored_alerts(bench).values()
    return from_document(AlertDocument, document)


# ------------------------------------------------------------------ watchdog


def test_a_dead_gateway_is_told_at_the_next_look_and_once(bench: Bench) -> None:
    bench.live()
    assert bench.look() == ["reconcile_old"]
    assert bench.look(minutes=5) == ["gateway_silent"]
    assert bench.look(minutes=10) == []
    bench.live(NOON + 15 * MINUTE)
    assert bench.look(minutes=15) == ["gateway_back", "reconcile_old"]


def test_what_the_watchdog_publishes_the_alerts_tell(bench: Bench) -> None:
    bench.look()
    for number, report in enumerate(bench.published):
        bench.alarm(report, str(number))
    assert [line["alert"] for line in bench.lines] == ["gateway_silent"]
    assert bench.posted[0].startswith("CRITICAL paper gateway_silent: no gateway has ever taken")


def test_a_missed_schedule_is_told_and_one_that_was_kept_is_not(bench: Bench) -> None:
    jobs = (
        Scheduled("reconcile", "2 12 * * *", "reconcile"),
        Scheduled("run", "2 12 * * *", "run", ("alpha",)),
    )
    bench.live()
    bench.look(Watch(jobs))
    started = NOON + 2 * MINUTE
    bench.put(RunDocument("r", "reconcile", "message 1", started, "DONE"), run_id="r")
    bench.live(NOON + 10 * MINUTE)
    assert bench.look(Watch(jobs), minutes=10) == ["schedule_missed"]
    assert "schedule run: run for alpha" in bench.published[-1].sentence


def test_a_look_that_could_not_publish_tells_again(bench: Bench) -> None:
    def fail(report: Report) -> None:
        raise TimeoutError("Pub/Sub is away")

    with pytest.raises(TimeoutError):
        bench.watcher(publish=fail).look(encode(Watch()))
    assert bench.records.get(path_of(WatchdogDocument, mode=Mode.PAPER)) is None
    assert bench.look() == ["gateway_silent"]


def test_a_document_that_a_person_misspelt_is_told_and_ends_no_look(bench: Bench) -> None:
    bench.live()
    bench.records.put(path_of(ControlDocument, mode=Mode.PAPER), {"state": "stopped"})
    assert bench.look() == ["reconcile_old", "configuration_wrong"]
    assert bench.published[-1].sentence.startswith("control/paper: state: ")
    assert bench.look(minutes=0) == []


def test_orders_that_work_are_counted_by_their_state(bench: Bench) -> None:
    for number, state in enumerate(("WORKING", "DONE", "UNKNOWN")):
        path = f"positions/{Mode.PAPER}/openOrders/paper-1-{number}"
        bench.records.put(path, {"state": state})
    saturday = Watch(at=NOON + timedelta(days=1))
    assert bench.look(saturday) == ["gateway_silent"]
    assert "orders of ours work" in bench.published[0].sentence


def test_a_message_that_is_no_watch_is_refused(bench: Bench) -> None:
    with pytest.raises(Invalid, match="often"):
        bench.watcher().look(b'{"often": true}')


def test_the_fields_that_are_read_of_a_run_are_a_run_document_s() -> None:
    """They are read without the rest, so that a newer gateway's run counts as well."""
    assert {"command", "started_at", "asked"} <= set(RunDocument.__dataclass_fields__)

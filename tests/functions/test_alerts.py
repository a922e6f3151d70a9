"""Told once, told again when it is news, and never lost."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from functions.alerts import (
    CLAIM_SECONDS,
    KEPT,
    alert_in,
    is_at_least,
    key_of,
    severity_named,
    step,
    text,
)
from schemas.alerts import SEVERITIES, Alert, AlertDocument, alert_of
from schemas.codec import encode
from schemas.messages import Report
from schemas.values import Mode

AT = datetime(2026, 1, 5, 15, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LOCKED = Report(
    "alert",
    AT,
    Mode.PAPER,
    "SPY is locked: 10 are unexplained",
    con_id=756733,
    details={"lock": "unexplained"},
)
UNLOCKED = replace(LOCKED, sentence="SPY is unlocked", details={"alert": "unlocked"})


def alert(report: Report = LOCKED, at: datetime = AT) -> Alert:
    found = alert_of(replace(report, at=at))
    assert found is not None
    return found


def sent(found: Alert | None = None, message_id: str = "1") -> AlertDocument:
    """The document after an alert was told."""
    document = step(None, found or alert(), message_id, AT).document
    return replace(document, sent_at=AT + SECOND)


def test_what_was_never_told_is_told_and_noted() -> None:
    taken = step(None, alert(), "1", AT)
    assert taken.verdict == "new"
    document = taken.document
    assert (document.alert, document.message_id, document.sent_at) == (
        "lock_unexplained",
        "1",
        None,
    )
    assert document.expires_at == AT + KEPT


def test_the_same_message_again_is_not_told_again() -> None:
    """At-least-once: Pub/Sub delivers again although it was acked."""
    taken = step(sent(), alert(), "1", AT + SECOND)
    assert (taken.verdict, taken.document) == ("done", sent())


def test_the_same_message_goes_on_where_its_sending_failed() -> None:
    claimed = step(None, alert(), "1", AT).document
    assert step(claimed, alert(), "1", AT + SECOND).verdict == "new"


WINDOW = alert().rule.window


@pytest.mark.parametrize(
    ("later", "verdict"),
    [
        (timedelta(0), "done"),
        (SECOND, "repeated"),
        (WINDOW - SECOND, "repeated"),
        (WINDOW, "new"),
        (-SECOND, "repeated"),
    ],
)
def test_the_same_alert_is_told_once_in_its_window(later: timedelta, verdict: str) -> None:
    taken = step(sent(), alert(at=AT + later), "2", AT + later)
    assert taken.verdict == verdict
    assert taken.document.repeated == (1 if verdict == "repeated" else 0)


REJECTED = Report(
    "order", AT, Mode.PAPER, "o is DONE, rejected", order_ref="o", details={"outcome": "rejected"}
)


@pytest.mark.parametrize("report", [LOCKED, REJECTED])
def test_a_report_that_was_published_twice_is_told_once_and_not_counted(report: Report) -> None:
    """A gateway that starts publishes again what the last one may not have published."""
    known = sent(alert(report))
    again = step(known, alert(report), "2", AT + timedelta(days=3))
    assert (again.verdict, again.document) == ("done", known)
    unsent = replace(known, sent_at=None)
    late = AT + timedelta(seconds=CLAIM_SECONDS)
    assert step(unsent, alert(report), "2", late).verdict == "new", "nobody was told"


def test_what_is_told_each_time_is_told_when_it_happens_again() -> None:
    rejected = alert(REJECTED, AT + SECOND)
    assert key_of(rejected) != key_of(alert(REJECTED)), "a document of its own"
    assert step(None, rejected, "2", AT + SECOND).verdict == "new"


def test_how_many_were_kept_back_is_told_with_the_next() -> None:
    document = sent()
    for number in range(3):
        document = step(document, alert(at=AT + SECOND), f"again-{number}", AT).document
    taken = step(document, alert(at=AT + WINDOW), "last", AT + WINDOW)
    assert (taken.verdict, taken.kept_back) == ("new", 3)
    assert "(3 more like it since it was told last)" in text(alert(), taken.kept_back)


def test_a_lock_that_falls_again_after_an_unlock_is_told_again() -> None:
    """[B3] Within the window, for it is news."""
    unlocked = step(sent(), alert(UNLOCKED, AT + SECOND), "2", AT)
    assert unlocked.verdict == "new"
    again = step(unlocked.document, alert(at=AT + 2 * SECOND), "3", AT)
    assert again.verdict == "new"


def test_an_alert_that_comes_after_what_replaced_it_is_late() -> None:
    """A level: the order of arrival decides nothing."""
    unlocked = sent(alert(UNLOCKED, AT + SECOND), "2")
    taken = step(unlocked, alert(at=AT), "1", AT)
    assert (taken.verdict, taken.document) == ("late", unlocked)


@pytest.mark.parametrize(("seconds", "verdict"), [(-1, "repeated"), (0, "new")])
def test_a_claim_that_was_never_sent_does_not_keep_others_back_for_ever(
    seconds: int, verdict: str
) -> None:
    """Its message became a dead letter: the next one of the same kind is told in its stead."""
    claimed = step(None, alert(), "1", AT).document
    now = AT + timedelta(seconds=CLAIM_SECONDS + seconds)
    assert step(claimed, alert(at=AT + SECOND), "2", now).verdict == verdict


def test_subjects_have_documents_of_their_own_with_names_that_can_be_read() -> None:
    other = replace(LOCKED, con_id=1)
    assert key_of(alert()).startswith("paper-lock-")
    assert key_of(alert()) != key_of(alert(other))
    assert key_of(alert()) == key_of(alert(UNLOCKED))
    live = replace(LOCKED, mode=Mode.LIVE)
    assert key_of(alert()) != key_of(alert(live))


def test_a_report_is_read_as_the_gateway_encodes_it() -> None:
    assert alert_in(encode(LOCKED), Mode.PAPER, AT) == alert()


def test_a_step_of_the_day_is_no_alert() -> None:
    crossed = Report("cross", AT, Mode.PAPER, "a +1, b -1 SPY crossed")
    assert alert_in(encode(crossed), Mode.PAPER, AT) is None


@pytest.mark.parametrize("data", [b"", b"{}", b'{"kind": "new"}', b"\xff\x00"])
def test_a_report_that_cannot_be_read_is_an_alert_too(data: bytes) -> None:
    """A newer gateway's, in a deploy in mid-day."""
    found = alert_in(data, Mode.LIVE, AT)
    assert found is not None
    assert (found.name, found.rule.severity) == ("unreadable_report", "WARNING")
    assert "a report cannot be read" in found.report.sentence


def test_the_text_says_how_bad_it_is_where_and_whether_somebody_is_needed() -> None:
    assert text(alert()) == (
        "ERROR paper lock_unexplained: SPY is locked: 10 are unexplained A person is needed."
    )
    assert text(alert(UNLOCKED)) == "INFO paper unlocked: SPY is unlocked"


def test_no_sentence_can_ring_everybody_or_make_a_link() -> None:
    said = text(alert(replace(LOCKED, sentence="<!channel> a & b -> c")))
    assert "&lt;!channel&gt; a &amp; b -&gt; c" in said


def test_a_sentence_without_end_is_cut() -> None:
    assert len(text(alert(replace(LOCKED, sentence="x" * 10_000)))) < 3100


@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_mildest_for_the_webhook_can_be_chosen(severity: str) -> None:
    chosen = severity_named({"ALERT_WEBHOOK_SEVERITY_MIN": severity})
    assert chosen == severity
    assert is_at_least(alert(), chosen) == (severity != "CRITICAL")


def test_without_a_choice_all_go_to_the_webhook_and_a_wrong_word_is_refused() -> None:
    assert severity_named({}) == severity_named({"ALERT_WEBHOOK_SEVERITY_MIN": ""}) == "INFO"
    with pytest.raises(ValueError, match="SEVERITY_MIN is 'LOUD', it must be one of INFO, WARN"):
        severity_named({"ALERT_WEBHOOK_SEVERITY_MIN": "LOUD"})

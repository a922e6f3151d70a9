"""Is this alert told, or was it told already? And its sentence for a person. Pure.

The state is one document for each subject, `alerts/{key}`, so that it survives cold starts and is
the same for all instances. Times compared are the reports' own; only how long a claim may wait for
its sending is judged by the wall.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from schemas.alerts import ALERTS, SEVERITIES, UNREADABLE, Alert, AlertDocument, Severity, alert_of
from schemas.codec import Invalid, decode
from schemas.messages import Report
from schemas.values import Mode

KEPT: Final = timedelta(days=30)
"""How long `alerts/{key}` is kept after it was told: far longer than any window."""

CLAIM_SECONDS: Final = 600
"""After so long without an answer from the webhook, another message may tell it in its stead."""

SENTENCE_CHARACTERS_MAX: Final = 3000
"""Slack cuts a message at 4,000 characters; the rest is in the log and in the report."""

type Verdict = Literal["new", "repeated", "late", "done"]
"""Told now; kept back for its window; older than what was told since; this very one was told."""


@dataclass(frozen=True, slots=True)
class Step:
    """What to do with an alert, and the document as it then is."""

    verdict: Verdict
    document: AlertDocument
    kept_back: int = 0
    """How many of the same were kept back before this one is told again."""


def alert_in(data: bytes, mode: Mode, now: datetime) -> Alert | None:
    """The alert in a message of the topic `reports`; None when it is a step of the day.

    What cannot be decoded, as from a newer gateway, is an alert too: it must not vanish.
    """
    try:
        return alert_of(decode(Report, data))
    except Invalid as error:
        begin = data[:200].decode(errors="replace")
        sentence = f"a report cannot be read: {error}; it begins {begin!r}: deploy the functions"
        report = Report("alert", now, mode, sentence)
        return Alert(UNREADABLE, ALERTS[UNREADABLE], report, hashlib.sha256(data).hexdigest())


def key_of(alert: Alert) -> str:
    """The document's id: readable as far as it goes, and unique."""
    digest = hashlib.sha256(alert.key.encode()).hexdigest()[:24]
    return f"{alert.report.mode}-{alert.rule.family}-{digest}"


def step(known: AlertDocument | None, alert: Alert, message_id: str, now: datetime) -> Step:
    """Whether an alert is told, after what was told of its subject before.

    A level, as everything here: `unlocked` replaces `locked`, and an alert that is older than the
    one that replaced it is late. The same alert is told once in its window.
    """
    fresh = _claimed(alert, message_id, now)
    if known is None:
        return Step("new", fresh)
    if known.message_id == message_id:
        return Step("done" if known.sent_at else "new", known)
    if known.alert != alert.name:
        return Step("late", known) if alert.report.at < known.at else Step("new", fresh)
    if _is_the_same(known, alert, now):
        return Step("done", known)
    if _is_within(known, alert, now):
        return Step("repeated", replace(known, repeated=known.repeated + 1))
    return Step("new", fresh, known.repeated)


def text(alert: Alert, kept_back: int = 0) -> str:
    """The sentence as a chat shows it: severity, mode and name before it, what is asked after it.

    `&`, `<` and `>` are escaped as Slack wants it, so that no sentence can ring everybody.
    """
    report = alert.report
    sentence = report.sentence
    if len(sentence) > SENTENCE_CHARACTERS_MAX:
        sentence = sentence[:SENTENCE_CHARACTERS_MAX] + " ... (cut)"
    again = f" ({kept_back} more like it since it was told last)" if kept_back else ""
    asked = " A person is needed." if alert.rule.needs_person else ""
    said = f"{alert.rule.severity} {report.mode} {alert.name}: {sentence}{again}{asked}"
    return said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def is_at_least(alert: Alert, severity: Severity) -> bool:
    """Whether an alert is as bad as this, or worse."""
    return SEVERITIES.index(alert.rule.severity) >= SEVERITIES.index(severity)


def severity_named(environment: Mapping[str, str]) -> Severity:
    """The mildest that the webhook gets, `ALERT_WEBHOOK_SEVERITY_MIN`; INFO when it is not set.

    Raises `ValueError` for another word.
    """
    word = environment.get("ALERT_WEBHOOK_SEVERITY_MIN") or "INFO"
    for severity in SEVERITIES:
        if word == severity:
            return severity
    wanted = ", ".join(SEVERITIES)
    raise ValueError(f"ALERT_WEBHOOK_SEVERITY_MIN is {word!r}, it must be one of {wanted}")


def _is_the_same(known: AlertDocument, alert: Alert, now: datetime) -> bool:
    """Whether this very report was told: a gateway that starts may publish it a second time."""
    told, report = (known.at, known.sentence), alert.report
    return told == (report.at, report.sentence) and not _is_given_up(known, now)


def _is_within(known: AlertDocument, alert: Alert, now: datetime) -> bool:
    """Whether the same was told so recently that it is not told again."""
    return alert.report.at - known.at < alert.rule.window and not _is_given_up(known, now)


def _is_given_up(known: AlertDocument, now: datetime) -> bool:
    """Whether it was only meant to be told: its message died on the way to the webhook."""
    return known.sent_at is None and now - known.claimed_at >= timedelta(seconds=CLAIM_SECONDS)


def _claimed(alert: Alert, message_id: str, now: datetime) -> AlertDocument:
    return AlertDocument(
        alert=alert.name,
        severity=alert.rule.severity,
        subject=alert.subject,
        sentence=alert.report.sentence,
        at=alert.report.at,
        message_id=message_id,
        claimed_at=now,
        expires_at=now + KEPT,
    )

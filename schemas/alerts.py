"""Which reports are alerts: their names, how bad they are, who is needed, how often they are told.

The table is the whole knowledge: the gateway tells reports, `functions.alerts` looks them up here,
and alert policies match the names and the fields of the log line. What nobody has classified comes
through as a WARNING rather than vanish.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from schemas.messages import Report

type Severity = Literal["CRITICAL", "ERROR", "WARNING", "INFO"]

SEVERITIES: Final[tuple[Severity, ...]] = ("INFO", "WARNING", "ERROR", "CRITICAL")
"""Google's words for the severity of a log entry, mildest first."""

EVENT: Final = "alert"
"""What the field `event` of an alert's log line says, for a filter to find all of them."""

UNCLASSIFIED: Final = "unclassified"
UNREADABLE: Final = "unreadable_report"


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One kind of alert. `family` groups those that replace each other for one subject: `unlocked`
    ends what `lock_repeated` began, so that a lock that falls again is told again.

    The same alert about the same subject is told once in `window_minutes`; 0: each is told.
    """

    severity: Severity
    needs_person: bool
    window_minutes: int
    family: str
    meaning: str

    @property
    def window(self) -> timedelta:
        """How long the same alert about the same subject is not told again."""
        return timedelta(minutes=self.window_minutes)


HOUR: Final = 60
DAY: Final = 24 * HOUR

ALERTS: Final[Mapping[str, AlertRule]] = {
    # what the gateway cannot go on with
    "order_path_shut": AlertRule("CRITICAL", True, HOUR, "door", "no order leaves any more"),
    "guard_cannot_cancel": AlertRule("CRITICAL", True, 5, "guard", "our orders work unwatched"),
    "guard_cancelled": AlertRule("ERROR", True, 5, "guard", "the guard cancelled our orders"),
    # contracts that are locked [B3, W1, A3]
    "lock_unexplained": AlertRule("ERROR", True, 4 * HOUR, "lock", "the law is broken [B3]"),
    "lock_unknown_order": AlertRule("ERROR", True, 4 * HOUR, "lock", "an order was lost sight of"),
    "lock_overfill": AlertRule("ERROR", True, 4 * HOUR, "lock", "more was filled than ordered"),
    "lock_corrected": AlertRule("ERROR", True, 4 * HOUR, "lock", "a fill was corrected [A3]"),
    "lock_repeated": AlertRule("ERROR", True, 4 * HOUR, "lock", "orders repeat without a fill"),
    "unlocked": AlertRule("INFO", False, HOUR, "lock", "the contract is traded again"),
    # what the account may do
    "latched": AlertRule("ERROR", True, 4 * HOUR, "latch", "a loss latched reduce_only"),
    "latch_lifted": AlertRule("INFO", False, HOUR, "latch", "the latch is gone"),
    "trading_halted": AlertRule("WARNING", False, 5, "trading", "nothing is sent any more"),
    "trading_reduce_only": AlertRule("WARNING", False, 5, "trading", "only what reduces is sent"),
    "trading_active": AlertRule("INFO", False, 5, "trading", "trading goes on"),
    "halted_long": AlertRule("INFO", True, DAY, "halted", "trading was stopped days ago"),
    "closed": AlertRule("WARNING", False, 5, "closed", "a strategy is closed by close_all"),
    "closed_lifted": AlertRule("INFO", False, 5, "closed", "a closed strategy trades again"),
    # configuration and strategies
    "configuration_wrong": AlertRule("ERROR", True, HOUR, "configuration", "cannot be read"),
    "orphan": AlertRule("WARNING", True, DAY, "orphan", "a book without a strategy [B6]"),
    "strategy_failed": AlertRule("ERROR", True, HOUR, "strategy", "a strategy holds: it failed"),
    "targets_ignored": AlertRule("WARNING", True, HOUR, "targets", "targets changed nothing [T2]"),
    # orders, runs and messages
    "order_rejected": AlertRule("ERROR", True, 0, "order", "IB rejected an order"),
    "intention_halved": AlertRule("ERROR", True, 0, "intention", "one leg of several did not go"),
    "foreign_execution": AlertRule("WARNING", False, 0, "foreign", "somebody else traded [B2]"),
    "run_failed": AlertRule("ERROR", True, HOUR, "run", "a command failed"),
    "run_interrupted": AlertRule("WARNING", True, 0, "run", "the gateway ended in mid-run"),
    "run_refused": AlertRule("WARNING", False, 4 * HOUR, "run", "a command was refused"),
    "approval_needed": AlertRule("ERROR", True, 0, "approval", "a run waits for approve"),
    "refused": AlertRule("WARNING", False, HOUR, "refusal", "a limit refused what was wanted"),
    "message_refused": AlertRule("WARNING", True, 0, "message", "a message was of no use"),
    "check_finding": AlertRule("ERROR", True, 0, "check", "risk_check or eod_check found it"),
    "expiry_near": AlertRule("WARNING", True, 20 * HOUR, "expiry", "held near its last day"),
    # what the watchdog sees
    "gateway_silent": AlertRule("CRITICAL", True, HOUR, "gateway", "no gateway renews its lease"),
    "gateway_back": AlertRule("INFO", False, 0, "gateway", "the gateway lives again"),
    "schedule_missed": AlertRule("ERROR", True, 0, "schedule", "a scheduled command left no run"),
    "reconcile_old": AlertRule("ERROR", True, 4 * HOUR, "reconcile", "nobody read the broker"),
    "broker_awaited": AlertRule("ERROR", True, HOUR, "broker", "it waits for IB's login [R1]"),
    "login_needed": AlertRule("ERROR", True, 4 * HOUR, "login", "IB's weekly login is due"),
    "login_soon": AlertRule("INFO", True, DAY, "login", "IB's weekly login ends soon"),
    "calendar_ends": AlertRule("WARNING", True, 7 * DAY, "calendar", "the holidays run out"),
    # market data
    "bars_faulty": AlertRule("WARNING", True, DAY, "bars", "bars have gaps or wrong prices"),
    # what this version does not know
    "state_changed": AlertRule("INFO", False, 0, "state", "something else changed"),
    UNREADABLE: AlertRule("WARNING", True, 0, "report", "a report that cannot be decoded"),
    UNCLASSIFIED: AlertRule("WARNING", True, 0, "report", "an alert that is not in this table"),
}
"""Name -> what is known of it. A name never changes: alert policies match it."""

APPROVAL_RULES: Final = ("targets_vanished",)
"""Limits whose refusal waits for a person's `approve`."""

LOG_FIELDS: Final[Mapping[str, str]] = {
    "severity": "how bad it is, in Google's words; lifted to the log entry's own severity",
    "message": "the sentence, for the eye",
    "event": f"always `{EVENT}`: all alerts, whatever they are",
    "alert": "the name in the table of alerts",
    "mode": "paper or live",
    "needs_person": "whether it stays as it is until somebody acts",
    "told": "`new`: told now; `repeated`, `late` or `done`: kept back, then severity is DEBUG",
    "subject": "what it is about, as far as repetition goes",
    "at": "when it happened, by the gateway's clock",
    "run_id": "the run's document, if it belongs to one",
    "strategy": "the strategy, if it is about one",
    "symbol": "the contract's symbol, if it is about one",
    "order_ref": "our order, if it is about one",
}
"""Every field of an alert's log line; Cloud Logging has them under `jsonPayload`."""


@dataclass(frozen=True, slots=True)
class Alert:
    """A report that somebody is told of. `key` is what repetition is counted by."""

    name: str
    rule: AlertRule
    report: Report
    subject: str

    @property
    def key(self) -> str:
        """Family, mode and subject, as text."""
        return f"{self.report.mode}-{self.rule.family}-{self.subject}"


@dataclass(frozen=True, slots=True)
class AlertDocument:
    """`alerts/{key}`: what was told last about one subject, so that no instance tells it twice.

    `at` is the report's own time, the others are the wall's. `sent_at` is empty between the claim
    and the webhook's answer. `repeated` counts what was kept back since.
    """

    alert: str
    severity: str
    subject: str
    sentence: str
    at: datetime
    message_id: str
    claimed_at: datetime
    expires_at: datetime
    sent_at: datetime | None = None
    repeated: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """A fault that the watchdog has told and that goes on."""

    alert: str
    sentence: str
    since: datetime
    told_at: datetime


@dataclass(frozen=True, slots=True)
class WatchdogDocument:
    """`watchdog/{mode}`: when the watchdog looked last, by the market's time, and what is wrong."""

    at: datetime
    faults: Mapping[str, Told] = field(default_factory=dict)


def alert_of(report: Report) -> Alert | None:
    """The alert that a report is; None for what is only a step of the day: a fill, a cross."""
    name = _name(report)
    return None if name is None else Alert(name, ALERTS[name], report, _subject(name, report))


def log_fields(alert: Alert, told: str) -> dict[str, object]:
    """The log line of an alert, by `LOG_FIELDS`."""
    report = alert.report
    return {
        "severity": alert.rule.severity if told == "new" else "DEBUG",
        "message": report.sentence,
        "event": EVENT,
        "alert": alert.name,
        "mode": str(report.mode),
        "needs_person": alert.rule.needs_person,
        "told": told,
        "subject": alert.subject,
        "at": report.at.isoformat(),
        "run_id": report.run_id,
        "strategy": report.strategy,
        "symbol": report.symbol,
        "order_ref": report.order_ref,
    }


def _name(report: Report) -> str | None:
    details = report.details
    if details.get("alert", "") in ALERTS:  # said by whoever tells it, whatever the kind
        return details["alert"]
    match report.kind:
        case "alert":
            return _of_alert(details)
        case "refusal":
            return _of_refusal(details)
        case "run" | "state":
            return _of_progress(report)
        case "order" | "execution" | "cross":
            return _of_trade(report)


def _of_alert(details: Mapping[str, str]) -> str:
    if "lock" in details:
        return _known(f"lock_{details['lock']}")
    if "latch" in details:
        return "latched"
    return "strategy_failed" if details.get("status") == "error" else UNCLASSIFIED


def _of_refusal(details: Mapping[str, str]) -> str:
    if details.get("rule") in APPROVAL_RULES:
        return "approval_needed"
    return "refused" if details.get("rule") else "message_refused"


def _of_progress(report: Report) -> str | None:
    details = report.details
    if report.kind == "run":
        outcome = details.get("outcome", "")
        return None if outcome == "done" else _known(f"run_{outcome}")
    if "trading" in details:
        return _known(f"trading_{details['trading']}")
    return None if details.get("status") == "hold" else "state_changed"


def _of_trade(report: Report) -> str | None:
    """An order that is UNKNOWN is told by the lock that it puts on its contract."""
    if report.kind == "order" and report.details.get("outcome") == "rejected":
        return "order_rejected"
    is_foreign = report.kind == "execution" and not report.order_ref
    return "foreign_execution" if is_foreign else None


def _known(name: str) -> str:
    return name if name in ALERTS else UNCLASSIFIED


def _subject(name: str, report: Report) -> str:
    """What it is about: the contract, else the strategy; a run's command and why it ended so; a
    limit and whom it refused.

    Two sentences about one subject are one alert with two values. Where nothing else tells alerts
    apart that are told each time, the sentence and the time do.
    """
    details = report.details
    about = str(report.con_id or "") or report.symbol or report.strategy
    words = [details.get("subject", "") or about]
    if ALERTS[name].window_minutes == 0:
        words += [report.order_ref or report.run_id, report.at.isoformat(), report.sentence]
    words += [details.get(word, "") for word in ("command", "reason", "rule", "strategies")]
    return " ".join(word for word in words if word)

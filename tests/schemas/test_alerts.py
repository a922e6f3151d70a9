"""Every report that the gateway tells is classified, and what nobody knows comes through."""

import ast
import typing
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.alerts import ALERTS, LOG_FIELDS, SEVERITIES, UNCLASSIFIED, Alert, alert_of, log_fields
from schemas.documents import Lock, OutcomeName, RunDocument
from schemas.messages import Report
from schemas.values import Mode, TradingState

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 1, 5, 15, tzinfo=UTC)
SAID = Report("alert", AT, Mode.PAPER, "SPY is locked: 10 are unexplained", con_id=756733)
QUIET = {"order", "execution", "cross"}
"""Kinds that are steps of the day, unless they say what is wrong."""


def words_of(kind: type, field: str) -> list[str]:
    """What a field may say, by its type."""
    hint = typing.get_type_hints(kind)[field]
    return [word for word in typing.get_args(getattr(hint, "__value__", hint)) if word]


def told(kind: str, **details: str) -> Alert | None:
    return alert_of(replace(SAID, kind=kind, details=details))  # type: ignore[arg-type]


def name(kind: str, **details: str) -> str:
    found = told(kind, **details)
    return found.name if found else ""


# ------------------------------------------------------------------ what the gateway says


def reports_in_sources() -> Iterator[tuple[str, str, set[str], str]]:
    """Each `Report(...)` of the gateway: place, kind, the keys of its details, its alert's name."""
    for path in sorted((ROOT / "gateway").rglob("*.py")):
        if "simulator" in path.parts:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for call in (n for n in ast.walk(function) if isinstance(n, ast.Call)):
                    if isinstance(call.func, ast.Name) and call.func.id == "Report":
                        place = f"{path.relative_to(ROOT).as_posix()}:{call.lineno}"
                        yield place, kind_of(call), *details_of(function, call)


def kind_of(call: ast.Call) -> str:
    """The kind, `?` where it is computed."""
    named = [word.value for word in call.keywords if word.arg == "kind"]
    found = [*named, *call.args][0]
    return str(found.value) if isinstance(found, ast.Constant) else "?"


def details_of(function: ast.AST, call: ast.Call) -> tuple[set[str], str]:
    """The literal details: in the call, or in the variable that it names."""
    said = next((word.value for word in call.keywords if word.arg == "details"), None)
    if isinstance(said, ast.Name):
        literals = [n for n in ast.walk(function) if isinstance(n, ast.Dict)]
    else:
        literals = [said] if isinstance(said, ast.Dict) else []
    pairs = [pair for one in literals for pair in zip(one.keys, one.values, strict=True)]
    keys = {k.value: v for k, v in pairs if isinstance(k, ast.Constant)}
    alert = keys.get("alert")
    return {str(k) for k in keys}, str(alert.value) if isinstance(alert, ast.Constant) else ""


SOURCES = list(reports_in_sources())
ALERT_KEYS = {"alert", "lock", "latch", "status"}
"""What tells one alert from another; one of these a report of kind `alert` must carry."""


def test_the_sources_are_really_read() -> None:
    assert len(SOURCES) >= 12
    assert {"alert", "run", "refusal", "state", "execution"} <= {kind for _, kind, _, _ in SOURCES}


def id_of(part: str | set[str]) -> str:
    """The same in every process, or the workers would not agree on what to run."""
    return part if isinstance(part, str) else " ".join(sorted(part))


@pytest.mark.parametrize(("place", "kind", "keys", "said"), SOURCES, ids=id_of)
def test_every_report_in_the_gateway_s_sources_is_classified(
    place: str, kind: str, keys: set[str], said: str
) -> None:
    """A new alert needs `details={"alert": name}` and a row in the table."""
    if kind == "alert":
        assert keys & ALERT_KEYS, f"{place}: an alert without a name: see schemas.alerts"
    if said:
        assert said in ALERTS, f"{place}: {said!r} is not in schemas.alerts"
    if kind == "run":
        assert "outcome" in keys, place


DERIVED = (
    *("lock_", "run_", "trading_", "refused", "message_refused", "approval_needed", "latched"),
    *("order_rejected", "foreign_execution", "state_changed", "strategy_failed"),
    *("unreadable_report", UNCLASSIFIED),
)
"""What the table makes of other details than `alert`; tested below, each by itself."""


@pytest.mark.parametrize("alert", [name for name in ALERTS if not name.startswith(DERIVED)])
def test_every_other_alert_of_the_table_is_told_by_somebody(alert: str) -> None:
    """Spelled as in the table: another word would come through as unclassified."""
    folders = [ROOT / "gateway", ROOT / "functions"]
    sources = [path for folder in folders for path in folder.rglob("*.py")]
    assert any(f'"{alert}"' in path.read_text(encoding="utf-8") for path in sources)


@pytest.mark.parametrize("lock", words_of(Lock, "kind"))
def test_every_lock_is_an_error_that_needs_a_person(lock: str) -> None:
    """[B3] [A2] [A3] [W1]"""
    found = told("alert", lock=lock)
    assert found is not None
    assert found.name == f"lock_{lock}"
    assert (found.rule.severity, found.rule.needs_person) == ("ERROR", True)


@pytest.mark.parametrize("outcome", words_of(RunDocument, "outcome"))
def test_every_end_of_a_run_but_done_is_an_alert(outcome: str) -> None:
    assert name("run", outcome=outcome) == ("" if outcome == "done" else f"run_{outcome}")


@pytest.mark.parametrize("state", TradingState)
def test_every_trading_state_is_told(state: TradingState) -> None:
    assert name("state", trading=str(state)) == f"trading_{state}"


@pytest.mark.parametrize("outcome", typing.get_args(OutcomeName.__value__))
def test_of_orders_only_a_rejection_is_an_alert(outcome: str) -> None:
    """An order that is lost sight of is told by its lock."""
    assert name("order", outcome=outcome) == ("order_rejected" if outcome == "rejected" else "")


def test_refusals_are_told_by_what_they_ask_of_a_person() -> None:
    assert name("refusal", rule="targets_vanished") == "approval_needed"
    assert name("refusal", rule="order_notional_max") == "refused"
    assert name("refusal", message_id="7") == "message_refused"


def test_a_fill_is_a_step_of_the_day_and_somebody_else_s_is_not() -> None:
    """[B2]"""
    assert alert_of(replace(SAID, kind="execution", order_ref="paper-1-1")) is None
    assert name("execution", exec_id="x.01") == "foreign_execution"


def test_a_strategy_that_fails_is_told_and_one_that_holds_is_not() -> None:
    """[T1]"""
    assert name("alert", status="error") == "strategy_failed"
    assert told("state", status="hold") is None


# ------------------------------------------------------------------ what nobody knows


@pytest.mark.parametrize("details", [{}, {"lock": "new"}, {"alert": "new"}, {"else": "x"}])
def test_an_alert_that_nobody_classified_comes_through_as_a_warning(
    details: dict[str, str],
) -> None:
    found = told("alert", **details)
    assert found is not None
    assert (found.name, found.rule.severity) == (UNCLASSIFIED, "WARNING")


@pytest.mark.parametrize("kind", words_of(Report, "kind"))
def test_every_kind_of_report_is_decided_on(kind: str) -> None:
    found = told(kind, something="new")
    assert found is not None or kind in QUIET


def test_an_outcome_and_a_state_that_are_new_come_through() -> None:
    assert name("run", outcome="new") == name("state", trading="new") == UNCLASSIFIED
    assert name("state", day="closed") == "state_changed"


# ------------------------------------------------------------------ subjects and fields


def test_the_subject_is_the_contract_not_the_sentence() -> None:
    again = replace(
        SAID, sentence="SPY is locked: 11 are unexplained", details={"lock": "overfill"}
    )
    found = [alert_of(replace(again, sentence=said)) for said in ("a", "b")]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].key == found[1].key == "paper-lock-756733"


def test_a_lock_and_its_end_are_of_one_family() -> None:
    """So that a lock that falls again is told again."""
    locked, unlocked = told("alert", lock="repeated"), told("alert", alert="unlocked")
    assert locked is not None
    assert unlocked is not None
    assert locked.key == unlocked.key


def test_refusals_of_two_strategies_and_of_two_rules_are_told_apart() -> None:
    details = [
        {"rule": "r", "strategies": "alpha"},
        {"rule": "r", "strategies": "beta"},
        {"rule": "s", "strategies": "alpha"},
    ]
    keys = {found.key for one in details if (found := told("refusal", **one))}
    assert len(keys) == 3


def test_runs_that_fail_for_one_reason_are_one_alert_and_for_another_are_another() -> None:
    """A gateway without a broker fails every half hour."""
    keys = set()
    for run_id, reason in (("r1", "no broker"), ("r2", "no broker"), ("r3", "no equity")):
        details = {"command": "run", "outcome": "failed", "reason": reason}
        found = alert_of(replace(SAID, kind="run", run_id=run_id, con_id=0, details=details))
        assert found is not None
        keys.add(found.key)
    assert keys == {"paper-run-run no broker", "paper-run-run no equity"}


def test_what_is_told_each_time_has_a_subject_of_its_own() -> None:
    one = alert_of(replace(SAID, kind="run", run_id="r1", details={"outcome": "interrupted"}))
    two = alert_of(replace(SAID, kind="run", run_id="r2", details={"outcome": "interrupted"}))
    assert one is not None
    assert two is not None
    assert one.key != two.key


@pytest.mark.parametrize("alert", ALERTS)
def test_the_log_line_has_the_fields_of_the_table_and_no_others(alert: str) -> None:
    found = told("alert", alert=alert)
    assert found is not None
    fields = log_fields(found, "new")
    assert list(fields) == list(LOG_FIELDS)
    assert fields["alert"] == alert
    assert fields["severity"] == ALERTS[alert].severity in SEVERITIES
    assert (fields["event"], fields["mode"], fields["message"]) == ("alert", "paper", SAID.sentence)


@pytest.mark.parametrize("verdict", ["repeated", "late", "done"])
def test_what_is_kept_back_rings_no_alert_policy(verdict: str) -> None:
    """Policies match severity; the line is there all the same, for whoever looks."""
    found = told("alert", lock="overfill")
    assert found is not None
    assert log_fields(found, verdict)["severity"] == "DEBUG"


def test_every_critical_alert_needs_a_person_and_has_a_window() -> None:
    for rule in ALERTS.values():
        if rule.severity == "CRITICAL":
            assert rule.needs_person
            assert rule.window_minutes > 0


# ------------------------------------------------------------------ the page for people


def window_text(minutes: int) -> str:
    if not minutes:
        return "each time"
    if minutes % (24 * 60) == 0:
        return f"{minutes // (24 * 60)} d"
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def test_the_page_says_what_the_table_says() -> None:
    page = (ROOT / "docs" / "how-to" / "alerts.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in page if line.startswith("| `") and line.count("|") == 6]
    assert rows == [
        f"| `{name}` | {rule.severity} | {'yes' if rule.needs_person else ''} "
        f"| {window_text(rule.window_minutes)} | {rule.meaning} |"
        for name, rule in ALERTS.items()
    ]
    fields = [line for line in page if line.startswith("| `") and line.count("|") == 3]
    expected = [f"| `{name}` | {meaning} |" for name, meaning in LOG_FIELDS.items()]
    assert [line for line in fields if line in expected] == expected

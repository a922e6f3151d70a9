"""What Terraform says and what the code says must be one thing: names, alerts, fields, messages.

Here the files are read as text; what Terraform makes of them is `test_terraform.py`.
"""

import dataclasses
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import get_type_hints

import pytest

from functions.registry import STRATEGIES, WATCHERS
from gateway.config import Config, from_environment
from gateway.process import Program
from gateway.safety import PORTS
from infra import topology_json
from schemas.alerts import ALERTS, Alert, log_fields
from schemas.documents import DOCUMENTS
from schemas.messages import Report
from schemas.secret import secret_id
from schemas.values import Mode

type Files = dict[str, str]


@pytest.fixture(scope="module")
def module(root: Path) -> Files:
    """The module's files, name -> text."""
    folder = root / "infra/terraform/modules/trading"
    return {path.name: path.read_text("utf-8") for path in sorted(folder.glob("*.tf"))}


# ---------------------------------------------------------------------- topology


def test_the_topology_that_terraform_reads_is_the_one_of_the_code() -> None:
    """Else: python -m infra.topology_json."""
    assert _stale(topology_json.FOLDER) == []


def test_a_topology_that_drifted_is_found_out(tmp_path: Path) -> None:
    for name, text in topology_json.texts().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert _stale(tmp_path) == []
    live = tmp_path / "live.json"
    drifted = json.loads(live.read_text("utf-8"))
    drifted["subscriptions"][0]["ack_deadline_seconds"] += 1
    live.write_text(json.dumps(drifted, indent=2) + "\n", encoding="utf-8")
    assert _stale(tmp_path) == ["live.json"]


def _stale(folder: Path) -> list[str]:
    wanted = topology_json.texts()
    found = {path.name: path.read_text("utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in wanted | found if wanted.get(name) != found.get(name))


def test_the_topology_has_each_entry_point_once() -> None:
    for text in topology_json.texts().values():
        entry_points = [one["entry_point"] for one in json.loads(text)["subscriptions"]]
        assert sorted(filter(None, entry_points)) == sorted((*STRATEGIES, *WATCHERS))


def test_no_list_of_strategies_stands_in_terraform(module: Files) -> None:
    text = "".join(module.values())
    assert [name for name in STRATEGIES if name in text] == []


def test_the_names_of_services_are_ones_that_cloud_run_takes() -> None:
    """Fewer than 50 characters, and different although `_` becomes `-`."""
    names = [f"strategy-{name.replace('_', '-')}-{mode}" for name in STRATEGIES for mode in Mode]
    assert [name for name in names if len(name) > 49] == []
    assert len(set(names)) == len(names)


# ---------------------------------------------------------------------- alerts


AT = datetime(2026, 1, 5, 15, tzinfo=UTC)
SEVERITY = ["DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL"]


def policies(module: Files) -> dict[str, list[tuple[str, str, str]]]:
    """The filters of the log-matched policies: name -> (field, comparison, value)."""
    logged = module["monitoring.tf"].partition("logged = {")[2].partition("awaited")[0]
    found = re.findall(
        r'(\w+) = \{\s+says.*?filter\s+= "\$\{local\.functions_log\} AND (.*?)"\n', logged, re.S
    )
    term = re.compile(r'^(?:jsonPayload\.)?(\w+)(>=|=)\\?"?(\w+?)\\?"?$')
    return {name: [_parts(term, said) for said in text.split(" AND ")] for name, text in found}


def _parts(term: re.Pattern[str], said: str) -> tuple[str, str, str]:
    found = term.match(said)
    assert found, f"{said!r} is nothing that this test understands"
    field, comparison, value = found.groups()
    return field, comparison, value


def matches(policy: list[tuple[str, str, str]], line: dict[str, object]) -> bool:
    """Whether a log line is one of the policy's, by the rules of Cloud Logging."""
    return all(_holds(line.get(field), comparison, value) for field, comparison, value in policy)


def _holds(known: object, comparison: str, value: str) -> bool:
    if comparison == ">=":
        return SEVERITY.index(str(known)) >= SEVERITY.index(value)
    return (str(known).lower() if isinstance(known, bool) else str(known)) == value


def line_of(name: str, told: str = "new") -> dict[str, object]:
    report = Report("alert", AT, Mode.PAPER, "something")
    return log_fields(Alert(name, ALERTS[name], report, "SPY"), told)


def test_the_policies_are_read_as_they_are_meant(module: Files) -> None:
    assert list(policies(module)) == [
        "call_somebody",
        "write_to_somebody",
        "waits_for_a_person",
        "webhook_wrong",
    ]


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_rings_by_its_severity(module: Files, name: str) -> None:
    """Once: by one policy if it is bad or needs a person, by none if it does not."""
    rule = ALERTS[name]
    rings = [policy for policy, said in policies(module).items() if matches(said, line_of(name))]
    match rule.severity:
        case "CRITICAL":
            assert rings == ["call_somebody"]
        case "ERROR":
            assert rings == ["write_to_somebody"]
        case "WARNING":
            assert rings == (["waits_for_a_person"] if rule.needs_person else [])
        case "INFO":
            assert rings == []


@pytest.mark.parametrize("told", ["repeated", "late", "done"])
def test_what_is_kept_back_rings_nobody(module: Files, told: str) -> None:
    kept_back = [line_of(name, told) for name in ALERTS]
    assert not any(matches(said, line) for said in policies(module).values() for line in kept_back)


def test_the_webhooks_own_fault_rings(module: Files) -> None:
    line: dict[str, object] = {"severity": "ERROR", "message": "refused", "event": "webhook"}
    assert [name for name, said in policies(module).items() if matches(said, line)] == [
        "webhook_wrong"
    ]


def test_the_page_says_which_filters_there_are(module: Files, root: Path) -> None:
    page = (root / "docs/how-to/alerts.md").read_text("utf-8")
    said = re.findall(r"\| `(jsonPayload.*?)` \|", page)
    made = re.findall(r"functions_log\} AND (.*?)\"\n", module["monitoring.tf"])
    assert said == [text.replace('\\"', '"') for text in made]


def test_a_start_is_counted_by_what_a_process_says(module: Files, root: Path) -> None:
    said = re.search(r'textPayload=~\\"(.*?)\\"', module["monitoring.tf"])
    assert said is not None
    assert '"%s starts: %s"' in (root / f"{Program.__module__.replace('.', '/')}.py").read_text()
    for name in ("gateway", "guard"):
        assert re.search(said.group(1), f"INFO gateway {name} starts: mode=paper")


# ---------------------------------------------------------------------- documents


def test_what_expires_does_so_by_a_time_that_is_written(module: Files) -> None:
    """The field is a timestamp of the document's type, and no query needs its index."""
    said = module["firestore.tf"].partition("expiring = {")[2].partition("}\n\n")[0]
    expiring = re.findall(r'(\w+)\s+= \{ field = "(\w+)"', said)
    assert expiring == [("activity", "at"), ("alerts", "expires_at")]
    for collection, field in expiring:
        kinds = [kind for kind, place in DOCUMENTS.items() if _collection(place.path) == collection]
        assert [get_type_hints(kind)[field] for kind in kinds] == [datetime]


def test_no_query_needs_an_index_that_is_not_there(module: Files, root: Path) -> None:
    """Each query has one field, which Firestore indexes by itself unless that was taken away."""
    said = re.search(r"unindexed = (\[.*?\])", module["firestore.tf"])
    assert said is not None
    taken_away = json.loads(said.group(1))
    stored = {_collection(place.path) for place in DOCUMENTS.values()}
    assert set(taken_away) <= stored
    asked = _queries(root)
    assert {("runs", "state"), ("runs", "started_at"), ("activity", "run_id")} <= asked
    assert [query for query in asked if query[0] in taken_away or query == ("activity", "at")] == []


def _queries(root: Path) -> set[tuple[str, str]]:
    """(collection, field) wherever the code asks for documents by a field."""
    asked = re.compile(r'\.(?:find|newest|since|among)\(\s*"(\w+)", "(\w+)"')
    texts = [
        p.read_text("utf-8")
        for part in ("gateway", "functions")
        for p in (root / part).glob("*.py")
    ]
    return {found for text in texts for found in asked.findall(text)}


def _collection(path: str) -> str:
    return path.split("/")[-2]


# ---------------------------------------------------------------------- names


def test_the_gateway_reads_each_variable_that_it_is_given(module: Files) -> None:
    block = module["worker_pool.tf"].partition("environment = merge(")[2].partition("\n  )")[0]
    names = re.findall(r"\b([A-Z][A-Z_]+)\s+=", block)
    known = {field.name.upper() for field in dataclasses.fields(Config)}
    assert "MODE" in names
    assert [name for name in (*names, "LIVEZ_PORT") if name not in known] == []


@pytest.mark.parametrize(("mode", "port"), [(Mode.PAPER, 4002), (Mode.LIVE, 4001)])
def test_the_ports_are_those_that_the_gateway_takes(module: Files, mode: Mode, port: int) -> None:
    said = re.search(rf"{mode}\s+= {{ api = (\d+), forwarded = (\d+) }}", module["main.tf"])
    assert said is not None
    assert [int(text) for text in said.groups()] == list(PORTS[mode][:2])
    environment = {"MODE": str(mode), "GOOGLE_CLOUD_PROJECT": "p", "IB_PORT": said.group(1)}
    if mode is Mode.LIVE:
        environment["LIVE_TRADING_ACCEPTED"] = "U1234567"
    assert from_environment(environment).ib_port == port


def test_the_secret_of_the_webhook_is_the_one_that_alerts_reads(module: Files) -> None:
    name = secret_id("ALERT_WEBHOOK_URL")
    assert f'ALERT_WEBHOOK_URL = "{name}"' in module["functions.tf"]
    assert re.search(rf'{name} = "alerts"', module["secrets.tf"])


# ---------------------------------------------------------------------- what must not be there


FORBIDDEN = {
    "allUsers": "everybody on the internet",
    "allAuthenticatedUsers": "everybody who has an account at Google",
    "google_secret_manager_secret_version": "a secret's value would stand in the state",
    "google_service_account_key": "a key would stand in the state",
    "roles/owner": "every right",
    "roles/editor": "almost every right",
    "sensitive_labels": "a channel's password would stand in the state",
    "0.0.0.0/0": "everybody, but where nothing is let in",
}
GRANTS = {
    "google_artifact_registry_repository_iam_member.deployer",
    "google_billing_account_iam_member.deployer",
    "google_cloud_run_v2_service_iam_member.push",
    "google_cloud_run_v2_worker_pool_iam_member.windows",
    "google_project_iam_member.deployer",
    "google_project_iam_member.documents",
    "google_pubsub_subscription_iam_member.commander",
    "google_pubsub_subscription_iam_member.dead_letters_taken",
    "google_pubsub_topic_iam_member.dead_letters_written",
    "google_pubsub_topic_iam_member.publishers",
    "google_secret_manager_secret_iam_member.readers",
    "google_service_account_iam_member.deployer",
    "google_service_account_iam_member.push_tokens",
    "google_service_account_iam_member.windows",
    "google_storage_bucket_iam_member.deployer",
}
"""Every grant there is. `rights.tftest.hcl` and `paper.tftest.hcl` say what each of them gives."""


def faults(files: Files) -> list[str]:
    """What stands in the files although it must not, and grants that nobody has named here."""
    text = "".join(files.values())
    allowed = text.count('direction     = "INGRESS"')  # the rule that denies all
    found = [word for word in FORBIDDEN if text.count(word) > (word == "0.0.0.0/0") * allowed]
    granted = re.findall(r'resource "(google_\w+_iam_(?:member|binding|policy))" "(\w+)"', text)
    return found + sorted({".".join(pair) for pair in granted} ^ GRANTS)


def test_nothing_is_public_and_no_secret_has_a_value(module: Files) -> None:
    assert faults(module) == []


@pytest.mark.parametrize(
    "added",
    [
        'resource "google_cloud_run_v2_service_iam_member" "everybody" { member = "allUsers" }',
        'resource "google_secret_manager_secret_version" "password" { secret_data = "x" }',
        'resource "google_service_account_key" "commander" {}',
        'resource "google_project_iam_member" "more" { role = "roles/owner" }',
        'resource "google_compute_firewall" "open" { source_ranges = ["0.0.0.0/0"] }',
    ],
    ids=["public", "secret_value", "key", "owner", "open_network"],
)
def test_what_must_not_be_there_is_found_out(module: Files, added: str) -> None:
    assert faults(module | {"more.tf": added})

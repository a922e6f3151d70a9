"""Real Terraform on `infra/terraform`, with a stand-in that knows the provider's schema.

What must not be there is shown by copies that are wrong on purpose: each has to be found out.
"""

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.stand_in.workspace import Workspace, describe

MODULE = "modules/trading"
ROOTS = ("paper", "live")
RELEASE = "8.7.0"

type Places = Callable[[], Workspace]


def _passes(result: subprocess.CompletedProcess[str]) -> None:
    assert result.returncode == 0, describe(result)


def test_every_file_is_formatted(workspace: Places) -> None:
    _passes(workspace().run(".", "fmt", "-check", "-recursive"))


@pytest.mark.parametrize("where", [MODULE, *ROOTS])
def test_every_argument_is_one_of_the_provider(workspace: Places, where: str) -> None:
    place = workspace()
    _passes(place.init(where))
    _passes(place.run(where, "validate", "-no-color"))


@pytest.mark.parametrize(
    ("where", "name"),
    [
        *(
            (MODULE, name)
            for name in ("paper", "live", "rights", "stages", "refusals", "account_refusals")
        ),
        *((root, "root") for root in ROOTS),
    ],
)
def test_what_is_made_is_what_is_meant(workspace: Places, where: str, name: str) -> None:
    place = workspace()
    _passes(place.init(where))
    _passes(_tested(place, where, name))


def test_no_test_of_terraform_is_left_out(root: Path) -> None:
    found = sorted(path.stem for path in root.glob("infra/terraform/**/*.tftest.hcl"))
    ran = ["account_refusals", "live", "paper", "refusals", "rights", "root", "root", "stages"]
    assert [name.removesuffix(".tftest") for name in found] == ran


def test_the_stand_in_has_the_release_that_is_asked_for(root: Path, workspace: Places) -> None:
    """`~> 8.7` is any 8.x from 8.7 on; what is checked is the oldest of them."""
    asked = {
        version
        for path in root.glob("infra/terraform/**/*.tf")
        for version in re.findall(r'version\s*=\s*"(~>[^"]*)"', path.read_text("utf-8"))
    }
    assert asked == {"~> " + RELEASE.rpartition(".")[0]}
    assert workspace().version == RELEASE


def test_a_root_has_the_variables_of_the_module(root: Path) -> None:
    """Thin roots: the mode is theirs, all else is passed through under the same name."""
    folder = root / "infra/terraform"
    declared = re.compile(r'^variable "(\w+)"', re.MULTILINE)
    names = declared.findall((folder / MODULE / "variables.tf").read_text("utf-8"))
    names.remove("mode")
    for mode in ROOTS:
        text = (folder / mode / "variables.tf").read_text("utf-8")
        assert declared.findall(text) == names
        call = _main(folder / mode).partition('module "trading"')[2]
        passed = re.findall(r"^  (\w+)\s+= var\.(\w+)$", call, re.MULTILINE)
        assert passed == [(name, name) for name in names]
        assert f'mode = "{mode}"' in _main(folder / mode)


def test_the_roots_differ_by_their_mode_only(root: Path) -> None:
    paper, live = (root / "infra/terraform" / mode for mode in ROOTS)
    for name in ("variables.tf", "outputs.tf"):
        assert (paper / name).read_text("utf-8") == (live / name).read_text("utf-8")
    unlike = [
        pair
        for pair in zip(_main(paper).splitlines(), _main(live).splitlines(), strict=True)
        if pair[0] != pair[1]
    ]
    assert len(unlike) == 2  # the comment and the mode


def _main(folder: Path) -> str:
    return (folder / "main.tf").read_text("utf-8")


def _tested(place: Workspace, where: str, name: str) -> subprocess.CompletedProcess[str]:
    return place.run(where, "test", "-no-color", f"-filter=tests/{name}.tftest.hcl")


# ---------------------------------------------------------------------- wrong on purpose


@dataclass(frozen=True, slots=True)
class Wrong:
    """A copy in which `was` became `now`, and what must say so: a verb of Terraform, a file of
    tests, or one run in it."""

    says: str
    file: str
    was: str
    now: str
    check: str
    words: str


WRONG = [
    Wrong(
        "an unknown argument",
        "worker_pool.tf", "manual_instance_count =", "manual_instances_count =",
        "validate", "Unsupported argument",
    ),
    Wrong(
        "a missing argument",
        "schedules.tf", "  name      = each.value.name\n", "",
        "validate", "Missing required argument",
    ),
    Wrong(
        "a resource that the provider does not have",
        "budget.tf", '"google_billing_budget"', '"google_billing_budgets"',
        "validate", "Invalid resource type",
    ),
    Wrong(
        "an attribute that nothing has",
        "main.tf", "data.google_project.this.number}", "data.google_project.this.numeral}",
        "validate", "Unsupported attribute",
    ),
    Wrong(
        "another release of the provider",
        "versions.tf", "~> 8.7", "~> 9.0",
        "init", "no available releases match",
    ),
    Wrong(
        "careless spaces",
        "budget.tf", "billing_account = var", "billing_account  =  var",
        "fmt", "budget.tf",
    ),
    Wrong(
        "two instances",
        "worker_pool.tf", "_instance_count = var.commander_instances", "_instance_count = 2",
        "paper", "must have exactly one instance",
    ),
    Wrong(
        "two instances that somebody may ask for",
        "variables.tf", "contains([0, 1], var.commander_instances)", "var.commander_instances >= 0",
        "refusals/two_commanders", "var.commander_instances, was expected to report an error",
    ),
    Wrong(
        "live that goes out from any address",
        "variables.tf", 'var.mode != "live" || var.static', "!var.static_egress || var.static",
        "refusals/live_without_a_static_address", "var.static_egress, was expected to report",
    ),
    Wrong(
        "live beside its static address",
        "worker_pool.tf", 'egress = "ALL_TRAFFIC"', 'egress = "PRIVATE_RANGES_ONLY"',
        "live", "must leave from one address",
    ),
    Wrong(
        "paper at the port of live",
        "main.tf", "paper = { api = 4002", "paper = { api = 4001",
        "paper", "Paper must speak to port 4002",
    ),
    Wrong(
        "a paper account in live",
        "variables.tf", '"^[UF][0-9]+$"', '"^D?[UF][0-9]+$"',
        "account_refusals/live_with_a_paper_account", "var.account, was expected to report",
    ),
    Wrong(
        "a probe that waits for the login",
        "worker_pool.tf", "port = local.ports.forwarded", "port = local.ports.api",
        "paper", "No probe may depend on the login",
    ),
    Wrong(
        "a subscription whose dead letters are lost",
        "pubsub.tf", "for_each = local.dead_letter_sources", "for_each = {}",
        "paper", "must be subscriber of each subscription with dead letters",
    ),
    Wrong(
        "dead letters that nobody may write",
        "pubsub.tf", "for_each = local.dead_letter_topics", "for_each = toset([])",
        "paper", "must be publisher of the dead letters",
    ),
    Wrong(
        "a function that everybody may call",
        "accounts.tf", 'member   = google_service_account.accounts["push"].member',
        'member   = "allUsers"',
        "paper", "Only Pub/Sub's push account may call a function",
    ),
    Wrong(
        "a function that listens to the internet",
        "functions.tf", "INGRESS_TRAFFIC_INTERNAL_ONLY", "INGRESS_TRAFFIC_ALL",
        "paper", "No function may be reached from outside",
    ),
    Wrong(
        "a strategy that reads documents",
        "accounts.tf", 'writers = ["commander",', 'writers = ["commander", "strategy",',
        "rights", "Strategies have no access to Firestore",
    ),
    Wrong(
        "a strategy that publishes commands",
        "accounts.tf", 'strategy  = ["targets"]', 'strategy  = ["targets", "commands"]',
        "rights", "Only a strategy publishes targets",
    ),
    Wrong(
        "a strategy that reads the login",
        "secrets.tf", 'ib-password       = "commander"', 'ib-password       = "strategy"',
        "rights", "Only the commander's pool reads the login",
    ),
    Wrong(
        "a pipeline that grants",
        "accounts.tf", '"roles/run.developer",', '"roles/resourcemanager.projectIamAdmin",',
        "rights", "it grants nothing",
    ),
    Wrong(
        "a password in the environment, hence in the state",
        "worker_pool.tf", "TWS_PASSWORD_FILE    =", "TWS_PASSWORD =",
        "paper", "The IB Gateway must log in to paper",
    ),
    Wrong(
        "a database that can be deleted",
        "firestore.tf", '"DELETE_PROTECTION_ENABLED"', '"DELETE_PROTECTION_DISABLED"',
        "paper", "The database must outlive mistakes",
    ),
    Wrong(
        "a subscription that expires",
        "pubsub.tf", 'ttl = "" #', 'ttl = "2678400s" #',
        "paper", "Subscriptions never expire",
    ),
    Wrong(
        "a topic that the topology does not have",
        "pubsub.tf", "(local.topology.topics)", '(concat(local.topology.topics, ["extra-paper"]))',
        "paper", "The topics must be those of the topology",
    ),
    Wrong(
        "a schedule that says something else",
        "schedules.tf", "(each.value.message)", "(jsonencode(each.value.message))",
        "paper", "must publish the topology's messages, word for word",
    ),
]  # fmt: skip


EACH_ALONE = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"


def _copies() -> dict[str, list[Wrong]]:
    """What is spoiled together. A file of tests says everything that is wrong at once, so one copy
    is enough for all of its sentences; at night each has one of its own."""
    groups: dict[str, list[Wrong]] = {}
    for wrong in WRONG:
        is_shared = wrong.check in ("live", "paper", "rights") and not EACH_ALONE
        name = f"what {wrong.check} tests" if is_shared else wrong.says
        groups.setdefault(name.replace(" ", "_"), []).append(wrong)
    return groups


@pytest.mark.parametrize(("name", "wrongs"), _copies().items(), ids=_copies())
def test_a_wrong_copy_is_found_out(workspace: Places, name: str, wrongs: list[Wrong]) -> None:
    place = workspace()
    for wrong in wrongs:
        _spoil(place.tree / MODULE / wrong.file, wrong)
    result = _found_out(place, wrongs[0].check)
    assert result.returncode != 0, f"nobody has noticed {name}"
    told = describe(result)
    for wrong in wrongs:  # `pytest -rP` shows them
        print(f"{wrong.says}: {wrong.file}, {wrong.check}: ... {wrong.words} ...")
    assert [wrong.says for wrong in wrongs if wrong.words not in told] == []


def test_every_wrong_copy_has_words_of_its_own() -> None:
    words = [(wrong.check, wrong.words) for wrong in WRONG if wrong.check != "validate"]
    assert len(words) == len(set(words))


def _spoil(path: Path, wrong: Wrong) -> None:
    text = path.read_text("utf-8")
    assert text.count(wrong.was) == 1, f"{wrong.says}: the words to change are not there once"
    path.write_text(text.replace(wrong.was, wrong.now), encoding="utf-8")


def _found_out(place: Workspace, check: str) -> subprocess.CompletedProcess[str]:
    if check == "fmt":
        return place.run(".", "fmt", "-check", "-recursive")
    if check == "init":
        return place.init(MODULE)
    _passes(place.init(MODULE))
    if check == "validate":
        return place.run(MODULE, "validate", "-no-color")
    name, _, run = check.partition("/")
    if run:
        _keep_only(place.tree / MODULE / "tests" / f"{name}.tftest.hcl", run)
    return _tested(place, MODULE, name)


def _keep_only(path: Path, run: str) -> None:
    """Leave one run of a file of tests: the others have nothing to say of this copy."""
    head, *runs = re.split(r'(?m)^(?=run ")', path.read_text("utf-8"))
    kept = [text for text in runs if text.startswith(f'run "{run}"')]
    assert len(kept) == 1
    path.write_text(head + kept[0], encoding="utf-8")

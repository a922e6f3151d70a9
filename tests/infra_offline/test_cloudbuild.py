"""The pipelines: valid by Google's own schema, in the order that loses nothing, and fail closed."""

import json
import os
import re
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

type Tool = Callable[..., subprocess.CompletedProcess[str]]
type Pipeline = dict[str, Any]

PIPELINES = ("deploy", "rollback")
ORDER = {
    "deploy": ["test", "images", "variables", "plan", "stop", "handover", "apply", "smoke"],
    "rollback": ["digests", "variables", "plan", "stop", "handover", "apply", "smoke"],
}
BUILT_IN = {"PROJECT_ID", "BUILD_ID"}
DIGEST = "sha256:" + "0123456789abcdef" * 4

FORBIDDEN = (
    # What would write people's documents, or make it trade; gateway.smoke publishes for itself.
    "infra.init",
    "infra.config",
    "create_missing",
    "resume",
    "firestore",
    "adopt",
    "pubsub topics publish",
    "secrets versions",
)

LOAD = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))"
BUILD = """
import json, sys, yaml
from google.cloud.devtools import cloudbuild_v1
cloudbuild_v1.Build.from_json(json.dumps(yaml.safe_load(open(sys.argv[1]))))
"""


@pytest.fixture
def folder(root: Path) -> Path:
    return root / "infra/cloudbuild"


@pytest.fixture(scope="module")
def pipelines(root: Path, tool: Tool) -> dict[str, Pipeline]:
    """Each by its name."""
    folder = root / "infra/cloudbuild"
    texts = {name: tool("python", "-c", LOAD, folder / f"{name}.yaml") for name in PIPELINES}
    return {name: json.loads(text.stdout) for name, text in texts.items()}


def schema_says(tool: Tool, path: Path) -> str:
    """What is wrong by the vendored schema; empty where nothing is."""
    checked = tool("check-jsonschema", "--builtin-schema", "vendor.cloudbuild", path)
    return "" if checked.returncode == 0 else checked.stdout + checked.stderr


def google_says(tool: Tool, path: Path) -> str:
    """The same by the message of Google's own client."""
    checked = tool("python", "-c", BUILD, path)
    return "" if checked.returncode == 0 else checked.stderr


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_is_valid_by_the_schema_and_by_googles_client(
    folder: Path, tool: Tool, name: str
) -> None:
    assert schema_says(tool, folder / f"{name}.yaml") == ""
    assert google_says(tool, folder / f"{name}.yaml") == ""


WRONG = {
    "a misspelt field of a step": ("entrypoint:", "entrypiont:"),
    "arguments by another name": ("args:", "arguments:"),
    "an unknown option": ("logging:", "logs:"),
    "substitutions that are no text": ('_COMMANDER_INSTANCES: "1"', "_COMMANDER_INSTANCES: [1]"),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", PIPELINES)
def test_a_wrong_copy_fails(
    folder: Path, tool: Tool, tmp_path: Path, name: str, wrong: str
) -> None:
    """So that the check can fail."""
    text = (folder / f"{name}.yaml").read_text("utf-8")
    old, new = WRONG[wrong]
    assert old in text
    copy = tmp_path / "wrong.yaml"
    copy.write_text(text.replace(old, new), "utf-8")
    assert schema_says(tool, copy) != ""
    assert google_says(tool, copy) != ""


@pytest.mark.parametrize("name", PIPELINES)
def test_the_steps_come_one_after_the_other_and_none_may_fail(
    pipelines: dict[str, Pipeline], name: str
) -> None:
    """Nothing is applied before the gateway that runs has given its lease back [R3]."""
    pipeline = pipelines[name]
    steps = pipeline["steps"]
    assert [step["id"] for step in steps] == ORDER[name]
    assert not [step for step in steps if {"waitFor", "allowFailure", "allowExitCodes"} & {*step}]


@pytest.mark.parametrize("name", PIPELINES)
def test_every_substitution_is_declared_and_used(pipelines: dict[str, Pipeline], name: str) -> None:
    """Cloud Build refuses both kinds of slip, but only once it is started."""
    pipeline = pipelines[name]
    declared = set(pipeline["substitutions"])
    used = set(re.findall(r"\$\{?(\w+)\}?", json.dumps(pipeline)))
    assert used - BUILT_IN == declared


def said(folder: Path) -> str:
    """All that the pipelines and their scripts do, without what they say to people."""
    texts = [path.read_text("utf-8") for path in sorted(folder.iterdir())]
    without_messages = re.sub(r"<<END$.*?^END$", "", "\n".join(texts), flags=re.S | re.M)
    return "\n".join(line.partition("#")[0] for line in without_messages.splitlines())


def forbidden(folder: Path) -> list[str]:
    """What the pipelines do of that which is a person's."""
    done = said(folder).lower()
    assert "terraform" in done  # so that what is looked through is what is done
    return [word for word in FORBIDDEN if word in done]


def test_nothing_in_it_writes_peoples_documents_or_resumes_trading(folder: Path) -> None:
    assert forbidden(folder) == []


@pytest.mark.parametrize(
    ("name", "line", "word"),
    [
        ("smoke.sh", "python -m infra.config init --mode paper", "infra.config"),
        (
            "apply.sh",
            """gcloud pubsub topics publish commands-paper --message='{"a": 1}'""",
            "pubsub",
        ),
        ("rollback.yaml", """    args: ['-c', 'say {"command": "resume"}']""", "resume"),
    ],
)
def test_a_copy_that_does_so_is_found(
    folder: Path, tmp_path: Path, name: str, line: str, word: str
) -> None:
    copy = tmp_path / "cloudbuild"
    copytree(folder, copy)
    with (copy / name).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    (found,) = forbidden(copy)
    assert found.startswith(word)


def test_what_is_run_of_ours_is_only_what_looks_and_the_one_try(folder: Path) -> None:
    modules = re.findall(r"-m (\w+\.\w+)", said(folder))
    assert sorted(modules) == ["gateway.handover", "gateway.smoke"]


def test_no_account_of_a_person_and_no_key_is_used(pipelines: dict[str, Pipeline]) -> None:
    for name in PIPELINES:
        pipeline = pipelines[name]
        assert "/serviceAccounts/deployer-${_MODE}@" in pipeline["serviceAccount"]
        assert "availableSecrets" not in pipeline
        assert not [step for step in pipeline["steps"] if "secretEnv" in step]


def test_the_scripts_pass_shellcheck_and_a_wrong_copy_does_not(
    folder: Path, tool: Tool, tmp_path: Path
) -> None:
    scripts = sorted(folder.glob("*.sh"))
    assert tool("shellcheck", *scripts).stdout == ""
    wrong = tmp_path / "wrong.sh"
    wrong.write_text("#!/bin/sh\ncat $(ls $1)\n", "utf-8")
    assert tool("shellcheck", wrong).returncode != 0


def test_every_step_runs_a_script_that_is_there_with_the_variables_it_reads(
    folder: Path, pipelines: dict[str, Pipeline]
) -> None:
    for name in PIPELINES:
        for step in pipelines[name]["steps"]:
            if step["id"] == "test":
                continue
            script = folder / f"{step['id']}.sh"
            assert step["args"] == [f"infra/cloudbuild/{script.name}"]
            given = {one.partition("=")[0] for one in step.get("env", [])} - {"DOCKER_BUILDKIT"}
            read = set(re.findall(r"\$\{?([A-Z][A-Z_]+)\}?", script.read_text("utf-8")))
            assert read == given, f"{name}: {step['id']}"


def test_what_is_submitted_is_all_that_git_knows_and_nothing_that_it_ignores(
    root: Path, installed: Tool, tmp_path: Path
) -> None:
    """By gcloud itself: the tests run on what it uploads, and a person's variables stay at home."""
    names = (".gcloudignore", ".gitignore", "infra/terraform/paper/main.tf")
    ignored = ("infra/terraform/paper/terraform.tfvars", "infra/compose/secrets/ib-password")
    for name in (*names, *ignored, ".git/config", ".venv/ready", ".deploy/gateway"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in names[:2]:
        (tmp_path / name).write_text((root / name).read_text("utf-8"), "utf-8")
    listed = installed("gcloud", "meta", "list-files-for-upload", tmp_path)
    assert sorted(listed.stdout.split()) == sorted(names), listed.stderr


# ---------------------------------------------------------------------- played through


class Play:
    """The steps of a pipeline in a folder of their own, with programs that only note the call.

    `failing` is the beginning of a call that fails; its program says so and ends with 1.
    """

    PROGRAM = """#!/bin/sh
call="{name} $*"
printf '%s\\n' "$call" >>"$CALLS"
case "$call" in "$FAILING"* | *"$FAILING_MODULE"*) echo "no: $call" >&2; exit 1 ;; esac
case "$call" in
"gcloud run worker-pools list"*) printf '%b\n' "$POOLS" ;;
"gcloud storage cp"*) : >"$4" ;;
terraform*" show "*) echo "$PLAN" ;;
"docker image inspect"*) printf '%s\n' "$ELSEWHERE" "${{5%:*}}@{digest}" ;;
esac
"""

    def __init__(self, root: Path, folder: Path, failing: str = "never", **world: str) -> None:
        self.folder = folder
        self.calls_file = folder / "calls"
        programs = folder / "programs"
        programs.mkdir(parents=True)
        for name in ("gcloud", "docker", "terraform", "make"):
            program = programs / name
            program.write_text(self.PROGRAM.format(name=name, digest=DIGEST), "utf-8")
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
        (folder / "infra/terraform/paper").mkdir(parents=True)
        (folder / "infra/cloudbuild").symlink_to(root / "infra/cloudbuild")
        self.environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "CALLS": str(self.calls_file),
            "FAILING": failing,
            "FAILING_MODULE": "no.module",
            "POOLS": "ib-trading-paper",
            "PLAN": PLAN,
            "ELSEWHERE": f"us-east4-docker.pkg.dev/another/ib-trading/gateway@{DIGEST}",
            **world,
        }

    def run(self, pipeline: Pipeline, **changed: str) -> tuple[str, str]:
        """The id of the step that failed, empty for none, and what it said."""
        values = {**pipeline["substitutions"], "_STATE_BUCKET": "bucket", **changed}
        values |= {"PROJECT_ID": "project", "BUILD_ID": "build"}
        for step in pipeline["steps"]:
            pairs = [one.split("=", 1) for one in step.get("env", [])]
            given = {
                key: re.sub(r"\$\{(\w+)\}", lambda m: values[m[1]], value) for key, value in pairs
            }
            done = subprocess.run(
                [step["entrypoint"], *step["args"]],
                cwd=self.folder,
                env={**self.environment, **given},
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            if done.returncode:
                return step["id"], done.stderr
        return "", ""

    @property
    def calls(self) -> list[str]:
        return self.calls_file.read_text("utf-8").splitlines() if self.calls_file.exists() else []

    def called(self, beginning: str) -> bool:
        return any(call.startswith(beginning) for call in self.calls)


PLAN = """
Terraform will perform the following actions:

  # module.trading.google_cloud_run_v2_service.functions["alerts"] will be updated in-place
  # module.trading.google_cloud_run_v2_worker_pool.trading[0] will be updated in-place
  ~ resource "google_cloud_run_v2_worker_pool" "trading" {
        # (9 unchanged attributes hidden)
    }
"""
APPLY = "terraform -chdir=infra/terraform/paper apply"
STOP = "gcloud run worker-pools update"
DIGESTS = {"_COMMANDER_DIGEST": DIGEST, "_FUNCTIONS_DIGEST": DIGEST}


@pytest.fixture
def deploy(pipelines: dict[str, Pipeline]) -> Pipeline:
    return pipelines["deploy"]


@pytest.fixture
def rollback(pipelines: dict[str, Pipeline]) -> Pipeline:
    return pipelines["rollback"]


def test_a_deploy_ends_with_a_try_of_the_digest_that_was_built(
    root: Path, tmp_path: Path, deploy: Pipeline
) -> None:
    play = Play(root, tmp_path)
    assert play.run(deploy) == ("", "")
    image = f"us-east4-docker.pkg.dev/project/ib-trading/gateway@{DIGEST}"
    ours = [call for call in play.calls if call.startswith("docker run")]
    assert [image in call for call in ours] == [True, True]
    assert f"{STOP} ib-trading-paper --project project" in "\n".join(play.calls)
    written = (tmp_path / "infra/terraform/paper/deploy.auto.tfvars").read_text("utf-8")
    assert f'commander_image     = "{image}"' in written
    assert "commander_instances = 1" in written


def test_a_rollback_builds_nothing_and_stops_the_gateway_too(
    root: Path, tmp_path: Path, rollback: Pipeline
) -> None:
    play = Play(root, tmp_path)
    assert play.run(rollback, **DIGESTS) == ("", "")
    assert not play.called("docker build")
    assert play.called(STOP)
    written = (tmp_path / "infra/terraform/paper/deploy.auto.tfvars").read_text("utf-8")
    assert f"us-east4-docker.pkg.dev/project/ib-trading/functions@{DIGEST}" in written


@pytest.mark.parametrize("digest", ["", "latest", "sha256:12", DIGEST + "0"])
def test_a_rollback_to_something_that_is_no_digest_changes_nothing(
    root: Path, tmp_path: Path, rollback: Pipeline, digest: str
) -> None:
    play = Play(root, tmp_path)
    failed, why = play.run(rollback, **{**DIGESTS, "_FUNCTIONS_DIGEST": digest})
    assert failed == "digests"
    assert "the old version goes on" in why
    assert not play.called(STOP)


@pytest.mark.parametrize(
    ("failing", "step"),
    [
        ("make test", "test"),
        ("docker push", "images"),
        ("gcloud storage cp", "variables"),
        ("terraform -chdir=infra/terraform/paper plan", "plan"),
        ("gcloud run worker-pools list", "stop"),
    ],
)
def test_what_fails_before_the_stop_leaves_the_old_version_running(
    root: Path, tmp_path: Path, deploy: Pipeline, failing: str, step: str
) -> None:
    play = Play(root, tmp_path, failing)
    assert play.run(deploy)[0] == step
    assert not play.called(STOP)
    assert not play.called(APPLY)


@pytest.mark.parametrize(
    "line",
    [
        'module.trading.google_pubsub_topic.topics["reports-paper"] will be created',
        "module.trading.google_firestore_database.database must be replaced",
        'module.trading.google_project_iam_member.deployer["roles/owner"] will be created',
    ],
)
def test_what_is_a_persons_to_apply_is_told_before_anything_is_stopped(
    root: Path, tmp_path: Path, deploy: Pipeline, line: str
) -> None:
    play = Play(root, tmp_path, PLAN=f"{PLAN}\n  # {line}\n")
    failed, why = play.run(deploy)
    assert failed == "plan"
    assert line.partition(" ")[0] in why
    assert "worker_pool" not in why
    assert "nothing was changed" in why
    assert re.findall(r"^(\w+) +=", why, re.MULTILINE) == [
        "commander_image",
        "functions_image",
        "commander_instances",
    ]
    assert "commander_instances = 0\n" in why  # with 1 it would replace what runs without a drain
    assert not play.called(STOP)


def test_a_lease_that_is_not_given_back_stops_the_deploy_and_says_what_a_person_does(
    root: Path, tmp_path: Path, deploy: Pipeline
) -> None:
    """Fails closed: nothing is applied, the pool stays at 0 [R3]."""
    play = Play(root, tmp_path, "docker run")
    failed, why = play.run(deploy)
    assert failed == "handover"
    assert not play.called(APPLY)
    assert sum(call.startswith(STOP) for call in play.calls) == 1
    assert "--instances=0" in "\n".join(play.calls)
    assert "nothing was applied: the worker pool ib-trading-paper is set to 0" in why
    assert "--instances=1" in why


@pytest.mark.parametrize(
    ("failing", "step"), [(STOP, "stop"), (APPLY, "apply"), ("docker run --rm", "handover")]
)
def test_what_fails_from_the_stop_on_says_what_a_person_does(
    root: Path, tmp_path: Path, deploy: Pipeline, failing: str, step: str
) -> None:
    failed, why = Play(root, tmp_path, failing).run(deploy)
    assert failed == step
    assert "STOPPED HERE" in why
    assert "Next, a person:" in why


def test_a_version_that_does_not_pass_its_try_is_told_with_the_way_back(
    root: Path, tmp_path: Path, deploy: Pipeline
) -> None:
    """It runs already, so what follows is a person's choice: nothing is rolled back by itself."""
    play = Play(root, tmp_path, FAILING_MODULE="gateway.smoke")
    failed, why = play.run(deploy)
    assert failed == "smoke"
    assert "infra/cloudbuild/rollback.yaml" in why
    assert sum(call.startswith(APPLY) for call in play.calls) == 1


def test_a_first_deploy_finds_no_pool_to_stop_and_goes_on(
    root: Path, tmp_path: Path, deploy: Pipeline
) -> None:
    play = Play(root, tmp_path, POOLS="\tib-trading-paper-2\nsomething")
    assert play.run(deploy, _COMMANDER_INSTANCES="0") == ("", "")
    assert not play.called(STOP)
    assert play.called(APPLY)
    assert not [call for call in play.calls if "gateway.smoke" in call]  # there is none to try


@pytest.mark.parametrize(
    "pools",
    [
        "other\\t\\nib-trading-paper\\t",
        "\\tprojects/project/locations/us-east4/workerPools/ib-trading-paper",
    ],
    ids=["v1", "v2"],
)
def test_the_pool_is_found_by_either_name_that_gcloud_has_for_it(
    root: Path, tmp_path: Path, deploy: Pipeline, pools: str
) -> None:
    """A pool that is not found is not stopped: releases of gcloud differ in where its name is."""
    play = Play(root, tmp_path, POOLS=pools)
    assert play.run(deploy) == ("", "")
    assert play.called(STOP)


@pytest.mark.parametrize(
    "changed", [{"_MODE": "prod"}, {"_STATE_BUCKET": ""}, {"_COMMANDER_INSTANCES": "2"}]
)
def test_a_wrong_substitution_is_refused_by_name_before_anything_is_changed(
    root: Path, tmp_path: Path, deploy: Pipeline, changed: dict[str, str]
) -> None:
    play = Play(root, tmp_path)
    failed, why = play.run(deploy, **changed)
    assert failed == "variables"
    assert next(iter(changed)) in why
    assert not play.called("terraform")

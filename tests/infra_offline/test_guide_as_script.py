"""Every command of `docs/how-to/deploy.md`, run in order, by programs that only listen.

What the page does to files, and what it hands to gcloud, docker and Terraform, is real; they write
down how they were called.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/how-to/deploy.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)

DIGEST = f"sha256:{'a' * 64}"
TYPED = "typed-7f3e"
"""What a person types as a secret."""

BUCKET = 'b="$FAKE_BUCKET/$(basename "$1")"'
STUBS: Mapping[str, str] = {
    "gcloud": f"""case "$*" in
*"data-file=-"*) cat >>"$FAKE_BUCKET/secrets" ;;
*"storage cp"*) shift 2; case "$1" in
  gs://*) {BUCKET}; cp "$b" "$2" ;;
  *) cp "$1" "$FAKE_BUCKET/$(basename "$2")" ;;
  esac ;;
*"images describe"*) echo "$5@{DIGEST}" | sed 's/:[0-9a-f-]*@/@/' ;;
esac""",
    "docker": f"""case "$*" in
*"image inspect"*) for last; do :; done
  echo "${{last%:*}}@{DIGEST}" | sed 's/my-ib-paper/my-ib-live/; p; s/my-ib-live/my-ib-paper/' ;;
esac""",
    "terraform": "",
    "make": "",
    "git": "echo 0123456789ab",
    "rm": "",
}


@dataclass(frozen=True, slots=True)
class Played:
    """What a run of the page left: every call in order, and the folder."""

    calls: list[str]
    folder: Path
    bucket: Path

    def of(self, program: str) -> list[str]:
        return [call for call in self.calls if call.startswith(f"{program} ")]

    def variables(self, name: str) -> dict[str, str]:
        text = (self.folder / "infra/terraform/paper" / name).read_text(encoding="utf-8")
        return dict(re.findall(r'^(\w+)\s*=\s*"?([^"\n]*)"?$', text, re.MULTILINE))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("guide")
    checkout, bucket, programs = (folder / name for name in ("checkout", "bucket", "programs"))
    for made in (bucket, programs, checkout / "infra/terraform/paper", checkout / ".venv/bin"):
        made.mkdir(parents=True)
    shutil.copytree(ROOT / "infra/cloudbuild", checkout / "infra/cloudbuild")
    stubs = {**STUBS, str(checkout / ".venv/bin/python"): ""}
    for name, text in stubs.items():
        said = f'#!/bin/sh\necho "{Path(name).name} $*" >>"$FAKE_CALLS"\n{text}\n'
        (programs / name).write_text(said, encoding="utf-8")
        (programs / name).chmod(0o755)
    script = folder / "guide.sh"
    script.write_text("set -eu\n" + "".join(text for kind, text in BLOCKS if not kind), "utf-8")
    calls = folder / "calls"
    path = f"{programs}:{os.environ['PATH']}"
    environment = {"PATH": path, "FAKE_CALLS": str(calls), "FAKE_BUCKET": str(bucket)}
    done = subprocess.run(
        ["bash", script],
        cwd=checkout,
        env=environment,
        input=f"{TYPED}\n{TYPED}\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Played(calls.read_text(encoding="utf-8").splitlines(), checkout, bucket)


def test_the_page_is_a_script_that_ends_well(played: Played) -> None:
    assert {call.split()[0] for call in played.calls} >= {*STUBS, "python"}


def test_what_was_typed_reaches_the_secrets_and_no_command_line(played: Played) -> None:
    assert (played.bucket / "secrets").read_text(encoding="utf-8") == TYPED * 2
    assert not [call for call in played.calls if TYPED in call]


def test_terraform_gets_a_persons_variables_and_the_images_by_digest(played: Played) -> None:
    own, deployed = played.variables("terraform.tfvars"), played.variables("deploy.auto.tfvars")
    assert own["project_id"] == "my-ib-paper"
    assert own["gateway_image"].endswith(f"/my-ib-paper/ghcr/gnzsnz/ib-gateway@{DIGEST}")
    for name, image in (("commander_image", "gateway"), ("functions_image", "functions")):
        assert deployed[name].endswith(f"/my-ib-paper/ib-trading/{image}@{DIGEST}")
    assert not own.keys() & deployed.keys(), "one would win over the other"


def test_nothing_starts_before_the_documents_are_there(played: Played) -> None:
    def first(*words: str) -> int:
        return next(n for n, call in enumerate(played.calls) if all(w in call for w in words))

    order = [
        first("terraform", "apply", "schedules_paused=true"),
        first("secrets versions add ib-password"),
        first("docker", "push"),
        first("infra.config init"),
        first("worker-pools update", "--instances=1"),
        first("gateway.doctor"),
        first("dry_run"),
        first('"resume"'),
        first("targets-paper"),
        next(
            n
            for n, c in enumerate(played.calls)
            if c == "terraform -chdir=infra/terraform/paper apply"
        ),
    ]
    assert order == sorted(order)


def test_leaving_exports_before_anything_is_destroyed(played: Played) -> None:
    export = next(n for n, call in enumerate(played.calls) if "firestore export" in call)
    destroy = next(n for n, call in enumerate(played.calls) if " destroy" in call)
    gone = next(n for n, call in enumerate(played.calls) if "databases delete" in call)
    assert export < destroy < gone


def test_who_comes_back_finds_no_images_of_a_registry_that_is_gone(played: Played) -> None:
    """Their names without the IB Gateway's, which step 3 takes away, are refused."""
    forgotten = played.calls.index("rm -f infra/terraform/paper/deploy.auto.tfvars")
    assert " import module.trading.google_firestore_database" in played.calls[forgotten + 1]

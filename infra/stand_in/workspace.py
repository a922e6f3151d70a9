"""Terraform on a copy of `infra/terraform`, with the stand-in in the provider's place.

A copy, because `init` writes a lock file with the stand-in's hash, which no real one would match;
and so that a test can spoil it and see that it is found out.
"""

import functools
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = ROOT / "infra/terraform"
MADE: Final = ROOT / ".google-provider"
SECONDS_MAX: Final = 300

REQUIRED: Final = """
terraform {
  required_providers {
    google = { source = "hashicorp/google" }
  }
}
"""
SETTINGS: Final = """
provider_installation {{
  filesystem_mirror {{
    path = "{mirror}"
  }}
}}
"""
START: Final = '#!/bin/sh\nexec "{python}" -m infra.stand_in.plugin\n'


class Missing(Exception):
    """Something that the machine must have is not there; the text says what."""


@dataclass(slots=True)
class Workspace:
    """One copy, in a folder that is absent or empty. Raises `Missing`."""

    folder: Path
    schema: Path = MADE / "schema.json"
    terraform: str = field(init=False)
    version: str = field(init=False)
    """Of the provider, as its schema says."""

    def __post_init__(self) -> None:
        self.terraform = shutil.which("terraform") or ""
        if not self.terraform:
            raise Missing("terraform is not installed")
        if not self.schema.exists():
            raise Missing("the provider's schema is not there: run `bin/setup-google-provider`")
        self.version = json.loads(self.schema.read_text("utf-8"))["version"]
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(SOURCE, self.tree, ignore=shutil.ignore_patterns(".terraform*", "*.tfvars"))
        self._write_mirror()

    @property
    def tree(self) -> Path:
        """The copy of `infra/terraform`, for a test to change."""
        return self.folder / "terraform"

    def run(self, where: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Terraform in a folder of the copy, such as `run("paper", "validate")`."""
        self._write_schema()
        return subprocess.run(
            [self.terraform, f"-chdir={self.tree / where}", *arguments],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )

    def init(self, where: str) -> subprocess.CompletedProcess[str]:
        """`terraform init` without a backend, which is what `validate` and `test` need."""
        return self.run(where, "init", "-backend=false", "-input=false", "-no-color")

    def _environment(self) -> dict[str, str]:
        kept = {
            key: os.environ[key] for key in ("HOME", "LANG", "PATH", "TMPDIR") if key in os.environ
        }
        return kept | {
            "CHECKPOINT_DISABLE": "1",
            "GOGC": "off",  # it runs for seconds: collecting costs a tenth of them
            "PYTHONPATH": str(ROOT),
            "STAND_IN_SCHEMA": str(self._named),
            "TF_CLI_CONFIG_FILE": str(self._settings),
            "TF_DISABLE_PLUGIN_TLS": "1",
            "TF_IN_AUTOMATION": "1",
        }

    def _write_schema(self) -> None:
        """The schema of what the copy names: to read all 1,375 takes Terraform two seconds."""
        text = "".join(path.read_text("utf-8") for path in sorted(self.tree.rglob("*.tf")))
        named = set(re.findall(r'"(google_\w+)"', text))
        whole = json.loads(self.schema.read_text("utf-8"))
        for kind in ("resources", "data_sources"):
            whole[kind] = {name: said for name, said in whole[kind].items() if name in named}
        self._named.write_text(json.dumps(whole), encoding="utf-8")

    @property
    def _named(self) -> Path:
        return self.folder / "schema.json"

    @property
    def _settings(self) -> Path:
        return self.folder / "settings.tfrc"

    def _write_mirror(self) -> None:
        mirror = self.folder / "mirror"
        self._settings.write_text(SETTINGS.format(mirror=mirror), encoding="utf-8")
        place = mirror / _host(self.terraform) / "hashicorp/google" / self.version / _platform()
        place.mkdir(parents=True)
        program = place / f"terraform-provider-google_v{self.version}"
        program.write_text(START.format(python=sys.executable), encoding="utf-8")
        program.chmod(0o755)


@functools.cache
def _host(terraform: str) -> str:
    """Where this Terraform takes providers from, as it says itself."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "main.tf").write_text(REQUIRED, encoding="utf-8")
        asked = [terraform, f"-chdir={folder}", "providers"]
        said = subprocess.run(asked, capture_output=True, text=True, check=False)
    found = re.search(r"provider\[(.+?)/hashicorp/google\]", said.stdout)
    if found is None:
        raise Missing(f"terraform does not say where its providers are: {said.stderr}")
    return found.group(1)


def _platform() -> str:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return f"{platform.system().lower()}_{machine}"


def describe(result: subprocess.CompletedProcess[Any]) -> str:
    """What a command printed, without the frame that Terraform draws around its errors."""
    return re.sub(r"[\s│╷╵]+", " ", f"{result.stdout} {result.stderr}")

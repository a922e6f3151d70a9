"""What is deployed, checked with the real tools and without a network.

The tools are those of `.venv-infra` (`bin/setup infra`), and Terraform, which comes with the
machine. What is missing skips a test, and fails it where REQUIRE_INFRA is set (CI).
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.stand_in.workspace import Missing, Workspace

ROOT = Path(__file__).resolve().parents[2]

type Tool = Callable[..., subprocess.CompletedProcess[str]]


def _missing(what: str) -> None:
    """Skip, or fail where everything has to be there."""
    if os.environ.get("REQUIRE_INFRA"):
        pytest.fail(f"REQUIRE_INFRA is set, but {what}", pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's folder."""
    return ROOT


@pytest.fixture(scope="session")
def tools() -> Path:
    """The programs of `.venv-infra`: check-jsonschema, hadolint, kubernetes-validate, ..."""
    if not (ROOT / ".venv-infra/ready").exists():
        _missing("there is no .venv-infra: run `bin/setup infra`")
    return ROOT / ".venv-infra/bin"


@pytest.fixture(scope="session")
def tool(tools: Path) -> Tool:
    """Run one of them from the repository's folder: `tool("hadolint", path).returncode`.

    `tool("python", "-c", code)` has the environment's libraries (yaml, google.cloud.devtools).
    """

    def run(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return _run([tools / name, *arguments])

    return run


@pytest.fixture(scope="session")
def installed() -> Tool:
    """The same for a program of the machine, such as kubectl: `installed("kubectl", ...)`."""

    def run(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        if not shutil.which(name):
            _missing(f"{name} is not installed")
        return _run([name, *arguments])

    return run


def _run(command: list[str | Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Callable[[], Workspace]:
    """A fresh copy of `infra/terraform`, on which Terraform runs with the stand-in."""

    def make() -> Workspace:
        try:
            return Workspace(tmp_path / "workspace")
        except Missing as reason:
            _missing(str(reason))
            raise

    return make

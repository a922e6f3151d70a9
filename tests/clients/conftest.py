"""The environment of the official client."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def official_python() -> Path:
    """The Python that has the official client, made or brought up to date by bin/setup-clients.

    Without a package index there is none: skips, and fails where REQUIRE_CLIENTS is set.
    """
    made = subprocess.run([ROOT / "bin" / "setup-clients"], capture_output=True, text=True)
    if made.returncode:
        lines = made.stderr.strip().splitlines() or ["bin/setup-clients failed"]
        reason = f"the official client cannot be installed: {lines[-1]}"
        if os.environ.get("REQUIRE_CLIENTS"):
            pytest.fail(f"REQUIRE_CLIENTS is set, but {reason}", pytrace=False)
        pytest.skip(reason)
    return ROOT / ".venv-ibapi" / "bin" / "python"

"""The examples of docs/simulator.md do what the page says."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")
EXAMPLE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
SIMULATOR = (sys.executable, "-m", "gateway.simulator", "--bars", "infra/local/bars")


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a simulator in a process of its own, started as the page says."""
    process = subprocess.Popen(
        [*SIMULATOR, "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        found = re.search(r"listens on 127.0.0.1:(\d+)", process.stdout.readline())
        assert found is not None
        yield int(found[1])
    finally:
        process.terminate()
        process.communicate()


async def test_an_ib_async_user_comes_from_nothing_to_a_fill(port: int) -> None:
    assert "4002" in EXAMPLE
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        EXAMPLE.replace("4002", str(port)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaints = await asyncio.wait_for(program.communicate(), 30)
    assert (program.returncode, complaints) == (0, b"")
    assert b"shares=10.0" in said

"""Child processes: ready or not, ended early, stopped kindly, then unkindly, and never orphaned."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.processes import LINE_BYTES_MAX, LOGS, Child, ChildFailed, Patience

ROOT = Path(__file__).parents[3]
READY = re.compile(r"ready on (\d+)")
SHORT = Patience(start_seconds=0.2, stop_seconds=0.2)
FOR_EVER = "import time\nwhile True: time.sleep(60)\n"
DEAF = (
    "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('ready on 1', flush=True)\n" + FOR_EVER
)


def child(script: str, patience: Patience | None = None) -> Child:
    return Child("the child", [sys.executable, "-S", "-c", script], patience)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_start_returns_what_the_ready_line_says() -> None:
    one = child("print('hello')\nprint('ready on 4711', flush=True)\n" + FOR_EVER)
    assert await one.start(os.environ, READY) == "4711"
    await one.stop()
    assert not is_alive(one.pid)


async def test_the_whole_log_is_kept_where_a_folder_is_named(tmp_path: Path) -> None:
    one = child(
        "for n in range(100): print('line', n)\nprint('ready on 1', flush=True)\n" + FOR_EVER
    )
    await one.start({**os.environ, LOGS: str(tmp_path)}, READY)
    await one.stop()
    lines = (tmp_path / "the-child.log").read_text().splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("line 0", "ready on 1", 101)


async def test_without_a_ready_line_start_waits_for_nothing() -> None:
    one = child(FOR_EVER)
    assert await one.start(os.environ, None) == ""
    await one.stop()


async def test_one_that_ends_before_it_is_ready_fails_with_its_last_lines() -> None:
    one = child("print('no such account')\nraise SystemExit(3)")
    with pytest.raises(ChildFailed) as error:
        await one.start(os.environ, READY)
    said = "the child ended before it was ready; its last lines:\n  no such account"
    assert str(error.value) == said
    await one.stop()


async def test_one_that_never_gets_ready_is_stopped() -> None:
    one = child(FOR_EVER, SHORT)
    with pytest.raises(ChildFailed, match="the child did not get ready; its last lines:"):
        await one.start(os.environ, READY)
    assert not is_alive(one.pid)


async def test_one_that_ends_while_it_is_watched_fails_with_its_code() -> None:
    one = child("print('ready on 1')\nraise SystemExit(3)")
    await one.start(os.environ, READY)
    with pytest.raises(ChildFailed, match=r"the child ended with 3; its last lines:\n  ready on 1"):
        await one.wait()


async def test_one_that_ignores_sigterm_is_killed() -> None:
    one = child(DEAF, Patience(stop_seconds=0.2))
    await one.start(os.environ, READY)
    await one.stop()
    with pytest.raises(ChildFailed, match=f"ended with -{int(signal.SIGKILL)}"):
        await one.wait()


async def test_stopping_twice_or_before_the_start_is_no_error() -> None:
    one = child(FOR_EVER)
    await one.stop()
    await one.start(os.environ, None)
    await one.stop()
    await one.stop()


async def test_a_child_that_was_not_started_has_no_pid() -> None:
    with pytest.raises(ChildFailed, match="the child was not started"):
        child(FOR_EVER).pid  # noqa: B018 (the property raises)


async def test_only_the_last_30_lines_are_kept() -> None:
    one = child("for n in range(100): print('line', n)")
    with pytest.raises(ChildFailed) as error:
        await one.start(os.environ, READY)
    lines = str(error.value).splitlines()[1:]
    assert lines == [f"  line {n}" for n in range(70, 100)]


async def test_lines_with_errors_are_passed_on(capsys: pytest.CaptureFixture[str]) -> None:
    one = child("print('INFO x all well')\nprint('ERROR x broke')\nprint('ready on 1')")
    await one.start(os.environ, READY)
    await one.stop()
    assert capsys.readouterr().err == "the child: ERROR x broke\n"


async def test_a_line_without_end_does_not_stop_the_reading() -> None:
    endless = f"print('x' * {3 * LINE_BYTES_MAX})\nprint('ready on 7', flush=True)\n"
    one = child(endless + FOR_EVER)
    assert await one.start(os.environ, READY) == "7"
    await one.stop()


PARENT = f"""
import asyncio, os, sys
from infra.local.processes import Child

async def main():
    child = Child("the child", [sys.executable, "-S", "-c", {FOR_EVER!r}])
    await child.start(os.environ, None)
    print(child.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv, so Linux")
async def test_when_we_are_killed_the_kernel_ends_the_child() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, cwd=ROOT)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    async with asyncio.timeout(10):
        while is_alive(pid) and not _is_zombie(pid):
            await asyncio.sleep(0.01)


def _is_zombie(pid: int) -> bool:
    """Ended, and nobody has asked yet: in a container there may be no init that does."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True

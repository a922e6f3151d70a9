"""Running the commands as a stranger would: other processes, HTTP, and what they print."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN_SECONDS_MAX = 180
"""For a machine that is busy with other things."""


@dataclass
class Program:
    """A running command, with the lines that it has written so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    written: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, pattern: str, seconds: float = 60) -> re.Match[str]:
        """The first place where the pattern is in what was written, or will be soon."""
        end = time.monotonic() + seconds
        with self.written:
            while not (found := re.search(pattern, self.text, re.MULTILINE)):
                left = end - time.monotonic()
                alive = self.reader.is_alive()
                if left <= 0 or not alive:
                    pytest.fail(f"{pattern!r} was not written:\n{self.text}", pytrace=False)
                self.written.wait(min(left, 0.5))
        return found

    def ended(self, seconds: float = 30) -> int:
        """The exit code, once it has ended and everything is read."""
        code = self.process.wait(seconds)
        self.reader.join(seconds)
        return code

    def children(self) -> set[int]:
        """All processes under it, whatever session they are in; Linux only."""
        return descendants(self.process.pid)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self.written:
                self.lines.append(line.rstrip("\n"))
                self.written.notify_all()
        self.process.stdout.close()


def descendants(pid: int) -> set[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    direct = {int(word) for word in children.read_text().split()} if children.exists() else set()
    return direct.union(*(descendants(child) for child in direct))


type Start = Callable[[Sequence[str]], Program]


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Where the programs make their temporary folders, so that one sees what they leave."""
    path = tmp_path / "scratch"
    path.mkdir()
    return path


@pytest.fixture
def environment(scratch: Path) -> dict[str, str]:
    """Ours, without anything that would lead the programs to a Google Cloud."""
    kept = {k: v for k, v in os.environ.items() if not re.match("CLOUDSDK_|GOOGLE_|.*EMULATOR", k)}
    kept |= {k: v for k, v in os.environ.items() if k.startswith("CLOUDSDK_ROOT")}
    return {**kept, "TMPDIR": str(scratch), "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    """Start `python -m infra.local` with arguments; ends with the test at the latest."""
    started: list[Program] = []

    def one(arguments: Sequence[str]) -> Program:
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.local", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(Program(process))
        return started[-1]

    yield one
    for program in started:
        if program.process.poll() is None:
            program.process.send_signal(signal.SIGTERM)
            program.ended()


@pytest.fixture
def run(start: Start) -> Callable[..., tuple[int, str]]:
    """Run `python -m infra.local` to its end: exit code, and what it wrote."""

    def run(*arguments: str) -> tuple[int, str]:
        program = start(arguments)
        code = program.ended(RUN_SECONDS_MAX)
        return code, program.text

    return run

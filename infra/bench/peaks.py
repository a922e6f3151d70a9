"""Peak memory: what a process held at most, read from outside or told by itself."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from infra.bundles import ROOT

TELL: Final = """
try:
    with open("/proc/self/status") as status:
        print("peak", next(line.split()[1] for line in status if line.startswith("VmHWM")))
except OSError:
    import resource
    print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
"""Makes a process print its peak in kB as its last act. Where there is no /proc, `getrusage` tells,
which on Linux would count what the parent held at the fork. (macOS: bytes, hence the division.)"""

PROGRAMS: Final[Mapping[str, str]] = {
    "an empty interpreter": "",
    "the gateway's modules, only imported": "import gateway.__main__",
    "embedded stack, all in one process, a whole day": (
        "from infra.local.__main__ import main\nassert main(['demo']) == 0"
    ),
}
"""What -> the program whose peak it is."""

EMPTY: Final = "an empty interpreter"
CHILD_SECONDS_MAX: Final = 120.0


def peaks() -> dict[str, int]:
    """Run the programs, each in a process of its own: what -> bytes."""
    return {what: _peak(program) for what, program in PROGRAMS.items()}


def peaks_of_children() -> dict[str, int]:
    """Peaks of our child processes that run a module of ours, bytes; none where /proc is absent."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = status_fields(status.read_text())
            command = (status.parent / "cmdline").read_text().split("\0")
        except OSError:
            continue  # it ended meanwhile
        module = module_of(command)
        if fields.get("PPid") == str(os.getpid()) and module and "VmHWM" in fields:
            found[module] = int(fields["VmHWM"].split()[0]) * 1024
    return found


def status_fields(text: str) -> dict[str, str]:
    """`/proc/<pid>/status` as name -> value."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _, value in pairs}


def module_of(command: Sequence[str]) -> str:
    """Which module a command line runs with `-m`; empty for others."""
    return command[command.index("-m") + 1] if "-m" in command[:-1] else ""


def _peak(program: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", program + TELL],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=CHILD_SECONDS_MAX,
    )
    return int(done.stdout.split()[-1]) * 1024

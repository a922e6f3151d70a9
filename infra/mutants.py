"""How much of the core could be wrong without a test noticing: `make mutants`.

    python -m infra.mutants [module ...] [--processes 2]

mutmut changes one thing of a module at a time (a sign, a bound, an argument) and runs the module's
tests that reach it. A change that no test notices has survived. Red: a module of which less than
`BAR` is noticed, a survivor that `docs/mutants.toml` does not name with a reason, and a named one
that survives no more. The list knows a change by its text, not by its line or number, so that it
outlives edits elsewhere in the file.

mutmut changes only what stands in functions: tables and constants of a module it leaves alone.
A change whose tests take five times as long counts as noticed, so let the machine do nothing else:
on a busy one, tests that are merely late count too.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from fractions import Fraction
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
ACCEPTED: Final = ROOT / "docs" / "mutants.toml"
TOOL: Final = ROOT / ".venv-mutants" / "bin" / "mutmut"
BAR: Final = Fraction(9, 10)
"""The least part of a module's mutants that the tests must notice."""

MODULES: Final[Mapping[str, tuple[str, ...]]] = {
    "attribution": (),
    "batch_limits": ("batch_limits_told", "findings"),
    "book": (),
    "book_limits": ("limits",),
    "contract_limits": ("limits",),
    "day": (),
    "door": (),
    "dues": (),
    "limits": (),
    "locks": (),
    "margin": (),
    "market_limits": (),
    "netting": (
        "netting_documents",
        "together",
        "batch_limits_told",
        "margin",
        "batch_limits",
        "closing",
    ),
    "orders": (),
    "price_limits": (),
    "reconcile": (),
    "records": (),
    "repetition": (),
    "settlement": (),
    "targets": (),
    "wishes": ("wishes_told", "netting", "closing", "together"),
}
"""Netting, attribution, limits, recovery: the parts of `gateway/core` that money depends on, and
whose tests count for each besides its own. Fewer tests, fewer minutes: all run for a survivor."""

STATUSES: Final[Mapping[int | None, str]] = {
    **dict.fromkeys((1, 3), "killed"),
    **dict.fromkeys((-24, 24, 36, 152, 255), "timeout"),
    **dict.fromkeys((5, 33), "no tests"),
    0: "survived",
}
"""What mutmut's exit codes mean; 3 is an internal error of pytest, which is noticed too. Any other
code (a crash, not run) proves nothing."""
NOTICED: Final = ("killed", "timeout")
UNPROVEN: Final = "unproven"

CONFIGURATION: Final = """
[tool.mutmut]
source_paths = ["gateway", "schemas"]
only_mutate = ["gateway/core/{module}.py"]
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = ["-p", "no:cacheprovider"]
use_git_change_detection = false
process_isolation = "forkserver"
timeout_constant = 2.0
timeout_multiplier = 5.0
"""


class ToolFailed(Exception):
    """mutmut could not measure a module, such as when a test of it fails as it is."""


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """What a mutant changed: lines of a function, without their indents, as they were and are."""

    module: str
    function: str
    was: str
    now: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change and what the tests said of it."""

    change: Change
    status: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print the table and what is wrong; 0 when nothing is."""
    parser = argparse.ArgumentParser(prog="make mutants", description=str(__doc__).split("\n")[0])
    parser.add_argument("modules", nargs="*", metavar="module", help=", ".join(MODULES))
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args(arguments)
    unknown = [module for module in asked.modules if module not in MODULES]
    if unknown:
        parser.error(f"not measured: {', '.join(unknown)}; measured are {', '.join(MODULES)}")
    found: list[Mutant] = []
    failed: list[str] = []
    for module in asked.modules or MODULES:
        print(f"{module} ...", file=sys.stderr, flush=True)
        try:
            found += measured(module, asked.processes)
        except ToolFailed as error:  # what the others say is not lost by it
            failed.append(f"{module}: {error}")
    print(table(found))
    wrong = [*failed, *complaints(found, accepted(ACCEPTED.read_text(encoding="utf-8")))]
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


def measured(module: str, processes: int) -> list[Mutant]:
    """The mutants of a module, in a folder of their own. Raises `ToolFailed`."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        work = Path(folder)
        prepare(work, module)
        run(work, processes)
        return list(read(work, module))


def prepare(work: Path, module: str) -> None:
    """Put into `work` the core, the contract, the core's tests, and what mutmut shall do.

    Nothing else: the tool's environment has neither Google's nor IB's libraries.
    """
    for part in ("gateway/core", "schemas", "tests/gateway/core"):
        shutil.copytree(ROOT / part, work / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conftest.py", "order_documents.py"):
        shutil.copy2(ROOT / "tests" / name, work / "tests")
    tests = [f"tests/gateway/core/test_{name}.py" for name in (module, *MODULES[module])]
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    text = settings + CONFIGURATION.format(module=module, tests=json.dumps(tests))
    (work / "pyproject.toml").write_text(text, encoding="utf-8")


def run(work: Path, processes: int) -> None:
    """Let mutmut run to its end. Raises `ToolFailed` with its last words when it cannot."""
    log = work / "mutmut.log"
    # Every mutant imports the tests anew: without bytecode that takes several times as long.
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    with log.open("wb") as output:
        done = subprocess.run(
            [TOOL, "run", "--max-children", str(processes)],
            cwd=work,
            env={**kept, "HYPOTHESIS_PROFILE": "mutants"},
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise ToolFailed("mutmut failed:\n" + log.read_text(encoding="utf-8")[-4000:])


def read(work: Path, module: str) -> Iterator[Mutant]:
    """The mutants of a module, as mutmut left them beside its copy of the sources."""
    mutated = work / "mutants" / "gateway" / "core" / f"{module}.py"
    lines = mutated.read_text(encoding="utf-8").splitlines()
    spans = json.loads(Path(f"{mutated}.spans").read_text(encoding="utf-8"))["spans"]
    codes = json.loads(Path(f"{mutated}.meta").read_text(encoding="utf-8"))["exit_code_by_key"]
    for key, code in codes.items():
        name = key.rpartition(".")[2]
        original = name.rpartition("__mutmut_")[0] + "__mutmut_orig"
        texts = [_body(lines, spans[n], n) for n in (original, name)]
        change = Change(module, _function(name), *_difference(*texts))
        yield Mutant(change, STATUSES.get(code, UNPROVEN))


def _body(lines: Sequence[str], span: Sequence[int], name: str) -> list[str]:
    first, last = span
    return [line.replace(name, "_").strip() for line in lines[first - 1 : last]]


def _function(name: str) -> str:
    """`x_net__mutmut_3` is of `net`, and `xǁDeskǁrate__mutmut_1` of `Desk.rate`."""
    mangled = name.rpartition("__mutmut_")[0].removeprefix("x")
    return mangled[1:].replace("ǁ", ".") if mangled.startswith("ǁ") else mangled[1:]


def _difference(was: Sequence[str], now: Sequence[str]) -> tuple[str, str]:
    changed = [line for line in unified_diff(was, now, n=0, lineterm="")][2:]
    kept = {sign: [line[1:] for line in changed if line[0] == sign] for sign in "-+"}
    return " ".join(kept["-"]), " ".join(kept["+"])


def accepted(text: str) -> dict[Change, str]:
    """Change -> why no test need notice it. Raises `ValueError` for one without a reason."""
    known = {}
    for item in tomllib.loads(text).get("survivor", []):
        reason = item.pop("reason", "")
        if not reason:
            raise ValueError(f"docs/mutants.toml: no reason for {item}")
        known[Change(**item)] = reason
    return known


def score(mutants: Sequence[Mutant]) -> Fraction:
    """The part that is noticed; of nothing, all."""
    noticed = sum(mutant.status in NOTICED for mutant in mutants)
    return Fraction(noticed, len(mutants)) if mutants else Fraction(1)


def table(found: Sequence[Mutant]) -> str:
    """A line for each module, and one for all."""
    columns = ("killed", "timeout", "survived", "no tests", UNPROVEN)
    lines = [f"{'module':16}{''.join(f'{c:>10}' for c in columns)}{'total':>8}{'score':>9}"]
    for name, mutants in [*_by_module(found).items(), ("all", found)]:
        counted = Counter(mutant.status for mutant in mutants)
        cells = "".join(f"{counted[column]:>10}" for column in columns)
        lines.append(f"{name:16}{cells}{len(mutants):>8}{float(score(mutants)):>9.1%}")
    return "\n".join(lines)


def complaints(found: Sequence[Mutant], known: Mapping[Change, str]) -> list[str]:
    """What is wrong, a sentence each; for a new survivor the lines to accept it by follow."""
    modules = _by_module(found)
    survived = {mutant.change for mutant in found if mutant.status not in NOTICED}
    stale = {change for change in known if change.module in modules} - survived
    low = {name: float(score(m)) for name, m in modules.items() if score(m) < BAR}
    return [
        *(f"{n}: {part:.1%} is noticed, the bar is {float(BAR):.0%}" for n, part in low.items()),
        *(f"no test notices this: {_entry(c)}" for c in sorted(survived - set(known))),
        *(f"docs/mutants.toml names what survives no more: {_entry(c)}" for c in sorted(stale)),
    ]


def _entry(change: Change) -> str:
    parts = ("module", "function", "was", "now")
    texts = {part: json.dumps(getattr(change, part), ensure_ascii=False) for part in parts}
    return "\n[[survivor]]\n" + "".join(f"{part} = {text}\n" for part, text in texts.items())


def _by_module(found: Iterable[Mutant]) -> dict[str, list[Mutant]]:
    modules: dict[str, list[Mutant]] = {}
    for mutant in found:
        modules.setdefault(mutant.change.module, []).append(mutant)
    return modules


if __name__ == "__main__":
    sys.exit(main())

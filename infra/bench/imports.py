"""What importing costs, which is what a cold start pays: ours over the libraries it stands on."""

import ast
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra import bundles
from infra.bench.figures import Sample

OURS: Final = frozenset({"functions", "gateway", "infra", "main", "schemas"})
INDICATORS: Final = "functions/indicators.py"
"""The one module of the bundle that brings pandas."""

CHILD_SECONDS_MAX: Final = 60.0


@dataclass(frozen=True, slots=True)
class Import:
    """Something imported, with the import lines of the libraries that it needs."""

    name: str
    program: str
    libraries: str
    folder: Path
    target: str = ""
    """FUNCTION_TARGET, which says whose strategy is loaded."""


@dataclass(frozen=True, slots=True)
class ImportTimes:
    """Seconds of wall time of whole processes, one value a round."""

    ours: Sample
    libraries: Sample


def measured(rounds: int) -> tuple[Sample, dict[str, ImportTimes]]:
    """An empty interpreter, and each import with its libraries; all in turn, round by round."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "bundle"
        bundles.write(folder)
        wanted = imports(folder)
        empty: list[float] = []
        ours: dict[str, list[float]] = {one.name: [] for one in wanted}
        libraries: dict[str, list[float]] = {one.name: [] for one in wanted}
        for number in range(rounds + 1):
            taken = 1 if number == 0 else 0  # the first round writes bytecode and warms the disk
            empty += [_seconds("", folder, "")][taken:]
            for one in wanted:
                ours[one.name] += [_seconds(one.program, one.folder, one.target)][taken:]
                libraries[one.name] += [_seconds(one.libraries, one.folder, "")][taken:]
        times = {n: ImportTimes(Sample(tuple(ours[n])), Sample(tuple(libraries[n]))) for n in ours}
        return Sample(tuple(empty)), times


def imports(bundle: Path) -> tuple[Import, ...]:
    """What is imported: the functions' bundle in `bundle`, and the gateway in this repository."""
    sources = sorted(bundle.rglob("*.py"))
    plain = [path for path in sources if path.relative_to(bundle).as_posix() != INDICATORS]
    gateway = sorted([*bundles.ROOT.glob("gateway/*.py"), *bundles.ROOT.glob("gateway/core/*.py")])
    gateway += sorted(bundles.ROOT.glob("schemas/*.py"))
    name = "functions' bundle, strategy "
    return (
        Import(f"{name}without indicators", "import main", libraries(plain), bundle, "dummy"),
        Import(
            f"{name}on pandas-ta",
            "import main",
            libraries(sources),
            bundle,
            "test_signal_generator",
        ),
        Import("gateway", "import gateway.__main__", libraries(gateway), bundles.ROOT),
    )


def libraries(sources: Iterable[Path]) -> str:
    """The import lines of these files that name neither the standard library nor ours."""
    found = dict.fromkeys(line for path in sources for line in _import_lines(path.read_text()))
    return "\n".join(found)


def _import_lines(source: str) -> Iterator[str]:
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            roots = {node.module.split(".")[0]}
        elif isinstance(node, ast.Import):
            roots = {alias.name.split(".")[0] for alias in node.names}
        else:
            continue
        if not roots & (OURS | sys.stdlib_module_names):
            yield ast.unparse(node)


def _seconds(program: str, folder: Path, target: str) -> float:
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=_environment(target),
        check=True,
        capture_output=True,
        timeout=CHILD_SECONDS_MAX,
    )
    return time.monotonic() - began


def _environment(target: str) -> Mapping[str, str]:
    """Ours, but with bytecode, and with the strategy to load."""
    mine = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**mine, "FUNCTION_TARGET": target}

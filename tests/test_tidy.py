"""Our style where a linter cannot see it, as a test: sizes, vocabulary, purity, what no file says.

Each test lists every offender at once. Where something must be excepted, the exception stands here
by name and may only shrink. Words that are banned are spelled in pieces, for this file is read too.
"""

import ast
import functools
import re
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ("schemas", "functions", "gateway", "infra")

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
FUNCTION_LINES_MEDIAN_MAX = {"sources": 8, "tests": 9}
PARAMETERS_MAX = 5

LONG_FILES: dict[str, int] = {}
"""Generated and table modules over the limit: path → lines. The numbers may only shrink."""

VAGUE = {"base", "common", "handler", "helper", "manager", "misc", "util"}
VAGUE |= {f"{word}s" for word in VAGUE}

PURE = (
    "schemas/**/*.py",
    "functions/strategies/**/*.py",
    "functions/indicators.py",
    "functions/sizing.py",
    "functions/alerts.py",
    "functions/answer.py",
    "functions/decision.py",
    "functions/closures.py",
    "functions/history.py",
    "functions/sessions.py",
    "functions/watchdog.py",
    "gateway/bus_rules.py",
    "gateway/ports.py",
    "gateway/store_rules.py",
    "gateway/core/**/*.py",
    "gateway/simulator/**/*.py",
    "infra/topology.py",
)
RIMS = {
    f"gateway/simulator/{name}.py"
    for name in (
        *("server", "switchboard", "connection", "timekeeper", "playback"),
        *("control", "virtual_loop", "virtual_network", "__main__"),
    )
} | {
    # The conformance cases' own client, and what waits for it.
    f"gateway/simulator/conformance/{name}.py"
    for name in ("client", "runner", "sweep", "trading_floor", "__main__")
}
IMPURE_IMPORTS = {"asyncio", "google", "ib_async", "logging", "os", "random", "socket", "time"}

UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME)\b")
MOCKS = re.compile(r"unittest\.mo" r"ck|import mo" r"ck|Magic" r"Mock|\bmock" r"er\b")
MACHINE_PATHS = re.compile(r"(?<![\w.$}])/(?:wo" r"rk|ho" r"me|ro" r"ot|tmp/v3" r"12)/")
REGISTRIES = re.compile(
    r"py" r"pi\.org|python" r"hosted\.org|npm" r"js\.(?:org|com)|debian" r"\.org|proxy\.go" r"lang"
)


# ---------------------------------------------------------------------- what is read


@functools.cache
def text_files() -> tuple[Path, ...]:
    return tuple(path for path in sorted(walk(ROOT)) if is_text(path))


def walk(directory: Path) -> Iterator[Path]:
    for path in directory.iterdir():
        if path.is_file() and path.name != ".git":
            yield path
        elif path.is_dir() and (path.name == ".ci" or not path.name.startswith((".", "__"))):
            yield from walk(path)


def is_text(path: Path) -> bool:
    return b"\0" not in path.read_bytes()[:1024]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def python_files(*directories: str) -> list[Path]:
    return [
        path
        for path in text_files()
        if path.suffix == ".py" and name_of(path).split("/")[0] in directories
    ]


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions_in(*directories: str) -> Iterator[tuple[str, Function]]:
    """Each function with the place where it is defined, nested ones and methods too."""
    for path in python_files(*directories):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, Function):
                yield f"{name_of(path)}:{node.lineno} {node.name}", node


def lines_of(function: Function) -> int:
    """From `def` to the last line."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def parameters_of(function: Function) -> int:
    """All but *args and **kwargs; self and keyword-only ones count."""
    arguments = function.args
    return len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs)


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Every absolute import with its line, wherever in the module it stands."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module


def importing(paths: Sequence[Path], packages: set[str]) -> list[str]:
    return [
        f"{name_of(path)}:{line} imports {module}"
        for path in paths
        for line, module in imports_of(path)
        if module.split(".")[0] in packages
    ]


def saying(pattern: re.Pattern[str], paths: Sequence[Path]) -> list[str]:
    return [
        f"{name_of(path)}:{number} says {match.group()!r}"
        for path in paths
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), start=1)
        if (match := pattern.search(line))
    ]


def check(offenders: Sequence[str]) -> None:
    if offenders:
        pytest.fail(f"{len(offenders)} offenders:\n" + "\n".join(offenders), pytrace=False)


# ---------------------------------------------------------------------- sizes


def test_a_file_has_at_most_500_lines() -> None:
    lengths = {
        name_of(path): len(path.read_text("utf-8").splitlines())
        for path in python_files(*SOURCES, "tests")
    }
    check(
        [
            f"{name}: {lines} lines, at most {LONG_FILES.get(name, FILE_LINES_MAX)}"
            for name, lines in lengths.items()
            if lines > LONG_FILES.get(name, FILE_LINES_MAX)
        ]
        + [
            f"{name}: excepted at {limit} lines, has {lengths.get(name, 0)}: update the entry"
            for name, limit in LONG_FILES.items()
            if limit != lengths.get(name, 0) or limit <= FILE_LINES_MAX
        ]
    )


def test_a_function_has_at_most_70_lines() -> None:
    check(
        [
            f"{place}: {lines_of(function)} lines"
            for place, function in functions_in(*SOURCES, "tests")
            if lines_of(function) > FUNCTION_LINES_MAX
        ]
    )


@pytest.mark.parametrize(
    ("part", "directories"), [("sources", SOURCES), ("tests", ("tests",))], ids=["sources", "tests"]
)
def test_the_median_function_is_short(part: str, directories: tuple[str, ...]) -> None:
    lengths = [lines_of(function) for _, function in functions_in(*directories)]
    median = statistics.median(lengths) if lengths else 0
    limit = FUNCTION_LINES_MEDIAN_MAX[part]
    assert median <= limit, f"median of {len(lengths)} functions: {median} lines, at most {limit}"


def test_a_function_takes_at_most_five_parameters() -> None:
    check(
        [
            f"{place}: {parameters_of(function)} parameters"
            for place, function in functions_in(*SOURCES, "tests")
            if parameters_of(function) > PARAMETERS_MAX
        ]
    )


# ---------------------------------------------------------------------- names


def test_a_module_is_named_for_what_it_holds() -> None:
    check(
        [
            f"{name_of(path)}: says nothing of what it holds"
            for path in python_files(*SOURCES, "tests")
            if VAGUE & set(re.split(r"[_/]", name_of(path.with_suffix(""))))
        ]
    )


def test_the_name_of_a_test_is_a_sentence() -> None:
    check(
        [
            f"{place}: fewer than three words"
            for place, function in functions_in("tests")
            if function.name.startswith("test_") and len(function.name.split("_")) < 4
        ]
    )


# ---------------------------------------------------------------------- imports


def test_pure_modules_do_no_input_or_output() -> None:
    """import-linter sees chains of imports; this sees each module, by its path."""
    pure = {path for pattern in PURE for path in ROOT.glob(pattern)}
    check(importing(sorted(path for path in pure if name_of(path) not in RIMS), IMPURE_IMPORTS))


def test_system_tests_import_nothing_of_ours() -> None:
    system = [path for path in python_files("tests") if name_of(path).startswith("tests/system/")]
    check(importing(system, {*SOURCES}))


def test_test_modules_import_no_other_test_module() -> None:
    """What they share stands in fixtures, or in a module that holds no test."""
    packages = [name_of(path) for path in python_files("tests") if path.name == "__init__.py"]
    shared = re.compile(r"imports tests(\.\w+)*\.(?!test_|conftest)\w+$")
    found = importing(python_files("tests"), {"tests", "conftest"})
    check([line for line in found if not shared.search(line)] + packages)


def test_nothing_is_mocked() -> None:
    check(saying(MOCKS, python_files(*SOURCES, "tests")))


# ---------------------------------------------------------------------- what no file says


def test_nothing_is_left_for_later() -> None:
    check(saying(UNFINISHED, text_files()))


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    check(saying(MACHINE_PATHS, text_files()))


def test_no_file_names_a_package_registry() -> None:
    check(saying(REGISTRIES, text_files()))

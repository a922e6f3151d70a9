"""The functions' bundle imports where there is nothing else of ours."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from functions.registry import STRATEGIES, WATCHERS
from infra.bundles import ROOT, files, main, write

LOAD_EVERY_ENTRY_POINT = """
import sys
from functions_framework import create_app
for name in sys.argv[2:]:
    create_app(name, sys.argv[1])
import functions, schemas
print(*{*functions.__path__}, *{*schemas.__path__}, {"gateway", "infra"} & sys.modules.keys())
"""
# What requirements/functions.txt brings; google and pandas come with the client and pandas-ta.
THIRD_PARTY = {"cloudevents", "cronsim", "functions_framework", "google", "msgspec"}
THIRD_PARTY |= {"pandas", "pandas_ta"}


def run(folder: Path, code: str, *arguments: str) -> str:
    """A process of its own, started in an empty folder, that sees no path of this repository."""
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    environment = {"PATH": os.environ["PATH"], "GOOGLE_CLOUD_PROJECT": "p", "MODE": "paper"}
    command = [sys.executable, "-I", "-W", "ignore", "-c", code, *arguments]
    found = subprocess.run(
        command, cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=60
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    write(folder)
    return folder


def test_every_entry_point_loads_from_the_bundle_alone(bundle: Path) -> None:
    printed = run(bundle, LOAD_EVERY_ENTRY_POINT, str(bundle / "main.py"), *STRATEGIES, *WATCHERS)
    assert printed == f"{bundle / 'functions'} {bundle / 'schemas'} set()"


def test_a_function_that_needs_no_indicators_does_not_load_pandas(bundle: Path) -> None:
    code = """
import sys
from functions_framework import create_app
create_app(sys.argv[2], sys.argv[1])
print(*(name in sys.modules for name in ("functions.strategies.spy_pullback", "pandas")))
"""
    assert run(bundle, code, str(bundle / "main.py"), "spy_pullback") == "True False"


@pytest.mark.parametrize("name", [*WATCHERS, "spy_pullback"])
def test_no_function_loads_at_its_start_what_only_others_need(bundle: Path, name: str) -> None:
    """Pandas is for indicators, Firestore for whoever watches, once there is something to read."""
    code = """
import sys
from functions_framework import create_app
create_app(sys.argv[2], sys.argv[1])
print({"pandas", "exchange_calendars", "google.cloud.firestore"} & sys.modules.keys())
"""
    assert run(bundle, code, str(bundle / "main.py"), name) == "set()"


def test_the_bundle_is_two_packages_the_entry_points_and_what_they_need(bundle: Path) -> None:
    assert {path.name for path in bundle.iterdir()} == {
        "functions",
        "main.py",
        "requirements.txt",
        "schemas",
    }
    assert not (bundle / "functions" / "main.py").exists()
    assert (bundle / "main.py").read_text() == (ROOT / "functions" / "main.py").read_text()


def test_nothing_is_imported_that_the_requirements_do_not_bring() -> None:
    ours = {"functions", "schemas"}
    for source in (path for path in files().values() if path.suffix == ".py"):
        assert imported(source) <= {*sys.stdlib_module_names, *THIRD_PARTY, *ours}, source


def imported(source: Path) -> set[str]:
    """The top names of all absolute imports in a file."""
    nodes = list(ast.walk(ast.parse(source.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    taken = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in plain | taken}


def test_a_folder_that_holds_something_is_not_written_to(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(bundle)]) == 1
    assert "is not empty; remove it first" in capsys.readouterr().err


def test_the_command_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == f"{len(files())} files in {tmp_path / 'out'}\n"


def test_without_a_folder_it_says_how_to_call_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().err == "usage: python -m infra.bundles FOLDER\n"

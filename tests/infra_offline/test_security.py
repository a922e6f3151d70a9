"""`docs/security.md`: each row names a test that exists, or accepts a risk and says why.

And the assertions that belong to no other page's tests.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.registry import specs
from infra.topology import topology
from schemas.values import Mode

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
ACCEPTED = re.compile(r"\*\*nothing, accepted: \S.{20,}\*\*")
NODE = re.compile(r"`([^`]*)::(\w+)`")
HEAD = "| who could |"

CLOUD = sorted(
    path
    for path in (ROOT / "infra").rglob("*")
    if path.suffix in {".tf", ".yaml", ".yml", ".json", ".sh", ".hcl"}
    and ".terraform" not in path.parts
)

KEYS = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE" r" KEY-----"),
    re.compile(r'"private_key' r'_id"\s*:'),
    re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b"),
    re.compile(r"\bya29\.[0-9A-Za-z_-]{20,}"),
    re.compile(r"\bGOCSPX-[0-9A-Za-z_-]{20,}"),
    re.compile(r"https://hooks\.slack\.com/services/T\w+/B\w+/\w+"),
)
ONLY_A_PERSON = {
    "resume",
    "unlock",
    "approve",
    "adopt",
    "transfer",
    "corporate_action",
    "close_all",
}


# ---------------------------------------------------------------------- the table


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every row of the tables of risks."""
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith(HEAD):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def faults(text: str) -> list[str]:
    """What is wrong with the tables."""
    found = []
    for cells in rows(text):
        if len(cells) != 3:
            found.append(f"{cells[0]}: {len(cells)} cells, not three")
            continue
        who, stops, shown = cells
        nodes = NODE.findall(shown)
        found += [
            f"{who}: {file}::{name} does not exist"
            for file, name in nodes
            if not exists(file, name)
        ]
        if NODE.sub("", shown).strip():
            found.append(f"{who}: says more than the names of tests: {shown!r}")
        if not nodes and not ACCEPTED.search(stops):
            found.append(f"{who}: no test, and it is not accepted either")
    return found


def exists(file: str, name: str) -> bool:
    """Whether a file has that test: a function, or a run of `terraform test`."""
    path = ROOT / file
    if not path.is_file():
        return False
    sign = rf'^run "{name}" \{{' if path.suffix == ".hcl" else rf"^(async )?def {name}\("
    return re.search(sign, path.read_text(encoding="utf-8"), re.MULTILINE) is not None


def test_every_risk_names_a_test_that_exists_or_is_accepted_with_a_reason() -> None:
    assert len(list(rows(PAGE))) > 30
    assert not faults(PAGE)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("| fly | wings | `tests/test_tidy.py::test_of_nothing` |", "does not exist"),
        ("| fly | wings | `tests/nowhere.py::test_of_nothing` |", "does not exist"),
        ("| fly | wings | |", "not accepted either"),
        ("| fly | **nothing, accepted** | |", "not accepted either"),
        ("| fly | wings | we looked |", "says more"),
        ("| fly | wings |", "2 cells"),
    ],
)
def test_a_wrong_row_is_found(row: str, fault: str) -> None:
    """So that the check above can fail."""
    assert any(fault in found for found in faults(row))


# ---------------------------------------------------------------------- what nothing else asserts


@pytest.mark.parametrize("mode", list(Mode))
def test_no_schedule_says_what_only_a_person_says(mode: Mode) -> None:
    said = {json.loads(one.message).get("command") for one in topology(mode, specs()).schedules}
    assert said
    assert not said & ONLY_A_PERSON


def test_nothing_is_granted_to_everybody() -> None:
    assert len(CLOUD) > 20
    everybody = re.compile(r"\ball(?:Authenticated)?Users\b|--allow-unauthenticated")
    assert not [path for path in CLOUD if everybody.search(path.read_text(encoding="utf-8"))]


def test_no_file_holds_a_key() -> None:
    read = [path for path in _texts(ROOT) if path.suffix not in {".pyc", ".sqlite"}]
    assert len(read) > 300
    found = [
        f"{path.relative_to(ROOT)}: {key.pattern[:20]}"
        for path in read
        for key in KEYS
        if key.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert not found


def _texts(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_file():
            yield path
        elif path.is_dir() and (path.name == ".ci" or path.name[0] not in "._"):
            yield from _texts(path)

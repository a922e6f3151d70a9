"""`docs/simulator.md` says what the code does, and shows it by tests that exist."""

import re
from pathlib import Path

import pytest

from infra.simulator_docs import PAGE, page

ROOT = Path(__file__).resolve().parents[2]
TEXT = PAGE.read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", TEXT)))


def test_the_tables_of_the_page_are_those_of_the_code() -> None:
    assert page(TEXT) == TEXT, "run: python -m infra.simulator_docs"


def test_the_page_shows_behaviours_by_tests() -> None:
    assert len(NAMED) >= 40


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_test_that_the_page_names_exists(path: str, name: str) -> None:
    source = (ROOT / path).read_text(encoding="utf-8")
    assert not name or re.search(rf"def {name}\(", source)

"""Every numbered rule of the product contract is named where it is kept and where it is tested.

A rule counts as named in a module when its number stands in brackets, alone or beside others, as
[N4], [N1b] or [B3, B4].
"""

import ast
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RULES = (
    *("T1", "T2", "T3"),
    *("B1", "B2", "B3", "B4", "B5", "B6"),
    *("N1", "N2", "N3", "N4", "N5", "N6", "N7", "N8", "N9"),
    *("A1", "A2", "A3", "A4"),
    *("W1", "W2"),
    *("R1", "R2", "R3", "R4"),
)
ROOMS = {"source": ("schemas", "functions", "gateway"), "tests": ("tests",)}

UNNAMED: dict[tuple[str, str], str] = {}
"""Rules that no module names yet: ("A4", "tests") -> "2026-11-23: why". It may only shrink."""

BRACKETS = re.compile(r"\[([A-Z]\d[a-z]?(?:(?:, |-)[A-Z]\d[a-z]?)*)\]")


def spoken(path: Path) -> Iterator[str]:
    """The docstrings and comments of a module: where a person looks, not where code subscripts."""
    with path.open("rb") as file:
        yield from (
            t.string for t in tokenize.tokenize(file.readline) if t.type == tokenize.COMMENT
        )
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield str(node.value.value)


def numbers(inside: str) -> Iterator[str]:
    """`B3, B4` and `B3-B5`, with a letter after a number or without."""
    for part in inside.split(", "):
        first, _, last = part.partition("-")
        end = int((last or first)[1])
        yield from (f"{first[0]}{number}" for number in range(int(first[1]), end + 1))


@cache
def named(room: str) -> frozenset[str]:
    here = Path(__file__)
    paths = (path for part in ROOMS[room] for path in (ROOT / part).rglob("*.py") if path != here)
    texts = (text for path in sorted(paths) for text in spoken(path))
    insides = (inside for text in texts for inside in BRACKETS.findall(text))
    return frozenset(number for inside in insides for number in numbers(inside))


@pytest.mark.parametrize("room", ROOMS)
def test_every_rule_is_named_in_brackets(room: str) -> None:
    missing = {(rule, room) for rule in RULES if rule not in named(room)}
    expected = {key for key in UNNAMED if key[1] == room}
    assert sorted(missing - expected) == [], "nothing names these rules; name them where they are"
    assert sorted(expected - missing) == [], "these are named by now: take them out of UNNAMED"


def test_an_exception_is_of_a_known_rule_and_says_since_when() -> None:
    assert {key for key in UNNAMED if key[0] not in RULES or key[1] not in ROOMS} == set()
    assert all(re.match(r"\d{4}-\d{2}-\d{2}: \w", reason) for reason in UNNAMED.values())


@pytest.mark.parametrize(
    ("inside", "rules"),
    [("N4", ["N4"]), ("N1b", ["N1"]), ("B3, B4", ["B3", "B4"]), ("A1-A3", ["A1", "A2", "A3"])],
)
def test_rules_are_read_alone_in_lists_and_in_ranges(inside: str, rules: list[str]) -> None:
    assert BRACKETS.fullmatch(f"[{inside}]") is not None
    assert list(numbers(inside)) == rules

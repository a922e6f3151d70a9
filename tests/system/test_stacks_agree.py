"""One day over the embedded stack and over Google's emulators: the same day."""

import re
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.system, pytest.mark.emulators]

TITLES = ("BROKER POSITIONS", "BOOKS", "EXTERNAL", "CROSSES", "ORDERS", "EXECUTIONS", "LAW")


@pytest.fixture(scope="module")
def remembered() -> dict[str, str]:
    return {}


@pytest.fixture
def printed(run: Callable[..., tuple[int, str]], remembered: dict[str, str]) -> dict[str, str]:
    """What the demo prints, by stack; played once for all tests."""
    for stack in ("emulators", "embedded"):
        if stack not in remembered:
            code, text = run("demo", "--stack", stack)
            if re.search(r"^demo: (.* is not installed|Java is not)", text, re.MULTILINE):
                pytest.skip(text)
            assert code == 0, text
            remembered[stack] = text
    return remembered


def table(text: str, title: str) -> str:
    """One table with its rows."""
    (found,) = re.findall(rf"^{title}\b.*\n(?:  .*\n)*", text, re.MULTILINE)
    return str(found)


def story(text: str, pattern: str) -> list[str]:
    """The lines of the story that match, without message ids, sorted.

    Pub/Sub promises no order, and whether an order is seen WORKING before it is filled is a matter
    of microseconds.
    """
    lines = re.findall(rf"^\d\d:\d\d:\d\d .*{pattern}.*$", text, re.MULTILINE)
    plain = (re.sub(r"message \d+|targets-\d+", "some message", line) for line in lines)
    return sorted(line for line in plain if not line.endswith("is WORKING"))


@pytest.mark.parametrize("title", TITLES)
def test_every_table_is_the_same(printed: dict[str, str], title: str) -> None:
    """Positions, books, crosses, orders, and executions with their ids, prices and shares."""
    assert table(printed["embedded"], title) == table(printed["emulators"], title)


@pytest.mark.parametrize("pattern", ["refused", "locked", "crossed", "-> ", ""])
def test_the_same_story_is_told(printed: Any, pattern: str) -> None:
    """Refusals, locks, crosses, fills, and all the rest, each at the same virtual time."""
    told = story(printed["embedded"], pattern)
    assert told == story(printed["emulators"], pattern)
    assert told


@pytest.mark.parametrize("stack", ["embedded", "emulators"])
def test_every_bar_is_told_before_the_next(printed: dict[str, str], stack: str) -> None:
    times = re.findall(r"^(\d\d:\d\d:\d\d) ", printed[stack], re.MULTILINE)
    assert times == sorted(times)

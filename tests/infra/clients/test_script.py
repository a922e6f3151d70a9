"""The table of cases, and what it takes for the answer that was expected."""

import re
from typing import Any

import pytest

from infra.clients import script
from infra.clients.environments import CLIENTS
from infra.clients.script import (
    BY_NATURE,
    CASES,
    UNASKED,
    AtLeast,
    Comparison,
    Same,
    left_out,
    steps_of,
)

NAMES = (
    "connect contract_details bars account positions market_order_to_commission "
    "limit_resting_then_filled partial_fills modify cancel what_if bracket oca trailing "
    "completed_orders executions snapshot market_data_stream bar_updates reconnect"
)
EXPLAINED = set(re.findall(r"`(\w+)`", script.__doc__ or ""))


def test_the_cases_are_those_that_every_client_must_pass() -> None:
    assert sorted(case.name for case in CASES) == sorted(NAMES.split())


def test_every_verb_and_argument_of_the_cases_is_explained() -> None:
    steps = [step for case in CASES for step in case.steps]
    words = {word for step in steps for word in (step.verb, *step.arguments)}
    assert words - EXPLAINED == set()


def test_every_case_looks_at_an_answer() -> None:
    silent = [case.name for case in CASES if not any(step.expected for step in case.steps)]
    assert silent == []


def test_what_a_client_cannot_do_is_said_of_clients_and_cases_that_there_are() -> None:
    assert {client for client, _ in BY_NATURE} <= set(CLIENTS)
    assert {case for _, case in BY_NATURE} <= {case.name for case in CASES}
    assert all(reason.endswith(".") for reason in BY_NATURE.values())
    assert set(UNASKED) <= set(BY_NATURE)


def test_what_a_case_is_played_without_is_told() -> None:
    (case,) = [case for case in CASES if case.name == "reconnect"]
    assert left_out(case, "ib_async") == ""
    assert steps_of(case, "ib_async") == case.steps
    assert left_out(case, "nautilus").startswith("Without `completed_orders`. NautilusTrader's")
    assert len(steps_of(case, "nautilus")) == len(case.steps) - 1


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"any": 1}, None),
        ({"a": 1, "more": 2}, {"a": 1}),
        ({}, {}),
        ([1, 2.0000000001], [1.0, 2]),
        ("text", "text"),
        (True, True),
        (3, AtLeast(3)),
        (["x", "x"], [Same("id"), Same("id")]),
    ],
)
def test_an_answer_agrees(answer: Any, expected: Any) -> None:
    assert Comparison().differences(answer, expected) == []


@pytest.mark.parametrize(
    ("answer", "expected", "said"),
    [
        ([], {}, "the answer is [], not a mapping"),
        ({}, {"a": {"b": 1}}, "a is missing"),
        ({"a": [{"b": 2}]}, {"a": [{"b": 1}]}, "a[0].b is 2, not 1"),
        ([1], [], "the answer is [1], not 0 long: []"),
        (None, [], "the answer is None, not 0 long: []"),
        ("1", 1, "the answer is '1', not 1"),
        (True, 1, "the answer is True, not 1"),
        (600.02, 600.01, "the answer is 600.02, not 600.01"),
        (2, AtLeast(3), "the answer is 2, not at least 3"),
        ("3", AtLeast(3), "the answer is '3', not at least 3"),
        (["x", "y"], [Same("id"), Same("id")], "[1] is 'y', not 'x'"),
        ("", Same("id"), "the answer is '', not 'a text'"),
    ],
)
def test_an_answer_that_differs_is_told_with_its_place(
    answer: Any, expected: Any, said: str
) -> None:
    assert Comparison().differences(answer, expected) == [said]

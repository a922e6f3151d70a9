from dataclasses import replace

import pytest

from gateway.simulator.conformance.case import Outcome, Result
from gateway.simulator.conformance.report import (
    Report,
    ReportError,
    compared,
    from_json,
    lines,
    summary,
    to_json,
)

PASSED = Result("a_case", Outcome.PASSED, observations=("Position+, PositionEnd",))
DIFFERS = Result("b_case", Outcome.DIFFERS, expected="an end", heard="nothing")
SKIPPED = Result("c_case", Outcome.SKIPPED, reason="the market is closed")


def test_a_report_survives_its_file() -> None:
    report = Report({"server_version": 178}, [PASSED, DIFFERS, SKIPPED], is_clean=False)
    assert from_json(to_json(report)) == report


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": 2}', '{"format": 1, "cases": [{"name": "x", "outcome": "odd"}]}'],
)
def test_a_file_that_is_no_report_is_said_so(text: str) -> None:
    with pytest.raises(ReportError):
        from_json(text)


@pytest.mark.parametrize(
    ("results", "is_clean", "code"),
    [
        ([PASSED, SKIPPED, replace(PASSED, outcome=Outcome.KNOWN)], True, 0),
        ([PASSED, DIFFERS], True, 1),
        ([PASSED], False, 1),
        ([PASSED, replace(PASSED, outcome=Outcome.ERROR)], True, 2),
        ([DIFFERS, replace(PASSED, outcome=Outcome.ERROR)], True, 1),
    ],
)
def test_the_exit_code_tells_the_worst(results: list[Result], is_clean: bool, code: int) -> None:
    assert Report({}, results, is_clean).exit_code == code


def test_a_result_for_people_says_what_differs() -> None:
    assert list(lines(DIFFERS)) == [
        "DIFFERS           b_case",
        "                  expected an end",
        "                  heard    nothing",
    ]
    assert summary(Report({}, [PASSED, DIFFERS])) == "2 cases: 1 passed, 1 differs"


def test_two_passes_are_told_apart_by_what_was_seen() -> None:
    other = replace(PASSED, observations=("PositionEnd",))
    told = list(compared(Report({}, [PASSED]), Report({}, [other]), "a file"))
    assert told == [
        "Compared with a file: 1 cases told on both sides, 1 differ.",
        "  a_case",
        "    here  passed",
        "    there passed",
        "      here  Position+, PositionEnd",
        "      there PositionEnd",
    ]


def test_a_difference_in_outcome_is_told_with_what_was_heard() -> None:
    told = list(compared(Report({}, [DIFFERS]), Report({}, [replace(PASSED, name="b_case")]), "x"))
    assert told[1:4] == ["  b_case", "    here  differs: nothing", "    there passed"]


def test_what_a_side_could_not_tell_is_listed_and_not_compared() -> None:
    here = Report({}, [SKIPPED, replace(PASSED, name="new_case")])
    told = list(compared(here, Report({}, [replace(PASSED, name="c_case")]), "x"))
    assert told == [
        "Compared with x: 0 cases told on both sides, 0 differ.",
        "  Not told on both sides: c_case",
    ]

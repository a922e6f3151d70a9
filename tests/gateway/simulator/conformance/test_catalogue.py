import pytest

from gateway.simulator.conformance.case import Case, Chapter, Kind, Outcome, Result
from gateway.simulator.conformance.catalogue import CASES
from gateway.simulator.conformance.known import KNOWN, Known, judged


def test_there_are_eighty_cases_and_more_that_only_ask() -> None:
    assert len(CASES) >= 80
    assert sum(case.kind is Kind.READ for case in CASES) >= 45


def test_each_case_has_a_name_of_its_own_and_a_source() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(case.tells and case.source for case in CASES)


def test_each_known_difference_is_one_of_a_case_with_a_reason_and_a_source() -> None:
    names = {case.name for case in CASES}
    assert all(item.case in names and item.reason and item.source for item in KNOWN)


def test_a_case_without_a_source_is_refused() -> None:
    async def a_claim(talk: object) -> None:
        """Something is so."""

    with pytest.raises(ValueError, match="a_claim does not say"):
        Chapter("any").case()(a_claim)


def test_what_a_case_tells_and_its_source_come_from_its_docstring() -> None:
    chapter = Chapter("any", Kind.TRADE)

    @chapter.case(seconds_max=5)
    async def a_claim(talk: object) -> None:
        """Something
        is so.

        Source: a page.
        """

    (case,) = chapter.cases
    assert case == Case(
        "a_claim", Kind.TRADE, (), a_claim, "Something is so.", "a page.", "any", seconds_max=5
    )


def test_a_difference_is_known_only_where_it_is_that_one() -> None:
    known = [Known("a_claim", "Notice 320", "Reasons.", "a page")]
    same = Result("a_claim", Outcome.DIFFERS, heard="Notice 320")
    other = Result("a_claim", Outcome.DIFFERS, heard="Notice 200")
    assert judged(same, known).outcome is Outcome.KNOWN
    assert judged(same, known).reason == "Reasons. Source: a page"
    assert judged(other, known) is other

"""What `make mutants` makes of mutmut's findings; mutmut itself is its own project's to test."""

import json
import re
from fractions import Fraction
from pathlib import Path

import pytest

from infra.mutants import (
    ACCEPTED,
    MODULES,
    ROOT,
    Change,
    Mutant,
    accepted,
    complaints,
    prepare,
    read,
    score,
    table,
)

MUTATED = """\
def x_doubled__mutmut_orig(
    number: int,
) -> int:
    # twice
    return number * 2
def x_doubled__mutmut_1(
    number: int,
) -> int:
    # twice
    return number / 2
def x_doubled__mutmut_2(
    number: int,
) -> int:
    # twice
    return number * 3
class Desk:
    def xǁDeskǁrate__mutmut_orig(self) -> int:
        return sum(
            self.rates,
            1,
        )
    def xǁDeskǁrate__mutmut_1(self) -> int:
        return sum(
            self.rates,
            )
"""
SPANS = {
    "x_doubled__mutmut_orig": [1, 5],
    "x_doubled__mutmut_1": [6, 10],
    "x_doubled__mutmut_2": [11, 15],
    "xǁDeskǁrate__mutmut_orig": [17, 21],
    "xǁDeskǁrate__mutmut_1": [22, 25],
}
HALVED = Change("numbers", "doubled", "return number * 2", "return number / 2")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder as mutmut leaves it."""
    core = tmp_path / "mutants" / "gateway" / "core"
    core.mkdir(parents=True)
    (core / "numbers.py").write_text(MUTATED, encoding="utf-8")
    (core / "numbers.py.spans").write_text(json.dumps({"version": 1, "spans": SPANS}))
    codes = {"x_doubled__mutmut_1": 0, "x_doubled__mutmut_2": 1, "xǁDeskǁrate__mutmut_1": None}
    named = {f"gateway.core.numbers.{name}": code for name, code in codes.items()}
    (core / "numbers.py.meta").write_text(json.dumps({"exit_code_by_key": named}))
    return tmp_path


def found(*statuses: str) -> list[Mutant]:
    return [Mutant(HALVED, status) for status in statuses]


def test_a_change_is_known_by_its_text_and_what_did_not_run_proves_nothing(work: Path) -> None:
    assert list(read(work, "numbers")) == [
        Mutant(HALVED, "survived"),
        Mutant(Change("numbers", "doubled", "return number * 2", "return number * 3"), "killed"),
        Mutant(Change("numbers", "Desk.rate", "1,", ""), "unproven"),
    ]


def test_a_module_that_is_noticed_well_enough_is_not_complained_of() -> None:
    assert complaints(found("killed", "timeout"), {}) == []


@pytest.mark.parametrize("status", ["survived", "no tests", "unproven"])
def test_what_no_test_notices_needs_a_reason(status: str) -> None:
    mutants = [*found(*["killed"] * 9), Mutant(Change("numbers", "f", "a", "b"), status)]
    told = complaints(mutants, {})
    assert len(told) == 1
    assert 'function = "f"\nwas = "a"\nnow = "b"' in told[0]
    assert complaints(mutants, {Change("numbers", "f", "a", "b"): "why"}) == []


def test_a_reason_lifts_no_module_over_the_bar() -> None:
    """Accepted is not noticed: a score of reasons would be none."""
    told = complaints(found("killed", "survived"), {HALVED: "why"})
    assert told == ["numbers: 50.0% is noticed, the bar is 90%"]


def test_a_reason_for_what_survives_no_more_goes() -> None:
    other = Change("unmeasured", "f", "a", "b")
    told = complaints(found("killed"), {HALVED: "why", other: "not of a module that ran"})
    assert len(told) == 1
    assert "survives no more" in told[0]


def test_an_acceptance_without_a_reason_is_refused() -> None:
    text = '[[survivor]]\nmodule = "m"\nfunction = "f"\nwas = "a"\nnow = "b"\n'
    with pytest.raises(ValueError, match="no reason"):
        accepted(text)
    assert accepted(text + 'reason = "r"\n') == {Change("m", "f", "a", "b"): "r"}


def test_the_table_counts_each_module_and_all() -> None:
    late = Mutant(Change("b", "f", "", ""), "timeout")
    mutants = [*found("killed", "killed", "survived"), late]
    assert score(mutants) == Fraction(3, 4)
    rows = [line.split() for line in table(mutants).splitlines()[1:]]
    assert rows == [
        ["numbers", "2", "0", "1", "0", "0", "3", "66.7%"],
        ["b", "0", "1", "0", "0", "0", "1", "100.0%"],
        ["all", "2", "1", "1", "0", "0", "4", "75.0%"],
    ]


def test_every_module_and_every_test_that_is_named_is_there(tmp_path: Path) -> None:
    core = ROOT / "tests" / "gateway" / "core"
    for module, more in MODULES.items():
        assert (ROOT / "gateway" / "core" / f"{module}.py").is_file()
        for name in (module, *more):
            assert (core / f"test_{name}.py").is_file(), name
    prepare(tmp_path, "netting")
    assert 'only_mutate = ["gateway/core/netting.py"]' in (tmp_path / "pyproject.toml").read_text()


def test_the_tests_that_measure_need_nothing_but_the_core_and_the_contract() -> None:
    """The tool's environment has no more: one import of the rim, and a module is not measured."""
    core = ROOT / "tests" / "gateway" / "core"
    named = {name for module, more in MODULES.items() for name in (module, *more)}
    texts = {name: (core / f"test_{name}.py").read_text(encoding="utf-8") for name in named}
    rim = re.compile(r"^(?:from|import) (?:gateway(?!\.core\b)|functions|infra)\b.*", re.MULTILINE)
    assert {name: rim.findall(text) for name, text in texts.items() if rim.search(text)} == {}


def test_the_accepted_list_is_of_measured_modules() -> None:
    assert {c.module for c in accepted(ACCEPTED.read_text(encoding="utf-8"))} <= set(MODULES)

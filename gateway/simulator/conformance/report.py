"""The report of a run: a table for people, JSON for keeping, and the comparison of two.

It names no account and no time, so that it can be shown to others, and so that two runs against
the simulator are the same to the byte.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib import resources
from typing import Any

from gateway.simulator.conformance.case import Outcome, Result
from gateway.simulator.conformance.talk import Facts, Setting

FORMAT = 1
BASELINE = "simulator.json"
"""The committed report of the simulator, in this package."""
EXIT_SAME, EXIT_DIFFERS, EXIT_COULD_NOT_RUN = 0, 1, 2
_COMPARED = frozenset({Outcome.PASSED, Outcome.DIFFERS, Outcome.KNOWN})


class ReportError(ValueError):
    """A file is no report. Its text says why."""


@dataclass(slots=True)
class Report:
    """What came of one run.

    Attributes:
        gateway: what the run talked to: versions, symbol, whether its market was open.
        is_clean: whether a trading run left everything as it was; True for one that only asked.
        cleaning: what the cleaning up did, in sentences; not kept in the file.
    """

    gateway: dict[str, Any] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    is_clean: bool = True
    cleaning: list[str] = field(default_factory=list)

    def describe(self, setting: Setting, facts: Facts) -> None:
        """Note what the run talks to."""
        self.gateway = {
            "server_version": facts.server_version,
            "client_version": setting.client_version,
            "symbol": setting.symbol,
            "market_is_open": facts.is_open,
            "quotes": facts.quotes,
            "has_history": facts.has_history,
        }

    @property
    def counts(self) -> dict[Outcome, int]:
        """How many results of each outcome."""
        outcomes = [result.outcome for result in self.results]
        return {outcome: outcomes.count(outcome) for outcome in Outcome}

    @property
    def exit_code(self) -> int:
        """0: all as it must be or as known; 1: something differs; 2: something could not run."""
        counts = self.counts
        if counts[Outcome.DIFFERS] or not self.is_clean:
            return EXIT_DIFFERS
        return EXIT_COULD_NOT_RUN if counts[Outcome.ERROR] else EXIT_SAME


def to_json(report: Report) -> str:
    """The report as text, the same for the same run."""
    content = {
        "format": FORMAT,
        "gateway": report.gateway,
        "is_clean": report.is_clean,
        "cases": [_filled(result) for result in report.results],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _filled(result: Result) -> dict[str, Any]:
    return {name: value for name, value in asdict(result).items() if value}


def from_json(text: str) -> Report:
    """A report that `to_json` wrote. Raises ReportError."""
    try:
        content = json.loads(text)
        if content["format"] != FORMAT:
            raise ReportError(f"its format is {content['format']}, this program knows {FORMAT}")
        results = [
            Result(
                **{
                    **case,
                    "outcome": Outcome(case["outcome"]),
                    "observations": tuple(case.get("observations", ())),
                }
            )
            for case in content["cases"]
        ]
        return Report(content["gateway"], results, content["is_clean"])
    except ReportError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise ReportError(f"it is no report of this program: {error!r}") from None


def baseline() -> Report:
    """What the simulator does. Raises ReportError, OSError."""
    return from_json(resources.files(__package__).joinpath(BASELINE).read_text("utf-8"))


def lines(result: Result) -> Iterator[str]:
    """A result for people: one line, and what differs under it."""
    yield f"{result.outcome.upper():17} {result.name}"
    if result.outcome in {Outcome.DIFFERS, Outcome.KNOWN}:
        yield f"{'':18}expected {result.expected}"
        yield f"{'':18}heard    {result.heard}"
    if result.reason:
        yield f"{'':18}{result.reason}"


def summary(report: Report) -> str:
    """One line: how many cases of each outcome."""
    parts = [f"{count} {outcome}" for outcome, count in report.counts.items() if count]
    return f"{len(report.results)} cases: {', '.join(parts) or 'none was run'}"


def compared(here: Report, there: Report, name: str) -> Iterator[str]:
    """Where two runs differ, for people: outcomes first, then what was observed on the way."""
    others = {result.name: result for result in there.results}
    pairs = [(mine, others[mine.name]) for mine in here.results if mine.name in others]
    told = [pair for pair in pairs if all(result.outcome in _COMPARED for result in pair)]
    differing = [pair for pair in told if _essence(pair[0]) != _essence(pair[1])]
    yield f"Compared with {name}: {len(told)} cases told on both sides, {len(differing)} differ."
    for mine, other in differing:
        yield f"  {mine.name}"
        yield from _pair(mine, other)
    untold = [mine.name for mine, other in pairs if (mine, other) not in told]
    if untold:
        yield f"  Not told on both sides: {', '.join(untold)}"


def _essence(result: Result) -> tuple[object, ...]:
    return result.outcome, result.heard, result.observations


def _pair(mine: Result, other: Result) -> Iterator[str]:
    for place, result in (("here ", mine), ("there", other)):
        yield f"    {place} {result.outcome}{f': {result.heard}' if result.heard else ''}"
    for at in range(max(len(mine.observations), len(other.observations))):
        seen = [_at(mine, at), _at(other, at)]
        if seen[0] != seen[1]:
            yield f"      here  {seen[0]}"
            yield f"      there {seen[1]}"


def _at(result: Result, place: int) -> str:
    return result.observations[place] if place < len(result.observations) else "(nothing)"

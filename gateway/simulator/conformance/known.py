"""Differences that are known: where a case differs for a reason that somebody wrote down.

A case says what Interactive Brokers documents. Where the simulator, or IB itself, is known to do
otherwise, the difference stands here with its reason and its source, and a report tells it apart
from one that nobody knew of.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.simulator.conformance.case import Outcome, Result


@dataclass(frozen=True, slots=True)
class Known:
    """A case that differs where `heard` says so, and why that is known."""

    case: str
    heard: str
    """What the result's `heard` contains where it is this difference and no other."""
    reason: str
    source: str


KNOWN: tuple[Known, ...] = (
    Known(
        "option_chains_of_an_underlying_come_before_their_end",
        "OptionParametersEnd",
        "The simulator's table has no options, so the end comes alone.",
        "docs/simulator.md, Where it is not the real thing",
    ),
    Known(
        "bars_that_are_kept_up_to_date_go_on",
        "nothing of it within",
        "The simulator's bars change as often as those of its folder: every minute, or half hour.",
        "docs/simulator.md, Where it is not the real thing",
    ),
)


def judged(result: Result, known: Sequence[Known] = KNOWN) -> Result:
    """The result, told apart: a difference that is known becomes one, with its reason."""
    if result.outcome is not Outcome.DIFFERS:
        return result
    for item in known:
        if item.case == result.name and item.heard in result.heard:
            reason = f"{item.reason} Source: {item.source}"
            return replace(result, outcome=Outcome.KNOWN, reason=reason)
    return result

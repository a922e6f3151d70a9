"""What a check found, as a line for a person and as a document for a program. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final

from schemas.messages import topic_name
from schemas.values import Mode

CHECK_CHARACTERS: Final = 14
"""The column of the check's name in `Finding.line`."""


class State(StrEnum):
    """How a check ended.

    `FAIL`: it does not work, or it waits for a person. `WARN`: look at it, nothing is broken, or a
    person wanted it so. `SKIP`: it could not be checked, and the sentence says why.
    """

    OK = "ok"
    SKIP = "skip"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's answer: a sentence, and what to do next where there is something to do."""

    check: str
    state: State
    sentence: str
    next_step: str = ""

    @property
    def line(self) -> str:
        """All of it in one line."""
        step = f" Next: {self.next_step}" if self.next_step else ""
        return f"{self.state:<4}  {self.check:<{CHECK_CHARACTERS}}  {self.sentence}{step}"


def ok(check: str, sentence: str) -> Finding:
    """All is well."""
    return Finding(check, State.OK, _ended(sentence))


def warn(check: str, sentence: str, next_step: str) -> Finding:
    """Worth a look."""
    return Finding(check, State.WARN, _ended(sentence), next_step)


def fail(check: str, sentence: str, next_step: str) -> Finding:
    """Something is wrong, or waits for a person."""
    return Finding(check, State.FAIL, _ended(sentence), next_step)


def skip(check: str, sentence: str, next_step: str = "") -> Finding:
    """It could not be checked."""
    return Finding(check, State.SKIP, _ended(sentence), next_step)


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "?", "!")) else f"{sentence}."


def exit_code(findings: Iterable[Finding]) -> int:
    """1 where something is wrong, else 0."""
    return int(any(finding.state is State.FAIL for finding in findings))


def verdict(findings: Iterable[Finding]) -> str:
    """The last line: how many of each."""
    states = [finding.state for finding in findings]
    counts = ", ".join(f"{states.count(state)} {state}" for state in State if state in states)
    return f"{len(states)} checks: {counts}"


def as_json(findings: Iterable[Finding]) -> str:
    """One JSON object for programs, with the exit code in it."""
    found = tuple(findings)
    listed = [asdict(finding) for finding in found]
    return json.dumps({"exit_code": exit_code(found), "findings": listed}, indent=2)


def publish(mode: Mode, command: str, fields: Mapping[str, object] | None = None) -> str:
    """The line that a person types to say a command."""
    body = json.dumps({"command": command, **(fields or {})})
    return f"gcloud pubsub topics publish {topic_name('commands', mode)} --message='{body}'"

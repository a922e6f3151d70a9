"""Findings as lines, as a document and as an exit code."""

import json

import pytest

from gateway.core import finding
from gateway.core.finding import Finding
from schemas.codec import decode_command
from schemas.commands import Resume
from schemas.values import Mode

GOOD = finding.ok("lease", "somebody holds it")
ODD = finding.warn("login", "it ends soon", "log in")
BAD = finding.fail("ib port", "nothing listens", "start it")
OPEN = finding.skip("ib api", "not asked")


def test_a_line_has_state_check_sentence_and_the_next_step() -> None:
    assert BAD.line == "FAIL  ib port         nothing listens. Next: start it"
    assert GOOD.line == "ok    lease           somebody holds it."


@pytest.mark.parametrize(
    ("found", "code"),
    [([], 0), ([GOOD, ODD, OPEN], 0), ([GOOD, BAD], 1), ([BAD, GOOD], 1)],
)
def test_only_what_fails_makes_the_exit_code_1(found: list[Finding], code: int) -> None:
    assert finding.exit_code(found) == code
    assert json.loads(finding.as_json(found))["exit_code"] == code


def test_the_verdict_counts_each_state_once() -> None:
    assert finding.verdict([GOOD, BAD, GOOD, OPEN]) == "4 checks: 2 ok, 1 skip, 1 FAIL"


def test_a_program_reads_every_field() -> None:
    (told,) = json.loads(finding.as_json([BAD]))["findings"]
    assert told == {
        "check": "ib port",
        "state": "FAIL",
        "sentence": "nothing listens.",
        "next_step": "start it",
    }


def test_the_line_to_publish_is_a_command_that_decodes() -> None:
    line = finding.publish(Mode.PAPER, "resume", {"by": "me"})
    assert line.startswith("gcloud pubsub topics publish commands-paper --message='")
    body = line.partition("'")[2].removesuffix("'")
    assert decode_command(body.encode()) == Resume(by="me")

"""How the commands that only read end."""

import pytest

from gateway.config import Misconfigured
from gateway.inspection import Unknown, ended
from gateway.ports import Denied, Unavailable
from schemas.codec import Invalid


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Misconfigured("MODE must be set"), 2),
        (Unknown("no run"), 1),
        (Denied("no credentials"), 1),
        (Unavailable("no answer"), 1),
        (Invalid("runs/r1: state"), 1),
    ],
)
def test_what_cannot_be_told_is_one_line_and_an_exit_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> int:
        raise error

    assert ended("gateway.status", work) == code
    assert capsys.readouterr().err == f"gateway.status: {error}\n"


def test_what_can_be_told_ends_as_it_says() -> None:
    assert ended("gateway.status", lambda: 0) == 0

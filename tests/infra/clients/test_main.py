"""`python -m infra.clients`, as a person calls it."""

import pytest

from infra.clients.__main__ import main
from infra.clients.environments import OURS


def test_it_prints_what_was_played(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--client", OURS, "--case", "contract_details", "--cycles", "0"]) == 0
    assert f"| case | {OURS} | the client |" in capsys.readouterr().out


def test_part_of_the_table_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--client", OURS, "--write"])
    assert "--write is for the whole table" in capsys.readouterr().err

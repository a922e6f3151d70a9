"""Reading what /proc and command lines tell."""

import pytest

from infra.bench.peaks import module_of, status_fields

STATUS = "Name:\tpython\nPPid:\t42\nVmHWM:\t   91234 kB\n"


def test_a_process_status_is_read_by_name() -> None:
    assert status_fields(STATUS) == {"Name": "python", "PPid": "42", "VmHWM": "91234 kB"}


@pytest.mark.parametrize(
    ("command", "module"),
    [
        (["python", "-m", "gateway", ""], "gateway"),
        (["python", "-c", "pass"], ""),
        (["python", "-m"], ""),
        ([""], ""),
    ],
)
def test_a_process_is_known_by_the_module_it_runs(command: list[str], module: str) -> None:
    assert module_of(command) == module

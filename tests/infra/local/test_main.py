"""What cannot be played ends with exit code 2 and one sentence, never with a traceback."""

import re
from pathlib import Path

import pytest

from infra.local.__main__ import main

HEADER = "time,open,high,low,close,volume"
BAR = "2026-01-05T{}:00-05:00,100,101,99,100,1000"
FIRST, SECOND = BAR.format("09:30"), BAR.format("10:00")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr; nothing on stdout."""
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert out == ""
    return line


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([HEADER.removesuffix(",volume"), FIRST], "1: missing column volume"),
        ([HEADER, SECOND, FIRST], "3: time goes backwards"),
        ([HEADER, FIRST, FIRST], "3: duplicate time"),
        ([HEADER, FIRST.replace("101", "a lot")], "2: high 'a lot' is not a number"),
        ([HEADER, FIRST.replace("-05:00", "")], "2: time '2026-01-05T09:30:00' has no zone"),
        ([HEADER, FIRST + ",7"], "2: 7 cells under 6 columns"),
        ([HEADER], "1: no bars"),
    ],
)
def test_a_bad_file_is_refused_with_file_line_and_reason(
    folder: Path, capsys: pytest.CaptureFixture[str], lines: list[str], reason: str
) -> None:
    (folder / "SPY_30min_mine.csv").write_text("\n".join(lines) + "\n")
    assert main(["demo", "--bars", str(folder)]) == 2
    assert said(capsys) == f"demo: SPY_30min_mine.csv:{reason}"


@pytest.mark.parametrize("action", ["demo", "up"])
def test_a_folder_that_is_not_there_is_refused(
    action: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = folder / "absent"
    assert main([action, "--bars", str(absent)]) == 2
    assert said(capsys) == f"{action}: {absent}:0: not a folder"


def test_a_folder_without_bars_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--bars", str(folder)]) == 2
    assert said(capsys).endswith("no file named like SYMBOL_30min.csv")


def test_a_day_without_bars_is_refused_and_the_span_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["demo", "--day", "1999-12-31"]) == 2
    expected = r"demo: DAY=1999-12-31 cannot be played: there are bars from 20..-..-.. to 20"
    assert re.match(expected, said(capsys))


def test_bars_without_spy_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bars = [BAR.format(f"{9 + (n + 1) // 2:02}:{'30' if n % 2 == 0 else '00'}") for n in range(13)]
    (folder / "VIXY_30min.csv").write_text("\n".join([HEADER, *bars]) + "\n")
    assert main(["demo", "--bars", str(folder)]) == 2
    _, line = capsys.readouterr()
    assert line.startswith("demo: there are no 30-minute bars of SPY up to 2026-01-05T14:30")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["demo", "--day", "2019-13-45"], "argument --day: '2019-13-45' is not a day like"),
        (["demo", "--stack", "moon"], "argument --stack: invalid choice: 'moon'"),
        (["play"], "argument action: invalid choice: 'play'"),
        ([], "the following arguments are required: action"),
    ],
)
def test_an_argument_that_cannot_be_understood_is_refused(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert reason in capsys.readouterr().err

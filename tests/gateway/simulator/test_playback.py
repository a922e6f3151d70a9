"""Recorded sessions are played again, and say so where anything differs."""

import re
from pathlib import Path

import pytest

from gateway.simulator.market.bars import BarBook, read_folder
from gateway.simulator.playback import main, play_again
from gateway.simulator.trace import TraceError

ROOT = Path(__file__).parents[3]
BARS = ROOT / "infra/local/bars"
SESSIONS = ROOT / "tests/data/sessions"
RECORDED = sorted(path.name for path in SESSIONS.glob("*.trace"))


@pytest.fixture(scope="module")
def bars() -> BarBook:
    return read_folder(BARS)


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_session_comes_out_as_it_was(bars: BarBook, name: str) -> None:
    """Connect, bars, an order filled, another cancelled: ib_async at 178, ibapi 9.81 at 157."""
    found = play_again((SESSIONS / name).read_text(), bars)
    assert found == []


def test_both_clients_are_recorded_with_a_fill_and_a_cancel() -> None:
    assert RECORDED == ["ib_async.trace", "ibapi.trace"]
    for name in RECORDED:
        text = (SESSIONS / name).read_text()
        assert "status=Filled" in text
        assert "status=Cancelled" in text
        assert "code=202" in text


def test_what_differs_is_told_as_messages(bars: BarBook) -> None:
    text = (SESSIONS / "ib_async.trace").read_text()
    found = play_again(text.replace("status=Filled filled=10", "status=Filled filled=9"), bars)
    changed = [line for line in found if line.startswith(("-1", "+1"))]
    assert [re.sub(r" remaining.*", "", line) for line in changed] == [
        "-1/7 < 3:OrderStatus order_id=6 status=Filled filled=9",
        "+1/7 < 3:OrderStatus order_id=6 status=Filled filled=10",
    ]


def test_a_session_of_other_bars_or_without_its_options_is_refused(
    bars: BarBook, book: BarBook
) -> None:
    text = (SESSIONS / "ibapi.trace").read_text()
    with pytest.raises(TraceError, match="with other bars than these"):
        play_again(text, book)
    with pytest.raises(TraceError, match="does not say when it starts"):
        play_again(re.sub(r'"--start", "[^"]*", ', "", text), bars)
    with pytest.raises(TraceError, match=r"in the head of the trace: .*--cheat"):
        play_again(text.replace('["--', '["--cheat", "--'), bars)
    with pytest.raises(TraceError, match="with a file of contracts: name it"):
        play_again(text.replace('"contracts": ""', '"contracts": "00"'), bars)


def test_the_command_says_the_same_differs_or_cannot_be_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace, options = SESSIONS / "ibapi.trace", ["--bars", str(BARS)]
    assert main([str(trace), *options]) == 0
    assert capsys.readouterr().out == "the same, message by message\n"
    other = tmp_path / "other.trace"
    other.write_text(trace.read_text().replace("code=202", "code=203"))
    assert main([str(other), *options]) == 1
    assert "+1/3 < 4:Notice =2 id=2 code=202" in capsys.readouterr().out.replace("id=3", "id=2")
    assert main([str(tmp_path / "none.trace"), *options]) == 2
    assert "No such file" in capsys.readouterr().err
    binary = tmp_path / "binary.trace"
    binary.write_bytes(b"\xb6")
    assert main([str(binary), *options]) == 2
    assert "not a trace" in capsys.readouterr().err

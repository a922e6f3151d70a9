"""The simulator as a process of its own: one line, a clean end, clear complaints."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.simulator.__main__ import main

ROOT = Path(__file__).parents[3]
HEADER = "time,open,high,low,close,volume\n"
BAR = "2025-12-12T09:30:00-05:00,10,12,9,11,100\n"
LIMIT_SECONDS = 20


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    (tmp_path / "SPY_30min.csv").write_text(HEADER + BAR)
    return tmp_path


@pytest.fixture
def process(bars: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "gateway.simulator", "--port", "0", "--bars", str(bars)]
    options = ["--speed", "0", "--holding", "SPY=50@590.00", "--clock-file", str(tmp_path / "c")]
    with subprocess.Popen(
        [*command, *options], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        yield running
        running.kill()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_one_line_listens_and_ends_cleanly(
    process: subprocess.Popen[str], tmp_path: Path, stop: signal.Signals
) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    match = re.search(r"listens on 127\.0\.0\.1:(\d+), account DUSIM0001, bars of SPY", line)
    assert match is not None
    socket.create_connection(("127.0.0.1", int(match[1])), timeout=LIMIT_SECONDS).close()
    assert (tmp_path / "c").stat().st_size == 8
    process.send_signal(stop)
    rest, complaints = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, rest, complaints) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--holding", "SPY"], "'SPY' is not like SPY=50@590.00"),
        (["--start", "2025-12-12T10:00"], "has no zone"),
        (["--start", "noon"], "is not an ISO time"),
        (["--speed", "-1"], "is not a speed"),
        (["--port", "70000"], "is not a port"),
        (["--cash", "much"], "is not an amount"),
        (["--unknown"], "unrecognized arguments"),
        (["--cash", "EUR=much"], "is not an amount"),
        (["--exchange-rate", "1.08"], "is not like EUR=1.08"),
        (["--restart-at", "late"], "is not a time of day like 23:45"),
        (["--restart-at", "23:45+01:00"], "it is New York's"),
        (["--login-hours", "-1"], "is not a span"),
        (["--pacing", "often"], "invalid choice"),
        (["--fill-model", "kind"], "invalid choice"),
        (["--control-port", "x"], "is not a port"),
        (["--fault", "silent_loss booking"], "is not like: silent_loss after=booking"),
        (["--fault", "silent_loss order=1 order=2"], "is not like"),
        (["--fault", "silent_loss name=late_acks"], "is not like"),
        (["--fault", "silent_loss self=1"], "is not like"),
        (["--cash", "1e999999"], "is not an amount"),
        (["--holding", "SPY=" + "9" * 30 + "@1"], "is not like SPY=50@590.00"),
        (["--currency", "usd"], "is not a currency like USD"),
    ],
)
def test_a_bad_option_is_explained(
    bars: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--bars", str(bars), *arguments])
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--host", "0.0.0.0"], "loopback only"),
        (["--account", "U123"], "does not begin with DU"),
        (["--holding", "NONE=1@1"], "no such contract"),
        (["--holding", "SPY=1@1", "--holding", "SPY=2@1"], "--holding came twice"),
        (["--start", "9999-12-31T23:59:59-05:00"], "is not between 1971-01-01 and 2200-01-01"),
        (["--start", "1969-07-20T20:17:40+00:00"], "is not between"),
        (["--cash", "5", "--cash", "6"], "--cash in the base currency came twice"),
        (["--cash", "EUR=5", "--cash", "EUR=6"], "--cash came twice for one currency"),
        (["--volume-share", "2"], "volume share is not in (0, 1]"),
        (["--fault", "silent_los"], "silent_loss"),
        (["--fault", "silent_loss after=lunch"], "after"),
        (["--contracts", "nowhere.toml"], "nowhere.toml"),
        (["--restart-ids-back", "-1"], "roll forward"),
    ],
)
def test_a_refused_option_ends_with_2_and_a_sentence(
    bars: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    assert main(["--bars", str(bars), *arguments]) == 2
    assert complaint in capsys.readouterr().err


def test_bad_bars_are_refused_with_file_line_and_reason(
    bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bars / "SPY_30min.csv").write_text(HEADER + BAR + BAR)
    assert main(["--bars", str(bars)]) == 2
    assert capsys.readouterr().err == "gateway.simulator: SPY_30min.csv:3: duplicate time\n"


def test_a_port_in_use_is_explained(bars: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--bars", str(bars), "--port", str(port)]) == 2
    assert f"port {port} is already in use; --port 0 takes" in capsys.readouterr().err


def test_a_port_in_use_is_told_in_a_sentence(
    bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["--bars", str(bars), "--port", port]) == 2
        assert main(["--bars", str(bars), "--port", "0", "--control-port", port]) == 2
    assert "in use" in capsys.readouterr().err


def test_where_the_disk_is_full_the_trace_ends_and_clients_are_served_on(
    bars: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "gateway.simulator", "--port", "0", "--bars", str(bars)]
    with subprocess.Popen(
        ["sh", "-c", 'ulimit -f 1; exec "$@"', "sh", *command, "--trace", str(tmp_path / "trace")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        found = re.search(r":(\d+), account", running.stdout.readline())
        assert found is not None
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", int(found[1])), 60) as client:
                client.sendall(b"API\0" + b"\0\0\0\x09v100..178")
                assert client.recv(1)
        assert "the session goes on without it" in running.stderr.readline()
        running.kill()

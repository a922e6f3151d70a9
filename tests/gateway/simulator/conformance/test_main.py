"""The whole program, as a person starts it, against the whole simulator."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from gateway.simulator.conformance.__main__ import main
from gateway.simulator.conformance.report import from_json

ROOT = Path(__file__).parents[4]
SECONDS = 60
ACCOUNT = "DUSIM0001"
READ = ["accounts_come_before_the_next_order_id", "positions_come_before_their_end"]
FILLS = "a_market_order_is_told_by_its_execution"
RESTS = "a_limit_far_from_the_market_does_not_trade"
"""A case that leaves an order working for a while."""
REST_TOO = [
    "a_resting_order_echoes_its_terms",
    "a_resting_order_is_among_the_open_ones",
    "a_change_of_the_price_is_taken",
    "a_change_of_the_quantity_is_taken",
]


@dataclass(frozen=True, slots=True)
class Served:
    port: str
    control: str

    def state(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.control}{path}", timeout=SECONDS) as answer:
            return json.load(answer)

    def inject(self, **fault: Any) -> None:
        body = json.dumps(fault).encode()
        request = urllib.request.Request(f"{self.control}/faults", body, method="POST")
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            assert answer.status < 300


@contextmanager
def serving(
    python: Sequence[str] = (sys.executable,), environment: Mapping[str, str] = os.environ
) -> Iterator[Served]:
    """A simulator of its own, at the opening of the last whole day, as fast as the wall."""
    arguments = ["--bars", "infra/local/bars", "--port", "0", "--control-port", "0"]
    process = subprocess.Popen(
        [*python, "-m", "gateway.simulator", *arguments, "--holding", "SPY=50@600"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.search(r":(\d+), account.*control port (\S+)$", said.strip())
        assert found is not None, said
        yield Served(found[1], found[2])
    finally:
        process.terminate()
        process.wait(SECONDS)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as made:
        yield made


def started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "gateway.simulator.conformance", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_program_tells_and_keeps_what_came_of_its_cases(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    only = [word for name in READ for word in ("--only", name)]
    process = started("--port", served.port, "--json", str(file), *only)
    said, complaints = process.communicate(timeout=SECONDS)
    assert (process.returncode, complaints) == (0, "")
    assert [line.split() for line in said.splitlines()[1:3]] == [["PASSED", name] for name in READ]
    assert "2 cases: 2 passed" in said
    assert "Compared with the simulator: 2 cases told on both sides, 0 differ." in said
    kept = from_json(file.read_text("utf-8"))
    assert [result.name for result in kept.results] == READ
    assert ACCOUNT not in file.read_text("utf-8")


def test_a_difference_is_told_with_exit_code_1(served: Served) -> None:
    served.inject(name="duplicated_messages", kind="position")
    process = started("--port", served.port, "--only", READ[1])
    said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert f"DIFFERS           {READ[1]}" in said
    assert "1 differ." in said


def test_simulator_and_cases_need_no_package_and_no_old_names_of_zones(tmp_path: Path) -> None:
    """Debian 13 knows no US/Eastern, and its Python has no packages."""
    for name in ("America/New_York", "America/Chicago"):
        place = tmp_path / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes((resources.files("tzdata") / "zoneinfo" / name).read_bytes())
    bare = (sys.executable, "-S")
    environment = {**os.environ, "PYTHONTZPATH": str(tmp_path)}
    asked = "from zoneinfo import ZoneInfo; ZoneInfo('US/Eastern')"
    found = subprocess.run([*bare, "-c", asked], env=environment, capture_output=True, text=True)
    assert "ZoneInfoNotFoundError" in found.stderr
    with serving(bare, environment) as served:
        options = ["--account", ACCOUNT, "--trade", "--only", FILLS]
        process = subprocess.run(
            [*bare, "-m", "gateway.simulator.conformance", "--port", served.port, *options],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
    assert (process.returncode, process.stderr) == (0, "")
    assert "1 cases: 1 passed" in process.stdout


def test_a_case_can_be_left_out(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    only = [word for name in READ for word in ("--only", name)]
    assert main(["--port", served.port, *only, "--skip", READ[0], "--against", "none"]) == 0
    said = capsys.readouterr().out
    assert READ[1] in said
    assert READ[0] not in said


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_is_broken_off_cleans_up_and_says_so(served: Served, sign: signal.Signals) -> None:
    # More cases follow, so that the signal cannot come after the end of them all.
    only = [word for name in (RESTS, *REST_TOO) for word in ("--only", name)]
    options = ["--account", ACCOUNT, "--trade", *only]
    process = started("--port", served.port, *options)
    deadline = time.monotonic() + SECONDS
    while not served.state("/orders?open=1") and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(sign)
    said, complaints = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert "broken off" in complaints
    assert "Position of SPY: 50, as before." in said
    assert served.state("/orders?open=1") == []
    (held,) = served.state("/state")["positions"]
    assert (held["symbol"], held["quantity"]) == ("SPY", "50")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "4001"], "port 4001 is where the live IB Gateway listens"),
        (["--port", "7496"], "port 7496 is where the live TWS listens"),
        (["--account", "U1234567"], "account U1234567 does not begin with DU"),
        (["--account", "U1234567", "--trade"], "account U1234567 does not begin with DU"),
        (["--trade"], "the account must be typed out"),
        (["--only", "no_such_case"], "no case has the name no_such_case"),
        (["--skip", "no_such_case"], "no case has the name no_such_case"),
        (["--against", "no-such-file"], "No such file"),
        (["--json", "no-such-folder/mine.json"], "No such file"),
    ],
)
def test_what_must_not_be_is_refused_before_anything_is_sent(
    served: Served, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    port = [] if "--port" in arguments else ["--port", served.port]
    assert main([*port, *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_trading_case_is_not_run_by_its_name_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", RESTS]) == 2
    assert "needs --trade and --account" in capsys.readouterr().err


def test_a_port_where_nobody_listens_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", "1"]) == 2
    assert "nothing listens on 127.0.0.1:1" in capsys.readouterr().err


def test_the_list_has_every_case_with_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in READ)
    assert said.count("Source: ") >= 80


@pytest.mark.parametrize(
    "arguments",
    [["--port", "x"], ["--client-id", "0"], ["--client-version", "201"], ["--client-version", "5"]],
)
def test_an_option_that_is_wrong_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2

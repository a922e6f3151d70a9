"""`python -m infra.config`: what a person reads, and the exit code."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from functions.registry import specs
from gateway.ports import Denied, Put, Store
from infra import config
from infra.init import documents
from infra.local.store import EmbeddedStore
from schemas.values import Mode

ROOT = Path(__file__).parents[2]

type Said = tuple[int, list[str], str]
type Say = Callable[..., Said]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def say(database: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Say something to the command; gives exit code, lines of output, and errors."""
    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)

    def said(*arguments: str) -> Said:
        words = [*arguments, "--mode", "paper", "--project", "p"]
        code = config.main(words, lambda project: EmbeddedStore(database))
        out, error = capsys.readouterr()
        return code, out.splitlines(), error

    return said


@pytest.fixture
def put(database: Path) -> Callable[[Mapping[str, Mapping[str, Any]]], None]:
    """Write documents as a person would."""

    async def write(written: Mapping[str, Mapping[str, Any]]) -> None:
        store = EmbeddedStore(database)
        await store.commit([Put(path, dict(data)) for path, data in written.items()])
        await store.close()

    return lambda written: asyncio.run(write(written))


async def everything(database: Path) -> dict[str, Any]:
    store = EmbeddedStore(database)
    found = [await store.list(name) for name in config.COLLECTIONS]
    await store.close()
    return {path: data for one in found for path, data in one.items()}


def test_init_creates_what_is_absent_and_leaves_the_rest_alone(
    say: Say, put: Any, database: Path
) -> None:
    mine = {"weight": "0.05"}
    put({"strategies/manual": mine})
    code, lines, _ = say("init")
    assert code == 0
    assert "created     config/common" in lines
    assert "left alone  strategies/manual" in lines
    assert lines[-1].startswith("a new control/ is halted")
    assert asyncio.run(everything(database))["strategies/manual"] == mine
    _, again, _ = say("init")
    assert {line.split()[0] for line in again} == {"left"}


def test_what_init_makes_has_no_problem(say: Say) -> None:
    say("init")
    code, lines, _ = say("check")
    count = len(documents(Mode.PAPER, specs()))
    assert code == 0
    assert lines[-1] == f"paper of p: {count} documents, problems: 0, notes: 1"
    assert "note     control/paper: trading is halted by init" in lines[0]
    assert say("diff")[:2] == (0, ["everything is as by default"])


def test_check_tells_each_problem_with_its_document_and_ends_with_1(say: Say, put: Any) -> None:
    say("init")
    put(
        {
            "config/paper": {"order_notionl_max": 5, "fresh_minutes": 0},
            "strategies/manual": {"enabled": True, "weight": "0.9"},
            "strategies/spy_pullback": {"parameters": {"fast": "x"}},
        }
    )
    code, lines, _ = say("check")
    assert code == 1
    problems = [line.removeprefix("problem  ") for line in lines if line.startswith("problem")]
    assert problems == [
        "config/paper: fresh_minutes: must be 1 to 10080 minutes, not 0",
        "config/paper: order_notionl_max: unknown field, did you mean order_notional_max?",
        "strategies: weights of the strategies sum to 1.6, over 1 (exposure_gross_max): "
        "manual 0.9, spy_macd_vixy 0.4, test_signal_generator 0.3; "
        "lower one, or set enabled to false",
        "strategies/spy_pullback: parameters: fast: unknown field",
    ]


def test_check_holds_documents_and_files_of_strategies_against_each_other(
    say: Say, put: Any, database: Path
) -> None:
    """What only differs ends with 0; what leaves an enabled strategy holding for ever, with 1."""
    say("init")
    known = asyncio.run(everything(database))
    pullback = {**known["strategies/spy_pullback"], "universe": [{"symbol": "QQQ"}]}
    gone = {**known["strategies/dummy"], "enabled": False}
    put({"strategies/spy_pullback": {**pullback, "enabled": False}, "strategies/gone": gone})
    code, lines, _ = say("check")
    file = "functions/strategies/spy_pullback.py"
    assert code == 0
    assert [line.removeprefix("note     ") for line in lines if "strategies/" in line] == [
        "strategies/gone: has a universe, and no function has its name: it is not enabled, so "
        "nobody asks it",
        f"strategies/spy_pullback: universe: lacks SPY, which {file} reads, so it would hold; "
        "add it",
        f"strategies/spy_pullback: universe: has QQQ, which {file} does not read",
    ]
    put({"strategies/spy_pullback": pullback})
    code, lines, _ = say("check")
    assert code == 1
    assert lines[0].startswith("problem  strategies/spy_pullback: universe: lacks SPY")


def test_diff_tells_what_is_set_and_where(say: Say, put: Any) -> None:
    say("init")
    put({"config/paper": {"answer_seconds": 7}, "strategies/manual": {"enabled": True}})
    code, lines, _ = say("diff")
    assert code == 1, "the weight of manual is gone"
    assert "problem  strategies/manual has no weight; say 0 to give it nothing" in lines
    assert "answer_seconds = 7  from config/paper  (default 60)" in lines
    assert "strategies/manual: weight 0.1 -> null" in lines


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"answer_seconds": 7}, (0, "in force: answer_seconds 60 -> 7")),
        ({}, (0, "config/paper: created")),
        ({"answer_seconds": 0}, (1, "problem  config/paper: answer_seconds: must be 1 to 86400")),
        (
            {"exposure_gross_max": "0.5"},
            (1, "problem  strategies: weights of the strategies sum to 1.0, over 0.5"),
        ),
    ],
)
def test_a_file_is_held_against_all_documents_before_anybody_writes_it(
    say: Say, database: Path, tmp_path: Path, document: dict[str, Any], told: tuple[int, str]
) -> None:
    say("init")
    before = asyncio.run(everything(database))
    file = tmp_path / "new.json"
    file.write_text(json.dumps(document))
    code, lines, _ = say("diff", str(file), "config/paper")
    assert code == told[0]
    assert any(line.startswith(told[1]) for line in lines), lines
    assert asyncio.run(everything(database)) == before


def test_a_problem_that_was_there_before_is_not_the_files(
    say: Say, put: Any, tmp_path: Path
) -> None:
    put({"strategies/other": {"weight": []}})
    file = tmp_path / "new.json"
    file.write_text('{"answer_seconds": 7}')
    assert say("diff", str(file), "config/paper")[0] == 0


@pytest.mark.parametrize(
    ("text", "path", "sentence"),
    [
        ("{", "config/paper", "new.json: Expecting property name"),
        ("[]", "config/paper", "new.json: must be a JSON object"),
        ('{"a": 1, "a": 2}', "config/paper", "new.json: a stands there twice"),
        ("{}", "config/live", "config/live is not read in paper; say --mode live"),
        ("{}", "runs/r1", "runs/r1 is no document of people's"),
    ],
)
def test_a_file_that_cannot_be_used_ends_with_2(
    say: Say, tmp_path: Path, text: str, path: str, sentence: str
) -> None:
    (tmp_path / "new.json").write_text(text)
    code, lines, error = say("diff", str(tmp_path / "new.json"), path)
    assert (code, lines) == (2, [])
    assert sentence in error


def test_a_store_that_refuses_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(project: str) -> Store:
        raise Denied("there are no Google credentials here")

    assert config.main(["check", "--mode", "paper", "--project", "p"], refuse) == 2
    assert capsys.readouterr().err == "check: there are no Google credentials here\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["check", "--project", "p"], "--mode is needed, paper or live"),
        (["check", "--mode", "paper"], "--project is needed"),
        (["check", "--mode", "papr", "--project", "p"], "--mode is needed"),
        (["diff", "f.json", "--mode", "paper", "--project", "p"], "name the document that"),
        (["write", "--mode", "paper"], "invalid choice: 'write'"),
    ],
)
def test_wrong_arguments_end_with_2_and_a_sentence(
    words: list[str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("MODE", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit) as ended:
        config.main(words)
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("module", ["infra.config check", "gateway", "gateway.guard"])
def test_without_google_credentials_a_process_ends_with_a_sentence(
    module: str, tmp_path: Path
) -> None:
    """A stranger's first start, with neither an emulator nor a login."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "SYSTEMROOT")}
    environment = {
        **kept,
        "HOME": str(tmp_path),
        "CLOUDSDK_CONFIG": str(tmp_path),
        "NO_GCE_CHECK": "true",
        "MODE": "paper",
        "GOOGLE_CLOUD_PROJECT": "p",
    }
    done = subprocess.run(
        [sys.executable, "-m", *module.split()],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode in (1, 2)
    assert "credentials" in done.stderr
    assert "Traceback" not in done.stderr

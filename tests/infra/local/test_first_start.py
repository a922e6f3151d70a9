"""The first start over Google's emulators; that it is for them only."""

import subprocess
import sys
from pathlib import Path

import pytest
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

from functions.registry import STRATEGIES, WATCHERS
from gateway.store import GoogleStore
from infra.local import first_start
from infra.local.emulators import Emulators, EmulatorsNotFound
from infra.local.first_start import main

ROOT = Path(__file__).parents[3]


@pytest.mark.emulators
async def test_everything_is_made_once_and_a_second_start_leaves_it_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    try:
        emulators = await Emulators("first").__aenter__()
    except EmulatorsNotFound as error:
        pytest.skip(str(error))
    for name, value in {**emulators.env, "MODE": "paper", "GOOGLE_CLOUD_PROJECT": "first"}.items():
        monkeypatch.setenv(name, value)
    environment = {
        "PUBSUB_EMULATOR_HOST": emulators.pubsub_host,
        "FIRESTORE_EMULATOR_HOST": emulators.firestore_host,
        "GOOGLE_CLOUD_PROJECT": "first",
        "MODE": "paper",
        "PUSH_URL": "http://function-{function}:8080",
    }
    count, created = await first_start.start(environment)
    assert "control/paper" in created
    with SubscriberClient() as subscriber:
        found = list(subscriber.list_subscriptions(project="projects/first"))
    hosts = {one.push_config.push_endpoint.partition("/projects")[0] for one in found}
    assert len(found) == count
    assert hosts - {""} == {
        f"http://function-{name.replace('_', '-')}:8080/{name}" for name in (*STRATEGIES, *WATCHERS)
    }
    store = GoogleStore("first")
    assert (await store.get("control/paper") or {})["state"] == "halted"
    await store.close()
    assert await first_start.start(environment) == (count, ())
    PublisherClient().transport.close()
    await emulators.__aexit__(None, None, None)


@pytest.mark.parametrize("missing", ["PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST", "MODE"])
def test_without_the_emulators_and_a_mode_nothing_is_touched(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST"):
        monkeypatch.setenv(name, "127.0.0.1:1")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "first")
    monkeypatch.setenv("MODE", "paper")
    monkeypatch.delenv(missing)
    assert main() == 2
    assert f"{missing} must be set" in capsys.readouterr().err


def test_emulators_that_never_start_end_it_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST"):
        monkeypatch.setenv(name, "127.0.0.1:1")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "first")
    monkeypatch.setenv("MODE", "paper")
    monkeypatch.setattr(first_start, "START_SECONDS", 0.0)
    monkeypatch.setattr("infra.local.provision.CALL_DEADLINE_SECONDS", 0.2)
    assert main() == 1
    assert capsys.readouterr().err.startswith("infra.local.first_start: ")


def test_it_needs_nothing_that_the_functions_image_has_not() -> None:
    """It runs in that image, with our code mounted."""
    code = "import sys, infra.local.first_start; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded & {"ib_async", "exchange_calendars", "pytest"} == set()

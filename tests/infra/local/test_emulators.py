"""Finding and running Google's emulators."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.emulators import Emulators, EmulatorsFailed, EmulatorsNotFound, find

ROOT = Path(__file__).parents[3]
JARS = (
    "platform/pubsub-emulator/lib/cloud-pubsub-emulator-0.8.20-all.jar",
    "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar",
)


def program(path: Path, script: str = "exit 3") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def sdk(tmp_path: Path) -> Path:
    """A folder that looks like the SDK; its gcloud is found on the path."""
    root = tmp_path / "sdk"
    for jar in JARS:
        program(root / jar)
    program(root / "bin" / "gcloud")
    return root


@pytest.fixture
def java(tmp_path: Path) -> Path:
    return program(tmp_path / "jre" / "bin" / "java", "echo this is no Java; exit 3")


def test_the_sdk_is_found_through_gcloud_on_the_path(sdk: Path, java: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gcloud").symlink_to(sdk / "bin" / "gcloud")
    found = find({"PATH": f"{tmp_path / 'bin'}:{java.parent}"})
    assert (found.java, found.pubsub_jar, found.firestore_jar) == (
        java,
        *(sdk / jar for jar in JARS),
    )


def test_the_environment_names_the_sdk_and_java(sdk: Path, java: Path) -> None:
    found = find({"CLOUDSDK_ROOT": str(sdk), "JAVA_HOME": str(java.parents[1]), "PATH": ""})
    assert (found.java, found.pubsub_jar) == (java, sdk / JARS[0])


def test_of_several_versions_the_newest_is_taken(sdk: Path, java: Path) -> None:
    newer = program(sdk / JARS[0].replace("0.8.20", "0.8.31"))
    found = find({"CLOUDSDK_ROOT": str(sdk), "PATH": str(java.parent)})
    assert found.pubsub_jar == newer


def test_without_java_the_sentence_says_so(sdk: Path) -> None:
    with pytest.raises(EmulatorsNotFound, match="Java is not on the PATH"):
        find({"CLOUDSDK_ROOT": str(sdk), "PATH": ""})


@pytest.mark.parametrize(
    ("jar", "component"),
    [(JARS[0], "pubsub-emulator"), (JARS[1], "cloud-firestore-emulator")],
)
def test_a_missing_emulator_is_named_with_the_command_that_installs_it(
    sdk: Path, java: Path, monkeypatch: pytest.MonkeyPatch, jar: str, component: str
) -> None:
    monkeypatch.setattr("infra.local.emulators._USUAL_ROOTS", ())
    (sdk / jar).unlink()
    with pytest.raises(EmulatorsNotFound, match=f"gcloud components install {component}"):
        find({"CLOUDSDK_ROOT": str(sdk), "PATH": str(java.parent)})


async def test_emulators_that_run_already_are_used_as_they_are() -> None:
    hosts = {"PUBSUB_EMULATOR_HOST": "pubsub:1", "FIRESTORE_EMULATOR_HOST": "firestore:2"}
    async with Emulators("demo", hosts) as emulators:
        assert emulators.env == {**hosts, "GOOGLE_CLOUD_PROJECT": "demo"}


async def test_an_emulator_that_ends_at_once_is_an_error_with_its_last_words(
    sdk: Path, java: Path
) -> None:
    environment = {"CLOUDSDK_ROOT": str(sdk), "PATH": str(java.parent)}
    with pytest.raises(EmulatorsFailed, match=r"ended with code 3: this is no Java"):
        async with Emulators("demo", environment):
            pytest.fail("it cannot have started")


def connect(host: str) -> socket.socket:
    address, _, port = host.rpartition(":")
    return socket.create_connection((address, int(port)), timeout=30)


def is_closed(connection: socket.socket) -> bool:
    """Wait until the other side is gone."""
    with connection:
        try:
            while connection.recv(1000):
                pass
        except ConnectionResetError:
            pass
        return True


ABANDONING = """
import asyncio
from infra.local.emulators import Emulators

async def main():
    async with Emulators("demo") as emulators:
        print(emulators.pubsub_host, emulators.firestore_host, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def killed_parents_take_their_children() -> bool:
    return sys.platform == "linux" and any(
        (Path(folder) / "setpriv").exists() for folder in os.get_exec_path()
    )


@pytest.mark.emulators
@pytest.mark.parametrize(
    "end",
    [
        signal.SIGINT,
        pytest.param(
            signal.SIGKILL,
            marks=pytest.mark.xfail(
                not killed_parents_take_their_children(), reason="needs setpriv of Linux"
            ),
        ),
    ],
)
def test_no_emulator_outlives_the_process_that_started_it(end: signal.Signals) -> None:
    try:
        find(os.environ)
    except EmulatorsNotFound as error:
        pytest.skip(str(error))
    command = [sys.executable, "-c", ABANDONING]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as parent:
        assert parent.stdout
        connections = [connect(host) for host in parent.stdout.readline().split()]
        parent.send_signal(end)
        assert [is_closed(connection) for connection in connections] == [True, True]

"""What can be known of building images without building any; the rest is `make image-test`."""

import os
from pathlib import Path

import pytest

from infra import images
from infra.images import Container, Image


def test_a_machine_without_the_tools_is_told_what_to_do_and_is_no_pass(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither 0 nor the 1 of an image that cannot be built."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert images.main() == 3
    said = capsys.readouterr().err
    assert said.startswith("no image was built: buildah, debootstrap, unshare, setpriv not found;")
    assert "apt-get install" in said


def test_without_root_no_image_is_built(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for tool in images.TOOLS:
        (tmp_path / tool).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 10001)
    assert images.main() == 3
    assert "need root" in capsys.readouterr().err


def test_there_is_a_recipe_for_each_image_and_no_other() -> None:
    found = {path.name.removesuffix(".Dockerfile") for path in images.FOLDER.glob("*.Dockerfile")}
    assert found == {*images.IMAGES}


CONFIG = {
    "User": "10001:10001",
    "Env": ["PATH=/usr/bin"],
    "Entrypoint": ["python"],
    "Cmd": ["-m", "gateway"],
    "WorkingDir": "/app",
}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ["python", "-m", "gateway"]),
        ({"arguments": ["-m", "gateway.guard"]}, ["python", "-m", "gateway.guard"]),
        ({"arguments": ["x"], "entry_point": ["cat"]}, ["cat", "x"]),
    ],
)
def test_a_container_runs_its_entry_point_with_the_arguments_given_or_its_own(
    given: dict[str, list[str]], expected: list[str]
) -> None:
    container = Container(Image("gateway", 3, 1, CONFIG), Path("root"))
    command = container.command({"MODE": "paper"}, Path("shared"), **given)
    where = ["root", "10001:10001", "/app", "shared"]
    assert command[-6 - len(expected) :] == [*where, "PATH=/usr/bin", "MODE=paper", *expected]

"""Images that were built, opened for all tests of a session; and the figures that they measure."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from infra import images
from infra.images import Container
from infra.local.emulators import Emulators, EmulatorsNotFound

FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def containers() -> Iterator[dict[str, Container]]:
    """By name. Only `make image-test`, which builds them first, asks for these tests."""
    if not os.environ.get("REQUIRE_IMAGES"):
        pytest.skip("images are tested by `make image-test`, which builds them")
    with ExitStack() as opened:
        yield {
            name: opened.enter_context(images.opened(images.inspected(name)))
            for name in images.IMAGES
        }


@pytest.fixture
def container(containers: dict[str, Container], name: str) -> Container:
    """The one whose name the test says."""
    return containers[name]


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder that an image's process sees as /tmp/shared, and may write to."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> list[str]:
    """Lines that are shown at the end of the run."""
    found: list[str] = request.config.stash.setdefault(FIGURES, [])
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was measured."""
    for line in terminalreporter.config.stash.get(FIGURES, []):
        terminalreporter.write_line(line)


@pytest.fixture
async def emulators(
    containers: dict[str, Container], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Emulators]:
    """Both emulators, named in this process's environment too."""
    running = Emulators("images")
    try:
        await running.__aenter__()
    except EmulatorsNotFound as error:
        pytest.skip(str(error))
    for name, value in running.env.items():
        monkeypatch.setenv(name, value)
    yield running
    await running.__aexit__(None, None, None)

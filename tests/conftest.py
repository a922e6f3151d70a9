"""The rules that every test lives by, and the few fixtures that several directories share."""

import logging
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

# Same commit, same examples: a red run is red for everybody. `make nightly` goes looking for more.
# No deadline and no too_slow: how busy the machine is says nothing about the code.
settings.register_profile(
    "steady",
    derandomize=True,
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "nightly",
    settings.get_profile("steady"),
    derandomize=False,
    max_examples=2_000,
    print_blob=True,
)
# `make mutants` asks whether a test fails, never of what smallest example.
settings.register_profile(
    "mutants",
    settings.get_profile("steady"),
    phases=(Phase.explicit, Phase.generate),
    report_multiple_bugs=False,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Absent emulators: skip on a person's machine, fail where REQUIRE_EMULATORS is set (CI)."""
    report = yield
    required = os.environ.get("REQUIRE_EMULATORS") and item.get_closest_marker("emulators")
    if required and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"REQUIRE_EMULATORS is set, but this was skipped: {report.longrepr}"
    return report


class Recorder(logging.Handler):
    """Keeps the log records it is given."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


STOPPED_WHILE_CONNECTING = "ib_async.client: API connection failed: CancelledError()"
"""What a gateway says that is stopped just then: no error, and a busy machine decides when."""


@pytest.fixture(autouse=True)
def ib_async_logs_no_error(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test if ib_async logs an ERROR: its decoder swallows exceptions into the log.

    A test that means it says `@pytest.mark.ib_async_errors_expected("why")`.
    """
    recorder = Recorder(logging.ERROR)
    logger = logging.getLogger("ib_async")
    logger.addHandler(recorder)
    yield
    logger.removeHandler(recorder)
    marker = request.node.get_closest_marker("ib_async_errors_expected")
    if marker is not None:
        assert marker.args or marker.kwargs.get("reason"), "ib_async_errors_expected needs a reason"
    lines = [f"{record.name}: {record.getMessage()}" for record in recorder.records]
    if marker is None and set(lines) - {STOPPED_WHILE_CONNECTING}:
        pytest.fail("ib_async logged errors:\n" + "\n".join(lines), pytrace=False)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Recorded bars, which lie beside the repository, not in it; skips where they do not."""
    path = Path(__file__).parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip("no ../shared/data beside the repository: recorded bars are not here")
    return path

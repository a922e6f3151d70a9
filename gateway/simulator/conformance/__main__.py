"""Run the cases: `python -m gateway.simulator.conformance --port 4002`."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.simulator.conformance.case import Case, Result
from gateway.simulator.conformance.catalogue import CASES
from gateway.simulator.conformance.command_line import (
    NOTHING,
    chosen,
    listed,
    parser,
    setting_of,
)
from gateway.simulator.conformance.report import (
    EXIT_COULD_NOT_RUN,
    EXIT_DIFFERS,
    EXIT_SAME,
    Report,
    ReportError,
    baseline,
    compared,
    from_json,
    lines,
    summary,
    to_json,
)
from gateway.simulator.conformance.runner import Run
from gateway.simulator.conformance.safety import CannotRun


def main(arguments: Sequence[str] | None = None, cases: Sequence[Case] = CASES) -> int:
    """Parse the options, run the cases, report; returns the exit code."""
    options = parser().parse_args(arguments)
    if options.list:
        _say(listed(cases))
        return EXIT_SAME
    try:
        run = Run(setting_of(options), chosen(options, cases), _progress)
        other = _other(options.against)
        _check_writable(options.json)
    except (CannotRun, ReportError, OSError) as error:
        return _failed(error)
    code = _played(run)
    report = run.report
    _say(report.cleaning)
    print(summary(report))
    if other is not None and report.results:
        _say(compared(report, other, options.against or "the simulator"))
    if options.json is not None and report.results:
        try:
            options.json.write_text(to_json(report), "utf-8")
        except OSError as error:
            return _failed(error)
    if not report.is_clean:
        return EXIT_DIFFERS
    return report.exit_code if code == EXIT_SAME else code


def _played(run: Run) -> int:
    """Run it to its end, or to Ctrl-C; either way it cleans up."""
    print(f"{len(run.cases)} cases at {run.setting.host}:{run.setting.port}", flush=True)
    try:
        asyncio.run(_play(run))
    except CannotRun as error:
        return _failed(error)
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("gateway.simulator.conformance: broken off", file=sys.stderr)
        return EXIT_COULD_NOT_RUN
    return EXIT_SAME


async def _play(run: Run) -> Report:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # inside a coroutine there is one

    def end(number: int) -> None:
        loop.remove_signal_handler(number)  # a second one ends at once
        task.cancel()

    # Windows has no signals to wait for, and not all of them.
    with contextlib.suppress(NotImplementedError, AttributeError):
        # SIGINT by a handler of our own, for a shell's background job inherits it ignored; a
        # terminal that was closed hangs up.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, end, number)
    return await run.play()


def _other(against: str | None) -> Report | None:
    if against == NOTHING:
        return None
    return baseline() if against is None else from_json(Path(against).read_text("utf-8"))


def _check_writable(file: Path | None) -> None:
    """Before minutes of cases, not after them. Raises OSError."""
    if file is not None:
        is_new = not file.exists()
        with file.open("a"):
            pass
        if is_new:
            file.unlink()


def _progress(result: Result) -> None:
    _say(lines(result))


def _say(texts: Iterator[str] | Sequence[str]) -> None:
    for text in texts:
        print(text, flush=True)


def _failed(error: Exception) -> int:
    print(f"gateway.simulator.conformance: {error}", file=sys.stderr)
    return EXIT_COULD_NOT_RUN


if __name__ == "__main__":
    sys.exit(main())

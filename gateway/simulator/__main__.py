"""Run the simulator on its own: `python -m gateway.simulator --port 4002 --bars DIR --seed 7`.

It prints one line when it listens and ends cleanly on SIGTERM or SIGINT. A wrong option, a bar or
contract file that cannot be used, or a port in use ends it with exit code 2 and a sentence that
says what is wrong.
"""

import argparse
import asyncio
import contextlib
import errno
import gc
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TextIO

from gateway.simulator.clock import ClockFile, VirtualClock
from gateway.simulator.command_line import (
    exchange_of,
    parser,
    server_options,
    session_options,
)
from gateway.simulator.control import ControlPort
from gateway.simulator.market.bars import BarBook, BarsError, read_folder
from gateway.simulator.market.contract_file import ContractFileError
from gateway.simulator.server import Simulator
from gateway.simulator.trace import Head, Recorder, digest_of, file_digest

EXIT_USAGE = 2
STANDARD_OUTPUT = "-"
GARBAGE_OBJECTS = 20_000
"""Objects made, less those freed, between two looks of the garbage collector."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the options, serve until told to stop, return the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(given)
    try:
        book = read_folder(options.bars)
        exchange, server = exchange_of(options, book), server_options(options)
        start = options.start or _default_start(book)
        speed = 0.0 if server.full_speed else options.speed
        with _clock(start, speed, options.clock_file) as clock, _trace(options.trace) as trace:
            simulator = Simulator(exchange, clock, server)
            if trace is not None:
                head = Head(
                    session_options(given, start, server),
                    digest_of(book),
                    file_digest(options.contracts),
                )
                simulator.record(_recorder(trace, head, start))
            for fault in options.fault:
                simulator.faults.inject(fault.name, **fault.parameters)
            asyncio.run(_serve(simulator, options))
    except (BarsError, ContractFileError, ValueError, OSError) as error:
        print(f"gateway.simulator: {_sentence(error, options)}", file=sys.stderr)
        return EXIT_USAGE
    return 0


def _sentence(error: Exception, options: argparse.Namespace) -> str:
    """What went wrong; a port in use with its number and what to do."""
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        ports = [options.port, options.control_port]
        named = " or ".join(str(port) for port in ports if port)
        return f"port {named} is already in use; --port 0 takes a free one"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error).replace(":0: ", ": ", 1)  # of a whole folder, not of a line


@contextlib.contextmanager
def _trace(name: str | None) -> Iterator[TextIO | None]:
    """The file of `--trace`, open; `-` is standard output."""
    if name is None or name == STANDARD_OUTPUT:
        yield sys.stdout if name else None
        return
    with Path(name).open("w", encoding="ascii", buffering=1) as file:
        yield file


def _recorder(file: TextIO, head: Head, start: datetime) -> Recorder:
    is_broken = False

    def write(line: object) -> None:
        nonlocal is_broken
        if is_broken:
            return
        try:
            print(line, file=file, flush=True)
        except OSError as error:  # a full disk: clients are served all the same
            is_broken = True
            said = f"the trace ends here, for {error.strerror}; the session goes on without it"
            print(f"gateway.simulator: {said}", file=sys.stderr, flush=True)

    for line in head.lines():
        print(line, file=file, flush=True)
    return Recorder(write, start)


async def _serve(simulator: Simulator, options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with contextlib.AsyncExitStack() as parts:
        await parts.enter_async_context(simulator)
        said = _listening(simulator)
        if options.control_port is not None:
            port = ControlPort(simulator, options.host, options.control_port)
            control = await parts.enter_async_context(port)
            said += f", control port http://{options.host}:{control.port}"
        _spare_the_collector()
        print(f"# {said}" if options.trace == STANDARD_OUTPUT else said, flush=True)
        await stopped.wait()


def _spare_the_collector() -> None:
    """Bars and modules stay; orders make few cycles: so look for cycles rarely.

    It costs a tenth of the time of an order otherwise.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS, 10, 10)


def _listening(simulator: Simulator) -> str:
    book, clock = simulator.exchange.book, simulator.clock
    speed = "max" if simulator.options.full_speed else f"{clock.speed:g}"
    return (
        f"IB Gateway simulator listens on {simulator.options.host}:{simulator.port}, "
        f"account {simulator.exchange.options.account_id}, bars of {' '.join(book.symbols)}, "
        f"time {clock.now().isoformat()} at speed {speed}"
    )


@contextlib.contextmanager
def _clock(start: datetime, speed: float, path: Path | None) -> Iterator[VirtualClock]:
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(ClockFile(path)) if path else None
        yield VirtualClock(start, speed=speed, monotonic=time.monotonic, file=file)


def _default_start(book: BarBook) -> datetime:
    """The opening of the last whole day, else of the last day there is."""
    days = book.whole_days() or book.days
    session = book.session(days[-1])
    assert session is not None  # a day with bars has a session
    return session.opens


if __name__ == "__main__":
    sys.exit(main())

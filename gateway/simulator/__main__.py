"""Run the simulator on its own: `python -m gateway.simulator --port 4002 --bars DIR --seed 7`.

It prints one line when it listens and ends cleanly on SIGTERM or SIGINT. A wrong option, a bar or
contract file that cannot be used, or a port in use ends it with exit code 2 and a sentence that
says what is wrong.
"""

import argparse
import asyncio
import contextlib
import gc
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from gateway.simulator.clock import ClockFile, VirtualClock
from gateway.simulator.command_line import exchange_of, parser, server_options
from gateway.simulator.control import ControlPort
from gateway.simulator.market.bars import BarBook, BarsError, read_folder
from gateway.simulator.market.contract_file import ContractFileError
from gateway.simulator.server import Simulator

EXIT_USAGE = 2
GARBAGE_OBJECTS = 20_000
"""Objects made, less those freed, between two looks of the garbage collector."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the options, serve until told to stop, return the exit code."""
    options = parser().parse_args(arguments)
    try:
        book = read_folder(options.bars)
        exchange, server = exchange_of(options, book), server_options(options)
        start = options.start or _default_start(book)
        with _clock(start, options.speed, options.clock_file) as clock:
            simulator = Simulator(exchange, clock, server)
            for fault in options.fault:
                simulator.faults.inject(fault.name, **fault.parameters)
            asyncio.run(_serve(simulator, options))
    except (BarsError, ContractFileError, ValueError, OSError) as error:
        print(f"gateway.simulator: {error}", file=sys.stderr)
        return EXIT_USAGE
    return 0


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
        print(said, flush=True)
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
    return (
        f"IB Gateway simulator listens on {simulator.options.host}:{simulator.port}, "
        f"account {simulator.exchange.options.account_id}, bars of {' '.join(book.symbols)}, "
        f"time {clock.now().isoformat()} at speed {clock.speed:g}"
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

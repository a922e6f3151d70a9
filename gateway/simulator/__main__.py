"""Run the simulator on its own: `python -m gateway.simulator --port 4002 --bars DIR --seed 7`.

It prints one line when it listens and ends cleanly on SIGTERM or SIGINT. A wrong option or a bar
file that cannot be used ends it with exit code 2 and a sentence that says what is wrong.
"""

import argparse
import asyncio
import contextlib
import re
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from gateway.simulator.bars import BarBook, BarsError, read_folder
from gateway.simulator.broker import ExchangeOptions, InitialHolding
from gateway.simulator.clock import ClockFile, VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.server import ServerOptions, Simulator

_HOLDING = re.compile(r"([A-Z][A-Z0-9.]*)=(-?\d+)@(\d+(?:\.\d+)?)")
EXIT_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the options, serve until told to stop, return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        book = read_folder(options.bars)
        start = options.start or _default_start(book)
        exchange = Exchange(book, _exchange_options(options))
        server_options = ServerOptions(
            host=options.host, port=options.port, master_client_id=options.master_client_id
        )
        with _clock(start, options.speed, options.clock_file) as clock:
            asyncio.run(_serve(Simulator(exchange, clock, server_options)))
    except (BarsError, ValueError, OSError) as error:
        print(f"gateway.simulator: {error}", file=sys.stderr)
        return EXIT_USAGE
    return 0


async def _serve(simulator: Simulator) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with simulator:
        print(_listening(simulator), flush=True)
        await stopped.wait()


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


def _exchange_options(options: argparse.Namespace) -> ExchangeOptions:
    return ExchangeOptions(
        account_id=options.account,
        cash=options.cash,
        holdings=tuple(options.holding),
        seed=options.seed,
        executions_quantity_max=options.executions_quantity_max,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gateway.simulator",
        description="An IB Gateway stand-in: IB's wire over TCP, a broker made of recorded bars.",
    )
    add = parser.add_argument
    add("--bars", type=Path, required=True, help="folder of SYMBOL_30min*.csv, _1min, _1day")
    add("--host", default="127.0.0.1", help="loopback address to listen on")
    add("--port", type=_port, default=4002, help="0 takes a free port (default 4002)")
    add("--seed", type=int, default=0, help="what ids and part fills are drawn from")
    add("--start", type=_instant, help="ISO time with zone (default: last whole day's opening)")
    add("--speed", type=_speed, default=1.0, help="virtual seconds per second, 0 stands still")
    add("--clock-file", type=Path, help="publish the virtual time in this 8-byte file")
    add("--holding", type=_holding, action="append", default=[], help="SPY=50@590.00, repeatable")
    add("--cash", type=_cash, default=Decimal(1_000_000), help="US dollars (default 1000000)")
    add("--master-client-id", type=int, help="the client that sees everybody's orders")
    add("--account", default="DUSIM0001", help="account id, must begin with DU")
    add("--executions-quantity-max", type=_cash, help="cut fills into executions of this size")
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


def _instant(text: str) -> datetime:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an ISO time") from None
    if when.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no zone, write e.g. {text}-05:00")
    return when


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if not 0 <= speed <= 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a speed from 0 to 1000000")
    return speed


def _holding(text: str) -> InitialHolding:
    match = _HOLDING.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not like SPY=50@590.00")
    return InitialHolding(match[1], Decimal(match[2]), Decimal(match[3]))


def _cash(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount above 0")
    return amount


if __name__ == "__main__":
    sys.exit(main())

"""Play a recorded session again: `python -m gateway.simulator.playback TRACE --bars FOLDER`.

The same simulator is started as the head of the trace says. What the clients sent is sent again at
its virtual time, through the same protocol, and what comes out is compared with the trace, message
by message. Exit code 0: the same; 1: it differs, and how is printed; 2: it could not be played.

In a test three lines do, so a trace that somebody sent with a complaint becomes one:

    def test_the_session_of_the_complaint() -> None:
        found = play_again(Path("complaint.trace").read_text(), read_folder(Path("bars")))
        assert found == []

Sessions of our simulator are played. A log of a real gateway could be written in this format, but
its account, ids and prices are not ours: what differs by right would have to be masked first.
"""

import argparse
import asyncio
import contextlib
import difflib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gateway.simulator.clock import VirtualClock
from gateway.simulator.command_line import exchange_of, parser, server_options
from gateway.simulator.control_values import ControlError
from gateway.simulator.control_verbs import dispatch
from gateway.simulator.market.bars import BarBook, BarsError, read_folder
from gateway.simulator.market.contract_file import ContractFileError
from gateway.simulator.server import Simulator
from gateway.simulator.trace import (
    EVENT,
    TO_CLIENT,
    TO_GATEWAY,
    VERB,
    Entry,
    Recorder,
    Session,
    TraceError,
    bytes_of,
    digest_of,
    file_digest,
    read_trace,
)
from gateway.simulator.virtual_loop import VirtualTimeLoop, run_virtual

EXIT_SAME, EXIT_DIFFERS, EXIT_USAGE = 0, 1, 2
A_MOMENT = 0.001
"""On a loop of virtual time: all that can be done is done."""
FOREVER_SECONDS = 1e9
CONTEXT_LINES = 3


def play_again(text: str, book: BarBook, contracts: Path | None = None) -> list[str]:
    """Play a trace; returns the lines that differ, `-` of the trace and `+` as it came now.

    Raises:
        TraceError: it is no trace, or is of other bars, contracts or options than these.
    """
    session = read_trace(text)
    _check(session, book, contracts)
    return differences(session.entries, _played(session, book, contracts))


def differences(told: Sequence[Entry], heard: Sequence[Entry]) -> list[str]:
    """How what clients heard differs, connection by connection; when it came does not matter."""
    found: list[str] = []
    for number in sorted({entry.connection for entry in (*told, *heard) if entry.connection}):
        before, after = _said(told, number), _said(heard, number)
        if before != after:
            names = (f"connection {number}, the trace", f"connection {number}, now")
            found += difflib.unified_diff(before, after, *names, n=CONTEXT_LINES, lineterm="")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the options, play, print what differs, return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        book = read_folder(options.bars)
        found = play_again(options.trace.read_text("ascii"), book, options.contracts)
    except UnicodeDecodeError as error:
        said = f"{options.trace}: not a trace: its byte {error.start} is not ASCII"
        print(f"gateway.simulator.playback: {said}", file=sys.stderr)
        return EXIT_USAGE
    except (BarsError, ContractFileError, ValueError, OSError) as error:
        print(f"gateway.simulator.playback: {error}", file=sys.stderr)
        return EXIT_USAGE
    for line in found:
        print(line)
    print("it differs" if found else "the same, message by message")
    return EXIT_DIFFERS if found else EXIT_SAME


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m gateway.simulator.playback",
        description="Play a session that `python -m gateway.simulator --trace FILE` recorded "
        "again, and compare message by message.",
        epilog="Exit code 0: the same; 1: it differs, and how is printed; 2: cannot be played.",
        allow_abbrev=False,
    )
    made.add_argument("trace", metavar="TRACE", type=Path, help="the file of --trace")
    made.add_argument(
        "--bars", metavar="FOLDER", type=Path, required=True, help="the bars it was recorded with"
    )
    made.add_argument("--contracts", metavar="FILE", type=Path, help="the contracts, if any")
    return made


def _said(entries: Sequence[Entry], connection: int) -> list[str]:
    """What a client heard, without times."""
    heard = [item for item in entries if (item.connection, item.mark) == (connection, TO_CLIENT)]
    return [f"{item.connection}/{item.client} {item.mark} {item.said}" for item in heard]


def _check(session: Session, book: BarBook, contracts: Path | None) -> None:
    if session.head.bars != digest_of(book):
        raise TraceError("the trace was recorded with other bars than these")
    if session.head.contracts != file_digest(contracts):
        other = "others than these" if contracts else "a file of contracts: name it"
        raise TraceError(f"the trace was recorded with {other}")


# ---------------------------------------------------------------------- playing


@dataclass(slots=True)
class _Player:
    """The clients of a session, played from its trace."""

    simulator: Simulator
    _writers: dict[int, asyncio.StreamWriter] = field(default_factory=dict)
    _listeners: list[asyncio.Task[None]] = field(default_factory=list)

    async def play(self, entry: Entry) -> None:
        """Let time pass up to an entry, and do what clients and people did then."""
        if entry.at > self.simulator.clock.now():
            await self.simulator.advance_to(entry.at)
        if entry.mark == VERB:
            await self._steer(entry.said)
        elif entry.mark == TO_GATEWAY and entry.connection in self._writers:
            self._writers[entry.connection].write(bytes_of(entry.said))
        elif entry.mark == EVENT and entry.said == "opened":
            await self._open(entry.connection)
        elif entry.mark == EVENT and (writer := self._writers.pop(entry.connection, None)):
            writer.close()
        else:
            return
        await asyncio.sleep(A_MOMENT)

    async def end(self) -> None:
        """Close what is open yet."""
        for writer in self._writers.values():
            writer.transport.abort()
        await asyncio.sleep(A_MOMENT)
        for task in self._listeners:
            task.cancel()
        await asyncio.gather(*self._listeners, return_exceptions=True)

    async def _open(self, number: int) -> None:
        address = "127.0.0.1", self.simulator.port
        with contextlib.suppress(ConnectionError):
            reader, self._writers[number] = await asyncio.open_connection(*address)
            self._listeners.append(asyncio.create_task(_read_all(reader)))

    async def _steer(self, said: str) -> None:
        method, path, text = said.split(" ", 2)
        if path == "/clock":  # the times of all lines say where it went
            return
        with contextlib.suppress(ControlError):  # refused now as it was then
            await dispatch(self.simulator, method, path, json.loads(text))


async def _read_all(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionError):
        while await reader.read(1 << 16):
            pass


def _played(session: Session, book: BarBook, contracts: Path | None) -> list[Entry]:
    """What is said when the session is played."""
    chosen = ["--bars", ".", *session.head.options, *_contract_options(contracts)]
    options = _session_parser().parse_args(chosen)
    if options.start is None:
        raise TraceError("the head of the trace does not say when it starts: --start")
    exchange, server = exchange_of(options, book), server_options(options)
    server = replace(
        server, port=0, tick_seconds=None, full_speed=False, handshake_seconds_max=FOREVER_SECONDS
    )

    async def main(_loop: VirtualTimeLoop) -> list[Entry]:
        heard: list[Entry] = []
        simulator = Simulator(exchange, VirtualClock(options.start), server)
        for fault in options.fault:
            simulator.faults.inject(fault.name, **fault.parameters)
        simulator.record(Recorder(heard.append, options.start))
        async with simulator:
            player = _Player(simulator)
            for entry in session.entries:
                await player.play(entry)
            played = len(heard)
            await player.end()
        return heard[:played]

    return run_virtual(main, options.start)


def _contract_options(contracts: Path | None) -> list[str]:
    return [] if contracts is None else ["--contracts", str(contracts)]


def _session_parser() -> argparse.ArgumentParser:
    made = parser()

    def complain(message: str) -> None:
        raise TraceError(f"the options in the head of the trace: {message}")

    made.error = complain  # type: ignore[assignment, method-assign]
    return made


if __name__ == "__main__":
    sys.exit(main())

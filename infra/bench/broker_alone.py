"""The simulator without a socket, in a process of its own: bytes in, bytes out.

`python -m infra.bench.broker_alone FOLDER SYMBOL DAYS ORDERS` plays so many orders on so many
trading days and prints one JSON line: seconds and CPU seconds of all cycles, bytes sent, and the
resident memory at the start and after each day, when midnight has been passed.
"""

import gc
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, read_folder
from gateway.simulator.requests import StartApi
from gateway.simulator.stage import Stage
from gateway.simulator.wire.protocol import ServerProtocol
from infra.bench import cycles
from infra.bench.figures import BenchFailed
from infra.bundles import ROOT

CHILD_SECONDS_MAX: Final = 300.0


@dataclass(frozen=True, slots=True)
class AloneRun:
    """What one run without a socket took.

    `resident_bytes` holds the start's and then each day's, `largest_bytes` each day's before
    midnight.
    """

    orders: int
    seconds: float
    received_bytes: int
    resident_bytes: tuple[int, ...]
    largest_bytes: tuple[int, ...]


def measured(folder: Path, symbol: str, days: int, orders: int) -> AloneRun:
    """Run it in a child process. Raises `BenchFailed` with what it wrote."""
    words = [str(folder), symbol, str(days), str(orders)]
    done = subprocess.run(
        [sys.executable, "-m", "infra.bench.broker_alone", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=CHILD_SECONDS_MAX,
        check=False,
    )
    if done.returncode:
        raise BenchFailed(f"the simulator alone ended with {done.returncode}: {done.stderr}")
    found = json.loads(done.stdout)
    for name in ("resident_bytes", "largest_bytes"):
        found[name] = tuple(found[name])
    return AloneRun(**found)


def main(words: Sequence[str]) -> None:
    """Play and print."""
    folder, symbol, days, orders = words
    print(json.dumps(play(read_folder(Path(folder)), symbol, int(days), int(orders))))


def play(book: BarBook, symbol: str, days: int, orders: int) -> dict[str, object]:
    """So many orders at the opening of each of the last days; memory after each midnight."""
    openings = [session.opens for d in book.days[-days:] if (session := book.session(d))]
    broker = BrokerAlone(book, openings[0])
    seconds, resident, largest = 0.0, [resident_bytes()], []
    for opening in openings:
        broker.advance(opening)
        frames = [cycles.order(broker.next_id(), symbol) for _ in range(orders)]
        began = time.perf_counter()
        for frame in frames:
            broker.take(frame)
        seconds += time.perf_counter() - began
        largest.append(resident_bytes())
        broker.advance(opening.replace(hour=23, minute=59))
        broker.advance(next((later for later in openings if later > opening), opening))
        resident.append(resident_bytes())
    if broker.counter.ended != orders * days:
        raise BenchFailed(f"{broker.counter.ended} of {orders * days} life cycles ended")
    return {
        "orders": orders * days,
        "seconds": seconds,
        "received_bytes": broker.counter.received,
        "resident_bytes": resident,
        "largest_bytes": largest,
    }


class BrokerAlone:
    """What the server does between two sockets, without them."""

    def __init__(self, book: BarBook, now: datetime) -> None:
        self._now = now
        self._stage = Stage(Exchange(book))
        self._protocol = ServerProtocol(now)
        self._order_id = 0
        self.counter = cycles.CycleCounter()
        self._stage.advance(now)
        self.take(cycles.hello())
        self._protocol.data_to_send()  # the answer to the hello is not a frame of ours to count
        self.take(cycles.start())

    def next_id(self) -> int:
        """The next order id."""
        self._order_id += 1
        return self._order_id

    def advance(self, now: datetime) -> None:
        """Let time pass."""
        self._now = max(now, self._now)
        self._protocol.send([reply for _, reply in self._stage.advance(self._now)])
        self.counter.feed(self._protocol.data_to_send())

    def take(self, data: bytes) -> None:
        """Bytes from the client; the answers are counted."""
        self._protocol.receive_data(data)
        while (request := self._protocol.next_event()) is not None:
            if isinstance(request, StartApi):
                deliveries = self._stage.connect(cycles.CLIENT_ID, self._now)
            else:
                deliveries = self._stage.handle(cycles.CLIENT_ID, request, self._now)
            self._protocol.send([reply for _, reply in deliveries])
            self.counter.feed(self._protocol.data_to_send())


def resident_bytes() -> int:
    """What this process holds now, after a full collection; 0 where there is no /proc."""
    gc.collect()
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * 4096


if __name__ == "__main__":
    main(sys.argv[1:])

"""How fast the simulator is, and what it keeps: measured in turn, shown as tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.bench import broker_alone, broker_wire
from infra.bench.broker_alone import AloneRun
from infra.bench.broker_wire import Market, WireRun
from infra.bench.figures import Sample, number, ratio, table
from infra.bundles import ROOT

MARKET: Final = Market(ROOT / Path("infra/local/bars"), "SPY")
ROUNDS: Final = 3
ORDERS: Final = 3_000
ECHOES: Final = 40 * ORDERS
"""An echo is so quick that its CPU time would be lost in the clock's ticks of 10 ms."""
ONE_DAY_ORDERS: Final = 10_000
DAYS, ORDERS_A_DAY = 40, 2_500
MICROSECONDS: Final = 1e6
MEGABYTE: Final = 1e6


@dataclass(frozen=True, slots=True)
class Rounds:
    """What each round of each client took, and for memory one full day and one long run."""

    alone: Sequence[AloneRun]
    bare: Sequence[WireRun]
    echo: Sequence[WireRun]
    ib_async: Sequence[WireRun]
    day: AloneRun
    long: AloneRun


async def measured() -> Rounds:
    """All clients in turn, `ROUNDS` times; then the full day and the long run."""
    alone, bare, echo, library = [], [], [], []
    for _ in range(ROUNDS):
        alone.append(broker_alone.measured(MARKET.bars, MARKET.symbol, 1, ORDERS))
        bare.append(await broker_wire.bare_client(MARKET, ORDERS))
        echo.append(await broker_wire.echo(MARKET, ECHOES, bare[-1].received_bytes // ORDERS))
        library.append(await broker_wire.ib_async_client(MARKET, ORDERS))
    day = broker_alone.measured(MARKET.bars, MARKET.symbol, 1, ONE_DAY_ORDERS)
    long = broker_alone.measured(MARKET.bars, MARKET.symbol, DAYS, ORDERS_A_DAY)
    return Rounds(alone, bare, echo, library, day, long)


def speeds(found: Rounds) -> str:
    """Order life cycles a second, and CPU per order beside ib_async's own."""
    client = Sample(tuple(r.client_seconds / r.orders for r in found.ib_async))
    fastest = rates(found.ib_async)
    rows = [("", "life cycles/s", "over ib_async", "server CPU µs/order", "over ib_async's CPU")]
    rows.append(("in process, no socket", *_rate(rates(found.alone), fastest), "", ""))
    for what, runs in (
        ("through the socket, bare asyncio client", found.bare),
        ("through the socket, ib_async", found.ib_async),
        ("bare asyncio echo of as many bytes", found.echo),
    ):
        server = Sample(tuple(r.server_seconds / r.orders for r in runs))
        cpu = server.text("", MICROSECONDS).strip(), ratio(server.over(client))
        rows.append((what, *_rate(rates(runs), fastest), *cpu))
    note = (
        f"{len(found.bare)} rounds of {found.bare[-1].orders} orders in turn; ib_async itself: "
        f"{client.text('µs CPU/order', MICROSECONDS)}; "
        f"{found.bare[-1].received_bytes // found.bare[-1].orders} bytes answered an order"
    )
    return f"{table('5. order life cycles of the simulator', rows)}\n{note}"


def memory(day: AloneRun, long: AloneRun) -> str:
    """What a day's orders take, and that midnights give it back."""
    start, *days = long.resident_bytes
    grown = day.largest_bytes[0] - day.resident_bytes[0]
    rows = [("", "MB"), ("at the start", _megabytes(start))]
    rows.append((f"{day.orders} orders of one day take", _megabytes(grown)))
    per_day = long.orders // len(days)
    for number_of in (1, len(days) // 2, len(days)):
        what = f"after {number_of * per_day} orders in {number_of} days"
        rows.append((what, _megabytes(days[number_of - 1])))
    half = len(days) // 2
    drift = (days[-1] - days[half - 1]) / (len(days) - half)
    note = f"drift in the second half: {number(drift / 1000)} kB a day of {per_day} orders"
    return f"{table('6. memory of the simulator', rows)}\n{note}"


def rates(runs: Sequence[AloneRun] | Sequence[WireRun]) -> Sample:
    """Life cycles a second of each run."""
    return Sample(tuple(run.orders / run.seconds for run in runs))


def _rate(sample: Sample, fastest: Sample) -> tuple[str, str]:
    return sample.text("").strip(), ratio(sample.over(fastest))


def _megabytes(size: float) -> str:
    return f"{size / MEGABYTE:.1f}"

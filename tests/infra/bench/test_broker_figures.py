"""The tables of the simulator's figures."""

from infra.bench.broker_alone import AloneRun
from infra.bench.broker_figures import Rounds, memory, speeds
from infra.bench.broker_wire import WireRun

DAY = AloneRun(10_000, 4.0, 1, (30_000_000, 31_000_000), (57_000_000,))
LONG = AloneRun(100_000, 40.0, 1, (28_000_000, *(35_000_000,) * 40), (42_000_000,) * 40)
ROUNDS = Rounds(
    alone=[AloneRun(2000, 0.5, 1, (1, 1), (1,))],
    bare=[WireRun(2000, 1.0, 0.8, 0.1, 10_000_000)],
    echo=[WireRun(2000, 0.1, 0.02, 0.1, 10_000_000)],
    ib_async=[WireRun(2000, 2.0, 0.8, 1.6)],
    day=DAY,
    long=LONG,
)


def test_rates_stand_beside_what_ib_async_alone_can_drive() -> None:
    text = " ".join(speeds(ROUNDS).split())
    assert "in process, no socket 4000 (4000–4000) 4.00×" in text
    assert "400 (400–400) 0.50×" in text
    assert "5000 bytes answered an order" in text


def test_memory_shows_what_a_day_takes_and_that_it_stays_flat() -> None:
    text = " ".join(memory(DAY, LONG).split())
    assert "10000 orders of one day take 27.0" in text
    assert "after 100000 orders in 40 days 35.0" in text
    assert "0 kB a day" in text

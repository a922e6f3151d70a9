"""The simulator driven without a socket: every cycle ends, every midnight is passed."""

from gateway.simulator.market.bars import read_folder
from infra.bench.broker_alone import play
from infra.bench.broker_figures import MARKET


def test_every_order_of_every_day_ends_with_its_commission() -> None:
    found = play(read_folder(MARKET.bars), "SPY", days=2, orders=5)
    assert found["orders"] == 10
    resident = found["resident_bytes"]
    assert isinstance(resident, list)
    assert len(resident) == 3

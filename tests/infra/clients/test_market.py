"""The market in which every case begins."""

from decimal import Decimal
from itertools import pairwise

from infra.clients import market
from infra.clients.script import NOW_EPOCH, SYMBOL


def test_each_bar_begins_where_the_one_before_ended_and_lies_within_its_range() -> None:
    bars = [row.numbers for row in market.rows()]
    for (opens, high, low, closes, _), after in pairwise(bars):
        assert low <= min(opens, closes)
        assert max(opens, closes) <= high
        assert after[0] == closes


def test_a_simulator_holds_fifty_and_stands_at_the_beginning() -> None:
    simulator = market.simulator()
    assert simulator.exchange.positions == {SYMBOL: Decimal(50)}
    assert simulator.clock.now().timestamp() == NOW_EPOCH
    assert simulator.clock.speed == 0

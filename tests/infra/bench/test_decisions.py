import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import Any

import pytest

from gateway.core.desk import Desk
from gateway.core.events import Journaled
from gateway.core.fold import evolve
from gateway.core.netting import net
from infra.bench import decisions, report
from infra.bench.figures import Sample


def test_a_size_is_measured_with_its_floor_in_as_many_rounds() -> None:
    found = decisions.decisions(strategies=2, contracts=3, rounds=4)
    assert found.count == 6
    samples = (found.trading, found.settled, found.unchanged, found.floor)
    assert [len(sample.values) for sample in samples] == [4, 4, 4, 4]


def test_the_99th_percentile_of_few_rounds_is_the_slowest() -> None:
    assert decisions.percentile_99(Sample((1.0, 9.0, 2.0))) == 9.0


def test_the_99th_percentile_of_many_rounds_leaves_the_slowest_hundredth_out() -> None:
    assert decisions.percentile_99(Sample(tuple(map(float, range(101))))) == 99.0


def test_the_table_shows_each_pass_over_the_floor() -> None:
    took = (Sample((seconds,)) for seconds in (0.004, 0.002, 0.000_001_5, 0.0001))
    one = decisions.Decisions(10, 20, *took)
    text = report.decisions([one])
    assert "10 strategies × 20 contracts" in text
    assert "50,000" in text
    assert "40×" in text
    assert "20×" in text
    assert "1.5 (1.5–1.5) µs" in text


# ---------------------------------------------------------------------- growth


def steps_of(action: Callable[[], object]) -> int:
    """How many lines of Python an action runs: the same however busy the machine is."""
    count = 0

    def traced(_frame: FrameType, _event: str, _argument: Any) -> Any:
        nonlocal count
        count += 1
        return traced

    before = sys.gettrace()
    sys.settrace(traced)
    try:
        action()
    finally:
        sys.settrace(before)
    return count


def trading(strategies: int, contracts: int) -> Desk:
    """All want one more of all."""
    desk = decisions.settled_desk(strategies, contracts)
    said = {
        name: decisions.targets(name, contracts, decisions.HELD + 1, decisions.LATER)
        for name in desk.targets
    }
    return replace(desk, targets=said)


def working(strategies: int, contracts: int) -> Desk:
    """An order works in every contract, and one that is over is remembered of each."""
    desk = trading(strategies, contracts)
    plan = net(desk, decisions.CAUSE, decisions.NOW)
    over = [replace(o, order_ref=f"{o.order_ref}-old", state="DONE") for o in plan.orders]
    told = evolve(Journaled((*plan.orders, *over), ()), desk, decisions.NOW)
    return replace(told, targets=decisions.settled_desk(strategies, contracts).targets)


def refused(strategies: int, contracts: int) -> Desk:
    """The limits of the batch let nothing increase."""
    desk = trading(strategies, contracts)
    return replace(desk, settings=replace(desk.settings, orders_per_run_max=0))


@pytest.mark.parametrize("desk", [decisions.settled_desk, trading, working, refused])
@pytest.mark.parametrize("sizes", [[(3, 100), (3, 200)], [(100, 3), (200, 3)]], ids=str)
def test_a_net_grows_with_strategies_and_contracts_and_no_faster(
    desk: Callable[[int, int], Desk], sizes: list[tuple[int, int]]
) -> None:
    """Twice as many of one are twice as many decisions; what is quadratic would be more."""
    once, twice = (
        steps_of(partial(net, desk(*size), decisions.CAUSE, decisions.NOW)) for size in sizes
    )
    assert twice < 2.05 * once


def test_a_net_of_many_strategies_and_contracts_is_made() -> None:
    """10,000 decisions; `decisions` itself checks what the nets come to."""
    assert decisions.decisions(strategies=50, contracts=200, rounds=1).count == 10_000

"""The clients that drive the simulator for the figures; CPU seconds need Linux's /proc."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from infra.bench import broker_wire
from infra.bench.broker_figures import MARKET
from infra.bench.broker_wire import WireRun
from infra.bench.figures import BenchFailed

ORDERS = 8

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here")


@pytest.mark.parametrize(
    "client",
    [
        broker_wire.bare_client,
        broker_wire.ib_async_client,
        lambda market, orders: broker_wire.echo(market, orders, 5000),
    ],
    ids=["bare", "ib_async", "echo"],
)
async def test_every_client_ends_all_its_life_cycles(
    client: Callable[[broker_wire.Market, int], Awaitable[WireRun]],
) -> None:
    run = await client(MARKET, ORDERS)
    assert run.orders == ORDERS
    assert run.seconds > 0
    assert run.client_seconds > 0


def test_a_server_that_is_gone_is_said_so() -> None:
    with pytest.raises(BenchFailed, match="/proc"):
        broker_wire.cpu_seconds(2**30)

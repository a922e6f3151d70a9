"""The official client complains when a message is not as IB sends it, and its driver tells of it.

Without this a passed script would not show that nothing of ours was dropped on its way: that client
only logs what it drops, or its loop ends. The simulator sends such messages on command.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.clients import market
from infra.clients.environments import CLIENTS
from infra.clients.play import DriverFailed, driving

CONNECT = {"client_id": 1}
ODD: list[tuple[str, dict[str, Any], str]] = [
    ("account_time", {"extra": 1}, "diff len fields"),
    ("account_time", {"extra": -1}, "diff len fields"),
    ("portfolio_item", {"extra": -2}, "its loop died of TypeError"),  # of its own BadMessage
]


@pytest.mark.parametrize("name", ["ibapi", "ibapi_latest"])
@pytest.mark.parametrize(("kind", "fault", "complaint"), ODD, ids=str)
async def test_a_message_with_other_fields_than_ibs_fails_the_verb(
    kind: str,
    fault: dict[str, Any],
    complaint: str,
    name: str,
    python_of: Callable[[str], Path],
) -> None:
    python = python_of(name)
    async with market.simulator() as simulator:
        simulator.faults.miscounted_fields(kind=kind, **fault)
        async with driving(CLIENTS[name], python, simulator.port) as driver:
            await driver.ask("connect", CONNECT)
            with pytest.raises(DriverFailed, match=complaint):
                await driver.ask("account", {"tags": ["NetLiquidation"]})


@pytest.mark.parametrize("name", ["ibapi", "ibapi_latest"])
async def test_a_connection_that_is_cut_fails_the_verb_at_once(
    name: str, python_of: Callable[[str], Path]
) -> None:
    python = python_of(name)
    async with (
        market.simulator() as simulator,
        driving(CLIENTS[name], python, simulator.port) as driver,
    ):
        await driver.ask("connect", CONNECT)
        simulator.faults.connection_reset(messages=3)
        with pytest.raises(DriverFailed, match="the connection was lost"):
            await driver.ask("account", {"tags": ["NetLiquidation"]})

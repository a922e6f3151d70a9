"""NautilusTrader beyond the script: the page's example, and a restart of the gateway under a node.

What a new node finds of an earlier one's is the script's case `reconnect`.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.simulator.server import Simulator
from infra.clients import market
from infra.clients.environments import CLIENTS
from infra.clients.play import Driver, driving

PAGE = Path(__file__).resolve().parents[2] / "docs" / "simulator.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
PATIENCE_SECONDS = 60
DOWN = timedelta(seconds=61)
"""A second longer than a gateway's restart takes."""


@pytest.fixture
def python(python_of: Callable[[str], Path]) -> Path:
    return python_of("nautilus")


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with market.simulator() as running:
        yield running


async def place(driver: Driver, ref: str, limit: float) -> None:
    order = {"ref": ref, "symbol": "SPY", "action": "BUY", "quantity": 10, "type": "LMT"}
    await driver.ask("place", order | {"limit": limit})
    await driver.ask("order", {"ref": ref, "until": "Submitted"})


async def test_a_nautilus_trader_user_comes_from_nothing_to_a_fill(
    python: Path, simulator: Simulator, tmp_path: Path
) -> None:
    (example,) = (block for block in BLOCKS if "TradingNode" in block)
    assert "4002" in example
    program = await asyncio.create_subprocess_exec(
        python,
        "-c",
        example.replace("4002", str(simulator.port)),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        said, _ = await program.communicate()
    assert program.returncode == 0, said.decode()[-3000:]
    assert b"\n10 SPY.ARCA at 600.01, commission 1.00 USD\n" in said


async def test_a_node_comes_back_by_itself_and_its_orders_work_on(
    python: Path, simulator: Simulator
) -> None:
    async with driving(CLIENTS["nautilus"], python, simulator.port) as driver:
        await driver.ask("connect", {"client_id": 1})
        await place(driver, "waiting", 590)
        await simulator.restart()
        await simulator.advance_to(simulator.clock.now() + DOWN)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (
                not simulator.exchange.clients
            ):  # its watchdog tries again after some five seconds
                await asyncio.sleep(0.05)
        await place(driver, "later", 591)
        await driver.ask("cancel", {"ref": "waiting"})
        heard = await driver.ask("order", {"ref": "waiting", "until": "Cancelled"})
        assert heard["errors"] == [202]
        (left,) = await driver.ask("open_orders", {})
        assert left == {"ref": "later", "status": "Submitted", "quantity": 10}

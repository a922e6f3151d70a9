"""`docs/how-to/deploy.md`, steps 7 to 12, played word for word: fresh documents to the first order.

The stack is the embedded one: our gateway and functions, a simulated account that holds nothing.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest_asyncio

from gateway.simulator.broker import ExchangeOptions
from infra.bench.latency import options
from infra.local.demo import chosen_day, half_hours
from infra.local.stack import MODE, Stack, StackOptions, running
from schemas.codec import from_document
from schemas.documents import OrderDocument, RunDocument, path_of
from schemas.settings import ControlDocument, Settings
from schemas.values import TradingState

PAGE = (Path(__file__).parents[2] / "docs/how-to/deploy.md").read_text(encoding="utf-8")
PUBLISH = re.compile(r"""^gcloud pubsub topics publish "(\w+)-\$MODE" .*--message='(.*)'$""", re.M)
SAID = PUBLISH.findall(PAGE)
(ORDER_REF,) = re.findall(r"gateway\.why (\S+)", PAGE)
SECONDS_MAX = 40.0


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[Stack]:
    """Everything as `infra.config init` leaves it, an hour into a session."""
    bars = options().bars
    starts, _ = half_hours(bars, chosen_day(bars, None))
    async with running("embedded", StackOptions(bars, starts[2], ExchangeOptions())) as made:
        yield made


async def until(stack: Stack, what: str, holds: Callable[[], Awaitable[bool]]) -> None:
    end = time.monotonic() + SECONDS_MAX
    while not await holds():
        stack.check()
        assert time.monotonic() < end, what
        await asyncio.sleep(0.01)


async def ended(stack: Stack, run_id: str) -> RunDocument:
    path = path_of(RunDocument, run_id=run_id)

    async def is_done() -> bool:
        found = await stack.store.get(path)
        return found is not None and found["state"] == "DONE"

    await until(stack, f"{path} is DONE", is_done)
    return from_document(RunDocument, await stack.store.get(path) or {})


async def orders(stack: Stack) -> dict[str, OrderDocument]:
    found = await stack.store.list(f"positions/{MODE}/openOrders")
    return {
        path.rpartition("/")[2]: from_document(OrderDocument, one) for path, one in found.items()
    }


async def netted(stack: Stack, count: int) -> None:
    """Let targets that nobody asked for be netted, and their order end."""
    before = stack.simulator.clock.now()
    await until(stack, "the targets are taken", lambda: _no_message_waits(stack))
    await stack.simulator.advance_to(before + timedelta(seconds=Settings().coalesce_seconds + 1))

    async def all_over() -> bool:
        found = await orders(stack)
        return len(found) == count and all(order.state == "DONE" for order in found.values())

    await until(stack, f"{count} orders are over", all_over)


async def _no_message_waits(stack: Stack) -> bool:
    return stack.pending() == 0


async def test_the_guide_leads_to_the_first_order_and_back(stack: Stack) -> None:
    reconcile, rehearsal, resume, one_share, nothing, halt = SAID

    await stack.bus.publish(f"{reconcile[0]}-{MODE}", reconcile[1].encode(), {})
    assert (await ended(stack, "first-reconcile")).outcome == "done"

    await stack.bus.publish(f"{rehearsal[0]}-{MODE}", rehearsal[1].encode(), {})
    run = await ended(stack, "first-dry-run")
    assert run.outcome == "done"
    assert set(run.answered) == set(run.asked)
    assert len(run.asked) == 3, "the page says how many are enabled from the start"
    assert {refusal.rule for refusal in run.refusals} <= {"trading_state"}
    assert await orders(stack) == {}

    await stack.bus.publish(f"{resume[0]}-{MODE}", resume[1].encode(), {})
    assert (await ended(stack, "first-resume")).outcome == "done"

    await stack.bus.publish(f"{one_share[0]}-{MODE}", one_share[1].encode(), {})
    await netted(stack, 1)
    (first,) = (await orders(stack)).items()
    assert first[0] == ORDER_REF, "the page's `gateway.why` names the order that it led to"
    assert (first[1].quantity, first[1].filled) == (Decimal(1), Decimal(1))

    await stack.bus.publish(f"{nothing[0]}-{MODE}", nothing[1].encode(), {})
    await netted(stack, 2)
    assert sum(order.filled for order in (await orders(stack)).values()) == 0

    await stack.bus.publish(f"{halt[0]}-{MODE}", halt[1].encode(), {})
    path = path_of(ControlDocument, mode=MODE)

    async def is_halted() -> bool:
        found = await stack.store.get(path)
        return found is not None and found["state"] == TradingState.HALTED

    await until(stack, "trading is halted", is_halted)

"""The watching functions in the embedded stack: a gateway that ends is told, and told once."""

import asyncio
import contextlib
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.ports import Delivery, Put
from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.market.bars import read_folder
from infra.local.demo import BUNDLED
from infra.local.stack import Stack, StackOptions, running
from infra.local.watchers import over_loop
from schemas import codec
from schemas.messages import Report
from schemas.watch import Watch

OPENING = datetime(2026, 2, 27, 14, 30, tzinfo=UTC)
LEASE = "leases/paper"


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackOptions:
    """The bundled bars, a flat account; temporary folders are made in this test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return StackOptions(read_folder(BUNDLED), OPENING, ExchangeOptions(seed=7))


async def until[T](holds: Callable[[], Awaitable[T]]) -> T:
    async with asyncio.timeout(60):
        while not (found := await holds()):
            await asyncio.sleep(0.01)
    return found


async def look(stack: Stack, minutes: int) -> dict[str, Any]:
    """One period of the watchdog, so many minutes after the opening; the faults that it notes."""
    at = OPENING + timedelta(minutes=minutes)
    await stack.bus.publish("watchdog-paper", codec.encode(Watch(at=at)), {})

    async def noted() -> dict[str, Any] | None:
        found = await stack.store.get("watchdog/paper")
        return found if found and found["at"] == at else None

    document = await until(noted)
    assert document is not None
    faults: dict[str, Any] = document["faults"]
    return faults


async def end_gateway(stack: Stack) -> None:
    """End it, and let five minutes have passed since."""
    (gateway,) = stack.tasks
    gateway.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await gateway
    lease = await stack.store.get(LEASE)
    assert lease is not None
    moved = {name: lease[name] - timedelta(minutes=5) for name in ("renewed_at", "expires_at")}
    await stack.store.commit([Put(LEASE, {**lease, **moved})])


async def test_a_gateway_that_ends_is_told_at_the_next_look_and_once(options: StackOptions) -> None:
    """[R3]"""
    reports: list[Report] = []

    def hear(delivery: Delivery) -> None:
        reports.append(codec.decode(Report, delivery.data))
        delivery.ack()

    async with running("embedded", options) as stack:
        stack.bus.subscribe("reports-reader-paper", hear)
        await until(lambda: stack.store.get("positions/paper"))
        assert await look(stack, 0) == {}
        await end_gateway(stack)
        for minutes in (5, 10, 15):
            assert list(await look(stack, minutes)) == ["gateway_silent"]

        async def told() -> list[dict[str, Any]]:
            documents = (await stack.store.list("alerts")).values()
            return [d for d in documents if d["alert"] == "gateway_silent" and d["sent_at"]]

        (document,) = await until(told)
        assert document["repeated"] == 0
        alerts = [report.details.get("alert") for report in reports]
        assert alerts.count("gateway_silent") == 1


async def test_a_message_that_is_of_no_use_comes_again_and_does_no_harm(
    options: StackOptions, caplog: pytest.LogCaptureFixture
) -> None:
    async with running("embedded", options) as stack:
        await stack.bus.publish("watchdog-paper", b"{]", {})

        async def said() -> bool:
            return "the function watchdog failed on message" in caplog.text

        await until(said)
        assert await look(stack, 0) is not None


async def test_records_over_a_loop_are_those_of_the_store(options: StackOptions) -> None:
    """For whoever has a store on a loop and a watcher in a thread."""
    async with running("embedded", options) as stack:
        records = over_loop(stack.store, asyncio.get_running_loop())
        await asyncio.to_thread(records.put, "alerts/a", {"alert": "x"})
        assert await stack.store.get("alerts/a") == {"alert": "x"}
        assert await asyncio.to_thread(records.among, "alerts", "alert", ["x"]) == [{"alert": "x"}]

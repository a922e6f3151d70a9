"""Cases against a simulator of their own, on one loop of virtual time: waits pass at once."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gateway.simulator.broker import ExchangeOptions, InitialHolding
from gateway.simulator.conformance.case import Case, Kind
from gateway.simulator.conformance.catalogue import CASES
from gateway.simulator.conformance.report import Report
from gateway.simulator.conformance.runner import Run
from gateway.simulator.conformance.talk import Setting
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, read_folder
from gateway.simulator.server import ServerOptions, Simulator
from gateway.simulator.virtual_loop import VirtualTimeLoop, run_virtual

BARS = Path(__file__).parents[4] / "infra" / "local" / "bars"
ACCOUNT = "DUSIM0001"
HALF_AN_HOUR = timedelta(minutes=30)
Prepare = Callable[[Simulator], Any]


@dataclass(slots=True)
class Played:
    """A run and the simulator it ran against."""

    report: Report
    simulator: Simulator
    run: Run


@dataclass(slots=True)
class Stage:
    """How a run is played; the market is open, half an hour into the last whole day.

    Attributes:
        prepare: what is done to the simulator first, such as a fault; may be a coroutine function.
        options: of the exchange.
        server: options of the server.
    """

    prepare: Prepare = lambda _simulator: None
    options: dict[str, Any] = field(default_factory=dict)
    server: dict[str, Any] = field(default_factory=dict)
    setting: dict[str, Any] = field(default_factory=dict)
    after_opening: timedelta = HALF_AN_HOUR

    def play(self, cases: Sequence[Case]) -> Played:
        """Run cases."""

        async def main(loop: VirtualTimeLoop) -> Played:
            usual: dict[str, Any] = {
                "holdings": (InitialHolding("SPY", Decimal(50), Decimal(600)),),
                "seed": 7,
            }
            exchange = Exchange(market(), ExchangeOptions(**(usual | self.options)))
            server = ServerOptions(**({"tick_seconds": None, "pacing": "reject"} | self.server))
            async with Simulator(exchange, loop.clock(), server) as simulator:
                prepared = self.prepare(simulator)
                if isinstance(prepared, Coroutine):
                    await prepared
                where: dict[str, Any] = {
                    "host": "127.0.0.1",
                    "port": simulator.port,
                    "account": ACCOUNT,
                }
                run = Run(Setting(**(where | self.setting)), cases)
                await run.play()
                return Played(run.report, simulator, run)

        return run_virtual(main, opening() + self.after_opening)


@cache
def market() -> BarBook:
    return read_folder(BARS)


def opening() -> datetime:
    """Of the last whole day of the bars."""
    session = market().session(market().whole_days()[-1])
    assert session is not None
    return session.opens.astimezone(UTC)


@pytest.fixture
def stage() -> type[Stage]:
    """`stage(prepare=...).play(cases)`."""
    return Stage


@pytest.fixture(scope="session")
def cases() -> dict[str, Case]:
    """All cases by name."""
    return {case.name: case for case in CASES}


@pytest.fixture(scope="session")
def reading() -> list[Case]:
    """The cases that only ask."""
    return [case for case in CASES if case.kind is Kind.READ]

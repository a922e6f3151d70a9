"""The try after a deploy: a real gateway, the simulator, the embedded bus and store."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest

from gateway import smoke
from gateway.config import Config
from gateway.smoke import Failed, Smoke
from infra.local.bus import EmbeddedBus
from infra.local.rig import MODE, Rig, rigged
from infra.topology import topology
from schemas.documents import LatchesDocument, Lock
from schemas.settings import ControlDocument, StrategyDocument

RUN_ID = "smoke-1"
MANUAL = {"manual": StrategyDocument(True, Decimal(1))}


@dataclass
class Try:
    """A try on a bench, and what it told."""

    rig: Rig
    seconds: float = 40.0
    bus: EmbeddedBus | None = None
    told: list[str] = field(default_factory=list)

    async def all(self) -> None:
        config = Config(MODE, "bench", "smoke")
        rig, clock = self.rig, self.rig.simulator.clock
        tried = Smoke(config, rig.store, self.bus or rig.bus, clock, RUN_ID)
        tried = replace(
            tried, total_seconds=self.seconds, poll_seconds=0.005, tell=self.told.append
        )
        await tried.try_all()


async def answered(rig: Rig, trying: Awaitable[None], *names: str) -> None:
    """Let these strategies answer the run, and the clock pass the deadline of the others."""
    task = asyncio.ensure_future(trying)
    await rig.reached(RUN_ID, "ASKED")
    for name in names:
        await rig.say_dry(name, run_id=RUN_ID, SPY=10)
    await rig.settled_before_coalescing()
    await rig.advance(minutes=5)
    await task


async def test_all_is_well_where_the_gateway_runs_and_every_strategy_answers(active: Rig) -> None:
    """Nothing is traded, and the doctor's lines are shown."""
    tried = Try(active)
    await answered(active, tried.all(), "alpha", "beta")
    assert tried.told[0] == "gateway-1, epoch 1, holds the lease"
    assert tried.told[1] == f"runs/{RUN_ID} is done; answered: alpha, beta; planned: 1 orders"
    assert any("gateway-1 (epoch 1) renewed its lease" in line for line in tried.told[2:])
    assert await active.orders() == {}
    assert await active.held() == {}
    run = await active.run(RUN_ID)
    assert run is not None
    assert run.dry_run


async def test_it_works_while_trading_is_halted_and_leaves_it_halted(rig: Rig) -> None:
    tried = Try(rig)
    await answered(rig, tried.all(), "alpha", "beta")
    assert any("trading is halted" in line for line in tried.told)
    assert await rig.document(ControlDocument, mode=MODE) is None


async def test_a_function_that_does_not_answer_is_named(active: Rig) -> None:
    with pytest.raises(Failed, match=r"asked and not heard of: beta; see their functions' logs"):
        await answered(active, Try(active).all(), "alpha")


async def test_a_function_that_answers_with_an_error_is_named(active: Rig) -> None:
    trying = asyncio.ensure_future(Try(active).all())
    await active.reached(RUN_ID, "ASKED")
    await active.say_dry("alpha", run_id=RUN_ID, SPY=10)
    said = {"strategy": "beta", "status": "error", "reason": "no data", "run_id": RUN_ID}
    as_of = active.now.isoformat()
    await active.publish("targets", {**said, "as_of": as_of, "dry_run": True, "targets": []})
    with pytest.raises(Failed, match="answered with an error: beta"):
        await trying


async def test_a_gateway_that_never_starts_is_told_as_that(active: Rig) -> None:
    await active.stop()
    with pytest.raises(Failed, match=r"no gateway took the lease: see its log \(0\.1 s\)"):
        await Try(active, seconds=0.1).all()
    assert await active.run(RUN_ID) is None


async def test_a_gateway_that_does_not_come_to_it_is_told_with_what_it_may_be(rig: Rig) -> None:
    """It holds the lease and waits, such as for the login; the command waits for it."""
    await rig.hold(before="runs/")
    with pytest.raises(Failed, match=r"runs/smoke-1 did not end: the gateway does not reach IB"):
        await Try(rig, seconds=0.3).all()


async def test_a_refused_run_is_told_with_its_reason(active: Rig) -> None:
    strategy = StrategyDocument(True, Decimal(7))
    await active.put(strategy, strategy="manual")
    with pytest.raises(Failed, match=r"runs/smoke-1 was refused: .*weight"):
        await Try(active).all()


async def test_where_no_strategy_is_enabled_the_gateway_itself_is_tried() -> None:
    async with rigged(strategies=MANUAL) as rig:
        await rig.start()
        tried = Try(rig)
        await tried.all()
    assert tried.told[1].startswith(
        f"runs/{RUN_ID} is done; answered: nobody, for no strategy is enabled"
    )


async def test_what_people_have_to_settle_is_shown_and_is_no_fault_of_the_deploy() -> None:
    async with rigged(strategies=MANUAL) as rig:
        lock = Lock("SPY", "repeated", "it was ordered 5 times", rig.now)
        await rig.put(LatchesDocument(locks={"756733": lock}), mode=MODE)
        await rig.start()
        tried = Try(rig)
        await tried.all()
    assert any(line.startswith("FAIL  locks") for line in tried.told)


async def test_a_missing_subscription_is_the_deploys_fault() -> None:
    """The run comes through all the same: only looking tells."""
    whole = topology(MODE, {})
    kept = tuple(one for one in whole.subscriptions if one.name != f"alerts-{MODE}")
    bus = EmbeddedBus(":memory:", replace(whole, subscriptions=kept))
    async with rigged(strategies=MANUAL) as rig:
        await rig.start()
        await rig.command("run", RUN_ID, dry_run=True)
        with pytest.raises(Failed, match=f"subscription alerts-{MODE} is missing"):
            await Try(rig, bus=bus).all()
    await bus.close()


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        ({"MODE": "demo"}, 2, "gateway.smoke: MODE must be paper or live, not 'demo'\n"),
        ({}, 1, "gateway.smoke: there are no Google credentials here"),
    ],
)
def test_what_it_lacks_it_says_and_ends_with_the_code_for_it(
    bare: pytest.MonkeyPatch,
    changed: dict[str, str],
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in changed.items():
        bare.setenv(name, value)
    assert smoke.main([]) == code
    assert capsys.readouterr().err.startswith(said)

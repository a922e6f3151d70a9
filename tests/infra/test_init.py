"""The documents that a fresh project starts with."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from functions.registry import STRATEGIES, StrategySpec, specs
from gateway.ports import Put
from infra.init import MANUAL, WEIGHTS, create_missing, documents, strategy_documents
from infra.local.store import EmbeddedStore
from schemas.codec import from_document
from schemas.settings import ControlDocument, Settings, StrategyDocument
from schemas.values import Mode, TradingState


@pytest.fixture(scope="module")
def ours() -> dict[str, StrategySpec]:
    return specs()


@pytest.fixture
async def store() -> AsyncIterator[EmbeddedStore]:
    found = EmbeddedStore(":memory:")
    yield found
    await found.close()


def typed(ours: dict[str, StrategySpec]) -> dict[str, StrategyDocument]:
    found = strategy_documents(ours)
    return {path: from_document(StrategyDocument, data) for path, data in found.items()}


def test_every_strategy_and_manual_have_a_document(ours: dict[str, StrategySpec]) -> None:
    """`manual` is made by init [T3]."""
    assert set(typed(ours)) == {f"strategies/{name}" for name in (*STRATEGIES, MANUAL)}


def test_a_document_reads_what_the_file_says(ours: dict[str, StrategySpec]) -> None:
    found = typed(ours)["strategies/spy_macd_vixy"]
    assert (found.universe, found.bars) == (
        ours["spy_macd_vixy"].universe,
        ours["spy_macd_vixy"].bars,
    )


def test_the_weights_fit_under_the_defaults_of_the_settings(ours: dict[str, StrategySpec]) -> None:
    """No weight is missing, which would be a configuration error [N2]."""
    weights = [document.weight for document in typed(ours).values() if document.enabled]
    assert sum(weight or Decimal(0) for weight in weights) == 1 <= Settings().exposure_gross_max
    assert all(document.weight is not None for document in typed(ours).values())


def test_dummy_is_never_enabled_by_default(ours: dict[str, StrategySpec]) -> None:
    dummy = typed(ours)["strategies/dummy"]
    assert (dummy.enabled, dummy.weight) == (False, Decimal(0))
    assert "dummy" not in WEIGHTS


@pytest.mark.parametrize("mode", Mode)
def test_trading_starts_halted(mode: Mode, ours: dict[str, StrategySpec]) -> None:
    control = from_document(ControlDocument, documents(mode, ours)[f"control/{mode}"])
    assert control.state is TradingState.HALTED


def test_the_common_settings_are_the_defaults(ours: dict[str, StrategySpec]) -> None:
    assert from_document(Settings, documents(Mode.PAPER, ours)["config/common"]) == Settings()


async def test_what_is_absent_is_created_once(
    store: EmbeddedStore, ours: dict[str, StrategySpec]
) -> None:
    created = await create_missing(store, Mode.PAPER, ours)
    assert set(created) == set(documents(Mode.PAPER, ours))
    assert await create_missing(store, Mode.PAPER, ours) == ()


async def test_what_a_person_has_set_is_never_overwritten(
    store: EmbeddedStore, ours: dict[str, StrategySpec]
) -> None:
    mine = {"enabled": False, "weight": "0.05"}
    await store.commit([Put("strategies/spy_macd_vixy", mine)])
    created = await create_missing(store, Mode.PAPER, ours)
    assert "strategies/spy_macd_vixy" not in created
    assert await store.get("strategies/spy_macd_vixy") == mine

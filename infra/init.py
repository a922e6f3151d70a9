"""The documents that people own, as they are when nobody has touched them yet.

They are created only where they are absent. What a person has set, a deploy never overwrites.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from functions.registry import StrategySpec
from gateway.ports import AlreadyExists, Create, Store
from schemas.codec import to_document
from schemas.documents import path_of
from schemas.settings import ControlDocument, Settings, StrategyDocument
from schemas.values import Mode

MANUAL: Final = "manual"
"""The strategy that is a person: it has no function, and says quantities by hand [T3]."""

WEIGHTS: Final[Mapping[str, Decimal]] = {
    "spy_macd_vixy": Decimal("0.4"),
    "test_signal_generator": Decimal("0.3"),
    "spy_pullback": Decimal("0.2"),
    MANUAL: Decimal("0.1"),
}
"""Shares of the deployed capital. They sum to 1, so that `exposure_overall` (0.9 of net
liquidation) is what can be deployed. A strategy that is not listed starts disabled with 0."""


def strategy_documents(strategies: Mapping[str, StrategySpec]) -> dict[str, dict[str, Any]]:
    """`strategies/{id}` for each strategy and for `manual`: path -> document.

    `parameters` stay empty: what a person does not set, the strategy's own defaults decide.
    """
    typed = {name: _strategy(name, spec) for name, spec in strategies.items()}
    typed[MANUAL] = StrategyDocument(enabled=True, weight=WEIGHTS[MANUAL])
    return {
        path_of(StrategyDocument, strategy=name): to_document(document)
        for name, document in typed.items()
    }


def documents(mode: Mode, strategies: Mapping[str, StrategySpec]) -> dict[str, dict[str, Any]]:
    """All documents that a fresh project starts with: path -> document. Trading is halted."""
    halted = ControlDocument(by="init", reason="nobody has resumed trading yet")
    return {
        path_of(Settings, name="common"): to_document(Settings()),
        path_of(ControlDocument, mode=mode): to_document(halted),
        **strategy_documents(strategies),
    }


async def create_missing(
    store: Store, mode: Mode, strategies: Mapping[str, StrategySpec]
) -> tuple[str, ...]:
    """Create the documents that are absent; return their paths. Others are not touched."""
    created = []
    for path, document in documents(mode, strategies).items():
        try:
            await store.commit([Create(path, document)])
        except AlreadyExists:
            continue
        created.append(path)
    return tuple(created)


def _strategy(name: str, spec: StrategySpec) -> StrategyDocument:
    return StrategyDocument(
        enabled=name in WEIGHTS,
        weight=WEIGHTS.get(name, Decimal(0)),
        universe=spec.universe,
        bars=spec.bars,
    )

"""Which strategies there are: one a file of `functions/strategies`, by its name (decision 13).

A strategy's name is its document's id, its entry point's and its subscription's; renaming one
orphans its book [B6]. A new file trades nothing: its document starts disabled, with weight 0.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from functions.decision import Decision
from schemas.messages import Market
from schemas.values import BarSpec, Contract

PACKAGE: Final = "functions.strategies"

STRATEGIES: Final[Mapping[str, str]] = {
    found.name: f"{PACKAGE}.{found.name}"
    for found in sorted(
        pkgutil.iter_modules(importlib.import_module(PACKAGE).__path__),
        key=lambda found: found.name,
    )
}
"""Name -> module, in the order of the names. Nothing is imported to know them."""

WATCHERS: Final = ("alerts", "watchdog")
"""The entry points that are no strategies, whose names no strategy may have."""


class Strategy(Protocol):
    """What a module in `functions/strategies` offers.

    `SCHEDULE` is a cron line in America/New_York, empty for a strategy that is run by hand only.
    """

    UNIVERSE: tuple[Contract, ...]
    BARS: BarSpec
    SCHEDULE: str
    Parameters: type[Any]

    def decide(self, market: Market, parameters: Any) -> Decision:
        """The decision for what the message says. Pure: same message, same decision."""
        ...


@dataclass(frozen=True, slots=True)
class StrategySpec:
    """What the rest of the system needs to know of a strategy: what it reads, and when."""

    universe: tuple[Contract, ...]
    bars: BarSpec
    schedule: str


def load(name: str) -> Strategy:
    """The strategy's module, imported now if it was not. Raises `KeyError` for an unknown name."""
    return cast(Strategy, importlib.import_module(STRATEGIES[name]))


def specs() -> dict[str, StrategySpec]:
    """What every strategy reads, and when. Imports them all, hence pandas."""
    loaded = {name: load(name) for name in STRATEGIES}
    return {
        name: StrategySpec(module.UNIVERSE, module.BARS, module.SCHEDULE)
        for name, module in loaded.items()
    }

"""What a strategy answers: weights, quantities, or "hold" with the reason.

Contracts are named by the symbol that the strategy's `UNIVERSE` gives them, futures by their local
symbol (`MESH6`), for their months share one. A contract that is not named is held as it is; 0 is
said, never implied [T1].

`together_until`, a time with a zone, makes one intention of what is said, such as a roll: before it
all legs are traded or none, from then on each goes alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from schemas.messages import Scalar


@dataclass(frozen=True, slots=True)
class Weights:
    """Signed fractions of the strategy's capital by symbol; their magnitudes sum to 1 at most.

    Raises `ValueError` for more, or for what is not a number.
    """

    weights: Mapping[str, Decimal]
    reason: str
    diagnostics: Mapping[str, Scalar] = field(default_factory=dict)
    together_until: datetime | None = None

    def __post_init__(self) -> None:
        _check_finite(self.weights)
        total = sum(map(abs, self.weights.values()), Decimal(0))
        if total > 1:
            raise ValueError(f"the magnitudes of the weights sum to {total}, at most 1")


@dataclass(frozen=True, slots=True)
class Quantities:
    """Signed quantities by symbol, for a strategy that sizes by itself.

    Raises `ValueError` for what is not a number.
    """

    quantities: Mapping[str, Decimal]
    reason: str
    diagnostics: Mapping[str, Scalar] = field(default_factory=dict)
    together_until: datetime | None = None

    def __post_init__(self) -> None:
        _check_finite(self.quantities)


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep everything as it is, and why. The honest answer to data that do not suffice."""

    reason: str
    diagnostics: Mapping[str, Scalar] = field(default_factory=dict)


type Decision = Weights | Quantities | Hold


def _check_finite(numbers: Mapping[str, Decimal]) -> None:
    for symbol, number in numbers.items():
        if not number.is_finite():
            raise ValueError(f"{symbol} is {number}, not a finite number")

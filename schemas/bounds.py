"""Numbers that make sense: the types of settings, with lowest, highest and unit.

`codec` refuses a document whose number is outside; `docs/configuration.md` prints the same.
"""

import functools
import typing
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from schemas.sentences import alternatives


@dataclass(frozen=True, slots=True)
class Bound:
    """What a number may be, both ends included, and what it counts. None: no end there."""

    lowest: int | None
    highest: int | None
    unit: str

    def holds(self, value: Decimal | int) -> bool:
        """Whether a number is within. `value` must not be a NaN."""
        above = self.lowest is None or value >= self.lowest
        return above and (self.highest is None or value <= self.highest)

    def __str__(self) -> str:
        if self.highest is None:
            return "any" if self.lowest is None else f"{self.lowest} or more"
        return f"{self.lowest} to {self.highest}"


Fraction = Annotated[Decimal, Bound(0, 1, "")]
Multiple = Annotated[Decimal, Bound(0, 10, "of net liquidation")]
"""Above 1 where a margin account is to be used."""

Turnover = Annotated[Decimal, Bound(0, 100, "of net liquidation")]
Weight = Annotated[Decimal, Bound(None, None, "of the deployed capital")]
"""Checked with the others': see `gateway.core.configuration`."""

Money = Annotated[Decimal, Bound(0, None, "base currency")]
Quantity = Annotated[Decimal, Bound(0, None, "shares or contracts")]
Seconds = Annotated[int, Bound(1, 86_400, "seconds")]
Minutes = Annotated[int, Bound(1, 10_080, "minutes")]
Days = Annotated[int, Bound(0, 366, "days")]
Count = Annotated[int, Bound(1, 10_000, "orders")]


@functools.cache
def bounds_of(kind: Any) -> dict[str, Bound]:
    """The bounded fields of a dataclass, in their order."""
    hints = typing.get_type_hints(kind, include_extras=True)
    found = {name: _bound(hint) for name, hint in hints.items()}
    return {name: bound for name, bound in found.items() if bound is not None}


def out_of_bounds(value: Any) -> str | None:
    """A sentence for the first number of a record that makes no sense, or None."""
    for name, bound in bounds_of(value.__class__).items():
        number = getattr(value, name)
        if number is None:
            continue
        if not Decimal(number).is_finite():
            return f"{name}: must be a finite number, not {number}"
        if not bound.holds(number):
            return f"{name}: must be {f'{bound} {bound.unit}'.strip()}, not {number}"
    return None


def _bound(hint: Any) -> Bound | None:
    """The bound in `Annotated[...]`, alone or in a union with None."""
    if typing.get_origin(hint) is Annotated:
        return next((item for item in hint.__metadata__ if isinstance(item, Bound)), None)
    parts = alternatives(hint)
    return next((b for part in parts if part is not hint and (b := _bound(part))), None)

"""What Google asks, from `infra/prices.toml`: each price with its source and whether it is sure."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal

FILE: Final = Path(__file__).with_name("prices.toml")


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for one `unit`. `mark` is "mem" for a price that nobody has confirmed.

    `free` of them cost nothing `per` day or month; with `scope` "account" all projects of a
    billing account share them.
    """

    name: str
    dollars: Decimal
    unit: str
    mark: Literal["src", "mem"]
    source: str
    free: Decimal = Decimal(0)
    per: Literal["", "day", "month"] = ""
    scope: Literal["project", "account"] = "project"

    def __post_init__(self) -> None:
        if self.mark not in ("src", "mem") or not self.source:
            raise ValueError(f"{self.name}: a price has a source, and a mark, src or mem")
        if bool(self.free) != (self.per in ("day", "month")):
            raise ValueError(f"{self.name}: `free` and `per` (day or month) belong together")

    @property
    def is_confirmed(self) -> bool:
        """Whether it was read in Google's own page."""
        return self.mark == "src"

    def charge(self, quantity: Decimal) -> Decimal:
        """Dollars for so many, of one day or month as `per` says, the free ones left out."""
        return max(Decimal(0), quantity - self.free) * self.dollars


@dataclass(frozen=True, slots=True)
class Assumption:
    """A number that nothing here can measure, with why it is what it is."""

    value: Decimal
    why: str


@dataclass(frozen=True, slots=True)
class PriceList:
    """The file, read. `checked` is the day on which the prices were looked up."""

    checked: date
    region: str
    prices: Mapping[str, Price]
    assumptions: Mapping[str, Assumption]

    @property
    def unconfirmed(self) -> list[Price]:
        """The prices that nobody has confirmed, in the file's order."""
        return [price for price in self.prices.values() if not price.is_confirmed]


def read(file: Path = FILE) -> PriceList:
    """The price list. Raises `ValueError` and `TypeError` for what is none."""
    found = tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    return PriceList(
        checked=found["checked"],
        region=found["region"],
        prices={name: _price(name, entry) for name, entry in found["prices"].items()},
        assumptions={
            name: Assumption(Decimal(entry["value"]), entry["why"])
            for name, entry in found["assumptions"].items()
        },
    )


def _price(name: str, entry: Mapping[str, Any]) -> Price:
    numbers = {key: Decimal(entry[key]) for key in ("dollars", "free") if key in entry}
    return Price(name=name, **{**entry, **numbers})

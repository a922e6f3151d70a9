"""The bundled bars, and more that are made of SPY's: other prices in the same shape."""

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from gateway.simulator.market.bars import BarBook, read_folder
from infra.local.demo import BUNDLED

PAIRS: Final = {
    "EUR.USD": ("0.0018", "0.00005"),
    "GBP.USD": ("0.0021", "0.00005"),
    "USD.JPY": ("0.25", "0.005"),
}
"""Factor and tick of currency pairs."""


@cache
def bars_with_pairs() -> BarBook:
    """The bundled bars, and those of three currency pairs."""
    return scaled_bars(PAIRS)


def scaled_bars(kinds: Mapping[str, tuple[str, str]]) -> BarBook:
    """Half hours of each key of a contract: SPY's times a factor, in whole ticks of a size."""
    header, *lines = (BUNDLED / "SPY_30min_synthetic.csv").read_text().split()
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file in BUNDLED.glob("*.csv"):
            (folder / file.name).write_text(file.read_text())
        for key, (factor, tick) in kinds.items():
            made = [_scaled(line, Decimal(factor), Decimal(tick)) for line in lines]
            (folder / f"{key}_30min.csv").write_text("\n".join([header, *made]))
        return read_folder(folder)


def _scaled(line: str, factor: Decimal, tick: Decimal) -> str:
    at, *prices, volume = line.split(",")
    steps = ((Decimal(price) * factor / tick).to_integral_value() * tick for price in prices)
    return ",".join((at, *(f"{step:f}" for step in steps), volume))

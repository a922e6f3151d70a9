"""Samples, their medians and ratios, and the tables that show them. Pure."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class BenchFailed(Exception):
    """What is to be measured did not do what it should; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure, measured several times. Raises `ValueError` for no values at all."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("a sample needs at least one value")

    @property
    def median(self) -> float:
        """The value in the middle."""
        return statistics.median(self.values)

    def over(self, floor: "Sample") -> float:
        """The ratio of the medians. Raises `ValueError` for a floor of 0."""
        if floor.median == 0:
            raise ValueError("nothing is a multiple of a floor of 0")
        return self.median / floor.median

    def text(self, unit: str, factor: float = 1.0) -> str:
        """Median with minimum and maximum: `12.3 (11.0–19.4) ms`, every value times `factor`."""
        middle, low, high = (
            number(value * factor) for value in (self.median, min(self.values), max(self.values))
        )
        return f"{middle} ({low}–{high}) {unit}"


def number(value: float) -> str:
    """A measured number with as many digits as it deserves."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if value % 1 else f"{value:.0f}"


def ratio(value: float) -> str:
    """A ratio for a table: `3.4×`."""
    return f"{value:.2f}×" if value < 10 else f"{value:.0f}×"


def summed(samples: Sequence[Sample]) -> Sample:
    """The sums of what was measured in the same rounds. Raises `ValueError` on unequal rounds."""
    rounds = zip(*(sample.values for sample in samples), strict=True)
    return Sample(tuple(map(sum, rounds)))


def busiest_second(times: Iterable[float]) -> int:
    """The largest number of times (seconds) that lie within less than one second."""
    ordered = sorted(times)
    first = most = 0
    for last, at in enumerate(ordered):
        while at - ordered[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def table(title: str, rows: Sequence[Sequence[str]]) -> str:
    """A title, then rows with their columns aligned; the first row is the head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([title, lines[0], "-" * len(lines[0]), *lines[1:]])

"""Averages and crossings, against computations that share nothing with them."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.indicators import ema, last_crossing, macd
from functions.registry import load

PRICES = st.lists(st.floats(1, 1000), min_size=30, max_size=60)


def exact_ema(values: list[Fraction], length: int) -> list[Fraction]:
    """The recursion in exact fractions, seeded with the first value."""
    found = [values[0]]
    for value in values[1:]:
        found.append(found[-1] + (value - found[-1]) * Fraction(2, length + 1))
    return found


def independent_macd(closes: tuple[float, ...]) -> tuple[list[float], list[float]]:
    """MACD 12/26/9 and its signal in exact fractions, which no rounding can help."""
    prices = [Fraction(str(close)) for close in closes]
    line = [f - s for f, s in zip(exact_ema(prices, 12), exact_ema(prices, 26), strict=True)]
    return [float(x) for x in line], [float(x) for x in exact_ema(line, 9)]


@pytest.mark.parametrize("name", ["test_signal_generator", "spy_macd_vixy"])
def test_macd_equals_an_independent_computation_to_1e_9(
    history: Callable[[Any], Any], name: str
) -> None:
    """On generated SPY bars always, on recorded ones where they are."""
    closes = history(load(name)).bars[0].close[-200:]
    found = macd(closes, 12, 26, 9)
    line, signal = independent_macd(closes)
    assert found.macd == pytest.approx(line, abs=1e-9, rel=0)
    assert found.signal == pytest.approx(signal, abs=1e-9, rel=0)
    assert found.sides[-1] == (1 if line[-1] > signal[-1] else -1)


def test_an_average_starts_at_the_first_value_not_at_a_mean() -> None:
    assert ema([1.0, 2.0, 4.0], 3) == (1.0, 1.5, 2.75)


def test_too_few_values_are_refused() -> None:
    with pytest.raises(ValueError, match="an average over 3 needs as many values, got 2"):
        ema([1.0, 2.0], 3)


def test_both_lines_start_equal() -> None:
    found = macd([float(n) for n in range(1, 60)], 12, 26, 9)
    assert (found.macd[0], found.signal[0], found.sides[0]) == (0, 0, 0)


@given(st.floats(1, 1000))
def test_rounding_in_a_flat_series_is_no_side(price: float) -> None:
    assert set(macd([price] * 60, 12, 26, 9).sides) == {0}


@given(PRICES, st.integers(26, 30))
def test_cutting_later_values_off_changes_nothing_earlier(prices: list[float], cut: int) -> None:
    assert macd(prices[:cut], 12, 26, 9).macd == macd(prices, 12, 26, 9).macd[:cut]


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ([], None),
        ([0, 1, 1, 1], None),
        ([0, 1, 0, 1], None),
        ([0, 1, -1, -1], (2, -1)),
        ([0, -1, 0, 0, 1], (4, 1)),
        ([-1, 1, -1, 0], (2, -1)),
    ],
)
def test_the_last_crossing_is_the_last_change_of_side(
    sides: list[int], expected: tuple[int, int] | None
) -> None:
    assert last_crossing(sides) == expected

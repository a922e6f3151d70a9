"""Samples, ratios and tables."""

import pytest

from infra.bench.figures import Sample, busiest_second, number, ratio, summed, table


def test_the_median_is_not_moved_by_one_slow_round() -> None:
    assert Sample((3.0, 1.0, 900.0)).median == 3.0


def test_a_sample_without_values_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Sample(())


def test_a_ratio_is_that_of_the_medians() -> None:
    assert Sample((2.0, 4.0, 60.0)).over(Sample((1.0, 2.0, 3.0))) == 2.0


def test_there_is_no_ratio_over_a_floor_of_nothing() -> None:
    with pytest.raises(ValueError, match="floor of 0"):
        Sample((1.0,)).over(Sample((0.0,)))


def test_a_floor_is_summed_round_by_round() -> None:
    assert summed([Sample((1.0, 2.0)), Sample((10.0, 5.0))]).values == (11.0, 7.0)


def test_samples_of_unequal_rounds_are_not_summed() -> None:
    with pytest.raises(ValueError, match="shorter"):
        summed([Sample((1.0, 2.0)), Sample((1.0,))])


def test_a_sample_tells_its_median_and_its_extremes_in_the_wanted_unit() -> None:
    assert Sample((0.0111, 0.0123, 0.194)).text("ms", 1000) == "12.3 (11.1–194) ms"


@pytest.mark.parametrize(
    ("value", "text"), [(12.34, "12.3"), (0.26, "0.3"), (123.4, "123"), (7.0, "7")]
)
def test_a_number_has_the_digits_it_deserves(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(("value", "text"), [(1.036, "1.04×"), (17.6, "18×")])
def test_a_ratio_has_the_digits_it_deserves(value: float, text: str) -> None:
    assert ratio(value) == text


@pytest.mark.parametrize(
    ("times", "most"),
    [
        ([], 0),
        ([5.0], 1),
        ([0.0, 1.0, 2.0], 1),
        ([0.0, 0.4, 0.9, 1.1, 3.0], 3),
        ([2.0, 0.0, 2.5], 2),
    ],
)
def test_the_busiest_second_holds_the_most_requests(times: list[float], most: int) -> None:
    assert busiest_second(times) == most


def test_a_table_aligns_its_columns_under_the_head() -> None:
    assert table("title", [("", "ms"), ("bare hops", "1.5")]) == (
        "title\n           ms\n-------------\nbare hops  1.5"
    )

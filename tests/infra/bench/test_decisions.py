from infra.bench import decisions, report
from infra.bench.figures import Sample


def test_a_size_is_measured_with_its_floor_in_as_many_rounds() -> None:
    found = decisions.decisions(strategies=2, contracts=3, rounds=4)
    assert found.count == 6
    assert [len(s.values) for s in (found.trading, found.settled, found.floor)] == [4, 4, 4]


def test_the_99th_percentile_of_few_rounds_is_the_slowest() -> None:
    assert decisions.percentile_99(Sample((1.0, 9.0, 2.0))) == 9.0


def test_the_99th_percentile_of_many_rounds_leaves_the_slowest_hundredth_out() -> None:
    assert decisions.percentile_99(Sample(tuple(map(float, range(101))))) == 99.0


def test_the_table_shows_each_pass_over_the_floor() -> None:
    one = decisions.Decisions(10, 20, Sample((0.004,)), Sample((0.002,)), Sample((0.0001,)))
    text = report.decisions([one])
    assert "10 strategies × 20 contracts" in text
    assert "50,000" in text
    assert "40×" in text
    assert "20×" in text

"""The parts of a fill: sizes and ids. Prices are shown in test_matching.py."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.orders.fills import EXECUTIONS_MAX, execution_id, number_from, parts


@given(st.integers(1, 10**7), st.integers(1, 1000), st.integers(0, 99))
def test_parts_are_whole_bounded_and_sum_to_the_fill(
    quantity: int, part_max: int, seed: int
) -> None:
    cut = parts(Decimal(quantity), Decimal(part_max), seed)
    assert sum(cut) == quantity
    assert all(part == int(part) and part > 0 for part in cut)
    assert len(cut) <= EXECUTIONS_MAX
    assert cut == parts(Decimal(quantity), Decimal(part_max), seed)


def test_without_a_limit_a_fill_is_one_part() -> None:
    assert parts(Decimal(1000), None, 1) == [Decimal(1000)]


def test_execution_ids_have_four_groups_and_end_without_a_correction() -> None:
    """ib.md 4: the last group counts corrections."""
    groups = execution_id(7, 300).split(".")
    assert [len(group) for group in groups] == [8, 8, 2, 2]
    assert groups[1:] == ["0000012c", "01", "01"]


def test_numbers_depend_on_all_their_arguments() -> None:
    drawn = {number_from(*key) for key in ((1, "a", 1), (2, "a", 1), (1, "b", 1), (1, "a", 2))}
    assert len(drawn) == 4

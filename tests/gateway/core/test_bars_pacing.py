"""IB's pacing, counted by us: whatever we let through, IB lets through."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.bars_pacing import Asked, counted, free_at
from schemas.values import BarSpec

START = datetime(2026, 1, 5, 15, tzinfo=UTC)
SMALL = BarSpec("5 secs", "1 D", 1)
LARGE = BarSpec("30 mins", "5 D", 1)


def asked(seconds: float, con_id: int = 1, spec: BarSpec = SMALL) -> Asked:
    return Asked(START + timedelta(seconds=seconds), con_id, spec)


def after(*log: Asked) -> tuple[Asked, ...]:
    kept: tuple[Asked, ...] = ()
    for one in log:
        kept = counted(kept, one)
    return kept


def test_an_identical_question_waits_for_15_seconds() -> None:
    log = after(asked(0))
    assert free_at(log, asked(14)) == START + timedelta(seconds=15)
    assert free_at(log, asked(15)) == START + timedelta(seconds=15)


def test_how_many_bars_are_needed_makes_no_question_another_one() -> None:
    """IB never hears of it."""
    other = BarSpec("5 secs", "1 D", 99)
    assert free_at(after(asked(0)), asked(1, spec=other)) > asked(1).at


def test_a_sixth_question_for_one_contract_waits_for_two_seconds() -> None:
    specs = [BarSpec("5 secs", f"{n} S", 1) for n in range(60, 66)]
    log = after(*(asked(n / 10, spec=spec) for n, spec in enumerate(specs[:5])))
    assert free_at(log, asked(0.5, spec=specs[5])) == START + timedelta(seconds=2)
    assert free_at(log, asked(0.5, con_id=2)) == asked(0.5).at


def test_the_61st_question_waits_until_the_first_is_ten_minutes_old() -> None:
    log = after(*(asked(n, con_id=n) for n in range(60)))
    assert free_at(log, asked(100, con_id=61)) == START + timedelta(minutes=10)


def test_large_bars_wait_for_nothing() -> None:
    log = after(*(asked(0, spec=LARGE) for _ in range(100)))
    assert log == ()
    assert free_at(log, asked(0, spec=LARGE)) == START


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 8), st.integers(1, 3)), max_size=200))
def test_what_is_let_through_breaks_none_of_ibs_rules(asks: list[tuple[int, int, int]]) -> None:
    """By the rules as IB tells them, over everything that was let through."""
    log: tuple[Asked, ...] = ()
    sent: list[Asked] = []
    for tenths, con_id, days in sorted(asks):
        one = asked(tenths / 10, con_id, BarSpec("5 secs", f"{days} D", 1))
        if free_at(log, one) <= one.at:
            log = counted(log, one)
            sent.append(one)
    for i, one in enumerate(sent):
        before = sent[:i]
        same = [b for b in before if (b.con_id, b.spec) == (one.con_id, one.spec)]
        assert not [b for b in same if one.at - b.at < timedelta(seconds=15)]
        alike = [b for b in before if b.con_id == one.con_id]
        assert len([b for b in alike if one.at - b.at < timedelta(seconds=2)]) < 5
        assert len([b for b in before if one.at - b.at < timedelta(minutes=10)]) < 60

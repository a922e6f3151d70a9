"""Kept bars and new ones: joined they are what a whole reading would have told, or it is said."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.core import bars as shelving
from gateway.core.bars import Broken
from gateway.core.ib_bars import IbBar, day_ends, finished_bars
from schemas.documents import BarsDocument
from schemas.messages import Bars
from schemas.values import BarSpec, Contract

SPY = Contract("SPY", con_id=756733)
ES = Contract("ES", "FUT", "CME", con_id=1)
HALF_HOURS = BarSpec("30 mins", "5 D", 1)
DAYS = BarSpec("1 day", "200 D", 1)
HALF_HOUR = timedelta(minutes=30)
COLUMNS = ("time", "open", "high", "low", "close", "volume")
MONDAY = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


def row(start: datetime, close: float) -> IbBar:
    return IbBar(start, close, close + 1, close - 1, close, 10.0)


def series(times: list[datetime], first_close: float = 100.0, contract: Contract = SPY) -> Bars:
    told = [row(start, first_close + i) for i, start in enumerate(times)]
    return finished_bars(contract, "30 mins", told, datetime(2100, 1, 1, tzinfo=UTC))


def part(bars: Bars, first: int, last: int) -> Bars:
    columns: dict[str, Any] = {name: getattr(bars, name)[first:last] for name in COLUMNS}
    return replace(bars, **columns)


def halves(count: int) -> Bars:
    """Half-hour bars of sessions of 13, on days that follow each other."""
    days = (MONDAY + timedelta(days=n) for n in range(count // 13 + 1))
    return series([day + n * HALF_HOUR for day in days for n in range(13)][:count])


def document(bars: Bars, spec: BarSpec = HALF_HOURS) -> BarsDocument:
    return shelving.kept_document(bars, spec, MONDAY)


# ---------------------------------------------------------------------- joining

CUTS = st.integers(2, 60).flatmap(
    lambda count: st.tuples(
        st.just(count), *(st.integers(0, count - 1) for _ in range(2)), st.integers(1, count)
    )
)


@given(CUTS)
def test_kept_and_tail_joined_are_what_a_whole_reading_tells(
    cuts: tuple[int, int, int, int],
) -> None:
    count, first, seam, kept_until = cuts
    assume(first <= seam < kept_until)
    whole = halves(count)
    both = shelving.joined(part(whole, first, kept_until), part(whole, seam, count))
    assert both == part(whole, first, count)


@given(CUTS)
def test_to_join_the_same_tail_twice_changes_nothing(cuts: tuple[int, int, int, int]) -> None:
    count, first, seam, kept_until = cuts
    assume(first <= seam < kept_until)
    tail = part(halves(count), seam, count)
    once = shelving.joined(part(halves(count), first, kept_until), tail)
    assert shelving.joined(once, tail) == once


@given(CUTS, st.integers(0, 3), st.data())
def test_any_price_that_changed_where_both_have_it_breaks_the_seam(
    cuts: tuple[int, int, int, int], column: int, data: st.DataObject
) -> None:
    """As after a split: the broker has divided all that was before."""
    count, first, seam, kept_until = cuts
    assume(first <= seam < kept_until)
    whole = halves(count)
    name = ("open", "high", "low", "close")[column]
    changed = data.draw(st.integers(seam, kept_until - 1))
    prices = list(getattr(whole, name))
    prices[changed] /= 2
    halved: dict[str, Any] = {name: tuple(prices)}
    tail = part(replace(whole, **halved), seam, count)
    with pytest.raises(Broken, match=f"the {name} of .* as after a split"):
        shelving.joined(part(whole, first, kept_until), tail)


@given(st.integers(2, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n - 1))))
def test_a_tail_that_begins_after_the_kept_bars_breaks_the_seam(cut: tuple[int, int]) -> None:
    """What lies between nobody knows."""
    count, at = cut
    with pytest.raises(Broken, match="different ones between"):
        shelving.joined(part(halves(count), 0, at), part(halves(count), at, count))


def test_a_hole_in_the_kept_bars_shows_at_the_seam() -> None:
    whole = halves(30)
    kept = shelving.joined(part(whole, 0, 10), part(whole, 9, 10))
    columns: dict[str, Any] = {n: getattr(kept, n)[:7] + getattr(kept, n)[8:] for n in COLUMNS}
    holed = replace(kept, **columns)
    with pytest.raises(Broken, match="different ones between"):
        shelving.joined(holed, part(whole, 5, 30))


def test_a_tail_without_bars_joins_nothing() -> None:
    with pytest.raises(Broken, match="had no bars"):
        shelving.joined(halves(5), part(halves(5), 5, 5))


def test_a_volume_that_grew_since_is_taken_and_breaks_nothing() -> None:
    """Late prints are added to a bar that is over."""
    whole = halves(10)
    tail = replace(part(whole, 5, 10), volume=(11.0,) * 5)
    assert shelving.joined(part(whole, 0, 7), tail).volume == (10.0,) * 5 + (11.0,) * 5


# ---------------------------------------------------------------------- told twice


def test_a_bar_told_twice_is_kept_once_and_counted() -> None:
    whole = halves(5)
    twice = series([*whole.time[:3], whole.time[2], *whole.time[3:]])
    told: dict[str, Any] = {n: getattr(whole, n)[:3] + getattr(whole, n)[2:] for n in COLUMNS}
    same = replace(twice, **told)
    assert shelving.without_repetitions(same) == (whole, 1)


def test_two_bars_of_one_time_are_an_error() -> None:
    """Nobody can say which one is true."""
    with pytest.raises(Broken, match="two different bars of 2026-01-05 09:30"):
        shelving.without_repetitions(series([MONDAY, MONDAY]))


# ---------------------------------------------------------------------- how much is asked


@pytest.mark.parametrize(
    ("contract", "now", "asked"),
    [
        (SPY, MONDAY + HALF_HOUR, "1 D"),
        (SPY, MONDAY + timedelta(days=1), "2 D"),
        (SPY, MONDAY + timedelta(days=7), "8 D"),
        (ES, MONDAY + HALF_HOUR, "2 D"),
    ],
)
def test_the_tail_is_as_many_days_as_have_passed(
    contract: Contract, now: datetime, asked: str
) -> None:
    """And that of the last bar, for the tail must overlap; a future's Tuesday begins on Monday."""
    assert shelving.tail_question(series([MONDAY], contract=contract), now) == asked


def test_a_whole_question_asks_for_a_day_more_than_is_wanted() -> None:
    """IB counts the day that is forming; we show days of which a bar is finished."""
    assert shelving.whole_question(HALF_HOURS) == "6 D"
    assert shelving.whole_question(BarSpec("1 day", "365 D", 1)) == "365 D"
    assert shelving.whole_question(BarSpec("1 day", "1 Y", 1)) == "1 Y"


def test_a_tail_as_long_as_the_whole_spares_nothing() -> None:
    assert shelving.is_shorter("5 D", HALF_HOURS)
    assert not shelving.is_shorter("6 D", HALF_HOURS)
    assert shelving.is_shorter("30 D", BarSpec("1 day", "1 Y", 1))


@pytest.mark.parametrize(
    ("size", "start", "minutes"), [("30 mins", 0, 60), ("1 hour", 0, 60), ("1 hour", 30, 120)]
)
def test_nothing_new_can_be_over_before_the_next_bar_is(
    size: str, start: int, minutes: int
) -> None:
    """A session's first hour bar, of 09:30, is half as long."""
    kept = replace(series([MONDAY + timedelta(minutes=start)]), size=size)
    expected = MONDAY + timedelta(minutes=start + minutes)
    assert shelving.next_finish(kept, BarSpec(size, "5 D", 1)) == expected


def test_after_a_daily_bar_nothing_new_can_be_over_before_tomorrows_close() -> None:
    kept = replace(series([MONDAY]), size="1 day")
    tomorrow = MONDAY + timedelta(days=1)
    assert shelving.next_finish(kept, DAYS) == tomorrow.replace(hour=21, minute=0)
    evening = replace(DAYS, regular_hours_only=False)
    at_eight = datetime(2026, 1, 7, 1, tzinfo=UTC)
    assert shelving.next_finish(kept, evening) == at_eight


@given(st.integers(1, 40), st.integers(0, 60 * 24 * 3))
def test_before_the_next_finish_a_reading_tells_nothing_new(count: int, minutes: int) -> None:
    """So that nothing has to be asked."""
    told = [row(start, 1.0) for start in halves(80).time]
    kept = finished_bars(SPY, "30 mins", told[:count], datetime(2100, 1, 1, tzinfo=UTC))
    now = kept.time[-1] + timedelta(minutes=minutes)
    if now < shelving.next_finish(kept, HALF_HOURS):
        read = finished_bars(SPY, "30 mins", told, now)
        assert read.time[-1:] <= kept.time[-1:]


# ---------------------------------------------------------------------- what is kept


def test_what_is_kept_answers_what_is_not_longer() -> None:
    kept = document(halves(65))
    assert shelving.why_unfit(kept, HALF_HOURS) == ""
    assert shelving.why_unfit(kept, replace(HALF_HOURS, duration="2 D")) == ""
    assert "5 D were kept" in shelving.why_unfit(kept, replace(HALF_HOURS, duration="6 D"))


@pytest.mark.parametrize(
    "broken",
    [
        {"duration": ""},
        {"duration": "some"},
        {"close": ()},
        {"time": (MONDAY, MONDAY), **dict.fromkeys(COLUMNS[1:], (1.0, 1.0))},
        dict.fromkeys(COLUMNS, ()),
    ],
)
def test_a_document_that_cannot_be_trusted_is_unfit(broken: dict[str, Any]) -> None:
    """Edited by hand, written by another version, or cut."""
    kept = replace(document(halves(26)), **broken)
    assert shelving.why_unfit(kept, HALF_HOURS)


def test_too_few_kept_bars_are_read_anew() -> None:
    """An outage at IB must not be kept for ever."""
    kept = document(halves(3))
    assert shelving.why_unfit(kept, replace(HALF_HOURS, count_min=3)) == ""
    why = shelving.why_unfit(kept, replace(HALF_HOURS, count_min=4))
    assert why == "3 bars were kept, 4 are wanted"


def test_what_a_document_cannot_hold_is_cut_and_answers_nothing() -> None:
    kept = document(halves(shelving.BARS_MAX + 1))
    assert len(kept.time) == shelving.BARS_MAX
    assert kept.time[-1] == halves(shelving.BARS_MAX + 1).time[-1]
    assert shelving.why_unfit(kept, HALF_HOURS)


def test_a_kept_document_comes_back_as_it_was() -> None:
    bars = halves(26)
    assert shelving.kept_bars(document(bars), SPY) == bars


# ---------------------------------------------------------------------- what is seen


def test_a_strategy_sees_the_last_days_of_which_a_bar_is_finished() -> None:
    whole = halves(5 * 13 + 2)
    seen = shelving.window(whole, replace(HALF_HOURS, duration="2 D"), MONDAY)
    assert seen == part(whole, 4 * 13, 5 * 13 + 2)


@given(st.integers(1, 90), st.integers(1, 9), st.integers(0, 40))
def test_what_is_seen_does_not_depend_on_how_much_is_kept(count: int, days: int, more: int) -> None:
    """Kept or read anew, the same message."""
    whole, spec = halves(count + more), replace(HALF_HOURS, duration=f"{days} D")
    longer, cut = shelving.window(whole, replace(spec, duration="9 D"), MONDAY), whole
    assert shelving.window(longer, spec, MONDAY) == shelving.window(cut, spec, MONDAY)


@pytest.mark.parametrize(
    ("duration", "count"), [("3600 S", 2), ("1 W", 13 * 5), ("1 M", 13 * 10), ("1 Y", 13 * 10)]
)
def test_other_durations_reach_back_by_the_calendar(duration: str, count: int) -> None:
    days = [MONDAY + timedelta(days=n) for n in (0, 1, 2, 3, 4, 7, 8, 9, 10, 11)]
    whole = series([day + n * HALF_HOUR for day in days for n in range(13)])
    now = days[-1] + 13 * HALF_HOUR
    seen = shelving.window(whole, replace(HALF_HOURS, duration=duration), now)
    assert len(seen.time) == count


def test_a_futures_evening_is_the_next_day() -> None:
    evening = MONDAY.replace(hour=23)
    assert shelving.trading_day(evening, ES, "30 mins") == date(2026, 1, 6)
    assert shelving.trading_day(evening, SPY, "30 mins") == date(2026, 1, 5)
    assert shelving.trading_day(MONDAY, ES, "1 day") == date(2026, 1, 5)


def test_only_bars_whose_day_is_certain_are_kept() -> None:
    """Tokyo trades on two days of New York's."""
    tokyo = Contract("7203", currency="JPY")
    assert not shelving.can_be_kept(tokyo, HALF_HOURS)
    assert shelving.can_be_kept(tokyo, DAYS)
    assert shelving.can_be_kept(SPY, HALF_HOURS)
    assert shelving.can_be_kept(Contract("EUR", "CASH", currency="JPY"), HALF_HOURS)


def test_bars_of_all_hours_are_kept_apart() -> None:
    assert shelving.name_of(SPY, HALF_HOURS) == "SPY-756733-30mins"
    every = replace(HALF_HOURS, regular_hours_only=False)
    assert shelving.name_of(SPY, every) == "SPY-756733-30mins-all"


@pytest.mark.parametrize("duration", ["", "5", "0 D", "5 days", "-1 D", "366 D", "53 W", "31 Y"])
def test_a_duration_that_ib_does_not_have_is_an_error(duration: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        shelving.check(replace(HALF_HOURS, duration=duration))


def test_the_longest_of_durations_is_by_the_calendar() -> None:
    assert shelving.longest(["5 D", "2 W", "3600 S"]) == "2 W"
    assert shelving.longest(["200 D", "6 M"]) == "200 D"


def test_a_daily_bar_ends_when_its_market_does() -> None:
    """[finished bars only] Currencies and futures trade on after 16:00 New York."""
    assert day_ends(SPY).hour == 16
    assert day_ends(SPY, regular_hours_only=False).hour == 20
    assert day_ends(ES).hour == 17
    told = [IbBar(date(2026, 1, 5), 1.0, 1.0, 1.0, 1.0, 1.0)]
    half_past_four = datetime(2026, 1, 5, 21, 30, tzinfo=UTC)
    assert finished_bars(ES, "1 day", told, half_past_four, day_ends(ES)).time == ()
    assert len(finished_bars(SPY, "1 day", told, half_past_four, day_ends(SPY)).time) == 1

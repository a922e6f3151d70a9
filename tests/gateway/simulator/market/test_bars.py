"""Bar files: read, merged, refused with file, line and reason; and the calendar in them."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.simulator.market.bars import BarBook, BarsError, read_folder

HEADER = "time,open,high,low,close,volume\n"
FIRST = "2025-12-12T09:30:00-05:00,10,12,9,11,100\n"
SECOND = "2025-12-12T10:00:00-05:00,11,13,10,12,100\n"
DAILY = "2025-12-12,10,12,9,11,100\n"


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Write files into a folder: `folder(SPY_30min=text)`."""

    def write(**files: str) -> Path:
        for name, text in files.items():
            (tmp_path / f"{name}.csv").write_text(text)
        return tmp_path

    return write


def test_a_folder_becomes_bars_by_symbol_and_size(folder: Callable[..., Path]) -> None:
    book = read_folder(folder(SPY_30min_x=HEADER + FIRST + SECOND, QQQ_1day=HEADER + DAILY))
    assert book.symbols == ("QQQ", "SPY")
    bar = book.series("SPY", "30 mins").bars[1]
    assert (bar.open, bar.high, bar.low, bar.close) == tuple(map(Decimal, (11, 13, 10, 12)))
    assert bar.start.isoformat() == "2025-12-12T15:00:00+00:00"
    assert bar.end - bar.start == timedelta(minutes=30)


def test_a_daily_bar_is_a_new_york_session(folder: Callable[..., Path]) -> None:
    bar = read_folder(folder(QQQ_1day=HEADER + DAILY)).series("QQQ", "1 day").bars[0]
    assert bar.start.isoformat() == "2025-12-12T14:30:00+00:00"
    assert bar.end.isoformat() == "2025-12-12T21:00:00+00:00"


def test_only_finished_bars_are_bars(
    folder: Callable[..., Path], at: Callable[..., datetime]
) -> None:
    book = read_folder(folder(SPY_30min=HEADER + FIRST + SECOND))
    assert len(book.bars("SPY", "30 mins", at("10:29"))) == 1
    assert len(book.bars("SPY", "30 mins", at("10:30"))) == 2
    assert book.bars("VIXY", "30 mins", at("10:30")) == ()


def test_files_of_one_symbol_are_merged_where_they_agree(folder: Callable[..., Path]) -> None:
    book = read_folder(folder(SPY_30min_b=HEADER + FIRST, SPY_30min_a=HEADER + FIRST + SECOND))
    assert len(book.series("SPY", "30 mins").bars) == 2


def test_files_that_contradict_each_other_are_refused(folder: Callable[..., Path]) -> None:
    path = folder(SPY_30min_a=HEADER + FIRST, SPY_30min_b=HEADER + FIRST.replace("100", "101"))
    with pytest.raises(BarsError, match=r"SPY_30min_b\.csv:2: differs .* SPY_30min_a\.csv:2"):
        read_folder(path)


BAD_FILES = [
    ("time,open,high,low,close\n", "1: missing column volume"),
    ("time,x", "1: missing column open, high, low, close, volume"),
    (HEADER, "1: no bars"),
    (HEADER + SECOND + FIRST, "3: time goes backwards"),
    (HEADER + FIRST + FIRST, "3: duplicate time"),
    (HEADER + FIRST.replace("11", "x"), "2: close 'x' is not a number"),
    (HEADER + FIRST.replace("11", "NaN"), "2: close 'NaN' is not finite"),
    (HEADER + FIRST.replace("11", "Infinity"), "2: close 'Infinity' is not finite"),
    (HEADER + FIRST.replace(",9,", ",0,"), "2: a price is not positive"),
    (HEADER + FIRST.replace(",9,", ",12.5,"), "2: high 12 is below low 12.5"),
    (HEADER + FIRST.replace(",11,", ",13,"), "2: open or close is outside low to high"),
    (HEADER + FIRST.replace(",100", ",-1"), "2: volume is negative"),
    (HEADER + FIRST.replace("-05:00", ""), "2: time '2025-12-12T09:30:00' has no zone"),
    (HEADER + DAILY.replace("2025-12-12", "noon"), "2: time 'noon' is not an ISO time"),
    (HEADER + FIRST + "1,2\n", "3: 2 cells under 6 columns"),
    (HEADER + '"', "2: unexpected end of data"),
]


@pytest.mark.parametrize(("text", "reason"), BAD_FILES, ids=[reason for _, reason in BAD_FILES])
def test_a_bad_file_is_refused_with_file_line_and_reason(
    folder: Callable[..., Path], text: str, reason: str
) -> None:
    with pytest.raises(BarsError) as refused:
        read_folder(folder(SPY_30min=text))
    assert str(refused.value) == f"SPY_30min.csv:{reason}"


def test_an_intraday_time_in_a_daily_file_is_refused(folder: Callable[..., Path]) -> None:
    with pytest.raises(BarsError, match=r"SPY_1day\.csv:2: .* not a plain date"):
        read_folder(folder(SPY_1day=HEADER + FIRST))


@pytest.mark.parametrize("name", ["spy_30min", "SPY", "SPY_5min", "SPY_30minutes"])
def test_a_file_of_an_unknown_name_is_refused(folder: Callable[..., Path], name: str) -> None:
    with pytest.raises(BarsError, match=f"{name}.csv:0: the name"):
        read_folder(folder(**{name: HEADER + FIRST}))


def test_a_folder_without_bars_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BarsError, match="no file named like"):
        read_folder(tmp_path)
    with pytest.raises(BarsError, match="not a folder"):
        read_folder(tmp_path / "absent")


def test_days_without_daily_bars_get_them_from_whole_intraday_ones(book: BarBook) -> None:
    bar = book.series("SPY", "1 day").bars[0]
    assert (bar.open, bar.high, bar.low, bar.close) == tuple(map(Decimal, (500, 514, 498, 513)))
    assert bar.volume == 13_000


def test_a_whole_day_has_all_its_bars(folder: Callable[..., Path], book: BarBook) -> None:
    assert book.whole_days() == (date(2025, 12, 11), date(2025, 12, 12))
    partial = read_folder(folder(SPY_30min=HEADER + FIRST + SECOND))
    assert partial.whole_days() == ()
    assert partial.trading_days == (date(2025, 12, 12),)


@pytest.mark.parametrize(
    ("day", "open_"), [("2025-12-12", True), ("2025-12-13", False), ("2025-12-15", True)]
)
def test_weekends_have_no_session(book: BarBook, day: str, open_: bool) -> None:
    assert (book.session(date.fromisoformat(day)) is not None) is open_


def test_the_last_whole_day_is_the_last_day(shared_book: BarBook) -> None:
    assert shared_book.symbols == ("SPY", "SQQQ", "VIXY")
    assert shared_book.whole_days()[-1] == date(2025, 12, 12)


def test_days_with_gaps_are_not_whole(shared_book: BarBook) -> None:
    missing = set(shared_book.trading_days) - set(shared_book.whole_days())
    assert {day.isoformat() for day in missing} == {"2019-12-13", "2019-12-17", "2019-12-24"}


def test_early_closes_are_recognised(shared_book: BarBook) -> None:
    early = [day for day in shared_book.trading_days if (s := shared_book.session(day)) and s.early]
    assert [day.isoformat() for day in early] == ["2019-12-24", "2025-07-03", "2025-11-28"]


@pytest.mark.parametrize("day", ["2019-12-25", "2020-01-01", "2025-07-04", "2025-11-27"])
def test_holidays_have_no_session(shared_book: BarBook, day: str) -> None:
    assert shared_book.session(date.fromisoformat(day)) is None


def test_daily_bars_come_from_the_file_where_there_is_one(shared_book: BarBook) -> None:
    days = [bar.start.year for bar in shared_book.series("SPY", "1 day").bars]
    assert (days.count(2022) + days.count(2023), days.count(2025)) == (371, 150)


def intraday(start: str, *prices: int, minutes: int = 30) -> str:
    """Bars from a start on, each flat at one price."""
    first = datetime.fromisoformat(start)
    times = [first + timedelta(minutes=minutes * number) for number in range(len(prices))]
    rows = zip(times, prices, strict=True)
    return HEADER + "".join(f"{when.isoformat()},{p},{p},{p},{p},7\n" for when, p in rows)


def test_bars_outside_regular_hours_are_kept_and_change_no_day(
    folder: Callable[..., Path],
) -> None:
    whole = intraday("2025-12-12T04:00:00-05:00", *range(100, 132))
    book = read_folder(folder(SPY_30min=whole))
    assert len(book.series("SPY", "30 mins").bars) == 32
    assert book.whole_days() == (date(2025, 12, 12),)
    session = book.session(date(2025, 12, 12))
    assert session is not None
    assert not session.early
    (daily,) = book.series("SPY", "1 day").bars
    assert [daily.open, daily.close, daily.volume] == list(map(Decimal, (111, 123, 13 * 7)))


def test_where_bars_go_on_after_the_close_the_rules_tell_when_it_was(
    folder: Callable[..., Path],
) -> None:
    """2025-11-28: New York closed at 13:00 and extended hours went on until 17:00."""
    book = read_folder(folder(SPY_30min=intraday("2025-11-28T04:00:00-05:00", *range(100, 126))))
    session = book.session(date(2025, 11, 28))
    assert session is not None
    assert session.early
    assert book.series("SPY", "1 day").bars[0].close == 117


def test_daily_bars_of_short_days_end_early_by_rule(folder: Callable[..., Path]) -> None:
    book = read_folder(folder(SPY_1day=HEADER + DAILY.replace("2025-12-12", "2022-11-25")))
    assert book.series("SPY", "1 day").bars[0].end.isoformat() == "2022-11-25T18:00:00+00:00"


def test_pairs_and_futures_stand_beside_stocks_and_do_not_make_their_calendar(
    folder: Callable[..., Path],
) -> None:
    evening = "2025-12-14T18:00:00-05:00"
    book = read_folder(
        folder(
            **{"EUR.USD_1min": intraday(evening, 1, 2, minutes=1)},
            ESZ5_30min=intraday(evening, 3),
            SPY_30min=HEADER + FIRST,
        )
    )
    assert book.symbols == ("ESZ5", "EUR.USD", "SPY")
    assert book.trading_days == (date(2025, 12, 12),)
    monday = date(2025, 12, 15)
    assert {book.series(key, "1 min").bars[0].day for key in ("EUR.USD",)} == {monday}
    assert book.series("ESZ5", "30 mins").bars[0].day == monday
    assert book.days == (date(2025, 12, 12), monday)


def test_a_day_of_a_pair_is_made_of_its_bars_when_they_reach_both_ends(
    folder: Callable[..., Path],
) -> None:
    start = "2025-12-11T17:00:00-05:00"
    whole = intraday(start, *range(100, 148))
    book = read_folder(folder(**{"EUR.USD_30min": whole}))
    (daily,) = book.series("EUR.USD", "1 day").bars
    assert (daily.day, int(daily.close)) == (date(2025, 12, 12), 147)
    assert book.whole_days() == (date(2025, 12, 12),)
    part = read_folder(folder(**{"EUR.USD_30min": intraday(start, *range(100, 120))}))
    assert part.series("EUR.USD", "1 day").bars == ()


def test_a_print_after_fridays_close_opens_no_weekend(folder: Callable[..., Path]) -> None:
    friday = intraday("2025-12-12T16:30:00-05:00", 1, 2)
    book = read_folder(folder(**{"EUR.USD_30min": friday}))
    assert book.calendar("FX").regular(date(2025, 12, 13)) is None


def test_a_daily_bar_of_a_pair_on_a_weekend_is_refused(folder: Callable[..., Path]) -> None:
    path = folder(**{"EUR.USD_1day": HEADER + DAILY.replace("2025-12-12", "2025-12-13")})
    with pytest.raises(BarsError, match=r"EUR\.USD_1day\.csv:2: EUR\.USD does not trade on Sat"):
        read_folder(path)


def test_the_last_finished_bar_and_the_next_change_are_found(
    book: BarBook, at: Callable[..., datetime]
) -> None:
    series = book.series("SPY", "30 mins")
    assert series.last_finished(at("09:59", -1)) is None
    assert series.last_finished(at("10:10")) == series.finished(at("10:10"))[-1]
    assert series.next_change(at("10:10")) == at("10:30")
    assert series.next_change(at("16:00", -1)) == at("09:30")
    assert series.next_change(at("16:00")) is None

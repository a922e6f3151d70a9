"""Cases about the past: bars of all kinds, their times, sessions, the first bar there is."""

from dataclasses import replace
from datetime import UTC, datetime

from gateway.simulator import requests as q
from gateway.simulator.conformance.case import Chapter, Differs, Need, Unsuited
from gateway.simulator.conformance.reading_contracts import (
    EUR_USD,
    NO_DEFINITION,
    UNKNOWN_SYMBOL,
)
from gateway.simulator.conformance.talk import Messages, Talk
from gateway.simulator.replies import HistoricalBar
from gateway.simulator.wire.zones import zone

CHAPTER = Chapter("history")
INVALID, NO_DATA, UNKNOWN_QUERY = 321, 162, 366
SECONDS = 45.0
UPDATE_SECONDS = 30.0
NO_PERMISSION = ("permission", "subscri")


def _request(talk: Talk, **changes: object) -> q.HistoricalDataRequest:
    """Half hours of the last two days, in regular hours, unless something else is asked for."""
    usual = q.HistoricalDataRequest(
        talk.new_id(), talk.contract, False, "", "30 mins", "2 D", True, "TRADES", 1, False
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


async def _answer(talk: Talk, request: q.HistoricalDataRequest) -> Messages:
    heard = await talk.ask(request, end="HistoricalData", seconds=SECONDS)
    for notice in heard.where(lambda item: item.code == NO_DATA).replies:
        if any(word in notice.text.lower() for word in NO_PERMISSION):
            raise Unsuited(f"error 162: {notice.text}")
    return heard


async def _bars(talk: Talk, request: q.HistoricalDataRequest) -> tuple[HistoricalBar, ...]:
    heard = await _answer(talk, request)
    talk.check(heard.kinds == ["HistoricalData"], "one message with bars", heard)
    bars: tuple[HistoricalBar, ...] = heard[-1].reply.bars
    talk.check(bool(bars), "bars", "none")
    return bars


async def _refused(talk: Talk, code: int, request: q.HistoricalDataRequest) -> None:
    heard = await talk.ask(request, end="HistoricalData", seconds=SECONDS)
    talk.check(heard.codes == [code] and len(heard) == 1, f"error {code} alone", heard)


def _instant(text: str) -> datetime:
    """The time of an intraday bar in format 1. Raises Differs."""
    stamp, _, name = text.rpartition(" ")
    try:
        return datetime.strptime(stamp, "%Y%m%d %H:%M:%S").replace(tzinfo=zone(name))
    except (ValueError, KeyError, OSError):
        raise Differs("yyyymmdd hh:mm:ss zone", text) from None


@CHAPTER.case(Need.HISTORY)
async def bars_of_a_day_have_dates_that_rise(talk: Talk) -> None:
    """Daily bars have plain dates, whatever the date format; the oldest comes first.

    Source: TWS API, historical_bars; design/ib.md 1.2.
    """
    bars = await _bars(talk, _request(talk, bar_size="1 day", duration="5 D", date_format=2))
    dates = [bar.time for bar in bars]
    right = all(len(date) == 8 and date.isdecimal() for date in dates)
    talk.check(right, "dates like 20251212", dates[0])
    talk.check(dates == sorted(set(dates)), "dates that rise", "others")


@CHAPTER.case(Need.HISTORY)
async def five_days_are_five_daily_bars(talk: Talk) -> None:
    """A duration in days counts trading days.

    Source: TWS API, historical_bars, durations (`D` is days of trading).
    """
    bars = await _bars(talk, _request(talk, bar_size="1 day", duration="5 D"))
    talk.check(len(bars) == 5, "5 bars", f"{len(bars)} bars")


@CHAPTER.case(Need.HISTORY)
async def intraday_bars_have_times_with_a_zone(talk: Talk) -> None:
    """In date format 1 an intraday bar's time is text with the exchange's zone.

    Source: TWS API, historical_bars; design/ib.md 1.2.
    """
    bars = await _bars(talk, _request(talk))
    times = [_instant(bar.time) for bar in bars]
    talk.check(times == sorted(set(times)), "times that rise", "others")
    talk.note(f"zone {bars[0].time.rpartition(' ')[2]}")


@CHAPTER.case(Need.HISTORY)
async def bars_in_date_format_2_have_seconds_of_the_epoch(talk: Talk) -> None:
    """In date format 2 an intraday bar's time is seconds since 1970.

    Source: TWS API, historical_bars (formatDate).
    """
    bars = await _bars(talk, _request(talk, date_format=2, duration="1 D"))
    times = [bar.time for bar in bars]
    talk.check(all(time.isdecimal() for time in times), "seconds", times[0])
    numbers = [int(time) for time in times]
    talk.check(numbers == sorted(set(numbers)), "times that rise", "others")


@CHAPTER.case(Need.HISTORY)
async def both_date_formats_tell_the_same_bars(talk: Talk) -> None:
    """The format changes how times are written, not which bars come.

    Source: TWS API, historical_bars (formatDate).
    """
    text = await _bars(talk, _request(talk, bar_size="1 hour"))
    epoch = await _bars(talk, _request(talk, bar_size="1 hour", date_format=2))
    told = [int(_instant(bar.time).timestamp()) for bar in text][:-1]
    talk.check(told == [int(bar.time) for bar in epoch][: len(told)], "the same times", "others")


@CHAPTER.case(Need.HISTORY)
async def bars_in_regular_hours_lie_between_opening_and_close(talk: Talk) -> None:
    """useRTH leaves out what traded outside regular hours.

    Source: TWS API, historical_bars (useRTH).
    """
    bars = await _bars(talk, _request(talk, bar_size="1 hour", duration="3 D"))
    hours = [_instant(bar.time).astimezone(zone("America/New_York")) for bar in bars]
    right = all((9, 30) <= (hour.hour, hour.minute) < (16, 0) for hour in hours)
    talk.check(right, "bars from 09:30 to 16:00 in New York", "others too")


@CHAPTER.case(Need.HISTORY)
async def a_bar_s_high_and_low_enclose_its_open_and_close(talk: Talk) -> None:
    """Four prices, a volume, an average and a count per bar.

    Source: TWS API, historical_bars.
    """
    for bar in await _bars(talk, _request(talk, bar_size="1 day", duration="3 D")):
        inner = (bar.open, bar.close)
        talk.check(bar.low <= min(inner) and max(inner) <= bar.high, "low, open, high", "others")
        talk.check(bar.volume >= 0, "a volume not below 0", str(bar.volume))


@CHAPTER.case(Need.HISTORY)
async def bars_of_the_middle_have_no_volume(talk: Talk) -> None:
    """Only TRADES have a volume; MIDPOINT, BID and ASK write -1.

    Source: TWS API, historical_bars, whatToShow.
    """
    bars = await _bars(talk, _request(talk, what_to_show="MIDPOINT", duration="1 D"))
    talk.check({bar.volume for bar in bars} == {-1}, "volumes of -1", str(bars[0].volume))


@CHAPTER.case(Need.HISTORY)
async def bars_of_the_ask_are_not_below_bars_of_the_bid(talk: Talk) -> None:
    """BID and ASK are two sides of one market.

    Source: TWS API, historical_bars, whatToShow.
    """
    end = _noon_utc(talk)
    bids = await _bars(talk, _request(talk, what_to_show="BID", duration="1 D", end=end))
    asks = await _bars(talk, _request(talk, what_to_show="ASK", duration="1 D", end=end))
    pairs = list(zip(bids, asks, strict=False))
    talk.check([b.time for b, _ in pairs] == [a.time for _, a in pairs], "the same times", "others")
    talk.check(all(ask.close >= bid.close for bid, ask in pairs), "asks above bids", "below")


@CHAPTER.case(Need.HISTORY)
async def an_end_time_cuts_the_bars_off(talk: Talk) -> None:
    """No bar begins after the end that was asked for.

    Source: TWS API, historical_bars (endDateTime).
    """
    end = _noon_utc(talk)
    bars = await _bars(talk, _request(talk, end=end, duration="1 D"))
    last = _instant(bars[-1].time).astimezone(UTC)
    limit = datetime.strptime(end, "%Y%m%d %H:%M:%S UTC").replace(tzinfo=UTC)
    talk.check(last < limit, "no bar from after the end", "a later one")


@CHAPTER.case(Need.HISTORY)
async def a_dash_in_an_end_time_means_utc(talk: Talk) -> None:
    """`yyyymmdd-hh:mm:ss` is the same instant as `yyyymmdd hh:mm:ss UTC`.

    Source: TWS API, historical_bars (endDateTime); error 2174 asks for one of the two.
    """
    end = _noon_utc(talk)
    spoken = await _bars(talk, _request(talk, end=end, duration="7200 S"))
    dashed_end = end.removesuffix(" UTC").replace(" ", "-")
    dashed = await _bars(talk, _request(talk, end=dashed_end, duration="7200 S"))
    talk.check([bar.time for bar in spoken] == [bar.time for bar in dashed], "the same", "others")


@CHAPTER.case(Need.HISTORY)
async def an_unknown_bar_size_is_error_321(talk: Talk) -> None:
    """Bar sizes are a fixed list.

    Source: TWS API, historical_bars (valid bar sizes); message_codes 321.
    """
    await _refused(talk, INVALID, _request(talk, bar_size="7 mins"))


@CHAPTER.case(Need.HISTORY)
async def more_than_a_year_in_days_is_error_321(talk: Talk) -> None:
    """Durations longer than 365 days must be made in years.

    Source: TWS API, historical_bars; message_codes 321.
    """
    await _refused(talk, INVALID, _request(talk, duration="400 D", bar_size="1 day"))


@CHAPTER.case(Need.HISTORY)
async def adjusted_bars_take_no_end_time(talk: Talk) -> None:
    """ADJUSTED_LAST is refused with an end time.

    Source: TWS API, historical_bars (ADJUSTED_LAST); message_codes 321.
    """
    wanted = _request(talk, what_to_show="ADJUSTED_LAST", end=_noon_utc(talk), bar_size="1 day")
    await _refused(talk, INVALID, wanted)


@CHAPTER.case(Need.HISTORY)
async def bars_that_are_kept_up_to_date_take_no_end_time(talk: Talk) -> None:
    """keepUpToDate goes on from now, so an end makes no sense.

    Source: TWS API, historical_bars (keepUpToDate).
    """
    await _refused(talk, INVALID, _request(talk, keep_up_to_date=True, end=_noon_utc(talk)))


@CHAPTER.case(Need.HISTORY)
async def a_pair_has_no_trades(talk: Talk) -> None:
    """Currencies have bids and asks only: TRADES are error 162.

    Source: TWS API, historical_bars (available data per product).
    """
    await _refused(talk, NO_DATA, _request(talk, contract=EUR_USD, duration="1 D"))


@CHAPTER.case()
async def bars_of_an_unknown_contract_are_error_200(talk: Talk) -> None:
    """A contract that is not found has no bars.

    Source: TWS API, message_codes 200.
    """
    unknown = replace(talk.contract, con_id=0, symbol=UNKNOWN_SYMBOL, local_symbol="")
    await _refused(talk, NO_DEFINITION, _request(talk, contract=unknown))


@CHAPTER.case(Need.HISTORY, Need.OPEN_MARKET, seconds_max=120)
async def bars_that_are_kept_up_to_date_go_on(talk: Talk) -> None:
    """After the bars of the past come updates of the newest one, every few seconds.

    Source: TWS API, historical_bars (keepUpToDate: historicalDataUpdate).
    """
    request = _request(talk, keep_up_to_date=True, duration="3 D")
    heard = await _answer(talk, request)
    talk.check(heard.kinds == ["HistoricalData"], "bars of the past first", heard)
    with talk.expecting("an update of the newest bar"):
        await talk.client.until(
            lambda item: item.kind == "HistoricalDataUpdate" and item.id == request.request_id,
            since=heard[-1].place,
            seconds=UPDATE_SECONDS,
        )


@CHAPTER.case(Need.HISTORY)
async def a_cancel_ends_bars_that_are_kept_up_to_date(talk: Talk) -> None:
    """Error 162 says that the query was cancelled; no update comes after it.

    Source: TWS API, message_codes 162; ib_insync #268.
    """
    request = _request(talk, keep_up_to_date=True, duration="1 D")
    await _answer(talk, request)
    since = await talk.tell(q.HistoricalDataCancel(request.request_id))
    await talk.listen(3)
    mine = Messages(talk.client.heard[since:]).about(request.request_id)
    talk.note(str(mine.codes))
    done = next((n for n, item in enumerate(mine) if item.code == NO_DATA), None)
    talk.check(done is not None, "error 162, cancelled", mine)
    talk.check(not mine[(done or 0) + 1 :], "nothing after it", mine)


@CHAPTER.case()
async def a_cancel_of_no_query_is_error_366(talk: Talk) -> None:
    """Nothing goes by this id.

    Source: TWS API, message_codes 366; ib_async #88.
    """
    request_id = talk.new_id()
    since = await talk.tell(q.HistoricalDataCancel(request_id))
    heard = await talk.answer(request_id, lambda item: bool(item.code), since)
    talk.check(heard.codes == [UNKNOWN_QUERY], "error 366", heard)


@CHAPTER.case(Need.HISTORY)
async def a_schedule_tells_sessions_in_order(talk: Talk) -> None:
    """whatToShow SCHEDULE answers with the sessions of the days, in a zone that is named.

    Source: TWS API, historical_bars (SCHEDULE, historicalSchedule).
    """
    request = _request(talk, what_to_show="SCHEDULE", bar_size="1 day", duration="5 D")
    heard = await talk.ask(request, end="HistoricalSchedule", seconds=SECONDS)
    talk.check(heard.kinds == ["HistoricalSchedule"], "a schedule", heard)
    found = heard[-1].reply
    days = [session.day for session in found.sessions]
    talk.check(len(days) == 5 and days == sorted(days), "5 days that rise", str(len(days)))
    talk.check(all(s.start < s.end for s in found.sessions), "starts before ends", "others")
    talk.note(f"zone {found.time_zone}")


@CHAPTER.case(Need.HISTORY)
async def a_head_timestamp_is_a_time_of_utc(talk: Talk) -> None:
    """In format 1 the first data's time is yyyymmdd-hh:mm:ss.

    Source: TWS API, head_timestamp.
    """
    request = q.HeadTimestampRequest(talk.new_id(), talk.contract, False, True, "TRADES", 1)
    heard = await talk.ask(request, end="HeadTimestamp", seconds=SECONDS)
    talk.check(heard.kinds == ["HeadTimestamp"], "a time", heard)
    text = heard[-1].reply.time
    try:
        datetime.strptime(text, "%Y%m%d-%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise Differs("yyyymmdd-hh:mm:ss", text) from None


@CHAPTER.case(Need.HISTORY)
async def a_head_timestamp_in_format_2_is_seconds(talk: Talk) -> None:
    """In format 2 the first data's time is seconds since 1970.

    Source: TWS API, head_timestamp (formatDate).
    """
    request = q.HeadTimestampRequest(talk.new_id(), talk.contract, False, False, "TRADES", 2)
    heard = await talk.ask(request, end="HeadTimestamp", seconds=SECONDS)
    talk.check(heard.kinds == ["HeadTimestamp"], "a time", heard)
    talk.check(heard[-1].reply.time.isdecimal(), "seconds", heard[-1].reply.time)


def _noon_utc(talk: Talk) -> str:
    """20:00 UTC of the day before: regular hours had begun, and it is long over."""
    now = talk.facts.now
    if now is None:
        raise Unsuited("the gateway tells no time")
    day = now.toordinal() - 1
    while datetime.fromordinal(day).weekday() > 4:
        day -= 1
    return f"{datetime.fromordinal(day):%Y%m%d} 20:00:00 UTC"

"""Cases about the market now: snapshots and streams, kinds of data, ticks one by one."""

from dataclasses import replace
from itertools import pairwise

from gateway.simulator import requests as q
from gateway.simulator.conformance.case import Chapter, Differs, Need
from gateway.simulator.conformance.hearing import Heard
from gateway.simulator.conformance.reading_contracts import NO_DEFINITION, UNKNOWN_SYMBOL
from gateway.simulator.conformance.talk import NO_DATA, Messages, Talk

CHAPTER = Chapter("market data")
INVALID, DUPLICATE, NO_TICKER = 321, 322, 300
SIZED = {1: 0, 2: 3, 4: 5, 66: 69, 67: 70, 68: 71}
"""Which tick type is the size of a price."""
BIDS, ASKS = (1, 66), (2, 67)
SNAPSHOT_SECONDS = 20.0
"""IB collects a snapshot's ticks for up to eleven seconds."""
ANNOUNCES_DELAY = 10167


async def _open(talk: Talk, **changes: object) -> q.MarketDataRequest:
    """A request for data of the kind that the account has, which is chosen first."""
    if talk.facts.quotes == "delayed":
        await talk.tell(q.MarketDataTypeRequest(3))
    usual = q.MarketDataRequest(talk.new_id(), talk.contract, "", False, False, "")
    return replace(usual, **changes)  # type: ignore[arg-type]


async def _streamed(talk: Talk, seconds: float = 5) -> Messages:
    """What a stream says in its first seconds; it is cancelled then."""
    request = await _open(talk)
    since = await talk.tell(request)
    with talk.expecting("a price"):
        await talk.client.until(lambda item: _is_price(item, request.request_id), since=since)
    await talk.listen(seconds)
    heard = Messages(talk.client.heard[since:]).about(request.request_id)
    await talk.tell(q.MarketDataCancel(request.request_id))
    return heard


def _is_price(item: Heard, request_id: int) -> bool:
    return item.kind == "TickPrice" and item.id == request_id and item.reply.price > 0


def _price(heard: Messages, types: tuple[int, ...]) -> object:
    prices = [tick.price for tick in heard.of("TickPrice").replies if tick.tick_type in types]
    return prices[-1] if prices else None


@CHAPTER.case(Need.QUOTES)
async def a_stream_begins_with_its_parameters(talk: Talk) -> None:
    """tickReqParams tells the smallest price step and the exchange map before any price.

    Source: TWS API, md_request (tickReqParams); design/ib.md 1.5.
    """
    heard = await _streamed(talk, 1)
    kinds = heard.of("TickRequestParameters", "TickPrice").kinds
    talk.check(kinds[:1] == ["TickRequestParameters"], "tickReqParams before prices", heard)
    talk.check(heard.of("TickRequestParameters")[0].reply.tick > 0, "a step above 0", "none")


@CHAPTER.case(Need.QUOTES)
async def the_kind_of_data_is_told_before_a_price(talk: Talk) -> None:
    """marketDataType says whether what follows is live, frozen or delayed.

    Source: TWS API, market_data_type.
    """
    heard = await _streamed(talk, 1)
    kinds = heard.of("MarketDataType", "TickPrice").kinds
    talk.check(kinds[:1] == ["MarketDataType"], "marketDataType before prices", heard)
    told = heard.of("MarketDataType")[0].reply.type
    expected = (1, 2) if talk.facts.quotes == "live" else (3, 4)
    talk.check(told in expected, f"a type of {expected}", str(told))


@CHAPTER.case(Need.QUOTES)
async def a_price_brings_its_size(talk: Talk) -> None:
    """The message of a bid, ask or last has its size in it: clients make a tickSize of that.

    Source: TWS API, EWrapper::tickPrice (every callback is followed by a tickSize).
    """
    heard = await _streamed(talk)
    ticks = [tick for tick in heard.of("TickPrice").replies if tick.tick_type in SIZED]
    talk.check(bool(ticks), "a bid, an ask or a last price", heard)
    talk.check(all(tick.size >= 0 for tick in ticks), "sizes", "one below 0")
    extra = {tick.tick_type for tick in heard.of("TickSize").replies} & set(SIZED.values())
    talk.note("sizes also come alone" if extra else "sizes come with prices only")


@CHAPTER.case(Need.QUOTES, Need.OPEN_MARKET)
async def the_bid_is_below_the_ask(talk: Talk) -> None:
    """In an open market both sides are quoted, and not crossed.

    Source: TWS API, tick_types 1 and 2; 66 and 67 for delayed data.
    """
    heard = await _streamed(talk)
    bid, ask = _price(heard, BIDS), _price(heard, ASKS)
    if bid is None or ask is None:
        raise Differs("a bid and an ask", "not both")
    talk.check(bid <= ask, "a bid not above the ask", "a crossed market")  # type: ignore[operator]


@CHAPTER.case(Need.QUOTES)
async def a_cancelled_stream_says_nothing_more(talk: Talk) -> None:
    """cancelMktData has no answer, and ends the stream.

    Source: TWS API, md_cancel.
    """
    request = await _open(talk)
    since = await talk.tell(request)
    with talk.expecting("a price"):
        await talk.client.until(lambda item: _is_price(item, request.request_id), since=since)
    await talk.tell(q.MarketDataCancel(request.request_id))
    await talk.listen(2)
    since = talk.client.mark()
    await talk.listen(3)
    later = Messages(talk.client.heard[since:]).about(request.request_id)
    talk.check(not later, "silence after the cancel", later)


@CHAPTER.case(Need.QUOTES)
async def a_snapshot_ends(talk: Talk) -> None:
    """A snapshot is ticks and then tickSnapshotEnd, within some eleven seconds.

    Source: TWS API, md_request (snapshots).
    """
    request = await _open(talk, snapshot=True)
    since = await talk.tell(request)
    with talk.expecting("tickSnapshotEnd"):
        await talk.client.until(
            lambda item: item.kind == "TickSnapshotEnd" and item.id == request.request_id,
            since=since,
            seconds=SNAPSHOT_SECONDS,
        )
    heard = Messages(talk.client.heard[since:]).about(request.request_id)
    ends = [place for place, kind in enumerate(heard.kinds) if kind == "TickSnapshotEnd"]
    heard = Messages(heard[: ends[0] + 1])
    talk.check(bool(heard.of("TickPrice")), "a price before the end", heard)
    later = await talk.after(heard, 2)
    talk.check(not later, "nothing after the end", later)


@CHAPTER.case(Need.QUOTES)
async def a_snapshot_takes_no_generic_ticks(talk: Talk) -> None:
    """Generic ticks come with a stream only: error 321.

    Source: TWS API, message_codes 321; md_request (snapshots).
    """
    await _refused(talk, INVALID, await _open(talk, snapshot=True, generic_ticks="233"))


@CHAPTER.case(Need.QUOTES)
async def an_unknown_generic_tick_is_error_321(talk: Talk) -> None:
    """Generic ticks are numbers of a list.

    Source: TWS API, message_codes 321; tick_types (generic tick required).
    """
    await _refused(talk, INVALID, await _open(talk, generic_ticks="no-such-tick"))


@CHAPTER.case(Need.QUOTES)
async def an_id_that_has_a_stream_is_error_322(talk: Talk) -> None:
    """A ticker id is used for one stream at a time.

    Source: TWS API, message_codes 322 (duplicate ticker id); ib_insync #677.
    """
    request = await _open(talk)
    since = await talk.tell(request)
    with talk.expecting("a price"):
        await talk.client.until(lambda item: _is_price(item, request.request_id), since=since)
    since = await talk.tell(request)
    with talk.expecting("error 322"):
        await talk.client.until(lambda item: item.code == DUPLICATE, since=since)
    await talk.tell(q.MarketDataCancel(request.request_id))


@CHAPTER.case()
async def a_cancel_of_no_stream_is_error_300(talk: Talk) -> None:
    """Nothing goes by this id.

    Source: TWS API, message_codes 300.
    """
    request_id = talk.new_id()
    since = await talk.tell(q.MarketDataCancel(request_id))
    heard = await talk.answer(request_id, lambda item: bool(item.code), since)
    talk.check(heard.codes == [NO_TICKER], "error 300", heard)


@CHAPTER.case()
async def data_of_an_unknown_contract_are_error_200(talk: Talk) -> None:
    """A contract that is not found has no market.

    Source: TWS API, message_codes 200.
    """
    unknown = replace(talk.contract, con_id=0, symbol=UNKNOWN_SYMBOL, local_symbol="")
    await _refused(talk, NO_DEFINITION, await _open(talk, contract=unknown))


@CHAPTER.case(Need.LIVE_QUOTES, Need.OPEN_MARKET)
async def quotes_come_one_by_one(talk: Talk) -> None:
    """Tick-by-tick BidAsk tells each change of either side with its second.

    Source: TWS API, tick_data.
    """
    heard = await _ticks(talk, "BidAsk", "TickByTickQuote")
    quote = heard.of("TickByTickQuote")[-1].reply
    talk.check(quote.bid <= quote.ask, "a bid not above the ask", "a crossed market")
    talk.check(quote.epoch_seconds > 0, "a second of the epoch", str(quote.epoch_seconds))


@CHAPTER.case(Need.LIVE_QUOTES, Need.OPEN_MARKET)
async def the_middle_comes_tick_by_tick(talk: Talk) -> None:
    """Tick-by-tick MidPoint tells each change of the middle.

    Source: TWS API, tick_data.
    """
    heard = await _ticks(talk, "MidPoint", "TickByTickMidpoint")
    talk.check(heard.of("TickByTickMidpoint")[-1].reply.price > 0, "a price above 0", "none")


@CHAPTER.case(Need.LIVE_QUOTES, Need.OPEN_MARKET)
async def a_bar_comes_every_five_seconds(talk: Talk) -> None:
    """reqRealTimeBars tells bars of five seconds, each by the second it began.

    Source: TWS API, realtime_bars.
    """
    request = q.RealTimeBarsRequest(talk.new_id(), talk.contract, 5, "TRADES", False)
    since = await talk.tell(request)
    await talk.answer(request.request_id, "RealTimeBar", since, 20)
    await talk.listen(11)
    await talk.tell(q.RealTimeBarsCancel(request.request_id))
    bars = Messages(talk.client.heard[since:]).of("RealTimeBar").replies
    times = [bar.epoch_seconds for bar in bars]
    talk.check(len(times) > 1, "two bars in some ten seconds", f"{len(times)}")
    apart = {later - earlier for earlier, later in pairwise(times)}
    talk.check(apart == {5}, "five seconds apart", str(sorted(apart)))


async def _ticks(talk: Talk, kind: str, reply: str) -> Messages:
    request = q.TickByTickRequest(talk.new_id(), talk.contract, kind, 0, False)
    since = await talk.tell(request)
    heard = await talk.answer(request.request_id, reply, since, 20)
    await talk.tell(q.TickByTickCancel(request.request_id))
    talk.check(bool(heard.of(reply)), reply, heard)
    return heard


async def _refused(talk: Talk, code: int, request: q.MarketDataRequest) -> None:
    since = await talk.tell(request)

    def ends(item: Heard) -> bool:
        return bool(item.code) and item.code not in {ANNOUNCES_DELAY, *NO_DATA}

    heard = await talk.answer(request.request_id, ends, since)
    talk.check(code in heard.codes, f"error {code}", heard)
    talk.check(not heard.of("TickPrice"), "no price", heard)

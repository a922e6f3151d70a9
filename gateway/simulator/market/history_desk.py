"""Answers about the past: historical bars, bars kept up to date, schedules, head time stamps."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.broker import LONG_AGO, Broker
from gateway.simulator.market.aggregation import BY_DATE, Aggregates
from gateway.simulator.market.bars import Bar
from gateway.simulator.market.contracts import Listing
from gateway.simulator.market.historical_pacing import HistoricalPacing
from gateway.simulator.market.history import (
    ADJUSTED,
    ASK,
    BID,
    BID_ASK,
    DATE_EPOCH,
    SCHEDULE,
    TRADES,
    HistoryError,
    Question,
    instant_text,
    no_data,
    parse,
    schedule,
    select,
    time_text,
)
from gateway.simulator.market.market import Market
from gateway.simulator.market.subscriptions import Subscriptions
from gateway.simulator.notices import DUPLICATE_TICKER

UNKNOWN = Decimal(-1)
"""Volume and average of bars that are not of trades."""
AVERAGE_STEP = Decimal("0.001")


@dataclass(slots=True)
class LiveBars:
    """Bars that are kept up to date: the question, the last bar sent, when news are due."""

    listing: Listing
    question: Question
    sent: Bar
    due: datetime = LONG_AGO


class HistoryDesk:
    """Everything a client can ask about past bars."""

    def __init__(self, broker: Broker, subscriptions: Subscriptions) -> None:
        self._broker = broker
        self._subscriptions = subscriptions
        self._aggregates = Aggregates(broker.market.book)
        self._live: dict[tuple[int, int], LiveBars] = {}
        self.opened = 0
        """Subscriptions so far."""
        self._pacing = HistoricalPacing() if broker.options.historical_pacing else None

    def forget(self, client_id: int) -> None:
        """Drop what a disconnected client had subscribed to."""
        self._live = {key: value for key, value in self._live.items() if key[0] != client_id}

    def dues(self) -> list[datetime]:
        """When each subscriber may be told something next."""
        return [live.due for live in self._live.values()]

    def refresh(self) -> None:
        """Send each bar that began, changed or ended since the last time, to who keeps up."""
        now, market = self._broker.now, self._broker.market
        for (client_id, request_id), live in self._live.items():
            if now < live.due:
                continue
            live.due = market.next_change(live.listing, now)
            for bar in self._changed(live):
                row = shown(bar, live.question, live.listing, market)
                self._broker.send(client_id, r.HistoricalDataUpdate(request_id, row))
                live.sent = bar

    def historical_data(self, client_id: int, request: q.HistoricalDataRequest) -> None:
        """reqHistoricalData: the bar that is forming is the last one, as at IB."""
        resolved = self._broker.resolve(
            client_id, request.request_id, request.contract, include_expired=request.include_expired
        )
        if resolved is None:
            return
        try:
            self._answer(client_id, request, resolved[0])
        except HistoryError as error:
            self._broker.refuse(client_id, request.request_id, error.code, str(error))

    def cancel(self, client_id: int, request: q.HistoricalDataCancel) -> None:
        """cancelHistoricalData: ends bars kept up to date, with error 162; else error 366."""
        if self._live.pop((client_id, request.request_id), None) is not None:
            text = str(no_data(f"API historical data query cancelled: {request.request_id}"))
            self._broker.refuse(client_id, request.request_id, 162, text)
            return
        text = f"No historical data query found for ticker id:{request.request_id}"
        self._broker.refuse(client_id, request.request_id, 366, text)

    def head_timestamp(self, client_id: int, request: q.HeadTimestampRequest) -> None:
        """reqHeadTimeStamp: the start of the first bar of any size."""
        resolved = self._broker.resolve(
            client_id, request.request_id, request.contract, include_expired=request.include_expired
        )
        if resolved is None:
            return
        first = self._broker.market.first_bar(resolved[0])
        if first is None or first > self._broker.now:
            self._broker.refuse(client_id, request.request_id, 162, "No head time stamp")
            return
        epoch = str(int(first.timestamp()))
        text = epoch if request.date_format == DATE_EPOCH else f"{first:%Y%m%d-%H:%M:%S}"
        self._broker.send(client_id, r.HeadTimestamp(request.request_id, text))

    def ignore(self, client_id: int, request: object) -> None:
        """Requests that need no answer: nothing here outlives its answer."""

    def _answer(self, client_id: int, request: q.HistoricalDataRequest, listing: Listing) -> None:
        broker, number = self._broker, request.request_id
        if (client_id, number) in self._live:
            raise HistoryError(*DUPLICATE_TICKER)
        question = parse(request, listing, broker.now)
        self._check_allowed(request, listing)
        if question.what == SCHEDULE:
            calendar = broker.market.calendar(listing)
            broker.send(client_id, schedule(calendar, question, number, broker.now))
            return
        bars = select(self._aggregates, listing, question, broker.now)
        first, last = _ends(bars, question)
        rows = tuple(shown(bar, question, listing, broker.market) for bar in bars)
        broker.send(client_id, r.HistoricalData(number, first, last, rows))
        if question.live:
            self._live[client_id, number] = LiveBars(listing, question, bars[-1])
            self.opened += 1

    def _check_allowed(self, request: q.HistoricalDataRequest, listing: Listing) -> None:
        refused = self._subscriptions.history_refusal(listing)
        if refused is not None:
            raise no_data(refused)
        if self._pacing is None:
            return
        broken = self._pacing.violation(request, listing.con_id, self._broker.now, len(self._live))
        if broken is not None:
            raise no_data(f"Historical data request pacing violation: {broken}")

    def _changed(self, live: LiveBars) -> list[Bar]:
        now = self._broker.now
        series = self._aggregates.series(
            live.listing, live.question.size, regular=live.question.regular
        )
        known = series.between(live.sent.start, now)
        bars = [
            self._aggregates.as_seen(live.listing, bar, now)
            for bar in known
            if bar.start >= live.sent.start
        ]
        return [bar for bar in bars if bar != live.sent]


def shown(bar: Bar, question: Question, listing: Listing, market: Market) -> r.HistoricalBar:
    """A bar in the client's format and as the kind of data it asked for; counts are unknown.

    All kinds are made of the same bars: bids and asks lie half a spread beside them. BID_ASK has
    the average bid as its open, the highest ask, the lowest bid, the average ask as its close.
    """
    average = ((bar.high + bar.low + bar.close) / 3).quantize(AVERAGE_STEP)
    prices = (bar.open, bar.high, bar.low, bar.close)
    if question.what in {BID, ASK}:
        side = 1 if question.what == ASK else -1
        prices = (
            market.side_price(bar.open, listing, side),
            market.side_price(bar.high, listing, side),
            market.side_price(bar.low, listing, side),
            market.side_price(bar.close, listing, side),
        )
    elif question.what == BID_ASK:
        middle = (bar.open + bar.high + bar.low + bar.close) / 4
        prices = (
            market.side_price(middle, listing, -1),
            market.side_price(bar.high, listing, 1),
            market.side_price(bar.low, listing, -1),
            market.side_price(middle, listing, 1),
        )
    traded = question.what in {TRADES, ADJUSTED}
    return r.HistoricalBar(
        time_text(bar, question.size, question.date_format),
        *prices,
        volume=bar.volume if traded else UNKNOWN,
        average=average if traded else UNKNOWN,
        count=-1,
    )


def _ends(bars: list[Bar], question: Question) -> tuple[str, str]:
    """When the bars begin and end: dates where the bars have dates."""
    if question.size in BY_DATE:
        return f"{bars[0].day:%Y%m%d}", f"{bars[-1].day:%Y%m%d}"
    return instant_text(bars[0].start, 1), instant_text(bars[-1].end, 1)


HANDLERS: dict[type[Any], Callable[[HistoryDesk, int, Any], None]] = {
    q.HistoricalDataRequest: HistoryDesk.historical_data,
    q.HistoricalDataCancel: HistoryDesk.cancel,
    q.HeadTimestampRequest: HistoryDesk.head_timestamp,
    q.HeadTimestampCancel: HistoryDesk.ignore,
}

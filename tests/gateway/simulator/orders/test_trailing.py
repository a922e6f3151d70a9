"""Trailing stops: the stop follows the market in its order's favour only (see trailing)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, Row
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import OrderTerms
from gateway.simulator.orders.trailing import moved, placed

OPEN = datetime(2025, 12, 12, 14, 30, tzinfo=UTC)
SPY = Contract(symbol="SPY", security_type="STK", exchange="SMART", currency="USD")
Bars = Sequence[tuple[float, float, float, float]]
SELL: dict[str, Any] = {"action": "SELL", "order_type": "TRAIL", "aux_price": Decimal(5)}
BUY: dict[str, Any] = SELL | {"action": "BUY"}
LIMITED: dict[str, Any] = SELL | {"order_type": "TRAIL LIMIT", "limit_offset": Decimal(1)}


class Play:
    """An exchange over a few half hours, an order of 10 placed at the opening, and time."""

    def __init__(self, bars: Bars, **terms: Any) -> None:
        times = (OPEN + timedelta(minutes=30 * index) for index in range(len(bars)))
        rows = [
            Row(time, (*(Decimal(str(x)) for x in bar), Decimal(10_000)), str(time))
            for time, bar in zip(times, bars, strict=True)
        ]
        self.exchange = Exchange(BarBook({("SPY", "30 mins"): rows}))
        self.exchange.connect(1, OPEN)
        self.heard = self.say(q.PlaceOrder(1, SPY, self.terms(**terms)), OPEN)

    def terms(self, **terms: Any) -> OrderTerms:
        plain: dict[str, Any] = {"quantity": Decimal(10), "tif": "DAY"}
        return OrderTerms(**(plain | terms))

    def say(self, request: Any, when: datetime) -> list[Any]:
        return [reply for _, reply in self.exchange.handle(1, request, when)]

    def until(self, bar: int) -> "Play":
        """Until so many bars are over."""
        told = self.exchange.advance(OPEN + timedelta(minutes=30 * bar))
        self.heard += [reply for _, reply in told]
        return self

    def stop(self) -> Decimal | None:
        return self.exchange.working_orders[0].terms.trail_stop_price

    def prices(self) -> list[tuple[int, Decimal]]:
        """At the end of which bar it traded, and at what price."""
        return [
            ((x.execution.time - OPEN) // timedelta(minutes=30), x.execution.price)
            for x in self.heard
            if isinstance(x, r.ExecutionDetails)
        ]


RISING: Bars = [(600, 603, 599, 602), (602, 610, 601, 609), (609, 609, 607, 608), (608,) * 4]
FALLING: Bars = [(600, 601, 597, 598), (598, 599, 590, 591), (591, 593, 591, 592), (592,) * 4]


def test_a_stop_begins_at_its_distance_and_openorder_shows_it() -> None:
    play = Play(RISING, **SELL)
    [first, *_] = [x for x in play.heard if isinstance(x, r.OpenOrder)]
    assert first.terms.trail_stop_price == Decimal(595)
    [status] = [x for x in play.heard if isinstance(x, r.OrderStatus)]
    assert (status.status, status.why_held) == ("PreSubmitted", "trigger")


@pytest.mark.parametrize(
    ("terms", "bars", "stops"),
    [
        (SELL, RISING, (595, 598, 605, 605)),
        (BUY, FALLING, (605, 602, 595, 595)),
        (SELL | {"trail_stop_price": Decimal(597)}, RISING, (597, 598, 605, 605)),
        (SELL | {"trail_stop_price": Decimal(590)}, RISING, (595, 598, 605, 605)),
    ],
    ids=["a sell order's rises", "a buy order's falls", "from the first stop", "first too far"],
)
def test_the_stop_moves_in_the_orders_favour_only(
    terms: dict[str, Any], bars: Bars, stops: tuple[int, ...]
) -> None:
    play = Play(bars, **terms)
    assert [play.until(bar).stop() for bar in range(4)] == list(stops)


def test_a_percentage_is_of_the_price_and_rounded_away_from_it() -> None:
    """1 % below 600 is 594, below the high of 603 it is 596.97; of 601.37 a tick lower."""
    play = Play([(600, 603, 599, 602), (602,) * 4], **SELL | PERCENT)
    assert (play.stop(), play.until(1).stop()) == (Decimal(594), Decimal("596.97"))
    odd = Play([(601.37, 601.37, 601, 601.37), (601,) * 4], **SELL | PERCENT)
    assert odd.stop() == Decimal("595.35"), "595.3563 rounded down"


PERCENT: dict[str, Any] = {"aux_price": None, "trailing_percent": Decimal(1)}

PLAYS: dict[str, tuple[dict[str, Any], Bars, list[tuple[int, str]]]] = {
    "a fall to the stop trades there, half a spread worse": (
        SELL, [(600, 600, 594, 599), (599,) * 4], [(1, "594.99")],
    ),
    "a rise to the stop of one that buys too": (
        BUY, [(600, 606, 600, 601), (601,) * 4], [(1, "605.01")],
    ),
    "a gap through the stop trades at the open": (
        SELL, [(600, 601, 599, 600), (590, 591, 588, 589)], [(1, "589.99")],
    ),
    "the low counts against the stop of before, whenever the high was": (
        SELL, [(600, 608, 594, 607), (607,) * 4], [(1, "594.99")],
    ),
    "a low that may have come before the high triggers nothing": (
        SELL, [(600, 608, 602, 607), (607, 608, 605, 606), (606,) * 4], [],
    ),
    "a close beyond the stop as moved is a fall through it": (
        SELL, [(600, 608, 599, 601), (601,) * 4], [(1, "602.99")],
    ),
    "and a rise through it for one that buys": (
        BUY, [(600, 601, 592, 599), (599,) * 4], [(1, "597.01")],
    ),
    "a stop on the wrong side trades at once": (
        SELL | {"trail_stop_price": Decimal(601)}, [(600, 601, 599, 600)] * 2, [(0, "599.99")],
    ),
    "a trailing limit trades from the next bar on": (
        LIMITED, [(600, 600, 594.5, 594.5), (594.5, 598, 594, 597), (597,) * 4], [(1, "594.49")],
    ),
    "a trailing limit that is gapped beyond rests at its limit": (
        LIMITED, [(600, 600, 599, 600), (590, 593, 589, 592), (592, 596, 592, 595), (595,) * 4],
        [(3, "594")],
    ),
    "limit and stop price are an offset": (
        LIMITED | {
            "limit_offset": None, "limit_price": Decimal(594), "trail_stop_price": Decimal(595),
        },
        [(600, 610, 600, 610), (590, 593, 589, 592), (592, 605, 592, 602), (602,) * 4],
        [(3, "604")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLAYS)
def test_an_order_gets_these_fills(name: str) -> None:
    terms, bars, expected = PLAYS[name]
    assert Play(bars, **terms).until(len(bars)).prices() == [
        (bar, Decimal(price)) for bar, price in expected
    ]


def test_a_bar_that_began_before_the_order_came_moves_nothing() -> None:
    play = Play(RISING, **SELL | {"order_type": "LMT", "limit_price": Decimal(900)})
    late = OPEN + timedelta(minutes=31)
    play.say(q.PlaceOrder(2, SPY, play.terms(**SELL)), late)
    play.until(2)
    assert play.exchange.working_orders[1].terms.trail_stop_price == Decimal(604), "609 less 5"


def test_nobody_is_told_when_the_stop_moves_but_who_asks_sees_it() -> None:
    """ib_async #102: the price is fresh after asking anew."""
    play = Play(RISING, **SELL)
    before = len(play.heard)
    play.until(2)
    assert len(play.heard) == before
    opened, *_ = play.say(q.OpenOrdersRequest(), OPEN + timedelta(minutes=60))
    assert opened.terms.trail_stop_price == Decimal(605)


def test_before_the_opening_the_stop_is_of_the_last_price_and_stands_still() -> None:
    play = Play(RISING, **SELL)
    evening = OPEN + timedelta(hours=7)
    play.exchange.advance(evening)
    play.say(q.PlaceOrder(2, SPY, play.terms(**SELL)), evening)
    [waiting] = [o for o in play.exchange.working_orders if o.order_id == 2]
    assert waiting.terms.trail_stop_price == Decimal(603), "608 less 5"


def test_an_attached_stop_begins_to_trail_when_its_parent_is_filled() -> None:
    bars: Bars = [(600, 610, 599, 609), (609, 609, 590, 601), (601, 604, 600, 603), (603,) * 4]
    entry: dict[str, Any] = {"order_type": "LMT", "limit_price": Decimal(595), "transmit": False}
    play = Play(bars, **entry)
    play.say(q.PlaceOrder(2, SPY, play.terms(**SELL, parent_id=1)), OPEN)
    assert play.exchange.working_orders[1].terms.trail_stop_price is None
    play.until(2)
    assert play.prices() == [(2, Decimal(595))]
    assert play.stop() == Decimal(596), "601 less 5: the high of 610 was before"


@pytest.mark.parametrize(
    ("change", "stop"),
    [
        ({}, 605),
        ({"trail_stop_price": Decimal(590)}, 605),
        ({"trail_stop_price": Decimal(600)}, 604),
        ({"aux_price": Decimal(2)}, 607),
        ({"aux_price": Decimal(20)}, 605),
    ],
    ids=["left out", "as it was asked", "another one", "nearer", "farther"],
)
def test_a_change_keeps_the_stop_unless_it_names_another(change: dict[str, Any], stop: int) -> None:
    """Another one counts at once, and the market moves it on: 609 less 5."""
    play = Play(RISING, **SELL | {"trail_stop_price": Decimal(590)}).until(2)
    play.say(q.PlaceOrder(1, SPY, play.terms(**SELL | change)), OPEN + timedelta(minutes=60))
    assert play.stop() == stop


def test_a_changed_trailing_limit_keeps_its_offset() -> None:
    play = Play(RISING, **LIMITED).until(2)
    [order] = play.exchange.working_orders
    assert order.terms.limit_price == Decimal(604)
    echoed = LIMITED | {"limit_price": Decimal(604), "quantity": Decimal(9)}
    heard = play.say(q.PlaceOrder(1, SPY, play.terms(**echoed)), OPEN + timedelta(minutes=60))
    assert [x for x in heard if isinstance(x, r.Notice)] == []
    assert (order.terms.limit_price, order.terms.limit_offset) == (Decimal(604), Decimal(1))


def test_no_distance_takes_a_stop_below_the_least_price() -> None:
    def rounded(price: Decimal, side: int) -> Decimal:
        return max(price.quantize(Decimal("0.01")), Decimal("0.01"))

    terms = OrderTerms("SELL", Decimal(1), "TRAIL LIMIT", aux_price=Decimal(700),
                       limit_offset=Decimal(5))  # fmt: skip
    after = moved(terms, Decimal(600), rounded)
    assert (after.trail_stop_price, after.limit_price) == (Decimal("0.01"), Decimal("0.01"))


def test_terms_without_a_trail_are_kept_as_they_are() -> None:
    terms = OrderTerms(order_type="LMT", limit_price=Decimal(5))
    assert placed(terms) is terms

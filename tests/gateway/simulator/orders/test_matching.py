"""How orders trade: an order and bars in, fills out (design/ib.md 4, issue 3)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.simulator import replies as r
from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, Row
from gateway.simulator.market.contracts import LISTINGS, Contract
from gateway.simulator.market.hours import NEW_YORK
from gateway.simulator.orders.fill_models import PESSIMISTIC, FillModel
from gateway.simulator.orders.matching import VolumeBudget
from gateway.simulator.orders.order_types import ORDER_TYPES, Need
from gateway.simulator.orders.orders import Execution, Order, OrderTerms
from gateway.simulator.requests import PlaceOrder

At = Callable[..., datetime]
SPY = Contract(symbol="SPY", security_type="STK", exchange="SMART", currency="USD")

#                open high low close volume
RISING = {
    "09:30": "100 102 99 101 10000",
    "10:00": "101 104 100 103 10000",
    "10:30": "103 106 102 105 10000",
    "15:30": "105 107 104 106 10000",
}
GAP_UP = {"09:30": "100 101 99 100 10000", "10:00": "110 112 109 111 10000"}
GAP_DOWN = {"09:30": "100 101 99 100 10000", "10:00": "90 91 89 90 10000"}
THIN = {
    "09:30": "100 102 99 101 200",
    "10:00": "101 104 100 103 300",
    "10:30": "103 106 102 105 0",
    "11:00": "105 107 104 106 10000",
}


@dataclass(frozen=True)
class Case:
    """An order of so many shares, placed at 09:30 unless told otherwise, and what it gets."""

    about: str
    bars: Mapping[str, str]
    terms: Mapping[str, Any]
    fills: str
    """`time quantity price`, separated by commas."""
    status: str = "Filled"
    at: str = "09:30"
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.about.replace(" ", "_")


def terms_of(text: str) -> dict[str, Any]:
    """`BUY 10 STP LMT limit 103 stop 102 GTC` as terms."""
    words = text.split()
    terms: dict[str, Any] = {"action": words.pop(0), "quantity": Decimal(words.pop(0))}
    terms["tif"] = words.pop() if words[-1] in {"DAY", "GTC", "IOC", "OPG"} else "DAY"
    for name, key in (("limit", "limit_price"), ("stop", "aux_price")):
        if name in words:
            index = words.index(name)
            terms[key] = Decimal(words[index + 1])
            del words[index : index + 2]
    return terms | {"order_type": " ".join(words)}


CASES = [
    Case("a market order pays the ask", RISING, terms_of("BUY 10 MKT"), "09:30 10 100.01"),
    Case("and gets the bid", RISING, terms_of("SELL 10 MKT"), "09:30 10 99.99"),
    Case(
        "within a bar it still sees the bar's open",
        RISING,
        terms_of("BUY 10 MKT"),
        "09:45 10 100.01",
        at="09:45",
    ),
    Case(
        "before the open it gets the first open",
        RISING,
        terms_of("BUY 10 MKT"),
        "09:30 10 100.01",
        at="08:00",
    ),
    Case(
        "a limit within the market trades at the market",
        RISING,
        terms_of("BUY 10 LMT limit 105"),
        "09:30 10 100.01",
    ),
    Case(
        "a resting limit trades at its limit when the bar is over",
        RISING,
        terms_of("BUY 10 LMT limit 99.50"),
        "10:00 10 99.50",
    ),
    Case(
        "a limit that is only touched does not trade",
        RISING,
        terms_of("BUY 10 LMT limit 99"),
        "",
        status="Cancelled",
    ),
    Case(
        "but does in the model touch",
        RISING,
        terms_of("BUY 10 LMT limit 99"),
        "10:00 10 99",
        options={"fill_model": "touch"},
    ),
    Case(
        "a bar that was open when the limit came does not count",
        GAP_UP,
        terms_of("BUY 10 LMT limit 99.50"),
        "",
        status="Cancelled",
        at="09:31",
    ),
    Case(
        "a limit that the open passes trades at the better price",
        GAP_DOWN,
        terms_of("BUY 10 LMT limit 98"),
        "10:00 10 90.01",
    ),
    Case(
        "a stop trades at its price, half a spread worse",
        RISING,
        terms_of("BUY 10 STP stop 101.50"),
        "10:00 10 101.51",
    ),
    Case(
        "a stop that the open gaps through trades at the open",
        GAP_UP,
        terms_of("BUY 10 STP stop 105"),
        "10:00 10 110.01",
    ),
    Case(
        "a selling stop too",
        GAP_DOWN,
        terms_of("SELL 10 STP stop 95"),
        "10:00 10 89.99",
    ),
    Case(
        "a stop that the market has passed trades at once",
        RISING,
        terms_of("BUY 10 STP stop 100"),
        "09:30 10 100.01",
    ),
    Case(
        "a stop that is not reached waits and ends",
        RISING,
        terms_of("SELL 10 STP stop 90"),
        "",
        status="Cancelled",
    ),
    Case(
        "a stop limit triggered in a bar trades from the next bar on",
        RISING,
        terms_of("BUY 10 STP LMT limit 103.50 stop 101.50"),
        "10:00 10 101.01",
    ),
    Case(
        "a stop limit that the open gaps beyond its limit rests",
        GAP_UP,
        terms_of("BUY 10 STP LMT limit 106 stop 105"),
        "",
        status="Cancelled",
    ),
    Case(
        "and trades when the market comes back to it",
        GAP_UP,
        terms_of("BUY 10 STP LMT limit 109.50 stop 105"),
        "10:30 10 109.50",
    ),
    Case(
        "a market on close order gets the last bar's close",
        RISING,
        terms_of("BUY 10 MOC"),
        "16:00 10 106",
    ),
    Case(
        "also when it came within that bar",
        RISING,
        terms_of("BUY 10 MOC"),
        "16:00 10 106",
        at="15:45",
    ),
    Case(
        "a limit on close order within its limit gets it too",
        RISING,
        terms_of("SELL 10 LOC limit 105"),
        "16:00 10 106",
    ),
    Case(
        "a limit on close order at the very price does not",
        RISING,
        terms_of("SELL 10 LOC limit 106"),
        "",
        status="Cancelled",
    ),
    Case(
        "without a bar at the close there is no auction",
        GAP_UP,
        terms_of("BUY 10 MOC"),
        "",
        status="Cancelled",
    ),
    Case(
        "midprice trades between bid and ask",
        RISING,
        terms_of("BUY 10 MIDPRICE"),
        "09:30 10 100.00",
    ),
    Case(
        "midprice beyond its cap rests at the cap",
        RISING,
        terms_of("BUY 10 MIDPRICE limit 99.50"),
        "10:00 10 99.50",
    ),
    Case(
        "midprice follows the middle and never pays its cap where the middle is better",
        GAP_DOWN,
        terms_of("BUY 10 MIDPRICE limit 98"),
        "10:00 10 90.00",
    ),
    Case(
        "midprice that sells has a floor and rests there",
        RISING,
        terms_of("SELL 10 MIDPRICE limit 101.50"),
        "10:00 10 101.50",
    ),
    Case(
        "midprice waits for the opening, with outsideRth too",
        RISING,
        terms_of("BUY 10 MIDPRICE") | {"outside_rth": True},
        "09:30 10 100.00",
        at="08:00",
    ),
    Case(
        "good after a time, it sees no market before",
        RISING,
        terms_of("BUY 10 MIDPRICE limit 105") | {"other": {"goodAfterTime": "20251212-15:35:00"}},
        "10:35 10 103.00",
    ),
    Case(
        "a limit that is good after a time does not trade in a bar that began before it",
        RISING,
        terms_of("BUY 10 LMT limit 99.50") | {"other": {"goodAfterTime": "20251212-14:45:00"}},
        "",
        status="Cancelled",
    ),
    Case(
        "an on-open order waits for the opening",
        RISING,
        terms_of("BUY 10 MKT OPG"),
        "09:30 10 100.01",
        at="08:00",
    ),
    Case(
        "an on-open limit that misses it is cancelled",
        RISING,
        terms_of("BUY 10 LMT limit 99.50 OPG"),
        "",
        status="Cancelled",
        at="08:00",
    ),
    Case(
        "an order good till the instant a bar begins does not see that bar",
        GAP_DOWN,
        terms_of("BUY 10 LMT limit 98")
        | {"tif": "GTD", "other": {"goodTillDate": "20251212 10:00:00"}},
        "",
        status="Cancelled",
    ),
    Case(
        "a bar gives a tenth of its volume, the next one goes on",
        THIN,
        terms_of("BUY 60 MKT"),
        "09:30 20 100.01, 10:00 30 101.01, 11:00 10 105.01",
    ),
    Case(
        "a resting limit takes part of the volume too",
        THIN,
        terms_of("BUY 60 LMT limit 99.50"),
        "10:00 20 99.50",
        status="Cancelled",
    ),
    Case(
        "immediate or cancel takes what there is and lets the rest go",
        THIN,
        terms_of("BUY 60 MKT IOC"),
        "09:30 20 100.01",
        status="Cancelled",
    ),
    Case(
        "immediate or cancel beyond the market gets nothing",
        RISING,
        terms_of("BUY 10 LMT limit 99.50 IOC"),
        "",
        status="Cancelled",
    ),
    Case(
        "immediate or cancel before the open gets nothing",
        RISING,
        terms_of("BUY 10 MKT IOC"),
        "",
        status="Cancelled",
        at="08:00",
    ),
    Case(
        "without a volume share there is no bound",
        THIN,
        terms_of("BUY 60 MKT"),
        "09:30 60 100.01",
        options={"fill_model": "touch"},
    ),
    Case(
        "slippage makes the market dearer, on the tick",
        RISING,
        terms_of("BUY 10 MKT"),
        "09:30 10 100.07",
        options={"fill_model": "harsh"},
    ),
    Case(
        "a stop slips too",
        RISING,
        terms_of("BUY 10 STP stop 101.50"),
        "10:00 10 101.57",
        options={"fill_model": FillModel("mine", slippage_bp=Decimal(5))},
    ),
    Case(
        "a limit that slippage carries beyond it rests",
        RISING,
        terms_of("BUY 10 LMT limit 100.05"),
        "10:00 10 100.05",
        options={"fill_model": FillModel("mine", slippage_bp=Decimal(5))},
    ),
]


def book_of(bars: Mapping[str, str], at: At) -> BarBook:
    return BarBook({("SPY", "30 mins"): rows_of(bars, at)})


def rows_of(bars: Mapping[str, str], at: At) -> list[Row]:
    return [
        Row(at(start), tuple(Decimal(item) for item in numbers.split()), start)
        for start, numbers in bars.items()
    ]


def text_of(executions: list[Execution]) -> str:
    return ", ".join(
        f"{item.time.astimezone(NEW_YORK):%H:%M} {item.quantity} {item.price}"
        for item in executions
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_order_gets_these_fills(case: Case, at: At) -> None:
    exchange = Exchange(book_of(case.bars, at), ExchangeOptions(**case.options))
    exchange.connect(1, at(case.at))
    exchange.handle(1, PlaceOrder(1, SPY, OrderTerms(**case.terms)), at(case.at))
    order = exchange.orders.known(1, 1)
    assert order is not None
    exchange.advance(at("20:00"))
    assert text_of(order.executions) == case.fills
    assert order.status == case.status


def test_a_currency_pair_trades_without_a_volume_bound_at_idealpro(at: At) -> None:
    """ib.md 4: both balances move; below 20,000 EUR the order is an odd lot and still trades."""
    bars = {("EUR.USD", "30 mins"): rows_of({"10:00": "1.1 1.2 1.0 1.1 0"}, at)}
    exchange = Exchange(BarBook(bars))
    exchange.connect(1, at("10:00"))
    pair = Contract(symbol="EUR", security_type="CASH", exchange="IDEALPRO", currency="USD")
    small = PlaceOrder(1, pair, OrderTerms("BUY", Decimal(10_000), tif="DAY"))
    heard = [reply for _, reply in exchange.handle(1, small, at("10:00"))]
    assert [reply.code for reply in heard if isinstance(reply, r.Notice)] == [399]
    (order,) = exchange.orders.done
    (execution,) = order.executions
    assert (order.status, execution.exchange) == ("Filled", "IDEALPRO")
    assert execution.price > Decimal("1.1")
    assert exchange.account.balances["EUR"] == 10_000
    assert exchange.account.cash == 1_000_000 - 10_000 * execution.price - 2


def test_a_future_trades_in_the_evening_and_costs_no_cash_but_commission(at: At) -> None:
    """CME opens at 18:00 New York time on the day before; a tenth of 25 contracts are 2."""
    bars = {("ESZ5", "30 mins"): rows_of({"10:00": "6000 6010 5990 6000 25"}, at)}
    evening = Row(at("18:00", -1), tuple(map(Decimal, (6000, 6010, 5990, 6000, 25))), "evening")
    bars["ESZ5", "30 mins"].insert(0, evening)
    exchange = Exchange(BarBook(bars))
    exchange.connect(1, at("18:00", -1))
    future = Contract(local_symbol="ESZ5", security_type="FUT", exchange="CME", currency="USD")
    wanted = PlaceOrder(1, future, OrderTerms("BUY", Decimal(3), tif="DAY"))
    exchange.handle(1, wanted, at("18:00", -1))
    (order,) = exchange.working_orders
    assert (order.filled, order.status) == (Decimal(2), "Submitted")
    exchange.advance(at("10:00"))
    assert (order.filled, order.executions[-1].exchange) == (Decimal(3), "CME")
    assert exchange.account.cash == 1_000_000 - (order.commission or 0)
    assert exchange.positions == {"ESZ5": 3}


def test_orders_of_one_instant_trade_in_the_order_in_which_they_came(at: At) -> None:
    """Bars that are over come first, then what is seen at the instant."""
    exchange = Exchange(book_of(RISING, at))
    exchange.connect(1, at("09:30"))
    asked = ("BUY 10 LMT limit 90", "BUY 10 LMT limit 99.50", "SELL 10 STP stop 99.50")
    for order_id, text in enumerate(asked, 1):
        exchange.handle(1, PlaceOrder(order_id, SPY, OrderTerms(**terms_of(text))), at("09:30"))
    heard = [reply for _, reply in exchange.advance(at("10:00"))]
    filled = [reply.order_id for reply in heard if isinstance(reply, r.ExecutionDetails)]
    assert filled == [2, 3]


def test_what_is_left_of_bars_that_are_over_is_forgotten(at: At) -> None:
    """Memory stays flat although every bar has a budget of its own."""
    book = book_of(RISING, at)
    budget, spy = VolumeBudget(PESSIMISTIC), LISTINGS[0]
    for bar in book.series("SPY", "30 mins").bars:
        budget.take(spy, bar, Decimal(7))
        assert budget.left(spy, bar) == bar.volume / 10 - 7
    assert len(budget) == 1


PRICES = st.integers(95, 105).map(Decimal)
WISHES = st.tuples(
    st.sampled_from(["BUY", "SELL"]),
    st.integers(1, 400).map(Decimal),
    st.sampled_from(sorted(ORDER_TYPES)),
    PRICES,
    PRICES,
    st.sampled_from(["09:30", "09:45", "10:00", "10:20", "15:00"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(WISHES, min_size=1, max_size=8), st.sampled_from(["pessimistic", "harsh"]))
def test_no_order_gets_more_than_it_asked_for_nor_a_better_price_than_the_market_had(
    at: At, wishes: list[tuple[Any, ...]], model: str
) -> None:
    """Whatever comes: volume shares, limits and quantities hold."""
    bars = {
        "09:30": "100 103 97 101 900",
        "10:00": "101 104 98 99 700",
        "15:30": "99 102 96 98 800",
    }
    exchange = Exchange(book_of(bars, at), ExchangeOptions(fill_model=model))
    exchange.connect(1, at("09:00"))
    for order_id, (action, quantity, kind, limit, stop, when) in enumerate(
        sorted(wishes, key=lambda wish: wish[-1]), 1
    ):
        terms = OrderTerms(action, quantity, kind, limit, stop, "DAY")
        exchange.handle(1, PlaceOrder(order_id, SPY, terms), at(when))
    exchange.advance(at("20:00"))
    assert exchange.working_orders == []
    for order in exchange.orders.done:
        assert order.filled == sum(item.quantity for item in order.executions)
        assert order.filled <= order.terms.quantity
        assert all(fair(order, item.price, bars) for item in order.executions)
    shares = sum(item.quantity for _, item in exchange.orders.record.executions)
    assert shares <= sum(Decimal(text.split()[-1]) / 10 for text in bars.values())


def fair(order: Order, price: Decimal, bars: Mapping[str, str]) -> bool:
    """Within its limit, and at no price below every low or above every high."""
    kind, terms = ORDER_TYPES[order.terms.order_type], order.terms
    limited = kind.limit is not Need.IGNORED and terms.limit_price is not None
    within = not limited or ((terms.limit_price or price) - price) * terms.side >= 0
    lows = [Decimal(text.split()[2]) for text in bars.values()]
    highs = [Decimal(text.split()[1]) for text in bars.values()]
    return within and (price >= min(lows) if terms.side > 0 else price <= max(highs))

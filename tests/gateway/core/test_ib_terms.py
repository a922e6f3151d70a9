"""How a contract trades, read off IB's texts; and prices on its increments."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import ib_async
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import ib_terms
from gateway.core.broker import Span
from gateway.core.ib_terms import Increments
from schemas.new_york import new_york_date
from schemas.values import Contract

AT = datetime(2026, 1, 5, 15, tzinfo=UTC)
SPY = Contract("SPY", con_id=756733)
CENT: Increments = ((Decimal(0), Decimal("0.01")),)
DETAILS = ib_async.ContractDetails(
    validExchanges="SMART,ARCA,NYSE",
    marketRuleIds="26,32,557",
    minTick=0.0001,
    timeZoneId="US/Eastern",
    liquidHours="20260105:0930-20260105:1600;20260106:CLOSED",
    tradingHours="20260105:0400-20260105:2000;20260106:CLOSED",
)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc] # year to second only


def band(low: float, step: float) -> ib_async.PriceIncrement:
    return ib_async.PriceIncrement(low, step)


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        (
            "20260105:0930-20260105:1600;20260106:CLOSED;20260107:0930-20260107:1300",
            [
                (utc(2026, 1, 5, 14, 30), utc(2026, 1, 5, 21)),
                (utc(2026, 1, 7, 14, 30), utc(2026, 1, 7, 18)),
            ],
        ),
        (
            "20260105:0930-1600,1700-1800",
            [
                (utc(2026, 1, 5, 14, 30), utc(2026, 1, 5, 21)),
                (utc(2026, 1, 5, 22), utc(2026, 1, 5, 23)),
            ],
        ),
        (
            "20260104:1715-20260105:1700;20260105:1715-20260106:1700",
            [
                (utc(2026, 1, 4, 22, 15), utc(2026, 1, 5, 22)),
                (utc(2026, 1, 5, 22, 15), utc(2026, 1, 6, 22)),
            ],
        ),
        (
            "20260105:0930-20260105:1200,20260105:1300-20260105:1600",
            [
                (utc(2026, 1, 5, 14, 30), utc(2026, 1, 5, 17)),
                (utc(2026, 1, 5, 18), utc(2026, 1, 5, 21)),
            ],
        ),
        ("20260105:CLOSED;", []),
        ("", []),
    ],
    ids=["new form", "older form", "over midnight", "a break at noon", "closed", "no text"],
)
def test_hours_are_read_in_all_their_forms(
    text: str, spans: list[tuple[datetime, datetime]]
) -> None:
    assert list(ib_terms.hours(text, "US/Eastern")) == [Span(*span) for span in spans]


def test_summer_time_is_the_zones_own() -> None:
    """09:30 in New York is 14:30 UTC on the Friday before the clocks change, 13:30 after it."""
    text = "20260306:0930-20260306:1600;20260309:0930-20260309:1600"
    opens = [span.opens_at for span in ib_terms.hours(text, "US/Eastern")]
    assert opens == [utc(2026, 3, 6, 14, 30), utc(2026, 3, 9, 13, 30)]


def test_hours_that_touch_or_come_twice_are_one_span_and_rise() -> None:
    text = "20260106:0930-1600;20260105:0400-0930,0930-1600,1600-2000;20260105:0400-2000"
    assert ib_terms.hours(text, "UTC") == (
        Span(utc(2026, 1, 5, 4), utc(2026, 1, 5, 20)),
        Span(utc(2026, 1, 6, 9, 30), utc(2026, 1, 6, 16)),
    )


@pytest.mark.parametrize(
    ("zone", "opens_at"),
    [
        ("US/Eastern", utc(2026, 7, 6, 13, 30)),
        ("EST5EDT", utc(2026, 7, 6, 13, 30)),
        ("EST", utc(2026, 7, 6, 13, 30)),
        ("EST (Eastern Standard Time)", utc(2026, 7, 6, 13, 30)),
        ("America/New_York", utc(2026, 7, 6, 13, 30)),
        ("US/Central", utc(2026, 7, 6, 14, 30)),
        ("MET", utc(2026, 7, 6, 7, 30)),
        ("MET (Middle Europe Time)", utc(2026, 7, 6, 7, 30)),
        ("GB-Eire", utc(2026, 7, 6, 8, 30)),
        ("JST", utc(2026, 7, 6, 0, 30)),
        ("Japan", utc(2026, 7, 6, 0, 30)),
    ],
)
def test_ibs_own_names_of_zones_are_read(zone: str, opens_at: datetime) -> None:
    """Summer is the test: the IANA zone EST, say, has none, and IB's has."""
    (span,) = ib_terms.hours("20260706:0930-20260706:1600", zone)
    assert span.opens_at == opens_at


@pytest.mark.parametrize(
    ("text", "zone", "sentence"),
    [
        ("20260105:0930-20260105:1600", "Middle-Earth", "zone 'Middle-Earth' is not known"),
        ("20260105:0930-20260105:1600", "", "zone '' is not known"),
        ("20260105:0930-20260105:1600", "MST", "zone 'MST' is not known"),
        ("20260105:0930-20260105:1600", "../../etc/passwd", "is not known"),
        ("20260105:1700-1515,1530-1615", "US/Central", "closes before it opens"),
        ("20260105:1600-20260105:0930", "US/Eastern", "closes before it opens"),
        ("20260105:0930-20260105:0930", "US/Eastern", "closes before it opens"),
        ("20260105:0930-20260105", "US/Eastern", "in no form that is known"),
        ("20260105:0930-20260105:1600;whatever", "US/Eastern", "'whatever' is in no form"),
        ("20260105:0930-20260105:2500", "US/Eastern", "hour must be in"),
        ("20261305:0930-20261305:1600", "US/Eastern", "month must be in"),
        ("20261101:0130-20261101:1600", "US/Eastern", "twice or never"),
        ("20260308:0230-20260308:1600", "US/Eastern", "twice or never"),
        (";".join(["20260105:CLOSED"] * 201), "US/Eastern", "201 entries are more than 200"),
    ],
)
def test_hours_that_are_not_certain_are_an_error_and_never_a_guess(
    text: str, zone: str, sentence: str
) -> None:
    """The older form's 1700-1515 meant the evening before, which it does not say."""
    with pytest.raises(ValueError, match=sentence):
        ib_terms.hours(text, zone)


def test_a_day_may_end_at_24_oclock() -> None:
    (span,) = ib_terms.hours("20260105:0000-20260105:2400", "UTC")
    assert span == Span(utc(2026, 1, 5), utc(2026, 1, 6))


def test_terms_hold_the_rule_and_both_hours() -> None:
    rule = ib_terms.market_rule([band(0, 0.0001), band(1, 0.01)])
    told, complaints = ib_terms.terms(SPY, DETAILS, rule, AT)
    assert complaints == ()
    assert told.increments == ((Decimal(0), Decimal("0.0001")), (Decimal(1), Decimal("0.01")))
    assert told.liquid_hours == (Span(utc(2026, 1, 5, 14, 30), utc(2026, 1, 5, 21)),)
    assert told.trading_hours == (Span(utc(2026, 1, 5, 9), utc(2026, 1, 6, 1)),)
    assert (told.contract, told.at) == (SPY, AT)


def test_what_cannot_be_read_is_left_out_and_complained_of() -> None:
    odd = ib_async.ContractDetails(
        minTick=0.25, timeZoneId="US/Eastern", liquidHours="soon", tradingHours="20260105:0930-1600"
    )
    told, complaints = ib_terms.terms(SPY, odd, (), AT)
    assert (told.liquid_hours, len(told.trading_hours)) == ((), 1)
    assert told.increments == ((Decimal(0), Decimal("0.25")),)
    assert complaints == (
        "IB names no market rule on SMART; its step is 0.25 at any price",
        "its liquid hours are left out: 'soon' is in no form that is known",
    )


def test_what_ib_does_not_name_is_left_out_and_complained_of() -> None:
    """Some warrants have neither hours nor a zone (ib_async #46)."""
    told, complaints = ib_terms.terms(SPY, ib_async.ContractDetails(), (), AT)
    assert (told.increments, told.liquid_hours, told.trading_hours) == ((), (), ())
    parts = ("price increments", "liquid hours", "trading hours")
    assert complaints == tuple(f"its {part} are left out: IB names none" for part in parts)


@pytest.mark.parametrize(
    ("exchanges", "rules", "exchange", "rule"),
    [
        ("SMART,ARCA,NYSE", "26,32,557", "ARCA", 32),
        ("SMART,ARCA,NYSE", "26,32,557", "SMART", 26),
        ("SMART,ARCA,NYSE", "26,32,557", "IEX", None),
        ("SMART,ARCA,NYSE", "26,26,26", "IEX", 26),
        ("SMART,ARCA,NYSE", "26,32", "ARCA", None),
        ("IDEALPRO", "239", "IDEALPRO", 239),
        ("SMART", "", "SMART", None),
        ("", "", "SMART", None),
    ],
)
def test_the_market_rule_is_that_of_the_exchange_used(
    exchanges: str, rules: str, exchange: str, rule: int | None
) -> None:
    details = ib_async.ContractDetails(validExchanges=exchanges, marketRuleIds=rules)
    assert ib_terms.rule_id(details, exchange) == rule


def test_a_market_rule_is_exact_and_rises() -> None:
    told = ib_terms.market_rule([band(1, 0.01), band(0, 5e-05)])
    assert told == ((Decimal(0), Decimal("0.00005")), (Decimal(1), Decimal("0.01")))


@pytest.mark.parametrize("step", [0.0, -0.01, float("nan"), 1.7976931348623157e308])
def test_a_market_rule_with_a_band_without_a_step_is_none(step: float) -> None:
    assert ib_terms.market_rule([band(0, 0.01), band(1, step)]) == ()


def test_terms_are_good_for_a_new_york_day() -> None:
    assert new_york_date(utc(2026, 1, 6, 4, 59)) == new_york_date(utc(2026, 1, 5, 15))
    assert new_york_date(utc(2026, 1, 6, 5)) > new_york_date(utc(2026, 1, 6, 4, 59))


TWO_BANDS: Increments = ((Decimal(0), Decimal("0.0001")), (Decimal(1), Decimal("0.01")))
UNEVEN: Increments = ((Decimal(0), Decimal("0.3")), (Decimal(1), Decimal("0.4")))
"""1 is a multiple of neither step: the highest price below it is 0.9, the lowest above it 1.2."""


@pytest.mark.parametrize(
    ("price", "increments", "down", "up"),
    [
        ("590.014", CENT, "590.01", "590.02"),
        ("590.01", CENT, "590.01", "590.01"),
        ("0.99994", TWO_BANDS, "0.9999", "1"),
        ("0.99999", TWO_BANDS, "0.9999", "1.00"),
        ("1.001", TWO_BANDS, "1.00", "1.01"),
        ("1", UNEVEN, "0.9", "1.2"),
        ("1.1", UNEVEN, "0.9", "1.2"),
        ("0.95", UNEVEN, "0.9", "1.2"),
        ("0.004", CENT, "0", "0.01"),
        ("-0.014", CENT, "-0.02", "-0.01"),
        ("1.08123", ((Decimal(0), Decimal("0.00005")),), "1.08120", "1.08125"),
    ],
)
def test_a_price_is_put_on_the_increments_of_its_band(
    price: str, increments: Increments, down: str, up: str
) -> None:
    assert ib_terms.rounded_down(Decimal(price), increments) == Decimal(down)
    assert ib_terms.rounded_up(Decimal(price), increments) == Decimal(up)


def test_without_increments_no_price_is_rounded() -> None:
    for rounded in (ib_terms.rounded_down, ib_terms.rounded_up):
        with pytest.raises(ValueError, match="IB names no price increment"):
            rounded(Decimal(1), ())


STEPS = st.sampled_from([Decimal(t) for t in ("0.0001", "0.00005", "0.01", "0.05", "0.25", "0.3")])
PRICES = st.decimals("0", "2000", places=6)


@st.composite
def rules(draw: st.DrawFn) -> Increments:
    """Bands as any exchange could have them, edges off their steps too."""
    edges = sorted(draw(st.sets(st.integers(1, 1500).map(Decimal), max_size=4)))
    return tuple((low, draw(STEPS)) for low in (Decimal(0), *edges))


def fits(price: Decimal, increments: Increments) -> bool:
    step = [step for low, step in increments if low <= price][-1]
    return price % step == 0


@given(PRICES, rules())
def test_a_rounded_price_is_on_the_increments_and_on_its_side(
    price: Decimal, increments: Increments
) -> None:
    down = ib_terms.rounded_down(price, increments)
    up = ib_terms.rounded_up(price, increments)
    assert down <= price <= up
    assert fits(down, increments)
    assert fits(up, increments)


COARSE = st.sampled_from([Decimal(text) for text in ("0.02", "0.05", "0.3", "0.4", "0.7")])
GRID = [Decimal(hundredths) / 100 for hundredths in range(600)]
"""All prices up to 6 that any of the coarse steps has."""


@given(
    st.decimals("0", "4", places=3),
    st.lists(COARSE, min_size=1, max_size=4),
)
def test_no_price_on_the_increments_is_nearer(price: Decimal, steps: list[Decimal]) -> None:
    """Against all prices there are, tried one by one."""
    increments = tuple((Decimal(low), step) for low, step in enumerate(steps))
    on_steps = [one for one in GRID if fits(one, increments)]
    assert ib_terms.rounded_down(price, increments) == max(x for x in on_steps if x <= price)
    assert ib_terms.rounded_up(price, increments) == min(x for x in on_steps if x >= price)


@given(st.lists(PRICES, min_size=2), rules())
def test_rounding_keeps_the_order_of_prices(prices: list[Decimal], increments: Increments) -> None:
    for rounded in (ib_terms.rounded_down, ib_terms.rounded_up):
        on_steps = [rounded(price, increments) for price in sorted(prices)]
        assert all(one <= other for one, other in pairwise(on_steps))

"""Which orders are not accepted, and with which of IB's codes (design/ib.md 4, 4.1.6)."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator.market.bars import BarBook
from gateway.simulator.market.contracts import LISTINGS, Listing
from gateway.simulator.market.market import Market
from gateway.simulator.orders.admission import Candidate, price_off_tick, refusal
from gateway.simulator.orders.orders import OrderTerms

At = Callable[..., datetime]
BY_KEY = {listing.key: listing for listing in LISTINGS}
SPY, EUR, ES = BY_KEY["SPY"], BY_KEY["EUR.USD"], BY_KEY["ESZ5"]
LMT = {"order_type": "LMT", "limit_price": Decimal(100)}
STP = {"order_type": "STP", "aux_price": Decimal(100)}
TRAIL = {"order_type": "TRAIL", "aux_price": Decimal(5)}
TRAIL_LIMIT: dict[str, Any] = TRAIL | {"order_type": "TRAIL LIMIT", "limit_offset": Decimal(1)}

REFUSED: list[tuple[Listing, dict[str, Any], int]] = [
    (SPY, {"action": "HOLD"}, 321),
    (SPY, {"account": "U12345"}, 321),
    (SPY, {"quantity": Decimal(0)}, 434),
    (SPY, {"quantity": Decimal(-5)}, 321),
    (SPY, {"quantity": Decimal(10**9)}, 321),
    (SPY, {"quantity": Decimal("1.5")}, 10243),
    (EUR, {"quantity": Decimal("20000.5")}, 10245),
    (ES, {"quantity": Decimal("0.5")}, 10245),
    (SPY, {"order_type": "REL"}, 201),
    (SPY, {"order_type": "TRAIL"}, 321),
    (SPY, {"order_type": "TRAIL", "aux_price": Decimal(-1)}, 321),
    (SPY, {"order_type": "TRAIL", "aux_price": Decimal(10**18)}, 321),
    (SPY, {"order_type": "TRAIL", "trailing_percent": Decimal(100)}, 321),
    (SPY, TRAIL | {"trailing_percent": Decimal(1)}, 320),
    (SPY, TRAIL | {"trail_stop_price": Decimal("590.005")}, 110),
    (SPY, TRAIL | {"trail_stop_price": Decimal(-1)}, 321),
    (SPY, TRAIL | {"tif": "IOC"}, 111),
    (SPY, TRAIL | {"other": {"triggerMethod": "4"}}, 201),
    (SPY, TRAIL_LIMIT | {"limit_offset": None}, 321),
    (SPY, TRAIL_LIMIT | {"limit_offset": None, "limit_price": Decimal(589)}, 321),
    (SPY, TRAIL_LIMIT | {"limit_price": Decimal(589)}, 321),
    (SPY, TRAIL_LIMIT | {"limit_offset": Decimal(10**18)}, 321),
    (SPY, {"trail_stop_price": Decimal(590)}, 201),
    (SPY, STP | {"trailing_percent": Decimal(1)}, 201),
    (SPY, {"other": {"autoCancelParent": "1"}}, 201),
    (SPY, {"order_type": "SOMEHOW"}, 387),
    (EUR, {"order_type": "MOC"}, 387),
    (EUR, {"order_type": "MIDPRICE"}, 387),
    (ES, {"order_type": "MIDPRICE"}, 387),
    (SPY, {"tif": "FOK"}, 201),
    (SPY, {"order_type": "MOC", "tif": "GTC"}, 113),
    (SPY, {"order_type": "LOC", "limit_price": Decimal(100), "tif": "GTC"}, 113),
    (SPY, STP | {"tif": "IOC"}, 111),
    (SPY, {"order_type": "MIDPRICE", "tif": "OPG"}, 111),
    (SPY, {"algo_strategy": "Vwap"}, 201),
    (SPY, {"algo_strategy": "Adaptive"} | STP, 387),
    (EUR, {"algo_strategy": "Adaptive"}, 387),
    (SPY, {"other": {"conditionCount": "1"}}, 201),
    (SPY, {"other": {"duration": "60"}}, 201),
    (SPY, {"other": {"activeStartTime": "20251212 11:00:00 US/Eastern"}}, 201),
    (SPY, {"other": {"scaleInitLevelSize": "5"}}, 201),
    (SPY, {"other": {"isOmsContainer": "1"}}, 201),
    (SPY, {"other": {"secIdType": "ISIN", "secId": "US0378331005"}}, 201),
    (SPY, STP | {"other": {"triggerMethod": "4"}}, 201),
    (SPY, {"order_type": "LMT"}, 321),
    (SPY, {"order_type": "LOC"}, 321),
    (SPY, {"order_type": "STP"}, 321),
    (SPY, {"order_type": "STP LMT", "limit_price": Decimal(100)}, 321),
    (SPY, LMT | {"limit_price": Decimal(-1)}, 321),
    (SPY, LMT | {"limit_price": Decimal(10**18)}, 321),
    (SPY, LMT | {"limit_price": Decimal("100.005")}, 110),
    (SPY, STP | {"aux_price": Decimal("100.005")}, 110),
    (ES, LMT | {"limit_price": Decimal("6000.10")}, 110),
    (EUR, LMT | {"limit_price": Decimal("1.10001")}, 110),
    (SPY, LMT | {"tif": "GTD"}, 337),
    (SPY, LMT | {"tif": "GTD", "other": {"goodTillDate": "tomorrow"}}, 337),
    (SPY, LMT | {"tif": "GTD", "other": {"goodTillDate": "20251212 12:00:00 Mars"}}, 337),
    (SPY, LMT | {"tif": "GTD", "other": {"goodTillDate": "20251212 09:00:00"}}, 201),
    (SPY, {"other": {"goodAfterTime": "soon"}}, 337),
]

ACCEPTED: list[tuple[Listing, dict[str, Any]]] = [
    (SPY, {}),
    (SPY, {"account": "DUSIM0001"}),
    (SPY, {"action": "SSHORT"}),
    (SPY, {"transmit": False, "parent_id": 3, "other": {"ocaGroup": "g", "ocaType": "1"}}),
    (SPY, TRAIL),
    (EUR, TRAIL | {"aux_price": Decimal("0.001"), "tif": "GTC"}),
    (ES, {"order_type": "TRAIL", "trailing_percent": Decimal("0.5")}),
    (SPY, TRAIL | {"trail_stop_price": Decimal(590), "other": {"triggerMethod": "2"}}),
    (SPY, TRAIL_LIMIT),
    (
        SPY,
        TRAIL_LIMIT
        | {
            "limit_offset": None,
            "limit_price": Decimal(589),
            "trail_stop_price": Decimal(590),
        },
    ),
    (SPY, {"algo_strategy": "Adaptive"}),
    (SPY, LMT | {"algo_strategy": "Adaptive", "tif": "GTC"}),
    (SPY, STP),
    (SPY, STP | {"other": {"triggerMethod": "2"}}),
    (SPY, STP | LMT | {"order_type": "STP LMT"}),
    (SPY, {"order_type": "MOC"}),
    (SPY, LMT | {"order_type": "LOC"}),
    (ES, {"order_type": "MOC"}),
    (SPY, {"order_type": "MIDPRICE"}),
    (SPY, LMT | {"order_type": "MIDPRICE"}),
    (SPY, LMT | {"tif": "IOC"}),
    (SPY, LMT | {"tif": "OPG"}),
    (SPY, LMT | {"tif": "GTD", "other": {"goodTillDate": "20251212"}}),
    (SPY, LMT | {"tif": "GTD", "other": {"goodTillDate": "20251212 11:00:00 US/Eastern"}}),
    (SPY, LMT | {"tif": "GTD", "other": {"goodTillDate": "20251212-16:00:00"}}),
    (SPY, {"other": {"goodAfterTime": "20251212 11:00:00 US/Central"}}),
    (ES, LMT | {"limit_price": Decimal("6000.25")}),
    (EUR, LMT | {"limit_price": Decimal("1.10005"), "quantity": Decimal(20_000)}),
]


@pytest.fixture
def candidate(book: BarBook, at: At) -> Callable[..., Candidate]:
    """An order for 10, DAY, with changes, that comes on Friday."""
    market = Market(book)

    def make(listing: Listing, changes: dict[str, Any], when: str = "10:00") -> Candidate:
        terms: dict[str, Any] = {"quantity": Decimal(10), "tif": "DAY"} | changes
        return Candidate(listing, OrderTerms(**terms), "DUSIM0001", market, at(when))

    return make


@pytest.mark.parametrize(("listing", "changes", "code"), REFUSED, ids=lambda item: str(item)[:60])
def test_an_order_that_cannot_be_is_refused(
    candidate: Callable[..., Candidate], listing: Listing, changes: dict[str, Any], code: int
) -> None:
    objection = refusal(candidate(listing, changes))
    assert objection is not None
    assert objection.code == code


@pytest.mark.parametrize(("listing", "changes"), ACCEPTED, ids=lambda item: str(item)[:60])
def test_an_order_that_can_be_is_accepted(
    candidate: Callable[..., Candidate], listing: Listing, changes: dict[str, Any]
) -> None:
    assert refusal(candidate(listing, changes)) is None


@pytest.mark.parametrize(
    ("when", "code"), [("15:58", None), ("15:59", 201), ("16:00", None), ("09:00", None)]
)
def test_the_closing_auction_has_a_cut_off_time(
    candidate: Callable[..., Candidate], when: str, code: int | None
) -> None:
    """SPY's auction is at ARCA, which takes orders until a minute before the close."""
    objection = refusal(candidate(SPY, {"order_type": "MOC"}, when))
    assert (None if objection is None else objection.code) == code


def test_a_change_to_a_fraction_of_a_share_has_a_code_of_its_own(book: BarBook, at: At) -> None:
    """ib.md 4: 10242 for a modify, 10243 for a new order."""
    terms = OrderTerms(quantity=Decimal("1.5"), tif="DAY")
    changed = Candidate(SPY, terms, "DUSIM0001", Market(book), at("10:00"), changing=True)
    objection = refusal(changed)
    assert objection is not None
    assert objection.code == 10242


def test_no_price_is_on_every_market_rule(candidate: Callable[..., Candidate]) -> None:
    assert price_off_tick(None, candidate(SPY, {})) is None

"""ib_async's records and ours, field by field."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import ib_async
import pytest

from gateway.core import ib_values
from gateway.core.broker import BrokerStatus
from schemas.values import Contract, OrderType
from tests.order_documents import order_document

AT = datetime(2025, 6, 2, 14, 30, tzinfo=UTC)
ORDER = order_document(AT, quantity=Decimal("1E+2"), adaptive_priority="Urgent")
EXECUTION = ib_async.Execution(
    execId="0000e0d5.01.01",
    time=datetime(2025, 6, 2, 10, 30, tzinfo=timezone(timedelta(hours=-4))),
    acctNumber="DUSIM1",
    exchange="ISLAND",
    side="SLD",
    shares=10.0,
    price=590.01,
    permId=77,
    clientId=7,
    orderId=5,
    orderRef="paper-756733-1",
)


def details(con_id: int, sec_type: str = "STK", **more: Any) -> ib_async.ContractDetails:
    contract = ib_async.Contract(
        symbol="SPY", conId=con_id, secType=sec_type, exchange="ARCA", currency="USD"
    )
    return ib_async.ContractDetails(contract=contract, **more)


def test_a_market_order_is_sent_with_all_that_ib_might_choose_otherwise() -> None:
    """Traps 1 and 8: tif against presets, orderRef to find it again."""
    fields = ib_values.order_fields(ORDER, "DUSIM1")
    assert (fields["action"], str(fields["totalQuantity"]), fields["tif"]) == ("BUY", "100", "DAY")
    assert (fields["orderRef"], fields["account"]) == ("paper-756733-1", "DUSIM1")
    assert fields["algoStrategy"] == "Adaptive"
    assert fields["algoParams"] == [("adaptivePriority", "Urgent")]


def test_a_market_order_without_priority_uses_no_algo() -> None:
    plain = ib_values.order_fields(replace(ORDER, adaptive_priority=""), "DUSIM1")
    assert "algoStrategy" not in plain


def test_a_negative_quantity_is_sold() -> None:
    fields = ib_values.order_fields(replace(ORDER, quantity=Decimal(-7)), "DUSIM1")
    assert (fields["action"], fields["totalQuantity"]) == ("SELL", Decimal(7))


def test_a_limit_order_has_its_price_and_no_algo() -> None:
    order = replace(ORDER, order_type=OrderType.LMT, limit_price=Decimal("590.10"))
    fields = ib_values.order_fields(replace(order, outside_rth=True), "DUSIM1")
    assert (fields["orderType"], fields["lmtPrice"]) == ("LMT", Decimal("590.10"))
    assert fields["outsideRth"]
    assert "algoStrategy" not in fields


@pytest.mark.parametrize("kind", [OrderType.LMT, OrderType.LOC, OrderType.MIDPRICE])
def test_a_type_with_a_limit_is_sent_with_it_and_never_without(kind: OrderType) -> None:
    """behaviour 4.7; for MIDPRICE it is the cap, without which IB would take the order too."""
    order = replace(ORDER, order_type=kind, limit_price=Decimal("5.9E+2"))
    fields = ib_values.order_fields(order, "DUSIM1")
    assert (fields["orderType"], str(fields["lmtPrice"]), fields["tif"]) == (kind, "590", "DAY")
    with pytest.raises(ValueError, match=f"of type {kind} must have a limit_price"):
        ib_values.order_fields(replace(order, limit_price=None), "DUSIM1")


@pytest.mark.parametrize("kind", [OrderType.MKT, OrderType.MOC])
def test_a_type_without_a_limit_is_never_sent_for_an_order_that_has_one(kind: OrderType) -> None:
    """It would trade at any price."""
    order = replace(ORDER, order_type=kind, adaptive_priority="")
    assert "lmtPrice" not in ib_values.order_fields(order, "DUSIM1")
    with pytest.raises(ValueError, match=f"{kind} would trade without its limit_price"):
        ib_values.order_fields(replace(order, limit_price=Decimal(590)), "DUSIM1")


@pytest.mark.parametrize(
    ("good_after", "text"),
    [
        (None, ""),
        (datetime(2025, 6, 2, 19, 45, tzinfo=UTC), "20250602-19:45:00"),
        (datetime(2025, 6, 2, 15, 45, tzinfo=ZoneInfo("America/New_York")), "20250602-19:45:00"),
        (datetime(2025, 6, 2, 23, 59, 59, 1, tzinfo=UTC), "20250603-00:00:00"),
    ],
)
def test_a_time_to_wait_for_is_sent_in_utc_and_never_earlier(
    good_after: datetime | None, text: str
) -> None:
    """A time without a zone would be taken for the gateway machine's."""
    fields = ib_values.order_fields(replace(ORDER, good_after=good_after), "DUSIM1")
    assert fields["goodAfterTime"] == text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"good_after": datetime(2025, 6, 2, 15, 45)}, "must have a time zone"),  # noqa: DTZ001
        ({"tif": ""}, "must have a tif"),
        ({"quantity": Decimal(0)}, "must have a quantity"),
        ({"order_ref": ""}, "must have an order_ref"),
        ({"order_type": OrderType.LMT}, "must have a limit_price"),
    ],
)
def test_an_order_that_ib_would_take_otherwise_is_not_sent(
    change: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        ib_values.order_fields(replace(ORDER, **change), "DUSIM1")


def test_exactly_one_contract_must_match() -> None:
    found = [details(1, "FUT"), details(756733)]
    assert ib_values.only_match(Contract("SPY"), found).con_id == 756733


@pytest.mark.parametrize(("con_ids", "count"), [((), 0), ((1, 2, 3), 3)])
def test_none_or_several_contracts_are_an_error_that_says_how_many(
    con_ids: tuple[int, ...], count: int
) -> None:
    """[T3]"""
    with pytest.raises(ValueError, match=f"means {count} contracts"):
        ib_values.only_match(Contract("SPY"), [details(con_id) for con_id in con_ids])


def test_a_resolved_contract_keeps_the_route_and_learns_the_rest() -> None:
    resolved = ib_values.only_match(Contract("SPY"), [details(756733)])
    assert (resolved.exchange, resolved.con_id, resolved.multiplier) == (
        "SMART",
        756733,
        Decimal(1),
    )


def test_a_contract_quoted_in_pence_is_refused() -> None:
    with pytest.raises(ValueError, match="1/100 of its currency"):
        ib_values.only_match(Contract("SPY"), [details(1, priceMagnifier=100)])


def test_a_multiplier_is_read() -> None:
    future = ib_async.Contract(secType="FUT", symbol="ES", exchange="CME", multiplier="50")
    assert ib_values.contract(future).multiplier == 50
    assert ib_values.contract(future).exchange == "CME"


def test_a_stock_is_routed_smart_wherever_it_was_executed() -> None:
    executed = ib_async.Contract(secType="STK", symbol="SPY", exchange="ISLAND")
    assert ib_values.contract(executed).exchange == "SMART"


def test_an_execution_is_signed_exact_and_in_utc() -> None:
    told = ib_values.execution(ib_values.contract, ib_async.Contract(symbol="SPY"), EXECUTION)
    assert (told.quantity, told.price, told.at) == (Decimal(-10), Decimal("590.01"), AT)
    assert told.at.tzinfo is UTC
    assert (told.order_ref, told.exchange, told.commission) == ("paper-756733-1", "ISLAND", None)


def test_a_commission_that_ib_does_not_know_yet_is_none() -> None:
    unset = ib_async.CommissionReport("e.01", ib_async.util.UNSET_DOUBLE, "USD")
    assert ib_values.commission(unset) is None
    paid = ib_values.commission(ib_async.CommissionReport("e.01", 1.05, "USD"))
    assert paid is not None
    assert (paid.amount, paid.currency) == (Decimal("1.05"), "USD")


def test_a_completed_order_counts_its_fills_in_a_field_of_its_own() -> None:
    """Trap 9: total quantity 0, no order id."""
    order = ib_async.Order(orderRef="paper-1-1", permId=77, filledQuantity=10.0)
    state = ib_async.OrderState(status="Filled", completedStatus="Filled Size: 10")
    report = ib_values.completed_order(ib_async.Contract(conId=1), order, state)
    assert (report.status, report.filled, report.order_id) == (BrokerStatus.FILLED, Decimal(10), 0)


def test_an_order_status_counts_fills() -> None:
    report = ib_values.status(5, "Submitted", 3.0, (7.0, 590.0, 77, 0, 590.0, 7, "", 0.0))
    assert (report.perm_id, report.client_id, report.filled) == (77, 7, Decimal(3))
    assert report.status is BrokerStatus.WORKING


def test_a_what_if_answer_gives_its_numbers_and_its_warning() -> None:
    state = ib_async.OrderState(
        initMarginAfter="200.5", initMarginChange="10", warningText="too much"
    )
    preview = ib_values.margins(state, "earlier")
    assert (preview.initial_margin, preview.initial_margin_change) == (
        Decimal("200.5"),
        Decimal(10),
    )
    assert (preview.warning, preview.commission) == ("too much", None)


MES = Contract("MES", "FUT", "CME")


def month(name: str, last: str, trading_class: str = "MES") -> ib_async.ContractDetails:
    contract = ib_async.Contract(
        symbol="MES",
        conId=int(last),
        secType="FUT",
        exchange="CME",
        currency="USD",
        localSymbol=name,
        lastTradeDateOrContractMonth=last,
        multiplier="5",
        tradingClass=trading_class,
    )
    return ib_async.ContractDetails(contract=contract)


MONTHS = (month("MESU6", "20260918"), month("MESH6", "20260320"), month("MESM6", "20260618"))


@pytest.mark.parametrize(
    ("today", "names"),
    [
        ("20260227", ["MESH6", "MESM6"]),
        ("20260320", ["MESH6", "MESM6"]),
        ("20260321", ["MESM6", "MESU6"]),
    ],
)
def test_a_chain_is_the_two_months_that_expire_next(today: str, names: list[str]) -> None:
    """In whatever order IB tells them; on its last day a month still trades (decision 12)."""
    found = ib_values.chain(MES, MONTHS, today)
    assert [one.name for one in found] == names
    assert [one.multiplier for one in found] == [5, 5]


def test_a_chain_of_one_month_is_none() -> None:
    with pytest.raises(ValueError, match="has 1 months at the broker, a chain needs 2"):
        ib_values.chain(MES, MONTHS, "20260619")


def test_a_symbol_that_is_several_kinds_of_future_is_refused() -> None:
    """VIX is monthly and weekly futures: nobody knows which the strategy means."""
    weekly = month("MES10", "20260306", "MESW")
    with pytest.raises(ValueError, match="is MES, MESW at the broker; name months by local_symbol"):
        ib_values.chain(MES, (*MONTHS, weekly), "20260227")

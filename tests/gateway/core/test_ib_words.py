"""IB's words, codes and numbers in ours. Trap numbers are those of the IB notes."""

import sys
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.core import ib_words
from gateway.core.broker import BrokerStatus, Connection, OrderReport
from schemas.values import Contract

AT = datetime(2025, 6, 2, 14, 30, tzinfo=UTC)
SPY = Contract("SPY", con_id=756733)
UNSET_DOUBLE = sys.float_info.max
OPEN = OrderReport("paper-1-1", BrokerStatus.WORKING, con_id=1, perm_id=77, order_id=5, client_id=7)


@pytest.mark.parametrize("word", ["PendingSubmit", "PreSubmitted", "Submitted", "PendingCancel"])
def test_an_order_that_may_still_fill_is_working(word: str) -> None:
    assert ib_words.order_status(word) is BrokerStatus.WORKING


@pytest.mark.parametrize("word", ["Cancelled", "ApiCancelled"])
def test_only_these_words_mean_cancelled(word: str) -> None:
    assert ib_words.order_status(word) is BrokerStatus.CANCELLED


@pytest.mark.parametrize("word", ["Inactive", "ValidationError", "ApiUpdate", "", "Nonsense"])
def test_a_word_that_is_no_outcome_is_unsure(word: str) -> None:
    """Trap 22: IB may revive an Inactive order."""
    assert ib_words.order_status(word) is BrokerStatus.UNSURE


def test_an_inactive_order_among_the_completed_is_over() -> None:
    assert ib_words.completed_status("Inactive") is BrokerStatus.REJECTED
    assert ib_words.completed_status("Filled") is BrokerStatus.FILLED


@pytest.mark.parametrize("code", [10349, 10148, 10147, 399, 404, 2109, 161, 135, 104, 105, 99999])
@pytest.mark.parametrize("acknowledged", [False, True])
def test_an_error_text_is_no_outcome(code: int, acknowledged: bool) -> None:
    """Traps 1 to 3: ib_async makes these Cancelled or ValidationError, and the order then fills."""
    assert ib_words.order_error(code, acknowledged) is BrokerStatus.UNSURE


@pytest.mark.parametrize("code", [201, 203, 110, 200, 434, 10243])
@pytest.mark.parametrize("acknowledged", [False, True])
def test_the_brokers_own_rejections_count_whenever_they_come(code: int, acknowledged: bool) -> None:
    assert ib_words.order_error(code, acknowledged) is BrokerStatus.REJECTED


@pytest.mark.parametrize("code", [100, 103, 321, 387])
def test_a_refused_message_rejects_an_order_only_before_it_is_acknowledged(code: int) -> None:
    assert ib_words.order_error(code, acknowledged=False) is BrokerStatus.REJECTED
    assert ib_words.order_error(code, acknowledged=True) is BrokerStatus.UNSURE


def test_202_means_cancelled() -> None:
    assert ib_words.order_error(202, acknowledged=True) is BrokerStatus.CANCELLED


@pytest.mark.parametrize("code", [399, 404, 2104, 2158, 10167, 10349])
def test_a_request_outlives_a_warning(code: int) -> None:
    assert ib_words.is_warning(code)


@pytest.mark.parametrize("code", [162, 200, 201, 321, 354, 110])
def test_a_refusal_ends_its_request(code: int) -> None:
    """Trap 13: ib_async takes 321 for a warning, and the request hangs for ever."""
    assert not ib_words.is_warning(code)


@pytest.mark.parametrize(
    ("code", "up", "data_lost"),
    [(1100, False, False), (2110, False, False), (1101, True, True), (1102, True, False)],
)
def test_a_notice_about_ibs_own_line_is_a_connection(code: int, up: bool, data_lost: bool) -> None:
    """Trap 21: our socket stays open through all of them."""
    expected = Connection(up, f"{code} text", data_lost)
    assert ib_words.line_notice(code, "text") == expected


@pytest.mark.parametrize("code", [2103, 2104, 2107, 326, 201, 504])
def test_other_notices_leave_the_line_alone(code: int) -> None:
    assert ib_words.line_notice(code, "text") is None


@pytest.mark.parametrize(
    ("told", "exact"),
    [
        (100.0, "100"),
        (590.01, "590.01"),
        ("0.00", "0"),
        ("-12.50", "-12.50"),
        (1e16, "10000000000000000"),
    ],
)
def test_a_number_is_exact_as_written(told: float | str, exact: str) -> None:
    assert str(ib_words.number(told)) == exact


UNSET = (UNSET_DOUBLE, "1.7976931348623157E308", "1.7976931348623157e+308", 2**31 - 1, 2**63 - 1)


@pytest.mark.parametrize("told", [*UNSET, "", None, float("nan"), float("inf")])
def test_an_unset_number_is_none(told: float | str | None) -> None:
    assert ib_words.number(told) is None


def test_a_number_that_must_be_there_is_demanded() -> None:
    with pytest.raises(ValueError, match="left out a number"):
        ib_words.amount(UNSET_DOUBLE)


@pytest.mark.parametrize("told", [-1.0, 0.0, UNSET_DOUBLE])
def test_no_price_is_none(told: float) -> None:
    assert ib_words.price(told) is None


def test_what_was_bought_is_positive_and_what_was_sold_negative() -> None:
    assert ib_words.signed("BOT", 10.0) == Decimal(10)
    assert ib_words.signed("SLD", 10.0) == Decimal(-10)
    with pytest.raises(ValueError, match="'BUY', not BOT or SLD"):
        ib_words.signed("BUY", 10.0)


def test_an_unset_id_is_0() -> None:
    assert ib_words.identity(2**31 - 1) == 0
    assert ib_words.identity(12) == 12


@pytest.mark.parametrize(
    ("text", "zoned"),
    [
        ("20250602 10:30:00 US/Eastern", "20250602 10:30:00 US/Eastern"),
        ("20250602 10:30:00 China Standard Time", "20250602 10:30:00 Asia/Shanghai"),
        ("20250602 10:30:00 JST", "20250602 10:30:00 Asia/Tokyo"),
        ("20250602 10:30:00 Middle-Earth", "20250602 10:30:00 America/New_York"),
        ("20250602  10:30:00", "20250602 10:30:00 America/New_York"),
    ],
)
def test_a_time_in_any_zone_can_be_read(text: str, zoned: str) -> None:
    """Trap 24: ib_async loses the fill over a zone name that it does not know."""
    assert ib_words.zoned(text, "America/New_York") == zoned


def test_open_orders_are_one_report_each_with_their_fills_counted() -> None:
    status = OrderReport("", BrokerStatus.WORKING, perm_id=77, filled=Decimal(3))
    stranger = OrderReport("", BrokerStatus.FILLED, perm_id=78, filled=Decimal(9))
    assert ib_words.still_open([OPEN, status, stranger]) == (replace(OPEN, filled=Decimal(3)),)


def test_account_values_are_read_by_currency() -> None:
    rows = [
        ("NetLiquidation", "1000.50", "EUR"),
        ("NetLiquidation", "1000.50", "BASE"),
        ("CashBalance", "10", "EUR"),
        ("CashBalance", "-7.25", "USD"),
        ("CashBalance", "3", "BASE"),
        ("InitMarginReq", "400", "EUR"),
    ]
    values = ib_words.account_values("DUSIM1", rows)
    assert (values.net_liquidation, values.base_currency) == (Decimal("1000.50"), "EUR")
    assert values.cash == {"EUR": Decimal(10), "USD": Decimal("-7.25")}
    assert (values.initial_margin, values.maintenance_margin) == (Decimal(400), None)


def test_rates_of_exchange_are_read_by_currency_and_the_base_is_worth_1() -> None:
    """[M14] What is no rate is left out: nobody values a currency by a guess."""
    told = {"EUR": "1.0845", "CHF": "0", "GBP": "-1", "JPY": "none", "CAD": "", "AUD": "nan"}
    rows = [("NetLiquidation", "1000", "USD"), ("ExchangeRate", "1.00", "BASE")]
    rows += [("ExchangeRate", rate, currency) for currency, rate in told.items()]
    values = ib_words.account_values("DUSIM1", rows)
    assert values.exchange_rates == {"EUR": Decimal("1.0845"), "USD": Decimal(1)}


def test_the_base_currency_is_worth_1_whatever_is_told_of_it() -> None:
    rows = [("NetLiquidation", "1000", "EUR"), ("ExchangeRate", "1.2", "EUR")]
    assert ib_words.account_values("DUSIM1", rows).exchange_rates == {"EUR": Decimal(1)}


def test_an_account_without_equity_is_an_error() -> None:
    with pytest.raises(ValueError, match="no NetLiquidation of account DU…M1"):
        ib_words.account_values("DUSIM1", [("CashBalance", "1", "USD")])


def test_a_quote_has_none_where_there_is_no_price() -> None:
    quote = ib_words.quote(SPY, AT, {1: 590.01, 2: -1.0, 9: 588.0}, delayed=False)
    assert (quote.bid, quote.ask, quote.last) == (Decimal("590.01"), None, None)
    assert not quote.delayed


def test_delayed_ticks_make_a_delayed_quote() -> None:
    quote = ib_words.quote(SPY, AT, {66: 590.01, 67: 590.03, 68: 590.02}, delayed=False)
    assert quote.delayed
    assert quote.last == Decimal("590.02")


def test_a_snapshot_is_complete_with_bid_ask_and_last() -> None:
    assert ib_words.is_complete({1: 590.0, 2: 590.2, 68: 590.1, 9: 1.0})
    assert not ib_words.is_complete({1: 590.0, 2: 590.2})


def test_a_margin_preview_leaves_out_what_is_unset() -> None:
    told: dict[str, str | float] = {
        "initial_margin_after": "200.5",
        "commission": UNSET_DOUBLE,
        "commission_max": 1.5,
    }
    preview = ib_words.margin_preview(told, warning="careful")
    assert preview.initial_margin == Decimal("200.5")
    assert (preview.commission, preview.initial_margin_change) == (Decimal("1.5"), None)
    assert preview.raw == {"initial_margin_after": "200.5", "commission_max": "1.5"}
    assert preview.warning == "careful"


@pytest.mark.parametrize(
    ("error", "refusal", "accounts", "sentence"),
    [
        (ConnectionRefusedError(), "API connection failed", None, "nothing listens there"),
        (None, "the client id is already in use", None, "the client id is already in use"),
        (TimeoutError(), "", "", "named no account in 2 s"),
        (TimeoutError(), "", None, "did not answer in 2 s"),
        (ConnectionError("positions request timed out"), "", "U1", "positions request timed out"),
    ],
)
def test_a_failed_connection_says_why(
    error: Exception | None, refusal: str, accounts: str | None, sentence: str
) -> None:
    """Trap 23: ib_async gives the same TimeoutError for all of them."""
    assert sentence in ib_words.why_not_connected(error, refusal, accounts, 2)

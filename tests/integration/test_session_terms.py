"""How contracts trade, asked over a real socket: the real ib_async against the simulator."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from gateway.core.broker import Span, Terms
from gateway.session import BrokerUnavailable, Unanswered, Unresolved
from gateway.simulator import replies, requests
from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.market.bars import BarBook
from gateway.simulator.replies import Delivery
from schemas.values import Contract
from tests.integration.session_bench import Bench, benched

BEFORE_THANKSGIVING = datetime(2025, 11, 26, 15, tzinfo=UTC)
"""A Wednesday, 10:00 in New York and 09:00 in Chicago."""
BEFORE_CHRISTMAS = datetime(2025, 12, 23, 15, tzinfo=UTC)
NOTHING = BarBook({})
"""Without bars the exchanges' own rules say which days are short."""
SPY = Contract("SPY")
EUR = Contract("EUR", "CASH", "IDEALPRO", "USD")
FUTURE = Contract("ES", "FUT", "CME", "USD", last_trade_date="20251219")


def day(number: int, opens: tuple[int, int], closes: tuple[int, int]) -> Span:
    """A span of one UTC day of November 2025."""
    return Span(
        datetime(2025, 11, number, *opens, tzinfo=UTC),
        datetime(2025, 11, number, *closes, tzinfo=UTC),
    )


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    async with benched(BEFORE_THANKSGIVING, NOTHING) as made:
        yield made


async def test_a_stock_trades_in_cents_and_closes_early_after_thanksgiving(bench: Bench) -> None:
    terms = await bench.session.terms(SPY)
    assert terms.increments == ((Decimal(0), Decimal("0.01")),)
    assert terms.liquid_hours[:3] == (
        day(26, (14, 30), (21, 0)),
        day(28, (14, 30), (18, 0)),
        Span(
            datetime(2025, 12, 1, 14, 30, tzinfo=UTC),
            datetime(2025, 12, 1, 21, tzinfo=UTC),
        ),
    )
    assert terms.trading_hours[1] == day(28, (9, 0), (22, 0))
    assert (terms.contract.con_id, terms.at) == (756733, BEFORE_THANKSGIVING)


async def test_the_day_before_christmas_is_short_and_christmas_is_none() -> None:
    async with benched(BEFORE_CHRISTMAS, NOTHING) as bench:
        spans = (await bench.session.terms(SPY)).liquid_hours
    assert [
        (f"{span.opens_at:%m%d %H%M}", f"{span.closes_at:%m%d %H%M}") for span in spans[:3]
    ] == [
        ("1223 1430", "1223 2100"),
        ("1224 1430", "1224 1800"),
        ("1226 1430", "1226 2100"),
    ]


async def test_a_currency_pair_trades_in_twentieths_of_a_pip_over_midnight(bench: Bench) -> None:
    terms = await bench.session.terms(EUR)
    assert terms.increments == ((Decimal(0), Decimal("0.00005")),)
    assert terms.liquid_hours == terms.trading_hours
    assert terms.liquid_hours[0] == Span(
        datetime(2025, 11, 25, 22, 15, tzinfo=UTC), datetime(2025, 11, 26, 22, tzinfo=UTC)
    )


async def test_a_future_trades_in_quarters_by_chicagos_clock(bench: Bench) -> None:
    terms = await bench.session.terms(FUTURE)
    assert terms.increments == ((Decimal(0), Decimal("0.25")),)
    assert terms.liquid_hours[0] == day(26, (14, 30), (22, 0))
    assert terms.trading_hours[0] == Span(
        datetime(2025, 11, 25, 23, tzinfo=UTC), datetime(2025, 11, 26, 22, tzinfo=UTC)
    )


async def test_terms_are_asked_once_a_day_and_a_shared_rule_once_for_all(bench: Bench) -> None:
    """IB's 50 messages a second: an ordinary net asks nothing more."""
    named = [Contract(symbol) for symbol in ("SPY", "QQQ", "AAPL")]
    stocks = [await bench.session.resolve(contract) for contract in named]
    bench.exchange.asked.clear()
    first = await asyncio.gather(*(bench.session.terms(contract) for contract in stocks))
    again = await asyncio.gather(*(bench.session.terms(contract) for contract in stocks))
    assert first == again
    assert [len(first), len({terms.contract.con_id for terms in first})] == [3, 3]
    assert bench.exchange.count(requests.ContractDetailsRequest) == 3
    assert bench.exchange.count(requests.MarketRuleRequest) == 1


async def test_a_new_line_asks_nothing_and_a_new_day_all_again(bench: Bench) -> None:
    spy = (await bench.session.terms(SPY)).contract
    await bench.session.connect()
    bench.exchange.asked.clear()
    known = await bench.session.terms(spy)
    assert bench.exchange.count(requests.ContractDetailsRequest) == 0
    await bench.simulator.advance_to(BEFORE_THANKSGIVING + timedelta(days=1))
    fresh = await bench.session.terms(spy)
    assert fresh.at == known.at + timedelta(days=1)
    assert bench.exchange.count(requests.MarketRuleRequest) == 1


async def test_an_unknown_contract_has_no_terms(bench: Bench) -> None:
    with pytest.raises(Unresolved, match="NOWHERE"):
        await bench.session.terms(Contract("NOWHERE"))
    with pytest.raises(Unresolved, match="conId 4711"):
        await bench.session.terms(Contract("GONE", con_id=4711))


async def test_without_a_line_nothing_is_told(bench: Bench) -> None:
    await bench.session.close()
    with pytest.raises(BrokerUnavailable, match="not connected"):
        await bench.session.terms(SPY)


def without_answer(client_id: int, request: Any, answer: list[Delivery]) -> list[Delivery]:
    return []


async def test_a_market_rule_that_does_not_come_ends_at_the_deadline_and_may_be_asked_again() -> (
    None
):
    """An error about a market rule names no request, so nothing but time ends the wait."""
    async with benched(BEFORE_THANKSGIVING, NOTHING, seconds=1) as bench:
        named = [Contract(symbol) for symbol in ("SPY", "QQQ", "AAPL")]
        stocks = [await bench.session.resolve(contract) for contract in named]
        bench.exchange.meddle[requests.MarketRuleRequest] = without_answer
        asked = (bench.session.terms(contract) for contract in stocks)
        failures = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(failure) for failure in failures] == [Unanswered] * 3
        bench.exchange.meddle.clear()
        terms = await asyncio.gather(*(bench.session.terms(contract) for contract in stocks))
        assert all(isinstance(told, Terms) for told in terms)


def details_with(**changes: Any) -> Any:
    """A change of what contract details say."""

    def change(client_id: int, request: Any, answer: list[Delivery]) -> list[Delivery]:
        return [
            (to, replace(said, **changes) if isinstance(said, replies.ContractDetails) else said)
            for to, said in answer
        ]

    return change


async def test_hours_that_cannot_be_read_are_none_with_a_warning(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.exchange.meddle[requests.ContractDetailsRequest] = details_with(time_zone="Middle-Earth")
    with caplog.at_level(logging.WARNING, "gateway.inquiry"):
        terms = await bench.session.terms(SPY)
    assert (terms.liquid_hours, terms.trading_hours) == ((), ())
    assert terms.increments == ((Decimal(0), Decimal("0.01")),)
    assert (
        "SPY STK SMART USD: its liquid hours are left out: the zone 'Middle-Earth'" in caplog.text
    )


async def test_where_ib_names_no_rule_the_smallest_step_stands_for_all(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.exchange.meddle[requests.ContractDetailsRequest] = details_with(market_rules="")
    terms = await bench.session.terms(FUTURE)
    assert terms.increments == ((Decimal(0), Decimal("0.25")),)
    assert bench.exchange.count(requests.MarketRuleRequest) == 0
    assert "IB names no market rule on CME; its step is 0.25 at any price" in caplog.text


async def test_a_reading_has_the_rates_of_the_currencies_held() -> None:
    """[M14] Cash in EUR, an account in USD."""
    options = ExchangeOptions(
        cash_by_currency={"EUR": Decimal(5000)}, exchange_rates={"EUR": Decimal("1.0845")}
    )
    async with benched(BEFORE_THANKSGIVING, NOTHING, options) as bench:
        values = (await bench.session.read()).values
    assert values.cash["EUR"] == 5000
    assert values.exchange_rates == {"USD": Decimal(1), "EUR": Decimal("1.0845")}

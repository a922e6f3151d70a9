from dataclasses import replace
from decimal import Decimal
from typing import Any

from gateway.core import book
from gateway.core.desk import Desk
from gateway.core.valuation import pnl_of_books, valuations
from schemas.documents import LedgerDocument
from schemas.values import CASH_BOOK, EXTERNAL, Contract

ES = Contract("ES", sec_type="FUT", exchange="CME", con_id=3, multiplier=Decimal(50))
SAP = Contract("SAP", currency="EUR", con_id=4)
PAIR = Contract("EUR", sec_type="CASH", exchange="IDEALPRO", con_id=5)


def traded(build: Any, contract: Contract, *trades: tuple[int, int], **parts: Any) -> Any:
    """A ledger that traded these (quantity, price) one after the other."""
    ledger = book.EMPTY
    for number, (quantity, price) in enumerate(trades):
        cost = Decimal(quantity * price) * contract.multiplier
        entry = build.entry(quantity, source=f"s{number}", at=build.later(number), **parts)
        ledger = book.post(ledger, contract, replace(entry, cost=cost))
    return ledger


def held(build: Any, ledgers: dict[str, LedgerDocument], **parts: Any) -> Desk:
    values = replace(build.base, exchange_rates={"EUR": Decimal("1.25")})
    prices = {con_id: build.price() for con_id in (1, 3, 4)}
    known = {"values": values, "prices": prices, "ledgers": ledgers}
    desk: Desk = replace(build.desk(), **{**known, **parts})
    return desk


def test_a_holding_is_worth_its_price_and_made_what_it_is_above_its_cost(build: Any) -> None:
    desk = held(build, {"a": traded(build, build.spy, (10, 90))})
    (one,) = valuations(desk)
    assert (one.ledger, one.worth, one.pnl) == ("a", Decimal(1000), Decimal(100))


def test_multiplier_rate_realized_profit_and_commission_count(build: Any) -> None:
    """2 bought at 90, 1 sold at 95: 5 realized and 10 not; 100 in dollars at 50 times 1."""
    ledger = traded(build, ES, (2, 90), (-1, 95), commission=Decimal(2))
    (one,) = valuations(held(build, {"a": ledger}))
    assert (one.worth, one.pnl) == (Decimal(5000), Decimal(250 + 500 - 4))


def test_other_currencies_are_told_in_the_base_currency(build: Any) -> None:
    paid = {"commission": Decimal(1), "commission_currency": "EUR"}
    (one,) = valuations(held(build, {"a": traded(build, SAP, (10, 90), **paid)}))
    assert (one.worth, one.pnl) == (Decimal(1250), Decimal("1.25") * (100 - 1))


def test_a_commission_of_two_currencies_has_no_worth(build: Any) -> None:
    paid = {"commission": Decimal(1), "commission_currency": "EUR+USD"}
    (one,) = valuations(held(build, {"a": traded(build, SAP, (10, 90), **paid)}))
    assert (one.worth, one.pnl) == (Decimal(1250), None)


def test_without_a_price_or_a_rate_nobody_can_tell(build: Any) -> None:
    """[M14]"""
    stocks, euros = traded(build, build.spy, (10, 90)), traded(build, SAP, (10, 90))
    desk = held(build, {"a": stocks, "b": euros}, prices={4: build.price()}, values=build.base)
    assert [(one.worth, one.pnl) for one in valuations(desk)] == [(None, None), (None, None)]
    assert pnl_of_books(desk) == ({}, ["a", "b"])


def test_what_is_sold_needs_no_price(build: Any) -> None:
    desk = held(build, {"a": traded(build, build.spy, (10, 90), (-10, 95))}, prices={})
    assert pnl_of_books(desk) == ({"a": Decimal(50)}, [])


def test_a_book_made_what_its_holdings_made_and_others_are_nobodys_strategy(build: Any) -> None:
    both = LedgerDocument(
        {
            **traded(build, build.spy, (10, 90)).positions,
            **traded(build, ES, (1, 99)).positions,
        }
    )
    pair = traded(build, PAIR, (10, 90))
    ledgers = {"a": both, EXTERNAL: traded(build, build.spy, (5, 90)), CASH_BOOK: pair}
    desk = held(build, ledgers)
    assert pnl_of_books(desk) == ({"a": Decimal(150)}, [])
    assert [one.ledger for one in valuations(desk)] == [EXTERNAL, "a", "a"]

"""The law over documents [B3]."""

from decimal import Decimal

from gateway.core import book, law
from schemas.documents import BrokerPosition, LedgerDocument, LedgerPosition
from schemas.values import CASH_BOOK, CASH_TYPE, EXTERNAL, Contract

SPY, VIXY = Contract("SPY", con_id=1), Contract("VIXY", con_id=2)
EUR = Contract("EUR", sec_type=CASH_TYPE, con_id=3)
ZERO = Decimal(0)


def at_broker(contract: Contract, quantity: int) -> dict[str, BrokerPosition]:
    return {str(contract.con_id): BrokerPosition(contract, Decimal(quantity), ZERO)}


def ledger(contract: Contract, quantity: int) -> LedgerDocument:
    position = LedgerPosition(contract, Decimal(quantity), ZERO, ZERO, ZERO)
    return LedgerDocument({str(contract.con_id): position})


def test_all_ledgers_together_explain_a_position() -> None:
    ledgers = {"a": ledger(SPY, 7), "b": ledger(SPY, -4), EXTERNAL: ledger(SPY, 50)}
    found = law.balances(at_broker(SPY, 53), ledgers)
    assert found == {"1": law.Balance(SPY, Decimal(53), Decimal(53))}
    assert found["1"].missing == 0


def test_what_only_one_side_has_is_missing() -> None:
    found = law.balances(at_broker(SPY, 3), {"a": ledger(VIXY, 5)})
    assert {one.contract.symbol: one.missing for one in found.values()} == {"SPY": 3, "VIXY": -5}


def test_currency_pairs_stay_out_of_it() -> None:
    """[B1]"""
    assert law.balances(at_broker(EUR, 3), {CASH_BOOK: ledger(EUR, 9)}) == {}


def test_an_empty_account_breaks_no_law() -> None:
    assert law.balances({}, {"a": book.EMPTY}) == {}

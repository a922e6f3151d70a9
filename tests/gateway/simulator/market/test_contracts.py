"""Which contract a description means."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator.market.contracts import (
    LISTINGS,
    MADE_UP_CON_ID_BASE,
    Contract,
    ContractTable,
    Listing,
    conforms,
    made_up_con_id,
    made_up_isin,
    unrouted,
)

TABLE = ContractTable()


@pytest.mark.parametrize(
    "wanted",
    [
        Contract(con_id=756733),
        Contract(symbol="SPY", security_type="STK"),
        Contract(symbol="SPY", security_type="STK", exchange="SMART", currency="USD"),
        Contract(symbol="SPY", security_type="STK", exchange="ARCA"),
        Contract(local_symbol="SPY", security_type="STK", primary_exchange="ARCA"),
    ],
)
def test_spy_is_found_however_it_is_named(wanted: Contract) -> None:
    resolved = TABLE.resolve(wanted)
    assert resolved is not None
    assert resolved[1].con_id == 756733
    assert resolved[1].exchange == (wanted.exchange or "SMART")


@pytest.mark.parametrize(
    "wanted",
    [
        Contract(),
        Contract(con_id=1),
        Contract(con_id=756733, exchange="IDEALPRO"),
        Contract(symbol="SPY"),
        Contract(symbol="SPY", security_type="OPT"),
        Contract(symbol="SPY", security_type="STK", currency="EUR"),
        Contract(symbol="SPY", security_type="STK", primary_exchange="NASDAQ"),
        Contract(symbol="SPY", security_type="STK", local_symbol="QQQ"),
    ],
)
def test_what_fits_no_listing_is_not_found(wanted: Contract) -> None:
    assert TABLE.resolve(wanted) is None


def test_an_ambiguous_description_is_not_resolved() -> None:
    twice = ContractTable([Listing(1, "SPY", "ARCA", "a"), Listing(2, "SPY", "LSE", "b")])
    wanted = Contract(symbol="SPY", security_type="STK")
    assert len(twice.find(wanted)) == 2
    assert twice.resolve(wanted) is None


def test_symbols_with_bars_only_get_made_up_ids() -> None:
    table = TABLE.with_symbols(["SPY", "ACME"])
    acme = table.by_symbol("ACME")
    assert acme is not None
    assert acme.con_id == made_up_con_id("ACME") >= MADE_UP_CON_ID_BASE
    assert TABLE.by_symbol("ACME") is None


def test_made_up_ids_are_stable() -> None:
    """Recorded books name contracts by id: the same symbol has the same id for ever."""
    assert (made_up_con_id("VIXY"), made_up_con_id("SQQQ")) == (
        981983521,
        979768864,
    )


def test_a_held_contract_stands_on_its_primary_exchange() -> None:
    listing = TABLE.by_con_id(756733)
    assert unrouted(listing.contract()).exchange == "ARCA"
    assert listing.tick == Decimal("0.01")


def keys(wanted: Contract, today: date | None = None) -> list[str]:
    return [listing.key for listing in TABLE.find(wanted, today)]


@pytest.mark.parametrize(
    "wanted",
    [
        Contract(con_id=12087792),
        Contract(symbol="EUR", security_type="CASH", currency="USD"),
        Contract(symbol="EUR", security_type="CASH", exchange="IDEALPRO", currency="USD"),
        Contract(symbol="EUR", security_type="CASH", exchange="FXCONV", currency="USD"),
        Contract(local_symbol="EUR.USD", security_type="CASH", exchange="IDEALPRO"),
    ],
)
def test_a_pair_is_found_however_it_is_named(wanted: Contract) -> None:
    """ib.md 1.3: NautilusTrader names a pair by its local symbol alone."""
    resolved = TABLE.resolve(wanted)
    assert resolved is not None
    assert (resolved[1].con_id, resolved[1].local_symbol) == (12087792, "EUR.USD")
    assert resolved[1].exchange == (wanted.exchange or "IDEALPRO")


def test_a_pair_is_not_routed_like_a_stock() -> None:
    assert keys(Contract(symbol="EUR", security_type="CASH", exchange="SMART")) == []
    assert keys(Contract(symbol="SPY", security_type="STK", exchange="IDEALPRO")) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"local_symbol": "ESZ5"}, "ESZ5"),
        ({"symbol": "ES", "expiry": "202512"}, "ESZ5"),
        ({"symbol": "ES", "expiry": "20251219"}, "ESZ5"),
        ({"symbol": "ES", "expiry": "20251218"}, ""),
        ({"symbol": "ES", "expiry": "202512", "multiplier": "50"}, "ESZ5"),
        ({"symbol": "ES", "expiry": "202512", "multiplier": "5"}, ""),
    ],
)
def test_a_future_is_found_by_its_month_its_day_or_its_local_symbol(
    changes: dict[str, Any], found: str
) -> None:
    wanted = Contract(security_type="FUT", exchange="CME", **changes)
    assert " ".join(keys(wanted)) == found


def test_a_future_without_its_expiry_is_every_one_that_has_not_expired() -> None:
    wanted = Contract(symbol="ES", security_type="FUT", exchange="CME")
    alive = keys(wanted, date(2025, 12, 19))
    assert alive[:3] == ["ESZ5", "ESH6", "ESM6"]
    assert keys(wanted, date(2025, 12, 20))[0] == "ESH6"
    assert len(keys(wanted)) == 40
    assert TABLE.resolve(wanted) is None


def test_e_minis_expire_on_the_third_friday_of_their_quarter() -> None:
    expiries = {item.key: item.expiry for item in LISTINGS if item.symbol == "ES"}
    assert expiries["ESH0"] == "20200320"
    assert expiries["ESM5"] == "20250620"
    assert expiries["ESZ5"] == "20251219"


def test_a_future_shows_its_multiplier_and_no_primary_exchange() -> None:
    future = TABLE.by_symbol("ESZ5")
    assert future is not None
    contract = future.contract()
    assert (contract.exchange, contract.primary_exchange) == ("CME", "")
    assert (contract.multiplier, contract.expiry) == ("50", "20251219")
    assert (contract.trading_class, contract.con_id) == ("ES", 495512563)
    assert unrouted(contract).exchange == "CME"


def test_a_symbol_that_names_several_contracts_names_none() -> None:
    assert TABLE.by_symbol("ES") is None
    assert TABLE.by_symbol("EUR.USD") is TABLE.by_symbol("EUR")


def test_bars_of_an_unknown_pair_make_one_and_of_an_unknown_future_are_refused() -> None:
    pair = TABLE.with_symbols(["EUR.SEK"]).by_symbol("EUR.SEK")
    assert pair is not None
    assert (pair.symbol, pair.currency, pair.hours) == ("EUR", "SEK", "FX")
    with pytest.raises(ValueError, match="NQZ5: an unknown future, describe it"):
        TABLE.with_symbols(["NQZ5"])


@pytest.mark.parametrize(
    ("key", "price", "fits"),
    [
        ("SPY", "600.01", True),
        ("SPY", "600.005", False),
        ("EUR.USD", "1.17005", True),
        ("EUR.USD", "1.17004", False),
        ("ESZ5", "6800.25", True),
        ("ESZ5", "6800.10", False),
    ],
)
def test_prices_conform_to_the_market_rule(key: str, price: str, fits: bool) -> None:
    """Rules 26 (0.01), 239 (0.00005) and 67 (0.25)."""
    listing = TABLE.by_symbol(key)
    assert listing is not None
    assert conforms(Decimal(price), listing) is fits


def test_a_market_rule_can_have_steps() -> None:
    steps = ((Decimal(0), Decimal("0.0001")), (Decimal(1), Decimal("0.01")))
    listing = Listing(1, "X", "NYSE", "X", increments=steps)
    assert conforms(Decimal("0.1234"), listing)
    assert not conforms(Decimal("1.234"), listing)


@pytest.mark.parametrize("symbol", ["VIXY", "NEVERHEARD"])
def test_a_stock_without_a_known_isin_has_a_made_up_one(symbol: str) -> None:
    """NautilusTrader loads no stock without an ISIN; IB tells one of every stock."""
    (listing,) = (
        ContractTable().with_symbols([symbol]).find(Contract(symbol=symbol, security_type="STK"))
    )
    assert listing.isin == made_up_isin(listing.con_id)


@pytest.mark.parametrize("con_id", [1, 900_000_001, 2**31 - 1])
def test_a_made_up_isin_is_of_no_country_and_has_its_check_digit(con_id: int) -> None:
    isin = made_up_isin(con_id)
    assert (isin[:2], len(isin)) == ("ZZ", 12)
    assert passes_luhn(isin)


def test_the_check_of_isins_knows_a_real_one() -> None:
    assert passes_luhn("US78462F1030")
    assert not passes_luhn("US78462F1031")


def passes_luhn(isin: str) -> bool:
    """ISO 6166: letters are two digits, then every second digit from the right is doubled."""
    digits = [int(digit) for character in isin for digit in str(int(character, 36))][::-1]
    return sum(digits[::2] + [sum(divmod(2 * one, 10)) for one in digits[1::2]]) % 10 == 0

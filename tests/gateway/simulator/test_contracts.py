"""Which contract a description means."""

from decimal import Decimal

import pytest

from gateway.simulator.contracts import (
    MADE_UP_CON_ID_BASE,
    Contract,
    ContractTable,
    Listing,
    made_up_con_id,
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

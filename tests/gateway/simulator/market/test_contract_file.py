"""Contracts of one's own: what an entry means, and how a bad one is refused."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.market import contract_file
from gateway.simulator.market.contract_file import (
    FIELDS,
    ContractFileError,
    parse_contracts,
    read_contracts,
)
from gateway.simulator.market.contracts import Contract, ContractTable, made_up_con_id, step_at

EXAMPLE = Path(contract_file.__file__).parent / "example_contracts.toml"
STOCK = '[[contract]]\nsymbol = "ACME"\nprimary_exchange = "NYSE"\nlong_name = "ACME INC"\n'


def test_the_example_has_a_stock_a_pair_and_a_future() -> None:
    nvidia, hard, pair, future = read_contracts(EXAMPLE)
    assert (nvidia.con_id, nvidia.hours, nvidia.stock_type) == (4815747, "US", "COMMON")
    assert (hard.shortable_shares, hard.con_id) == (Decimal(500), made_up_con_id("HARD"))
    assert hard.increments == ((Decimal(0), Decimal("0.0001")), (Decimal(1), Decimal("0.01")))
    assert (pair.key, pair.security_type, pair.hours) == ("EUR.CHF", "CASH", "FX")
    assert (future.key, future.multiplier, future.tick) == ("NQZ5", Decimal(20), Decimal("0.25"))
    assert (future.expiry, future.contract_month, future.hours) == ("20251219", "202512", "CME")


def test_contracts_of_a_file_join_the_table_and_take_the_place_of_known_ones() -> None:
    text = STOCK + '[[contract]]\ncon_id = 756733\nsymbol = "SPY"\nprimary_exchange = "ARCA"\n'
    table = ContractTable().with_listings(
        parse_contracts(text + 'long_name = "other"\ntick = 0.05\n', "mine.toml")
    )
    spy, acme = table.by_con_id(756733), table.by_symbol("ACME")
    assert (spy.long_name, spy.tick) == ("other", Decimal("0.05"))
    assert acme is not None
    assert len(table.listings) == len(ContractTable().listings) + 1


REFUSALS = [
    ("", "not a list of [[contract]] entries"),
    ("contract = 3", "not a list of [[contract]] entries"),
    ("x = 3\n" + STOCK, "not a list of [[contract]] entries"),
    ("[[contract]", "Expected ']]' at the end of an array declaration"),
    ('[[contract]]\nsymbol = "A"\n', "contract 1 (A): no primary_exchange, long_name"),
    (STOCK + STOCK, "contract 2 (ACME): ACME stands in the file twice"),
    (STOCK + "colour = 3\n", "contract 1 (ACME): unknown field 'colour'"),
    (STOCK + 'tick = "x"\n', "contract 1 (ACME): tick 'x' is not usable"),
    (STOCK + "tick = 0\n", "contract 1 (ACME): tick '0' is not above 0"),
    (STOCK + "tick = nan\n", "contract 1 (ACME): tick 'NaN' is not a number of at least 0"),
    (STOCK + "tick = true\n", "contract 1 (ACME): tick 'True' is not a number"),
    (STOCK + "con_id = 0\n", "contract 1 (ACME): con_id '0' is not a whole number above 0"),
    (STOCK + "isin = 3\n", "contract 1 (ACME): isin '3' is not a text"),
    (STOCK + 'hours = "MOON"\n', "contract 1 (ACME): hours 'MOON' is not one of US, FX, CME"),
    (STOCK + 'expiry = "2025"\n', "contract 1 (ACME): expiry '2025' is not a date like 20251219"),
    (STOCK + 'last_trade_time = "9"\n', "last_trade_time '9' is not a time like 08:30:00"),
    (STOCK + "increments = [[0]]\n", "increments '[[0]]' is not a list of [from price, increment]"),
    (STOCK + "increments = [[1, 1], [0, 1]]\n", "are not in order"),
    (STOCK + "increments = [[1, 1]]\n", "the first of the increments does not begin at 0"),
    (STOCK + 'security_type = "FUT"\n', "a future needs its expiry and a local_symbol"),
    (STOCK + 'security_type = "OPT"\n', "security_type 'OPT' is not one of STK, CASH, FUT"),
    (
        STOCK + 'security_type = "CASH"\nlocal_symbol = "EUR.CHF"\n',
        "a pair is named by its two currencies",
    ),
    (STOCK.replace("ACME", "acme"), "no bar file can be named 'acme'"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSALS)
def test_a_bad_entry_is_refused_with_file_entry_and_reason(text: str, reason: str) -> None:
    with pytest.raises(ContractFileError) as refused:
        parse_contracts(text, "mine.toml")
    assert str(refused.value).startswith("mine.toml: ")
    assert reason in str(refused.value)


VALUES = st.one_of(
    st.integers(),
    st.booleans(),
    st.floats().map(lambda number: f"{number!r}"),
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20).map(json.dumps),
    st.sampled_from(["[]", "{}", "[[0, 1]]", "2025-12-19", '"1e999999999"', '"FUT"', '"CASH"']),
).map(lambda value: str(value).lower() if isinstance(value, bool) else str(value))


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), VALUES, max_size=6))
def test_no_entry_does_worse_than_being_refused(fields: dict[str, str]) -> None:
    required = {"symbol": '"ACME"', "primary_exchange": '"NYSE"', "long_name": '"ACME"'}
    lines = [f"{name} = {value}" for name, value in (required | fields).items()]
    try:
        (listing,) = parse_contracts("\n".join(["[[contract]]", *lines]), "mine.toml")
    except ContractFileError:
        return
    table = ContractTable().with_listings([listing])
    assert table.resolve(Contract(con_id=listing.con_id)) == (listing, listing.contract())
    assert step_at(Decimal(100), listing) > 0


def test_what_is_no_file_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractFileError, match=r"absent\.toml: not a file"):
        read_contracts(tmp_path / "absent.toml")
    odd = tmp_path / "odd.toml"
    odd.write_bytes(b"\xff\xfe")
    with pytest.raises(ContractFileError, match="not UTF-8"):
        read_contracts(odd)

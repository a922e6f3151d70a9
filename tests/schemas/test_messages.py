"""What a message may say, and where it goes."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from schemas.commands import COMMANDS, Adopt, Run, Transfer
from schemas.messages import (
    DEAD_LETTERS,
    TARGETS_MAX,
    TOPICS,
    Bars,
    Market,
    Target,
    Targets,
    topic_name,
)
from schemas.values import EXTERNAL, Contract, Mode

AT = datetime(2025, 11, 25, 15, 0, tzinfo=UTC)


def test_the_modes_share_no_topic() -> None:
    names = [topic_name(t, m) for t in {*TOPICS.values(), DEAD_LETTERS} for m in Mode]
    assert len(names) == len(set(names)) == 12


def test_every_command_says_its_own_name() -> None:
    assert all(
        kind.__dataclass_fields__["command"].default == name for name, kind in COMMANDS.items()
    )


def test_a_target_describes_a_contract() -> None:
    target = Target("VIXY", Decimal(-3), primary_exchange="BATS", con_id=7)
    assert target.contract == Contract("VIXY", primary_exchange="BATS", con_id=7)


def test_two_contracts_of_one_symbol_are_two_targets() -> None:
    futures = [
        Target("ES", Decimal(1), sec_type="FUT", last_trade_date=d) for d in ("2512", "2603")
    ]
    assert len(Targets("manual", tuple(futures)).targets) == 2


def test_a_message_has_an_upper_bound_of_targets() -> None:
    many = tuple(Target(f"S{n}", Decimal(1)) for n in range(TARGETS_MAX + 1))
    assert len(Targets("manual", many[:-1]).targets) == TARGETS_MAX
    with pytest.raises(ValueError, match="targets has 501 entries, at most 500"):
        Targets("manual", many)


def test_columns_of_unequal_length_are_no_bars() -> None:
    with pytest.raises(ValueError, match="bars of SPY have columns of unequal length"):
        Bars(Contract("SPY"), "1 day", time=(AT,))


def test_a_market_needs_a_finite_capital_and_times_with_zones() -> None:
    market = Market("run-1", "dummy", AT, AT, Decimal(1), "USD")
    with pytest.raises(ValueError, match="capital must be a finite number"):
        replace(market, capital=Decimal("Infinity"))
    with pytest.raises(ValueError, match="valid_until must have a time zone"):
        replace(market, valid_until=AT.replace(tzinfo=None))


def test_a_run_names_strategies_that_can_exist() -> None:
    assert Run(strategies=None).strategies is None
    with pytest.raises(ValueError, match="strategy 'SPY' must be"):
        Run(strategies=("dummy", "SPY"))


@pytest.mark.parametrize(("source", "to"), [("CASH", "dummy"), ("dummy", "CASH")])
def test_nothing_is_transferred_from_or_to_the_book_cash(source: str, to: str) -> None:
    """[B1]"""
    with pytest.raises(ValueError, match="strategy 'CASH' must be"):
        Transfer(source, to, Decimal(1), Decimal(1), symbol="EUR")


def test_adopting_is_to_external_or_to_a_strategy() -> None:
    """[B4]"""
    assert Adopt("SPY", Decimal(500)).to == EXTERNAL
    assert Adopt("SPY", Decimal(500), to="dummy").to == "dummy"
    with pytest.raises(ValueError, match="strategy 'CASH' must be"):
        Adopt("SPY", Decimal(500), to="CASH")

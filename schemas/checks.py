"""What the fields of messages are held against. Each raises `ValueError` with a sentence."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from schemas.values import check_strategy_id

STRATEGIES_MAX: Final = 200
"""Strategies that one run names; each may leave a sentence in its document."""

EXPONENT_MAX: Final = 15
"""Of any number in a message: `1e999999999` is valid JSON, and would take a gigabyte to print."""


def check_strategies(named: Sequence[str]) -> None:
    """Strategies that a command names: not too many, and each could be one."""
    if len(named) > STRATEGIES_MAX:
        raise ValueError(f"strategies has {len(named)} entries, at most {STRATEGIES_MAX}")
    for strategy in named:
        check_strategy_id(strategy)


def check_finite(name: str, number: Decimal) -> None:
    """A number that can be printed and reckoned with."""
    if not number.is_finite():
        raise ValueError(f"{name} must be a finite number, not {number}")
    if number and abs(number.adjusted()) > EXPONENT_MAX:
        raise ValueError(f"{name} must be between 1e-{EXPONENT_MAX} and 1e{EXPONENT_MAX}")


def check_price(price: Decimal) -> None:
    """A price is above 0."""
    check_finite("price", price)
    if price <= 0:
        raise ValueError("price must be above 0")


def check_named(symbol: str, con_id: int) -> None:
    """A contract is named by its conId, or by a symbol that only one held contract has."""
    if not con_id:
        check_symbol(symbol)


def check_aware(name: str, at: datetime | None) -> None:
    """A time has a zone."""
    if at is not None and at.tzinfo is None:
        raise ValueError(f"{name} must have a time zone")


def check_symbol(symbol: str) -> None:
    """A symbol is there, and no longer than any."""
    if not symbol or len(symbol) > 32:
        raise ValueError("symbol must have 1 to 32 characters")

"""Contracts of one's own: a TOML file that anyone can write, read into listings.

Each `[[contract]]` has `symbol`, `primary_exchange` and `long_name` at least; every other field of
`contracts.Listing` may follow under its own name, numbers as text or as plain TOML numbers. A
contract without `con_id` gets a made-up one. `example_contracts.toml` shows a stock, a pair and a
future.
"""

import re
import tomllib
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from gateway.simulator.market.contracts import FOREX, FUTURE, STOCK, Listing, made_up_con_id
from gateway.simulator.market.hours import CME, FX, KINDS, US

FILE_BYTES_MAX = 8 * 1024 * 1024
TEXT_MAX, EXPONENT_MAX = 200, 12
"""Longest text and largest power of ten that an entry may hold."""
HOURS_OF = {STOCK: US, FOREX: FX, FUTURE: CME}
"""The trading hours of a security type, where an entry names no others."""

_KEY = re.compile(r"[A-Z0-9][A-Z0-9.]{0,11}")
Reader = Callable[[Any], Any]


class ContractFileError(Exception):
    """Contracts that cannot be used. Its text is `file: entry: reason`."""


def read_contracts(path: Path) -> tuple[Listing, ...]:
    """The listings of a file.

    Raises:
        ContractFileError: the file cannot be read, or an entry of it makes no sense.
    """
    if not path.is_file() or path.stat().st_size > FILE_BYTES_MAX:
        raise ContractFileError(f"{path.name}: not a file of at most {FILE_BYTES_MAX} bytes")
    try:
        return parse_contracts(path.read_text("utf-8"), path.name)
    except UnicodeDecodeError:
        raise ContractFileError(f"{path.name}: not UTF-8 text") from None


def parse_contracts(text: str, name: str) -> tuple[Listing, ...]:
    """The listings of a file's text. Raises ContractFileError."""
    try:
        content = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ContractFileError(f"{name}: {error}") from None
    entries = content.get("contract", [])
    if set(content) - {"contract"} or not isinstance(entries, list) or not entries:
        raise ContractFileError(f"{name}: not a list of [[contract]] entries")
    listings: dict[str, Listing] = {}
    for number, entry in enumerate(entries, start=1):
        where = _where(name, number, entry)
        listing = _listing(entry, where)
        if listing.key in listings:
            raise ContractFileError(f"{where}: {listing.key} stands in the file twice")
        listings[listing.key] = listing
    return tuple(listings.values())


def _where(name: str, number: int, entry: Any) -> str:
    shown = entry.get("local_symbol", entry.get("symbol", "")) if isinstance(entry, dict) else ""
    return f"{name}: contract {number} ({str(shown)[:20]})"


def _listing(entry: Any, where: str) -> Listing:
    if not isinstance(entry, dict):
        raise ContractFileError(f"{where}: not a table")
    missing = [field for field in REQUIRED if not entry.get(field)]
    if missing:
        raise ContractFileError(f"{where}: no {', '.join(missing)}")
    values = {field: _value(field, value, where) for field, value in entry.items()}
    kind = values.setdefault("security_type", STOCK)
    values.setdefault("hours", HOURS_OF[kind])
    values.setdefault("stock_type", "COMMON" if kind == STOCK else "")
    if kind == FOREX:
        values.setdefault("local_symbol", f"{values['symbol']}.{values.get('currency', 'USD')}")
        values.setdefault("trading_class", values["local_symbol"])
    values.setdefault("con_id", made_up_con_id(values.get("local_symbol", values["symbol"])))
    listing = Listing(**values)
    _check(listing, where)
    return listing


def _value(field: str, value: Any, where: str) -> Any:
    reader = FIELDS.get(field)
    if reader is None:
        raise ContractFileError(f"{where}: unknown field {field[:40]!r}")
    try:
        return reader(value)
    except (ValueError, TypeError, InvalidOperation) as error:
        shown = str(value)[:40]
        reason = str(error) if isinstance(error, ValueError) else "is not usable"
        raise ContractFileError(f"{where}: {field} {shown!r} {reason}") from None


def _check(listing: Listing, where: str) -> None:
    rules = (
        (_KEY.fullmatch(listing.key) is not None, f"no bar file can be named {listing.key!r}"),
        (
            listing.security_type != FUTURE or bool(listing.expiry),
            "a future needs its expiry and a local_symbol",
        ),
        (
            listing.security_type != FOREX or listing.key.endswith(f".{listing.currency}"),
            "a pair is named by its two currencies",
        ),
        (listing.increments[0][0] == 0, "the first of the increments does not begin at 0"),
    )
    for holds, reason in rules:
        if not holds:
            raise ContractFileError(f"{where}: {reason}")


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > TEXT_MAX or not value.isprintable():
        raise ValueError("is not a text")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**31:
        raise ValueError("is not a whole number above 0")
    return value


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("is not a number")
    number = Decimal(value)
    if not number.is_finite() or number < 0 or abs(number.adjusted()) > EXPONENT_MAX:
        raise ValueError("is not a number of at least 0")
    return number


def _above_zero(value: Any) -> Decimal:
    number = _number(value)
    if not number:
        raise ValueError("is not above 0")
    return number


def _day(value: Any) -> str:
    try:
        datetime.strptime(f"{_text(value)} +0000", "%Y%m%d %z")
    except ValueError:
        raise ValueError("is not a date like 20251219") from None
    return str(value)


def _month(value: Any) -> str:
    _day(f"{_text(value)}01")
    return str(value)


def _time(value: Any) -> str:
    try:
        datetime.strptime(f"{_text(value)} +0000", "%H:%M:%S %z")
    except ValueError:
        raise ValueError("is not a time like 08:30:00") from None
    return str(value)


def _one_of(*allowed: str) -> Reader:
    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"is not one of {', '.join(allowed)}")
        return str(value)

    return read


def _steps(value: Any) -> tuple[tuple[Decimal, Decimal], ...]:
    if not isinstance(value, list) or not value:
        raise ValueError("is not a list of [from price, increment]")
    steps = []
    for step in value:
        if not isinstance(step, list) or len(step) != 2:
            raise ValueError("is not a list of [from price, increment]")
        steps.append((_number(step[0]), _above_zero(step[1])))
    if steps != sorted(steps):
        raise ValueError("are not in order")
    return tuple(steps)


REQUIRED = ("symbol", "primary_exchange", "long_name")
FIELDS: dict[str, Reader] = {
    "con_id": _whole,
    "symbol": _text,
    "primary_exchange": _text,
    "long_name": _text,
    "stock_type": _text,
    "currency": _text,
    "tick": _above_zero,
    "market_rule": _whole,
    "security_type": _one_of(STOCK, FOREX, FUTURE),
    "multiplier": _above_zero,
    "expiry": _day,
    "contract_month": _month,
    "last_trade_time": _time,
    "local_symbol": _text,
    "trading_class": _text,
    "hours": _one_of(*KINDS),
    "initial_margin": _number,
    "maintenance_margin": _number,
    "shortable_shares": _number,
    "increments": _steps,
    "isin": _text,
    "under_con_id": _whole,
    "under_security_type": _text,
}
"""How each field of a listing is read."""

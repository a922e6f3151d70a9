"""Any message and any document, drawn by hypothesis from the types themselves."""

import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Any, Literal, TypeAliasType

import pytest
from hypothesis import strategies as st

from schemas.bounds import Bound
from schemas.messages import Bars

type Instances = Callable[[type], st.SearchStrategy[Any]]

TEXT = st.text(max_size=8)
# What stands in a contract's words, for `Contract` refuses what cannot be printed.
WORD = st.text(st.characters(exclude_categories=("C", "Z")), max_size=8)
# As wide as money gets, and no wider: hypothesis would draw 10**10000.
DECIMALS = st.builds(
    Decimal.scaleb, st.integers(-(10**18), 10**18).map(Decimal), st.integers(-15, -6)
)
DATETIMES = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: st.integers(-(2**53), 2**53),
    float: FLOATS,
    bool: st.booleans(),
    NoneType: st.none(),
    Decimal: DECIMALS,
    datetime: DATETIMES,
}
STRATEGY = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
# Fields that the type alone does not describe: what `__post_init__` checks.
NAMED: dict[str, st.SearchStrategy[Any]] = {
    "strategy": STRATEGY,
    "strategies": st.lists(STRATEGY, max_size=3).map(tuple),
    "symbol": WORD.filter(bool),
    **dict.fromkeys(
        ("sec_type", "exchange", "currency", "primary_exchange", "local_symbol", "last_trade_date"),
        WORD,
    ),
    "from_": STRATEGY,
    "to": STRATEGY,
    "numerator": st.integers(1, 1000),
    "denominator": st.integers(1, 1000),
    "price": st.decimals("0.01", 10**6, places=4),
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type."""
    if isinstance(kind, TypeAliasType):
        return values(kind.__value__)
    if typing.get_origin(kind) is typing.Annotated:
        return bounded(*typing.get_args(kind))
    if kind in PLAIN:
        return PLAIN[kind]
    if is_dataclass(kind):
        return instances(typing.cast(type, kind))
    return composed(kind)


def bounded(kind: type, bound: Bound) -> st.SearchStrategy[Any]:
    """Numbers that a document may hold."""
    lowest, highest = bound.lowest, bound.highest
    if kind is int:
        return st.integers(lowest, highest)
    if lowest is None:
        return DECIMALS
    top = highest if highest is not None else 10**12
    return st.decimals(lowest, top, places=4)


def composed(kind: Any) -> st.SearchStrategy[Any]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if origin is Mapping:
        return st.dictionaries(st.text(min_size=1, max_size=8), values(arguments[1]), max_size=3)
    return st.one_of([values(argument) for argument in arguments])


def instances(kind: type) -> st.SearchStrategy[Any]:
    """Valid instances of a dataclass of the contract."""
    hints = typing.get_type_hints(kind, include_extras=True)
    names = [field.name for field in fields(kind)]
    parts = {name: NAMED.get(name, values(hints[name])) for name in names}
    if kind is Bars:
        return st.integers(0, 3).flatmap(lambda count: st.builds(kind, **columns(parts, count)))
    return (
        st.fixed_dictionaries(parts)
        .filter(lambda found: is_valid(kind, found))
        .map(lambda found: kind(**found))
    )


def columns(parts: dict[str, st.SearchStrategy[Any]], count: int) -> dict[str, Any]:
    """Bars' columns of one length."""
    prices = st.lists(FLOATS, min_size=count, max_size=count).map(tuple)
    times = st.lists(DATETIMES, min_size=count, max_size=count).map(tuple)
    return {
        **dict.fromkeys(parts, prices),
        "time": times,
        **{k: parts[k] for k in ("contract", "size")},
    }


def is_valid(kind: type, found: dict[str, Any]) -> bool:
    try:
        kind(**found)
    except ValueError:
        return False
    return True


@pytest.fixture(scope="session", name="instances")
def _instances() -> Instances:
    """Type -> hypothesis strategy for its valid instances; draw from it with `st.data()`."""
    return instances

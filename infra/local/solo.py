"""One strategy alone in the demo: its bars, its documents, and what nobody can play.

`make demo STRATEGY=mine` enables it with most of the capital and disables the others. With the
bundled bars, those of its universe that are not there are invented; with a folder of a person's
own nothing is added, for a strategy that is tried on real bars shall not be shown others.
"""

import difflib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from functions.history import CHAIN_LENGTH
from functions.registry import STRATEGIES, load
from gateway.ports import Put, Store
from gateway.simulator.market import contracts as listed
from gateway.simulator.market.bars import BarBook, read_folder
from infra.local.synthetic import invented
from schemas.codec import from_document, to_document
from schemas.settings import Settings, StrategyDocument
from schemas.values import Contract

WEIGHT: Final = Decimal("0.9")
"""The rest is `manual`'s, for a person joins in."""

BUNDLED: Final = Path(__file__).parent / "bars"
"""The invented bars that come with the project."""

FOLDER: Final = "functions/strategies"


class Unplayable(ValueError):
    """The strategy cannot be played; the text says why and what to do."""


def check_known(name: str) -> None:
    """Raise `Unplayable` for a strategy that has no file, naming those that are nearest."""
    if name in STRATEGIES:
        return
    near = difflib.get_close_matches(name, STRATEGIES, n=3) or list(STRATEGIES)
    raise Unplayable(
        f"STRATEGY={name} has no file {FOLDER}/{name}.py; did you mean {', '.join(near)}?"
    )


def series_of(name: str, day: date) -> tuple[str, ...]:
    """The bar series that a strategy needs on a day. Raises `Unplayable` for an unknown future."""
    universe = load(name).UNIVERSE
    return tuple(dict.fromkeys(key for one in universe for key in _keys(one, day)))


def staged(name: str, bars: BarBook, day: date, folder: Path | None) -> BarBook:
    """The bars to play a strategy on; `folder` is a person's own, None the bundled one.

    Raises `Unplayable` when a contract of its universe has none there.
    """
    missing = [key for key in series_of(name, day) if key not in bars.symbols]
    if not missing:
        return bars
    if folder is None:
        return _with_invented(missing)
    files = " and ".join(f"{missing[0]}_{size}.csv" for size in ("30min", "1day"))
    raise Unplayable(
        f"{name} reads {', '.join(missing)}, of which {folder} has no bars; put {files} there, or "
        f"leave BARS out, and bars are invented"
    )


def table_of(name: str) -> listed.ContractTable:
    """The simulator's contracts and the stocks of a strategy's universe, listed where it says."""
    known = listed.ContractTable()
    return known.with_listings(
        replace(
            listed.made_up(one.symbol),
            primary_exchange=one.primary_exchange or "NASDAQ",
            currency=one.currency,
        )
        for one in load(name).UNIVERSE
        if one.sec_type == listed.STOCK and known.by_symbol(one.symbol) is None
    )


async def enable_alone(store: Store, name: str) -> str:
    """Give a strategy the capital and the kinds of contract that it trades; return what was done.

    These are the documents that a person would write in the console.
    """
    for known in STRATEGIES:
        path = f"strategies/{known}"
        document = from_document(StrategyDocument, await store.get(path) or {})
        weight = WEIGHT if known == name else Decimal(0)
        set_so = replace(document, enabled=known == name, weight=weight)
        await store.commit([Put(path, to_document(set_so))])
    kinds = dict.fromkeys((*Settings().sec_types_allowed, *_kinds(load(name).UNIVERSE)))
    settings = replace(Settings(), sec_types_allowed=tuple(kinds))
    await store.commit([Put("config/common", to_document(settings))])
    return (
        f"a person enables strategies/{name} with weight {WEIGHT} and disables the others; "
        f"config/common allows {', '.join(kinds)}"
    )


def _kinds(universe: Sequence[Contract]) -> list[str]:
    return [contract.sec_type for contract in universe]


def _keys(contract: Contract, day: date) -> list[str]:
    """The names of the bar series that stand for a contract of a universe."""
    if contract.sec_type == "CASH":
        return [f"{contract.symbol}.{contract.currency}"]
    if contract.sec_type != listed.FUTURE:
        return [contract.symbol]
    wanted = listed.Contract(
        contract.con_id,
        contract.symbol,
        contract.sec_type,
        contract.last_trade_date,
        exchange=contract.exchange,
        local_symbol=contract.local_symbol,
    )
    found = sorted(listed.ContractTable().find(wanted, day), key=lambda listing: listing.expiry)
    if len(found) < (CHAIN_LENGTH if contract.is_chain else 1):
        raise Unplayable(
            f"the simulator knows no {contract.name} on {contract.exchange}; its futures are "
            "those in gateway/simulator/market/contracts.py"
        )
    return [listing.key for listing in found[: CHAIN_LENGTH if contract.is_chain else 1]]


def _with_invented(keys: Sequence[str]) -> BarBook:
    """The bundled bars, and invented ones of these series."""
    with TemporaryDirectory(prefix="ib-trading-bars-") as name:
        folder = Path(name)
        for file in sorted(BUNDLED.glob("*.csv")):
            (folder / file.name).write_text(file.read_text())
        for file_name, text in invented(keys).items():
            (folder / file_name).write_text(text)
        return read_folder(folder)

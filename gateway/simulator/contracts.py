"""What can be traded here: contracts as IB names them, and the table that anyone can extend."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

MADE_UP_CON_ID_BASE = 900_000_000
"""Contract ids from here on are made up by this table and mean nothing at IB."""


@dataclass(frozen=True, slots=True)
class Contract:
    """IB's twelve fields. As a question most are empty; as an answer `con_id` is never 0."""

    con_id: int = 0
    symbol: str = ""
    security_type: str = ""
    expiry: str = ""
    strike: Decimal = Decimal(0)
    right: str = ""
    multiplier: str = ""
    exchange: str = ""
    primary_exchange: str = ""
    currency: str = ""
    local_symbol: str = ""
    trading_class: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """One tradable contract with what `reqContractDetails` tells about it."""

    con_id: int
    symbol: str
    primary_exchange: str
    long_name: str
    stock_type: str = "ETF"
    currency: str = "USD"
    tick: Decimal = Decimal("0.01")
    market_rule: int = 26

    @property
    def exchanges(self) -> tuple[str, ...]:
        """Where an order may be routed: SMART, or straight to the primary exchange."""
        return ("SMART", self.primary_exchange)

    def contract(self, exchange: str = "SMART") -> Contract:
        """The full contract, as routed to `exchange`."""
        return Contract(
            con_id=self.con_id,
            symbol=self.symbol,
            security_type="STK",
            exchange=exchange,
            primary_exchange=self.primary_exchange,
            currency=self.currency,
            local_symbol=self.symbol,
            trading_class=self.symbol,
        )


def made_up_con_id(symbol: str) -> int:
    """A contract id for a symbol whose id at IB is not known here: stable, and plainly not IB's."""
    return MADE_UP_CON_ID_BASE + zlib.crc32(symbol.encode()) % 90_000_000


LISTINGS: tuple[Listing, ...] = (
    Listing(756733, "SPY", "ARCA", "SPDR S&P 500 ETF TRUST"),
    Listing(320227571, "QQQ", "NASDAQ", "INVESCO QQQ TRUST SERIES 1"),
    Listing(265598, "AAPL", "NASDAQ", "APPLE INC", stock_type="COMMON"),
    # The ids of these two change with every reverse split and were not found: made up.
    Listing(made_up_con_id("VIXY"), "VIXY", "BATS", "PROSHARES VIX SHORT-TERM FUTURES ETF"),
    Listing(made_up_con_id("SQQQ"), "SQQQ", "NASDAQ", "PROSHARES ULTRAPRO SHORT QQQ"),
)
"""The contracts known by name. Symbols that only a bar folder knows are added by `with_symbols`."""


class ContractTable:
    """Finds listings by contract id or by IB's loose description of a contract."""

    def __init__(self, listings: Iterable[Listing] = LISTINGS) -> None:
        self._by_con_id = {listing.con_id: listing for listing in listings}

    def with_symbols(self, symbols: Iterable[str]) -> "ContractTable":
        """This table and, for each unknown symbol, a US stock with a made-up contract id."""
        known = {listing.symbol for listing in self._by_con_id.values()}
        added = [
            Listing(made_up_con_id(symbol), symbol, "NASDAQ", symbol, stock_type="COMMON")
            for symbol in sorted(set(symbols) - known)
        ]
        return ContractTable([*self._by_con_id.values(), *added])

    def by_con_id(self, con_id: int) -> Listing:
        """The listing with this id. Raises KeyError."""
        return self._by_con_id[con_id]

    def by_symbol(self, symbol: str) -> Listing | None:
        """The listing with this symbol, or None."""
        matches = [item for item in self._by_con_id.values() if item.symbol == symbol]
        return matches[0] if matches else None

    def starting_with(self, prefix: str) -> list[Listing]:
        """Listings whose symbol begins so."""
        return [item for item in self._by_con_id.values() if item.symbol.startswith(prefix)]

    def ticks_by_rule(self) -> dict[int, Decimal]:
        """Each market rule's price increment."""
        return {item.market_rule: item.tick for item in self._by_con_id.values()}

    def find(self, wanted: Contract) -> list[Listing]:
        """All listings that fit the description; an id decides alone, empty fields fit all."""
        if wanted.con_id:
            listing = self._by_con_id.get(wanted.con_id)
            return [listing] if listing and _routable(listing, wanted) else []
        return [listing for listing in self._by_con_id.values() if _fits(listing, wanted)]

    def resolve(self, wanted: Contract) -> tuple[Listing, Contract] | None:
        """The one listing meant and its full contract as routed, or None if none or several fit."""
        found = self.find(wanted)
        if len(found) != 1:
            return None
        return found[0], found[0].contract(wanted.exchange or "SMART")


def _routable(listing: Listing, wanted: Contract) -> bool:
    return wanted.exchange in {"", *listing.exchanges}


def _fits(listing: Listing, wanted: Contract) -> bool:
    if not (wanted.symbol or wanted.local_symbol):
        return False
    named = (
        wanted.symbol in {"", listing.symbol}
        and wanted.local_symbol in {"", listing.symbol}
        and wanted.trading_class in {"", listing.symbol}
    )
    placed = wanted.currency in {"", listing.currency} and wanted.primary_exchange in {
        "",
        listing.primary_exchange,
    }
    return named and placed and wanted.security_type == "STK" and _routable(listing, wanted)


def unrouted(contract: Contract) -> Contract:
    """The contract as positions show it: on its primary exchange, not on a route."""
    return replace(contract, exchange=contract.primary_exchange)

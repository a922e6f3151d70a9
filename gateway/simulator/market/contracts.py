"""What can be traded here: contracts as IB names them, and the table that anyone can extend."""

import zlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from gateway.simulator.market.hours import CME, FX, kind_of

MADE_UP_CON_ID_BASE = 900_000_000
"""Contract ids from here on are made up by this table and mean nothing at IB."""

STOCK, FOREX, FUTURE = "STK", "CASH", "FUT"
"""Security types that are traded here; ETFs are stocks."""


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
    """One tradable contract with what `reqContractDetails` tells about it.

    `multiplier` is the value of one point of one contract, in `currency`; `expiry` is `YYYYMMDD`,
    the last day of trading, empty for what never expires; `contract_month` is `YYYYMM` and
    `last_trade_time` `HH:MM:SS` in its exchange's zone, else it trades all of its last day. Margins
    are per contract, None where the account's rates decide. `shortable_shares` is how many can be
    borrowed, None for plenty. `increments` are the pairs (from this price on, price increment) of
    its market rule. `hours` names the kind of trading hours (`hours.KINDS`).
    """

    con_id: int
    symbol: str
    primary_exchange: str
    long_name: str
    stock_type: str = "ETF"
    currency: str = "USD"
    tick: Decimal = Decimal("0.01")
    market_rule: int = 26
    security_type: str = STOCK
    multiplier: Decimal = Decimal(1)
    expiry: str = ""
    contract_month: str = ""
    last_trade_time: str = ""
    local_symbol: str = ""
    trading_class: str = ""
    hours: str = "US"
    initial_margin: Decimal | None = None
    maintenance_margin: Decimal | None = None
    shortable_shares: Decimal | None = None
    increments: tuple[tuple[Decimal, Decimal], ...] = ()
    isin: str = ""
    under_con_id: int = 0
    under_security_type: str = ""

    def __post_init__(self) -> None:
        filled = {
            "local_symbol": self.local_symbol or self.symbol,
            "trading_class": self.trading_class or self.symbol,
            "contract_month": self.contract_month or self.expiry[:6],
            "isin": self.isin or (made_up_isin(self.con_id) if self.security_type == STOCK else ""),
            "increments": self.increments or ((Decimal(0), self.tick),),
        }
        for name, value in filled.items():
            object.__setattr__(self, name, value)

    @property
    def key(self) -> str:
        """The name of its bar series: a stock's symbol, `EUR.USD`, `ESZ5`."""
        return self.local_symbol

    @property
    def exchanges(self) -> tuple[str, ...]:
        """Where an order may be routed, the usual route first."""
        if self.security_type == STOCK:
            return ("SMART", self.primary_exchange)
        if self.security_type == FOREX:
            return (self.primary_exchange, "FXCONV")
        return (self.primary_exchange,)

    def contract(self, exchange: str = "") -> Contract:
        """The full contract, as routed to `exchange`, by default on its usual route."""
        return Contract(
            con_id=self.con_id,
            symbol=self.symbol,
            security_type=self.security_type,
            expiry=self.expiry,
            multiplier="" if self.security_type != FUTURE else format(self.multiplier, "f"),
            exchange=exchange or self.exchanges[0],
            primary_exchange=self.primary_exchange if self.security_type == STOCK else "",
            currency=self.currency,
            local_symbol=self.local_symbol,
            trading_class=self.trading_class,
        )


def expired(listing: Listing, day: date) -> bool:
    """Whether a contract no longer trades on a trading day: its last one is its expiry."""
    return bool(listing.expiry) and f"{day:%Y%m%d}" > listing.expiry


def conforms(price: Decimal, listing: Listing) -> bool:
    """Whether a price is on the market rule of the contract."""
    return price % step_at(price, listing) == 0


def step_at(price: Decimal, listing: Listing) -> Decimal:
    """The price increment of the contract's market rule at a price."""
    steps = [step for edge, step in listing.increments if edge <= price]
    return steps[-1] if steps else listing.increments[0][1]


def made_up_con_id(symbol: str) -> int:
    """A contract id for a symbol whose id at IB is not known here: stable, and plainly not IB's."""
    return MADE_UP_CON_ID_BASE + zlib.crc32(symbol.encode()) % 90_000_000


def made_up_isin(con_id: int) -> str:
    """An ISIN for a stock whose own is not known here: valid, and of no country (`ZZ`).

    IB tells an ISIN of every stock, and NautilusTrader loads none without.
    """
    body = f"ZZ{con_id:09X}"
    digits = "".join(str(int(character, 36)) for character in body)
    doubled = (int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(digits)))
    return body + str(-sum(map(_cross_sum, doubled)) % 10)


def _cross_sum(number: int) -> int:
    return number // 10 + number % 10


def unrouted(contract: Contract) -> Contract:
    """The contract as positions show it: on its primary exchange, not on a route."""
    return replace(contract, exchange=contract.primary_exchange or contract.exchange)


class ContractTable:
    """Finds listings by contract id or by IB's loose description of a contract."""

    def __init__(self, listings: Iterable[Listing] | None = None) -> None:
        known = LISTINGS if listings is None else tuple(listings)
        self._by_con_id = {listing.con_id: listing for listing in known}
        self._by_key = {listing.key: listing for listing in known}
        self._by_name: dict[str, list[Listing]] = defaultdict(list)
        for listing in self._by_con_id.values():
            for name in sorted({listing.symbol, listing.local_symbol}):
                self._by_name[name].append(listing)

    @property
    def listings(self) -> tuple[Listing, ...]:
        """Every listing, in the order they were given."""
        return tuple(self._by_con_id.values())

    def with_listings(self, listings: Iterable[Listing]) -> "ContractTable":
        """This table and these; one of the same id or bar series takes the other's place."""
        added = tuple(listings)
        con_ids, keys = {item.con_id for item in added}, {item.key for item in added}
        kept = [item for item in self.listings if item.con_id not in con_ids]
        return ContractTable([*(item for item in kept if item.key not in keys), *added])

    def with_symbols(self, symbols: Iterable[str]) -> "ContractTable":
        """This table and, for each unknown bar series, a stock or a pair with a made-up id.

        Raises:
            ValueError: the series is that of a future, of which a name tells too little.
        """
        return self.with_listings(made_up(key) for key in sorted(set(symbols) - set(self._by_key)))

    def by_con_id(self, con_id: int) -> Listing:
        """The listing with this id. Raises KeyError."""
        return self._by_con_id[con_id]

    def listing(self, con_id: int) -> Listing | None:
        """The listing with this id, or None."""
        return self._by_con_id.get(con_id)

    def by_symbol(self, symbol: str) -> Listing | None:
        """The listing with this bar series (`Listing.key`), or the only one with this symbol."""
        if symbol in self._by_key:
            return self._by_key[symbol]
        named = self._by_name.get(symbol, [])
        return named[0] if len(named) == 1 else None

    def starting_with(self, prefix: str) -> list[Listing]:
        """Listings whose symbol or local symbol begins so."""
        return [item for item in self.listings if item.symbol.startswith(prefix)] or [
            item for item in self.listings if item.local_symbol.startswith(prefix)
        ]

    def with_isin(self, isin: str) -> list[Listing]:
        """Listings with this ISIN."""
        return [item for item in self.listings if isin and item.isin == isin]

    def increments(self, rule: int) -> tuple[tuple[Decimal, Decimal], ...]:
        """The increments of a market rule, empty for an unknown one."""
        return next((item.increments for item in self.listings if item.market_rule == rule), ())

    def find(self, wanted: Contract, today: date | None = None) -> list[Listing]:
        """All listings that fit the description; an id decides alone, empty fields fit all.

        With `today`, a trading day, contracts that have expired are not found.
        """
        if wanted.con_id:
            listing = self._by_con_id.get(wanted.con_id)
            found = [listing] if listing and _routable(listing, wanted) else []
        else:
            named = self._by_name.get(wanted.local_symbol or wanted.symbol, [])
            found = [listing for listing in named if _fits(listing, wanted)]
        return [item for item in found if today is None or not expired(item, today)]

    def resolve(
        self, wanted: Contract, today: date | None = None
    ) -> tuple[Listing, Contract] | None:
        """The one listing meant and its full contract as routed, or None if none or several fit."""
        found = self.find(wanted, today)
        if len(found) != 1:
            return None
        return found[0], found[0].contract(wanted.exchange)


def _routable(listing: Listing, wanted: Contract) -> bool:
    return wanted.exchange in {"", *listing.exchanges}


def _fits(listing: Listing, wanted: Contract) -> bool:
    if not (wanted.symbol or wanted.local_symbol):
        return False
    named = (
        wanted.security_type == listing.security_type
        and wanted.symbol in {"", listing.symbol}
        and wanted.local_symbol in {"", listing.local_symbol}
        and wanted.trading_class in {"", listing.trading_class}
    )
    placed = wanted.currency in {"", listing.currency} and wanted.primary_exchange in {
        "",
        listing.primary_exchange,
    }
    return named and placed and _fits_expiry(listing, wanted) and _routable(listing, wanted)


def _fits_expiry(listing: Listing, wanted: Contract) -> bool:
    """A month of six digits or a day of eight; a multiplier that says something else excludes."""
    month = len(wanted.expiry) == 6
    expiry = wanted.expiry in {"", listing.contract_month if month else listing.expiry}
    return expiry and wanted.multiplier in {"", "0", format(listing.multiplier, "f")}


def made_up(key: str) -> Listing:
    """A listing for a bar series that no table knows. Raises ValueError for a future."""
    kind = kind_of(key).name
    if kind == CME:
        raise ValueError(f"bars of {key}: an unknown future, describe it in a contract file")
    if kind == FX:
        return pair(made_up_con_id(key), key)
    return Listing(made_up_con_id(key), key, "NASDAQ", key, stock_type="COMMON")


def pair(con_id: int, key: str, long_name: str = "", tick: str = "0.00005") -> Listing:
    """A currency pair at IDEALPRO by its name, `EUR.USD`; the second currency is paid."""
    symbol, currency = key.split(".")
    return Listing(
        con_id,
        symbol,
        "IDEALPRO",
        long_name or key,
        stock_type="",
        currency=currency,
        tick=Decimal(tick),
        market_rule=239 if tick == "0.00005" else 59,
        security_type=FOREX,
        local_symbol=key,
        trading_class=key,
        hours=FX,
    )


def _third_friday(year: int, month: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(4 - first.weekday()) % 7 + 14)


def _e_mini(year: int, month: int, symbol: str = "ES") -> Listing:
    expiry = _third_friday(year, month)
    size = 1 if symbol == "ES" else 10  # the micro is a tenth of it
    known = E_MINI_CON_IDS.get(expiry.isoformat()) if symbol == "ES" else None
    return Listing(
        known or made_up_con_id(f"{symbol}{expiry:%Y%m}"),
        symbol,
        "CME",
        "E-mini S&P 500" if symbol == "ES" else "Micro E-mini S&P 500",
        stock_type="",
        tick=Decimal("0.25"),
        market_rule=67,
        security_type=FUTURE,
        multiplier=Decimal(50) / size,
        expiry=f"{expiry:%Y%m%d}",
        last_trade_time="08:30:00",
        local_symbol=f"{symbol}{QUARTERS[month]}{year % 10}",
        trading_class=symbol,
        hours=CME,
        initial_margin=Decimal(25_000) / size,
        maintenance_margin=Decimal(22_500) / size,
        under_con_id=11_004_968,
        under_security_type="IND",
    )


QUARTERS = {3: "H", 6: "M", 9: "U", 12: "Z"}
"""The letters of the quarterly contract months."""
E_MINI_YEARS = range(2019, 2029)
"""Ten years: a local symbol has only the year's last digit."""
E_MINI_CON_IDS = {"2025-06-20": 620_731_015, "2025-12-19": 495_512_563}
"""Contract ids at IB where they are known; the others are made up."""

LISTINGS: tuple[Listing, ...] = (
    Listing(756733, "SPY", "ARCA", "SPDR S&P 500 ETF TRUST", isin="US78462F1030"),
    Listing(320227571, "QQQ", "NASDAQ", "INVESCO QQQ TRUST SERIES 1", isin="US46090E1038"),
    Listing(265598, "AAPL", "NASDAQ", "APPLE INC", stock_type="COMMON", isin="US0378331005"),
    # The ids of these two change with every reverse split and were not found: made up.
    Listing(made_up_con_id("VIXY"), "VIXY", "BATS", "PROSHARES VIX SHORT-TERM FUTURES ETF"),
    Listing(made_up_con_id("SQQQ"), "SQQQ", "NASDAQ", "PROSHARES ULTRAPRO SHORT QQQ"),
    pair(12087792, "EUR.USD", "European Monetary Union Euro"),
    pair(12087797, "GBP.USD", "British pound"),
    pair(12087820, "USD.CHF", "United States dollar"),
    pair(15016059, "USD.JPY", "United States dollar", "0.005"),
    *(
        _e_mini(year, month, symbol)
        for symbol in ("ES", "MES")
        for year in E_MINI_YEARS
        for month in QUARTERS
    ),
)
"""The contracts known by name. Symbols that only a bar folder knows are added by `with_symbols`.

The margins of the futures are of the size that IB asked for in 2025; a contract file can say
better. Market rules of pairs and futures: 239 and 67 are IB's, 59 (a step of 0.005) is not sourced.
"""

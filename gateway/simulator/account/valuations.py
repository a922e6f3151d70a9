"""What contracts and currencies are worth at an instant: prices, exchange rates, fresh splits.

The rate of a currency comes from the bars of an FX pair, straight (`EUR.USD`), upside down
(`USD.JPY`) or over the dollar; where no pair has traded yet, from `ExchangeOptions.exchange_rates`,
and before the first bar from the pair's first open. IB knows a rate always.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from gateway.simulator.market.bars import SIZES
from gateway.simulator.market.contracts import Contract, ContractTable, Listing
from gateway.simulator.market.market import Market

ONE = Decimal(1)
VEHICLE = "USD"
"""Two currencies without a pair are compared over it."""


@dataclass(slots=True)
class Valuer:
    """Knows prices and rates at any instant."""

    market: Market
    contracts: ContractTable
    currency: str
    """The base currency."""
    fixed_rates: Mapping[str, Decimal]
    _pairs: dict[tuple[str, str], Listing | None] = field(default_factory=dict)

    def price(self, con_id: int, when: datetime) -> Decimal | None:
        """The last price; until a share trades again after its split, the old price divided."""
        return self.market.last_price(self.contracts.by_con_id(con_id), when)

    def rate(self, currency: str, when: datetime) -> Decimal:
        """The value of one unit of a currency in the base currency.

        Raises:
            ValueError: neither bars nor options know it.
        """
        rate = self._known_rate(currency, when)
        if rate is None:
            raise ValueError(
                f"no exchange rate from {currency} to {self.currency}: give bars of the pair or "
                "ExchangeOptions.exchange_rates"
            )
        return rate

    def knows(self, currency: str, when: datetime) -> bool:
        """Whether there is a rate for the currency."""
        return self._known_rate(currency, when) is not None

    def _known_rate(self, currency: str, when: datetime) -> Decimal | None:
        if currency == self.currency:
            return ONE
        straight = self._quoted(currency, self.currency, when)
        if straight is not None:
            return straight
        legs = (self._quoted(currency, VEHICLE, when), self._quoted(VEHICLE, self.currency, when))
        if legs[0] is not None and legs[1] is not None:
            return legs[0] * legs[1]
        return self.fixed_rates.get(currency) or self._first_open(currency, self.currency)

    def _quoted(self, one: str, other: str, when: datetime) -> Decimal | None:
        straight, upside_down = self._pair(one, other), self._pair(other, one)
        price = None if straight is None else self.market.last_price(straight, when)
        if price:
            return price
        price = None if upside_down is None else self.market.last_price(upside_down, when)
        return ONE / price if price else None

    def _first_open(self, one: str, other: str) -> Decimal | None:
        for pair, turned in ((self._pair(one, other), False), (self._pair(other, one), True)):
            for size in SIZES.values() if pair is not None else ():
                bars = self.market.book.series(pair.key, size).bars if pair else ()
                if bars:
                    return ONE / bars[0].open if turned else bars[0].open
        return None

    def _pair(self, one: str, other: str) -> Listing | None:
        if (one, other) not in self._pairs:
            wanted = Contract(symbol=one, security_type="CASH", currency=other)
            self._pairs[one, other] = next(iter(self.contracts.find(wanted)), None)
        return self._pairs[one, other]


@dataclass(slots=True)
class Moment:
    """The valuation at one instant: each price and rate is looked up once."""

    valuer: Valuer
    when: datetime
    _prices: dict[int, Decimal | None] = field(default_factory=dict)
    _rates: dict[str, Decimal] = field(default_factory=dict)

    def price(self, con_id: int) -> Decimal | None:
        """The price of a contract, None when there is none."""
        if con_id not in self._prices:
            self._prices[con_id] = self.valuer.price(con_id, self.when)
        return self._prices[con_id]

    def rate(self, currency: str) -> Decimal:
        """The value of one unit of a currency in the base currency. Raises ValueError."""
        if currency not in self._rates:
            self._rates[currency] = self.valuer.rate(currency, self.when)
        return self._rates[currency]

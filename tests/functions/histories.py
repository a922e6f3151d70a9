"""Generated bars for whatever a strategy's universe is, and the `Market` that a run would send."""

import random
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from functions.history import BAR_LENGTHS, CHAIN_LENGTH, DAY, bar_end
from functions.registry import Strategy
from schemas.messages import Bars, Market, Scalar
from schemas.new_york import NEW_YORK
from schemas.values import FUTURE_TYPE, Contract

CON_IDS = {"SPY": 756733, "VIXY": 419275110}
SAMPLES_MANY = 150
"""How many runs a generated history is good for, after the window that the first one needs."""


@dataclass(frozen=True)
class History:
    """Long series of bars, to cut windows from."""

    bars: tuple[Bars, ...]
    capital: Decimal = Decimal(100_000)
    currency: str = "USD"
    parameters: Mapping[str, Scalar] = field(default_factory=dict)

    def market(self, strategy: str, as_of: datetime, count: int) -> Market:
        """What the gateway would send then: each contract's last `count` finished bars.

        Of the months of a future, the two that expire next.
        """
        return Market(
            run_id="run-1",
            strategy=strategy,
            as_of=as_of,
            valid_until=as_of + timedelta(hours=1),
            capital=self.capital,
            base_currency=self.currency,
            bars=tuple(window(bars, as_of, count) for bars in self.alive(as_of)),
            parameters=self.parameters,
        )

    def ends(self) -> list[datetime]:
        """The end of every bar of the first contract."""
        return [bar_end(start, self.bars[0].size) for start in self.bars[0].time]

    def alive(self, as_of: datetime) -> list[Bars]:
        """The bars of what a universe means at that time."""
        today = f"{as_of.astimezone(NEW_YORK):%Y%m%d}"
        kept: list[Bars] = []
        for bars in self.bars:
            contract = bars.contract
            months = sum(b.contract.symbol == contract.symbol for b in kept)
            if contract.sec_type != FUTURE_TYPE or (
                contract.last_trade_date >= today and months < CHAIN_LENGTH
            ):
                kept.append(bars)
        return kept

    def until(self, as_of: datetime) -> "History":
        """The same history with everything after `as_of` cut off."""
        return History(tuple(window(bars, as_of, len(bars.time)) for bars in self.bars))


def window(bars: Bars, as_of: datetime, count: int) -> Bars:
    finished = sum(bar_end(start, bars.size) <= as_of for start in bars.time)
    part = slice(max(0, finished - count), finished)
    columns = (bars.time, bars.open, bars.high, bars.low, bars.close, bars.volume)
    t, o, h, low, c, v = (column[part] for column in columns)
    return Bars(bars.contract, bars.size, t, o, h, low, c, v)  # type: ignore[arg-type]


def walk(contract: Contract, size: str, times: Sequence[datetime], seed: int) -> Bars:
    """A random walk that trends now and then, so that averages cross."""
    rng = random.Random(seed)
    price, drift = 480.0 if contract.symbol == "SPY" else 15.0, 0.0
    rows = []
    for moment in times:
        drift = 0.9 * drift + rng.gauss(0, 0.0008)
        close = round(price * (1 + drift + rng.gauss(0, 0.002)), 2)
        high, low = round(max(price, close) + 0.05, 2), round(min(price, close) - 0.05, 2)
        rows.append((moment, price, high, low, close, float(rng.randrange(10_000))))
        price = close
    return Bars(contract, size, *zip(*rows, strict=True))


def weekdays(count: int) -> Iterator[date]:
    day = date(2025, 1, 6)
    while count:
        if day.weekday() < 5:
            yield day
            count -= 1
        day += timedelta(days=1)


def opening(day: date) -> datetime:
    return datetime.combine(day, time(9, 30), NEW_YORK).astimezone(UTC)


def bars_a_day(size: str) -> int:
    """How many bars of a size a session of six and a half hours has."""
    return 1 if size == DAY else -(-timedelta(hours=6.5) // BAR_LENGTHS[size])


def window_count(strategy: Strategy) -> int:
    """How many bars the gateway sends, by the strategy's duration in IB's words."""
    count, unit = strategy.BARS.duration.split()
    sessions = {"D": 1, "W": 5, "M": 21, "Y": 252}[unit] * int(count)
    return sessions * bars_a_day(strategy.BARS.size)


def resolved(contract: Contract, days: Sequence[date]) -> list[Contract]:
    """The contract as the broker would name it; of a future without a month, its quarters."""
    con_id = CON_IDS.get(contract.symbol, zlib.crc32(contract.symbol.encode()) % 10**6 + 10**6)
    if not contract.is_chain:
        return [replace(contract, con_id=contract.con_id or con_id)]
    years = range(days[0].year, days[-1].year + 2)
    return [
        replace(
            contract,
            con_id=con_id + 100 * year + month,
            local_symbol=f"{contract.symbol}{letter}{year % 10}",
            last_trade_date=f"{third_friday(year, month):%Y%m%d}",
            multiplier=Decimal(5),
        )
        for year in years
        for month, letter in ((3, "H"), (6, "M"), (9, "U"), (12, "Z"))
    ]


def third_friday(year: int, month: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(4 - first.weekday()) % 7 + 14)


def generated(strategy: Strategy) -> History:
    """Bars for whatever a strategy's universe is, enough for `SAMPLES_MANY` runs."""
    size = strategy.BARS.size
    count = -(-(window_count(strategy) + SAMPLES_MANY + 20) // bars_a_day(size))
    days = list(weekdays(count))
    length = timedelta(0) if size == DAY else BAR_LENGTHS[size]
    times = [opening(day) + n * length for day in days for n in range(bars_a_day(size))]
    contracts = [month for one in strategy.UNIVERSE for month in resolved(one, days)]
    return History(tuple(walk(contract, size, times, 7) for contract in contracts))

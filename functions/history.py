"""Are the bars in a `Market` fit to decide on? If not, the sentence that says why.

The gateway sends finished, checked bars; this is the second pair of eyes, for a strategy that
computes on a missing, unfinished or old bar trades on a guess.

Tolerances, in the bars' own time:

- A bar that ends after `as_of` is unfinished. A daily bar ends at 16:00 New York of the date on
  which its `time` falls there; on an early close it therefore counts as finished later than it is.
- The newest bar may have ended 4 days before `as_of`, which spans the longest regular weekend,
  from Thursday's close to Monday's.
- Bars within a day, during regular hours: the newest bar may be two bars late (delayed data).
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Final

from schemas.messages import Bars, Market
from schemas.new_york import NEW_YORK, new_york_date
from schemas.values import FUTURE_TYPE, BarSpec, Contract

SESSION_OPEN: Final = time(9, 30)
SESSION_CLOSE: Final = time(16, 0)
AGE_MAX: Final = timedelta(days=4)
LATE_BARS_MAX: Final = 2
DAY: Final = "1 day"

BAR_LENGTHS: Final[Mapping[str, timedelta]] = {
    "1 min": timedelta(minutes=1),
    "5 mins": timedelta(minutes=5),
    "15 mins": timedelta(minutes=15),
    "30 mins": timedelta(minutes=30),
    "1 hour": timedelta(hours=1),
}
"""IB's words for bars shorter than a day."""


CHAIN_LENGTH: Final = 2
"""Months of a future without a month that a message has bars of (decision 12)."""


def bars_of(market: Market, name: str) -> Bars | None:
    """The bars of a contract by its name (`SPY`, `MESH6`), None when the message has none.

    The symbol of a future will do where the message has one month of it.
    """
    named = [bars for bars in market.bars if bars.contract.name == name]
    found = named or [bars for bars in market.bars if bars.contract.symbol == name]
    return found[0] if len(found) == 1 else None


def chain(market: Market, symbol: str) -> tuple[Bars, ...]:
    """The bars of a future's months, the one that expires first at the front."""
    months = [
        bars
        for bars in market.bars
        if bars.contract.symbol == symbol and bars.contract.sec_type == FUTURE_TYPE
    ]
    return tuple(sorted(months, key=lambda bars: bars.contract.last_trade_date))


def closes(market: Market, name: str) -> tuple[float, ...]:
    """A contract's closes, oldest first; none when the message has no bars of it."""
    bars = bars_of(market, name)
    return bars.close if bars else ()


def fault(market: Market, universe: Sequence[Contract], spec: BarSpec, count_min: int = 0) -> str:
    """Why the bars are not fit to decide on, in one sentence; empty when they are.

    `count_min` is what the strategy's parameters need, on top of what its `BarSpec` asks for.
    """
    legs: list[Bars] = []
    for contract in universe:
        found = _legs(market, contract)
        if len(found) != (CHAIN_LENGTH if contract.is_chain else 1):
            months = f" of {CHAIN_LENGTH} months, but of {len(found)}" if contract.is_chain else ""
            return f"{contract.name} has no bars{months}"
        legs += found
    for bars in legs:
        why = _unfit(bars, market.as_of, spec, max(count_min, spec.count_min))
        if why:
            return f"{bars.contract.name} {why}"
    return _out_of_step(legs)


def bar_end(start: datetime, size: str) -> datetime:
    """When the bar that starts then is finished. Raises `KeyError` for an unlisted size."""
    if size == DAY:
        date = new_york_date(start)
        return datetime.combine(date, SESSION_CLOSE, NEW_YORK).astimezone(UTC)
    return start + BAR_LENGTHS[size]


def _legs(market: Market, contract: Contract) -> tuple[Bars, ...]:
    """The bars in the message of what a universe names."""
    if contract.is_chain:
        return chain(market, contract.symbol)
    return tuple(bars for bars in market.bars if _is_meant(contract, bars.contract))


def _is_meant(described: Contract, found: Contract) -> bool:
    """Whether a universe's description means that contract; a month may be six digits long."""
    return (
        (described.sec_type, described.currency) == (found.sec_type, found.currency)
        and described.symbol in {"", found.symbol}
        and described.local_symbol in {"", found.local_symbol}
        and described.con_id in {0, found.con_id}
        and found.last_trade_date.startswith(described.last_trade_date)
    )


def _unfit(bars: Bars, as_of: datetime, spec: BarSpec, count_min: int) -> str:
    if not bars.time:
        return "has no bars"
    if bars.size != spec.size:
        return f"has bars of {bars.size}, wanted are bars of {spec.size}"
    return _out_of_order(bars.time) or _wrong_price(bars) or _wrong_extent(bars, as_of, count_min)


def _out_of_order(times: Sequence[datetime]) -> str:
    if any(moment.tzinfo is None for moment in times):
        return "has bars without a time zone"
    for earlier, later in itertools.pairwise(times):
        if later <= earlier:
            return f"has a bar of {_text(later)} after the one of {_text(earlier)}"
    return ""


def _wrong_price(bars: Bars) -> str:
    rows = zip(bars.time, bars.open, bars.high, bars.low, bars.close, bars.volume, strict=True)
    for moment, *prices, volume in rows:
        if not all(math.isfinite(price) and price > 0 for price in prices):
            return f"has a price that is not positive in the bar of {_text(moment)}"
        opened, high, low, close = prices
        if high < max(opened, close) or low > min(opened, close):
            return f"has a high below or a low above its other prices at {_text(moment)}"
        if not volume >= 0:
            return f"has the volume {volume} in the bar of {_text(moment)}"
    return ""


def _wrong_extent(bars: Bars, as_of: datetime, count_min: int) -> str:
    end = bar_end(bars.time[-1], bars.size)
    if end > as_of:
        return f"has an unfinished bar: it ends {_text(end)}, after {_text(as_of)}"
    if as_of - end > AGE_MAX or _is_late(end, as_of, bars.size):
        return f"has stale bars: the newest ended {_text(end)}, now it is {_text(as_of)}"
    if len(bars.time) < count_min:
        return f"has {len(bars.time)} bars, at least {count_min} are needed"
    return ""


def _is_late(end: datetime, as_of: datetime, size: str) -> bool:
    """Whether bars that the running session must have produced are not there."""
    local = as_of.astimezone(NEW_YORK)
    if size == DAY or local.weekday() > 4 or local.time() > SESSION_CLOSE:
        return False
    first_end = datetime.combine(local.date(), SESSION_OPEN, NEW_YORK) + BAR_LENGTHS[size]
    newest_expected = as_of - LATE_BARS_MAX * BAR_LENGTHS[size]
    return newest_expected >= first_end and end < newest_expected


def _out_of_step(legs: Sequence[Bars]) -> str:
    first, *others = legs
    for other in others:
        if other.time[-1] != first.time[-1]:
            return (
                f"{other.contract.name}'s newest bar is of {_text(other.time[-1])}, "
                f"{first.contract.name}'s of {_text(first.time[-1])}"
            )
    return ""


def _text(moment: datetime) -> str:
    return moment.astimezone(NEW_YORK).isoformat(" ", "minutes")

"""Which of the bars that IB sends are finished, and when a bar began.

IB sends the bar that is still forming as if it were one of the others. A strategy that reads it
decides on a price that the backtest never saw, so it is dropped here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from schemas.messages import Bars
from schemas.new_york import NEW_YORK, new_york_date
from schemas.values import Contract

SESSION_START: Final = time(9, 30)
SESSION_END: Final = time(16, 0)
"""Regular trading hours of US stocks. On an early close the bar is finished hours before."""

DAY_ENDS: Final = time(17, 0)
"""Of currencies and of futures on US exchanges: their day ends at 17:00 New York, or before."""
EXTENDED_END: Final = time(20, 0)
"""Of US stocks with the hours before and after the session."""

DELAY: Final = timedelta(minutes=15)
"""How late delayed data are: a bar whose end they have not reached is still forming in them."""

DAY: Final = "1 day"

_UNITS: Final = {"sec": 1, "min": 60, "hour": 3600}
_COUNTS: Final = {
    "sec": {1, 5, 10, 15, 30},
    "min": {1, 2, 3, 5, 10, 15, 20, 30},
    "hour": {1, 2, 3, 4, 8},
}


@dataclass(frozen=True, slots=True)
class IbBar:
    """One bar as IB told it: `date` is a New York session for daily bars, else an aware time."""

    date: date | datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


def bar_length(size: str) -> timedelta | None:
    """How long an intraday bar is; None for daily ones. Raises `ValueError` for an unknown size.

    Sizes are IB's words: `1 day`, `30 mins`, `1 min`, `1 hour`, `5 secs`.
    """
    if size == DAY:
        return None
    count_text, _, unit_text = size.partition(" ")
    unit = unit_text.removesuffix("s")
    count = int(count_text) if count_text.isdecimal() else 0
    if count not in _COUNTS.get(unit, ()):
        raise ValueError(f"bar size {size!r} is none of IB's, such as '1 day' or '30 mins'")
    return timedelta(seconds=count * _UNITS[unit])


def bar_start(began: date | datetime) -> datetime:
    """A bar's start in UTC; of a daily bar, the opening of its New York session at 09:30."""
    if isinstance(began, datetime):
        if began.tzinfo is None:
            raise ValueError(f"a bar's time {began} has no zone")
        return began.astimezone(UTC)
    return datetime.combine(began, SESSION_START, NEW_YORK).astimezone(UTC)


def bar_end(began: date | datetime, size: str, day_ends: time = SESSION_END) -> datetime:
    """When a bar is finished unless the next one began before; `day_ends` is for daily ones."""
    length = bar_length(size)
    if length is not None:
        return bar_start(began) + length
    session = new_york_date(began) if isinstance(began, datetime) else began
    return datetime.combine(session, day_ends, NEW_YORK).astimezone(UTC)


def day_ends(contract: Contract, *, regular_hours_only: bool = True) -> time:
    """When a daily bar is finished for certain, in New York; on a short day it was before."""
    if contract.sec_type != "STK":
        return DAY_ENDS
    return SESSION_END if regular_hours_only else EXTENDED_END


def finished_bars(
    contract: Contract, size: str, told: Iterable[IbBar], now: datetime, ends: time = SESSION_END
) -> Bars:
    """The bars that are over at `now`, oldest first, in columns; a day is over when it `ends`.

    A bar is over at its end, or when the next began: the first hour bar of a session is half an
    hour long.
    """
    bars = sorted(told, key=lambda bar: bar_start(bar.date))
    starts = [bar_start(bar.date) for bar in bars]
    overs = [bar_end(bar.date, size, ends) for bar in bars]
    ends_at = [min([over, *starts[i + 1 : i + 2]]) for i, over in enumerate(overs)]
    kept = [
        (start, bar) for start, end, bar in zip(starts, ends_at, bars, strict=True) if end <= now
    ]
    return Bars(
        contract=contract,
        size=size,
        time=tuple(start for start, _ in kept),
        open=tuple(bar.open for _, bar in kept),
        high=tuple(bar.high for _, bar in kept),
        low=tuple(bar.low for _, bar in kept),
        close=tuple(bar.close for _, bar in kept),
        volume=tuple(bar.volume for _, bar in kept),
    )

"""Bars for the demo that nobody has to download: invented, deterministic, and named so.

`python -m infra.local.synthetic FOLDER` writes them. A walk of 30-minute returns with swings,
aggregated to days; VIXY moves against SPY. They look like prices and prove nothing about markets.
"""

import math
import random
import re
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Final

from schemas.new_york import NEW_YORK

LAST_DAY: Final = date(2026, 2, 27)
SESSIONS: Final = 240
INTRADAY_SESSIONS: Final = 8
BARS_A_DAY: Final = 13
SEED: Final = 44
INDEX_LEVEL: Final = 6000.0
"""Of index futures at the start, in points."""
MONTH_LETTERS: Final = "FGHJKMNQUVXZ"
MONTH: Final = re.compile(
    rf"(?P<family>[A-Z0-9]{{1,4}})(?P<letter>[{MONTH_LETTERS}])(?P<year>\d{{1,2}})"
)
"""A month of a future, such as `MESH6`."""

HOLIDAYS: Final = frozenset(
    date(year, month, day)
    for year, month, day in (
        *((2025, 1, 1), (2025, 1, 9), (2025, 1, 20), (2025, 2, 17), (2025, 4, 18), (2025, 5, 26)),
        *((2025, 6, 19), (2025, 7, 4), (2025, 9, 1), (2025, 11, 27), (2025, 12, 25)),
        *((2026, 1, 1), (2026, 1, 19), (2026, 2, 16)),
    )
)
"""New York Stock Exchange closings in the time covered; early closings are left out."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file; prices in dollars with two decimals."""

    time: str
    open: float
    high: float
    low: float
    close: float
    volume: int

    def line(self) -> str:
        """The line, as `time,open,high,low,close,volume`."""
        prices = ",".join(f"{p:.2f}" for p in (self.open, self.high, self.low, self.close))
        return f"{self.time},{prices},{self.volume}"


type Bars = list[tuple[date, int, Row]]


def sessions() -> list[date]:
    """The trading days covered, oldest first."""
    days = (LAST_DAY - timedelta(days=n) for n in range(10_000))
    open_days = (day for day in days if day.weekday() < 5 and day not in HOLIDAYS)
    return [next(open_days) for _ in range(SESSIONS)][::-1]


def files(seed: int = SEED) -> dict[str, str]:
    """File name -> text of all bundled files."""
    spy = _walk(random.Random(seed), 560.0)
    vixy = _against(random.Random(seed + 1), spy, 110.0)
    return {
        f"{symbol}_{size}_synthetic.csv": _text(rows)
        for symbol, bars in (("SPY", spy), ("VIXY", vixy))
        for size, rows in _both_sizes(bars)
    }


def invented(keys: Iterable[str]) -> dict[str, str]:
    """File name -> text for any bar series, by its key: a stock's symbol, a future's local symbol.

    Each has a walk of its own that depends on its name alone; the months of a future share one, the
    later ones a little dearer.
    """
    return {
        f"{key}_{size}_synthetic.csv": _text(rows)
        for key in sorted(keys)
        for size, rows in _both_sizes(_series(key))
    }


def _both_sizes(bars: Bars) -> tuple[tuple[str, list[Row]], ...]:
    return ("30min", _intraday(bars)), ("1day", _daily(bars))


def _series(key: str) -> Bars:
    month = MONTH.fullmatch(key)
    family = month["family"] if month else key
    seed = zlib.crc32(family.encode())
    walk = _walk(random.Random(seed), INDEX_LEVEL if month else 40.0 + seed % 360)
    if month is None:
        return walk
    carry = 1 + 0.0025 * (MONTH_LETTERS.index(month["letter"]) + 12 * int(month["year"][-1]))
    return [(day, slot, _in_ticks(row, carry)) for day, slot, row in walk]


def _in_ticks(row: Row, factor: float) -> Row:
    """The row dearer by a factor, in the quarter points in which index futures trade."""
    prices = (row.open, row.high, row.low, row.close)
    first, high, low, last = (round(4 * factor * price) / 4 for price in prices)
    return replace(row, open=first, high=high, low=low, close=last)


def main(folder: Path, seed: int = SEED) -> None:
    """Write all files into a folder, making it if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files(seed).items():
        (folder / name).write_text(text)


def _walk(source: random.Random, price: float) -> Bars:
    """Returns of about 1 % a day with swings of weeks and of hours, so that a day has turns."""
    bars: Bars = []
    for number, (day, slot) in enumerate(_slots()):
        swing = 0.0009 * math.sin(number / 130) + 0.0013 * math.sin(number / 2.0)
        start = price
        price = start * math.exp(swing + source.gauss(0.0, 0.0016))
        bars.append((day, slot, _row(source, day, slot, (start, price))))
    return bars


def _against(source: random.Random, leader: Bars, price: float) -> Bars:
    """A price that falls about three times as much as the leader rises, and loses a little."""
    bars: Bars = []
    for day, slot, row in leader:
        move = -3.0 * math.log(row.close / row.open) - 0.00005
        start = price
        price = start * math.exp(move + source.gauss(0.0, 0.002))
        bars.append((day, slot, _row(source, day, slot, (start, price))))
    return bars


def _slots() -> Iterator[tuple[date, int]]:
    return ((day, slot) for day in sessions() for slot in range(BARS_A_DAY))


def _row(source: random.Random, day: date, slot: int, ends: tuple[float, float]) -> Row:
    opening = datetime.combine(day, time(9, 30), NEW_YORK) + slot * timedelta(minutes=30)
    reach = max(ends) * abs(source.gauss(0.0, 0.0006))
    first, last = (round(price, 2) for price in ends)
    return Row(
        time=opening.isoformat(),
        open=first,
        high=round(max(ends) + reach, 2),
        low=round(min(ends) - reach, 2),
        close=last,
        volume=source.randrange(2_000_000, 9_000_000),
    )


def _intraday(bars: Bars) -> list[Row]:
    recent = set(sessions()[-INTRADAY_SESSIONS:])
    return [row for day, _, row in bars if day in recent]


def _daily(bars: Bars) -> list[Row]:
    """Whole days but the last, which the demo plays and nobody can know yet."""
    by_day: dict[date, list[Row]] = {}
    for day, _, row in bars:
        by_day.setdefault(day, []).append(row)
    return [_joined(day, rows) for day, rows in by_day.items() if day != LAST_DAY]


def _joined(day: date, rows: list[Row]) -> Row:
    return Row(
        time=day.isoformat(),
        open=rows[0].open,
        high=max(row.high for row in rows),
        low=min(row.low for row in rows),
        close=rows[-1].close,
        volume=sum(row.volume for row in rows),
    )


def _text(rows: Iterable[Row]) -> str:
    return "\n".join(["time,open,high,low,close,volume", *(row.line() for row in rows), ""])


if __name__ == "__main__":
    main(Path(sys.argv[1]))

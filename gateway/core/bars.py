"""Bars that are kept: how much of them is new, how new ones join old ones, how far a strategy sees.

A duration of days, such as `200 D`, is our own here: the last 200 trading days of which a bar is
finished, whether the bars were kept or just read. IB counts the day that is forming, too, so that
the same question has one finished day less while the market is open.
"""

import itertools
import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from gateway.core.ib_bars import bar_end, bar_length, day_ends
from schemas.documents import BarsDocument
from schemas.messages import Bars
from schemas.new_york import NEW_YORK, new_york_date
from schemas.values import BarSpec, Contract

BARS_MAX: Final = 5_000
"""Of one document: Firestore takes 1 MiB and 40,000 index entries, and a bar has six columns."""

COUNTS_MAX: Final[Mapping[str, int]] = {"S": 86_400, "D": 365, "W": 52, "M": 12, "Y": 30}
"""IB takes no longer duration in each unit."""

SEAM_TOLERANCE: Final = 1e-9
"""By which fraction two tellings of one price may differ: they come as text, so by nothing."""

_DURATION: Final = re.compile(r"([1-9][0-9]{0,8}) ([SDWMY])")
_DAYS_A_UNIT: Final = {"S": 1 / 86_400, "D": 7 / 5, "W": 7.0, "M": 31.0, "Y": 366.0}
_COLUMNS: Final = ("time", "open", "high", "low", "close", "volume")


class Broken(ValueError):
    """Kept bars that new ones do not join; the text says why. Only a whole reading helps."""


def name_of(contract: Contract, spec: BarSpec) -> str:
    """How the kept bars are called: `SPY-756733-30mins`, with `-all` when of all hours."""
    hours = "" if spec.regular_hours_only else "-all"
    return f"{contract.symbol}-{contract.con_id}-{spec.size.replace(' ', '')}{hours}"


def check(spec: BarSpec) -> None:
    """Raise `ValueError` for a size or a duration that IB does not have."""
    bar_length(spec.size)
    count, unit = _parts(spec.duration)
    if count > COUNTS_MAX[unit]:
        raise ValueError(
            f"bars' duration {spec.duration!r} is over {COUNTS_MAX[unit]} {unit}; use a longer unit"
        )


def days_of(duration: str) -> float:
    """About how many calendar days a duration reaches back, to tell the longer of two."""
    count, unit = _parts(duration)
    return count * _DAYS_A_UNIT[unit]


def longest(durations: Iterable[str]) -> str:
    """The one that reaches back the farthest; the first of equal ones."""
    return max(durations, key=days_of)


def whole_question(spec: BarSpec) -> str:
    """The duration to ask IB for, so that the days are whole without the one that is forming."""
    count, unit = _parts(spec.duration)
    return f"{min(count + 1, COUNTS_MAX[unit])} D" if unit == "D" else spec.duration


def tail_question(kept: Bars, now: datetime) -> str:
    """The duration that has all that followed the kept bars, and bars that they must agree with."""
    last = new_york_date(kept.time[-1])
    since = max((new_york_date(now) - last).days, 0)
    # Where days begin in the evening, New York's date is a day behind the trading day.
    return f"{since + (1 if kept.contract.sec_type == 'STK' else 2)} D"


def is_shorter(tail: str, spec: BarSpec) -> bool:
    """Whether asking for the tail spares anything."""
    return days_of(tail) < days_of(whole_question(spec))


def next_finish(kept: Bars, spec: BarSpec) -> datetime:
    """No bar that follows the kept ones can be finished before this time."""
    last, length = kept.time[-1], bar_length(spec.size)
    if length is None:
        following = new_york_date(last) + timedelta(days=1)
        return bar_end(following, spec.size, _ends(kept.contract, spec))
    # The first bar of a session may begin off the grid, and is over when the next begins.
    is_on_grid = last.timestamp() % length.total_seconds() == 0
    return last + (2 if is_on_grid else 1) * length


def kept_bars(document: BarsDocument, contract: Contract) -> Bars:
    """The columns of a document that is not unfit, as bars of the contract as it is now."""
    columns = {name: getattr(document, name) for name in _COLUMNS}
    return Bars(contract, document.size, **columns)


def kept_document(bars: Bars, spec: BarSpec, as_of: datetime) -> BarsDocument:
    """The document of bars that were read for a duration.

    What is too long for a document is cut at its old end; it then says no duration, and answers
    none.
    """
    is_whole = len(bars.time) <= BARS_MAX
    columns = {name: getattr(bars, name)[-BARS_MAX:] for name in _COLUMNS}
    return BarsDocument(
        contract=bars.contract,
        size=bars.size,
        as_of=as_of,
        duration=spec.duration if is_whole else "",
        regular_hours_only=spec.regular_hours_only,
        **columns,
    )


def why_unfit(document: BarsDocument, spec: BarSpec) -> str:
    """Why kept bars cannot answer, even with a tail; empty when they can."""
    if not document.time or not _DURATION.fullmatch(document.duration):
        return "nothing whole was kept"
    if len({len(getattr(document, name)) for name in _COLUMNS}) > 1:
        return "the kept columns are of unequal length"
    if days_of(document.duration) < days_of(spec.duration):
        return f"{document.duration} were kept, {spec.duration} are wanted"
    if len(document.time) < spec.count_min:
        return f"{len(document.time)} bars were kept, {spec.count_min} are wanted"
    if any(later <= earlier for earlier, later in itertools.pairwise(document.time)):
        return "the kept bars were not in order"
    return ""


def joined(kept: Bars, tail: Bars) -> Bars:
    """The kept bars followed by the tail, which replaces what both have.

    Both must have a bar, and agree in the prices of every one between the first of the tail and
    the last of the kept: else a part is missing between them, or the broker has changed the past,
    as it does after a split. Raises `Broken`.
    """
    if not tail.time:
        raise Broken("the broker had no bars for the days after the kept ones")
    seam = bisect_left(kept.time, tail.time[0])
    count = len(kept.time) - seam
    if not count or kept.time[seam:] != tail.time[:count]:
        at = _text(kept.time[-1])
        raise Broken(f"the kept bars up to {at} and those read now have different ones between")
    for offset in range(count):
        _check_same(kept, tail, (seam + offset, offset))
    both = {name: getattr(kept, name)[:seam] + getattr(tail, name) for name in _COLUMNS}
    return replace(tail, **both)


def without_repetitions(bars: Bars) -> tuple[Bars, int]:
    """Each bar once, and how many were told again. Raises `Broken` where two of them differ."""
    rows = list(zip(*(getattr(bars, name) for name in _COLUMNS), strict=True))
    fresh = [i for i in range(len(rows)) if not i or rows[i][0] != rows[i - 1][0]]
    for i in range(1, len(rows)):
        if rows[i][0] == rows[i - 1][0] and rows[i] != rows[i - 1]:
            raise Broken(f"the broker told two different bars of {_text(rows[i][0])}")
    if len(fresh) == len(rows):
        return bars, 0
    return _picked(bars, fresh), len(rows) - len(fresh)


def window(bars: Bars, spec: BarSpec, now: datetime) -> Bars:
    """The bars that a duration reaches back to: of days, the last so many that have a bar."""
    count, unit = _parts(spec.duration)
    if not bars.time:
        return bars
    if unit == "D":
        days = [trading_day(start, bars.contract, spec.size) for start in bars.time]
        wanted = sorted(set(days))[-count:]
        first = next(i for i, day in enumerate(days) if day >= wanted[0])
    else:
        first = bisect_left(bars.time, _reach(now, count, unit))
    return _picked(bars, range(first, len(bars.time)))


def trading_day(start: datetime, contract: Contract, size: str) -> date:
    """The day that a bar belongs to: New York's, but from 17:00 on the next where one begins then.

    Of stocks that trade on New York's night, days are cut in two; see `can_be_kept`.
    """
    local = start.astimezone(NEW_YORK)
    if contract.sec_type == "STK" or bar_length(size) is None or local.hour < EVENING.hour:
        return local.date()
    return local.date() + timedelta(days=1)


EVENING: Final = time(17, 0)
"""From then on currencies and futures on US exchanges trade their next day."""


def can_be_kept(contract: Contract, spec: BarSpec) -> bool:
    """Whether it is certain which day a bar belongs to, so that days can be counted without IB."""
    is_daily = bar_length(spec.size) is None
    return is_daily or contract.sec_type == "CASH" or contract.currency == "USD"


def _parts(duration: str) -> tuple[int, str]:
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise ValueError(f"bars' duration {duration!r} is none of IB's, such as '5 D' or '1 Y'")
    return int(match[1]), match[2]


def _ends(contract: Contract, spec: BarSpec) -> time:
    return day_ends(contract, regular_hours_only=spec.regular_hours_only)


def _reach(now: datetime, count: int, unit: str) -> datetime:
    return now - timedelta(days=count * _DAYS_A_UNIT[unit])


def _check_same(kept: Bars, tail: Bars, places: tuple[int, int]) -> None:
    for name in ("open", "high", "low", "close"):
        before, after = getattr(kept, name)[places[0]], getattr(tail, name)[places[1]]
        if not math.isclose(before, after, rel_tol=SEAM_TOLERANCE):
            at = _text(tail.time[places[1]])
            raise Broken(
                f"the {name} of {at} was {before:g} and is {after:g} now, as after a split"
            )


def _picked(bars: Bars, places: Sequence[int]) -> Bars:
    columns: dict[str, Any] = {
        name: tuple(getattr(bars, name)[i] for i in places) for name in _COLUMNS
    }
    return replace(bars, **columns)


def _text(at: datetime) -> str:
    return f"{at.astimezone(NEW_YORK):%Y-%m-%d %H:%M} New York"

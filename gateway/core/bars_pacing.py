"""How often IB lets small bars be asked for, counted here so that IB never has to say no.

Source: IB, historical data limitations (design notes, IB, section 4): for bars of 30 seconds and
less no identical request within 15 seconds, fewer than six for one contract within two seconds, at
most 60 within ten minutes. At most 50 questions of any size are open at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.core.ib_bars import bar_length
from schemas.values import BarSpec

SMALL: Final = timedelta(seconds=30)
IDENTICAL_GAP: Final = timedelta(seconds=15)
BURST_SPAN, BURST_MAX = timedelta(seconds=2), 5
SPAN, QUESTIONS_MAX = timedelta(minutes=10), 60
OPEN_MAX: Final = 40
"""Questions that we leave open at a time: other clients of the gateway may have some, too."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question for bars, as it was put to IB."""

    at: datetime
    con_id: int
    spec: BarSpec


def counted(log: Sequence[Asked], asked: Asked) -> tuple[Asked, ...]:
    """The log with one question more, without those that no rule looks at any longer."""
    if not is_paced(asked.spec):
        return tuple(log)
    return (*(one for one in log if asked.at - one.at < SPAN), asked)


def free_at(log: Sequence[Asked], asked: Asked) -> datetime:
    """When IB lets this be asked; not after `asked.at` when it does now."""
    if not is_paced(asked.spec):
        return asked.at
    identical = [one for one in log if _is_same(one, asked)]
    alike = [one for one in log if one.con_id == asked.con_id]
    return max(
        _free(identical, 1, IDENTICAL_GAP, asked.at),
        _free(alike, BURST_MAX, BURST_SPAN, asked.at),
        _free(log, QUESTIONS_MAX, SPAN, asked.at),
    )


def is_paced(spec: BarSpec) -> bool:
    """Whether IB counts questions for bars of this size."""
    length = bar_length(spec.size)
    return length is not None and length <= SMALL


def _free(log: Sequence[Asked], count_max: int, span: timedelta, now: datetime) -> datetime:
    """When fewer than so many of these lie within a span."""
    recent = sorted(one.at for one in log if now - one.at < span)
    return recent[-count_max] + span if len(recent) >= count_max else now


def _is_same(one: Asked, other: Asked) -> bool:
    """Whether IB takes two questions for identical; how many bars we need is not in them."""
    return (one.con_id, _words(one.spec)) == (other.con_id, _words(other.spec))


def _words(spec: BarSpec) -> tuple[str, str, bool]:
    return spec.size, spec.duration, spec.regular_hours_only

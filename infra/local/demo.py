"""The demo: which day to play, and playing it on a stack."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from gateway.simulator.broker import ExchangeOptions, InitialHolding
from gateway.simulator.market.bars import BarBook
from infra.local.day import EXTERNAL_QUANTITY, STRATEGIES, SYMBOL, Day, Ending
from infra.local.solo import BUNDLED, enable_alone, table_of
from infra.local.stack import StackName, StackOptions, running

__all__ = ["BUNDLED", "DayUnplayable", "chosen_day", "exchange_options", "half_hours", "play"]

EXECUTIONS_QUANTITY_MAX: Final = Decimal(400)
"""Fills come in pieces of at most so many shares, so that partial fills are seen."""

SEED: Final = 7


class DayUnplayable(ValueError):
    """The bars do not hold what a day needs; the text says what there is."""


def chosen_day(bars: BarBook, wanted: date | None) -> date:
    """The day asked for, else the last whole one. Raises `DayUnplayable` naming what there is."""
    whole = bars.whole_days()
    if wanted is None and whole:
        return whole[-1]
    if wanted is not None and wanted in bars.trading_days:
        return wanted
    days = bars.trading_days
    span = f"there are bars from {days[0]} to {days[-1]}" if days else "there are no 30-minute bars"
    raise DayUnplayable(f"DAY={wanted or 'the last whole one'} cannot be played: {span}")


def exchange_options(bars: BarBook, start: datetime, holding: Decimal) -> ExchangeOptions:
    """The account at the start: cash, and `holding` SPY that nobody explained.

    Raises `DayUnplayable` when there is no price of SPY to have bought them at.
    """
    if not holding:
        return ExchangeOptions(seed=SEED, executions_quantity_max=EXECUTIONS_QUANTITY_MAX)
    known = bars.series(SYMBOL, "30 mins").started(start)
    if not known:
        raise DayUnplayable(f"there are no 30-minute bars of {SYMBOL} up to {start.isoformat()}")
    return ExchangeOptions(
        holdings=(InitialHolding(SYMBOL, holding, known[-1].open),),
        seed=SEED,
        executions_quantity_max=EXECUTIONS_QUANTITY_MAX,
    )


def half_hours(bars: BarBook, day: date) -> tuple[tuple[datetime, ...], datetime]:
    """When the half-hour bars of a day start, and when the session closes.

    Raises `DayUnplayable` for a day without a session.
    """
    session = bars.session(day)
    if session is None:
        raise DayUnplayable(f"{day} has no session")
    length = timedelta(minutes=30)
    count = int((session.closes - session.opens) / length)
    return tuple(session.opens + n * length for n in range(count)), session.closes


async def play(
    name: StackName,
    bars: BarBook,
    day: date,
    say: Callable[[datetime, str], None],
    solo: str = "",
) -> Ending:
    """Play a day on a stack from its start to its end; `say` gets the story line by line.

    `solo` names a strategy that is played alone; without it, those of the usual day.
    """
    starts, closes = half_hours(bars, day)
    account = exchange_options(bars, starts[0], EXTERNAL_QUANTITY)
    options = StackOptions(bars, starts[0], account, contracts=table_of(solo) if solo else None)
    async with running(name, options) as stack:
        if solo:
            say(starts[0], await enable_alone(stack.store, solo))
        return await Day(stack, starts, closes, say, (solo,) if solo else STRATEGIES).play()

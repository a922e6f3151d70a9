"""All cases, by chapter. A new module of cases is one line here."""

from gateway.simulator.conformance import (
    reading_account,
    reading_contracts,
    reading_history,
    reading_market,
    reading_records,
    reading_session,
    trading_accounts,
    trading_fills,
    trading_groups,
    trading_previews,
    trading_refusals,
    trading_resting,
    trading_sessions,
    trading_stops,
)
from gateway.simulator.conformance.case import Case, Chapter

CHAPTERS: tuple[Chapter, ...] = (
    reading_session.CHAPTER,
    reading_contracts.CHAPTER,
    reading_history.CHAPTER,
    reading_market.CHAPTER,
    reading_account.CHAPTER,
    reading_records.CHAPTER,
    trading_resting.chapter,
    trading_fills.chapter,
    trading_stops.chapter,
    trading_groups.chapter,
    trading_previews.chapter,
    trading_refusals.chapter,
    trading_sessions.chapter,
    trading_accounts.chapter,
)

CASES: tuple[Case, ...] = tuple(case for chapter in CHAPTERS for case in chapter.cases)
"""In the order in which they are run: what only asks first."""

"""The sessions of exchanges, holidays and early closes known: the door to exchange_calendars.

That library brings pandas, some 0.5 s of import and 60 MB, which no start and no run shall pay. So
it is imported when a command first asks for sessions, in a thread beside the event loop.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any, Final

from gateway.core.bars_faults import Sessions
from gateway.core.broker import Span
from schemas.values import Contract

log = logging.getLogger(__name__)

NEW_YORK: Final = "XNYS"
CHICAGO: Final = "CMES"
STOCKS: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("NYSE", "ARCA", "NASDAQ", "ISLAND", "AMEX", "BATS", "CBOE", "IEX", "PINK"), NEW_YORK
    ),
    "LSE": "XLON",
    "LSEETF": "XLON",
    "IBIS": "XETR",
    "SBF": "XPAR",
    "AEB": "XAMS",
    "EBS": "XSWX",
    "BVME": "XMIL",
    "BM": "XMAD",
    "SEHK": "XHKG",
    "TSEJ": "XTKS",
    "ASX": "XASX",
    "TSE": "XTSE",
}
"""IB's names of exchanges -> the library's names of calendars (market identifier codes)."""
FUTURES: Final = frozenset({"CME", "GLOBEX", "CBOT", "ECBOT", "NYMEX", "COMEX"})


def calendar_name(contract: Contract) -> str:
    """The calendar that a contract's exchange keeps; empty for one that nobody told us."""
    if contract.sec_type == "FUT":
        return CHICAGO if contract.exchange in FUTURES else ""
    if contract.sec_type != "STK":
        return ""
    listed = STOCKS.get(contract.primary_exchange) or STOCKS.get(contract.exchange)
    return listed or (NEW_YORK if contract.currency == "USD" else "")


async def sessions(
    contract: Contract, first: date, last: date, *, regular_hours_only: bool = True
) -> Sessions | None:
    """The sessions from a date through another; None where no calendar is known for certain."""
    name = calendar_name(contract)
    if not name:
        return None
    found = await asyncio.to_thread(_sessions, name, first, last)
    if found is None or (regular_hours_only and contract.sec_type == "STK"):
        return found
    return Sessions(found.spans, bars_lie_within=False)


def _sessions(name: str, first: date, last: date) -> Sessions | None:
    try:
        return _read(name, first, last)
    except (LookupError, ValueError) as error:  # the library reaches neither back nor ahead so far
        log.warning("no sessions of %s from %s to %s: %s", name, first, last, error)
        return None


def _read(name: str, first: date, last: date) -> Sessions:
    schedule = _calendar(name, first.year, last.year).schedule
    rows = schedule.loc[first.isoformat() : last.isoformat()]
    pairs = zip(rows["open"], rows["close"], strict=True)
    spans = tuple(Span(opens.to_pydatetime(), closes.to_pydatetime()) for opens, closes in pairs)
    has_breaks = bool(rows["break_start"].notna().any())  # such as Tokyo's lunch: no bars in it
    return Sessions(spans, bars_lie_within=not has_breaks)


@lru_cache(maxsize=16)
def _calendar(name: str, first_year: int, last_year: int) -> Any:
    """A calendar of whole years, with some days more, for its first day may be none."""
    import exchange_calendars

    start, end = f"{first_year - 1}-12-20", f"{last_year + 1}-01-10"
    return exchange_calendars.get_calendar(name, start=start, end=end)

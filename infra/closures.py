"""`functions/closures.py`: when New York's exchanges are closed, as a table for small functions.

    python -m infra.closures

The calendar library brings pandas, which a watchdog of 20 lines need not start. A test holds the
table against the library; later rules and days of mourning come with a newer library, and a deploy.
"""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Final

import exchange_calendars

FILE: Final = Path(__file__).resolve().parents[1] / "functions" / "closures.py"
CALENDAR: Final = "XNYS"
FIRST, LAST = date(2024, 1, 1), date(2032, 12, 31)
COLUMNS: Final = 6

_TEXT: Final = '''"""Days on which New York's exchanges do not open, and those that close early.

Written by `python -m infra.closures`; not to be edited. Saturdays and Sundays are not listed.
"""

from typing import Final

FIRST: Final = "{first}"
LAST: Final = "{last}"
"""The table's own days, both included. What is later is not known here."""

_CLOSED: Final = """
{closed}
"""

_EARLY: Final = """
{early}
"""

CLOSED: Final = frozenset(_CLOSED.split())
EARLY: Final = frozenset(_EARLY.split())
"""They close at 13:00."""
'''


def text() -> str:
    """The module as the library would have it now. Raises `ValueError` for an unusual close."""
    calendar = exchange_calendars.get_calendar(CALENDAR, start=FIRST, end=LAST)
    sessions = {day.date() for day in calendar.sessions}
    days = (date.fromordinal(n) for n in range(FIRST.toordinal(), LAST.toordinal() + 1))
    closed = [day for day in days if day.weekday() < 5 and day not in sessions]
    early = []
    for day in calendar.early_closes:
        close = calendar.session_close(day).tz_convert(calendar.tz).strftime("%H:%M")
        if close != "13:00":
            raise ValueError(f"{day.date()} closes at {close}, the table knows only 13:00")
        early.append(day.date())
    return _TEXT.format(first=FIRST, last=LAST, closed=_rows(closed), early=_rows(early))


def _rows(days: Iterable[date]) -> str:
    words = [day.isoformat() for day in days]
    rows = (words[n : n + COLUMNS] for n in range(0, len(words), COLUMNS))
    return "\n".join("    " + " ".join(row) for row in rows)


def main() -> None:
    """Write the table."""
    FILE.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()

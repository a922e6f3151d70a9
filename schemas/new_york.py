"""New York, by whose days and hours the system lives: exchanges close and IB forgets by them."""

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

NEW_YORK: Final = ZoneInfo("America/New_York")


def new_york_date(at: datetime) -> date:
    """The date there at an instant. `at` must be aware."""
    return at.astimezone(NEW_YORK).date()

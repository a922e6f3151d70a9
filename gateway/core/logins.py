"""When the IB Gateway's session ends next, by the calendar alone. Pure.

IB's tokens end each Sunday at 01:00 New York time: then a person logs in, in live with a second
factor (IB's page on auto-restart; ib.md 4, "Weekly 2FA"). On all other days the gateway restarts by
itself, at a time that its owner chose.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Final

from gateway.core.finding import Finding, ok, warn
from gateway.core.hours import in_new_york
from schemas.new_york import NEW_YORK
from schemas.values import Mode

LOGIN_AT: Final = time(1)
SUNDAY: Final = 6
SOON: Final = timedelta(hours=24)


def next_login(now: datetime) -> datetime:
    """The next Sunday, 01:00 in New York."""
    here = now.astimezone(NEW_YORK)
    days = (SUNDAY - here.weekday()) % 7
    due = datetime.combine(here.date() + timedelta(days=days), LOGIN_AT, NEW_YORK)
    if due <= now:
        due = datetime.combine(due.date() + timedelta(days=7), LOGIN_AT, NEW_YORK)
    return due


def next_restart(now: datetime, at: str) -> datetime:
    """The next daily restart; `at` is like 23:45, New York time."""
    here = now.astimezone(NEW_YORK)
    due = datetime.combine(here.date(), time.fromisoformat(at), NEW_YORK)
    if due <= now:
        due = datetime.combine(due.date() + timedelta(days=1), due.time(), NEW_YORK)
    return due


def login(now: datetime, mode: Mode, restart_at: str) -> Finding:
    """When the next login is due, and when the gateway restarts by itself."""
    now = now.astimezone(UTC)  # two times of one zone are subtracted by their wall clocks
    due = next_login(now)
    said = f"IB ends all sessions {in_new_york(due)}, in {span(due - now)}"
    if restart_at:
        said += f"; the IB Gateway restarts {in_new_york(next_restart(now, restart_at))}"
    else:
        said += "; when it restarts each day is not told (IB_DAILY_RESTART)"
    if due - now > SOON:
        return ok("login", said)
    factor = " and approve the second factor on the phone" if mode is Mode.LIVE else ""
    return warn("login", said, f"log in anew after that time{factor}, before the next session")


def span(lasting: timedelta) -> str:
    """A time span for the eye: `4 s`, `12 min`, `3 h 10 min`, `5 d 11 h`."""
    seconds = int(lasting.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 120:
        return f"{minutes} min"
    if days < 2:
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h"

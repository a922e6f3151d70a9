"""What the watchdog is sent at each of its periods: which commands have been scheduled, and when.

The schedules travel in the message, so that its function needs no strategy's file, hence no pandas.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Scheduled:
    """One job of Cloud Scheduler that must leave a run document: its cron line, in New York time.

    `strategies` are those that a scheduled `run` names, empty where it names none.
    """

    name: str
    cron: str
    command: str
    strategies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Watch:
    """Look whether the gateway lives and does what is scheduled.

    `at` is the market's time, absent the wall's: only a rehearsal, whose clock is not the wall's,
    says it. The lease is judged by the wall in any case, as it is kept [R3].
    """

    schedules: tuple[Scheduled, ...] = ()
    at: datetime | None = None

    def __post_init__(self) -> None:
        if self.at is not None and self.at.tzinfo is None:
            raise ValueError("at must have a time zone")

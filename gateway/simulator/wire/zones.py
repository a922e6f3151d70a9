"""Time zones as IB names them: what it calls New York depends on the machine that it runs on."""

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MINUTE_STAMP = "%Y%m%d %H:%M:%S"
ZONES_KEPT: Final = 64

OLD_NAMES: Final[Mapping[str, str]] = {
    "Australia/NSW": "Australia/Sydney",
    "Canada/Eastern": "America/Toronto",
    "EST5EDT": "America/New_York",
    "GB": "Europe/London",
    "GB-Eire": "Europe/London",
    "Hongkong": "Asia/Hong_Kong",
    "Japan": "Asia/Tokyo",
    "MET": "Europe/Brussels",
    "Singapore": "Asia/Singapore",
    "US/Central": "America/Chicago",
    "US/Eastern": "America/New_York",
    "US/Mountain": "America/Denver",
    "US/Pacific": "America/Los_Angeles",
}
"""Names that IB still says, and what they are links to (tz database, file `backward`).

Debian 13 and Ubuntu 24.04 have them in a package of its own, `tzdata-legacy`, which few install."""


@lru_cache(maxsize=ZONES_KEPT)
def zone(name: str) -> ZoneInfo:
    """The zone of a name on the wire. Raises as `ZoneInfo` does: KeyError, ValueError, OSError."""
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        if name not in OLD_NAMES:
            raise
        return ZoneInfo(OLD_NAMES[name])


class SpokenZone(tzinfo):
    """A zone with the name a gateway writes for it: "Eastern Standard Time", "JST", or nothing.

    Raises:
        ValueError: the zone is no IANA zone.
    """

    def __init__(self, name: str, spoken: str) -> None:
        try:
            self._zone = zone(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"no time zone is called {name!r}") from None
        self.spoken = spoken

    def utcoffset(self, when: datetime | None) -> timedelta | None:
        """As in the zone."""
        return None if when is None else self._zone.utcoffset(when.replace(tzinfo=self._zone))

    def dst(self, when: datetime | None) -> timedelta | None:
        """As in the zone."""
        return None if when is None else self._zone.dst(when.replace(tzinfo=self._zone))

    def tzname(self, when: datetime | None) -> str:
        """The spoken name."""
        return self.spoken

    def fromutc(self, when: datetime) -> datetime:
        """As in the zone."""
        return self._zone.fromutc(when.replace(tzinfo=self._zone)).replace(tzinfo=self)

    def text(self, when: datetime) -> str:
        """A time as an execution carries it; without a name there are two spaces in its midst."""
        stamp = when.strftime(MINUTE_STAMP)
        return f"{stamp} {self.spoken}" if self.spoken else stamp.replace(" ", "  ")

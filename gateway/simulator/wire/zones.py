"""A time zone under a name of its own: what IB calls New York depends on the machine it runs on."""

from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MINUTE_STAMP = "%Y%m%d %H:%M:%S"


class SpokenZone(tzinfo):
    """A zone with the name a gateway writes for it: "Eastern Standard Time", "JST", or nothing.

    Raises:
        ValueError: the zone is no IANA zone.
    """

    def __init__(self, zone: str, spoken: str) -> None:
        try:
            self._zone = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"no time zone is called {zone!r}") from None
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

"""Which market data an account has paid for, and what a client gets for which type it asks for.

A client asks for live (1), frozen (2), delayed (3) or delayed frozen (4) data; frozen means the
last prices while the market is closed. Who has live data gets it whatever was asked; delayed data
are those of fifteen minutes ago, under tick types of their own (66 to 76, 88). IB's codes: 354 not
subscribed, 10089 needs a subscription though delayed data would be there, 10167 delayed data are
shown, 10168 not subscribed and delayed data are off, 10197 another session has the data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from gateway.simulator.market.contracts import Listing
from gateway.simulator.notices import COMPETING_SESSION, NOT_SUBSCRIBED

LIVE, FROZEN, DELAYED, DELAYED_FROZEN = 1, 2, 3, 4
TYPES = frozenset({LIVE, FROZEN, DELAYED, DELAYED_FROZEN})
HAS_LIVE, HAS_DELAYED, HAS_NONE, COMPETING = "live", "delayed", "none", "competing"
LEVELS = (HAS_LIVE, HAS_DELAYED, HAS_NONE, COMPETING)
"""What an account may have of a contract; `competing` is data that another session took."""
EVERYTHING = "*"
DELAY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Served:
    """What a client gets: a refusal, or data that may be late or frozen, perhaps with a notice."""

    code: int = 0
    text: str = ""
    refused: bool = False
    delay: timedelta = timedelta()
    frozen: bool = False

    @property
    def type(self) -> int:
        """The type of the data while the market is open."""
        return DELAYED if self.delay else LIVE


class Subscriptions:
    """The levels by contract: its key (`SPY`), else its security type (`CASH`), else `*`."""

    def __init__(self, levels: Mapping[str, str]) -> None:
        self._levels: dict[str, str] = {}
        for name, level in levels.items():
            self.set(name, level)

    def set(self, name: str, level: str) -> None:
        """From now on the account has this level. Raises ValueError for an unknown one."""
        if level not in LEVELS:
            raise ValueError(f"market data level {level!r} is not one of {', '.join(LEVELS)}")
        self._levels[name] = level

    def level(self, listing: Listing) -> str:
        """What the account has of a contract."""
        names = (listing.key, listing.security_type, EVERYTHING)
        return next((self._levels[name] for name in names if name in self._levels), HAS_LIVE)

    def served(self, listing: Listing, wanted: int) -> Served:
        """What a client gets that asked for a type of data."""
        level = self.level(listing)
        frozen = wanted in {FROZEN, DELAYED_FROZEN}
        if level == HAS_LIVE:
            return Served(frozen=frozen)
        if level == COMPETING:
            return Served(*COMPETING_SESSION, refused=True)
        return self._without_live(listing, level, wanted, frozen=frozen)

    def _without_live(self, listing: Listing, level: str, wanted: int, *, frozen: bool) -> Served:
        where = f"{listing.key} {listing.primary_exchange}/TOP/ALL"
        missing = NOT_SUBSCRIBED.text
        late = wanted in {DELAYED, DELAYED_FROZEN}
        if level == HAS_DELAYED and late:
            text = f"{missing} Displaying delayed market data."
            return Served(10167, text, delay=DELAY, frozen=frozen)
        if level == HAS_DELAYED:
            text = (
                "Requested market data requires additional subscription for API. See link in "
                f"'Market Data Connections' dialog for more details.Delayed market data is "
                f"available.{where}"
            )
            return Served(10089, text, refused=True)
        if late:
            text = f"{missing} Delayed market data is not enabled."
            return Served(10168, text, refused=True)
        return Served(354, f"{missing}Delayed market data is not available.{where}", refused=True)

    def history_refusal(self, listing: Listing) -> str | None:
        """Why historical bars are refused, None when they are not; delayed data have a past."""
        level = self.level(listing)
        if level == COMPETING:
            return "Trading TWS session is connected from a different IP address"
        if level == HAS_NONE:
            return no_permissions(listing)
        return None

    def has_live(self, listing: Listing) -> bool:
        """Whether ticks may be told one by one and bars every five seconds."""
        return self.level(listing) == HAS_LIVE


def no_permissions(listing: Listing) -> str:
    """What IB says of data that an account has not paid for."""
    return f"No market data permissions for {listing.primary_exchange} {listing.security_type}"

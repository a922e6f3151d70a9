"""When an order works: from when, until when, and up to when it can be changed."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from gateway.simulator.market.contracts import Listing
from gateway.simulator.market.history import HistoryError, parse_end
from gateway.simulator.market.hours import NEW_YORK, TIME_ZONE_NAME, new_york, new_york_day
from gateway.simulator.market.market import Market
from gateway.simulator.orders.order_types import ORDER_TYPES
from gateway.simulator.orders.orders import LONG_PAST, NEVER, OrderTerms

AUCTION_CUT_OFF_MINUTES = {"NYSE": 10, "AMEX": 10, "NASDAQ": 5, "ISLAND": 5, "BATS": 5, "ARCA": 1}
"""Minutes before the close from which the listing exchange takes no new order for its closing
auction and lets none go: the exchanges' own rule books. IB's own may be earlier."""
OTHER_CUT_OFF_MINUTES = 10
_DAY_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Life:
    """From when to when an order can trade."""

    active_from: datetime
    expires_at: datetime


def life_of(terms: OrderTerms, listing: Listing, market: Market, now: datetime) -> Life:
    """When an order with these terms that comes now can trade; never after a contract's expiry.

    Raises:
        ValueError: its good-till-date or good-after-time is missing or no time.
    """
    after = terms.other.get("goodAfterTime", "")
    active_from = moment(after, listing, market, now) if after else LONG_PAST
    if terms.tif == "OPG":
        opens = next_opening(listing, market, max(now, active_from))
        return Life(opens, opens)
    begin = max(now, active_from)
    last = moment(listing.expiry, listing, market, now) if listing.expiry else NEVER
    if terms.tif == "GTC":
        return Life(active_from, last)
    if terms.tif == "GTD":
        until = moment(terms.other.get("goodTillDate", ""), listing, market, now)
        return Life(active_from, min(until, last))
    return Life(active_from, min(session_end(terms, listing, market, begin), last))


def session_end(terms: OrderTerms, listing: Listing, market: Market, now: datetime) -> datetime:
    """When a DAY order ends: with the session it may trade in."""
    if trades_extended(terms):
        return market.extended_ahead(listing, now).closes
    return market.session_ahead(listing, now).closes


def session_begin(terms: OrderTerms, listing: Listing, market: Market, now: datetime) -> datetime:
    """When the session opens in which the order may trade, while it is closed."""
    if trades_extended(terms):
        return market.extended_ahead(listing, now).opens
    return market.session_ahead(listing, now).opens


def trades_extended(terms: OrderTerms) -> bool:
    """Whether the order may trade outside regular hours: it says so and its type can."""
    return terms.outside_rth and ORDER_TYPES[terms.order_type].extended


def next_opening(listing: Listing, market: Market, now: datetime) -> datetime:
    """The next opening of the regular session after this instant."""
    ahead = market.session_ahead(listing, now)
    return ahead.opens if now < ahead.opens else market.session_ahead(listing, ahead.closes).opens


def moment(text: str, listing: Listing, market: Market, now: datetime) -> datetime:
    """IB's order times: `YYYYMMDD hh:mm:ss [zone]`, `YYYYMMDD-hh:mm:ss` (UTC), or a date alone,
    which means the end of its session, or of itself if it has none. Raises ValueError."""
    try:
        if len(text) == _DAY_DIGITS and text.isdigit():
            noon = parse_end(f"{text} 12:00:00", now)
            session = market.session_ahead(listing, noon)
            midnight = new_york(new_york_day(noon) + timedelta(days=1), time())
            return session.closes if session.day == new_york_day(noon) else midnight
        if not text:
            raise ValueError("no time given")
        return parse_end(text, now)
    except HistoryError as error:
        raise ValueError(str(error)) from None


def auction_closed(terms: OrderTerms, listing: Listing, market: Market, now: datetime) -> bool:
    """Whether it is too late to join or leave today's closing auction."""
    if not ORDER_TYPES[terms.order_type].auction or not market.is_open(listing, now):
        return False
    minutes = AUCTION_CUT_OFF_MINUTES.get(listing.primary_exchange, OTHER_CUT_OFF_MINUTES)
    return now >= market.session_ahead(listing, now).closes - timedelta(minutes=minutes)


def exchange_time(when: datetime) -> str:
    """The time as IB's warnings write it."""
    return f"{when.astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S} {TIME_ZONE_NAME}"

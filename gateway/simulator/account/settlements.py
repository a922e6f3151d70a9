"""What the calendar does to the account: midnight begins a day, the end of a session settles.

A future's variation goes into cash at the end of every session of it, at the last price of that
session; on its last day of trading the position is closed at that price, without an execution.
"""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from gateway.simulator.account.account import Holding
from gateway.simulator.account.valuations import Moment
from gateway.simulator.broker import Broker
from gateway.simulator.market.hours import NEW_YORK, new_york_day


class Settlements:
    """Days begun and futures settled so far."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._due: dict[int, datetime] = {}
        self._reached: datetime | None = None
        self._midnight: datetime | None = None
        """When the day that is on ends."""

    def reach(self, instant: datetime) -> list[int]:
        """All that happens up to an instant. Returns the contracts whose positions expired."""
        if self._midnight is not None and instant < self._midnight:
            return self._settle(instant)
        today = new_york_day(instant)
        expired: list[int] = []
        start = instant
        if self._midnight is not None:
            start = _midnight_of(today)
            expired = self._settle(start)
        self._midnight = _midnight_of(today + timedelta(days=1))
        self._broker.account.begin_day(Moment(self._broker.valuer, start))
        return expired + self._settle(instant)

    def _settle(self, until: datetime) -> list[int]:
        held = {
            con_id: holding
            for con_id, holding in self._broker.account.holdings.items()
            if holding.listing.security_type == "FUT" and (holding.quantity or holding.basis)
        }
        # What was closed and settled begins afresh when it is traded again.
        self._due = {key: due for key, due in self._due.items() if key in held}
        gone = [
            con_id for con_id, holding in held.items() if self._settle_one(con_id, holding, until)
        ]
        self._reached = until
        return gone

    def _settle_one(self, con_id: int, holding: Holding, until: datetime) -> bool:
        """Settle at each session's end passed; True when the position expired."""
        due = self._due.get(con_id)
        if due is None:
            due = self._next(holding, self._reached or until)
        while due <= until:
            price = self._price(con_id, holding, due)
            if f"{new_york_day(due):%Y%m%d}" >= (holding.listing.expiry or "99999999"):
                open_before = bool(holding.quantity)
                self._broker.account.expire(con_id, price)
                self._due.pop(con_id, None)
                return open_before
            self._broker.account.settle(con_id, price)
            due = self._next(holding, due)
        self._due[con_id] = due
        return False

    def _next(self, holding: Holding, after: datetime) -> datetime:
        return self._broker.market.session_ahead(holding.listing, after).closes

    def _price(self, con_id: int, holding: Holding, when: datetime) -> Decimal:
        price = self._broker.valuer.price(con_id, when)
        return holding.average_cost / holding.listing.multiplier if price is None else price


def _midnight_of(day: date) -> datetime:
    return datetime.combine(day, time(), NEW_YORK).astimezone(UTC)

"""Market data that is silent, stale, crossed, or refused because of another session."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

from gateway.simulator.faults.selection import Selective
from gateway.simulator.faults.subjects import request_id, symbol_of
from gateway.simulator.notices import COMPETING_SESSION
from gateway.simulator.replies import (
    Delivery,
    Notice,
    RealTimeBar,
    TickByTickMidpoint,
    TickByTickQuote,
    TickByTickTrade,
    TickGeneric,
    TickPrice,
    TickSize,
    TickString,
)
from gateway.simulator.requests import MarketDataRequest

TICKS = (
    TickPrice,
    TickSize,
    TickGeneric,
    TickString,
    RealTimeBar,
    TickByTickTrade,
    TickByTickQuote,
    TickByTickMidpoint,
)
"""Everything a market data line carries."""
BIDS, ASKS = frozenset({1, 66}), frozenset({2, 67})
"""Tick types of bid and ask, live and delayed."""


@dataclass(kw_only=True, eq=False)
class QuoteFault(Selective):
    """A fault of market data lines; those from before the injection are meant without a symbol."""

    lines: dict[tuple[int, int], bool] = field(init=False, default_factory=dict, repr=False)

    def on_request(self, client_id: int, request: Any) -> Any | None:
        """Decide on each new line."""
        number = request_id(request)
        if number != -1 and getattr(request, "contract", None) is not None:
            self.lines[client_id, number] = self._strikes_line(client_id, request)
        return request

    def _strikes_line(self, client_id: int, request: Any) -> bool:
        return self.strikes(client_id, symbol_of(request), f"line {request_id(request)}")

    def is_meant(self, delivery: Delivery) -> bool:
        """Whether a tick belongs to a line that is meant."""
        client_id, reply = delivery
        if not isinstance(reply, TICKS):
            return False
        key = (client_id, request_id(reply))
        if key not in self.lines:
            self.lines[key] = not self.symbol and self.strikes(client_id, "", f"line {key[1]}")
        return self.lines[key]

    def on_disconnect(self, client_id: int) -> None:
        """Its lines are gone."""
        self.lines = {key: meant for key, meant in self.lines.items() if key[0] != client_id}


@dataclass(kw_only=True, eq=False)
class SilentMarketData(QuoteFault):
    """Market data lines are accepted and then say nothing."""

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Drop their ticks."""
        return [item for item in deliveries if not self.is_meant(item)]


@dataclass(kw_only=True, eq=False)
class StaleQuotes(QuoteFault):
    """Prices stand still: every price of a line repeats the first one told."""

    first: dict[tuple[int, int, int], TickPrice] = field(
        init=False, default_factory=dict, repr=False
    )

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Repeat the first prices."""
        return [self._stale(item) if self.is_meant(item) else item for item in deliveries]

    def _stale(self, delivery: Delivery) -> Delivery:
        client_id, reply = delivery
        if not isinstance(reply, TickPrice):
            return delivery
        key = (client_id, reply.request_id, reply.tick_type)
        return client_id, self.first.setdefault(key, reply)

    def on_disconnect(self, client_id: int) -> None:
        """Its lines are gone."""
        super().on_disconnect(client_id)
        self.first = {key: tick for key, tick in self.first.items() if key[0] != client_id}


@dataclass(kw_only=True, eq=False)
class CrossedQuotes(QuoteFault):
    """The bid is above the ask: bids are raised and asks lowered `by` so much."""

    by: Decimal = Decimal("0.10")

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Move the prices."""
        return [self._crossed(item) if self.is_meant(item) else item for item in deliveries]

    def _crossed(self, delivery: Delivery) -> Delivery:
        client_id, reply = delivery
        if not isinstance(reply, TickPrice) or reply.price <= 0:
            return delivery
        sign = (reply.tick_type in BIDS) - (reply.tick_type in ASKS)
        return client_id, replace(reply, price=reply.price + sign * self.by)


@dataclass(kw_only=True, eq=False)
class CompetingSession(Selective):
    """reqMktData is answered 10197, another session has the data; the ticks may come or not.

    Source: ib.md 4, F20.
    """

    ticks: Literal["none", "some"] = "none"

    def on_request(self, client_id: int, request: Any) -> Any | None:
        """Say it, and drop the request or not."""
        if not isinstance(request, MarketDataRequest):
            return request
        line = f"line {request.request_id}"
        if not self.strikes(client_id, symbol_of(request), line):
            return request
        self.say(client_id, Notice(request.request_id, *COMPETING_SESSION))
        return request if self.ticks == "some" else None

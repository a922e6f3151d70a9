"""Positions and account values that are wrong, stale or missing; trades behind one's back."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

from gateway.simulator.faults.fault import Fault
from gateway.simulator.faults.selection import ClientFault, RequestFault
from gateway.simulator.replies import (
    AccountSummary,
    AccountUpdateMulti,
    AccountValue,
    Delivery,
    ManagedAccounts,
    PortfolioItem,
    Position,
    PositionMulti,
)

POSITIONS = (Position, PositionMulti, PortfolioItem)
VALUES = (AccountValue, AccountUpdateMulti, AccountSummary)


@dataclass(kw_only=True, eq=False)
class OmittedPosition(ClientFault):
    """A position is not told: when it became flat, or always. Source: reliability.md A.8 row 5."""

    symbol: str = ""
    when: Literal["flat", "always"] = "flat"

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Drop the rows."""
        return [item for item in deliveries if not self._meant(item)]

    def _meant(self, delivery: Delivery) -> bool:
        client_id, reply = delivery
        if not isinstance(reply, POSITIONS) or not self.meets(client_id):
            return False
        flat = self.when == "always" or not reply.position
        return flat and self.symbol in {"", reply.contract.symbol}


@dataclass(kw_only=True, eq=False)
class WrongPosition(ClientFault):
    """A position is told with `difference` added to it."""

    symbol: str = ""
    difference: Decimal = Decimal(1)

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Change the rows."""
        return [(client_id, self._wrong(client_id, reply)) for client_id, reply in deliveries]

    def _wrong(self, client_id: int, reply: Any) -> Any:
        if not isinstance(reply, POSITIONS) or not self.meets(client_id):
            return reply
        if self.symbol not in {"", reply.contract.symbol}:
            return reply
        return replace(reply, position=reply.position + self.difference)


@dataclass(kw_only=True, eq=False)
class MissingAccountValues(ClientFault):
    """An account value is never told, `key` NetLiquidation by default."""

    key: str = "NetLiquidation"

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Drop the rows."""
        return [item for item in deliveries if not self._meant(item)]

    def _meant(self, delivery: Delivery) -> bool:
        client_id, reply = delivery
        return isinstance(reply, VALUES) and self.meets(client_id) and value_key(reply) == self.key


@dataclass(kw_only=True, eq=False)
class StaleAccountValues(ClientFault):
    """Account values stand still at the first one told; `key` empty is all of them."""

    key: str = ""

    first: dict[tuple[str, str], str] = field(init=False, default_factory=dict, repr=False)

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Repeat the first values."""
        return [(client_id, self._stale(client_id, reply)) for client_id, reply in deliveries]

    def _stale(self, client_id: int, reply: Any) -> Any:
        if not isinstance(reply, VALUES) or not self.meets(client_id):
            return reply
        key = value_key(reply)
        if self.key not in {"", key}:
            return reply
        return replace(reply, value=self.first.setdefault((key, reply.currency), reply.value))


@dataclass(kw_only=True, eq=False)
class SecondAccount(ClientFault):
    """The login has a second account, whose positions come mixed with those of the first.

    Its one position copies each position's contract, with `quantity` of it.
    Source: reliability.md A.8 row 5, "other account".
    """

    account: str = "DUSIM0002"
    quantity: Decimal = Decimal(7)

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Add the account, and a row of it behind each position."""
        passing: list[Delivery] = []
        for client_id, reply in deliveries:
            if not self.meets(client_id):
                passing.append((client_id, reply))
            elif isinstance(reply, ManagedAccounts):
                both = ManagedAccounts(f"{reply.accounts},{self.account}")
                passing.append((client_id, both))
            elif isinstance(reply, Position):
                other = replace(reply, account=self.account, position=self.quantity)
                passing += [(client_id, reply), (client_id, other)]
            else:
                passing.append((client_id, reply))
        return passing


@dataclass(kw_only=True, eq=False)
class HandTrade(RequestFault):
    """Somebody trades by hand just before a request of a `kind`: between snapshot and order.

    `quantity` is signed; without a `price` it trades at the market. Source: A.8 row 5.
    """

    kind: str = "place_order"
    times: int = 1
    traded_symbol: str
    quantity: Decimal = Decimal(1)
    price: Decimal | None = None

    def on_meant(self, client_id: int, request: Any) -> Any | None:
        """Trade, then let the request through."""
        trade_by_hand(self, self.traded_symbol, self.quantity, self.price)
        return request


@dataclass(kw_only=True, eq=False)
class ForcedLiquidation(Fault):
    """The broker closes a whole position by itself after `seconds`. Source: A.8 row 5."""

    traded_symbol: str
    seconds: float = 0.0
    price: Decimal | None = None

    def begin(self) -> None:
        """Close it when its time has come."""
        self.later(self.seconds, self._close)

    def _close(self) -> None:
        held = self.scene.exchange.positions.get(self.traded_symbol, Decimal(0))
        if held:
            trade_by_hand(self, self.traded_symbol, -held, self.price)


@dataclass(kw_only=True, eq=False)
class SplitWithoutNotice(Fault):
    """A share becomes `ratio` shares after `seconds`; nobody is told why the position changed."""

    traded_symbol: str
    ratio: Decimal = Decimal(2)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.ratio <= 0:
            raise ValueError(f"ratio {self.ratio} is not above 0")

    def begin(self) -> None:
        """Split when its time has come."""
        self.later(self.seconds, self._split)

    def _split(self) -> None:
        exchange = self.scene.exchange
        try:
            self.scene.act(lambda: exchange.actions.split(self.traded_symbol, self.ratio))
            self.note(f"{self.traded_symbol} split 1:{self.ratio}")
        except ValueError as error:
            self.note(f"{self.traded_symbol} not split: {error}")


def value_key(reply: Any) -> str:
    """Which account value a row is about."""
    return str(reply.tag if isinstance(reply, AccountSummary) else reply.key)


def trade_by_hand(fault: Fault, symbol: str, quantity: Decimal, price: Decimal | None) -> None:
    """Trade a signed quantity at TWS; where the market has no price, say so in the log."""
    scene = fault.scene
    try:
        scene.deliver(scene.exchange.trade_by_hand(symbol, quantity, price, scene.now))
        fault.note(f"{quantity} {symbol} traded by hand")
    except ValueError as error:
        fault.note(f"{quantity} {symbol} not traded by hand: {error}")

"""One stage with client 1 on it at 10:00, and what that client hears, as words."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator import replies as r
from gateway.simulator.exchange import Exchange
from gateway.simulator.faults import Faults
from gateway.simulator.replies import Delivery
from gateway.simulator.requests import CancelOrder, ExecutionsRequest, PlaceOrder
from gateway.simulator.stage import Stage

MAKE_ORDER = Callable[..., PlaceOrder]


class Play:
    """A stage and its time; everything anybody hears is kept."""

    def __init__(self, exchange: Exchange, now: datetime, order: MAKE_ORDER) -> None:
        self.stage = Stage(exchange, seed=7)
        self.now = now
        self.order = order
        self.heard: list[Delivery] = []
        self.stage.advance(now)

    @property
    def faults(self) -> Faults:
        return self.stage.faults

    @property
    def exchange(self) -> Exchange:
        return self.stage.exchange

    def ask(self, *requests: Any, client: int = 1) -> list[Any]:
        """What the client hears at once."""
        return self.told(
            *(self.stage.handle(client, request, self.now) for request in requests), client=client
        )

    def wait(self, seconds: float, client: int = 1) -> list[Any]:
        """What the client hears within so many seconds, in one step of time."""
        self.now += timedelta(seconds=seconds)
        return self.told(self.stage.advance(self.now), client=client)

    def connect(self, client: int = 1) -> list[Any]:
        return self.told(self.stage.connect(client, self.now), client=client)

    def reconnect(self, client: int = 1) -> list[Any]:
        self.stage.disconnect(client, self.now)
        return self.connect(client)

    def told(self, *deliveries: list[Delivery], client: int = 1) -> list[Any]:
        """What of these the client hears."""
        said = [item for group in deliveries for item in group]
        self.heard += said
        return [reply for receiver, reply in said if receiver == client]

    def buy(self, order_id: int = 1, **changes: Any) -> list[str]:
        """Place an order for 10 SPY, at the market unless changed: the story told at once."""
        return self.story(self.ask(self.order(order_id, **changes)))

    def rest(self, order_id: int = 1, **changes: Any) -> list[str]:
        """Place an order that rests far below the market."""
        return self.buy(order_id, order_type="LMT", limit_price=Decimal(500), **changes)

    def cancel(self, order_id: int = 1) -> list[str]:
        return self.story(self.ask(CancelOrder(order_id)))

    def wait_for(self, seconds: float) -> list[str]:
        """The story told within so many seconds."""
        return self.story(self.wait(seconds))

    def executions(self) -> list[str]:
        """The story that reqExecutions tells."""
        return self.story(self.ask(ExecutionsRequest(99, 0, "", "", "", "", "", "")))

    def story(self, replies: list[Any]) -> list[str]:
        return [words(reply) for reply in replies]

    @property
    def spy(self) -> Decimal:
        """How many shares the broker has; 50 at the start."""
        return self.exchange.positions.get("SPY", Decimal(0))


WORDS: dict[type[Any], Callable[[Any], str]] = {
    r.OpenOrder: lambda reply: f"open {reply.state.status}",
    r.OrderStatus: lambda reply: f"status {reply.status}",
    r.ExecutionDetails: lambda reply: f"execution {reply.execution.quantity}",
    r.CommissionReport: lambda reply: "commission",
    r.CompletedOrder: lambda reply: f"completed {reply.status}",
    r.Notice: lambda reply: f"error {reply.code}",
    r.NextValidId: lambda reply: f"id {reply.order_id}",
    r.ManagedAccounts: lambda reply: f"accounts {reply.accounts}",
}


def words(reply: Any) -> str:
    """A reply in two or three words."""
    return WORDS.get(type(reply), lambda other: type(other).__name__)(reply)


@pytest.fixture
def play(exchange: Exchange, at: Callable[..., datetime], order: MAKE_ORDER) -> Play:
    return Play(exchange, at("10:00"), order)


@pytest.fixture
def bought() -> list[str]:
    """The story of a market order when nothing goes wrong, as recorded from IB."""
    return [
        "open PreSubmitted",
        "status PreSubmitted",
        "execution 10",
        "open Filled",
        "status Filled",
        "open Filled",
        "commission",
    ]

"""What a fault is: a small object that stands between the clients and the exchange.

Requests pass the faults on their way to the exchange, in the order the faults were injected;
deliveries pass them on their way back. A fault overrides only the hooks it needs. Everything it
does besides goes through the `Scene`, so that time, randomness and the broker stay arguments.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, ClassVar, Protocol

from gateway.simulator.exchange import Exchange
from gateway.simulator.faults.subjects import OrderKey
from gateway.simulator.orders.fills import number_from
from gateway.simulator.replies import Delivery, Notice

Action = Callable[[], object]


class Welcome(Enum):
    """How a fresh connection is treated before a word was said on it."""

    ANSWER = "answer"
    SILENT = "silent"
    """Accepted, and then nothing: a half-dead gateway."""
    RESET = "reset"


class Scene(Protocol):
    """What a fault may see and do: the stage it plays on."""

    now: datetime
    exchange: Exchange
    seed: int

    def ask(self, client_id: int, request: Any, after: int = 0, held: str = "") -> None:
        """Put a request to the faults injected after that one, then to the exchange.

        An order that comes with a reason to be `held` is booked but kept from the market.
        """

    def deliver(self, deliveries: Iterable[Delivery], after: int = 0) -> None:
        """Send deliveries through the faults injected after that one, then to the clients."""

    def act(self, verb: Action) -> None:
        """Let the broker do something by itself; what it says is delivered through all faults."""

    def hold(self, due: datetime, after: int, deliveries: Iterable[Delivery]) -> None:
        """Deliver later; what waits for a client that disconnects is lost with it."""

    def call_at(self, due: datetime, action: Action) -> None:
        """Do something later."""

    def owner(self, execution_id: str) -> OrderKey | None:
        """The order an execution belongs to, if it traded while a fault was active."""

    def record(self, fault: "Fault", what: str) -> None:
        """Write down what a fault did."""


@dataclass(kw_only=True, eq=False)
class Fault:
    """One fault, from its injection until it is cleared. Its fields are its parameters.

    Attributes:
        id: number of the injection, from 1 on; requests and deliveries meet lower ids first.
    """

    name: ClassVar[str] = ""

    id: int = field(init=False, default=0)
    active: bool = field(init=False, default=False, repr=False)
    scene: Scene = field(init=False, repr=False)
    drawn: int = field(init=False, default=0, repr=False)

    def begin(self) -> None:
        """What happens at the injection itself."""

    def end(self) -> None:
        """What happens when the fault is cleared: let go of what it held back."""

    def on_request(self, client_id: int, request: Any) -> Any | None:
        """The request that goes on, changed or not, or None when it goes no further."""
        return request

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """The deliveries that go on, in the order they go on."""
        return deliveries

    def on_connect(self, client_id: int) -> None:
        """A client is about to be ready."""

    def on_disconnect(self, client_id: int) -> None:
        """A client is gone."""

    def on_welcome(self) -> Welcome:
        """How a fresh connection is treated."""
        return Welcome.ANSWER

    def on_admit(self, client_id: int) -> Notice | None:
        """Why a client that said who it is may not come in, or None."""
        return None

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Do something after so many virtual seconds, if the fault is still active then."""
        due = self.scene.now + timedelta(seconds=seconds)
        self.scene.call_at(due, lambda: action() if self.active else None)

    def ask_later(self, seconds: float, client_id: int, request: Any) -> None:
        """Pass a request on after so many virtual seconds, whatever became of the fault."""
        due = self.scene.now + timedelta(seconds=seconds)
        self.scene.call_at(due, lambda: self.scene.ask(client_id, request, self.id))

    def pass_on(self, deliveries: Iterable[Delivery]) -> None:
        """Pass deliveries on that were kept until now."""
        self.scene.deliver(deliveries, self.id)

    def hold(self, seconds: float, deliveries: Iterable[Delivery]) -> None:
        """Pass deliveries on after so many virtual seconds."""
        self.scene.hold(self.scene.now + timedelta(seconds=seconds), self.id, deliveries)

    def say(self, client_id: int, *replies: Any) -> None:
        """Tell a client something, if it is connected, before whatever is being delivered now."""
        if client_id in self.scene.exchange.clients:
            self.scene.deliver([(client_id, reply) for reply in replies], self.id)

    def say_to_all(self, *replies: Any) -> None:
        """Tell every connected client."""
        for client_id in sorted(self.scene.exchange.clients):
            self.say(client_id, *replies)

    def note(self, what: str) -> None:
        """Write down what the fault did."""
        self.scene.record(self, what)

    def draw(self) -> int:
        """The next number below 2**32 of this injection: the same for the same seed."""
        self.drawn += 1
        return number_from(self.scene.seed, f"fault {self.id} {self.name}", self.drawn)

    def happens(self, probability: float) -> bool:
        """Whether something of this probability happens this time."""
        return probability >= 1 or self.draw() < probability * 2**32

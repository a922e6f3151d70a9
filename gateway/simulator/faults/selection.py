"""Which orders or requests a fault strikes: chosen by number, name, chance and how often at most.

Without a selection a fault strikes all there are.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from gateway.simulator.faults.fault import Fault
from gateway.simulator.faults.subjects import (
    REQUEST_KINDS,
    OrderKey,
    kind_of,
    order_key,
    perm_id,
    symbol_of,
)
from gateway.simulator.orders.orders import Order
from gateway.simulator.replies import (
    CommissionReport,
    CompletedOrder,
    Delivery,
    Notice,
    OrderStatus,
)
from gateway.simulator.requests import PlaceOrder

ANY_CLIENT = -1
DECISIONS_MAX = 100_000
"""Orders one injection decides on; those beyond are left alone, so that memory stays bounded."""


@dataclass(kw_only=True, eq=False)
class ClientFault(Fault):
    """A fault of one client's connection, or of all with `client_id` -1."""

    client_id: int = ANY_CLIENT

    def meets(self, client_id: int) -> bool:
        """Whether this client is meant."""
        return self.client_id in {ANY_CLIENT, client_id}

    @property
    def met_clients(self) -> list[int]:
        """The connected clients that are meant."""
        return [item for item in sorted(self.scene.exchange.clients) if self.meets(item)]


@dataclass(kw_only=True, eq=False)
class Selective(ClientFault):
    """A fault that strikes some: of one client or symbol, at most so often, with a probability.

    An empty `symbol` is every symbol, `times` 0 without limit.
    """

    symbol: str = ""
    times: int = 0
    probability: float = 1.0

    struck: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability {self.probability} is not between 0 and 1")

    def strikes(self, client_id: int, symbol: str, about: str) -> bool:
        """Whether this one is meant; each yes counts towards `times` and goes into the log."""
        if not self.meets(client_id) or self.symbol not in {"", symbol}:
            return False
        if self.times and self.struck >= self.times:
            return False
        if not self.happens(self.probability):
            return False
        self.struck += 1
        self.note(f"{about} of client {client_id}")
        return True


@dataclass(kw_only=True, eq=False)
class OrderFault(Selective):
    """A fault of orders. `order` n is the n-th new order from the injection on, 0 every order."""

    order: int = 0
    order_ref: str = ""

    met: int = field(init=False, default=0)
    decided: dict[OrderKey, bool] = field(init=False, default_factory=dict, repr=False)

    def on_request(self, client_id: int, request: Any) -> Any | None:
        """Decide on each new order, and hand those that are meant to `on_order`."""
        if not isinstance(request, PlaceOrder) or request.terms.what_if:
            return self.on_other_request(client_id, request)
        if request.order_id < self.scene.exchange.orders.next_id(client_id):
            return self.on_other_request(client_id, request)
        self.met += 1
        key = (client_id, request.order_id)
        chosen = self.order in {0, self.met} and self.order_ref in {"", request.terms.order_ref}
        self._decide(key, chosen and self.strikes(client_id, symbol_of(request), order_name(key)))
        return self.on_order(client_id, request) if self.decided.get(key) else request

    def on_order(self, client_id: int, request: PlaceOrder) -> Any | None:
        """What becomes of a new order that is meant; None when it goes no further."""
        return request

    def on_other_request(self, client_id: int, request: Any) -> Any | None:
        """What becomes of a request that is no new order."""
        return request

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Hand what is about the orders that are meant to `on_delivery`, one by one."""
        passing: list[Delivery] = []
        for delivery in deliveries:
            passing += self.on_delivery(delivery) if self.concerns(delivery) else (delivery,)
        return passing

    def on_delivery(self, delivery: Delivery) -> Iterable[Delivery]:
        """What becomes of a message about an order that is meant."""
        return (delivery,)

    def concerns(self, delivery: Delivery) -> bool:
        """Whether a message is about an order that is meant."""
        client_id, reply = delivery
        if isinstance(reply, CommissionReport):
            owner = self.scene.owner(reply.execution_id)
            return owner is not None and self.decided.get(owner, False)
        if isinstance(reply, Notice):
            return self.decided.get((client_id, reply.id), False)
        if isinstance(reply, CompletedOrder):
            order = self.scene.exchange.orders.find(reply.perm_id)
            return order is not None and self.means(order)
        key = order_key(reply)
        if key is None:
            return False
        if key not in self.decided:
            order = self.scene.exchange.orders.find(perm_id(reply))
            return order is not None and self.means(order)
        return self.decided[key]

    def means(self, order: Order) -> bool:
        """Whether an order is meant; one from before the injection cannot be meant by number."""
        key = (order.client_id, order.order_id)
        if not order.order_id:
            return False
        if key not in self.decided:
            named = not self.order and self.order_ref in {"", order.terms.order_ref}
            self._decide(key, named and self._strikes_known(order))
        return self.decided.get(key, False)

    def end(self) -> None:
        """Let every order go that this fault holds."""
        orders = self.scene.exchange.orders
        held = [order for order in orders.working if order.why_held == self.mark]
        if held:
            self.scene.act(lambda: orders.release(held))

    @property
    def mark(self) -> str:
        """Why an order is held that this fault holds; clients never see it."""
        return f"fault {self.id}"

    def unmarked(self, delivery: Delivery) -> Delivery:
        """The message without the mark."""
        client_id, reply = delivery
        if isinstance(reply, OrderStatus) and reply.why_held == self.mark:
            return client_id, replace(reply, why_held="")
        return delivery

    def is_about(self, delivery: Delivery, key: OrderKey) -> bool:
        """Whether a message is about this very order."""
        client_id, reply = delivery
        if isinstance(reply, CommissionReport):
            return self.scene.owner(reply.execution_id) == key
        if isinstance(reply, Notice):
            return (client_id, reply.id) == key
        return order_key(reply) == key

    def order_of(self, key: OrderKey) -> Order | None:
        """The order at the broker, None when it knows none of that id."""
        return self.scene.exchange.orders.record.known(*key)

    def _strikes_known(self, order: Order) -> bool:
        about = order_name((order.client_id, order.order_id))
        return self.strikes(order.client_id, order.contract.symbol, about)

    def _decide(self, key: OrderKey, meant: bool) -> None:
        if len(self.decided) < DECISIONS_MAX:
            self.decided[key] = meant


@dataclass(kw_only=True, eq=False)
class RequestFault(Selective):
    """A fault of requests of one kind. `request` n is the n-th of them, 0 every one.

    A kind is the name of a request in words: `contract_details`, `executions`, `place_order`.
    """

    kind: str
    request: int = 0

    met: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_kind(self.kind, REQUEST_KINDS)

    def on_request(self, client_id: int, request: Any) -> Any | None:
        """Hand the requests that are meant to `on_meant`."""
        if kind_of(request) != self.kind:
            return request
        self.met += 1
        chosen = self.request in {0, self.met}
        if chosen and self.strikes(client_id, symbol_of(request), self.kind):
            return self.on_meant(client_id, request)
        return request

    def on_meant(self, client_id: int, request: Any) -> Any | None:
        """What becomes of a request that is meant; None when it goes no further."""
        return request


def order_name(key: OrderKey) -> str:
    """How the log calls an order."""
    return f"order {key[1]}"


def check_kind(kind: str, kinds: Mapping[type[Any], str]) -> None:
    """Raises ValueError with the nearest kind for one that does not exist."""
    if kind not in kinds.values():
        raise ValueError(f"no message is of kind {kind!r}{nearest(kind, list(kinds.values()))}")


def nearest(word: str, words: list[str]) -> str:
    """`: did you mean ...?`, or nothing when none is near."""
    close = get_close_matches(word, words, n=1, cutoff=0.5)
    return f": did you mean {close[0]!r}?" if close else ""

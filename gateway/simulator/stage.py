"""The exchange with faults in front of it: what the server talks to.

    client ──▶ request ──▶ faults ──▶ exchange
    client ◀── delivery ◀── faults ◀──────┘

What a fault holds back waits here until its virtual time has come. `advance` and every request
release it, in the order of time together with the exchange's own steps. Without a fault a request
goes straight through. Same seed, faults, requests and times: same deliveries.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from heapq import heapify, heappop, heappush
from typing import Any

from gateway.simulator.broker import LONG_AGO
from gateway.simulator.exchange import Exchange
from gateway.simulator.faults import Fault, Faults, Welcome
from gateway.simulator.faults.subjects import OrderKey
from gateway.simulator.replies import Delivery, ExecutionDetails, Notice

__all__ = ["Stage", "Welcome"]

OWNERS_MAX = 100_000
"""Executions whose order is remembered while faults are active."""

Action = Callable[[], object]


@dataclass(slots=True)
class Waiting:
    """Something that waits for its time: deliveries behind a fault, or something to do."""

    deliveries: list[Delivery]
    after: int = 0
    action: Action | None = None


class Stage:
    """Everything between the clients and the broker, faults included.

    Attributes:
        exchange: the broker behind it, for assertions and for verbs (see `acting`).
        faults: injects, lists and clears faults.
        now: the time it was last told.
        on_wake: called when something became due outside of a call, as by an injection from
            another task; the server sets it to a function that calls `advance`.
    """

    def __init__(self, exchange: Exchange, seed: int = 0) -> None:
        self.exchange = exchange
        self.seed = seed
        self.now = LONG_AGO
        self.on_wake: Action | None = None
        self.faults = Faults(self, self._wake)
        self._queue: list[tuple[datetime, int, Waiting]] = []
        self._serial = 0
        self._out: list[Delivery] = []
        self._owners: OrderedDict[str, OrderKey] = OrderedDict()

    # ------------------------------------------------------------------ what the server calls

    def welcome(self, now: datetime) -> Welcome:
        """How to treat a connection that was just made."""
        self._pass_time(now)
        kinds = (fault.on_welcome() for fault in self.faults.after(0))
        return next((kind for kind in kinds if kind is not Welcome.ANSWER), Welcome.ANSWER)

    def admit(self, client_id: int, now: datetime) -> Notice | None:
        """Why a client must not come in, or None."""
        self._pass_time(now)
        notices = (fault.on_admit(client_id) for fault in self.faults.after(0))
        return next((notice for notice in notices if notice is not None), None)

    def connect(self, client_id: int, now: datetime) -> list[Delivery]:
        """A client is ready."""
        self._pass_time(now)
        for fault in self.faults.after(0):
            fault.on_connect(client_id)
        self.deliver(self.exchange.connect(client_id, now))
        return self._taken()

    def disconnect(self, client_id: int, now: datetime) -> list[Delivery]:
        """A client is gone, and with it what waited for it."""
        self._pass_time(now)
        self.exchange.disconnect(client_id)
        self._forget(client_id)
        for fault in self.faults.after(0):
            fault.on_disconnect(client_id)
        return self._taken()

    def handle(self, client_id: int, request: Any, now: datetime) -> list[Delivery]:
        """Answer a request of a client."""
        if self._is_idle(now):
            self.now = now
            return self.exchange.handle(client_id, request, now)
        self._pass_time(now)
        self.ask(client_id, request)
        return self._taken()

    def advance(self, now: datetime) -> list[Delivery]:
        """Let time pass: what is due is delivered, between the exchange's own steps."""
        if self._is_idle(now):
            self.now = now
            return self.exchange.advance(now)
        self._pass_time(now)
        return self._taken()

    def acting(self, now: datetime, verb: Action) -> list[Delivery]:
        """Run a verb of the exchange's (a split, a fill by the broker); clients hear of it."""
        self._pass_time(now)
        self.act(verb)
        return self._taken()

    def trade_by_hand(
        self, symbol: str, quantity: Decimal, price: Decimal | None, now: datetime
    ) -> list[Delivery]:
        """Someone at TWS trades a signed quantity. Raises ValueError as the exchange does."""
        self._pass_time(now)
        self.deliver(self.exchange.trade_by_hand(symbol, quantity, price, now))
        return self._taken()

    def next_due(self) -> datetime | None:
        """When the next held delivery or scheduled action is due, None if nothing waits."""
        if self._out:
            return self.now
        return self._queue[0][0] if self._queue else None

    def at(self, due: datetime, verb: Action) -> None:
        """Schedule a verb of the exchange's: it runs when time has come there."""
        self.call_at(due, lambda: self.act(verb))

    # ------------------------------------------------------------------ what faults call

    def ask(self, client_id: int, request: Any, after: int = 0, held: str = "") -> None:
        """Put a request to the faults injected after that one, then to the exchange."""
        for fault in self.faults.after(after):
            request = fault.on_request(client_id, request)
            if request is None:
                return
        if held:
            self.act(lambda: self.exchange.orders.place(client_id, request, held))
        else:
            self.deliver(self.exchange.handle(client_id, request, self.now))

    def deliver(self, deliveries: Iterable[Delivery], after: int = 0) -> None:
        """Send deliveries through the faults injected after that one, then to the clients."""
        passing = list(deliveries)
        self._learn(passing)
        for fault in self.faults.after(after):
            if not passing:
                return
            passing = fault.on_replies(passing)
        self._out += passing

    def act(self, verb: Action) -> None:
        """Let the broker do something by itself."""
        self.deliver(self.exchange.acting(self.now, verb))

    def hold(self, due: datetime, after: int, deliveries: Iterable[Delivery]) -> None:
        """Deliver later."""
        self._wait(due, Waiting(list(deliveries), after))

    def call_at(self, due: datetime, action: Action) -> None:
        """Do something later."""
        self._wait(due, Waiting([], action=action))

    def owner(self, execution_id: str) -> OrderKey | None:
        """The order an execution belongs to, if it was told while a fault was active."""
        return self._owners.get(execution_id)

    def record(self, fault: Fault, what: str) -> None:
        """Write down what a fault did."""
        self.faults.write(self.now, fault, what)

    # ------------------------------------------------------------------ inside

    def _is_idle(self, now: datetime) -> bool:
        """Whether no fault and nothing that waits stands between a client and the exchange."""
        if self.faults.any_active or self._out:
            return False
        return not self._queue or self._queue[0][0] > now

    def _wake(self) -> None:
        """Something was injected or cleared: let the server fetch what that brought."""
        if self.on_wake is not None and (self._out or self._queue):
            self.on_wake()

    def _wait(self, due: datetime, waiting: Waiting) -> None:
        self._serial += 1
        heappush(self._queue, (due, self._serial, waiting))

    def _pass_time(self, now: datetime) -> None:
        self.exchange.check_time(now)
        self.now = now if self.now == LONG_AGO else self.now
        while (stop := self._next_stop(now)) is not None:
            self._reach(max(stop, self.now))
            while self._queue and self._queue[0][0] <= stop:
                self._release(heappop(self._queue)[2])
        self._reach(max(now, self.now))

    def _next_stop(self, now: datetime) -> datetime | None:
        """The next time by now at which something waits, or the exchange may have news.

        Faults count their seconds from the news, so a jump must not bring all of it at its end.
        """
        waits = self._queue[0][0] if self._queue else None
        news = self.exchange.next_news(now) if now > self.now else None
        return min((when for when in (waits, news) if when and when <= now), default=None)

    def _reach(self, instant: datetime) -> None:
        self.now = instant
        self.deliver(self.exchange.advance(instant))

    def _release(self, waiting: Waiting) -> None:
        if waiting.action is not None:
            waiting.action()
        else:
            connected = self.exchange.clients
            alive = [item for item in waiting.deliveries if item[0] in connected]
            self.deliver(alive, waiting.after)

    def _taken(self) -> list[Delivery]:
        """What the clients get now; what faults put off for no time at all comes last."""
        if self._queue and self._queue[0][0] <= self.now:
            self._pass_time(self.now)
        taken, self._out = self._out, []
        return taken

    def _learn(self, deliveries: list[Delivery]) -> None:
        for _, reply in deliveries:
            if isinstance(reply, ExecutionDetails):
                self._owners[reply.execution.execution_id] = (reply.client_id, reply.order_id)
        while len(self._owners) > OWNERS_MAX:
            self._owners.popitem(last=False)

    def _forget(self, client_id: int) -> None:
        self._out = [item for item in self._out if item[0] != client_id]
        for _, _, waiting in self._queue:
            waiting.deliveries = [item for item in waiting.deliveries if item[0] != client_id]
        self._queue = [
            item for item in self._queue if item[2].deliveries or item[2].action is not None
        ]
        heapify(self._queue)

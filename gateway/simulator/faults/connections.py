"""The socket and the gateway behind it: half dead, cut, garbled, restarted, locked."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

from gateway.simulator.faults.fault import Fault, Welcome
from gateway.simulator.faults.selection import ClientFault, check_kind
from gateway.simulator.faults.subjects import REPLY_KINDS, kind_of
from gateway.simulator.notices import CLIENT_ID_IN_USE
from gateway.simulator.replies import (
    Cut,
    Delivery,
    ManagedAccounts,
    Miscounted,
    NextValidId,
    Notice,
    Raw,
)
from gateway.simulator.requests import PlaceOrder

GARBAGE: dict[str, bytes] = {
    "frame": b"\x00\x00\x00\x0bgarbage\x001\x00\x00",
    "length": b"\xff\xff\xff\xff",
    "bytes": bytes(range(256)),
}
"""A whole frame that means nothing; the length of a frame that never comes; plain noise."""


@dataclass(kw_only=True, eq=False)
class HalfDeadGateway(Fault):
    """New connections are accepted and never answered, or `reset` at once; the next `times` of
    them, 0 for all. Source: ib.md 4, F9; gnzsnz/ib-gateway-docker #336."""

    welcome: Literal["silent", "reset"] = "silent"
    times: int = 0

    met: int = field(init=False, default=0)

    def on_welcome(self) -> Welcome:
        """Count, and be silent."""
        self.met += 1
        if self.times and self.met > self.times:
            return Welcome.ANSWER
        self.note(f"a connection met with {self.welcome}")
        return Welcome.SILENT if self.welcome == "silent" else Welcome.RESET


@dataclass(kw_only=True, eq=False)
class NoNextValidId(ClientFault):
    """nextValidId never comes: a client that waits for it is never ready. Source: ib.md 4, F9."""

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Drop it."""
        return [
            (client_id, reply)
            for client_id, reply in deliveries
            if not (isinstance(reply, NextValidId) and self.meets(client_id))
        ]


@dataclass(kw_only=True, eq=False)
class NoAccounts(ClientFault):
    """managedAccounts comes empty. Source: ib.md 1.1, 2.1 row 23."""

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Empty it."""
        return [(client_id, self._emptied(client_id, reply)) for client_id, reply in deliveries]

    def _emptied(self, client_id: int, reply: Any) -> Any:
        accounts = isinstance(reply, ManagedAccounts) and self.meets(client_id)
        return ManagedAccounts("") if accounts else reply


@dataclass(kw_only=True, eq=False)
class ClientIdLocked(ClientFault):
    """A client id stays in use (326) for `seconds` after its connection ended.

    With `now` the id is locked from the injection on, too. Source: ib.md 4, F10; ib_async #152.
    """

    seconds: float = 60.0
    now: bool = True

    locked: dict[int, datetime] = field(init=False, default_factory=dict, repr=False)
    locked_all: datetime | None = field(init=False, default=None, repr=False)

    def begin(self) -> None:
        """Lock it."""
        if self.now:
            self.locked_all = self.scene.now + timedelta(seconds=self.seconds)

    def on_disconnect(self, client_id: int) -> None:
        """Lock it again."""
        if self.meets(client_id):
            self.locked[client_id] = self.scene.now + timedelta(seconds=self.seconds)

    def on_admit(self, client_id: int) -> Notice | None:
        """Refuse it until its time is over."""
        until = max(
            (time for time in (self.locked.get(client_id), self.locked_all) if time is not None),
            default=self.scene.now,
        )
        locked = self.meets(client_id) and self.scene.now < until
        return Notice(-1, *CLIENT_ID_IN_USE) if locked else None


@dataclass(kw_only=True, eq=False)
class RolledBackIds(ClientFault):
    """The next `times` connections get a nextValidId that is `by` lower: ids are issued again.

    Source: ib.md 4, F7: seen 38103, then 38099.
    """

    by: int = 4
    times: int = 1

    met: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        if self.by < 1:
            raise ValueError(f"by {self.by} is below 1")

    def on_connect(self, client_id: int) -> None:
        """Take the ids back."""
        if not self.meets(client_id) or (self.times and self.met >= self.times):
            return
        self.met += 1
        roll_back(self, client_id, self.by)


@dataclass(kw_only=True, eq=False)
class ConnectionReset(ClientFault):
    """The connection is reset after `messages` more messages, `in_frame`: amid the next one.

    The next `times` connections of the client have the same fate, 0 for all.
    """

    messages: int = 0
    in_frame: bool = False
    times: int = 1

    sent: dict[int, int] = field(init=False, default_factory=dict, repr=False)
    cuts: int = field(init=False, default=0)

    def begin(self) -> None:
        """Without anything to wait for, reset at once."""
        if self.messages == 0 and not self.in_frame:
            for client_id in self.met_clients:
                self.cuts += 1
                self.say(client_id, Cut())

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Count, and cut."""
        passing: list[Delivery] = []
        for client_id, reply in deliveries:
            over = self._is_over(client_id)
            if over and self.in_frame:
                passing.append((client_id, Cut(in_frame=True)))
            passing.append((client_id, reply))
            if over and not self.in_frame:
                passing.append((client_id, Cut()))
        return passing

    def on_disconnect(self, client_id: int) -> None:
        """A new connection is counted anew."""
        self.sent.pop(client_id, None)

    def _is_over(self, client_id: int) -> bool:
        if not self.meets(client_id) or (self.times and self.cuts >= self.times):
            return False
        self.sent[client_id] = self.sent.get(client_id, 0) + 1
        over = self.sent[client_id] == self.messages + self.in_frame
        self.cuts += over
        if over:
            self.note(f"connection of client {client_id} reset")
        return over


@dataclass(kw_only=True, eq=False)
class HalfOpen(ClientFault):
    """A connection stays open, but nothing passes either way until it is made anew.

    Source: reliability.md B.3; ibx #113.
    """

    dead: set[int] = field(init=False, default_factory=set, repr=False)

    def begin(self) -> None:
        """The connections that are there now go dead."""
        self.dead = set(self.met_clients)

    def on_request(self, client_id: int, request: Any) -> Any | None:
        """Hear nothing."""
        return None if client_id in self.dead else request

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Say nothing."""
        return [item for item in deliveries if item[0] not in self.dead]

    def on_disconnect(self, client_id: int) -> None:
        """A new connection works."""
        self.dead.discard(client_id)


@dataclass(kw_only=True, eq=False)
class GarbageBytes(ClientFault):
    """After `messages` more messages come bytes that mean nothing: `what` kind of them, once."""

    what: Literal["frame", "length", "bytes"] = "frame"
    messages: int = 0

    sent: int = field(init=False, default=0)

    def begin(self) -> None:
        """Without anything to wait for, send them at once."""
        if self.messages == 0:
            for client_id in self.met_clients:
                self.say(client_id, Raw(GARBAGE[self.what]))

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Count, and send them."""
        passing: list[Delivery] = []
        for client_id, reply in deliveries:
            passing.append((client_id, reply))
            if self.meets(client_id):
                self.sent += 1
                if self.sent == self.messages:
                    passing.append((client_id, Raw(GARBAGE[self.what])))
        return passing


@dataclass(kw_only=True, eq=False)
class MiscountedFields(ClientFault):
    """The next `times` messages of a `kind` have `extra` fields too many, or too few (negative).

    Source: ib.md 1.2, "Strictness per client".
    """

    kind: str = "commission_report"
    extra: int = 1
    times: int = 1

    met: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        check_kind(self.kind, REPLY_KINDS)
        if self.extra == 0:
            raise ValueError("extra 0 changes nothing")

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Garble them."""
        return [(client_id, self._garbled(client_id, reply)) for client_id, reply in deliveries]

    def _garbled(self, client_id: int, reply: Any) -> Any:
        if kind_of(reply) != self.kind or not self.meets(client_id):
            return reply
        if self.times and self.met >= self.times:
            return reply
        self.met += 1
        self.note(f"{self.kind} to client {client_id} garbled")
        return Miscounted(reply, self.extra)


@dataclass(kw_only=True, eq=False)
class GatewayDown(Fault):
    """All connections are reset; for `seconds` new ones are reset too, or accepted in silence.

    Hours of it are a login page that nobody fills in. Source: ib.md 4, D4, F5, F8.
    """

    seconds: float = 3600.0
    port: Literal["closed", "silent"] = "closed"

    down: bool = field(init=False, default=False)

    def begin(self) -> None:
        """Down."""
        self.fall()

    def fall(self) -> None:
        """Cut everybody off."""
        self.note("down")
        self.say_to_all(Cut())
        self.down = True
        self.later(self.seconds, self._rise)

    def on_welcome(self) -> Welcome:
        """Let nobody in."""
        if not self.down:
            return Welcome.ANSWER
        return Welcome.RESET if self.port == "closed" else Welcome.SILENT

    def on_request(self, client_id: int, request: Any) -> Any | None:
        """What was on its way is lost."""
        return None if self.down else request

    def _rise(self) -> None:
        self.note("up")
        self.down = False


@dataclass(kw_only=True, eq=False)
class GatewayRestart(GatewayDown):
    """The gateway restarts: the next `lost` new orders get lost in it, then all connections are
    reset for `seconds`, and ids roll back by `roll_back`. Source: ib.md 4, F7."""

    seconds: float = 60.0
    lost: int = 0
    roll_back: int = 4

    swallowed: int = field(init=False, default=0)
    rolled: set[int] = field(init=False, default_factory=set, repr=False)

    def begin(self) -> None:
        """At once, when no order is to be lost first."""
        if self.lost <= 0:
            self.fall()

    def on_request(self, client_id: int, request: Any) -> Any | None:
        """Lose the last orders before the restart."""
        new = isinstance(request, PlaceOrder) and not request.terms.what_if
        if self.down or not new or self.swallowed >= self.lost:
            return super().on_request(client_id, request)
        self.swallowed += 1
        self.note(f"order {request.order_id} of client {client_id} lost in the restart")
        if self.swallowed == self.lost:
            self.fall()
        return None

    def on_connect(self, client_id: int) -> None:
        """The first connection of each client after it gets lower ids."""
        if self.roll_back > 0 and self.swallowed >= self.lost and client_id not in self.rolled:
            self.rolled.add(client_id)
            roll_back(self, client_id, self.roll_back)


@dataclass(kw_only=True, eq=False)
class Swizzle(Fault):
    """All connections drop in a random order, `seconds` apart, and their ids come back in another.

    An id is refused with 326 until its turn. Source: reliability.md B.1, FoundationDB.
    """

    seconds: float = 1.0

    returns: dict[int, datetime] = field(init=False, default_factory=dict, repr=False)

    def begin(self) -> None:
        """Draw both orders."""
        clients = sorted(self.scene.exchange.clients)
        for index, client_id in enumerate(self._shuffled(clients)):
            self.later(self.seconds * index, partial(self.say, client_id, Cut()))
        for index, client_id in enumerate(self._shuffled(clients)):
            wait = self.seconds * (len(clients) + index)
            self.returns[client_id] = self.scene.now + timedelta(seconds=wait)

    def on_admit(self, client_id: int) -> Notice | None:
        """Refuse an id before its turn."""
        early = self.scene.now < self.returns.get(client_id, self.scene.now)
        return Notice(-1, *CLIENT_ID_IN_USE) if early else None

    def _shuffled(self, clients: list[int]) -> list[int]:
        return [client for _, client in sorted((self.draw(), client) for client in clients)]


def roll_back(fault: Fault, client_id: int, by: int) -> None:
    """Issue a client's last ids once more."""
    orders = fault.scene.exchange.orders
    fault.note(f"ids of client {client_id} rolled back by {by} from {orders.next_id(client_id)}")
    fault.scene.act(lambda: orders.roll_back_ids(client_id, by))

"""Answers that never end, end late, come twice, or are told by a wrong clock."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.simulator.faults.selection import ClientFault, RequestFault, Selective, check_kind
from gateway.simulator.faults.subjects import REPLY_KINDS, kind_of, symbol_of
from gateway.simulator.replies import CurrentTime, Delivery, ExecutionDetails
from gateway.simulator.wire.zones import SpokenZone


@dataclass(kw_only=True, eq=False)
class ReplyFault(Selective):
    """A fault of messages of one `kind`: the name of a reply in words, such as `position`."""

    kind: str

    def __post_init__(self) -> None:
        super().__post_init__()
        check_kind(self.kind, REPLY_KINDS)

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Hand the messages that are meant to `on_meant`."""
        passing: list[Delivery] = []
        for delivery in deliveries:
            passing += self.on_meant(delivery) if self._is_meant(delivery) else (delivery,)
        return passing

    def on_meant(self, delivery: Delivery) -> Iterable[Delivery]:
        """What becomes of a message that is meant."""
        return (delivery,)

    def _is_meant(self, delivery: Delivery) -> bool:
        client_id, reply = delivery
        return kind_of(reply) == self.kind and self.strikes(client_id, symbol_of(reply), self.kind)


@dataclass(kw_only=True, eq=False)
class MissingMessages(ReplyFault):
    """Messages of one `kind` never come."""

    def on_meant(self, delivery: Delivery) -> Iterable[Delivery]:
        """Drop it."""
        return ()


@dataclass(kw_only=True, eq=False)
class MissingEnd(MissingMessages):
    """An answer never ends: its last message, of one `kind`, never comes.

    The kinds: `execution_details_end`, `open_order_end`, `position_end`, `completed_orders_end`,
    `contract_details_end`, `account_download_end`, `historical_data`. Source: ib_async #82.
    """

    kind: str = "execution_details_end"


@dataclass(kw_only=True, eq=False)
class LateMessages(ReplyFault):
    """Messages of one `kind` come `seconds` late."""

    seconds: float = 2.0

    def on_meant(self, delivery: Delivery) -> Iterable[Delivery]:
        """Hold it."""
        self.hold(self.seconds, [delivery])
        return ()


@dataclass(kw_only=True, eq=False)
class LateEnd(LateMessages):
    """An answer ends `seconds` late: its last message, of one `kind`, is held that long."""

    kind: str = "execution_details_end"
    seconds: float = 5.0


@dataclass(kw_only=True, eq=False)
class DuplicatedMessages(ReplyFault):
    """Messages of one `kind` come again, `copies` times more."""

    copies: int = 1

    def on_meant(self, delivery: Delivery) -> Iterable[Delivery]:
        """Repeat it."""
        return (delivery,) * (1 + self.copies)


@dataclass(kw_only=True, eq=False)
class SwappedMessages(ClientFault):
    """Neighbours change places in what is said at once, each pair with a `probability`."""

    probability: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability {self.probability} is not between 0 and 1")

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Swap neighbours of one client, none of them twice."""
        swapped = list(deliveries)
        index = 1
        while index < len(swapped):
            first, second = swapped[index - 1][0], swapped[index][0]
            if first == second and self.meets(first) and self.happens(self.probability):
                swapped[index - 1], swapped[index] = swapped[index], swapped[index - 1]
                index += 1
            index += 1
        return swapped


@dataclass(kw_only=True, eq=False)
class DuplicatedAnswers(RequestFault):
    """The whole answer to a request of a kind comes twice."""

    doubling: bool = field(init=False, default=False, repr=False)

    def on_meant(self, client_id: int, request: Any) -> Any | None:
        """Ask, and double what is said at once."""
        self.doubling = True
        self.scene.ask(client_id, request, self.id)
        self.doubling = False
        return None

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Double it."""
        return deliveries * 2 if self.doubling else deliveries


@dataclass(kw_only=True, eq=False)
class ClockSkew(ClientFault):
    """reqCurrentTime is answered by a clock that is `ahead_seconds` ahead; negative: behind."""

    ahead_seconds: float = 90.0

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Shift the time."""
        return [(client_id, self._skewed(client_id, reply)) for client_id, reply in deliveries]

    def _skewed(self, client_id: int, reply: Any) -> Any:
        if not isinstance(reply, CurrentTime) or not self.meets(client_id):
            return reply
        return replace(reply, epoch_seconds=reply.epoch_seconds + int(self.ahead_seconds))


@dataclass(kw_only=True, eq=False)
class ExecutionZone(ClientFault):
    """Execution times are written in another zone, under the name in `spoken`, or without any.

    A Windows name or `JST` makes clients lose the fill. Source: ib.md 1.2.
    """

    zone: str = "America/New_York"
    spoken: str = "Eastern Standard Time"

    def __post_init__(self) -> None:
        SpokenZone(self.zone, self.spoken)  # an unknown zone is refused at once

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Change the times."""
        return [(client_id, self._spoken(client_id, reply)) for client_id, reply in deliveries]

    def _spoken(self, client_id: int, reply: Any) -> Any:
        if not isinstance(reply, ExecutionDetails) or not self.meets(client_id):
            return reply
        time = reply.execution.time.astimezone(SpokenZone(self.zone, self.spoken))
        return replace(reply, execution=replace(reply.execution, time=time))

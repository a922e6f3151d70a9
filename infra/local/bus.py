"""Pub/Sub in this process, on SQLite: the bus of the demo and of tests.

The same semantics as `gateway.bus` (one conformance suite holds both to it): at-least-once, fan-out
to subscriptions, competing subscribers, filters, ack deadlines, retry delays, dead letters. What
nobody acknowledged survives a kill. Unlike Google's client it extends no lease, and unlike Pub/Sub
it lets one pull a push subscription: the local stack plays the pusher.
"""

import asyncio
import contextlib
import functools
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from gateway import ports
from gateway.bus_rules import check_message
from infra.local.backlog import Backlog, Lease
from infra.local.journal import Journal, Message
from infra.topology import Topology

RETENTION = timedelta(days=7)  # how long Pub/Sub keeps an unacknowledged message by default


def _wall() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class BusOptions:
    """The clocks (seconds for deadlines, UTC for `publish_time`) and the flow control.

    `outstanding_max`: messages that one subscriber may hold unacknowledged, as Google's client.
    Who injects a clock calls `EmbeddedBus.wake()` after moving it.
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], datetime] = _wall
    outstanding_max: int = 1000


class EmbeddedBus:
    """A `gateway.ports.Bus` on one SQLite file, or in memory; for one process and one event loop.

    Opening applies the topology: subscriptions that are new start empty, those it no longer names
    are dropped with their messages. Messages that were delivered to a process that died come again
    at once. Raises `ValueError` for a topology that contradicts itself, `RuntimeError` when another
    process has the file.
    """

    def __init__(
        self,
        path: Path | Literal[":memory:"],
        topology: Topology,
        options: BusOptions | None = None,
    ) -> None:
        _check(topology)
        self._options = options or BusOptions()
        self._topics = frozenset(topology.topics)
        self._subscription_topics = {one.name: one.topic for one in topology.subscriptions}
        self._journal = Journal(path)
        names = {subscription.name for subscription in topology.subscriptions}
        self._journal.forget(names, self._options.wall() - RETENTION)
        self._backlogs = {
            spec.name: Backlog(spec, dict(self._journal.backlog(spec.name)))
            for spec in topology.subscriptions
        }
        self._subscribers: dict[str, list[EmbeddedSubscription]] = {name: [] for name in names}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.get_ident()
        self._timer: asyncio.TimerHandle | None = None
        self._pumping = False
        self._closed = False
        for name in self._backlogs:
            self._bury(name)

    async def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        """Publish and return the message id; see `gateway.ports.Bus.publish`."""
        check_message(data, attributes)
        if topic not in self._topics:
            raise LookupError(f"there is no topic {topic!r}")
        if self._closed:
            raise ports.Unavailable("the embedded bus is closed")
        message = Message(data, dict(attributes), self._options.wall())
        targets = self._matching(topic, attributes)
        message_id = self._journal.publish(message, targets)
        self._add(message_id, targets)
        return str(message_id)

    def subscribe(
        self, subscription: str, deliver: Callable[[ports.Delivery], None]
    ) -> "EmbeddedSubscription":
        """Start delivering; see `gateway.ports.Bus.subscribe`. Call it on the event loop.

        What `deliver` raises fails the subscription; the message comes again to another one.
        """
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        subscriber = EmbeddedSubscription(self, subscription, deliver)
        if subscription in self._subscribers:
            self._subscribers[subscription].append(subscriber)
            self._schedule()
        else:
            subscriber._end(LookupError(f"there is no subscription {subscription!r}"))
        return subscriber

    def pending(self, subscription: str | None = None) -> int:
        """Messages not yet acknowledged, by one subscription or by all."""
        if subscription is not None:
            return len(self._backlogs[subscription])
        return sum(map(len, self._backlogs.values()))

    async def topics(self) -> tuple[str, ...]:
        """The names of all topics; see `gateway.ports.Catalogue.topics`."""
        return tuple(sorted(self._topics))

    async def subscriptions(self) -> Mapping[str, str]:
        """All subscriptions and their topics; see `gateway.ports.Catalogue.subscriptions`."""
        return dict(sorted(self._subscription_topics.items()))

    async def close(self) -> None:
        """Close all subscriptions and the file."""
        for subscriber in [one for group in self._subscribers.values() for one in group]:
            await subscriber.close()
        self._closed = True
        if self._timer:
            self._timer.cancel()
        self._journal.close()

    def wake(self) -> None:
        """Look at the clock: take back overdue leases, end retry delays, deliver what is ready."""
        if self._closed:
            return
        now = self._options.monotonic()
        for name, backlog in self._backlogs.items():
            backlog.expire(now)
            self._bury(name)
            self._pump(name)
        self._arm()

    def _matching(self, topic: str, attributes: Mapping[str, str]) -> list[str]:
        return [
            name
            for name, backlog in self._backlogs.items()
            if backlog.spec.topic == topic
            and all(attributes.get(key) == value for key, value in backlog.spec.filter)
        ]

    def _add(self, message_id: int, subscriptions: list[str]) -> None:
        for name in subscriptions:
            self._backlogs[name].add(message_id)
        self._schedule()

    def _schedule(self) -> None:
        """Deliver soon, on the loop, never inside the caller."""
        if self._loop and not self._pumping and not self._closed:
            self._pumping = True
            self._loop.call_soon(self._run)

    def _run(self) -> None:
        self._pumping = False
        self.wake()

    def _pump(self, name: str) -> None:
        """Hand out what is ready for as long as some subscriber has room."""
        backlog = self._backlogs[name]
        while backlog.ready and (subscriber := self._free_subscriber(name)):
            self._deliver(backlog, subscriber)

    def _free_subscriber(self, name: str) -> "EmbeddedSubscription | None":
        """The next subscriber with room; taking turns, so the first goes to the end."""
        group = self._subscribers[name]
        for _ in range(len(group)):
            group.append(subscriber := group.pop(0))
            if self._backlogs[name].held_by(subscriber) < self._options.outstanding_max:
                return subscriber
        return None

    def _deliver(self, backlog: Backlog, subscriber: "EmbeddedSubscription") -> None:
        message_id, lease = backlog.lease(subscriber, self._options.monotonic())
        attempts = backlog.attempts[message_id]
        self._journal.attempted(backlog.spec.name, message_id, attempts)
        message = self._journal.message(message_id)
        settle = functools.partial(self._on_loop, backlog, message_id, lease)
        delivery = ports.Delivery(
            subscription=backlog.spec.name,
            message_id=str(message_id),
            data=message.data,
            attributes=message.attributes,
            publish_time=message.publish_time,
            delivery_attempt=attempts if backlog.spec.dead_letter_topic else 0,
            ack=functools.partial(settle, self._ack),
            nack=functools.partial(settle, self._nack),
        )
        try:
            subscriber.deliver(delivery)
        except Exception as error:
            self._detach(subscriber, error)

    def _on_loop(self, backlog: Backlog, message_id: int, lease: Lease, settle: "_Settle") -> None:
        """Settle at once on the loop's thread, soon from any other."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return  # nobody is left to note it, so the message comes again
        if self._thread == threading.get_ident():
            settle(backlog, message_id, lease)
        else:
            with contextlib.suppress(RuntimeError):  # closed since
                loop.call_soon_threadsafe(settle, backlog, message_id, lease)

    def _ack(self, backlog: Backlog, message_id: int, lease: Lease) -> None:
        """Acknowledge, even late; but as with Google's client not after closing."""
        if not self._closed and not lease.released and backlog.remove(message_id):
            self._journal.settle(backlog.spec.name, message_id)
            self._schedule()

    def _nack(self, backlog: Backlog, message_id: int, lease: Lease) -> None:
        if not self._closed and backlog.nack(message_id, lease, self._options.monotonic()):
            self._bury(backlog.spec.name)
            self._schedule()

    def _bury(self, name: str) -> None:
        """Move to the dead-letter topic what was attempted too often."""
        backlog = self._backlogs[name]
        for message_id in backlog.exhausted():
            topic, attempts = backlog.spec.dead_letter_topic, backlog.attempts[message_id]
            assert topic, "only a subscription with a dead-letter topic exhausts a message"
            message = self._journal.message(message_id)
            attributes = dict(message.attributes) | _origin(name, attempts, message)
            letter = Message(message.data, attributes, self._options.wall())
            targets = self._matching(topic, attributes)
            letter_id = self._journal.move((name, message_id), letter, targets)
            backlog.remove(message_id)
            self._add(letter_id, targets)

    def _arm(self) -> None:
        """Set the one timer to the next deadline."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        dues = [due for b in self._backlogs.values() if (due := b.next_due()) is not None]
        if dues and self._loop:
            delay = max(0.0, min(dues) - self._options.monotonic())
            self._timer = self._loop.call_later(delay, self.wake)

    def _detach(self, subscriber: "EmbeddedSubscription", error: Exception | None) -> None:
        group = self._subscribers.get(subscriber.name, [])
        if subscriber in group:
            group.remove(subscriber)
            self._backlogs[subscriber.name].release(subscriber)
            self._bury(subscriber.name)
            self._schedule()
        subscriber._end(error)


class EmbeddedSubscription:
    """A running subscription of the embedded bus; see `gateway.ports.Subscription`."""

    def __init__(
        self, bus: EmbeddedBus, name: str, deliver: Callable[[ports.Delivery], None]
    ) -> None:
        self.name = name
        self.deliver = deliver
        self._bus = bus
        self._ended = asyncio.Event()
        self._error: Exception | None = None

    async def wait(self) -> None:
        """Return when closed; raise what `deliver` raised, `LookupError` if there is none such."""
        await self._ended.wait()
        if self._error:
            raise self._error

    async def close(self) -> None:
        """Stop delivering. What was delivered and not acked comes again to the next subscriber."""
        self._bus._detach(self, None)

    def _end(self, error: Exception | None) -> None:
        if not self._ended.is_set():
            self._error = error
            self._ended.set()


type _Settle = Callable[[Backlog, int, Lease], None]


def _origin(subscription: str, attempts: int, message: Message) -> dict[str, str]:
    """The attributes by which Pub/Sub tells where a dead letter comes from."""
    return {
        "CloudPubSubDeadLetterSourceSubscription": subscription,
        "CloudPubSubDeadLetterSourceDeliveryCount": str(attempts),
        "CloudPubSubDeadLetterSourceTopicPublishTime": message.publish_time.isoformat(
            timespec="milliseconds"
        ).replace("+00:00", "Z"),
    }


def _check(topology: Topology) -> None:
    """Raise `ValueError` for a topic that is used and not declared, and for a name used twice."""
    names = [subscription.name for subscription in topology.subscriptions]
    if len(set(names)) != len(names):
        raise ValueError(f"a subscription is named twice in {sorted(names)}")
    for spec in topology.subscriptions:
        for topic in {spec.topic, spec.dead_letter_topic} - {None}:
            if topic not in topology.topics:
                raise ValueError(f"subscription {spec.name!r} uses the unknown topic {topic!r}")

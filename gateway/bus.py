"""Pub/Sub, through Google's client: the bus of production and of the emulators.

Google's client runs threads of its own. Here they end: every callback hops to the event loop
before it touches anything of ours. `PUBSUB_EMULATOR_HOST` is honoured when a bus is made.
"""

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import DefaultCredentialsError
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from google.cloud.pubsub_v1.publisher.exceptions import (
    FlowControlLimitError,
    MessageTooLargeError,
)
from google.cloud.pubsub_v1.subscriber.scheduler import ThreadScheduler
from google.cloud.pubsub_v1.types import (
    BatchSettings,
    FlowControl,
    LimitExceededBehavior,
    PublisherOptions,
    PublishFlowControl,
)

from gateway.bus_rules import check_message
from gateway.ports import Delivery, Denied, Unavailable

FAREWELL_SECONDS: Final = 0.2
"""So long a server may take to end a stream that we half-closed; then it is cancelled."""


@dataclass(frozen=True, slots=True)
class BusSettings:
    """Deadlines and limits towards Pub/Sub."""

    # A publish takes 3 to 20 ms; five seconds ride out a reconnect and still end before the 10 s
    # in which a stopped container has to hand over.
    publish_deadline_seconds: float = 5.0
    # What was published must be out before the client may go; the same reasoning.
    close_deadline_seconds: float = 5.0
    # Publishes waiting inside the client while the service is away; more than this is an outage
    # that callers must see, not memory to fill.
    publishing_max: int = 1000
    # Deliveries handed to us and not settled. One batch of the loop takes all that waits.
    outstanding_max: int = 1000
    # The client extends leases in steps of this length: what a killed process held comes again
    # after one step. 10 is the least that Pub/Sub allows, and the client's own steps grow to 60.
    lease_extension_seconds: int = 10
    # Targets that nobody can resolve while IB is away stay unsettled here. What comes again counts
    # as one of the five attempts before the dead letters: an hour each, the client's own default,
    # outlasts IB's maintenance; ten minutes did not. Who dies holds nothing longer than one step.
    lease_seconds_max: float = 3600.0


_TRANSIENT = if_exception_type(
    exceptions.Aborted,
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.ResourceExhausted,
    exceptions.ServiceUnavailable,
    exceptions.Unknown,
)


class GoogleBus:
    """A `gateway.ports.Bus` over one Google Cloud project; make and use it on one event loop."""

    def __init__(self, project: str, settings: BusSettings | None = None) -> None:
        self._project = project
        self._settings = settings or BusSettings()
        try:
            self._publisher: Any = _publisher(self._settings)
            self._subscriber: Any = SubscriberClient()
        except DefaultCredentialsError as error:
            raise Denied(f"Pub/Sub needs Google credentials: {error}") from error
        self._publishing: set[asyncio.Future[str]] = set()
        self._subscriptions: list[GoogleSubscription] = []
        self._closed = False

    async def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        """Publish and return the message id; see `gateway.ports.Bus.publish`.

        After `Unavailable` the message may come through all the same.
        """
        check_message(data, attributes)
        if self._closed:
            raise Unavailable("the bus is closed")
        path = f"projects/{self._project}/topics/{topic}"
        waiting: asyncio.Future[str] = asyncio.wrap_future(
            self._publisher.publish(path, data, **attributes)
        )
        self._publishing.add(waiting)
        waiting.add_done_callback(self._publishing.discard)
        return await _published(waiting, topic, self._settings.publish_deadline_seconds)

    def subscribe(
        self, subscription: str, deliver: Callable[[Delivery], None]
    ) -> "GoogleSubscription":
        """Start delivering; see `gateway.ports.Bus.subscribe`. Call it on the event loop.

        What `deliver` raises fails the subscription; the message comes again to another one.
        """
        give_back = functools.partial(self._give_back, subscription)
        seconds = self._settings.close_deadline_seconds
        running = GoogleSubscription(subscription, deliver, seconds, give_back)
        running.start(functools.partial(self._stream, subscription))
        self._subscriptions.append(running)
        return running

    async def topics(self) -> tuple[str, ...]:
        """The names of all topics; see `gateway.ports.Catalogue.topics`."""
        told = await self._listed(self._publisher.list_topics, "topics")
        return tuple(sorted(_short(topic.name) for topic in told))

    async def subscriptions(self) -> Mapping[str, str]:
        """All subscriptions and their topics; see `gateway.ports.Catalogue.subscriptions`."""
        told = await self._listed(self._subscriber.list_subscriptions, "subscriptions")
        found = {_short(one.name): one.topic for one in told}
        # Pub/Sub's own word for the topic of a subscription that outlived it.
        return {
            name: "" if topic == "_deleted-topic_" else _short(topic)
            for name, topic in sorted(found.items())
        }

    async def _listed(self, ask: Callable[..., Any], what: str) -> list[Any]:
        """Everything that a listing call tells, on a thread: Google's client blocks."""
        seconds = self._settings.publish_deadline_seconds
        request = {"project": f"projects/{self._project}"}
        retry = Retry(predicate=_TRANSIENT, initial=0.1, maximum=1.0, timeout=seconds)
        try:
            return await asyncio.to_thread(
                lambda: list(ask(request=request, timeout=seconds, retry=retry))
            )
        except (exceptions.Forbidden, exceptions.NotFound, exceptions.Unauthenticated) as error:
            raise Denied(f"Pub/Sub refuses us the list of {what}: {error}") from error
        except exceptions.GoogleAPIError as error:
            raise Unavailable(f"no answer to a question for {what}: {error!r}") from error

    async def close(self) -> None:
        """Close all subscriptions, flush the publisher, release the connections."""
        if self._closed:
            return
        self._closed = True
        await asyncio.gather(*(subscription.close() for subscription in self._subscriptions))
        self._publisher.stop()
        if self._publishing:
            await asyncio.wait(self._publishing, timeout=self._settings.close_deadline_seconds)
        closed = asyncio.wrap_future(_on_daemon(self._close_channels))
        await asyncio.wait([closed], timeout=self._settings.close_deadline_seconds)

    def _close_channels(self) -> None:
        """Blocks for 10 s where a stream is just trying to reconnect."""
        self._publisher.transport.close()
        self._subscriber.close()

    def _give_back(self, subscription: str, ack_ids: Sequence[str]) -> None:
        """Have messages delivered anew at once; it blocks. Without it they come after their lease.

        A nack would not do: the client sends none any more once its stream has ended, and before
        that the message would come to this very stream again.
        """
        with contextlib.suppress(exceptions.GoogleAPIError):
            self._subscriber.modify_ack_deadline(
                subscription=f"projects/{self._project}/subscriptions/{subscription}",
                ack_ids=ack_ids,
                ack_deadline_seconds=0,
                retry=None,
                timeout=self._settings.close_deadline_seconds,
            )

    def _stream(self, subscription: str, callback: Callable[[Any], None]) -> "Future[object]":
        """Open a streaming pull; `callback` is called on the client's thread."""
        settings = self._settings
        stream: Future[object] = self._subscriber.subscribe(
            f"projects/{self._project}/subscriptions/{subscription}",
            callback,
            flow_control=FlowControl(
                max_messages=settings.outstanding_max,
                max_lease_duration=settings.lease_seconds_max,
                min_duration_per_lease_extension=settings.lease_extension_seconds,
                max_duration_per_lease_extension=settings.lease_extension_seconds,
            ),
            # The callback only hops to the loop: one thread does it, and keeps the order.
            scheduler=ThreadScheduler(ThreadPoolExecutor(max_workers=1)),
        )
        return stream


class GoogleSubscription:
    """A running streaming pull; see `gateway.ports.Subscription`."""

    def __init__(
        self,
        name: str,
        deliver: Callable[[Delivery], None],
        close_deadline_seconds: float,
        give_back: Callable[[Sequence[str]], None],
    ) -> None:
        self._name = name
        self._deliver = deliver
        self._close_deadline_seconds = close_deadline_seconds
        self._give_back = give_back
        self._held: dict[str, None] = {}
        """The ack ids of what was received and not settled, in the order of arrival."""
        self._returning: Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._stream: Future[object] | None = None
        self._stopping = False
        self._ended = asyncio.Event()
        self._error: BaseException | None = None

    def start(self, stream: Callable[[Callable[[Any], None]], "Future[object]"]) -> None:
        """Open the stream that `stream` makes of a callback."""
        self._stream = stream(self._on_message)
        self._stream.add_done_callback(self._on_end)

    async def wait(self) -> None:
        """Return when closed; raise `LookupError` when there is no such subscription (any more).

        An outage is no failure: the client reconnects for ever.
        """
        await self._ended.wait()
        if self._error:
            raise self._error

    async def close(self) -> None:
        """Stop delivering. What was delivered and not acked comes again to the next subscriber."""
        self._stop()
        try:
            async with asyncio.timeout(self._close_deadline_seconds):
                await self._ended.wait()
        except TimeoutError:
            # The client's threads hang in a dead connection; they are daemons and deliver nothing.
            self._held.clear()
            self._finish(None)
        if self._returning is not None:
            returned = asyncio.wrap_future(self._returning)
            await asyncio.wait([returned], timeout=self._close_deadline_seconds)

    def _on_message(self, message: Any) -> None:
        """On the client's thread: hop to the loop; without a loop, give the message back."""
        try:
            self._loop.call_soon_threadsafe(self._receive, message)
        except RuntimeError:
            message.nack()

    def _on_end(self, stream: "Future[object]") -> None:
        """On the client's thread: hop to the loop, if there still is one to tell."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._finish, stream.exception())

    def _receive(self, message: Any) -> None:
        self._held[message.ack_id] = None
        if self._stopping:
            return  # given back when there is no stream any more that it could come to
        delivery = _delivery(self._name, message, functools.partial(self._settle, message.ack_id))
        try:
            self._deliver(delivery)
        except Exception as error:
            self._error = error  # wait() raises it
            self._stop()

    def _settle(self, ack_id: str, how: Callable[[], None]) -> None:
        """Ack or nack; called from any thread."""
        self._held.pop(ack_id, None)
        how()

    def _say_farewell(self) -> None:
        """Half-close the stream; cancelling alone resets it.

        The emulator takes a stream that was reset for alive, and goes on offering messages to it:
        of 40 published after such a close all came late, the last after 22 s, or some never.
        Google's client has no public way to end its requests.
        """
        manager: Any = getattr(self._stream, "_StreamingPullFuture__manager", None)
        requests: Any = getattr(getattr(manager, "_rpc", None), "_request_queue", None)
        if requests is not None:
            requests.put(None)

    def _stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            self._say_farewell()
            self._loop.call_later(FAREWELL_SECONDS, self._cancel)

    def _cancel(self) -> None:
        if self._stream and not self._ended.is_set():
            self._stream.cancel()

    def _finish(self, error: BaseException | None) -> None:
        if isinstance(error, exceptions.NotFound):
            error = LookupError(f"there is no subscription {self._name!r}: {error}")
        if not self._stopping:  # else it ended because we wanted it to
            self._error = self._error or error
        held, self._held = list(self._held), {}
        if held:
            self._returning = _on_daemon(lambda: self._give_back(held))
        self._ended.set()


def _on_daemon(work: Callable[[], None]) -> "Future[None]":
    """Run blocking work on a thread that keeps neither the loop nor the process from ending."""
    done: Future[None] = Future()

    def run() -> None:
        try:
            work()
        finally:
            done.set_result(None)

    threading.Thread(target=run, daemon=True).start()
    return done


def _publisher(settings: BusSettings) -> Any:
    """Send at once (default: wait 10 ms), yet up to 100 that came together as one request."""
    return PublisherClient(
        batch_settings=BatchSettings(max_messages=100, max_latency=0),
        publisher_options=PublisherOptions(
            flow_control=PublishFlowControl(
                message_limit=settings.publishing_max,
                byte_limit=100_000_000,
                limit_exceeded_behavior=LimitExceededBehavior.ERROR,
            ),
            retry=Retry(
                predicate=_TRANSIENT,
                initial=0.1,
                maximum=1.0,
                timeout=settings.publish_deadline_seconds,
            ),
            timeout=settings.publish_deadline_seconds,
        ),
    )


async def _published(waiting: "asyncio.Future[str]", topic: str, deadline_seconds: float) -> str:
    """The message id; the client's errors become those of the port."""
    try:
        async with asyncio.timeout(deadline_seconds):
            return await waiting
    except exceptions.NotFound as error:
        raise LookupError(f"there is no topic {topic!r}: {error}") from error
    except (exceptions.InvalidArgument, MessageTooLargeError) as error:
        raise ValueError(f"Pub/Sub refused a message for {topic!r}: {error}") from error
    except (exceptions.Forbidden, exceptions.Unauthenticated):
        raise  # our permissions are wrong: no waiting mends it
    except (exceptions.GoogleAPIError, TimeoutError, FlowControlLimitError) as error:
        raise Unavailable(f"no answer to a publish to {topic!r}: {error!r}") from error


def _short(path: str) -> str:
    """`projects/p/topics/t` -> `t`."""
    return path.rpartition("/")[2]


def _delivery(
    subscription: str, message: Any, settle: Callable[[Callable[[], None]], None]
) -> Delivery:
    time: datetime = message.publish_time  # a subclass of Google's, which we do not pass on
    return Delivery(
        subscription=subscription,
        message_id=message.message_id,
        data=message.data,
        attributes=dict(message.attributes),
        publish_time=datetime.combine(time.date(), time.time(), tzinfo=UTC),
        delivery_attempt=message.delivery_attempt or 0,
        ack=functools.partial(settle, message.ack),
        nack=functools.partial(settle, message.nack),
    )

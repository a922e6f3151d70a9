"""What every bus does, whoever made it: `gateway.ports.Bus`, held against each implementation."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from gateway.ports import Bus, Catalogue, Delivery, Unavailable

ANSWER_SECONDS = 30  # the longest wait is the emulator's ack deadline, 10 s


def listen(bus: Bus, subscription: str) -> asyncio.Queue[Delivery]:
    queue: asyncio.Queue[Delivery] = asyncio.Queue()
    bus.subscribe(subscription, queue.put_nowait)
    return queue


async def take(queue: asyncio.Queue[Delivery]) -> Delivery:
    async with asyncio.timeout(ANSWER_SECONDS):
        return await queue.get()


async def take_all(queue: asyncio.Queue[Delivery], expected: set[bytes]) -> set[bytes]:
    """Ack until everything expected has come, in whatever order and however often."""
    seen: set[bytes] = set()
    while not expected <= seen:
        delivery = await take(queue)
        delivery.ack()
        seen.add(delivery.data)
    return seen


async def test_a_message_arrives_as_it_was_published(bus: Bus) -> None:
    queue = listen(bus, "ticks")
    message_id = await bus.publish("ticks-test", b"\x00{}", {"ce-type": "tick", "who": "Zoë"})
    delivery = await take(queue)
    assert (delivery.message_id, delivery.subscription) == (message_id, "ticks")
    assert delivery.data == b"\x00{}"
    assert delivery.attributes == {"ce-type": "tick", "who": "Zoë"}


async def test_the_publish_time_is_aware_utc_of_the_bus(bus: Bus) -> None:
    queue = listen(bus, "ticks")
    await bus.publish("ticks-test", b"x", {})
    published = (await take(queue)).publish_time
    assert type(published) is datetime
    assert published.tzinfo is UTC
    assert abs(datetime.now(UTC) - published) < timedelta(minutes=5)


async def test_a_message_may_consist_of_attributes_alone(bus: Bus) -> None:
    queue = listen(bus, "ticks")
    await bus.publish("ticks-test", b"", {"command": "run"})
    assert (await take(queue)).attributes == {"command": "run"}


async def test_what_was_published_before_subscribing_arrives(bus: Bus) -> None:
    wanted = {b"1", b"2", b"3"}
    for data in wanted:
        await bus.publish("ticks-test", data, {})
    assert await take_all(listen(bus, "ticks"), wanted) == wanted


async def test_deliver_is_called_on_the_loops_thread(bus: Bus) -> None:
    threads: asyncio.Queue[int] = asyncio.Queue()
    bus.subscribe("ticks", lambda _: threads.put_nowait(threading.get_ident()))
    await bus.publish("ticks-test", b"x", {})
    async with asyncio.timeout(ANSWER_SECONDS):
        assert await threads.get() == threading.get_ident()


async def test_an_acked_message_makes_room_for_the_next(bus: Bus) -> None:
    queue = listen(bus, "ticks")
    await bus.publish("ticks-test", b"done", {})
    (await take(queue)).ack()
    await bus.publish("ticks-test", b"next", {})
    assert (await take(queue)).data == b"next"


async def test_an_unanswered_message_comes_again_after_its_deadline(bus: Bus) -> None:
    queue = listen(bus, "ticks")
    message_id = await bus.publish("ticks-test", b"slow", {})
    await take(queue)
    assert (await take(queue)).message_id == message_id


async def test_an_ack_from_another_thread_counts(bus: Bus) -> None:
    queue = listen(bus, "ticks")
    await bus.publish("ticks-test", b"done", {})
    await asyncio.to_thread((await take(queue)).ack)
    await bus.publish("ticks-test", b"next", {})
    assert (await take(queue)).data == b"next"


async def test_a_nacked_message_comes_again(bus: Bus) -> None:
    queue = listen(bus, "ticks")
    message_id = await bus.publish("ticks-test", b"again", {})
    (await take(queue)).nack()
    assert (await take(queue)).message_id == message_id


async def test_what_a_closed_subscriber_held_comes_to_the_next(bus: Bus) -> None:
    queue: asyncio.Queue[Delivery] = asyncio.Queue()
    first = bus.subscribe("ticks", queue.put_nowait)
    message_id = await bus.publish("ticks-test", b"held", {})
    await take(queue)
    await first.close()
    assert (await take(listen(bus, "ticks"))).message_id == message_id


async def test_closed_subscribers_keep_nothing_from_the_living(bus: Bus) -> None:
    """Neither what they held nor what came since, whatever the order in which they left."""
    held: asyncio.Queue[Delivery] = asyncio.Queue()
    wanted = {str(number).encode() for number in range(20)}
    for _ in range(3):
        closed = bus.subscribe("ticks", held.put_nowait)
        if held.empty():
            await asyncio.gather(*(bus.publish("ticks-test", data, {}) for data in wanted))
        await take(held)
        await closed.close()
    new = {b"new %d" % number for number in range(20)}
    queue = listen(bus, "ticks")
    await asyncio.gather(*(bus.publish("ticks-test", data, {}) for data in new))
    assert await take_all(queue, wanted | new) == wanted | new


async def test_every_subscription_gets_its_own_copy(bus: Bus) -> None:
    first, second = listen(bus, "fan-first"), listen(bus, "fan-second")
    await bus.publish("fan-test", b"copy", {})
    (await take(first)).ack()
    assert (await take(second)).data == b"copy"


async def test_subscribers_of_one_subscription_share_its_messages(bus: Bus) -> None:
    both: asyncio.Queue[Delivery] = asyncio.Queue()
    bus.subscribe("ticks", both.put_nowait)
    bus.subscribe("ticks", both.put_nowait)
    wanted = {str(number).encode() for number in range(20)}
    await asyncio.gather(*(bus.publish("ticks-test", data, {}) for data in wanted))
    assert await take_all(both, wanted) == wanted
    assert both.qsize() < len(wanted)  # each would have come twice


async def test_a_filter_lets_only_matching_messages_through(
    bus: Bus, emulator_defect: Callable[[str], None]
) -> None:
    emulator_defect("emulator ignores filters")
    queue = listen(bus, "only-spy")
    await bus.publish("mixed-test", b"other", {"symbol": "QQQ"})
    await bus.publish("mixed-test", b"none", {"kind": "SPY"})
    await bus.publish("mixed-test", b"match", {"symbol": "SPY", "kind": "x"})
    assert (await take(queue)).data == b"match"


async def test_a_message_refused_five_times_becomes_a_dead_letter(bus: Bus) -> None:
    attempts = []

    def refuse(delivery: Delivery) -> None:
        attempts.append(delivery.delivery_attempt)
        delivery.nack()

    bus.subscribe("judged", refuse)
    dead_letters = listen(bus, "dead-letters")
    await bus.publish("judged-test", b"poison", {"ce-type": "tick"})
    letter = await take(dead_letters)
    assert attempts == [1, 2, 3, 4, 5]
    assert letter.data == b"poison"
    origin = "CloudPubSubDeadLetterSource"
    assert letter.attributes["ce-type"] == "tick"
    assert letter.attributes[f"{origin}Subscription"] == "judged"
    assert letter.attributes[f"{origin}DeliveryCount"] == "5"
    published = datetime.fromisoformat(letter.attributes[f"{origin}TopicPublishTime"])
    assert timedelta(0) <= letter.publish_time - published < timedelta(minutes=1)


async def test_an_unknown_topic_is_a_lookup_error(bus: Bus) -> None:
    with pytest.raises(LookupError, match="no-such-topic"):
        await bus.publish("no-such-topic", b"x", {})


async def test_an_unknown_subscription_fails_in_wait(bus: Bus) -> None:
    subscription = bus.subscribe("no-such-subscription", lambda delivery: None)
    with pytest.raises(LookupError, match="no-such-subscription"):
        async with asyncio.timeout(ANSWER_SECONDS):
            await subscription.wait()


@pytest.mark.parametrize(
    ("data", "attributes"),
    [
        pytest.param(b"", {}, id="empty"),
        pytest.param(b"x" * 10_000_001, {}, id="over 10 MB"),
        pytest.param(b"x", {f"key{n}": "" for n in range(101)}, id="101 attributes"),
        pytest.param(b"x", {"k" * 257: ""}, id="a key of 257 bytes"),
        pytest.param(b"x", {"key": "é" * 513}, id="a value of 1026 bytes"),
        pytest.param(b"x", {"": "value"}, id="an empty key"),
        pytest.param(b"x", {"google": "value"}, id="a key of Google's"),
    ],
)
async def test_what_pubsub_refuses_is_a_value_error(
    bus: Bus, data: bytes, attributes: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=r"allowed|needs|reserved"):
        await bus.publish("ticks-test", data, attributes)


async def test_attributes_at_their_limits_pass(bus: Bus) -> None:
    attributes = {f"{number:0>256}": "v" * 1024 for number in range(100)}
    queue = listen(bus, "ticks")
    await bus.publish("ticks-test", b"x", attributes)
    assert (await take(queue)).attributes == attributes


async def fail_to_deliver(bus: Bus) -> str:
    def fail(delivery: Delivery) -> None:
        raise ArithmeticError(delivery.data)

    failing = bus.subscribe("ticks", fail)
    message_id = await bus.publish("ticks-test", b"x", {})
    async with asyncio.timeout(ANSWER_SECONDS):
        with pytest.raises(ArithmeticError):
            await failing.wait()
    return message_id


async def test_what_deliver_raises_ends_the_subscription(bus: Bus) -> None:
    await fail_to_deliver(bus)


async def test_what_could_not_be_delivered_comes_to_the_next_subscriber(bus: Bus) -> None:
    message_id = await fail_to_deliver(bus)
    assert (await take(listen(bus, "ticks"))).message_id == message_id


async def test_wait_returns_when_the_subscription_is_closed(bus: Bus) -> None:
    subscription = bus.subscribe("ticks", lambda delivery: None)
    waiting = asyncio.create_task(subscription.wait())
    await subscription.close()
    await subscription.close()
    async with asyncio.timeout(ANSWER_SECONDS):
        await waiting


async def test_giving_up_waiting_does_not_close_the_subscription(bus: Bus) -> None:
    queue: asyncio.Queue[Delivery] = asyncio.Queue()
    waiting = asyncio.create_task(bus.subscribe("ticks", queue.put_nowait).wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    await bus.publish("ticks-test", b"still here", {})
    assert (await take(queue)).data == b"still here"


async def test_a_closed_bus_ends_its_subscriptions_and_publishes_no_more(bus: Bus) -> None:
    subscription = bus.subscribe("ticks", lambda delivery: None)
    await bus.close()
    await subscription.wait()
    with pytest.raises(Unavailable):
        await bus.publish("ticks-test", b"x", {})
    await bus.close()


async def test_topics_and_subscriptions_are_listed_by_their_names(bus: Catalogue) -> None:
    assert await bus.topics() == (
        "dead-letters-test",
        "fan-test",
        "judged-test",
        "mixed-test",
        "ticks-test",
    )
    subscriptions = await bus.subscriptions()
    assert list(subscriptions) == sorted(subscriptions)
    assert subscriptions["fan-first"] == subscriptions["fan-second"] == "fan-test"
    assert len(subscriptions) == 6

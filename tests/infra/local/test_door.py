"""The door for gcloud and curl, over the embedded bus and store, with real HTTP."""

import asyncio
import base64
import http.client
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.ports import Delivery, Put
from infra.local import door
from infra.local.bus import EmbeddedBus
from infra.local.store import EmbeddedStore
from infra.topology import Subscription, Topology

TOPOLOGY = Topology("test", ("ticks",), (Subscription("reader", "ticks"),), ())
PUBLISH = "/v1/projects/p/topics/ticks:publish"
DOCUMENTS = "/v1/projects/p/databases/(default)/documents"


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any

    @property
    def error(self) -> str:
        message: str = self.body["error"]["message"]
        return message


@dataclass(frozen=True)
class Visitor:
    """Somebody at the door, with the bus and the store behind it."""

    host: str
    bus: EmbeddedBus
    store: EmbeddedStore

    async def ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        return await asyncio.to_thread(self._ask, method, path, body, {})

    async def ask_with(self, headers: Mapping[str, str]) -> Answer:
        return await asyncio.to_thread(self._ask, "POST", PUBLISH, None, headers)

    async def publish(self, *messages: Any, path: str = PUBLISH) -> Answer:
        return await self.ask("POST", path, json.dumps({"messages": messages}).encode())

    async def arrived(self, count: int) -> list[tuple[bytes, dict[str, str]]]:
        """The first messages on the topic, as data and attributes."""
        queue: asyncio.Queue[Delivery] = asyncio.Queue()
        subscription = self.bus.subscribe("reader", queue.put_nowait)
        found = [await queue.get() for _ in range(count)]
        await subscription.close()
        return [(delivery.data, dict(delivery.attributes)) for delivery in found]

    def _ask(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        connection = http.client.HTTPConnection(self.host, timeout=10)
        connection.putrequest(method, path)
        for name, value in (headers or {"Content-Length": str(len(body or b""))}).items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        return Answer(response.status, json.loads(text))


@pytest.fixture
async def visitor() -> AsyncIterator[Visitor]:
    bus, store = EmbeddedBus(":memory:", TOPOLOGY), EmbeddedStore(":memory:")
    with door.opened(bus, store, asyncio.get_running_loop()) as host:
        yield Visitor(host, bus, store)
    await bus.close()
    await store.close()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def test_a_message_is_published_with_its_attributes(visitor: Visitor) -> None:
    answer = await visitor.publish({"data": encoded(b"hello"), "attributes": {"a": "1"}})
    assert (answer.status, answer.body) == (200, {"messageIds": ["1"]})
    assert await visitor.arrived(1) == [(b"hello", {"a": "1"})]


async def test_several_messages_get_an_id_each(visitor: Visitor) -> None:
    answer = await visitor.publish({"data": encoded(b"a")}, {"data": encoded(b"b")})
    assert len(answer.body["messageIds"]) == 2
    assert [data for data, _ in await visitor.arrived(2)] == [b"a", b"b"]


async def test_a_query_after_the_path_is_ignored_as_gcloud_adds_one(visitor: Visitor) -> None:
    answer = await visitor.publish({"data": encoded(b"x")}, path=f"{PUBLISH}?alt=json")
    assert answer.status == 200


@pytest.mark.parametrize("form", ["-_-_", "+/+/", "-_8", "-_8=", "+/8="])
async def test_both_alphabets_of_base64_are_read_with_and_without_padding(
    visitor: Visitor, form: str
) -> None:
    """Google's JSON reads both, and gcloud sends the one for URLs."""
    assert (await visitor.publish({"data": form})).status == 200
    ((data, _),) = await visitor.arrived(1)
    assert data in {b"\xfb\xff\xbf", b"\xfb\xff"}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"data": "a b!"}, "data is not base64"),
        ({"data": "ä"}, "data is not base64"),
        ({"data": "A"}, "data is not base64"),
        ({"data": 7}, "data must be a base64 string"),
        ({"data": "eA==", "attributes": ["a"]}, "attributes must be an object of strings"),
        ({"data": "eA==", "attributes": {"a": 1}}, "attributes must be an object of strings"),
        ({"data": "eA==", "attributes": {"googx": "1"}}, "is reserved"),
        ({}, "needs data or at least one attribute"),
    ],
)
async def test_a_bad_message_is_refused_with_the_reason(
    visitor: Visitor, message: Any, reason: str
) -> None:
    answer = await visitor.publish(message)
    assert answer.status == 400
    assert reason in answer.error


async def test_one_undecodable_message_keeps_all_of_its_request_out(visitor: Visitor) -> None:
    assert (await visitor.publish({"data": encoded(b"good")}, {"data": "!"})).status == 400
    assert visitor.bus.pending() == 0


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"{}", b"3", b"null"])
async def test_a_body_without_messages_is_refused(visitor: Visitor, body: bytes) -> None:
    answer = await visitor.ask("POST", PUBLISH, body)
    assert (answer.status, answer.error) == (400, "the body must be {messages: [...]}")


@pytest.mark.parametrize("body", [b'{"messages": 3}', b'{"messages": ["x"]}'])
async def test_messages_that_are_no_objects_are_refused(visitor: Visitor, body: bytes) -> None:
    answer = await visitor.ask("POST", PUBLISH, body)
    assert (answer.status, answer.error) == (400, "messages must be a list of objects")


async def test_an_unknown_topic_is_not_found_and_named(visitor: Visitor) -> None:
    path = PUBLISH.replace("ticks", "nobody")
    answer = await visitor.publish({"data": encoded(b"x")}, path=path)
    assert answer.status == 404
    assert answer.error == "there is no topic 'nobody'"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/"),
        ("POST", "/v1/projects/p/topics/ticks"),
        ("POST", "/v1/projects/p/topics/a/b:publish"),
        ("GET", "/v1/projects/p/topics/ticks:publish"),
        ("GET", "/v1/projects/p/databases/other/documents/runs"),
    ],
)
async def test_what_the_door_does_not_know_is_not_found(
    visitor: Visitor, method: str, path: str
) -> None:
    answer = await visitor.ask(method, path, b"{}")
    assert (answer.status, answer.error) == (404, f"there is nothing at {path}")


@pytest.mark.parametrize("length", ["-1", "many", "1.5", "²", ""])
async def test_a_length_that_is_no_number_is_refused(visitor: Visitor, length: str) -> None:
    answer = await visitor.ask_with({"Content-Length": length.encode("latin-1").decode("latin-1")})
    assert (answer.status, answer.error) == (411, "the request needs a Content-Length")


async def test_a_body_without_length_is_refused(visitor: Visitor) -> None:
    assert (await visitor.ask_with({"Transfer-Encoding": "chunked"})).status == 411


async def test_a_body_beyond_the_limit_is_refused_unread(visitor: Visitor) -> None:
    answer = await visitor.ask_with({"Content-Length": str(door.BODY_BYTES_MAX + 1)})
    assert (answer.status, answer.error) == (413, f"over {door.BODY_BYTES_MAX} bytes")


async def test_a_document_is_shown_as_plain_json(visitor: Visitor) -> None:
    await visitor.store.commit([Put("runs/r1", {"state": "DONE", "orders": ["o1"]})])
    answer = await visitor.ask("GET", f"{DOCUMENTS}/runs/r1")
    assert (answer.status, answer.body) == (200, {"state": "DONE", "orders": ["o1"]})


async def test_a_collection_is_shown_by_path(visitor: Visitor) -> None:
    await visitor.store.commit([Put("runs/r1", {"n": 1}), Put("runs/r2", {"n": 2})])
    answer = await visitor.ask("GET", f"{DOCUMENTS}/runs/")
    assert answer.body == {"runs/r1": {"n": 1}, "runs/r2": {"n": 2}}


async def test_brackets_may_be_escaped_in_the_path(visitor: Visitor) -> None:
    escaped = DOCUMENTS.replace("(", "%28").replace(")", "%29")
    assert (await visitor.ask("GET", f"{escaped}/runs")).body == {}


async def test_a_document_that_is_not_there_is_not_found(visitor: Visitor) -> None:
    answer = await visitor.ask("GET", f"{DOCUMENTS}/runs/none")
    assert (answer.status, answer.error) == (404, "there is no document runs/none")


@pytest.mark.parametrize("path", ["a//b", "a//b/c", "./..", "a/__b__"])
async def test_a_path_that_no_document_can_have_is_refused(visitor: Visitor, path: str) -> None:
    assert (await visitor.ask("GET", f"{DOCUMENTS}/{path}")).status in {400, 404}


async def test_a_closed_bus_is_unavailable_not_a_crash(visitor: Visitor) -> None:
    await visitor.bus.close()
    answer = await visitor.publish({"data": encoded(b"x")})
    assert (answer.status, answer.error) == (503, "the embedded bus is closed")


async def test_after_closing_nobody_answers() -> None:
    bus, store = EmbeddedBus(":memory:", TOPOLOGY), EmbeddedStore(":memory:")
    with door.opened(bus, store, asyncio.get_running_loop()) as host:
        pass
    with pytest.raises(ConnectionError):
        await Visitor(host, bus, store).ask("GET", "/")
    await bus.close()
    await store.close()

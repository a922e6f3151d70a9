"""What the suite over all stores cannot show: a Firestore that does not answer."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from gateway.ports import Create, Put, Store, Unavailable
from gateway.store import GoogleStore, StoreSettings

IMPATIENT = StoreSettings(
    call_deadline_seconds=0.3,
    query_deadline_seconds=0.3,
    transaction_deadline_seconds=0.3,
    rollback_deadline_seconds=0.1,
)


async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take everything and answer nothing, like a host behind a dead router."""
    await reader.read()
    writer.close()


@pytest.fixture(params=["refusing", "silent"])
async def store(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Store]:
    """A store whose Firestore refuses connections, or accepts them and says nothing."""
    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1] if request.param == "silent" else 1
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{port}")
    store = GoogleStore("demo", settings=IMPATIENT)
    yield store
    await store.close()
    server.close()


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda store: store.get("runs/r1"), id="get"),
        pytest.param(lambda store: store.list("runs"), id="list"),
        pytest.param(lambda store: store.find("runs", "state", "DONE"), id="find"),
        pytest.param(lambda store: store.commit([Create("runs/r1", {})]), id="commit"),
        pytest.param(lambda store: store.transact(["runs/r1"], lambda reads: []), id="transact"),
        pytest.param(lambda store: store.transact([], lambda reads: [Put("a/b", {})]), id="blind"),
    ],
)
async def test_a_call_without_an_answer_is_unavailable(
    store: Store, call: Callable[[Store], Coroutine[Any, Any, Any]]
) -> None:
    async with asyncio.timeout(10):
        with pytest.raises(Unavailable, match="did not answer"):
            await call(store)

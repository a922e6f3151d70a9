"""What the suite over all stores cannot show: a Firestore that does not answer."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest
from google.api_core import exceptions

from gateway.ports import Create, Put, Store, Unavailable
from gateway.store import GoogleStore, StoreSettings, _answered

IMPATIENT = StoreSettings(
    call_deadline_seconds=0.3,
    query_deadline_seconds=0.3,
    transaction_deadline_seconds=0.3,
    rollback_deadline_seconds=0.1,
)


@pytest.fixture(params=["refusing", "silent"])
def host(request: pytest.FixtureRequest) -> Iterator[str]:
    """One that refuses connections, or one that takes them and says nothing, like a dead router."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = 1 if request.param == "refusing" else server.getsockname()[1]
        yield f"127.0.0.1:{port}"


@pytest.fixture
async def store(host: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", host)
    store = GoogleStore("demo", settings=IMPATIENT)
    yield store
    await store.close()


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda store: store.get("runs/r1"), id="get"),
        pytest.param(lambda store: store.read(["runs/r1", "runs/r2"]), id="read"),
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


async def test_an_answer_that_says_nothing_is_unavailable_too() -> None:
    """As of a proxy, or for a project whose name is none."""
    with pytest.raises(Unavailable, match="did not answer about runs/r1"):
        async with _answered("runs/r1", 1):
            raise exceptions.Unknown("None")  # type: ignore[no-untyped-call]


async def test_a_caller_that_gives_up_on_a_transaction_is_obeyed(store: Store) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await store.transact(["runs/r1"], lambda reads: [])

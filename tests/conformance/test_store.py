"""What every store does, whoever made it: `gateway.ports.Store`, held against each one."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from gateway.ports import (
    AlreadyExists,
    Create,
    Delete,
    Document,
    Put,
    QueryStore,
    Reads,
    Store,
    Write,
)

EVERY_TYPE: Document = {
    "text": "Zürich",
    "int": 2**63 - 1,
    "float": 0.1,
    "whole": 1.0,
    "bool": True,
    "nothing": None,
    "list": [1, "two", {"three": [3]}],
    "map": {"a.b": {"265598": -(2**63)}, "empty": {}},
    "empty": [],
}


def nested(levels: int) -> Document:
    """A document with so many maps inside each other."""
    document: Document = {"leaf": 1}
    for _ in range(levels):
        document = {"map": document}
    return document


async def test_a_document_comes_back_as_it_was_put(store: Store) -> None:
    await store.commit([Put("runs/r1", EVERY_TYPE)])
    document = await store.get("runs/r1")
    assert document == EVERY_TYPE
    assert [type(document[key]) for key in EVERY_TYPE] == [type(v) for v in EVERY_TYPE.values()]


async def test_a_time_keeps_its_microseconds_and_comes_back_in_utc(store: Store) -> None:
    new_york = timezone(timedelta(hours=-5))
    await store.commit([Put("runs/r1", {"at": datetime(2026, 11, 23, 9, 30, 0, 123457, new_york)})])
    document = await store.get("runs/r1")
    assert document == {"at": datetime(2026, 11, 23, 14, 30, 0, 123457, UTC)}
    assert type(document["at"]) is datetime
    assert document["at"].utcoffset() == timedelta(0)


async def test_not_a_number_and_infinity_are_stored(store: Store) -> None:
    await store.commit([Put("runs/r1", {"nan": float("nan"), "inf": float("-inf")})])
    document = await store.get("runs/r1")
    assert document is not None
    assert document["nan"] != document["nan"]
    assert document["inf"] == float("-inf")


async def test_an_absent_document_is_none(store: Store) -> None:
    assert await store.get("runs/r1") is None


async def test_several_documents_are_read_at_once_the_absent_ones_as_none(store: Store) -> None:
    await store.commit([Put("runs/r1", EVERY_TYPE), Put("config/paper", {"a": 1})])
    found = await store.read(["config/paper", "runs/r0", "runs/r1", "runs/r0"])
    assert found == {"config/paper": {"a": 1}, "runs/r0": None, "runs/r1": EVERY_TYPE}
    assert await store.read([]) == {}


async def test_an_empty_document_is_there(store: Store) -> None:
    await store.commit([Create("runs/r1", {})])
    assert await store.get("runs/r1") == {}


async def test_a_returned_document_is_a_copy(store: Store) -> None:
    data: Document = {"list": [1]}
    await store.commit([Put("runs/r1", data)])
    data["list"].append(2)
    (await store.get("runs/r1") or {})["list"].append(3)
    assert await store.get("runs/r1") == {"list": [1]}


async def test_put_replaces_the_whole_document(store: Store) -> None:
    await store.commit([Put("runs/r1", {"a": 1, "b": {"c": 2}})])
    await store.commit([Put("runs/r1", {"b": {"d": 3}})])
    assert await store.get("runs/r1") == {"b": {"d": 3}}


async def test_delete_removes_and_does_not_mind_absence(store: Store) -> None:
    await store.commit([Put("runs/r1", {"a": 1}), Put("runs/r2", {})])
    await store.commit([Delete("runs/r1"), Delete("runs/r3")])
    assert list(await store.list("runs")) == ["runs/r2"]


async def test_create_meets_an_existing_document(store: Store) -> None:
    await store.commit([Create("runs/r1", {"by": "first"})])
    with pytest.raises(AlreadyExists, match="runs/r1"):
        await store.commit([Create("runs/r1", {"by": "second"})])
    assert await store.get("runs/r1") == {"by": "first"}


async def test_a_deleted_document_can_be_created_again(store: Store) -> None:
    await store.commit([Create("runs/r1", {"by": "first"})])
    await store.commit([Delete("runs/r1")])
    await store.commit([Create("runs/r1", {"by": "second"})])
    assert await store.get("runs/r1") == {"by": "second"}


async def test_a_commit_that_fails_writes_nothing(store: Store) -> None:
    await store.commit([Create("runs/r1", {}), Create("runs/r2", {"n": 1})])
    with pytest.raises(AlreadyExists):
        await store.commit([Put("runs/r3", {}), Delete("runs/r2"), Create("runs/r1", {"n": 2})])
    assert await store.list("runs") == {"runs/r1": {}, "runs/r2": {"n": 1}}


async def test_an_empty_commit_is_no_error(store: Store) -> None:
    await store.commit([])


async def test_of_racing_creates_exactly_one_wins(store: Store) -> None:
    async def create(number: int) -> int | None:
        try:
            await store.commit([Create("leases/paper", {"owner": number})])
        except AlreadyExists:
            return None
        return number

    winners = [n for n in await asyncio.gather(*map(create, range(10))) if n is not None]
    assert [await store.get("leases/paper")] == [{"owner": winner} for winner in winners]


# ---------------------------------------------------------------------- transactions


async def test_a_transaction_writes_by_what_it_read_and_returns_it(store: Store) -> None:
    await store.commit([Put("books/a", {"quantity": 3})])

    def move(reads: Reads) -> Sequence[Write]:
        book = reads["books/a"]
        assert book is not None
        assert reads["books/b"] is None
        return [Delete("books/a"), Create("books/b", {"quantity": book["quantity"] + 1})]

    seen = await store.transact(["books/a", "books/b"], move)
    assert seen == {"books/a": {"quantity": 3}, "books/b": None}
    assert await store.list("books") == {"books/b": {"quantity": 4}}


async def test_a_transaction_may_only_read(store: Store) -> None:
    await store.commit([Put("books/a", {"quantity": 3})])
    assert await store.transact(["books/a"], lambda reads: []) == {"books/a": {"quantity": 3}}


async def test_a_transaction_may_only_write(store: Store) -> None:
    assert await store.transact([], lambda reads: [Create("books/a", {"quantity": 1})]) == {}
    assert await store.get("books/a") == {"quantity": 1}


async def test_racing_transactions_lose_no_update(store: Store) -> None:
    await store.commit([Put("books/a", {"quantity": 0})])

    def add_one(reads: Reads) -> Sequence[Write]:
        book = reads["books/a"] or {}
        return [Put("books/a", {"quantity": book["quantity"] + 1})]

    await asyncio.gather(*(store.transact(["books/a"], add_one) for _ in range(2)))
    assert await store.get("books/a") == {"quantity": 2}


async def test_what_decide_raises_comes_out_and_nothing_is_written(store: Store) -> None:
    def refuse(reads: Reads) -> Sequence[Write]:
        raise PermissionError("not the owner of the lease")

    with pytest.raises(PermissionError, match="not the owner"):
        await store.transact(["leases/paper"], refuse)
    await store.commit([Create("leases/paper", {})])  # no lock is left behind


async def test_a_create_in_a_transaction_meets_an_existing_document(store: Store) -> None:
    await store.commit([Create("orders/o1", {"by": "first"})])
    with pytest.raises(AlreadyExists):
        await store.transact(
            ["books/a"], lambda reads: [Put("books/a", {}), Create("orders/o1", {"by": "second"})]
        )
    assert await store.get("books/a") is None
    assert await store.get("orders/o1") == {"by": "first"}


async def test_of_transactions_that_race_to_create_one_wins(store: Store) -> None:
    def take(reads: Reads) -> Sequence[Write]:
        return [] if reads["leases/paper"] else [Create("leases/paper", {"epoch": 1})]

    seen = await asyncio.gather(*(store.transact(["leases/paper"], take) for _ in range(2)))
    assert sorted(reads["leases/paper"] is None for reads in seen) == [False, True]


# ---------------------------------------------------------------------- list and find


async def test_a_list_has_direct_children_only_ordered_by_path(store: Store) -> None:
    paths = ["positions/paper", "positions/live", "positions/paper/holdings/EXTERNAL", "runs/r1"]
    await store.commit([Put(path, {"path": path}) for path in paths])
    assert list((await store.list("positions")).items()) == [
        ("positions/live", {"path": "positions/live"}),
        ("positions/paper", {"path": "positions/paper"}),
    ]
    assert list(await store.list("positions/paper/holdings")) == [paths[2]]
    assert await store.list("positions/live/holdings") == {}


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        ("state", "DONE", ["orders/1", "orders/3"]),
        ("contract.con_id", 265598, ["orders/1", "orders/2"]),
        ("contract.con_id", 265598.0, ["orders/1", "orders/2"]),
        ("live", True, ["orders/2"]),
        ("live", 1, ["orders/3"]),
        ("live", None, ["orders/1"]),
        ("shares.7", 5, ["orders/3"]),
        ("legs", [1, 2], ["orders/1"]),
        ("contract", {"con_id": 265598}, ["orders/1"]),
        ("at", datetime(2026, 1, 2, tzinfo=UTC), ["orders/2"]),
        ("absent", None, []),
        ("state.deeper", "DONE", []),
    ],
)
async def test_find_compares_as_firestore_does(
    store: Store, field: str, value: object, found: list[str]
) -> None:
    documents: dict[str, dict[str, Any]] = {
        "1": {"state": "DONE", "contract": {"con_id": 265598}, "live": None, "legs": [1, 2]},
        "2": {
            "state": "WORKING",
            "contract": {"con_id": 265598, "symbol": "ES"},
            "live": True,
            "legs": [1],
            "at": datetime(2026, 1, 2, tzinfo=UTC),
        },
        "3": {"state": "DONE", "live": 1, "shares": {"7": 5}, "legs": [2, 1]},
    }
    await store.commit([Put(f"orders/{name}", data) for name, data in documents.items()])
    assert list(await store.find("orders", field, value)) == found


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "path", ["runs", "runs/r1/orders", "", "runs/", "/runs/r1", "runs/..", "runs/__x__"]
)
async def test_what_is_no_document_path_is_refused(store: Store, path: str) -> None:
    with pytest.raises(ValueError, match=r"segment"):
        await store.get(path)
    with pytest.raises(ValueError, match=r"segment"):
        await store.commit([Put(path, {})])
    with pytest.raises(ValueError, match=r"segment"):
        await store.transact([path], lambda reads: [])


async def test_what_is_no_collection_path_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="no collection path"):
        await store.list("runs/r1")
    with pytest.raises(ValueError, match="no collection path"):
        await store.find("runs/r1", "field", 1)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({"money": Decimal("1.5")}, id="a Decimal"),
        pytest.param({"at": datetime(2026, 1, 2)}, id="a naive time"),  # noqa: DTZ001
        pytest.param({"at": datetime(2026, 1, 2, tzinfo=UTC).date()}, id="a date"),
        pytest.param({"list": [[1]]}, id="a list in a list"),
        pytest.param({"list": [1, {"deep": [{"deeper": {1: 2}}]}]}, id="a key that is no text"),
        pytest.param({"int": 2**63}, id="an int over 64 bits"),
        pytest.param({"int": -(2**63) - 1}, id="an int under 64 bits"),
        pytest.param({"text": "x" * 1_048_577}, id="over 1 MiB"),
        pytest.param({"text": "\ud800"}, id="half a surrogate pair"),
        pytest.param(nested(21), id="21 levels below the document"),
        pytest.param({"__name__": 1}, id="a reserved field name"),
        pytest.param({"": 1}, id="an empty field name"),
        pytest.param({"set": {1, 2}}, id="a set"),
    ],
)
async def test_what_firestore_cannot_hold_is_a_value_error_that_names_the_document(
    store: Store, data: Document
) -> None:
    with pytest.raises(ValueError, match="runs/r2"):
        await store.commit([Put("runs/r1", {}), Put("runs/r2", data)])
    assert await store.get("runs/r1") is None


async def test_the_deepest_document_allowed_is_stored(store: Store) -> None:
    await store.commit([Put("runs/r1", nested(20))])
    assert await store.get("runs/r1") == nested(20)


async def test_a_document_of_almost_1_mib_is_stored(store: Store) -> None:
    await store.commit([Put("runs/r1", {"text": "x" * 1_048_000})])
    assert await store.find("runs", "text", "short") == {}


async def test_the_newest_are_those_with_the_highest_value_highest_first(
    store: QueryStore,
) -> None:
    days = {f"runs/r{day}": {"at": datetime(2026, 1, day, tzinfo=UTC)} for day in (3, 1, 4, 2)}
    await store.commit([Put(path, data) for path, data in days.items()])
    await store.commit([Put("runs/without", {}), Put("orders/r9", days["runs/r4"])])
    found = await store.newest("runs", "at", 3)
    assert list(found) == ["runs/r4", "runs/r3", "runs/r2"]
    assert found["runs/r4"] == days["runs/r4"]
    assert await store.newest("runs", "elsewhere", 3) == {}


async def test_the_time_of_the_store_is_now_aware_and_in_utc(store: QueryStore) -> None:
    told = await store.time()
    assert type(told) is datetime
    assert told.utcoffset() == timedelta(0)
    assert abs(told - datetime.now(UTC)) < timedelta(minutes=1)

"""What the watching functions read and write, over the embedded store and Firestore's emulator."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from functions import cloud
from functions.watching import Records
from infra.local.watchers import over_file

AT = datetime(2026, 1, 9, 17, tzinfo=UTC)


@pytest.fixture
def records(
    implementation: str, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Records]:
    """Fresh ones of each kind."""
    if implementation == "embedded":
        yield over_file(tmp_path / "store.sqlite")
        return
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", project)
    cloud.records.cache_clear()
    yield cloud.records()
    cloud.records.cache_clear()


def test_what_is_put_is_got_whole(records: Records) -> None:
    assert records.get("alerts/a") is None
    records.put("alerts/a", {"alert": "x", "at": AT, "gone": 1})
    records.put("alerts/a", {"alert": "y", "at": AT})
    found = records.get("alerts/a")
    assert found == {"alert": "y", "at": AT}
    assert type(found["at"]) is datetime  # Firestore's own subclass is none for the codec


def test_documents_are_found_by_time_and_by_one_of_several_values(records: Records) -> None:
    for number in range(4):
        at = AT + timedelta(minutes=number)
        records.put(f"runs/r{number}", {"started_at": at, "state": f"s{number % 3}"})
    since = records.since("runs", "started_at", AT + timedelta(minutes=2))
    assert sorted(found["state"] for found in since) == ["s0", "s2"]
    among = records.among("runs", "state", ["s1", "s2"])
    assert sorted(found["state"] for found in among) == ["s1", "s2"]
    assert records.among("positions/paper/openOrders", "state", ["WORKING"]) == []


def put_elsewhere(records: Records, document: dict[str, Any]) -> None:
    """By another instance: in a thread of its own."""
    with ThreadPoolExecutor(max_workers=1) as other:
        other.submit(records.put, "alerts/a", document).result(30)


def counted(found: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"count": found["count"] + 1 if found else 1}


def test_a_change_sees_what_was_there(records: Records) -> None:
    for _ in range(3):
        records.change("alerts/a", counted)
    assert records.get("alerts/a") == {"count": 3}


def test_a_change_that_decides_nothing_writes_nothing(records: Records) -> None:
    records.change("alerts/a", lambda found: None)
    assert records.get("alerts/a") is None


@pytest.mark.parametrize("exists", [False, True])
def test_a_write_that_comes_between_is_seen_and_not_overwritten(
    records: Records, exists: bool
) -> None:
    """Two instances told of one alert: only one of them tells it."""
    if exists:
        records.put("alerts/a", {"count": 10})
    seen: list[Any] = []

    def interrupted(found: Any) -> dict[str, Any]:
        seen.append(found)
        if len(seen) == 1:
            put_elsewhere(records, {"count": 20})
        return counted(found)

    records.change("alerts/a", interrupted)
    assert seen == [{"count": 10} if exists else None, {"count": 20}]
    assert records.get("alerts/a") == {"count": 21}


def endless(records: Records) -> Callable[[Any], dict[str, Any]]:
    def decide(found: Any) -> dict[str, Any]:
        put_elsewhere(records, counted(found))
        return counted(found)

    return decide


def test_a_change_that_others_never_let_through_is_raised(records: Records) -> None:
    with pytest.raises(Exception, match=r"between|again|Conflict|times|alerts/a"):
        records.change("alerts/a", endless(records))

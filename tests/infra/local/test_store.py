"""What the embedded store does beyond every store: several handles on one file, and restarts."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.ports import Conflict, Create, Delete, Put, Reads, Unavailable, Write
from infra.local import store as embedded
from infra.local.store import EmbeddedStore

ROOT = Path(__file__).parents[3]


def meanwhile(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run to the end on another thread: another writer, between our read and our write."""
    thread = threading.Thread(target=asyncio.run, args=(coroutine,))
    thread.start()
    thread.join()


async def write(path: Path, *writes: Write) -> None:
    store = EmbeddedStore(path)
    await store.commit(writes)
    await store.close()


async def test_a_transaction_decides_again_when_another_wrote_what_it_read(tmp_path: Path) -> None:
    path, seen = tmp_path / "store.db", list[Reads]()
    store = EmbeddedStore(path)

    def decide(reads: Reads) -> Sequence[Write]:
        if not seen:
            meanwhile(write(path, Put("books/a", {"quantity": 7})))
        seen.append(reads)
        return [Put("books/b", reads["books/a"] or {})]

    returned = await store.transact(["books/a"], decide)
    assert seen == [{"books/a": None}, {"books/a": {"quantity": 7}}]
    assert returned == seen[-1]
    assert await store.get("books/b") == {"quantity": 7}
    await store.close()


async def test_a_document_deleted_and_made_anew_conflicts_even_if_it_looks_the_same(
    tmp_path: Path,
) -> None:
    path, passes = tmp_path / "store.db", list[Reads]()
    await write(path, Put("books/a", {}))
    store = EmbeddedStore(path)

    def decide(reads: Reads) -> Sequence[Write]:
        if not passes:
            meanwhile(write(path, Delete("books/a"), Create("books/a", {})))
        passes.append(reads)
        return []

    await store.transact(["books/a"], decide)
    assert len(passes) == 2
    await store.close()


async def test_a_transaction_that_always_loses_gives_up_with_nothing_written(
    tmp_path: Path,
) -> None:
    path, passes = tmp_path / "store.db", list[Reads]()
    store = EmbeddedStore(path)

    def decide(reads: Reads) -> Sequence[Write]:
        passes.append(reads)
        meanwhile(write(path, Put("books/a", {"pass": len(passes)})))
        return [Put("books/b", {})]

    with pytest.raises(Conflict, match="books/a"):
        await store.transact(["books/a"], decide)
    assert len(passes) == embedded.TRANSACTION_ATTEMPTS_MAX
    assert await store.get("books/b") is None
    await store.close()


async def test_what_others_write_elsewhere_is_no_conflict(tmp_path: Path) -> None:
    path, passes = tmp_path / "store.db", list[Reads]()
    store = EmbeddedStore(path)

    def decide(reads: Reads) -> Sequence[Write]:
        passes.append(reads)
        meanwhile(write(path, Put("books/z", {})))
        return []

    await store.transact(["books/a"], decide)
    assert len(passes) == 1
    await store.close()


OPENING = """
import pathlib, sys
from infra.local.store import EmbeddedStore

for number in range(100):
    sys.stdin.readline()
    EmbeddedStore(pathlib.Path(sys.argv[1]) / str(number))
    print(flush=True)
"""


def test_processes_that_make_a_store_at_once_wait_for_each_other(tmp_path: Path) -> None:
    """SQLite's busy timeout does not cover the turn to write-ahead logging."""
    command = [sys.executable, "-c", OPENING, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    openers = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(3)]  # type: ignore[call-overload]
    for _ in range(100):
        for opener in openers:
            opener.stdin.write("\n")
            opener.stdin.flush()
        for opener in openers:
            assert opener.stdout.readline() == "\n"
    for opener in openers:
        opener.communicate()
        assert opener.returncode == 0


COUNTING = """
import asyncio, pathlib, sys
from gateway.ports import Put
from infra.local.store import EmbeddedStore

async def main():
    store = EmbeddedStore(pathlib.Path(sys.argv[1]))
    for number in range(100):
        await store.transact(["books/a"], lambda reads: [
            Put("books/a", {"quantity": (reads["books/a"] or {"quantity": 0})["quantity"] + 1}),
        ])

asyncio.run(main())
"""


async def test_two_processes_lose_none_of_each_others_updates(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    command = [sys.executable, "-c", COUNTING, str(path)]
    processes = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    codes = [process.wait() for process in processes]
    store = EmbeddedStore(path)
    assert codes == [0, 0]
    assert await store.get("books/a") == {"quantity": 200}
    await store.close()


KILLED = """
import asyncio, os, pathlib, signal, sys
from gateway.ports import Create
from infra.local.store import EmbeddedStore

async def main():
    await EmbeddedStore(pathlib.Path(sys.argv[1])).commit([Create("runs/r1", {"n": 1})])
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_a_killed_process_loses_no_commit_that_returned(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    killed = subprocess.run([sys.executable, "-c", KILLED, path], cwd=ROOT, check=False)
    assert killed.returncode == -9
    store = EmbeddedStore(path)
    assert await store.get("runs/r1") == {"n": 1}
    await store.close()


async def test_a_file_locked_too_long_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "LOCK_WAIT_SECONDS", 0.0)
    first, second = (EmbeddedStore(tmp_path / "store.db") for _ in range(2))

    def decide(reads: Reads) -> Sequence[Write]:
        return [Put("runs/r1", {})]

    with first._transaction("BEGIN IMMEDIATE"), pytest.raises(Unavailable, match="locked"):
        await second.transact([], decide)
    await second.transact([], decide)
    await first.close()
    await second.close()

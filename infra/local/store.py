"""Firestore in this process, on SQLite: the store of the demo and of tests.

The same semantics as `gateway.store` (one conformance suite holds both to it): documents,
create-if-absent, atomic commits, optimistic transactions. Several handles and several processes may
open one file; each write stamps its document with a version from one counter per file, and a
transaction commits only if all that it read still has the version that it saw.
"""

import asyncio
import contextlib
import json
import math
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from gateway.ports import (
    AlreadyExists,
    Conflict,
    Create,
    Delete,
    Document,
    Reads,
    Unavailable,
    Write,
)
from gateway.store_rules import (
    check_collection_path,
    check_document_path,
    check_field,
    check_value,
    check_writes,
)

TRANSACTION_ATTEMPTS_MAX = 5  # as Google's client
# Another process holds the file's write lock for the microseconds of one commit; waiting longer
# than this means that it is stopped in a debugger, and we must not freeze our own loop with it.
LOCK_WAIT_SECONDS = 2.0
LOCK_RETRY_SECONDS = 0.005

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    path TEXT PRIMARY KEY, collection TEXT NOT NULL, version INTEGER NOT NULL, data TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS documents_by_collection ON documents (collection, path);
CREATE TABLE IF NOT EXISTS versions (latest INTEGER NOT NULL);
INSERT INTO versions SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM versions);
"""
_ABSENT = 0
_TIME_KEY = "__time__"  # no document has such a key: names like this are reserved


class EmbeddedStore:
    """A `gateway.ports.Store` on one SQLite file, or in memory.

    Used from the thread that made it. A killed process loses no commit that had returned; a power
    cut may lose the last ones. Raises `Unavailable` where the file is locked too long or broken.
    """

    def __init__(self, path: Path | Literal[":memory:"]) -> None:
        self._database = sqlite3.connect(path, timeout=LOCK_WAIT_SECONDS, isolation_level=None)
        with _available():
            self._write_ahead()
            # The operating system keeps what a killed process wrote; only fsync outlives a power
            # cut, and this store holds no real money.
            self._database.execute("PRAGMA synchronous = NORMAL")
        with self._transaction("BEGIN IMMEDIATE"):
            for statement in filter(str.strip, _SCHEMA.split(";")):
                self._database.execute(statement)

    async def get(self, path: str) -> Document | None:
        """The document, or None. Raises `ValueError` for a path with an odd number of segments."""
        check_document_path(path)
        await _yield_once()
        with _available():
            return self._read(path)[1]

    async def read(self, paths: Sequence[str]) -> Reads:
        """Several documents in one call; see `gateway.ports.Store.read`."""
        for path in paths:
            check_document_path(path)
        await _yield_once()
        return self._snapshot(paths)[1]

    async def list(self, collection: str) -> Mapping[str, Document]:
        """All documents directly in a collection, path -> document, ordered by path."""
        check_collection_path(collection)
        await _yield_once()
        with _available():
            return {path: _decoded(data) for path, data in self._rows(collection)}

    async def find(self, collection: str, field: str, value: object) -> Mapping[str, Document]:
        """Documents of a collection whose (dotted) field equals a value, ordered by path."""
        check_field(field)
        check_value(value)
        documents = await self.list(collection)
        return {
            path: document
            for path, document in documents.items()
            if _equal(_field(document, field.split(".")), value)
        }

    async def newest(self, collection: str, field: str, count: int) -> Mapping[str, Document]:
        """The documents with the highest values of a field; see `ports.Store.newest`."""
        check_field(field)
        documents = await self.list(collection)
        valued = [
            (value, path)
            for path, document in documents.items()
            if (value := _field(document, field.split("."))) is not NotImplemented
        ]
        return {path: documents[path] for _, path in sorted(valued, reverse=True)[:count]}

    async def time(self) -> datetime:
        """What time the store says it is: the machine's."""
        await _yield_once()
        return datetime.now(UTC)

    async def commit(self, writes: Sequence[Write]) -> None:
        """Apply all writes or none. Raises `AlreadyExists` if a `Create` meets a document."""
        check_writes(writes)
        await _yield_once()
        self._apply(writes, {})

    async def transact(
        self, reads: Sequence[str], decide: Callable[[Reads], Sequence[Write]]
    ) -> Reads:
        """Read, decide, write, atomically; see `gateway.ports.Store.transact`.

        Nothing is awaited between read and write, so only other processes and handles conflict.
        """
        for path in reads:
            check_document_path(path)
        await _yield_once()
        for _ in range(TRANSACTION_ATTEMPTS_MAX):
            versions, documents = self._snapshot(reads)
            writes = decide(documents)
            check_writes(writes)
            if self._apply(writes, versions):
                return documents
        raise Conflict(
            f"{', '.join(reads)}: lost {TRANSACTION_ATTEMPTS_MAX} times to other writers"
        )

    async def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _write_ahead(self) -> None:
        """Turn the write-ahead log on; SQLite waits for no lock there, so we do."""
        end = time.monotonic() + LOCK_WAIT_SECONDS
        while True:
            try:
                self._database.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(LOCK_RETRY_SECONDS)
            else:
                return

    def _snapshot(self, paths: Sequence[str]) -> tuple[dict[str, int], dict[str, Document | None]]:
        with self._transaction("BEGIN"):
            found = {path: self._read(path) for path in paths}
        versions = {path: version for path, (version, _) in found.items()}
        return versions, {path: document for path, (_, document) in found.items()}

    def _apply(self, writes: Sequence[Write], versions: Mapping[str, int]) -> bool:
        """Write everything, unless a document no longer has the version that was read."""
        with self._transaction("BEGIN IMMEDIATE"):
            if any(self._version(path) != version for path, version in versions.items()):
                return False
            self._database.execute("UPDATE versions SET latest = latest + 1")
            for write in writes:
                self._write(write)
            return True

    def _write(self, write: Write) -> None:
        if isinstance(write, Delete):
            self._database.execute("DELETE FROM documents WHERE path = ?", (write.path,))
            return
        if isinstance(write, Create) and self._version(write.path) != _ABSENT:
            raise AlreadyExists(f"{write.path} exists already")
        self._database.execute(
            "INSERT OR REPLACE INTO documents SELECT ?, ?, latest, ? FROM versions",
            (write.path, write.path.rpartition("/")[0], _encoded(write.data)),
        )

    def _read(self, path: str) -> tuple[int, Document | None]:
        row = self._database.execute(
            "SELECT version, data FROM documents WHERE path = ?", (path,)
        ).fetchone()
        return (row[0], _decoded(row[1])) if row else (_ABSENT, None)

    def _version(self, path: str) -> int:
        row = self._database.execute(
            "SELECT version FROM documents WHERE path = ?", (path,)
        ).fetchone()
        return int(row[0]) if row else _ABSENT

    def _rows(self, collection: str) -> Iterator[tuple[str, str]]:
        yield from self._database.execute(
            "SELECT path, data FROM documents WHERE collection = ? ORDER BY path", (collection,)
        )

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        with _available():
            self._database.execute(begin)
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")


@contextlib.contextmanager
def _available() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise Unavailable(f"the embedded store failed: {error}") from error


async def _yield_once() -> None:
    """Let other tasks run, as they do while a real store answers: hides no missing lock."""
    await asyncio.sleep(0)


def _encoded(data: Document) -> str:
    return json.dumps(data, default=_encoded_time, separators=(",", ":"))


def _encoded_time(value: datetime) -> dict[str, str]:
    return {_TIME_KEY: value.astimezone(UTC).isoformat()}


def _decoded(text: str) -> Document:
    document: Document = json.loads(text, object_hook=_decoded_map)
    return document


def _decoded_map(data: dict[str, object]) -> object:
    time = data.get(_TIME_KEY)
    return datetime.fromisoformat(time) if isinstance(time, str) else data


def _field(document: object, names: Sequence[str]) -> object:
    """The value at a field path; `NotImplemented`, which equals nothing stored, where absent."""
    for name in names:
        if not isinstance(document, dict) or name not in document:
            return NotImplemented
        document = document[name]
    return document


def _equal(one: object, other: object) -> bool:
    """Firestore's equality: 1 equals 1.0 but not True, and NaN equals NaN."""
    match one, other:
        case bool(), _:
            return one is other
        case _, bool():
            return False
        case dict(), dict():
            return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
        case list(), list() | tuple():
            return len(one) == len(other) and all(map(_equal, one, other))
        case float(), float() if math.isnan(one):
            return math.isnan(other)
    return one == other

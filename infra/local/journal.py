"""The embedded bus's memory: messages and who has yet to acknowledge them, in SQLite."""

import contextlib
import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, data BLOB NOT NULL, attributes TEXT NOT NULL,
    publish_time TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS deliveries (
    subscription TEXT NOT NULL, message INTEGER NOT NULL, attempts INTEGER NOT NULL,
    PRIMARY KEY (subscription, message)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deliveries_by_message ON deliveries (message);
"""


@dataclass(frozen=True, slots=True)
class Message:
    """What was published. `publish_time` is wall time."""

    data: bytes
    attributes: Mapping[str, str]
    publish_time: datetime


class Journal:
    """Every message that some subscription has not acknowledged, with its count of attempts.

    One process at a time: the file is locked while it is open, because leases live in the memory
    of the process that gave them. Raises `RuntimeError` when another process has it.
    """

    def __init__(self, path: Path | Literal[":memory:"]) -> None:
        self._database = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            # A killed process loses nothing that it wrote; only a power cut would, without fsync.
            for pragma in (
                "locking_mode = EXCLUSIVE",
                "journal_mode = WAL",
                "synchronous = NORMAL",
            ):
                self._database.execute(f"PRAGMA {pragma}")
            with self._transaction():
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    self._database.execute(statement)
        except sqlite3.OperationalError as error:
            self._database.close()
            raise RuntimeError(f"cannot open the embedded bus at {path}: {error}") from error

    def forget(self, kept: Collection[str], older_than: datetime) -> None:
        """Drop what no subscription of `kept` waits for, and what was published too long ago."""
        with self._transaction():
            for (name,) in self._rows("SELECT DISTINCT subscription FROM deliveries"):
                if name not in kept:
                    self._run("DELETE FROM deliveries WHERE subscription = ?", name)
            self._run("DELETE FROM messages WHERE publish_time < ?", _text(older_than))
            self._run("DELETE FROM deliveries WHERE message NOT IN (SELECT id FROM messages)")
            self._run("DELETE FROM messages WHERE id NOT IN (SELECT message FROM deliveries)")

    def backlog(self, subscription: str) -> Sequence[tuple[int, int]]:
        """Message ids and attempts so far of what is not acknowledged, oldest first."""
        return self._rows(
            "SELECT message, attempts FROM deliveries WHERE subscription = ? ORDER BY message",
            subscription,
        )

    def publish(self, message: Message, subscriptions: Collection[str]) -> int:
        """Keep a message for these subscriptions; its id."""
        with self._transaction():
            return self._publish(message, subscriptions)

    def message(self, message_id: int) -> Message:
        """The message under an id that some subscription has not acknowledged."""
        ((data, attributes, publish_time),) = self._rows(
            "SELECT data, attributes, publish_time FROM messages WHERE id = ?", message_id
        )
        return Message(data, json.loads(attributes), datetime.fromisoformat(publish_time))

    def attempted(self, subscription: str, message_id: int, attempts: int) -> None:
        """Remember the count before the delivery, so that a crash in it counts too."""
        self._run(
            "UPDATE deliveries SET attempts = ? WHERE subscription = ? AND message = ?",
            attempts,
            subscription,
            message_id,
        )

    def settle(self, subscription: str, message_id: int) -> None:
        """One subscription is done with a message; the last one removes it."""
        with self._transaction():
            self._settle(subscription, message_id)

    def move(
        self, source: tuple[str, int], message: Message, subscriptions: Collection[str]
    ) -> int:
        """Settle (subscription, message id) and publish `message` instead, both or neither."""
        with self._transaction():
            self._settle(*source)
            return self._publish(message, subscriptions)

    def close(self) -> None:
        """Close the file, and let others open it."""
        self._database.close()

    def _publish(self, message: Message, subscriptions: Collection[str]) -> int:
        row_id = self._run(
            "INSERT INTO messages (data, attributes, publish_time) VALUES (?, ?, ?)",
            message.data,
            json.dumps(dict(message.attributes)),
            _text(message.publish_time),
        ).lastrowid
        assert row_id is not None, "SQLite numbers every insert"
        for name in subscriptions:
            self._run("INSERT INTO deliveries VALUES (?, ?, 0)", name, row_id)
        if not subscriptions:
            self._run("DELETE FROM messages WHERE id = ?", row_id)
        return row_id

    def _settle(self, subscription: str, message_id: int) -> None:
        self._run(
            "DELETE FROM deliveries WHERE subscription = ? AND message = ?",
            subscription,
            message_id,
        )
        self._run(
            "DELETE FROM messages WHERE id = ?"
            " AND NOT EXISTS (SELECT 1 FROM deliveries WHERE message = messages.id)",
            message_id,
        )

    def _run(self, sql: str, *values: object) -> sqlite3.Cursor:
        return self._database.execute(sql, values)

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self._run(sql, *values).fetchall()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._run("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._run("ROLLBACK")
            raise
        self._run("COMMIT")


def _text(time: datetime) -> str:
    """Always with six decimals, so that texts of UTC times sort as the times do."""
    return time.isoformat(timespec="microseconds")

"""The embedded bus's file."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.local.journal import Journal, Message

MESSAGE = Message(b"\x00data", {"key": "Zoë"}, datetime(2026, 11, 23, 14, 30, tzinfo=UTC))


def test_a_message_comes_back_as_it_went_in() -> None:
    journal = Journal(":memory:")
    assert journal.message(journal.publish(MESSAGE, ["ticks"])) == MESSAGE
    journal.close()


def test_a_backlog_is_in_order_with_its_attempts() -> None:
    journal = Journal(":memory:")
    first, second = (journal.publish(MESSAGE, ["ticks"]) for _ in range(2))
    journal.attempted("ticks", second, 3)
    assert journal.backlog("ticks") == [(first, 0), (second, 3)]
    journal.close()


def test_a_message_stays_until_its_last_subscription_settles_it() -> None:
    journal = Journal(":memory:")
    message_id = journal.publish(MESSAGE, ["first", "second"])
    journal.settle("first", message_id)
    assert journal.message(message_id) == MESSAGE
    journal.settle("second", message_id)
    with pytest.raises(ValueError, match="unpack"):
        journal.message(message_id)
    journal.close()


def test_a_move_settles_here_and_publishes_there() -> None:
    journal = Journal(":memory:")
    message_id = journal.publish(MESSAGE, ["ticks"])
    letter_id = journal.move(("ticks", message_id), MESSAGE, ["dead-letters"])
    assert journal.backlog("ticks") == []
    assert journal.backlog("dead-letters") == [(letter_id, 0)]
    journal.close()


def test_a_file_that_another_has_open_is_refused(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "bus.db")
    with pytest.raises(RuntimeError, match=r"bus\.db"):
        Journal(tmp_path / "bus.db")
    journal.close()
    Journal(tmp_path / "bus.db").close()

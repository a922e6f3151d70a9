"""What waits for the loop: in the order of arrival, a batch at a time."""

import pytest

from gateway.core.broker import Connection
from gateway.inbox import ControlWritten, Inbox, Reconnected

UP, DOWN = Connection(up=True, reason="connected"), Connection(up=False, reason="lost")


async def test_a_batch_is_what_waits_in_the_order_of_arrival(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.inbox.BATCH_MAX", 2)
    inbox = Inbox()
    for item in (UP, DOWN, ControlWritten()):
        inbox.put(item)
    assert await inbox.take(None) == [UP, DOWN]
    assert await inbox.take(None) == [ControlWritten()]
    assert await inbox.take(0) == []


async def test_what_is_done_once_for_all_waits_once() -> None:
    inbox = Inbox()
    for item in (Reconnected(), ControlWritten(), Reconnected(), ControlWritten()):
        inbox.put_once(item)
    assert await inbox.take(None) == [Reconnected(), ControlWritten()]
    inbox.put_once(Reconnected())
    assert await inbox.take(None) == [Reconnected()]


async def test_what_the_broker_told_is_taken_out_from_among_the_rest() -> None:
    inbox = Inbox()
    for item in (UP, ControlWritten(), DOWN, Reconnected()):
        inbox.put(item)
    assert inbox.take_broker_events() == [UP, DOWN]
    assert await inbox.take(None) == [ControlWritten(), Reconnected()]

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.simulator.faults.fault import Fault, Welcome
from gateway.simulator.requests import CurrentTimeRequest

Play = Any


@dataclass(kw_only=True, eq=False)
class Nothing(Fault):
    """Does nothing."""


def test_a_fault_without_hooks_changes_nothing(play: Play) -> None:
    fault = Nothing()
    fault.begin()
    request = CurrentTimeRequest()
    assert fault.on_request(1, request) is request
    assert fault.on_replies([(1, request)]) == [(1, request)]
    assert fault.on_welcome() is Welcome.ANSWER
    assert fault.on_admit(1) is None
    fault.on_connect(1)
    fault.on_disconnect(1)
    fault.end()


def started(play: Play) -> Nothing:
    fault = Nothing()
    fault.id, fault.scene, fault.active = 1, play.stage, True
    return fault


def test_what_is_put_off_does_not_happen_after_the_fault_was_cleared(play: Play) -> None:
    fault = started(play)
    happened: list[datetime] = []
    fault.later(1, lambda: happened.append(play.stage.now))
    fault.later(2, lambda: happened.append(play.stage.now))
    play.wait(1)
    fault.active = False
    play.wait(5)
    assert len(happened) == 1


def test_a_delayed_request_arrives_whatever_became_of_the_fault(play: Play) -> None:
    fault = started(play)
    fault.ask_later(2, 1, CurrentTimeRequest())
    fault.active = False
    assert play.wait_for(1) == []
    assert play.wait_for(1) == ["CurrentTime"]


def test_only_connected_clients_are_told(play: Play) -> None:
    play.connect(2)
    fault = started(play)
    fault.say(5, CurrentTimeRequest())
    fault.say_to_all("hello")
    assert play.stage.advance(play.now) == [(1, "hello"), (2, "hello")]


def test_draws_are_reproducible_and_certainty_draws_nothing(play: Play) -> None:
    one, two = started(play), started(play)
    assert [one.draw() for _ in range(3)] == [two.draw() for _ in range(3)]
    drawn = one.drawn
    assert one.happens(1)
    assert not one.happens(0)
    assert one.drawn == drawn + 1

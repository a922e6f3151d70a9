from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator.faults import FAULTS, FaultError, Faults

Play = Any


def test_a_fault_is_injected_by_name_as_by_method(play: Play) -> None:
    first = play.faults.silent_loss(after="booking", order=3)
    second = play.faults.inject("silent_loss", after="booking", order=3)
    assert (first, second) == (1, 2)
    one, two = play.faults.active
    assert (one.name, one.parameters) == (two.name, two.parameters)
    assert one.parameters["after"] == "booking"
    assert one.parameters["order"] == 3


def test_an_unknown_fault_is_refused_with_the_nearest_name(play: Play) -> None:
    with pytest.raises(FaultError, match="no fault 'silent_los': did you mean 'silent_loss'"):
        play.faults.inject("silent_los")
    with pytest.raises(FaultError, match=r"there is no fault 'xyzzy'$"):
        play.faults.inject("xyzzy")


def test_a_refused_injection_leaves_nothing_behind(play: Play) -> None:
    with pytest.raises(FaultError):
        play.faults.inject("silent_loss", order="three")
    assert play.faults.active == []


def test_a_cleared_fault_does_nothing_more(play: Play, bought: list[str]) -> None:
    fault = play.faults.silent_loss()
    assert play.buy(1) == []
    play.faults.clear(fault)
    assert play.buy(2) == bought


def test_clearing_without_an_id_clears_all(play: Play) -> None:
    play.faults.silent_loss()
    play.faults.late_acks()
    play.faults.clear()
    assert play.faults.active == []


def test_clearing_what_is_not_active_is_refused(play: Play) -> None:
    with pytest.raises(FaultError, match="no active fault has the id 5"):
        play.faults.clear(5)


def test_active_tells_how_often_a_fault_struck(play: Play) -> None:
    play.faults.silent_loss(times=2)
    for number in (1, 2, 3):
        play.buy(number)
    assert [fault.struck for fault in play.faults.active] == [2]


def test_the_description_is_plain_and_complete() -> None:
    table = {row["fault"]: row for row in Faults.describe()}
    assert list(table) == list(FAULTS)
    row = table["silent_loss"]
    assert row["does"].startswith("An order vanishes without a word")
    assert row["source"] == "Lean.Brokerages.InteractiveBrokers #93."
    after = next(item for item in row["parameters"] if item["name"] == "after")
    assert after == {"name": "after", "is": "one of sending, booking", "default": "sending"}
    kind = next(x for x in table["hand_trade"]["parameters"] if x["name"] == "traded_symbol")
    assert kind == {"name": "traded_symbol", "is": "a text", "required": True}


def test_a_method_carries_the_faults_own_documentation(play: Play) -> None:
    assert "told Cancelled" in play.faults.fill_after_cancel.__doc__
    assert play.faults.fill_after_cancel.__name__ == "fill_after_cancel"


def test_values_come_as_json_has_them(play: Play) -> None:
    play.faults.inject("wrong_position", symbol="SPY", difference="-3.5")
    play.faults.inject("wrong_position", difference=2)
    first, second = (fault.parameters["difference"] for fault in play.faults.active)
    assert (first, second) == (Decimal("-3.5"), Decimal(2))

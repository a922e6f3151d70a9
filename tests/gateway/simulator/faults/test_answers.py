from datetime import UTC
from typing import Any

import pytest

from gateway.simulator.faults import FaultError
from gateway.simulator.replies import ExecutionDetails
from gateway.simulator.requests import (
    AccountUpdatesRequest,
    CompletedOrdersRequest,
    ContractDetailsRequest,
    CurrentTimeRequest,
    ExecutionsRequest,
    HistoricalDataRequest,
    OpenOrdersRequest,
    PositionsRequest,
)
from gateway.simulator.wire.messages import encode_reply

Play = Any


def request_of(end: str, spy: Any) -> Any:
    """A request whose answer ends so."""
    return {
        "execution_details_end": ExecutionsRequest(1, 0, "", "", "", "", "", ""),
        "open_order_end": OpenOrdersRequest(),
        "position_end": PositionsRequest(),
        "completed_orders_end": CompletedOrdersRequest(False),
        "contract_details_end": ContractDetailsRequest(1, spy),
        "account_download_end": AccountUpdatesRequest(True, ""),
        "historical_data": HistoricalDataRequest(
            1, spy, False, "", "30 mins", "1 D", True, "TRADES", 1, False
        ),
    }[end]


ENDS = [
    "execution_details_end",
    "open_order_end",
    "position_end",
    "completed_orders_end",
    "contract_details_end",
    "account_download_end",
    "historical_data",
]


@pytest.mark.parametrize("end", ENDS)
def test_an_answer_never_ends(play: Play, spy: Any, end: str) -> None:
    """ib_async #82: execDetailsEnd never came."""
    whole = play.ask(request_of(end, spy))
    play.faults.missing_end(kind=end, times=1)
    assert play.ask(request_of(end, spy)) == whole[:-1]
    assert play.ask(request_of(end, spy)) == whole


def test_an_answer_ends_late(play: Play) -> None:
    play.faults.late_end(kind="position_end", seconds=5)
    assert play.story(play.ask(PositionsRequest())) == ["Position"]
    assert play.wait_for(5) == ["PositionEnd"]


def test_an_end_that_does_not_exist_is_refused_with_the_nearest(play: Play) -> None:
    with pytest.raises(FaultError, match="did you mean 'open_order_end'"):
        play.faults.missing_end(kind="open_orders_end")


def test_messages_of_a_kind_are_dropped_by_chance(play: Play) -> None:
    play.faults.missing_messages(kind="order_status", probability=0.5)
    told = [word for number in range(1, 9) for word in play.buy(number)]
    assert 3 < sum(word.startswith("status") for word in told) < 13
    assert told.count("execution 10") == 8


def test_messages_about_a_symbol_come_late(play: Play) -> None:
    play.faults.late_messages(kind="position", symbol="SPY", seconds=2)
    play.faults.late_messages(kind="position", symbol="QQQ", seconds=60)
    assert play.story(play.ask(PositionsRequest())) == ["PositionEnd"]
    assert play.wait_for(2) == ["Position"]


def test_messages_of_a_kind_come_twice(play: Play) -> None:
    play.faults.duplicated_messages(kind="commission_report", times=1)
    assert play.buy(1).count("commission") == 2
    assert play.buy(2).count("commission") == 1


def test_neighbouring_messages_change_places(play: Play, bought: list[str]) -> None:
    play.faults.swapped_messages(probability=1, client_id=1)
    told = play.buy()
    assert told != bought
    assert told[:2] == [bought[1], bought[0]]
    assert sorted(told) == sorted(bought)


def test_neighbours_do_not_change_places_with_an_impossible_probability(play: Play) -> None:
    with pytest.raises(FaultError, match=r"probability 2\.0 is not between 0 and 1"):
        play.faults.swapped_messages(probability=2)


def test_a_whole_answer_comes_twice(play: Play) -> None:
    play.faults.duplicated_answers(kind="positions")
    told = play.ask(PositionsRequest())
    assert play.story(told) == ["Position", "PositionEnd"] * 2
    assert len(play.ask(CurrentTimeRequest())) == 1


def test_the_brokers_clock_is_ahead(play: Play) -> None:
    (right,) = play.ask(CurrentTimeRequest())
    play.faults.clock_skew(ahead_seconds=90)
    (wrong,) = play.ask(CurrentTimeRequest())
    assert wrong.epoch_seconds - right.epoch_seconds == 90


@pytest.mark.parametrize(
    ("zone", "spoken", "text"),
    [
        ("America/New_York", "Eastern Standard Time", "20251212 10:00:00 Eastern Standard Time"),
        ("Asia/Tokyo", "JST", "20251213 00:00:00 JST"),
        ("America/New_York", "", "20251212  10:00:00"),
    ],
)
def test_execution_times_are_written_in_another_zone(
    play: Play, zone: str, spoken: str, text: str
) -> None:
    """ib.md 1.2: a Windows name or JST loses the fill, no zone is taken for local time."""
    play.faults.execution_zone(zone=zone, spoken=spoken)
    (told,) = [item for item in play.ask(play.order(1)) if isinstance(item, ExecutionDetails)]
    assert text in encode_reply(told, 178)
    assert told.execution.time.astimezone(UTC) == play.now


def test_a_zone_that_does_not_exist_is_refused(play: Play) -> None:
    with pytest.raises(FaultError, match="no time zone is called 'Mars/Base'"):
        play.faults.execution_zone(zone="Mars/Base")

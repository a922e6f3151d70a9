from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator.replies import TickPrice
from gateway.simulator.requests import MarketDataRequest, OpenOrdersRequest

Play = Any
HALF_HOUR = 1800


def prices(replies: list[Any]) -> dict[int, Decimal]:
    return {reply.tick_type: reply.price for reply in replies if isinstance(reply, TickPrice)}


def subscribe(play: Play, spy: Any, number: int = 1) -> list[Any]:
    told: list[Any] = play.ask(MarketDataRequest(number, spy, "", False, False, ""))
    return told


def test_a_silent_line_is_accepted_and_says_nothing(play: Play, spy: Any) -> None:
    play.faults.silent_market_data(times=1)
    assert prices(subscribe(play, spy, 1)) == {}
    assert prices(subscribe(play, spy, 2))[1] == Decimal("600.99")
    told = play.wait(HALF_HOUR)
    assert {reply.request_id for reply in told if isinstance(reply, TickPrice)} == {2}


def test_a_line_from_before_falls_silent(play: Play, spy: Any) -> None:
    subscribe(play, spy)
    play.faults.silent_market_data()
    assert prices(play.wait(HALF_HOUR)) == {}


def test_a_line_of_another_symbol_is_not_silent(play: Play, spy: Any) -> None:
    play.faults.silent_market_data(symbol="QQQ")
    assert prices(subscribe(play, spy))


def test_stale_quotes_repeat_the_first_price(play: Play, spy: Any) -> None:
    play.faults.stale_quotes()
    first = prices(subscribe(play, spy))
    later = prices(play.wait(HALF_HOUR))
    assert later
    assert later.items() <= first.items()


def test_crossed_quotes_bid_more_than_they_ask(play: Play, spy: Any) -> None:
    play.faults.crossed_quotes(by=Decimal("0.10"))
    told = prices(subscribe(play, spy))
    assert (told[1], told[2]) == (Decimal("601.09"), Decimal("600.91"))


@pytest.mark.parametrize(("ticks", "some"), [("none", False), ("some", True)])
def test_a_competing_session_has_the_market_data(
    play: Play, spy: Any, ticks: Any, some: bool
) -> None:
    """10197; the ticks may arrive all the same."""
    play.faults.competing_session(ticks=ticks)
    told = subscribe(play, spy)
    assert (told[0].id, told[0].code) == (1, 10197)
    assert bool(prices(told)) is some
    assert play.story(play.ask(OpenOrdersRequest())) == ["OpenOrderEnd"]


def test_a_competing_session_for_one_symbol_leaves_others_alone(play: Play, spy: Any) -> None:
    play.faults.competing_session(symbol="QQQ")
    assert prices(subscribe(play, spy))

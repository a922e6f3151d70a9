"""The floor of the broker: a bare session repeats what the gateway asked."""

import pytest

from gateway.simulator import requests as q
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import OrderTerms
from infra.bench.bare_broker import (
    QUESTIONS,
    UNANSWERED,
    bare_broker,
    is_answered,
    noting_departures,
)
from infra.bench.latency import options
from infra.bench.witness import Request

PREVIEW = q.PlaceOrder(1, Contract(), OrderTerms(what_if=True))


def asked(body: object) -> Request:
    return Request(0.0, 1, body)


async def test_a_bare_session_asks_the_questions_and_ends_with_an_order() -> None:
    questions = [asked(q.PositionsRequest()), asked(q.CompletedOrdersRequest(api_only=False))]
    async with bare_broker(options()) as broker:
        seconds, order = await broker.play(questions)
        assert seconds > 0
        assert order.is_order


async def test_an_order_counts_from_when_it_was_written() -> None:
    """The question what it would cost is written before it, and is another one."""
    with noting_departures() as departures:
        async with bare_broker(options(), departures) as broker:
            _, order = await broker.play([asked(PREVIEW), asked(q.PositionsRequest())])
    assert len(departures) == 2
    assert order.at == departures[1].at


async def test_a_question_that_is_not_known_is_named() -> None:
    async with bare_broker(options()) as broker:
        with pytest.raises(LookupError, match="GlobalCancel"):
            await broker.play([asked(q.GlobalCancel())])


def test_a_cancel_is_not_waited_for() -> None:
    assert not is_answered(asked(q.MarketDataCancel(7)))


def test_no_request_is_both_a_question_and_unanswered() -> None:
    assert UNANSWERED.isdisjoint(QUESTIONS)

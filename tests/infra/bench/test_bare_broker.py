"""The floor of the broker: a bare session repeats what the gateway asked."""

import pytest

from gateway.simulator import requests as q
from infra.bench.bare_broker import QUESTIONS, UNANSWERED, bare_broker, is_answered
from infra.bench.latency import options
from infra.bench.witness import Request


def asked(body: object) -> Request:
    return Request(0.0, 1, body)


async def test_a_bare_session_asks_the_questions_and_ends_with_an_order() -> None:
    questions = [asked(q.PositionsRequest()), asked(q.CompletedOrdersRequest(api_only=False))]
    async with bare_broker(options()) as broker:
        assert await broker.seconds(questions) > 0


async def test_a_question_that_is_not_known_is_named() -> None:
    async with bare_broker(options()) as broker:
        with pytest.raises(LookupError, match="GlobalCancel"):
            await broker.seconds([asked(q.GlobalCancel())])


def test_a_cancel_is_not_waited_for() -> None:
    assert not is_answered(asked(q.MarketDataCancel(7)))


def test_no_request_is_both_a_question_and_unanswered() -> None:
    assert UNANSWERED.isdisjoint(QUESTIONS)

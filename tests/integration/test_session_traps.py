"""What a broker does on bad days, and what ib_async would make of it: the traps of the IB notes."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.core.broker import BrokerStatus, Commission, Connection, OrderReport
from gateway.core.orders import Approved
from gateway.session import BrokerUnavailable, NotSent, Unanswered, Unresolved
from gateway.simulator import replies, requests
from gateway.simulator.replies import Delivery, Notice
from schemas.documents import ExecutionDocument, OrderDocument
from schemas.values import Contract
from tests.integration.session_bench import (
    PATIENCE_SECONDS,
    SHORT_SECONDS,
    Answer,
    Bench,
    benched,
    flat_bars,
)
from tests.order_documents import REF, limit_order, order_document

OPENING = datetime(2025, 6, 3, 13, 30, tzinfo=UTC)
NOW = OPENING + timedelta(minutes=70)
BARS = flat_bars(OPENING + n * timedelta(minutes=30) for n in range(13))
ORDER = limit_order(NOW, 500)
MARKET_ORDER = order_document(NOW)


def a_desk(seconds: float = PATIENCE_SECONDS) -> AbstractAsyncContextManager[Bench]:
    return benched(NOW, BARS, seconds=seconds)


def followed_by(*notices: tuple[int, str]) -> Answer:
    """The true answer, and then errors with the order's id."""
    return lambda client, request, answer: [
        *answer,
        *((client, Notice(request.order_id, code, text)) for code, text in notices),
    ]


def silence(client_id: int, request: Any, answer: list[Delivery]) -> list[Delivery]:
    return []


async def test_an_order_with_a_preset_warning_lives_and_fills() -> None:
    """Trap 1: 10349 makes ib_async say Cancelled; whoever sends again buys twice."""
    async with a_desk() as desk:
        desk.exchange.meddle[requests.PlaceOrder] = followed_by((10349, "Order TIF was set to DAY"))
        await desk.session.read()
        desk.session.place(Approved(MARKET_ORDER))
        assert (await desk.reason("10349")).status is BrokerStatus.UNSURE
        await desk.until(ExecutionDocument)
        statuses = {e.status for e in desk.told if isinstance(e, OrderReport)}
        assert BrokerStatus.CANCELLED not in statuses
        assert BrokerStatus.FILLED in statuses


@pytest.mark.parametrize("code", [399, 404, 2109, 4711])
async def test_an_error_text_about_a_working_order_is_no_outcome(code: int) -> None:
    """Traps 2, 3 and 18, and unknown codes."""
    async with a_desk() as desk:
        desk.exchange.meddle[requests.PlaceOrder] = followed_by((code, "Order Message"))
        await desk.session.read()
        desk.session.place(Approved(ORDER))
        assert (await desk.reason(str(code))).status is BrokerStatus.UNSURE
        (working,) = (await desk.session.read()).open_orders
        assert (working.order_ref, working.status) == (REF, BrokerStatus.WORKING)


async def test_an_inactive_order_is_unsure() -> None:
    """Trap 22"""

    def inactive(client: int, request: Any, answer: list[Delivery]) -> list[Delivery]:
        return [
            (to, replace(reply, status="Inactive"))
            for to, reply in answer
            if isinstance(reply, replies.OrderStatus)
        ]

    async with a_desk() as desk:
        desk.exchange.meddle[requests.PlaceOrder] = inactive
        await desk.session.read()
        desk.session.place(Approved(ORDER))
        report = await desk.until(OrderReport, lambda report: report.status is BrokerStatus.UNSURE)
        assert report.order_ref == REF


async def test_a_fill_whose_last_status_is_lost_is_heard_by_its_execution() -> None:
    """Traps 5 and 6: IB does not promise a status for each change, and repeats others."""

    def without_status(client: int, request: Any, answer: list[Delivery]) -> list[Delivery]:
        kinds = (replies.OrderStatus, replies.OpenOrder)
        return [delivery for delivery in answer if not isinstance(delivery[1], kinds)]

    async with a_desk() as desk:
        desk.exchange.meddle[requests.PlaceOrder] = without_status
        await desk.session.read()
        desk.session.place(Approved(MARKET_ORDER))
        executed = await desk.until(ExecutionDocument)
        assert (executed.order_ref, executed.quantity) == (REF, Decimal(10))


async def test_both_revisions_of_an_execution_are_told() -> None:
    """Trap 4, [A1]: the ledger lets the highest suffix win; ib_async adds both up."""

    def corrected(client: int, request: Any, answer: list[Delivery]) -> list[Delivery]:
        (told,) = [reply for _, reply in answer if isinstance(reply, replies.ExecutionDetails)]
        stem = told.execution.execution_id.rpartition(".")[0]
        second = replace(told.execution, execution_id=f"{stem}.02", price=Decimal(589))
        return [*answer, (client, replace(told, execution=second))]

    async with a_desk() as desk:
        desk.exchange.meddle[requests.PlaceOrder] = corrected
        await desk.session.read()
        desk.session.place(Approved(MARKET_ORDER))
        second = await desk.until(
            ExecutionDocument, lambda execution: execution.exec_id.endswith(".02")
        )
        assert (second.price, second.order_ref) == (Decimal(589), REF)


async def test_a_commission_before_its_execution_is_not_lost() -> None:
    """Trap 10"""

    def commission_first(client: int, request: Any, answer: list[Delivery]) -> list[Delivery]:
        return sorted(answer, key=lambda d: not isinstance(d[1], replies.CommissionReport))

    async with a_desk() as desk:
        desk.exchange.meddle[requests.PlaceOrder] = commission_first
        await desk.session.read()
        desk.session.place(Approved(MARKET_ORDER))
        executed = await desk.until(ExecutionDocument)
        paid = await desk.until(Commission)
        assert desk.told.index(paid) < desk.told.index(executed)
        assert executed.commission == paid.amount


@pytest.mark.parametrize("order", [ORDER, MARKET_ORDER], ids=["LMT", "MKT"])
async def test_an_order_id_that_a_restarted_gateway_gives_out_again_is_not_used(
    order: OrderDocument,
) -> None:
    """A second order under the id of a working one would change that one instead."""
    async with a_desk() as desk:
        await desk.session.read()
        first = desk.session.place(Approved(order))
        await desk.until(OrderReport)
        desk.exchange.forgets_order_ids = True
        await desk.session.connect()
        await desk.session.read()
        assert desk.session.place(Approved(replace(ORDER, order_ref="paper-756733-2"))) > first


async def test_a_what_if_answered_by_a_warning_alone_ends_with_the_warning() -> None:
    """Trap 12: ib_async waits for ever."""
    async with a_desk(SHORT_SECONDS) as desk:
        desk.exchange.meddle[requests.PlaceOrder] = lambda client, request, answer: [
            (client, Notice(request.order_id, 399, "Order Message: held until 09:30"))
        ]
        preview = await desk.session.what_if(ORDER)
        assert preview.warning.startswith("399 ")
        assert preview.initial_margin is None


async def test_a_request_that_is_never_answered_ends_at_its_deadline() -> None:
    """Trap 13"""
    async with a_desk(SHORT_SECONDS) as desk:
        desk.exchange.meddle[requests.ContractDetailsRequest] = silence
        desk.exchange.meddle[requests.PlaceOrder] = silence
        with pytest.raises(BrokerUnavailable, match=r"no answer within 0\.2 s"):
            await desk.session.resolve(Contract("SPY"))
        with pytest.raises(BrokerUnavailable, match="no answer"):
            await desk.session.what_if(ORDER)
        assert desk.session.connected


def refused_with(code: int) -> Answer:
    """No answer but this error."""
    return lambda client, request, answer: [(client, Notice(request.request_id, code, "no"))]


@pytest.mark.parametrize("code", [123, 200, 203, 321, 478])
async def test_a_description_that_ib_calls_wrong_is_unresolved(code: int) -> None:
    async with a_desk() as desk:
        desk.exchange.meddle[requests.ContractDetailsRequest] = refused_with(code)
        with pytest.raises(Unresolved, match=f"SPY STK SMART USD: {code} no; correct the contract"):
            await desk.session.resolve(Contract("SPY"))


@pytest.mark.parametrize("code", [100, 162, 322, 366, 504, 1100, 10_197])
async def test_any_other_refusal_of_a_contract_only_means_that_not_now(code: int) -> None:
    """Pacing, farms and logins that are away: whoever described the contract is right."""
    async with a_desk() as desk:
        desk.exchange.meddle[requests.ContractDetailsRequest] = refused_with(code)
        with pytest.raises(
            BrokerUnavailable, match=f"SPY STK SMART USD: {code} no; if it stays so"
        ):
            await desk.session.resolve(Contract("SPY"))
        future = Contract("ES", sec_type="FUT", exchange="CME")
        with pytest.raises(BrokerUnavailable, match=f"ES FUT CME USD: {code} no; if it stays so"):
            await desk.session.chain(future)


async def test_after_two_questions_without_an_answer_no_third_is_asked() -> None:
    """Each would hold the loop for its deadline again; the line and other questions are well."""
    async with a_desk(SHORT_SECONDS) as desk:
        desk.exchange.meddle[requests.ContractDetailsRequest] = silence
        for symbol in ("SPY", "QQQ"):
            with pytest.raises(Unanswered, match=f"{symbol} STK SMART USD: no answer within"):
                await desk.session.resolve(Contract(symbol))
        with pytest.raises(
            Unanswered,
            match=r"DIA STK SMART USD: not asked, for the last 2 questions for contracts had no "
            r"answer; contracts can be asked for again in \d+ s; if it stays so, look at",
        ):
            await desk.session.resolve(Contract("DIA"))
        assert desk.exchange.count(requests.ContractDetailsRequest) == 2
        assert (await desk.session.read()).positions == ()


async def test_a_new_line_is_asked_anew() -> None:
    async with a_desk(SHORT_SECONDS) as desk:
        desk.exchange.meddle[requests.ContractDetailsRequest] = silence
        for _ in range(2):
            with pytest.raises(Unanswered):
                await desk.session.resolve(Contract("SPY"))
        desk.exchange.meddle.clear()
        await desk.session.connect()
        assert (await desk.session.resolve(Contract("SPY"))).con_id == 756733


async def test_questions_that_hang_beside_answered_ones_stop_no_others() -> None:
    def mostly(client: int, request: Any, answer: list[Delivery]) -> list[Delivery]:
        return answer if request.contract.symbol == "SPY" else []

    async with a_desk(SHORT_SECONDS) as desk:
        desk.exchange.meddle[requests.ContractDetailsRequest] = mostly
        asked = [desk.session.resolve(Contract(symbol)) for symbol in ("QQQ", "DIA", "SPY")]
        *hung, spy = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(one, Unanswered) for one in hung)
        assert isinstance(spy, Contract)
        with pytest.raises(Unanswered, match="IWM STK SMART USD: no answer"):
            await desk.session.resolve(Contract("IWM"))


async def test_a_validation_error_ends_its_request() -> None:
    """Trap 13: 321 is a warning to ib_async, and the request hangs."""
    async with a_desk() as desk:
        desk.exchange.meddle[requests.HistoricalDataRequest] = lambda client, request, answer: [
            (client, Notice(request.request_id, 321, "Error validating request"))
        ]
        with pytest.raises(BrokerUnavailable, match="SPY STK SMART USD: 321 Error validating"):
            await desk.session.bars(Contract("SPY"), "30 mins", "1 D")


async def test_bars_that_do_not_come_are_withdrawn_and_no_empty_answer() -> None:
    """Trap 16: ib_async returns an empty list."""
    asked: list[int] = []

    def withdrawn(client: int, request: Any, answer: list[Delivery]) -> list[Delivery]:
        asked.append(request.request_id)
        return []

    async with a_desk(SHORT_SECONDS) as desk:
        desk.exchange.meddle[requests.HistoricalDataRequest] = silence
        desk.exchange.meddle[requests.HistoricalDataCancel] = withdrawn
        with pytest.raises(BrokerUnavailable, match="no answer"):
            await desk.session.bars(Contract("SPY"), "30 mins", "1 D")
        await desk.session.resolve(Contract("QQQ"))
        assert len(asked) == 1


async def test_a_market_without_a_subscription_has_no_prices() -> None:
    """Trap 15"""
    async with a_desk() as desk:
        desk.exchange.meddle[requests.MarketDataRequest] = lambda client, request, answer: [
            (client, Notice(request.request_id, 354, "Requested market data is not subscribed."))
        ]
        quote = await desk.session.quote(Contract("SPY"))
        assert (quote.bid, quote.ask, quote.last) == (None, None, None)


async def test_a_slow_quote_is_what_came_by_the_deadline() -> None:
    def only_a_bid(client: int, request: Any, answer: list[Delivery]) -> list[Delivery]:
        told = [reply for _, reply in answer if isinstance(reply, replies.TickPrice)]
        return [(client, tick) for tick in told if tick.tick_type == 1]

    async with a_desk(SHORT_SECONDS) as desk:
        desk.exchange.meddle[requests.MarketDataRequest] = only_a_bid
        quote = await desk.session.quote(Contract("SPY"))
        assert quote.bid is not None
        assert quote.ask is None


async def test_a_question_left_unanswered_ends_the_line() -> None:
    """Trap 14: a late answer would pass for that of the next question."""
    async with a_desk(SHORT_SECONDS) as desk:
        desk.exchange.meddle[requests.AllOpenOrdersRequest] = silence
        with pytest.raises(BrokerUnavailable, match=r"0\.2 s to the question for open orders"):
            await desk.session.read()
        lost = await desk.until(Connection, lambda connection: not connection.up)
        assert "open orders was left unanswered" in lost.reason
        assert not desk.session.connected


async def test_what_a_reading_asks_between_its_positions_is_asked_at_once() -> None:
    async with a_desk(SHORT_SECONDS) as desk:
        unanswered = {requests.ExecutionsRequest, requests.AccountUpdatesMultiRequest}
        desk.exchange.meddle.update(dict.fromkeys(unanswered, silence))
        desk.exchange.asked.clear()
        with pytest.raises(Unanswered):
            await desk.session.read()
        assert unanswered < set(map(type, desk.exchange.asked))
        assert desk.exchange.count(requests.CompletedOrdersRequest) == 1
        assert desk.session.connected  # a late answer to a number is nobody else's
        desk.exchange.meddle.clear()
        await desk.session.read()


async def test_completed_orders_are_asked_for_when_the_open_ones_are_told() -> None:
    """An order that ends between the two questions would else be in neither answer."""
    async with a_desk(SHORT_SECONDS) as desk:
        desk.exchange.meddle[requests.AllOpenOrdersRequest] = silence
        desk.exchange.asked.clear()
        with pytest.raises(Unanswered):
            await desk.session.read()
        assert desk.exchange.count(requests.CompletedOrdersRequest) == 0


async def test_a_reading_without_an_answer_waits_for_those_of_its_other_questions() -> None:
    """One that nobody waits for any more would cost the line."""
    async with a_desk(SHORT_SECONDS) as desk:

        def refused(client: int, request: Any, answer: list[Delivery]) -> list[Delivery]:
            return [(client, Notice(request.request_id, 321, "refused"))]

        desk.exchange.meddle[requests.ExecutionsRequest] = refused
        with pytest.raises(BrokerUnavailable, match="executions: 321 refused"):
            await desk.session.read()
        assert desk.session.connected
        del desk.exchange.meddle[requests.ExecutionsRequest]
        await desk.session.read()


async def test_a_reading_is_repeated_until_positions_stand_still() -> None:
    """[B3]"""
    async with a_desk() as desk:

        def once(client: int, request: Any, answer: list[Delivery]) -> list[Delivery]:
            del desk.exchange.meddle[requests.ExecutionsRequest]
            fill = desk.exchange.trade_by_hand("SPY", Decimal(5), Decimal(590), NOW)
            return [*answer, *fill]

        desk.exchange.meddle[requests.ExecutionsRequest] = once
        reading = await desk.session.read()
        assert [held.quantity for held in reading.positions] == [Decimal(5)]
        assert [execution.quantity for execution in reading.executions] == [Decimal(5)]


async def test_no_order_is_written_while_ib_is_away_nor_before_a_new_reading() -> None:
    """Trap 21: the socket stays open through 1100."""
    async with a_desk() as desk:
        await desk.session.read()
        await desk.say(1100, "Connectivity between IB and the gateway has been lost.")
        await desk.until(Connection, lambda connection: not connection.up)
        assert not desk.session.connected
        with pytest.raises(NotSent, match="lost its own line"):
            desk.session.place(Approved(ORDER))
        with pytest.raises(BrokerUnavailable, match="lost its own line"):
            await desk.session.read()
        await desk.say(1102, "Connectivity has been restored, data maintained.")
        await desk.until(Connection, lambda connection: connection.reason.startswith("1102"))
        with pytest.raises(NotSent, match="was not read"):
            desk.session.place(Approved(ORDER))
        await desk.session.read()
        desk.session.place(Approved(ORDER))


async def test_lost_data_asks_for_a_reconcile() -> None:
    async with a_desk() as desk:
        await desk.say(1101, "Connectivity has been restored, data lost.")
        restored = await desk.until(
            Connection, lambda connection: connection.reason.startswith("1101")
        )
        assert restored.data_lost
        assert desk.session.connected

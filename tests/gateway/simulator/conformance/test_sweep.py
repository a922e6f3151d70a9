"""What is left after cases that trade, whatever happened in them: nothing of ours."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator import requests as q
from gateway.simulator.conformance.case import Case, Kind, Outcome
from gateway.simulator.conformance.client import Client
from gateway.simulator.conformance.safety import CannotRun
from gateway.simulator.conformance.talk import Facts, Setting, Talk
from gateway.simulator.orders.orders import OrderTerms
from gateway.simulator.server import Simulator

Body = Callable[[Talk], Awaitable[None]]


def trading(body: Body) -> Case:
    return Case("a_case", Kind.TRADE, (), body, "tells", "source", "chapter")


async def place(talk: Talk, **terms: Any) -> None:
    """An order of ours for a share, at the market unless terms say otherwise."""
    usual: dict[str, Any] = {"quantity": Decimal(1), "tif": "DAY"}
    usual["order_ref"] = talk.order_ref("test")
    order = OrderTerms(**(usual | terms))
    await talk.tell(q.PlaceOrder(talk.new_order_id(), talk.contract, order))
    await talk.listen(1)


async def buys(talk: Talk) -> None:
    await place(talk)


async def rests(talk: Talk) -> None:
    await place(talk, order_type="LMT", limit_price=Decimal(100))


async def sells_short(talk: Talk) -> None:
    await place(talk, action="SELL", quantity=Decimal(2))


async def breaks(talk: Talk) -> None:
    await buys(talk)
    await rests(talk)
    raise RuntimeError("a defect")


async def hangs_up(talk: Talk) -> None:
    await rests(talk)
    await buys(talk)
    await talk.client.close()


async def trades_as_another(talk: Talk) -> None:
    other = await talk.connect()
    for number, price in enumerate((None, Decimal(100))):
        order = OrderTerms(
            quantity=Decimal(1),
            tif="DAY",
            order_type="LMT" if price else "MKT",
            limit_price=price,
            order_ref=talk.order_ref("other"),
        )
        await other.say(q.PlaceOrder(other.next_order_id + number, talk.contract, order))
    await other.listen(1)


@pytest.mark.parametrize(
    "body",
    [buys, rests, sells_short, breaks, hangs_up, trades_as_another],
    ids=lambda b: b.__name__,
)
def test_what_a_case_leaves_is_undone(stage: Any, body: Body) -> None:
    played = stage().play([trading(body)])
    exchange = played.simulator.exchange
    assert exchange.positions == {"SPY": Decimal(50)}
    assert exchange.working_orders == []
    assert played.report.is_clean
    assert played.report.cleaning[-1] == "Position of SPY: 50, as before."
    assert len(played.report.cleaning) > 1


def test_a_run_that_is_broken_off_in_a_case_cleans_up(stage: Any) -> None:
    simulators: list[Simulator] = []

    async def is_cancelled(talk: Talk) -> None:
        await buys(talk)
        await rests(talk)
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        stage(prepare=simulators.append).play([trading(is_cancelled)])
    assert simulators[0].exchange.positions == {"SPY": Decimal(50)}
    assert simulators[0].exchange.working_orders == []


def test_what_a_killed_run_left_is_undone_by_the_next(stage: Any) -> None:
    """A run that is killed cleans up nothing: the next one begins with it."""
    left: list[Decimal] = []

    async def a_run_is_killed(simulator: Simulator) -> None:
        await a_killed_run(simulator)
        left.append(simulator.exchange.positions["SPY"])

    played = stage(prepare=a_run_is_killed).play([trading(does_nothing)])
    assert left == [Decimal(51)]
    assert played.simulator.exchange.positions == {"SPY": Decimal(50)}
    assert played.simulator.exchange.working_orders == []


async def a_killed_run(simulator: Simulator) -> None:
    """It bought a share and placed an order that rests."""
    setting = Setting("127.0.0.1", simulator.port, "DUSIM0001")
    client = await Client.dial(setting.host, setting.port)
    await client.greet()
    await client.start(setting.client_id)
    talk = Talk(setting, Facts(), client, simulator.exchange.listing("SPY").contract())
    await buys(talk)
    await rests(talk)
    await client.close()


async def does_nothing(talk: Talk) -> None:
    await talk.listen(1)


def test_what_somebody_undid_by_hand_is_not_undone_again(stage: Any) -> None:
    """Without a position, selling what the killed run had bought would open one."""

    async def undone_by_hand(simulator: Simulator) -> None:
        await a_killed_run(simulator)
        await simulator.trade_by_hand("SPY", Decimal(-1))

    played = stage(prepare=undone_by_hand, options={"holdings": ()}).play([trading(does_nothing)])
    assert played.simulator.exchange.positions == {}
    assert played.simulator.exchange.working_orders == []
    assert "taken as undone by hand" in played.report.cleaning[0]
    assert played.report.is_clean


def test_a_trade_back_of_which_nothing_is_heard_is_not_sent_twice(stage: Any) -> None:
    simulators: list[Simulator] = []

    async def buys_and_then_nothing_is_told(talk: Talk) -> None:
        await buys(talk)
        simulators[0].faults.inject("missing_statuses")

    played = stage(prepare=simulators.append).play([trading(buys_and_then_nothing_is_told)])
    sales = [line for line in played.report.cleaning if line.startswith("SELL")]
    assert len(sales) == 1
    assert played.simulator.exchange.positions == {"SPY": Decimal(50)}


def test_orders_and_positions_of_others_are_left_alone(stage: Any) -> None:
    async def places_a_foreign_order(talk: Talk) -> None:
        await place(talk, order_ref="somebody-else", order_type="LMT", limit_price=Decimal(100))
        await place(talk, order_ref="somebody-else", quantity=Decimal(3))

    played = stage().play([trading(places_a_foreign_order)])
    assert [order.terms.order_ref for order in played.simulator.exchange.working_orders] == [
        "somebody-else"
    ]
    assert played.simulator.exchange.positions == {"SPY": Decimal(53)}
    assert not played.report.is_clean
    assert "was 50 before: look at the account" in played.report.cleaning[-1]
    assert played.report.exit_code == 1


def test_a_quantity_that_no_case_trades_is_not_traded_back(stage: Any) -> None:
    async def buys_many(talk: Talk) -> None:
        await place(talk, quantity=Decimal(21))

    played = stage().play([trading(buys_many)])
    assert played.simulator.exchange.positions == {"SPY": Decimal(71)}
    assert not played.report.is_clean
    assert any("done by hand only" in line for line in played.report.cleaning)


def test_a_run_does_not_begin_where_the_last_cannot_be_cleaned_up(stage: Any) -> None:
    """Cancels are lost: what an earlier run left stays, so this one trades nothing."""
    simulators: list[Simulator] = []

    async def leaves(talk: Talk) -> None:
        await rests(talk)
        simulators[0].faults.inject("cancel_lost")

    played = stage(prepare=simulators.append).play([trading(leaves)])
    assert not played.report.is_clean
    assert any("Something of ours is left" in line for line in played.report.cleaning)
    assert [result.outcome for result in played.report.results] == [Outcome.PASSED]


async def bought_by(simulator: Simulator, client_id: int, order_ref: str) -> None:
    """Another program buys three shares."""
    client = await Client.dial("127.0.0.1", simulator.port)
    await client.greet()
    await client.start(client_id)
    contract = simulator.exchange.listing("SPY").contract()
    terms = OrderTerms(quantity=Decimal(3), tif="DAY", order_ref=order_ref)
    await client.say(q.PlaceOrder(client.next_order_id, contract, terms))
    await client.listen(1)
    await client.close()


def test_executions_of_another_client_are_not_ours_whatever_their_reference(stage: Any) -> None:
    """Where our client id is the gateway's master client, it is shown those of everybody."""

    async def another_program_trades(simulator: Simulator) -> None:
        await bought_by(simulator, 5, "conformance-of-my-strategy")

    played = stage(prepare=another_program_trades, server={"master_client_id": 880}).play(
        [trading(buys)]
    )
    assert played.simulator.exchange.positions == {"SPY": Decimal(53)}
    assert played.report.is_clean


@pytest.mark.parametrize("seconds", [2, 5, 10])
def test_executions_that_come_late_are_not_traded_back_twice(stage: Any, seconds: int) -> None:
    """What was sold to undo is told late: the position alone says that nothing is left."""
    simulators: list[Simulator] = []

    async def buys_and_then_all_is_late(talk: Talk) -> None:
        await buys(talk)
        simulators[0].faults.inject("late_messages", kind="execution_details", seconds=seconds)

    played = stage(prepare=simulators.append).play([trading(buys_and_then_all_is_late)])
    assert played.simulator.exchange.positions["SPY"] in {Decimal(50), Decimal(51)}
    is_as_before = played.simulator.exchange.positions["SPY"] == 50
    assert played.report.is_clean <= is_as_before


def test_a_purchase_that_is_no_longer_on_record_does_not_make_its_sale_a_loss(stage: Any) -> None:
    """Midnight, wherever the gateway has its own, forgets the purchase and keeps what undid it."""
    simulators: list[Simulator] = []

    async def buys_and_the_day_ends(talk: Talk) -> None:
        await buys(talk)
        await place(talk, action="SELL", order_ref=talk.order_ref("undone"))
        record = simulators[0].exchange.orders.record
        del record.executions[0]

    played = stage(prepare=simulators.append).play([trading(buys_and_the_day_ends)])
    assert played.simulator.exchange.positions == {"SPY": Decimal(50)}
    assert any("not traded back" in line for line in played.report.cleaning)
    assert not played.report.is_clean


def test_what_a_fifth_client_of_a_case_traded_is_undone_once(stage: Any) -> None:
    async def a_fifth_client_buys(talk: Talk) -> None:
        *_, client = [await talk.connect() for _ in range(5)]
        terms = OrderTerms(quantity=Decimal(1), tif="DAY", order_ref=talk.order_ref("fifth"))
        await client.say(q.PlaceOrder(client.next_order_id, talk.contract, terms))
        await client.listen(1)

    played = stage(options={"holdings": ()}).play([trading(a_fifth_client_buys)])
    assert played.simulator.exchange.positions == {}
    assert played.report.is_clean
    assert [line[:6] for line in played.report.cleaning] == ["SELL 1", "Positi"]


@pytest.mark.parametrize(
    ("fault", "values"), [("late_orders", {"seconds": 30}), ("blocking_dialog", {})]
)
def test_an_order_of_which_nothing_is_heard_is_said_and_ends_the_trading(
    stage: Any, fault: str, values: dict[str, Any]
) -> None:
    """Somebody may answer the dialog tomorrow, and then it trades."""
    simulators: list[Simulator] = []

    async def buys_into_silence(talk: Talk) -> None:
        simulators[0].faults.inject(fault, **values)
        await buys(talk)

    played = stage(prepare=simulators.append).play([trading(buys_into_silence), trading(buys)])
    assert not played.report.is_clean
    assert any("Nothing was heard of order conf" in line for line in played.report.cleaning)
    assert played.report.results[-1].outcome is Outcome.ERROR


def test_an_order_is_not_missed_that_was_only_too_fresh_to_be_heard_of(stage: Any) -> None:
    async def buys_and_ends(talk: Talk) -> None:
        terms = OrderTerms(quantity=Decimal(1), tif="DAY", order_ref=talk.order_ref("fresh"))
        await talk.tell(q.PlaceOrder(talk.new_order_id(), talk.contract, terms))

    played = stage().play([trading(buys_and_ends)])
    assert played.simulator.exchange.positions == {"SPY": Decimal(50)}
    assert played.report.is_clean


@pytest.mark.parametrize(("seconds", "is_left"), [(60, False), (600, True)])
def test_a_gateway_that_restarts_is_waited_for_two_minutes(
    stage: Any, seconds: int, is_left: bool
) -> None:
    simulators: list[Simulator] = []

    async def is_cut_off(talk: Talk) -> None:
        await buys(talk)
        await rests(talk)
        simulators[0].faults.inject("gateway_down", seconds=seconds)

    with pytest.raises(CannotRun):
        stage(prepare=simulators.append).play([trading(is_cut_off)])
    exchange = simulators[0].exchange
    assert exchange.positions == {"SPY": Decimal(51 if is_left else 50)}
    assert bool(exchange.working_orders) is is_left


def test_nothing_is_swept_where_nothing_trades(stage: Any, reading: list[Case]) -> None:
    played = stage().play(reading[:2])
    assert played.report.cleaning == []


def test_where_cleaning_fails_at_the_start_it_says_that_nothing_was_traded(stage: Any) -> None:
    def prepare(simulator: Simulator) -> None:
        simulator.faults.inject("missing_end", kind="open_order_end")

    with pytest.raises(CannotRun, match="Nothing was traded in this run"):
        stage(prepare=prepare).play([trading(buys)])

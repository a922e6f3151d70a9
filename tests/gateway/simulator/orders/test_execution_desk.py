"""Executions: commissions, corrections, busts, fills of ended orders (design/ib.md 1.8, 4)."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook
from gateway.simulator.orders.orders import Execution, Order

Say = Callable[..., list[Any]]
At = Callable[..., datetime]
MakeOrder = Callable[..., q.PlaceOrder]
Do = Callable[[Callable[[], object]], list[Any]]


@pytest.fixture
def do(exchange: Exchange, at: At) -> Do:
    """Do something to the broker at 10:00 and take what client 1 hears of it."""

    def act(verb: Callable[[], object]) -> list[Any]:
        return [reply for client, reply in exchange.acting(at("10:00"), verb) if client == 1]

    return act


@pytest.fixture
def bought(exchange: Exchange, say: Say, order: MakeOrder) -> Execution:
    """10 SPY at 601.01, commission 1; before that 50 at 590 and 100,000 USD."""
    say(order(1))
    return known(exchange).executions[0]


def known(exchange: Exchange, order_id: int = 1) -> Order:
    found = exchange.orders.known(1, order_id)
    assert found is not None
    return found


def details(replies: list[Any]) -> list[Execution]:
    return [reply.execution for reply in replies if isinstance(reply, r.ExecutionDetails)]


def commissions(replies: list[Any]) -> list[Decimal]:
    return [reply.commission for reply in replies if isinstance(reply, r.CommissionReport)]


def statuses(replies: list[Any]) -> list[str]:
    return [reply.status for reply in replies if isinstance(reply, r.OrderStatus)]


def test_parts_share_one_commission_in_order_of_arrival(
    book: BarBook, order: MakeOrder, at: At
) -> None:
    """IB charges per order: the first parts pay the minimum, later ones what exceeds it."""
    options = ExchangeOptions(fill_model="touch", executions_quantity_max=Decimal(100))
    exchange = Exchange(book, options)
    exchange.connect(1, at("10:00"))
    deliveries = exchange.handle(1, order(1, quantity=Decimal(400)), at("10:00"))
    costs = commissions([reply for _, reply in deliveries])
    assert [costs[0], sum(costs)] == [1, 2]


def test_a_volume_bound_spreads_one_order_over_bars_and_one_commission(
    exchange: Exchange, say: Say, order: MakeOrder, at: At
) -> None:
    """A tenth of 1,000 shares a bar: 100 now, 100 at 10:30, 50 at 11:00."""
    heard = say(order(1, action="SELL", quantity=Decimal(250)))
    heard += [reply for client, reply in exchange.advance(at("11:00")) if client == 1]
    assert [item.quantity for item in details(heard)] == [100, 100, 50]
    assert [item.quantity_cumulative for item in details(heard)] == [100, 200, 250]
    assert commissions(heard) == [1, 0, Decimal("0.25")]


def test_orders_share_the_volume_of_a_bar_in_order_of_arrival(
    exchange: Exchange, say: Say, order: MakeOrder
) -> None:
    say(order(1, quantity=Decimal(70)), order(2, quantity=Decimal(50)))
    assert [known(exchange, order_id).filled for order_id in (1, 2)] == [70, 30]


def test_a_correction_has_the_same_id_with_its_last_group_counted_up(
    exchange: Exchange, do: Do, bought: Execution
) -> None:
    """ib.md 4: same id, last group .02, .03; cash follows, and the client is told."""
    heard = do(lambda: exchange.orders.correct(bought.execution_id, price=Decimal("600.01")))
    assert details(heard)[0].execution_id == bought.execution_id.removesuffix("01") + "02"
    assert details(heard)[0].price == Decimal("600.01")
    assert exchange.account.cash == Decimal(100_000) - Decimal("6000.10") - 1
    again = known(exchange).executions[-1].execution_id
    heard = do(lambda: exchange.orders.correct(again, quantity=Decimal(8)))
    assert details(heard)[0].execution_id.endswith(".03")
    assert details(heard)[0].quantity_cumulative == 8
    assert exchange.positions == {"SPY": Decimal(58)}


def test_a_correction_can_fill_an_order_up(
    exchange: Exchange, say: Say, order: MakeOrder, do: Do
) -> None:
    """100 of 101 were to be had in the bar; a correction says that it was all."""
    say(order(1, action="SELL", quantity=Decimal(101)))
    (execution,) = known(exchange).executions
    heard = do(lambda: exchange.orders.correct(execution.execution_id, quantity=Decimal(101)))
    assert statuses(heard) == ["Filled"]
    assert exchange.working_orders == []


def test_a_correction_can_fill_up_a_cancelled_order_too(
    exchange: Exchange, say: Say, do: Do, order: MakeOrder
) -> None:
    """4 of 10 were filled after the cancel; a correction says that it was all."""
    say(order(1, order_type="LMT", limit_price=Decimal(500)), q.CancelOrder(1))
    do(lambda: exchange.orders.fill(known(exchange), Decimal(4), Decimal(500)))
    (execution,) = known(exchange).executions
    heard = do(lambda: exchange.orders.correct(execution.execution_id, quantity=Decimal(10)))
    assert statuses(heard) == ["Filled"]
    assert [item.status for item in exchange.orders.done] == ["Filled"]


def test_old_and_corrected_executions_are_both_on_record(
    exchange: Exchange, say: Say, do: Do, bought: Execution
) -> None:
    """ib.md 2.1: a client that adds both counts twice; the highest suffix is the truth."""
    do(lambda: exchange.orders.correct(bought.execution_id, quantity=Decimal(8)))
    names = ("account", "time", "symbol", "security_type", "exchange", "side")
    asked = q.ExecutionsRequest(5, 0, **dict.fromkeys(names, ""))
    assert [item.quantity for item in details(say(asked))] == [10, 8]


def test_a_bust_comes_again_with_no_shares_and_gives_all_back(
    exchange: Exchange, do: Do, bought: Execution
) -> None:
    heard = do(lambda: exchange.orders.bust(bought.execution_id))
    assert [details(heard)[0].quantity, *commissions(heard)] == [0, 0]
    assert exchange.positions == {"SPY": Decimal(50)}
    assert exchange.account.cash == 100_000
    assert statuses(heard) == []


def test_a_minimum_commission_goes_over_to_what_is_left_of_the_order(
    book: BarBook, order: MakeOrder, at: At
) -> None:
    """IB charges per order: the first part paid the dollar, and is taken back; the second pays."""
    options = ExchangeOptions(cash=Decimal(100_000), executions_quantity_max=Decimal(8))
    made = Exchange(book, options)
    made.connect(1, at("10:00"))
    made.handle(1, order(1, quantity=Decimal(10)), at("10:00"))
    (filled,) = made.orders.done
    first, *others = filled.executions
    told = [x for _, x in made.acting(at("10:00"), lambda: made.orders.bust(first.execution_id))]
    assert commissions(told) == [1]
    left = sum(item.quantity for item in others)
    assert made.account.cash == 100_000 - left * others[0].price - 1


def test_only_the_latest_version_of_an_execution_can_be_corrected(
    exchange: Exchange, do: Do, bought: Execution
) -> None:
    with pytest.raises(ValueError, match="no execution"):
        exchange.orders.bust("00000000.00000000.01.01")
    with pytest.raises(ValueError, match="is no quantity"):
        exchange.orders.correct(bought.execution_id, quantity=Decimal(11))
    do(lambda: exchange.orders.bust(bought.execution_id))
    with pytest.raises(ValueError, match="no execution"):
        exchange.orders.bust(bought.execution_id)


def test_a_cancelled_order_can_still_be_filled(
    exchange: Exchange, say: Say, do: Do, order: MakeOrder
) -> None:
    """ib.md 4: fill after Cancelled."""
    say(order(1, order_type="LMT", limit_price=Decimal(500)), q.CancelOrder(1))
    heard = do(lambda: exchange.orders.fill(known(exchange), Decimal(4), Decimal(500)))
    assert (details(heard)[0].quantity, statuses(heard)) == (Decimal(4), ["Cancelled"])
    heard = do(lambda: exchange.orders.fill(known(exchange)))
    assert (details(heard)[0].price, statuses(heard)) == (Decimal("601.01"), ["Filled"])
    assert exchange.positions == {"SPY": 60}
    assert len(exchange.orders.done) == 1


def test_an_order_is_not_filled_beyond_its_quantity(exchange: Exchange, bought: Execution) -> None:
    with pytest.raises(ValueError, match="not between"):
        exchange.orders.fill(known(exchange), Decimal(1))

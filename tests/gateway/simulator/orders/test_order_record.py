"""The record of orders: look-ups, reserved margin, alarms, what midnight forgets."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.order_record import OrderRecord
from gateway.simulator.orders.orders import NEVER, Order, OrderTerms

NOON = datetime(2025, 12, 12, 17, tzinfo=UTC)


@pytest.fixture
def record() -> OrderRecord:
    return OrderRecord(1000)


def added(record: OrderRecord, order_id: int, action: str = "BUY", ref: str = "") -> Order:
    terms = OrderTerms(action, Decimal(10), order_ref=ref)
    perm_id = record.next_perm_id()
    order = Order(order_id, 1, perm_id, Contract(con_id=7), terms, NOON, NEVER)
    record.add(order)
    return order


def test_an_order_is_found_by_every_name_it_has(record: OrderRecord) -> None:
    order = added(record, 5, ref="mine")
    assert record.known(1, 5) is record.find(order.perm_id) is order
    assert record.by_ref("mine") == record.side(7, 1) == record.working == [order]
    assert (record.known(2, 5), record.by_ref("yours"), record.side(7, -1)) == (None, [], [])


def test_sides_are_counted_apart(record: OrderRecord) -> None:
    added(record, 1)
    added(record, 2)
    sold = added(record, 3, "SELL")
    assert (record.side_count(7, 1), record.side_count(7, -1)) == (2, 1)
    record.finish(sold, NOON)
    assert (record.side_count(7, -1), record.working_con_ids()) == (0, (7,))


def test_margin_is_reserved_until_the_order_ends(record: OrderRecord) -> None:
    first, second = added(record, 1), added(record, 2)
    record.reserve(first, Decimal(100))
    record.reserve(second, Decimal(50))
    record.reserve(first, Decimal(70))
    assert record.margin_reserved == 120
    record.finish(first, NOON)
    record.drop(second)
    assert record.margin_reserved == 0


def test_an_order_made_by_hand_is_bound_to_a_negative_id(record: OrderRecord) -> None:
    """ib.md 4: client 0 binds manual orders, negative ids."""
    order = added(record, 0)
    order.client_id = 0
    record.bind(order)
    assert order.order_id < 0
    assert record.known(0, order.order_id) is order


def test_a_dropped_order_leaves_no_trace(record: OrderRecord) -> None:
    for order in (added(record, 1), added(record, 2)):
        if order.order_id == 2:
            record.finish(order, NOON)
        record.drop(order)
    assert (record.working, record.done, record.known(1, 1), record.find(1001)) == (
        [],
        [],
        None,
        None,
    )


def test_rolled_back_ids_are_free_again_but_for_working_orders(record: OrderRecord) -> None:
    """ib.md 4, gateway restart: ids are issued again."""
    for order_id in (1, 2, 3):
        record.ids(1).use(order_id)
        added(record, order_id)
    done = record.known(1, 3)
    assert done is not None
    record.finish(done, NOON)
    record.roll_back_ids(1, 2)
    assert record.ids(1).highest == 1
    assert (record.known(1, 3), record.known(1, 2) is None) == (None, False)
    record.roll_back_ids(1, 9)
    assert record.ids(1).highest == 0


def test_alarms_ring_once_in_order_and_only_for_working_orders(record: OrderRecord) -> None:
    first, second, ended = (added(record, order_id) for order_id in (1, 2, 3))
    minutes = [NOON + timedelta(minutes=count) for count in range(3)]
    for order, when in zip((first, second, ended), reversed(minutes), strict=True):
        record.wake_at(order, when)
    record.wake_at(first, NEVER)
    record.finish(ended, NOON)
    assert record.alarms(minutes[1]) == [minutes[1]]
    record.forget_ended()
    assert record.alarms(minutes[2]) == [minutes[2]]
    assert record.alarms(NEVER) == []


def test_midnight_keeps_what_works_and_forgets_the_rest(record: OrderRecord) -> None:
    working, ended = added(record, 1), added(record, 2)
    record.finish(ended, NOON)
    record.forget_ended()
    assert (record.done, record.working) == ([], [working])
    assert (record.known(1, 1), record.known(1, 2)) == (working, None)
    assert (record.find(working.perm_id), record.find(ended.perm_id)) == (working, None)

from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
from hypothesis import given

from gateway.core import holdings
from gateway.core.desk import Desk
from schemas.documents import BrokerPosition
from schemas.values import Contract

BOOKS = st.dictionaries(
    st.sampled_from(["a", "b", "EXTERNAL"]),
    st.dictionaries(st.integers(1, 4), st.integers(-9, 9)),
)
STATES = st.sampled_from(["PENDING", "WORKING", "CANCELLING", "UNKNOWN", "DONE"])


def test_what_the_broker_or_a_ledger_holds_or_held_is_known(build: Any) -> None:
    """[B3] Also what was sold again; not what is only wanted or ordered."""
    positions = {3: BrokerPosition(build.contract(3), Decimal(5), Decimal(100))}
    sold = build.after(
        build.desk({"a": {4: 1}}, {"a": {1: 5}, "EXTERNAL": {2: 5}}, positions=positions),
        build.execution("x.1.01", -5, order_ref="", contract=build.vixy),
    )
    assert sold.position(2) == 0
    assert set(holdings.contracts(sold)) == {1, 2, 3}


def test_currency_pairs_are_no_holdings(build: Any) -> None:
    """[B1]"""
    pair = Contract("EUR", "CASH", "IDEALPRO", "USD", con_id=9)
    desk = build.desk(positions={9: BrokerPosition(pair, Decimal(5), Decimal(1))})
    assert holdings.contracts(desk) == {}


@given(books=BOOKS, unexplained=st.dictionaries(st.integers(1, 5), st.integers(-9, 9)))
def test_all_positions_at_once_are_those_of_each_contract(
    build: Any, books: dict[str, dict[int, int]], unexplained: dict[int, int]
) -> None:
    """[B3]"""
    missing = {con_id: Decimal(quantity) for con_id, quantity in unexplained.items()}
    desk: Desk = build.desk(books=books, unexplained=missing)
    found = holdings.positions(desk)
    assert all(found.get(n, 0) == desk.position(n) for n in range(7))


@given(orders=st.lists(st.tuples(st.integers(1, 3), STATES), max_size=8))
def test_all_open_orders_at_once_are_those_of_each_contract(
    build: Any, orders: list[tuple[int, Any]]
) -> None:
    """[N5]"""
    made = [
        build.order({"a": 5}, contract=build.contract(n), order_ref=f"paper-{n}-{i}", state=state)
        for i, (n, state) in enumerate(orders)
    ]
    desk: Desk = build.desk(orders=made)
    found = holdings.open_orders(desk)
    assert all(found.get(n) is desk.open_order(n) for n in range(1, 5))
    assert None not in found.values()

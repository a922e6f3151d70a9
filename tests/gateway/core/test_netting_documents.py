"""What plans say field by field, and the edges of netting's rules; see also `test_netting`."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gateway.core.events import NetCause
from gateway.core.netting import Barred, net, pro_rata, stand_back
from schemas.documents import Closure, CrossDocument, Lock, RefusalEntry, Share
from schemas.settings import ControlDocument
from schemas.values import EXTERNAL, Contract, Mode, TradingState


def test_an_order_says_what_is_to_be_sent_and_by_whose_wish(build: Any) -> None:
    """[N5, W1]"""
    price = build.price("101.5", age_seconds=7)
    desk = build.desk(
        {"a": {1: 10}, "b": {1: 5}},
        generations={1: 4},
        prices={1: price},
        mode=Mode.PAPER,
        epoch=9,
    )
    (order,) = net(desk, NetCause("barrier", "run-7"), build.now).orders
    assert (order.order_ref, order.generation, order.epoch) == ("paper-1-5", 5, 9)
    assert (order.contract, order.quantity) == (build.spy, Decimal(15))
    assert order.allocations == build.shares({"a": 10, "b": 5})
    assert (order.decision_price, order.decision_at) == (Decimal("101.5"), price.at)
    assert (order.decision_rate, order.is_reducing) == (Decimal(1), False)
    assert (order.created_at, order.run_id, order.state) == (build.now, "run-7", "PENDING")
    assert (order.order_type.value, order.tif, order.adaptive_priority) == ("MKT", "DAY", "Normal")
    assert order.why == ("a wants +10 (message m1: )", "b wants +5 (message m1: )")


def test_a_cross_says_who_moves_what_at_which_price(build: Any) -> None:
    """[N4]"""
    price = build.price("101.5", age_seconds=7)
    desk = build.desk({"a": {1: 10}, "b": {1: -10}}, generations={1: 4}, prices={1: price}, epoch=9)
    plan = net(desk, NetCause("barrier", "run-7"), build.now)
    assert plan.orders == ()
    assert plan.crosses == (
        CrossDocument(
            cross_id="paper-1-5-cross",
            contract=build.spy,
            shares=build.shares({"a": 10, "b": -10}),
            price=Decimal("101.5"),
            price_source="last trade",
            price_at=price.at,
            at=build.now,
            run_id="run-7",
            epoch=9,
            generation=5,
        ),
    )


def test_an_order_of_somebody_without_targets_says_what_it_wants_and_no_message(build: Any) -> None:
    """[N2] b is to be flattened and never said anything; its order is good for an hour."""
    strategies = {"a": build.strategy(), "b": build.strategy(flatten=True)}
    desk = build.desk({}, {"b": {1: 10}}, strategies=strategies, prices={})
    (order,) = build.net(desk).orders
    assert (order.why, order.decision_price, order.decision_at) == (("b wants -10",), None, None)
    assert (order.valid_until, order.is_reducing) == (build.later(3600), True)


def test_an_order_is_good_as_long_as_all_that_is_behind_it(build: Any) -> None:
    """[W2] What ended before now is held and not traded, so it ends nothing."""
    ends = {"a": 50, "b": 0, "c": -5}
    said = {
        name: build.said(name, {1: 10}, valid_until=build.later(end)) for name, end in ends.items()
    }
    of_two = build.desk({name: said[name] for name in "ab"})
    assert build.net(of_two).orders[0].valid_until == build.now
    strategies = {n: build.strategy(flatten=n == "c") for n in "abc"}
    old = build.desk({"a": said["a"], "c": said["c"]}, {"c": {1: -30}}, strategies=strategies)
    (order,) = build.net(old).orders
    assert {share.strategy for share in order.allocations} == {"a", "c"}
    assert order.valid_until == build.later(50)


def test_what_waits_for_an_order_that_nobody_knows_is_told_in_one_sentence(build: Any) -> None:
    """(behaviour 4.5, 9)"""
    unknown = build.order({"a": 60}, state="UNKNOWN", reason="no answer")
    desk = build.desk({"a": {1: 60}, "b": {1: 5}}, orders=[unknown])
    assert build.net(desk).refusals == (
        RefusalEntry(
            "unknown_order",
            "SPY waits: nobody knows whether the broker has paper-1-1 (no answer); say reconcile, "
            "else look at the broker and say unlock",
            "SPY",
            1,
            ("a", "b"),
            "UNKNOWN",
            "settled",
        ),
    )


def test_who_waits_for_an_unknown_order_keeps_its_other_legs(build: Any) -> None:
    """[N8] What may be filled is no refused leg: VIXY is bought."""
    unknown = build.order({"a": 60}, state="UNKNOWN", reason="no answer")
    plan = build.net(build.desk({"a": {1: 60, 2: 5}}, orders=[unknown]))
    assert [entry.strategies for entry in plan.refusals] == [("a",)]
    assert [order.contract.con_id for order in plan.orders] == [2]


def test_nobody_waits_for_an_unknown_order_that_is_filled(build: Any) -> None:
    fills = {"x": build.execution("x.01", 60)}
    unknown = build.order({"a": 60}, state="UNKNOWN", filled=Decimal(60), executions=fills)
    desk = build.desk({"a": {1: 60}}, {"a": {1: 60}}, orders=[unknown])
    assert build.net(desk).refusals == ()


def test_what_reduce_only_keeps_back_is_told_in_one_sentence(build: Any) -> None:
    """[N4] (behaviour 9) a may go from 40 to 10; b may not go from -5 to -8, nor c from 0."""
    control = ControlDocument(TradingState.REDUCE_ONLY)
    desk = build.desk({"a": {1: 10}, "b": {1: -8}}, {"a": {1: 40}, "b": {1: -5}}, control=control)
    plan = build.net(desk)
    assert [order.allocations for order in plan.orders] == [build.shares({"a": -30})]
    assert plan.refusals == (
        RefusalEntry(
            "trading_state",
            "b wants -3 SPY, which does not reduce its book of -5; trading is reduce_only",
            "SPY",
            1,
            ("b",),
            "-3",
            "reduce_only",
        ),
    )


def test_a_refusal_is_told_once_however_many_rounds_meet_it(build: Any) -> None:
    """[N8] c drops out in the first round; that a and b are locked out is met in each."""
    locks = {"2": Lock("VIXY", "unexplained", "+5 nobody knows", build.now)}
    said = {"a": {2: 5}, "b": {2: 5}, "c": {1: 10**6}}
    plan = build.net(build.desk(said, {"a": {2: 9}, "b": {2: 9}}, locks=locks))
    assert plan.orders == ()
    told = [(entry.rule, entry.con_id, entry.strategies) for entry in plan.refusals]
    assert len(told) == len(set(told))
    assert ("contract_locked", 2, ("a", "b")) in told


def refused(con_id: int, *strategies: str) -> RefusalEntry:
    return RefusalEntry("margin", "no.", "SPY", con_id, strategies)


def test_who_stands_back_is_whose_book_a_refused_order_grows(build: Any) -> None:
    """[N8] b's share brings b nearer to 0, so only a stands back; who did before still does."""
    desk = build.desk({}, {"b": {1: -5}})
    order = build.order({"a": 10, "b": 5})
    before = Barred(frozenset("c"), (refused(2, "c"),), frozenset({2}))
    found = stand_back(desk, [order], before, [refused(1, "a", "b")])
    assert found.strategies == {"a", "c"}
    assert found.refusals == (refused(2, "c"), refused(1, "a", "b"))
    assert found.contracts == {2}


def test_a_refused_order_that_grows_no_book_makes_its_contract_stand_back(build: Any) -> None:
    """[N8, B5] a sells what it holds, and EXTERNAL is short: the broker's position grows."""
    desk = build.desk({}, {"a": {1: 40}, "EXTERNAL": {1: -40}})
    found = stand_back(desk, [build.order({"a": -40})], Barred(), [refused(1, "a")])
    assert found.strategies == {"a"}
    assert found.contracts == {1}


@pytest.mark.parametrize(("wanted", "ordered"), [(0, []), (-50, [])])
def test_a_contract_that_stands_back_takes_no_order_that_grows_its_position(
    build: Any, wanted: int, ordered: list[int]
) -> None:
    """[N8, B5] Whatever the strategy wants, while EXTERNAL is short of all that it sells."""
    desk = build.desk({"a": {1: wanted}}, {"a": {1: 40}, "EXTERNAL": {1: -40}})
    ignoring = build.settings_of(desk, external_policy={"SPY": "ignore"})
    barred = Barred(frozenset("a"), (), frozenset({1}))
    plan = net(ignoring, build.cause, build.now, barred)
    assert [order.quantity for order in plan.orders] == ordered
    other = Barred(frozenset("a"), (), frozenset({2}))
    assert [o.quantity for o in net(ignoring, build.cause, build.now, other).orders] == [-40]


def test_a_contract_that_stands_back_may_still_be_reduced(build: Any) -> None:
    """[N6]"""
    desk = build.desk({"a": {1: 0}}, {"a": {1: 40}})
    barred = Barred(contracts=frozenset({1}))
    assert [o.quantity for o in net(desk, build.cause, build.now, barred).orders] == [-40]


def test_what_was_refused_before_a_net_is_told_with_it(build: Any) -> None:
    """[N8] The margin's refusals lead to a net without those refused, and are its refusals."""
    barred = Barred(frozenset("a"), (refused(1, "a"),))
    plan = net(build.desk({"a": {1: 10}, "b": {2: 5}}), build.cause, build.now, barred)
    assert [order.allocations for order in plan.orders] == [build.shares({"b": 5})]
    assert plan.refusals == (refused(1, "a"),)


def test_every_strategys_wish_is_told_whatever_comes_of_it(build: Any) -> None:
    """[N3, N8] Also those of a strategy that stands back, and of one whose wish is fulfilled."""
    desk = build.desk({"a": {1: 10, 2: 4}, "b": {1: 3}}, {"b": {1: 3}})
    plan = net(desk, build.cause, build.now, Barred(frozenset("a")))
    assert [(c.con_id, c.strategy, int(c.change)) for c in plan.wanted] == [
        (1, "a", 10),
        (1, "b", 0),
        (2, "a", 4),
    ]
    assert plan.orders == ()


def test_money_of_another_currency_is_counted_at_its_rate(build: Any) -> None:
    """[M14] The order says at which; a cross is held against the limits at it, too."""
    euros = Contract("SAP", currency="EUR", con_id=1)
    said = build.said("a", {1: 10})
    named = replace(said.targets[0], symbol="SAP", currency="EUR")
    desk = build.desk({"a": replace(said, targets=(named,))})
    values = replace(desk.values, exchange_rates={"EUR": Decimal("1.25")})
    rated = replace(desk, values=values)
    (order,) = build.net(rated).orders
    assert (order.contract, order.decision_rate) == (euros, Decimal("1.25"))
    dear = build.settings_of(rated, order_notional_max=Decimal(1249))
    assert [entry.value for entry in build.net(dear).refusals] == ["1250.00"]


@pytest.mark.parametrize(("rate", "crosses"), [("1.25", 1), ("1.26", 0)])
def test_a_cross_in_another_currency_is_held_against_the_limits_at_its_rate(
    build: Any, rate: str, crosses: int
) -> None:
    """[N4, M14]"""
    targets = {}
    for name, quantity in (("a", 10), ("b", -10)):
        said = build.said(name, {1: quantity})
        named = replace(said.targets[0], symbol="SAP", currency="EUR")
        targets[name] = replace(said, targets=(named,))
    desk = build.desk(targets)
    values = replace(desk.values, exchange_rates={"EUR": Decimal(rate)})
    rated = build.settings_of(replace(desk, values=values), book_notional_max=Decimal(1250))
    assert len(build.net(rated).crosses) == crosses


# ---------------------------------------------------------------------- edges of the rules


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [(5, [8, 1, 1], [4, 1, 0]), (3, [3, 2], [2, 1]), (1, [1, 3], [0, 1]), (-1, [-1, -3], [0, -1])],
)
def test_what_is_left_of_a_proportion_goes_by_the_largest_remainder(
    total: int, weights: list[int], parts: list[int]
) -> None:
    """[N4] Of 5 shares 8:1:1 are 4, a half and a half; of 3 shares 3:2 are 1.8 and 1.2."""
    shares = [Share("abc"[n], Decimal(weight)) for n, weight in enumerate(weights)]
    assert [int(s.quantity) for s in pro_rata(Decimal(total), shares)] == parts


@pytest.mark.parametrize(("sold", "cancels"), [(1, ("paper-1-1",)), (0, ())])
def test_a_parent_is_cancelled_for_a_single_share_that_another_could_sell_it(
    build: Any, sold: int, cancels: tuple[str, ...]
) -> None:
    """[N7]"""
    order = build.order({"a": 60})
    desk = build.desk({"a": {1: 60}, "b": {1: 1 - sold}}, {"b": {1: 1}}, orders=[order])
    assert build.net(desk).cancels == cancels


def test_wishes_that_meet_beside_a_parent_wait_for_its_end(build: Any) -> None:
    """[N7] b's 10 may go to c; nothing of that makes a's parent wrong."""
    targets, books = {"a": {1: 60}, "b": {1: 0}, "c": {1: 10}}, {"b": {1: 10}}
    plan = build.net(build.desk(targets, books, orders=[build.order({"a": 60})]))
    assert (plan.is_empty, plan.refusals) == (True, ())


def test_what_would_follow_a_cancel_is_judged_with_what_the_parent_gives_back(build: Any) -> None:
    """[N7] Of a's 60 and b's -40 a purchase of 20 is left, which fits; a sale of 40 would not."""
    desk = build.desk({"a": {1: 60}, "b": {1: -40}}, orders=[build.order({"a": 60})])
    plan = build.net(build.settings_of(desk, position_notional_max=Decimal(3000)))
    assert (plan.cancels, plan.refusals) == (("paper-1-1",), ())


def test_a_parent_that_goes_on_is_not_judged_again_with_what_waits(build: Any) -> None:
    """[N7] The bound was lowered since a's 60 were sent; b's 5 fit."""
    desk = build.desk({"a": {1: 60}, "b": {1: 5}}, orders=[build.order({"a": 60})])
    plan = build.net(build.settings_of(desk, order_quantity_max=Decimal(50)))
    assert (plan.is_empty, plan.refusals) == (True, ())


@pytest.mark.parametrize(("flying", "cancels"), [(50, ("paper-1-1",)), (30, ())])
def test_while_reduce_only_a_way_to_0_is_one_whatever_is_on_its_way(
    build: Any, flying: int, cancels: tuple[str, ...]
) -> None:
    """[N4, N7] a is short of 40 and wants 0: a purchase of 50 is too large, one of 30 too small."""
    control = ControlDocument(TradingState.REDUCE_ONLY)
    orders = [build.order({"a": flying})]
    plan = build.net(build.desk({"a": {1: 0}}, {"a": {1: -40}}, orders=orders, control=control))
    assert (plan.cancels, plan.refusals) == (cancels, ())


def test_what_drops_out_takes_no_room_from_others(build: Any) -> None:
    """[N8] a's SPY comes first, and goes with its locked VIXY; all room there is is b's."""
    strategies = {"a": build.strategy(priority=1), "b": build.strategy()}
    locks = {"2": Lock("VIXY", "unexplained", "+5 nobody knows", build.now)}
    desk = build.desk(
        {"a": {1: 95, 2: 5}, "b": {3: 10}},
        strategies=strategies,
        locks=locks,
        prices={n: build.price() for n in (1, 2, 3)},
        terms={n: build.terms(n) for n in (1, 2, 3)},
        values=replace(build.base, net_liquidation=Decimal(10_000)),
    )
    plan = build.net(desk)
    assert [order.allocations for order in plan.orders] == [build.shares({"b": 10})]
    assert [entry.rule for entry in plan.refusals] == ["contract_locked"]


def test_every_contract_s_refusal_is_told(build: Any) -> None:
    """[N8] (behaviour 9) Two locks are two things to settle."""
    lock = Lock("SPY", "unexplained", "+5 nobody knows", build.now)
    desk = build.desk({"a": {1: 5, 2: 5}}, locks={"1": lock, "2": replace(lock, symbol="VIXY")})
    assert [(e.rule, e.con_id) for e in build.net(desk).refusals] == [
        ("contract_locked", 1),
        ("contract_locked", 2),
    ]


BACK = Barred(frozenset("a"))
"""a's increasing legs stay out of the net."""


@pytest.mark.parametrize(
    ("held", "flying", "wanted", "cancels"),
    [
        (40, -10, {"a": {1: 60}}, ("paper-1-1",)),
        (40, -10, {"a": {1: -5}, "b": {1: 30}}, ()),
        (0, 10, {"a": {1: 10}}, ()),
        (0, 10, {"a": {1: 20}, "b": {1: 5}}, ()),
    ],
    ids=["its sale is called back", "its sale meets a wish", "nothing to do", "it gets no more"],
)
def test_who_stands_back_keeps_its_book_and_what_reduces_it(
    build: Any, held: int, flying: int, wanted: Any, cancels: tuple[str, ...]
) -> None:
    """[N6, N8] What is in flight counts: a wish beyond the book takes the sale back, no more."""
    desk = build.desk(wanted, {"a": {1: held}}, orders=[build.order({"a": flying})])
    plan = net(desk, build.cause, build.now, BACK)
    assert (plan.cancels, plan.orders, plan.refusals) == (cancels, (), ())


def test_a_cross_that_closes_both_books_passes_where_no_other_would(build: Any) -> None:
    """[N4, N6]"""
    books = {"a": {1: -10}, "b": {1: 10}, "c": {2: 50}}
    closing = build.settings_of(
        build.desk({"a": {1: 0}, "b": {1: 0}, "c": {2: 50}}, books), symbols_denied=("SPY",)
    )
    assert [cross.shares for cross in build.net(closing).crosses] == [
        build.shares({"a": 10, "b": -10})
    ]
    opening = build.desk({"a": {1: 10}, "b": {1: 0}}, {"b": {1: 10}})
    plan = build.net(build.settings_of(opening, symbols_denied=("SPY",)))
    assert (plan.crosses, [e.rule for e in plan.refusals]) == ((), ["contract_allowed"])


@pytest.mark.parametrize(("sold", "crosses"), [(10, 1), (4, 1), (0, 0)])
def test_a_run_tries_again_what_was_rejected(build: Any, sold: int, crosses: int) -> None:
    """[N8] Crosses and orders: the net says why it was made."""
    over = build.order({"a": 10}, state="DONE", outcome="rejected")
    wanted = {"a": {1: 10}, **({"b": {1: -sold}} if sold else {})}
    plan = build.net(build.desk(wanted, orders=[over], generations={1: 1}))
    assert len(plan.crosses) == crosses
    assert [int(o.quantity) for o in plan.orders] == ([10 - sold] if sold < 10 else [])
    assert plan.refusals == ()


def test_a_cross_moves_nothing_at_the_broker_and_is_the_contracts_first(build: Any) -> None:
    """[N4, W1] The broker's position may be worth nothing at all."""
    desk = build.desk({"a": {1: 10}, "b": {1: -10}})
    plan = build.net(build.settings_of(desk, position_notional_max=Decimal(0)))
    assert [cross.cross_id for cross in plan.crosses] == ["paper-1-1-cross"]


def test_all_intentions_of_refused_orders_stand_back_with_those_that_stood_back_before(
    build: Any,
) -> None:
    """Decision 12: a later refusal does not let an earlier one's other legs go."""
    orders = [
        build.order({"a": 5}, leg_of=("a",)),
        build.order({"b": 5}, contract=build.vixy, order_ref="paper-2-1", leg_of=("b",)),
    ]
    refusals = [
        RefusalEntry("margin", "too much", order.contract.symbol, order.contract.con_id)
        for order in orders
    ]
    after = stand_back(build.desk(), orders, Barred(whole=frozenset("c")), refusals)
    assert after.whole == {"a", "b", "c"}


def test_an_order_of_a_closed_book_says_who_closed_it(build: Any) -> None:
    closed = {"a": Closure(build.now, "ann", "margin call")}
    desk = replace(build.desk({"a": {1: 50}}, {"a": {1: 10}}), closed=closed)
    (order,) = net(desk, build.cause, build.now).orders
    assert order.why == ("a wants -10: closed by ann: margin call",)


def test_a_parent_that_what_external_is_to_sell_would_wait_for_is_cancelled(build: Any) -> None:
    """[B2] Though both sell: what a person closed waits for no strategy's order."""
    selling = build.order({"a": -5})
    closed = {EXTERNAL: Closure(build.now, contracts={"1": Decimal(10)})}
    books = {"a": {1: 5}, EXTERNAL: {1: 10}}
    desk = build.desk({"a": {1: 0}}, books, orders=[selling])
    assert net(desk, build.cause, build.now).cancels == ()
    assert net(replace(desk, closed=closed), build.cause, build.now).cancels == ("paper-1-1",)

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gateway.core.broker import BrokerStatus
from gateway.core.desk import Desk
from gateway.core.events import NetCause, Netted
from gateway.core.netting import Plan, cross, increasers, net, pro_rata
from schemas.documents import Closure, Lock, Share
from schemas.settings import ControlDocument, OrderPolicy
from schemas.values import EXTERNAL, OrderType, TradingState

NAMES = ("a", "b", "c")
QUANTITIES = st.fixed_dictionaries({}, optional={1: st.integers(-60, 60), 2: st.integers(-60, 60)})
SITUATIONS = st.fixed_dictionaries(
    {
        "targets": st.dictionaries(st.sampled_from(NAMES), QUANTITIES),
        "books": st.dictionaries(st.sampled_from((*NAMES, "EXTERNAL")), QUANTITIES),
        "short_allowed": st.booleans(),
        "order_quantity_max": st.sampled_from([20, 10_000]),
        "age_seconds": st.sampled_from([0, 9_999]),
        "state": st.sampled_from([TradingState.ACTIVE, TradingState.REDUCE_ONLY]),
    }
)


def situated(build: Any, situation: Mapping[str, Any]) -> Desk:
    desk: Desk = build.desk(
        situation["targets"],
        situation["books"],
        control=ControlDocument(situation["state"]),
        prices={1: build.price(age_seconds=situation["age_seconds"]), 2: build.price()},
    )
    return build.settings_of(  # type: ignore[no-any-return]
        desk,
        short_allowed=situation["short_allowed"],
        order_quantity_max=Decimal(situation["order_quantity_max"]),
    )


def ordered(plan: Plan) -> dict[int, int]:
    return {order.contract.con_id: int(order.quantity) for order in plan.orders}


def allocated(plan: Plan, con_id: int = 1) -> dict[str, int]:
    orders = [order for order in plan.orders if order.contract.con_id == con_id]
    return {s.strategy: int(s.quantity) for order in orders for s in order.allocations}


def rules(plan: Plan) -> set[tuple[str, tuple[str, ...]]]:
    return {(entry.rule, entry.strategies) for entry in plan.refusals}


def followed(build: Any, desk: Desk) -> tuple[Desk, list[Plan]]:
    """The desk after a net and all that its fills make due, and every plan of them."""
    plans: list[Plan] = []
    cause: NetCause | None = build.cause
    while cause is not None:
        plans.append(net(desk, cause, build.now))
        netted = build.after(build.taken_up(desk, plans[-1]), Netted())
        desk = build.filled(netted, *(o.order_ref for o in plans[-1].orders))
        cause = desk.cause
    assert len(plans) <= 2, "a flip is two orders [N6]"
    return desk, plans


def working(build: Any, allocations: dict[str, int], **parts: Any) -> list[Any]:
    return [build.order(allocations, **parts)]


# ---------------------------------------------------------------------- crosses and parents


def test_opposite_wishes_cross_and_the_rest_is_one_parent(build: Any) -> None:
    """The first worked example of behaviour.md, section 3 [N4, N5]."""
    desk = build.desk({"a": {1: 100}, "b": {1: -40}})
    plan = build.net(desk)
    assert plan.crosses[0].shares == build.shares({"b": -40, "a": 40})
    assert plan.crosses[0].price == 100
    assert (ordered(plan), allocated(plan)) == ({1: 60}, {"a": 60})
    part = build.after(build.taken_up(desk, plan), build.execution("x.1.01", 25))
    assert build.books(part) == {"a": 65, "b": -40}
    assert part.position(1) == 25


@given(quantities=st.lists(st.integers(-60, 60).filter(bool), min_size=1, max_size=6))
def test_crosses_sum_to_0_and_settle_the_smaller_side_whole(quantities: list[int]) -> None:
    """[N4]"""
    shares = [Share("abcdef"[i], Decimal(q)) for i, q in enumerate(quantities)]
    crossed, rest = cross(shares)
    assert sum(s.quantity for s in crossed) == 0
    assert len({s.quantity > 0 for s in rest}) <= 1
    parts = {s.strategy: s.quantity for s in shares}
    for share in (*crossed, *rest):
        parts[share.strategy] -= share.quantity
    assert not any(parts.values())
    assert all(abs(s.quantity) <= abs(dict_of(shares)[s.strategy]) for s in (*crossed, *rest))


def dict_of(shares: list[Share]) -> dict[str, Decimal]:
    return {share.strategy: share.quantity for share in shares}


@given(
    weights=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    data=st.data(),
)
def test_pro_rata_stays_within_one_of_the_quota(weights: list[int], data: st.DataObject) -> None:
    """[N4] Largest remainder: whole parts, exact in sum, never more than was wished."""
    total = data.draw(st.integers(0, sum(weights)))
    shares = [Share("abcdef"[i], Decimal(w)) for i, w in enumerate(weights)]
    parts = [s.quantity for s in pro_rata(Decimal(total), shares)]
    assert sum(parts) == total
    assert all(
        abs(p - Decimal(total) * w / sum(weights)) < 1 for p, w in zip(parts, weights, strict=True)
    )
    assert all(p <= w for p, w in zip(parts, weights, strict=True))


def test_pro_rata_ties_go_to_the_id_that_sorts_first() -> None:
    """[N4]"""
    parts = pro_rata(Decimal(1), [Share("b", Decimal(5)), Share("a", Decimal(5))])
    assert parts == (Share("b", Decimal(0)), Share("a", Decimal(1)))


def test_an_order_says_which_messages_wanted_it_and_how_long_it_is_good(build: Any) -> None:
    """[N5, W2]"""
    early = build.said("b", {1: 5}, valid_until=build.later(60), message_id="m2")
    order = build.net(build.desk({"a": {1: 10}, "b": early})).orders[0]
    assert order.valid_until == build.later(60)
    assert order.why[1].startswith("b wants +5 (message m2")
    assert (order.order_ref, order.generation, order.state) == ("paper-1-1", 1, "PENDING")


def test_an_order_of_targets_without_an_end_can_be_sent(build: Any) -> None:
    """[W2] Valid until the moment it was made would mean: never."""
    desk = build.desk({"a": build.said("a", {1: 10}, valid_until=None)})
    assert build.net(desk).orders[0].valid_until == build.later(3600)


def test_numbers_of_orders_go_on_from_the_last_generation(build: Any) -> None:
    """[W1]"""
    desk = build.desk({"a": {1: 10}}, generations={1: 41})
    assert build.net(desk).orders[0].order_ref == "paper-1-42"


def test_reducing_orders_come_first(build: Any) -> None:
    """[N6]"""
    desk = build.desk({"a": {1: 50, 2: 10}}, {"a": {2: 40}})
    assert list(ordered(build.net(desk)).items()) == [(2, -30), (1, 50)]


def test_a_flip_goes_to_0_first_and_its_fill_makes_the_net_due_that_goes_beyond(
    build: Any,
) -> None:
    """[N6]"""
    desk = build.desk({"a": {1: -30}}, {"a": {1: 40}})
    first = build.net(desk)
    assert (ordered(first), first.orders[0].is_flip) == ({1: -40}, True)
    flat = build.filled(build.taken_up(desk, first), "paper-1-1")
    assert flat.cause is not None
    second = net(flat, flat.cause, build.now)
    assert (ordered(second), second.orders[0].is_flip) == ({1: -30}, False)


@pytest.mark.parametrize("target", [0, 10, 60])
def test_what_stays_on_its_side_of_0_is_no_flip(build: Any, target: int) -> None:
    """[N6]"""
    plan = build.net(build.desk({"a": {1: target}}, {"a": {1: 40}}))
    assert [order.is_flip for order in plan.orders] == [False]


def test_an_order_is_executed_as_its_strategies_want_it(build: Any) -> None:
    """[N5] (behaviour 4.7)"""
    policy = OrderPolicy(OrderType.LMT, tif="IOC", outside_rth=True, good_after_time="15:45")
    strategies = {name: build.strategy(order_policy=policy) for name in "ab"}
    plan = build.net(build.desk({"a": {1: 10}, "b": {1: 5}}, strategies=strategies))
    (order,) = plan.orders
    assert (order.order_type, order.tif, order.limit_price) == (OrderType.LMT, "IOC", 101)
    assert (order.adaptive_priority, order.outside_rth) == ("", True)
    assert order.good_after == build.span(15, 45, 16, 0).opens_at
    assert {"market_hours", "price_collar", "order_policy"} <= {*order.limits}


def test_strategies_whose_policies_conflict_trade_nothing_more_there_and_all_else(
    build: Any,
) -> None:
    """[N5, N6, N8] The refusal names both; c and what reduces go on."""
    limited = OrderPolicy(OrderType.LMT)
    strategies = {n: build.strategy(order_policy=limited if n == "a" else None) for n in "abc"}
    targets = {"a": {1: 10, 2: 0}, "b": {1: 5}, "c": {2: 5}}
    plan = build.net(build.desk(targets, {"a": {2: 20}}, strategies=strategies))
    assert ordered(plan) == {2: -15}
    assert rules(plan) == {("order_policy", ("a", "b"))}


def test_a_flip_is_shared_over_all_who_sell(build: Any) -> None:
    """[N6, A2]"""
    desk = build.desk({"a": {1: 0}, "b": {1: -60}}, {"a": {1: 40}})
    assert allocated(build.net(desk)) == {"a": -16, "b": -24}


def test_a_flip_around_a_fraction_goes_to_the_last_whole_share(build: Any) -> None:
    """[N9]"""
    desk = build.desk({"a": {1: -30}}, {"a": {1: 40}, "EXTERNAL": {1: "0.5"}})
    assert ordered(build.net(desk)) == {1: -40}


# ---------------------------------------------------------------------- the working order


@pytest.mark.parametrize("target", [59, 0, -10])
def test_a_parent_too_large_or_the_wrong_way_is_cancelled(build: Any, target: int) -> None:
    """[N7] And nothing else happens for its contract."""
    desk = build.desk({"a": {1: target}}, orders=working(build, {"a": 60}))
    plan = build.net(desk)
    assert (plan.cancels, plan.orders, plan.crosses) == (("paper-1-1",), (), ())


def test_a_parent_too_small_goes_on_and_the_rest_waits(build: Any) -> None:
    """[N7]"""
    assert build.net(build.desk({"a": {1: 70}}, orders=working(build, {"a": 60}))).is_empty


def test_another_order_policy_replaces_no_working_order(build: Any) -> None:
    """[N6, N7] A changed setting is no new wish; the next order goes by it (decision 11)."""
    order = build.order({"a": 60}, order_type=OrderType.LMT, limit_price=Decimal(99))
    policy = OrderPolicy(OrderType.MIDPRICE)
    desk = build.desk(
        {"a": {1: 60}}, orders=[order], strategies={"a": build.strategy(order_policy=policy)}
    )
    assert build.net(desk).is_empty
    cancelled = build.after(desk, build.report(BrokerStatus.CANCELLED))
    (anew,) = build.net(cancelled).orders
    assert (anew.quantity, anew.order_type) == (60, OrderType.MIDPRICE)


@pytest.mark.parametrize("state", ["PENDING", "CANCELLING"])
def test_an_order_not_known_to_work_is_not_cancelled(build: Any, state: str) -> None:
    """[N7] Its answer is on the way."""
    desk = build.desk({"a": {1: 0}}, orders=working(build, {"a": 60}, state=state))
    assert build.net(desk).is_empty


def test_an_order_that_is_over_but_for_its_executions_is_not_cancelled(build: Any) -> None:
    orders = working(build, {"a": 60}, outcome="filled", broker_filled=Decimal(60))
    assert build.net(build.desk({"a": {1: 0}}, orders=orders)).is_empty


def test_an_unknown_order_locks_its_contract_and_says_so(build: Any) -> None:
    """Silence is UNKNOWN (behaviour 4.5)."""
    orders = working(build, {"a": 60}, state="UNKNOWN", reason="no answer")
    plan = build.net(build.desk({"a": {1: 0}, "b": {1: 5}}, orders=orders))
    assert plan.is_empty
    assert rules(plan) == {("unknown_order", ("a", "b"))}
    assert "paper-1-1" in plan.refusals[0].sentence


def test_a_parent_is_cancelled_when_another_strategy_takes_over_its_wish(build: Any) -> None:
    """[N7] The right size for the wrong strategy: its fills would be the wrong one's."""
    desk = build.desk({"a": {1: 0}, "b": {1: 60}}, orders=working(build, {"a": 60}))
    assert build.net(desk).cancels == ("paper-1-1",)


def test_a_parent_is_cancelled_when_anothers_wish_makes_it_too_large(build: Any) -> None:
    """[N3, N7] a still wants its 60, but b sells 40 of its own: 20 are enough."""
    desk = build.desk({"a": {1: 60}, "b": {1: 0}}, {"b": {1: 40}}, orders=working(build, {"a": 60}))
    plan = build.net(desk)
    assert plan.cancels == ("paper-1-1",)
    cancelled = build.taken_up(desk, plan)
    over = replace(cancelled.orders["paper-1-1"], state="DONE", outcome="cancelled")
    after = build.net(replace(cancelled, orders={"paper-1-1": over}))
    assert (len(after.crosses), ordered(after)) == (1, {1: 20})


def test_no_parent_is_cancelled_for_a_wish_that_would_be_refused(build: Any) -> None:
    """[N7] Else it would be sent and cancelled for ever."""
    desk = build.desk({"a": {1: 60}, "b": {1: -40}}, orders=working(build, {"a": 60}))
    plan = build.net(build.settings_of(desk, short_allowed=False))
    assert plan.is_empty
    assert rules(plan) == {("short_allowed", ("b",))}


def test_no_parent_is_cancelled_for_an_order_that_would_be_too_large(build: Any) -> None:
    """[N7] a's close works; b's sale, with which it could cross, would be over the maximum."""
    targets, books = {"a": {1: 0}, "b": {1: -22}}, {"a": {1: -1}}
    desk = build.desk(targets, books, orders=working(build, {"a": 1}))
    plan = build.net(build.settings_of(desk, order_quantity_max=Decimal(20)))
    assert plan.is_empty
    assert rules(plan) == {("order_quantity_max", ("b",))}


def test_a_leg_that_waits_and_would_be_refused_drops_the_hedge_today(build: Any) -> None:
    """[N7, N8] b's short of VIXY waits behind a's sale, and will never be allowed."""
    sale = working(build, {"a": -2}, contract=build.vixy)
    desk = build.desk({"a": {2: 0}, "b": {1: 1, 2: -1}}, {"a": {2: 2}}, orders=sale)
    plan = build.net(build.settings_of(desk, short_allowed=False))
    assert plan.is_empty
    assert rules(plan) == {("short_allowed", ("b",))}


# ---------------------------------------------------------------------- refusals and hedges


def locked(symbol: str, build: Any) -> Lock:
    return Lock(symbol, "unexplained", "+5 nobody knows", build.now)


def test_a_hedge_is_never_half(build: Any) -> None:
    """[N8] a's VIXY is refused, so its SPY is dropped; b's SPY stays."""
    desk = build.desk({"a": {1: 50, 2: 50}, "b": {1: 30}}, locks={"2": locked("VIXY", build)})
    plan = build.net(desk)
    assert (ordered(plan), allocated(plan)) == ({1: 30}, {"b": 30})
    assert rules(plan) == {("contract_locked", ("a",))}


def test_dropping_one_strategy_may_drop_the_next(build: Any) -> None:
    """[N8] a's 50 may go only against b's sale; b stands back, and then so does a."""
    settings = {"order_quantity_max": Decimal(20)}
    desk = build.desk({"a": {1: 30}, "b": {1: -15, 2: 5}}, locks={"2": locked("VIXY", build)})
    plan = build.net(build.settings_of(desk, **settings))
    assert plan.is_empty
    assert {rule for rule, _ in rules(plan)} == {"contract_locked", "order_quantity_max"}


def test_reducing_legs_stay_when_increasing_ones_are_dropped(build: Any) -> None:
    """[N6, N8]"""
    locks = {"2": locked("VIXY", build)}
    desk = build.desk({"a": {1: 10, 2: 50}}, {"a": {1: 40}}, locks=locks)
    assert ordered(build.net(desk)) == {1: -30}


def test_of_a_dropped_flip_the_way_to_0_stays(build: Any) -> None:
    """[N6, N8] Closing is never blocked, only the opening beyond it."""
    locks = {"2": locked("VIXY", build)}
    desk = build.desk({"a": {1: -30, 2: 50}}, {"a": {1: 40}}, locks=locks)
    flat = build.filled(build.taken_up(desk, build.net(desk)), "paper-1-1")
    assert flat.position(1) == 0
    assert build.net(flat).is_empty


def test_a_short_that_is_not_allowed_costs_the_other_side_only_its_cross(build: Any) -> None:
    """[N8] b may not short; a, who would have bought from b, buys at the market."""
    desk = build.desk({"a": {1: 100}, "b": {1: -40}})
    plan = build.net(build.settings_of(desk, short_allowed=False))
    assert (plan.crosses, allocated(plan)) == ((), {"a": 100})
    assert rules(plan) == {("short_allowed", ("b",))}


def test_without_a_price_nobody_crosses_and_only_what_reduces_goes_on(build: Any) -> None:
    """[N4, N6] a sells 60 of the 100 it closes; the 40 that b would have bought wait."""
    prices = {1: build.price(age_seconds=9_999)}
    desk = build.desk({"a": {1: 0}, "b": {1: 0}}, {"a": {1: 100}, "b": {1: -40}}, prices=prices)
    plan = build.net(build.approved(desk))
    assert (plan.crosses, allocated(plan)) == ((), {"a": -60})
    assert rules(plan) == {("quote_age", ("a", "b"))}


def test_a_books_bound_counts_what_the_same_net_crosses(build: Any) -> None:
    """[N4, N8] 40 of b's and 60 of the market's would be a book of 10,000."""
    desk = build.desk({"a": {1: 100}, "b": {1: -40}})
    plan = build.net(build.settings_of(desk, book_notional_max=Decimal(7000)))
    assert (plan.crosses, allocated(plan)) == ((), {"b": -40})
    assert rules(plan) == {("book_notional_max", ("a",))}


def test_what_opposes_external_is_judged_after_the_cross_with_it(build: Any) -> None:
    """[B5] EXTERNAL is closed: what it gives b and a is theirs, and a's rest opposes nobody."""
    held = {"b": {1: 4}, EXTERNAL: {1: -8}}
    desk = build.desk({"a": {1: -5}, "b": {1: 0}}, held)
    closed = Closure(build.now, contracts={"1": Decimal(-8)})
    plan = build.net(replace(desk, closed={EXTERNAL: closed}))
    assert (ordered(plan), allocated(plan), plan.refusals) == ({1: -1}, {"a": -1}, ())
    assert build.net(build.taken_up(replace(desk, closed={EXTERNAL: closed}), plan)).is_empty


def test_reduce_only_lets_each_book_go_toward_0_and_no_further(build: Any) -> None:
    """[N4, N6]"""
    control = ControlDocument(TradingState.REDUCE_ONLY)
    desk = build.desk({"a": {1: -20}, "b": {1: 10}}, {"a": {1: 40}}, control=control)
    plan = build.net(desk)
    assert allocated(plan) == {"a": -40}
    assert {rule for rule, _ in rules(plan)} == {"trading_state"}


def test_while_halted_nothing_goes_and_the_refusal_says_resume(build: Any) -> None:
    control = ControlDocument(TradingState.HALTED)
    plan = build.net(build.desk({"a": {1: 0}}, {"a": {1: 40}}, control=control))
    assert plan.is_empty
    assert "resume" in plan.refusals[0].sentence


def test_only_the_strategies_whose_books_grow_are_increasers(build: Any) -> None:
    desk = build.desk({}, {"a": {1: -40}})
    assert increasers(desk, 1, build.shares({"a": 40, "b": 40})) == {"b"}


# ---------------------------------------------------------------------- properties


@given(situation=SITUATIONS)
def test_net_on_its_own_result_plans_nothing(build: Any, situation: Mapping[str, Any]) -> None:
    """Why redelivery, restarts and late messages are harmless (architecture 5.2)."""
    desk = situated(build, situation)
    assert build.net(build.taken_up(desk, build.net(desk))).is_empty


@given(situation=SITUATIONS)
def test_nets_and_fills_come_to_rest(build: Any, situation: Mapping[str, Any]) -> None:
    """[N6] Two parents for a flip, and one more for what waited for them, are enough."""
    desk = situated(build, situation)
    for _ in range(4):
        plan = build.net(desk)
        desk = build.filled(build.taken_up(desk, plan), *(o.order_ref for o in plan.orders))
    assert build.net(desk).is_empty


@given(situation=SITUATIONS)
def test_the_books_get_exactly_the_changes_that_were_accepted(
    build: Any, situation: Mapping[str, Any]
) -> None:
    """[N3, N4, N5, N6] Where nothing is refused all that was wanted is had, flips and all."""
    desk = situated(build, situation)
    after, plans = followed(build, desk)
    refusals = [entry for plan in plans for entry in plan.refusals]
    refused = {entry.con_id for entry in refusals}
    dropped = {name for entry in refusals for name in entry.strategies}
    for con_id in {1, 2} - refused:
        before, now = build.books(desk, con_id), build.books(after, con_id)
        wanted = {c.strategy: c.change for c in plans[0].wanted if c.con_id == con_id and c.change}
        if not dropped & wanted.keys():
            moved = {name: now.get(name, 0) - before.get(name, 0) for name in {*now, *before}}
            assert {name: m for name, m in moved.items() if m} == wanted


@given(situation=SITUATIONS)
def test_no_book_ever_moves_away_from_its_wish(build: Any, situation: Mapping[str, Any]) -> None:
    """[N3] Also with refusals, flips and hedges: never past the target, never the wrong way."""
    desk = situated(build, situation)
    plan = build.net(desk)
    after = build.filled(build.taken_up(desk, plan), *(o.order_ref for o in plan.orders))
    for change in plan.wanted:
        moved = build.books(after, change.con_id).get(change.strategy, 0) - int(change.book)
        assert moved * change.change >= 0
        assert abs(moved) <= abs(change.change)


@given(situation=SITUATIONS)
def test_external_never_moves_by_what_we_do(build: Any, situation: Mapping[str, Any]) -> None:
    """[B2]"""
    desk = situated(build, situation)
    plan = build.net(desk)
    after = build.filled(build.taken_up(desk, plan), *(o.order_ref for o in plan.orders))
    assert after.ledgers["EXTERNAL"] == desk.ledgers["EXTERNAL"]


@given(situation=SITUATIONS)
def test_reduce_only_never_takes_a_book_away_from_0(
    build: Any, situation: Mapping[str, Any]
) -> None:
    """[N4, N6]"""
    desk = situated(build, {**situation, "state": TradingState.REDUCE_ONLY})
    plan = build.net(desk)
    after = build.filled(build.taken_up(desk, plan), *(o.order_ref for o in plan.orders))
    for con_id in (1, 2):
        before, now = build.books(desk, con_id), build.books(after, con_id)
        assert all(0 <= now.get(k, 0) * (1 if v > 0 else -1) <= abs(v) for k, v in before.items())
        assert now.keys() <= before.keys()


def test_a_dry_run_plans_over_what_was_said_in_it(build: Any) -> None:
    """Its targets are never stored."""
    desk = build.desk({"a": {1: 10}})
    dry = replace(build.cause, dry_run=True)
    run = build.open_run(("a",), dry_run=True)
    overlaid = replace(desk, run=replace(run, said={"a": build.said("a", {1: 70})}))
    assert ordered(net(overlaid, dry, build.now)) == {1: 70}
    assert ordered(net(overlaid, build.cause, build.now)) == {1: 10}


def test_what_is_left_of_a_barred_flip_is_of_whole_shares(build: Any) -> None:
    """[N6, N8, N9] IB refuses fractions (10243), and the way to 0 must go."""
    desk = build.desk({"a": {1: -5}}, {"a": {1: "10.5"}, "b": {1: 20}})
    shy = build.strategy(short_allowed=False)
    plan = build.net(replace(desk, strategies={**desk.strategies, "a": shy}))
    assert [o.quantity for o in plan.orders] == [-10]
    assert [entry.rule for entry in plan.refusals] == ["short_allowed"]

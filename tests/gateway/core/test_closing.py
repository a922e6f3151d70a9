"""Books that a person closed, as the net, the limits and the fold see them (behaviour 5)."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gateway.core import closing, price_limits
from gateway.core.broker import BrokerStatus
from gateway.core.candidate import Candidate
from gateway.core.desk import Desk
from gateway.core.events import Closed, NetAsked, NetCause, Rebooked, Reopened
from gateway.core.fold import evolve
from gateway.core.netting import net
from gateway.core.records import Stored, changed, restored
from schemas.commands import CloseAll
from schemas.documents import Closure, LatchesDocument, Share
from schemas.values import EXTERNAL, TradingState


def close(desk: Desk, build: Any, **fields: Any) -> Desk:
    event = closing.closed(desk, CloseAll(**fields), "c1", build.now)
    return evolve(event, desk, build.now)


def test_all_are_the_strategies_that_people_know_and_the_books_that_hold_something(
    build: Any,
) -> None:
    """A book at 0 whose strategy is gone is nobody's any more [B6]."""
    desk = build.desk(books={"gone": {1: 3}, "empty": {}, EXTERNAL: {1: 1}})
    event = closing.closed(desk, CloseAll(), "c1", build.now)
    assert [*event.closures] == ["a", "b", "c", "gone"]


def test_a_name_without_strategy_and_book_is_refused_with_those_that_there_are(
    build: Any,
) -> None:
    with pytest.raises(closing.CannotClose, match=r"'x' is no strategy.*name one of a, b, c$"):
        closing.closed(build.desk(), CloseAll(strategies=("a", "x")), "c1", build.now)


def test_the_targets_are_0_as_of_the_command_in_all_that_is_named_or_held(build: Any) -> None:
    """[T2]: what was said before is older; and they wait for a net, also after a crash."""
    desk = build.desk({"a": {1: 5}}, {"a": {2: 3}})
    event = closing.closed(desk, CloseAll(strategies=("a",)), "c1", build.later(1))
    said = event.targets["a"]
    assert {t.con_id: int(t.quantity) for t in said.targets} == {1: 0, 2: 0}
    assert (said.as_of, said.last_as_of) == (build.later(1), build.later(1))
    assert (said.message_id, said.waits_for_net) == ("close_all c1", True)


def test_a_second_close_keeps_who_closed_first_and_takes_up_force(build: Any) -> None:
    desk = close(build.desk(), build, strategies=("a",), by="ann")
    desk = close(desk, build, strategies=("a",), by="bob", force=True)
    assert desk.closed == {"a": Closure(build.now, "ann", "", force=True)}


def test_a_closed_strategy_wants_0_whatever_it_says_and_whoever_it_is(build: Any) -> None:
    """Also one that is not enabled, or whose document is gone [B6]."""
    off = build.strategy(enabled=False)
    desk = build.desk({"a": {1: 50}}, {"a": {1: 9}, "b": {1: 9}, "gone": {1: 9}})
    desk = close(replace(desk, strategies={"a": build.strategy(), "b": off}), build)
    desk = replace(desk, targets={**desk.targets, "a": build.said("a", {1: 50})})
    plan = net(desk, build.cause, build.now)
    (order,) = plan.orders
    assert order.quantity == -27
    assert order.allocations == build.shares({"a": -9, "b": -9, "gone": -9})


def test_an_order_of_closed_books_is_good_whatever_the_age_of_their_targets(build: Any) -> None:
    """No target is behind it: a person is."""
    desk = build.desk({"a": build.said("a", {1: 9}, valid_until=build.later(1))}, {"a": {1: 9}})
    desk = close(desk, build)
    (order,) = net(desk, build.cause, build.now).orders
    assert order.valid_until == build.later(3600)


def test_closed_books_have_not_vanished(build: Any) -> None:
    """In no net: the latch says so, not the one net that the command asked for."""
    desk = close(build.desk(books={"a": {1: 100}, "b": {1: 100}}), build)
    plan = net(desk, NetCause("cancel confirmed", "after-x"), build.now)
    assert [o.quantity for o in plan.orders] == [-200]


def test_external_takes_part_only_where_it_was_closed(build: Any) -> None:
    desk = build.desk(books={EXTERNAL: {1: 5, 2: 7}, "a": {1: 10}})
    assert [c.strategy for c in net(desk, build.cause, build.now).wanted] == ["a"]
    desk = close(desk, build, strategies=(), external=True)
    plan = net(desk, build.cause, build.now)
    assert {o.contract.symbol: int(o.quantity) for o in plan.orders} == {"SPY": -5, "VIXY": -7}
    assert {s.strategy for o in plan.orders for s in o.allocations} == {EXTERNAL}


def test_external_is_closed_in_what_it_held_until_none_of_that_is_left(build: Any) -> None:
    """[B2]: what a person trades afterwards is theirs, on the other side of 0 too."""
    desk = build.desk(books={EXTERNAL: {1: 5, 2: 7}})
    desk = close(desk, build, external=True)
    kept = replace(desk, ledgers={**desk.ledgers, EXTERNAL: build.ledger({1: 2, 2: -1})})
    left = closing.settled(desk, kept, of_it=False)
    assert left.closed[EXTERNAL].contracts == {"1": 2}
    gone = replace(desk, ledgers={**desk.ledgers, EXTERNAL: build.ledger({3: 4})})
    assert EXTERNAL not in closing.settled(desk, gone, of_it=False).closed


@pytest.mark.parametrize("bought", ["before the order", "while it works"])
def test_what_a_person_buys_after_external_was_closed_is_kept(build: Any, bought: str) -> None:
    """[B2] The order of the close may wait for the market to open; what is bought meanwhile is no
    part of it, and its fill, in parts too, ends the closure."""
    desk = close(build.desk(books={EXTERNAL: {1: 10}}), build, strategies=(), external=True)
    by_hand = build.execution("hand.01", 20, order_ref="", client_id=0)
    desk = build.after(desk, by_hand) if bought == "before the order" else desk
    plan = build.net(desk)
    assert [o.quantity for o in plan.orders] == [-10]
    desk = build.after(build.taken_up(desk, plan), build.execution("x.1.01", -4))
    desk = build.after(desk, by_hand)
    assert desk.closed[EXTERNAL].contracts == {"1": 6}
    assert build.net(desk).is_empty
    desk = build.after(desk, build.execution("x.2.01", -6))
    assert (build.books(desk), desk.closed, desk.cause) == ({EXTERNAL: 20}, {}, None)
    assert build.net(desk).is_empty


def test_a_split_splits_what_of_external_is_to_be_closed(build: Any) -> None:
    desk = close(build.desk(books={EXTERNAL: {1: 10}}), build, strategies=(), external=True)
    made = build.entry(10, 0, source="split-1", at=build.now, is_split=True)
    split = build.after(desk, Rebooked(build.spy, {EXTERNAL: made}, ()))
    assert split.closed[EXTERNAL].contracts == {"1": 20}


def test_a_bust_of_what_was_sold_of_external_is_sold_again(build: Any) -> None:
    """[A3]"""
    desk = close(build.desk(books={EXTERNAL: {1: 10}}), build, strategies=(), external=True)
    sold = build.after(build.taken_up(desk, build.net(desk)), build.execution("x.1.01", -4))
    busted = build.after(sold, build.execution("x.1.02", 0))
    assert busted.closed[EXTERNAL].contracts == {"1": 10}


def test_an_order_of_external_is_cancelled_once_somebody_else_has_sold_it(build: Any) -> None:
    desk = close(build.desk(books={EXTERNAL: {1: 5}}), build, external=True)
    working = build.order({EXTERNAL: -5})
    desk = replace(desk, orders={working.order_ref: working})
    assert net(desk, build.cause, build.now).is_empty
    sold = replace(desk, ledgers={**desk.ledgers, EXTERNAL: build.ledger({})})
    plan = net(closing.settled(desk, sold, of_it=False), build.cause, build.now)
    assert plan.cancels == (working.order_ref,)


def test_external_opposite_to_a_closed_book_is_crossed_with_it(build: Any) -> None:
    """[B5]: what neither could trade at the broker they settle between them."""
    desk = build.desk(books={"a": {1: 10}, EXTERNAL: {1: -10}})
    desk = close(desk, build, external=True)
    plan = net(desk, build.cause, build.now)
    assert (plan.orders, [c.shares for c in plan.crosses]) == (
        (),
        [build.shares({EXTERNAL: 10, "a": -10})],
    )


@pytest.mark.parametrize(("external", "ordered"), [(0, -10), (-4, -6)])
def test_a_net_on_the_result_of_a_close_plans_nothing(
    build: Any, external: int, ordered: int
) -> None:
    """Also where the order goes to 0 at the broker first, and the rest follows by itself [N6]."""
    ignored = build.settings(external_policy={"SPY": "ignore"})
    desk = build.desk(books={"a": {1: 10}, EXTERNAL: {1: external}}, settings=ignored)
    desk = close(desk, build)
    plan = net(desk, build.cause, build.now)
    assert [o.quantity for o in plan.orders] == [ordered]
    assert net(build.taken_up(desk, plan), build.cause, build.now).is_empty


def test_a_dry_close_is_seen_by_its_own_net_only(build: Any) -> None:
    desk = build.desk(books={"a": {1: 10}})
    event = closing.closed(desk, CloseAll(), "c1", build.now)
    cause = NetCause("close_all", "c1", dry_run=True, closing=event.closures)
    desk = evolve(NetAsked(cause), desk, build.now)
    assert [o.quantity for o in net(desk, cause, build.now).orders] == [-10]
    assert net(desk, build.cause, build.now).is_empty


@pytest.mark.parametrize(
    ("closures", "refused"),
    [
        ({}, True),
        ({"a": False, "b": True}, True),
        ({"a": True}, True),
        ({"a": True, "b": True}, False),
    ],
    ids=["nobody closed", "one without force", "one closed", "all closed with force"],
)
def test_force_waives_the_age_of_a_price_where_all_concerned_are_closed_with_it(
    build: Any, closures: dict[str, bool], refused: bool
) -> None:
    """A strategy that trades on has an interest in a good price; without one nothing crosses."""
    desk = build.desk()
    desk = replace(desk, closed={n: Closure(build.now, force=f) for n, f in closures.items()})
    shares = build.shares({"a": 5, "b": -5})
    old = Candidate(build.spy, Decimal(0), shares, True, build.price(age_seconds=9999), True)
    assert (price_limits.quote_age(old, desk, build.now) is not None) is refused
    assert price_limits.quote_age(replace(old, price=None), desk, build.now) is not None


@pytest.mark.parametrize(
    ("outcome", "age", "is_due"),
    [
        ("filled", 60, True),
        ("filled", -60, True),
        ("cancelled", 60, True),
        ("cancelled", -60, False),
        ("not_sent", -60, True),
        ("rejected", -60, False),
    ],
    ids=str,
)
def test_an_orders_end_that_leaves_something_to_be_closed_makes_a_net_due(
    build: Any, outcome: Any, age: int, is_due: bool
) -> None:
    """Not one of the close itself that was rejected, or cancelled by somebody: no loop."""
    desk = close(build.desk(books={"a": {1: 10}}), build)
    order = build.order({"a": -5})
    over = replace(order, state="DONE", outcome=outcome, created_at=build.later(-age))
    assert closing.is_left_over(desk, over) is is_due


@pytest.mark.parametrize(
    ("before", "is_due"), [("not_sent", False), ("filled", True), ("", True)], ids=str
)
def test_what_was_not_sent_twice_is_a_persons_matter(build: Any, before: Any, is_due: bool) -> None:
    """[R2] A broker that forgets what it has would get the same order again and again."""
    earlier = build.order({"a": -5}, state="DONE", outcome=before or "not_sent")
    others = build.order({"a": -5}, state="DONE", outcome="not_sent", contract=build.vixy)
    orders = [others, earlier] if before else [others]
    desk = close(build.desk(books={"a": {1: 10}}, orders=orders), build)
    again = replace(earlier, generation=2, outcome="not_sent", created_at=build.later(60))
    assert closing.is_left_over(desk, again) is is_due


def test_nothing_is_left_over_of_a_closed_book_at_0(build: Any) -> None:
    desk = close(build.desk(books={"a": {1: 0}, "b": {2: 3}}), build)
    order = build.order({"a": -5})
    assert not closing.is_left_over(desk, replace(order, state="DONE", outcome="filled"))


def test_closures_survive_a_restart_and_are_lifted_by_name(build: Any) -> None:
    desk = build.desk(books={EXTERNAL: {1: 5}})
    shut = close(desk, build, external=True, by="ann", reason="storm")
    documents = changed(desk, shut)
    latches = documents["latches/paper"]
    assert isinstance(latches, LatchesDocument)
    again = restored(build.desk(), Stored(latches=latches))
    assert again.closed == shut.closed
    left = evolve(Reopened(("a", EXTERNAL)), again, build.now)
    assert sorted(left.closed) == ["b", "c"]


def test_the_first_message_of_a_closed_strategy_is_noted(build: Any) -> None:
    desk = close(build.desk(), build)
    first = build.said("a", {1: 5}, message_id="m7")
    desk = closing.ignoring(desk, build.said("a", {}, last_status="hold", message_id="m6"))
    desk = closing.ignoring(closing.ignoring(desk, first), build.said("a", {1: 6}, message_id="m8"))
    assert desk.closed["a"].ignored_message_id == "m7"


def test_closing_while_reduce_only_crosses_and_sells(build: Any) -> None:
    desk = build.desk(books={"a": {1: 10}, "b": {1: -4}})
    desk = close(
        replace(desk, control=replace(desk.control, state=TradingState.REDUCE_ONLY)), build
    )
    plan = net(desk, build.cause, build.now)
    assert len(plan.crosses) == 1
    assert [o.quantity for o in plan.orders] == [-6]


def test_an_event_says_nothing_of_those_it_does_not_name(build: Any) -> None:
    desk = build.desk({"a": {1: 5}, "b": {1: 7}})
    after = evolve(Closed({"a": Closure(build.now)}, {}), desk, build.now)
    assert (sorted(after.closed), after.targets) == (["a"], desk.targets)
    assert closing.is_closed(after, "a", 1)
    assert not closing.is_closed(after, "b", 1)
    assert not closing.is_forced(after, [Share("a", Decimal(1))])


@pytest.mark.parametrize(
    ("allocations", "cancels"),
    [({"a": -30}, True), ({"b": -30}, True), ({"a": -90}, False), ({"a": 30, "b": 5}, True)],
    ids=["a part of it", "another's order", "all of it", "one that would grow it"],
)
def test_an_order_that_a_close_would_have_to_wait_for_is_cancelled(
    build: Any, allocations: dict[str, int], cancels: bool
) -> None:
    """[N7] What closes all of it already goes on."""
    books = {"a": {1: 90}, "b": {1: 30}}
    targets = {"b": {1: 30 + allocations.get("b", 0)}}
    desk = build.desk(targets, books, orders=[build.order(allocations)])
    assert (
        bool(net(close(desk, build, strategies=("a",)), build.cause, build.now).cancels) is cancels
    )


@pytest.mark.parametrize(
    ("closed_after_seconds", "cancels"), [(60, True), (0, False), (-60, False)]
)
def test_a_close_does_not_wait_for_the_flip_of_another_strategy(
    build: Any, closed_after_seconds: float, cancels: bool
) -> None:
    """[N6, N7] A flip's first half may work all day. What was closed before it was made is in it,
    or follows it by itself."""
    desk = build.desk({"b": {1: -30}}, {"b": {1: 10}, "c": {1: 10}})
    flipping = build.taken_up(desk, build.net(desk))
    assert flipping.orders["paper-1-1"].is_flip
    since = build.later(closed_after_seconds)
    shut = replace(flipping, closed={"c": Closure(since)})
    plan = build.net(shut)
    assert bool(plan.cancels) is cancels
    over = build.after(build.taken_up(shut, plan), build.report(BrokerStatus.CANCELLED))
    assert [o.quantity for o in build.net(over).orders] == [-20]

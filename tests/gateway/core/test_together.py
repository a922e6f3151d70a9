"""Legs of one intention go together or not at all (decision 12); contract 1 is rolled to 2."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gateway.core import margin, telling
from gateway.core.broker import BrokerStatus
from gateway.core.desk import Desk
from gateway.core.netting import Plan, net
from gateway.core.together import RULE
from schemas.documents import Closure, Lock, OrderDocument
from schemas.settings import ControlDocument
from schemas.values import TradingState

QUANTITIES = st.fixed_dictionaries({}, optional={1: st.integers(-60, 60), 2: st.integers(-60, 60)})


def intention(build: Any, strategy: str, quantities: Mapping[int, int], hours: int = 24) -> Any:
    """Targets that go together for so many hours more."""
    return build.said(strategy, quantities, together_until=build.later(3600 * hours))


def rolling(build: Any, hours: int = 24, **parts: Any) -> Desk:
    """a holds 5 of contract 1 and wants 5 of contract 2 instead, together for so many hours."""
    said = intention(build, "a", {1: 0, 2: 5}, hours)
    desk: Desk = build.desk({"a": said, **parts.pop("others", {})}, {"a": {1: 5}}, **parts)
    return desk


def locked(build: Any, desk: Desk, con_id: int) -> Desk:
    lock = Lock("it", "unexplained", "nobody knows why", build.now)
    return replace(desk, locks={str(con_id): lock})


def ordered(plan: Plan) -> dict[int, int]:
    return {order.contract.con_id: int(order.quantity) for order in plan.orders}


def refused(plan: Plan) -> set[tuple[str, int]]:
    return {(entry.rule, entry.con_id) for entry in plan.refusals}


def test_a_roll_is_two_orders_of_one_net_the_old_leg_first(build: Any) -> None:
    """[N6] What reduces goes first; each order says that it is one leg of several."""
    plan = build.net(rolling(build))
    assert [(o.contract.con_id, int(o.quantity)) for o in plan.orders] == [(1, -5), (2, 5)]
    assert [o.leg_of for o in plan.orders] == [("a",), ("a",)]
    assert plan.refusals == ()


def test_while_the_new_leg_is_refused_the_old_one_stays_and_says_why(build: Any) -> None:
    desk = locked(build, rolling(build), 2)
    plan = build.net(desk)
    assert (ordered(plan), refused(plan)) == ({}, {("contract_locked", 2), (RULE, 1)})
    (kept,) = (entry for entry in plan.refusals if entry.rule == RULE)
    assert kept.sentence == (
        "-5 SPY waits: another leg was refused; the legs of a go together until "
        "Tue 2026-01-06 10:00 New York, then each alone; say run when the other leg can be had, "
        "or close_all to be out now"
    )
    assert (kept.strategies, kept.value) == (("a",), "-5")


def test_while_the_old_leg_is_refused_the_new_one_is_not_bought(build: Any) -> None:
    """Or the strategy would hold twice as much as it wants."""
    plan = build.net(locked(build, rolling(build), 1))
    assert (ordered(plan), refused(plan)) == ({}, {("contract_locked", 1), (RULE, 2)})


def test_from_the_hard_date_on_the_old_leg_closes_alone(build: Any) -> None:
    """[N6, N8] Then what reduces is not blocked by what is refused."""
    plan = build.net(locked(build, rolling(build, hours=0), 2))
    assert (ordered(plan), refused(plan)) == ({1: -5}, {("contract_locked", 2)})
    assert plan.orders[0].leg_of == ()


def test_without_an_intention_what_reduces_goes_alone(build: Any) -> None:
    """[N8]"""
    desk = build.desk({"a": {1: 0, 2: 5}}, {"a": {1: 5}})
    assert ordered(build.net(locked(build, desk, 2))) == {1: -5}


@pytest.mark.parametrize("parts", [{"weight": Decimal(0)}, {"flatten": True}])
def test_what_people_say_waits_for_no_leg(build: Any, parts: dict[str, Any]) -> None:
    """[N2, N6] Weight 0 and flatten close what there is, although the new month is refused."""
    desk = locked(build, rolling(build), 2)
    desk = replace(desk, strategies={**desk.strategies, "a": build.strategy(**parts)})
    assert ordered(build.net(desk)) == {1: -5}


def test_what_close_all_closed_waits_for_no_leg(build: Any) -> None:
    """[N6] A person's word is no intention of the strategy's."""
    desk = locked(build, rolling(build, closed={"a": Closure(build.now)}), 2)
    assert ordered(build.net(desk)) == {1: -5}


def test_a_leg_whose_book_a_person_changed_keeps_the_others_too(build: Any) -> None:
    """[A4] Who took the old month by hand need not watch the new one being bought."""
    said = replace(intention(build, "a", {1: 0, 2: 5}), held_contracts={"1": build.now})
    assert build.net(build.desk({"a": said})).is_empty
    alone = replace(said, together_until=None)
    assert ordered(build.net(build.desk({"a": alone}))) == {2: 5}


def test_reduce_only_keeps_both_legs_until_the_hard_date(build: Any) -> None:
    reducing = ControlDocument(TradingState.REDUCE_ONLY)
    assert ordered(build.net(rolling(build, control=reducing))) == {}
    assert ordered(build.net(rolling(build, hours=0, control=reducing))) == {1: -5}


def test_a_limit_of_the_batch_keeps_both_legs(build: Any) -> None:
    desk = build.settings_of(rolling(build), exposure_gross_max=Decimal("0.001"))
    plan = build.net(desk)
    assert ordered(plan) == {}
    assert (RULE, 1) in refused(plan)


def test_a_margin_that_is_not_there_keeps_both_legs(build: Any) -> None:
    """[N8] IB's answer comes after the net; the next one then drops both."""
    desk = rolling(build)
    admission = margin.admit(desk, build.net(desk), {})
    assert admission.barred is not None
    plan = net(desk, build.cause, build.now, admission.barred)
    assert (ordered(plan), refused(plan)) == ({}, {("margin", 2), (RULE, 1)})


def test_others_trade_on_while_an_intention_waits(build: Any) -> None:
    desk = rolling(build, others={"b": {1: 7}}, prices={1: build.price()})
    assert ordered(build.net(desk)) == {1: 7}


def test_a_leg_waits_for_anothers_order_and_so_does_the_other_leg(build: Any) -> None:
    """[N5] One parent a contract: the roll does not close the old month before it can go on."""
    contract = build.contract(2)
    working = build.order({"b": 3}, contract=contract)
    plan = build.net(rolling(build, others={"b": {2: 3}}, orders=[working]))
    assert (ordered(plan), plan.cancels, refused(plan)) == ({}, (), {(RULE, 1), (RULE, 2)})
    done = build.filled(rolling(build, others={"b": {2: 3}}, orders=[working]), "paper-2-1")
    assert ordered(build.net(done)) == {1: -5, 2: 5}


def test_what_is_in_flight_against_an_intention_is_still_cancelled(build: Any) -> None:
    """[N7] a was still buying the old month; the new one is refused, and it stops buying."""
    working = build.order({"a": 5})
    desk = locked(build, rolling(build, orders=[working]), 2)
    plan = build.net(desk)
    assert (ordered(plan), plan.cancels) == ({}, ("paper-1-1",))


def test_a_leg_in_flight_goes_on_while_more_of_it_is_refused(build: Any) -> None:
    """The old month is sold and the new one on its way: nobody calls that back for one more."""
    working = build.order({"a": 5}, contract=build.contract(2))
    said = intention(build, "a", {1: 0, 2: 6})
    plan = build.net(locked(build, build.desk({"a": said}, orders=[working]), 2))
    assert (ordered(plan), plan.cancels) == ({}, ())


def test_of_a_flip_in_one_contract_the_way_to_0_goes_though_the_rest_is_refused(
    build: Any,
) -> None:
    """[N6] One leg is no intention, and reducing is never refused."""
    said = intention(build, "a", {1: -5, 2: 0})
    desk = build.settings_of(build.desk({"a": said}, {"a": {1: 5}}), short_allowed=False)
    assert ordered(build.net(desk)) == {1: -5}
    assert RULE not in {rule for rule, _ in refused(build.net(desk))}


def test_net_on_its_own_result_plans_nothing(build: Any) -> None:
    desk = rolling(build)
    assert build.net(build.taken_up(desk, build.net(desk))).is_empty


SITUATIONS = st.fixed_dictionaries(
    {
        "targets": st.dictionaries(st.sampled_from("abc"), QUANTITIES, min_size=1),
        "books": st.dictionaries(st.sampled_from((*"abc", "EXTERNAL")), QUANTITIES),
        "short_allowed": st.booleans(),
        "quantity_max": st.sampled_from([20, 10_000]),
        "age_seconds": st.sampled_from([0, 9_999]),
        "state": st.sampled_from([TradingState.ACTIVE, TradingState.REDUCE_ONLY]),
    }
)


@given(situation=SITUATIONS)
def test_no_leg_of_an_intention_ever_goes_alone(build: Any, situation: Mapping[str, Any]) -> None:
    """Whatever is refused: of each strategy's legs all are ordered or crossed, or none is."""
    desk = build.desk(
        {name: intention(build, name, said) for name, said in situation["targets"].items()},
        situation["books"],
        control=ControlDocument(situation["state"]),
        prices={1: build.price(age_seconds=situation["age_seconds"]), 2: build.price()},
    )
    desk = build.settings_of(
        desk,
        short_allowed=situation["short_allowed"],
        order_quantity_max=Decimal(situation["quantity_max"]),
    )
    plan = build.net(desk)
    flips = {o.contract.con_id for o in plan.orders if o.is_flip}  # the rest follows by itself
    shares = {
        (one.contract.con_id, share.strategy)
        for one in (*plan.orders, *plan.crosses)
        for share in (one.allocations if isinstance(one, OrderDocument) else one.shares)
    }
    for name in situation["targets"]:
        legs = [c for c in plan.wanted if c.strategy == name and c.change]
        going = [(c.con_id, name) in shares or c.con_id in flips for c in legs]
        assert all(going) or not any(going)


# ---------------------------------------------------------------------- when the broker refuses


def sent(build: Any) -> Desk:
    """Both legs of the roll at the broker."""
    desk = rolling(build)
    taken: Desk = build.taken_up(desk, build.net(desk))
    return taken


def alerts(build: Any, before: Desk, after: Desk) -> list[str]:
    told = telling.happened(before, after, build.now)
    return [report.sentence for report in told if report.kind == "alert"]


def test_a_leg_that_the_broker_refuses_after_the_other_was_filled_is_an_alert(build: Any) -> None:
    before = build.filled(sent(build), "paper-1-1")
    word = build.report(BrokerStatus.REJECTED, order_ref="paper-2-1", con_id=2, reason="201 no")
    assert alerts(build, before, build.after(before, word)) == [
        "a may be left with half of what was to go together: paper-2-1, +0 of +5 VIXY, ended "
        "rejected (201 no); the other legs: paper-1-1, -5 of -5 SPY; say run to try "
        "again, or close_all to be out"
    ]


def test_a_leg_that_ends_while_the_other_still_works_is_an_alert(build: Any) -> None:
    before = sent(build)
    word = build.report(BrokerStatus.REJECTED, order_ref="paper-2-1", con_id=2)
    assert len(alerts(build, before, build.after(before, word))) == 1


def test_legs_that_are_all_filled_are_no_alert(build: Any) -> None:
    before = sent(build)
    assert alerts(build, before, build.filled(before, "paper-1-1", "paper-2-1")) == []

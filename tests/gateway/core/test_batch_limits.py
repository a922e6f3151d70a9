"""Limits over a whole plan and the day: at the bound, just above, by rank, to the fixed point."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gateway.core import book
from gateway.core.batch_limits import NAMES, TARGETS_VANISHED, refusals
from gateway.core.broker import BrokerStatus
from gateway.core.candidate import is_increasing
from gateway.core.desk import Desk
from gateway.core.events import NetCause, Said
from gateway.core.netting import Plan, net
from schemas.documents import BrokerPosition, Closure, OrderDocument, RefusalEntry, StatusDocument
from schemas.values import Contract

DAY = StatusDocument("2026-01-05", Decimal(10_000), Decimal(10_000), 7, Decimal(8000))


def account(build: Any, desk: Desk, **settings: Any) -> Desk:
    """The desk with an equity of 10,000; prices are 100."""
    values = replace(build.base, net_liquidation=Decimal(10_000))
    found: Desk = build.settings_of(replace(desk, values=values), **settings)
    return found


def ordered(plan: Plan) -> dict[int, int]:
    return {order.contract.con_id: int(order.quantity) for order in plan.orders}


def only(plan: Plan) -> RefusalEntry:
    (entry,) = plan.refusals
    return entry


# ---------------------------------------------------------------------- each rule at its bound


@pytest.mark.parametrize(("wanted", "passes"), [(60, True), (61, False)])
def test_gross_exposure_is_bounded_over_all_orders(build: Any, wanted: int, passes: bool) -> None:
    """40 short and 60 long of 100 each are the equity of 10,000, and no more."""
    desk = build.desk({"a": {1: -40}, "b": {2: wanted}})
    plan = build.net(account(build, desk))
    assert ordered(plan) == ({1: -40, 2: wanted} if passes else {1: -40})
    if not passes:
        entry = only(plan)
        assert (entry.rule, entry.value, entry.bound) == ("exposure_gross", "10100.00", "10000.00")
        assert "+61 VIXY would bring the gross exposure to 10100.00" in entry.sentence
        assert "exposure_gross_max 1 of net liquidation" in entry.sentence


@pytest.mark.parametrize(("wanted", "passes"), [(90, True), (91, False)])
def test_net_exposure_is_bounded(build: Any, wanted: int, passes: bool) -> None:
    desk = account(
        build,
        build.desk({"b": {2: wanted}}, {"a": {1: -40}}),
        exposure_gross_max=Decimal(2),
        exposure_net_max=Decimal("0.5"),
    )
    plan = build.net(desk)
    assert bool(plan.orders) is passes
    if not passes:
        entry = only(plan)
        assert (entry.rule, entry.value, entry.bound) == ("exposure_net", "5100.00", "5000.00")


def test_an_order_that_brings_the_sides_nearer_passes_the_net_exposure(build: Any) -> None:
    """A hedge is not refused because of what it hedges."""
    desk = build.desk({"b": {2: -20}}, {"a": {1: 90}})
    plan = build.net(
        account(build, desk, exposure_gross_max=Decimal(2), exposure_net_max=Decimal("0.5"))
    )
    assert ordered(plan) == {2: -20}


@pytest.mark.parametrize(("bound", "passes"), [(2, True), (1, False)])
def test_orders_of_a_run_are_bounded(build: Any, bound: int, passes: bool) -> None:
    """The reducing order counts, and passes."""
    desk = build.desk({"a": {1: 0}, "b": {2: 5}}, {"a": {1: 10}})
    plan = build.net(account(build, desk, orders_per_run_max=bound))
    assert ordered(plan) == ({1: -10, 2: 5} if passes else {1: -10})
    if not passes:
        entry = only(plan)
        assert (entry.rule, entry.value, entry.bound) == ("orders_per_run", "2", "1")
        assert "orders_per_run_max 1" in entry.sentence


@pytest.mark.parametrize(("bound", "passes"), [(9, True), (8, False)])
def test_orders_of_a_day_are_bounded(build: Any, bound: int, passes: bool) -> None:
    """Seven were journaled before."""
    desk = build.desk({"a": {1: 0}, "b": {2: 5}}, {"a": {1: 10}}, status=DAY)
    plan = build.net(account(build, desk, orders_per_day_max=bound))
    assert ordered(plan) == ({1: -10, 2: 5} if passes else {1: -10})
    if not passes:
        entry = only(plan)
        assert (entry.rule, entry.value, entry.bound) == ("orders_per_day", "9", "8")


@pytest.mark.parametrize(("wanted", "passes"), [(10, True), (11, False)])
def test_the_turnover_of_a_day_is_bounded(build: Any, wanted: int, passes: bool) -> None:
    """8000 before, 1000 that reduce, and 1000 more are the equity of 10,000."""
    desk = build.desk({"a": {1: 0}, "b": {2: wanted}}, {"a": {1: 10}}, status=DAY)
    plan = build.net(account(build, desk, turnover_per_day_max=Decimal(1)))
    assert ordered(plan) == ({1: -10, 2: wanted} if passes else {1: -10})
    if not passes:
        entry = only(plan)
        found = (entry.rule, entry.value, entry.bound)
        assert found == ("turnover_per_day", "10100.00", "10000.00")


def test_an_order_says_that_the_batch_was_held_against_its_limits(build: Any) -> None:
    (order,) = build.net(build.desk({"a": {1: 10}})).orders
    assert set(NAMES) <= set(order.limits)


# ---------------------------------------------------------------------- what counts


def test_external_holdings_count_at_their_cost_where_nobody_prices_them(build: Any) -> None:
    """50 of contract 3 at the broker's average cost of 100: half of the equity."""
    desk = build.desk({"a": {1: 51}}, {"EXTERNAL": {3: 50}})
    positions = {3: BrokerPosition(build.contract(3), Decimal(50), Decimal(100))}
    plan = build.net(account(build, replace(desk, positions=positions)))
    assert (plan.orders, only(plan).value) == ((), "10100.00")


def test_a_holding_that_is_in_the_books_only_counts_at_what_they_paid(build: Any) -> None:
    """50 of contract 3 were bought at 90."""
    desk = build.desk({"a": {1: 56}}, {"EXTERNAL": {3: 50}})
    assert only(build.net(account(build, desk))).value == "10100.00"


def test_what_working_orders_may_still_add_counts(build: Any) -> None:
    """40 of 60 VIXY are not filled yet."""
    order = build.order({"b": 60}, contract=build.vixy, filled=Decimal(20))
    desk = build.desk({"a": {1: 41}, "b": {2: 60}}, {"b": {2: 20}}, orders=[order])
    plan = build.net(account(build, desk))
    assert (plan.orders, plan.cancels, only(plan).value) == ((), (), "10100.00")


def test_a_sale_makes_room_for_a_purchase_of_the_same_plan(build: Any) -> None:
    desk = build.desk({"a": {1: 0}, "b": {2: 90}}, {"a": {1: 90}})
    assert ordered(build.net(account(build, build.approved(desk)))) == {1: -90, 2: 90}


def test_crosses_are_no_orders(build: Any) -> None:
    desk = build.desk({"a": {1: 10}, "b": {1: -10}}, status=DAY)
    plan = build.net(account(build, desk, orders_per_day_max=0, orders_per_run_max=0))
    assert len(plan.crosses) == 1
    assert plan.refusals == ()


def test_currency_balances_are_no_exposure(build: Any) -> None:
    cash = Contract("EUR", "CASH", "IDEALPRO", "USD", con_id=9)
    positions = {9: BrokerPosition(cash, Decimal(10**6), Decimal(1))}
    desk = account(build, build.desk({"a": {1: 10}}, positions=positions))
    assert ordered(build.net(desk)) == {1: 10}


def test_an_exposure_that_cannot_be_measured_lets_nothing_increase(build: Any) -> None:
    """[M14]: a missing rate is never taken for 1. What reduces passes."""
    euros = Contract("SAP", currency="EUR", con_id=9)
    positions = {9: BrokerPosition(euros, Decimal(5), Decimal(100))}
    desk = build.desk({"a": {1: 10, 2: 5}}, {"a": {2: 10}}, positions=positions)
    plan = build.net(replace(desk, unexplained={9: Decimal(5)}))
    assert ordered(plan) == {2: -5}
    assert "SAP is held in EUR" in only(plan).sentence


@pytest.mark.parametrize(("rate", "wanted", "passes"), [(2, 90, True), (2, 91, False)])
def test_a_holding_in_another_currency_counts_in_the_base_currency(
    build: Any, rate: int, wanted: int, passes: bool
) -> None:
    """[M14] 5 SAP of 100 euros each are 1000 dollars at a rate of 2; 9000 are left."""
    plan = build.net(in_euros(build, {"a": {1: wanted}}, {"EUR": Decimal(rate)}))
    assert bool(plan.orders) is passes
    if not passes:
        entry = only(plan)
        assert (entry.rule, entry.value) == ("exposure_gross", "10100.00")


@pytest.mark.parametrize("rates", [{}, {"EUR": Decimal(0)}, {"CHF": Decimal(1)}])
def test_a_rate_that_nobody_told_lets_nothing_increase(
    build: Any, rates: Mapping[str, Decimal]
) -> None:
    """[M14]"""
    entry = only(build.net(in_euros(build, {"a": {1: 1}}, rates)))
    assert (entry.rule, entry.value) == ("exposure_gross", "unknown")
    assert "SAP is held in EUR, the account is in USD and the broker tells no rate" in (
        entry.sentence
    )


def in_euros(build: Any, targets: Mapping[str, Any], rates: Mapping[str, Decimal]) -> Desk:
    """An account in dollars that holds 5 SAP, at 100 euros each."""
    euros = Contract("SAP", currency="EUR", con_id=9)
    positions = {9: BrokerPosition(euros, Decimal(5), Decimal(100))}
    desk: Desk = build.desk(targets, positions=positions, unexplained={9: Decimal(5)})
    found = account(build, desk)
    assert found.values is not None
    return replace(found, values=replace(found.values, exchange_rates=rates))


# ---------------------------------------------------------------------- rank, and the fixed point


@pytest.mark.parametrize(("priority", "left"), [(0, {2: 50}), (1, {1: 60})])
def test_priority_comes_first_and_then_the_smaller_order(
    build: Any, priority: int, left: Mapping[int, int]
) -> None:
    strategies = {"a": build.strategy(priority=priority), "b": build.strategy()}
    desk = build.desk({"a": {1: 60}, "b": {2: 50}}, strategies=strategies)
    assert ordered(build.net(account(build, desk))) == left


def test_what_ranks_behind_the_first_refused_is_refused_too(build: Any) -> None:
    strategies = {"a": build.strategy(priority=1), "b": build.strategy()}
    desk = build.desk({"a": {1: 101}, "b": {2: 1}}, strategies=strategies)
    plan = build.net(account(build, desk))
    assert plan.orders == ()
    assert [entry.symbol for entry in plan.refusals] == ["SPY", "VIXY"]
    assert "comes after SPY, for which exposure_gross" in plan.refusals[1].sentence


def test_a_strategy_that_is_refused_loses_its_other_increasing_legs(build: Any) -> None:
    """[N8]: a's small leg and the cross that fed it go as well; b's order stands."""
    desk = build.desk({"a": {1: 10, 2: 95}, "b": {1: 20}})
    plan = build.net(account(build, desk))
    assert [order.allocations for order in plan.orders] == [build.shares({"b": 20})]
    assert only(plan).symbol == "VIXY"


def test_an_order_that_grows_the_position_and_no_book_ends_the_net(build: Any) -> None:
    """[N8]: a sells what it holds, but EXTERNAL is short; its contract stands back."""
    desk = build.desk({"a": {1: 0}}, {"a": {1: 40}, "EXTERNAL": {1: -40}})
    ignoring = account(build, desk, external_policy={"SPY": "ignore"}, orders_per_run_max=0)
    plan = build.net(ignoring)
    assert (plan.orders, only(plan).rule) == ((), "orders_per_run")


QUANTITIES = st.fixed_dictionaries({}, optional={n: st.integers(-60, 60) for n in (1, 2, 3)})
SITUATIONS = st.fixed_dictionaries(
    {
        "targets": st.dictionaries(st.sampled_from("abc"), QUANTITIES),
        "books": st.dictionaries(st.sampled_from(["a", "b", "c", "EXTERNAL"]), QUANTITIES),
        "priorities": st.tuples(*[st.integers(0, 2)] * 3),
        "exposure_gross_max": st.sampled_from(["0.2", "0.5", "1"]),
        "exposure_net_max": st.sampled_from(["0.1", "0.5", "1"]),
        "turnover_per_day_max": st.sampled_from(["0.9", "1.2", "4"]),
        "orders_per_run_max": st.integers(0, 3),
        "orders_per_day_max": st.integers(6, 11),
    }
)


def situated(build: Any, found: Mapping[str, Any]) -> Desk:
    names = ("exposure_gross_max", "exposure_net_max", "turnover_per_day_max")
    desk = build.desk(
        found["targets"],
        found["books"],
        status=DAY,
        prices={n: build.price() for n in (1, 2, 3)},
        strategies={
            name: build.strategy(priority=priority)
            for name, priority in zip("abc", found["priorities"], strict=True)
        },
    )
    counts = {name: found[name] for name in ("orders_per_run_max", "orders_per_day_max")}
    return account(build, desk, **counts, **{name: Decimal(found[name]) for name in names})


def increasing(desk: Desk, order: OrderDocument) -> bool:
    return is_increasing(desk.position(order.contract.con_id), order.quantity)


def worths(desk: Desk, orders: Iterable[OrderDocument]) -> list[Decimal]:
    """What is held of each contract after the orders, at 100."""
    moved = {order.contract.con_id: order.quantity for order in orders}
    return [(desk.position(n) + moved.get(n, Decimal(0))) * 100 for n in (1, 2, 3)]


@given(found=SITUATIONS)
def test_no_plan_with_an_increasing_order_exceeds_a_bound(
    build: Any, found: Mapping[str, Any]
) -> None:
    """All orders of the plan together; a net exposure over its bound before is not raised."""
    desk = situated(build, found)
    plan = build.net(build.approved(desk))
    growing = [order for order in plan.orders if increasing(desk, order)]
    if not growing:
        return
    settings = desk.settings
    equity = Decimal(10_000)
    after = worths(desk, plan.orders)
    reduced = worths(desk, [o for o in plan.orders if o not in growing])
    assert sum(map(abs, after)) <= settings.exposure_gross_max * equity
    bound: Decimal = settings.exposure_net_max * equity
    assert abs(sum(after, Decimal(0))) <= max(bound, abs(sum(reduced, Decimal(0))))
    turnover = sum((abs(o.quantity) * 100 for o in plan.orders), DAY.turnover)
    assert turnover <= settings.turnover_per_day_max * equity
    assert len(plan.orders) <= settings.orders_per_run_max
    assert len(plan.orders) + DAY.orders <= settings.orders_per_day_max


@given(found=SITUATIONS)
def test_a_reducing_order_is_never_refused_by_the_batch(
    build: Any, found: Mapping[str, Any]
) -> None:
    """[N6]: of any orders that the other limits let through, held against any bounds."""
    desk = situated(build, found)
    wide = build.settings_of(
        desk,
        exposure_gross_max=Decimal(99),
        exposure_net_max=Decimal(99),
        turnover_per_day_max=Decimal(99),
        orders_per_run_max=99,
        orders_per_day_max=99,
    )
    orders = build.net(build.approved(wide)).orders
    reducing = {order.contract.con_id for order in orders if not increasing(desk, order)}
    assert reducing.isdisjoint(entry.con_id for entry in refusals(desk, orders))


# ---------------------------------------------------------------------- vanished targets


@pytest.mark.parametrize(("left", "passes"), [(5, True), (4, False)])
def test_wishes_that_shrink_too_much_at_once_wait_for_a_person(
    build: Any, left: int, passes: bool
) -> None:
    """a and b hold 20 together; a fourth of it may be left."""
    desk = build.desk({"a": {1: 0}, "b": {2: left}}, {"a": {1: 10}, "b": {2: 10}})
    plan = build.net(desk)
    assert bool(plan.orders) is passes
    if not passes:
        entry = only(plan)
        assert (entry.rule, entry.value, entry.bound) == (TARGETS_VANISHED, "0.80", "0.75")
        assert entry.strategies == ("a", "b")
        assert "from 2000.00 to 400.00" in entry.sentence
        assert "say approve run-1" in entry.sentence


def test_vanished_wishes_cross_nothing(build: Any) -> None:
    desk = build.desk({"a": {1: 0}, "b": {1: 0}}, {"a": {1: 10}, "b": {1: -10}})
    plan = build.net(desk)
    assert (plan.orders, plan.crosses, only(plan).rule) == ((), (), TARGETS_VANISHED)


def test_a_person_lets_wishes_vanish(build: Any) -> None:
    desk = build.desk({"a": {1: 0}, "b": {2: 0}}, {"a": {1: 10}, "b": {2: 10}})
    assert ordered(build.net(build.approved(desk))) == {1: -10, 2: -10}


def test_approval_covers_the_second_half_of_a_flip(build: Any) -> None:
    """[N6] While VIXY is still being sold."""
    held = {"a": {1: 10, 2: 50}, "b": {2: 50}}
    desk = build.approved(build.desk({"a": {1: -1, 2: 0}, "b": {2: 0}}, held))
    flat = build.filled(build.taken_up(desk, build.net(desk)), "paper-1-1")
    assert flat.cause == NetCause("flip", "after-paper-1-1")
    assert ordered(net(flat, flat.cause, build.now)) == {1: -1}


def test_approval_covers_what_waits_for_a_cancel(build: Any) -> None:
    """[N7, N1d]"""
    working = build.order({"b": 5})
    held = {"a": {1: 10}, "b": {1: 10}}
    desk = build.desk({"a": {1: 0}, "b": {1: 0}}, held, orders=[working], generations={1: 1})
    plan = build.net(build.approved(desk))
    assert (plan.orders, plan.cancels) == ((), ("paper-1-1",))
    cancelled = build.after(
        build.taken_up(build.approved(desk), plan), build.report(BrokerStatus.CANCELLED)
    )
    assert ordered(build.net(cancelled)) == {1: -20}


def test_approval_ends_with_the_next_message(build: Any) -> None:
    """And is of the strategies named: what the others want is guarded as before."""
    held = {name: {1: 10} for name in "abc"}
    desk = build.approved(build.desk({name: {1: 0} for name in "abc"}, held))
    again = build.said("a", {1: 1}, as_of=build.later(1), message_id="m2")
    only_a = build.after(desk, Said(again))
    assert {name: said.approved for name, said in only_a.targets.items()} == {
        "a": False,
        "b": True,
        "c": True,
    }
    assert (only(build.net(only_a)).rule, only(build.net(only_a)).value) == (
        TARGETS_VANISHED,
        "0.90",
    )


def test_what_was_approved_before_does_not_cover_the_answers_to_a_dry_run(build: Any) -> None:
    """Or it would show a plan that the run itself then refuses."""
    held = {"a": {1: 10}, "b": {1: 10}}
    desk = build.approved(build.desk({"a": {1: 10}, "b": {1: 10}}, held))
    said = {name: build.said(name, {1: 0}, message_id="m2") for name in "ab"}
    run = replace(build.open_run(("a", "b"), dry_run=True), said=said)
    plan = net(replace(desk, run=run), replace(build.cause, dry_run=True), build.now)
    assert (plan.orders, only(plan).rule) == ((), TARGETS_VANISHED)


def test_what_was_approved_long_ago_and_is_held_still_counts_as_held(build: Any) -> None:
    """Else one strategy that goes flat would look as if all that is held vanished."""
    held = {"a": {1: 10}, "b": {1: 10}}
    desk = build.approved(build.desk({"a": {1: 10}, "b": {1: 10}}, held))
    gone = build.after(desk, Said(build.said("b", {1: 0}, as_of=build.later(1), message_id="m2")))
    assert ordered(build.net(gone)) == {1: -10}


def test_one_strategy_alone_may_go_flat(build: Any) -> None:
    desk = build.desk({"a": {1: 0}, "b": {2: 0}}, {"a": {1: 10}})
    assert ordered(build.net(desk)) == {1: -10}


def test_who_begins_to_hold_makes_no_second_that_goes_flat(build: Any) -> None:
    """EXTERNAL, which wants nothing, neither."""
    desk = build.desk({"a": {1: 0}, "b": {2: 1}}, {"a": {1: 10}, "EXTERNAL": {1: 5}})
    assert ordered(build.net(desk)) == {1: -10, 2: 1}


def test_what_a_person_closed_counts_among_nothing(build: Any) -> None:
    """It vanishes by that person's word, and hides nobody else's wish that vanishes."""
    held = {"a": {1: 100}, "b": {2: 10}, "c": {2: 10}}
    said = {"a": {1: 100}, "b": {2: 5}, "c": {2: 5}}
    desk = replace(build.desk(said, held), closed={"a": Closure(build.now)})
    assert ordered(build.net(desk)) == {1: -100, 2: -10}
    gone = build.desk({**said, "b": {2: 0}, "c": {2: 0}}, held)
    assert only(build.net(replace(gone, closed={"a": Closure(build.now)}))).value == "1.00"


def test_a_strategy_of_weight_0_vanishes_by_a_persons_word(build: Any) -> None:
    strategies = {"a": build.strategy(weight=Decimal(0)), "b": build.strategy()}
    desk = build.desk({"b": {2: 5}}, {"a": {1: 100}, "b": {2: 10}}, strategies=strategies)
    assert ordered(build.net(desk)) == {1: -100, 2: -5}


def test_a_strategy_that_is_to_be_flattened_vanishes_by_a_persons_word(build: Any) -> None:
    """[N2]"""
    strategies = {"a": build.strategy(flatten=True), "b": build.strategy()}
    desk = build.desk({"b": {2: 5}}, {"a": {1: 100}, "b": {2: 10}}, strategies=strategies)
    assert ordered(build.net(desk)) == {1: -100, 2: -5}


def test_wishes_of_a_dry_run_are_compared_at_the_prices_of_what_they_name(build: Any) -> None:
    """They go from contract 1 to contract 2, which nothing stored names or holds."""
    desk = build.desk(books={"a": {1: 10}, "b": {1: 10}})
    said = {name: build.said(name, {1: 0, 2: 10}) for name in "ab"}
    run = replace(build.open_run(("a", "b"), dry_run=True), said=said)
    plan = net(replace(desk, run=run), replace(build.cause, dry_run=True), build.now)
    assert ordered(plan) == {1: -20, 2: 20}


def test_wishes_that_vanish_are_compared_in_the_base_currency(build: Any) -> None:
    """[M14] 10 of 100 euros at a rate of 9 go, 10 of 100 dollars stay: 0.9 of all."""
    euros = Contract("SAP", currency="EUR", con_id=9)
    held = book.post(book.EMPTY, euros, build.entry(10))
    desk = build.desk({"a": {9: 0}, "b": {1: 10}}, {"b": {1: 10}}, prices=prices(build, 1, 9))
    assert desk.values is not None
    values = replace(desk.values, exchange_rates={"EUR": Decimal(9)})
    plan = build.net(replace(desk, ledgers={**desk.ledgers, "a": held}, values=values))
    assert (only(plan).rule, only(plan).value) == (TARGETS_VANISHED, "0.90")


def prices(build: Any, *con_ids: int) -> Mapping[int, Any]:
    return {con_id: build.price() for con_id in con_ids}


def test_wishes_that_change_their_contract_do_not_vanish(build: Any) -> None:
    desk = build.desk({"a": {1: 0, 2: 10}, "b": {2: 10}}, {"a": {1: 10}, "b": {1: 10}})
    plan = build.net(desk)
    assert [entry.rule for entry in plan.refusals] == []

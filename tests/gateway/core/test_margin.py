from decimal import Decimal
from typing import Any

import pytest

from gateway.core.broker import MarginPreview
from gateway.core.desk import Desk
from gateway.core.margin import Admission, admit, questions
from gateway.core.netting import Barred, Plan, net
from schemas.settings import StrategyDocument


def preview(margin: int | None, change: int | None, equity: int | None = 1000) -> MarginPreview:
    return MarginPreview(
        initial_margin=decimal(margin),
        initial_margin_change=decimal(change),
        equity_with_loan=decimal(equity),
        raw={"initial_margin": str(margin)},
    )


def decimal(number: int | None) -> Decimal | None:
    return None if number is None else Decimal(number)


def admitted(build: Any, desk: Desk, *previews: MarginPreview) -> Admission:
    """The plan of the desk, with the previews for its increasing orders in order of contract."""
    plan = build.net(desk)
    refs = sorted(order.order_ref for order in questions(plan))
    return admit(desk, plan, dict(zip(refs, previews, strict=False)))


def approved(admission: Admission) -> list[int]:
    return [approval.order.contract.con_id for approval in admission.approved]


def refused(admission: Admission) -> list[str]:
    assert admission.barred is not None
    return [entry.symbol for entry in admission.barred.refusals]


def test_only_increasing_orders_are_asked_about(build: Any) -> None:
    """[N6]"""
    desk = build.desk({"a": {1: 10, 2: 10}}, {"a": {1: 40}})
    assert [o.contract.con_id for o in questions(build.net(desk))] == [2]


@pytest.mark.parametrize(("margin", "passes"), [(900, True), (901, False)])
def test_an_order_may_use_margin_up_to_the_cushion(build: Any, margin: int, passes: bool) -> None:
    """0.1 of 1000 has to stay free."""
    admission = admitted(build, build.desk({"a": {1: 10}}), preview(margin, 100))
    assert (admission.barred is None) is passes
    if admission.barred is not None:
        entry = admission.barred.refusals[0]
        assert (entry.rule, entry.value, entry.bound) == ("margin", "99.00", "100.00")
        assert "margin_cushion_fraction" in entry.sentence


def test_an_approved_order_carries_what_ib_said(build: Any) -> None:
    admission = admitted(build, build.desk({"a": {1: 10}}), preview(500, 100))
    assert admission.approved[0].order.margin == {"initial_margin": "500"}
    assert admission.plan.orders == tuple(a.order for a in admission.approved)


def test_margins_add_up_over_the_batch(build: Any) -> None:
    """Each alone would fit: 500 + 400 and 500 + 410, but not 500 + 400 + 410."""
    desk = build.desk({"a": {1: 10}, "b": {2: 10}})
    assert refused(admitted(build, desk, preview(900, 400), preview(910, 410))) == ["VIXY"]


@pytest.mark.parametrize(("priority", "symbol"), [(0, "SPY"), (1, "VIXY")])
def test_priority_comes_first_and_then_the_smaller_margin(
    build: Any, priority: int, symbol: str
) -> None:
    """(behaviour 4.2) VIXY needs less; a's priority, where it has one, puts SPY first."""
    strategies = {"a": build.strategy(priority=priority), "b": build.strategy()}
    desk = build.desk({"a": {1: 10}, "b": {2: 10}}, strategies=strategies)
    assert refused(admitted(build, desk, preview(900, 400), preview(800, 300))) == [symbol]


def test_the_first_that_does_not_fit_and_all_behind_it_are_refused(build: Any) -> None:
    """(behaviour 4.2) A small order of low priority must not slip past a large one."""
    strategies = {"a": build.strategy(priority=1), "b": build.strategy()}
    desk = build.desk({"a": {1: 10}, "b": {2: 10}}, strategies=strategies)
    admission = admitted(build, desk, preview(990, 400), preview(10, 1))
    assert refused(admission) == ["SPY", "VIXY"]
    assert admission.barred is not None
    assert "after SPY" in admission.barred.refusals[1].sentence


def test_margin_that_an_order_would_free_is_not_spent_before(build: Any) -> None:
    desk = build.desk({"a": {1: 10}, "b": {2: 10}})
    assert refused(admitted(build, desk, preview(500, -400), preview(950, 450))) == ["VIXY"]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        MarginPreview(refusal="201 no margin"),
        preview(None, 1),
        preview(1, None),
        preview(1, 1, None),
    ],
    ids=["silence", "refusal", "no margin", "no change", "no equity"],
)
def test_an_order_without_a_full_answer_is_refused(
    build: Any, answer: MarginPreview | None
) -> None:
    previews = () if answer is None else (answer,)
    assert refused(admitted(build, build.desk({"a": {1: 10}}), *previews)) == ["SPY"]


def test_a_reducing_order_is_approved_whatever_the_margin(build: Any) -> None:
    """[N6]"""
    assert approved(admitted(build, build.desk({"a": {1: 10}}, {"a": {1: 40}}))) == [1]


def test_a_strategy_without_margin_loses_all_its_increasing_legs(build: Any) -> None:
    """[N8] The hedge is never half; b goes on."""
    desk = build.desk({"a": {1: 10, 2: 10}, "b": {1: 5}})
    admission = admitted(build, desk, preview(500, 100), preview(2000, 1500))
    assert admission.barred is not None
    assert admission.barred.strategies == {"a"}
    again = net(desk, build.cause, build.now, admission.barred)
    assert [order.allocations for order in again.orders] == [build.shares({"b": 5})]
    assert [entry.symbol for entry in again.refusals] == ["VIXY"]


def test_what_was_barred_before_stays_barred(build: Any) -> None:
    desk = build.desk({"a": {1: 10}})
    before = Barred(frozenset("c"), build.net(build.desk({"c": {1: 1}}, read_at=None)).refusals)
    admission = admit(desk, build.net(desk), {}, before)
    assert admission.barred is not None
    assert admission.barred.strategies == {"a", "c"}
    assert len(admission.barred.refusals) == 2


def rounds(build: Any, desk: Desk) -> int:
    """How many nets it takes until IB, which refuses everything, has nothing left to refuse."""
    barred: Barred | None = None
    for count in range(1, 10):
        plan: Plan = net(desk, build.cause, build.now, barred)
        barred = admit(desk, plan, {}, barred).barred
        if barred is None:
            return count
    raise AssertionError("no fixed point")


def test_refusals_reach_a_fixed_point_even_where_no_book_grows(build: Any) -> None:
    """[N8] a sells what it holds, but EXTERNAL is short: the position grows and no book does."""
    desk = build.desk({"a": {1: 0}}, {"a": {1: 40}, "EXTERNAL": {1: -40}})
    ignoring = build.settings_of(desk, external_policy={"SPY": "ignore"})
    assert len(build.net(ignoring).orders) == 1
    assert rounds(build, ignoring) == 2


def test_a_strategy_unknown_to_the_configuration_has_no_priority(build: Any) -> None:
    known: dict[str, StrategyDocument] = {"b": build.strategy(priority=-1)}
    desk = build.desk({"b": {2: 10}}, strategies=known)
    assert refused(admitted(build, desk)) == ["VIXY"]


@pytest.mark.parametrize(
    ("answer", "value", "bound", "sentence"),
    [
        (None, "no answer in time", "", "IB's margin answer for +10 SPY: no answer in time"),
        (
            MarginPreview(refusal="201 no margin"),
            "201 no margin",
            "",
            "IB's margin answer for +10 SPY: 201 no margin",
        ),
        (
            MarginPreview(warning="the market is closed"),
            "the market is closed",
            "",
            "IB gave no margin numbers for +10 SPY: the market is closed",
        ),
        (preview(1, None), "no numbers", "", "IB gave no margin numbers for +10 SPY: no numbers"),
        (
            preview(901, 5),
            "99.00",
            "100.00",
            "+10 SPY would leave 99.00 of excess margin, below the cushion of 100.00 "
            "(margin_cushion_fraction)",
        ),
    ],
)
def test_each_refusal_for_margin_is_one_sentence_with_what_ib_said(
    build: Any, answer: MarginPreview | None, value: str, bound: str, sentence: str
) -> None:
    """(behaviour 9)"""
    previews = () if answer is None else (answer,)
    admission = admitted(build, build.desk({"a": {1: 10}}), *previews)
    assert admission.barred is not None
    (entry,) = admission.barred.refusals
    found = (entry.rule, entry.symbol, entry.value, entry.bound, entry.sentence)
    assert found == ("margin", "SPY", value, bound, sentence)


def test_an_order_without_an_answer_takes_no_margin_from_those_behind_it(build: Any) -> None:
    """What IB refuses is refused alone: VIXY fits, and stands."""
    strategies = {"a": build.strategy(priority=1), "b": build.strategy()}
    desk = build.desk({"a": {1: 10}, "b": {2: 10}}, strategies=strategies)
    assert refused(admitted(build, desk, MarginPreview(refusal="no"), preview(900, 400))) == ["SPY"]


def test_all_that_ib_refuses_and_all_that_does_not_fit_is_told_at_once(build: Any) -> None:
    """[N8] Else each would take a net, and a round of questions, of its own."""
    strategies = {"a": build.strategy(priority=1), "b": build.strategy()}
    desk = build.desk({"a": {1: 10}, "b": {2: 10}}, strategies=strategies)
    admission = admitted(build, desk, MarginPreview(refusal="no"), preview(901, 400))
    assert refused(admission) == ["SPY", "VIXY"]
    assert admission.plan == build.net(desk)


def test_the_margins_of_all_before_it_count_for_the_last(build: Any) -> None:
    """(behaviour 4.2) 100 + 200 are used before the third, of which 600 and no more would fit."""
    desk = build.desk(
        {"a": {1: 10}, "b": {2: 10}, "c": {3: 10}},
        prices={n: build.price() for n in (1, 2, 3)},
        terms={n: build.terms(n) for n in (1, 2, 3)},
    )
    first = (preview(100, 100), preview(200, 200))
    assert admitted(build, desk, *first, preview(600, 300)).barred is None
    assert refused(admitted(build, desk, *first, preview(601, 300))) == ["C3"]


@pytest.mark.parametrize(("margin", "left"), [(900, []), (901, ["SPY"])])
def test_an_order_that_takes_no_margin_comes_first_and_leaves_all_of_it(
    build: Any, margin: int, left: list[str]
) -> None:
    """(behaviour 4.2) VIXY, of which more in the books of IB changes nothing."""
    desk = build.desk({"a": {1: 10}, "b": {2: 10}})
    half = MarginPreview(Decimal(margin), Decimal("0.5"), Decimal(1000))
    admission = admitted(build, desk, half, preview(900, 0))
    assert (refused(admission) if admission.barred else []) == left


def test_a_preview_without_numbers_stops_nobody_behind_it(build: Any) -> None:
    """Its change of margin counts for nothing, for nobody knows what it would leave."""
    strategies = {"a": build.strategy(priority=1), "b": build.strategy()}
    desk = build.desk({"a": {1: 10}, "b": {2: 10}}, strategies=strategies)
    assert refused(admitted(build, desk, preview(None, 900), preview(900, 400))) == ["SPY"]

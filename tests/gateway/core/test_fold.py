from dataclasses import replace
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gateway.core.broker import BrokerStatus, Commission, Connection
from gateway.core.desk import Desk
from gateway.core.events import (
    Adopted,
    CancelAsked,
    Configured,
    Journaled,
    NetAsked,
    NetCause,
    Netted,
    NotSent,
    Priced,
    RunClosed,
    RunOpened,
    Said,
    Silent,
    Ticked,
)
from gateway.core.fold import evolve
from gateway.core.orders import own_ref
from schemas.documents import ExecutionDocument
from schemas.settings import ControlDocument
from schemas.values import Mode, TradingState

ALLOCATE = NetCause("allocate", "run-2")
DRY = NetCause("allocate", "run-3", dry_run=True)


def asked(build: Any, *strategies: str, **parts: Any) -> Desk:
    desk: Desk = build.desk(run=build.open_run(strategies, **parts))
    return desk


def said(build: Any, strategy: str = "a", quantity: int = 10, **parts: Any) -> Said:
    dry_run = parts.pop("dry_run", False)
    return Said(build.said(strategy, {1: quantity}, **parts), dry_run)


def answer(build: Any, strategy: str = "a", quantity: int = 10, **parts: Any) -> Said:
    return said(build, strategy, quantity, last_run_id="run-1", **parts)


def wanted(desk: Desk, strategy: str = "a") -> int:
    return int(desk.targets[strategy].targets[0].quantity)


# ---------------------------------------------------------------------- what the desk knows


def test_an_event_that_nobody_knows_is_a_defect(build: Any) -> None:
    with pytest.raises(TypeError, match="str"):
        evolve("hello", build.desk(), build.now)


def test_a_position_is_books_external_and_unexplained_together(build: Any) -> None:
    """[B3]"""
    desk = build.desk({}, {"a": {1: 5}, "EXTERNAL": {1: 2}}, unexplained={1: Decimal(-1)})
    assert desk.position(1) == 6


@pytest.mark.parametrize(("state", "is_open"), [("WORKING", True), ("DONE", False)])
def test_only_a_parent_that_is_not_over_is_open(build: Any, state: str, is_open: bool) -> None:
    """[N5]"""
    assert (build.ordered(state=state).open_order(1) is not None) is is_open
    assert build.ordered(state=state).open_order(2) is None


@pytest.mark.parametrize(
    ("order_ref", "is_ours"),
    [("paper-1-1", True), ("live-1-1", False), ("paper-1-1x", False), ("", False)],
)
def test_our_order_refs_are_known_by_their_form(order_ref: str, is_ours: bool) -> None:
    """[W1]"""
    assert own_ref(Mode.PAPER, order_ref) is is_ours


# ---------------------------------------------------------------------- targets


@pytest.mark.parametrize("first", [0, 1])
def test_the_later_as_of_counts_whatever_the_order_of_arrival(build: Any, first: int) -> None:
    """[T2]"""
    messages = [said(build, quantity=5), said(build, quantity=9, as_of=build.later(1))]
    desk = build.after(build.desk(), messages[first], messages[1 - first])
    assert wanted(desk) == 9


def test_of_two_with_equal_as_of_the_first_counts(build: Any) -> None:
    """[T2]"""
    assert wanted(build.after(build.desk(), said(build, quantity=5), said(build))) == 5


def test_a_message_replaces_the_whole_set(build: Any) -> None:
    """[T1]"""
    both = Said(build.said("a", {1: 5, 2: 5}))
    desk = build.after(build.desk(), both, said(build, as_of=build.later(1)))
    assert [t.con_id for t in desk.targets["a"].targets] == [1]


@pytest.mark.parametrize("status", ["hold", "error"])
def test_hold_and_error_keep_the_last_good_targets_on_record(build: Any, status: str) -> None:
    """[T1] On record, not in force: the status says that they are held."""
    held = said(build, as_of=build.later(1), last_status=status)
    desk = build.after(build.desk(), said(build, quantity=5), held)
    kept = desk.targets["a"]
    assert (wanted(desk), kept.last_status, kept.as_of) == (5, status, build.now)
    assert kept.last_as_of == build.later(1)


def test_a_hold_outdates_targets_from_before_it(build: Any) -> None:
    """[T2]"""
    held = said(build, as_of=build.later(5), last_status="hold")
    desk = build.after(build.desk(), held, said(build))
    assert desk.targets["a"].last_status == "hold"


# ---------------------------------------------------------------------- when a net is due [N1]


def test_the_barrier_is_reached_when_all_asked_have_answered(build: Any) -> None:
    """[N1a] Whatever they answer."""
    half = build.after(asked(build, "a", "b"), answer(build), Ticked())
    assert half.cause is None
    whole = build.after(half, answer(build, "b", last_status="error"), Ticked())
    assert whole.cause == NetCause("barrier", "run-1")


@pytest.mark.parametrize(("seconds", "due"), [(59, False), (60, True)])
def test_the_barrier_is_reached_when_the_time_to_answer_is_over(
    build: Any, seconds: int, due: bool
) -> None:
    """[N1a]"""
    assert (evolve(Ticked(), asked(build, "a"), build.later(seconds)).cause is not None) is due


def test_an_old_answer_counts_for_the_barrier_and_changes_no_targets(build: Any) -> None:
    """[N1, T2]"""
    desk = replace(asked(build, "a"), targets={"a": build.said("a", {1: 9}, as_of=build.later(9))})
    after = build.after(desk, answer(build), Ticked())
    assert (wanted(after), after.cause is not None) == (9, True)


def test_a_late_answer_is_stored_and_waits_for_the_next_net(build: Any) -> None:
    """[N1]"""
    late = build.after(build.desk(), answer(build))
    assert (wanted(late), late.coalesce_at) == (10, None)
    assert evolve(Ticked(), late, build.later(9_999)).cause is None


@pytest.mark.parametrize(("seconds", "due"), [(1, False), (2, True)])
def test_unsolicited_targets_are_netted_after_a_short_wait(
    build: Any, seconds: int, due: bool
) -> None:
    """[N1c]"""
    desk = build.after(build.desk(), said(build))
    assert (evolve(Ticked(), desk, build.later(seconds)).cause is not None) is due


def test_more_targets_do_not_prolong_the_wait(build: Any) -> None:
    """[N1c]"""
    first = build.after(build.desk(), said(build))
    assert evolve(said(build, "b"), first, build.later(1)).coalesce_at == build.later(2)


def test_unsolicited_targets_wait_for_the_barrier_of_an_open_run(build: Any) -> None:
    """[N1c]"""
    desk = build.after(asked(build, "a"), said(build, "b"))
    assert evolve(Ticked(), desk, build.later(30)).cause is None


def test_a_run_that_was_closed_is_due_no_more(build: Any) -> None:
    desk = build.after(asked(build), RunClosed("another"), Ticked())
    assert desk.cause == NetCause("barrier", "run-1")
    assert build.after(desk, Netted(), RunClosed("run-1"), Ticked()).cause is None


def test_opening_a_run_waits_for_its_answers(build: Any) -> None:
    desk = build.after(build.desk(), RunOpened(build.open_run(("a",)).document), Ticked())
    assert (desk.run is not None, desk.cause) == (True, None)


def test_a_net_that_was_made_is_due_no_more(build: Any) -> None:
    desk = build.after(build.desk(), said(build), NetAsked(ALLOCATE), Netted())
    assert (desk.cause, desk.coalesce_at) == (None, None)


def test_a_dry_net_leaves_the_real_one_due(build: Any) -> None:
    desk = build.after(build.desk(), said(build), NetAsked(DRY), Netted())
    assert desk.coalesce_at == build.later(2)


@pytest.mark.parametrize("causes", [(ALLOCATE, DRY), (DRY, ALLOCATE)])
def test_of_two_nets_asked_for_neither_is_lost(build: Any, causes: tuple[NetCause, ...]) -> None:
    """[N1b] Two commands of one batch: each has a run document that waits to be closed."""
    desk = build.after(build.desk(), *map(NetAsked, causes))
    assert desk.cause == causes[0]
    assert build.after(desk, Netted()).cause == causes[1]
    assert build.after(desk, Netted(), Netted()).cause is None


# ---------------------------------------------------------------------- dry runs


def test_a_dry_answer_is_not_stored(build: Any) -> None:
    desk = build.after(asked(build, "a", dry_run=True), answer(build, dry_run=True), Ticked())
    assert (dict(desk.targets), desk.coalesce_at) == ({}, None)
    assert desk.run.said["a"].targets[0].quantity == 10
    assert desk.cause == NetCause("barrier", "run-1", dry_run=True)


def test_an_answer_that_forgets_to_be_dry_is_dry_all_the_same(build: Any) -> None:
    """[M9] The run decides; else the next real net would trade a rehearsal."""
    desk = build.after(asked(build, "a", dry_run=True), answer(build), Ticked())
    assert dict(desk.targets) == {}
    assert desk.cause is not None


def test_a_dry_answer_answers_no_real_run(build: Any) -> None:
    desk = build.after(asked(build, "a"), answer(build, dry_run=True), Ticked())
    assert (dict(desk.targets), desk.cause) == ({}, None)


def test_the_later_as_of_counts_in_a_dry_run_too(build: Any) -> None:
    """[T2]"""
    newer = answer(build, quantity=9, as_of=build.later(1))
    desk = build.after(asked(build, "a", dry_run=True), newer, answer(build))
    assert desk.run.said["a"].targets[0].quantity == 9


# ---------------------------------------------------------------------- the rest of the world


def test_what_people_set_is_taken_up_as_it_stands(build: Any) -> None:
    settings, control = build.settings(coalesce_seconds=9), ControlDocument(TradingState.HALTED)
    desk = build.after(build.desk(), Configured(settings, {}), control)
    assert (desk.settings, dict(desk.strategies), desk.control) == (settings, {}, control)


def test_prices_and_readings_and_the_line_are_remembered(build: Any) -> None:
    reading = build.reading({1: 5}, at=build.later(3))
    new = build.price(7)
    desk = build.after(build.desk(), Priced({2: new}), reading, Connection(False, "1100"))
    assert (desk.prices[1].value, desk.prices[2]) == (100, new)
    assert (desk.positions[1].quantity, desk.read_at) == (5, build.later(3))
    assert not desk.connected


def test_an_adoption_books_what_was_unexplained_and_unlocks(build: Any) -> None:
    """[B3, B4]"""
    read = build.settled(build.desk(), {1: 50})
    adopted = Adopted(build.spy, "EXTERNAL", build.entry(50, source="adopt-1"))
    desk = build.after(read, adopted, adopted)
    assert build.books(desk) == {"EXTERNAL": 50}
    assert (desk.unexplained, desk.locks) == ({}, {})


def test_a_part_adopted_leaves_the_rest_locked(build: Any) -> None:
    """[B3]"""
    adopted = Adopted(build.spy, "a", build.entry(20, source="adopt-1"))
    desk = build.after(build.settled(build.desk(), {1: 50}), adopted)
    assert (desk.unexplained[1], set(desk.locks)) == (30, {"1"})


# ---------------------------------------------------------------------- everything twice


def events(build: Any) -> dict[str, Any]:
    """One event of each kind, and a desk on which it means something."""
    fill = build.execution("x.1.01", 11, commission=Decimal(1))
    return {
        "configured": Configured(build.settings(coalesce_seconds=9), {}),
        "control": ControlDocument(TradingState.HALTED),
        "said": said(build),
        "answer": answer(build),
        "dry answer": answer(build, dry_run=True),
        "run opened": RunOpened(build.open_run(("b",)).document),
        "run closed": RunClosed("run-1"),
        "net asked": NetAsked(ALLOCATE),
        "ticked": Ticked(),
        "priced": Priced({1: build.price(7)}),
        "journaled": Journaled((build.order({"a": 5}, order_ref="paper-1-2"),), ()),
        "crossed": Journaled((), (build.cross_document(),)),
        "cancel asked": CancelAsked("paper-1-1"),
        "silent": Silent("paper-1-1", "no answer"),
        "not sent": NotSent("paper-1-1", "no lease"),
        "adopted": Adopted(build.spy, "a", build.entry(5, source="adopt-1")),
        "cancelled": build.report(BrokerStatus.CANCELLED),
        "unsure": build.report(BrokerStatus.UNSURE, reason="399"),
        "fill": fill,
        "overfill": build.execution("x.1.01", 17),
        "foreign": build.execution("f.1.01", 5, order_ref=""),
        "commission": Commission("x.0.01", Decimal(2), "USD"),
        "line": Connection(up=False, reason="1100"),
        "reading": build.reading({1: 3}),
    }


def busy(build: Any) -> Desk:
    desk: Desk = build.after(build.ordered(), build.execution("x.0.01", 1))
    return replace(desk, run=build.open_run(("a",)), coalesce_at=build.now)


def test_every_event_may_come_twice(build: Any) -> None:
    """(architecture 5.2) `evolve` of any event twice equals once, also a second later."""
    for name, event in events(build).items():
        once = evolve(event, busy(build), build.now)
        assert evolve(event, once, build.now) == once, name


@given(data=st.data())
def test_a_story_told_twice_ends_alike(build: Any, data: st.DataObject) -> None:
    """Redelivery of all that the broker ever said changes no book and no order."""
    quantities = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    story: list[ExecutionDocument | Any] = [
        build.execution(f"x.{n}.01", q) for n, q in enumerate(quantities)
    ]
    story.append(build.report(BrokerStatus.CANCELLED, filled=Decimal(sum(quantities))))
    once = build.after(build.ordered(), *data.draw(st.permutations(story)))
    again = build.after(once, *data.draw(st.permutations(story)))
    assert again == once

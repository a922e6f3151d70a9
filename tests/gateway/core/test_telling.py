"""What people are told: one sentence for each change, and nothing for none."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.core import telling
from gateway.core.broker import BrokerStatus
from gateway.core.desk import Desk
from gateway.core.events import NotSent, Said, Silent
from gateway.core.netting import Plan
from schemas.documents import Latch, RefusalEntry
from schemas.messages import Report
from schemas.settings import ControlDocument
from schemas.values import Contract, Mode, TradingState


def told(build: Any, before: Desk, after: Desk) -> list[tuple[str, str]]:
    return [(r.kind, r.sentence) for r in telling.happened(before, after, build.now)]


def test_nothing_is_told_of_a_desk_that_did_not_change(build: Any) -> None:
    desk = build.ordered()
    assert told(build, desk, desk) == []


def test_a_new_order_is_told_with_its_allocations(build: Any) -> None:
    order = build.order({"a": 7, "b": -2}, state="PENDING")
    after = build.desk(orders=[order])
    assert told(build, build.desk(), after) == [
        ("order", "paper-1-1: BUY 5 SPY journaled for a +7, b -2")
    ]


def test_a_fill_is_told_with_its_shares_and_then_the_order_s_end(build: Any) -> None:
    before = build.ordered()
    after = build.after(before, build.execution("x.01", 15))
    assert told(build, before, after) == [
        ("execution", "paper-1-1: +15 SPY at 100 -> a +7, b +7, c +1"),
        ("order", "paper-1-1: BUY 15 SPY is DONE, filled: +15 at 100"),
    ]


def test_a_latch_is_told_as_an_alert_when_it_falls_and_when_it_is_lifted(build: Any) -> None:
    free = build.desk()
    latched = replace(free, reduce_only=Latch("drawdown", "too much was lost", build.now))
    said = [("alert", "trading is latched reduce_only: too much was lost")]
    assert told(build, free, latched) == said
    assert told(build, latched, replace(latched, epoch=2)) == []
    lifted = [("alert", "trading is not latched reduce_only any more")]
    assert told(build, latched, free) == lifted


def test_a_line_that_is_lost_and_back_is_told(build: Any) -> None:
    """[R1] That of a gateway that starts is none of it: it has read nothing yet."""
    up = build.desk()
    lost = replace(up, connected=False)
    sentence = "the line to the broker is lost; nothing is sent until it is back"
    assert told(build, up, lost) == [("state", sentence)]
    assert told(build, lost, up) == [("state", "the line to the broker is back")]
    assert told(build, replace(lost, read_at=None), up) == []


def test_a_fill_that_comes_twice_is_told_once(build: Any) -> None:
    before = build.after(build.ordered(), build.execution("x.01", 5))
    after = build.after(before, build.execution("x.01", 5))
    assert told(build, before, after) == []


def test_a_correction_is_told_as_an_execution(build: Any) -> None:
    """[A3]"""
    before = build.after(build.ordered(), build.execution("x.01", 5))
    after = build.after(before, build.execution("x.02", 4))
    assert [kind for kind, _ in told(build, before, after)] == ["execution"]


def test_a_rejection_is_told_with_the_broker_s_reason(build: Any) -> None:
    before = build.ordered()
    rejected = build.report(BrokerStatus.REJECTED, reason="201 too big")
    assert told(build, before, build.after(before, rejected)) == [
        ("order", "paper-1-1: BUY 15 SPY is DONE, rejected: +0 (201 too big)")
    ]


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (Silent("paper-1-1", "no word"), "paper-1-1: BUY 15 SPY is UNKNOWN (no word)"),
        (
            NotSent("paper-1-1", "not sent: the lease ran out"),
            "paper-1-1: BUY 15 SPY is DONE, not_sent: +0 (not sent: the lease ran out)",
        ),
    ],
)
def test_an_order_that_went_wrong_says_why(build: Any, event: Any, sentence: str) -> None:
    before = build.ordered(state="PENDING")
    assert told(build, before, build.after(before, event)) == [("order", sentence)]


def test_somebody_else_s_trade_is_told_as_nobody_s_book(build: Any) -> None:
    """[B2]"""
    before = build.desk()
    after = build.after(before, build.execution("y.01", 7, order_ref="", perm_id=0))
    assert told(build, before, after) == [
        (
            "execution",
            "+7 SPY at 100 by somebody else, booked to EXTERNAL; no strategy's book moves",
        )
    ]


def test_a_lock_is_an_alert_and_so_is_its_end(build: Any) -> None:
    """[B3]"""
    before = build.desk()
    locked = build.settled(before, {1: 5})
    ((kind, sentence),) = told(build, before, locked)
    assert (kind, sentence.startswith("SPY is locked: +5 SPY at the broker")) == ("alert", True)
    assert told(build, locked, build.settled(locked, {})) == [("alert", "SPY is unlocked")]


def test_a_trading_state_is_told_with_who_and_why(build: Any) -> None:
    before = build.desk()
    halted = ControlDocument(TradingState.HALTED, "ann", "lunch")
    after = replace(before, control=halted)
    assert told(build, before, after) == [("state", "trading is halted, by ann: lunch")]
    nobody = replace(before, control=ControlDocument())
    assert told(build, before, nobody) == [("state", "trading is halted, by nobody named")]


@pytest.mark.parametrize(
    ("status", "kind", "sentence"),
    [
        ("hold", "state", "a holds what it has: too few bars"),
        ("error", "alert", "a failed and holds what it has: too few bars"),
    ],
)
def test_a_strategy_that_holds_says_why_once(
    build: Any, status: str, kind: str, sentence: str
) -> None:
    """[T1]"""
    before = build.desk({"a": {1: 5}})
    parts = {"last_status": status, "last_reason": "too few bars"}
    first = build.after(before, Said(build.said("a", {}, as_of=build.later(1), **parts)))
    second = build.after(first, Said(build.said("a", {}, as_of=build.later(2), **parts)))
    assert told(build, before, first) == [(kind, sentence)]
    assert told(build, first, second) == []


def test_a_cross_is_told_with_its_price_and_where_that_came_from(build: Any) -> None:
    """[N4]"""
    plan = Plan(crosses=(build.cross_document(),))
    (report,) = telling.planned(Mode.PAPER, plan, "run-1", build.now)
    assert report.sentence == "paper-1-1-cross: a +40, b -40 SPY crossed at 100 (last trade)"
    assert (report.kind, report.run_id) == ("cross", "run-1")


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (
            RefusalEntry("r", "10 SPY is over 5", "SPY", 1, ("a", "b"), "10", "5"),
            "refused: a, b: 10 SPY is over 5",
        ),
        (RefusalEntry("r", "10 is over 5", "SPY", 1), "refused: SPY: 10 is over 5"),
        (RefusalEntry("r", "strategy 'x' is not known"), "refused: strategy 'x' is not known"),
    ],
)
def test_a_refusal_names_who_and_what(build: Any, entry: RefusalEntry, sentence: str) -> None:
    report = telling.refused(Mode.PAPER, entry, "run-1", build.now)
    assert (report.kind, report.sentence) == ("refusal", sentence)
    assert report.details == {
        "rule": "r",
        "value": entry.value,
        "bound": entry.bound,
        "strategies": ", ".join(entry.strategies),
    }


def test_a_foreign_execution_is_told_by_one_gateway_only(build: Any) -> None:
    """[B2] The four questions tell it again after every restart."""
    execution = build.execution("f.1.01", -5, order_ref="")
    told = build.after(build.desk(ledgers={}), execution)
    (report,) = telling.happened(build.desk(ledgers={}), told, build.now)
    assert report.sentence.startswith("-5 SPY at 100 by somebody else, booked to EXTERNAL")
    restarted = build.desk(ledgers=told.ledgers)
    assert [*telling.happened(restarted, build.after(restarted, execution), build.now)] == []


def test_money_that_a_person_changed_is_told_as_booked_to_cash(build: Any) -> None:
    """[B1]"""
    pair = Contract("EUR", sec_type="CASH", con_id=9)
    execution = build.execution("fx.1.01", 7, order_ref="", contract=pair)
    before = build.desk(ledgers={})
    (report,) = telling.happened(before, build.after(before, execution), build.now)
    assert report.sentence.startswith("+7 EUR at 100 by somebody else, booked to CASH")


def test_a_run_s_end_is_told_after_what_happened_in_it(build: Any) -> None:
    def report(kind: Any) -> Report:
        return Report(kind, build.now, Mode.PAPER, kind)

    story = telling.in_order([report("run"), report("cross")], [report("order")])
    assert [r.kind for r in story] == ["cross", "order", "run"]


def test_an_orphan_is_told_with_what_it_holds_and_what_to_do(build: Any) -> None:
    """[B6]"""
    desk = build.desk(books={"gone": {1: 3, 2: -1}, "a": {1: 5}})
    (report,) = telling.orphaned(desk, "c1", build.now)
    assert (report.kind, report.strategy, report.run_id) == ("alert", "gone", "c1")
    assert report.sentence == (
        "strategies/gone is gone and its book is an orphan that holds +3 SPY, -1 VIXY; say "
        'transfer to another strategy or to EXTERNAL, or close_all with strategies ["gone"]'
    )

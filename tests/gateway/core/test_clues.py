"""[B3] What a lock says of what may explain it, from orders that count more than they told."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.core.broker import BrokerStatus
from gateway.core.clues import clues, strangers
from gateway.core.locks import unexplained

FOREIGN = {"order_ref": "", "perm_id": 4711}
OURS = {"order_ref": "paper-1-9", "perm_id": 4712}


def done(build: Any, filled: int, **parts: Any) -> Any:
    """A reading that names one completed order."""
    report = build.report(BrokerStatus.FILLED, filled=Decimal(filled), **parts)
    return {"completed_orders": (report,)}


def test_a_foreign_order_is_named_with_its_client_and_what_it_did_not_tell(build: Any) -> None:
    told = (build.execution("f.1.01", 2, order_ref="", perm_id=4711),)
    named = build.report(BrokerStatus.WORKING, filled=Decimal(5), client_id=8, **FOREIGN)
    desk = build.settled(build.desk(), {1: 5}, open_orders=(named,), executions=told)
    sentence = (
        "the broker counts 5 filled of the foreign order 4711 of client 8 and told 2: "
        "if it is yours, adopt to EXTERNAL"
    )
    assert clues(desk, 1) == (sentence,)
    assert desk.locks["1"].reason == (
        "+3 SPY at the broker that neither a book nor EXTERNAL explains; say adopt, or wait for "
        f"the executions that explain it; {sentence}"
    )


def test_a_completed_order_of_others_names_no_client_for_the_broker_does_not(build: Any) -> None:
    """(IB facts) Completed orders have no client id."""
    desk = build.settled(build.desk(), {1: -5}, **done(build, 5, **FOREIGN))
    assert "of the foreign order 4711 and told 0: if it is yours" in desk.locks["1"].reason


def test_a_foreign_order_whose_executions_were_all_told_explains_nothing(build: Any) -> None:
    told = [build.execution(f"f.{n}.01", -2, order_ref="", perm_id=4711) for n in (1, 2)]
    reading = {**done(build, 4, **FOREIGN), "executions": tuple(told)}
    desk = build.settled(build.desk(), {1: 50}, **reading)
    assert desk.unexplained == {1: 54}
    assert clues(desk, 1) == ()


def test_an_order_in_another_contract_explains_nothing(build: Any) -> None:
    other = build.order({"a": 5}, contract=build.vixy, broker_filled=Decimal(5))
    desk = build.settled(build.desk(orders=[other]), {1: 5}, **done(build, 5, con_id=3, **FOREIGN))
    assert clues(desk, 1) == ()
    assert len(clues(desk, 2)) == len(clues(desk, 3)) == 1


@pytest.mark.parametrize(
    ("allocations", "who"),
    [({"a": -15}, "a"), ({"a": -7, "b": -8}, "EXTERNAL and transfer to a, b")],
)
def test_a_lost_execution_of_ours_is_named_with_its_order_and_whose_it_was(
    build: Any, allocations: dict[str, int], who: str
) -> None:
    """[A2]"""
    told = (build.execution("x.1.01", -11),)
    reading = {**done(build, 15, perm_id=70), "executions": told}
    desk = build.settled(build.desk(orders=[build.order(allocations)]), {1: -15}, **reading)
    assert desk.unexplained == {1: -4}
    assert clues(desk, 1) == (
        "the broker counts 15 filled of paper-1-1 and told 11, so an execution was lost: say "
        f"reconcile, which finds it until midnight in New York, then adopt to {who}",
    )


def test_a_lost_execution_that_is_found_is_no_clue_and_no_lock(build: Any) -> None:
    """[B3]"""
    lost = build.settled(build.ordered(), {1: 15}, **done(build, 15))
    assert "1" in lost.locks
    found = {**done(build, 15), "executions": (build.execution("x.1.01", 15),)}
    desk = build.settled(lost, {1: 15}, **found)
    assert (clues(desk, 1), dict(desk.locks)) == ((), {})


def test_an_order_with_our_name_that_is_unknown_here_is_no_foreign_one(build: Any) -> None:
    """[W1] Its executions are told, and booked nowhere."""
    told = (build.execution("x.9.01", 5, **OURS),)
    desk = build.settled(build.desk(), {1: 5}, **{**done(build, 5, **OURS), "executions": told})
    assert clues(desk, 1) == (
        "the broker counts 5 filled of paper-1-9, which is unknown here: see in runs whose it "
        "was, then adopt to that strategy",
    )


def test_only_orders_that_filled_and_that_nobody_here_knows_are_strangers(build: Any) -> None:
    """Each once, though the broker may list it as open and as completed."""
    known = build.report(BrokerStatus.FILLED, filled=Decimal(1))
    idle = build.report(BrokerStatus.WORKING, filled=Decimal(0), order_ref="", perm_id=5)
    uncounted = build.report(BrokerStatus.WORKING, order_ref="", perm_id=6)
    earlier = build.report(BrokerStatus.WORKING, filled=Decimal(2), **FOREIGN)
    later = build.report(BrokerStatus.FILLED, filled=Decimal(3), **FOREIGN)
    reading = build.reading(
        {}, open_orders=(idle, uncounted, earlier), completed_orders=(known, later)
    )
    assert strangers(build.ordered(), reading) == (later,)


def test_a_stranger_is_forgotten_with_the_reading_that_told_of_it(build: Any) -> None:
    desk = build.settled(build.desk(), {1: 5}, **done(build, 5, **FOREIGN))
    assert desk.strangers
    again = build.settled(desk, {1: 5})
    assert (again.strangers, "foreign" in again.locks["1"].reason) == ((), False)


PAGE = (Path(__file__).parents[3] / "docs/how-to/a-bad-day.md").read_text(encoding="utf-8")


def test_the_page_for_a_bad_day_quotes_each_kind_of_clue(build: Any) -> None:
    quoted = re.findall(r"^\| `((?:the broker counts|looks like) [^`]+)` \|", PAGE, re.MULTILINE)
    mine = {"order_ref": "paper-756733-1", "perm_id": 4712}
    told = (build.execution("f.1.01", 2, order_ref="", perm_id=4711),)
    unfilled = build.order({"a": 10}, order_ref="paper-756733-1")
    desks = (
        build.settled(build.desk(), {1: 5}, executions=told, **done(build, 5, **FOREIGN)),
        build.settled(build.desk(orders=[unfilled]), {1: 10}, **done(build, 10, **mine)),
        build.settled(build.desk(), {1: 10}, **done(build, 10, **mine)),
    )
    said = [desk.locks["1"].reason for desk in desks]
    said.append(unexplained("SPY", Decimal(10), build.now, Decimal(20)).reason)
    assert len(quoted) == len(said)
    assert [words in sentence for words, sentence in zip(quoted, said, strict=True)] == [True] * 4

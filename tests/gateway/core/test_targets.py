from dataclasses import replace
from typing import Any

import pytest

from gateway.core import targets
from gateway.core.events import NetAsked, NetCause, Netted, Said, Ticked
from gateway.core.records import Stored, restored
from gateway.core.targets import counts, held, holding, is_newer, last_waiting, merged, netted
from schemas.documents import TargetsDocument


@pytest.mark.parametrize(("seconds", "newer"), [(1, True), (0, False), (-1, False)])
def test_as_of_alone_says_which_message_is_newer(build: Any, seconds: int, newer: bool) -> None:
    """[T2] Of two with the same time the first stays."""
    known = build.said("a", {1: 5})
    assert is_newer(build.said("a", {1: 9}, as_of=build.later(seconds)), known) is newer


@pytest.mark.parametrize(("said", "known", "newer"), [(0, None, True), (None, 0, False)])
def test_a_time_beats_no_time(build: Any, said: Any, known: Any, newer: bool) -> None:
    times = [None if at is None else build.later(at) for at in (said, known)]
    one, other = (build.said("a", {}, last_as_of=at) for at in times)
    assert is_newer(one, other) is newer


def test_the_first_word_of_a_strategy_may_be_hold(build: Any) -> None:
    """[T1]"""
    said = build.said("a", {}, last_status="hold", last_reason="too few bars")
    kept = held(None, said)
    assert (kept.targets, kept.last_status, kept.last_reason) == ((), "hold", "too few bars")


def test_targets_said_unasked_wait_for_a_net_also_beyond_a_restart(build: Any) -> None:
    """[N1c]: the desk that its documents make owes the same net, until one is made."""
    said = build.said("a", {1: 10}, last_message_id="m7")
    due = build.after(build.desk(), Said(said))
    again = restored(build.desk(), Stored(targets=due.targets))
    assert (again.coalesce_at, again.coalesce_id) == (said.last_as_of, "m7")
    covered = build.after(due, Ticked(), Netted())
    assert restored(build.desk(), Stored(targets=covered.targets)).coalesce_at is None


def test_an_answer_to_a_run_waits_for_no_net_of_its_own(build: Any) -> None:
    """[N1]: late answers are traded by the next net, whatever makes it due."""
    late = build.after(build.desk(), Said(build.said("a", {1: 10}, last_run_id="run-1")))
    assert restored(build.desk(), Stored(targets=late.targets)).coalesce_at is None


def test_a_dry_net_leaves_what_waits_waiting(build: Any) -> None:
    dry = NetCause("allocate", "run-2", dry_run=True)
    due = build.after(build.desk(), Said(build.said("a", {1: 10})), NetAsked(dry), Netted())
    assert due.targets["a"].waits_for_net


@pytest.mark.parametrize("waits", [True, False])
def test_a_newer_word_waits_for_the_net_that_the_one_before_waits_for(
    build: Any, waits: bool
) -> None:
    """[N1c] A hold said after targets that no net has covered takes that net away from nobody."""
    known = build.said("a", {1: 10}, waits_for_net=waits)
    for status in ("targets", "hold"):
        said = build.said("a", {1: 6}, as_of=build.later(1), last_status=status)
        assert merged(known, said).waits_for_net is waits


def test_a_net_covers_all_that_waits_and_touches_nothing_else(build: Any) -> None:
    still = {"a": build.said("a", {1: 1})}
    assert netted(still) is still
    after = netted({**still, "b": build.said("b", {1: 2}, waits_for_net=True)})
    assert after == {**still, "b": build.said("b", {1: 2})}


def test_the_newest_that_waits_is_the_one_a_net_is_owed_for(build: Any) -> None:
    """[N1c] Of the same time, the strategy that sorts last; what waits for nothing is passed by."""
    times = {"a": 5, "b": 5, "c": 1, "d": 9, "e": None}
    known = {
        name: build.said(
            name,
            {1: 1},
            last_as_of=None if seconds is None else build.later(seconds),
            waits_for_net=name != "d",
        )
        for name, seconds in times.items()
    }
    assert last_waiting(known) is known["b"]
    assert last_waiting({"d": known["d"], "e": known["e"]}) is None


def test_what_was_said_last_is_on_record_beside_the_last_good_targets(build: Any) -> None:
    """[T1, T2] A repetition is known by its digest, whatever its status."""
    last = {
        "last_status": "error",
        "last_reason": "no bars",
        "last_as_of": build.later(9),
        "last_message_id": "m9",
        "last_run_id": "run-9",
        "last_digest": "d9",
    }
    known = build.said("a", {1: 10})
    assert held(known, build.said("a", {}, **last)) == replace(known, **last)
    assert held(None, build.said("a", {}, **last)) == TargetsDocument("a", **last)


@pytest.mark.parametrize(
    ("parts", "con_id", "seconds", "count"),
    [
        ({}, 1, 0, True),
        ({}, 1, 3600, True),
        ({}, 1, 3601, False),
        ({}, 2, 0, False),
        ({"last_status": "hold"}, 1, 0, False),
    ],
)
def test_targets_count_while_they_are_fresh_and_name_the_contract(
    build: Any, parts: dict[str, Any], con_id: int, seconds: int, count: bool
) -> None:
    """[N2, A3]"""
    said = build.said("a", {1: 5}, **parts)
    assert counts(said, con_id, build.later(seconds)) is count
    assert not counts(holding(said, con_id, build.now), con_id, build.now)
    assert not counts(None, con_id, build.now)


@pytest.mark.parametrize(("seconds", "left"), [(-1, {"1"}), (0, set()), (1, set())])
def test_a_contract_is_held_until_something_newer_is_said(
    build: Any, seconds: int, left: set[str]
) -> None:
    """[A4]"""
    known = holding(build.said("a", {1: 5}, as_of=build.later(-60)), 1, build.now)
    for status in ("targets", "hold"):
        said = build.said("a", {1: 6}, as_of=build.later(seconds), last_status=status)
        assert set(merged(known, said).held_contracts) == left


def test_what_a_person_approved_is_approved_until_the_next_targets(build: Any) -> None:
    """(behaviour 4.1) `hold` keeps the last good targets as they were."""
    known = {name: build.said(name, {1: 5}) for name in "ab"}
    found = targets.approved(known, ["a", "unheard"])
    assert found == {"a": replace(known["a"], approved=True), "b": known["b"]}
    newer = build.said("a", {1: 6}, as_of=build.later(1))
    assert targets.merged(found["a"], newer) == newer
    kept = targets.merged(found["a"], replace(newer, last_status="hold"))
    assert (kept.targets, kept.approved, kept.last_status) == (known["a"].targets, True, "hold")
    assert kept.last_as_of == newer.last_as_of

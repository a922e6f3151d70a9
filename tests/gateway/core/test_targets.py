from typing import Any

import pytest

from gateway.core.targets import held, is_newer


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

"""The backlog under any sequence of what can happen to it."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from infra.local.backlog import Backlog
from infra.topology import Subscription

SPEC = Subscription("ticks", "ticks-test", ack_deadline_seconds=10)
STEPS = st.lists(st.sampled_from(["add", "lease", "ack", "nack", "release", "expire"]), max_size=60)


@given(steps=STEPS)
def test_no_message_is_lost_or_doubled_whatever_happens(steps: list[str]) -> None:
    backlog, now, added, acked = Backlog(SPEC, {}), 0.0, 0, 0
    leases = []
    for step in steps:
        now += 3
        match step:
            case "add":
                added += 1
                backlog.add(added)
            case "lease" if backlog.ready:
                leases.append(backlog.lease("holder", now))
            case "ack" if leases:
                acked += backlog.remove(leases.pop()[0])
            case "nack" if leases:
                backlog.nack(*leases.pop(), now)
            case "release":
                backlog.release("holder")
            case "expire":
                backlog.expire(now)
    backlog.release("holder")
    backlog.expire(now + 1000)
    assert len(backlog.ready) == len(set(backlog.ready)) == len(backlog) == added - acked
    assert backlog.held_by("holder") == 0


def test_the_next_due_time_is_the_earlier_of_lease_and_delay() -> None:
    backlog = Backlog(SPEC, {1: 0, 2: 0})
    assert backlog.next_due() is None
    first, lease = backlog.lease("holder", 0.0)
    backlog.lease("holder", 5.0)
    assert backlog.next_due() == 10.0
    backlog.nack(first, lease, 6.0)
    assert backlog.next_due() == 7.0


def test_very_many_attempts_do_not_overflow_the_retry_delay() -> None:
    backlog = Backlog(SPEC, {1: 100_000})
    backlog.nack(*backlog.lease("holder", 0.0), 0.0)
    assert backlog.next_due() == SPEC.retry_delay_seconds_max


def test_what_a_leaving_holder_had_is_first_in_line_in_its_order() -> None:
    backlog = Backlog(SPEC, {1: 0, 2: 0, 3: 0})
    leases = [backlog.lease("holder", 0.0)[1] for _ in range(2)]
    backlog.release("holder")
    assert list(backlog.ready) == [1, 2, 3]
    assert all(lease.released for lease in leases)


def test_a_message_is_reported_exhausted_once() -> None:
    spec = dataclasses.replace(SPEC, dead_letter_topic="dead", delivery_attempts_max=5)
    backlog = Backlog(spec, {1: 4, 2: 5})
    assert backlog.exhausted() == [2]
    backlog.nack(*backlog.lease("holder", 0.0), 0.0)
    assert backlog.exhausted() == [1]
    assert backlog.exhausted() == []

"""Things to do, by the time at which they are due."""

from datetime import UTC, datetime, timedelta
from functools import partial

from gateway.simulator.agenda import Agenda

NOW = datetime(2025, 12, 12, 15, tzinfo=UTC)


def test_what_is_due_comes_by_time_and_then_by_noting() -> None:
    agenda = Agenda()
    done: list[tuple[str, datetime]] = []

    def do(name: str, when: datetime) -> None:
        done.append((name, when))

    for seconds, name in ((2, "late"), (1, "first"), (1, "second"), (9, "never")):
        agenda.note(NOW + timedelta(seconds=seconds), partial(do, name))
    assert agenda.next_due() == NOW + timedelta(seconds=1)
    while (entry := agenda.take(NOW + timedelta(seconds=2))) is not None:
        entry[1](entry[0])
    assert [name for name, _ in done] == ["first", "second", "late"]
    assert [when for _, when in done] == [NOW + timedelta(seconds=s) for s in (1, 1, 2)]


def test_an_empty_agenda_has_nothing_due() -> None:
    assert (Agenda().next_due(), Agenda().take(NOW)) == (None, None)


def test_what_was_noted_for_a_forgotten_owner_is_not_done() -> None:
    agenda, owner, other = Agenda(), object(), object()
    done: list[datetime] = []
    for seconds, whose in ((1, owner), (2, other), (3, owner), (4, None)):
        agenda.note(NOW + timedelta(seconds=seconds), done.append, whose)
    agenda.forget(owner)
    while (entry := agenda.take(NOW + timedelta(seconds=9))) is not None:
        entry[1](entry[0])
    assert done == [NOW + timedelta(seconds=2), NOW + timedelta(seconds=4)]

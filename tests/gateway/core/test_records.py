"""Desk to documents and back: the difference of two desks is what is written, whole."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from gateway.core.desk import Desk
from gateway.core.events import Adopted, Journaled, RunOpened, Said, Unlocked
from gateway.core.records import Stored, changed, journal, ledger_documents, restored
from schemas import codec
from schemas.documents import (
    DOCUMENTS,
    GenerationDocument,
    Latch,
    LatchesDocument,
    LedgerDocument,
    OrderDocument,
    StatusDocument,
    TargetsDocument,
)
from schemas.values import EXTERNAL

ORDER = "positions/paper/openOrders/paper-1-1"


def stored_of(desk: Desk) -> Stored:
    """What a gateway would find, had this desk been written, through the codec and back."""
    return Stored(
        latches=again(
            LatchesDocument,
            LatchesDocument(desk.locks, unlocked={str(k): n for k, n in desk.unlocked.items()}),
        ),
        ledgers={name: again(LedgerDocument, led) for name, led in desk.ledgers.items()},
        targets={name: again(TargetsDocument, said) for name, said in desk.targets.items()},
        orders={ref: again(OrderDocument, order) for ref, order in desk.orders.items()},
        generations={
            str(con_id): GenerationDocument(number, "")
            for con_id, number in desk.generations.items()
        },
    )


def again[T](kind: type[T], document: T) -> T:
    return codec.from_document(kind, codec.to_document(document))


def test_a_desk_that_did_not_change_writes_nothing(build: Any) -> None:
    desk = build.ordered()
    assert changed(desk, desk) == {}


def test_what_the_documents_remember_is_what_the_desk_was(build: Any) -> None:
    """Restart: all but what people set and the broker tells anew."""
    before = build.after(build.filled(build.ordered(), "paper-1-1"), Unlocked(1))
    assert before.unlocked == {1: 1}
    desk = restored(Desk(before.mode, epoch=2), stored_of(before))
    for name in ("locks", "unlocked", "ledgers", "targets", "orders", "generations"):
        assert getattr(desk, name) == getattr(before, name)
    assert (desk.epoch, desk.positions, desk.read_at) == (2, {}, None)


def test_the_day_and_its_latch_outlive_the_gateway(build: Any) -> None:
    status = StatusDocument("2026-01-05", Decimal(1000), Decimal(1200), 3, Decimal("500.5"))
    latch = Latch("daily_loss", "too much was lost", build.now)
    before = build.desk()
    written = changed(before, replace(before, status=status, reduce_only=latch))
    assert written == {
        "status/paper": status,
        "latches/paper": LatchesDocument(reduce_only=latch),
    }
    again_read = Stored(
        latches=again(LatchesDocument, written["latches/paper"]),
        status=again(StatusDocument, written["status/paper"]),
    )
    desk = restored(Desk(before.mode), again_read)
    assert (desk.status, desk.reduce_only) == (status, latch)


def test_the_journal_counts_its_orders_in_the_same_transaction(build: Any) -> None:
    """RTS 6, article 15(2)"""
    before = build.desk(status=StatusDocument("2026-01-05", Decimal(1000), Decimal(1000)))
    order = build.order({"a": 5}, state="PENDING")
    after = build.after(before, Journaled((order,), ()))
    _, documents = journal(before, after, (order,), ())
    assert documents["status/paper"].orders == 1


def test_a_first_start_has_an_empty_external(build: Any) -> None:
    desk = restored(Desk(build.desk().mode), Stored())
    assert set(desk.ledgers) == {EXTERNAL}


def test_a_fill_writes_order_execution_and_the_books_it_moves(build: Any) -> None:
    before = build.ordered()
    after = build.after(before, build.execution("x.01", 15))
    assert set(changed(before, after)) == {
        ORDER,
        "executions/x.01",
        *(f"positions/paper/holdings/{name}" for name in "abc"),
    }


def test_a_foreign_execution_is_externals_whole(build: Any) -> None:
    """[B2]"""
    before = build.desk()
    after = build.after(before, build.execution("y.01", 7, order_ref="", perm_id=0))
    written = changed(before, after)
    assert set(written) == {"executions/y.01", "positions/paper/holdings/EXTERNAL"}
    assert [(s.strategy, s.quantity) for s in written["executions/y.01"].shares] == [(EXTERNAL, 7)]


def test_targets_are_written_when_they_are_new(build: Any) -> None:
    before = build.desk({"a": {1: 5}})
    said = build.said("a", {1: 6}, as_of=build.later(1))
    after = build.after(before, Said(said))
    assert changed(before, after)["positions/paper/targets/a"].targets[0].quantity == 6


def test_a_lock_is_written_and_so_is_its_end(build: Any) -> None:
    before = build.desk()
    locked = build.settled(before, {1: 5})
    assert set(changed(before, locked)["latches/paper"].locks) == {"1"}
    free = build.after(locked, Adopted(build.spy, EXTERNAL, build.entry(5)))
    assert changed(locked, free)["latches/paper"].locks == {}


def test_a_reading_writes_the_snapshot_and_the_brokers_list(build: Any) -> None:
    before = build.desk()
    after = build.settled(before, {1: 5}, at=build.later(1))
    written = changed(before, after)
    assert written["positions/paper"].unexplained == {"1": Decimal(5)}
    assert written["positions/paper/holdings/all_positions"].positions["1"].quantity == 5


def test_an_unlock_is_written_so_that_it_outlives_a_restart(build: Any) -> None:
    """[L] Else the same orders would lock their contract again."""
    before = build.ordered()
    written = changed(before, build.after(before, Unlocked(1)))
    assert written["latches/paper"] == LatchesDocument({}, unlocked={"1": 1})


def test_an_open_run_is_written_as_it_goes_on(build: Any) -> None:
    before = build.desk()
    run = build.open_run(("a",)).document
    after = build.after(before, RunOpened(run))
    assert changed(before, after) == {"runs/run-1": run}


def test_a_journal_creates_orders_and_crosses_and_overwrites_books_and_numbers(build: Any) -> None:
    """[W1]"""
    before, order, cross = build.desk(), build.order({"a": 60}), build.cross_document()
    after = build.after(before, Journaled((order,), (cross,)))
    created, overwritten = journal(before, after, (order,), (cross,))
    assert set(created) == {ORDER, "crosses/paper-1-1-cross"}
    assert set(overwritten) == {
        "positions/paper/holdings/a",
        "positions/paper/holdings/b",
        "positions/paper/generations/1",
    }
    assert overwritten["positions/paper/generations/1"] == GenerationDocument(1, "paper-1-1")


def test_a_cross_alone_raises_the_number_too(build: Any) -> None:
    before, cross = build.desk(), build.cross_document()
    after = build.after(before, Journaled((), (cross,)))
    _, overwritten = journal(before, after, (), (cross,))
    assert overwritten["positions/paper/generations/1"] == GenerationDocument(1, "")


def test_only_ledgers_that_moved_are_written(build: Any) -> None:
    before = build.desk(books={"a": {1: 5}, "b": {1: 3}})
    moved = {**before.ledgers, "b": build.ledger({1: 4})}
    assert set(ledger_documents(before, replace(before, ledgers=moved))) == {
        "positions/paper/holdings/b"
    }


def test_every_document_written_has_a_type_that_the_table_knows(build: Any) -> None:
    before = build.ordered()
    after = build.settled(
        build.after(before, build.execution("x.01", 15)), {1: 15}, at=build.later(1)
    )
    assert {type(document) for document in changed(before, after).values()} <= set(DOCUMENTS)

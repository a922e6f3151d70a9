"""Desk to documents and back: the difference of two desks is what is written, whole."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.core.broker import AccountValues
from gateway.core.desk import Desk
from gateway.core.events import Adopted, Journaled, NetCause, RunOpened, Said, Unlocked
from gateway.core.orders import execution_key
from gateway.core.records import (
    EXECUTIONS_MAX,
    Stored,
    changed,
    closed_orders,
    journal,
    kept,
    ledger_documents,
    restored,
    whole,
)
from schemas import codec
from schemas.documents import (
    DOCUMENTS,
    Closure,
    ExecutionDocument,
    GenerationDocument,
    Latch,
    LatchesDocument,
    LedgerDocument,
    OrderDocument,
    SnapshotDocument,
    StatusDocument,
    TargetsDocument,
)
from schemas.values import EXTERNAL, Contract

NOON = datetime(2026, 1, 5, 17, tzinfo=UTC)
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


def execution(number: int, revision: int = 1, quantity: int = 1) -> ExecutionDocument:
    return ExecutionDocument(
        exec_id=f"0000e0d5.{number:08x}.01.{revision:02}",
        order_ref="paper-1-1",
        contract=Contract("SPY", con_id=1),
        quantity=Decimal(quantity),
        price=Decimal("512.34"),
        at=NOON,
        account="DU1234567",
        perm_id=1,
        order_id=1,
        client_id=1,
    )


def test_an_order_of_more_executions_than_a_document_holds_keeps_them_apart(build: Any) -> None:
    """10,000 shares may come one by one; a document has 1 MiB."""
    desk = build.ordered()
    (order,) = desk.orders.values()
    many = {execution_key(e.exec_id): e for e in map(execution, range(10_000))}
    grown = replace(order, executions=many, filled=Decimal(10_000))
    after = replace(desk, orders={order.order_ref: grown})
    documents = changed(desk, after)
    written = documents[ORDER]
    assert (written.executions, written.executions_apart) == ({}, True)
    assert written.filled == 10_000
    moved, _ = closed_orders(after, replace(after, orders={}))
    assert list(moved.values()) == [written]
    apart = [again(ExecutionDocument, one) for p, one in documents.items() if "executions" in p]
    assert whole(again(OrderDocument, written), reversed(apart)) == grown


def test_executions_apart_are_taken_as_they_were_corrected_last(build: Any) -> None:
    """[A1] Each revision has a document of its own."""
    (order,) = build.ordered().orders.values()
    told = [execution(1, 1, 5), execution(1, 3, 0), execution(1, 2, 4), execution(2)]
    found = whole(order, told).executions.values()
    assert [one.exec_id[-2:] for one in found] == ["03", "01"]


def test_an_order_of_few_executions_holds_them_itself(build: Any) -> None:
    (order,) = build.ordered().orders.values()
    few = {execution_key(e.exec_id): e for e in map(execution, range(EXECUTIONS_MAX))}
    assert kept(replace(order, executions=few)).executions == few


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


def test_locks_numbers_and_what_waits_for_a_net_outlive_the_gateway(build: Any) -> None:
    """[N1c, W1] A number begun anew would give an order the reference of an old one."""
    known = build.desk(
        {"a": build.said("a", {1: 5}, waits_for_net=True, last_message_id="m7")},
        generations={1: 4, 2: 9},
    )
    before = build.settled(known, {1: 5})
    desk = restored(Desk(before.mode), stored_of(before))
    assert set(desk.locks) == {"1"}
    assert (desk.locks, desk.generations) == (before.locks, {1: 4, 2: 9})
    assert (desk.targets, desk.orders) == (before.targets, {})
    assert (desk.coalesce_at, desk.coalesce_id) == (build.now, "m7")


@pytest.mark.parametrize(("generation", "is_due"), [(1, True), (2, False)])
def test_the_net_after_a_confirmed_cancel_is_owed_beyond_a_restart(
    build: Any, generation: int, is_due: bool
) -> None:
    """[N1d] Unless something newer was journaled in the contract: then it was made."""
    over = build.order({"a": 5}, state="DONE", outcome="cancelled", waits_for_net=True)
    stored = Stored(
        orders={"paper-1-1": over}, generations={"1": GenerationDocument(generation, "")}
    )
    due = restored(Desk(build.desk().mode), stored).cause
    assert due == (NetCause("cancel confirmed", "after-paper-1-1") if is_due else None)


def test_nothing_is_due_where_nothing_waited(build: Any) -> None:
    desk = restored(Desk(build.desk().mode), stored_of(build.desk({"a": {1: 5}})))
    assert (desk.coalesce_at, desk.coalesce_id, desk.cause) == (None, "", None)


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


def test_money_that_a_person_changed_is_the_book_cash_s_whole_and_comes_back(build: Any) -> None:
    """[B1] As its document, its share, and as what the next gateway finds."""
    pair = Contract("EUR", sec_type="CASH", con_id=9)
    execution = build.execution("fx.01", 7, order_ref="", contract=pair)
    before = build.desk()
    after = build.after(before, execution)
    written = changed(before, after)
    assert set(written) == {"executions/fx.01", "positions/paper/holdings/CASH"}
    assert [(s.strategy, s.quantity) for s in written["executions/fx.01"].shares] == [("CASH", 7)]
    found = restored(build.desk(), stored_of(after))
    assert found.ledgers["CASH"] == after.ledgers["CASH"]
    assert build.after(found, execution).ledgers == after.ledgers


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


def test_the_snapshot_says_what_was_read_and_when(build: Any) -> None:
    values = AccountValues(
        "DU7",
        "EUR",
        Decimal(5000),
        {"EUR": Decimal(300), "USD": Decimal(20)},
        initial_margin=Decimal(70),
        maintenance_margin=Decimal(60),
        exchange_rates={"USD": Decimal("0.9")},
    )
    at = build.later(1)
    written = changed(build.desk(), build.settled(build.desk(), {1: 5}, values=values, at=at))
    assert written["positions/paper"] == SnapshotDocument(
        as_of=at,
        account="DU7",
        base_currency="EUR",
        net_liquidation=Decimal(5000),
        cash=values.cash,
        initial_margin=Decimal(70),
        maintenance_margin=Decimal(60),
        unexplained={"1": Decimal(5)},
        exchange_rates=values.exchange_rates,
    )
    assert written["positions/paper/holdings/all_positions"].as_of == at


@pytest.mark.parametrize("parts", [{"unexplained": {1: Decimal(2)}}, {"read_at": NOON}])
def test_a_snapshot_is_written_when_the_law_or_the_reading_is_another(
    build: Any, parts: dict[str, Any]
) -> None:
    """[B3] What an execution explains between two readings, people see at once."""
    before = build.desk()
    assert set(changed(before, replace(before, **parts))) == {
        "positions/paper",
        "positions/paper/holdings/all_positions",
    }


@pytest.mark.parametrize("missing", ["values", "read_at"])
def test_no_snapshot_is_written_before_the_first_reading(build: Any, missing: str) -> None:
    before = build.desk()
    unread = replace(before, unexplained={1: Decimal(2)}, **{missing: None})
    assert changed(before, unread) == {}


def test_only_executions_that_are_new_are_written(build: Any) -> None:
    """Ours and others' alike; each was written when it was heard of."""
    foreign = {"order_ref": "", "perm_id": 0}
    first = [build.execution("x.1.01", 5), build.execution("f.1.01", 5, **foreign)]
    second = [build.execution("x.2.01", 5), build.execution("f.2.01", 5, **foreign)]
    before = build.after(build.ordered(), *first)
    written = changed(before, build.after(before, *second))
    assert {path for path in written if path.startswith("executions/")} == {
        "executions/x.2.01",
        "executions/f.2.01",
    }


def test_what_did_not_change_is_not_written_beside_what_did(build: Any) -> None:
    status = StatusDocument("2026-01-05", Decimal(1000), Decimal(1200))
    quiet = build.desk({"a": {1: 5}, "b": {1: 6}}, status=status)
    before = build.after(quiet, RunOpened(build.open_run(("a",)).document))
    after = replace(before, targets={**before.targets, "a": build.said("a", {1: 7})})
    assert set(changed(before, after)) == {"positions/paper/targets/a"}


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


def test_a_journal_leaves_nothing_unwritten_of_what_its_crosses_end(build: Any) -> None:
    """[B2] Else a closure of EXTERNAL that a cross has ended comes back with the next gateway."""
    closure = Closure(NOON, contracts={"1": Decimal(-40)})
    before = replace(build.desk(books={EXTERNAL: {1: -40}}), closed={EXTERNAL: closure})
    cross = replace(build.cross_document(), shares=build.shares({EXTERNAL: 40, "b": -40}))
    after = build.after(before, Journaled((), (cross,)))
    created, overwritten = journal(before, after, (), (cross,))
    assert overwritten["latches/paper"] == LatchesDocument()
    assert changed(before, after).keys() <= {*created, *overwritten}


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


def test_what_a_person_closed_stays_closed_beyond_a_restart(build: Any) -> None:
    """(behaviour 5) Until `resume` names it."""
    before = build.desk(books={"a": {1: 5}})
    closure = Closure(build.now, "ann", "weekend", force=True, contracts={"1": Decimal(5)})
    after = replace(before, closed={"a": closure})
    (document,) = (d for d in changed(before, after).values() if isinstance(d, LatchesDocument))
    desk = restored(Desk(before.mode), Stored(latches=again(LatchesDocument, document)))
    assert desk.closed == {"a": closure}


def test_an_order_that_the_desk_let_go_moves_to_the_closed_ones(build: Any) -> None:
    """Whole, to its own place; one that stays, or is new, does not."""
    refs = ("paper-1-1", "paper-1-2", "paper-1-3")
    first, second, third = (build.order({"a": 5}, order_ref=ref) for ref in refs)
    before, after = build.desk(orders=[first, second]), build.desk(orders=[second, third])
    assert closed_orders(before, after) == ({"orders/paper-1-1": first}, [ORDER])
    assert closed_orders(before, before) == ({}, [])

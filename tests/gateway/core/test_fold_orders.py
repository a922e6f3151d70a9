"""What orders and executions do to the desk; its memory of the rest stands in test_desk.py."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gateway.core.broker import BrokerStatus, Commission
from gateway.core.desk import Desk
from gateway.core.events import CancelAsked, Journaled, NetAsked, NetCause, NotSent, Silent, Ticked
from gateway.core.records import Stored, changed, restored
from gateway.core.wishes import in_flight_shares
from schemas import codec
from schemas.documents import LedgerDocument
from schemas.values import Contract

ALLOCATE = NetCause("allocate", "run-2")
DRY = NetCause("allocate", "run-3", dry_run=True)
MONEY = NetCause("cash_balance", "run-4", pairs={"EUR": Contract("EUR", "CASH", "IDEALPRO")})


def test_journaled_crosses_move_the_books_and_orders_are_in_flight(build: Any) -> None:
    """[N4, W1]"""
    order = build.order({"a": 60}, state="PENDING", generation=4)
    desk = build.after(build.desk(), Journaled((order,), (build.cross_document(),)))
    assert build.books(desk) == {"a": 40, "b": -40}
    assert (desk.open_order(1), dict(desk.generations)) == (order, {1: 4})


def test_a_journal_entry_that_comes_again_takes_no_fill_back(build: Any) -> None:
    """[A1, W1]"""
    journaled = Journaled((build.order({"a": 60}, state="PENDING"),), (build.cross_document(),))
    desk = build.after(build.desk(generations={1: 9}), journaled, build.execution("x.1.01", 25))
    again = build.after(desk, journaled)
    assert again == desk
    assert (again.orders["paper-1-1"].filled, again.generations[1]) == (25, 9)


@pytest.mark.parametrize(
    ("state", "after"),
    [
        ("WORKING", "CANCELLING"),
        ("PENDING", "PENDING"),
        ("UNKNOWN", "UNKNOWN"),
        ("DONE", "DONE"),
    ],
)
def test_only_a_working_order_is_cancelled(build: Any, state: str, after: str) -> None:
    """[N7]"""
    desk = build.after(build.ordered(state=state), CancelAsked("paper-1-1"))
    assert desk.orders["paper-1-1"].state == after


def test_a_confirmed_cancel_makes_a_net_due(build: Any) -> None:
    """[N1d]"""
    desk = build.after(build.ordered(), CancelAsked("paper-1-1"))
    assert build.after(desk, build.report(BrokerStatus.WORKING)).cause is None
    done = build.after(desk, build.report(BrokerStatus.CANCELLED))
    assert done.cause == NetCause("cancel confirmed", "after-paper-1-1")


def test_a_cancel_that_came_too_late_makes_a_net_due_as_well(build: Any) -> None:
    """[N1d] The fill was faster; what should have been instead is still to be done."""
    desk = build.after(build.ordered(), CancelAsked("paper-1-1"), build.execution("x.1.01", 15))
    assert desk.cause is not None


@pytest.mark.parametrize(
    "event",
    [BrokerStatus.CANCELLED, BrokerStatus.REJECTED, BrokerStatus.FILLED, "fill"],
)
def test_what_the_broker_does_by_itself_makes_no_net_due(build: Any, event: Any) -> None:
    """[N1, N8] A rejection waits for the next run."""
    told = build.execution("x.1.01", 15) if event == "fill" else build.report(event)
    assert build.after(build.ordered(), told, Ticked()).cause is None


@pytest.mark.parametrize(("asked_for", "due"), [(ALLOCATE, 1), (DRY, 2), (MONEY, 2)])
def test_a_confirmed_cancel_is_covered_by_a_net_due_unless_that_trades_no_books(
    build: Any, asked_for: NetCause, due: int
) -> None:
    """[N1d]"""
    desk = build.after(build.ordered(), CancelAsked("paper-1-1"), NetAsked(asked_for))
    done = build.after(desk, build.report(BrokerStatus.CANCELLED))
    assert len((done.cause, *done.waiting)) == due


def test_silence_makes_an_order_unknown_and_an_answer_settles_it(build: Any) -> None:
    """(behaviour 4.5)"""
    desk = build.after(build.ordered(state="PENDING"), Silent("paper-1-1", "no answer"))
    assert desk.orders["paper-1-1"].state == "UNKNOWN"
    settled = build.after(desk, build.report(BrokerStatus.WORKING))
    assert settled.orders["paper-1-1"].state == "WORKING"


def test_silence_about_an_order_that_is_over_means_nothing(build: Any) -> None:
    desk = build.ordered(state="DONE")
    assert build.after(desk, Silent("paper-1-1", "no answer")) is desk


@pytest.mark.parametrize(("state", "after"), [("PENDING", "DONE"), ("WORKING", "WORKING")])
def test_only_what_never_left_is_not_sent(build: Any, state: str, after: str) -> None:
    """[W2]"""
    desk = build.after(build.ordered(state=state), NotSent("paper-1-1", "the lease ran out"))
    assert desk.orders["paper-1-1"].state == after
    assert desk.cause is None


def test_a_report_of_an_order_that_we_do_not_have_changes_nothing(build: Any) -> None:
    desk = build.desk()
    assert build.after(desk, build.report(BrokerStatus.CANCELLED)) is desk


# ---------------------------------------------------------------------- executions


def test_a_fill_moves_quantity_from_flight_to_the_books(build: Any) -> None:
    """[A1, A2]"""
    desk = build.after(build.ordered(), build.execution("x.1.01", 11))
    assert build.books(desk) == {"a": 5, "b": 5, "c": 1}
    assert desk.position(1) == 11


def test_a_foreign_execution_moves_external_once(build: Any) -> None:
    """[B2]"""
    foreign = build.execution("f.1.01", -5, order_ref="")
    desk = build.after(build.ordered(), foreign, foreign)
    assert build.books(desk) == {"EXTERNAL": -5}


def test_a_corrected_foreign_execution_is_corrected(build: Any) -> None:
    """[B2, A3]"""
    foreign = [build.execution(f"f.1.0{n}", -n, order_ref="") for n in (3, 2)]
    assert build.books(build.after(build.desk(ledgers={}), *foreign)) == {"EXTERNAL": -3}


def restarted(desk: Desk) -> Desk:
    """The desk of the next gateway: what the documents hold, and nothing else."""
    documents = [*changed(Desk(desk.mode), desk).items()]
    ledgers = {
        path.rpartition("/")[2]: codec.from_document(LedgerDocument, codec.to_document(document))
        for path, document in documents
        if isinstance(document, LedgerDocument)
    }
    return restored(Desk(desk.mode), Stored(ledgers=ledgers))


@pytest.mark.parametrize("quantity", [-3, 0])
def test_a_foreign_execution_corrected_before_a_restart_is_never_booked_as_it_was(
    build: Any, quantity: int
) -> None:
    """[A1, A3, B2] The ledger knows the revision, also of a bust: a late x.01 changes nothing."""
    first, second = (
        build.execution(f"f.1.0{n}", q, order_ref="") for n, q in ((1, -5), (2, quantity))
    )
    desk = restarted(build.after(build.desk(ledgers={}), first, second))
    held = {"EXTERNAL": quantity} if quantity else {}
    assert build.books(build.after(desk, first)) == held
    assert build.after(desk, first).foreign == {}
    assert build.books(build.after(desk, second, first)) == held


def test_a_foreign_execution_is_corrected_over_a_restart(build: Any) -> None:
    """[A1, A3, B2]"""
    first, second = (build.execution(f"f.1.0{n}", q, order_ref="") for n, q in ((1, -5), (2, -3)))
    desk = restarted(build.after(build.desk(ledgers={}), first))
    assert build.books(build.after(desk, second)) == {"EXTERNAL": -3}


def test_a_foreign_execution_told_again_after_a_restart_keeps_its_commission(build: Any) -> None:
    """[B1, B2] The four questions tell it again, without what came later."""
    told = build.execution("f.1.01", -5, order_ref="")
    paid = replace(told, commission=Decimal(2), commission_currency="USD")
    desk = restarted(build.after(build.desk(ledgers={}), told, paid))
    assert build.after(desk, told).ledgers == desk.ledgers


def test_an_execution_of_our_own_that_nobody_knows_is_no_manual_trade(build: Any) -> None:
    """[B2, B3] It stays UNEXPLAINED, which locks, until a person looks."""
    desk = build.desk()
    assert build.after(desk, build.execution("x.1.01", 5)) is desk


def test_a_commission_is_paid_in_proportion(build: Any) -> None:
    """[A2]"""
    commission = Commission("x.1.01", Decimal(3), "USD")
    desk = build.after(build.ordered(), build.execution("x.1.01", 15), commission, commission)
    paid = {name: desk.ledgers[name].positions["1"].commission for name in "abc"}
    assert paid == {"a": Decimal("1.4"), "b": Decimal("1.4"), "c": Decimal("0.2")}


def test_the_commission_of_an_unknown_execution_changes_nothing(build: Any) -> None:
    desk = build.ordered()
    assert build.after(desk, Commission("x.1.01", Decimal(1), "USD")) is desk


def test_an_overfill_is_unexplained_and_locked_at_once(build: Any) -> None:
    """[A2] No net before the next read may take it for nothing."""
    desk = build.after(build.ordered(), build.execution("x.1.01", 17))
    assert sum(build.books(desk).values()) == 15
    assert (desk.unexplained[1], desk.position(1), desk.locks["1"].kind) == (2, 17, "unexplained")
    assert build.net(replace(desk, targets={"a": build.said("a", {1: 0})})).is_empty


def test_an_overfill_that_is_busted_is_explained_again(build: Any) -> None:
    """[A3]"""
    fills = (build.execution("x.1.01", 17), build.execution("x.1.02", 15))
    assert build.after(build.ordered(), *fills).unexplained == {}


EXECUTIONS = st.lists(st.integers(0, 6), min_size=1, max_size=5)


@given(quantities=EXECUTIONS, data=st.data())
def test_any_shuffle_of_the_same_executions_gives_the_same_books(
    build: Any, quantities: list[int], data: st.DataObject
) -> None:
    """[A1, A2, A3] With duplicates and corrections; and with overfills (30 of 15)."""
    reports = [build.execution(f"x.{n}.01", q) for n, q in enumerate(quantities)]
    reports += [
        build.execution(f"x.{n}.02", data.draw(st.integers(0, 6)))
        for n in data.draw(st.sets(st.sampled_from(range(len(quantities)))))
    ]
    heard = data.draw(st.permutations(reports * 2))
    one, other = build.after(build.ordered(), *reports), build.after(build.ordered(), *heard)
    assert build.books(one) == build.books(other)
    assert one.ledgers == other.ledgers
    assert one.position(1) == other.position(1) == one.orders["paper-1-1"].filled


@given(quantities=st.lists(st.integers(1, 5), min_size=1, max_size=15))
def test_books_and_flight_together_are_unchanged_by_fills(
    build: Any, quantities: list[int]
) -> None:
    """[A1] Conservation, strategy by strategy, at every step (architecture 5.1)."""
    desk: Desk = build.ordered()
    total = 0
    for number, quantity in enumerate(quantities):
        part = min(quantity, 15 - total)
        total += part
        desk = build.after(desk, build.execution(f"x.{number}.01", part))
        assert possible(build, desk) == {"a": 7, "b": 7, "c": 1}


def possible(build: Any, desk: Desk) -> dict[str, int]:
    books, flight = build.books(desk), in_flight_shares(desk.open_order(1))
    names = {*books, *flight}
    return {name: books.get(name, 0) + int(flight.get(name, 0)) for name in sorted(names)}

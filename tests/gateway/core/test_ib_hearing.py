"""What a message of the broker means after those before it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gateway.core.broker import (
    BrokerEvent,
    BrokerStatus,
    Commission,
    Connection,
    OrderReport,
    Terms,
)
from gateway.core.ib_hearing import CONTRACTS_KNOWN_MAX, ORDERS_KNOWN_MAX, Hearing, Known
from schemas.documents import ExecutionDocument
from schemas.values import Contract
from tests.order_documents import order_document

AT = datetime(2025, 6, 2, 14, 30, tzinfo=UTC)
SPY = Contract("SPY", con_id=756733)
REF = "paper-756733-1"
ORDER = order_document(AT)
OPEN = OrderReport(REF, BrokerStatus.WORKING, con_id=756733, perm_id=77, order_id=5, client_id=7)
STATUS = OrderReport(
    "", BrokerStatus.WORKING, perm_id=77, order_id=5, client_id=7, filled=Decimal(4)
)
EXECUTION = ExecutionDocument("e.01", REF, SPY, Decimal(10), Decimal(590), AT, "DUSIM1", 77, 5, 7)
PAID = Commission("e.01", Decimal("1.05"), "USD")


class Told(list[BrokerEvent]):
    """What was told, with the hearing that tells it."""

    def __init__(self, known: Known | None = None) -> None:
        super().__init__()
        self.known = known or Known()
        self.hearing = Hearing(7, self.known, self.append)

    @property
    def report(self) -> OrderReport:
        assert isinstance(self[-1], OrderReport)
        return self[-1]


def test_terms_and_rules_of_another_day_are_forgotten() -> None:
    known = Known()
    known.forget_terms_before(AT.date())
    known.terms[SPY] = Terms(SPY, AT, ())
    known.rules[26] = ((Decimal(0), Decimal("0.01")),)
    known.forget_terms_before(AT.date())
    assert (list(known.terms), list(known.rules)) == ([SPY], [26])
    known.forget_terms_before(AT.date() + timedelta(days=1))
    assert (known.terms, known.rules) == ({}, {})


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_status_is_told_with_the_orders_names(told: Told) -> None:
    told.hearing.open_order(OPEN)
    told.hearing.order_status(STATUS)
    assert told == [OPEN, replace(OPEN, filled=Decimal(4))]


def test_a_status_may_come_before_its_open_order(told: Told) -> None:
    told.hearing.expect(ORDER, 5)
    told.hearing.order_status(STATUS)
    assert (told.report.order_ref, told.report.con_id) == (REF, 756733)


def test_a_status_of_a_stranger_has_no_order_ref(told: Told) -> None:
    told.hearing.order_status(replace(STATUS, client_id=0, order_id=0))
    assert told.report.order_ref == ""


def test_orders_made_by_hand_are_told_apart_though_all_have_id_0(told: Told) -> None:
    told.hearing.open_order(replace(OPEN, order_ref="", order_id=0, client_id=0, con_id=1))
    told.hearing.order_status(replace(STATUS, order_id=0, client_id=0, perm_id=78))
    assert told.report.con_id == 0


def test_names_survive_a_reconnect_by_perm_id(told: Told) -> None:
    """Order ids do not: a restarted gateway gives them out again."""
    told.hearing.open_order(OPEN)
    after = Told(told.known)
    after.hearing.order_status(replace(STATUS, order_id=9))
    assert after.report.order_ref == REF


def test_10349_leaves_a_working_order_unsure_with_its_reason(told: Told) -> None:
    """Trap 1: ib_async cancels it, and it fills."""
    told.hearing.open_order(OPEN)
    assert told.hearing.order_error(5, 10349, "Order TIF was set to DAY based on order preset.")
    assert told.report.status is BrokerStatus.UNSURE
    assert told.report.reason.startswith("10349 Order TIF")


def test_a_validation_error_rejects_an_order_that_was_never_acknowledged(told: Told) -> None:
    told.hearing.expect(ORDER, 5)
    told.hearing.order_error(5, 321, "Error validating request")
    assert (told.report.order_ref, told.report.status) == (REF, BrokerStatus.REJECTED)


def test_a_validation_error_of_a_cancel_says_nothing_of_the_order(told: Told) -> None:
    told.hearing.expect(ORDER, 5)
    told.hearing.open_order(OPEN)
    told.hearing.order_error(5, 321, "read-only")
    assert told.report.status is BrokerStatus.UNSURE


def test_202_keeps_the_count_of_what_was_filled_before(told: Told) -> None:
    """Else the order would close before its last executions are here."""
    told.hearing.order_status(STATUS)
    told.hearing.open_order(OPEN)
    told.hearing.order_status(STATUS)
    told.hearing.order_error(5, 202, "Order Canceled - reason:")
    assert (told.report.status, told.report.filled) == (BrokerStatus.CANCELLED, Decimal(4))


def test_an_error_with_nobodys_id_is_no_order_error(told: Told) -> None:
    assert not told.hearing.order_error(5, 201, "rejected")
    assert told == []


def test_a_commission_is_told_by_itself_and_with_its_execution(told: Told) -> None:
    """Trap 10: ib_async loses it when it comes first."""
    told.hearing.commission(PAID)
    told.hearing.execution(EXECUTION)
    booked = replace(EXECUTION, commission=Decimal("1.05"), commission_currency="USD")
    assert told == [PAID, booked]


def test_an_execution_before_its_commission_is_told_without(told: Told) -> None:
    told.hearing.execution(EXECUTION)
    told.hearing.commission(None)
    assert told == [EXECUTION]


def test_a_commission_is_told_again_only_where_it_changed(told: Told) -> None:
    """Every reading of the day's executions repeats their commissions."""
    dearer = replace(PAID, amount=PAID.amount + 1)
    for report in (PAID, PAID, dearer, dearer):
        told.hearing.commission(report)
    assert told == [PAID, dearer]


def test_every_change_of_the_line_asks_for_a_new_reading(told: Told) -> None:
    """Trap 21, [R1]"""
    told.hearing.has_read = True
    told.hearing.line_changed(Connection(up=False, reason="1100"))
    assert not told.hearing.ib_is_up
    told.hearing.line_changed(Connection(up=True, reason="1102"))
    assert (told.hearing.ib_is_up, told.hearing.has_read, told.hearing.changes) == (True, False, 2)


def test_a_message_that_cannot_be_read_asks_for_a_new_reading(told: Told) -> None:
    told.hearing.garbled()
    assert isinstance(told[0], Connection)
    assert told[0].data_lost
    assert not told.hearing.has_read


def test_a_snapshot_keeps_its_own_ticks_and_forgets_them(told: Told) -> None:
    told.hearing.watch(3)
    told.hearing.delayed_data(3)
    assert not told.hearing.tick(3, 1, 590.0)
    assert not told.hearing.tick(4, 1, 1.0)
    assert not told.hearing.tick(3, 2, 590.2)
    assert told.hearing.tick(3, 4, 590.1)
    assert told.hearing.unwatch(3) == ({1: 590.0, 2: 590.2, 4: 590.1}, True)
    assert not told.hearing.tick(3, 1, 591.0)


def test_what_is_known_is_limited() -> None:
    known = Known()
    for number in range(1, ORDERS_KNOWN_MAX + 2):
        known.remember_order(replace(OPEN, perm_id=number))
    assert len(known.orders) == ORDERS_KNOWN_MAX
    assert 1 not in known.orders
    for number in range(CONTRACTS_KNOWN_MAX):
        known.remember_contract(Contract(f"S{number}"), Contract("S", con_id=number + 1))
    assert len(known.contracts) <= CONTRACTS_KNOWN_MAX + 3


def test_an_order_goes_to_the_exchange_its_contract_was_resolved_to() -> None:
    """IB's positions of futures name no exchange, and IB takes no order without one (321)."""
    known = Known()
    held = Contract("ES", "FUT", exchange="", con_id=9, multiplier=Decimal(50))
    assert Hearing(7, known, print).routed(held) == held
    resolved = replace(held, exchange="CME")
    known.remember_contract(held, resolved)
    assert Hearing(7, known, print).routed(held) == resolved
    elsewhere = replace(held, exchange="QBALGO")
    assert Hearing(7, known, print).routed(elsewhere) == elsewhere

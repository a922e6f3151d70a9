"""The day's end: what the verdict finds, and what a person reads."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from infra.local.day import Ending
from infra.local.tables import tables, verdict
from schemas import codec
from schemas.documents import ExecutionDocument, OrderDocument, RunDocument, Share

SPY = {"symbol": "SPY", "con_id": 1}
NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
SHARES = (Share("a", Decimal(6)), Share("b", Decimal(4)))


def position(quantity: str) -> dict[str, Any]:
    money = {"cost": "1000", "realized": "0", "commission": "1.5"}
    return {"contract": SPY, "quantity": quantity, "average_cost": "100", **money}


def order(**parts: Any) -> OrderDocument:
    known: dict[str, Any] = {
        "order_ref": "paper-1-1",
        "contract": SPY,
        "quantity": "10",
        "allocations": [{"strategy": s.strategy, "quantity": str(s.quantity)} for s in SHARES],
        "order_type": "MKT",
        "tif": "DAY",
        "limit_price": None,
        "adaptive_priority": "Normal",
        "outside_rth": False,
        "decision_price": "100",
        "created_at": NOW,
        "valid_until": NOW,
        "epoch": 1,
        "generation": 1,
        "run_id": "run-1",
        "state": "DONE",
        "outcome": "filled",
        "filled": "10",
        "average_price": "100.5",
    }
    return codec.from_document(OrderDocument, {**known, **parts})


def execution(**parts: Any) -> ExecutionDocument:
    known: dict[str, Any] = {
        "exec_id": "x.01",
        "order_ref": "paper-1-1",
        "contract": SPY,
        "quantity": "10",
        "price": "100.5",
        "at": NOW,
        "account": "DU1",
        "perm_id": 1,
        "order_id": 1,
        "client_id": 1,
        "shares": [{"strategy": s.strategy, "quantity": str(s.quantity)} for s in SHARES],
    }
    return codec.from_document(ExecutionDocument, {**known, **parts})


@pytest.fixture
def ending() -> Ending:
    """The broker holds 15 SPY: 6 are a's, 4 b's, 5 EXTERNAL's; one order for both."""
    return Ending(
        positions={"1": position("15")},
        ledgers={
            name: {"positions": {"1": position(quantity)}}
            for name, quantity in (("a", "6"), ("b", "4"), ("EXTERNAL", "5"))
        },
        orders={"paper-1-1": order()},
        executions={"x.01": execution()},
        crosses={},
        runs={},
        snapshot={},
        dead_letters=(),
    )


def test_a_day_that_kept_all_promises_is_good(ending: Ending) -> None:
    """[B3] broker = sum of books + EXTERNAL."""
    found = verdict(ending)
    assert found.is_good
    law = "LAW broker = sum(books) + EXTERNAL: holds for 1 contracts, UNEXPLAINED 0"
    assert found.sentences() == [law]


@pytest.mark.parametrize("at_broker", ["14", "16", "-15", "0"])
def test_a_broken_law_is_not_good_and_says_by_how_much(ending: Ending, at_broker: str) -> None:
    found = verdict(replace(ending, positions={"1": position(at_broker)}))
    assert not found.is_good
    gap = abs(Decimal(at_broker) - 15)
    assert f"DOES NOT HOLD for 1 contracts, UNEXPLAINED {gap}" in found.sentences()[0]


def test_what_only_the_broker_holds_breaks_the_law(ending: Ending) -> None:
    found = verdict(replace(ending, positions={**ending.positions, "2": position("3")}))
    assert (found.contracts, found.unexplained, found.law_holds) == (2, Decimal(3), False)


def test_what_only_the_books_hold_breaks_the_law(ending: Ending) -> None:
    found = verdict(replace(ending, positions={}))
    assert (found.unexplained, found.is_good) == (Decimal(15), False)


def test_gaps_of_two_contracts_do_not_cancel_out(ending: Ending) -> None:
    positions = {"1": position("16"), "2": position("-1")}
    found = verdict(replace(ending, positions=positions))
    assert (found.unexplained, found.law_holds) == (Decimal(2), False)


@pytest.mark.parametrize("state", ["PENDING", "WORKING", "UNKNOWN"])
def test_an_order_that_is_not_done_is_not_good_and_named(ending: Ending, state: str) -> None:
    found = verdict(replace(ending, orders={"paper-1-1": order(state=state, outcome="")}))
    assert not found.is_good
    assert "NOT DONE: paper-1-1" in found.sentences()


def test_a_day_without_an_order_for_two_is_not_good_and_says_so(ending: Ending) -> None:
    alone = order(allocations=[{"strategy": "a", "quantity": "10"}])
    found = verdict(replace(ending, orders={"paper-1-1": alone}))
    assert not found.is_good
    assert "NO ORDER was attributed to two strategies on this day" in found.sentences()


def test_an_order_for_two_that_was_not_filled_is_not_attributed(ending: Ending) -> None:
    nothing = order(filled="0", average_price=None, outcome="cancelled")
    assert not verdict(replace(ending, orders={"paper-1-1": nothing})).is_good


def test_every_table_is_printed_with_its_rows(ending: Ending) -> None:
    text = tables(ending)
    blocks = {block.split("\n")[0].split(":")[0].upper(): block for block in text.split("\n\n")}
    assert list(blocks) == [
        *("BROKER POSITIONS", "BOOKS", "EXTERNAL", "CROSSES", "ORDERS", "EXECUTIONS")
    ]
    assert "EXTERNAL" not in blocks["BOOKS"]
    assert "x.01       paper-1-1  SPY       +10       100.5  a +6, b +4" in blocks["EXECUTIONS"]
    assert "DONE filled  +10     100.50   a +6, b +4" in blocks["ORDERS"]


def test_a_foreign_execution_says_that_it_is_foreign(ending: Ending) -> None:
    assert "(foreign)" in tables(replace(ending, executions={"x.01": execution(order_ref="")}))


def test_a_table_without_rows_says_none(ending: Ending) -> None:
    assert "CROSSES: none" in tables(ending)


def test_crosses_show_price_and_shares(ending: Ending) -> None:
    shares = [{"strategy": "a", "quantity": "3"}, {"strategy": "b", "quantity": "-3"}]
    when = {"at": NOW, "generation": 1}
    cross = {"cross_id": "c-1", "contract": SPY, "price": "100", "shares": shares, **when}
    assert "c-1    SPY       100.00  a +3, b -3" in tables(replace(ending, crosses={"c-1": cross}))


def test_rows_do_not_tell_which_fill_came_first(ending: Ending) -> None:
    """The stacks may hear of two contracts' fills in either order; their tables are compared."""
    turned = {
        name: {"positions": dict(reversed(ledger["positions"].items()))}
        for name, ledger in ending.ledgers.items()
    }
    assert tables(replace(ending, ledgers=turned)) == tables(ending)


def answering(*statuses: str) -> dict[str, RunDocument]:
    """Runs in which a strategy answered so."""
    return {
        f"r{number}": RunDocument(f"r{number}", "run", "message", NOW, "DONE", answered={"a": said})
        for number, said in enumerate(statuses)
    }


def test_a_strategy_played_alone_needs_no_order_for_two_but_answers(ending: Ending) -> None:
    """A strategy that only held is a good day too."""
    alone = order(allocations=[{"strategy": "a", "quantity": "10"}])
    played = replace(ending, orders={"paper-1-1": alone}, runs=answering("targets", "hold", "hold"))
    found = verdict(played, "a")
    assert found.is_good
    assert found.sentences()[1:] == ["a answered hold 2 times, targets 1 times"]


@pytest.mark.parametrize(
    ("statuses", "said"),
    [((), "a answered NEVER"), (("error", "targets"), "a answered error 1 times, targets 1 times")],
)
def test_a_strategy_played_alone_that_failed_or_was_silent_is_not_good(
    ending: Ending, statuses: tuple[str, ...], said: str
) -> None:
    found = verdict(replace(ending, runs=answering(*statuses)), "a")
    assert not found.is_good
    assert said in found.sentences()


def test_the_months_of_a_future_are_told_apart(ending: Ending) -> None:
    month = {"symbol": "MES", "sec_type": "FUT", "local_symbol": "MESH6", "con_id": 7}
    held = {"7": {**position("2"), "contract": month}}
    text = tables(replace(ending, positions=held))
    assert "MESH6" in text

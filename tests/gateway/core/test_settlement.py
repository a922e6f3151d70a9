"""Transfers, splits, unlocks and orphans, as events on a desk [A4, B2, A3, R2, B6]."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import book, settlement
from gateway.core.desk import Desk
from gateway.core.events import OrderSettled, Said, Unlocked
from gateway.core.locks import unknown_order
from gateway.core.settlement import CannotSettle, Orphan
from schemas.commands import CorporateAction, Transfer, Unlock
from schemas.documents import OrderDocument
from schemas.values import EXTERNAL, Contract

HELD = st.integers(-60, 60)


def give(source: str, to: str, quantity: int) -> Transfer:
    return Transfer(source, to, Decimal(quantity), Decimal(100), symbol="SPY")


def split_desk(build: Any, desk: Desk, numerator: int, denominator: int, held: int) -> Desk:
    """The desk after the broker showed `held` and a person confirmed the split."""
    read = build.settled(desk, {1: held} if held else {})
    command = CorporateAction(numerator, denominator, symbol="SPY")
    after: Desk = build.after(read, settlement.split(read, command, "split-k1", build.now))
    return after


def truncated(quantity: int, numerator: int, denominator: int) -> int:
    whole = abs(quantity) * numerator // denominator
    return whole if quantity > 0 else -whole


def unknown_order_desk(build: Any, **parts: Any) -> Desk:
    """An order of yesterday, of which a reading made now knows nothing."""
    order = build.order({"a": 10}, created_at=build.now - timedelta(days=1), **parts)
    settled: Desk = build.settled(build.desk({"a": {1: 10}}, orders=[order]), {})
    return settled


@pytest.mark.parametrize(
    ("source", "to", "quantity", "after"),
    [
        ("a", "b", 4, {"a": 6, "b": 4, EXTERNAL: -5}),
        ("a", EXTERNAL, 10, {EXTERNAL: 5}),
        (EXTERNAL, "a", -5, {"a": 5}),
    ],
)
def test_a_transfer_changes_no_sum(
    build: Any, source: str, to: str, quantity: int, after: dict[str, int]
) -> None:
    """[A4, B3]"""
    desk = build.settled(build.desk(books={"a": {1: 10}, EXTERNAL: {1: -5}}), {1: 5})
    event = settlement.transfer(desk, give(source, to, quantity), "transfer-t1", build.now)
    moved = build.after(desk, event)
    assert build.books(moved) == after
    assert moved.position(1) == 5
    assert build.after(moved, event) == moved


def test_a_receivers_old_target_is_not_traded_against_what_it_received(build: Any) -> None:
    """[A4]"""
    desk = build.desk({"a": {1: 10}, "b": {1: 1}}, {"a": {1: 10}, "b": {1: 1}})
    moved = build.after(desk, settlement.transfer(desk, give("a", "b", 4), "t", build.now))
    changes = {c.strategy: c for c in build.wanted(moved)}
    assert changes["b"].change == 0
    assert changes["b"].effective_target == 5
    assert changes["b"].reason.startswith("held: its book was changed by hand")
    old = build.said("b", {1: 2}, as_of=build.later(-1), last_as_of=build.later(-1))
    assert build.after(moved, Said(old)) == moved
    new = build.said("b", {1: 2}, as_of=build.later(1), last_as_of=build.later(1))
    spoken = build.after(moved, Said(new))
    changes = {c.strategy: c for c in build.wanted(spoken)}
    assert changes["b"].change == -3


def test_a_message_decided_before_the_transfer_does_not_end_the_hold(build: Any) -> None:
    """[A4] Newer than the last one, yet as of before the person's act."""
    old = build.said("b", {1: 1}, as_of=build.later(-60))
    desk = build.desk({"b": old}, {"a": {1: 10}, "b": {1: 1}})
    moved = build.after(desk, settlement.transfer(desk, give("a", "b", 4), "t", build.now))
    late = build.said("b", {1: 2}, as_of=build.later(-30))
    spoken = build.after(moved, Said(late))
    assert spoken.targets["b"].targets == late.targets
    assert set(spoken.targets["b"].held_contracts) == {"1"}


def test_a_transfer_waits_for_orders_and_locks(build: Any) -> None:
    """[A4]"""
    desk = build.desk(books={"a": {1: 10}}, orders=[build.order({"a": 5})])
    with pytest.raises(CannotSettle, match="paper-1-1 in SPY is WORKING; wait for its end"):
        settlement.transfer(desk, give("a", "b", 4), "t", build.now)
    locked = build.settled(build.desk(books={"a": {1: 10}}), {1: 11})
    with pytest.raises(CannotSettle, match=r"SPY is locked \(\+1 SPY"):
        settlement.transfer(locked, give("a", "b", 4), "t", build.now)


@given(
    held=st.fixed_dictionaries({"a": HELD, "b": HELD, "c": HELD, EXTERNAL: HELD}),
    ratio=st.sampled_from([(2, 1), (3, 2), (1, 2), (1, 10), (20, 1), (4, 3)]),
)
def test_a_split_holds_the_law_whatever_is_held(
    build: Any, held: dict[str, int], ratio: tuple[int, int]
) -> None:
    """[B2, B3] Books whole and within a share of the ratio; cost unchanged, nothing realized."""
    total = truncated(sum(held.values()), *ratio)
    desk = build.desk(books={name: {1: quantity} for name, quantity in held.items()})
    if total == sum(held.values()):
        with pytest.raises(CannotSettle):
            split_desk(build, desk, *ratio, total)
        return
    after = split_desk(build, desk, *ratio, total)
    assert sum(build.books(after).values()) == total
    assert after.unexplained == {}
    assert after.locks == {}
    for name in "abc":
        exact = Decimal(held[name]) * ratio[0] / ratio[1]
        quantity = book.quantity(after.ledgers[name], 1)
        assert quantity == int(quantity)
        assert abs(quantity - exact) < 2
        position = after.ledgers[name].positions.get("1")
        if position is not None:
            assert position.cost == held[name] * 90
            assert position.realized == 0


def test_a_split_that_leaves_fractions_is_shared_by_webster(build: Any) -> None:
    """[B2] 5 and 6 at 3:2 are 7.5 and 9; of 16 shares 7 and 9 remain."""
    desk = build.desk(books={"a": {1: 5}, "b": {1: 6}})
    assert build.books(split_desk(build, desk, 3, 2, 16)) == {"a": 7, "b": 9}


def test_a_book_of_one_share_takes_part_in_a_split_too(build: Any) -> None:
    """[B2] 1 and 5 at 3:2 are 1.5 and 7.5; the tie goes to the id that sorts first."""
    for sign in (1, -1):
        desk = build.desk(books={"a": {1: sign}, "b": {1: 5 * sign}})
        after = split_desk(build, desk, 3, 2, 9 * sign)
        assert build.books(after) == {"a": 2 * sign, "b": 7 * sign}


def test_old_targets_count_in_shares_of_before_the_split(build: Any) -> None:
    """[B2] Also those of a strategy that holds nothing yet."""
    desk = build.desk({"a": {1: 10}, "b": {1: 7}}, {"a": {1: 10}})
    after = split_desk(build, desk, 2, 1, 20)
    assert all(c.change == 0 for c in build.wanted(after))


@pytest.mark.parametrize(("held", "said"), [(10, "holds 10"), (19, "holds 19"), (30, "holds 30")])
def test_a_ratio_that_does_not_fit_is_refused_with_the_numbers(
    build: Any, held: int, said: str
) -> None:
    """[B2]"""
    desk = build.desk(books={"a": {1: 10}})
    with pytest.raises(CannotSettle, match=f"2:1 split makes 20, but the broker {said}"):
        split_desk(build, desk, 2, 1, held)


def test_a_settled_order_is_over_and_what_it_filled_unseen_is_unexplained(build: Any) -> None:
    """[R2, B3]"""
    desk = unknown_order_desk(build)
    desk = build.settled(desk, {1: 3})
    (event,) = settlement.unlock(
        desk, Unlock("SPY", outcome="cancelled", by="ann", reason="looked")
    )
    assert event == OrderSettled("paper-1-1", "cancelled", "settled as cancelled by ann: looked")
    after = build.after(desk, event)
    assert (after.orders["paper-1-1"].state, after.open_order(1)) == ("DONE", None)
    assert (after.unexplained, after.locks["1"].kind) == ({1: 3}, "unexplained")
    assert build.after(after, event) == after


@pytest.mark.parametrize(
    ("parts", "command", "words"),
    [
        ({}, Unlock("SPY"), "outcome: paper-1-1 is UNKNOWN; look at the broker"),
        ({}, Unlock("SPY", outcome="not_sent"), "was at the broker (permId 70, filled 0)"),
        ({"state": "DONE"}, Unlock("SPY"), "SPY is not locked: there is nothing to unlock"),
        ({"state": "DONE"}, Unlock("SPY", outcome="cancelled"), "no order of the contract is"),
        ({"state": "DONE"}, Unlock(order_ref="paper-1-1"), "paper-1-1 is DONE, not UNKNOWN"),
        (
            {"state": "DONE", "outcome": "cancelled"},
            Unlock(order_ref="paper-1-1"),
            "is DONE, cancell",
        ),
        ({}, Unlock(order_ref="paper-1-9"), "no order paper-1-9 is known"),
        ({}, Unlock("QQQ"), "QQQ; neither a ledger nor the broker holds it"),
    ],
)
def test_an_unlock_that_settles_nothing_is_refused(
    build: Any, parts: dict[str, Any], command: Unlock, words: str
) -> None:
    """[R2]"""
    with pytest.raises(CannotSettle) as caught:
        settlement.unlock(unknown_order_desk(build, **parts), command)
    assert words in str(caught.value)


def test_an_order_is_settled_by_its_own_name_too(build: Any) -> None:
    """[R2]"""
    command = Unlock(order_ref="paper-1-1", outcome="cancelled")
    (event,) = settlement.unlock(unknown_order_desk(build), command)
    assert isinstance(event, OrderSettled)
    assert event.order_ref == "paper-1-1"


def test_nothing_is_to_unlock_beside_an_order_that_works(build: Any) -> None:
    desk = build.desk(orders=[build.order({"a": 10})])
    with pytest.raises(CannotSettle, match="is not locked; paper-1-1 is WORKING: there is nothing"):
        settlement.unlock(desk, Unlock("SPY"))
    with pytest.raises(CannotSettle, match=r"^outcome: no order of the contract is UNKNOWN; leave"):
        settlement.unlock(desk, Unlock("SPY", outcome="cancelled"))


@pytest.mark.parametrize("trace", [{"broker_filled": Decimal(2)}, {"perm_id": 5}])
def test_any_trace_of_an_order_proves_that_it_was_sent(build: Any, trace: dict[str, Any]) -> None:
    """[R2] A count of fills that no execution explains yet is one."""
    desk = unknown_order_desk(build, **{"perm_id": 0, **trace})
    with pytest.raises(CannotSettle, match="so it is not not_sent; say cancelled"):
        settlement.unlock(desk, Unlock("SPY", outcome="not_sent"))


def two_spys(build: Any) -> Desk:
    """Two contracts of one symbol, so that only a conId says which is meant."""
    ledger = book.post(build.ledger({1: 10}), replace(build.spy, con_id=9), build.entry(10))
    desk: Desk = replace(build.desk(), ledgers={"a": ledger, EXTERNAL: book.EMPTY})
    return desk


def test_every_command_may_name_its_contract_by_con_id(build: Any) -> None:
    desk = two_spys(build)
    moved = settlement.transfer(desk, replace(give("a", "b", 4), con_id=9), "t", build.now)
    assert moved.contract.con_id == 9
    split = replace(desk, unexplained={9: Decimal(10), 1: Decimal(-10)})
    doubled = CorporateAction(2, 1, symbol="SPY", con_id=9)
    assert settlement.split(split, doubled, "s", build.now).contract.con_id == 9
    with pytest.raises(CannotSettle, match="SPY is not locked"):
        settlement.unlock(desk, Unlock("SPY", con_id=9))


@pytest.mark.parametrize(
    ("source", "to", "quantity", "words"),
    [
        ("a", "nobody", 4, "to: 'nobody' is neither EXTERNAL nor a known strategy"),
        ("a", "b", 11, r"quantity: \+11 SPY, but a holds \+10; give a part of it, with its sign"),
        ("a", "b", -4, r"quantity: -4 SPY, but a holds \+10"),
        ("c", "b", 4, r"quantity: \+4 SPY, but c holds \+0"),
        ("unheard_of", "b", 4, r"but unheard_of holds \+0"),
    ],
)
def test_a_transfer_of_what_is_not_there_is_refused(
    build: Any, source: str, to: str, quantity: int, words: str
) -> None:
    """[A4]"""
    desk = build.desk(books={"a": {1: 10}, "c": {}})
    with pytest.raises(CannotSettle, match=words):
        settlement.transfer(desk, give(source, to, quantity), "t", build.now)


def test_a_part_of_a_share_may_move(build: Any) -> None:
    desk = build.desk(books={"a": {1: "0.5"}})
    half = replace(give("a", "b", 1), quantity=Decimal("0.5"))
    moved = build.after(desk, settlement.transfer(desk, half, "t", build.now))
    assert book.quantity(moved.ledgers["b"], 1) == Decimal("0.5")


def test_a_transfer_names_its_source_and_moves_at_the_price_and_multiplier(build: Any) -> None:
    """[A4] 2 futures that stand for 50 each, at 100, from a to b."""
    future = Contract("ES", con_id=7, multiplier=Decimal(50))
    held = book.post(book.EMPTY, future, build.entry(10))
    desk = replace(build.desk(), ledgers={"a": held, EXTERNAL: book.EMPTY})
    command = Transfer("a", "b", Decimal(2), Decimal(100), symbol="ES")
    entries = settlement.transfer(desk, command, "transfer-t1", build.later(5)).entries
    assert {name: (e.source, e.at, e.quantity, e.cost) for name, e in entries.items()} == {
        "a": ("transfer-t1", build.later(5), Decimal(-2), Decimal(-10_000)),
        "b": ("transfer-t1", build.later(5), Decimal(2), Decimal(10_000)),
    }


def test_a_split_waits_for_a_lock_that_it_does_not_explain(build: Any) -> None:
    """[B2] An order of ours that nobody knows may fill before or after the split."""
    stray = {"1": unknown_order("SPY", "paper-1-1", build.now)}
    desk = build.desk(books={"a": {1: 10}}, locks=stray, unexplained={1: Decimal(10)})
    with pytest.raises(CannotSettle, match=r"SPY is locked \(the broker works paper-1-1"):
        settlement.split(desk, CorporateAction(2, 1, symbol="SPY"), "s", build.now)


def test_parts_of_shares_are_split_to_the_part(build: Any) -> None:
    """[B2] Half a share at 3:2 is three quarters of one, where the broker keeps such."""
    desk = build.desk(books={"a": {1: "0.5"}}, unexplained={1: Decimal("0.25")})
    event = settlement.split(desk, CorporateAction(3, 2, symbol="SPY"), "split-s", build.later(5))
    entry = event.entries["a"]
    assert (entry.quantity, entry.cost, entry.is_split) == (Decimal("0.25"), Decimal(0), True)
    assert (entry.source, entry.at) == ("split-s", build.later(5))
    assert set(event.entries) == {"a"}


def test_a_ratio_that_leaves_a_fraction_says_so(build: Any) -> None:
    """[B2]"""
    desk = build.desk(books={"a": {1: 5}})
    with pytest.raises(CannotSettle, match="3:2 split makes 7 and a fraction, but the broker"):
        split_desk(build, desk, 3, 2, 9)


def test_an_order_without_a_trace_may_be_said_to_be_unsent(build: Any) -> None:
    """[R2] After its trading day no reading proves it."""
    desk = unknown_order_desk(build, perm_id=0)
    (event,) = settlement.unlock(desk, Unlock("SPY", outcome="not_sent"))
    assert isinstance(event, OrderSettled)
    assert event.reason == "settled as not_sent by nobody named"


def test_an_order_that_the_broker_still_lists_is_not_for_a_person_to_end(build: Any) -> None:
    """[R2] Listed, though in a state that says nothing."""
    desk = unknown_order_desk(build)
    listed: OrderDocument = replace(desk.orders["paper-1-1"], missing_since=None, reason="Inactive")
    desk = replace(desk, orders={"paper-1-1": listed})
    with pytest.raises(CannotSettle, match=r"the broker lists paper-1-1 \(Inactive\)"):
        settlement.unlock(desk, Unlock("SPY", outcome="cancelled"))


def test_a_lock_that_facts_settle_is_not_lifted_by_a_look(build: Any) -> None:
    """[B3, R2]"""
    unexplained = build.settled(build.desk(books={"a": {1: 10}}), {1: 11})
    stray = build.desk(
        books={"a": {1: 10}}, locks={"1": unknown_order("SPY", "paper-1-1", build.now)}
    )
    for desk, words in ((unexplained, "say adopt"), (stray, "cancel it at the broker")):
        with pytest.raises(CannotSettle, match=words):
            settlement.unlock(desk, Unlock("SPY"))


@pytest.mark.parametrize(
    ("strategies", "targets", "is_locked"),
    [
        ("abc", {"a": {1: 0}}, False),
        ("abc", {"a": {2: 0}}, True),
        ("abc", {}, True),
        ("bc", {"a": {1: 0}}, True),
    ],
)
def test_a_bust_that_turns_a_book_without_fresh_targets_locks(
    build: Any, strategies: str, targets: dict[str, dict[int, int]], is_locked: bool
) -> None:
    """[A3] a held -5, bought 8, and is told that only 2 of them were."""
    desk = build.desk(
        targets,
        {"a": {1: -5}},
        orders=[build.order({"a": 8})],
        strategies={name: build.strategy() for name in strategies},
    )
    filled = build.after(desk, build.execution("x.01", 8))
    assert filled.locks == {}
    corrected = build.after(filled, build.execution("x.02", 2))
    assert build.books(corrected) == {"a": -3}
    assert ("1" in corrected.locks) is is_locked
    if is_locked:
        lock = corrected.locks["1"]
        assert (lock.kind, "turned a's +3 SPY into -3" in lock.reason) == ("corrected", True)
        read = build.settled(corrected, {1: -3})
        assert read.locks["1"].kind == "corrected"
        assert settlement.unlock(read, Unlock("SPY")) == (Unlocked(1),)
        assert build.after(read, Unlocked(1)).locks == {}


def test_a_bust_that_opens_a_closed_book_turns_it_and_one_that_empties_it_does_not(
    build: Any,
) -> None:
    """[A3]"""
    for held, after, is_locked in ((-8, -8, True), (0, 0, False)):
        desk = build.desk({}, {"a": {1: held}}, orders=[build.order({"a": 8})])
        busted = build.after(desk, build.execution("x.01", 8), build.execution("x.02", 0))
        assert build.books(busted) == ({"a": after} if after else {})
        assert ("1" in busted.locks) is is_locked


def test_crosses_stand_when_an_execution_is_corrected(build: Any) -> None:
    """[A3]"""
    from_cross = {"a": {1: 40}, "b": {1: -40}}
    desk = build.desk({"a": {1: 48}}, from_cross, orders=[build.order({"a": 8})])
    busted = build.after(desk, build.execution("x.01", 8), build.execution("x.02", 0))
    assert build.books(busted) == {"a": 40, "b": -40}


def test_orphans_are_the_books_of_strategies_that_are_gone(build: Any) -> None:
    """[B6]"""
    desk = build.desk(books={"a": {1: 10}, "gone": {1: 3, 2: -1}, "empty": {}, EXTERNAL: {1: 7}})
    found = Orphan("gone", {"SPY": Decimal(3), "VIXY": Decimal(-1)})
    assert settlement.orphans(desk) == [found]


def test_nobody_settles_what_the_book_cash_holds(build: Any) -> None:
    """[B1] Neither by its symbol nor by its conId; a stock of the same name is not in doubt."""
    pair, stock = Contract("EUR", sec_type="CASH", con_id=9), Contract("EUR", con_id=8)
    cash = {"CASH": book.post(book.EMPTY, pair, build.entry(1000))}
    desk = build.desk(ledgers={**cash, EXTERNAL: book.EMPTY})
    for symbol, con_id in (("EUR", 0), ("", 9)):
        with pytest.raises(CannotSettle, match="neither"):
            settlement.contract_named(desk, symbol, con_id)
    held = book.post(book.EMPTY, stock, build.entry(1))
    with_stock = replace(desk, ledgers={**desk.ledgers, "a": held})
    assert settlement.contract_named(with_stock, "EUR", 0) == stock
    assert settlement.orphans(desk) == []


def test_a_contract_is_named_without_doubt_or_not_at_all(build: Any) -> None:
    twin = replace(build.spy, con_id=9)
    desk = build.desk(books={"a": {1: 10}})
    posted = book.post(desk.ledgers["a"], twin, build.entry(1))
    both = replace(desk, ledgers={**desk.ledgers, "a": posted})
    assert settlement.contract_named(both, "", 9) == twin
    for symbol, con_id, words in (
        ("SPY", 0, "2 contracts named SPY; name one by con_id"),
        ("VIXY", 9, "symbol: 9 is SPY, not VIXY"),
        ("", 8, "con_id: 8 is neither held nor was it ever ordered"),
    ):
        with pytest.raises(CannotSettle, match=words):
            settlement.contract_named(both, symbol, con_id)


def test_a_month_of_a_future_may_be_named_as_it_is_told(build: Any) -> None:
    """What a lock or a refusal calls it, so that no conId must be looked up."""
    march, june = (
        Contract("MES", sec_type="FUT", con_id=con_id, local_symbol=name)
        for con_id, name in ((8, "MESH6"), (9, "MESM6"))
    )
    ledger = book.post(book.post(book.EMPTY, march, build.entry(1)), june, build.entry(1))
    desk = build.desk(ledgers={"a": ledger, EXTERNAL: book.EMPTY})
    assert settlement.contract_named(desk, "MESM6", 0) == june
    assert settlement.contract_named(desk, "MESM6", 9) == june
    assert settlement.contract_named(desk, "MES", 9) == june
    with pytest.raises(CannotSettle, match="symbol: 9 is MESM6, not MESH6"):
        settlement.contract_named(desk, "MESH6", 9)
    with pytest.raises(CannotSettle, match="2 contracts named MES; name one by con_id"):
        settlement.contract_named(desk, "MES", 0)

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gateway.core.book import EMPTY, Lot, apply, compact, entry, is_turned, post, quantity
from schemas.documents import LedgerDocument, LedgerEntry


def lot(*numbers: int) -> Lot:
    return Lot(*map(Decimal, numbers))


def test_a_ledger_holds_nothing_of_a_contract_it_never_met() -> None:
    assert quantity(EMPTY, 1) == 0


def test_buying_more_adds_quantity_and_cost(build: Any) -> None:
    assert apply(lot(10, 900), build.entry(5, 100)) == lot(15, 1400)


def test_selling_realizes_against_the_average_cost(build: Any) -> None:
    """[B1] 4 of 10 bought at 90, sold at 100: 40 gained, the rest still cost 90 each."""
    assert apply(lot(10, 900), build.entry(-4, 100)) == lot(6, 540, 40)


def test_covering_a_short_realizes_too(build: Any) -> None:
    """Sold 10 at 90, bought 4 back at 100: 40 lost."""
    assert apply(lot(-10, -900), build.entry(4, 100)) == lot(-6, -540, -40)


def test_a_flip_closes_at_the_average_and_opens_at_the_new_price(build: Any) -> None:
    assert apply(lot(10, 900), build.entry(-15, 100)) == lot(-5, -500, 100)


def test_a_close_leaves_no_cost(build: Any) -> None:
    assert apply(lot(3, 100), build.entry(-3, 100)) == lot(0, 0, 200)


def test_an_entry_of_a_known_source_replaces_the_one_before(build: Any) -> None:
    """[A1] A cumulative fill that comes again is no second fill."""
    once = post(EMPTY, build.spy, build.entry(3, source="order"))
    assert quantity(post(once, build.spy, build.entry(5, source="order")), 1) == 5


def test_a_repeated_entry_leaves_the_very_same_ledger(build: Any) -> None:
    once = post(EMPTY, build.spy, build.entry(3))
    assert post(once, build.spy, build.entry(3)) is once


def test_an_entry_corrected_to_nothing_is_gone(build: Any) -> None:
    """[A3] As if it had never been heard of."""
    bought = post(EMPTY, build.spy, build.entry(3, source="order"))
    assert post(bought, build.spy, build.entry(0, source="order")) == EMPTY


def test_a_ledger_depends_on_what_happened_not_on_when_we_heard_of_it(build: Any) -> None:
    """[A1, A3] Buy, sell and buy again, heard in any order: the same realized profit."""
    entries = [
        build.entry(10, 90, source="1", at=build.later(0)),
        build.entry(-4, 100, source="2", at=build.later(1)),
        build.entry(7, 95, source="3", at=build.later(2)),
    ]
    ledgers = []
    for order in permutations(entries):
        ledger = EMPTY
        for one in order:
            ledger = post(ledger, build.spy, one)
        ledgers.append(ledger)
    assert all(ledger == ledgers[0] for ledger in ledgers)


@pytest.mark.parametrize(
    ("paid", "told"), [(("", ""), ""), (("EUR", ""), "EUR"), (("USD", "EUR+USD"), "EUR+USD")]
)
@pytest.mark.parametrize("compacted", [False, True])
def test_a_holding_says_in_which_currencies_its_commission_is(
    build: Any, paid: tuple[str, ...], told: str, compacted: bool
) -> None:
    """[B1, M14] It survives the folding of old entries, as the commission does."""
    ledger = EMPTY
    for number, currency in enumerate(paid):
        parts = {"source": str(number), "at": build.later(number), "commission": Decimal(1)}
        entry = build.entry(1, commission_currency=currency, **parts)
        ledger = post(ledger, build.spy, entry)
    ledger = compact(ledger, build.later(1)) if compacted else ledger
    (held,) = ledger.positions.values()
    assert held.commission_currency == told
    assert held.commission == 2
    later = post(ledger, build.spy, build.entry(1, source="later", at=build.later(9)))
    assert later.positions["1"].commission_currency == told


def test_an_entry_is_found_by_its_contract_and_source(build: Any) -> None:
    """[A1] So that what was told before is known."""
    ledger = post(EMPTY, build.spy, build.entry(1, source="x"))
    ledger = post(ledger, build.spy, build.entry(2, source="y"))
    ledger = post(ledger, build.vixy, build.entry(3, source="z"))
    found = entry(ledger, 1, "y")
    assert found is not None
    assert found.quantity == 2
    assert (entry(ledger, 1, "z"), entry(ledger, 9, "x"), entry(EMPTY, 1, "x")) == (None,) * 3


def test_commissions_add_up_and_stay_out_of_the_cost(build: Any) -> None:
    paid = apply(lot(10, 900), build.entry(-4, 100, commission=Decimal("1.5")))
    assert paid == replace(lot(6, 540, 40), commission=Decimal("1.5"))


@given(quantities=st.lists(st.integers(-50, 50).filter(bool), min_size=1, max_size=8))
def test_compacting_changes_no_sum(build: Any, quantities: list[int]) -> None:
    ledger = EMPTY
    for number, moved in enumerate(quantities):
        entry = build.entry(moved, 90 + number, source=str(number), at=build.later(number))
        ledger = post(ledger, build.spy, entry)
    small = compact(ledger, build.now + timedelta(seconds=len(quantities) // 2))
    whole, folded = ledger.positions["1"], small.positions["1"]
    assert (folded.quantity, folded.cost, folded.realized) == (
        whole.quantity,
        whole.cost,
        whole.realized,
    )
    assert len(folded.entries) == len(quantities) - len(quantities) // 2


def sums(ledger: LedgerDocument) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    held = ledger.positions["1"]
    return held.quantity, held.cost, held.realized, held.commission


@pytest.mark.parametrize("times", [1, 2])
def test_a_compacted_ledger_goes_on_as_the_whole_one_does(build: Any, times: int) -> None:
    """What is folded is remembered as the opening: quantity, cost, profit and commission."""
    entries = [
        build.entry(moved, price, source=str(number), at=build.later(number), commission=Decimal(1))
        for number, (moved, price) in enumerate([(10, 90), (-4, 100), (7, 95), (-2, 99)])
    ]
    whole, small = EMPTY, EMPTY
    for number, one in enumerate(entries):
        whole, small = post(whole, build.spy, one), post(small, build.spy, one)
        for _ in range(times):
            small = compact(small, build.later(number))
    assert sums(small) == sums(whole)
    assert 0 not in sums(whole)
    assert [entry.source for entry in small.positions["1"].entries] == ["3"]


def test_a_holding_names_its_contract_and_keeps_what_was_paid(build: Any) -> None:
    paid = [build.entry(3, source=name, commission=Decimal(2)) for name in "xy"]
    held = post(post(EMPTY, build.spy, paid[0]), build.spy, paid[1]).positions["1"]
    assert held.contract == build.spy
    assert (int(held.quantity), int(held.commission)) == (6, 4)


@pytest.mark.parametrize("part", ["quantity", "cost", "commission"])
def test_an_entry_that_moved_anything_stays(build: Any, part: str) -> None:
    """[A3] Of a bust the broker may keep its commission."""
    entry = replace(build.entry(0, 0, source="order"), **{part: Decimal(1)})
    assert getattr(post(EMPTY, build.spy, entry).positions["1"], part) == 1


@given(
    quantities=st.lists(st.integers(-50, 50), max_size=8),
    price=st.decimals(1, 500, places=2),
)
def test_money_is_conserved(build: Any, quantities: list[int], price: Decimal) -> None:
    """Cost less realized is what was paid, whatever was opened, closed or flipped."""
    now = Lot()
    paid = Decimal(0)
    for number, moved in enumerate(quantities):
        entry: LedgerEntry = build.entry(moved, str(price + number))
        now, paid = apply(now, entry), paid + entry.cost
    assert now.cost - now.realized == pytest.approx(paid, abs=Decimal("1e-12"))


@pytest.mark.parametrize(("held", "change"), [(10, 10), (10, -5), (-8, 6), (3, -3)])
def test_a_split_changes_the_shares_and_not_what_they_cost(
    build: Any, held: int, change: int
) -> None:
    """[B2]"""
    entry = build.entry(change, price=0, source="split-k1", at=build.now, is_split=True)
    position = post(build.ledger({1: held}), build.spy, entry).positions["1"]
    assert position.quantity == held + change
    assert position.cost == held * 90
    assert position.realized == 0


@pytest.mark.parametrize(
    ("before", "after", "turned"),
    [
        (5, -1, True),
        (-5, 1, True),
        (0, 3, True),
        (5, 0, False),
        (5, 1, False),
        (0, 0, False),
        ("0.5", "0.25", False),
    ],
)
def test_a_book_is_turned_when_it_is_on_another_side(
    before: int | str, after: int | str, turned: bool
) -> None:
    """[A3]"""
    assert is_turned(Decimal(before), Decimal(after)) is turned

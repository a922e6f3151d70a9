"""Limits on each strategy's own part, through the whole table that netting asks."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gateway.core.book_limits import book_notional, short_allowed
from gateway.core.desk import Desk
from gateway.core.limits import Candidate, refusal
from schemas.documents import RefusalEntry


def candidate(build: Any, shares: dict[str, int], **parts: Any) -> Candidate:
    """An order, or with shares of both signs a cross, at a fresh price of 100."""
    quantity = Decimal(sum(shares.values()))
    known = {"reducing": False, "price": build.price(), "is_cross": not quantity}
    asked = {"contract": build.spy, "rate": Decimal(1), **known, **parts}
    return Candidate(quantity=quantity, shares=build.shares(shares), **asked)


def desk_of(
    build: Any, limits: dict[str, Any], books: dict[str, Any] | None = None, **settings: Any
) -> Desk:
    """A desk whose strategy a has these limits of its own; b and c have none."""
    strategies = {"a": build.strategy(**limits), "b": build.strategy(), "c": build.strategy()}
    desk: Desk = build.desk({}, books or {}, strategies=strategies)
    limited: Desk = build.settings_of(desk, **settings)
    return limited


def check(entry: RefusalEntry | None, told: tuple[str, str, str, tuple[str, ...]] | None) -> None:
    """Rule, value, bound and whose; the sentence says value, bound and the first of whom."""
    found = (entry.rule, entry.value, entry.bound, entry.strategies) if entry else None
    assert found == told
    if entry is not None:
        assert all(word in entry.sentence for word in (entry.value, entry.strategies[0], "want"))


BOOK = "book_notional_max"


@pytest.mark.parametrize(
    ("own", "shares", "told"),
    [
        (None, {"a": 20}, None),
        (None, {"a": 21}, (BOOK, "5100.00", "5000", ("a",))),
        (4000, {"a": 10}, None),
        (4000, {"a": 11}, (BOOK, "4100.00", "4000", ("a",))),
        (9000, {"a": 21}, (BOOK, "5100.00", "5000", ("a",))),
        (4000, {"b": 50}, None),
        (4000, {"b": 51}, (BOOK, "5100.00", "5000", ("b",))),
        (None, {"b": -50}, None),
        (None, {"b": -51}, (BOOK, "5100.00", "5000", ("b",))),
        (None, {"a": 21, "b": 9}, (BOOK, "5100.00", "5000", ("a",))),
        (None, {"a": 21, "b": 51, "c": 1}, (BOOK, "5100.00", "5000", ("a", "b"))),
        (None, {"a": 20, "b": -20}, None),
        (None, {"a": 21, "b": -21}, (BOOK, "5100.00", "5000", ("a",))),
        (None, {"b": -51, "a": 51}, (BOOK, "5100.00", "5000", ("b", "a"))),
    ],
)
def test_no_book_is_worth_more_than_its_bound(
    build: Any, own: int | None, shares: dict[str, int], told: Any
) -> None:
    """[N4, L position max per book] Orders and crosses; a holds 30, the stricter bound counts."""
    limits = {"position_notional_max": Decimal(own) if own else None}
    desk = desk_of(build, limits, {"a": {1: 30}}, book_notional_max=Decimal(5000))
    entry = refusal(candidate(build, shares), desk, build.now)
    check(entry, (*told[:3], tuple(sorted(told[3]))) if told else None)


def test_a_book_that_is_over_its_bound_may_shrink(build: Any) -> None:
    """[N6]"""
    desk = desk_of(build, {}, {"a": {1: 100}}, book_notional_max=Decimal(1))
    assert refusal(candidate(build, {"a": -10}, reducing=True), desk, build.now) is None


def test_without_a_price_no_book_grows_even_where_the_broker_s_position_shrinks(build: Any) -> None:
    """Nobody could say what the short of a is worth; EXTERNAL's 50 make the order reduce."""
    looked_at = candidate(build, {"a": -10, "b": -10}, reducing=True, price=None)
    desk = desk_of(build, {}, {"EXTERNAL": {1: 50}, "b": {1: 10}})
    entry = refusal(looked_at, desk, build.now)
    assert entry is not None
    assert (entry.rule, entry.value, entry.strategies) == (BOOK, "none", ("a",))


def test_without_a_rate_no_book_grows_even_where_the_broker_s_position_shrinks(build: Any) -> None:
    """[M14] A missing rate is never 1, though the order as a whole reduces and passes."""
    looked_at = candidate(build, {"a": -10, "b": -10}, reducing=True, rate=None)
    desk = desk_of(build, {}, {"EXTERNAL": {1: 50}, "b": {1: 10}})
    entry = refusal(looked_at, desk, build.now)
    assert entry is not None
    assert (entry.rule, entry.bound, entry.strategies) == (BOOK, "a rate of exchange", ("a",))
    assert "hold some USD at the broker" in entry.sentence


@pytest.mark.parametrize(
    ("multiplier", "rate", "quantity", "told"),
    [
        (50, "1", 1, None),
        (50, "1", 2, (BOOK, "10000.00", "9900", ("a",))),
        (1, "1.1", 90, None),
        (1, "1.1", 91, (BOOK, "10010.00", "9900", ("a",))),
        (10, "0.5", 19, None),
        (10, "0.5", 20, (BOOK, "10000.00", "9900", ("a",))),
    ],
)
def test_a_book_is_worth_price_times_multiplier_times_rate(
    build: Any, multiplier: int, rate: str, quantity: int, told: Any
) -> None:
    """[N2, M14] In the base currency, as the bound is."""
    contract = replace(build.spy, currency="EUR", multiplier=Decimal(multiplier))
    looked_at = candidate(build, {"a": quantity}, contract=contract, rate=Decimal(rate))
    desk = desk_of(build, {}, book_notional_max=Decimal(9900))
    check(refusal(looked_at, desk, build.now), told)
    own = desk_of(build, {"position_notional_max": Decimal(9900)})
    check(refusal(looked_at, own, build.now), told)


@pytest.mark.parametrize(("quantity", "passes"), [(1, True), (2, False)])
def test_a_share_is_worth_price_times_multiplier_times_rate(
    build: Any, quantity: int, passes: bool
) -> None:
    """[M14]"""
    contract = replace(build.spy, currency="EUR", multiplier=Decimal(50))
    looked_at = candidate(build, {"a": quantity}, contract=contract, rate=Decimal("1.1"))
    desk = desk_of(build, {"order_notional_max": Decimal(5500)})
    entry = refusal(looked_at, desk, build.now)
    found = (entry.rule, entry.value, entry.bound) if entry else None
    assert found == (None if passes else ("order_notional_max", "11000.00", "5500"))


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        ({"a": 20}, None),
        ({"a": 21}, ("order_notional_max", "2100.00", "2000", ("a",))),
        ({"a": -21}, ("order_notional_max", "2100.00", "2000", ("a",))),
        ({"a": 20, "b": 80}, None),
        ({"a": 21, "b": 79}, ("order_notional_max", "2100.00", "2000", ("a",))),
        ({"a": 21, "b": -21}, ("order_notional_max", "2100.00", "2000", ("a",))),
        ({"b": 100}, None),
        ({"b": 101}, ("order_notional_max", "10100.00", "10000", ("b",))),
        ({"a": 19, "b": 82}, ("order_notional_max", "10100.00", "10000", ("a", "b"))),
    ],
)
def test_a_strategy_s_own_share_is_worth_at_most_its_order_notional_max(
    build: Any, shares: dict[str, int], told: Any
) -> None:
    """Beside the bound on the whole order, which holds for all."""
    limits = {"order_notional_max": Decimal(2000)}
    desk = desk_of(build, limits, order_notional_max=Decimal(10_000))
    entry = refusal(candidate(build, shares), desk, build.now)
    found = (entry.rule, entry.value, entry.bound, entry.strategies) if entry else None
    assert found == told


def test_a_share_that_shrinks_its_book_may_be_of_any_size(build: Any) -> None:
    """[N6]"""
    desk = desk_of(build, {"order_notional_max": Decimal(1)}, {"a": {1: -50}})
    assert refusal(candidate(build, {"a": 50}), desk, build.now) is None


@pytest.mark.parametrize(
    ("own", "everyone", "shares", "told"),
    [
        (None, True, {"a": -11}, None),
        (False, True, {"a": -10}, None),
        (False, True, {"a": -11}, ("short_allowed", "-1", "0", ("a",))),
        (False, True, {"b": -1}, None),
        (False, True, {"a": -11, "b": -1}, ("short_allowed", "-1", "0", ("a",))),
        (False, True, {"a": -11, "b": 11}, ("short_allowed", "-1", "0", ("a",))),
        (True, False, {"a": -11}, ("short_allowed", "-1", "0", ("a",))),
        (True, True, {"a": -11}, None),
    ],
)
def test_a_strategy_may_be_kept_from_going_short(
    build: Any, own: bool | None, everyone: bool, shares: dict[str, int], told: Any
) -> None:
    """[L short allowed] Both must allow it; a holds 10, the broker's position may go short."""
    limits = {"short_allowed": own}
    desk = desk_of(build, limits, {"a": {1: 10}}, short_allowed=everyone)
    check(refusal(candidate(build, shares), desk, build.now), told)


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, int], dict[str, Any], str]] = {
    "a share of a worth 2100.00 in SPY is over its order_notional_max 2000.5; want less, or raise "
    "the bound": (
        {"order_notional_max": Decimal("2000.5")},
        {},
        {"a": 21, "b": 1},
        {},
        "order_notional_max 2100.00 2000.5 a",
    ),
    "a book of a worth 5100.00 in SPY is over its book_notional_max 5000; want less, or raise the "
    "bound": (
        {},
        {"book_notional_max": Decimal(5000)},
        {"a": 51, "b": 52},
        {},
        "book_notional_max 5100.00 5000 a b",
    ),
    "a would be short -2 SPY; short_allowed is off, so want 0 or more": (
        {"short_allowed": False},
        {},
        {"a": -2, "c": -1},
        {},
        "short_allowed -2 0 a",
    ),
    "the broker would be short -2 SPY; short_allowed is off, so want 0 or more": (
        {},
        {"short_allowed": False, "external_policy": {"SPY": "ignore"}},
        {"b": -1, "c": -2},
        {},
        "short_allowed -2 0 b c",
    ),
    "SPY has no price, so no book may grow; check the market data subscription": (
        {},
        {},
        {"a": -2},
        {"reducing": True, "price": None},
        "book_notional_max none a price a",
    ),
    "SPY trades in USD, of which the broker tells no rate, so no book may grow; hold some USD at "
    "the broker": (
        {},
        {},
        {"a": -2},
        {"reducing": True, "rate": None},
        "book_notional_max none a rate of exchange a",
    ),
}
"""Sentence -> a's own limits, everyone's settings, the shares, what else is so, and what is told.

Told are rule, value, bound and whose.
"""


@pytest.mark.parametrize("sentence", REFUSED)
def test_each_refusal_of_a_book_is_one_sentence_to_act_on(build: Any, sentence: str) -> None:
    """(behaviour 9) Which value, which bound, what to do next; b holds 1, c holds 2."""
    limits, settings, shares, parts, told = REFUSED[sentence]
    books = {"b": {1: 1}, "c": {1: 2}, "EXTERNAL": {1: -2}}
    entry = refusal(
        candidate(build, shares, **parts), desk_of(build, limits, books, **settings), build.now
    )
    assert entry is not None
    assert entry.sentence == sentence
    assert " ".join((entry.rule, entry.value, entry.bound, *entry.strategies)) == told


@pytest.mark.parametrize(
    ("value", "bound"),
    [(-1, "a price"), (0, "a price"), ("0.5", "a rate of exchange"), (1, "a rate of exchange")],
)
def test_a_price_of_nothing_is_none_and_a_small_one_is_one(
    build: Any, value: int | str, bound: str
) -> None:
    """[M14] Neither book can be measured, and the refusal says what is missing."""
    looked_at = candidate(build, {"a": -2}, reducing=True, price=build.price(value), rate=None)
    desk = desk_of(build, {}, {"EXTERNAL": {1: 9}})
    entry = book_notional(looked_at, desk, build.now)
    assert entry is not None
    assert entry.bound == bound


def test_a_cross_makes_no_broker_short_that_is_so_already(build: Any) -> None:
    """[N4] It moves nothing there; c, who holds 2, gives them to b."""
    desk = desk_of(build, {}, {"c": {1: 2}, "EXTERNAL": {1: -9}}, short_allowed=False)
    looked_at = candidate(build, {"b": 2, "c": -2})
    assert short_allowed(looked_at, desk, build.now) is None

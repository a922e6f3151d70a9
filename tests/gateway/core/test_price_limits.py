"""Also what `test_limits.py` tests of quote age and delayed data is about these rules."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gateway.core.candidate import Candidate
from gateway.core.price_limits import delayed_data, doubt, price_collar, quote_age
from schemas.documents import RefusalEntry
from schemas.values import Mode


def order(build: Any, price: Any, **parts: Any) -> Candidate:
    """a wants 10 SPY more."""
    known = Candidate(build.spy, Decimal(10), build.shares({"a": 10}), reducing=False, price=price)
    return replace(known, **parts)


def crossing(build: Any, price: Any, **parts: Any) -> Candidate:
    shares = build.shares({"a": 10, "b": -10})
    return order(build, price, quantity=Decimal(0), shares=shares, is_cross=True, **parts)


def collared(build: Any, candidate: Candidate, **settings: Any) -> RefusalEntry | None:
    return price_collar(candidate, build.settings_of(build.desk(), **settings), build.now)


@pytest.mark.parametrize("make", [order, crossing])
@pytest.mark.parametrize(
    ("value", "passes"),
    [("125", True), ("125.01", False), ("75", True), ("74.99", False), ("100", True)],
)
def test_a_price_may_be_so_far_from_the_last_close_and_no_further(
    build: Any, make: Any, value: str, passes: bool
) -> None:
    """(behaviour 4.1) A quarter of the close of 100, up or down; at the bound it passes."""
    price = build.price(value, last_close=Decimal(100))
    entry = collared(build, make(build, price), price_jump_fraction_max=Decimal("0.25"))
    assert (entry is None) is passes
    if entry is not None:
        assert (entry.rule, entry.value, entry.bound) == ("price_collar", "0.2501", "0.25")
        for word in (value, "SPY", "last close 100", "price_jump_fraction_max 0.25", "raise it"):
            assert word in entry.sentence


@pytest.mark.parametrize("make", [order, crossing])
@pytest.mark.parametrize(
    ("spread", "passes"), [("5", True), ("5.01", False), ("0", True), ("-5.01", False)]
)
def test_a_quote_may_be_so_wide_and_no_wider(
    build: Any, make: Any, spread: str, passes: bool
) -> None:
    """(behaviour 4.1) A bid that far over its ask is no better."""
    price = build.price(100, spread=Decimal(spread))
    entry = collared(build, make(build, price), spread_fraction_max=Decimal("0.05"))
    assert (entry is None) is passes
    if entry is not None:
        assert (entry.rule, entry.value, entry.bound) == ("price_collar", "0.0501", "0.05")
        for word in ("SPY", "100", "spread_fraction_max 0.05", "wait for a better quote"):
            assert word in entry.sentence


@pytest.mark.parametrize("parts", [{"last_close": Decimal(1)}, {"spread": Decimal(99)}])
def test_what_reduces_is_not_held_against_the_collar_but_a_cross_is(
    build: Any, parts: dict[str, Decimal]
) -> None:
    """[N4, N6] Also where the cross closes both books: money changes hands at that price."""
    price = build.price(100, **parts)
    assert collared(build, order(build, price, reducing=True)) is None
    assert collared(build, crossing(build, price, reducing=True)) is not None


@pytest.mark.parametrize("close", [None, Decimal(0)])
def test_without_a_last_close_nothing_has_jumped(build: Any, close: Decimal | None) -> None:
    assert collared(build, order(build, build.price(100, last_close=close))) is None


def test_without_a_price_the_collar_leaves_it_to_the_quote_age(build: Any) -> None:
    assert collared(build, order(build, None)) is None


@pytest.mark.parametrize(
    ("parts", "rule"),
    [
        ({"age_seconds": 3601}, "quote_age"),
        ({"delayed": True}, "delayed_data"),
        ({"last_close": Decimal(1)}, "price_collar"),
        ({}, None),
    ],
)
def test_a_price_is_doubted_for_what_would_refuse_an_increasing_order(
    build: Any, parts: dict[str, Any], rule: str | None
) -> None:
    """Also where the order reduces and is not refused: no limit price is made of it."""
    entry = doubt(order(build, build.price(100, **parts), reducing=True), build.desk(), build.now)
    assert (entry.rule if entry else None) == rule


@pytest.mark.parametrize(
    ("parts", "told", "sentence"),
    [
        (
            None,
            ("quote_age", "none", "300 s"),
            "SPY has no reference price; check the market data subscription",
        ),
        (
            {"value": 0},
            ("quote_age", "none", "300 s"),
            "SPY has no reference price; check the market data subscription",
        ),
        (
            {"age_seconds": 301},
            ("quote_age", "301 s", "300 s"),
            "the last trade of SPY is 301 s old, at most 300 s allowed",
        ),
        (
            {"delayed": True},
            ("delayed_data", "delayed", "live"),
            "only delayed prices of SPY; subscribe to live data, or set delayed_data_allowed in "
            "config/paper (paper only)",
        ),
        (
            {"value": 130, "last_close": Decimal(100)},
            ("price_collar", "0.3000", "0.25"),
            "the last trade of SPY, 130, is 0.3000 of the last close 100 away from it, over "
            "price_jump_fraction_max 0.25; look whether it is true (a split?), then raise it for "
            "the day",
        ),
        (
            {"spread": Decimal(6)},
            ("price_collar", "0.0600", "0.05"),
            "bid and ask of SPY are 0.0600 of their middle 100 apart, over spread_fraction_max "
            "0.05; wait for a better quote, or raise it",
        ),
    ],
)
def test_each_refusal_of_a_price_is_one_sentence_to_act_on(
    build: Any, parts: dict[str, Any] | None, told: tuple[str, str, str], sentence: str
) -> None:
    """(behaviour 9)"""
    desk = build.settings_of(
        build.desk(),
        quote_age_seconds_max=300,
        price_jump_fraction_max=Decimal("0.25"),
        spread_fraction_max=Decimal("0.05"),
    )
    price = None if parts is None else build.price(**parts)
    entry = doubt(order(build, price), desk, build.now)
    assert entry is not None
    assert ((entry.rule, entry.value, entry.bound), entry.sentence) == (told, sentence)


@pytest.mark.parametrize(
    ("parts", "passes"),
    [({"age_seconds": 300}, True), ({"age_seconds": 301}, False), ({"value": "0.5"}, True)],
)
def test_a_price_may_be_as_old_as_its_bound_and_as_small_as_it_likes(
    build: Any, parts: dict[str, Any], passes: bool
) -> None:
    """[N4]"""
    desk = build.settings_of(build.desk(), quote_age_seconds_max=300)
    price = build.price(**{"value": 100, **parts})
    assert (quote_age(order(build, price), desk, build.now) is None) is passes


@pytest.mark.parametrize(("mode", "passes"), [(Mode.PAPER, True), (Mode.LIVE, False)])
def test_delayed_prices_that_people_allowed_count_in_paper_alone(
    build: Any, mode: Mode, passes: bool
) -> None:
    """[N4]"""
    desk = build.settings_of(build.desk(mode=mode), delayed_data_allowed=True)
    entry = delayed_data(order(build, build.price(delayed=True)), desk, build.now)
    assert (entry is None) is passes
    assert entry is None or f"config/{mode} (paper only)" in entry.sentence


def test_a_quote_is_measured_before_its_last_close_too(build: Any) -> None:
    """A price that nobody compares may still be the middle of a wide quote."""
    close = {"last_close": None, "spread": Decimal(50)}
    assert collared(build, order(build, build.price(100, **close))) is not None

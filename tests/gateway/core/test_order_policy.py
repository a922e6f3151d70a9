from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.core.candidate import Candidate
from gateway.core.desk import Desk
from gateway.core.order_policy import (
    Instruction,
    conflicts,
    good_after,
    instruction,
    limit_price,
    order_policy,
)
from schemas.settings import OrderPolicy
from schemas.values import Contract, OrderType

MKT, LMT, MOC = OrderType.MKT, OrderType.LMT, OrderType.MOC
LIMITED = OrderPolicy(LMT)
CENTS = ((Decimal(0), Decimal("0.01")),)
DEFAULT = OrderPolicy()


def order(build: Any, quantity: int = 10, **parts: Any) -> Candidate:
    """An order of a at a fresh price of 100; it grows unless said otherwise."""
    shares, price = build.shares({"a": quantity}), build.price()
    known = Candidate(build.spy, Decimal(quantity), shares, reducing=False, price=price)
    return replace(known, **parts)


def desk_of(build: Any, policy: OrderPolicy = DEFAULT, **policies: OrderPolicy) -> Desk:
    """A desk with that policy in its settings, and policies of strategies' own."""
    own = {name: build.strategy(order_policy=policies.get(name)) for name in "abc"}
    desk: Desk = build.settings_of(build.desk(strategies=own), order_policy=policy)
    return desk


def told(build: Any, candidate: Candidate, desk: Desk) -> Instruction:
    return instruction(candidate, desk, build.now)


# ---------------------------------------------------------------------- whose policy


def test_without_a_word_of_people_it_is_an_adaptive_market_order_of_the_day(build: Any) -> None:
    """(behaviour 4.7) As before there were policies."""
    assert told(build, order(build), build.desk()) == Instruction(
        MKT, "DAY", None, "Normal", outside_rth=False, good_after=None
    )


def test_a_strategys_own_policy_holds_for_its_orders_only(build: Any) -> None:
    """[N5] b has none, so Settings' holds."""
    desk = desk_of(build, OrderPolicy(adaptive_priority="Urgent"), a=OrderPolicy(MOC))
    assert told(build, order(build), desk).order_type is MOC
    of_b = order(build, shares=build.shares({"b": 10}))
    assert told(build, of_b, desk).adaptive_priority == "Urgent"


def test_two_who_say_the_same_agree_also_where_one_says_it_by_settings(build: Any) -> None:
    """[N5]"""
    desk = desk_of(build, OrderPolicy(MOC), a=OrderPolicy(MOC))
    both = order(build, 20, shares=build.shares({"a": 10, "b": 10}))
    assert order_policy(both, desk, build.now) is None
    assert told(build, both, desk).order_type is MOC


def test_two_policies_that_conflict_are_a_refusal_that_names_both(build: Any) -> None:
    """[N5] And the contract, and what differs."""
    desk = desk_of(build, a=LIMITED, c=OrderPolicy(tif="IOC"))
    both = order(build, 20, shares=build.shares({"a": 10, "c": 10}))
    entry = order_policy(both, desk, build.now)
    assert entry is not None
    assert (entry.rule, entry.value, entry.bound) == ("order_policy", "LMT", "MKT")
    assert entry.strategies == ("a", "c")
    for words in ("strategies/a and strategies/c", "order_type LMT and MKT", "tif DAY and IOC"):
        assert words in entry.sentence
    assert "in SPY; give both the same order_policy" in entry.sentence


def test_a_conflict_stops_nothing_that_reduces(build: Any) -> None:
    """[N5, N6] It goes by Settings'."""
    desk = desk_of(build, OrderPolicy(adaptive_priority="Urgent"), a=LIMITED, b=OrderPolicy(MOC))
    both = order(build, -20, shares=build.shares({"a": -10, "b": -10}), reducing=True)
    assert order_policy(both, desk, build.now) is None
    found = told(build, both, desk)
    assert (found.order_type, found.adaptive_priority) == (MKT, "Urgent")


def test_a_cross_is_executed_by_nobody(build: Any) -> None:
    """[N4]"""
    desk = desk_of(build, a=LIMITED, b=OrderPolicy(MOC))
    shares = build.shares({"a": 10, "b": -10})
    crossing = order(build, 0, shares=shares, is_cross=True)
    assert order_policy(crossing, desk, build.now) is None


def test_adaptive_is_for_day_market_orders(build: Any) -> None:
    """It takes its time, which immediate-or-cancel does not have."""
    for policy in (OrderPolicy(tif="IOC"), LIMITED, OrderPolicy(MOC)):
        assert told(build, order(build), desk_of(build, policy)).adaptive_priority == ""


# ---------------------------------------------------------------------- the limit


@pytest.mark.parametrize(
    ("quantity", "price", "step", "limit"),
    [
        (10, "100", "0.01", "101"),
        (-10, "100", "0.01", "99"),
        (10, "100.37", "0.01", "101.37"),  # 101.3737, a buyer's down
        (-10, "100.37", "0.01", "99.37"),  # 99.3663, a seller's up
        (10, "100.37", "0.05", "101.35"),
        (-10, "100.37", "0.05", "99.40"),
        (10, "0.5", "0.0001", "0.505"),
    ],
)
def test_the_limit_is_the_collar_beyond_the_reference_rounded_towards_it(
    build: Any, quantity: int, price: str, step: str, limit: str
) -> None:
    """(behaviour 4.7) One in a hundred beyond, on the contract's own increments."""
    desk = desk_of(build, LIMITED)
    terms = build.terms(increments=((Decimal(0), Decimal(step)),))
    candidate = order(build, quantity, price=build.price(price))
    assert limit_price(candidate, replace(desk, terms={1: terms}), build.now) == Decimal(limit)


@pytest.mark.parametrize("kind", [OrderType.LMT, OrderType.LOC, OrderType.MIDPRICE])
def test_every_type_with_a_limit_is_told_it(build: Any, kind: OrderType) -> None:
    desk = desk_of(build, OrderPolicy(kind))
    found = told(build, order(build), desk)
    assert (found.order_type, found.limit_price) == (kind, Decimal(101))
    assert order_policy(order(build), desk, build.now) is None


@pytest.mark.parametrize("kind", [OrderType.MKT, OrderType.MOC])
def test_a_type_without_a_limit_is_told_none(build: Any, kind: OrderType) -> None:
    assert told(build, order(build), desk_of(build, OrderPolicy(kind))).limit_price is None


@pytest.mark.parametrize("price", [None, {"age_seconds": 3601}, {"delayed": True}])
@pytest.mark.parametrize(
    ("kind", "goes_as"),
    [(OrderType.LMT, MKT), (OrderType.MIDPRICE, MKT), (OrderType.LOC, MOC), (MKT, MKT)],
)
def test_what_reduces_without_a_price_to_rely_on_goes_without_a_limit(
    build: Any, kind: OrderType, goes_as: OrderType, price: dict[str, Any] | None
) -> None:
    """[N6] A limit made of an old price may never trade: that would be blocking it."""
    desk = desk_of(build, OrderPolicy(kind))
    found = build.price(100, **price) if price is not None else None
    closing = order(build, -10, price=found, reducing=True)
    assert order_policy(closing, desk, build.now) is None
    known = told(build, closing, desk)
    assert (known.order_type, known.limit_price) == (goes_as, None)


def test_a_market_order_made_of_a_limit_order_is_for_regular_hours(build: Any) -> None:
    """IB takes `outsideRth` with limit orders only."""
    desk = desk_of(build, OrderPolicy(LMT, outside_rth=True))
    assert told(build, order(build), desk).outside_rth is True
    closing = order(build, -10, price=None, reducing=True)
    known = told(build, closing, desk)
    assert (known.order_type, known.outside_rth, known.adaptive_priority) == (MKT, False, "Normal")


@pytest.mark.parametrize("collar", ["0.01", "1"])
@pytest.mark.parametrize("increments", [(), CENTS])
def test_what_grows_without_a_limit_price_is_refused(
    build: Any, increments: Any, collar: str
) -> None:
    """A collar of the whole price leaves a seller nothing above 0."""
    desk = build.settings_of(desk_of(build, LIMITED), limit_collar_fraction=Decimal(collar))
    desk = replace(desk, terms={1: build.terms(increments=increments)})
    entry = order_policy(order(build, -10), desk, build.now)
    assert (entry is None) is (bool(increments) and collar == "0.01")
    if entry is not None:
        assert (entry.rule, entry.value, entry.bound) == ("order_policy", "none", "a limit price")
        for words in ("LMT of SPY", f"limit_collar_fraction {collar}", "another order_type"):
            assert words in entry.sentence


# ---------------------------------------------------------------------- good after


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ("15:45", datetime(2026, 1, 5, 20, 45, tzinfo=UTC)),
        ("10:01", datetime(2026, 1, 5, 15, 1, tzinfo=UTC)),
        ("10:00", None),
        ("09:30", None),
        ("", None),
    ],
)
def test_an_order_is_held_back_until_that_time_of_today_in_new_york(
    build: Any, clock: str, expected: datetime | None
) -> None:
    """(behaviour 4.7) It is 10:00 there; a time gone by holds nothing back."""
    assert good_after(OrderPolicy(good_after_time=clock), build.now) == expected


def test_the_time_is_new_yorks_in_summer_too() -> None:
    now = datetime(2026, 7, 7, 3, tzinfo=UTC)  # 23:00 of the 6th there
    expected = datetime(2026, 7, 7, 3, 30, tzinfo=UTC)
    assert good_after(OrderPolicy(good_after_time="23:30"), now) == expected


@pytest.mark.parametrize(("clock", "waits"), [("15:59", True), ("16:00", False)])
def test_what_reduces_waits_for_a_time_of_this_session_or_goes_at_once(
    build: Any, clock: str, waits: bool
) -> None:
    """[N6] An early close must not keep it in the market; what grows is refused there."""
    desk = desk_of(build, OrderPolicy(good_after_time=clock))
    closing = order(build, -10, reducing=True)
    assert (told(build, closing, desk).good_after is not None) is waits
    assert told(build, order(build), desk).good_after is not None
    unknown = replace(desk, terms={})
    assert told(build, closing, unknown).good_after is None


# ---------------------------------------------------------------------- the configuration


def test_a_configuration_of_two_policies_for_one_contract_is_told_of_both(build: Any) -> None:
    """[N5] A configuration error naming both, before anything is wanted."""
    strategies = {
        "a": build.strategy(universe=(Contract("SPY"), Contract("QQQ"))),
        "b": build.strategy(universe=(Contract("spy"),), order_policy=OrderPolicy(MOC)),
        "c": build.strategy(universe=(Contract("VIXY"),), order_policy=LIMITED),
    }
    (sentence,) = conflicts(strategies, OrderPolicy())
    assert sentence == (
        "strategies/a and strategies/b differ in how orders are executed (order_type MKT and MOC), "
        "in SPY; give both the same order_policy"
    )
    assert conflicts(strategies, OrderPolicy(MOC)) == ()


@pytest.mark.parametrize("parts", [{"enabled": False}, {"weight": Decimal(0)}, {"flatten": True}])
def test_who_opens_nothing_conflicts_with_nobody(build: Any, parts: dict[str, Any]) -> None:
    spy = (Contract("SPY"),)
    strategies = {
        "a": build.strategy(universe=spy),
        "b": build.strategy(universe=spy, order_policy=LIMITED),
    }
    assert conflicts(strategies, OrderPolicy())
    strategies["b"] = replace(strategies["b"], **parts)
    assert conflicts(strategies, OrderPolicy()) == ()


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (Contract("SPY", exchange="ARCA"), True),
        (Contract("SPY", con_id=7), True),
        (Contract("SPY", currency="EUR"), False),
        (Contract("SPY", sec_type="OPT"), False),
        (Contract("ES", con_id=7), False),
    ],
)
def test_a_contract_is_the_same_however_it_is_routed(
    build: Any, other: Contract, is_same: bool
) -> None:
    strategies = {
        "a": build.strategy(universe=(Contract("SPY"),)),
        "b": build.strategy(universe=(other,), order_policy=LIMITED),
    }
    assert bool(conflicts(strategies, OrderPolicy())) is is_same


def test_contracts_that_are_resolved_are_told_apart_by_their_con_id(build: Any) -> None:
    one, other = Contract("SPY", con_id=1), Contract("SPY", con_id=2)
    strategies = {
        "a": build.strategy(universe=(one,)),
        "b": build.strategy(universe=(other,), order_policy=LIMITED),
    }
    assert conflicts(strategies, OrderPolicy()) == ()

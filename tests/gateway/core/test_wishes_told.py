"""What a wish says, field by field, and where the band ends; see also `test_wishes`."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.core.desk import Desk
from gateway.core.wishes import contracts, is_suppressed
from schemas.documents import Closure, WantedChange


def told(build: Any, desk: Desk, strategy: str = "a") -> WantedChange:
    """What the strategy wants of contract 1, of which it holds 40."""
    found: WantedChange = next(c for c in build.wanted(desk) if c.strategy == strategy)
    return found


def desk_of(build: Any, said: Any = None, **parts: Any) -> Desk:
    desk: Desk = build.desk({"a": said} if said is not None else {}, {"a": {1: 40}}, **parts)
    return desk


def test_a_wish_says_whose_it_is_what_there_is_and_which_message_wants_it(build: Any) -> None:
    """[N3]"""
    order = build.order({"a": 20}, filled=Decimal(5))
    said = build.said("a", {1: 100}, message_id="m9")
    assert build.wanted(desk_of(build, said, orders=[order])) == [
        WantedChange(
            strategy="a",
            symbol="SPY",
            con_id=1,
            effective_target=Decimal(100),
            book=Decimal(40),
            in_flight=Decimal(15),
            change=Decimal(45),
            message_id="m9",
            reason="wants 100",
        )
    ]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({2: 5}, "held: its targets do not name the contract"),
        (None, "held: it never said anything"),
        ({"last_status": "hold", "last_reason": "no crossing"}, "held: it said hold: no crossing"),
        (
            {"valid_until": datetime(2026, 1, 5, 14, 59, tzinfo=UTC)},
            "held: its targets were valid until 2026-01-05T14:59:00+00:00",
        ),
    ],
)
def test_a_strategy_that_holds_says_why(
    build: Any, said: dict[Any, Any] | None, reason: str
) -> None:
    """[N2, T1] (behaviour 9)"""
    parts = said if said is not None and 2 not in said else None
    targets = build.said("a", {1: 100}, **parts) if parts else said
    found = told(build, desk_of(build, targets))
    assert (found.reason, int(found.effective_target)) == (reason, 40)
    assert found.message_id == ("" if said is None else "m1")


@pytest.mark.parametrize(
    ("configured", "reason", "target"),
    [
        (None, "held: no such strategy; its book is an orphan [B6]", 40),
        ({"enabled": False}, "held: the strategy is not enabled", 40),
        ({"weight": Decimal(0)}, "wants 0: its weight is 0", 0),
        ({"flatten": True}, "wants 0: it is to be flattened", 0),
    ],
)
def test_what_people_configured_comes_before_what_a_strategy_says(
    build: Any, configured: dict[str, Any] | None, reason: str, target: int
) -> None:
    """[N2, B6]"""
    strategies = {} if configured is None else {"a": build.strategy(**configured)}
    found = told(build, desk_of(build, {1: 100}, strategies=strategies))
    assert (found.reason, int(found.effective_target)) == (reason, target)


def test_a_book_changed_by_hand_is_held_in_that_contract_alone(build: Any) -> None:
    """[A4]"""
    said = build.said("a", {1: 100, 2: 7}, held_contracts={"1": build.now})
    desk = desk_of(build, said)
    assert told(build, desk).reason == (
        "held: its book was changed by hand at 2026-01-05T15:00:00+00:00; say it anew"
    )
    assert [change.change for change in build.wanted(desk, con_id=2)] == [7]


def test_an_order_that_is_over_puts_no_contract_up_for_trade(build: Any) -> None:
    """[B2] Nor does one of yesterday that a strategy holds nothing of any more."""
    over = build.order({"a": 1}, contract=build.contract(3), state="DONE", outcome="filled")
    works = build.order({"a": 1}, contract=build.contract(4), order_ref="paper-4-1")
    assert set(contracts(build.desk(orders=[over, works]), {})) == {4}


@pytest.mark.parametrize(
    ("held", "in_flight", "target"),
    [(40, -40, 0), (40, -41, 0), (-1, -1, -1), (1, 0, 1), (0, 1, 0), ("0.5", 1, "0.5")],
)
def test_what_holds_keeps_what_it_will_have_once_reductions_are_done(
    build: Any, held: int | str, in_flight: int, target: int | str
) -> None:
    """[N2]"""
    orders = [build.order({"a": in_flight})] if in_flight else []
    desk = build.desk({"a": {}}, {"a": {1: held}}, orders=orders)
    assert told(build, desk).effective_target == Decimal(target)


def test_whoever_has_something_in_flight_is_concerned_though_it_holds_nothing(build: Any) -> None:
    """[N3]"""
    desk = build.desk({"a": {1: 5}}, orders=[build.order({"a": 5})])
    assert [(c.strategy, c.change) for c in build.wanted(desk)] == [("a", 0)]
    closing = build.desk({"a": {1: 0}}, orders=[build.order({"a": 5})])
    assert [(c.strategy, c.change) for c in build.wanted(closing)] == [("a", -5)]
    only_held = build.desk({}, {"a": {1: 5}}, orders=[build.order({"a": -5})])
    assert [(c.strategy, c.effective_target) for c in build.wanted(only_held)] == [("a", 0)]


def test_a_part_of_a_share_that_no_order_can_sell_is_still_told(build: Any) -> None:
    """[N9]"""
    (found,) = build.wanted(build.desk({"a": {1: 0}}, {"a": {1: "0.5"}}))
    assert (found.book, found.change, found.effective_target) == (Decimal("0.5"), 0, 0)


@pytest.mark.parametrize(
    ("target", "change", "reason"),
    [
        (50, 0, "wants 50; a change of 10 is within the band [N9]"),
        (51, 11, "wants 51"),
        (32, -8, "wants 32"),
        (34, 0, "wants 34; a change of -6 is within the band [N9]"),
    ],
)
def test_a_change_of_just_the_band_is_left_alone_and_says_so(
    build: Any, target: int, change: int, reason: str
) -> None:
    """[N9] A fifth of the target."""
    settings = build.settings(rebalance_band=Decimal("0.2"))
    found = told(build, desk_of(build, {1: target}, settings=settings))
    assert (int(found.change), found.reason) == (change, reason)
    assert is_suppressed(found) is (change == 0)


def test_what_is_in_flight_is_no_suppressed_change(build: Any) -> None:
    """[N9] 40 are held and 10 on the way: nothing is left to do of 50."""
    settings = build.settings(rebalance_band=Decimal("0.2"))
    orders = [build.order({"a": 10})]
    assert not is_suppressed(told(build, desk_of(build, {1: 50}, settings=settings, orders=orders)))
    assert is_suppressed(told(build, desk_of(build, {1: 52}, settings=settings, orders=orders)))


@pytest.mark.parametrize(
    ("multiplier", "rate", "minimum", "change"),
    [
        (50, "1", 5000, 1),
        (50, "1", 5001, 0),
        (1, "2", 200, 1),
        (1, "2", 201, 0),
        (1, "0.5", 50, 1),
        (1, "0.5", 51, 0),
    ],
)
def test_how_little_a_change_is_worth_is_counted_in_the_base_currency(
    build: Any, multiplier: int, rate: str, minimum: int, change: int
) -> None:
    """[N9, M14] One of price 100."""
    said = build.said("a", {1: 1})
    named = replace(said.targets[0], currency="EUR", multiplier=Decimal(multiplier))
    settings = build.settings(order_notional_min=Decimal(minimum))
    desk = build.desk({"a": replace(said, targets=(named,))}, settings=settings)
    rated = replace(desk, values=replace(desk.values, exchange_rates={"EUR": Decimal(rate)}))
    assert told(build, rated).change == change


@pytest.mark.parametrize("parts", [{"prices": {}}, {"values": None}])
def test_a_change_that_nobody_can_measure_is_not_too_small(
    build: Any, parts: dict[str, Any]
) -> None:
    """[N9, M14] What limits it is the limits' matter."""
    settings = build.settings(order_notional_min=Decimal(10**6))
    desk = build.desk({"a": {1: 1}}, settings=settings, **parts)
    assert told(build, desk).change == 1


def test_what_external_holds_is_told_as_closed_or_held(build: Any) -> None:
    """[B2] (behaviour 5) ann closed contract 1; of contract 2 there is a sale on its way."""
    closure = Closure(build.now, "ann", "margin call", contracts={"1": Decimal(5)})
    sale = build.order({"EXTERNAL": -2}, contract=build.vixy)
    desk = build.desk(books={"EXTERNAL": {1: 5, 2: 7}}, orders=[sale], closed={"EXTERNAL": closure})
    found = [*build.wanted(desk, 1), *build.wanted(desk, 2)]
    assert [(c.strategy, c.message_id, int(c.change), c.reason) for c in found] == [
        ("EXTERNAL", "", -5, "wants 0: closed by ann: margin call"),
        ("EXTERNAL", "", 0, "held: it is nobody's, and was not closed"),
    ]


def test_what_goes_together_waits_whole_for_a_new_word_after_a_change_by_hand(build: Any) -> None:
    """[A4] (decision 12)"""
    parts = {"together_until": build.later(60), "held_contracts": {"2": build.now}}
    found = told(build, desk_of(build, build.said("a", {1: 0, 2: 5}, **parts)))
    assert (found.reason, int(found.change)) == (
        "held: a leg of what goes together was changed by hand; say it anew",
        0,
    )


@pytest.mark.parametrize(
    ("configured", "together"), [({}, [True, False]), ({"flatten": True}, [False, False])]
)
def test_only_what_targets_name_goes_together_and_nothing_that_people_wind_down(
    build: Any, configured: dict[str, Any], together: list[bool]
) -> None:
    """[N2] (decision 12) Of contracts 1 and 2, of which the targets name the first."""
    said = build.said("a", {1: 50}, together_until=build.later(60))
    strategies = {"a": build.strategy(**configured)}
    desk = build.desk({"a": said}, {"a": {1: 40, 2: 3}}, strategies=strategies)
    found = [*build.wanted(desk, 1), *build.wanted(desk, 2)]
    assert [change.together_until is not None for change in found] == together

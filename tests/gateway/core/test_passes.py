from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gateway.core.broker import BrokerStatus, Connection, Reading
from gateway.core.desk import Desk
from gateway.core.events import NetCause, Netted, Priced, Said, Ticked
from gateway.core.netting import net
from gateway.core.passes import FOREVER, Pass, next_pass
from gateway.core.wishes import is_suppressed
from schemas.documents import BrokerPosition, Latch, Lock, StatusDocument
from schemas.settings import ControlDocument
from schemas.values import Mode, TradingState

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
ZERO = Decimal(0)

type Change = Callable[[Any, Desk], Desk]

UNSEEN: Mapping[str, Change] = {
    "mode": lambda build, desk: replace(desk, mode=Mode.LIVE),
    "epoch": lambda build, desk: replace(desk, epoch=2),
    "control": lambda build, desk: replace(desk, control=ControlDocument(TradingState.HALTED)),
    "locks": lambda build, desk: replace(desk, locks={"1": Lock("SPY", "unexplained", "", NOW)}),
    "reduce_only": lambda build, desk: replace(desk, reduce_only=Latch("drawdown", "", NOW)),
    "status": lambda build, desk: replace(desk, status=StatusDocument("", ZERO, ZERO, 999)),
    "generations": lambda build, desk: replace(desk, generations={1: 7}),
    "unlocked": lambda build, desk: replace(desk, unlocked={1: 7}),
    "foreign": lambda build, desk: replace(desk, foreign={"x": build.execution("x", 1)}),
    "strangers": lambda build, desk: replace(
        desk, strangers=(build.report(BrokerStatus.WORKING, filled=Decimal(5)),)
    ),
    "positions": lambda build, desk: replace(
        desk, positions={1: BrokerPosition(build.spy, Decimal(5), Decimal(90))}
    ),
    "read_at": lambda build, desk: replace(desk, read_at=None),
    "unexplained": lambda build, desk: replace(desk, unexplained={1: Decimal(5)}),
    "terms": lambda build, desk: replace(desk, terms={}),
    "connected": lambda build, desk: replace(desk, connected=False),
    "coalesce_at": lambda build, desk: replace(desk, coalesce_at=NOW, coalesce_id="m9"),
    "waiting": lambda build, desk: replace(desk, waiting=(NetCause("allocate", "r9"),)),
    "run": lambda build, desk: replace(
        desk, run=replace(build.open_run(("a",)), said={"a": build.said("a", {1: 33})})
    ),
}
"""What of a desk no net looks at while nobody wants a change."""

SEEN: Mapping[str, Change] = {
    "prices": lambda build, desk: replace(desk, prices={1: build.price(1), 2: build.price(900)}),
    "values": lambda build, desk: replace(desk, values=replace(build.base, base_currency="EUR")),
    "settings": lambda build, desk: build.settings_of(desk, order_notional_min=Decimal(1500)),
    "strategies": lambda build, desk: replace(
        desk, strategies={**desk.strategies, "a": build.strategy(weight=ZERO)}
    ),
    "ledgers": lambda build, desk: replace(
        desk, ledgers={**desk.ledgers, "a": build.ledger({1: 3})}
    ),
    "orders": lambda build, desk: replace(desk, orders={"o": build.order({"b": 2})}),
    "targets": lambda build, desk: replace(
        desk, targets={**desk.targets, "b": build.said("b", {1: 4})}
    ),
    "copies": lambda build, desk: replace(desk, targets=dict(desk.targets)),
}

QUANTITIES = st.fixed_dictionaries({}, optional={1: st.integers(-20, 20), 2: st.integers(0, 9)})
SITUATIONS = st.fixed_dictionaries(
    {
        "books": st.dictionaries(st.sampled_from("abc"), QUANTITIES),
        "moved": st.sampled_from([0, 0, 0, 1, 9]),
        "valid_seconds": st.sampled_from([0, 60, 3600, None]),
        "rebalance_band": st.sampled_from(["0", "0.2"]),
        "order_notional_min": st.sampled_from([0, 150]),
        "flying": st.sampled_from([0, 5, -5]),
    }
)


def situated(build: Any, found: Mapping[str, Any]) -> Desk:
    """Everyone wants what is in the book, `moved` more, and b an order that it has in flight."""
    seconds = found["valid_seconds"]
    ends = None if seconds is None else build.later(seconds)
    wanted = {n: {c: q + found["moved"] for c, q in b.items()} for n, b in found["books"].items()}
    if found["flying"]:
        wanted["b"] = {**wanted.get("b", {}), 1: wanted.get("b", {}).get(1, 0) + found["flying"]}
    desk: Desk = build.desk(
        {name: build.said(name, named, valid_until=ends) for name, named in wanted.items()},
        found["books"],
        orders=[build.order({"b": found["flying"]})] if found["flying"] else [],
    )
    return build.settings_of(  # type: ignore[no-any-return]
        desk,
        rebalance_band=Decimal(found["rebalance_band"]),
        order_notional_min=Decimal(found["order_notional_min"]),
    )


@given(
    found=SITUATIONS,
    changes=st.lists(st.sampled_from([*UNSEEN, *SEEN]), max_size=3, unique=True),
    seconds=st.sampled_from([-10, 0, 1, 60, 61, 4000]),
    dry_run=st.booleans(),
)
def test_a_pass_is_always_the_net_of_the_desk(
    build: Any, found: Mapping[str, Any], changes: list[str], seconds: int, dry_run: bool
) -> None:
    """Whatever changed in between, or nothing: the same wishes, orders and refusals."""
    before = situated(build, found)
    desk = before
    for name in changes:
        desk = {**UNSEEN, **SEEN}[name](build, desk)
    cause, now = NetCause("targets", "r2", dry_run), build.later(seconds)
    second = next_pass(next_pass(None, before, build.cause, build.now), desk, cause, now)
    assert second.plan == net(desk, cause, now)
    assert next_pass(second, desk, cause, now).plan == second.plan


def settled(build: Any, **parts: Any) -> Desk:
    """a holds the 10 that it wants."""
    desk: Desk = build.desk({"a": build.said("a", {1: 10}, **parts)}, {"a": {1: 10}})
    return desk


def passed(build: Any, desk: Desk) -> Pass:
    return next_pass(None, desk, build.cause, build.now)


@pytest.mark.parametrize("name", UNSEEN)
def test_what_no_net_looks_at_leaves_a_settled_desk_unchanged(build: Any, name: str) -> None:
    desk = settled(build)
    first = passed(build, desk)
    assert next_pass(first, UNSEEN[name](build, desk), build.cause, build.now) is first


@pytest.mark.parametrize("name", [name for name in SEEN if name not in ("prices", "values")])
def test_what_a_net_looks_at_is_looked_at_anew(build: Any, name: str) -> None:
    desk = settled(build)
    first = passed(build, desk)
    assert next_pass(first, SEEN[name](build, desk), build.cause, build.now) is not first


def test_bar_after_bar_nothing_is_netted_until_a_strategy_speaks(build: Any) -> None:
    """New prices, ticks, readings and a net that ends change nothing that a net looks at."""
    desk = settled(build, valid_until=None)
    first = last = passed(build, desk)
    values = replace(build.base, net_liquidation=Decimal(90_000))
    for bar in range(1, 100):
        reading = Reading(build.later(bar), values, (), (), (), ())
        events = (Priced({1: build.price(100 + bar)}), Ticked(), Connection(True, ""), reading)
        desk = build.after(desk, *events, Netted())
        last = next_pass(last, desk, build.cause, build.later(bar))
        assert last is first
    said = Said(build.said("a", {1: 12}, as_of=build.later(99)))
    last = next_pass(last, build.after(desk, said), build.cause, build.later(99))
    assert [order.quantity for order in last.plan.orders] == [2]


def test_a_pass_stands_until_the_first_target_that_is_valid_expires(build: Any) -> None:
    """[N2]"""
    ends = {"a": build.later(60), "b": build.later(30), "c": build.later(-1)}
    said = {name: build.said(name, {1: 1}, valid_until=end) for name, end in ends.items()}
    first = passed(build, build.desk(said, {name: {1: 1} for name in "abc"}))
    assert first.until == build.later(30)
    assert next_pass(first, first.desk, build.cause, build.later(30)) is first
    assert next_pass(first, first.desk, build.cause, build.later(31)) is not first


def test_a_pass_is_of_no_time_before_it(build: Any) -> None:
    """A clock that is set back makes targets valid again."""
    first = passed(build, settled(build))
    assert next_pass(first, first.desk, build.cause, build.later(-1)) is not first


def test_targets_without_an_end_stand_for_ever(build: Any) -> None:
    first = passed(build, settled(build, valid_until=None))
    assert first.until == FOREVER
    assert next_pass(first, first.desk, build.cause, build.later(10**8)) is first


def test_a_change_left_alone_is_looked_at_anew_at_a_new_price(build: Any) -> None:
    """[N9] 1 of 100 at a price of 100 is below 150 of money, and at 200 it is not."""
    desk = build.settings_of(
        build.desk({"a": {1: 101}}, {"a": {1: 100}}), order_notional_min=Decimal(150)
    )
    first = passed(build, desk)
    assert any(is_suppressed(change) for change in first.plan.wanted)
    assert next_pass(first, desk, build.cause, build.later(1)) is first
    dearer = replace(desk, prices={1: build.price(200)})
    assert len(next_pass(first, dearer, build.cause, build.now).plan.orders) == 1


@pytest.mark.parametrize("parts", [{}, {"control": ControlDocument(TradingState.HALTED)}])
def test_while_something_is_wanted_every_pass_is_a_net(build: Any, parts: dict[str, Any]) -> None:
    """An order, or a refusal: what let it through or stopped it may be otherwise by now."""
    desk = build.desk({"a": {1: 12}}, {"a": {1: 10}}, **parts)
    first = passed(build, desk)
    assert first.until is None
    again = next_pass(first, desk, build.cause, build.now)
    assert again is not first
    assert again.plan == first.plan


def test_a_dry_run_neither_leaves_nor_uses_a_pass(build: Any) -> None:
    """Its targets lie over the stored ones and are no part of the desk's."""
    desk = settled(build)
    run = replace(build.open_run(("a",), dry_run=True), said={"a": build.said("a", {1: 33})})
    dry = replace(build.cause, dry_run=True)
    first = passed(build, desk)
    found = next_pass(first, replace(desk, run=run), dry, build.now)
    assert [order.quantity for order in found.plan.orders] == [23]
    assert next_pass(None, desk, dry, build.now).until is None


def test_a_pass_stands_only_as_long_as_an_intention_does(build: Any) -> None:
    """Decision 12: what a person's hand keeps in a leg ends with the intention."""
    until = build.later(60)
    said = build.said("a", {1: 0, 2: 5}, together_until=until, held_contracts={"1": NOW})
    desk = build.desk({"a": said})
    before = next_pass(None, desk, build.cause, NOW)
    assert before.plan.is_empty
    assert next_pass(before, desk, build.cause, build.later(59)) is before
    after = next_pass(before, desk, build.cause, until)
    assert after.plan == net(desk, build.cause, until)
    assert [int(order.quantity) for order in after.plan.orders] == [5]

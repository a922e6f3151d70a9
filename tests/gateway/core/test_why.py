"""The story of an order, from its documents."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from gateway.core import batch_limits
from gateway.core.limits import NAMES
from gateway.core.netting import net
from gateway.core.why import Evidence, crosses_of, story
from schemas.documents import ExecutionDocument, RefusalEntry, RunDocument, WantedChange


def evidence(build: Any) -> Evidence:
    """a wants +100, b -40: they cross 40, and 60 are bought for a."""
    desk = build.desk({"a": {1: 100}, "b": {1: -40}})
    plan = net(desk, build.cause, build.now)
    execution = ExecutionDocument(
        exec_id="e1",
        order_ref=plan.orders[0].order_ref,
        contract=build.spy,
        quantity=Decimal(60),
        price=Decimal("100.5"),
        at=build.later(1),
        account="DU1",
        perm_id=9,
        order_id=5,
        client_id=1,
        exchange="ARCA",
        commission=Decimal("1.25"),
        commission_currency="USD",
        shares=build.shares({"a": 60}),
    )
    order = replace(
        plan.orders[0],
        order_id=5,
        perm_id=9,
        client_id=1,
        state="DONE",
        outcome="filled",
        filled=Decimal(60),
        average_price=Decimal("100.5"),
        commission=Decimal("1.25"),
        executions={"e1": execution},
        margin={"initial_margin_after": "3000"},
    )
    refusal = RefusalEntry("order_notional_max", "an order worth 9 is too much", "SPY", 1, ("c",))
    run = RunDocument(
        "run-1",
        "run",
        "message 77",
        build.now,
        "DONE",
        by="ann",
        asked=("a", "b"),
        wanted=plan.wanted,
        crosses=tuple(cross.cross_id for cross in plan.crosses),
        refusals=(refusal, replace(refusal, con_id=2)),
    )
    return Evidence(order, run, plan.crosses)


def test_the_story_tells_the_whole_chain_in_its_order(build: Any) -> None:
    assert story(evidence(build)) == [
        "paper-1-1 is +60 SPY, MKT DAY.",
        "It was decided 2026-01-05T15:00:00+00:00 by run run-1, at the reference price 100.",
        "That run was the command run of ann, because of message 77; it asked a, b.",
        "a wanted to hold 100 (message m1) and held 0: a change of +100: wants 100.",
        "b wanted to hold -40 (message m1) and held 0: a change of -40: wants -40.",
        "Of the order belong to: a +60.",
        "b -40, a +40 met inside at 100, the last trade of 2026-01-05T15:00:00+00:00 "
        "(paper-1-1-cross).",
        f"These limits looked at it and let it pass: {', '.join((*NAMES, *batch_limits.NAMES))}.",
        "Refused in the same run of c, by order_notional_max: an order worth 9 is too much.",
        "IB's what-if answer before it was sent: initial_margin_after 3000.",
        "IB knows it as order id 5 of client 1, permId 9; it was written under lease epoch 1.",
        "2026-01-05T15:00:01+00:00: +60 at 100.5 on ARCA (e1), commission 1.25 USD; a +60.",
        "It is DONE, filled; 60 of 60 filled at 100.5 on average, commission 1.25.",
    ]


def test_without_its_run_the_order_tells_what_it_carries_itself(build: Any) -> None:
    lonely = Evidence(replace(evidence(build).order, order_id=0, executions={}))
    told = story(lonely)
    assert "The document of that run is not there any more." in told
    assert "a wants +60 (message m1: )." in told
    assert any("IB gave it no number" in sentence for sentence in told)


def test_a_reason_and_what_is_in_flight_are_told(build: Any) -> None:
    found = evidence(build)
    assert found.run is not None
    change = WantedChange(
        "a", "SPY", 1, Decimal(10), Decimal(4), Decimal(1), Decimal(5), "m2", "over"
    )
    told = story(replace(found, run=replace(found.run, wanted=(change,))))
    assert (
        "a wanted to hold 10 (message m2) and held 4, with +1 in flight: a change of +5: over."
        in told
    )


def test_only_crosses_of_the_contract_belong_to_the_story(build: Any) -> None:
    found = evidence(build)
    assert found.run is not None
    run = replace(found.run, crosses=("paper-1-1-cross", "paper-21-1-cross"))
    assert crosses_of(found.order, run) == ["paper-1-1-cross"]
    assert crosses_of(found.order, None) == []


def test_the_story_says_that_an_order_was_held_back_and_is_half_of_a_flip(build: Any) -> None:
    """[N6] (behaviour 4.7)"""
    known = evidence(build)
    told = story(replace(known, order=replace(known.order, is_flip=True, good_after=build.now)))
    assert told[1] == "The broker was to hold it back until 2026-01-05T15:00:00+00:00."
    assert told[2].startswith("It goes to 0 and no further; what is wanted beyond follows")
    assert [sentence for sentence in told if sentence not in told[1:3]] == story(known)

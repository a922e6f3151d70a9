"""Which run a person means, and the walk through its documents."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gateway.core import replay
from gateway.core.replay import Log, replayed
from schemas.documents import (
    ActivityDocument,
    RefusalEntry,
    RunDocument,
    TargetsDocument,
    WantedChange,
)
from schemas.grounds import Grounds
from schemas.messages import Target
from schemas.values import TradingState

AT = datetime(2026, 1, 5, 15, tzinfo=UTC)
RUN = RunDocument("run-1", "run", "message 7", AT, "DONE", "done", finished_at=AT)
KNOWN = ["run-0930", "run-1000", "close-0105", "message-17"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("last", "run-0930"),
        ("run-1000", "run-1000"),
        ("close", "close-0105"),
        ("run-", None),
        ("", None),
        ("rnu-1000", None),
    ],
)
def test_a_run_is_named_by_its_id_its_only_beginning_or_last(asked: str, found: str | None) -> None:
    assert replay.named(asked, KNOWN) == found


def test_nothing_is_the_last_of_no_runs() -> None:
    assert replay.named("last", []) is None


def test_the_nearest_ids_are_those_that_begin_so_then_those_spelled_like_it() -> None:
    assert replay.nearest("run-", KNOWN)[:2] == ["run-0930", "run-1000"]
    assert replay.nearest("mesage-17", KNOWN)[0] == "message-17"
    assert replay.nearest("zzz", KNOWN) == KNOWN


def after(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def test_the_walk_goes_by_time_whatever_order_the_documents_came_in() -> None:
    said = TargetsDocument(
        "alpha",
        (Target("SPY", Decimal(10)),),
        last_as_of=after(2),
        last_message_id="8",
        last_run_id="run-1",
    )
    run = replace(
        RUN,
        asked=("alpha", "beta"),
        answered={"alpha": "targets"},
        deadline=after(60),
        finished_at=after(61),
        wanted=(
            WantedChange("alpha", "SPY", 1, Decimal(10), Decimal(0), Decimal(0), Decimal(10), "8"),
        ),
        refusals=(
            RefusalEntry("order_notional", "too much", "SPY", 1, ("alpha",), "9000", "8000"),
        ),
        grounds=Grounds(
            TradingState.ACTIVE, AT, Decimal(1_000_000), "USD", {"order_notional_max": "8000"}
        ),
    )
    activity = (ActivityDocument(after(30), "alert", "SPY is locked: why"),)
    told = replayed(Log(run, activity=activity, targets={"alpha": said}))
    assert told == [
        "2026-01-05 15:00:00.000 run-1 begins: the command run, by message 7.",
        "2026-01-05 15:00:00.000 It asks alpha, beta; answers count until 15:01:00 UTC.",
        "2026-01-05 15:00:02.000 alpha answers targets (message 8): 10 SPY.",
        "2026-01-05 15:00:30.000 SPY is locked: why",
        "2026-01-05 15:01:00.000 beta has not answered by then; it is held.",
        "2026-01-05 15:01:01.000 It went by: trading active, the account, worth 1,000,000.00 USD, "
        "as read 15:00:00 UTC.",
        "2026-01-05 15:01:01.000 Setting order_notional_max was 8000, which is not the default.",
        "2026-01-05 15:01:01.000 alpha wanted to hold 10 (message 8) and held 0: a change of +10.",
        "2026-01-05 15:01:01.000 The limit order_notional bites SPY of alpha (9000 against 8000): "
        "too much.",
        "2026-01-05 15:01:01.000 run-1 ends: done; 0 orders, 0 crosses, 1 refusals.",
    ]


def test_an_answer_that_a_newer_one_replaced_is_told_without_its_words() -> None:
    """[T1]"""
    said = TargetsDocument("alpha", last_as_of=AT, last_run_id="run-2")
    run = replace(RUN, asked=("alpha",), answered={"alpha": "hold"})
    told = replayed(Log(run, targets={"alpha": said}))
    assert any(one.endswith("alpha answers hold; its words are not kept any more.") for one in told)


def test_the_run_itself_keeps_why_a_strategy_answered_so() -> None:
    """A dry run's answers are stored nowhere else, and a newer answer replaces any other."""
    reasons = {"alpha": "QQQ has no bars"}
    run = replace(RUN, dry_run=True, answered={"alpha": "hold"}, answer_reasons=reasons)
    assert any(one.endswith("alpha answers hold: QQQ has no bars.") for one in replayed(Log(run)))


def test_a_dry_run_tells_what_it_would_order() -> None:
    run = replace(RUN, dry_run=True, planned=("+6 SPY for alpha +6",))
    told = replayed(Log(run))
    assert told[0].endswith("by message 7, as a dry run.")
    assert any(one.endswith("It would order +6 SPY for alpha +6.") for one in told)


def test_a_run_that_is_open_says_so() -> None:
    run = replace(RUN, state="ASKED", outcome="", finished_at=None, deadline=after(60))
    assert replayed(Log(run))[-1] == "2026-01-05 15:01:00.000 run-1 is ASKED and has not ended."

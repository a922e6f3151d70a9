"""Topics, subscriptions and schedules, as generated from the contract and the strategies."""

import json
from dataclasses import replace
from typing import Any

import pytest

from functions.registry import STRATEGIES, StrategySpec, specs
from infra.topology import Topology, market_subscription, topology
from schemas.codec import decode_command
from schemas.messages import Run
from schemas.values import BarSpec, Contract, Mode

SPEC = StrategySpec((Contract("SPY"),), BarSpec("30 mins", "5 D", 35), "0 10 * * 1-5")


@pytest.fixture(scope="module")
def paper() -> Topology:
    return topology(Mode.PAPER, specs())


def subscription(found: Topology, name: str) -> Any:
    return next(sub for sub in found.subscriptions if sub.name == name)


def test_the_topics_are_those_of_the_message_table(paper: Topology) -> None:
    assert paper.topics == (
        "commands-paper",
        "market-paper",
        "targets-paper",
        "reports-paper",
        "dead-letters-paper",
    )


def test_the_modes_share_no_name(paper: Topology) -> None:
    live = topology(Mode.LIVE, specs())

    def names(found: Topology) -> set[str]:
        subscriptions = {sub.name for sub in found.subscriptions}
        return {*found.topics, *subscriptions, *(job.name for job in found.schedules)}

    assert not names(paper) & names(live)
    assert not any("paper" in name for name in names(live))


def test_every_subscription_reads_a_topic_that_exists(paper: Topology) -> None:
    names = [sub.name for sub in paper.subscriptions]
    assert len(names) == len(set(names))
    for sub in paper.subscriptions:
        assert {sub.topic, sub.dead_letter_topic or sub.topic} <= set(paper.topics)


def test_the_gateway_pulls_commands_and_targets(paper: Topology) -> None:
    for topic in ("commands", "targets"):
        found = subscription(paper, f"gateway-{topic}-paper")
        assert (found.topic, found.entry_point, found.ack_deadline_seconds) == (
            f"{topic}-paper",
            None,
            60,
        )
        assert found.dead_letter_topic == "dead-letters-paper"


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_is_pushed_its_own_market_and_no_other(paper: Topology, name: str) -> None:
    found = subscription(paper, market_subscription(name, Mode.PAPER))
    assert (found.topic, found.entry_point) == ("market-paper", name)
    assert found.filter == (("strategy", name),)
    assert found.dead_letter_topic == "dead-letters-paper"


@pytest.mark.parametrize("topic", ["reports", "dead-letters"])
def test_looking_never_turns_a_message_into_a_dead_letter(paper: Topology, topic: str) -> None:
    found = subscription(paper, f"{topic}-reader-paper")
    assert (found.topic, found.dead_letter_topic) == (f"{topic}-paper", None)


def test_equal_schedules_become_one_run() -> None:
    late = replace(SPEC, schedule="0 15 * * 1-5")
    found = topology(Mode.PAPER, {"b": SPEC, "a": SPEC, "c": late}).schedules
    assert [(s.cron, json.loads(s.message)["strategies"]) for s in found] == [
        ("0 10 * * 1-5", ["a", "b"]),
        ("0 15 * * 1-5", ["c"]),
    ]


def test_a_schedule_publishes_a_command_that_the_gateway_understands(paper: Topology) -> None:
    for schedule in paper.schedules:
        command = decode_command(schedule.message.encode())
        assert isinstance(command, Run)
        assert set(command.strategies or ()) <= set(STRATEGIES)
        assert (schedule.topic, schedule.time_zone) == ("commands-paper", "America/New_York")
        assert not command.dry_run


def test_a_schedule_is_named_for_its_time_so_that_its_strategies_may_change() -> None:
    few, more = ({"a": SPEC}, {"a": SPEC, "b": SPEC})
    (one,), (two,) = (topology(Mode.PAPER, found).schedules for found in (few, more))
    assert one.name == two.name == "run-0__10__any__any__1-5-paper"


def test_a_strategy_without_a_schedule_is_never_scheduled(paper: Topology) -> None:
    assert not any("dummy" in schedule.message for schedule in paper.schedules)


def test_a_name_that_cannot_name_a_subscription_is_refused() -> None:
    with pytest.raises(ValueError, match="strategy 'Bad-Name' must be"):
        topology(Mode.PAPER, {"Bad-Name": SPEC})

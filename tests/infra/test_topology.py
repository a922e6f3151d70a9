"""Topics, subscriptions and schedules, as generated from the contract and the strategies."""

import json
from dataclasses import replace
from typing import Any

import pytest

from functions.registry import STRATEGIES, WATCHERS, StrategySpec, specs
from gateway.core import checkup
from infra.topology import Schedule, Topology, market_subscription, topology
from schemas.codec import decode, decode_command
from schemas.commands import Run
from schemas.messages import topic_name
from schemas.settings import StrategyDocument
from schemas.values import BarSpec, Contract, Mode
from schemas.watch import Watch

SPEC = StrategySpec((Contract("SPY"),), BarSpec("30 mins", "5 D", 35), "0 10 * * 1-5")


@pytest.fixture(scope="module")
def paper() -> Topology:
    return topology(Mode.PAPER, specs())


def subscription(found: Topology, name: str) -> Any:
    return next(sub for sub in found.subscriptions if sub.name == name)


def commanding(found: Topology) -> list[Schedule]:
    """The schedules of commands: all but the watchdog's."""
    return [job for job in found.schedules if job.topic == topic_name("commands", Mode.PAPER)]


def running(found: Topology) -> list[Schedule]:
    """Those of them that ask strategies."""
    return [job for job in commanding(found) if json.loads(job.message)["command"] == "run"]


def test_the_topics_are_those_of_the_message_table(paper: Topology) -> None:
    assert paper.topics == (
        "commands-paper",
        "market-paper",
        "targets-paper",
        "reports-paper",
        "watchdog-paper",
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
    found = running(topology(Mode.PAPER, {"b": SPEC, "a": SPEC, "c": late}))
    assert [(s.cron, json.loads(s.message)["strategies"]) for s in found] == [
        ("0 10 * * 1-5", ["a", "b"]),
        ("0 15 * * 1-5", ["c"]),
    ]


def test_a_schedule_publishes_a_command_that_the_gateway_understands(paper: Topology) -> None:
    for schedule in commanding(paper):
        command = decode_command(schedule.message.encode())
        named = command.strategies if isinstance(command, Run) else ()
        assert set(named or ()) <= set(STRATEGIES)
        assert (schedule.topic, schedule.time_zone) == ("commands-paper", "America/New_York")
        assert not getattr(command, "dry_run", False)


def test_a_schedule_is_named_for_its_time_so_that_its_strategies_may_change() -> None:
    few, more = ({"a": SPEC}, {"a": SPEC, "b": SPEC})
    (one,), (two,) = (running(topology(Mode.PAPER, found)) for found in (few, more))
    assert one.name == two.name == "run-0__10__any__any__1-5-paper"


def test_the_day_has_its_commands_before_the_open_and_after_the_close(paper: Topology) -> None:
    found = {
        (job.cron, json.loads(job.message)["command"])
        for job in commanding(paper)
        if job not in running(paper)
    }
    assert found == {
        ("45 8 * * 1-5", "market_data"),
        ("0 9 * * 1-5", "reconcile"),
        ("0 13 * * 1-5", "risk_check"),
        ("55 12,15 * * 1-5", "eod_check"),
        ("30 16 * * 1-5", "reconcile"),
        ("35 16 * * 1-5", "summary"),
    }


def test_the_watchdog_is_told_of_every_scheduled_command(paper: Topology) -> None:
    (watchdog,) = (job for job in paper.schedules if job.topic == "watchdog-paper")
    assert watchdog.cron == "*/5 * * * *"
    said = decode(Watch, watchdog.message.encode())
    assert said.at is None
    told = {(job.name, job.cron, job.command, job.strategies) for job in said.schedules}
    due = {
        (job.name, job.cron, found["command"], tuple(found.get("strategies") or ()))
        for job in commanding(paper)
        for found in [json.loads(job.message)]
    }
    assert told == due
    assert due


@pytest.mark.parametrize(("name", "topic"), [("alerts", "reports"), ("watchdog", "watchdog")])
def test_the_watching_functions_are_pushed_their_topics(
    paper: Topology, name: str, topic: str
) -> None:
    """A webhook that is away for an hour is tried again for as long."""
    found = subscription(paper, f"{name}-paper")
    assert (found.topic, found.entry_point, found.filter) == (f"{topic}-paper", name, ())
    assert (found.delivery_attempts_max, found.retry_delay_seconds_max) == (10, 600)
    assert found.dead_letter_topic == "dead-letters-paper"


@pytest.mark.parametrize("name", WATCHERS)
def test_a_strategy_with_a_watching_function_s_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="has the name of a watching function"):
        topology(Mode.PAPER, {name: SPEC})


def test_the_doctor_looks_for_exactly_these_topics_and_subscriptions(paper: Topology) -> None:
    """The gateway imports nothing of infra, so `gateway.core.checkup` knows the names by itself."""
    strategies = {
        name: StrategyDocument(True, universe=spec.universe) for name, spec in specs().items()
    }
    assert checkup.expected_topics(Mode.PAPER) == tuple(sorted(paper.topics))
    assert checkup.expected_subscriptions(Mode.PAPER, strategies) == {
        one.name: one.topic for one in sorted(paper.subscriptions, key=lambda one: one.name)
    }


def test_a_strategy_without_a_schedule_is_never_scheduled(paper: Topology) -> None:
    assert not any("dummy" in schedule.message for schedule in paper.schedules)


def test_a_name_that_cannot_name_a_subscription_is_refused() -> None:
    with pytest.raises(ValueError, match="strategy 'Bad-Name' must be"):
        topology(Mode.PAPER, {"Bad-Name": SPEC})

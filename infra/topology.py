"""What has to exist on Pub/Sub, as data: topics and subscriptions of one mode, and the schedules.

The only source for the embedded bus, the emulators and Terraform (`infra.topology_json`). It is
generated from the message table in `schemas.messages` and from the strategies' own files.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from functions.registry import WATCHERS, StrategySpec
from schemas.codec import encode
from schemas.commands import EodCheck, MarketData, Reconcile, RiskCheck, Run, Summary
from schemas.messages import DEAD_LETTERS, TOPICS, Market, Report, Targets, topic_name
from schemas.values import Mode, check_strategy_id
from schemas.watch import Scheduled, Watch

TIME_ZONE: Final = "America/New_York"
"""Of every schedule: sessions are New York's, daylight saving included."""

WATCHDOG_CRON: Final = "*/5 * * * *"
"""The watchdog's period: five minutes, so that a dead gateway is known of before most runs."""

DEAD_LETTER_DAYS: Final = 31
"""How long a dead letter waits for somebody to look at it; as long as Pub/Sub keeps anything."""


type Chore = MarketData | Reconcile | RiskCheck | EodCheck | Summary

HOUSEKEEPING: Final[tuple[tuple[str, Chore], ...]] = (
    # Old bars before the day's first run, which then asks IB only for what is new.
    ("45 8 * * 1-5", MarketData()),
    ("0 9 * * 1-5", Reconcile()),
    ("0 13 * * 1-5", RiskCheck()),
    # On short days New York closes at 13:00; the command knows on which, and of holidays.
    ("55 12,15 * * 1-5", EodCheck(minutes_to_close_max=15)),
    ("30 16 * * 1-5", Reconcile()),
    ("35 16 * * 1-5", Summary()),
)
"""The day's commands. The second reconcile is after the close, before IB forgets at midnight."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription. `entry_point` names the function it is pushed to; None means pull.

    `filter` holds attribute equalities that all must match. Attempts and delays are Pub/Sub's
    dead-letter and retry policies; `dead_letter_topic` None means redelivery without end. Pub/Sub
    keeps what nobody has acknowledged for `retention_days`.
    """

    name: str
    topic: str
    filter: tuple[tuple[str, str], ...] = ()
    entry_point: str | None = None
    ack_deadline_seconds: int = 60
    dead_letter_topic: str | None = None
    delivery_attempts_max: int = 5
    retry_delay_seconds_min: float = 1.0
    retry_delay_seconds_max: float = 60.0
    retention_days: int = 7


@dataclass(frozen=True, slots=True)
class Schedule:
    """One Cloud Scheduler job: a cron line and the message that it publishes."""

    name: str
    cron: str
    time_zone: str
    topic: str
    message: str


@dataclass(frozen=True, slots=True)
class Topology:
    """All that one mode needs on the bus."""

    mode: str
    topics: tuple[str, ...]
    subscriptions: tuple[Subscription, ...]
    schedules: tuple[Schedule, ...]


def topology(mode: Mode, strategies: Mapping[str, StrategySpec]) -> Topology:
    """What one mode needs for these strategies (`functions.registry.specs()` gives ours).

    Raises `ValueError` for a name that cannot name a subscription.
    """
    for strategy in strategies:
        check_strategy_id(strategy)
        if strategy in WATCHERS:
            raise ValueError(
                f"strategy {strategy!r} has the name of a watching function: rename it"
            )
    topics = dict.fromkeys((*TOPICS.values(), DEAD_LETTERS))
    return Topology(
        mode=mode,
        topics=tuple(topic_name(topic, mode) for topic in topics),
        subscriptions=(
            *_gateway(mode),
            *(_market(strategy, mode) for strategy in sorted(strategies)),
            *_readers(mode),
            *_watchers(mode),
        ),
        schedules=_watched(mode, (*_schedules(mode, strategies), *_housekeeping(mode))),
    )


def market_subscription(strategy: str, mode: Mode) -> str:
    """The name of the subscription that feeds one strategy's function."""
    return f"market-{strategy}-{mode}"


def _gateway(mode: Mode) -> Iterator[Subscription]:
    """What the commander pulls."""
    for topic in (TOPICS[Run], TOPICS[Targets]):
        yield Subscription(
            name=f"gateway-{topic}-{mode}",
            topic=topic_name(topic, mode),
            dead_letter_topic=topic_name(DEAD_LETTERS, mode),
        )


def _market(strategy: str, mode: Mode) -> Subscription:
    """What is pushed to one strategy's function; the entry point's name is the strategy's."""
    return Subscription(
        name=market_subscription(strategy, mode),
        topic=topic_name(TOPICS[Market], mode),
        filter=(("strategy", strategy),),
        entry_point=strategy,
        dead_letter_topic=topic_name(DEAD_LETTERS, mode),
    )


def _readers(mode: Mode) -> Iterator[Subscription]:
    """For people who look: reports, and what could not be used. Looking must not dead-letter.

    A dead letter without a subscription would be lost at once.
    """
    for topic, days in ((TOPICS[Report], 7), (DEAD_LETTERS, DEAD_LETTER_DAYS)):
        name = f"{topic}-reader-{mode}"
        yield Subscription(name, topic_name(topic, mode), retention_days=days)


def _schedules(mode: Mode, strategies: Mapping[str, StrategySpec]) -> Iterator[Schedule]:
    """One `run` per cron line, for all the strategies that have it; none for an empty line."""
    crons = sorted({spec.schedule for spec in strategies.values() if spec.schedule})
    for cron in crons:
        names = tuple(name for name in sorted(strategies) if strategies[name].schedule == cron)
        yield Schedule(
            name=f"run-{_slug(cron)}-{mode}",
            cron=cron,
            time_zone=TIME_ZONE,
            topic=topic_name(TOPICS[Run], mode),
            message=encode(Run(strategies=names)).decode(),
        )


def _housekeeping(mode: Mode) -> Iterator[Schedule]:
    """One job for each command of the day, whatever strategies there are."""
    for cron, command in HOUSEKEEPING:
        yield Schedule(
            name=f"{command.command}-{_slug(cron)}-{mode}",
            cron=cron,
            time_zone=TIME_ZONE,
            topic=topic_name(TOPICS[Run], mode),
            message=encode(command).decode(),
        )


def _watchers(mode: Mode) -> Iterator[Subscription]:
    """What is pushed to the functions that look after the rest.

    An alert whose webhook is away is tried for about an hour; what then becomes a dead letter was
    logged at the first attempt.
    """
    topics = (TOPICS[Report], TOPICS[Watch])
    for name, topic in zip(WATCHERS, topics, strict=True):
        yield Subscription(
            name=f"{name}-{mode}",
            topic=topic_name(topic, mode),
            entry_point=name,
            dead_letter_topic=topic_name(DEAD_LETTERS, mode),
            delivery_attempts_max=10,
            retry_delay_seconds_min=10.0,
            retry_delay_seconds_max=600.0,
        )


def _watched(mode: Mode, schedules: tuple[Schedule, ...]) -> tuple[Schedule, ...]:
    """The schedules, and one more that has the watchdog look whether they were kept.

    Around the clock: whether silence matters, it knows itself.
    """
    watch = Watch(tuple(map(_scheduled, schedules)))
    topic = topic_name(TOPICS[Watch], mode)
    name = f"watchdog-{mode}"
    watchdog = Schedule(name, WATCHDOG_CRON, TIME_ZONE, topic, encode(watch).decode())
    return (*schedules, watchdog)


def _scheduled(schedule: Schedule) -> Scheduled:
    said = json.loads(schedule.message)
    strategies = tuple(said.get("strategies") or ())
    return Scheduled(schedule.name, schedule.cron, said["command"], strategies)


def _slug(cron: str) -> str:
    """A cron line as part of a job's name: `1,31 10-15 * * 1-5` -> `1_31__10-15__any__any__1-5`.

    Named for the time, not for the strategies, so that adding one changes the job in place.
    """
    plain = cron.replace("*", "any").replace(",", "_").replace("/", "-per-")
    return re.sub(r"\s+", "__", plain)

"""A month's bill: what is used times what it costs, line by line. No I/O.

How much a thing uses is measured (`infra.usage`), how often it happens is scheduled
(`infra.topology`), what it costs is in `infra/prices.toml`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Final

from functions.sessions import due_times
from gateway.core.guarding import GuardTimes
from gateway.lease import LeaseTimes
from infra.bench.witness import Counts
from infra.prices import Price, PriceList
from infra.topology import Topology
from infra.usage import ANSWERS_OF_A_DAYS_RUN, Measured
from schemas.codec import decode
from schemas.commands import Run
from schemas.messages import TOPICS, Market, Report, Targets, topic_name
from schemas.new_york import NEW_YORK
from schemas.values import Mode
from schemas.watch import Scheduled, Watch

MONTH_HOURS: Final = Decimal(730)
MONTH_DAYS: Final = MONTH_HOURS / 24
TRADING_DAYS: Final = MONTH_DAYS * 5 / 7
"""Weekdays; holidays count as such, for the schedules do not know them."""

GIB: Final = Decimal(2**30)
MIB: Final = Decimal(2**20)
SECONDS: Final = Decimal(3600)

MONDAY: Final = datetime(2026, 1, 5, tzinfo=NEW_YORK)
"""Of any week in which the clocks do not change."""

MARGIN: Final = timedelta(minutes=30)
"""Before the day's first schedule and after its last, for market hours: to start, to end."""

WINDOWS: Final = ("30 8,15 * * 1-5", "30 10,17 * * 1-5")
"""Two windows a day, for strategies that run once a day: when they begin, when they end."""

WINDOW_JOBS: Final = 2
SECRETS: Final = 3
"""The IB user, the password, the webhook; old versions are destroyed."""

CONDITION_LOOKS: Final = MONTH_HOURS * 3600 / 30
"""How often Cloud Monitoring evaluates one condition in a month."""

READS_OF_A_LOOK: Final = 2
"""The lease and the trading state, by the commander's renewal and by the guard alike."""


@dataclass(frozen=True, slots=True)
class Container:
    """What one container reserves."""

    name: str
    vcpu: Decimal
    gib: Decimal


POOL: Final = (
    Container("commander", Decimal(1), Decimal("0.5")),
    Container("guard", Decimal(1), Decimal("0.5")),
    Container("ib-gateway", Decimal(1), Decimal(2)),
)
"""The worker pool's; a test holds it against Terraform."""

POD: Final = (
    Container("commander", Decimal("0.25"), Decimal("0.5")),
    Container("guard", Decimal("0.1"), Decimal("0.375")),
    Container("ib-gateway", Decimal("0.5"), Decimal(2)),
)
"""What the GKE variant asks for; a test holds it against its manifest."""

POD_VCPU_STEP: Final = Decimal("0.25")
"""Autopilot rounds a pod up to it."""

POD_DISK_GIB: Final = Decimal(1)
FUNCTION: Final = Container("a function", Decimal(1), Decimal(1))
"""The largest of them; a test holds it against Terraform."""

ALERT_CONDITIONS: Final = 9
"""A test counts them in Terraform."""


@dataclass(frozen=True, slots=True)
class Load:
    """How often things happen on a trading day: runs, strategies' answers, other commands."""

    runs: Decimal
    answers: Decimal
    chores: Decimal
    looks: Decimal
    jobs: int


@dataclass(frozen=True, slots=True)
class Shape:
    """When the worker pool runs, hours in a month, and what comes with it."""

    title: str
    hours: Decimal
    is_live: bool = False

    @property
    def is_always_on(self) -> bool:
        """Whether it runs at night and on weekends too."""
        return self.hours == MONTH_HOURS

    @property
    def trading_day_hours(self) -> Decimal:
        """Of the pool on a trading day."""
        return Decimal(24) if self.is_always_on else self.hours / TRADING_DAYS


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the bill: US dollars a month; whether a price in it is unconfirmed."""

    what: str
    dollars: Decimal
    is_confirmed: bool


# ---------------------------------------------------------------------- how often


def load_of(wanted: Topology) -> Load:
    """The load that the schedules make, if all strategies are enabled."""
    kept = schedules_of(wanted)
    runs = [one for one in kept if one.command == Run().command]
    watchdogs = [
        one for one in wanted.schedules if one.topic == topic_name(TOPICS[Watch], Mode(wanted.mode))
    ]
    return Load(
        runs=_total(_per_weekday(one.cron) for one in runs),
        answers=_total(_per_weekday(one.cron) * len(one.strategies) for one in runs),
        chores=_total(_per_weekday(one.cron) for one in kept if one not in runs),
        looks=_total(_per_week(one.cron) / 7 for one in watchdogs),
        jobs=len(wanted.schedules),
    )


def schedules_of(wanted: Topology) -> Sequence[Scheduled]:
    """The schedules that must leave a run, as the watchdog is told them."""
    topic = topic_name(TOPICS[Watch], Mode(wanted.mode))
    said = next(one.message for one in wanted.schedules if one.topic == topic)
    return decode(Watch, said.encode()).schedules


def market_hours(wanted: Topology) -> tuple[str, str]:
    """When to start and to stop the pool on weekdays: two cron lines around the day's schedules."""
    due = [at.astimezone(NEW_YORK) for one in schedules_of(wanted) for at in _due(one.cron)]
    return _cron(min(due, key=_time_of) - MARGIN), _cron(max(due, key=_time_of) + MARGIN)


def hours(starts: str, stops: str) -> Decimal:
    """Hours in a month between the moments of two cron lines. Raises `ValueError` if they do not
    alternate, begin first."""
    begins, ends = list(_due(starts)), list(_due(stops))
    moments = [moment for pair in zip(begins, ends, strict=False) for moment in pair]
    if not begins or len(begins) != len(ends) or moments != sorted(moments):
        raise ValueError(f"{starts!r} and {stops!r} do not start and stop in turn, start first")
    seconds = sum((end - begin).total_seconds() for begin, end in zip(begins, ends, strict=True))
    return Decimal(seconds) / SECONDS * MONTH_DAYS / 7


def _due(cron: str) -> Iterator[datetime]:
    """Its moments in one week."""
    return due_times(cron, MONDAY - timedelta(seconds=1), MONDAY + timedelta(days=7, seconds=-1))


def _per_week(cron: str) -> Decimal:
    return Decimal(sum(1 for _ in _due(cron)))


def _per_weekday(cron: str) -> Decimal:
    return _per_week(cron) / 5


def _time_of(moment: datetime) -> time:
    return moment.time()


def _cron(moment: datetime) -> str:
    return f"{moment.minute} {moment.hour} * * 1-5"


def _total(found: Iterator[Decimal]) -> Decimal:
    return sum(found, Decimal(0))


# ---------------------------------------------------------------------- how much


@dataclass(frozen=True, slots=True)
class Day:
    """What a trading day uses besides the heartbeats: documents, messages' bytes, calls."""

    reads: Decimal
    writes: Decimal
    reports: Decimal
    commands: Decimal
    answers: Decimal


def day_of(found: Measured, load: Load) -> Day:
    """A trading day under this load, counted upward: each run orders as much as the demo's runs.

    A run costs what one with one strategy and one order costs, each further answer half of what
    the demo's runs of three strategies cost more. Other commands cost as much as an idle run.
    """
    further = Decimal(ANSWERS_OF_A_DAYS_RUN - 1)

    def summed(count: Callable[[Counts], int]) -> Decimal:
        first = Decimal(count(found.ordering))
        more = max(Decimal(0), (Decimal(count(found.day)) / found.day_runs - first) / further)
        answers = max(Decimal(0), load.answers - load.runs) * more
        return load.runs * first + answers + load.chores * count(found.quiet)

    reports = Decimal(found.reports) / found.day_runs
    return Day(
        reads=summed(lambda counts: counts.reads),
        writes=summed(lambda counts: counts.writes),
        reports=(load.runs + load.chores) * reports,
        commands=load.runs + load.chores,
        answers=load.answers,
    )


@dataclass(frozen=True, slots=True)
class Bill:
    """Everything that a month's bill follows from."""

    listed: PriceList
    found: Measured
    load: Load
    _day: Day = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_day", day_of(self.found, self.load))

    def lines(self, shape: Shape) -> list[Line]:
        """The lines for one shape, always the same in the same order."""
        return [
            *self._pool(shape),
            self._line("NAT and static address", self._egress(shape)),
            self._line("Firestore: reads and writes", self._documents(shape)),
            self._line("Firestore: storage, recovery, backups", self._storage()),
            self._line("Pub/Sub", {"pubsub_gib": self.message_bytes / GIB}),
            self._line("functions", self._functions()),
            self._line("Scheduler", {"scheduler_job": Decimal(self._jobs(shape))}),
            self._line("Secret Manager", self._secrets()),
            self._line("Artifact Registry", {"registry_gib": self._images()}),
            self._line("Logging", {"logging_gib": self._logs(shape)}),
            self._line("Monitoring: alert policies", self._conditions()),
            self._line(
                "Cloud Build", {"build_minute": self._of("deploys") * self._of("deploy_minutes")}
            ),
        ]

    def on_kubernetes(self) -> list[Line]:
        """What takes the place of the worker pool in the GKE variant, around the clock.

        Its nodes have no address of their own, so that paper needs the NAT too.
        """
        steps = (_total(one.vcpu for one in POD) / POD_VCPU_STEP).to_integral_value(ROUND_CEILING)
        vcpu = steps * POD_VCPU_STEP * MONTH_HOURS
        gib = _total(one.gib for one in POD) * MONTH_HOURS
        pod = {"autopilot_vcpu_hour": vcpu, "autopilot_gib_hour": gib, "disk_gib": POD_DISK_GIB}
        return [
            self._line("GKE: pod and disk", pod),
            self._line("GKE: cluster, the billing account's first", {"cluster_hour": MONTH_HOURS}),
            self._line("GKE: NAT and static address", self._nat()),
        ]

    def reads_and_writes(self, shape: Shape) -> tuple[Decimal, Decimal]:
        """Documents on a trading day, as Firestore counts them."""
        return self._touched(shape.trading_day_hours, self._day.reads, self._day.writes)

    @property
    def message_bytes(self) -> Decimal:
        """Bytes published and delivered in a month; a message to several counts several times."""
        day, looks = self._day, self.load.looks
        daily = {Run: day.commands, Market: day.answers, Targets: day.answers, Report: day.reports}
        sizes = self.found.bytes_by_topic
        trading = _total(
            n * sizes[topic_name(TOPICS[kind], Mode.PAPER)] for kind, n in daily.items()
        )
        return (
            trading * TRADING_DAYS
            + looks * MONTH_DAYS * sizes[topic_name(TOPICS[Watch], Mode.PAPER)]
        )

    def _pool(self, shape: Shape) -> Iterator[Line]:
        seconds = shape.hours * SECONDS
        vcpu, gib = _total(one.vcpu for one in POOL), _total(one.gib for one in POOL)
        yield self._line("worker pool: processors", {"worker_vcpu_second": vcpu * seconds})
        yield self._line("worker pool: memory", {"worker_gib_second": gib * seconds})

    def _egress(self, shape: Shape) -> Mapping[str, Decimal]:
        sent = {"internet_gib": self._of("internet_gib")}
        return sent | self._nat() if shape.is_live else sent

    def _nat(self) -> dict[str, Decimal]:
        hours = dict.fromkeys(("nat_hour", "nat_address_hour"), MONTH_HOURS)
        return {**hours, "nat_gib": self._of("nat_gib")}

    def _documents(self, shape: Shape) -> Mapping[str, Decimal]:
        """Free ones are free by the day, so what is charged is counted by the day."""
        days = (
            (TRADING_DAYS, self.reads_and_writes(shape)),
            (
                MONTH_DAYS - TRADING_DAYS,
                self._touched(Decimal(24 if shape.is_always_on else 0), Decimal(0), Decimal(0)),
            ),
        )
        free_reads, free_writes = self._free("firestore_read"), self._free("firestore_write")
        reads = _total(n * max(Decimal(0), r - free_reads) for n, (r, _) in days)
        writes = _total(n * max(Decimal(0), w - free_writes) for n, (_, w) in days)
        kept = Decimal(self.found.kept_documents) / self.found.day_runs
        gone = kept * self._day.commands * TRADING_DAYS
        return {"firestore_read": reads, "firestore_write": writes, "firestore_delete": gone}

    def _touched(
        self, pool_hours: Decimal, reads: Decimal, writes: Decimal
    ) -> tuple[Decimal, Decimal]:
        seconds, looks = pool_hours * SECONDS, self.load.looks
        renewals = seconds / Decimal(LeaseTimes().renew_seconds)
        guarded = seconds / Decimal(GuardTimes().poll_seconds)
        look, alarm = self.found.look, self.found.alarm
        reports = self._day.reports if reads else Decimal(0)
        return (
            reads
            + (renewals + guarded) * READS_OF_A_LOOK
            + looks * look.reads
            + reports * alarm.reads,
            writes + renewals + looks * look.writes + reports * alarm.writes,
        )

    def _storage(self) -> Mapping[str, Decimal]:
        """After a year, if nothing were ever deleted."""
        a_day = Decimal(self.found.kept_bytes) / self.found.day_runs * self._day.commands
        gib = a_day * TRADING_DAYS * 12 * self._of("firestore_index_factor") / GIB
        backups = gib * self._of("backups_kept")
        return {"firestore_gib": gib, "firestore_pitr_gib": gib, "firestore_backup_gib": backups}

    def _functions(self) -> Mapping[str, Decimal]:
        day = self._day
        calls = (day.answers + day.reports) * TRADING_DAYS + self.load.looks * MONTH_DAYS
        seconds = calls * self._of("function_seconds")
        return {
            "service_vcpu_second": seconds * FUNCTION.vcpu,
            "service_gib_second": seconds * FUNCTION.gib,
            "service_request": calls,
        }

    def _jobs(self, shape: Shape) -> int:
        return self.load.jobs + (0 if shape.is_always_on else WINDOW_JOBS)

    def _secrets(self) -> Mapping[str, Decimal]:
        """Read when an instance starts, of the pool or of `alerts`: at most once a report."""
        starts = MONTH_DAYS * SECRETS + self._day.reports * TRADING_DAYS
        return {"secret_version": Decimal(SECRETS), "secret_access": starts}

    def _images(self) -> Decimal:
        ours = self._of("image_gib") * self._of("images_kept")
        return ours + self._of("gateway_image_gib")

    def _logs(self, shape: Shape) -> Decimal:
        lines = Decimal(self.found.logged_lines) / self.found.day_runs * self._day.commands
        lines = lines * TRADING_DAYS + self.load.looks * MONTH_DAYS
        text = Decimal(self.found.logged_bytes) / max(1, self.found.logged_lines)
        theirs = self._of("gateway_log_mib_per_day") * MIB * shape.hours / 24
        return (lines * (text + self._of("log_entry_bytes")) + theirs) / GIB

    def _conditions(self) -> Mapping[str, Decimal]:
        return {
            "alert_condition": Decimal(ALERT_CONDITIONS),
            "alert_series": ALERT_CONDITIONS * CONDITION_LOOKS,
        }

    def _line(self, what: str, used: Mapping[str, Decimal]) -> Line:
        prices = [self.listed.prices[name] for name in used]
        dollars = _total(_charged(price, used[price.name]) for price in prices)
        return Line(what, dollars, all(price.is_confirmed for price in prices))

    def _free(self, name: str) -> Decimal:
        return self.listed.prices[name].free

    def _of(self, assumption: str) -> Decimal:
        return self.listed.assumptions[assumption].value


def _charged(price: Price, quantity: Decimal) -> Decimal:
    """What is free by the day has been taken off already."""
    return quantity * price.dollars if price.per == "day" else price.charge(quantity)

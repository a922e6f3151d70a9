"""Does the gateway live, and does it do what is scheduled? Pure: documents in, faults out.

A gateway may be scaled to 0 outside the hours, so silence counts only where it matters: on a day
with a session, from half an hour before it to half an hour after it, and at any time while orders
of ours work. Within that, the first period after the lease ran out says so.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import Final

from cronsim import CronSimError

from functions.sessions import KNOWN_UNTIL, due_times, session_at, weekly
from schemas.alerts import ALERTS, Told, WatchdogDocument
from schemas.documents import LeaseDocument, SnapshotDocument
from schemas.messages import Report
from schemas.new_york import NEW_YORK, new_york_date
from schemas.settings import ControlDocument
from schemas.values import Mode, TradingState
from schemas.watch import Scheduled, Watch

LEASE_MARGIN: Final = timedelta(seconds=30)
"""After the lease ran out: a renewal that is late by its deadline, and clocks that differ."""

AROUND_SESSION: Final = timedelta(minutes=30)
"""Before the opening and after the close a silent gateway matters already, and still."""

SCHEDULES_BEFORE, SCHEDULES_AFTER = timedelta(hours=4), timedelta(hours=4)
"""Around a session what is scheduled must happen; else the gateway may be scaled to 0."""

START_GRACE: Final = timedelta(minutes=3)
"""From a schedule's minute to its run document: Scheduler, the bus, and what the gateway does."""

SCHEDULES_BACK: Final = timedelta(hours=12)
"""How far back a watchdog that slept looks for what was missed."""

RECONCILE_AFTER_OPENING: Final = timedelta(minutes=30)
HALTED_DAYS: Final = 3
CALENDAR_NOTICE: Final = timedelta(days=90)
LOGIN_WEEKDAY, LOGIN_TIME = 6, time(1, 0)
"""IB's tokens end on Sunday 01:00 in New York, whatever the gateway does (ib.md D4)."""

LOGIN_NOTICE: Final = timedelta(hours=12)
LOGIN_PATIENCE: Final = timedelta(hours=11)
"""From then to Sunday noon the login may wait; later only the night is left before Monday."""


@dataclass(frozen=True, slots=True)
class Ran:
    """As much of a run document as shows that a schedule was kept."""

    command: str
    started_at: datetime
    asked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sight:
    """What the watchdog has read. `now` is the market's time, `wall` the lease's [R3].

    `working` counts orders of ours that are not DONE; `unreadable` has a sentence for each document
    that could not be read, which begins with its path and a colon.
    """

    mode: Mode
    now: datetime
    wall: datetime
    lease: LeaseDocument | None = None
    snapshot: SnapshotDocument | None = None
    control: ControlDocument | None = None
    runs: tuple[Ran, ...] = ()
    working: int = 0
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong: an alert's name, its sentence, and what it is about."""

    alert: str
    sentence: str
    subject: str = ""

    @property
    def key(self) -> str:
        """What it is the same fault by, from one period to the next."""
        return f"{self.alert} {self.subject}".strip()


@dataclass(frozen=True, slots=True)
class News:
    """What is to be told, and the document as it is once that is told."""

    reports: tuple[Report, ...]
    document: WatchdogDocument = field(repr=False)


def faults(sight: Sight) -> tuple[Fault, ...]:
    """All that is wrong now, apart from schedules."""
    looks = (_silence, _reconcile, _login, _halt, _calendar)
    found = [fault for look in looks if (fault := look(sight))]
    wrong = [
        Fault("configuration_wrong", said, said.partition(":")[0]) for said in sight.unreadable
    ]
    return (*found, *wrong)


def missed(sight: Sight, watch: Watch, known: WatchdogDocument | None) -> tuple[Fault, ...]:
    """Schedules that left no run document, each once: those whose grace ended since the last look.

    The first look of all misses nothing: what was due before it nobody had asked for.
    """
    if known is None:
        return ()
    since, until = _looked_until(sight.now, known), sight.now - START_GRACE
    return tuple(fault for job in watch.schedules for fault in _missed(sight, job, since, until))


def since_needed(now: datetime, known: WatchdogDocument | None) -> datetime:
    """From when on runs must be read to judge the schedules."""
    return _looked_until(now, known) - START_GRACE


def _looked_until(now: datetime, known: WatchdogDocument | None) -> datetime:
    """The last minute that was judged: at the last look its grace was over."""
    looked_at = known.at if known else now
    return max(looked_at, now - SCHEDULES_BACK) - START_GRACE


def news(sight: Sight, watch: Watch, known: WatchdogDocument | None) -> News:
    """What people are told of this look: faults that are new or told long ago, and what is over.

    A fault is told again when its alert's window is over. The document keeps what goes on.
    """
    told = known.faults if known else {}
    going_on = {fault.key: fault for fault in faults(sight)}
    reports = [*_over(sight, told, going_on)]
    reports += (_report(sight, fault) for fault in missed(sight, watch, known))
    kept: dict[str, Told] = {}
    for key, fault in going_on.items():
        before = told.get(key)
        if before is not None and sight.now - before.told_at < ALERTS[fault.alert].window:
            kept[key] = replace(before, sentence=fault.sentence)
            continue
        since = before.since if before else sight.now
        kept[key] = Told(fault.alert, fault.sentence, since, sight.now)
        reports.append(_report(sight, fault))
    return News(tuple(reports), WatchdogDocument(sight.now, kept))


def _silence(sight: Sight) -> Fault | None:
    lease = sight.lease
    if lease is not None and sight.wall <= lease.expires_at + LEASE_MARGIN:
        return None  # alive, or given back a moment ago: a deploy hands over
    session = session_at(sight.now)
    in_hours = session is not None and session.holds(sight.now, AROUND_SESSION, AROUND_SESSION)
    if not in_hours and not sight.working:
        return None
    why = "it is within half an hour of the session" if in_hours else "orders of ours work"
    return Fault("gateway_silent", f"{_last_sign(sight)}, and {why}: {_DO_START}")


_DO_START: Final = "start it, or see its log; positions stay as they are, the guard cancels orders"


def _last_sign(sight: Sight) -> str:
    path, lease = f"leases/{sight.mode}", sight.lease
    if lease is None:
        return f"no gateway has ever taken {path}"
    at = lease.renewed_at.astimezone(NEW_YORK)
    if not lease.owner:
        return f"the last gateway gave {path} back at {at:%Y-%m-%d %H:%M:%S} New York time"
    age_seconds = (sight.wall - lease.renewed_at).total_seconds()
    return (
        f"gateway {lease.owner} last renewed {path} {age_seconds:.0f} s ago "
        f"({at:%Y-%m-%d %H:%M:%S} New York time), at most "
        f"{(lease.expires_at - lease.renewed_at + LEASE_MARGIN).total_seconds():.0f} s are usual"
    )


def _is_alive(sight: Sight) -> bool:
    lease = sight.lease
    return bool(lease and lease.owner and sight.wall <= lease.expires_at + LEASE_MARGIN)


def _reconcile(sight: Sight) -> Fault | None:
    """A gateway that lives and cannot reach its broker; a dead one is told as silent."""
    session = session_at(sight.now)
    if not _is_alive(sight) or session is None:
        return None
    if not session.opens + RECONCILE_AFTER_OPENING <= sight.now <= session.closes:
        return None
    newest, bound = sight.snapshot, session.opens - SCHEDULES_BEFORE
    if newest is not None and newest.as_of >= bound:
        return None
    read = f"was last read {_text(newest.as_of)}" if newest else "was never read"
    sentence = (
        f"the account {read}, it must have been since {_text(bound)}: see whether IB is "
        "reachable and logged in, then publish reconcile"
    )
    return Fault("reconcile_old", sentence)


def _login(sight: Sight) -> Fault | None:
    """Only live accounts have a second factor; on paper the gateway logs in by itself."""
    if sight.mode is not Mode.LIVE:
        return None
    ended = weekly(LOGIN_WEEKDAY, LOGIN_TIME, sight.now)
    soon = weekly(LOGIN_WEEKDAY, LOGIN_TIME, sight.now + LOGIN_NOTICE)
    if soon > sight.now:
        sentence = (
            f"IB's login ends {_text(soon)}, as each week: have the phone at hand to approve the "
            "next one before Monday's session"
        )
        return Fault("login_soon", sentence)
    if sight.now - ended < LOGIN_PATIENCE or not _is_alive(sight):
        return None
    if sight.snapshot is not None and sight.snapshot.as_of >= ended:
        return None
    sentence = (
        f"the account was not read since IB's login ended {_text(ended)}: log in and approve it on "
        "the phone, then publish reconcile"
    )
    return Fault("login_needed", sentence)


def _halt(sight: Sight) -> Fault | None:
    control = sight.control
    if control is None or control.state is TradingState.ACTIVE or control.since is None:
        return None
    days = (sight.now - control.since) // timedelta(days=1)
    if days < HALTED_DAYS:
        return None
    why = f" ({control.reason})" if control.reason else ""
    sentence = (
        f"trading is {control.state} for {days} days by {control.by or 'nobody named'}{why}, told "
        f"from {HALTED_DAYS} days on: publish resume, or leave it so"
    )
    return Fault("halted_long", sentence)


def _calendar(sight: Sight) -> Fault | None:
    if new_york_date(sight.now) + CALENDAR_NOTICE <= KNOWN_UNTIL:
        return None
    sentence = (
        f"the watchdog knows holidays until {KNOWN_UNTIL}, at least {CALENDAR_NOTICE.days} days "
        "ahead are wanted: run python -m infra.closures and deploy"
    )
    return Fault("calendar_ends", sentence)


def _missed(sight: Sight, job: Scheduled, since: datetime, until: datetime) -> Iterator[Fault]:
    try:
        for due in due_times(job.cron, since, until):
            session = session_at(due)
            is_expected = session and session.holds(due, SCHEDULES_BEFORE, SCHEDULES_AFTER)
            if is_expected and not any(_keeps(run, job, due) for run in sight.runs):
                yield _missing(job, due)
    except CronSimError as error:
        said = f"schedule {job.name} has the cron line {job.cron!r}, which is none: {error}"
        yield Fault("configuration_wrong", said, job.name)


def _missing(job: Scheduled, due: datetime) -> Fault:
    asked = f" for {', '.join(job.strategies)}" if job.strategies else ""
    minutes = START_GRACE // timedelta(minutes=1)
    sentence = (
        f"schedule {job.name}: {job.command}{asked} was due {_text(due)} and left no run document "
        f"within {minutes} minutes: see whether the gateway and Cloud Scheduler run, then publish "
        "it by hand if it is still wanted"
    )
    return Fault("schedule_missed", sentence, f"{job.name} {due.isoformat()}")


def _keeps(run: Ran, job: Scheduled, due: datetime) -> bool:
    """Whether a run is what a schedule asked for: that command, then, for one of its strategies.

    A run that ended before it asked anybody says nothing of strategies, and counts.
    """
    if run.command != job.command or not -START_GRACE < run.started_at - due <= START_GRACE:
        return False
    asked = set(run.asked)
    return not asked or not job.strategies or not asked.isdisjoint(job.strategies)


def _over(
    sight: Sight, told: Mapping[str, Told], going_on: Mapping[str, Fault]
) -> Sequence[Report]:
    """What was told and is no more. A fault that ends by itself, such as a login, ends silently."""
    silent = told.get("gateway_silent")
    if silent is None or "gateway_silent" in going_on:
        return []
    if not _is_alive(sight):
        return []  # no sign of life: only the hours are over
    owner = sight.lease.owner if sight.lease else ""
    sentence = (
        f"gateway {owner} renews leases/{sight.mode} again, silent since {_text(silent.since)}"
    )
    return [_report(sight, Fault("gateway_back", sentence))]


def _report(sight: Sight, fault: Fault) -> Report:
    details = {"alert": fault.alert, "by": "watchdog"}
    if fault.subject:
        details["subject"] = fault.subject
    return Report("alert", sight.now, sight.mode, fault.sentence, details=details)


def _text(at: datetime) -> str:
    return f"{at.astimezone(NEW_YORK):%a %Y-%m-%d %H:%M} New York time"

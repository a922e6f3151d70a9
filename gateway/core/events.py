"""What can happen to the commander: the events that change its desk (`fold.evolve`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from gateway.core.broker import (
    Commission,
    Connection,
    Drained,
    Missing,
    OrderReport,
    Reading,
    Terms,
)
from gateway.core.prices import Price
from schemas.documents import (
    Closure,
    CrossDocument,
    ExecutionDocument,
    LedgerEntry,
    OrderDocument,
    OutcomeName,
    RunDocument,
    TargetsDocument,
)
from schemas.settings import ControlDocument, Settings, StrategyDocument
from schemas.values import Contract


@dataclass(frozen=True, slots=True)
class NetCause:
    """Why a net is due [N1], and what it belongs to. A dry run plans and changes nothing.

    `closing` is what a dry run looks at as if it were closed. With `pairs`, by currency, it is a
    net of foreign balances and of nothing else (`cash`). While the configuration cannot be read it
    is a net that `reduces_only`, as far as it is made at all.
    """

    reason: str
    run_id: str
    dry_run: bool = False
    closing: Mapping[str, Closure] = field(default_factory=dict)
    pairs: Mapping[str, Contract] = field(default_factory=dict)
    reduces_only: bool = False

    @property
    def is_partial(self) -> bool:
        """Whether the net leaves due what was due before it: it trades nothing, or only money."""
        return self.dry_run or bool(self.pairs)


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that waits for answers. `said` holds a dry run's targets, which must not be stored."""

    document: RunDocument
    said: Mapping[str, TargetsDocument] = field(default_factory=dict)

    def reached_barrier(self, now: datetime) -> bool:
        """Whether every strategy asked has answered, or the time to answer is over [N1a]."""
        run = self.document
        return set(run.asked) <= set(run.answered) or (
            run.deadline is not None and now >= run.deadline
        )


@dataclass(frozen=True, slots=True)
class Configured:
    """What people wrote in `config` and `strategies`, read anew."""

    settings: Settings
    strategies: Mapping[str, StrategyDocument]


@dataclass(frozen=True, slots=True)
class Said:
    """A strategy's targets, validated, with every contract resolved. `digest` is of the content."""

    document: TargetsDocument
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class RunOpened:
    """A run has asked its strategies; the desk now waits for the barrier."""

    document: RunDocument


@dataclass(frozen=True, slots=True)
class RunClosed:
    """The open run has been netted, refused or given up."""

    run_id: str


@dataclass(frozen=True, slots=True)
class NetAsked:
    """A person asked for a net now [N1b]."""

    cause: NetCause


@dataclass(frozen=True, slots=True)
class WishesApproved:
    """A person lets what these strategies want be carried out, however much of it vanishes."""

    strategies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time passed. Barriers and coalescing windows end by it; nothing else does."""


@dataclass(frozen=True, slots=True)
class Netted:
    """The net that was due has been made; what was due before it is due no more.

    One that `failed`, for the broker did not answer, leaves due what the end of an order made due.
    """

    failed: bool = False


@dataclass(frozen=True, slots=True)
class Priced:
    """Reference prices, and how the contracts trade, by conId."""

    prices: Mapping[int, Price]
    terms: Mapping[int, Terms] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DayClosed:
    """These orders of earlier days are over and moved away; older entries are folded."""

    order_refs: frozenset[str]
    before: datetime


@dataclass(frozen=True, slots=True)
class Checked:
    """A command looked at the day; `eod_check` with what each book has made in all."""

    name: str
    pnl: Mapping[str, Decimal] | None = None


@dataclass(frozen=True, slots=True)
class Journaled:
    """The journal holds these orders and crosses: from now on they exist [W1]."""

    orders: tuple[OrderDocument, ...]
    crosses: tuple[CrossDocument, ...]


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """We are about to ask the broker to cancel an order, and will wait for its answer [N7]."""

    order_ref: str


@dataclass(frozen=True, slots=True)
class Silent:
    """The broker may or may not have an order: nobody knows, so its contract is locked."""

    order_ref: str
    reason: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """A journaled order was certainly not written to the broker; it is over [W2]."""

    order_ref: str
    reason: str


@dataclass(frozen=True, slots=True)
class Adopted:
    """A person explained what was UNEXPLAINED in a contract [B3, B4]."""

    contract: Contract
    ledger: str
    entry: LedgerEntry


@dataclass(frozen=True, slots=True)
class Resumed:
    """A person said resume: what the gateway latched itself is lifted, and losses start anew."""


@dataclass(frozen=True, slots=True)
class Closed:
    """A person closed ledgers: from now on they are to hold nothing (behaviour 5).

    `targets` are those of the strategies among them, set to 0.
    """

    closures: Mapping[str, Closure]
    targets: Mapping[str, TargetsDocument]


@dataclass(frozen=True, slots=True)
class Reopened:
    """A person said resume with these names: what they say counts again."""

    ledgers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unlocked:
    """A person looked at orders of a contract that repeated each other: counting starts anew.

    Locks of other kinds stay; only executions, readings and `adopt` settle those.
    """

    con_id: int


@dataclass(frozen=True, slots=True)
class Rebooked:
    """A person moved what ledgers hold of a contract [A4, B2]: one entry each, of one source.

    `held` names the strategies whose targets in it were said before, and do not count any more.
    """

    contract: Contract
    entries: Mapping[str, LedgerEntry]
    held: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OrderSettled:
    """A person said what became of an order that nobody knows [R2]."""

    order_ref: str
    outcome: OutcomeName
    reason: str


type Event = (
    Configured
    | ControlDocument
    | Said
    | RunOpened
    | RunClosed
    | NetAsked
    | WishesApproved
    | Ticked
    | Netted
    | Priced
    | DayClosed
    | Checked
    | Journaled
    | CancelAsked
    | Silent
    | Missing
    | Drained
    | NotSent
    | Adopted
    | Rebooked
    | OrderSettled
    | Unlocked
    | Closed
    | Reopened
    | Resumed
    | OrderReport
    | ExecutionDocument
    | Commission
    | Connection
    | Reading
)

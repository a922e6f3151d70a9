"""Every Firestore document: its type, its path and its one writer.

A person reads them in the console, so names are whole words, quantities are exact decimals as text
with a number beside them for the eye (the codec adds it), and times are timestamps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from schemas.alerts import AlertDocument, WatchdogDocument
from schemas.grounds import Grounds
from schemas.messages import ReportKind, Target
from schemas.settings import ControlDocument, Settings, StrategyDocument
from schemas.values import Contract, OrderType


@dataclass(frozen=True, slots=True)
class Lock:
    """Why nothing is ordered in a contract, until executions or a person settle it."""

    symbol: str
    kind: Literal["unexplained", "unknown_order", "overfill", "corrected", "repeated"]
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Latch:
    """Why the gateway itself allows only what reduces, until a person says resume."""

    rule: str
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Closure:
    """Why a ledger is to hold nothing since a person said `close_all`.

    With `force` a cross of it may settle at a price of any age.
    A strategy's stays until `resume` names it. EXTERNAL's is for the `contracts` (conId -> what is
    left of what it held as of the command), and ends by itself once none is. `ignored_message_id`
    is the first message of the strategy that was stored and not traded since. With `day`, a date
    of New York, it ends by itself at the first reading of a later one.
    """

    since: datetime
    by: str = ""
    reason: str = ""
    force: bool = False
    contracts: Mapping[str, Decimal] = field(default_factory=dict)
    ignored_message_id: str = ""
    day: str = ""


@dataclass(frozen=True, slots=True)
class LatchesDocument:
    """`latches/{mode}`: what the gateway locked. The stricter of control and latches holds.

    `unlocked` has, by conId, the generation of the last order when a person last said `unlock`:
    repetition is counted from there on. `closed` are ledgers that hold nothing, whatever their
    strategies say.
    """

    locks: Mapping[str, Lock] = field(default_factory=dict)
    reduce_only: Latch | None = None
    unlocked: Mapping[str, int] = field(default_factory=dict)
    closed: Mapping[str, Closure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StatusDocument:
    """`status/{mode}`: the trading day so far, which the limits of a day are held against.

    `day` is the date in New York, `2026-01-05`. `orders` counts what was journaled on it, sent or
    not, and `turnover` is its worth at the decision prices. `highest_equity` outlives the day.
    Equity is net liquidation; all money is in the base currency. `checks` are the commands that
    looked at the day, and when. `pnl` is what each book had made in all at the last `eod_check`,
    realized or not and after commissions, `pnl_before` at the last one of an earlier day.
    """

    day: str
    start_of_day_equity: Decimal
    highest_equity: Decimal
    orders: int = 0
    turnover: Decimal = Decimal(0)
    checks: Mapping[str, datetime] = field(default_factory=dict)
    pnl_before: Mapping[str, Decimal] = field(default_factory=dict)
    pnl: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LeaseDocument:
    """`leases/{mode}`: which gateway may act [R3], in real time. `epoch` only grows."""

    owner: str
    epoch: int
    renewed_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SnapshotDocument:
    """`positions/{mode}`: the account as last read, and what the ledgers do not explain [B3]."""

    as_of: datetime
    account: str
    base_currency: str
    net_liquidation: Decimal
    cash: Mapping[str, Decimal]
    initial_margin: Decimal | None
    maintenance_margin: Decimal | None
    unexplained: Mapping[str, Decimal]
    exchange_rates: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BrokerPosition:
    """What the broker says is held of one contract."""

    contract: Contract
    quantity: Decimal
    average_cost: Decimal


@dataclass(frozen=True, slots=True)
class BrokerPositionsDocument:
    """`positions/{mode}/holdings/all_positions`: the broker's own list."""

    as_of: datetime
    positions: Mapping[str, BrokerPosition]


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One thing that moved a ledger: an order's fills, a cross, an adoption, a foreign execution.

    `cost` is quantity x price x multiplier, signed, in the contract's currency. A split is no
    trade: it changes how many shares there are, not what they cost, and realizes nothing [B2].
    `exec_id` is a foreign execution's, with the suffix of the report that is booked: it outlives
    the gateway and a bust, so that a report corrected since is never booked again [A1].
    `commission` is in no cost and may be in another currency: IB charges stocks and futures in
    theirs, currency pairs in the account's. Where `commission_currency` is like `EUR+USD`, IB
    charged in several and the sum is no amount of money; the executions have the parts.
    """

    source: str
    at: datetime
    quantity: Decimal
    cost: Decimal
    commission: Decimal = Decimal(0)
    is_split: bool = False
    exec_id: str = ""
    commission_currency: str = ""


@dataclass(frozen=True, slots=True)
class LedgerPosition:
    """A ledger's holding of one contract [B1]: the opening, what moved it since, and the sum.

    Cost and profit are in the contract's currency, the commission in its own (`LedgerEntry`).
    """

    contract: Contract
    quantity: Decimal
    cost: Decimal
    realized: Decimal
    commission: Decimal
    opening_quantity: Decimal = Decimal(0)
    opening_cost: Decimal = Decimal(0)
    opening_realized: Decimal = Decimal(0)
    opening_commission: Decimal = Decimal(0)
    entries: tuple[LedgerEntry, ...] = ()
    commission_currency: str = ""
    opening_commission_currency: str = ""


@dataclass(frozen=True, slots=True)
class LedgerDocument:
    """`positions/{mode}/holdings/{strategy or EXTERNAL}`: one ledger, by conId."""

    positions: Mapping[str, LedgerPosition]


@dataclass(frozen=True, slots=True)
class TargetsDocument:
    """`positions/{mode}/targets/{strategy}`: last good targets, and the last status and reason.

    Times and message belong to the last good targets, `last_*` to whatever was said last.
    `last_digest` tells a repetition from another content with the same `as_of` [T2].
    `waits_for_net`: said unasked, and no net has been made since; a restart must not forget it.
    `held_contracts`, by conId, were changed under these targets by a person at that time, and are
    held until the strategy says something newer [A4]. Before `together_until` the last good targets
    are one intention: all of them are traded, or none (decision 12). `approved`: a person lets the
    last good targets be carried out, however much of what is held vanishes by them.
    """

    strategy: str
    targets: tuple[Target, ...] = ()
    as_of: datetime | None = None
    valid_until: datetime | None = None
    message_id: str = ""
    run_id: str = ""
    last_status: Literal["targets", "hold", "error"] = "targets"
    last_reason: str = ""
    last_as_of: datetime | None = None
    last_message_id: str = ""
    last_run_id: str = ""
    last_digest: str = ""
    waits_for_net: bool = False
    held_contracts: Mapping[str, datetime] = field(default_factory=dict)
    together_until: datetime | None = None
    approved: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """A strategy's part of an order, a cross or an execution, signed."""

    strategy: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class ExecutionDocument:
    """`executions/{exec_id}`: one fill as IB reported it, with commission and shares [A1, A2].

    `order_ref` is empty for a foreign execution, whose whole share is EXTERNAL's [B2], or of a
    currency pair the book `CASH`'s [B1].
    """

    exec_id: str
    order_ref: str
    contract: Contract
    quantity: Decimal
    price: Decimal
    at: datetime
    account: str
    perm_id: int
    order_id: int
    client_id: int
    exchange: str = ""
    commission: Decimal | None = None
    commission_currency: str = ""
    shares: tuple[Share, ...] = ()


type OrderStateName = Literal["PENDING", "WORKING", "CANCELLING", "UNKNOWN", "DONE"]
type OutcomeName = Literal["", "filled", "cancelled", "rejected", "not_sent"]


@dataclass(frozen=True, slots=True)
class OrderDocument:
    """`positions/{mode}/openOrders/{order_ref}`: an order's whole life, and why it exists [W1].

    `filled` sums the executions we have; `broker_filled` is the broker's own count, which may run
    ahead of them. An order is DONE only when both agree, so that no share is ever in neither.
    `decision_price` is the reference price when the order was decided, true at `decision_at`;
    `decision_rate` is what one unit of the contract's currency was then worth in the base currency,
    None where nobody knew (what reduces needs no rate).
    `is_reducing` says that the order then took the broker's position nearer to 0 [N6], `is_flip`
    that its net wanted it beyond 0, which follows by itself once it is filled; `why` says in
    sentences which targets, of which messages, wanted it; `limits` which limits looked at it. The
    broker holds it back until `good_after`. `waits_for_net`: its end made a net due that has not
    been made yet [N1d, N6]; a restart must not forget it.
    `leg_of` names strategies for which it is one of several legs of one intention (decision 12).
    With `executions_apart` its executions are too many for one document: they are in `executions/`.
    Since `missing_since`, when the account held `missing_position` of the contract, no reading of
    the broker has known the order [R2].
    """

    order_ref: str
    contract: Contract
    quantity: Decimal
    allocations: tuple[Share, ...]
    order_type: OrderType
    tif: str
    limit_price: Decimal | None
    adaptive_priority: str
    outside_rth: bool
    decision_price: Decimal | None
    created_at: datetime
    valid_until: datetime
    epoch: int
    generation: int
    run_id: str
    state: OrderStateName
    outcome: OutcomeName = ""
    reason: str = ""
    why: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    margin: Mapping[str, str] = field(default_factory=dict)
    order_id: int = 0
    perm_id: int = 0
    client_id: int = 0
    filled: Decimal = Decimal(0)
    broker_filled: Decimal = Decimal(0)
    missing_since: datetime | None = None
    missing_position: Decimal | None = None
    average_price: Decimal | None = None
    commission: Decimal = Decimal(0)
    executions: Mapping[str, ExecutionDocument] = field(default_factory=dict)
    updated_at: datetime | None = None
    decision_at: datetime | None = None
    is_reducing: bool = False
    decision_rate: Decimal | None = Decimal(1)
    good_after: datetime | None = None
    is_flip: bool = False
    commission_currency: str = ""
    waits_for_net: bool = False
    leg_of: tuple[str, ...] = ()
    executions_apart: bool = False


@dataclass(frozen=True, slots=True)
class CrossDocument:
    """`crosses/{id}`: wishes of opposite sign settled between books, without the market [N4].

    The shares' quantities sum to 0.
    """

    cross_id: str
    contract: Contract
    shares: tuple[Share, ...]
    price: Decimal
    price_source: str
    price_at: datetime
    at: datetime
    run_id: str
    epoch: int
    generation: int


@dataclass(frozen=True, slots=True)
class GenerationDocument:
    """`positions/{mode}/generations/{con_id}`: the last order number used in a contract [W1]."""

    generation: int
    order_ref: str


@dataclass(frozen=True, slots=True)
class RefusalEntry:
    """Something wanted that was not done: which rule, which value against which bound."""

    rule: str
    sentence: str
    symbol: str = ""
    con_id: int = 0
    strategies: tuple[str, ...] = ()
    value: str = ""
    bound: str = ""


@dataclass(frozen=True, slots=True)
class WantedChange:
    """What one strategy wanted to change in one contract, and the numbers it came from [N3].

    Until `together_until` it is one leg of an intention that is traded whole, or not at all.
    """

    strategy: str
    symbol: str
    con_id: int
    effective_target: Decimal
    book: Decimal
    in_flight: Decimal
    change: Decimal
    message_id: str = ""
    reason: str = ""
    together_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class RunDocument:
    """`runs/{run_id}`: what was decided and why. Outcome is empty while the run is open.

    `findings` are the sentences of a command that looks: `summary`, `risk_check`, `eod_check`.
    """

    run_id: str
    command: str
    trigger: str
    started_at: datetime
    state: Literal["STARTED", "ASKED", "DONE"]
    outcome: Literal["", "done", "refused", "failed", "interrupted"] = ""
    reason: str = ""
    dry_run: bool = False
    by: str = ""
    asked: tuple[str, ...] = ()
    answered: Mapping[str, str] = field(default_factory=dict)
    deadline: datetime | None = None
    finished_at: datetime | None = None
    prices: Mapping[str, str] = field(default_factory=dict)
    wanted: tuple[WantedChange, ...] = ()
    crosses: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()
    cancels: tuple[str, ...] = ()
    planned: tuple[str, ...] = ()
    refusals: tuple[RefusalEntry, ...] = ()
    findings: tuple[str, ...] = ()
    grounds: Grounds | None = None
    answer_reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ActivityDocument:
    """`activity/{id}`: the event log; ids sort by time, and are the event ids on `reports`.

    All of a report is here, so that it can still be published after a crash. The gateway's count up
    by one in `number`, from one gateway to the next; all up to `published_to` were on the topic
    when this one was written. The guard's have no number: it says again itself what it must.
    """

    at: datetime
    kind: ReportKind
    sentence: str
    run_id: str = ""
    order_ref: str = ""
    symbol: str = ""
    strategy: str = ""
    con_id: int = 0
    details: Mapping[str, str] = field(default_factory=dict)
    number: int = 0
    published_to: int = 0


@dataclass(frozen=True, slots=True)
class BarsDocument:
    """`market_data/{mode}/bars/{symbol}-{con_id}-{size}`: finished bars in columns.

    They are kept so that IB is asked only for what is new; deleted, they are read anew. `duration`
    is how far back they answer for certain, empty when they do not; `as_of` when they last grew.
    """

    contract: Contract
    size: str
    as_of: datetime
    time: tuple[datetime, ...]
    open: tuple[float, ...]
    high: tuple[float, ...]
    low: tuple[float, ...]
    close: tuple[float, ...]
    volume: tuple[float, ...]
    duration: str = ""
    regular_hours_only: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document lives and who writes it. `path` has fields in braces."""

    path: str
    writer: Literal["people", "gateway", "functions"]

    def at(self, **fields: object) -> str:
        """The path with its fields filled in; no field may be empty or hold a slash."""
        for name, value in fields.items():
            if not str(value) or "/" in str(value):
                raise ValueError(f"{name}={value!r} cannot be part of a document path")
        return self.path.format(**fields)


DOCUMENTS: Final[Mapping[type, Place]] = {
    Settings: Place("config/{name}", "people"),
    StrategyDocument: Place("strategies/{strategy}", "people"),
    ControlDocument: Place("control/{mode}", "people"),
    LatchesDocument: Place("latches/{mode}", "gateway"),
    StatusDocument: Place("status/{mode}", "gateway"),
    LeaseDocument: Place("leases/{mode}", "gateway"),
    SnapshotDocument: Place("positions/{mode}", "gateway"),
    BrokerPositionsDocument: Place("positions/{mode}/holdings/all_positions", "gateway"),
    LedgerDocument: Place("positions/{mode}/holdings/{ledger}", "gateway"),
    TargetsDocument: Place("positions/{mode}/targets/{strategy}", "gateway"),
    OrderDocument: Place("positions/{mode}/openOrders/{order_ref}", "gateway"),
    GenerationDocument: Place("positions/{mode}/generations/{con_id}", "gateway"),
    CrossDocument: Place("crosses/{cross_id}", "gateway"),
    ExecutionDocument: Place("executions/{exec_id}", "gateway"),
    RunDocument: Place("runs/{run_id}", "gateway"),
    ActivityDocument: Place("activity/{activity_id}", "gateway"),
    BarsDocument: Place("market_data/{mode}/bars/{bars}", "gateway"),
    AlertDocument: Place("alerts/{key}", "functions"),
    WatchdogDocument: Place("watchdog/{mode}", "functions"),
}


CLOSED_ORDERS: Final = Place("orders/{order_ref}", "gateway")
"""Where an order that is over goes from `openOrders` once its day is over."""


def path_of(kind: type, **fields: object) -> str:
    """The path of a document, such as `path_of(RunDocument, run_id="r1")` -> `runs/r1`."""
    return DOCUMENTS[kind].at(**fields)

"""Every Pub/Sub message, and the topic that carries it.

Every message is a *level*, not an edge: it replaces what its sender said before, so that one that
comes twice, late or out of order changes nothing (behaviour.md, section 1). Fields with defaults
may be left out by a person who publishes by hand; unknown fields are refused, because a misspelt
`dry_run` must not trade.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from schemas.values import EXTERNAL, Contract, Mode, check_strategy_id

type Scalar = str | float | int | bool | None

TARGETS_MAX: Final = 500
"""Contracts in one message; more is a mistake, and would not fit a document for the eye."""

STRATEGIES_MAX: Final = 200
"""Strategies that one run names; each may leave a sentence in its document."""

EXPONENT_MAX: Final = 15
"""Of any number in a message: `1e999999999` is valid JSON, and would take a gigabyte to print."""

RATIO_MAX: Final = 1000
"""Shares that one share may become, or the other way round, in one split."""

DEAD_LETTERS: Final = "dead-letters"
"""Topic of what could not be used. The data are the original bytes; `reason` is an attribute."""


@dataclass(frozen=True, slots=True)
class Target:
    """How much of one contract a strategy wants to hold, signed; 0 is said, never implied [T1].

    The contract's fields stand beside the quantity, so that a person can write
    `{"symbol": "SPY", "quantity": 10}`.
    """

    symbol: str
    quantity: Decimal
    sec_type: str = "STK"
    exchange: str = "SMART"
    currency: str = "USD"
    con_id: int = 0
    primary_exchange: str = ""
    local_symbol: str = ""
    last_trade_date: str = ""
    multiplier: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        _check_finite("quantity", self.quantity)
        _check_symbol(self.symbol)

    @property
    def contract(self) -> Contract:
        """The contract as described, not yet resolved when `con_id` is 0."""
        return Contract(
            symbol=self.symbol,
            sec_type=self.sec_type,
            exchange=self.exchange,
            currency=self.currency,
            con_id=self.con_id,
            primary_exchange=self.primary_exchange,
            local_symbol=self.local_symbol,
            last_trade_date=self.last_trade_date,
            multiplier=self.multiplier,
        )


@dataclass(frozen=True, slots=True)
class Targets:
    """What a strategy wants to hold. Replaces the whole set of that strategy [T1].

    `as_of` decides which message is newer [T2]; absent, the time of publishing stands in. After
    `valid_until` the targets are held, not traded toward [N2]. Status `hold` and `error` mean:
    hold everything, and carry no targets.
    """

    strategy: str
    targets: tuple[Target, ...] = ()
    status: Literal["targets", "hold", "error"] = "targets"
    reason: str = ""
    as_of: datetime | None = None
    valid_until: datetime | None = None
    run_id: str = ""
    dry_run: bool = False
    diagnostics: Mapping[str, Scalar] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_strategy_id(self.strategy)
        _check_aware("as_of", self.as_of)
        _check_aware("valid_until", self.valid_until)
        if self.status != "targets" and self.targets:
            raise ValueError(f"targets must be empty when status is {self.status}")
        if len(self.targets) > TARGETS_MAX:
            raise ValueError(f"targets has {len(self.targets)} entries, at most {TARGETS_MAX}")
        named = [target.contract for target in self.targets]
        if len(set(named)) < len(named):
            raise ValueError("targets names the same contract twice")


@dataclass(frozen=True, slots=True)
class Bars:
    """Finished bars of one contract in columns, oldest first; `time` is the start of each bar.

    Prices are floats: they feed indicators, never a ledger.
    """

    contract: Contract
    size: str
    time: tuple[datetime, ...] = ()
    open: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    close: tuple[float, ...] = ()
    volume: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        columns = (self.open, self.high, self.low, self.close, self.volume)
        if any(len(column) != len(self.time) for column in columns):
            raise ValueError(f"bars of {self.contract.symbol} have columns of unequal length")


@dataclass(frozen=True, slots=True)
class Holding:
    """What one strategy's book holds of a contract, and what may still come (`working`), signed."""

    contract: Contract
    quantity: Decimal
    working: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Market:
    """All that one strategy needs to decide, so that its function reads nothing else.

    `capital` is net liquidation x exposure x the strategy's weight, in `base_currency`;
    `exchange_rates` say, by currency, how much of it one unit is worth.
    """

    run_id: str
    strategy: str
    as_of: datetime
    valid_until: datetime
    capital: Decimal
    base_currency: str
    bars: tuple[Bars, ...] = ()
    book: tuple[Holding, ...] = ()
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    dry_run: bool = False
    exchange_rates: Mapping[str, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_strategy_id(self.strategy)
        _check_aware("as_of", self.as_of)
        _check_aware("valid_until", self.valid_until)
        _check_finite("capital", self.capital)


@dataclass(frozen=True, slots=True)
class Run:
    """Reconcile, ask the strategies named (default: all enabled), net, order."""

    command: Literal["run"] = "run"
    strategies: tuple[str, ...] | None = None
    dry_run: bool = False
    run_id: str = ""

    def __post_init__(self) -> None:
        named = self.strategies or ()
        if len(named) > STRATEGIES_MAX:
            raise ValueError(f"strategies has {len(named)} entries, at most {STRATEGIES_MAX}")
        for strategy in named:
            check_strategy_id(strategy)


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Read the broker into Firestore and compare it with the ledgers."""

    command: Literal["reconcile"] = "reconcile"
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Allocate:
    """Net now, from the last targets."""

    command: Literal["allocate"] = "allocate"
    dry_run: bool = False
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Halt:
    """Send nothing more and cancel our working orders."""

    command: Literal["halt"] = "halt"
    by: str = ""
    reason: str = ""
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class ReduceOnly:
    """Allow only orders that bring a position nearer to 0."""

    command: Literal["reduce_only"] = "reduce_only"
    by: str = ""
    reason: str = ""
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Resume:
    """Trade. Only a person says so."""

    command: Literal["resume"] = "resume"
    by: str = ""
    reason: str = ""
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Adopt:
    """Book what is UNEXPLAINED in one contract to a ledger, at a price, and unlock it [B3, B4].

    `quantity` may be given to be sure: it must then equal the UNEXPLAINED quantity.
    """

    symbol: str
    price: Decimal
    command: Literal["adopt"] = "adopt"
    to: str = EXTERNAL
    quantity: Decimal | None = None
    con_id: int = 0
    by: str = ""
    reason: str = ""
    run_id: str = ""

    def __post_init__(self) -> None:
        _check_symbol(self.symbol)
        _check_price(self.price)
        if self.quantity is not None:
            _check_finite("quantity", self.quantity)
        if self.to != EXTERNAL:
            check_strategy_id(self.to)


@dataclass(frozen=True, slots=True)
class Transfer:
    """Move a holding from one ledger to another, at a price [A4]; the broker's stays as it is.

    `quantity` is signed as the `from` ledger holds it. The attribute `from_` is `from` in JSON.
    """

    from_: str
    to: str
    quantity: Decimal
    price: Decimal
    symbol: str = ""
    con_id: int = 0
    command: Literal["transfer"] = "transfer"
    by: str = ""
    reason: str = ""
    run_id: str = ""

    def __post_init__(self) -> None:
        _check_named(self.symbol, self.con_id)
        for ledger in (self.from_, self.to):
            if ledger != EXTERNAL:
                check_strategy_id(ledger)
        if self.from_ == self.to:
            raise ValueError(f"to must be another ledger than from, {self.from_}")
        _check_finite("quantity", self.quantity)
        if not self.quantity:
            raise ValueError("quantity must not be 0")
        _check_price(self.price)


@dataclass(frozen=True, slots=True)
class Unlock:
    """Let a contract be traded again, or say what became of an order that nobody knows.

    `outcome` is for such an order, when a reading of the broker still does not know it: `not_sent`
    if it never got there, `cancelled` if it ended there.
    """

    symbol: str = ""
    con_id: int = 0
    order_ref: str = ""
    outcome: Literal["", "not_sent", "cancelled"] = ""
    command: Literal["unlock"] = "unlock"
    by: str = ""
    reason: str = ""
    run_id: str = ""

    def __post_init__(self) -> None:
        if not self.order_ref:
            _check_named(self.symbol, self.con_id)


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """A person confirms that the shares of a contract were split, numerator for denominator [B2].

    2 and 1 for a 2:1 split, 1 and 4 for a reverse split of four shares into one.
    """

    numerator: int
    denominator: int
    symbol: str = ""
    con_id: int = 0
    kind: Literal["split"] = "split"
    command: Literal["corporate_action"] = "corporate_action"
    by: str = ""
    reason: str = ""
    run_id: str = ""

    def __post_init__(self) -> None:
        _check_named(self.symbol, self.con_id)
        for name, number in (("numerator", self.numerator), ("denominator", self.denominator)):
            if not 1 <= number <= RATIO_MAX:
                raise ValueError(f"{name} must be 1 to {RATIO_MAX}, not {number}")
        if self.numerator == self.denominator:
            raise ValueError("numerator and denominator must differ")


@dataclass(frozen=True, slots=True)
class Approve:
    """Carry out what run `run_id` wanted, although so much of what was wanted vanished in it.

    The run is the one refused by `targets_vanished`; approving is a run of its own.
    """

    run_id: str
    command: Literal["approve"] = "approve"
    by: str = ""
    reason: str = ""


type Command = (
    Run
    | Reconcile
    | Allocate
    | Halt
    | ReduceOnly
    | Resume
    | Adopt
    | Transfer
    | Unlock
    | CorporateAction
    | Approve
)

COMMANDS: Final[Mapping[str, type[Command]]] = {
    "run": Run,
    "reconcile": Reconcile,
    "allocate": Allocate,
    "halt": Halt,
    "reduce_only": ReduceOnly,
    "resume": Resume,
    "adopt": Adopt,
    "transfer": Transfer,
    "unlock": Unlock,
    "corporate_action": CorporateAction,
    "approve": Approve,
}


@dataclass(frozen=True, slots=True)
class Report:
    """Something that happened, in one sentence for a person and in fields for a program."""

    kind: Literal["run", "order", "execution", "cross", "refusal", "alert", "state"]
    at: datetime
    mode: Mode
    sentence: str
    run_id: str = ""
    strategy: str = ""
    symbol: str = ""
    con_id: int = 0
    order_ref: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


type Message = Command | Market | Targets | Report

TOPICS: Final[Mapping[type[Message], str]] = {
    **dict.fromkeys(COMMANDS.values(), "commands"),
    Market: "market",
    Targets: "targets",
    Report: "reports",
}
"""Message type -> topic, without the mode."""


def topic_name(topic: str, mode: Mode) -> str:
    """The topic's name on the bus; the modes share none."""
    return f"{topic}-{mode}"


def _check_finite(name: str, number: Decimal) -> None:
    if not number.is_finite():
        raise ValueError(f"{name} must be a finite number, not {number}")
    if number and abs(number.adjusted()) > EXPONENT_MAX:
        raise ValueError(f"{name} must be between 1e-{EXPONENT_MAX} and 1e{EXPONENT_MAX}")


def _check_price(price: Decimal) -> None:
    _check_finite("price", price)
    if price <= 0:
        raise ValueError("price must be above 0")


def _check_named(symbol: str, con_id: int) -> None:
    """A contract is named by its conId, or by a symbol that only one held contract has."""
    if not con_id:
        _check_symbol(symbol)


def _check_aware(name: str, at: datetime | None) -> None:
    if at is not None and at.tzinfo is None:
        raise ValueError(f"{name} must have a time zone")


def _check_symbol(symbol: str) -> None:
    if not symbol or len(symbol) > 32:
        raise ValueError("symbol must have 1 to 32 characters")

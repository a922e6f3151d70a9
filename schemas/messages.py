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
from typing import Final, Literal, Self

from schemas.checks import check_aware, check_finite, check_symbol
from schemas.commands import COMMANDS, Command
from schemas.values import Contract, Mode, check_strategy_id
from schemas.watch import Watch

type Scalar = str | float | int | bool | None

TARGETS_MAX: Final = 500
"""Contracts in one message; more is a mistake, and would not fit a document for the eye."""

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
        check_finite("quantity", self.quantity)
        check_symbol(self.symbol)

    @classmethod
    def of(cls, contract: Contract, quantity: Decimal) -> Self:
        """The target to hold so much of a contract."""
        return cls(
            contract.symbol,
            quantity,
            sec_type=contract.sec_type,
            exchange=contract.exchange,
            currency=contract.currency,
            con_id=contract.con_id,
            primary_exchange=contract.primary_exchange,
            local_symbol=contract.local_symbol,
            last_trade_date=contract.last_trade_date,
            multiplier=contract.multiplier,
        )

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
    hold everything, and carry no targets. Before `together_until` the targets are one intention,
    such as a roll: while one of them cannot be traded, none is; from then on each goes alone.
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
    together_until: datetime | None = None

    def __post_init__(self) -> None:
        check_strategy_id(self.strategy)
        check_aware("as_of", self.as_of)
        check_aware("valid_until", self.valid_until)
        check_aware("together_until", self.together_until)
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
        check_aware("as_of", self.as_of)
        check_aware("valid_until", self.valid_until)
        check_finite("capital", self.capital)


type ReportKind = Literal["run", "order", "execution", "cross", "refusal", "alert", "state"]


@dataclass(frozen=True, slots=True)
class Report:
    """Something that happened, in one sentence for a person and in fields for a program.

    It comes at least once: the same event id is the same report again.
    """

    kind: ReportKind
    at: datetime
    mode: Mode
    sentence: str
    run_id: str = ""
    strategy: str = ""
    symbol: str = ""
    con_id: int = 0
    order_ref: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


type Message = Command | Market | Targets | Report | Watch

TOPICS: Final[Mapping[type[Message], str]] = {
    **dict.fromkeys(COMMANDS.values(), "commands"),
    Market: "market",
    Targets: "targets",
    Report: "reports",
    Watch: "watchdog",
}
"""Message type -> topic, without the mode."""


def topic_name(topic: str, mode: Mode) -> str:
    """The topic's name on the bus; the modes share none."""
    return f"{topic}-{mode}"

"""Every command: what people and schedules say to the gateway.

Fields with defaults may be left out by a person who publishes by hand. `run_id` names the run
document that the command leaves; absent, the message's id does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from schemas.checks import check_finite, check_named, check_price, check_strategies, check_symbol
from schemas.values import EXTERNAL, check_strategy_id

RATIO_MAX: Final = 1000
"""Shares that one share may become, or the other way round, in one split."""


MINUTES_A_DAY: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class Run:
    """Reconcile, ask the strategies named (default: all enabled), net, order."""

    command: Literal["run"] = "run"
    strategies: tuple[str, ...] | None = None
    dry_run: bool = False
    run_id: str = ""

    def __post_init__(self) -> None:
        check_strategies(self.strategies or ())


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
class MarketData:
    """Read the bars of the strategies named (default: all enabled) into Firestore, and check them.

    It trades nothing and works while trading is halted; a strategy that is named may be disabled.
    """

    command: Literal["market_data"] = "market_data"
    strategies: tuple[str, ...] | None = None
    run_id: str = ""

    def __post_init__(self) -> None:
        check_strategies(self.strategies or ())


@dataclass(frozen=True, slots=True)
class Summary:
    """Tell the account's values by currency, positions with profit, working orders, fills."""

    command: Literal["summary"] = "summary"
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class RiskCheck:
    """Hold the losses, the exposure and the working orders against their bounds, and tell."""

    command: Literal["risk_check"] = "risk_check"
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class EodCheck:
    """Before the close: the law, open orders, what each book made; flat if that is configured.

    A dry run says what it would close and remembers nothing. With `minutes_to_close_max` nothing is
    done unless New York's exchange closes within so many minutes, or has closed today and nobody
    has looked: for schedules, which know no holidays and no early closes.
    """

    command: Literal["eod_check"] = "eod_check"
    dry_run: bool = False
    minutes_to_close_max: int | None = None
    run_id: str = ""

    def __post_init__(self) -> None:
        minutes = self.minutes_to_close_max
        if minutes is not None and not 1 <= minutes <= MINUTES_A_DAY:
            raise ValueError(f"minutes_to_close_max must be 1 to {MINUTES_A_DAY}, not {minutes}")


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
    """Trade. Only a person says so.

    With `strategies` it lifts what `close_all` latched for these (or for EXTERNAL), and nothing
    else: neither the trading state nor a reduce-only latch.
    """

    command: Literal["resume"] = "resume"
    strategies: tuple[str, ...] | None = None
    by: str = ""
    reason: str = ""
    run_id: str = ""

    def __post_init__(self) -> None:
        check_strategies([s for s in self.strategies or () if s != EXTERNAL])
        if self.strategies is not None and not self.strategies:
            raise ValueError("strategies must name one, or be left out to set the trading state")


@dataclass(frozen=True, slots=True)
class CloseAll:
    """Sell what all strategies hold, or those named, and keep them closed until `resume`.

    `external` closes what EXTERNAL holds as well; `strategies` may then be empty to close nothing
    else. `force` lets closed books be crossed at a reference price of any age.
    """

    command: Literal["close_all"] = "close_all"
    strategies: tuple[str, ...] | None = None
    external: bool = False
    force: bool = False
    dry_run: bool = False
    by: str = ""
    reason: str = ""
    run_id: str = ""

    def __post_init__(self) -> None:
        check_strategies(self.strategies or ())
        if self.strategies is not None and not (self.strategies or self.external):
            raise ValueError("strategies must name one, or be left out to close all")


@dataclass(frozen=True, slots=True)
class CashBalance:
    """Trade every foreign balance beyond `cash_balance_threshold` back to the base currency."""

    command: Literal["cash_balance"] = "cash_balance"
    dry_run: bool = False
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
        check_symbol(self.symbol)
        check_price(self.price)
        if self.quantity is not None:
            check_finite("quantity", self.quantity)
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
        check_named(self.symbol, self.con_id)
        for ledger in (self.from_, self.to):
            if ledger != EXTERNAL:
                check_strategy_id(ledger)
        if self.from_ == self.to:
            raise ValueError(f"to must be another ledger than from, {self.from_}")
        check_finite("quantity", self.quantity)
        if not self.quantity:
            raise ValueError("quantity must not be 0")
        check_price(self.price)


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
            check_named(self.symbol, self.con_id)


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
        check_named(self.symbol, self.con_id)
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
    | MarketData
    | Summary
    | RiskCheck
    | EodCheck
    | Reconcile
    | Allocate
    | Halt
    | ReduceOnly
    | Resume
    | CloseAll
    | CashBalance
    | Adopt
    | Transfer
    | Unlock
    | CorporateAction
    | Approve
)

COMMANDS: Final[Mapping[str, type[Command]]] = {
    "run": Run,
    "market_data": MarketData,
    "summary": Summary,
    "risk_check": RiskCheck,
    "eod_check": EodCheck,
    "reconcile": Reconcile,
    "allocate": Allocate,
    "halt": Halt,
    "reduce_only": ReduceOnly,
    "resume": Resume,
    "close_all": CloseAll,
    "cash_balance": CashBalance,
    "adopt": Adopt,
    "transfer": Transfer,
    "unlock": Unlock,
    "corporate_action": CorporateAction,
    "approve": Approve,
}

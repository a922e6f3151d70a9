"""An order as the client wrote it, and what the broker knows about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType

from gateway.simulator.market.contracts import Contract

LONG_PAST = datetime(1970, 1, 1, tzinfo=UTC)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
PENDING_CANCEL = "PendingCancel"
"""Status of an order whose cancel waits for the market to open."""
LOCATE = "locate"
"""Why a short sale is held: shares are being looked for."""
TRIGGER = "trigger"
"""Why a stop order is held: its price was not reached."""
CHILD = "child"
"""Why an attached order is held: its parent is not filled; a stop says `child,trigger`."""
REDUCE = 3
"""IB's default way of an OCA group: what trades reduces the others, without block."""

NO_OTHER: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """What an order asks for.

    The attributes are those the broker acts on; `other` holds every further attribute that was
    not empty, by IB's own name and as the client wrote it, to be echoed.
    """

    action: str = "BUY"
    quantity: Decimal = Decimal(0)
    order_type: str = "MKT"
    limit_price: Decimal | None = None
    aux_price: Decimal | None = None
    tif: str = ""
    account: str = ""
    order_ref: str = ""
    transmit: bool = True
    parent_id: int = 0
    outside_rth: bool = False
    algo_strategy: str = ""
    algo_parameters: tuple[tuple[str, str], ...] = ()
    what_if: bool = False
    other: Mapping[str, str] = field(default=NO_OTHER)
    trail_stop_price: Decimal | None = None
    """Where the stop of a trailing order stands; the broker moves it."""
    trailing_percent: Decimal | None = None
    """Distance of a trailing stop in percent of the price; else `aux_price` is the distance."""
    limit_offset: Decimal | None = None
    """By how much a trailing stop limit order may trade beyond its stop."""

    @property
    def oca_group(self) -> str:
        """The group of which one order cancels or reduces the others, empty for none."""
        return self.other.get("ocaGroup", "")

    @property
    def oca_type(self) -> int:
        """1 cancel with block, 2 reduce with block, 3 (and anything else) reduce without block."""
        text = self.other.get("ocaType", "")
        return int(text) if text in {"1", "2"} else REDUCE

    @property
    def side(self) -> int:
        """+1 for an order that buys, -1 for one that sells (SELL, SSHORT, SLONG)."""
        return 1 if self.action == "BUY" else -1


@dataclass(frozen=True, slots=True)
class Margin:
    """One set of margin numbers in the base currency; None is IB's "unset"."""

    initial: Decimal | None = None
    maintenance: Decimal | None = None
    equity_with_loan: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OrderState:
    """What openOrder says about an order beside its terms."""

    status: str
    before: Margin = Margin()
    change: Margin = Margin()
    after: Margin = Margin()
    commission: Decimal | None = None
    commission_min: Decimal | None = None
    commission_max: Decimal | None = None
    commission_currency: str = ""
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Execution:
    """One trade of an order, as IB reports it."""

    execution_id: str
    time: datetime
    exchange: str
    side: str
    quantity: Decimal
    price: Decimal
    quantity_cumulative: Decimal
    price_average: Decimal
    liquidation: int = 0
    """1 when the broker closed the position for want of margin."""


@dataclass(slots=True, eq=False)
class Order:
    """An order at the broker, from its acceptance to its end. Mutable: the broker's own record.

    Two orders are equal when they are the same one.
    """

    order_id: int
    """The client's number for it; 0 for one made by hand that no client was given."""
    client_id: int
    perm_id: int
    contract: Contract
    terms: OrderTerms
    placed_at: datetime
    """When the terms came; bars that began earlier do not count for them."""
    expires_at: datetime
    """When what is left of it ends; `NEVER` for one that is good till cancelled."""
    status: str = "PreSubmitted"
    executions: list[Execution] = field(default_factory=list)
    commission: Decimal | None = None
    commission_currency: str = ""
    completed_at: datetime | None = None
    active_from: datetime = LONG_PAST
    """It does not trade earlier: good-after-time, or the opening it waits for."""
    why_held: str = ""
    """"locate" while shares to sell short are looked for, "trigger" while a stop waits."""
    triggered: bool = False
    """Whether the stop price was reached."""
    filled: Decimal = Decimal(0)
    """Quantity executed so far, unsigned."""
    price_average: Decimal = Decimal(0)
    """Average price of the executions, 0 before the first."""
    margin_reserved: Decimal = Decimal(0)
    """Initial margin that its whole quantity would add."""
    by_hand: bool = False
    """Whether it was made at TWS and not by a client."""
    liquidation: bool = False
    """Whether the broker made it to close a position for want of margin."""
    parent: "Order | None" = None
    """The order it is attached to: it works once that one is filled, and ends if it never is."""
    children: "list[Order]" = field(default_factory=list)
    """The orders attached to it that were transmitted."""
    group_asked: str = ""
    """The OCA group that its client named; attached orders are in their family's instead."""
    trail_stop_asked: Decimal | None = None
    """The trailStopPrice that its client wrote last."""

    @property
    def remaining(self) -> Decimal:
        """Quantity still wanted, unsigned."""
        return self.terms.quantity - self.filled

    @property
    def working(self) -> bool:
        """Whether the order can still trade."""
        return self.completed_at is None

    @property
    def awaits_parent(self) -> bool:
        """Whether it may not work yet, for its parent is not completely filled."""
        return self.parent is not None and self.parent.status != "Filled"

    def turn(self, status: str, why_held: str = "") -> None:
        """Give a working order another status. Raises ValueError for one that has ended."""
        if not self.working:
            raise ValueError(f"order {self.perm_id} has ended: {self.status}")
        self.status, self.why_held = status, why_held

    @property
    def held(self) -> bool:
        """Whether the broker keeps it from the market until it is released."""
        return self.why_held not in {"", TRIGGER}

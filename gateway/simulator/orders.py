"""An order as the client wrote it, and what the broker knows about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from gateway.simulator.contracts import Contract

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


@dataclass(slots=True)
class Order:
    """An order at the broker, from its acceptance to its end. Mutable: the broker's own record."""

    order_id: int
    client_id: int
    perm_id: int
    contract: Contract
    terms: OrderTerms
    placed_at: datetime
    expires_at: datetime
    status: str = "PreSubmitted"
    executions: list[Execution] = field(default_factory=list)
    commission: Decimal | None = None
    completed_at: datetime | None = None

    @property
    def filled(self) -> Decimal:
        """Quantity executed so far, unsigned."""
        return sum((item.quantity for item in self.executions), Decimal(0))

    @property
    def remaining(self) -> Decimal:
        """Quantity still wanted, unsigned."""
        return self.terms.quantity - self.filled

    @property
    def price_average(self) -> Decimal:
        """Average price of the executions, 0 before the first."""
        return self.executions[-1].price_average if self.executions else Decimal(0)

    @property
    def working(self) -> bool:
        """Whether the order can still trade."""
        return self.completed_at is None

"""The commander's whole memory. It changes in one way only: `gateway.core.fold.evolve`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from gateway.core import book
from gateway.core.broker import AccountValues, OrderReport, Terms
from gateway.core.events import NetCause, OpenRun
from gateway.core.prices import Price
from schemas.documents import (
    BrokerPosition,
    Closure,
    ExecutionDocument,
    Latch,
    LedgerDocument,
    Lock,
    OrderDocument,
    StatusDocument,
    TargetsDocument,
)
from schemas.settings import ControlDocument, Settings, StrategyDocument
from schemas.values import EXTERNAL, Mode, TradingState


@dataclass(frozen=True, slots=True)
class Desk:
    """All that the commander knows. Contracts are keyed by conId, ledgers by strategy id."""

    mode: Mode
    epoch: int = 0
    settings: Settings = field(default_factory=Settings)
    strategies: Mapping[str, StrategyDocument] = field(default_factory=dict)
    control: ControlDocument = field(default_factory=ControlDocument)
    locks: Mapping[str, Lock] = field(default_factory=dict)
    reduce_only: Latch | None = None
    closed: Mapping[str, Closure] = field(default_factory=dict)
    status: StatusDocument | None = None
    ledgers: Mapping[str, LedgerDocument] = field(default_factory=lambda: {EXTERNAL: book.EMPTY})
    targets: Mapping[str, TargetsDocument] = field(default_factory=dict)
    orders: Mapping[str, OrderDocument] = field(default_factory=dict)
    foreign: Mapping[str, ExecutionDocument] = field(default_factory=dict)
    strangers: tuple[OrderReport, ...] = ()
    generations: Mapping[int, int] = field(default_factory=dict)
    unlocked: Mapping[int, int] = field(default_factory=dict)
    positions: Mapping[int, BrokerPosition] = field(default_factory=dict)
    values: AccountValues | None = None
    read_at: datetime | None = None
    unexplained: Mapping[int, Decimal] = field(default_factory=dict)
    prices: Mapping[int, Price] = field(default_factory=dict)
    terms: Mapping[int, Terms] = field(default_factory=dict)
    connected: bool = False
    run: OpenRun | None = None
    coalesce_at: datetime | None = None
    coalesce_id: str = ""
    cause: NetCause | None = None
    waiting: tuple[NetCause, ...] = ()

    @property
    def trading_state(self) -> TradingState:
        """The stricter of what people set and what the gateway latched itself."""
        if self.reduce_only is not None and self.control.state is TradingState.ACTIVE:
            return TradingState.REDUCE_ONLY
        return self.control.state

    def open_order(self, con_id: int) -> OrderDocument | None:
        """The one parent of a contract that is not over, if any [N5]."""
        for order in self.orders.values():
            if order.contract.con_id == con_id and order.state != "DONE":
                return order
        return None

    def rate(self, currency: str) -> Decimal | None:
        """What one unit of a currency is worth in the base currency; None if nobody told [M14]."""
        if self.values is None:
            return None
        if currency == self.values.base_currency:
            return Decimal(1)
        rate = self.values.exchange_rates.get(currency)
        return rate if rate is not None and rate > 0 else None

    def position(self, con_id: int) -> Decimal:
        """What the broker holds by all we know: ledgers, EXTERNAL and UNEXPLAINED together [B3]."""
        key = str(con_id)
        known = (ledger.positions.get(key) for ledger in self.ledgers.values())
        explained = sum((p.quantity for p in known if p is not None), Decimal(0))
        return explained + self.unexplained.get(con_id, Decimal(0))

"""What people set, and the gateway only reads: settings, strategies, the trading state."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from schemas.messages import Scalar
from schemas.values import BarSpec, Contract, OrderType, TradingState


@dataclass(frozen=True, slots=True)
class OrderPolicy:
    """How orders of a contract are executed (behaviour 4.7). All who trade it must agree [N5].

    The limit of `LMT`, `LOC` and `MIDPRICE` is the reference price and `Settings`'
    `limit_collar_fraction` beyond it. `adaptive_priority` is for `MKT` alone; empty: a plain market
    order. `good_after_time`, such as `15:45`, is New York's: the broker holds the order until then.
    Raises `ValueError` for what IB refuses: an auction order with another tif than DAY or outside
    regular hours.
    """

    order_type: OrderType = OrderType.MKT
    tif: Literal["DAY", "IOC"] = "DAY"
    adaptive_priority: Literal["", "Urgent", "Normal", "Patient"] = "Normal"
    outside_rth: bool = False
    good_after_time: str = ""

    def __post_init__(self) -> None:
        if self.order_type in AUCTION and (self.tif != "DAY" or self.outside_rth):
            raise ValueError(f"{self.order_type} needs tif DAY and no outside_rth")
        if self.outside_rth and self.order_type is not OrderType.LMT:
            raise ValueError(f"outside_rth needs order_type LMT, not {self.order_type}")
        if self.good_after_time and not TIME_OF_DAY.fullmatch(self.good_after_time):
            raise ValueError(f"good_after_time must be like 15:45, not {self.good_after_time!r}")


AUCTION: Final = (OrderType.MOC, OrderType.LOC)
TIME_OF_DAY: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


@dataclass(frozen=True, slots=True)
class Settings:
    """`config/common`, overlaid by `config/{mode}`: what people may set. Read anew for each run.

    Every bound has a safe default; fractions are of 1, money is in the base currency.
    `external_policy` by symbol: `ignore` trades a contract although EXTERNAL opposes the books
    [B5]. `guard_may_cancel_foreign`: the guard may cancel manual orders too where only a global
    cancel reaches ours [R4]. An empty `symbols_allowed` allows all that `symbols_denied` does
    not name; what reduces may always be ordered. `repeated_orders_max` orders in a row on one side,
    on one New York day, with nothing filled lock their contract. A reference price counts for
    nothing that grows where it is `price_jump_fraction_max` away from the last finished bar's
    close, or where the quote it is the middle of is wider than `spread_fraction_max` of it.
    """

    exposure_overall: Decimal = Decimal("0.9")
    exposure_gross_max: Decimal = Decimal(1)
    fresh_minutes: int = 60
    answer_seconds: int = 60
    coalesce_seconds: int = 2
    snapshot_age_seconds_max: int = 120
    quote_age_seconds_max: int = 3600
    rebalance_band: Decimal = Decimal("0.01")
    order_notional_min: Decimal = Decimal(100)
    order_notional_max: Decimal = Decimal(1_000_000)
    order_quantity_max: Decimal = Decimal(10_000)
    position_notional_max: Decimal = Decimal(2_000_000)
    book_notional_max: Decimal = Decimal(1_000_000)
    repeated_orders_max: int = 3
    sec_types_allowed: tuple[str, ...] = ("STK",)
    symbols_allowed: tuple[str, ...] = ()
    symbols_denied: tuple[str, ...] = ()
    margin_cushion_fraction: Decimal = Decimal("0.1")
    exposure_net_max: Decimal = Decimal(1)
    orders_per_run_max: int = 50
    orders_per_day_max: int = 500
    turnover_per_day_max: Decimal = Decimal(4)
    daily_loss_fraction_max: Decimal = Decimal("0.05")
    drawdown_fraction_max: Decimal = Decimal("0.2")
    shrink_fraction_max: Decimal = Decimal("0.75")
    delayed_data_allowed: bool = False
    short_allowed: bool = True
    order_policy: OrderPolicy = field(default_factory=OrderPolicy)
    limit_collar_fraction: Decimal = Decimal("0.01")
    price_jump_fraction_max: Decimal = Decimal("0.25")
    spread_fraction_max: Decimal = Decimal("0.05")
    external_policy: Mapping[str, Literal["refuse", "ignore"]] = field(default_factory=dict)
    guard_may_cancel_foreign: bool = False


@dataclass(frozen=True, slots=True)
class StrategyDocument:
    """`strategies/{id}`: whether a strategy takes part, with how much, and what it reads.

    `weight` is its share of the deployed capital; absent it is a configuration error, never 0.
    With weight 0, or `flatten`, it holds nothing, whatever it says [N2].
    The limits stand beside those in `Settings`, for its own share of orders and its own book: the
    stricter one holds, and None leaves `Settings`' alone. So does `order_policy`; the policies of
    two strategies that trade the same contract must be the same [N5].
    """

    enabled: bool = False
    weight: Decimal | None = None
    flatten: bool = False
    priority: int = 0
    universe: tuple[Contract, ...] = ()
    bars: BarSpec | None = None
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    order_notional_max: Decimal | None = None
    position_notional_max: Decimal | None = None
    short_allowed: bool | None = None
    order_policy: OrderPolicy | None = None


@dataclass(frozen=True, slots=True)
class ControlDocument:
    """`control/{mode}`: the trading state that people set, by whom, why, since when."""

    state: TradingState = TradingState.HALTED
    by: str = ""
    reason: str = ""
    since: datetime | None = None

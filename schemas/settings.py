"""What people set, and the gateway only reads: settings, strategies, the trading state."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from schemas.bounds import (
    Count,
    Days,
    Fraction,
    Minutes,
    Money,
    Multiple,
    Quantity,
    Seconds,
    Turnover,
    Weight,
)
from schemas.messages import Scalar
from schemas.values import BarSpec, Contract, OrderType, TradingState


@dataclass(frozen=True, slots=True)
class OrderPolicy:
    """How orders of a contract are executed (behaviour 4.7). All who trade it must agree [N5].

    Raises `ValueError` for what IB refuses: an auction order with another tif than DAY or outside
    regular hours.
    """

    order_type: OrderType = OrderType.MKT
    """The limit of LMT, LOC and MIDPRICE is the reference price and `limit_collar_fraction` beyond
    it. MOC and LOC trade in the closing auction."""

    tif: Literal["DAY", "IOC"] = "DAY"
    """How long the order works: the day, or only at once. MOC and LOC need DAY."""

    adaptive_priority: Literal["", "Urgent", "Normal", "Patient"] = "Normal"
    """IB's Adaptive algorithm, for MKT with DAY alone; empty: a plain market order."""

    outside_rth: bool = False
    """Whether the order may fill outside regular hours, for LMT alone."""

    good_after_time: str = ""
    """A time in New York, such as `15:45`: the broker holds the order until then."""

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

    Every bound has a safe default; fractions are of 1, money is in the base currency. A field that
    `config/{mode}` has takes the place of that in `config/common`, whole. `docs/configuration.md`
    is made of what stands here.
    """

    exposure_overall: Multiple = Decimal("0.9")
    """How much of net liquidation the strategies together may deploy; each gets its `weight` of it.
    """

    exposure_gross_max: Multiple = Decimal(1)
    """All that is held may be worth so much, longs and shorts added up, EXTERNAL included; the
    weights may not sum to more."""

    fresh_minutes: Minutes = 60
    """How long targets count that name no `valid_until`; later they are held, not traded toward
    [N2]."""

    answer_seconds: Seconds = 60
    """How long a run waits for the strategies that it asked [N1a]."""

    coalesce_seconds: Seconds = 2
    """How long unasked targets wait for others before they are netted [N1c]."""

    snapshot_age_seconds_max: Seconds = 120
    """Nothing is ordered on positions that were read longer ago."""

    quote_age_seconds_max: Seconds = 3600
    """Nothing grows and nothing is crossed on a reference price that is older [N4]."""

    rebalance_band: Fraction = Decimal("0.01")
    """A change that is smaller, as a part of what is wanted, is not traded; a close to 0 always is
    [N9]."""

    order_notional_min: Money = Decimal(100)
    """A change worth less is not traded; a close to 0 always is [N9]."""

    order_notional_max: Money = Decimal(1_000_000)
    """No increasing order is worth more."""

    order_quantity_max: Quantity = Decimal(10_000)
    """No increasing order is for more."""

    position_notional_max: Money = Decimal(2_000_000)
    """No order leads to a position worth more in one contract, at the broker."""

    book_notional_max: Money = Decimal(1_000_000)
    """No order leads to a book worth more in one contract."""

    repeated_orders_max: Count = 3
    """So many orders in a row on one side, on one New York day, with nothing filled, lock their
    contract until `unlock`."""

    sec_types_allowed: tuple[str, ...] = ("STK",)
    """What may grow, in IB's words: STK, FUT, ..."""

    symbols_allowed: tuple[str, ...] = ()
    """What may grow; empty allows all that `symbols_denied` does not name. What reduces may always
    be ordered."""

    symbols_denied: tuple[str, ...] = ()
    """What may not grow, also where `symbols_allowed` names it."""

    margin_cushion_fraction: Fraction = Decimal("0.1")
    """What part of equity with loan must stay free of margin after an increasing order."""

    exposure_net_max: Multiple = Decimal(1)
    """All that is held may be worth so much on one side, longs less shorts."""

    orders_per_run_max: Count = 50
    """No net has more orders."""

    orders_per_day_max: Count = 500
    """No New York day has more orders."""

    turnover_per_day_max: Turnover = Decimal(4)
    """No New York day has orders worth more together."""

    daily_loss_fraction_max: Fraction = Decimal("0.05")
    """A loss of more, as a part of the equity at the day's start, allows only what reduces until
    `resume`."""

    drawdown_fraction_max: Fraction = Decimal("0.2")
    """The same for a loss since the highest equity so far."""

    shrink_fraction_max: Fraction = Decimal("0.75")
    """A net by which all that the strategies hold would shrink by more waits for `approve`."""

    delayed_data_allowed: bool = False
    """Whether prices may be delayed ones; in paper only."""

    short_allowed: bool = True
    """Whether a book and the broker's position may be below 0."""

    order_policy: OrderPolicy = field(default_factory=OrderPolicy)
    """How orders are executed; a strategy may say its own [N5]. It is said whole: one in
    `config/{mode}` or `strategies/{id}` takes nothing from another."""

    limit_collar_fraction: Fraction = Decimal("0.01")
    """How far beyond the reference price the limit of LMT, LOC and MIDPRICE lies."""

    price_jump_fraction_max: Fraction = Decimal("0.25")
    """A reference price that is further from the last finished bar's close counts for nothing that
    grows."""

    spread_fraction_max: Fraction = Decimal("0.05")
    """A quote that is wider, as a part of its middle, counts for nothing that grows."""

    external_policy: Mapping[str, Literal["refuse", "ignore"]] = field(default_factory=dict)
    """By symbol: `ignore` trades a contract although EXTERNAL opposes the books [B5]."""

    guard_may_cancel_foreign: bool = False
    """Whether the guard may cancel manual orders too, where only a global cancel reaches ours [R4].
    """

    cash_balance_threshold: Money = Decimal(5000)
    """`cash_balance` trades a foreign balance that is worth more back to the base currency."""

    stuck_order_minutes: Minutes = 30
    """How long an order may work before `risk_check` calls it stuck."""

    expiry_warning_days: Days = 5
    """From so many days before its last day of trading on, `risk_check` tells what is still held
    of a contract that expires. IB does not tell first notice days: more, for what is delivered in
    kind."""

    enforce_flat_eod: bool = False
    """Whether `eod_check` closes all books."""


@dataclass(frozen=True, slots=True)
class StrategyDocument:
    """`strategies/{id}`: whether a strategy takes part, with how much, and what it reads.

    The limits stand beside those in `Settings`, for its own share of orders and its own book: the
    stricter one holds, and None leaves `Settings`' alone. So does `order_policy`; the policies of
    two strategies that trade the same contract must be the same [N5].
    """

    enabled: bool = False
    """Whether it is asked and traded; what a strategy that is not enabled holds is held [N2]."""

    weight: Weight | None = None
    """Its share of the deployed capital; 0: it holds nothing. null is a configuration error, never
    0 [N2]. The weights of all enabled strategies sum to `exposure_gross_max` at most."""

    flatten: bool = False
    """Whether it is to hold nothing, whatever it says [N2]."""

    priority: int = 0
    """Whose orders get margin first: the highest number's."""

    universe: tuple[Contract, ...] = ()
    """The contracts whose bars it is given, in IB's terms: `{"symbol": "SPY"}`, and where need be
    sec_type, exchange, currency, last_trade_date, ... Without any it is never asked."""

    bars: BarSpec | None = None
    """Which bars of them; needed where there is a universe."""

    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    """What its function reads, typed there; what is not set, the function's own defaults decide."""

    order_notional_max: Money | None = None
    """No increasing order has a share of its that is worth more."""

    position_notional_max: Money | None = None
    """No order leads its book to be worth more in one contract."""

    short_allowed: bool | None = None
    """Whether its book may be below 0."""

    order_policy: OrderPolicy | None = None
    """How its orders are executed, whole; null: as the settings say [N5]."""


@dataclass(frozen=True, slots=True)
class ControlDocument:
    """`control/{mode}`: the trading state that people set, by whom, why, since when."""

    state: TradingState = TradingState.HALTED
    """What may be ordered: everything, only what reduces, or nothing. Absent it is halted."""

    by: str = ""
    """Who set it."""

    reason: str = ""
    """Why, in their words."""

    since: datetime | None = None
    """Since when."""


MOVED: Final[Mapping[type, Mapping[str, str]]] = {
    Settings: {
        "adaptive_priority": "order_policy.adaptive_priority",
        "adaptivePriority": "order_policy.adaptive_priority",
        "defaultOrderType": "order_policy.order_type",
        "defaultOrderTif": "order_policy.tif",
        "exposure": "exposure_overall, with each weight in strategies/{id},",
        "marketDataType": "delayed_data_allowed",
        "tradingEnabled": "state in control/{mode}",
        "trading_enabled": "state in control/{mode}",
    },
    StrategyDocument: {"capital_allocation": "weight"},
}
"""Fields of earlier versions, and of the system before this one, and where they are now."""

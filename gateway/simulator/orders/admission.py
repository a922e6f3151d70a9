"""Whether the broker accepts an order: an ordered table of small rules, each with IB's code.

An attribute that would change how an order trades and is not simulated is refused by name: an
order must never trade otherwise than its writer asked without being told. Texts: IB's message
codes page; what is sent as IB's 201 or 321 with our own reason says "this simulator".
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gateway.simulator.market.contracts import FOREX, STOCK, Listing
from gateway.simulator.market.market import Market
from gateway.simulator.notices import (
    FRACTIONAL,
    OFF_TICK,
    UNSUPPORTED_TYPE,
    Refusal,
    invalid,
    rejected,
)
from gateway.simulator.orders.order_times import auction_closed, life_of
from gateway.simulator.orders.order_types import ELSEWHERE, ORDER_TYPES, Need, OrderType
from gateway.simulator.orders.orders import OrderTerms
from gateway.simulator.orders.trailing import objection as trailing_objection
from gateway.simulator.requests import QUANTITY_MAX

ACTIONS = frozenset({"BUY", "SELL", "SSHORT"})
PRICE_MAX = Decimal(10_000_000)
"""Highest price taken seriously."""
TIMES_IN_FORCE = frozenset({"DAY", "GTC", "IOC", "GTD", "OPG"})
ALGO_STRATEGIES = frozenset({"", "Adaptive"})
LAST_PRICE_METHODS = frozenset({"", "0", "2"})
"""IB's trigger methods: by default, which is the last price for what is traded here, and that."""
NOT_SIMULATED = (
    "hedgeType",
    "discretionaryAmt",
    "percentOffset",
    "scalePriceIncrement",
    "cashQty",
    "adjustedOrderType",
    "deltaNeutralOrderType",
    "deltaNeutral",
    "allOrNone",
    "minQty",
    "conditionCount",
    "faGroup",
    "modelCode",
    "notHeld",
    "duration",
    "minTradeQty",
    "autoCancelParent",
    "activeStartTime",
    "activeStopTime",
    "scaleTable",
    "scaleInitLevelSize",
    "scaleSubsLevelSize",
    "isOmsContainer",
    "secId",
)
"""Attributes of IB's that are refused when they are set."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An order that asks to be accepted, with all that the rules look at."""

    listing: Listing
    terms: OrderTerms
    account_id: str
    market: Market
    now: datetime
    changing: bool = False
    """Whether it is new terms for an order that works."""

    @property
    def kind(self) -> OrderType:
        """The row of its type; only asked once the type is known."""
        return ORDER_TYPES[self.terms.order_type]


Rule = Callable[[Candidate], Refusal | None]


def refusal(candidate: Candidate) -> Refusal | None:
    """The first rule's objection, or None."""
    for rule in RULES:
        objection = rule(candidate)
        if objection is not None:
            return objection
    return None


def price_off_tick(price: Decimal | None, candidate: Candidate) -> Refusal | None:
    """Error 110 for a price that is off the market rule of the contract."""
    if price is None or candidate.market.conforms(price, candidate.listing):
        return None
    return OFF_TICK


def _not_simulated(what: str) -> Refusal:
    return rejected(f"{what} is not supported by this simulator")


def _known_action(candidate: Candidate) -> Refusal | None:
    action = candidate.terms.action
    return None if action in ACTIONS else invalid(f"Invalid action '{action[:20]}'")


def _own_account(candidate: Candidate) -> Refusal | None:
    account = candidate.terms.account
    if account in {"", candidate.account_id}:
        return None
    return invalid(f"Invalid account code '{account[:40]}'")


def _sensible_quantity(candidate: Candidate) -> Refusal | None:
    quantity = candidate.terms.quantity
    if quantity == 0:
        return Refusal(434, "The order size cannot be zero.")
    if quantity < 0 or quantity > QUANTITY_MAX:
        return invalid(f"The order quantity {quantity} is not between 1 and {QUANTITY_MAX}")
    return None


def _whole_units(candidate: Candidate) -> Refusal | None:
    """10243 and 10242 for shares; futures and currencies do not come in fractions at all: 10245."""
    quantity = candidate.terms.quantity
    if quantity == quantity.to_integral_value():
        return None
    if candidate.listing.security_type != STOCK:
        return Refusal(10245, "Fractional-sized order is not supported for this instrument.")
    if candidate.changing:
        return Refusal(10242, "Fractional-sized order cannot be modified via API.")
    return FRACTIONAL


def _known_type(candidate: Candidate) -> Refusal | None:
    order_type = candidate.terms.order_type
    if order_type in ELSEWHERE:
        return _not_simulated(f"order type '{order_type}'")
    return None if order_type in ORDER_TYPES else UNSUPPORTED_TYPE


def _type_for_contract(candidate: Candidate) -> Refusal | None:
    fits = candidate.listing.security_type in candidate.kind.securities
    return None if fits else UNSUPPORTED_TYPE


def _known_time_in_force(candidate: Candidate) -> Refusal | None:
    tif = candidate.terms.tif
    return None if tif in TIMES_IN_FORCE else _not_simulated(f"time in force '{tif[:20]}'")


def _time_in_force_for_type(candidate: Candidate) -> Refusal | None:
    if candidate.terms.tif in candidate.kind.times_in_force:
        return None
    if candidate.kind.auction:
        return Refusal(113, "The Tif option should be set to DAY for MOC and LOC orders.")
    return Refusal(111, "The TIF (Tif type) and the order type are incompatible.")


def _known_algo(candidate: Candidate) -> Refusal | None:
    algo = candidate.terms.algo_strategy
    if algo not in ALGO_STRATEGIES:
        return _not_simulated(f"algo strategy '{algo[:20]}'")
    fits = candidate.kind.algo and candidate.listing.security_type != FOREX
    return None if fits or not algo else UNSUPPORTED_TYPE


def _trail_given(candidate: Candidate) -> Refusal | None:
    """A trailing order has one distance; no other order has any, or a stop that moves."""
    terms = candidate.terms
    if candidate.kind.trails:
        return trailing_objection(terms) or _sensible_trail(terms)
    names = {"trailStopPrice": terms.trail_stop_price, "trailingPercent": terms.trailing_percent}
    given = [name for name, value in names.items() if value is not None]
    return _not_simulated(f"attribute {given[0]} of {terms.order_type}") if given else None


def _sensible_trail(terms: OrderTerms) -> Refusal | None:
    numbers = {
        "trailing amount": terms.aux_price,
        "trail stop price": terms.trail_stop_price,
    }
    for name, number in numbers.items():
        if number is not None and (objection := _sensible_price(number, name)):
            return objection
    offset = terms.limit_offset
    if offset is not None and abs(offset) > PRICE_MAX:
        return invalid(f"The limit price offset is above {PRICE_MAX}")
    return None


def _nothing_ignored(candidate: Candidate) -> Refusal | None:
    set_names = [name for name in NOT_SIMULATED if name in candidate.terms.other]
    return _not_simulated(f"attribute {set_names[0]}") if set_names else None


def _trigger_by_last_price(candidate: Candidate) -> Refusal | None:
    """Bars tell of trades: a stop cannot be triggered by bid and ask, or by two prices."""
    method = candidate.terms.other.get("triggerMethod", "")
    if not candidate.kind.waits or method in LAST_PRICE_METHODS:
        return None
    return _not_simulated(f"triggerMethod {method}")


def _limit_given(candidate: Candidate) -> Refusal | None:
    kind, price = candidate.kind, candidate.terms.limit_price
    if kind.limit is Need.IGNORED or (price is None and kind.limit is Need.ALLOWED):
        return None
    return _sensible_price(price, "limit")


def _stop_given(candidate: Candidate) -> Refusal | None:
    if candidate.kind.stop is Need.IGNORED:
        return None
    return _sensible_price(candidate.terms.aux_price, "stop")


def _sensible_price(price: Decimal | None, which: str) -> Refusal | None:
    if price is None or price <= 0:
        return invalid(f"The order needs a {which} price above 0")
    return invalid(f"The {which} price is above {PRICE_MAX}") if price > PRICE_MAX else None


def _limit_on_tick(candidate: Candidate) -> Refusal | None:
    if candidate.kind.limit is Need.IGNORED:
        return None
    return price_off_tick(candidate.terms.limit_price, candidate)


def _stop_on_tick(candidate: Candidate) -> Refusal | None:
    if candidate.kind.trails:
        return price_off_tick(candidate.terms.trail_stop_price, candidate)
    if candidate.kind.stop is Need.IGNORED:
        return None
    return price_off_tick(candidate.terms.aux_price, candidate)


def _sensible_times(candidate: Candidate) -> Refusal | None:
    """Error 337 for a good-till-date or good-after-time that is none, or that is over."""
    terms = candidate.terms
    try:
        life = life_of(terms, candidate.listing, candidate.market, candidate.now)
    except ValueError:
        text = (
            "The date, time, or time-zone entered is invalid. The correct format is "
            "yyyymmdd hh:mm:ss xx/xxxx where yyyymmdd and xx/xxxx are optional."
        )
        return Refusal(337, text)
    if life.expires_at <= max(candidate.now, life.active_from) and terms.tif != "OPG":
        return rejected("the order would end before it could begin")
    return None


def _auction_still_open(candidate: Candidate) -> Refusal | None:
    late = auction_closed(candidate.terms, candidate.listing, candidate.market, candidate.now)
    return rejected("the cut-off time for the closing auction has passed") if late else None


RULES: tuple[Rule, ...] = (
    _known_action,
    _own_account,
    _sensible_quantity,
    _whole_units,
    _known_type,
    _type_for_contract,
    _known_time_in_force,
    _time_in_force_for_type,
    _known_algo,
    _nothing_ignored,
    _trail_given,
    _trigger_by_last_price,
    _limit_given,
    _stop_given,
    _limit_on_tick,
    _stop_on_tick,
    _sensible_times,
    _auction_still_open,
)

"""Whether the broker accepts an order: an ordered table of small rules, each with IB's code.

An attribute that would change how an order trades and is not simulated is refused by name: an
order must never trade otherwise than its writer asked without being told.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from gateway.simulator.contracts import Listing
from gateway.simulator.orders import OrderTerms
from gateway.simulator.requests import QUANTITY_MAX

ACTIONS = frozenset({"BUY", "SELL", "SSHORT"})
ORDER_TYPES = frozenset({"MKT", "LMT"})
PRICE_MAX = Decimal(10_000_000)
"""Highest limit price taken seriously."""
TIMES_IN_FORCE = frozenset({"", "DAY", "GTC"})
ALGO_STRATEGIES = frozenset({"", "Adaptive"})
NOT_SIMULATED = (
    "ocaGroup",
    "goodAfterTime",
    "goodTillDate",
    "hedgeType",
    "discretionaryAmt",
    "percentOffset",
    "trailStopPrice",
    "trailingPercent",
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
)
"""Attributes of IB's that are refused when they are set."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an order is not accepted, with IB's error code."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """An order that asks to be accepted."""

    listing: Listing
    terms: OrderTerms
    account_id: str


Rule = Callable[[Candidate], Refusal | None]


def refusal(candidate: Candidate) -> Refusal | None:
    """The first rule's objection, or None."""
    for rule in RULES:
        objection = rule(candidate)
        if objection is not None:
            return objection
    return None


def price_off_tick(price: Decimal | None, listing: Listing) -> Refusal | None:
    """Error 110 for a price that is no multiple of the contract's tick."""
    if price is None or price % listing.tick == 0:
        return None
    text = "The price does not conform to the minimum price variation for this contract."
    return Refusal(110, text)


def _known_action(candidate: Candidate) -> Refusal | None:
    action = candidate.terms.action
    return None if action in ACTIONS else _invalid(f"Invalid action '{action[:20]}'")


def _own_account(candidate: Candidate) -> Refusal | None:
    account = candidate.terms.account
    if account in {"", candidate.account_id}:
        return None
    return _invalid(f"Invalid account code '{account[:40]}'")


def _sensible_quantity(candidate: Candidate) -> Refusal | None:
    quantity = candidate.terms.quantity
    if quantity == 0:
        return Refusal(434, "The order size cannot be zero.")
    if quantity < 0 or quantity > QUANTITY_MAX:
        return _invalid(f"The order quantity {quantity} is not between 1 and {QUANTITY_MAX}")
    return None


def _whole_shares(candidate: Candidate) -> Refusal | None:
    quantity = candidate.terms.quantity
    if quantity == quantity.to_integral_value():
        return None
    return Refusal(10243, "Fractional-sized order cannot be placed via API.")


def _known_type(candidate: Candidate) -> Refusal | None:
    order_type = candidate.terms.order_type
    return None if order_type in ORDER_TYPES else _rejected(f"order type '{order_type[:20]}'")


def _known_time_in_force(candidate: Candidate) -> Refusal | None:
    tif = candidate.terms.tif
    return None if tif in TIMES_IN_FORCE else _rejected(f"time in force '{tif[:20]}'")


def _known_algo(candidate: Candidate) -> Refusal | None:
    algo = candidate.terms.algo_strategy
    return None if algo in ALGO_STRATEGIES else _rejected(f"algo strategy '{algo[:20]}'")


def _no_bracket(candidate: Candidate) -> Refusal | None:
    terms = candidate.terms
    held = terms.parent_id or not terms.transmit
    return _rejected("parentId and transmit=0") if held else None


def _nothing_ignored(candidate: Candidate) -> Refusal | None:
    set_names = [name for name in NOT_SIMULATED if name in candidate.terms.other]
    return _rejected(f"attribute {set_names[0]}") if set_names else None


def _limit_given(candidate: Candidate) -> Refusal | None:
    terms = candidate.terms
    if terms.order_type != "LMT" or (terms.limit_price is not None and terms.limit_price > 0):
        return None
    return _invalid("A limit order needs a limit price above 0")


def _sensible_limit(candidate: Candidate) -> Refusal | None:
    limit = candidate.terms.limit_price
    if candidate.terms.order_type == "LMT" and limit is not None and limit > PRICE_MAX:
        return _invalid(f"The limit price is above {PRICE_MAX}")
    return None


def _limit_on_tick(candidate: Candidate) -> Refusal | None:
    if candidate.terms.order_type != "LMT":
        return None
    return price_off_tick(candidate.terms.limit_price, candidate.listing)


def _invalid(text: str) -> Refusal:
    return Refusal(321, f"Error validating request.-'sim' : cause - {text}")


def _rejected(what: str) -> Refusal:
    return Refusal(201, f"Order rejected - reason:{what} is not supported by this simulator")


RULES: tuple[Rule, ...] = (
    _known_action,
    _own_account,
    _sensible_quantity,
    _whole_shares,
    _known_type,
    _known_time_in_force,
    _known_algo,
    _no_bracket,
    _nothing_ignored,
    _limit_given,
    _sensible_limit,
    _limit_on_tick,
)

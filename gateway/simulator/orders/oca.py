"""One cancels all: what a trade, a cancel or a change of one order means for its group.

A group is a text, `ocaGroup`, that orders of any client and contract of the account share. The
type of the order that trades decides (IB leaves open what a group of different types does):

| ocaType | what a partial fill does to the others | a complete fill |
|---|---|---|
| 1 cancel with block | cancels them | cancels them |
| 2 reduce with block, 3 reduce without (the default) | reduces them in proportion | cancels them |

- Reduction is in proportion to what the order that trades had left, rounded down to whole units: a
  group never trades more than its writer asked (IBKR Campus, glossary "One-Cancels-All").
- A cancel by its client cancels the others; an order that is rejected, expires or is cancelled by
  the system leaves them alone (the same page).
- A name is used up once its group is filled: 201 "OCA group is already filled." (seen in
  QuantConnect's live tests of OCA groups).
- Block means that IB routes one order of the group at a time. Here the others hear of a trade
  before anything else happens, so no type ever overfills; at IB type 3 can, when two orders trade
  at the same moment.
- When the same bar reaches several orders of a group, stops come before limits: within a bar nobody
  knows which price came first, and the worse one for the account is assumed. Equals go in the order
  of their arrival.
- Orders attached to one parent are a group of their own, named by the parent's permanent id, of
  type 3 unless they say another (recorded: openOrder shows `ocaGroup='1438599821', ocaType=3`).
- The group is a matter of placing. A change may leave it out or repeat it as openOrder shows it;
  another group is refused with 10326, another type with 10327, and the order stays as it was
  (nautilus_trader #2978; what is left out reads as type 3).
"""

from collections.abc import Iterable
from decimal import ROUND_FLOOR, Decimal

from gateway.simulator.notices import OTHER_GROUP, OTHER_GROUP_TYPE, Refusal
from gateway.simulator.orders.order_types import ORDER_TYPES
from gateway.simulator.orders.orders import Order, OrderTerms

CANCEL_WITH_BLOCK = 1
ZERO = Decimal(0)


def others_end(order: Order) -> bool:
    """Whether what an order traded so far ends the others of its group."""
    return not order.remaining or (order.terms.oca_type == CANCEL_WITH_BLOCK and order.filled > 0)


def is_filled(members: Iterable[Order]) -> bool:
    """Whether the group of these orders is over, so that nobody can join it."""
    return any(order.filled and others_end(order) for order in members)


def left_after(trader: Order, traded: Decimal, other: Order) -> Decimal:
    """What is left of another order of the group after a trade, in whole units, unsigned."""
    before = trader.remaining + traded
    return (other.remaining * trader.remaining / before).to_integral_value(ROUND_FLOOR)


def in_turn(orders: list[Order]) -> list[Order]:
    """The orders as they meet a bar: as they came, but in each group stops before limits."""
    groups: dict[str, list[Order]] = {}
    for order in orders:
        if order.terms.oca_group:
            groups.setdefault(order.terms.oca_group, []).append(order)
    turns = {name: iter(sorted(members, key=_turn)) for name, members in groups.items()}
    return [
        next(turns[order.terms.oca_group]) if order.terms.oca_group else order for order in orders
    ]


def together(orders: Iterable[Order]) -> Decimal:
    """The most that these orders can trade together: of each group only one, unsigned."""
    total, groups = ZERO, dict[str, Decimal]()
    for order in orders:
        name = order.terms.oca_group
        if name:
            groups[name] = max(groups.get(name, ZERO), order.remaining)
        else:
            total += order.remaining
    return total + sum(groups.values(), ZERO)


def objection_to_change(old: OrderTerms, new: OrderTerms) -> Refusal | None:
    """Why new terms cannot be: they name another group, or another type of group."""
    if new.oca_group not in {"", old.oca_group}:
        return OTHER_GROUP
    return OTHER_GROUP_TYPE if new.oca_type != old.oca_type else None


def _turn(order: Order) -> bool:
    return not ORDER_TYPES[order.terms.order_type].waits

"""Attached orders: what waits for what, and what was not transmitted yet.

    held at the gateway --a member of the family is transmitted--> PreSubmitted, whyHeld child
    PreSubmitted child --its parent is completely filled--> works
                       --its parent ends otherwise--------> Cancelled, 202

- `transmit=0` keeps an order at the gateway: it has a permanent id, but nobody is told of it, it is
  in no list of open orders, and a cancel answers 202 "Order was discarded" and 161 (rust-ibapi,
  docs/wire-facts/orders.md, seen on a paper gateway). It outlives its client's connection and is
  gone when the gateway restarts (ib_insync #346, #416); at the latest at New York midnight, for a
  gateway restarts once a day.
- The first member sent with `transmit=1` takes all of its family along: parents, siblings, their
  children (IB, "Bracket Orders"). Parents come first, then in the order of arrival.
- A child works once its parent is *completely* filled (IB, "Order Submission", attached orders:
  "Once the parent order is completely filled, its children will automatically become active").
  A parent that was filled in part and then cancelled leaves a position without its exits; so it is
  at IB by these words.
- An unknown parent is 10006. A parent that has ended, filled or not, takes no child any more: 201
  "Parent order is being cancelled." (reported by many who attach exits after the fill).
- A change keeps the parent: it leaves `parentId` out or repeats it. Another one is 10341; one that
  the gateway has forgotten is 135, and the order stays as it was (ib_insync #647).
"""

from dataclasses import dataclass, replace

from gateway.simulator.notices import (
    MISSING_PARENT,
    OTHER_PARENT,
    PARENT_ENDS,
    Refusal,
    not_found,
    rejected,
)
from gateway.simulator.orders.orders import PENDING_CANCEL, REDUCE, Order, OrderTerms

DRAFTS_MAX = 100
"""Most orders that wait for transmission, of all clients together."""
TOO_MANY = rejected(f"more than {DRAFTS_MAX} orders wait for their transmission")
TWO_GROUPS = rejected(
    "children of one parent in different OCA groups are not supported by this simulator"
)
Key = tuple[int, int]


@dataclass(slots=True)
class Draft:
    """An order on its way to the market: what is said when it gets there, and why it is held."""

    order: Order
    said: list[Refusal]
    held: str = ""

    @property
    def key(self) -> Key:
        """Whose order it is, and its id."""
        return self.order.client_id, self.order.order_id


class Drafts:
    """Orders that their clients have not transmitted, in the order of their arrival."""

    def __init__(self) -> None:
        self._drafts: dict[Key, Draft] = {}

    def __len__(self) -> int:
        return len(self._drafts)

    def get(self, client_id: int, order_id: int) -> Draft | None:
        """The draft with this id of this client."""
        return self._drafts.get((client_id, order_id))

    def keep(self, draft: Draft) -> None:
        """Hold an order back; one with the same id keeps its place."""
        self._drafts[draft.key] = draft

    def take_family(self, draft: Draft) -> list[Draft]:
        """All that goes to the market with this order, parents first; they are no drafts then."""
        self.keep(draft)
        return self._take(_eldest(draft.order, self._drafts))

    def discard(self, draft: Draft) -> list[Draft]:
        """Forget a draft and those attached to it, parents first; returns them."""
        return self._take([draft.order])

    def clear(self) -> list[Draft]:
        """Forget all of them; returns them."""
        gone, self._drafts = list(self._drafts.values()), {}
        return gone

    def _take(self, roots: list[Order]) -> list[Draft]:
        """Take drafts out, generation by generation; a root itself may be no draft."""
        taken, generation = list[Draft](), roots
        while generation:
            found = [each for order in generation if (each := self._drafts.pop(_key(order), None))]
            taken += found
            parents = {id(order) for order in generation}
            generation = [
                each.order for each in self._drafts.values() if id(each.order.parent) in parents
            ]
        return taken


def objection_to_parent(parent: Order | None, terms: OrderTerms) -> Refusal | None:
    """Why a new order cannot be attached to this one."""
    if not terms.parent_id:
        return None
    if parent is None:
        return MISSING_PARENT
    if not parent.working or parent.status == PENDING_CANCEL:
        return PARENT_ENDS
    named = {child.group_asked for child in parent.children} - {""}
    return TWO_GROUPS if terms.oca_group and named - {terms.oca_group} else None


def objection_to_change(order: Order, asked: OrderTerms, parent_known: bool) -> Refusal | None:
    """Why new terms cannot be: they name another parent, or one that nobody knows any more."""
    if not asked.parent_id:
        return None
    if asked.parent_id != order.terms.parent_id:
        return OTHER_PARENT
    return None if parent_known else not_found(asked.parent_id)


def attach(order: Order, parent: Order) -> None:
    """Make an order that goes to the market a child of its parent, in the family's own group."""
    order.parent = parent
    order.group_asked = order.terms.oca_group
    other = {**order.terms.other, "ocaGroup": str(parent.perm_id)}
    other.setdefault("ocaType", str(REDUCE))
    order.terms = replace(order.terms, other=other)
    parent.children.append(order)


def tied(order: Order, terms: OrderTerms) -> OrderTerms:
    """New terms with the parent and the group that the order was placed with."""
    own = order.terms
    if not (own.parent_id or own.oca_group):
        return terms
    kept = {name: own.other[name] for name in ("ocaGroup", "ocaType") if name in own.other}
    return replace(terms, parent_id=own.parent_id, other={**terms.other, **kept})


def _key(order: Order) -> Key:
    return order.client_id, order.order_id


def _eldest(order: Order, drafts: dict[Key, Draft]) -> list[Order]:
    """The root of a family as far as it was not transmitted, or the parent that works already."""
    while order.parent is not None and _key(order) in drafts:
        order = order.parent
    return [order]

"""Where new orders come in: asked, held back or let through, and put on record.

Rules of admission first (admission), then the parent (families), then, when an order is sent on,
the account (order_limits) and its OCA group (oca). What waited for its transmission is asked anew.
"""

from dataclasses import replace
from decimal import Decimal

from gateway.simulator import notices
from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.broker import Broker
from gateway.simulator.market.contracts import Listing
from gateway.simulator.orders import families, oca, trailing
from gateway.simulator.orders.admission import Candidate, refusal
from gateway.simulator.orders.families import Draft, Drafts
from gateway.simulator.orders.lifecycle import Lifecycle
from gateway.simulator.orders.order_limits import OrderLimits, Request
from gateway.simulator.orders.order_record import OrderRecord
from gateway.simulator.orders.order_times import life_of
from gateway.simulator.orders.orders import NEVER, Order, OrderTerms
from gateway.simulator.orders.what_if import what_if

MISMATCH = notices.Refusal(105, "Order being modified does not match the original order.")


class Entrance:
    """Takes new orders in, and keeps those that were not transmitted."""

    def __init__(
        self, broker: Broker, record: OrderRecord, limits: OrderLimits, lives: Lifecycle
    ) -> None:
        self._broker = broker
        self._record = record
        self._limits = limits
        self._lives = lives
        self.drafts = Drafts()

    def place(self, client_id: int, request: q.PlaceOrder, held: str = "") -> Order | None:
        """A new order, one that waits for its transmission, or a what-if question.

        `held` is for an order that goes to the market now; one that is held back is not held twice.
        Returns the order that went to the market, None if none did.
        """
        accepted = self.admit(client_id, request)
        if accepted is None:
            return None
        listing, placed = accepted
        parent = self._parent(client_id, placed)
        objection = families.objection_to_parent(parent, placed.terms)
        if objection is not None:
            self._refuse(client_id, request, objection)
            return None
        if placed.terms.what_if:
            self._answer_what_if(client_id, placed, Request(listing, placed.terms, None, parent))
            return None
        order = self._drafted(client_id, placed, parent)
        if order is None:
            return None
        preset = self._broker.options.day_preset_notice and not request.terms.tif
        mark = held if placed.terms.transmit else ""
        return self._send(Draft(order, [notices.PRESET] if preset else [], mark))

    def admit(
        self, client_id: int, request: q.PlaceOrder, known: Order | None = None
    ) -> tuple[Listing, q.PlaceOrder] | None:
        """The listing and the complete request, or None after telling the client why not."""
        resolved = self._broker.resolve(client_id, request.order_id, request.contract)
        if resolved is None:
            return None
        terms = self.complete(request.terms, known)
        objection = self.objection(resolved[0], terms, known is not None)
        if objection is not None:
            self._refuse(client_id, request, objection)
            return None
        return resolved[0], q.PlaceOrder(request.order_id, resolved[1], terms)

    def complete(self, terms: OrderTerms, known: Order | None = None) -> OrderTerms:
        """The account filled in; without a time in force an order keeps its own, a new one DAY."""
        tif = terms.tif or ("DAY" if known is None else known.terms.tif)
        account_id = terms.account or self._broker.account.account_id
        if (tif, account_id) == (terms.tif, terms.account):
            return terms
        return replace(terms, tif=tif, account=account_id)

    def objection(
        self, listing: Listing, terms: OrderTerms, changing: bool = False
    ) -> notices.Refusal | None:
        """The first rule of admission that speaks against these terms."""
        broker = self._broker
        account_id = broker.account.account_id
        if not broker.can_value(listing):
            return notices.rejected(
                f"no exchange rate for {listing.key} is known to this simulator"
            )
        return refusal(Candidate(listing, terms, account_id, broker.market, broker.now, changing))

    def _drafted(self, client_id: int, request: q.PlaceOrder, parent: Order | None) -> Order | None:
        """The order as it would go to the market, or None after telling the client why not."""
        ids = self._record.ids(client_id)
        draft = self.drafts.get(client_id, request.order_id)
        if draft is not None:
            return self._redrafted(draft.order, request)
        if request.order_id <= ids.highest:
            self._refuse(client_id, request, notices.DUPLICATE_ORDER)
            return None
        if not request.terms.transmit and len(self.drafts) >= families.DRAFTS_MAX:
            self._refuse(client_id, request, families.TOO_MANY)
            return None
        ids.use(request.order_id)
        order = self._unplaced(client_id, request)
        order.parent = parent
        return order

    def _redrafted(self, order: Order, request: q.PlaceOrder) -> Order | None:
        """New terms for an order that was not transmitted."""
        objection = families.objection_to_change(order, request.terms, parent_known=True)
        if request.contract.con_id != order.contract.con_id:
            objection = MISMATCH
        if objection is not None:
            self._refuse(order.client_id, request, objection)
            return None
        fresh = self._unplaced(order.client_id, request)
        order.terms = replace(fresh.terms, parent_id=order.terms.parent_id)
        order.trail_stop_asked = fresh.trail_stop_asked
        return order

    def _send(self, draft: Draft) -> Order | None:
        """Let an order and its family go to the market, if it is to be transmitted."""
        order = draft.order
        if not order.terms.transmit:
            order.perm_id = order.perm_id or self._record.next_perm_id()
            self.drafts.keep(draft)
            return None
        family = self.drafts.take_family(draft)
        arrivals = [each for each in family if self._enter(each.order, waited=each is not draft)]
        self._lives.receive(arrivals)
        return order if draft in arrivals else None

    def _enter(self, order: Order, waited: bool) -> bool:
        """Put an order on record as a working one, or tell its client why not."""
        listing = self._broker.contracts.by_con_id(order.contract.con_id)
        reserved = self._reserved(order, listing, waited)
        if isinstance(reserved, notices.Refusal):
            order.status, order.completed_at = "Inactive", self._broker.now
            self._broker.refuse(order.client_id, order.order_id, *reserved)
            return False
        self._put_on_record(order, listing)
        self._record.reserve(order, reserved)
        return True

    def _reserved(self, order: Order, listing: Listing, waited: bool) -> notices.Refusal | Decimal:
        """The margin that a new order reserves, or why it cannot be; what waited is asked anew."""
        terms, parent = order.terms, order.parent
        objection = families.objection_to_parent(parent, terms)
        if objection is None and waited:
            objection = self.objection(listing, terms)
        if objection is None and parent is None and terms.oca_group:
            filled = oca.is_filled(self._record.group(terms.oca_group))
            objection = notices.GROUP_FILLED if filled else None
        return objection or self._limits.judge(Request(listing, terms, None, parent))

    def _unplaced(self, client_id: int, request: q.PlaceOrder) -> Order:
        """An order of which the market does not know yet, without a permanent id."""
        terms, now = trailing.placed(request.terms), self._broker.now
        order = Order(request.order_id, client_id, 0, request.contract, terms, now, NEVER)
        order.trail_stop_asked = request.terms.trail_stop_price
        return order

    def _put_on_record(self, order: Order, listing: Listing) -> None:
        now = self._broker.now
        life = life_of(order.terms, listing, self._broker.market, now)
        order.placed_at = now
        order.active_from, order.expires_at = life.active_from, life.expires_at
        order.perm_id = order.perm_id or self._record.next_perm_id()
        if order.parent is not None:
            families.attach(order, order.parent)
        order.why_held = self._lives.waits_for(order)
        self._record.add(order)
        self._record.set_alarms(order, now)

    def make(self, client_id: int, request: q.PlaceOrder, listing: Listing) -> Order:
        """Put an order on record whatever the account allows."""
        order = self._unplaced(client_id, request)
        self._put_on_record(order, listing)
        return order

    def _parent(self, client_id: int, request: q.PlaceOrder) -> Order | None:
        """The client's order that this one names as its parent, transmitted or not."""
        parent_id = request.terms.parent_id
        if parent_id in {0, request.order_id}:
            return None
        draft = self.drafts.get(client_id, parent_id)
        return self._record.known(client_id, parent_id) if draft is None else draft.order

    def _answer_what_if(self, client_id: int, placed: q.PlaceOrder, request: Request) -> None:
        state = what_if(self._broker, self._limits, request)
        answer = r.OpenOrder(placed.order_id, client_id, 0, placed.contract, placed.terms, state)
        self._broker.send(client_id, answer)

    def _refuse(self, client_id: int, request: q.PlaceOrder, why: notices.Refusal) -> None:
        self._broker.refuse(client_id, request.order_id, *why)

"""What the account allows: how many orders, how much margin, which short sales.

Unlike the rules of admission these depend on what the account holds and on the other orders.
Margin counts the working orders: a new one must be carried beside all those that may still trade.
An attached order is judged as if all it waits for had traded: exits of a bracket close what the
parent opens, so they bind no margin and need no shares to borrow. Of an OCA group only one order
trades.
"""

from dataclasses import dataclass
from decimal import Decimal

from gateway.simulator.account.account import Trade
from gateway.simulator.broker import Broker
from gateway.simulator.market.contracts import STOCK, Listing
from gateway.simulator.notices import NO_SHARES, Refusal, rejected
from gateway.simulator.orders.oca import together
from gateway.simulator.orders.order_record import OrderRecord
from gateway.simulator.orders.orders import Margin, Order, OrderTerms

ZERO = Decimal(0)
WORKING_MAX = 10_000
"""Most working orders of all clients together."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: a new order, or new terms for one that works (`known`)."""

    listing: Listing
    terms: OrderTerms
    known: Order | None = None
    parent: Order | None = None
    """What a new order is attached to."""

    @property
    def quantity(self) -> Decimal:
        """How much would still trade, unsigned."""
        return self.terms.quantity - (Decimal(0) if self.known is None else self.known.filled)

    @property
    def group(self) -> str:
        """The OCA group it is in, or will be: attached orders are in their family's."""
        if self.known is not None:
            return self.known.terms.oca_group
        return self.terms.oca_group if self.parent is None else str(self.parent.perm_id)

    @property
    def awaited(self) -> Decimal:
        """What its parent, and those before that one, still trade first in its contract, signed."""
        earlier = self.parent if self.known is None else self.known.parent
        total = Decimal(0)
        while earlier is not None and earlier.status != "Filled":
            if earlier.contract.con_id == self.listing.con_id:
                total += earlier.remaining * earlier.terms.side
            earlier = earlier.parent
        return total

    @property
    def signed(self) -> Decimal:
        """How much the position would move."""
        return self.quantity * self.terms.side


class OrderLimits:
    """Asked before an order is accepted or changed."""

    def __init__(self, broker: Broker, record: OrderRecord) -> None:
        self._broker = broker
        self._record = record

    def judge(self, request: Request) -> Refusal | Decimal:
        """Why the account cannot have this order, or the initial margin that it reserves."""
        objection = self._too_many(request) or self._lacks_shares(request)
        if objection is not None:
            return objection
        ahead = self._closing_ahead(request)
        if self._only_frees(request, ahead):
            return Decimal(0)
        before, after = self.margins(request, ahead)
        added = max(_initial(after) - _initial(before), Decimal(0))
        return (self._lacks_margin(request, after) if added else None) or added

    def lacks_shares(self, request: Request) -> bool:
        """Whether the order would sell more shares short than can be borrowed.

        Shares already sold short count, and so do the account's other working sell orders.
        """
        shortable = request.listing.shortable_shares
        if shortable is None or request.terms.side > 0 or request.listing.security_type != STOCK:
            return False
        sold = request.quantity + self._others(request)
        return sold - self._position(request) > max(shortable, Decimal(0))

    def margins(self, request: Request, ahead: Decimal = ZERO) -> tuple[Margin, Margin]:
        """The account's margin as it is, and as it would be after the whole order.

        Both after what its parent trades, and after so much more on its side was traded `ahead`.
        """
        broker, listing = self._broker, request.listing
        price = self.price(request)
        cost = broker.commission(listing, request.quantity, price)
        trade = Trade(listing, request.signed, price, cost)
        account = broker.account
        for earlier in (request.awaited, ahead * request.terms.side):
            if earlier:
                account = account.after(Trade(listing, earlier, price, ZERO))
        before = account.margin(broker.valuation)
        return before, account.after(trade).margin(broker.valuation)

    def price(self, request: Request) -> Decimal:
        """At which price the order is thought to trade."""
        if request.terms.limit_price is not None:
            return request.terms.limit_price
        quote = self._broker.market.quote(request.listing, self._broker.now)
        if quote is None:
            return request.terms.trail_stop_price or request.terms.aux_price or Decimal(0)
        return quote.against(request.terms.side) or quote.last

    def _closing_ahead(self, request: Request) -> Decimal:
        """How much of the position other working orders on the side close already, unsigned.

        Two orders that each close the position whole are together one that closes and one that
        opens.
        """
        position = self._position(request)
        if position * request.signed >= 0:
            return ZERO
        return min(self._others(request), abs(position))

    def _position(self, request: Request) -> Decimal:
        """What the account holds once the request's parent has traded."""
        holding = self._broker.account.holdings.get(request.listing.con_id)
        return request.awaited + (ZERO if holding is None else holding.quantity)

    def _others(self, request: Request) -> Decimal:
        """How much other orders on the side can trade beside this one, unsigned."""
        working = self._record.side(request.listing.con_id, request.terms.side)
        group = request.group
        return together(
            order
            for order in working
            if order is not request.known
            and not _waits_to_close(order)
            and not (group and order.terms.oca_group == group)
        )

    def _only_frees(self, request: Request, ahead: Decimal) -> bool:
        """Whether the order takes a stock position in the base currency nearer to 0.

        Then margin can only shrink; to compute by how much is half the work of many an order.
        """
        listing, account = request.listing, self._broker.account
        position = self._position(request)
        if listing.security_type != STOCK:
            return False
        is_closing = position * request.signed < 0
        is_within = abs(request.signed) + ahead <= abs(position)
        return is_closing and is_within and listing.currency == account.currency

    def _too_many(self, request: Request) -> Refusal | None:
        if request.known is not None:
            return None
        most = self._broker.options.orders_per_side_max
        if self._record.side_count(request.listing.con_id, request.terms.side) >= most:
            return rejected(
                f"Your account has a minimum of {most} orders working on either the buy or sell "
                "side for this particular contract"
            )
        return rejected("too many orders") if self._record.working_count >= WORKING_MAX else None

    def _lacks_shares(self, request: Request) -> Refusal | None:
        if self._broker.options.short_sales_held or not self.lacks_shares(request):
            return None
        return NO_SHARES

    def _lacks_margin(self, request: Request, after: Margin) -> Refusal | None:
        others = self._record.margin_reserved
        if request.known is not None:
            others -= request.known.margin_reserved
        needed, equity = _initial(after) + others, after.equity_with_loan or Decimal(0)
        if needed <= equity:
            return None
        currency = self._broker.account.currency
        return rejected(
            "YOUR ORDER IS NOT ACCEPTED. IN ORDER TO OBTAIN THE DESIRED POSITION YOUR EQUITY WITH "
            f"LOAN VALUE [{equity:.2f} {currency}] MUST EXCEED THE INITIAL MARGIN "
            f"[{needed:.2f} {currency}]"
        )


def _waits_to_close(order: Order) -> bool:
    """Whether an order will close what its parent, not filled yet, opens."""
    parent = order.parent
    if parent is None or not order.awaits_parent:
        return False
    return parent.terms.side != order.terms.side


def _initial(margin: Margin) -> Decimal:
    return margin.initial or Decimal(0)

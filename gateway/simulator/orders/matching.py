"""Matching: working orders meet the market, at an instant and in bars that are over.

Which price, the order's type says (order_types); how much, the fill model's share of the bar's
volume (fill_models). Bars that are over come before the quote of the instant, in the order in
which the orders came; how the orders of one group take turns, oca says.
"""

from datetime import datetime
from decimal import Decimal

from gateway.simulator.broker import Broker
from gateway.simulator.market.bars import Bar
from gateway.simulator.market.contracts import Listing
from gateway.simulator.orders.execution_desk import ExecutionDesk
from gateway.simulator.orders.fill_models import FillModel
from gateway.simulator.orders.oca import in_turn
from gateway.simulator.orders.order_reports import OrderReports
from gateway.simulator.orders.order_times import auction_closed, trades_extended
from gateway.simulator.orders.order_types import (
    ORDER_TYPES,
    OrderType,
    Sight,
    stop_price,
    stop_reached,
    stop_reached_within,
    stopped,
)
from gateway.simulator.orders.orders import Order
from gateway.simulator.orders.trailing import TRAIL, moved

BudgetKey = tuple[str, datetime, datetime]


class VolumeBudget:
    """How much of each bar is still to be had, for all orders together."""

    def __init__(self, model: FillModel) -> None:
        self._model = model
        self._left: dict[BudgetKey, Decimal] = {}

    def __len__(self) -> int:
        return len(self._left)

    def left(self, listing: Listing, bar: Bar) -> Decimal | None:
        """What is left of the bar; None for any quantity."""
        bound = self._model.volume(listing, bar)
        return None if bound is None else self._left.get(_budget_key(listing, bar), bound)

    def take(self, listing: Listing, bar: Bar, quantity: Decimal) -> None:
        """Use some of it. Bars that were over when this one began are forgotten."""
        left, key = self.left(listing, bar), _budget_key(listing, bar)
        if left is None:
            return
        if key not in self._left:
            self._left = {held: rest for held, rest in self._left.items() if held[2] >= bar.start}
        self._left[key] = left - quantity


class Matching:
    """Lets orders trade."""

    def __init__(self, broker: Broker, model: FillModel, executions: ExecutionDesk) -> None:
        self._broker = broker
        self._model = model
        self._executions = executions
        self._reports = OrderReports(broker)
        self._budget = VolumeBudget(model)

    def match(self, orders: list[Order], now: datetime) -> None:
        """Let orders trade at an instant; `now` is when bars begin or end, or orders awake."""
        turns = in_turn(orders)
        for order in turns:
            if order.working:
                self._match_finished(order, now)
        for order in turns:
            if order.working:
                self.match_now(order)

    def aim(self, order: Order) -> None:
        """Place the stop of a trailing order that has none yet, if any price is known."""
        if not kind_of(order).trails or order.terms.trail_stop_price is not None:
            return
        listing = self._listing(order)
        quote = self._broker.market.quote(listing, self._broker.now)
        if quote is not None:
            _trail(order, Sight(listing, self._model, quote), quote.last)

    def match_now(self, order: Order) -> None:
        """Let an order trade at what it sees now, and be at the exchange if it can rest there."""
        if not self.can_trade(order):
            return
        kind = kind_of(order)
        if kind.auction:
            return
        listing = self._listing(order)
        sight = Sight(listing, self._model, self._broker.market.quote(listing, self._broker.now))
        if _waits(order, kind, sight):
            return
        price = kind.at_once(order, sight)
        if price is not None:
            bar = self._broker.market.open_bar(listing, self._broker.now)
            self._fill(order, price, bar)
        if order.working:
            self._submit(order)

    def can_trade(self, order: Order) -> bool:
        """Whether the order may trade and its market is open.

        What begins when an order ends comes too late for it; only on-open orders have one instant.
        """
        now = self._broker.now
        in_time = now < order.expires_at or order.terms.tif == "OPG"
        return in_time and not order.held and order.active_from <= now and self.is_open(order)

    def is_open(self, order: Order) -> bool:
        """Whether the market is open in hours in which the order may trade."""
        return self._is_open(order, self._broker.now)

    def _is_open(self, order: Order, when: datetime) -> bool:
        extended = trades_extended(order.terms)
        return self._broker.market.is_open(self._listing(order), when, extended)

    def _match_finished(self, order: Order, now: datetime) -> None:
        if order.held:
            return
        for bar in self._broker.market.finished_bars(self._listing(order), now):
            if self._is_open(order, bar.start):
                self._match_bar(order, bar)

    def _match_bar(self, order: Order, bar: Bar) -> None:
        kind, listing = kind_of(order), self._listing(order)
        price: Decimal | None = None
        if kind.auction:
            if bar.end == order.expires_at and self._joined_auction(order, listing, bar):
                last = self._broker.market.of_today(bar.close, bar, listing)
                price = kind.at_close(order, Sight(listing, self._model), last)
        elif bar.start >= max(order.placed_at, order.active_from):
            price = self._price_within(order, bar)
        if price is not None:
            self._fill(order, price, bar)

    def _joined_auction(self, order: Order, listing: Listing, bar: Bar) -> bool:
        """Whether it was there before the cut-off: one that awoke later is in no auction."""
        since, market = max(order.placed_at, order.active_from), self._broker.market
        return since < bar.end and not auction_closed(order.terms, listing, market, since)

    def _price_within(self, order: Order, bar: Bar) -> Decimal | None:
        kind, listing = kind_of(order), self._listing(order)
        sight = Sight(listing, self._model, self._broker.market.quote(listing, bar.start))
        if not kind.waits or order.triggered:
            return kind.within(order, sight, bar)
        if kind.trails:
            _trail(order, sight, bar.open)
        if stop_reached_within(order, bar):
            _trigger(order)
            return kind.on_trigger(order, sight, bar)
        return _trail_through(order, sight, bar) if kind.trails else None

    def _fill(self, order: Order, price: Decimal, bar: Bar | None) -> None:
        listing, quantity = self._listing(order), order.remaining
        left = None if bar is None else self._budget.left(listing, bar)
        if bar is not None and left is not None:
            quantity = min(quantity, left)
            self._budget.take(listing, bar, quantity)
        if quantity > 0:
            self._executions.fill(order, quantity, price)

    def _submit(self, order: Order) -> None:
        if order.status == "PreSubmitted":
            order.status = "Submitted"
            self._reports.tell_state(order)

    def _listing(self, order: Order) -> Listing:
        return self._broker.contracts.by_con_id(order.contract.con_id)


def kind_of(order: Order) -> OrderType:
    """The row of the order's type."""
    return ORDER_TYPES[order.terms.order_type]


def _waits(order: Order, kind: OrderType, sight: Sight) -> bool:
    """Whether a stop order still waits for its stop price; it is triggered here if not."""
    if not kind.waits or order.triggered:
        return False
    quote = sight.quote
    if quote is None or quote.bid is None:
        return True
    if kind.trails:
        _trail(order, sight, quote.last)
    if not stop_reached(order, quote.last):
        return True
    _trigger(order)
    return False


def _trail(order: Order, sight: Sight, price: Decimal) -> None:
    order.terms = moved(order.terms, price, sight.rounded)


def _trail_through(order: Order, sight: Sight, bar: Bar) -> Decimal | None:
    """The bar moves the stop; a close beyond it is a fall through it, at the stop."""
    _trail(order, sight, bar.low if order.terms.side > 0 else bar.high)
    stop = stop_price(order)
    if stop is None or not stop_reached(order, bar.close):
        return None
    _trigger(order)
    return stopped(order, sight, stop) if order.terms.order_type == TRAIL else None


def _trigger(order: Order) -> None:
    order.triggered, order.why_held = True, ""


def _budget_key(listing: Listing, bar: Bar) -> BudgetKey:
    return listing.key, bar.start, bar.end

"""What-if: what an order would cost and bind, without placing it."""

from gateway.simulator.account.margins import margin_change, rounded
from gateway.simulator.broker import Broker
from gateway.simulator.orders.order_limits import OrderLimits, Request
from gateway.simulator.orders.orders import OrderState


def what_if(broker: Broker, limits: OrderLimits, request: Request) -> OrderState:
    """The state that openOrder answers a what-if order with."""
    before, after = map(rounded, limits.margins(request))
    cost = broker.commission(request.listing, request.quantity, limits.price(request))
    return OrderState(
        "PreSubmitted",
        before=before,
        change=margin_change(before, after),
        after=after,
        commission=cost,
        commission_min=cost,
        commission_max=cost,
        commission_currency=broker.commission_currency(request.listing),
    )

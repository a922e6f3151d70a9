"""An order that rests at the broker: far below the market, such as the netting does not make."""

from datetime import datetime
from decimal import Decimal

from gateway.core.orders import Approved
from gateway.session import Session
from schemas.documents import OrderDocument
from schemas.values import Contract, OrderType


async def resting_order(
    session: Session, order_ref: str, at: datetime, quantity: int = 10
) -> OrderDocument:
    """The order, as a journal would have it, and not sent yet."""
    return OrderDocument(
        order_ref=order_ref,
        contract=await session.resolve(Contract("SPY")),
        quantity=Decimal(quantity),
        allocations=(),
        order_type=OrderType.LMT,
        tif="DAY",
        limit_price=Decimal(1),
        adaptive_priority="Normal",
        outside_rth=False,
        decision_price=None,
        created_at=at,
        valid_until=at,
        epoch=1,
        generation=1,
        run_id="by-hand",
        state="PENDING",
    )


def send(session: Session, order: OrderDocument) -> None:
    """Write it to the broker, past every check."""
    session.place(Approved(order))

"""An order that rests at the broker: far below the market, such as the netting does not make."""

from datetime import datetime
from decimal import Decimal

from gateway.core.orders import Approved
from gateway.session import Session
from schemas.documents import OrderDocument
from schemas.values import Contract
from tests.order_documents import limit_order


async def resting_order(
    session: Session, order_ref: str, at: datetime, quantity: int = 10
) -> OrderDocument:
    """The order, as a journal would have it, and not sent yet."""
    contract = await session.resolve(Contract("SPY"))
    parts = {"quantity": Decimal(quantity), "order_ref": order_ref, "contract": contract}
    return limit_order(at, 1, adaptive_priority="Normal", **parts)


def send(session: Session, order: OrderDocument) -> None:
    """Write it to the broker, past every check."""
    session.place(Approved(order))

"""An order as a journal would have it before it is sent; a test says only what matters to it."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from schemas.documents import OrderDocument
from schemas.values import Contract, OrderType

SPY: Final = Contract("SPY", con_id=756733, primary_exchange="ARCA")
REF: Final = "paper-756733-1"


def order_document(at: datetime, **parts: Any) -> OrderDocument:
    """10 SPY at the market, PENDING, journaled at that time; `parts` are fields that differ."""
    contract, generation = parts.get("contract", SPY), parts.get("generation", 1)
    known = {
        "order_ref": f"paper-{contract.con_id}-{generation}",
        "contract": contract,
        "quantity": Decimal(10),
        "allocations": (),
        "order_type": OrderType.MKT,
        "tif": "DAY",
        "limit_price": None,
        "adaptive_priority": "",
        "outside_rth": False,
        "decision_price": Decimal(590),
        "created_at": at,
        "valid_until": at + timedelta(hours=1),
        "epoch": 1,
        "generation": generation,
        "run_id": "r1",
        "state": "PENDING",
    }
    return OrderDocument(**{**known, **parts})


def limit_order(at: datetime, price: int | str, **parts: Any) -> OrderDocument:
    """The same at a limit."""
    return order_document(at, order_type=OrderType.LMT, limit_price=Decimal(price), **parts)

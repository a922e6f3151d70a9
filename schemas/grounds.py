"""What a net went by, a part of `runs/{run_id}` (`schemas.documents.RunDocument`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from schemas.values import TradingState


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a net went by: the account as it was read, the trading state, and what people had set.

    `settings` are those that are not the defaults, as text.
    """

    trading_state: TradingState
    read_at: datetime | None = None
    net_liquidation: Decimal | None = None
    base_currency: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)

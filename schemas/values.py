"""Words that both sides share: contracts, trading modes, trading states."""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

STRATEGY_PATTERN: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""Strategy ids name documents, subscriptions and functions, so they must suit all three."""

EXTERNAL: Final = "EXTERNAL"
"""The ledger of what is held at the broker and belongs to no strategy [B2]."""

ALL_POSITIONS: Final = "all_positions"
"""The document beside the ledgers that holds the broker's own positions; no ledger's name."""

CASH_BOOK: Final = "CASH"
"""The ledger of currency balances, outside the law [B1]."""

CASH_TYPE: Final = "CASH"
"""Security type of currency pairs. What is traded of them are balances, in no strategy's book."""

FUTURE_TYPE: Final = "FUT"
"""Security type of futures."""

OWNERLESS: Final = (EXTERNAL, CASH_BOOK)
"""The ledgers that are no strategy's book."""


class Mode(StrEnum):
    """Paper and live share nothing: own topics, documents, secrets, port and cloud project."""

    PAPER = "paper"
    LIVE = "live"


class TradingState(StrEnum):
    """What the commander may do now. Only a person makes it `ACTIVE`; the default is `HALTED`."""

    ACTIVE = "active"
    REDUCE_ONLY = "reduce_only"
    HALTED = "halted"


class OrderType(StrEnum):
    """How an order is to be executed; `MKT` is sent with IB's Adaptive algorithm by default.

    `MOC` and `LOC` trade in the closing auction; `MIDPRICE` pegs to the middle of the quote.
    """

    MKT = "MKT"
    LMT = "LMT"
    MOC = "MOC"
    LOC = "LOC"
    MIDPRICE = "MIDPRICE"


@dataclass(frozen=True, slots=True)
class Contract:
    """What is traded, in IB's terms. Two contracts are the same if and only if `con_id` is.

    `con_id` is 0 until the gateway has resolved the description at the broker. `multiplier` is
    the money value of one point of price for quantity 1.
    """

    symbol: str
    sec_type: str = "STK"
    exchange: str = "SMART"
    currency: str = "USD"
    con_id: int = 0
    primary_exchange: str = ""
    local_symbol: str = ""
    last_trade_date: str = ""
    multiplier: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        if not self.symbol and not self.local_symbol and not self.con_id:
            raise ValueError("symbol must not be empty")
        for name in _CONTRACT_WORDS:
            # IB's wire separates fields by NUL: one inside a word would shift all that follow.
            word = getattr(self, name)
            if not word.isprintable() or len(word) > WORD_CHARACTERS_MAX:
                raise ValueError(
                    f"{name} must be at most {WORD_CHARACTERS_MAX} characters that can be printed"
                )

    @property
    def name(self) -> str:
        """What people call it: `SPY`, but `MESH6` of a future, for its months share a symbol."""
        if self.sec_type == FUTURE_TYPE and self.local_symbol:
            return self.local_symbol
        return self.symbol or self.local_symbol

    @property
    def is_chain(self) -> bool:
        """Whether it is a future of no month: in a universe, the two that expire next."""
        named = self.last_trade_date or self.local_symbol or self.con_id
        return self.sec_type == FUTURE_TYPE and not named


WORD_CHARACTERS_MAX: Final = 64
"""Of each word that describes a contract; IB's longest local symbols have some 20."""

_CONTRACT_WORDS: Final = (
    "symbol",
    "sec_type",
    "exchange",
    "currency",
    "primary_exchange",
    "local_symbol",
    "last_trade_date",
)


@dataclass(frozen=True, slots=True)
class BarSpec:
    """Which bars a strategy reads: size in IB's words, and how far back (`5 D`, `200 D`).

    Days are the last so many trading days of which a bar is finished. `count_min` finished bars are
    needed before the strategy decides anything. Without `regular_hours_only` the bars of the hours
    before and after the session are among them, and a day's last one ends later.
    """

    size: str
    """How long a bar is, in IB's words: `1 day`, `30 mins`."""

    duration: str
    """How far back, in IB's words: `200 D`, the last so many trading days."""

    count_min: int
    """How many finished bars the strategy needs before it decides anything."""

    regular_hours_only: bool = True
    """false: the bars of the hours before and after the session too."""


def check_strategy_id(strategy: str) -> None:
    """Raise `ValueError` unless `strategy` can name a document, a subscription and a function."""
    if not STRATEGY_PATTERN.fullmatch(strategy):
        raise ValueError(
            f"strategy {strategy!r} must be 1 to 63 of a-z, 0-9 and _, starting with a letter"
        )
    if strategy == ALL_POSITIONS:
        raise ValueError(
            f"strategy {strategy!r} would share a document with the broker's positions"
        )

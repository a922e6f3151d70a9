"""The reference price of a contract [N4]: what a cross settles at and what limits measure with."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from gateway.core.broker import Quote


@dataclass(frozen=True, slots=True)
class Price:
    """A price, where it comes from, and when it was true.

    `spread` is how far apart bid and ask are of the quote that it is the middle of, else None;
    crossed they are apart too. `last_close` is the last finished bar's close, where a run has read
    bars.
    """

    value: Decimal
    source: str
    at: datetime
    delayed: bool = False
    spread: Decimal | None = None
    last_close: Decimal | None = None

    def age_seconds(self, now: datetime) -> float:
        """How old the price is."""
        return (now - self.at).total_seconds()


def reference(quote: Quote | None, last_close: Price | None) -> Price | None:
    """The middle of a quote, else the last trade, else the last finished bar's close [N4].

    Each carries that close beside it, for a limit on how far a price may be from it.
    """
    found = _quoted(quote) or last_close
    if found is None or last_close is None:
        return found
    return replace(found, last_close=last_close.value)


def _quoted(quote: Quote | None) -> Price | None:
    if quote is None:
        return None
    if quote.bid is not None and quote.ask is not None:
        middle, spread = (quote.bid + quote.ask) / 2, abs(quote.ask - quote.bid)
        return Price(middle, "middle of the quote", quote.at, quote.delayed, spread)
    if quote.last is not None:
        return Price(quote.last, "last trade", quote.at, quote.delayed)
    return None

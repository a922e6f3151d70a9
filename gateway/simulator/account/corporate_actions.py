"""What changes an account without a trade of its owner: splits, dividends, cash, margin calls.

Clients see it as at IB: positions, portfolio and account values change, and nothing says why. The
reason comes in the statement of the next day, which no API message carries.
"""

from datetime import timedelta
from decimal import Decimal

from gateway.simulator.account.account_desk import AccountDesk
from gateway.simulator.account.margins import CENT, ZERO
from gateway.simulator.broker import Broker
from gateway.simulator.market.contracts import Listing
from gateway.simulator.orders.order_desk import OrderDesk

INSTANT = timedelta(microseconds=1)


class CorporateActions:
    """The verbs; each sends what it changed."""

    def __init__(self, broker: Broker, accounts: AccountDesk, orders: OrderDesk) -> None:
        self._broker = broker
        self._accounts = accounts
        self._orders = orders

    def split(self, symbol: str, ratio: Decimal) -> None:
        """A share becomes `ratio` shares (4 for 4:1, 0.25 for a reverse split of 1:4).

        Positions are multiplied, average costs divided, a fraction of a share is paid in cash at
        the price after the split. Working orders of the share end with 202: IB cancels them when
        a stock split happens (its description of the time in force GTC). Until a bar begins now or
        later the price is the old one divided; that bar and all after it must be in new prices.

        Raises:
            ValueError: unknown symbol, no stock, no price, or a ratio not above 0.
        """
        listing = self._stock(symbol)
        if ratio <= 0:
            raise ValueError(f"a split by {ratio}")
        before = self._broker.now - INSTANT
        price = self._broker.valuer.price(listing.con_id, before)
        if price is None:
            raise ValueError(f"{symbol} has no price to pay a fraction of a share with")
        for order in self._orders.working:
            if order.working and order.contract.con_id == listing.con_id:
                self._orders.end(order)
        self._broker.split(listing.con_id, ratio)
        if listing.con_id in self._broker.account.holdings:
            self._broker.account.split(listing.con_id, ratio, (price / ratio).quantize(CENT))
            self._accounts.traded(listing.con_id)

    def dividend(self, symbol: str, per_share: Decimal) -> None:
        """Pay so much a share, in the share's currency, to what is held now; short ones pay.

        Ex-date and pay date are one here, and no tax is withheld.

        Raises:
            ValueError: unknown symbol, no stock, or no amount.
        """
        listing = self._stock(symbol)
        if per_share <= 0:
            raise ValueError(f"a dividend of {per_share}")
        held = self._broker.account.holdings.get(listing.con_id)
        if held is not None and held.quantity:
            self._pay(listing.currency, (held.quantity * per_share).quantize(CENT))

    def deposit(self, currency: str, amount: Decimal) -> None:
        """Money comes in, or goes out when negative. Raises ValueError when none does."""
        if not amount:
            raise ValueError("a deposit of nothing")
        self._pay(currency, amount)

    def interest(self, currency: str, amount: Decimal) -> None:
        """Interest is credited, or charged when negative. Raises ValueError when there is none.

        The amount is the caller's to compute: IB's rates change by day, currency and tier.
        """
        if not amount:
            raise ValueError("interest of nothing")
        self._pay(currency, amount)

    def margin_call(self) -> None:
        """Close positions while maintenance margin exceeds equity, the greatest margin first.

        Each is closed whole, at the market, by an order of nobody (order id 0), its execution
        marked as a liquidation. What cannot trade now stays. IB closes as much as it needs and
        chooses by rules it does not publish.
        """
        tried: set[int] = set()
        while self._short_of_margin():
            listing = self._most_demanding(tried)
            if listing is None:
                return
            tried.add(listing.con_id)
            quantity = -self._broker.account.holdings[listing.con_id].quantity
            quote = self._broker.market.quote(listing, self._broker.now)
            price = None if quote is None else quote.against(1 if quantity > 0 else -1)
            if price is not None:
                self._orders.trade_by_hand(listing, quantity, price, liquidation=True)

    def _pay(self, currency: str, amount: Decimal) -> None:
        if not self._broker.valuer.knows(currency, self._broker.now):
            raise ValueError(f"no exchange rate for {currency}")
        self._broker.account.add(currency, amount)
        self._accounts.cash_changed()

    def _stock(self, symbol: str) -> Listing:
        listing = self._broker.contracts.by_symbol(symbol)
        if listing is None or listing.security_type != "STK":
            raise ValueError(f"{symbol!r} is no stock known here")
        return listing

    def _short_of_margin(self) -> bool:
        margin = self._broker.account.margin(self._broker.valuation)
        return (margin.maintenance or ZERO) > (margin.equity_with_loan or ZERO)

    def _most_demanding(self, tried: set[int]) -> Listing | None:
        account, broker = self._broker.account, self._broker
        demands = [
            (
                account.margin_rates.maintenance(
                    held.listing, held.quantity, account.value(con_id, broker.valuation)
                )
                * broker.rate(held.listing.currency),
                -con_id,
            )
            for con_id, held in account.holdings.items()
            if held.quantity and con_id not in tried and held.listing.security_type != "CASH"
        ]
        return broker.contracts.by_con_id(-max(demands)[1]) if demands else None

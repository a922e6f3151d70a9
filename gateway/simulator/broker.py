"""What the desks of the exchange share: options, contracts, market, account, connected clients."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from gateway.simulator.account.account import Account, Holding, account_with
from gateway.simulator.account.commissions import (
    FX_CURRENCY,
    Schedule,
    commission,
    commission_currency,
)
from gateway.simulator.account.margins import MarginRates
from gateway.simulator.account.valuations import Moment, Valuer
from gateway.simulator.market.bars import BarBook
from gateway.simulator.market.contracts import Contract, ContractTable, Listing
from gateway.simulator.market.hours import new_york_day
from gateway.simulator.market.market import Market
from gateway.simulator.notices import NO_DEFINITION, Refusal
from gateway.simulator.orders.fill_models import FillModel
from gateway.simulator.replies import Delivery, Notice

PAPER_PREFIX = "DU"
"""Account ids of IB's paper accounts begin with it, and so does every account here."""

COMMISSION_STEP = Decimal("0.00001")
"""FX commissions converted into the base currency are rounded to it."""

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
NO_AMOUNTS: Mapping[str, Decimal] = MappingProxyType({})
NO_LEVELS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class InitialHolding:
    """A position the account has from the start: signed quantity at an average cost."""

    symbol: str
    quantity: Decimal
    average_cost: Decimal


@dataclass(frozen=True, slots=True)
class ExchangeOptions:
    """What the broker is at the start.

    `executions_quantity_max` cuts fills into executions of at most so many shares, their sizes
    drawn from `seed`; None fills in one piece. `currency` is the account's base, `cash` is in it,
    `cash_by_currency` has the other balances. `exchange_rates` value one unit of a currency in the
    base where no FX bars do. `commissions` replaces IB's price list, `margin_rates` its rules.
    With `liquidates` the broker calls margin by itself as time passes, as IB does; without, only
    when told to (`Exchange.margin_call`).

    `fill_model` is a name of `fill_models.FILL_MODELS` or a model of one's own.
    `orders_per_side_max` bounds the working orders of one contract and side. A short sale beyond
    the shares to be borrowed is refused with 201, or with `short_sales_held` held with 404.
    With `cancels_wait_for_open` a cancel while the market is closed is answered at its open.
    With `day_preset_notice` an order without a time in force gets error 10349 before it works, as
    gateways do whose order presets say DAY; clients take that for a cancel, so it is off here.

    `subscriptions` says which market data the account has, by contract key, security type or `*`:
    live, delayed, none or competing (`subscriptions.LEVELS`); what is not named is live.
    `historical_pacing` refuses small historical bars that are asked for too often.
    """

    account_id: str = "DUSIM0001"
    cash: Decimal = Decimal(1_000_000)
    holdings: tuple[InitialHolding, ...] = ()
    seed: int = 0
    half_spread: Decimal = Decimal("0.01")
    executions_quantity_max: Decimal | None = None
    currency: str = "USD"
    cash_by_currency: Mapping[str, Decimal] = field(default=NO_AMOUNTS)
    exchange_rates: Mapping[str, Decimal] = field(default=NO_AMOUNTS)
    commissions: Schedule | None = None
    margin_rates: MarginRates = field(default_factory=MarginRates)
    liquidates: bool = False
    fill_model: str | FillModel = "pessimistic"
    orders_per_side_max: int = 20
    short_sales_held: bool = False
    cancels_wait_for_open: bool = False
    day_preset_notice: bool = False
    subscriptions: Mapping[str, str] = field(default=NO_LEVELS)
    historical_pacing: bool = False

    def __post_init__(self) -> None:
        if not self.account_id.startswith(PAPER_PREFIX) or not self.account_id.isalnum():
            text = f"does not begin with {PAPER_PREFIX}, or is not of letters and digits"
            raise ValueError(f"account {self.account_id!r} {text}")
        if self.currency in self.cash_by_currency:
            raise ValueError(f"cash in {self.currency}, the base currency, is `cash`")


@dataclass(slots=True)
class Broker:
    """The broker's state apart from orders, and the replies waiting to be delivered."""

    options: ExchangeOptions
    market: Market
    contracts: ContractTable
    account: Account
    valuer: Valuer
    now: datetime = LONG_AGO
    clients: set[int] = field(default_factory=set)
    master_client_id: int | None = None
    outbox: list[Delivery] = field(default_factory=list)
    _moment: Moment | None = None

    def send(self, client_id: int, *replies: Any) -> None:
        """Queue replies for a client; those for one that is not connected are lost, as at IB."""
        if client_id in self.clients:
            self.outbox += [(client_id, reply) for reply in replies]

    def refuse(self, client_id: int, request_id: int, code: int, text: str) -> None:
        """Queue an error."""
        self.send(client_id, Notice(request_id, code, text))

    def take_outbox(self) -> list[Delivery]:
        """All queued replies in order; the queue is empty afterwards."""
        taken, self.outbox = self.outbox, []
        return taken

    def price(self, con_id: int) -> Decimal | None:
        """The last price of a contract now."""
        return self.valuation.price(con_id)

    def rate(self, currency: str) -> Decimal:
        """The value of one unit of a currency in the base currency now. Raises ValueError."""
        return self.valuation.rate(currency)

    @property
    def valuation(self) -> Moment:
        """What everything is worth now; looked up once per instant."""
        if self._moment is None or self._moment.when != self.now:
            self._moment = Moment(self.valuer, self.now)
        return self._moment

    def can_value(self, listing: Listing) -> bool:
        """Whether there are exchange rates for all currencies a trade of it would touch."""
        touched = [listing.currency]
        if listing.security_type == "CASH":
            touched += [listing.symbol, FX_CURRENCY]
        return all(self.valuer.knows(currency, self.now) for currency in touched)

    def split(self, con_id: int, ratio: Decimal) -> None:
        """From now on the price is divided, until bars of after the split say it themselves."""
        self.market.split(self.contracts.by_con_id(con_id), ratio, self.now)
        self._moment = None

    def commission(self, listing: Listing, quantity: Decimal, price: Decimal) -> Decimal:
        """What an order costs in total, in `commission_currency(listing)`."""
        if self.options.commissions is not None:
            cost = self.options.commissions(listing, quantity, price)
        else:
            cost = commission(listing, quantity, price, self._dollars)
        if listing.security_type != "CASH" or self.options.currency == FX_CURRENCY:
            return cost
        return (cost * self.rate(FX_CURRENCY)).quantize(COMMISSION_STEP)

    def commission_currency(self, listing: Listing) -> str:
        """The currency in which this account pays commission for the contract."""
        return commission_currency(listing, self.options.currency)

    def _dollars(self, currency: str) -> Decimal:
        return self.rate(currency) / self.rate(FX_CURRENCY)

    def resolve(
        self, client_id: int, request_id: int, wanted: Contract, *, include_expired: bool = False
    ) -> tuple[Listing, Contract] | None:
        """The listing meant, or None after telling the client error 200."""
        found = self.contracts.find(wanted, None if include_expired else new_york_day(self.now))
        if len(found) == 1:
            return found[0], found[0].contract(wanted.exchange)
        self.refuse(client_id, request_id, *(_ambiguous(wanted) if found else NO_DEFINITION))
        return None


def _ambiguous(wanted: Contract) -> Refusal:
    name = wanted.symbol or wanted.local_symbol
    text = f"The contract description specified for {name} is ambiguous; "
    return Refusal(200, f"{text}you must specify the multiplier or trading class.")


def open_broker(book: BarBook, options: ExchangeOptions, contracts: ContractTable) -> Broker:
    """A broker with its account filled. Raises ValueError for a holding of an unknown symbol."""
    table = contracts.with_symbols(book.symbols)
    account = account_with(
        options.account_id, options.cash, options.cash_by_currency, options.currency
    )
    account.margin_rates = options.margin_rates
    for held in options.holdings:
        listing = table.by_symbol(held.symbol)
        if listing is None:
            raise ValueError(f"holding of {held.symbol!r}: no such contract")
        account.add(listing.currency, Decimal(0))
        future = listing.security_type == "FUT"
        basis = held.quantity * held.average_cost if future else Decimal(0)
        account.holdings[listing.con_id] = Holding(
            listing, held.quantity, held.average_cost, basis=basis
        )
    market = Market(book, options.half_spread)
    valuer = Valuer(market, table, options.currency, options.exchange_rates)
    broker = Broker(options, market, table, account, valuer)
    account.rate = broker.rate
    return broker

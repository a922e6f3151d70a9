"""What the desks of the exchange share: options, contracts, market, account, connected clients."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from gateway.simulator.account import Account, Holding
from gateway.simulator.bars import BarBook
from gateway.simulator.contracts import Contract, ContractTable, Listing
from gateway.simulator.market import Market
from gateway.simulator.replies import Delivery, Notice

PAPER_PREFIX = "DU"
"""Account ids of IB's paper accounts begin with it, and so does every account here."""

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


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
    drawn from `seed`; None fills in one piece.
    """

    account_id: str = "DUSIM0001"
    cash: Decimal = Decimal(1_000_000)
    holdings: tuple[InitialHolding, ...] = ()
    seed: int = 0
    half_spread: Decimal = Decimal("0.01")
    executions_quantity_max: Decimal | None = None

    def __post_init__(self) -> None:
        if not self.account_id.startswith(PAPER_PREFIX):
            raise ValueError(f"account {self.account_id!r} does not begin with {PAPER_PREFIX}")


@dataclass(slots=True)
class Broker:
    """The broker's state apart from orders, and the replies waiting to be delivered."""

    options: ExchangeOptions
    market: Market
    contracts: ContractTable
    account: Account
    now: datetime = LONG_AGO
    clients: set[int] = field(default_factory=set)
    master_client_id: int | None = None
    outbox: list[Delivery] = field(default_factory=list)

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
        return self.market.last_price(self.contracts.by_con_id(con_id).symbol, self.now)

    def resolve(
        self, client_id: int, request_id: int, wanted: Contract
    ) -> tuple[Listing, Contract] | None:
        """The listing meant, or None after telling the client error 200."""
        resolved = self.contracts.resolve(wanted)
        if resolved is None:
            text = "No security definition has been found for the request"
            self.refuse(client_id, request_id, 200, text)
        return resolved


def open_broker(book: BarBook, options: ExchangeOptions, contracts: ContractTable) -> Broker:
    """A broker with its account filled. Raises ValueError for a holding of an unknown symbol."""
    table = contracts.with_symbols(book.symbols)
    account = Account(options.account_id, options.cash)
    for held in options.holdings:
        listing = table.by_symbol(held.symbol)
        if listing is None:
            raise ValueError(f"holding of {held.symbol!r}: no such contract")
        account.holdings[listing.con_id] = Holding(held.quantity, held.average_cost)
    return Broker(options, Market(book, options.half_spread), table, account)

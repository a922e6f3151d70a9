"""The law over documents: broker = sum(books) + EXTERNAL, per contract [B3]. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from schemas.documents import BrokerPosition, LedgerDocument
from schemas.values import CASH_BOOK, CASH_TYPE, Contract


@dataclass(frozen=True, slots=True)
class Balance:
    """One contract: what the broker has, and what all ledgers together say."""

    contract: Contract
    broker: Decimal = Decimal(0)
    booked: Decimal = Decimal(0)

    @property
    def missing(self) -> Decimal:
        """What the ledgers do not explain."""
        return self.broker - self.booked


def balances(
    positions: Mapping[str, BrokerPosition], ledgers: Mapping[str, LedgerDocument]
) -> dict[str, Balance]:
    """By conId, in the order of symbols; currency pairs stay out of the law [B1]."""
    contracts: dict[str, Contract] = {key: held.contract for key, held in positions.items()}
    booked: dict[str, Decimal] = {}
    for name, ledger in sorted(ledgers.items()):
        for key, position in ledger.positions.items() if name != CASH_BOOK else ():
            contracts.setdefault(key, position.contract)
            booked[key] = booked.get(key, Decimal(0)) + position.quantity
    found = {
        key: Balance(
            contract,
            positions[key].quantity if key in positions else Decimal(0),
            booked.get(key, Decimal(0)),
        )
        for key, contract in contracts.items()
        if contract.sec_type != CASH_TYPE
    }
    return dict(sorted(found.items(), key=lambda item: (item[1].contract.symbol, item[0])))

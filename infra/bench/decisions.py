"""How fast the core decides: `net` and `evolve` over a plain-dict floor, without any I/O.

A decision is one strategy's wish in one contract, looked at. The desk holds a book and a target
for each of them. The floor is what nobody can save: a loop over dicts that takes target less held
per strategy and contract and sums it per contract. Both sides run in turn in the same process.
"""

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from gateway.core import book
from gateway.core.broker import AccountValues, Span, Terms
from gateway.core.desk import Desk
from gateway.core.events import Journaled, NetCause, Said
from gateway.core.fold import evolve
from gateway.core.netting import Plan, net
from gateway.core.passes import Pass, next_pass
from gateway.core.prices import Price
from infra.bench.figures import BenchFailed, Sample
from schemas.documents import LedgerDocument, LedgerEntry, LedgerPosition, TargetsDocument
from schemas.messages import Target
from schemas.settings import ControlDocument, Settings, StrategyDocument
from schemas.values import EXTERNAL, Contract, Mode, TradingState

NOW: Final = datetime(2026, 1, 5, 15, tzinfo=UTC)
CAUSE: Final = NetCause("barrier", "bench")
LATER: Final = NOW + timedelta(seconds=1)
HELD: Final = Decimal(10)
MONEY: Final = Decimal(100_000_000)
_ZERO: Final = Decimal(0)
SETTINGS: Final = Settings(
    rebalance_band=_ZERO,
    order_notional_min=_ZERO,
    orders_per_run_max=1_000,
    orders_per_day_max=1_000,
)
"""Nothing is too small to be traded, and what all the sizes order at once is not too much."""

SIZES: Final[Mapping[tuple[int, int], int]] = {(10, 20): 100, (100, 500): 10}
"""Strategies and contracts -> rounds."""

PASSES: Final = 1_000

type Flat = dict[str, dict[int, Decimal]]


@dataclass(frozen=True, slots=True)
class Decisions:
    """What one size came to. Samples are seconds of the processor, one value a round."""

    strategies: int
    contracts: int
    trading: Sample
    """Targets evolve into the desk, the net plans an order in each contract, the desk takes it."""

    settled: Sample
    """The net of a desk on which nothing is left to do."""

    unchanged: Sample
    """The next pass over that desk: nothing has changed since the net, so none is made."""

    floor: Sample

    @property
    def count(self) -> int:
        """Decisions in one pass."""
        return self.strategies * self.contracts


def measured() -> tuple[Decisions, ...]:
    """All sizes. Raises `BenchFailed` if a net plans anything but what it must."""
    return tuple(decisions(*size, rounds) for size, rounds in SIZES.items())


def decisions(strategies: int, contracts: int, rounds: int) -> Decisions:
    """One size: both nets and the floor, in turn."""
    desk = settled_desk(strategies, contracts)
    said = [Said(targets(name, contracts, HELD + 1, LATER)) for name in desk.targets]
    held, wanted = _flat(desk), _flat_wanted(said)
    _check(_trade(desk, said), contracts)
    _check(net(desk, CAUSE, NOW), 0)
    last = next_pass(None, desk, CAUSE, NOW)
    if next_pass(last, desk, CAUSE, LATER) is not last:
        raise BenchFailed("a pass over an unchanged desk made a net")
    kinds: tuple[Callable[[], object], ...] = (
        lambda: _trade(desk, said),
        lambda: net(desk, CAUSE, NOW),
        lambda: _passed(last, desk),
        lambda: _floor(held, wanted),
    )
    took = [[_seconds(kind) for kind in kinds] for _ in range(rounds)]
    trading, settled, passes, floor = map(Sample, zip(*took, strict=True))
    unchanged = Sample(tuple(seconds / PASSES for seconds in passes.values))
    return Decisions(strategies, contracts, trading, settled, unchanged, floor)


def percentile_99(sample: Sample) -> float:
    """What 99 of 100 rounds stay within; of fewer than 100 rounds the slowest."""
    values = sample.values
    if len(values) < 100:
        return max(values)
    return statistics.quantiles(values, n=100, method="inclusive")[98]


def _seconds(kind: Callable[[], object]) -> float:
    gc.collect()  # one side's garbage is not on the other side's bill
    began = time.process_time()  # nothing here waits, and what else the machine does is no part
    kind()
    return time.process_time() - began


def _trade(desk: Desk, said: Sequence[Said]) -> Plan:
    """Every strategy speaks, the net plans, the desk takes up the plan."""
    for one in said:
        desk = evolve(one, desk, NOW)
    plan = net(desk, CAUSE, NOW)
    evolve(Journaled(plan.orders, plan.crosses), desk, NOW)
    return plan


def _passed(last: Pass, desk: Desk) -> None:
    """`PASSES` passes over an unchanged desk: one alone is too short for the clock."""
    for _ in range(PASSES):
        next_pass(last, desk, CAUSE, LATER)


def _floor(held: Flat, wanted: Flat) -> dict[int, Decimal]:
    """The bare arithmetic of netting: no limit, no document, no reason."""
    total: dict[int, Decimal] = {}
    for strategy, targets in wanted.items():
        holding = held[strategy]
        for con_id, target in targets.items():
            change = target - holding.get(con_id, _ZERO)
            total[con_id] = total.get(con_id, _ZERO) + change
    return total


def _check(plan: Plan, orders: int) -> None:
    if len(plan.orders) != orders or plan.refusals:
        found = f"{len(plan.orders)} orders and {len(plan.refusals)} refusals"
        raise BenchFailed(f"a net planned {found} instead of {orders} orders")


def settled_desk(strategies: int, contracts: int) -> Desk:
    """A desk on which every strategy holds what it wants in every contract."""
    names = [f"strategy{number:03}" for number in range(strategies)]
    ledger = LedgerDocument({str(c.con_id): _holding(c) for c in _contracts(contracts)})
    ledgers = {EXTERNAL: book.EMPTY, **dict.fromkeys(names, ledger)}
    price = Price(Decimal(10), "last trade", NOW)
    return Desk(
        mode=Mode.PAPER,
        epoch=1,
        settings=SETTINGS,
        strategies=dict.fromkeys(names, StrategyDocument(enabled=True, weight=Decimal("0.01"))),
        control=ControlDocument(TradingState.ACTIVE),
        ledgers=ledgers,
        targets={name: targets(name, contracts, HELD, NOW) for name in names},
        values=AccountValues("DU1", "USD", MONEY, {"USD": MONEY}),
        read_at=NOW,
        prices={contract.con_id: price for contract in _contracts(contracts)},
        terms={contract.con_id: _terms(contract) for contract in _contracts(contracts)},
        connected=True,
    )


def _contracts(number: int) -> tuple[Contract, ...]:
    return tuple(Contract(f"C{con_id}", con_id=con_id) for con_id in range(1, number + 1))


def _terms(contract: Contract) -> Terms:
    """A regular day around `NOW`."""
    hours = Span(NOW - timedelta(minutes=30), NOW + timedelta(hours=6))
    return Terms(contract, NOW, ((_ZERO, Decimal("0.01")),), (hours,), (hours,))


def _holding(contract: Contract) -> LedgerPosition:
    cost = HELD * 10
    entry = LedgerEntry("start", NOW - timedelta(days=1), HELD, cost)
    return LedgerPosition(contract, HELD, cost, _ZERO, _ZERO, entries=(entry,))


def targets(strategy: str, contracts: int, quantity: Decimal, as_of: datetime) -> TargetsDocument:
    """What a strategy says: the same quantity of every contract."""
    wanted = tuple(Target(c.symbol, quantity, con_id=c.con_id) for c in _contracts(contracts))
    return TargetsDocument(
        strategy, wanted, as_of, as_of + timedelta(hours=1), "bench", last_as_of=as_of
    )


def _flat(desk: Desk) -> Flat:
    return {
        name: {p.contract.con_id: p.quantity for p in desk.ledgers[name].positions.values()}
        for name in desk.targets
    }


def _flat_wanted(said: Sequence[Said]) -> Flat:
    return {
        one.document.strategy: {t.con_id: t.quantity for t in one.document.targets} for one in said
    }

"""What a change of the desk means for Firestore, and back: desk to documents, documents to desk.

Level, not edge: the documents follow from the difference of two desks, whatever led to it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gateway.core.attribution import owner_of_foreign
from gateway.core.desk import Desk
from gateway.core.dues import left_due
from gateway.core.orders import execution_key, newer_execution
from gateway.core.targets import last_waiting
from schemas.documents import (
    CLOSED_ORDERS,
    BrokerPositionsDocument,
    CrossDocument,
    ExecutionDocument,
    GenerationDocument,
    LatchesDocument,
    LedgerDocument,
    OrderDocument,
    RunDocument,
    Share,
    SnapshotDocument,
    StatusDocument,
    TargetsDocument,
    path_of,
)
from schemas.values import Mode

type Documents = dict[str, Any]
"""Path -> document, typed; the rim turns them into Firestore's dicts."""

EXECUTIONS_MAX: Final = 200
"""Executions that an order's document holds itself. One takes 650 to 830 bytes there, so that some
1,300 to 1,600 would be the end; and with each fill all of them would be written again."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a gateway finds when it starts: the documents of its mode, decoded."""

    latches: LatchesDocument = field(default_factory=LatchesDocument)
    status: StatusDocument | None = None
    ledgers: Mapping[str, LedgerDocument] = field(default_factory=dict)
    targets: Mapping[str, TargetsDocument] = field(default_factory=dict)
    orders: Mapping[str, OrderDocument] = field(default_factory=dict)
    generations: Mapping[str, GenerationDocument] = field(default_factory=dict)


def restored(desk: Desk, stored: Stored) -> Desk:
    """The desk as the documents remember it. What happened meanwhile the four questions tell.

    Targets that no net has covered yet are due at once [N1c], and so is what an order's end made
    due [N1d, N6].
    """
    waiting = last_waiting(stored.targets)
    generations = {int(key): g.generation for key, g in stored.generations.items()}
    return replace(
        desk,
        locks=stored.latches.locks,
        unlocked={int(key): number for key, number in stored.latches.unlocked.items()},
        reduce_only=stored.latches.reduce_only,
        closed=stored.latches.closed,
        status=stored.status,
        ledgers={**desk.ledgers, **stored.ledgers},
        targets=stored.targets,
        coalesce_at=waiting.last_as_of if waiting else None,
        coalesce_id=waiting.last_message_id if waiting else "",
        orders=stored.orders,
        generations=generations,
        cause=left_due(stored.orders, generations),
    )


def changed(before: Desk, after: Desk) -> Documents:
    """The documents that differ between two desks, whole."""
    return dict(_changed(before, after))


def closed_orders(before: Desk, after: Desk) -> tuple[Documents, list[str]]:
    """The orders that the desk let go of: where they go to, and the paths that they leave."""
    gone = [order for ref, order in before.orders.items() if ref not in after.orders]
    moved: Documents = {CLOSED_ORDERS.at(order_ref=order.order_ref): kept(order) for order in gone}
    return moved, [_order_path(before.mode, order.order_ref) for order in gone]


def kept(order: OrderDocument) -> OrderDocument:
    """The order as its document keeps it: many executions would not fit into one."""
    if len(order.executions) <= EXECUTIONS_MAX:
        return order
    return replace(order, executions={}, executions_apart=True)


def whole(order: OrderDocument, executions: Iterable[ExecutionDocument]) -> OrderDocument:
    """The order of its document, with what `executions/` has of it: also what was corrected."""
    found: dict[str, ExecutionDocument] = {}
    for execution in executions:
        key = execution_key(execution.exec_id)
        found[key] = newer_execution(found.get(key), execution)
    return replace(order, executions=found, executions_apart=False)


def ledger_documents(before: Desk, after: Desk) -> Documents:
    """The ledgers that differ between two desks."""
    return {
        path_of(LedgerDocument, mode=after.mode, ledger=name): ledger
        for name, ledger in after.ledgers.items()
        if before.ledgers.get(name) is not ledger
    }


def journal(
    before: Desk, after: Desk, orders: tuple[OrderDocument, ...], crosses: tuple[CrossDocument, ...]
) -> tuple[Documents, Documents]:
    """What one net's transaction creates and what it overwrites [W1].

    Created are the orders and crosses, which must not exist; overwritten the generations, the
    books that the crosses moved, the latches that end by them, and the day's count, which thus
    misses no order.
    """
    created: Documents = {
        **{_order_path(after.mode, order.order_ref): order for order in orders},
        **{path_of(CrossDocument, cross_id=cross.cross_id): cross for cross in crosses},
    }
    return created, {
        **ledger_documents(before, after),
        **_generation_documents(after.mode, orders, crosses),
        **_latch_documents(before, after),
        **_status_documents(before, after),
    }


def _changed(before: Desk, after: Desk) -> Iterator[tuple[str, Any]]:
    mode = after.mode
    yield from ledger_documents(before, after).items()
    for strategy, targets in after.targets.items():
        if before.targets.get(strategy) is not targets:
            yield path_of(TargetsDocument, mode=mode, strategy=strategy), targets
    for order_ref, order in after.orders.items():
        if before.orders.get(order_ref) is not order:
            yield _order_path(mode, order_ref), kept(order)
    yield from _executions(before, after)
    yield from _latch_documents(before, after).items()
    yield from _status_documents(before, after).items()
    if after.read_at != before.read_at or after.unexplained != before.unexplained:
        yield from _snapshot(after)
    if after.run is not None and after.run != before.run:
        run = after.run.document
        yield path_of(RunDocument, run_id=run.run_id), run


def _status_documents(before: Desk, after: Desk) -> Documents:
    if after.status is None or after.status == before.status:
        return {}
    return {path_of(StatusDocument, mode=after.mode): after.status}


def _latch_documents(before: Desk, after: Desk) -> Documents:
    latched = _latched(after)
    if latched == _latched(before):
        return {}
    return {path_of(LatchesDocument, mode=after.mode): latched}


def _latched(desk: Desk) -> LatchesDocument:
    unlocked = {str(con_id): number for con_id, number in desk.unlocked.items()}
    return LatchesDocument(desk.locks, desk.reduce_only, unlocked, desk.closed)


def _executions(before: Desk, after: Desk) -> Iterator[tuple[str, ExecutionDocument]]:
    for order_ref, order in after.orders.items():
        known = before.orders.get(order_ref)
        for key, execution in order.executions.items():
            if known is None or known.executions.get(key) != execution:
                yield path_of(ExecutionDocument, exec_id=execution.exec_id), execution
    for key, execution in after.foreign.items():
        if before.foreign.get(key) != execution:
            yield path_of(ExecutionDocument, exec_id=execution.exec_id), _owned(execution)


def _owned(execution: ExecutionDocument) -> ExecutionDocument:
    owner = owner_of_foreign(execution.contract)
    return replace(execution, shares=(Share(owner, execution.quantity),))


def _snapshot(desk: Desk) -> Iterator[tuple[str, Any]]:
    if desk.values is None or desk.read_at is None:
        return
    values = desk.values
    yield (
        path_of(SnapshotDocument, mode=desk.mode),
        SnapshotDocument(
            as_of=desk.read_at,
            account=values.account,
            base_currency=values.base_currency,
            net_liquidation=values.net_liquidation,
            cash=values.cash,
            initial_margin=values.initial_margin,
            maintenance_margin=values.maintenance_margin,
            unexplained={str(key): quantity for key, quantity in desk.unexplained.items()},
            exchange_rates=values.exchange_rates,
        ),
    )
    positions = {str(key): position for key, position in desk.positions.items()}
    yield (
        path_of(BrokerPositionsDocument, mode=desk.mode),
        BrokerPositionsDocument(desk.read_at, positions),
    )


def _generation_documents(
    mode: Mode, orders: tuple[OrderDocument, ...], crosses: tuple[CrossDocument, ...]
) -> Documents:
    refs = {order.contract.con_id: order.order_ref for order in orders}
    made: tuple[CrossDocument | OrderDocument, ...] = (*crosses, *orders)
    return {
        path_of(GenerationDocument, mode=mode, con_id=one.contract.con_id): GenerationDocument(
            one.generation, refs.get(one.contract.con_id, "")
        )
        for one in made
    }


def _order_path(mode: Mode, order_ref: str) -> str:
    return path_of(OrderDocument, mode=mode, order_ref=order_ref)

"""The journal before the act [W1]: one transaction, without which nothing goes to the broker.

It checks the lease's epoch, the trading state and each contract's generation, requires the previous
order of each contract to be DONE, and creates the orders and crosses with the books they move.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.archive import Archive, decoded, writes
from gateway.core.desk import Desk
from gateway.core.netting import Plan
from gateway.core.records import Documents, journal
from gateway.lease import Lease
from gateway.ports import AlreadyExists, Document, Reads, Write
from schemas import codec
from schemas.documents import CrossDocument, GenerationDocument, OrderDocument, path_of
from schemas.settings import ControlDocument
from schemas.values import TradingState

_STRICTNESS = (TradingState.ACTIVE, TradingState.REDUCE_ONLY, TradingState.HALTED)


class JournalRefused(Exception):
    """The world is not as the plan assumed; nothing was written, nothing may be sent."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One net to be journaled: the desk that the plan was made on, the desk with it.

    `more` is written with it: the run, and what is not written yet of the desk before.
    """

    before: Desk
    after: Desk
    plan: Plan
    more: Documents


async def record(archive: Archive, lease: Lease, entry: Entry) -> None:
    """Journal a net. Raises `JournalRefused`, `LeaseLost`, and what the store raises."""
    created, documents = journal(entry.before, entry.after, entry.plan.orders, entry.plan.crosses)
    made = writes({**entry.more, **documents}, created)

    def decide(reads: Reads) -> Sequence[Write]:
        lease.check(reads)
        _check_control(entry, _control(archive), reads[_control(archive)])
        for path, generation in _generations(entry).items():
            _check_generation(path, reads[path], generation)
        for path in _previous(entry):
            _check_done(path, reads[path])
        return made

    reads = [lease.path, _control(archive), *_generations(entry), *_previous(entry)]
    try:
        await archive.transact(reads, decide)
    except (AlreadyExists, JournalRefused) as error:
        if await _is_written(archive, created):
            return
        if isinstance(error, JournalRefused):
            raise
        reason = f"an order or cross of this number was written before: {error}"
        raise JournalRefused(reason) from error
    except codec.Invalid as error:
        raise JournalRefused(str(error)) from error


async def _is_written(archive: Archive, created: Documents) -> bool:
    """Whether this very entry is there: Google's client writes again what got no answer.

    Taken for another's, it would stay PENDING and its contract be refused until a restart.
    """
    try:
        found = [await archive.read(type(document), path) for path, document in created.items()]
    except codec.Invalid:
        return False
    return bool(found) and found == [*created.values()]


def _control(archive: Archive) -> str:
    return path_of(ControlDocument, mode=archive.mode)


def _generations(entry: Entry) -> dict[str, int]:
    mode = entry.before.mode
    made: tuple[CrossDocument | OrderDocument, ...] = (*entry.plan.crosses, *entry.plan.orders)
    return {
        path_of(GenerationDocument, mode=mode, con_id=one.contract.con_id): one.generation
        for one in made
    }


def _previous(entry: Entry) -> list[str]:
    """The documents of the last earlier order in each contract to be ordered."""
    contracts = {order.contract.con_id for order in entry.plan.orders}
    return [
        path_of(OrderDocument, mode=entry.before.mode, order_ref=order.order_ref)
        for order in _latest(entry.before).values()
        if order.contract.con_id in contracts
    ]


def _latest(desk: Desk) -> dict[int, OrderDocument]:
    by_generation = sorted(desk.orders.values(), key=lambda order: order.generation)
    return {order.contract.con_id: order for order in by_generation}


def _check_control(entry: Entry, path: str, data: Document | None) -> None:
    found = ControlDocument() if data is None else decoded(ControlDocument, path, data)
    if _STRICTNESS.index(found.state) > _STRICTNESS.index(entry.before.trading_state):
        raise JournalRefused(f"trading is {found.state} by now, by {found.by or 'nobody named'}")


def _check_generation(path: str, data: Document | None, wanted: int) -> None:
    found = decoded(GenerationDocument, path, data).generation if data else 0
    if found != wanted - 1:
        raise JournalRefused(f"{path} is at {found}, the plan was made for {wanted}")


def _check_done(path: str, data: Document | None) -> None:
    if data is None:
        return
    found = decoded(OrderDocument, path, data)
    if found.state != "DONE":
        raise JournalRefused(f"{path} is {found.state}, not DONE")

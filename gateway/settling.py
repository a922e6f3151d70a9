"""What a person settles by command: transfer, unlock, corporate_action [A4, A3, R2, B2].

Each reads the broker anew first, and books what it changes in one write with its run document.
"""

from datetime import datetime
from decimal import Decimal

from gateway.core import reconcile, settlement
from gateway.core.events import OrderSettled, Rebooked, Unlocked
from gateway.core.targets import counts
from gateway.errand import Errand
from gateway.floor import Floor
from schemas.commands import (
    CorporateAction,
    Transfer,
    Unlock,
)
from schemas.documents import RunDocument


async def transfer(floor: Floor, errand: Errand) -> RunDocument:
    """Move a holding between two ledgers, at a price; the receiver's contract is held [A4]."""
    command: Transfer = errand.command
    await floor.look_around(tolerant=True)
    source = f"transfer-{errand.run.run_id}"
    event = settlement.transfer(floor.desk, command, source, floor.now)
    floor.happen(event)
    said = (
        f"{command.quantity:+f} {event.contract.name} from {command.from_} to {command.to} at "
        f"{command.price:f}{_who(command.by, command.reason)}{_still_wants(floor, command, event)}"
    )
    return floor.finished(errand.run, "done", said)


async def unlock(floor: Floor, errand: Errand) -> RunDocument:
    """Lift a lock that waits for a person's look, and end an order that nobody knows [R2]."""
    command: Unlock = errand.command
    await floor.look_around(tolerant=True)
    events = settlement.unlock(floor.desk, command)
    for event in events:
        floor.happen(event)
    # A lock of one kind may have hidden that the law does not hold either.
    floor.desk = reconcile.compare(floor.desk, floor.now)
    done = "; ".join(_unlocked(floor, event) for event in events)
    said = f"{done}{_who(command.by, command.reason)}{_left(floor, events)}"
    return floor.finished(errand.run, "done", said)


async def corporate_action(floor: Floor, errand: Errand) -> RunDocument:
    """Multiply every ledger's holding as the shares were split, and unlock the contract [B2]."""
    command: CorporateAction = errand.command
    await floor.look_around(tolerant=True)
    source = f"split-{errand.run.run_id}"
    event = settlement.split(floor.desk, command, source, floor.now)
    floor.happen(event)
    moved = ", ".join(f"{name} {entry.quantity:+f}" for name, entry in event.entries.items())
    said = (
        f"{event.contract.name} split {command.numerator}:{command.denominator}: {moved}; every "
        f"strategy's targets in it are held until its next message"
        f"{_who(command.by, command.reason)}"
    )
    return floor.finished(errand.run, "done", said)


def _who(by: str, reason: str) -> str:
    why = f": {reason}" if reason else ""
    return f", by {by or 'nobody named'}{why}"


def _still_wants(floor: Floor, command: Transfer, event: Rebooked) -> str:
    """Who gave something away and wants it all the same buys it again; a person may not expect."""
    con_id, now = event.contract.con_id, floor.now
    document = floor.desk.targets.get(command.from_)
    if document is None or not _is_traded(floor, command.from_, con_id, now):
        return ""
    (wanted,) = (t.quantity for t in document.targets if t.con_id == con_id)
    return f"; {command.from_} still wants {wanted:+f}, and the next net trades toward that"


def _is_traded(floor: Floor, name: str, con_id: int, now: datetime) -> bool:
    strategy = floor.desk.strategies.get(name)
    enabled = strategy is not None and strategy.enabled
    return enabled and counts(floor.desk.targets.get(name), con_id, now)


def _unlocked(floor: Floor, event: Unlocked | OrderSettled) -> str:
    if isinstance(event, OrderSettled):
        return f"{event.order_ref} is over, {event.outcome}"
    return f"contract {event.con_id} is unlocked"


def _left(floor: Floor, events: tuple[Unlocked | OrderSettled, ...]) -> str:
    """What the law still says of the contract: fills that nobody saw are UNEXPLAINED [B3]."""
    for event in events:
        con_id = event.con_id if isinstance(event, Unlocked) else _con_id(floor, event.order_ref)
        missing = floor.desk.unexplained.get(con_id, Decimal(0))
        if missing:
            return f"; {missing:+f} of it stays UNEXPLAINED and locked: say adopt"
    return ""


def _con_id(floor: Floor, order_ref: str) -> int:
    return floor.desk.orders[order_ref].contract.con_id

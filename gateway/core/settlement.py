"""What people settle: transfers, splits, unlocks and orders that nobody knows [A4, B2, R2].

Each function answers with the event that settles the matter, or raises `CannotSettle` with a
sentence. They are asked right after a reading of the broker.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction

from gateway.core import book, holdings, locks
from gateway.core.attribution import webster
from gateway.core.desk import Desk
from gateway.core.events import OrderSettled, Rebooked, Unlocked
from schemas.commands import CorporateAction, Transfer, Unlock
from schemas.documents import LedgerEntry, OrderDocument, Share
from schemas.values import EXTERNAL, OWNERLESS, Contract


class CannotSettle(ValueError):
    """What a person wants settled cannot be; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """A book whose strategy is gone, and what it holds: name -> quantity [B6]."""

    strategy: str
    holdings: dict[str, Decimal]


def is_called(contract: Contract, symbol: str) -> bool:
    """Whether a person may mean the contract: by its symbol, or by the name of a future's month."""
    return symbol in (contract.symbol, contract.name)


def contract_named(desk: Desk, symbol: str, con_id: int) -> Contract:
    """The one contract that a person means: by conId, else by a symbol that only it has."""
    known = holdings.contracts(desk)
    known |= {order.contract.con_id: order.contract for order in desk.orders.values()}
    if con_id:
        if con_id not in known:
            raise CannotSettle(f"con_id: {con_id} is neither held nor was it ever ordered")
        if symbol and not is_called(known[con_id], symbol):
            raise CannotSettle(f"symbol: {con_id} is {known[con_id].name}, not {symbol}")
        return known[con_id]
    found = [contract for contract in known.values() if is_called(contract, symbol)]
    if len(found) != 1:
        hint = "name one by con_id" if found else "neither a ledger nor the broker holds it"
        raise CannotSettle(f"symbol: {len(found)} contracts named {symbol}; {hint}")
    return found[0]


def transfer(desk: Desk, command: Transfer, source: str, at: datetime) -> Rebooked:
    """The move of a holding between two ledgers, at the price that a person names [A4]."""
    contract = contract_named(desk, command.symbol, command.con_id)
    if command.to != EXTERNAL and command.to not in desk.strategies:
        raise CannotSettle(f"to: {command.to!r} is neither EXTERNAL nor a known strategy")
    _check_at_rest(desk, contract)
    lock = desk.locks.get(str(contract.con_id))
    if lock is not None:
        raise CannotSettle(f"{contract.name} is locked ({lock.reason}); settle that first")
    _check_held(desk, contract, command)
    entries = {
        command.from_: _moved(contract, -command.quantity, command.price, source, at),
        command.to: _moved(contract, command.quantity, command.price, source, at),
    }
    return Rebooked(contract, entries, (command.to,))


def split(desk: Desk, command: CorporateAction, source: str, at: datetime) -> Rebooked:
    """Every ledger's holding times the ratio, if that is exactly what the broker holds [B2].

    Where shares would break, the books share what whole shares there are by Webster's method, and
    EXTERNAL takes what is left.
    """
    contract = contract_named(desk, command.symbol, command.con_id)
    _check_at_rest(desk, contract)
    lock = desk.locks.get(str(contract.con_id))
    if lock is not None and lock.kind != "unexplained":
        raise CannotSettle(f"{contract.name} is locked ({lock.reason}); settle that first")
    held = _holdings(desk, contract.con_id)
    explained = sum(held.values(), Decimal(0))
    broker = explained + desk.unexplained.get(contract.con_id, Decimal(0))
    expected = _times(explained, command)
    if broker == explained or broker not in (expected, _whole(expected)):
        raise CannotSettle(
            f"the ledgers hold {explained:f} {contract.name}, which a "
            f"{command.numerator}:{command.denominator} split makes {_text(expected)}, but the "
            f"broker holds {broker:f}; give the ratio that fits, or say adopt"
        )
    after = _split_holdings(held, command, broker)
    moved = {name: after[name] - held[name] for name in after}
    entries = {
        name: LedgerEntry(source, at, quantity, Decimal(0), is_split=True)
        for name, quantity in moved.items()
        if quantity
    }
    return Rebooked(contract, entries, tuple(sorted(desk.targets)))


def unlock(desk: Desk, command: Unlock) -> tuple[Unlocked | OrderSettled, ...]:
    """What lifts a contract's lock, and ends the order of it that nobody knows."""
    contract = _contract_to_unlock(desk, command)
    order, lock = desk.open_order(contract.con_id), desk.locks.get(str(contract.con_id))
    settled = _settled_order(order, command)
    if lock is not None and lock.kind in locks.LIFTED_BY_UNLOCK:
        return *settled, Unlocked(contract.con_id)
    if settled:
        return settled
    if lock is None:
        state = f"; {order.order_ref} is {order.state}" if order else ""
        raise CannotSettle(f"{contract.name} is not locked{state}: there is nothing to unlock")
    raise CannotSettle(f"unlock does not lift this lock of {contract.name}: {lock.reason}")


def orphans(desk: Desk) -> list[Orphan]:
    """The books that hold something for a strategy that is gone [B6]."""
    found = []
    for name in sorted(desk.ledgers):
        positions = desk.ledgers[name].positions.values()
        holdings = {p.contract.name: p.quantity for p in positions if p.quantity}
        if name not in OWNERLESS and name not in desk.strategies and holdings:
            found.append(Orphan(name, holdings))
    return found


def _contract_to_unlock(desk: Desk, command: Unlock) -> Contract:
    if not command.order_ref:
        return contract_named(desk, command.symbol, command.con_id)
    order = desk.orders.get(command.order_ref)
    if order is None:
        raise CannotSettle(f"order_ref: no order {command.order_ref} is known")
    if order.state != "UNKNOWN":
        became = f", {order.outcome}" if order.outcome else ""
        raise CannotSettle(
            f"{command.order_ref} is {order.state}{became}, not UNKNOWN: there is nothing to settle"
        )
    return order.contract


def _settled_order(order: OrderDocument | None, command: Unlock) -> tuple[OrderSettled, ...]:
    """The end of an order of which the reading just made knows nothing."""
    if order is None or order.state != "UNKNOWN":
        if command.outcome:
            raise CannotSettle("outcome: no order of the contract is UNKNOWN; leave it out")
        return ()
    if order.missing_since is None:
        raise CannotSettle(
            f"the broker lists {order.order_ref} ({order.reason}); cancel it at the broker, then "
            f"say reconcile"
        )
    if not command.outcome:
        raise CannotSettle(
            f"outcome: {order.order_ref} is UNKNOWN; look at the broker, then say unlock with "
            f"outcome not_sent or cancelled"
        )
    if command.outcome == "not_sent" and (order.perm_id or order.executions or order.broker_filled):
        raise CannotSettle(
            f"outcome: {order.order_ref} was at the broker (permId {order.perm_id}, filled "
            f"{order.filled:f}), so it is not not_sent; say cancelled"
        )
    why = f": {command.reason}" if command.reason else ""
    reason = f"settled as {command.outcome} by {command.by or 'nobody named'}{why}"
    return (OrderSettled(order.order_ref, command.outcome, reason),)


def _check_at_rest(desk: Desk, contract: Contract) -> None:
    order = desk.open_order(contract.con_id)
    if order is not None:
        raise CannotSettle(
            f"{order.order_ref} in {contract.name} is {order.state}; wait for its end or settle "
            f"it first"
        )


def _check_held(desk: Desk, contract: Contract, command: Transfer) -> None:
    held = book.quantity(desk.ledgers.get(command.from_, book.EMPTY), contract.con_id)
    wanted = command.quantity
    if held * wanted <= 0 or abs(wanted) > abs(held):
        raise CannotSettle(
            f"quantity: {wanted:+f} {contract.name}, but {command.from_} holds {held:+f}; give "
            f"a part of it, with its sign"
        )


def _moved(
    contract: Contract, quantity: Decimal, price: Decimal, source: str, at: datetime
) -> LedgerEntry:
    return LedgerEntry(source, at, quantity, quantity * price * contract.multiplier)


def _holdings(desk: Desk, con_id: int) -> dict[str, Decimal]:
    return {name: book.quantity(desk.ledgers[name], con_id) for name in sorted(desk.ledgers)}


def _split_holdings(
    held: dict[str, Decimal], command: CorporateAction, broker: Decimal
) -> dict[str, Decimal]:
    """What every ledger holds after the split; the sum is what the broker holds."""
    exact = {name: _times(quantity, command) for name, quantity in held.items()}
    if all(_whole(q) == q or _whole(held[name]) != held[name] for name, q in exact.items()) and (
        sum(exact.values(), Fraction(0)) == broker
    ):
        return {name: Decimal(q.numerator) / q.denominator for name, q in exact.items()}
    books: dict[str, Decimal] = {}
    for sign in (1, -1):
        side = {n: q for n, q in held.items() if n != EXTERNAL and q * sign > 0}
        total = _whole(sum((exact[name] for name in side), Fraction(0)))
        weights = [Share(name, q * command.numerator) for name, q in side.items()]
        books |= {share.strategy: share.quantity for share in webster(total, weights)}
    return {**books, EXTERNAL: broker - sum(books.values(), Decimal(0))}


def _times(quantity: Decimal, command: CorporateAction) -> Fraction:
    return Fraction(quantity) * Fraction(command.numerator, command.denominator)


def _whole(quantity: Fraction | Decimal) -> Decimal:
    """Toward zero: the fraction of a share is paid in cash."""
    exact = Fraction(quantity)
    return (Decimal(exact.numerator) / exact.denominator).to_integral_value(rounding=ROUND_DOWN)


def _text(quantity: Fraction) -> str:
    if quantity.denominator == 1:
        return f"{quantity.numerator}"
    return f"{_whole(quantity):f} and a fraction"

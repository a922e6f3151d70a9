"""What is left of a killed gateway's day, checked from two sides that the gateway is not part of.

On one side the documents as Firestore has them, on the other the simulator's own records. Nothing
of the gateway's code reckons here: the books are added up anew from executions and crosses.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import Any, Final

from gateway.simulator.orders.orders import Execution, Order
from tests.integration.gateway_process import World

EXTERNAL: Final = "EXTERNAL"
BROKERS_OWN: Final = "all_positions"

type Books = dict[str, dict[str, Decimal]]
"""Ledger -> symbol -> quantity, without what is 0."""


@dataclass(frozen=True, slots=True)
class Left:
    """All that is left, as both sides have it."""

    documents: Mapping[str, Mapping[str, Any]]
    """Collection -> last part of the path -> document."""

    orders: tuple[Order, ...]
    executions: tuple[tuple[Order, Execution], ...]
    positions: Mapping[str, Decimal]

    @property
    def books(self) -> Books:
        """Every ledger as it is written down."""
        return {
            name: _without_zeros(
                (p["contract"]["symbol"], Decimal(p["quantity"]))
                for p in document["positions"].values()
            )
            for name, document in self.documents["holdings"].items()
            if name != BROKERS_OWN
        }

    @property
    def locks(self) -> dict[str, str]:
        """Locked symbol -> why."""
        latches = self.documents["latches"].get("paper", {})
        return {lock["symbol"]: lock["reason"] for lock in latches.get("locks", {}).values()}

    @property
    def open_refs(self) -> list[str]:
        """Orders that are not DONE."""
        return [ref for ref, o in self.documents["orders"].items() if o["state"] != "DONE"]


async def left(world: World) -> Left:
    """Read both sides."""
    paths = {
        "orders": "positions/paper/openOrders",
        "holdings": "positions/paper/holdings",
        "executions": "executions",
        "crosses": "crosses",
        "latches": "latches",
        "runs": "runs",
        "snapshots": "positions",
        "activity": "activity",
    }
    documents = {
        name: {path.rpartition("/")[2]: data for path, data in (await world.store.list(at)).items()}
        for name, at in paths.items()
    }
    desk = world.simulator.exchange.orders
    return Left(
        documents,
        (*desk.working, *desk.done),
        tuple(desk.record.executions),
        dict(world.simulator.exchange.positions),
    )


def wrongs(found: Left, bounds: Mapping[str, tuple[int, int]]) -> list[str]:
    """What no kill excuses, locks or not [W1, A1, B3]; a sentence each.

    `bounds`: the least and the most of each symbol that was ever wanted.
    """
    return [
        *_sent_twice(found),
        *_orders(found),
        *_fills(found),
        *_beyond(found, bounds),
        *_books(found),
        *_law(found),
        *_locked(found),
        *(f"runs/{n} is {r['state']}" for n, r in _runs(found) if r["state"] != "DONE"),
    ]


def differences(found: Left, wanted: Books) -> list[str]:
    """Books and positions other than wanted, in contracts that no lock names; a sentence each."""
    total: dict[str, Decimal] = defaultdict(Decimal)
    for book in wanted.values():
        for symbol, quantity in book.items():
            total[symbol] += quantity
    told = []
    for name in sorted({*found.books, *wanted, "broker"}):
        has = found.positions if name == "broker" else found.books.get(name, {})
        wants = total if name == "broker" else wanted.get(name, {})
        told += [
            f"{name} holds {has.get(symbol, 0)} {symbol}, not {wants.get(symbol, 0)}"
            for symbol in sorted({*has, *wants} - {*found.locks})
            if has.get(symbol, 0) != wants.get(symbol, 0)
        ]
    return told


def _sent_twice(found: Left) -> list[str]:
    """At most one order at the broker under each reference, and none without [W1]."""
    refs = Counter(order.terms.order_ref for order in found.orders)
    unnamed = [f"{refs['']} orders at the broker have no reference"] if refs[""] else []
    twice = [f"{ref} is {n} orders at the broker" for ref, n in refs.items() if n > 1]
    return unnamed + twice


def _orders(found: Left) -> Iterator[str]:
    """Each order has ended on both sides, with as much filled on the one as on the other."""
    for ref in found.open_refs:
        yield f"{ref} is {found.documents['orders'][ref]['state']}"
    known = {order.terms.order_ref: order for order in found.orders}
    for ref, order in known.items():
        document = found.documents["orders"].get(ref)
        if order.working:
            yield f"{ref} still works at the broker"
        if document is None:
            yield f"{ref} is at the broker and nobody wrote it down"
        elif Decimal(document["filled"]) != order.filled * order.terms.side:
            yield f"{ref} filled {order.filled} at the broker, {document['filled']} is written"
    for ref, document in found.documents["orders"].items():
        if (document["outcome"] == "not_sent") == (ref in known):
            had = "had" if ref in known else "never had"
            yield f"{ref} is {document['outcome'] or 'without an outcome'}; the broker {had} it"


def _fills(found: Left) -> Iterator[str]:
    """Each execution is written down once, as the broker has it, with all of it shared out."""
    written = found.documents["executions"]
    made = {e.execution_id: (o, e) for o, e in found.executions}
    for exec_id in sorted({*made, *written}):
        if exec_id not in written or exec_id not in made:
            yield f"execution {exec_id} is {'not written' if exec_id in made else 'invented'}"
            continue
        order, execution = made[exec_id]
        document = written[exec_id]
        quantity = Decimal(document["quantity"])
        shared = sum((Decimal(s["quantity"]) for s in document["shares"]), Decimal(0))
        said = document["order_ref"], quantity, Decimal(document["price"]), shared
        signed = execution.quantity * order.terms.side
        if said != (order.terms.order_ref, signed, execution.price, signed):
            yield f"execution {exec_id} is {signed} at {execution.price}, but {said} is written"
        if document["commission"] is None:
            yield f"execution {exec_id} has no commission"


def _beyond(found: Left, bounds: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    """The account never held more than all strategies ever wanted together, nor less."""
    for symbol, (least, most) in bounds.items():
        signed = [
            execution.quantity * order.terms.side
            for order, execution in found.executions
            if order.contract.symbol == symbol
        ]
        levels = list(accumulate(signed, initial=Decimal(0)))
        if min(levels) < least or max(levels) > most:
            yield f"{symbol} went from {min(levels)} to {max(levels)}, {least} to {most} was wanted"


def _books(found: Left) -> Iterator[str]:
    """Each book is what its shares of executions and crosses come to, and nothing else [A1, N4]."""
    shares = [
        (s["strategy"], document["contract"]["symbol"], Decimal(s["quantity"]))
        for kind in ("executions", "crosses")
        for document in found.documents[kind].values()
        for s in document["shares"]
    ]
    for name, book in found.books.items():
        total: dict[str, Decimal] = defaultdict(Decimal)
        for strategy, symbol, quantity in shares:
            if strategy == name:
                total[symbol] += quantity
        added = _without_zeros(total.items())
        if added != book:
            yield f"{name} holds {_said(book)}; its fills and crosses come to {_said(added)}"


def _law(found: Left) -> Iterator[str]:
    """broker = sum(books) + EXTERNAL, except where a lock names the contract [B3]."""
    held: dict[str, Decimal] = defaultdict(Decimal)
    for book in found.books.values():
        for symbol, quantity in book.items():
            held[symbol] += quantity
    for symbol in sorted({*held, *found.positions} - {*found.locks}):
        has, books = found.positions.get(symbol, Decimal(0)), held[symbol]
        if has != books:
            yield f"the law: the broker has {has} {symbol}, all ledgers {books}"
    if found.books.get(EXTERNAL):
        yield f"nobody else traded, but EXTERNAL holds {_said(found.books[EXTERNAL])}"
    unexplained = found.documents["snapshots"].get("paper", {}).get("unexplained", {})
    if unexplained and not found.locks:
        yield f"UNEXPLAINED without a lock: {unexplained}"


def _locked(found: Left) -> Iterator[str]:
    """Nothing was ever locked: all that a dead gateway left in doubt was settled by orderRef [R1].

    An order called unsent while the broker works it would do no harm but this: its fills are booked
    in any state, and until it is over its contract is locked, for a person to look at.
    """
    for document in found.documents["activity"].values():
        if " is locked: " in document["sentence"]:
            yield f"in between, {document['sentence']}"


def _runs(found: Left) -> list[tuple[str, Mapping[str, Any]]]:
    return sorted(found.documents["runs"].items())


def _without_zeros(pairs: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    return {symbol: quantity for symbol, quantity in pairs if quantity}


def _said(book: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{q:f} {symbol}" for symbol, q in sorted(book.items())) or "nothing"

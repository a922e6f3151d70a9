"""The throttle on orders that lead nowhere: the same side again without the position moving.

An automat that repeats itself must stop and wait for a person (RTS 6, article 15(3): repeated
automated execution throttles). Counted are orders that were really sent, in a row, of one side in
one contract on one New York day, all over with nothing filled, while nobody else moved the position
either.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import takewhile

from schemas.documents import ExecutionDocument, OrderDocument
from schemas.new_york import new_york_date

type Foreign = Mapping[str, ExecutionDocument]
"""Executions of other clients; they move the position too."""


def fruitless(
    orders: Iterable[OrderDocument], foreign: Foreign, unlocked: int, at: datetime
) -> tuple[OrderDocument, ...]:
    """The latest orders of one contract that repeat each other today, newest first.

    `orders` are all of the contract; those up to the generation `unlocked` a person has looked at.
    """
    sent = sorted(
        (o for o in orders if o.generation > unlocked and o.outcome != "not_sent"),
        key=lambda order: -order.generation,
    )
    if not sent:
        return ()
    side, day = sent[0].quantity > 0, new_york_date(at)
    repeated = tuple(
        takewhile(
            lambda o: (
                o.state == "DONE"
                and not o.filled
                and (o.quantity > 0) is side
                and new_york_date(o.created_at) == day
            ),
            sent,
        )
    )
    return _since_moved(repeated, foreign)


def _since_moved(orders: Sequence[OrderDocument], foreign: Foreign) -> tuple[OrderDocument, ...]:
    """Without the orders that are older than the last move of the position by someone else."""
    if not orders:
        return ()
    con_id = orders[0].contract.con_id
    moves = (e.at for e in foreign.values() if e.contract.con_id == con_id)
    moved_at = max(moves, default=None)
    return tuple(o for o in orders if moved_at is None or o.created_at > moved_at)

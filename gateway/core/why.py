"""Why an order exists and what became of it, as sentences for a person. Pure.

Everything is taken from the documents that were written before and while the order lived; nothing
is computed anew, so that the story is what the gateway knew then.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.core.telling import shares_text
from schemas.documents import (
    CrossDocument,
    ExecutionDocument,
    OrderDocument,
    RunDocument,
    WantedChange,
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The documents about one order. The run is None when it was not kept."""

    order: OrderDocument
    run: RunDocument | None = None
    crosses: tuple[CrossDocument, ...] = ()


def story(evidence: Evidence) -> list[str]:
    """The whole chain, in the order in which it happened; one sentence an entry."""
    return [
        _head(evidence.order),
        *_how(evidence.order),
        *_decided(evidence),
        *_wanted(evidence),
        *map(cross_told, evidence.crosses),
        *_limits(evidence),
        *margin_told(evidence.order),
        *sent_told(evidence.order),
        *_executions(evidence.order),
        end_told(evidence.order),
    ]


def _head(order: OrderDocument) -> str:
    kind = f"{order.order_type} {order.tif}"
    price = f" at {order.limit_price:f}" if order.limit_price is not None else ""
    return f"{order.order_ref} is {order.quantity:+f} {order.contract.name}, {kind}{price}."


def _how(order: OrderDocument) -> Iterator[str]:
    if order.good_after is not None:
        yield f"The broker was to hold it back until {order.good_after.isoformat()}."
    if order.is_flip:
        yield "It goes to 0 and no further; what is wanted beyond follows once it is filled [N6]."


def _decided(evidence: Evidence) -> Iterator[str]:
    order, run = evidence.order, evidence.run
    price = order.decision_price
    at = "without a reference price" if price is None else f"at the reference price {price:f}"
    yield f"It was decided {order.created_at.isoformat()} by run {order.run_id}, {at}."
    if run is not None:
        by = f" of {run.by}" if run.by else ""
        asked = f"; it asked {', '.join(run.asked)}" if run.asked else ""
        yield f"That run was the command {run.command}{by}, because of {run.trigger}{asked}."
    else:
        yield "The document of that run is not there any more."


def _wanted(evidence: Evidence) -> Iterator[str]:
    """From what every strategy concerned wanted to the shares of this order [N3, N5]."""
    order, run = evidence.order, evidence.run
    changes = [c for c in run.wanted if c.con_id == order.contract.con_id] if run else []
    for change in changes:
        yield change_told(change)
    known = {change.strategy for change in changes}
    for share, why in zip(order.allocations, order.why, strict=False):
        if share.strategy not in known:
            yield f"{why}."
    yield f"Of the order belong to: {shares_text(order.allocations)}."


def change_told(change: WantedChange) -> str:
    """What one strategy wanted in one contract [N3]."""
    said = f" (message {change.message_id})" if change.message_id else ""
    because = f": {change.reason}" if change.reason else ""
    flying = f", with {change.in_flight:+f} in flight" if change.in_flight else ""
    return (
        f"{change.strategy} wanted to hold {change.effective_target:f}{said} and held "
        f"{change.book:f}{flying}: a change of {change.change:+f}{because}."
    )


def cross_told(cross: CrossDocument) -> str:
    """What met inside, and at which price [N4]."""
    return (
        f"{shares_text(cross.shares)} met inside at {cross.price:f}, the {cross.price_source} of "
        f"{cross.price_at.isoformat()} ({cross.cross_id})."
    )


def _limits(evidence: Evidence) -> Iterator[str]:
    order, run = evidence.order, evidence.run
    if order.limits:
        yield f"These limits looked at it and let it pass: {', '.join(order.limits)}."
    for entry in run.refusals if run else ():
        if entry.con_id == order.contract.con_id:
            who = f" of {', '.join(entry.strategies)}" if entry.strategies else ""
            yield f"Refused in the same run{who}, by {entry.rule}: {entry.sentence}."


def margin_told(order: OrderDocument) -> Iterator[str]:
    """What IB said that the order would cost, if it was asked."""
    if order.margin:
        numbers = ", ".join(f"{name} {value}" for name, value in sorted(order.margin.items()))
        yield f"IB's what-if answer before it was sent: {numbers}."


def sent_told(order: OrderDocument) -> Iterator[str]:
    """IB's numbers; `order_id` 0 is an order of ours that IB gave none, as far as we know."""
    if order.order_id:
        ids = f"order id {order.order_id} of client {order.client_id}, permId {order.perm_id}"
        yield f"IB knows it as {ids}; it was written under lease epoch {order.epoch}."
    else:
        yield f"It was journaled under lease epoch {order.epoch}; IB gave it no number."


def _executions(order: OrderDocument) -> Iterator[str]:
    for execution in sorted(order.executions.values(), key=lambda e: (e.at, e.exec_id)):
        yield execution_told(execution)


def execution_told(execution: ExecutionDocument) -> str:
    """One fill with its commission and shares [A1, A2]."""
    cost = "commission not told yet"
    if execution.commission is not None:
        cost = f"commission {execution.commission:f} {execution.commission_currency}".rstrip()
    where = f" on {execution.exchange}" if execution.exchange else ""
    shares = f"; {shares_text(execution.shares)}" if execution.shares else ""
    return (
        f"{execution.at.isoformat()}: {execution.quantity:+f} at {execution.price:f}{where} "
        f"({execution.exec_id}), {cost}{shares}."
    )


def end_told(order: OrderDocument) -> str:
    """How the order stands, or ended."""
    done = f"{order.filled:f} of {order.quantity:f} filled"
    average = f" at {order.average_price:f} on average" if order.average_price is not None else ""
    state = order.state if not order.outcome else f"{order.state}, {order.outcome}"
    because = f": {order.reason}" if order.reason else ""
    paid = f"{order.commission:f} {order.commission_currency}".rstrip()
    return f"It is {state}{because}; {done}{average}, commission {paid}."


def crosses_of(order: OrderDocument, run: RunDocument | None) -> Sequence[str]:
    """The ids of the crosses that the order's run made in the order's contract."""
    contract = order.order_ref.rpartition("-")[0] + "-"
    return [cross_id for cross_id in (run.crosses if run else ()) if cross_id.startswith(contract)]

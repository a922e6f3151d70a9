"""A run, walked through in the order of time, from the documents that it left. Pure.

Nothing is computed anew: the walk is what the gateway knew then. What has no time of its own (what
was wanted, prices, refusals) stands where the net that decided it stands.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from gateway.core.why import (
    change_told,
    cross_told,
    end_told,
    execution_told,
    margin_told,
    sent_told,
)
from schemas.documents import (
    ActivityDocument,
    CrossDocument,
    OrderDocument,
    RefusalEntry,
    RunDocument,
    TargetsDocument,
)
from schemas.grounds import Grounds

TOLD_IN_FULL: Final = ("cross", "execution", "refusal", "run")
"""Kinds of activity whose own documents tell more than their sentence."""

NEAREST_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Log:
    """The documents about one run. `targets` are those of the strategies, as they are now."""

    run: RunDocument
    orders: tuple[OrderDocument, ...] = ()
    crosses: tuple[CrossDocument, ...] = ()
    activity: tuple[ActivityDocument, ...] = ()
    targets: Mapping[str, TargetsDocument] = field(default_factory=dict)


type Step = tuple[datetime, str]


def replayed(log: Log) -> list[str]:
    """The walk: a line for each thing that happened, with its time in UTC."""
    steps = [
        *_opening(log.run),
        *_answers(log),
        *_net(log),
        *(step for order in log.orders for step in _order(order)),
        *((one.at, one.sentence) for one in log.activity if one.kind not in TOLD_IN_FULL),
        *_ending(log.run),
    ]
    first = log.run.started_at  # what it built on may be older, such as targets said before
    steps.sort(key=lambda step: max(step[0], first))  # stable: else as it stands above
    return [f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03} {text}" for at, text in steps]


def _opening(run: RunDocument) -> Iterator[Step]:
    at = run.started_at
    dry = ", as a dry run" if run.dry_run else ""
    by = f" of {run.by}" if run.by else ""
    yield at, f"{run.run_id} begins: the command {run.command}{by}, by {run.trigger}{dry}."
    if run.asked:
        until = f"; answers count until {run.deadline:%H:%M:%S} UTC" if run.deadline else ""
        yield at, f"It asks {', '.join(run.asked)}{until}."


def _answers(log: Log) -> Iterator[Step]:
    """What the strategies said; the words as far as nothing newer has taken their place [T1]."""
    run = log.run
    for name, status in sorted(run.answered.items()):
        said = log.targets.get(name)
        if said is None or said.last_run_id != run.run_id or said.last_as_of is None:
            kept = run.answer_reasons.get(name)
            words = f": {kept}" if kept else "; its words are not kept any more"
            yield run.started_at, f"{name} answers {status}{words}."
            continue
        wanted = ", ".join(f"{one.quantity:f} {one.symbol}" for one in said.targets)
        why = f": {said.last_reason}" if said.last_reason else ""
        words = f"{wanted}{why}" if said.last_status == "targets" else why.removeprefix(": ")
        text = f"{name} answers {status} (message {said.last_message_id})"
        yield said.last_as_of, f"{text}: {words}." if words else f"{text}."
    for name in sorted(set(run.asked) - set(run.answered)):
        yield run.deadline or run.started_at, f"{name} has not answered by then; it is held."


def _net(log: Log) -> Iterator[Step]:
    """What was wanted, at which prices, what crossed and which limits bit."""
    run, at = log.run, _net_at(log)
    planned = run.planned if run.dry_run else ()
    texts = (
        *_grounds(run.grounds),
        *(f"Reference price of {key}: {price}." for key, price in sorted(run.prices.items())),
        *map(change_told, run.wanted),
        *map(cross_told, sorted(log.crosses, key=lambda one: one.cross_id)),
        *map(_refused, run.refusals),
        *(f"It would order {what}." for what in planned),
        *(f"It cancels {order_ref}." for order_ref in run.cancels),
        *(f"Found: {finding}." for finding in run.findings),
    )
    yield from ((at, text) for text in texts)


def _grounds(grounds: Grounds | None) -> Iterator[str]:
    if grounds is None:
        return
    worth = ""
    if grounds.net_liquidation is not None:
        worth = f", worth {grounds.net_liquidation:,.2f} {grounds.base_currency}"
    read = f", as read {grounds.read_at:%H:%M:%S} UTC" if grounds.read_at else ""
    yield f"It went by: trading {grounds.trading_state}, the account{worth}{read}."
    for name, value in sorted(grounds.settings.items()):
        yield f"Setting {name} was {value}, which is not the default."


def _net_at(log: Log) -> datetime:
    """When the net decided: its orders and crosses carry the time, else it is the run's end."""
    made = [one.created_at for one in log.orders] + [one.at for one in log.crosses]
    return min(made, default=log.run.finished_at or log.run.started_at)


def _refused(entry: RefusalEntry) -> str:
    who = f" of {', '.join(entry.strategies)}" if entry.strategies else ""
    what = f" {entry.symbol}" if entry.symbol else ""
    numbers = f" ({entry.value} against {entry.bound})" if entry.value and entry.bound else ""
    return f"The limit {entry.rule} bites{what}{who}{numbers}: {entry.sentence}."


def _order(order: OrderDocument) -> Iterator[Step]:
    at, ref = order.created_at, order.order_ref
    yield at, f"{ref} is journaled: {order.quantity:+f} {order.contract.name}."
    if order.limits:
        yield at, f"{ref}: these limits let it pass: {', '.join(order.limits)}."
    for text in (*margin_told(order), *sent_told(order)):
        yield at, f"{ref}: {text}"
    for execution in sorted(order.executions.values(), key=lambda e: (e.at, e.exec_id)):
        yield execution.at, f"{ref} fills: {execution_told(execution)}"
    if order.state == "DONE":
        yield order.updated_at or at, f"{ref}: {end_told(order)}"


def _ending(run: RunDocument) -> Iterator[Step]:
    if run.finished_at is None:
        yield run.deadline or run.started_at, f"{run.run_id} is {run.state} and has not ended."
        return
    why = f": {run.reason}" if run.reason else ""
    counts = f"{len(run.orders)} orders, {len(run.crosses)} crosses, {len(run.refusals)} refusals"
    yield run.finished_at, f"{run.run_id} ends: {run.outcome}{why}; {counts}."


def named(asked: str, known: Sequence[str]) -> str | None:
    """The one run that a person means: by its id, `last`, or the only one that begins so."""
    if asked == "last":
        return known[0] if known else None
    if asked in known:
        return asked
    alike = [one for one in known if one.startswith(asked)]
    return alike[0] if asked and len(alike) == 1 else None


def nearest(asked: str, known: Iterable[str]) -> list[str]:
    """The ids that a person may have meant: those that begin so, then those spelled like it."""
    ids = list(known)
    alike = [one for one in ids if asked and one.startswith(asked)]
    close = difflib.get_close_matches(asked, ids, n=NEAREST_SHOWN, cutoff=0.4)
    found = list(dict.fromkeys([*alike, *close])) or ids
    return found[:NEAREST_SHOWN]

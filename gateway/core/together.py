"""Legs that are one intention, such as a roll or a pair: all of them go, or none (decision 12).

A strategy says so by `Targets.together_until`. Unlike [N8], which lets what reduces go alone, an
intention keeps its reducing leg too while another one cannot go: the strategy would rather stay
where it is than be half way. From `together_until` on each leg goes by itself. What people say
(weight 0, flatten, close_all) is no intention of the strategy's, and waits for nothing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from gateway.core.hours import in_new_york
from schemas.documents import OrderDocument, RefusalEntry, WantedChange

RULE: Final = "together"


def intentions(wanted: Sequence[WantedChange]) -> Mapping[str, int]:
    """Strategies that want several legs at once, and how many."""
    legs = Counter(change.strategy for change in wanted if _is_leg(change))
    return {strategy: count for strategy, count in legs.items() if count > 1}


def refused_legs(refusals: Sequence[RefusalEntry]) -> set[tuple[int, str]]:
    """What was refused to whom, by conId and strategy."""
    return {(entry.con_id, name) for entry in refusals for name in entry.strategies}


def broken(
    wanted: Sequence[WantedChange],
    refusals: Sequence[RefusalEntry],
    legs: Mapping[str, int],
    whole: frozenset[str],
) -> frozenset[str]:
    """Strategies a leg of whose intention is refused, and that are not wholly out already.

    One leg is no intention: of a flip that is refused, the way to 0 still goes [N6].
    """
    refused = refused_legs(refusals)
    return frozenset(
        change.strategy
        for change in wanted
        if _is_leg(change)
        and (change.con_id, change.strategy) in refused
        and change.strategy in legs
        and change.strategy not in whole
    )


def called_back(change: WantedChange) -> WantedChange:
    """What is left of a leg that may not go: what is in flight against it is still cancelled [N7].

    What is in flight the right way goes on: it is a leg of the intention as it was.
    """
    if change.change * change.in_flight >= 0:
        return replace(change, change=Decimal(0))
    return replace(change, change=min(change.change, -change.in_flight, key=abs))


def waiting(
    working: OrderDocument, changes: Sequence[WantedChange], legs: Mapping[str, int]
) -> tuple[RefusalEntry, ...]:
    """Legs that cannot go now because an order of their contract is alive [N5]."""
    name = working.contract.name
    return tuple(
        _entry(change, f"{change.change:+f} {name} waits for the end of {working.order_ref}")
        for change in changes
        if _is_leg(change) and change.strategy in legs
    )


def kept(
    wanted: Sequence[WantedChange], refusals: Sequence[RefusalEntry], whole: frozenset[str]
) -> tuple[RefusalEntry, ...]:
    """Why the other legs of a broken intention stay where they are."""
    refused = refused_legs(refusals)
    return tuple(
        _entry(change, f"{change.change:+f} {change.symbol} waits: another leg was refused")
        for change in _legs_of(wanted, whole)
        if (change.con_id, change.strategy) not in refused
    )


def _legs_of(wanted: Sequence[WantedChange], strategies: frozenset[str]) -> Iterator[WantedChange]:
    return (change for change in wanted if change.strategy in strategies and _is_leg(change))


def _is_leg(change: WantedChange) -> bool:
    return bool(change.change) and change.together_until is not None


def _entry(change: WantedChange, what: str) -> RefusalEntry:
    assert change.together_until is not None, "only legs of an intention are told of"
    until = in_new_york(change.together_until)
    sentence = (
        f"{what}; the legs of {change.strategy} go together until {until}, then each alone; say "
        f"run when the other leg can be had, or close_all to be out now"
    )
    return RefusalEntry(
        RULE,
        sentence,
        change.symbol,
        change.con_id,
        (change.strategy,),
        f"{change.change:f}",
        change.together_until.isoformat(),
    )

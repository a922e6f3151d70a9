"""What each strategy wants to change: effective targets less what it has and will have [N2, N3]."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Final

from gateway.core import book, closing, holdings
from gateway.core.attribution import attributable, webster
from gateway.core.desk import Desk
from schemas.documents import LedgerDocument, OrderDocument, TargetsDocument, WantedChange
from schemas.values import EXTERNAL, OWNERLESS, Contract

type Overlay = Mapping[str, TargetsDocument]
_NOTHING: Final = Decimal(0)

type _Answer = tuple[Decimal | None, str]
"""The target that counts, or None for hold, and why [N2]."""


@dataclass(frozen=True, slots=True)
class _Voice:
    """One strategy: what its book holds, what is in flight for it and what it says, by conId.

    Looked up once a net. `otherwise` is the answer for a contract that `answers` does not name.
    """

    strategy: str
    message_id: str
    held: Mapping[int, Decimal]
    flying: Mapping[int, Decimal]
    answers: Mapping[int, _Answer]
    otherwise: _Answer
    together_until: datetime | None = None

    def answer(self, con_id: int) -> _Answer:
        """What it wants of a contract, and why."""
        return self.answers.get(con_id, self.otherwise)


def contracts(desk: Desk, overlay: Overlay) -> dict[int, Contract]:
    """Every contract that a strategy names, holds or has in flight; the only ones ever traded.

    With them what EXTERNAL holds and a person closed.
    """
    held = [
        position.contract
        for name, ledger in desk.ledgers.items()
        for key, position in ledger.positions.items()
        if position.quantity and (name not in OWNERLESS or closing.is_closed(desk, name, int(key)))
    ]
    ordered = [order.contract for order in desk.orders.values() if order.state != "DONE"]
    documents = {**desk.targets, **overlay}.values()
    targets = {t.con_id: t for d in documents for t in d.targets}  # many name the same contract
    named = [t.contract for t in targets.values()]
    return {contract.con_id: contract for contract in (*named, *held, *ordered)}


def wanted_changes(
    desk: Desk, overlay: Overlay, now: datetime
) -> dict[int, tuple[Contract, list[WantedChange]]]:
    """Every contract by conId, in order, with what each strategy concerned wants to change in it.

    Concerned are those that hold some, have some in flight or want some; also if they want 0 more.
    """
    concerned = _concerned(_voices(desk, overlay, now))
    return {
        con_id: (contract, _wanted_changes(desk, contract, concerned.get(con_id, ())))
        for con_id, contract in sorted(contracts(desk, overlay).items())
    }


def in_flight_shares(order: OrderDocument | None) -> dict[str, Decimal]:
    """What each strategy's part of a working order may still add to its book."""
    if order is None:
        return {}
    shares = webster(attributable(order, order.filled), order.allocations)
    filled = {share.strategy: share.quantity for share in shares}
    return {a.strategy: a.quantity - filled[a.strategy] for a in order.allocations}


def whole(quantity: Decimal) -> Decimal:
    """Toward zero to whole shares: IB refuses fractions of stocks (10243) [N9]."""
    return quantity.to_integral_value(ROUND_DOWN)


def is_suppressed(change: WantedChange) -> bool:
    """Whether there was a change, too small to be made [N9]."""
    wanted = whole(change.effective_target - change.book - change.in_flight)
    return wanted != change.change


def _voices(desk: Desk, overlay: Overlay, now: datetime) -> list[_Voice]:
    """Everyone who said something, holds something or has something in flight, by name.

    EXTERNAL says nothing, and wants what it has, but for what a person closed.
    """
    documents = {**desk.targets, **overlay}
    flights = _flights(desk)
    names = {*documents, *flights, *desk.ledgers}.difference(OWNERLESS)
    if EXTERNAL in desk.closed or EXTERNAL in flights:
        names.add(EXTERNAL)
    return [
        _voice(desk, name, documents.get(name), now, flights.get(name, {}))
        for name in sorted(names)
    ]


def _flights(desk: Desk) -> dict[str, dict[int, Decimal]]:
    """What working orders may still add to each strategy's book, by conId."""
    found: dict[str, dict[int, Decimal]] = {}
    for con_id, order in holdings.open_orders(desk).items():
        for name, quantity in in_flight_shares(order).items():
            found.setdefault(name, {})[con_id] = quantity
    return found


def _voice(
    desk: Desk,
    strategy: str,
    document: TargetsDocument | None,
    now: datetime,
    flying: Mapping[int, Decimal],
) -> _Voice:
    ledger = desk.ledgers.get(strategy, book.EMPTY)
    if strategy == EXTERNAL:
        return _external_voice(desk, ledger, flying)
    alike = _alike(desk, strategy) or _silence(document, now) or _handled(document, now)
    return _Voice(
        strategy,
        document.message_id if document else "",
        {p.contract.con_id: p.quantity for p in ledger.positions.values()},
        flying,
        answers=_answers(document) if document and not alike else {},
        otherwise=alike or (None, "held: its targets do not name the contract"),
        together_until=_together_until(document, now) if document and not alike else None,
    )


def _external_voice(desk: Desk, ledger: LedgerDocument, flying: Mapping[int, Decimal]) -> _Voice:
    closure = desk.closed.get(EXTERNAL)
    held = {p.contract.con_id: p.quantity for p in ledger.positions.values()}
    answers: dict[int, _Answer] = {}
    if closure is not None:
        for key, left in closure.contracts.items():
            kept = held.get(int(key), _NOTHING) - left
            answers[int(key)] = (kept, f"wants {kept:f}: {closing.why(closure)}")
    return _Voice(
        EXTERNAL,
        "",
        held,
        flying,
        answers=answers,
        otherwise=(None, "held: it is nobody's, and was not closed"),
    )


def _together_until(document: TargetsDocument, now: datetime) -> datetime | None:
    """Until when the targets are one intention; None once each leg goes alone (decision 12)."""
    until = document.together_until
    return until if until is not None and now < until else None


def _handled(document: TargetsDocument | None, now: datetime) -> _Answer | None:
    """Why no leg of an intention goes since a person changed one's book by hand [A4]."""
    if document is None or _together_until(document, now) is None:
        return None
    named = {str(target.con_id) for target in document.targets}
    if not named & set(document.held_contracts):
        return None
    return None, "held: a leg of what goes together was changed by hand; say it anew"


def _alike(desk: Desk, strategy: str) -> _Answer | None:
    """What counts for every contract, whatever the strategy says; None where it has its say."""
    closure = desk.closed.get(strategy)
    if closure is not None:
        return Decimal(0), f"wants 0: {closing.why(closure)}"
    configured = desk.strategies.get(strategy)
    if configured is None:
        return None, "held: no such strategy; its book is an orphan [B6]"
    if not configured.enabled:
        return None, "held: the strategy is not enabled"
    if configured.weight == 0:
        return Decimal(0), "wants 0: its weight is 0"
    if configured.flatten:
        return Decimal(0), "wants 0: it is to be flattened"
    return None


def _silence(document: TargetsDocument | None, now: datetime) -> _Answer | None:
    """Why no target counts in any contract; None where the last message is fresh targets."""
    if document is None:
        return None, "held: it never said anything"
    if document.last_status != "targets":
        return None, f"held: it said {document.last_status}: {document.last_reason}"
    if document.valid_until is not None and now > document.valid_until:
        return None, f"held: its targets were valid until {document.valid_until.isoformat()}"
    return None


def _answers(document: TargetsDocument) -> dict[int, _Answer]:
    """What fresh targets say of each contract that they name.

    Where they name a contract twice, what they say first counts.
    """
    named: dict[int, _Answer] = {
        target.con_id: (target.quantity, f"wants {target.quantity:f}")
        for target in reversed(document.targets)
    }
    by_hand: dict[int, _Answer] = {
        int(key): (
            None,
            f"held: its book was changed by hand at {since.isoformat()}; say it anew",
        )
        for key, since in document.held_contracts.items()
    }
    return {**named, **by_hand}


def _concerned(voices: Iterable[_Voice]) -> dict[int, list[_Voice]]:
    """Who is to be asked in each contract: not everybody in all, or few wishes cost as many."""
    found: dict[int, list[_Voice]] = {}
    for voice in voices:
        for con_id in dict.fromkeys((*voice.answers, *voice.held, *voice.flying)):
            found.setdefault(con_id, []).append(voice)
    return found


def _wanted_changes(desk: Desk, contract: Contract, voices: Iterable[_Voice]) -> list[WantedChange]:
    changes = (_wanted_change(desk, contract, voice) for voice in voices)
    return [c for c in changes if c.book or c.in_flight or c.effective_target or c.change]


def _wanted_change(desk: Desk, contract: Contract, voice: _Voice) -> WantedChange:
    con_id = contract.con_id
    held, flying = voice.held.get(con_id, _NOTHING), voice.flying.get(con_id, _NOTHING)
    target, reason = voice.answer(con_id)
    effective = _held_target(held, flying) if target is None else whole(target)
    # The change is what is traded, so it is whole even where a book is not.
    change = whole(effective - held - flying)
    if target is not None and _is_small(desk, contract, effective, change):
        change, reason = _NOTHING, f"{reason}; a change of {change:f} is within the band [N9]"
    return WantedChange(
        strategy=voice.strategy,
        symbol=contract.name,
        con_id=con_id,
        effective_target=effective,
        book=held,
        in_flight=flying,
        change=change,
        message_id=voice.message_id,
        reason=reason,
        together_until=voice.together_until if target is not None else None,
    )


def _held_target(held: Decimal, flying: Decimal) -> Decimal:
    """Holding: a part in flight that reduces may finish, one that increases is cancelled [N2]."""
    if held * flying >= 0:
        return held
    return held + flying if abs(flying) <= abs(held) else Decimal(0)


def _is_small(desk: Desk, contract: Contract, effective: Decimal, change: Decimal) -> bool:
    """Within `rebalance_band` or below `order_notional_min`; never so for a close to 0 [N9]."""
    if not effective or not change:
        return False
    settings, price = desk.settings, desk.prices.get(contract.con_id)
    if abs(change) <= settings.rebalance_band * abs(effective):
        return True
    rate = desk.rate(contract.currency)
    if price is None or rate is None:
        return False
    return abs(change) * price.value * contract.multiplier * rate < settings.order_notional_min

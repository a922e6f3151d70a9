"""Which of two messages of a strategy counts, and what `hold` leaves on record [T1, T2]."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from schemas.documents import TargetsDocument


def is_newer(said: TargetsDocument, known: TargetsDocument) -> bool:
    """By `as_of`, never by arrival [T2]. The intake has given both one."""
    if said.last_as_of is None or known.last_as_of is None:
        return known.last_as_of is None
    return said.last_as_of > known.last_as_of


def merged(known: TargetsDocument | None, said: TargetsDocument) -> TargetsDocument:
    """What is on record after a newer message. What a person held until then is held no longer.

    A message as of before the person's act was decided without knowing of it, and lifts nothing.
    """
    kept = said if said.last_status == "targets" else held(known, said)
    still = known.held_contracts if known else {}
    as_of = said.last_as_of
    left = {key: since for key, since in still.items() if as_of is not None and as_of < since}
    waits = known is not None and known.waits_for_net
    return replace(kept, held_contracts=left, waits_for_net=waits)


def netted(known: Mapping[str, TargetsDocument]) -> Mapping[str, TargetsDocument]:
    """The targets once a net has covered them all: none waits any more."""
    waiting = {name: document for name, document in known.items() if document.waits_for_net}
    if not waiting:
        return known
    return {**known, **{name: replace(d, waits_for_net=False) for name, d in waiting.items()}}


def approved(
    known: Mapping[str, TargetsDocument], strategies: Iterable[str]
) -> Mapping[str, TargetsDocument]:
    """The targets once a person lets these strategies' be carried out; the next are guarded."""
    named = {name: known[name] for name in strategies if name in known}
    return {**known, **{name: replace(one, approved=True) for name, one in named.items()}}


def last_waiting(known: Mapping[str, TargetsDocument]) -> TargetsDocument | None:
    """The newest targets that wait for a net, which a gateway that ended has not made [N1c]."""
    waiting = [d for d in known.values() if d.waits_for_net and d.last_as_of is not None]
    return max(waiting, key=lambda d: (d.last_as_of, d.strategy), default=None)


def holding(document: TargetsDocument, con_id: int, at: datetime) -> TargetsDocument:
    """The targets with one contract held from now on, until the strategy's next message [A4]."""
    return replace(document, held_contracts={**document.held_contracts, str(con_id): at})


def counts(document: TargetsDocument | None, con_id: int, now: datetime) -> bool:
    """Whether the targets say now what the strategy wants in a contract [N2]."""
    if document is None or document.last_status != "targets":
        return False
    is_valid = document.valid_until is None or now <= document.valid_until
    is_held = str(con_id) in document.held_contracts
    return is_valid and not is_held and any(t.con_id == con_id for t in document.targets)


def held(known: TargetsDocument | None, said: TargetsDocument) -> TargetsDocument:
    """`hold` and `error` keep the last good targets on record and trade none of them [T1]."""
    kept = known or TargetsDocument(strategy=said.strategy)
    return replace(
        kept,
        last_status=said.last_status,
        last_reason=said.last_reason,
        last_as_of=said.last_as_of,
        last_message_id=said.last_message_id,
        last_run_id=said.last_run_id,
        last_digest=said.last_digest,
    )

"""Which of two messages of a strategy counts, and what `hold` leaves on record [T1, T2]."""

from dataclasses import replace

from schemas.documents import TargetsDocument


def is_newer(said: TargetsDocument, known: TargetsDocument) -> bool:
    """By `as_of`, never by arrival [T2]. The intake has given both one."""
    if said.last_as_of is None or known.last_as_of is None:
        return known.last_as_of is None
    return said.last_as_of > known.last_as_of


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

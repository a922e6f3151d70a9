"""What a strategy's document says, against what its file says. Pure.

A document is made from the file once, and the gateway reads the document alone: whoever changes the
file later, or the document, may leave a strategy that holds for ever.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Final

from functions.history import CHAIN_LENGTH
from functions.registry import StrategySpec
from gateway.core.configuration import Remark
from schemas.documents import path_of
from schemas.settings import StrategyDocument
from schemas.values import BarSpec, Contract

_DESCRIBING: Final = ("symbol", "local_symbol", "con_id")


def differences(name: str, document: StrategyDocument, spec: StrategySpec) -> list[Remark]:
    """A sentence for each; a problem where an enabled strategy could do nothing but hold."""
    path, file = path_of(StrategyDocument, strategy=name), f"functions/strategies/{name}.py"
    return [
        *(Remark(path, text, document.enabled) for text in _lacking(document, spec, file)),
        *(Remark(path, text, False) for text in _other(document, spec, file)),
    ]


def _lacking(document: StrategyDocument, spec: StrategySpec, file: str) -> Iterator[str]:
    """What makes it hold at every run, or never be asked."""
    if not document.universe:
        yield f"universe: is empty, so it is never asked; {file} reads {_names(spec.universe)}"
        return
    missing = [one for one in spec.universe if not _is_there(one, document.universe)]
    if missing:
        yield f"universe: lacks {_names(missing)}, which {file} reads, so it would hold; add it"
    if document.bars is not None and document.bars.size != spec.bars.size:
        yield (
            f"bars.size: is {document.bars.size}, and {file} reads {spec.bars.size}, so it would "
            f"hold; set it to {spec.bars.size}"
        )


def _other(document: StrategyDocument, spec: StrategySpec, file: str) -> Iterator[str]:
    """What is worth knowing."""
    unread = [
        one for one in document.universe if not any(_may_mean(own, one) for own in spec.universe)
    ]
    if unread:
        yield f"universe: has {_names(unread)}, which {file} does not read"
    for field in fields(BarSpec):
        ours, theirs = getattr(document.bars, field.name, None), getattr(spec.bars, field.name)
        if field.name != "size" and document.bars is not None and ours != theirs:
            yield f"bars.{field.name}: is {ours}, and {file} says {theirs}"


def _is_there(asked: Contract, universe: Sequence[Contract]) -> bool:
    """Of a future without a month the bars of two are needed: from one entry, or from two."""
    found = [one for one in universe if _may_mean(asked, one)]
    is_enough = len(found) >= CHAIN_LENGTH or any(one.is_chain for one in found)
    return is_enough if asked.is_chain else bool(found)


def _may_mean(one: Contract, other: Contract) -> bool:
    """Whether two descriptions may be of one contract: what both say must agree."""
    if (one.sec_type, one.currency) != (other.sec_type, other.currency):
        return False
    days = (one.last_trade_date, other.last_trade_date)  # a month may be six digits long
    pairs = [(getattr(one, name), getattr(other, name)) for name in _DESCRIBING]
    is_month = days[0].startswith(days[1]) or days[1].startswith(days[0])
    return is_month and all(not a or not b or a == b for a, b in pairs)


def _names(contracts: Sequence[Contract]) -> str:
    return ", ".join(one.name for one in contracts)

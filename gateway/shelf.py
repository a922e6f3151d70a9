"""Bars through their documents in Firestore: IB is asked only for what is not kept there.

What is kept is not trusted for ever: the new part overlaps it, and where the two differ, as after a
split, or do not meet, all is read anew. Nothing is kept that IB itself tells in two ways.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from gateway.core import bars as shelving
from gateway.core.bars import Broken
from gateway.core.ib_bars import bar_end, day_ends
from gateway.core.prices import Price
from gateway.core.records import Documents
from gateway.floor import Floor
from gateway.patience import side_by_side
from gateway.session import BrokerUnavailable, Paced, Unanswered, Unresolved
from schemas.codec import Invalid
from schemas.documents import BarsDocument, path_of
from schemas.messages import Bars
from schemas.values import BarSpec, Contract

log = logging.getLogger(__name__)

type Wanted = tuple[Contract, BarSpec]
"""Bars of a resolved contract that a strategy wants."""

type Place = tuple[int, str, bool]
"""conId, size, whether of regular hours only: bars that are kept in one document."""

ROWS_MAX: Final = 50_000
"""Bars in one commit, some 3 MB: Firestore takes 10 MiB."""


@dataclass(frozen=True, slots=True)
class Found:
    """Bars as they are kept from now on, and how we came by them.

    `spec` is what they answer: the longest that anybody wants, or wanted before. `fresh` is how
    many were read now, 0 where the kept ones are as new as bars can be; `why_whole` is why all
    were read, empty where only the last ones were.
    """

    bars: Bars
    spec: BarSpec
    fresh: int = 0
    why_whole: str = ""
    repeated: int = 0
    document: BarsDocument | None = None
    """What is to be written; None where nothing is new."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What there is for all who want bars of one place: bars, or why there are none.

    IB may have less than the longest wish, by bars' size: who wishes more then gets the sentence.
    """

    found: Found | None = None
    failure: str = ""

    def seen(self, spec: BarSpec, now: datetime) -> Bars | str:
        """What a strategy sees, or why nothing."""
        if self.found is None or _reach(spec) > _reach(self.found.spec):
            return self.failure
        return shelving.window(self.found.bars, spec, now)


def place_of(wanted: Wanted) -> Place:
    """Where the bars are kept, whatever their duration."""
    contract, spec = wanted
    return contract.con_id, spec.size, spec.regular_hours_only


async def read(floor: Floor, wanted: Iterable[Wanted]) -> Mapping[Place, Answer]:
    """All that is wanted, each document asked for once and for the longest duration.

    Raises `BrokerUnavailable` when the line is broken.
    """
    specs: defaultdict[Place, list[Wanted]] = defaultdict(list)
    for one in wanted:
        specs[place_of(one)].append(one)
    return await side_by_side(lambda place: _answer(floor, specs[place]), specs)


async def read_anew(floor: Floor, contract: Contract, spec: BarSpec, why: str) -> Found:
    """All of the bars by IB, whatever is kept. Raises what `Session.bars` does, and `Broken`."""
    told, repeated = await _told(floor, contract, spec, shelving.whole_question(spec))
    bars = shelving.window(told, spec, floor.now)
    document = shelving.kept_document(bars, spec, floor.now) if bars.time else None
    return Found(bars, spec, len(bars.time), why, repeated, document)


async def write(floor: Floor, found: Iterable[Found]) -> None:
    """Write what is new, in commits that Firestore takes."""
    documents: Documents = {}
    rows = 0
    for path, document in to_write(floor, found).items():
        if documents and rows + len(document.time) > ROWS_MAX:
            await floor.doors.archive.write(documents)
            documents, rows = {}, 0
        documents[path] = document
        rows += len(document.time)
    if documents:
        await floor.doors.archive.write(documents)


def to_write(floor: Floor, found: Iterable[Found]) -> dict[str, BarsDocument]:
    """The documents that are new, by path; what was read before counts no more."""
    documents = {
        _path(floor, one.bars.contract, one.spec): one.document for one in found if one.document
    }
    for path in documents:
        floor.bars.pop(path, None)
    return documents


def fits_one_commit(documents: Mapping[str, BarsDocument]) -> bool:
    """Whether these may be written together with what else a run writes."""
    return sum(len(document.time) for document in documents.values()) <= ROWS_MAX


async def _answer(floor: Floor, ones: list[Wanted]) -> Answer:
    """The longest that IB has, and why it has no longer."""
    contract, specs = ones[0][0], [spec for _, spec in ones]
    failure = ""
    while specs:
        spec = _longest(specs)
        try:
            found = await _found(floor, contract, spec)
        except (BrokerUnavailable, ValueError) as error:
            if isinstance(error, BrokerUnavailable) and not floor.doors.session.connected:
                raise
            failure = failure or f"bars of {contract.name}: {error}"
            if isinstance(error, Paced | Unanswered | Unresolved):
                break  # a shorter one would wait as long again
        else:
            _remember_close(floor, found)
            return Answer(found, failure)
        specs = [one for one in specs if _reach(one) < _reach(spec)]
    return Answer(None, failure)


async def _found(floor: Floor, contract: Contract, spec: BarSpec) -> Found:
    kept = await _kept(floor, contract, spec) if shelving.can_be_kept(contract, spec) else None
    if kept is None:
        return await read_anew(floor, contract, spec, "nothing was kept")
    why = shelving.why_unfit(kept, spec)
    if why:
        return await read_anew(floor, contract, spec, why)
    spec = replace(spec, duration=shelving.longest((kept.duration, spec.duration)))
    return await _continued(floor, shelving.kept_bars(kept, contract), spec)


async def _continued(floor: Floor, kept: Bars, spec: BarSpec) -> Found:
    """The kept bars with what is new since."""
    contract, now = kept.contract, floor.now
    tail = shelving.tail_question(kept, now)
    if now < shelving.next_finish(kept, spec):
        return Found(kept, spec)
    if not shelving.is_shorter(tail, spec):
        return await read_anew(floor, contract, spec, "the kept ones are too old")
    try:
        told, repeated = await _told(floor, contract, spec, tail)
        both = shelving.window(shelving.joined(kept, told), spec, now)
    except Broken as error:
        log.warning("bars of %s are read anew: %s", contract.symbol, error)
        return await read_anew(floor, contract, spec, str(error))
    except Paced as error:
        log.warning("bars of %s are as they were kept: %s", contract.symbol, error)
        return Found(kept, spec)
    if both == kept:
        return Found(kept, spec, repeated=repeated)
    fresh = sum(start > kept.time[-1] for start in both.time)
    document = shelving.kept_document(both, spec, now)
    return Found(both, spec, fresh, repeated=repeated, document=document)


async def _told(floor: Floor, contract: Contract, spec: BarSpec, duration: str) -> tuple[Bars, int]:
    bars = await floor.doors.session.bars(
        contract, spec.size, duration, regular_hours_only=spec.regular_hours_only
    )
    return shelving.without_repetitions(bars)


async def _kept(floor: Floor, contract: Contract, spec: BarSpec) -> BarsDocument | None:
    """What is kept, if it can be read: a broken document is written anew."""
    path = _path(floor, contract, spec)
    if path in floor.bars:
        return floor.bars[path]
    try:
        kept = await floor.doors.archive.read(BarsDocument, path)
    except Invalid as error:
        log.warning("bars are read anew: %s", error)
        return None
    if kept is not None:
        floor.bars[path] = kept
    return kept


def _path(floor: Floor, contract: Contract, spec: BarSpec) -> str:
    name = shelving.name_of(contract, spec)
    return path_of(BarsDocument, mode=floor.mode, bars=name)


def _reach(spec: BarSpec) -> float:
    return shelving.days_of(spec.duration)


def _longest(specs: list[BarSpec]) -> BarSpec:
    """What answers all of them."""
    count_min = max(spec.count_min for spec in specs)
    duration = shelving.longest([spec.duration for spec in specs])
    return replace(specs[0], duration=duration, count_min=count_min)


def _remember_close(floor: Floor, found: Found) -> None:
    """The last close stands in for a price where there is no quote [N4]."""
    bars = found.bars
    if not bars.close:
        return
    ends = day_ends(bars.contract, regular_hours_only=found.spec.regular_hours_only)
    at = bar_end(bars.time[-1], bars.size, ends)
    known = floor.last_closes.get(bars.contract.con_id)
    if known is None or at >= known.at:
        price = Price(Decimal(str(bars.close[-1])), "last close", at)
        floor.last_closes[bars.contract.con_id] = price

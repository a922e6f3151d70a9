"""Whether what people set makes sense, document by document and all together.

`refusals` is what a run asks; `remarks` reads the documents as they lie in the store and says
everything at once, for `python -m infra.config check` and the doctor.
"""

import math
from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from gateway.core.ib_bars import bar_length
from gateway.core.order_policy import conflicts
from schemas.codec import NUMBER_SUFFIX, Invalid, from_document
from schemas.documents import path_of
from schemas.sentences import nearest
from schemas.settings import ControlDocument, Settings, StrategyDocument
from schemas.values import Mode, TradingState, check_strategy_id

COMMON: Final = "common"
"""`config/common`: the settings of every mode."""

STRATEGIES: Final = "strategies"
"""The collection of the strategies' documents."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One sentence about one document. A problem refuses something; anything else is told only."""

    document: str
    sentence: str
    is_problem: bool

    def __str__(self) -> str:
        is_named = self.sentence.startswith(f"{self.document}/")
        return self.sentence if is_named else f"{self.document}: {self.sentence}"


@dataclass(frozen=True, slots=True)
class Written:
    """People's documents as they lie in the store: path -> data.

    `config/*`, `control/*` and `strategies/*`, all of them. `functions` are the strategies that
    have code; None where that is not known.
    """

    mode: Mode
    documents: Mapping[str, Mapping[str, Any]]
    functions: Set[str] | None = None


def overlaid(common: Mapping[str, Any] | None, own: Mapping[str, Any] | None) -> dict[str, Any]:
    """`config/common` with the fields of `config/{mode}` in place of its own, each of them whole.

    A number for the eye goes with the field that it belongs to.
    """
    lower, upper = common or {}, own or {}
    kept = {
        key: value
        for key, value in lower.items()
        if key not in upper and key.removesuffix(NUMBER_SUFFIX) not in upper
    }
    return {**kept, **upper}


def refusals(settings: Settings, strategies: Mapping[str, StrategyDocument]) -> tuple[str, ...]:
    """Why no run can be made with this: a sentence each, with its documents [N2, N5].

    A missing weight is an error, never 0; all together may not pass `exposure_gross_max`.
    """
    enabled = {name: one for name, one in sorted(strategies.items()) if one.enabled}
    weights = {name: one.weight for name, one in enabled.items() if one.weight is not None}
    found = [
        f"strategies/{name} has no weight; say 0 to give it nothing"
        for name in enabled
        if name not in weights
    ]
    found += [
        f"strategies/{name} has a weight below 0; go short by targets"
        for name, weight in weights.items()
        if weight < 0
    ]
    total, bound = sum(weights.values(), Decimal(0)), settings.exposure_gross_max
    if total > bound:
        each = ", ".join(f"{name} {weight:f}" for name, weight in weights.items() if weight)
        found.append(
            f"weights of the strategies sum to {total:f}, over {bound:f} (exposure_gross_max): "
            f"{each}; lower one, or set enabled to false"
        )
    return (*found, *conflicts(strategies, settings.order_policy))


def remarks(written: Written) -> tuple[Remark, ...]:
    """Everything there is to say about what people wrote, problems first."""
    settings = settings_of(written)
    strategies = strategies_of(written)
    together = [
        *(Remark(STRATEGIES, sentence, True) for sentence in refusals(settings, strategies)),
        *_of_settings(written, settings),
        *_of_strategies(written, strategies),
        *_of_control(written),
    ]
    found = [
        *(one for path in sorted(written.documents) for one in _of_document(written, path)),
        *together,
    ]
    return tuple(sorted(found, key=lambda one: not one.is_problem))


def settings_of(written: Written) -> Settings:
    """The settings in force; a field that cannot be read counts as absent."""
    common, own = (
        readable(Settings, written.documents.get(path_of(Settings, name=name), {}))
        for name in (COMMON, written.mode)
    )
    return from_document(Settings, overlaid(common, own))


def strategies_of(written: Written) -> dict[str, StrategyDocument]:
    """The strategies' documents by name; one that cannot be read is not enabled."""
    found: dict[str, StrategyDocument] = {}
    for path, data in sorted(written.documents.items()):
        collection, _, name = path.partition("/")
        if collection == STRATEGIES:
            found[name] = StrategyDocument()
            with suppress(Invalid):
                found[name] = from_document(StrategyDocument, data)
    return found


def field_problems(kind: type, data: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with each field of a document, by its name; for kinds that have defaults."""
    found = {}
    for key in sorted(data):
        try:
            from_document(kind, _alone(key, data))
        except Invalid as error:
            found[key] = str(error)
    return found


def _alone(key: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """One field, with the field whose number it is, if it is one."""
    owner = key.removesuffix(NUMBER_SUFFIX)
    return {name: data[name] for name in (key, owner) if name in data}


def readable(kind: type, data: Mapping[str, Any]) -> dict[str, Any]:
    """A document without the fields that cannot be read."""
    wrong = field_problems(kind, data)
    return {key: value for key, value in data.items() if key not in wrong}


def _of_document(written: Written, path: str) -> Iterator[Remark]:
    """What is wrong with one document by itself."""
    kind, data = kind_of(path), written.documents[path]
    if kind is None:
        yield Remark(path, _unread(written, path), False)
        return
    if kind is StrategyDocument:
        try:
            check_strategy_id(path.partition("/")[2])
        except ValueError as error:
            yield Remark(path, str(error), True)
    wrong = field_problems(kind, data)
    yield from (Remark(path, sentence, True) for sentence in dict.fromkeys(wrong.values()))
    yield from (Remark(path, s, False) for s in _numbers_that_differ(data, wrong))


def kind_of(path: str) -> type | None:
    """The type of a document of people's by its path; None for one that nobody reads."""
    collection, _, name = path.partition("/")
    if collection == STRATEGIES:
        return StrategyDocument
    if collection == "control" and name in list(Mode):
        return ControlDocument
    return Settings if collection == "config" and name in (COMMON, *Mode) else None


def _unread(written: Written, path: str) -> str:
    collection, _, name = path.partition("/")
    known = [COMMON, *Mode] if collection == "config" else [*Mode]
    close = nearest(name, known)
    meant = f", did you mean {collection}/{close}?" if close else f"; {written.mode} reads others"
    return f"nobody reads this document{meant}"


def _numbers_that_differ(data: Mapping[str, Any], wrong: Mapping[str, str]) -> Iterator[str]:
    """A person who edits the number beside a text changes nothing: only the text counts."""
    for key, text in sorted(data.items()):
        beside = data.get(key + NUMBER_SUFFIX)
        if beside is None or key in wrong or isinstance(beside, bool | str):
            continue
        try:
            is_same = math.isclose(float(Decimal(str(text))), float(beside))
        except (InvalidOperation, TypeError, ValueError):
            is_same = False
        if not is_same:
            name = key + NUMBER_SUFFIX
            yield f"{key} is {text} and {name} is {beside}: only {key} counts; change that one"


def _of_settings(written: Written, settings: Settings) -> Iterator[Remark]:
    path = path_of(Settings, name=written.mode)
    common = path_of(Settings, name=COMMON)
    if common not in written.documents and path not in written.documents:
        yield Remark(common, "is absent, so the defaults hold; init creates it", False)
    for symbol in sorted({*settings.symbols_allowed} & {*settings.symbols_denied}):
        sentence = f"{symbol} is in symbols_allowed and in symbols_denied; it is denied"
        yield Remark(path, sentence, False)
    if settings.order_notional_min > settings.order_notional_max:
        yield Remark(
            path,
            f"order_notional_min {settings.order_notional_min:f} is over order_notional_max "
            f"{settings.order_notional_max:f}, so nothing can grow; lower the first",
            True,
        )
    if settings.delayed_data_allowed and written.mode is Mode.LIVE:
        yield Remark(path, "delayed_data_allowed counts for nothing in live", False)


def _of_strategies(
    written: Written, strategies: Mapping[str, StrategyDocument]
) -> Iterator[Remark]:
    for name, one in strategies.items():
        path = path_of(StrategyDocument, strategy=name)
        if one.universe and one.enabled:
            yield from (Remark(path, s, True) for s in _bars_problems(one))
        if one.universe and written.functions is not None and name not in written.functions:
            waits = "every run would wait for it; deploy the function, or set enabled to false"
            sentence = "has a universe, and no function has its name: "
            sentence += waits if one.enabled else "it is not enabled, so nobody asks it"
            yield Remark(path, sentence, False)
    for name in sorted(written.functions or ()):
        if name not in strategies:
            path = path_of(StrategyDocument, strategy=name)
            yield Remark(path, "is absent, so its function is never asked; init creates it", False)


def _bars_problems(strategy: StrategyDocument) -> Iterator[str]:
    bars = strategy.bars
    if bars is None:
        yield "has a universe but names no bars; name size, duration and count_min"
        return
    try:
        bar_length(bars.size)
    except ValueError as error:
        yield f"bars.size: {error}"
    if bars.count_min < 1:
        yield f"bars.count_min: must be 1 or more, not {bars.count_min}"


def _of_control(written: Written) -> Iterator[Remark]:
    path = path_of(ControlDocument, mode=written.mode)
    data = written.documents.get(path)
    if data is None:
        yield Remark(path, "is absent, so trading is halted; say resume when all is well", False)
        return
    wrong = field_problems(ControlDocument, data)
    if wrong:
        yield Remark(path, "cannot be read, so trading is halted; say resume or mend it", False)
        return
    control = from_document(ControlDocument, data)
    if control.state is not TradingState.ACTIVE:
        why = f", because {control.reason}" if control.reason else ""
        by = f" by {control.by}" if control.by else ""
        sentence = f"trading is {control.state}{by}{why}; only a person says resume"
        yield Remark(path, sentence, False)

"""What a person is told of a field that does not validate: where, what it must be, what it is.

The serializer says `Expected int, got str - at $.a[...].b`; here that becomes
`a.key.b: must be a whole number, not the text '5'`. Pure.
"""

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Literal, TypeAliasType

VALUE_CHARACTERS_MAX: Final = 60
"""How much of a wrong value is said again."""

_PLAIN: Final[Mapping[Any, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Decimal: "a number",
    str: "text",
    types.NoneType: "nothing",
    datetime: "a time with its zone, such as 2026-01-05T15:30:00Z",
}
_SHOWN: Final[Mapping[type, str]] = {str: "the text ", list: "the list ", dict: "the map "}
_STEP: Final = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")


@dataclasses.dataclass(frozen=True, slots=True)
class _Spot:
    """A place inside what was read: its name for people, its type, what stands there."""

    name: str
    kind: Any
    value: Any


def refusal(
    kind: Any, value: Any, text: str, fits: Callable[[Any, Any], bool], *, is_ours: bool
) -> str:
    """The serializer's `text` about a `value` that is no `kind`, as a sentence.

    `fits(value, kind)` says whether a part validates: it finds the entry of a map, which the
    serializer does not name. `is_ours`: the reason is a sentence of ours already.
    """
    reason, _, path = text.partition(" - at ")
    spot = _Spot("", kind, value)
    for step in _STEP.finditer(path.strip("`")):
        spot = _inside(spot, step[1] or step[2], fits)
    wanted = "" if is_ours else _wanted(spot, reason)
    plain = wanted or (reason if is_ours else _tidy(reason))
    return f"{spot.name}: {_lowered(plain, is_ours)}" if spot.name else plain


def alternatives(kind: Any) -> tuple[Any, ...]:
    """The members of a union, or the type itself; names of types are looked through."""
    if isinstance(kind, TypeAliasType):
        return alternatives(kind.__value__)
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return tuple(part for arg in typing.get_args(kind) for part in alternatives(arg))
    return (kind,)


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The known word that was probably meant, whatever its case; None where none is near."""
    by_fold = {one.casefold(): one for one in known}
    close = difflib.get_close_matches(word.casefold(), by_fold, n=1)
    return by_fold[close[0]] if close else None


def _inside(spot: _Spot, step: str, fits: Callable[[Any, Any], bool]) -> _Spot:
    """One step further in. What cannot be followed keeps its name, and is said without its type."""
    for part in alternatives(spot.kind):
        if dataclasses.is_dataclass(part) and isinstance(spot.value, Mapping):
            hint = typing.get_type_hints(part).get(step)
            wire = step.removesuffix("_")
            return _Spot(f"{spot.name}.{wire}".lstrip("."), hint, spot.value.get(step))
        if typing.get_origin(part) is tuple and step.isdecimal():
            name = f"{spot.name}[{step}]"
            return _Spot(name, typing.get_args(part)[0], spot.value[int(step)])
        if step == "..." and len(typing.get_args(part)) == 2 and isinstance(spot.value, Mapping):
            inner = typing.get_args(part)[1]
            key = next((k for k, item in spot.value.items() if not fits(item, inner)), step)
            return _Spot(f"{spot.name}.{key}", inner, spot.value.get(key))
    return _Spot(f"{spot.name}.{step}", None, None)


def _wanted(spot: _Spot, reason: str) -> str:
    """What must be there and what is; empty where the serializer's own reason says more."""
    if spot.kind is None or reason.startswith("Object missing"):
        return ""
    parts = alternatives(spot.kind)
    said = _listed([*dict.fromkeys(_expectation(part) for part in parts)])
    options = [option for part in parts for option in _options(part)]
    close = nearest(spot.value, options) if isinstance(spot.value, str) else None
    meant = f"; did you mean {close}?" if close else ""
    return f"must be {said}, not {_shown(spot.value)}{meant}"


def _listed(words: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def _expectation(part: Any) -> str:
    options = [option or "empty" for option in _options(part)]
    if options:
        return f"one of {', '.join(options)}"
    if dataclasses.is_dataclass(part):
        return f"a map of {', '.join(field.name for field in dataclasses.fields(part))}"
    if typing.get_origin(part) is tuple:
        return "a list"
    return str(_PLAIN.get(part, "a map"))


def _options(part: Any) -> Iterator[str]:
    """The words that a type allows, if they are few."""
    if typing.get_origin(part) is Literal:
        yield from map(str, typing.get_args(part))
    elif isinstance(part, type) and issubclass(part, Enum):
        yield from (str(member.value) for member in part)


def _shown(value: Any) -> str:
    """A value as a person would write it; text is said to be text, for `'5'` is no number."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "nothing"
    what = next((said for kind, said in _SHOWN.items() if isinstance(value, kind)), "")
    shown = str(value) if isinstance(value, Decimal | float | int) else repr(value)
    if len(shown) > VALUE_CHARACTERS_MAX:
        shown = shown[:VALUE_CHARACTERS_MAX] + "..."
    return what + shown


def _tidy(reason: str) -> str:
    plain = reason.replace("_`", "`").replace("`", "")
    return plain.replace("Invalid decimal string", "must be a number")


def _lowered(text: str, is_ours: bool) -> str:
    """The serializer begins with a capital; ours may begin with a word such as LOC."""
    return text if is_ours else f"{text[:1].lower()}{text[1:]}"

"""What settings are in force and where each comes from; what a document would change. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final

from gateway.core.configuration import COMMON, Written, kind_of, readable, settings_of
from schemas.codec import NUMBER_SUFFIX, from_document, to_document
from schemas.documents import path_of
from schemas.settings import Settings, StrategyDocument

ABSENT: Final = "(absent)"


def in_force(written: Written) -> list[str]:
    """A line for each setting that is not its default: value, source, and what it hides."""
    values, standard = flat(settings_of(written)), flat(Settings())
    layers = [
        (path, written.documents.get(path, {}))
        for path in (path_of(Settings, name=name) for name in (written.mode, COMMON))
    ]
    lines = []
    for name, value in values.items():
        if value == standard[name]:
            continue
        said = [path for path, data in layers if name.partition(".")[0] in data]
        lines.append(f"{name} = {value}  from {said[0]}  (default {standard[name]})")
    return lines


def differing(path: str, data: Mapping[str, Any], seed: Mapping[str, Any]) -> list[str]:
    """A line for each field of a strategy's document: as init makes it -> as it is.

    Raises `Invalid` for a document that cannot be read.
    """
    now, then = (flat(from_document(StrategyDocument, one)) for one in (data, seed))
    return [f"{path}: {line}" for line in _between(then, now)]


def changes(written: Written, path: str, data: Mapping[str, Any]) -> list[str]:
    """A line for each field that would change if `data` took the place of the whole document.

    Of settings, also what would change for the mode: what another document says stays in force.
    Raises `Invalid` for what cannot be read.
    """
    kind = kind_of(path)
    if kind is None:
        raise ValueError(f"{path} is no document of people's; name config/..., strategies/...")
    before = written.documents.get(path)
    old, new = _stated(kind, readable(kind, before or {})), _stated(kind, data)
    lines = [f"{path}: created"] if before is None else []
    lines += [f"{path}: {line}" for line in _between(old, new)]
    if kind is Settings:
        after = settings_of(with_document(written, path, data))
        lines += [f"in force: {line}" for line in _between(flat(settings_of(written)), flat(after))]
    return lines


def with_document(written: Written, path: str, data: Mapping[str, Any]) -> Written:
    """The documents as they would be with this one in its place."""
    return replace(written, documents={**written.documents, path: data})


def flat(value: Any, prefix: str = "") -> dict[str, str]:
    """A record's fields as text by dotted names: `order_policy.tif` -> `DAY`."""
    found: dict[str, str] = {}
    for field in fields(value):
        item = getattr(value, field.name)
        if is_dataclass(item):
            found |= flat(item, f"{prefix}{field.name}.")
        else:
            found[prefix + field.name] = _text(field.name, value)
    return found


def _stated(kind: type, data: Mapping[str, Any]) -> dict[str, str]:
    """The fields that a document names."""
    found = flat(from_document(kind, data))
    return {name: value for name, value in found.items() if name.partition(".")[0] in data}


def _between(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in dict.fromkeys((*old, *new)):
        was, will = old.get(name, ABSENT), new.get(name, ABSENT)
        if was != will:
            yield f"{name} {was} -> {will}"


def _text(name: str, value: Any) -> str:
    """A field as its document has it, on one line; a decimal without its quotes."""
    plain = to_document(value)
    if name + NUMBER_SUFFIX in plain:
        return str(plain[name])
    found = getattr(value, name)
    if isinstance(found, tuple):
        return f"[{', '.join(map(_item, found))}]"
    return json.dumps(_without_numbers(plain[name]), default=str)


def _item(item: Any) -> str:
    """One of a list on a part of a line: a contract as `SPY STK SMART USD`."""
    if not is_dataclass(item):
        return str(item)
    words = (getattr(item, field.name) for field in fields(item))
    return " ".join(str(word) for word in words if word and word != 1)


def _without_numbers(plain: Any) -> Any:
    if isinstance(plain, dict):
        kept = {
            k: v for k, v in plain.items() if k.removesuffix(NUMBER_SUFFIX) not in {*plain} - {k}
        }
        return {key: _without_numbers(item) for key, item in kept.items()}
    return [_without_numbers(item) for item in plain] if isinstance(plain, list) else plain

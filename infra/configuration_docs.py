"""`docs/configuration.md`: the tables of what people set, written by the code.

    python -m infra.configuration_docs

Name, type, default, bound and unit come from the dataclasses of `schemas.settings`, the meaning
from the text under each field there. All else on the page is written by hand; a test says when it
is out of date.
"""

import ast
import inspect
import types
import typing
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal

from gateway.config import Config
from infra.marked_text import filled
from schemas.bounds import bounds_of
from schemas.sentences import alternatives
from schemas.settings import ControlDocument, OrderPolicy, Settings, StrategyDocument
from schemas.values import BarSpec

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"
TABLES: Final[dict[str, type]] = {
    "settings": Settings,
    "order policy": OrderPolicy,
    "strategies": StrategyDocument,
    "bars": BarSpec,
    "control": ControlDocument,
    "environment": Config,
}
_WORDS: Final[dict[Any, str]] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    Decimal: "number",
    str: "text",
    types.NoneType: "null",
    datetime: "time",
    Path: "path",
}


def page(text: str) -> str:
    """The page with its tables made anew. Raises `ValueError` when a mark is missing."""
    return filled(text, {name: table(kind) for name, kind in TABLES.items()})


def table(kind: type) -> str:
    """A row for each field of a record."""
    meanings, bounds = said_of(kind), bounds_of(kind)
    lines = ["| name | type | default | may be | meaning |", "|---|---|---|---|---|"]
    for field in fields(kind):
        bound = bounds.get(field.name)
        may_be = f"{bound} {bound.unit}".strip() if bound else ""
        name = field.name.upper() if kind is Config else field.name
        hint = typing.get_type_hints(kind)[field.name]
        cells = (f"`{name}`", word(hint), _default(field), may_be, meanings.get(field.name, ""))
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines)


def said_of(kind: type) -> dict[str, str]:
    """The text under each field of a record, on one line; a field without one is left out."""
    (record,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(record, ast.ClassDef)
    found = {}
    for field, text in zip(record.body, record.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            assert isinstance(field.target, ast.Name)
            found[field.target.id] = " ".join(str(ast.literal_eval(text.value)).split())
    return found


def word(hint: Any) -> str:
    """A type in a person's words."""
    parts = [_word(part) for part in alternatives(hint)]
    return " or ".join(dict.fromkeys(parts))


def _word(part: Any) -> str:
    origin, inner = typing.get_origin(part), typing.get_args(part)
    if origin is Literal:
        return ", ".join(f"`{item}`" if item else "empty" for item in inner)
    if isinstance(part, type) and issubclass(part, Enum):
        return ", ".join(f"`{member.value}`" for member in part)
    if origin is tuple:
        return f"list of {word(inner[0])}"
    if is_dataclass(part):
        return "map (below)" if part in TABLES.values() else "map"
    if len(inner) == 2:
        return f"map of {word(inner[1])}"
    return _WORDS[part]


def _default(field: "Field[Any]") -> str:
    if field.default_factory is not MISSING:
        return "as below" if is_dataclass(field.default_factory) else "empty"
    if field.default is MISSING:
        return "must be set"
    value = field.default
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "empty"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f"{value:f}" if isinstance(value, Decimal) else str(value) or "empty"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()

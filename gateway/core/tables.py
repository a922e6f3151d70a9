"""Tables of text for a person's terminal. Pure."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

COLUMNS_MAX: Final = 110
"""What fits beside another window."""


def table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A titled table, its columns as wide as they must be; `TITLE: none` without rows."""
    if not rows:
        return f"{title.upper()}: none"
    widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (heads, *rows)
    ]
    return "\n".join([title.upper(), *(f"  {line}" for line in lines)])


def money(value: object) -> str:
    """An amount for the eye, to the cent: `1,234.50`."""
    return f"{Decimal(str(value)):,.2f}"


def signed_money(value: Decimal | None) -> str:
    """The same with its sign; empty where nobody knows it."""
    return "" if value is None else f"{value:+,.2f}"


def clipped(text: str, columns: int = COLUMNS_MAX) -> str:
    """The text with no line longer than so many columns; what was cut off ends with an ellipsis."""
    lines = text.split("\n")
    return "\n".join(one if len(one) <= columns else one[: columns - 1] + "…" for one in lines)

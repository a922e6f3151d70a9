"""`docs/simulator.md`: the parts that follow from the code, written by the code.

    python -m infra.simulator_docs

The table of faults and the table of the control port stand between marks; all else is written by
hand. A test says when the page is out of date, and when it names a test that does not exist.
"""

from pathlib import Path
from typing import Final

from gateway.simulator.control_verbs import ENDPOINTS
from gateway.simulator.faults import FAULTS, markdown_table
from infra.marked_text import filled

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "simulator.md"
CONTROL_PORT: Final = 4003
"""The port in the examples."""


def page(text: str) -> str:
    """The page with its generated parts made anew. Raises `ValueError` when a mark is missing."""
    return filled(text, {"faults": markdown_table(FAULTS), "control": control_table()})


def control_table() -> str:
    """What the control port does, a curl example each."""
    lines = ["| does | example |", "|---|---|"]
    for item in ENDPOINTS:
        lines.append(f"| {item.does} | `{item.curl(CONTROL_PORT)}` |")
    return "\n".join(lines)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()

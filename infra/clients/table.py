"""The table client × case, as `docs/simulator.md` has it. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from infra.clients.play import Outcome
from infra.clients.script import Case

PASS: Final = "pass"
FAILS: Final = "**fails**"


def case_table(
    outcomes: Mapping[str, Sequence[Outcome]], cases: Sequence[Case], absent: Mapping[str, str]
) -> str:
    """The cases down, the clients across; below it a numbered reason for what is no pass.

    `absent` are clients that could not be played at all, with the reason.
    """
    found = {(one.client, one.case): one for row in outcomes.values() for one in row}
    clients = [*outcomes, *absent]
    notes: dict[str, int] = {}
    lines = [
        "| " + " | ".join(["case", *clients, "the client"]) + " |",
        "|---" * (len(clients) + 2) + "|",
    ]
    for case in cases:
        cells = [f"`{case.name}`"]
        for client in clients:
            said, reason = _cell(found.get((client, case.name)), absent.get(client, ""))
            cells.append(f"{said} {notes.setdefault(reason, len(notes) + 1)}" if reason else said)
        lines.append("| " + " | ".join([*cells, case.does]) + " |")
    told = [f"{number}. {reason}" for reason, number in notes.items()]
    return "\n".join([*lines, *([""] if told else []), *told])


def _cell(outcome: Outcome | None, absent: str) -> tuple[str, str]:
    """What stands in the table, and the reason if it is no whole pass."""
    if outcome is None:
        return "not played", absent
    if outcome.by_nature:
        return "cannot", outcome.by_nature
    return (FAILS, "; ".join(outcome.wrong)) if outcome.wrong else (PASS, outcome.without)

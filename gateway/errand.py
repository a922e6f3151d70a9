"""A command on its way, and how it is refused: what all the commands' handlers share."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from schemas.documents import RefusalEntry, RunDocument


class CommandRefused(ValueError):
    """A command that cannot be carried out as it stands; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Errand:
    """A command on its way: the command itself and the run document that it left."""

    command: Any
    run: RunDocument


def unknown_strategy(name: str, known: Iterable[str]) -> RefusalEntry:
    """The refusal of a strategy that a command names and nobody has configured."""
    hint = f"name some of {', '.join(sorted(known)) or 'none'}"
    return RefusalEntry("strategy", f"strategy {name!r} is not known; {hint}")

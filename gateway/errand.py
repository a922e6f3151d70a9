"""A command on its way, and how it is refused: what all the commands' handlers share."""

from dataclasses import dataclass
from typing import Any

from schemas.documents import RunDocument


class CommandRefused(ValueError):
    """A command that cannot be carried out as it stands; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Errand:
    """A command on its way: the command itself and the run document that it left."""

    command: Any
    run: RunDocument

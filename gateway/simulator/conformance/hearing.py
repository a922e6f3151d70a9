"""What a gateway said, message by message: typed where we know it, raw where we do not.

A person's own gateway may be newer than this project: an unknown message is kept as it came, one
whose fields do not fit is kept with what is wrong with it, and neither ends a conversation.
"""

from dataclasses import dataclass, field
from typing import Any

from gateway.simulator.wire.fields import FieldReader, MalformedMessage
from gateway.simulator.wire.messages import READ_REPLY

EXECUTION = 11
_EXECUTION_TIME = 15
_ANY_TIME = "20000101 00:00:00 UTC"
_ID_NAMES = ("request_id", "order_id", "id")


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message that is not in our tables, or whose fields make no sense."""

    number: str


@dataclass(frozen=True, slots=True)
class Heard:
    """One message of the gateway.

    Attributes:
        place: how many messages of its connection came before it.
        seconds: when it came, in seconds since its connection was opened.
        fields: all of it, the number of the message first.
        reply: the same as one of `gateway.simulator.replies`, or `Unknown`.
        trouble: why its fields are not those of its layout; empty when they are.
    """

    place: int
    seconds: float
    fields: tuple[str, ...]
    reply: Any
    trouble: str = ""
    kind: str = field(init=False)

    def __post_init__(self) -> None:
        name = type(self.reply).__name__
        if isinstance(self.reply, Unknown):
            name = f"Unknown {self.reply.number}"
        object.__setattr__(self, "kind", name)

    @property
    def id(self) -> int | None:
        """The request or order it is about: -1 where IB says so, None without such a field."""
        for name in _ID_NAMES:
            found: int | None = getattr(self.reply, name, None)
            if found is not None:
                return found
        return None

    @property
    def code(self) -> int:
        """The code of a notice (IB's `error` message); 0 for every other message."""
        code: int = getattr(self.reply, "code", 0)
        return code


def understand(fields: tuple[str, ...], version: int) -> tuple[Any, str]:
    """The typed reply in a message's fields, and what is wrong with them (empty: nothing)."""
    number = fields[0]
    read = READ_REPLY.get(int(number)) if number.isdecimal() and len(number) < 6 else None
    if read is None:
        return Unknown(number), ""
    reader = FieldReader(fields[1:], version)
    try:
        reply = read(reader)
    except MalformedMessage as error:
        return _second_look(fields, version, f"message {number}: {error}")
    surplus = reader.remaining
    return reply, f"{type(reply).__name__} has {surplus} fields too many" if surplus else ""


def _second_look(fields: tuple[str, ...], version: int, trouble: str) -> tuple[Any, str]:
    """An execution whose only fault is its time is still an execution, and not to be lost."""
    is_execution = fields[0] == str(EXECUTION) and len(fields) > _EXECUTION_TIME
    if not is_execution or fields[_EXECUTION_TIME] == _ANY_TIME:
        return Unknown(fields[0]), trouble
    mended = (*fields[:_EXECUTION_TIME], _ANY_TIME, *fields[_EXECUTION_TIME + 1 :])
    reply, still = understand(mended, version)
    return reply, still or f"{trouble}: {fields[_EXECUTION_TIME]!r}"

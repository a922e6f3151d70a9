"""Injecting, listing and clearing faults, from Python and by name.

A fault is one class; its parameters are the class's fields, its sentence the first line of the
class's docstring. `Injector` turns the class into a method with that signature, so that callers
are checked by mypy, and `describe` into a row of the table that documents it.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from gateway.simulator.broker import LONG_AGO
from gateway.simulator.faults.fault import Action, Fault, Scene
from gateway.simulator.faults.parameters import (
    FaultError,
    Parameter,
    parameters_of,
    read_parameters,
)
from gateway.simulator.faults.selection import Selective, nearest

SELECTION = {"client_id", "symbol", "times", "probability", "order", "order_ref", "request"}
"""Parameters by which a fault chooses what it strikes."""
LOG_MAX = 10_000
"""What faults did, that many entries; older ones are forgotten."""


@dataclass(frozen=True, slots=True)
class Happened:
    """One thing a fault did, at a virtual time."""

    time: datetime
    fault_id: int
    fault: str
    what: str


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One row of the table of faults: its class, what it does, where that was seen, parameters."""

    make: type[Fault]
    sentence: str
    source: str
    parameters: tuple[Parameter, ...]

    @property
    def own(self) -> tuple[Parameter, ...]:
        """The parameters that are not those of every fault that selects."""
        shared = SELECTION if issubclass(self.make, Selective) else {"client_id"}
        return tuple(item for item in self.parameters if item.name not in shared)


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault that is active, as `active` lists it; `struck` counts what it was applied to."""

    id: int
    name: str
    parameters: dict[str, Any]
    struck: int


class Injector[**P]:
    """A class attribute that is the method injecting one kind of fault; it returns its id."""

    def __init__(self, make: Callable[P, Fault]) -> None:
        assert isinstance(make, type)
        assert issubclass(make, Fault)
        self.make: type[Fault] = make

    def __set_name__(self, owner: type["Injection"], name: str) -> None:
        self.make.name = name
        does, _, source = " ".join((self.make.__doc__ or "").split()).partition(" Source: ")
        kind = FaultKind(self.make, does, source, tuple(parameters_of(self.make).values()))
        owner.kinds = {**owner.kinds, name: kind}

    def __get__(self, faults: "Injection", owner: type["Injection"]) -> Callable[P, int]:
        def inject(*args: P.args, **kwargs: P.kwargs) -> int:
            return faults.inject(self.make.name, **kwargs)

        inject.__name__ = self.make.name
        inject.__doc__ = self.make.__doc__
        return inject


class Injection:
    """The faults of one stage: those that are active, in the order of their injection."""

    kinds: ClassVar[dict[str, FaultKind]] = {}

    def __init__(self, scene: Scene, wake: Action) -> None:
        self._scene = scene
        self._wake = wake
        self._active: dict[int, Fault] = {}
        self._last_id = 0
        self.log: deque[Happened] = deque(maxlen=LOG_MAX)

    @property
    def any_active(self) -> bool:
        """Whether there is any fault to pass."""
        return bool(self._active)

    @property
    def active(self) -> list[Injected]:
        """The active faults, oldest first."""
        return [
            Injected(
                fault.id,
                fault.name,
                {name: getattr(fault, name) for name in parameters_of(type(fault))},
                fault.struck if isinstance(fault, Selective) else 0,
            )
            for fault in self._active.values()
        ]

    def inject(self, name: str, **parameters: Any) -> int:
        """Start a fault by its name; returns the id to clear it by.

        Values may be as JSON has them.

        Raises:
            FaultError: no such fault or parameter, or a value that does not fit; the text names
                the nearest there is.
        """
        kind = self.kinds.get(name)
        if kind is None:
            raise FaultError(f"there is no fault {name!r}{nearest(name, list(self.kinds))}")
        values = read_parameters(kind.make, parameters)
        try:
            fault = kind.make(**values)
        except ValueError as error:
            raise FaultError(f"{name}: {error}") from None
        self._start(fault)
        return fault.id

    def clear(self, fault_id: int | None = None) -> None:
        """End one fault, or all without an id; what it held back until then goes on.

        Raises:
            FaultError: no active fault has this id.
        """
        if fault_id is not None and fault_id not in self._active:
            raise FaultError(f"no active fault has the id {fault_id}")
        ended = list(self._active) if fault_id is None else [fault_id]
        for each in ended:
            fault = self._active.pop(each)
            fault.end()
            fault.active = False
            self.write(self._scene.now, fault, "cleared")
        self._wake()

    def after(self, fault_id: int) -> Iterator[Fault]:
        """The active faults that were injected after that one."""
        return iter([fault for fault in self._active.values() if fault.id > fault_id])

    def write(self, now: datetime, fault: Fault, what: str) -> None:
        """Add to the log."""
        self.log.append(Happened(now, fault.id, fault.name, what))

    @classmethod
    def describe(cls) -> list[dict[str, Any]]:
        """The table of faults as plain values, for a port that speaks JSON."""
        return [
            {
                "fault": name,
                "does": kind.sentence,
                "source": kind.source,
                "parameters": [_described(item) for item in kind.parameters],
            }
            for name, kind in cls.kinds.items()
        ]

    def _start(self, fault: Fault) -> None:
        self._last_id += 1
        fault.id, fault.scene, fault.active = self._last_id, self._scene, True
        self._active[fault.id] = fault
        self.write(self._scene.now, fault, "injected")
        if self._scene.now == LONG_AGO:  # time has not begun: neither has what counts from it
            self._scene.call_at(LONG_AGO, lambda: fault.begin() if fault.active else None)
        else:
            fault.begin()
        self._wake()


def _described(parameter: Parameter) -> dict[str, Any]:
    row: dict[str, Any] = {"name": parameter.name, "is": parameter.wanted}
    if parameter.required:
        return row | {"required": True}
    plain = isinstance(parameter.default, str | int | float | bool | None)
    return row | {"default": parameter.default if plain else str(parameter.default)}


def markdown_table(kinds: Mapping[str, FaultKind]) -> str:
    """The table of faults as documentation shows it; the selection's parameters are left out."""
    rows = ["| fault | what it does | parameters | source |", "|---|---|---|---|"]
    for name, kind in kinds.items():
        own = ", ".join(_short(item) for item in kind.own)
        rows.append(f"| `{name}` | {kind.sentence} | {own} | {kind.source} |")
    return "\n".join(rows) + "\n"


def _short(parameter: Parameter) -> str:
    if parameter.required:
        return f"`{parameter.name}`"
    return f"`{parameter.name}={parameter.default}`"

"""A fault's parameters, read from its class: names, types, defaults; and values checked by them."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, get_args, get_origin, get_type_hints

from gateway.simulator.faults.fault import Fault
from gateway.simulator.faults.selection import nearest

REQUIRED = MISSING
"""The default of a parameter that must be given."""


LEAST: Mapping[str, int] = {
    "seconds": 0,
    "jitter_seconds": 0,
    "times": 0,
    "order": 0,
    "request": 0,
    "messages": 0,
    "lost": 0,
    "roll_back": 0,
    "copies": 1,
    "notices": 1,
    "violations": 1,
}
"""The least value of parameters of these names, in every fault that has them."""
MOST: Mapping[str, int] = {
    "seconds": 366 * 86_400,
    "jitter_seconds": 366 * 86_400,
    "ahead_seconds": 366 * 86_400,
    "copies": 100,
    "notices": 10_000,
    "parts": 1_000,
}
"""Their largest; other numbers may have `DIGITS_MAX` digits."""
DIGITS_MAX, TEXT_MAX = 12, 200
NUMBER_MAX = int(1e12)


class FaultError(ValueError):
    """An injection that makes no sense: unknown fault or parameter, or a value that does not fit.

    Its text says which, and the nearest name there is.
    """


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a fault.

    Attributes:
        kind: `text`, `integer`, `number`, `decimal`, `yes or no`, or `choice`.
        choices: the values of a choice.
        default: its value when not given, `REQUIRED` for none.
    """

    name: str
    kind: str
    default: Any
    choices: tuple[Any, ...] = ()

    @property
    def required(self) -> bool:
        """Whether it has to be given."""
        return self.default is REQUIRED

    def read(self, value: Any) -> Any:
        """The value as the fault wants it, from Python or from JSON. Raises FaultError."""
        try:
            wanted = READERS[self.kind](self, value)
        except (TypeError, ValueError, InvalidOperation):
            raise FaultError(f"{self.name}={value!r} is not {self.wanted}") from None
        if isinstance(wanted, str) and len(wanted) > TEXT_MAX:
            raise FaultError(f"{self.name} has more than {TEXT_MAX} characters")
        if isinstance(wanted, int | float | Decimal):
            self._check_size(wanted)
        return wanted

    def _check_size(self, number: float | Decimal) -> None:
        if self.name in LEAST and number < LEAST[self.name]:
            raise FaultError(f"{self.name}={number:g} is below {LEAST[self.name]}")
        if not -self.most <= number <= self.most:
            raise FaultError(f"{self.name} is beyond {self.most}")

    @property
    def most(self) -> int:
        """The largest number it may be, on either side of 0."""
        return MOST.get(self.name, NUMBER_MAX)

    @property
    def wanted(self) -> str:
        """What a value has to be, in words."""
        if self.choices:
            return "one of " + ", ".join(str(choice) for choice in self.choices)
        return {"yes or no": "true or false"}.get(self.kind, f"a {self.kind}").replace(
            "a integer", "an integer"
        )


def _text(parameter: Parameter, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _integer(parameter: Parameter, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError
    return int(value)


def _number(parameter: Parameter, value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _decimal(parameter: Parameter, value: Any) -> Decimal | None:
    if value is None and parameter.default is None:
        return None
    if isinstance(value, bool):
        raise TypeError
    number = Decimal(str(value))
    if not number.is_finite() or abs(int(number.as_tuple().exponent)) > DIGITS_MAX:
        raise ValueError
    return number


def _flag(parameter: Parameter, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _choice(parameter: Parameter, value: Any) -> Any:
    for choice in parameter.choices:
        if value == choice or str(value) == str(choice):
            return choice
    raise ValueError


READERS = {
    "text": _text,
    "integer": _integer,
    "number": _number,
    "decimal": _decimal,
    "yes or no": _flag,
    "choice": _choice,
}
KIND_NAMES: dict[Any, str] = {
    str: "text",
    int: "integer",
    float: "number",
    Decimal: "decimal",
    Decimal | None: "decimal",
    bool: "yes or no",
}


def parameters_of(fault: type[Fault]) -> Mapping[str, Parameter]:
    """The parameters of a fault by name: its own first, then those of the selection."""
    hints = get_type_hints(fault)
    fields = [field for field in dataclasses.fields(fault) if field.init]
    own = vars(fault).get("__annotations__", {})
    ordered = sorted(fields, key=lambda field: field.name not in own)
    return {field.name: _parameter(field, hints[field.name]) for field in ordered}


def _parameter(field: dataclasses.Field[Any], hint: Any) -> Parameter:
    if get_origin(hint) is Literal:
        return Parameter(field.name, "choice", field.default, get_args(hint))
    return Parameter(field.name, KIND_NAMES[hint], field.default)


def read_parameters(fault: type[Fault], given: Mapping[str, Any]) -> dict[str, Any]:
    """The given parameters as the fault wants them. Raises FaultError."""
    known = parameters_of(fault)
    for name in given:
        if name not in known:
            hint = nearest(name, list(known)) or f": it has {', '.join(known)}"
            raise FaultError(f"{fault.name} has no parameter {name!r}{hint}")
    missing = [name for name, item in known.items() if item.required and name not in given]
    if missing:
        raise FaultError(f"{fault.name} needs {', '.join(missing)}")
    return {name: known[name].read(value) for name, value in given.items()}

"""Bytes <-> message, dict <-> document: the only importer of the (de)serializer.

Both directions are exact: decimals travel as text or as JSON numbers read digit by digit, times as
RFC 3339 with a zone. What does not validate raises `Invalid` with a sentence that names the field.
"""

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, cast

import msgspec

from schemas.bounds import out_of_bounds
from schemas.commands import COMMANDS, Command
from schemas.messages import TOPICS, Message
from schemas.sentences import alternatives, nearest, refusal
from schemas.settings import MOVED

MESSAGE_BYTES_MAX: Final = 1_000_000
"""A tenth of Pub/Sub's limit: a message here is a few hundred bytes, a Market some 50 kB."""

NUMBER_SUFFIX: Final = "_number"
"""A decimal's companion in a document, for the eye and for sorting in the console."""


_SCALARS: Final = frozenset({str, int, float, bool, datetime, types.NoneType})
"""What is the same in a document; looked at first, for most of a document is this."""

_JSON: Final = msgspec.json.Decoder(float_hook=Decimal)


class Invalid(ValueError):
    """A message or document that does not validate; the text names the field and the reason."""


def encode(message: Message) -> bytes:
    """The JSON text of a message, fields in their declared order."""
    if not any(field.name.endswith("_") for field in dataclasses.fields(message)):
        return msgspec.json.encode(message)
    plain = msgspec.to_builtins(message)
    return msgspec.json.encode({_wire_name(name): value for name, value in plain.items()})


def decode[T: Message](kind: type[T], data: bytes) -> T:
    """The message of a given type. Raises `Invalid`."""
    return _convert(kind, _attributes_of(kind, _parse(data)))


def decode_command(data: bytes) -> Command:
    """The command in a `commands` message, told apart by its field `command`. Raises `Invalid`."""
    fields = _parse(data)
    name = fields.get("command")
    if not isinstance(name, str) or name not in COMMANDS:
        raise Invalid(f"command: {name!r} is not one of {', '.join(COMMANDS)}")
    return _convert(COMMANDS[name], _attributes_of(COMMANDS[name], fields))


def attributes(message: Message, event_id: str, at: datetime) -> dict[str, str]:
    """The CloudEvents attributes of what the system publishes, and `strategy` to filter on."""
    topic = TOPICS[type(message)]
    found = {
        "ce-specversion": "1.0",
        "ce-id": event_id,
        "ce-type": f"ib-trading.{topic}.v1",
        "ce-source": f"//ib-trading/{topic}",
        "ce-time": at.astimezone(UTC).isoformat(),
    }
    strategy = getattr(message, "strategy", "")
    return {**found, "strategy": strategy} if strategy else found


def json_schema(kind: type[Message]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a message, as strict as `decode`: unknown fields are refused."""
    found = cast(dict[str, Any], _strict(msgspec.json.schema(kind)))
    if kind in COMMANDS.values():
        found["$defs"][kind.__name__]["required"].append("command")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}


def to_document(value: Any) -> dict[str, Any]:
    """A document's dict: decimals as text with a float beside them, tuples as lists."""
    return {
        key: plain
        for field in dataclasses.fields(value)
        for key, plain in _entry(field.name, getattr(value, field.name))
    }


def from_document[T](kind: type[T], data: Mapping[str, Any]) -> T:
    """The typed document. Raises `Invalid`, also for a field that nobody knows or a number that
    makes no sense (`schemas.bounds`)."""
    found = _convert(kind, cast(dict[str, Any], _without_numbers(data)))
    sentence = out_of_bounds(found)
    if sentence is not None:
        raise Invalid(sentence)
    return found


def _wire_name(attribute: str) -> str:
    """A field's name in JSON: `from` is a word of Python's own, so the attribute is `from_`."""
    return attribute.removesuffix("_")


def _attributes_of(kind: type[Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """A message's fields by the names of its attributes."""
    attributes = {_wire_name(field.name): field.name for field in dataclasses.fields(kind)}
    return {attributes.get(name, name): value for name, value in fields.items()}


def _entry(key: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Decimal):
        return [(key, str(value)), (key + NUMBER_SUFFIX, float(value))]
    return [(key, _plain(value))]


def _plain(value: Any) -> Any:
    if type(value) in _SCALARS:
        return value
    if dataclasses.is_dataclass(value):
        return to_document(value)
    if isinstance(value, Mapping):
        return {k: v for key, item in value.items() for k, v in _entry(str(key), item)}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Decimal | str) else value


def _without_numbers(value: Any) -> Any:
    if type(value) in _SCALARS:
        return value
    if isinstance(value, Mapping):
        return {
            key: _without_numbers(item)
            for key, item in value.items()
            if not (key.endswith(NUMBER_SUFFIX) and key.removesuffix(NUMBER_SUFFIX) in value)
        }
    return [_without_numbers(item) for item in value] if isinstance(value, list) else value


def _strict(schema: Any) -> Any:
    """The serializer's schema, with what `decode` adds to it and docstrings on one line."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _strict(item) for key, item in schema.items()}
    if found.get("format") == "decimal":
        return {**found, "type": ["string", "number"]}
    if isinstance(found.get("properties"), dict) and found.get("type") == "object":
        found["additionalProperties"] = False
        found["properties"] = {_wire_name(k): v for k, v in found["properties"].items()}
        if "required" in found:
            found["required"] = [_wire_name(name) for name in found["required"]]
    if isinstance(found.get("description"), str):
        found["description"] = " ".join(found["description"].split())
    return found


def _parse(data: bytes) -> dict[str, Any]:
    if len(data) > MESSAGE_BYTES_MAX:
        raise Invalid(f"the message has {len(data)} bytes, at most {MESSAGE_BYTES_MAX}")
    try:
        fields = _JSON.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Invalid(f"the message is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise Invalid(f"the message must be a JSON object, not {type(fields).__name__}")
    return cast(dict[str, Any], fields)


def _convert[T](kind: type[T], fields: Mapping[str, Any]) -> T:
    _check_known(kind, fields, "")
    try:
        return msgspec.convert(fields, kind, str_keys=True, dec_hook=_decimal_as_float)
    except msgspec.ValidationError as error:
        is_ours = isinstance(error.__cause__, ValueError)  # raised by a `__post_init__`
        sentence = refusal(kind, fields, str(error), _fits, is_ours=is_ours)
        raise Invalid(sentence) from error


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind, str_keys=True, dec_hook=_decimal_as_float)
    except msgspec.ValidationError:
        return False
    return True


def _decimal_as_float(kind: type, value: Any) -> Any:
    if kind is float and isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")


def _check_known(kind: Any, value: Any, place: str) -> None:
    """Raise `Invalid` for a key that the type does not have, wherever it is nested."""
    for part in alternatives(kind):
        if dataclasses.is_dataclass(part) and isinstance(value, Mapping):
            _check_fields(part, value, place)
        elif typing.get_origin(part) is tuple and isinstance(value, list | tuple):
            for index, item in enumerate(value):
                _check_known(typing.get_args(part)[0], item, f"{place}[{index}]")
        elif isinstance(value, Mapping) and len(typing.get_args(part)) == 2:
            for key, item in value.items():
                _check_known(typing.get_args(part)[1], item, _place(place, key))


def _check_fields(kind: Any, value: Mapping[str, Any], place: str) -> None:
    hints = _hints(kind)
    for key, item in value.items():
        if key not in hints:
            raise Invalid(f"{_place(place, key)}: unknown field{_meant(kind, str(key))}")
        if _has_fields(hints[key]):
            _check_known(hints[key], item, _place(place, key))


def _meant(kind: Any, key: str) -> str:
    """Where a field went, or which one was probably meant; empty when nobody knows."""
    moved = MOVED.get(kind, {}).get(key)
    if moved:
        return f", it is {moved} now"
    names = [_wire_name(name) for name in _hints(kind)]
    close = nearest(key, names)
    return f", did you mean {close}?" if close else ""


def _place(outer: str, key: object) -> str:
    return f"{outer}.{key}".lstrip(".")


@functools.cache
def _hints(kind: Any) -> Mapping[str, Any]:
    """The types of a dataclass's fields; to find them takes longer than to check a document."""
    return typing.get_type_hints(kind)


@functools.cache
def _has_fields(kind: Any) -> bool:
    """Whether a dataclass is in the type, at any depth: columns of numbers hold no name."""
    return any(
        dataclasses.is_dataclass(part) or any(map(_has_fields, typing.get_args(part)))
        for part in alternatives(kind)
    )

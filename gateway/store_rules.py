"""What Firestore accepts as a path and as a document, checked before it leaves us.

Both implementations of the store use these rules, because Google's client guesses where it should
refuse: it takes a naive datetime for UTC and raises three kinds of error for the rest.
Source: firebase.google.com/docs/firestore/quotas and .../storage-size.
"""

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import NoneType
from typing import Any, Final

from gateway.ports import Delete, Write

DOCUMENT_BYTES_MAX = 1_048_576
COMMIT_BYTES_MAX = 10 * 1024 * 1024
DEPTH_MAX = 20
ID_BYTES_MAX = 1500
INT_MIN, INT_MAX = -(2**63), 2**63 - 1

_RESERVED = re.compile(r"__.*__", re.DOTALL)
_NAME_OVERHEAD_BYTES = 16
_MAP_OVERHEAD_BYTES = 32
_FIXED_BYTES: Final[Mapping[type, int]] = {float: 8, bool: 1, NoneType: 1}
"""What has one size and is always accepted, as columns of bars."""


def check_document_path(path: str) -> None:
    """Raise `ValueError` unless `path` names a document (`runs/r1`: an even number of ids)."""
    if len(_ids(path)) % 2:
        raise ValueError(f"{path!r} has an odd number of segments, so it is no document path")


def check_collection_path(path: str) -> None:
    """Raise `ValueError` unless `path` names a collection (`runs`: an odd number of ids)."""
    if not len(_ids(path)) % 2:
        raise ValueError(f"{path!r} has an even number of segments, so it is no collection path")


def check_field(field: str) -> None:
    """Raise `ValueError` unless `field` is a dotted path of field names."""
    for name in field.split("."):
        _string_bytes(name, field)
        _check_key(name, field)


def check_value(value: object) -> None:
    """Raise `ValueError` for a value that a document cannot hold."""
    _value_bytes(value, "value", 1)


def check_writes(writes: Sequence[Write]) -> None:
    """Raise `ValueError`, naming path and field, for a commit that Firestore would refuse."""
    size = sum(_write_bytes(write) for write in writes)
    if size > COMMIT_BYTES_MAX:
        raise ValueError(f"a commit of {size} bytes; at most {COMMIT_BYTES_MAX} are allowed")


def _write_bytes(write: Write) -> int:
    check_document_path(write.path)
    if isinstance(write, Delete):
        return 0
    if type(write.data) is not dict:
        raise ValueError(f"{write.path}: a document is a dict, not {_kind(write.data)}")
    name_bytes = _NAME_OVERHEAD_BYTES + sum(len(i.encode()) + 1 for i in _ids(write.path))
    size = name_bytes + _map_bytes(write.data, write.path, 0)
    if size > DOCUMENT_BYTES_MAX:
        raise ValueError(
            f"{write.path}: a document of {size} bytes; at most {DOCUMENT_BYTES_MAX} are allowed"
        )
    return size


def _ids(path: str) -> list[str]:
    ids = path.split("/")
    for one in ids:
        size = _string_bytes(one, path) - 1
        if not 0 < size <= ID_BYTES_MAX or one in {".", ".."} or _RESERVED.fullmatch(one):
            raise ValueError(f"{path[:200]!r} has the segment {one[:40]!r}, which is no valid id")
    return ids


def _value_bytes(value: object, where: str, depth: int) -> int:
    """The size by Firestore's rules of a value found at `where`, when it is acceptable."""
    match value:
        case None | bool():
            return 1
        case str():
            return _string_bytes(value, where)
        case int() | float() | datetime():
            return _scalar_bytes(value, where)
        case dict():
            return _map_bytes(value, where, depth)
        case list() | tuple():
            return _array_bytes(value, where, depth)
    raise ValueError(f"{where}: {_kind(value)} cannot be stored")


def _scalar_bytes(value: float | datetime, where: str) -> int:
    if isinstance(value, datetime) and value.utcoffset() is None:
        raise ValueError(f"{where}: {value} is naive; a stored time needs its zone")
    if isinstance(value, int) and not INT_MIN <= value <= INT_MAX:
        raise ValueError(f"{where}: {value} does not fit into 64 bits")
    return 8


def _map_bytes(data: dict[Any, Any], where: str, depth: int) -> int:
    _check_depth(where, depth)
    size = _MAP_OVERHEAD_BYTES
    for key, value in data.items():
        if not isinstance(key, str):
            raise ValueError(f"{where}: the key {key!r} is {_kind(key)}, not str")
        size += _field_name_bytes(key) or _check_key(key, where)
        size += _plain_bytes(value) or _value_bytes(value, f"{where}.{key}", depth + 1)
    return size


def _array_bytes(values: Iterable[object], where: str, depth: int) -> int:
    _check_depth(where, depth)
    size = 0
    for value in values:
        if isinstance(value, list | tuple):
            raise ValueError(f"{where}: a list directly inside a list cannot be stored")
        size += _plain_bytes(value) or _value_bytes(value, where, depth + 1)
    return size


def _plain_bytes(value: object) -> int:
    """The size of most of what is stored, quickly; 0 for what has to be looked at."""
    if type(value) is str:
        return len(value) + 1 if value.isascii() else 0
    return _FIXED_BYTES.get(type(value), 0)


def _check_depth(where: str, depth: int) -> None:
    if depth > DEPTH_MAX:
        raise ValueError(f"{where[:200]}: nested deeper than {DEPTH_MAX} levels")


def _check_key(key: str, where: str) -> int:
    """The size of a field name. Raises `ValueError` for what is none."""
    _string_bytes(key, where)
    size = _field_name_bytes(key)
    if not size:
        raise ValueError(f"{where}: {key[:40]!r} is no valid field name")
    return size


@functools.lru_cache(maxsize=4_096)
def _field_name_bytes(key: str) -> int:
    """The size of a field name, 0 for what is none: most of them come again and again."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return 0
    is_name = 0 < size <= ID_BYTES_MAX and not _RESERVED.fullmatch(key)
    return size + 1 if is_name else 0


def _string_bytes(value: str, where: str) -> int:
    try:
        return len(value.encode()) + 1
    except UnicodeEncodeError as error:
        raise ValueError(f"{where}: the text is no valid Unicode: {error}") from None


def _kind(value: object) -> str:
    return f"a value of type {type(value).__name__}"

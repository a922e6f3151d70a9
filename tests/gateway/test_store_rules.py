"""Paths, values and sizes at and beyond Firestore's limits. (The refusals: conformance.)"""

import pytest

from gateway.ports import Delete, Put
from gateway.store_rules import (
    COMMIT_BYTES_MAX,
    DOCUMENT_BYTES_MAX,
    check_collection_path,
    check_document_path,
    check_field,
    check_value,
    check_writes,
)

# runs/r1 = 5 + 3 + 16 for the name, 32 for the document, 2 for the field, 1 for the text's end
OVERHEAD_BYTES = 24 + 32 + 2 + 1


@pytest.mark.parametrize("path", ["runs/r1", "positions/paper/holdings/EXTERNAL", "a/é b", "a/_x_"])
def test_an_even_number_of_ids_is_a_document_path(path: str) -> None:
    check_document_path(path)
    check_collection_path(path.rpartition("/")[0])


@pytest.mark.parametrize("identifier", ["", ".", "..", "__x__", "x" * 1501, "\ud800"])
def test_an_invalid_id_is_refused_in_any_place(identifier: str) -> None:
    for path in (f"runs/{identifier}", f"{identifier}/r1"):
        with pytest.raises(ValueError, match=r"no valid id|no valid Unicode"):
            check_document_path(path)


@pytest.mark.parametrize("field", ["", "a..b", ".a", "__a__", "a.__b__"])
def test_an_invalid_field_path_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match="field name"):
        check_field(field)


def test_a_value_to_look_for_obeys_the_rules_of_values() -> None:
    check_value({"a": [1, {"b": None}]})
    with pytest.raises(ValueError, match="complex"):
        check_value(1j)


def test_a_document_may_fill_its_size_to_the_byte() -> None:
    fitting = "x" * (DOCUMENT_BYTES_MAX - OVERHEAD_BYTES)
    check_writes([Put("runs/r1", {"t": fitting})])
    with pytest.raises(ValueError, match=f"{DOCUMENT_BYTES_MAX + 1} bytes"):
        check_writes([Put("runs/r1", {"t": fitting + "x"})])


def test_a_commit_has_a_size_of_its_own() -> None:
    write = Put("runs/r1", {"t": "x" * 1_000_000})
    check_writes([write] * 10)
    with pytest.raises(ValueError, match=str(COMMIT_BYTES_MAX)):
        check_writes([write] * 11)


def test_a_refusal_names_document_and_field() -> None:
    with pytest.raises(ValueError, match=r"runs/r1\.legs\.price: a value of type complex"):
        check_writes([Delete("runs/r0"), Put("runs/r1", {"legs": [{"price": 1j}]})])


def test_a_document_is_a_dict() -> None:
    with pytest.raises(ValueError, match="not a value of type list"):
        check_writes([Put("runs/r1", [])])  # type: ignore[arg-type]

"""Where documents live, and who writes them."""

import string

import pytest

from schemas.documents import DOCUMENTS, OrderDocument, Place, RunDocument, path_of
from schemas.values import Mode

PLACES = pytest.mark.parametrize("place", DOCUMENTS.values(), ids=lambda place: place.path)


def filled(place: Place) -> str:
    names = [name for _, name, _, _ in string.Formatter().parse(place.path) if name]
    return place.at(**dict.fromkeys(names, "x"))


@PLACES
def test_a_path_has_an_even_number_of_segments(place: Place) -> None:
    assert len(filled(place).split("/")) % 2 == 0


def test_no_two_kinds_share_a_place() -> None:
    paths = [filled(place) for place in DOCUMENTS.values()]
    assert len(paths) == len(set(paths))


def test_a_path_is_filled_from_its_fields() -> None:
    assert path_of(RunDocument, run_id="r1") == "runs/r1"
    found = path_of(OrderDocument, mode=Mode.PAPER, order_ref="paper-756733-1")
    assert found == "positions/paper/openOrders/paper-756733-1"


@pytest.mark.parametrize("run_id", ["", "a/b"])
def test_a_field_that_would_lead_elsewhere_is_refused(run_id: str) -> None:
    with pytest.raises(ValueError, match="cannot be part of a document path"):
        path_of(RunDocument, run_id=run_id)

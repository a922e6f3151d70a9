"""`docs/configuration.md` says what the dataclasses say."""

from dataclasses import fields

import pytest

from infra.configuration_docs import PAGE, TABLES, page, said_of, table
from schemas.settings import OrderPolicy, Settings

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_tables_of_the_page_are_those_of_the_code() -> None:
    assert page(TEXT) == TEXT, "run: python -m infra.configuration_docs"


@pytest.mark.parametrize("kind", TABLES.values(), ids=lambda kind: kind.__name__)
def test_every_field_that_people_set_says_what_it_means(kind: type) -> None:
    missing = {field.name for field in fields(kind)} - {*said_of(kind)}
    assert missing == set(), "say it in a string under the field"


def test_a_row_has_name_type_default_bound_and_meaning() -> None:
    rows = table(Settings).splitlines()
    assert "| `answer_seconds` | whole number | 60 | 1 to 86400 seconds |" in rows[5]
    assert "| `tif` | `DAY`, `IOC` | DAY |  | How long" in table(OrderPolicy)

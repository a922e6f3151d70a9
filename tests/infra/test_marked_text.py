import pytest

from infra.marked_text import filled

PAGE = "by hand\n<!-- a -->\nold\n<!-- /a -->\nby hand too\n<!-- b -->\n<!-- /b -->\n"


def test_what_stands_between_the_marks_is_made_anew_and_nothing_else() -> None:
    made = "by hand\n<!-- a -->\nnew\n<!-- /a -->\nby hand too\n<!-- b -->\n{\\1}\n<!-- /b -->\n"
    assert filled(PAGE, {"a": "new", "b": "\n{\\1}\n"}) == made
    assert filled(made, {"a": "new"}) == made


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no marks for c"):
        filled(PAGE, {"c": "new"})

"""Tables of text."""

from decimal import Decimal

from gateway.core import tables


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    told = tables.table("books", ("book", "held"), [("a", "+10"), ("long one", "")])
    assert told.splitlines() == ["BOOKS", "  book      held", "  a         +10", "  long one"]


def test_a_table_without_rows_says_none() -> None:
    assert tables.table("orders", ("order",), []) == "ORDERS: none"


def test_money_is_told_to_the_cent() -> None:
    assert tables.money("1234.5") == "1,234.50"
    assert tables.signed_money(Decimal("-0.064")) == "-0.06"
    assert tables.signed_money(None) == ""


def test_a_line_that_is_too_long_ends_with_an_ellipsis() -> None:
    assert tables.clipped("abcdef\nab", 4) == "abc…\nab"

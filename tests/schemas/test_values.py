"""Words that both sides share."""

import pytest

from schemas.values import Contract, check_strategy_id


@pytest.mark.parametrize("name", ["a", "spy_macd_vixy", "x" * 63])
def test_a_good_strategy_name_passes(name: str) -> None:
    check_strategy_id(name)


@pytest.mark.parametrize("name", ["", "EXTERNAL", "1st", "_a", "a-b", "a/b", "ä", "x" * 64, "a\n"])
def test_a_name_that_cannot_name_a_document_or_a_function_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must be 1 to 63 of a-z"):
        check_strategy_id(name)


def test_a_contract_needs_something_to_be_found_by() -> None:
    with pytest.raises(ValueError, match="symbol must not be empty"):
        Contract("")
    assert Contract("", con_id=756733).con_id == 756733
    assert Contract("", local_symbol="ESZ5").local_symbol == "ESZ5"

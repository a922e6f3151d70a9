"""What a decision may say."""

from decimal import Decimal

import pytest

from functions.decision import Quantities, Weights


def test_weights_may_use_the_whole_capital_and_no_more() -> None:
    assert Weights({"SPY": Decimal("-0.5"), "VIXY": Decimal("0.5")}, "hedged").weights
    with pytest.raises(ValueError, match=r"sum to 1\.1, at most 1"):
        Weights({"SPY": Decimal("-0.6"), "VIXY": Decimal("0.5")}, "too much")


@pytest.mark.parametrize("kind", [Weights, Quantities])
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_not_a_number_is_refused(kind: type[Weights | Quantities], number: str) -> None:
    with pytest.raises(ValueError, match=r"SPY is .*, not a finite number"):
        kind({"SPY": Decimal(number)}, "no number")

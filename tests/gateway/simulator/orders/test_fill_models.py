"""Fill models by name and of one's own: what each makes of a bar."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator.market.bars import Bar
from gateway.simulator.market.contracts import LISTINGS
from gateway.simulator.orders.fill_models import FILL_MODELS, FillModel, fill_model

BY_KEY = {listing.key: listing for listing in LISTINGS}
START = datetime(2025, 12, 12, 15, tzinfo=UTC)
NUMBERS = (Decimal(100), Decimal(102), Decimal(98), Decimal(101), Decimal(1005))
BAR = Bar(START.date(), START, START + timedelta(minutes=30), *NUMBERS)


@pytest.mark.parametrize(
    ("name", "limit", "side", "trades"),
    [
        ("pessimistic", 99, 1, True),
        ("pessimistic", 98, 1, False),
        ("pessimistic", 102, -1, False),
        ("pessimistic", 101, -1, True),
        ("harsh", 98, 1, False),
        ("touch", 98, 1, True),
        ("touch", 97, 1, False),
        ("touch", 102, -1, True),
    ],
)
def test_a_limit_is_reached(name: str, limit: int, side: int, trades: bool) -> None:
    assert fill_model(name).reaches(BAR, Decimal(limit), side) is trades


@pytest.mark.parametrize(
    ("name", "volume"), [("pessimistic", Decimal(100)), ("harsh", Decimal(25)), ("touch", None)]
)
def test_a_bar_gives_a_share_of_its_volume_in_whole_shares(
    name: str, volume: Decimal | None
) -> None:
    assert fill_model(name).volume(BY_KEY["SPY"], BAR) == volume
    assert fill_model(name).volume(BY_KEY["EUR.USD"], BAR) is None


def test_slippage_is_against_the_order() -> None:
    model = FILL_MODELS["harsh"]
    assert model.slipped(Decimal(1000), 1) == Decimal("1000.5")
    assert model.slipped(Decimal(1000), -1) == Decimal("999.5")


def test_the_model_of_ones_own_is_taken_as_it_is() -> None:
    mine = FillModel("mine", through=False, volume_share=Decimal("0.5"))
    assert fill_model(mine) is mine


@pytest.mark.parametrize(
    "changes",
    [{"slippage_bp": Decimal(-1)}, {"volume_share": Decimal(0)}, {"volume_share": Decimal(2)}],
)
def test_a_model_that_makes_no_sense_is_an_error(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="fill model 'mine'"):
        FillModel("mine", **changes)


def test_an_unknown_model_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="pessimistic, harsh, touch"):
        fill_model("kind")

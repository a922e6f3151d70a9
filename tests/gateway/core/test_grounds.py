"""What a net went by."""

from dataclasses import replace
from decimal import Decimal

from gateway.core.desk import Desk
from gateway.core.grounds import grounds
from schemas.settings import Settings
from schemas.values import Mode, TradingState


def test_the_defaults_are_not_repeated_in_every_run() -> None:
    found = grounds(Desk(Mode.PAPER))
    assert found.settings == {}
    assert found.trading_state is TradingState.HALTED
    assert found.net_liquidation is None


def test_what_people_set_is_kept_as_text() -> None:
    settings = replace(Settings(), order_notional_max=Decimal(8000), fresh_minutes=5)
    found = grounds(replace(Desk(Mode.PAPER), settings=settings))
    assert found.settings == {"fresh_minutes": "5", "order_notional_max": "8000"}

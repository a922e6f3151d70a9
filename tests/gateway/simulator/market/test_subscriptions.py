"""Which market data a client gets: IB's codes 354, 10089, 10167, 10168, 10197 (ib.md 4)."""

import pytest

from gateway.simulator.market.contracts import ContractTable, Listing
from gateway.simulator.market.subscriptions import DELAY, Subscriptions


def listed(key: str) -> Listing:
    found = ContractTable().by_symbol(key)
    assert found is not None
    return found


SPY, EUR_USD = listed("SPY"), listed("EUR.USD")


@pytest.mark.parametrize(
    ("level", "wanted", "code", "refused"),
    [
        ("live", 1, 0, False),
        ("live", 3, 0, False),
        ("delayed", 1, 10089, True),
        ("delayed", 2, 10089, True),
        ("delayed", 3, 10167, False),
        ("delayed", 4, 10167, False),
        ("none", 1, 354, True),
        ("none", 3, 10168, True),
        ("competing", 1, 10197, True),
        ("competing", 3, 10197, True),
    ],
)
def test_each_level_answers_each_type_with_its_code(
    level: str, wanted: int, code: int, refused: bool
) -> None:
    served = Subscriptions({"*": level}).served(SPY, wanted)
    assert (served.code, served.refused) == (code, refused)


def test_live_data_are_live_whatever_was_asked_for() -> None:
    served = Subscriptions({}).served(SPY, 3)
    assert (served.type, served.delay.seconds) == (1, 0)


def test_delayed_data_are_a_quarter_of_an_hour_old() -> None:
    served = Subscriptions({"*": "delayed"}).served(SPY, 3)
    assert (served.type, served.delay) == (3, DELAY)


def test_the_name_of_a_contract_comes_before_its_type_and_the_rest() -> None:
    subscriptions = Subscriptions({"*": "none", "STK": "delayed", "SPY": "live"})
    assert subscriptions.level(SPY) == "live"
    assert subscriptions.level(listed("QQQ")) == "delayed"
    assert subscriptions.level(EUR_USD) == "none"


def test_a_level_can_change_and_an_unknown_one_is_refused() -> None:
    subscriptions = Subscriptions({})
    subscriptions.set("*", "competing")
    assert subscriptions.level(SPY) == "competing"
    with pytest.raises(ValueError, match="level 'free' is not one of live, delayed"):
        subscriptions.set("*", "free")


def test_the_past_needs_a_subscription_too() -> None:
    refusals = [Subscriptions({"*": level}).history_refusal(SPY) for level in ("live", "delayed")]
    assert refusals == [None, None]
    assert Subscriptions({"*": "none"}).history_refusal(SPY) == (
        "No market data permissions for ARCA STK"
    )
    competing = Subscriptions({"*": "competing"}).history_refusal(SPY)
    assert competing == "Trading TWS session is connected from a different IP address"

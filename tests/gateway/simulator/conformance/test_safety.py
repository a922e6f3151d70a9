import pytest

from gateway.simulator.conformance.safety import (
    CannotRun,
    check_account,
    check_port,
    check_trade,
    chosen_account,
)


@pytest.mark.parametrize("port", [4001, 7496])
def test_the_ports_of_live_gateways_are_refused(port: int) -> None:
    with pytest.raises(CannotRun, match=f"port {port}.*4002"):
        check_port(port)


@pytest.mark.parametrize("port", [4002, 7497, 12345])
def test_other_ports_are_not(port: int) -> None:
    check_port(port)


@pytest.mark.parametrize("account", ["U1234567", "du1234567", "", "F123", "XDU1"])
def test_an_account_that_is_not_paper_is_refused(account: str) -> None:
    with pytest.raises(CannotRun, match="does not begin with DU"):
        check_account(account)


def test_an_advisors_paper_account_is_refused_for_what_it_is() -> None:
    with pytest.raises(CannotRun, match="account DF1 is an advisor's paper account"):
        chosen_account("DU1", ["DF1", "DU1"])


def test_trading_needs_the_account_typed_out() -> None:
    check_trade("DU1")
    with pytest.raises(CannotRun, match="--account DU"):
        check_trade(None)


def test_the_only_account_is_chosen_and_of_several_the_named_one() -> None:
    assert chosen_account(None, ["DU1"]) == "DU1"
    assert chosen_account("DU2", ["DU1", "DU2"]) == "DU2"


@pytest.mark.parametrize(
    ("named", "offered", "said"),
    [
        (None, [], "no account"),
        (None, ["DU1", "DU2"], "choose one with --account"),
        ("DU3", ["DU1", "DU2"], "no account DU3"),
        ("DU1", ["DU1", "U2"], "U2 does not begin with DU"),
        (None, ["U2"], "U2 does not begin with DU"),
    ],
)
def test_a_login_that_does_not_fit_is_refused(
    named: str | None, offered: list[str], said: str
) -> None:
    with pytest.raises(CannotRun, match=said):
        chosen_account(named, offered)

"""What the gateway refuses to connect to, and to trade with (issue 4.7)."""

import pytest

from gateway.core.broker import masked
from gateway.safety import Unsafe, check_account, check_address
from schemas.values import Mode

ANY_PORT = 5000


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.10", "::1"])
def test_a_broker_on_this_machine_is_accepted_in_both_modes(mode: Mode, host: str) -> None:
    check_address(mode, host, ANY_PORT)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize(
    "host",
    [
        "",
        "ib-gateway",
        "10.0.0.5",
        "0.0.0.0",
        "128.0.0.1",
        "::",
        "localhost.example.com",
        "127.0.0.1.example.com",
    ],
)
def test_any_host_but_loopback_is_refused_by_name(mode: Mode, host: str) -> None:
    with pytest.raises(Unsafe, match="must be on this machine") as refusal:
        check_address(mode, host, ANY_PORT)
    assert repr(host) in str(refusal.value)


@pytest.mark.parametrize(
    ("mode", "port"),
    [
        (Mode.PAPER, 4001),
        (Mode.PAPER, 4003),
        (Mode.PAPER, 7496),
        (Mode.LIVE, 4002),
        (Mode.LIVE, 4004),
        (Mode.LIVE, 7497),
    ],
)
def test_the_other_modes_ports_are_refused(mode: Mode, port: int) -> None:
    with pytest.raises(Unsafe, match=f"port is {port}, which is IB's for") as refusal:
        check_address(mode, "127.0.0.1", port)
    assert f"and this is {mode}: use one of" in str(refusal.value)


@pytest.mark.parametrize(
    ("mode", "port"),
    [
        (Mode.PAPER, 4002),
        (Mode.PAPER, 4004),
        (Mode.PAPER, 7497),
        (Mode.LIVE, 4001),
        (Mode.LIVE, 4003),
        (Mode.LIVE, 7496),
    ],
)
def test_a_modes_own_ports_are_accepted(mode: Mode, port: int) -> None:
    check_address(mode, "127.0.0.1", port)


@pytest.mark.parametrize("account", ["DU1234567", "DF1234567", "DUSIM0001"])
def test_paper_accounts_are_papers_and_never_lives(account: str) -> None:
    check_account(Mode.PAPER, account, "")
    with pytest.raises(Unsafe, match="live accounts start with U or F") as refusal:
        check_account(Mode.LIVE, account, account)
    assert f"the account is {masked(account)}," in str(refusal.value)


@pytest.mark.parametrize("account", ["U1234567", "F1234567"])
def test_live_accounts_are_lives_and_never_papers(account: str) -> None:
    check_account(Mode.LIVE, account, account)
    with pytest.raises(Unsafe, match="paper accounts start with DU or DF") as refusal:
        check_account(Mode.PAPER, account, account)
    assert f"the account is {masked(account)}," in str(refusal.value)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("account", ["", "D1", "du1234567", "u1234567", "X1234567", " U1", "1U"])
def test_an_account_of_no_known_kind_is_refused_in_both_modes(mode: Mode, account: str) -> None:
    with pytest.raises(Unsafe, match="accounts start with"):
        check_account(mode, account, account)


@pytest.mark.parametrize("accepted", ["", "U7654321", "u1234567", "U1234567 ", "yes"])
def test_a_live_account_must_be_accepted_by_its_exact_name(accepted: str) -> None:
    """Nobody trades live by accident."""
    with pytest.raises(Unsafe, match="LIVE_TRADING_ACCEPTED names another") as refusal:
        check_account(Mode.LIVE, "U1234567", accepted)
    assert repr(masked(accepted)) in str(refusal.value)
    assert "U1234567" not in str(refusal.value)
